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
 * Every entry point runs between channel_turn_enter() and _leave(), which see
 * to all that follows from it.
 *
 * What can go wrong: the peer breaks a rule or falls silent, or memory is
 * short.  Each ends the connection, never the channel: journal and window
 * stay, and the next attach resumes.
 */
#include "proto/channel_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "proto/channel_result.h"

enum {
	LEAST_BYTES = 1024 * 1024,
	MOST_FRAMES = 1 << 20,
	MOST_REMEMBERED = 4 * MOST_FRAMES,
	/* The peer reports results after this many at the latest: a memory of
	 * twice as much beyond the window never fills up for want of it. */
	MEMORY_MARGIN = 2 * CHANNEL_REPORT_AFTER
};

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
		2 * frames + MEMORY_MARGIN, MOST_REMEMBERED));
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
	clock_timer_init(&ch->timer, ch->clock, channel_turn_on_timer, ch);
	*out = ch;
	return 0;
}

void
channel_free(struct channel *ch)
{
	if (ch == NULL)
		return;
	if (ch->depth > 0) {
		channel_turn_disconnect(ch);
		ch->doomed = true;
		return;
	}
	channel_turn_destroy(ch);
}

void
channel_detach(struct channel *ch)
{
	channel_turn_disconnect(ch);
}

void
channel_block(struct channel *ch, bool blocked)
{
	channel_turn_enter(ch);
	ch->blocked = blocked;
	channel_turn_leave(ch);
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

bool
channel_is_blocked(const struct channel *ch)
{
	return ch->blocked;
}

unsigned
channel_version(const struct channel *ch)
{
	return ch->version;
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
	channel_journal_find_id(&ch->journal, *seq)->since_ms =
	    clock_now_ms(ch->clock);
	channel_turn_enter(ch);
	channel_turn_leave(ch);
	return 0;
}

int
channel_send_control(struct channel *ch, const struct buf *frame)
{
	struct frame f;

	if (ch->state != CH_UP)
		return ERR_CLOSED;
	if (frame_decode(&f, frame->data, frame->len) < 0 ||
	    !channel_receive_allowed(ch->role, f.type))
		return ERR_MALFORMED;
	if (channel_receive_since(f.type) > ch->version)
		return ERR_UNSUPPORTED;
	if (buf_add(&ch->out, frame->data, frame->len) < 0)
		return ERR_NOMEM;
	channel_turn_enter(ch);
	channel_turn_leave(ch);
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
	channel_turn_enter(ch);
	channel_journal_drop(&ch->journal, e);
	channel_turn_leave(ch);
	return reached;
}

void
channel_answer(struct channel *ch, uint64_t seq, const struct channel_result *r)
{
	uint64_t wire, since = channel_window_since(&ch->window, seq);

	wire = channel_window_answer(&ch->window, seq, r);
	channel_observe(ch, &ch->delays.answered, r->delivered, since);
	channel_turn_enter(ch);
	if (wire != 0 && ch->state == CH_UP)
		channel_turn_written(
		    ch, channel_result_write(&ch->out, wire, r));
	channel_turn_leave(ch);
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

	channel_turn_enter(ch);
	LIST_FOREACH_SAFE (it, &ch->journal.entries) {
		e = list_entry(it, struct journal_entry, link);
		fn(e->id, e->cookie, arg);
	}
	channel_turn_leave(ch);
}

bool
channel_oldest_unanswered(
    const struct channel *ch, uint64_t *seq, void **cookie)
{
	const struct journal_entry *e;

	if (list_empty(&ch->journal.entries))
		return false;
	e = list_entry(ch->journal.entries.next, struct journal_entry, link);
	*seq = e->id;
	*cookie = e->cookie;
	return true;
}

size_t
channel_owed(const struct channel *ch)
{
	return (size_t)ch->window.owed_frames;
}

const struct channel_delays *
channel_delays(const struct channel *ch)
{
	return &ch->delays;
}
