/*
 * The life of a channel and its protocol.
 *
 *              attach                 welcome
 *     DOWN -------------> GREETING -------------> UP
 *      |  attach_hello                             |
 *      +-------------------------------------------+
 *     and from both ENDING, when something is wrong, then DOWN.
 *
 * The dialling side says hello and waits; the accepting side is given the
 * hello, answers welcome and is up at once.  Then both send their control
 * frames (from on_up), replay what is unanswered and go on.
 *
 * Every entry point runs between enter() and leave().  What there is to send
 * gathers in ch->out; the outermost leave() sends what has become possible,
 * writes it out, tells the owner about room and a failure.  So callbacks may
 * call anything here, and whole batches of input make one write.
 *
 * What can go wrong: the peer breaks a rule or falls silent, or memory is
 * short.  Each ends the connection (fail()), never the channel: journal and
 * window stay, and the next attach resumes.
 */
#include "proto/channel.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "proto/channel_journal.h"
#include "proto/channel_result.h"
#include "proto/channel_window.h"
#include "proto/frame_info.h"

#define BIT(n) (1u << (n))

enum channel_state { CH_DOWN, CH_GREETING, CH_UP, CH_ENDING, CH_STATES };

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
	LEAST_BYTES = 1024 * 1024,
	MOST_FRAMES = 1 << 20,
	/* The peer is told of results at the latest after this many ... */
	REPORT_AFTER = 1024,
	/* ... so a memory of this much beyond the window never fills up. */
	MEMORY_MARGIN = 2 * REPORT_AFTER,
	/* Part of the window that is worth a credit frame: one in ... */
	CREDIT_SHARE = 4
};

struct channel {
	enum channel_role role;
	enum channel_state state;
	char node[256], boot[65], store[65];
	uint64_t epoch;
	struct clock *clock;
	struct clock_timer timer;
	const struct channel_events *events;
	void *arg;
	uint64_t ping_ms, dead_ms;

	char peer_node[256], peer_boot[65], peer_store[65];
	uint64_t peer_epoch;

	struct channel_journal journal;
	struct channel_window window;
	uint64_t credit_seq, credit_bytes; /* what the peer gave us */
	uint64_t reported;                 /* result-seen as last sent */

	/* The present connection. */
	unsigned generation; /* counts attaches and detaches */
	bool blocked;
	struct buf in;      /* the beginning of a frame */
	struct buf out;     /* frames to be written */
	struct buf writing; /* frames being written */
	uint64_t attach_ms, input_ms, ping_sent_ms;
	int fail_rc;
	char why[256];

	unsigned depth; /* of enter() */
	bool want_room;
	bool doomed; /* channel_free() within a callback */
};

/* The only place that writes ch->state. */
static void
set_state(struct channel *ch, enum channel_state to)
{
	assert((moves[ch->state] & BIT(to)) != 0);
	ch->state = to;
}

/* Ends the connection as soon as what is in progress has returned. */
static void
fail(struct channel *ch, int rc, const char *why)
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
	set_state(ch, CH_ENDING);
}

/* A frame was finished with rc; without memory the connection has to go, so
 * that nothing is missing in what the peer gets. */
static void
written(struct channel *ch, int rc)
{
	if (rc < 0)
		fail(ch, rc, "no memory to write a frame");
}

/* --- what we send ------------------------------------------------------ */

/* Our account of the other direction: results seen, credit given. */
static void
put_report(struct channel *ch, struct frame_writer *w)
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
static void
send_report(struct channel *ch, enum frame_type type)
{
	struct frame_writer w;

	frame_begin(&w, &ch->out, type);
	put_report(ch, &w);
	written(ch, frame_end(&w));
}

/* hello, welcome.  met: the boot of the peer that our window is about, or
 * "". */
