/*
 * barrier_stream - see the header.
 *
 * Items are numbered as they are written; a ping covers all numbers up to the
 * newest at the time it was sent.  Events may write more or take items away:
 * the loops here begin anew at the head of the list each time.
 *
 * The first answer may be lost with the partner's way to us, which comes up at
 * about the same time; so that ping is repeated, and tried again later.  A
 * partner that did answer is not asked twice: with the answer a bounce of what
 * stood in front may have been lost, so that only silence is the truth.
 */
#include "edge-proxy/barrier_stream.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum {
	TRY_MS = 2000, /* for the first answer ever, */
	TRIES = 5,     /* so often */
	AGAIN_MS = 60000,
	DEAD_MS = 30000, /* for each one after that */
	POLL_MS = 100,
	POLLS_DEAD = 600
};

static void
settle_up_to(struct barrier_stream *b, uint64_t number, enum proof by)
{
	while (!list_empty(&b->unproven)) {
		struct barrier_item *item =
		    list_entry(b->unproven.next, struct barrier_item, link);

		if (item->number > number)
			return;
		list_remove(&item->link);
		b->events->on_proven(item, by, b->arg);
	}
}

static void
send_ping(struct barrier_stream *b, const char *id)
{
	snprintf(b->ping, sizeof(b->ping), "%s", id);
	b->covers = b->written;
	b->outstanding = true;
	b->tries = 1;
	b->next[0] = '\0';
	clock_timer_start(
	    &b->limit, b->mode == BARRIER_PING ? DEAD_MS : TRY_MS);
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

/* What was written so far is proven by TCP. */
static void
start_poll(struct barrier_stream *b)
{
	b->acknowledgeable = b->written;
	if (clock_timer_running(&b->poll))
		return;
	b->polls = 0;
	clock_timer_start(&b->poll, POLL_MS);
}

static void
on_poll(struct clock_timer *t, void *arg)
{
	struct barrier_stream *b = arg;

	if (list_empty(&b->unproven))
		return;
	if (b->events->all_acknowledged(b->arg)) {
		settle_up_to(b, b->acknowledgeable, PROOF_TCP);
		return;
	}
	if (++b->polls < POLLS_DEAD)
		clock_timer_start(t, POLL_MS);
	else
		b->events->on_dead(b->arg);
}

static void
on_limit(struct clock_timer *t, void *arg)
{
	struct barrier_stream *b = arg;

	if (b->mode == BARRIER_PING) {
		b->events->on_dead(b->arg);
		return;
	}
	if (b->mode == BARRIER_TCP)
		return;
	if (b->tries++ < TRIES && b->ping[0] != '\0') {
		clock_timer_start(t, TRY_MS);
		b->events->on_ping(b->ping, b->arg);
		return;
	}
	/* It does not answer pings, or cannot reach us to do so. */
	b->mode = BARRIER_TCP;
	b->outstanding = false;
	b->next[0] = '\0';
	clock_timer_start(t, AGAIN_MS);
	start_poll(b);
	b->events->on_ability(PROOF_TCP, b->arg);
}

void
barrier_stream_init(struct barrier_stream *b, struct clock *clock,
    const struct barrier_events *events, void *arg)
{
	memset(b, 0, sizeof(*b));
	b->events = events;
	b->arg = arg;
	list_init(&b->unproven);
	clock_timer_init(&b->limit, clock, on_limit, b);
	clock_timer_init(&b->poll, clock, on_poll, b);
}

void
barrier_stream_reset(struct barrier_stream *b)
{
	assert(list_empty(&b->unproven));
	clock_timer_stop(&b->limit);
	clock_timer_stop(&b->poll);
	b->mode = BARRIER_UNKNOWN;
	b->ping[0] = b->next[0] = '\0';
	b->outstanding = false;
}

void
barrier_stream_finish(struct barrier_stream *b)
{
	barrier_stream_reset(b);
}

/* TCP settles it; whether the partner answers by now costs one ping. */
static void
try_again(struct barrier_stream *b, const char *id)
{
	if (clock_timer_running(&b->limit))
		return;
	snprintf(b->ping, sizeof(b->ping), "%s", id);
	b->covers = b->written;
	clock_timer_start(&b->limit, AGAIN_MS);
	b->events->on_ping(b->ping, b->arg);
}

void
barrier_stream_written(
    struct barrier_stream *b, struct barrier_item *item, const char *id)
{
	item->number = ++b->written;
	list_append(&b->unproven, &item->link);
	if (b->mode == BARRIER_TCP) {
		start_poll(b);
		try_again(b, id);
	} else if (b->outstanding)
		snprintf(b->next, sizeof(b->next), "%s", id);
	else
		send_ping(b, id);
}

bool
barrier_stream_proof(struct barrier_stream *b, const char *id)
{
	bool first = b->mode != BARRIER_PING;

	if (b->ping[0] == '\0' || strcmp(b->ping, id) != 0)
		return false;
	b->ping[0] = '\0';
	b->mode = BARRIER_PING;
	clock_timer_stop(&b->limit);
	settle_up_to(b, b->covers, PROOF_PING);
	if (b->outstanding)
		send_next(b);
	if (first)
		b->events->on_ability(PROOF_PING, b->arg);
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

struct barrier_item *
barrier_stream_take(struct barrier_stream *b)
{
	struct list *first = b->unproven.next;

	if (list_empty(&b->unproven))
		return NULL;
	list_remove(first);
	return list_entry(first, struct barrier_item, link);
}
