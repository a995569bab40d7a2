/*
 * Further pairs on an open stream (XEP-0220 2.6).
 *
 * Dialback is the only way in for a second pair, also where the first came by
 * EXTERNAL, and a partner is asked only if it does dialback errors.  XEP-0220
 * demands these for another domain of the partner's alone.  But servers without
 * them close the stream where they refuse, and one that is widely used sends
 * all its answers on the stream, bounces too, to the domain that came first:
 * what another one of ours had sent would be lost without a word.
 *
 * A pair is not let in on a connection that is worse than what its row could
 * have got it elsewhere: not in the clear if TLS is permitted, and not under a
 * certificate that does not prove the partner if EXTERNAL is.
 */
#include "edge-proxy/s2s_out_impl.h"

#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/stream_wire.h"

enum { JOIN_MS = 10000 };

static unsigned
method_here(const struct s2s_out *s)
{
	return s->secured ? AUTH_DIALBACK_TLS : AUTH_DIALBACK_TCP;
}

static bool
good_enough(const struct s2s_out *s, unsigned methods, const char *remote)
{
	if ((methods & method_here(s)) == 0)
		return false;
	if (!s->secured)
		return (methods & S2S_OUT_OVER_TLS) == 0;
	return (methods & AUTH_SASL_TLS) == 0 ||
	       peer_identity_proves(&s->identity, remote);
}

bool
s2s_out_may_join(const struct s2s_out *s, const char *local, const char *remote)
{
	return s->state == OUT_OPEN && s->pairs.count < PAIR_SET_MAX &&
	       s->dialback.errors && s2s_out_back_permits(s, local) &&
	       good_enough(
		   s, hosting_methods(s->hosting, local, remote), remote);
}

static void
leave_request(struct s2s_out_join *j)
{
	clock_timer_stop(&j->limit);
	list_remove(&j->request.link);
	j->stream = NULL;
}

static void
on_verdict(struct dialback_pair *p, enum dialback_type verdict,
    enum condition condition, const char *reason)
{
	struct s2s_out_join *j = list_entry(p, struct s2s_out_join, request);
	struct s2s_out *s = j->stream;
	bool joined = verdict == DIALBACK_VALID && s->state == OUT_OPEN;

	(void)condition;
	leave_request(j);
	if (joined &&
	    pair_set_add(&s->pairs, p->local, p->remote, method_here(s)) < 0) {
		joined = false;
		reason = err_str(ERR_NOMEM);
	}
	if (joined)
		log_info(&s->log, "pair-joined", "local=%s remote=%s", p->local,
		    p->remote);
	j->on_joined(j, joined, reason);
}

static void
on_limit(struct clock_timer *t, void *arg)
{
	struct s2s_out_join *j = arg;

	(void)t;
	leave_request(j);
	j->on_joined(j, false, "partner did not answer dialback in time");
}

int
s2s_out_join(struct s2s_out *s, struct s2s_out_join *j, const char *local,
    const char *remote)
{
	struct buf out;
	int rc;

	if (!s2s_out_may_join(s, local, remote))
		return ERR_DENIED;
	j->request = (struct dialback_pair){
		.local = local,
		.remote = remote,
		.on_verdict = on_verdict,
	};
	list_init(&j->request.link);
	buf_init(&out, 0);
	rc = dialback_out_request(&s->dialback, &j->request, &out);
	if (rc < 0) {
		buf_finish(&out);
		return rc;
	}
	j->stream = s;
	clock_timer_init(&j->limit, s->clock, on_limit, j);
	clock_timer_start(&j->limit, JOIN_MS);
	s2s_out_touch(s);
	stream_wire_flush(s->conn, &out);
	return 0;
}

void
s2s_out_join_cancel(struct s2s_out_join *j)
{
	if (j->stream != NULL)
		leave_request(j);
}

void
s2s_out_leave(struct s2s_out *s, const char *local, const char *remote)
{
	for (size_t i = 0; s->pairs.count > 1 && i < s->pairs.count; i++) {
		const struct stream_pair *p = &s->pairs.v[i];

		if (strcmp(p->local, local) != 0 ||
		    strcmp(p->remote, remote) != 0)
			continue;
		log_info(
		    &s->log, "pair-left", "local=%s remote=%s", local, remote);
		pair_set_remove(&s->pairs, i);
		return;
	}
}

bool
s2s_out_permits(const struct s2s_out *s, const char *local, const char *remote)
{
	unsigned m = hosting_methods(s->hosting, local, remote);

	if (!s2s_out_back_permits(s, local))
		return false;
	for (size_t i = 0; i < s->pairs.count; i++) {
		const struct stream_pair *p = &s->pairs.v[i];

		if (strcmp(p->local, local) == 0 &&
		    strcmp(p->remote, remote) == 0)
			return p->method == 0 ? m != 0 : (m & p->method) != 0;
	}
	return false;
}