static void
send_greeting(struct channel *ch, enum frame_type type, const char *met)
{
	struct frame_writer w;

	frame_begin(&w, &ch->out, type);
	frame_put_u64(&w, FIELD_VERSION, FRAME_VERSION);
	frame_put_str(&w, FIELD_NODE, ch->node);
	frame_put_str(&w, FIELD_BOOT, ch->boot);
	if (met[0] != '\0')
		frame_put_str(&w, FIELD_PEER_BOOT, met);
	frame_put_u64(&w, FIELD_SEND_BASE, channel_journal_base(&ch->journal));
	put_report(ch, &w);
	if (ch->role == CHANNEL_DIALS && ch->store[0] != '\0') {
		frame_put_str(&w, FIELD_STORE, ch->store);
		frame_put_u64(&w, FIELD_EPOCH, ch->epoch);
	}
	written(ch, frame_end(&w));
}

static void
send_result(struct channel *ch, uint64_t seq, const struct channel_result *r)
{
	written(ch, channel_result_write(&ch->out, seq, r));
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
		written(ch, buf_add(&ch->out, e->data, e->len));
	}
}

static void
report_if_due(struct channel *ch)
{
	uint64_t seen = channel_journal_base(&ch->journal) - 1;

	if (ch->state == CH_UP &&
	    (channel_window_credit_due(&ch->window, CREDIT_SHARE) ||
		seen - ch->reported >= REPORT_AFTER))
		send_report(ch, FRAME_CREDIT);
}

/* --- the end of every entry -------------------------------------------- */

static void
destroy(struct channel *ch)
{
	clock_timer_stop(&ch->timer);
	channel_journal_finish(&ch->journal);
	channel_window_finish(&ch->window);
	buf_finish(&ch->in);
	buf_finish(&ch->out);
	buf_finish(&ch->writing);
	free(ch);
}

static void
disconnect(struct channel *ch)
{
	if (ch->state == CH_DOWN)
		return;
	set_state(ch, CH_DOWN);
	ch->generation++;
	ch->blocked = false;
	clock_timer_stop(&ch->timer);
	buf_clear(&ch->in);
	buf_clear(&ch->out);
}

static void
enter(struct channel *ch)
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
	disconnect(ch);
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

static void
leave(struct channel *ch)
{
	assert(ch->depth > 0);
	if (ch->depth == 1)
		settle(ch);
	if (--ch->depth == 0 && ch->doomed)
		destroy(ch);
}

/* --- life signs -------------------------------------------------------- */

static uint64_t
later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void
start_timer(struct channel *ch)
{
	uint64_t now = clock_now_ms(ch->clock);
	uint64_t dead =
	    (ch->state == CH_UP ? ch->input_ms : ch->attach_ms) + ch->dead_ms;
	uint64_t ping = later(ch->input_ms, ch->ping_sent_ms) + ch->ping_ms;
	uint64_t due = ch->state == CH_UP && ping < dead ? ping : dead;

	clock_timer_start(&ch->timer, due > now ? due - now : 1);
}

/* Silence, or simply time to look whether there is any. */
static void
on_timer(struct clock_timer *t, void *arg)
{
	struct channel *ch = arg;
	uint64_t now = clock_now_ms(ch->clock);
	uint64_t seq, bytes;

	(void)t;
	enter(ch);
	if (ch->state == CH_GREETING && now - ch->attach_ms >= ch->dead_ms) {
		fail(ch, ERR_TIMEOUT, "no welcome in time");
	} else if (ch->state == CH_UP && now - ch->input_ms >= ch->dead_ms) {
		fail(ch, ERR_TIMEOUT, "the peer fell silent");
	} else if (ch->state == CH_UP) {
		channel_window_credit(&ch->window, &seq, &bytes);
		if (now - later(ch->input_ms, ch->ping_sent_ms) >=
		    ch->ping_ms) {
			ch->ping_sent_ms = now;
			send_report(ch, FRAME_PING);
		} else if (seq > ch->window.told_seq ||
			   channel_journal_base(&ch->journal) - 1 !=
			       ch->reported) {
			send_report(ch, FRAME_CREDIT);
		}
	}
	if (ch->state == CH_GREETING || ch->state == CH_UP)
		start_timer(ch);
	leave(ch);
}

/* --- greeting ---------------------------------------------------------- */

