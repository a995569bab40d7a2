/*
 * What comes back on an outbound stream.
 *
 *   offered ──► asked for ──► (we are let in) open ──► settled, or lost
 *
 * The end takes care of what the partner has sent and not been told about: while
 * that is settled nothing is read (settling), or he has said goodbye already
 * (farewell); both are bounded by the time that a goodbye may take.
 */
#include "edge-proxy/s2s_out_impl.h"

#include <stdio.h>

#include "common/buf.h"
#include "common/conn.h"
#include "common/log_limit.h"
#include "common/xml.h"
#include "edge-proxy/addressing.h"
#include "edge-proxy/dialback_xml.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/stream_wire.h"
#include "edge-proxy/stream_xml.h"

/* --- questions about our keys --------------------------------------------- */

static void
on_answer(struct buf *out, void *arg)
{
	struct s2s_out *s = arg;

	if (s->state == OUT_CLOSED)
		buf_finish(out);
	else
		stream_wire_flush(s->conn, out);
}

static void
on_refused(enum stream_error e, const char *why, void *arg)
{
	s2s_out_finish(arg, S2S_OUT_PROTOCOL, e, why);
}

/* It is given questions alone, so it lets nobody in. */
static const struct dialback_in_events answer_events = {
	.on_send = on_answer,
	.on_close = on_refused,
};

/* A pair of the partner's asks to be let in: not here. */
static void
refuse_pair(struct s2s_out *s, const struct dialback_elem *e)
{
	const struct dialback_names names = { .from = e->to_text,
		.to = e->from_text };
	struct buf out;

	log_info(&s->log, "dialback-refused", "from=%s to=%s", e->from, e->to);
	buf_init(&out, 0);
	dialback_xml_error(&out, false, &names, COND_RESOURCE_CONSTRAINT);
	stream_wire_flush(s->conn, &out);
}

void
s2s_out_back_take_dialback(struct s2s_out *s, const struct xml_elem *xml)
{
	struct dialback_elem e;

	if (dialback_xml_read(&e, xml) == 0 && !e.verify)
		refuse_pair(s, &e);
	else
		dialback_in_take(&s->back.answers, xml);
}

/* --- when it is read ------------------------------------------------------ */

/* So many seconds' worth of stanzas may come at once, as on inbound streams. */
enum { BURST_S = 10 };

static void
hold(struct s2s_out *s, enum back_hold why)
{
	bool held = s->back.holds != 0;

	if (s->state == OUT_CLOSED)
		return;
	s->back.holds |= why;
	if (held)
		return;
	xml_stream_pause(s->xml);
	conn_pause(s->conn);
}

/* which: bits of enum back_hold. */
static void
let_go(struct s2s_out *s, unsigned which)
{
	unsigned before = s->back.holds;

	s->back.holds &= ~which;
	if (before == 0 || s->back.holds != 0 || s->conn == NULL)
		return;
	conn_resume(s->conn);
	if (s->state != OUT_CLOSED && xml_stream_resume(s->xml) < 0)
		s2s_out_finish(s, S2S_OUT_PROTOCOL, xml_stream_error(s->xml),
		    xml_stream_error_text(s->xml));
}

static void
on_slow_over(struct clock_timer *t, void *arg)
{
	(void)t;
	let_go(arg, BACK_RATE);
}

void
s2s_out_back_count_rate(struct s2s_out *s)
{
	uint32_t rate = hosting_settings(s->hosting, s->local)->stanza_rate;
	uint64_t wait;

	if (!s2s_out_back_is_open(s) || rate == 0)
		return;
	wait = token_bucket_take(&s->back.rate, rate,
	    rate < UINT32_MAX / BURST_S ? BURST_S * rate : UINT32_MAX,
	    clock_now_ms(s->clock));
	if (wait == 0)
		return;
	log_limited_info(&s->log, conn_peer_ip(s->conn), "stream-slowed",
	    "from=%s stanzas_per_second=%u", s->remote, rate);
	clock_timer_start(&s->back.slow, wait);
	hold(s, BACK_RATE);
}

/* --- stanzas -------------------------------------------------------------- */

static void
say_goodbye(struct s2s_out *s)
{
	struct buf out;

	buf_init(&out, 0);
	s2s_out_back_flush(s, &out);
	stream_xml_goodbye(&out);
	stream_wire_flush(s->conn, &out);
	s2s_out_set_state(s, OUT_GOODBYE);
	let_go(s, BACK_ALL);
}

/* The count has grown, and this turn of the loop is over. */
static void
on_handled(struct clock_timer *t, void *arg)
{
	struct s2s_out *s = arg;
	struct buf out;

	(void)t;
	if (s->state == OUT_SETTLING && !sm_in_owes(&s->back.sm)) {
		say_goodbye(s);
		return;
	}
	if (s->state != OUT_OPEN && s->state != OUT_FAREWELL &&
	    s->state != OUT_SETTLING)
		return;
	buf_init(&out, 0);
	sm_in_flush(&s->back.sm, &out);
	stream_wire_flush(s->conn, &out);
	if (s->state == OUT_FAREWELL && !sm_in_owes(&s->back.sm))
		s2s_out_finish(s, S2S_OUT_PEER_CLOSED, STREAM_ERR_NONE,
		    "closed by the partner");
}

