/*
 * barrier_stream - which stanzas of one outbound stream the partner has
 * processed, by the best proof that he gives.
 *
 * A stanza with a barrier is unproven from the moment it was written.  Three
 * things can prove it, in this order of rank:
 *
 * ping  The answer, result or error, to an XEP-0199 ping sent behind it.  It
 *       takes the way that a bounce would take, so no bounce can follow.  It
 *       settles everything written in front of the ping, at once, whenever it
 *       comes.
 * ack   The partner's XEP-0198 count covers it: his server has taken it over,
 *       but may still bounce it.  It settles only what the ping does not: from
 *       the moment on when a ping has gone unanswered for 10 s until one is
 *       answered again.
 * tcp   The partner's TCP has acknowledged its bytes.  It settles only where
 *       pings are not answered and the partner does not count.
 *
 * At most one ping is out.  While pings are answered, or nobody knows yet, each
 * stanza is followed by one with its id, or its id waits until the one that is
 * out has been answered.  Until the first answer it is repeated every 2 s.  Once
 * pings are not answered, one a minute still tries.
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

/* Where a stanza ends on its stream. */
struct barrier_place {
	uint64_t stanza; /* its number in the partner's count */
	uint64_t bytes;  /* written up to its end */
};

/* One unproven stanza. */
struct barrier_item {
	struct list link;
	uint64_t number;
	struct barrier_place place;
};

struct barrier_events {
	/* Write a ping with that id behind what was written so far. */
	void (*on_ping)(const char *id, void *arg);
	/* The item is proven and linked no more. */
	void (*on_proven)(struct barrier_item *item, enum proof by, void *arg);
	/* For the first time on this stream: the partner can give that. */
	void (*on_ability)(enum proof by, void *arg);
	/* A partner that can answer pings and does not count left one
	 * unanswered for 30 s, or there was no lesser proof for 60 s: the
	 * stream is of no use. */
	void (*on_dead)(void *arg);
	/* How many bytes the partner's TCP has acknowledged. */
	uint64_t (*bytes_acknowledged)(void *arg);
};

enum barrier_mode {
	BARRIER_UNKNOWN, /* no ping has been answered, none given up */
	BARRIER_PING,    /* they are answered */
	BARRIER_WEAK     /* the last one that was out was not */
};

enum barrier_acks {
	BARRIER_ACKS_NONE,
	BARRIER_ACKS_PROMISED,
	BARRIER_ACKS_GIVEN
};

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
	struct clock_timer again;   /* runs while none is to be tried */
	uint64_t weak; /* items up to that number take a lesser proof */
	enum barrier_acks acks;
	uint64_t acked;          /* the partner's count */
	struct clock_timer poll; /* for a lesser proof */
	unsigned polls;          /* without success */
	unsigned told;           /* bit per ability */
};

void barrier_stream_init(struct barrier_stream *b, struct clock *clock,
    const struct barrier_events *events, void *arg);
/* A new stream begins; nothing may be unproven. */
void barrier_stream_reset(struct barrier_stream *b);
void barrier_stream_finish(struct barrier_stream *b);

/* The stanza has just been written and ends there. */
void barrier_stream_written(struct barrier_stream *b, struct barrier_item *item,
    const char *id, struct barrier_place place);
/* The answer to that ping was verified.  False when it is none of ours. */
bool barrier_stream_proof(struct barrier_stream *b, const char *id);
/* Pings whose id begins with prefix will never be proved. */
void barrier_stream_forget(struct barrier_stream *b, const char *prefix);
/* The partner will count the stanzas of this stream ... */
void barrier_stream_promised(struct barrier_stream *b);
/* ... and his count is that. */
void barrier_stream_acknowledged(struct barrier_stream *b, uint64_t stanzas);
/* The stream is no more: takes the oldest unproven item out, or returns NULL.
 * by: PROOF_ACK when the partner's last count covers it, else PROOF_NONE. */
struct barrier_item *
barrier_stream_take(struct barrier_stream *b, enum proof *by);

#endif
