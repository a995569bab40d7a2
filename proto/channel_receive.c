/*
 * What the peer sends: bytes cut anywhere, frames out of them, and what each
 * type of frame does.  Every rule of the protocol that a peer may break is
 * looked at here; nothing that it sends reaches an assert.
 */
#include "proto/channel_impl.h"

#include <stdio.h>

#include "common/err.h"
#include "proto/channel_result.h"

static void
take_stanza(struct channel *ch, const struct frame *f, size_t len)
{
	struct channel_result r;
	const char *why = "";
	uint64_t seq = frame_u64(f, FIELD_SEQ, 0), id = 0;

	switch (channel_window_take(&ch->window, seq, len, &id, &why)) {
	case WINDOW_NEW:
		channel_window_stamp(&ch->window, id, clock_now_ms(ch->clock));
		ch->events->on_stanza(ch, id, f, ch->arg);
		break;
	case WINDOW_OWED:
		break;
	case WINDOW_ANSWERED:
		channel_window_recall(&ch->window, id, &r);
		channel_turn_written(
		    ch, channel_result_write(&ch->out, seq, &r));
		break;
	case WINDOW_WRONG:
		channel_turn_fail(ch, ERR_PROTOCOL, why);
		break;
	case WINDOW_NOMEM:
		channel_turn_fail(ch, ERR_NOMEM, "no memory for the window");
		break;
	}
}

static void
take_result(struct channel *ch, const struct frame *f)
{
	struct channel_result_texts texts;
	struct channel_result r;
	struct journal_entry *e;
	const char *wrong;
	uint64_t seq, id;
	void *cookie;

	wrong = channel_result_read(f, &seq, &r, &texts);
	if (wrong == NULL && seq >= ch->journal.next_seq)
		wrong = "result for a frame never sent";
	if (wrong != NULL) {
		channel_turn_fail(ch, ERR_PROTOCOL, wrong);
		return;
	}
	e = channel_journal_find_seq(&ch->journal, seq);
	if (e == NULL)
		return; /* withdrawn, or answered before the connection broke */
	id = e->id;
	cookie = e->cookie;
	channel_observe(ch, &ch->delays.asked, r.delivered, e->since_ms);
	channel_journal_drop(&ch->journal, e);
	ch->events->on_result(ch, id, cookie, &r, ch->arg);
}

static void
take_report(struct channel *ch, const struct frame *f)
{
	int rc = 0;

	if (frame_has(f, FIELD_RESULT_SEEN))
		rc = channel_window_seen(
		    &ch->window, frame_u64(f, FIELD_RESULT_SEEN, 0));
	if (rc < 0) {
		channel_turn_fail(
		    ch, rc, "result-seen beyond the credit, or no memory");
		return;
	}
	channel_greeting_credit(ch, f);
	if (f->type == FRAME_PING)
		channel_turn_report(ch, FRAME_PONG);
}

/* Which control frames a side may send: configuration comes from the gateway,
 * which dials; news of streams comes from the edge. */
bool
channel_receive_allowed(enum channel_role role, uint8_t type)
{
	switch (type) {
	case FRAME_CONFIG:
	case FRAME_PROOF:
	case FRAME_TRACE:
		return role == CHANNEL_DIALS;
	case FRAME_CONFIRM:
	case FRAME_STREAM:
	case FRAME_STATS:
	case FRAME_LOG:
	case FRAME_TRACED:
		return role == CHANNEL_ACCEPTS;
	case FRAME_DRAIN:
		return true;
	default:
		return false;
	}
}

unsigned
channel_receive_since(uint8_t type)
{
	return type == FRAME_TRACE || type == FRAME_TRACED ? 2 : 1;
}

static void
take_control(struct channel *ch, const struct frame *f)
{
	enum channel_role peer =
	    ch->role == CHANNEL_DIALS ? CHANNEL_ACCEPTS : CHANNEL_DIALS;

	if (channel_receive_allowed(peer, f->type) &&
	    channel_receive_since(f->type) <= ch->version)
		ch->events->on_control(ch, f, ch->arg);
	else
		channel_turn_fail(
		    ch, ERR_PROTOCOL, "a frame the peer may not send");
}

