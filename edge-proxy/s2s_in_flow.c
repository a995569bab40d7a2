/*
 * When a partner is not read: while he is ahead of what can be taken from him.
 * There may be several reasons at once; he is read again when the last of them
 * is gone.  TCP tells him to wait, so that nothing is lost by it.
 *
 * owner     the window of stanzas without an answer is full
 * settling  we are saying goodbye to one who counts
 * rate      he has sent more stanzas than he may in a second
 * backlog   he does not read what we answer
 * lookup    what he may do depends on records that are asked for
 * status    the same, on whether his certificate has been taken back
 */
#include "edge-proxy/s2s_in_impl.h"

#include "common/conn.h"
#include "common/log_limit.h"
#include "common/token_bucket.h"
#include "edge-proxy/hosting.h"

enum {
	BURST_S = 10, /* so many seconds' worth of stanzas may come at once */
	STANZA_MS = 120000 /* from its first byte to its last */
};

void
s2s_in_hold(struct s2s_in *s, enum in_hold why)
{
	bool held = s->holds != 0;

	if (s->state == IN_CLOSED)
		return;
	s->holds |= why;
	if (held)
		return;
	xml_stream_pause(s->xml);
	conn_pause(s->conn);
}

void
s2s_in_let_go(struct s2s_in *s, unsigned which)
{
	unsigned before = s->holds;

	s->holds &= ~which;
	if (before == 0 || s->holds != 0 || s->conn == NULL)
		return;
	conn_resume(s->conn);
	if (s->state != IN_CLOSED)
		s2s_in_after_parsing(s, xml_stream_resume(s->xml));
}

void
s2s_in_count_rate(struct s2s_in *s)
{
	uint32_t rate =
	    hosting_settings(s->opts.hosting, s->ends.to)->stanza_rate;
	uint64_t wait;

	if (s->state != IN_OPEN || rate == 0)
		return;
	wait = token_bucket_take(&s->rate, rate,
	    rate < UINT32_MAX / BURST_S ? BURST_S * rate : UINT32_MAX,
	    clock_now_ms(s->opts.clock));
	if (wait == 0)
		return;
	log_limited_info(&s->log, s2s_in_peer_ip(s), "stream-slowed",
	    "from=%s stanzas_per_second=%u", s->ends.from, rate);
	clock_timer_start(&s->slow, wait);
	s2s_in_hold(s, HOLD_RATE);
}

void
s2s_in_on_slow_over(struct clock_timer *t, void *arg)
{
	(void)t;
	s2s_in_let_go(arg, HOLD_RATE);
}

void
s2s_in_on_backlog(struct conn *c, void *arg)
{
	struct s2s_in *s = arg;

	(void)c;
	/* Where our stanzas go back, they may well wait for him; were he held
	 * back for that, and we by him in the same way, nobody would ever be
	 * read. */
	if (!s2s_in_back_is_open(s))
		s2s_in_hold(s, HOLD_BACKLOG);
}

void
s2s_in_on_drained(struct conn *c, void *arg)
{
	struct s2s_in *s = arg;

	(void)c;
	s2s_in_let_go(s, HOLD_BACKLOG);
	s2s_in_back_drained(s);
}

void
s2s_in_pause(struct s2s_in *s)
{
	s2s_in_hold(s, HOLD_OWNER);
}

void
s2s_in_resume(struct s2s_in *s)
{
	s2s_in_let_go(s, HOLD_OWNER);
}

/* --- what waits, and what rests ------------------------------------------- */

/* Who is not read cannot finish his stanza. */
static bool
is_too_slow(struct s2s_in *s)
{
	uint64_t now = clock_now_ms(s->opts.clock);

	if (s->holds != 0 || xml_stream_partial(s->xml) == 0)
		s->whole_ms = now;
	return now - s->whole_ms > STANZA_MS;
}

void
s2s_in_rest(struct s2s_in *s)
{
	if (s->state == IN_OPEN && is_too_slow(s)) {
		s2s_in_finish(s, STREAM_ERR_CONNECTION_TIMEOUT,
		    "stanza not whole in time");
		return;
	}
	if (!s->heard && s->state == IN_OPEN)
		(void)xml_stream_rest(s->xml);
	s->heard = false;
}

size_t
s2s_in_partial(const struct s2s_in *s)
{
	return s->state == IN_CLOSED ? 0 : xml_stream_partial(s->xml);
}