/* What both hello and welcome must hold.  NULL, or why not. */
static const char *
check_greeting(const struct channel *ch, const struct frame *f, bool resumed)
{
	uint64_t base = frame_u64(f, FIELD_SEND_BASE, 0);
	const struct frame_field *node = frame_field(f, FIELD_NODE);
	const struct frame_field *boot = frame_field(f, FIELD_BOOT);

	if (frame_u64(f, FIELD_VERSION, 0) < 1)
		return "no protocol version";
	if (f->type == FRAME_WELCOME &&
	    frame_u64(f, FIELD_VERSION, 0) > FRAME_VERSION)
		return "protocol version not offered";
	if (node == NULL || node->len == 0)
		return "no node";
	if (boot == NULL || boot->len == 0)
		return "no boot id";
	if (ch->peer_node[0] != '\0' && !frame_is(f, FIELD_NODE, ch->peer_node))
		return "another node than before";
	if (frame_u64(f, FIELD_RESULT_SEEN, 0) >= base)
		return "result-seen not below send-base";
	if (!frame_has(f, FIELD_CREDIT_SEQ) ||
	    !frame_has(f, FIELD_CREDIT_BYTES))
		return "no credit";
	return channel_window_check(&ch->window, base, resumed);
}

/* Both sides know each other's present boot. */
static bool
is_resumed(const struct channel *ch, const struct frame *f)
{
	return ch->peer_boot[0] != '\0' &&
	       frame_is(f, FIELD_BOOT, ch->peer_boot) &&
	       frame_is(f, FIELD_PEER_BOOT, ch->boot);
}

/* A greeting that was checked: from here on the peer is the one it names. */
static int
meet(struct channel *ch, const struct frame *f, bool resumed)
{
	int rc;

	rc = channel_window_meet(
	    &ch->window, frame_u64(f, FIELD_SEND_BASE, 0), resumed);
	if (rc < 0)
		return rc;
	frame_copy(f, FIELD_NODE, ch->peer_node, sizeof(ch->peer_node));
	frame_copy(f, FIELD_BOOT, ch->peer_boot, sizeof(ch->peer_boot));
	frame_copy(f, FIELD_STORE, ch->peer_store, sizeof(ch->peer_store));
	ch->peer_epoch = frame_u64(f, FIELD_EPOCH, 0);
	if (!resumed)
		channel_journal_renumber(&ch->journal);
	return 0;
}

/* Takes over the credit of a frame.  It never falls on one connection. */
static void
take_credit(struct channel *ch, const struct frame *f)
{
	ch->credit_seq =
	    later(ch->credit_seq, frame_u64(f, FIELD_CREDIT_SEQ, 0));
	ch->credit_bytes =
	    later(ch->credit_bytes, frame_u64(f, FIELD_CREDIT_BYTES, 0));
}

/* A new connection, before anything went over it. */
static void
begin_connection(struct channel *ch)
{
	disconnect(ch);
	ch->generation++;
	ch->blocked = false;
	ch->attach_ms = ch->input_ms = clock_now_ms(ch->clock);
	ch->ping_sent_ms = ch->attach_ms;
	ch->credit_seq = ch->credit_bytes = 0;
	channel_journal_rewind(&ch->journal);
	channel_window_begin(&ch->window);
}

void
channel_attach(struct channel *ch)
{
	assert(ch->role == CHANNEL_DIALS);
	enter(ch);
	begin_connection(ch);
	set_state(ch, CH_GREETING);
	send_greeting(ch, FRAME_HELLO, ch->peer_boot);
	start_timer(ch);
	leave(ch);
}

int
channel_attach_hello(
    struct channel *ch, const struct frame *hello, const char **why)
{
	bool resumed = is_resumed(ch, hello);
	char met[sizeof(ch->peer_boot)];
	const char *wrong;
	int rc;