static void
take_refuse(struct channel *ch, const struct frame *f)
{
	char reason[200], why[256];

	if (!frame_copy(f, FIELD_REASON, reason, sizeof(reason)))
		snprintf(reason, sizeof(reason), "no reason given");
	snprintf(why, sizeof(why), "refused by the peer: %s", reason);
	channel_turn_fail(ch, ERR_DENIED, why);
}

static void
take_frame(struct channel *ch, const uint8_t *data, size_t len)
{
	struct frame f;
	int rc;

	rc = frame_decode(&f, data, len);
	if (rc < 0) {
		channel_turn_fail(ch, rc, "a frame that cannot be read");
		return;
	}
	if (f.type == FRAME_REFUSE) {
		take_refuse(ch, &f);
	} else if (ch->state == CH_GREETING) {
		if (f.type == FRAME_WELCOME)
			channel_greeting_welcome(ch, &f);
		else
			channel_turn_fail(
			    ch, ERR_PROTOCOL, "a frame before the welcome");
	} else if (frame_is_stanza(f.type)) {
		take_stanza(ch, &f, len);
	} else if (f.type == FRAME_RESULT) {
		take_result(ch, &f);
	} else if (f.type == FRAME_CREDIT || f.type == FRAME_PING ||
		   f.type == FRAME_PONG) {
		take_report(ch, &f);
	} else {
		take_control(ch, &f);
	}
}

/* The connection the input came from is still the present one, and sound. */
static bool
still(const struct channel *ch, unsigned generation)
{
	return !ch->doomed && ch->generation == generation &&
	       (ch->state == CH_GREETING || ch->state == CH_UP);
}

/* How many bytes ch->in should hold before it is worth another look. */
static size_t
wanted(const struct channel *ch)
{
	const uint8_t *p = ch->in.data;

	if (ch->in.len < 4)
		return 4;
	return 4 + ((size_t)p[0] << 24 | (size_t)p[1] << 16 |
		       (size_t)p[2] << 8 | p[3]);
}

/* Completes the frame begun in ch->in with bytes from data.  Returns how many
 * were taken; *whole when the frame is there. */
static size_t
complete(struct channel *ch, const uint8_t *data, size_t len, bool *whole)
{
	size_t size, n, taken = 0;
	int rc = ERR_INCOMPLETE;

	*whole = false;
	while (taken < len && rc == ERR_INCOMPLETE) {
		n = wanted(ch) - ch->in.len;
		if (n > len - taken)
			n = len - taken;
		if (buf_add(&ch->in, data + taken, n) < 0) {
			channel_turn_fail(
			    ch, ERR_NOMEM, "no memory for a frame");
			return taken;
		}
		taken += n;
		rc = frame_length(&size, ch->in.data, ch->in.len);
	}
	*whole = rc == 0;
	if (rc < 0 && rc != ERR_INCOMPLETE)
		channel_turn_fail(ch, rc, "a frame of impossible length");
	return taken;
}

/* Takes whole frames straight out of data, without a copy. */
static size_t
take_whole(
    struct channel *ch, const uint8_t *data, size_t len, unsigned generation)
{
	size_t size, at = 0;
	int rc;

	while (at < len && still(ch, generation)) {
		rc = frame_length(&size, data + at, len - at);
		if (rc == ERR_INCOMPLETE)
			break;
		if (rc < 0) {
			channel_turn_fail(
			    ch, rc, "a frame of impossible length");
			break;
		}
		take_frame(ch, data + at, size);
		at += size;
	}
	return at;
}

/* The frame gathered in ch->in, which callbacks may empty meanwhile. */
static void
take_gathered(struct channel *ch)
{
	struct buf frame = ch->in;

	buf_init(&ch->in, FRAME_MAX);
	take_frame(ch, frame.data, frame.len);
	buf_finish(&frame);
}

void
channel_input(struct channel *ch, const uint8_t *data, size_t len)
{
	unsigned generation = ch->generation;
	bool whole;
	size_t n;

	if (ch->state != CH_GREETING && ch->state != CH_UP)
		return;
	channel_turn_enter(ch);
	ch->input_ms = clock_now_ms(ch->clock);
	while (len > 0 && still(ch, generation)) {
		if (ch->in.len == 0) {
			n = take_whole(ch, data, len, generation);
			data += n;
			len -= n;
			if (len == 0 || !still(ch, generation))
				break;
		}
		n = complete(ch, data, len, &whole);
		data += n;
		len -= n;
		if (whole)
			take_gathered(ch);
	}
	channel_turn_leave(ch);
}
