/*
 * barrier_stream - see the header for the rules.
 *
 * Items are numbered as they are written; a ping covers all numbers up to the
 * newest at the time it was sent.  Items that were written while pings were not
 * answered have no ping behind them: `weak` remembers up to where a lesser
 * proof is good enough, also when pings are answered again.  Events may write
 * more or take items away: the loops here begin anew at the head of the list
 * each time.
 *
 * The first answer may be lost with the partner's way to us, which comes up at
 * about the same time; so that ping is repeated, and tried again later.  A
 * partner that did answer is not asked twice: with the answer a bounce of what
 * stood in front may have been lost, and the second answer would hide it.
 */
#include "edge-proxy/barrier_stream.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum {
	TRY_MS = 2000, /* for the first answer ever, */
	TRIES = 5,     /* so often */
	GIVE_UP_MS = TRIES * TRY_MS,
	DEAD_MS = 30000,  /* for each one after that, if none is as good */
	AGAIN_MS = 60000, /* from one try to the next, once given up */
	POLL_MS = 100,
	POLLS_DEAD = 600
};

static struct barrier_item *
oldest(struct barrier_stream *b)
{
	return list_empty(&b->unproven)
		   ? NULL
		   : list_entry(b->unproven.next, struct barrier_item, link);
}

static void
prove(struct barrier_stream *b, struct barrier_item *item, enum proof by)
{
	list_remove(&item->link);
	b->events->on_proven(item, by, b->arg);
}

static void
tell_ability(struct barrier_stream *b, enum proof by)
{
	if ((b->told & 1u << by) != 0)
		return;
	b->told |= 1u << by;
	b->events->on_ability(by, b->arg);
}

static bool
counted(const struct barrier_stream *b, const struct barrier_item *item)
{
	return b->acks == BARRIER_ACKS_GIVEN && item->place.stanza <= b->acked;
}

/* --- by ping ------------------------------------------------------------- */

static void
settle_pinged(struct barrier_stream *b, uint64_t number)
{
	struct barrier_item *item;

	while ((item = oldest(b)) != NULL && item->number <= number)
		prove(b, item, PROOF_PING);
}

/* How long the ping that goes out now may stay unanswered. */
static uint64_t
patience(const struct barrier_stream *b)
{
	if (b->mode == BARRIER_UNKNOWN)
		return TRY_MS;
	return b->acks == BARRIER_ACKS_NONE ? DEAD_MS : GIVE_UP_MS;
}

static void
send_ping(struct barrier_stream *b, const char *id)
{
	snprintf(b->ping, sizeof(b->ping), "%s", id);
	b->covers = b->written;
	b->outstanding = true;
	b->tries = 1;
	b->next[0] = '\0';
	clock_timer_start(&b->limit, patience(b));
	b->events->on_ping(b->ping, b->arg);
}

/* The ping that was out is out no more: the newest id that waited goes. */
static void
send_next(struct barrier_stream *b)
{
	char id[BARRIER_ID_SIZE];

	clock_timer_stop(&b->limit);
	b->outstanding = false;
	if (b->next[0] == '\0')
		return;
	memcpy(id, b->next, sizeof(id));
	send_ping(b, id);
}

/* --- by less ------------------------------------------------------------- */

/* The oldest that may be settled by a lesser proof. */
static struct barrier_item *
oldest_weak(struct barrier_stream *b)
{
	struct barrier_item *item = oldest(b);

	return item != NULL && item->number <= b->weak ? item : NULL;
}

/* Settles what a lesser proof is there for. */
static void
settle_weak(struct barrier_stream *b)
{
	bool counts = b->acks != BARRIER_ACKS_NONE, some = false;
	uint64_t bytes = b->events->bytes_acknowledged(b->arg);
	struct barrier_item *item;

	while ((item = oldest_weak(b)) != NULL &&
	       (counts ? counted(b, item) : item->place.bytes <= bytes)) {
		prove(b, item, counts ? PROOF_ACK : PROOF_TCP);
		some = true;
	}
	if (some)
		b->polls = 0;
}

static void
on_poll(struct clock_timer *t, void *arg)
{
	struct barrier_stream *b = arg;

	settle_weak(b);
	if (oldest_weak(b) == NULL)
		return;
	if (++b->polls < POLLS_DEAD)
		clock_timer_start(t, POLL_MS);
	else
		b->events->on_dead(b->arg);
}

/* A lesser proof is good enough for all that was written so far. */
static void
weaken(struct barrier_stream *b)
{
	b->weak = b->written;
	if (b->acks != BARRIER_ACKS_NONE)
		settle_weak(b);
	if (oldest_weak(b) == NULL || clock_timer_running(&b->poll))
		return;
	b->polls = 0;
	clock_timer_start(&b->poll, POLL_MS);
}