	assert(ch->role == CHANNEL_ACCEPTS);
	wrong = hello->type == FRAME_HELLO ? check_greeting(ch, hello, resumed)
					   : "the first frame is no hello";
	if (wrong != NULL) {
		*why = wrong;
		return ERR_PROTOCOL;
	}
	memcpy(met, ch->peer_boot, sizeof(met));
	enter(ch);
	begin_connection(ch);
	rc = meet(ch, hello, resumed);
	if (rc < 0) {
		*why = "out of memory";
		leave(ch);
		return rc;
	}
	/* Credit of a hello is meant for the boot that it names. */
	if (resumed)
		take_credit(ch, hello);
	set_state(ch, CH_UP);
	send_greeting(ch, FRAME_WELCOME, met);
	start_timer(ch);
	ch->events->on_up(ch, resumed, ch->arg);
	leave(ch);
	return 0;
}

static void
take_welcome(struct channel *ch, const struct frame *f)
{
	bool resumed = is_resumed(ch, f);
	const char *wrong = check_greeting(ch, f, resumed);
	int rc;

	if (wrong != NULL) {
		fail(ch, ERR_PROTOCOL, wrong);
		return;
	}
	rc = meet(ch, f, resumed);
	if (rc < 0) {
		fail(ch, rc, "no memory for the window");
		return;
	}
	take_credit(ch, f);
	set_state(ch, CH_UP);
	start_timer(ch);
	/* What the hello said of credit and numbers may be void. */
	send_report(ch, FRAME_CREDIT);
	if (ch->state == CH_UP)
		ch->events->on_up(ch, resumed, ch->arg);
}

/* --- what the peer sends ----------------------------------------------- */

static void
take_stanza(struct channel *ch, const struct frame *f, size_t len)
{
	struct channel_result r;
	const char *why = "";
	uint64_t seq = frame_u64(f, FIELD_SEQ, 0), id = 0;

	switch (channel_window_take(&ch->window, seq, len, &id, &why)) {
	case WINDOW_NEW:
		ch->events->on_stanza(ch, id, f, ch->arg);
		break;
	case WINDOW_OWED:
		break;
	case WINDOW_ANSWERED:
		channel_window_recall(&ch->window, id, &r);
		send_result(ch, seq, &r);
		break;
	case WINDOW_WRONG:
		fail(ch, ERR_PROTOCOL, why);
		break;
	case WINDOW_NOMEM:
		fail(ch, ERR_NOMEM, "no memory for the window");
		break;
	}
}

static void
take_result(struct channel *ch, const struct frame *f)
{
	char text[CHANNEL_RESULT_TEXT_MAX + 1];
	struct channel_result r;
	struct journal_entry *e;
	const char *wrong;
	uint64_t seq, id;
	void *cookie;

	wrong = channel_result_read(f, &seq, &r, text);
	if (wrong == NULL && seq >= ch->journal.next_seq)
		wrong = "result for a frame never sent";
	if (wrong != NULL) {
		fail(ch, ERR_PROTOCOL, wrong);
		return;
	}
	e = channel_journal_find_seq(&ch->journal, seq);
	if (e == NULL)
		return; /* withdrawn, or answered before the connection broke */
	id = e->id;
	cookie = e->cookie;
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
		fail(ch, rc, "result-seen beyond the credit, or no memory");
		return;
	}
	take_credit(ch, f);
	if (f->type == FRAME_PING)
		send_report(ch, FRAME_PONG);
}

/* Which control frames a side may send: configuration comes from the gateway,
 * which dials; news of streams comes from the edge. */
static bool
may_send(enum channel_role role, uint8_t type)
{
	switch (type) {
	case FRAME_CONFIG:
	case FRAME_PROOF:
		return role == CHANNEL_DIALS;
	case FRAME_CONFIRM:
	case FRAME_STREAM:
	case FRAME_STATS:
	case FRAME_LOG:
		return role == CHANNEL_ACCEPTS;
	case FRAME_DRAIN:
		return true;
	default:
		return false;
	}
}

static void
take_control(struct channel *ch, const struct frame *f)
{
	enum channel_role peer =
	    ch->role == CHANNEL_DIALS ? CHANNEL_ACCEPTS : CHANNEL_DIALS;

	if (may_send(peer, f->type))
		ch->events->on_control(ch, f, ch->arg);
	else
		fail(ch, ERR_PROTOCOL, "a frame the peer may not send");
}

