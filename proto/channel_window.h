/*
 * channel_window - stanza frames of the peer: which arrived, which are owed an
 * answer, what the answers were, how much more it may send.
 *
 * A ring of 24-byte slots from the oldest number that still matters to the
 * highest received.  Towards the owner a frame goes by an id that rises for
 * the whole life of the window; the number on the wire is that id less an
 * offset, which changes when the peer comes back as another boot.  What was
 * owed to the earlier boot stays owed by the owner, but its answer goes
 * nowhere.
 *
 * Owns     the slots and the texts of remembered answers.
 * Errors   ERR_PROTOCOL, ERR_NOMEM.
 */
#ifndef PROTO_CHANNEL_WINDOW_H
#define PROTO_CHANNEL_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/channel.h"

enum window_take {
	WINDOW_NEW,      /* hand it to the owner */
	WINDOW_OWED,     /* a replay of what the owner still works on */
	WINDOW_ANSWERED, /* a replay: answer from memory */
	WINDOW_WRONG,    /* protocol error */
	WINDOW_NOMEM
};

struct window_slot;

struct channel_window {
	struct window_slot *slots;
	size_t cap;      /* power of two */
	uint64_t base;   /* lowest id in the ring */
	uint64_t top;    /* one past the highest id received */
	uint64_t start;  /* lowest id of the peer's present boot */
	uint64_t seen;   /* below it, the peer has all answers */
	uint64_t offset; /* id = seq + offset, modulo 2^64 */
	uint64_t frames_max, bytes_max, memory_max;
	uint64_t owed_frames, owed_bytes;
	uint64_t got_bytes;            /* on the present connection */
	uint64_t told_seq, told_bytes; /* credit given */
	size_t text_bytes;
};

/* Numbers on the wire stay below it; a peer that counts further is broken. */
#define WINDOW_SEQ_END ((uint64_t)1 << 62)

int channel_window_init(struct channel_window *w, uint64_t frames_max,
    uint64_t bytes_max, uint64_t memory_max);
void channel_window_finish(struct channel_window *w);

/* A new connection: byte counts start anew. */
void channel_window_begin(struct channel_window *w);
/* base is the send-base of the peer on it.  resumed: the peer is the boot this
 * window knows, and knows us.  NULL when acceptable, else why not. */
const char *channel_window_check(
    const struct channel_window *w, uint64_t base, bool resumed);
/* The same, done; only after the check.  Unless resumed, credit told before
 * is void.  0 or ERR_NOMEM. */
int channel_window_meet(struct channel_window *w, uint64_t base, bool resumed);

/* One stanza frame of len bytes.  *id is set for NEW, OWED and ANSWERED, *why
 * for WRONG. */
enum window_take channel_window_take(struct channel_window *w, uint64_t seq,
    size_t len, uint64_t *id, const char **why);
/* When a frame that was WINDOW_NEW came, and the same asked while it is owed. */
void
channel_window_stamp(struct channel_window *w, uint64_t id, uint64_t now_ms);
uint64_t channel_window_since(const struct channel_window *w, uint64_t id);
/* The owner's answer.  Asserts that the frame is owed.  Returns the number
 * under which the peer waits for it, or 0 when it does not wait. */
uint64_t channel_window_answer(
    struct channel_window *w, uint64_t id, const struct channel_result *r);
/* The remembered answer to a frame that was WINDOW_ANSWERED. */
void channel_window_recall(
    const struct channel_window *w, uint64_t id, struct channel_result *r);
/* The peer has all results up to seq, or wants them no more: numbers that have
 * not arrived yet were withdrawn.  0, ERR_PROTOCOL or ERR_NOMEM. */
int channel_window_seen(struct channel_window *w, uint64_t seq);

/* What the peer may send, and noting that it was told so. */
void channel_window_credit(
    const struct channel_window *w, uint64_t *seq, uint64_t *bytes);
void
channel_window_told(struct channel_window *w, uint64_t seq, uint64_t bytes);
/* Part of the window (one in share) is free again and not told. */
bool channel_window_credit_due(const struct channel_window *w, unsigned share);

#endif