/* A ping was not answered in time. */
static void
on_limit(struct clock_timer *t, void *arg)
{
	struct barrier_stream *b = arg;

	if (b->mode == BARRIER_PING && b->acks == BARRIER_ACKS_NONE) {
		b->events->on_dead(b->arg);
		return;
	}
	if (b->mode == BARRIER_UNKNOWN && b->tries < TRIES) {
		b->tries++;
		clock_timer_start(t, TRY_MS);
		b->events->on_ping(b->ping, b->arg);
		return;
	}
	/* He does not answer them, or cannot reach us to do so. */
	b->mode = BARRIER_WEAK;
	b->outstanding = false;
	b->next[0] = '\0';
	clock_timer_start(&b->again, AGAIN_MS);
	if (b->acks == BARRIER_ACKS_NONE)
		tell_ability(b, PROOF_TCP);
	weaken(b);
}

static void
on_again(struct clock_timer *t, void *arg)
{
	(void)t; /* the next stanza will see that it runs no more */
	(void)arg;
}

/* A lesser proof settles it; whether the partner answers by now costs one
 * ping. */
static void
try_again(struct barrier_stream *b, const char *id)
{
	if (clock_timer_running(&b->again))
		return;
	snprintf(b->ping, sizeof(b->ping), "%s", id);
	b->covers = b->written;
	clock_timer_start(&b->again, AGAIN_MS);
	b->events->on_ping(b->ping, b->arg);
}

/* --- life ---------------------------------------------------------------- */

void
barrier_stream_init(struct barrier_stream *b, struct clock *clock,
    const struct barrier_events *events, void *arg)
{
	memset(b, 0, sizeof(*b));
	b->events = events;
	b->arg = arg;
	list_init(&b->unproven);
	clock_timer_init(&b->limit, clock, on_limit, b);
	clock_timer_init(&b->again, clock, on_again, b);
	clock_timer_init(&b->poll, clock, on_poll, b);
}

void
barrier_stream_reset(struct barrier_stream *b)
{
	assert(list_empty(&b->unproven));
	clock_timer_stop(&b->limit);
	clock_timer_stop(&b->again);
	clock_timer_stop(&b->poll);
	b->mode = BARRIER_UNKNOWN;
	b->acks = BARRIER_ACKS_NONE;
	b->acked = 0;
	b->told = 0;
	b->ping[0] = b->next[0] = '\0';
	b->outstanding = false;
}

void
barrier_stream_finish(struct barrier_stream *b)
{
	barrier_stream_reset(b);
}

void
barrier_stream_written(struct barrier_stream *b, struct barrier_item *item,
    const char *id, struct barrier_place place)
{
	item->number = ++b->written;
	item->place = place;
	list_append(&b->unproven, &item->link);
	if (b->mode == BARRIER_WEAK) {
		weaken(b);
		try_again(b, id);
	} else if (b->outstanding) {
		snprintf(b->next, sizeof(b->next), "%s", id);
	} else {
		send_ping(b, id);
	}
}

bool
barrier_stream_proof(struct barrier_stream *b, const char *id)
{
	if (b->ping[0] == '\0' || strcmp(b->ping, id) != 0)
		return false;
	b->ping[0] = '\0';
	b->mode = BARRIER_PING;
	settle_pinged(b, b->covers);
	if (b->outstanding)
		send_next(b);
	tell_ability(b, PROOF_PING);
	return true;
}

static bool
begins_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

void
barrier_stream_forget(struct barrier_stream *b, const char *prefix)
{
	if (begins_with(b->next, prefix))
		b->next[0] = '\0';
	if (b->ping[0] == '\0' || !begins_with(b->ping, prefix))
		return;
	b->ping[0] = '\0';
	if (b->outstanding)
		send_next(b);
}

void
barrier_stream_promised(struct barrier_stream *b)
{
	b->acks = BARRIER_ACKS_PROMISED;
}

void
barrier_stream_acknowledged(struct barrier_stream *b, uint64_t stanzas)
{
	assert(stanzas >= b->acked);
	b->acks = BARRIER_ACKS_GIVEN;
	b->acked = stanzas;
	tell_ability(b, PROOF_ACK);
	settle_weak(b);
}

struct barrier_item *
barrier_stream_take(struct barrier_stream *b, enum proof *by)
{
	struct barrier_item *item = oldest(b);

	if (item == NULL)
		return NULL;
	*by = counted(b, item) ? PROOF_ACK : PROOF_NONE;
	list_remove(&item->link);
	return item;
}