static void
take_refuse(struct channel *ch, const struct frame *f)
{
	char reason[200], why[256];

	if (!frame_copy(f, FIELD_REASON, reason, sizeof(reason)))
		snprintf(reason, sizeof(reason), "no reason given");
	snprintf(why, sizeof(why), "refused by the peer: %s", reason);
	fail(ch, ERR_DENIED, why);
}

static void
take_frame(struct channel *ch, const uint8_t *data, size_t len)
{
	struct frame f;
	int rc;

	rc = frame_decode(&f, data, len);
	if (rc < 0) {
		fail(ch, rc, "a frame that cannot be read");
		return;
	}
	if (f.type == FRAME_REFUSE) {
		take_refuse(ch, &f);
	} else if (ch->state == CH_GREETING) {
		if (f.type == FRAME_WELCOME)
			take_welcome(ch, &f);
		else
			fail(ch, ERR_PROTOCOL, "a frame before the welcome");
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
			fail(ch, ERR_NOMEM, "no memory for a frame");
			return taken;
		}
		taken += n;
		rc = frame_length(&size, ch->in.data, ch->in.len);
	}
	*whole = rc == 0;
	if (rc < 0 && rc != ERR_INCOMPLETE)
		fail(ch, rc, "a frame of impossible length");
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
			fail(ch, rc, "a frame of impossible length");
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
	enter(ch);
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
	leave(ch);
}

/* --- for the owner ----------------------------------------------------- */

static uint64_t
or_default(uint64_t value, uint64_t def, uint64_t least, uint64_t most)
{
	if (value == 0)
		value = def;
	if (value < least)
		return least;
	return value > most ? most : value;
}

static void
set_name(char *out, size_t size, const char *s)
{
	int n = snprintf(out, size, "%s", s != NULL ? s : "");

	assert(n >= 0 && (size_t)n < size);
}

/* A boot id stands for one memory of numbers.  A process that makes a second
 * channel to the same node must not be taken for the first one: its boot id
 * gets the count of channels made. */
static void
set_boot(struct channel *ch, const char *boot)
{
	static unsigned long made;
	int n;

	n = snprintf(ch->boot, sizeof(ch->boot), "%s.%lu", boot, ++made);
	assert(n > 0 && (size_t)n < sizeof(ch->boot));
}

static int
init_queues(struct channel *ch, const struct channel_opts *opts)
{
	uint64_t frames = or_default(opts->window_frames, 4096, 1, MOST_FRAMES);
	int rc;

	rc = channel_journal_init(&ch->journal,
	    (size_t)or_default(opts->journal_frames, 16384, 1, SIZE_MAX),
	    (size_t)or_default(
		opts->journal_bytes, 64u << 20, LEAST_BYTES, SIZE_MAX));
	if (rc < 0)
		return rc;
	rc = channel_window_init(&ch->window, frames,
	    or_default(
		opts->window_bytes, 32u << 20, LEAST_BYTES, UINT64_MAX / 4),
	    or_default(opts->memory_frames, MOST_FRAMES,
		2 * frames + MEMORY_MARGIN, 4 * MOST_FRAMES));
	if (rc < 0)
		channel_journal_finish(&ch->journal);
	return rc;
}

int
channel_new(struct channel **out, const struct channel_opts *opts)
{
	struct channel *ch = calloc(1, sizeof(*ch));
	int rc;

	if (ch == NULL)
		return ERR_NOMEM;
	ch->role = opts->role;
	ch->clock = opts->clock;
	ch->events = opts->events;
	ch->arg = opts->arg;
	ch->epoch = opts->epoch;
	ch->ping_ms = opts->ping_ms != 0 ? opts->ping_ms : 5000;
	ch->dead_ms = opts->dead_ms != 0 ? opts->dead_ms : 15000;
	set_name(ch->node, sizeof(ch->node), opts->node);
	set_boot(ch, opts->boot);
	set_name(ch->store, sizeof(ch->store), opts->store);
	assert(ch->node[0] != '\0');
	rc = init_queues(ch, opts);
	if (rc < 0) {
		free(ch);
		return rc;
	}
	buf_init(&ch->in, FRAME_MAX);
	buf_init(&ch->out, 0);
	buf_init(&ch->writing, 0);
	clock_timer_init(&ch->timer, ch->clock, on_timer, ch);
	*out = ch;
	return 0;
}

