/*
 * Whether the partner's certificate has been taken back (cert_status.h).
 *
 * Where that has to be known before he is believed, nothing is sent and nothing
 * read until it is.  Found out later, it ends the stream; the next one to him is
 * judged by it from the beginning.  Who is proven by TLSA records does not need
 * the authorities' word (RFC 7671 5.1).
 */
#include "edge-proxy/s2s_out_impl.h"

#include <openssl/x509.h>

#include "common/conn.h"
#include "edge-proxy/identities.h"

static void
on_status(struct cert_watch *w, long verdict)
{
	struct s2s_out *s = list_entry(w, struct s2s_out, watch);

	if (s->state == OUT_CLOSED || s->conn == NULL)
		return;
	if (verdict != X509_V_OK)
		s->identity.verdict = verdict;
	if (s->state == OUT_TLS) {
		conn_resume(s->conn);
		s2s_out_go_on(s);
	} else if (s->unproven == NULL &&
		   !peer_identity_proves(&s->identity, s->remote)) {
		s2s_out_finish(s, S2S_OUT_TLS, STREAM_ERR_POLICY_VIOLATION,
		    X509_verify_cert_error_string(verdict));
	}
}

void
s2s_out_init_status(struct s2s_out *s)
{
	cert_watch_init(&s->watch, on_status);
}

bool
s2s_out_awaits_status(struct s2s_out *s)
{
	long verdict;

	if (!s->identity.presented || s->identity.verdict != X509_V_OK ||
	    peer_identity_proven_by_dane(&s->identity, s->remote))
		return false;
	verdict = cert_watch_begin(
	    &s->watch, identities_status(s->identities), conn_ssl(s->conn));
	if (verdict == CERT_WATCH_WAIT) {
		conn_pause(s->conn);
		return true;
	}
	s->identity.verdict = verdict;
	return false;
}
