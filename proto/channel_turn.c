/*
 * One turn of a channel.  What there is to send gathers in ch->out; so whole
 * batches of input make one write, and callbacks may call anything.  States
 * and life signs live here too, since both end in sending something.
 */
#include "proto/channel_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

#define BIT(n) (1u << (n))

/* States each may lead to. */
static const unsigned moves[CH_STATES] = {
	[CH_DOWN] = BIT(CH_GREETING) | BIT(CH_UP),
	[CH_GREETING] = BIT(CH_UP) | BIT(CH_ENDING) | BIT(CH_DOWN),
	[CH_UP] = BIT(CH_ENDING) | BIT(CH_DOWN),
	[CH_ENDING] = BIT(CH_DOWN),
};

enum {
	/* Stanza frames go to the connection in pieces of about this size, so
	 * that it can say stop. */
	CHUNK = 64 * 1024,
	/* Part of the window that is worth a credit frame: one in ... */
	CREDIT_SHARE = 4
};

/* The only place that writes ch->state. */
void
channel_turn_state(struct channel *ch, enum channel_state to)
{
	assert((moves[ch->state] & BIT(to)) != 0);
	ch->state = to;
}

/* Ends the connection as soon as what is in progress has returned. */
void
channel_turn_fail(struct channel *ch, int rc, const char *why)
{
	struct frame_writer w;

	if (ch->state != CH_GREETING && ch->state != CH_UP)
		return;
	snprintf(ch->why, sizeof(ch->why), "%s", why);
	ch->fail_rc = rc;
	if (rc != ERR_DENIED) {
		frame_begin(&w, &ch->out, FRAME_REFUSE);
		frame_put_str(&w, FIELD_REASON, ch->why);
		/* Without memory the peer has to do without the reason. */
		(void)frame_end(&w);
	}
	channel_turn_state(ch, CH_ENDING);
}

/* A frame was finished with rc; without memory the connection has to go, so
 * that nothing is missing in what the peer gets. */
void
channel_turn_written(struct channel *ch, int rc)
{
	if (rc < 0)
		channel_turn_fail(ch, rc, "no memory to write a frame");
}

/* --- what we send ------------------------------------------------------ */

/* Our account of the other direction: results seen, credit given. */
void
channel_turn_put_report(struct channel *ch, struct frame_writer *w)
{
	uint64_t seq, bytes;

	channel_window_credit(&ch->window, &seq, &bytes);
	channel_window_told(&ch->window, seq, bytes);
	ch->reported = channel_journal_base(&ch->journal) - 1;
	frame_put_u64(w, FIELD_RESULT_SEEN, ch->reported);
	frame_put_u64(w, FIELD_CREDIT_SEQ, seq);
	frame_put_u64(w, FIELD_CREDIT_BYTES, bytes);
}

/* credit, ping, pong. */
void
channel_turn_report(struct channel *ch, enum frame_type type)
{
	struct frame_writer w;

	frame_begin(&w, &ch->out, type);
	channel_turn_put_report(ch, &w);
	channel_turn_written(ch, frame_end(&w));
}

/* Puts stanza frames into out as far as credit, connection and CHUNK go. */
static void
pump(struct channel *ch)
{
	struct journal_entry *e;

	while (ch->state == CH_UP && !ch->blocked && ch->out.len < CHUNK) {
		e = channel_journal_next(
		    &ch->journal, ch->credit_seq, ch->credit_bytes);
		if (e == NULL)
			break;
		channel_journal_sent(&ch->journal, e);
		channel_turn_written(ch, buf_add(&ch->out, e->data, e->len));
	}
}

static void
report_if_due(struct channel *ch)
{
	uint64_t seen = channel_journal_base(&ch->journal) - 1;

	if (ch->state == CH_UP &&
	    (channel_window_credit_due(&ch->window, CREDIT_SHARE) ||
		seen - ch->reported >= CHANNEL_REPORT_AFTER))
		channel_turn_report(ch, FRAME_CREDIT);
}

/* --- the end of every entry -------------------------------------------- */