void
s2s_out_back_take_stanza(struct s2s_out *s, const struct xml_elem *e)
{
	const char *why = "";
	enum stream_error error;
	struct jid from, to;

	if (s->state != OUT_OPEN && s->state != OUT_GOODBYE) {
		s2s_out_finish(s, S2S_OUT_PROTOCOL, STREAM_ERR_NOT_AUTHORIZED,
		    "stanza before authentication");
		return;
	}
	/* Beyond the last count: he knows that we have not got it. */
	if (s->state == OUT_GOODBYE && s->back.sm.enabled)
		return;
	error = addressing_stanza(&from, &to, e, &s->pairs, s->hosting, &why);
	if (error != STREAM_ERR_NONE) {
		log_limited_warn(&s->log, conn_peer_ip(s->conn),
		    "stanza-refused", "condition=%s why=%s from=%s to=%s",
		    stream_error_str(error), why, xml_attr(e, "from"),
		    xml_attr(e, "to"));
		s2s_out_finish(s, S2S_OUT_PROTOCOL, error, why);
		return;
	}
	sm_in_received(&s->back.sm);
	if (s->events->on_stanza != NULL)
		s->events->on_stanza(s, e, &from, &to, s->arg);
	jid_finish(&from);
	jid_finish(&to);
}

void
s2s_out_back_take_sm(struct s2s_out *s, const struct xml_elem *e)
{
	struct buf out;

	buf_init(&out, 0);
	(void)sm_in_take(&s->back.sm, e, &out);
	stream_wire_flush(s->conn, &out);
}

/* --- life ----------------------------------------------------------------- */

void
s2s_out_back_init(struct s2s_out *s)
{
	const struct dialback_in_opts opts = {
		.hosting = s->hosting,
		.pairs = &s->pairs,
		.events = &answer_events,
		.arg = s,
	};

	dialback_in_init(&s->back.answers, &opts);
	sm_in_init(&s->back.sm, s->clock, on_handled, s);
	clock_timer_init(&s->back.slow, s->clock, on_slow_over, s);
}

void
s2s_out_back_finish(struct s2s_out *s)
{
	dialback_in_finish(&s->back.answers);
	sm_in_finish(&s->back.sm);
	clock_timer_stop(&s->back.slow);
}

void
s2s_out_back_request(struct s2s_out *s, const struct xml_elem *features)
{
	const struct hosting_settings *hs =
	    hosting_settings(s->hosting, s->local);
	const struct stream_limits limits = {
		.max_bytes = hs->stanza_max,
		.idle_s = (uint32_t)(hs->stream_inactivity_ms / 1000),
	};
	struct buf out;

	if (!hs->bidi || s->back.open ||
	    xml_child(features, XML_NS_BIDI_FEATURE, "bidi") == NULL)
		return;
	s->back.open = true;
	buf_init(&out, 0);
	stream_xml_bidi(&out, &limits);
	stream_wire_flush(s->conn, &out);
}

void
s2s_out_back_begin(struct s2s_out *s)
{
	struct xml_stream_limits limits = xml_stream_limits_open(
	    hosting_settings(s->hosting, s->local)->stanza_max);

	if (!s->back.open)
		return;
	dialback_in_begin(&s->back.answers, s->dialback.id, s->secured);
	xml_stream_widen(s->xml, &limits);
}

void
s2s_out_back_counted(struct s2s_out *s)
{
	if (s->back.open)
		sm_in_enable(&s->back.sm);
}

void
s2s_out_back_flush(struct s2s_out *s, struct buf *out)
{
	if (s->back.open)
		sm_in_flush(&s->back.sm, out);
}

bool
s2s_out_back_settles(struct s2s_out *s)
{
	if (!s->back.open || !sm_in_owes(&s->back.sm))
		return false;
	s2s_out_set_state(s, OUT_SETTLING);
	hold(s, BACK_SETTLING);
	return true;
}

bool
s2s_out_back_stays(struct s2s_out *s)
{
	if (s->state != OUT_OPEN || !s->back.open || !sm_in_owes(&s->back.sm))
		return false;
	s2s_out_leave_open(s);
	s2s_out_set_state(s, OUT_FAREWELL);
	s2s_out_tell_down(s, OUT_OPEN);
	return true;
}

/* --- the owner's side ----------------------------------------------------- */

bool
s2s_out_back_is_open(const struct s2s_out *s)
{
	return s->state == OUT_OPEN && s->back.open;
}

bool
s2s_out_back_permits(const struct s2s_out *s, const char *local)
{
	return !s->back.open || hosting_settings(s->hosting, local)->bidi;
}

void
s2s_out_back_pause(struct s2s_out *s)
{
	hold(s, BACK_OWNER);
}

void
s2s_out_back_resume(struct s2s_out *s)
{
	let_go(s, BACK_OWNER);
}

void
s2s_out_back_handled(struct s2s_out *s, uint64_t count)
{
	sm_in_handled(&s->back.sm, count);
}

const char *
s2s_out_back_language(const struct s2s_out *s)
{
	return s->back.language[0] != '\0' ? s->back.language : NULL;
}

uint64_t
s2s_out_back_stanzas(const struct s2s_out *s)
{
	return s->back.sm.received;
}
