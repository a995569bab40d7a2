/*
 * barrier_stream - which stanzas of one outbound stream the partner has
 * processed (XEP-0199 pings as barriers).
 *
 * A stanza with a barrier is unproven from the moment it was written.  If no
 * ping is out, one with its id follows right behind and covers all that was
 * written before; otherwise the newest id waits until the ping that is out has
 * been answered.  A partner's server handles the stanzas of a stream in order,
 * so the answer proves everything in front of the ping.
 *
 * The first ping also finds out whether the partner answers pings at all: if
 * it is not answered within 10 s, though repeated, the acknowledgement of the
 * partner's TCP has to do; a ping a minute still tries.
 *
 * Owns     its timers.  Items are the caller's; they are linked here.
 * Borrows  the clock, the event table.
 * Ends     barrier_stream_finish().
 */
#ifndef EDGE_BARRIER_STREAM_H
#define EDGE_BARRIER_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/list.h"
#include "proto/channel.h"

enum { BARRIER_ID_SIZE = 256 };

/* One unproven stanza. */
struct barrier_item {
	struct list link;
	uint64_t number;
};

struct barrier_events {
	/* Write a ping with that id behind what was written so far. */
	void (*on_ping)(const char *id, void *arg);
	/* The item is proven and linked no more. */
	void (*on_proven)(struct barrier_item *item, enum proof by, void *arg);
	/* For the first time on this stream: the partner can give that. */
	void (*on_ability)(enum proof by, void *arg);
	/* A partner that can answer pings left one unanswered for 30 s, or its
	 * TCP acknowledges nothing for 60 s: the stream is of no use. */
	void (*on_dead)(void *arg);
	/* Whether the partner's TCP has acknowledged all that was written. */
	bool (*all_acknowledged)(void *arg);
};

enum barrier_mode { BARRIER_UNKNOWN, BARRIER_PING, BARRIER_TCP };

struct barrier_stream {
	const struct barrier_events *events;
	void *arg;
	struct list unproven;
	uint64_t written; /* number of the newest item */
	enum barrier_mode mode;
	char ping[BARRIER_ID_SIZE]; /* "" when none was sent */
	uint64_t covers;            /* items up to that number */
	bool outstanding;
	unsigned tries;             /* of the ping that is out */
	char next[BARRIER_ID_SIZE]; /* newest id that waits, or "" */
	struct clock_timer limit;   /* of the ping that is out */
	struct clock_timer poll;    /* of acknowledgements */
	uint64_t acknowledgeable;   /* items it settles */
	unsigned polls;             /* without success */
};

void barrier_stream_init(struct barrier_stream *b, struct clock *clock,
    const struct barrier_events *events, void *arg);
/* A new stream begins; nothing may be unproven. */
void barrier_stream_reset(struct barrier_stream *b);
void barrier_stream_finish(struct barrier_stream *b);

/* The stanza has just been written. */
void barrier_stream_written(
    struct barrier_stream *b, struct barrier_item *item, const char *id);
/* The answer to that ping was verified.  False when it is none of ours. */
bool barrier_stream_proof(struct barrier_stream *b, const char *id);
/* Pings whose id begins with prefix will never be proved. */
void barrier_stream_forget(struct barrier_stream *b, const char *prefix);
/* Takes the oldest unproven item out, or returns NULL. */
struct barrier_item *barrier_stream_take(struct barrier_stream *b);

#endif