void
channel_turn_destroy(struct channel *ch)
{
	clock_timer_stop(&ch->timer);
	channel_journal_finish(&ch->journal);
	channel_window_finish(&ch->window);
	buf_finish(&ch->in);
	buf_finish(&ch->out);
	buf_finish(&ch->writing);
	free(ch);
}

void
channel_turn_disconnect(struct channel *ch)
{
	if (ch->state == CH_DOWN)
		return;
	channel_turn_state(ch, CH_DOWN);
	ch->generation++;
	ch->blocked = false;
	clock_timer_stop(&ch->timer);
	buf_clear(&ch->in);
	buf_clear(&ch->out);
}

void
channel_turn_enter(struct channel *ch)
{
	ch->depth++;
}

static void
write_out(struct channel *ch)
{
	struct buf full = ch->out;

	/* The callback may make us append: to the other buffer. */
	ch->out = ch->writing;
	ch->writing = full;
	ch->events->on_output(ch, full.data, full.len, ch->arg);
	buf_clear(&ch->writing);
}

static void
end_connection(struct channel *ch)
{
	char why[sizeof(ch->why)];

	memcpy(why, ch->why, sizeof(why));
	channel_turn_disconnect(ch);
	ch->events->on_close(ch, ch->fail_rc, why, ch->arg);
}

/* Does what has become possible, until nothing is left to do. */
static void
settle(struct channel *ch)
{
	while (!ch->doomed) {
		pump(ch);
		report_if_due(ch);
		if (ch->out.len > 0) {
			write_out(ch);
		} else if (ch->state == CH_ENDING) {
			end_connection(ch);
		} else if (ch->want_room &&
			   channel_journal_has_room(&ch->journal)) {
			ch->want_room = false;
			ch->events->on_room(ch, ch->arg);
		} else {
			break;
		}
	}
}

void
channel_turn_leave(struct channel *ch)
{
	assert(ch->depth > 0);
	if (ch->depth == 1)
		settle(ch);
	if (--ch->depth == 0 && ch->doomed)
		channel_turn_destroy(ch);
}

/* --- life signs -------------------------------------------------------- */

void
channel_turn_start_timer(struct channel *ch)
{
	uint64_t now = clock_now_ms(ch->clock);
	uint64_t dead =
	    (ch->state == CH_UP ? ch->input_ms : ch->attach_ms) + ch->dead_ms;
	uint64_t ping =
	    channel_later(ch->input_ms, ch->ping_sent_ms) + ch->ping_ms;
	uint64_t due = ch->state == CH_UP && ping < dead ? ping : dead;

	clock_timer_start(&ch->timer, due > now ? due - now : 1);
}

/* Silence, or simply time to look whether there is any. */
void
channel_turn_on_timer(struct clock_timer *t, void *arg)
{
	struct channel *ch = arg;
	uint64_t now = clock_now_ms(ch->clock);
	uint64_t seq, bytes;

	(void)t;
	channel_turn_enter(ch);
	if (ch->state == CH_GREETING && now - ch->attach_ms >= ch->dead_ms) {
		channel_turn_fail(ch, ERR_TIMEOUT, "no welcome in time");
	} else if (ch->state == CH_UP && now - ch->input_ms >= ch->dead_ms) {
		channel_turn_fail(ch, ERR_TIMEOUT, "the peer fell silent");
	} else if (ch->state == CH_UP) {
		channel_window_credit(&ch->window, &seq, &bytes);
		if (now - channel_later(ch->input_ms, ch->ping_sent_ms) >=
		    ch->ping_ms) {
			ch->ping_sent_ms = now;
			channel_turn_report(ch, FRAME_PING);
		} else if (seq > ch->window.told_seq ||
			   channel_journal_base(&ch->journal) - 1 !=
			       ch->reported) {
			channel_turn_report(ch, FRAME_CREDIT);
		}
	}
	if (ch->state == CH_GREETING || ch->state == CH_UP)
		channel_turn_start_timer(ch);
	channel_turn_leave(ch);
}
