/*
 * Whether the partner's certificate has been taken back (cert_status.h).
 *
 * Where that has to be known before anything is offered, his header waits, and
 * nothing of his is read meanwhile.  Found out later, it ends the stream: he is
 * judged anew when he comes again.
 */
#include "edge-proxy/s2s_in_impl.h"

#include <openssl/x509.h>

#include "common/conn.h"
#include "edge-proxy/identities.h"

static void
go_on(struct s2s_in *s)
{
	s->held = false;
	if (!s2s_in_look_up(s))
		s2s_in_offer_auth(s);
	s2s_in_let_go(s, HOLD_STATUS);
}

/* The certificate is what he is believed for, and it has been asked about. */
static bool
is_past_judgement(const struct s2s_in *s)
{
	return s->state > IN_TLS_HEADER && s->state != IN_LOOKUP;
}

static void
on_status(struct cert_watch *w, long verdict)
{
	struct s2s_in *s = list_entry(w, struct s2s_in, watch);
	bool proven = peer_identity_proves(&s->identity, s->ends.from);

	if (s->state == IN_CLOSED || s->conn == NULL)
		return;
	if (verdict != X509_V_OK)
		s->identity.verdict = verdict;
	if (s->held)
		go_on(s);
	else if (proven && is_past_judgement(s) &&
		 !peer_identity_proves(&s->identity, s->ends.from))
		s2s_in_finish(s, STREAM_ERR_POLICY_VIOLATION,
		    X509_verify_cert_error_string(verdict));
}

void
s2s_in_init_status(struct s2s_in *s)
{
	cert_watch_init(&s->watch, on_status);
}

void
s2s_in_judge_status(struct s2s_in *s)
{
	long verdict;

	if (!s->identity.presented || s->identity.verdict != X509_V_OK)
		return;
	verdict = cert_watch_begin(&s->watch,
	    identities_status(s->opts.identities), conn_ssl(s->conn));
	if (verdict != CERT_WATCH_WAIT)
		s->identity.verdict = verdict;
}

bool
s2s_in_hold_for_status(struct s2s_in *s)
{
	if (!s->watch.waiting)
		return false;
	s->held = true;
	s2s_in_hold(s, HOLD_STATUS);
	return true;
}
