/*
 * The way back on an inbound stream.
 *
 *   offered ──► asked for ──► (authenticated) open ──► lost
 *
 * Stanzas are written as on a stream of our own and proven by the same means:
 * the ping takes this way too, the partner's count begins when he enables
 * stream management on his stream, and TCP acknowledges either direction.
 */
#include "edge-proxy/s2s_in_impl.h"

#include <string.h>

#include "common/buf.h"
#include "common/conn.h"
#include "common/err.h"
#include "common/xml.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/stream_wire.h"

/* The partner does not answer a request for his count; one that we do not read
 * now is not asked to. */
static void
on_silent(struct clock_timer *t, void *arg)
{
	struct s2s_in *s = arg;

	if (s->holds != 0)
		clock_timer_start(t, SM_OUT_ANSWER_MS);
	else
		s2s_in_finish(s, STREAM_ERR_CONNECTION_TIMEOUT,
		    "partner does not acknowledge any more");
}

/* RFC 6120 4.6, and in time for what the partner calls idle (XEP-0478). */
static void
restart_keep_alive(struct s2s_in *s)
{
	uint64_t quiet = stream_limits_quiet_ms(&s->back.limits);
	uint64_t ms =
	    hosting_settings(s->opts.hosting, s->ends.to)->keep_alive_ms / 2;

	if (s2s_in_keeps_alive(s))
		clock_timer_start(
		    &s->back.keep_alive, quiet > 0 && quiet < ms ? quiet : ms);
	else
		clock_timer_stop(&s->back.keep_alive);
}

static void
on_keep_alive(struct clock_timer *t, void *arg)
{
	struct s2s_in *s = arg;

	(void)t;
	conn_write(s->conn, " ", 1);
	restart_keep_alive(s);
}

void
s2s_in_back_init(struct s2s_in *s)
{
	sm_out_init(&s->back.sm, s->opts.clock, on_silent, s);
	clock_timer_init(&s->back.keep_alive, s->opts.clock, on_keep_alive, s);
}

void
s2s_in_back_finish(struct s2s_in *s)
{
	sm_out_finish(&s->back.sm);
	clock_timer_stop(&s->back.keep_alive);
}

bool
s2s_in_back_may_offer(const struct s2s_in *s)
{
	return s->secured &&
	       hosting_settings(s->opts.hosting, s->ends.to)->bidi;
}

void
s2s_in_back_request(struct s2s_in *s, const struct xml_elem *e)
{
	s->back.open = true;
	s->back.limits = stream_limits_read(e);
	log_debug(&s->log, "bidi-requested", "max_bytes=%u idle_s=%u",
	    s->back.limits.max_bytes, s->back.limits.idle_s);
}

void
s2s_in_back_begin(struct s2s_in *s)
{
	if (!s->back.open)
		return;
	conn_set_write_bounds(s->conn, 0, 0, 0);
	restart_keep_alive(s);
}

void
s2s_in_back_keep_alive(struct s2s_in *s)
{
	if (s2s_in_back_is_open(s))
		restart_keep_alive(s);
}

void
s2s_in_back_counted(struct s2s_in *s)
{
	struct buf out;

	if (!s->back.open)
		return;
	buf_init(&out, 0);
	sm_out_promised(&s->back.sm, &out);
	stream_wire_flush(s->conn, &out);
	if (s->back.events != NULL)
		s->back.events->on_managed(s->back.arg);
}

void
s2s_in_back_take_ack(struct s2s_in *s, const struct xml_elem *a)
{
	enum sm_out_verdict verdict;
	struct buf out;

	buf_init(&out, 0);
	verdict = sm_out_take(&s->back.sm, a, &out);
	stream_wire_flush(s->conn, &out);
	if (verdict == SM_OUT_TOO_HIGH)
		s2s_in_finish(s, STREAM_ERR_NONE,
		    "partner acknowledged what was not sent");
	else if (verdict == SM_OUT_ACKNOWLEDGED && s->back.events != NULL &&
		 sm_out_covers(&s->back.sm))
		s->back.events->on_acknowledged(s->back.sm.acked, s->back.arg);
}

void
s2s_in_back_drained(struct s2s_in *s)
{
	if (s->state == IN_OPEN && s->back.events != NULL)
		s->back.events->on_drained(s->back.arg);
}

void
s2s_in_back_lost(struct s2s_in *s)
{
	const struct s2s_in_back_events *events = s->back.events;

	s2s_in_back_finish(s);
	s->back.events = NULL;
	if (events != NULL)
		events->on_down(s->reason, s->back.arg);
}

/* --- the user's side ------------------------------------------------------ */

bool
s2s_in_back_is_open(const struct s2s_in *s)
{
	return s->state == IN_OPEN && s->back.open;
}

static const struct stream_pair *
find_pair(const struct s2s_in *s, const char *local, const char *remote)
{
	for (size_t i = 0; i < s->pairs.count; i++)
		if (strcmp(s->pairs.v[i].local, local) == 0 &&
		    strcmp(s->pairs.v[i].remote, remote) == 0)
			return &s->pairs.v[i];
	return NULL;
}

bool
s2s_in_back_carries(
    const struct s2s_in *s, const char *local, const char *remote)
{
	const struct stream_pair *p = find_pair(s, local, remote);
	unsigned m = hosting_methods(s->opts.hosting, local, remote);

	return s2s_in_back_is_open(s) && p != NULL && (m & p->method) != 0 &&
	       hosting_settings(s->opts.hosting, local)->bidi &&
	       ((m & AUTH_SASL_TLS) == 0 ||
		   peer_identity_proves(&s->identity, remote));
}

void
s2s_in_back_set_user(
    struct s2s_in *s, const struct s2s_in_back_events *events, void *arg)
{
	s->back.events = events;
	s->back.arg = arg;
}

int
s2s_in_back_write(struct s2s_in *s, const void *xml, size_t len)
{
	if (!s2s_in_back_is_open(s))
		return ERR_BAD_STATE;
	s2s_in_restart_idle(s);
	restart_keep_alive(s);
	sm_out_sent(&s->back.sm);
	return conn_write(s->conn, xml, len);
}

bool
s2s_in_back_backlogged(const struct s2s_in *s)
{
	return s2s_in_back_is_open(s) && conn_backlogged(s->conn);
}

void
s2s_in_back_request_ack(struct s2s_in *s)
{
	struct buf out;

	if (!s2s_in_back_is_open(s))
		return;
	buf_init(&out, 0);
	sm_out_ask(&s->back.sm, &out);
	stream_wire_flush(s->conn, &out);
}

uint64_t
s2s_in_back_stanzas(const struct s2s_in *s)
{
	return s->back.sm.sent;
}

uint64_t
s2s_in_back_bytes(const struct s2s_in *s)
{
	return s->conn != NULL ? conn_bytes_written(s->conn) : 0;
}

uint64_t
s2s_in_back_bytes_acknowledged(const struct s2s_in *s)
{
	return s->conn != NULL ? conn_bytes_acknowledged(s->conn) : 0;
}

const struct stream_limits *
s2s_in_back_limits(const struct s2s_in *s)
{
	return &s->back.limits;
}

void
s2s_in_back_add_proof(struct s2s_in *s, unsigned proof)
{
	s->back.proofs |= 1u << proof;
	s2s_in_tell(s, STREAM_UPDATE);
}
