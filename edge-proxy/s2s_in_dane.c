/*
 * Who dials us with a certificate that no authority of ours has issued.
 *
 * If the operator has it so, and the name servers of the domain he claims have
 * signed it, the TLSA records of that domain's servers may prove him all the
 * same (dane_lookup.h).  Nothing is read from him while they are asked for; the
 * answer decides, as the certificate does otherwise, about what he is offered,
 * and is good for this stream alone.
 */
#include "edge-proxy/s2s_in_impl.h"

#include "common/conn.h"
#include "common/err.h"
#include "common/log_limit.h"
#include "edge-proxy/hosting.h"

/* Takes the first server whose records prove him; without one it is as if
 * nobody had looked. */
static void
hold_against(struct s2s_in *s, const struct dane_server *servers, size_t count)
{
	static const struct dane_server nobody = { NULL, NULL };
	const struct peer_identity_dns *d = &s->identity.dns;
	SSL *ssl = conn_ssl(s->conn);

	for (size_t i = 0; i < count; i++) {
		if (peer_identity_hear_dns(
			&s->identity, ssl, s->ends.from, &servers[i]) < 0 ||
		    !peer_identity_proves(&s->identity, s->ends.from))
			continue;
		log_limited_info(&s->log, s2s_in_peer_ip(s), "proven-by-dane",
		    "from=%s server=%s usage=%u selector=%u matching=%u",
		    s->ends.from, d->host, (unsigned)d->usage,
		    (unsigned)d->selector, (unsigned)d->matching);
		s2s_in_watch_expiry(s);
		return;
	}
	log_limited_info(&s->log, s2s_in_peer_ip(s), "not-proven-by-dane",
	    "from=%s servers=%zu reason=%s", s->ends.from, count,
	    count == 0 ? "no signed TLSA records"
		       : peer_identity_why_not(&s->identity, s->ends.from));
	(void)peer_identity_hear_dns(&s->identity, ssl, s->ends.from, &nobody);
}

static void
on_looked_up(const struct dane_server *servers, size_t count, void *arg)
{
	struct s2s_in *s = arg;

	s->lookup = NULL;
	hold_against(s, servers, count);
	s2s_in_offer_auth(s);
	s2s_in_let_go(s, HOLD_LOOKUP);
}

bool
s2s_in_look_up(struct s2s_in *s)
{
	const struct dane_lookup_opts opts = {
		.clock = s->opts.clock,
		.resolver = s->opts.resolver,
		.domain = s->ends.from,
		.on_done = on_looked_up,
		.arg = s,
	};
	int rc;

	if (s->opts.resolver == NULL || !s->identity.presented ||
	    (hosting_methods(s->opts.hosting, s->ends.to, s->ends.from) &
		AUTH_SASL_TLS) == 0 ||
	    peer_identity_proves(&s->identity, s->ends.from))
		return false;
	rc = dane_lookup_open(&s->lookup, &opts);
	if (rc < 0) {
		log_limited_warn(&s->log, s2s_in_peer_ip(s), "not-looked-up",
		    "from=%s error=%s", s->ends.from, err_str(rc));
		return false;
	}
	s2s_in_set_state(s, IN_LOOKUP);
	s2s_in_hold(s, HOLD_LOOKUP);
	return true;
}

void
s2s_in_drop_lookup(struct s2s_in *s)
{
	dane_lookup_cancel(s->lookup);
	s->lookup = NULL;
}