void
channel_free(struct channel *ch)
{
	if (ch == NULL)
		return;
	if (ch->depth > 0) {
		disconnect(ch);
		ch->doomed = true;
		return;
	}
	destroy(ch);
}

void
channel_detach(struct channel *ch)
{
	disconnect(ch);
}

void
channel_block(struct channel *ch, bool blocked)
{
	enter(ch);
	ch->blocked = blocked;
	leave(ch);
}

int
channel_refuse(struct buf *out, const char *why)
{
	struct frame_writer w;

	frame_begin(&w, out, FRAME_REFUSE);
	frame_put_str(&w, FIELD_REASON, why);
	return frame_end(&w);
}

bool
channel_is_up(const struct channel *ch)
{
	return ch->state == CH_UP;
}

const char *
channel_peer_node(const struct channel *ch)
{
	return ch->peer_node;
}

const char *
channel_peer_boot(const struct channel *ch)
{
	return ch->peer_boot;
}

const char *
channel_peer_store(const struct channel *ch)
{
	return ch->peer_store;
}

uint64_t
channel_peer_epoch(const struct channel *ch)
{
	return ch->peer_epoch;
}

int
channel_send(
    struct channel *ch, const struct buf *frame, void *cookie, uint64_t *seq)
{
	struct frame f;
	int rc;

	if (frame_decode(&f, frame->data, frame->len) < 0 ||
	    !frame_is_stanza(f.type) || frame_has(&f, FIELD_SEQ) ||
	    f.count == FRAME_FIELDS_LIMIT ||
	    frame->len > FRAME_MAX - CHANNEL_JOURNAL_GROWS)
		return ERR_MALFORMED;
	rc = channel_journal_add(
	    &ch->journal, frame->data, frame->len, cookie, seq);
	if (rc < 0) {
		if (rc == ERR_FULL)
			ch->want_room = true;
		return rc;
	}
	enter(ch);
	leave(ch);
	return 0;
}

int
channel_send_control(struct channel *ch, const struct buf *frame)
{
	struct frame f;

	if (ch->state != CH_UP)
		return ERR_CLOSED;
	if (frame_decode(&f, frame->data, frame->len) < 0 ||
	    !may_send(ch->role, f.type))
		return ERR_MALFORMED;
	if (buf_add(&ch->out, frame->data, frame->len) < 0)
		return ERR_NOMEM;
	enter(ch);
	leave(ch);
	return 0;
}

bool
channel_withdraw(struct channel *ch, uint64_t seq)
{
	struct journal_entry *e = channel_journal_find_id(&ch->journal, seq);
	bool reached;

	if (e == NULL)
		return false;
	reached = e->was_out;
	enter(ch);
	channel_journal_drop(&ch->journal, e);
	leave(ch);
	return reached;
}

void
channel_answer(struct channel *ch, uint64_t seq, const struct channel_result *r)
{
	uint64_t wire = channel_window_answer(&ch->window, seq, r);

	enter(ch);
	if (wire != 0 && ch->state == CH_UP)
		send_result(ch, wire, r);
	leave(ch);
}

size_t
channel_unanswered(const struct channel *ch)
{
	return ch->journal.frames;
}

void
channel_each_unanswered(struct channel *ch, channel_each_fn *fn, void *arg)
{
	struct journal_entry *e;

	enter(ch);
	LIST_FOREACH_SAFE (it, &ch->journal.entries) {
		e = list_entry(it, struct journal_entry, link);
		fn(e->id, e->cookie, arg);
	}
	leave(ch);
}

size_t
channel_owed(const struct channel *ch)
{
	return (size_t)ch->window.owed_frames;
}
