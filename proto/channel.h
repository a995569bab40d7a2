/*
 * channel - custody of stanza frames between two nodes, over one connection
 * after another.  Pure: bytes and time in, bytes and events out.
 *
 * A channel lives as long as the node believes in its peer; connections come
 * and go under it (attach, detach).  The gateway's side dials and says hello,
 * the edge's side answers welcome.  PROTO/CHANNEL.md is normative.
 *
 * Custody  channel_send() takes a stanza frame, names it by a number and keeps
 *          it until its result is in; on_result then fires exactly once,
 *          unless the frame was withdrawn.  Unanswered frames are replayed
 *          after a new attach: to the same boot of the peer, which recognises
 *          them, or to a new boot, which handles them again.
 *          A frame that arrives reaches on_stanza exactly once per boot of
 *          ours and must be answered exactly once by channel_answer(), even
 *          if the peer has restarted meanwhile; a replay of an answered frame
 *          is answered from memory.
 *          The numbers handed out here are unique in this channel; what is on
 *          the wire (FIELD_SEQ) may differ from them.
 * Credit   The peer may have window_frames / window_bytes of unanswered stanza
 *          frames outstanding here.  Control frames and results never wait.
 * Life     A ping after ping_ms of silence; dead_ms without a byte ends the
 *          connection (on_close).
 * Errors   A peer that breaks the protocol is sent a refuse frame, then
 *          on_close fires with a reason; the owner closes the connection and
 *          logs it once.
 *
 * Every function may be called from within every callback, channel_free()
 * included.
 */
#ifndef PROTO_CHANNEL_H
#define PROTO_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/channel_delays.h"
#include "proto/condition.h"
#include "proto/frame.h"

struct channel;
struct clock;
struct buf;

/* Of the protocol, as greetings name it: with 2 came trace and traced. */
enum { CHANNEL_VERSION = 2 };

enum channel_role { CHANNEL_DIALS, CHANNEL_ACCEPTS };

enum proof { PROOF_NONE, PROOF_PING, PROOF_ACK, PROOF_TCP, PROOF_GATEWAY };
const char *proof_str(enum proof p); /* "ping" ... ; "" for none */

/* How a stanza frame ended.  text is borrowed for the call, may be NULL. */
struct channel_result {
	bool delivered;
	enum proof proof;         /* when delivered */
	enum condition condition; /* when failed */
	const char *error_type;   /* NULL = the condition's own */
	const char *text;
	const char *gone_to; /* with COND_GONE: the new address, or NULL */
};

struct channel_events {
	/* Whole frames for the connection, in order. */
	void (*on_output)(
	    struct channel *ch, const uint8_t *data, size_t len, void *arg);
	/* hello and welcome are exchanged.  resumed: the peer is the boot we
	 * knew.  Sending is possible from here on. */
	void (*on_up)(struct channel *ch, bool resumed, void *arg);
	void (*on_stanza)(
	    struct channel *ch, uint64_t seq, const struct frame *f, void *arg);
	void (*on_result)(struct channel *ch, uint64_t seq, void *cookie,
	    const struct channel_result *r, void *arg);
	/* config confirm stream stats log proof drain trace traced */
	void (*on_control)(
	    struct channel *ch, const struct frame *f, void *arg);
	/* There is room again after channel_send() answered ERR_FULL. */
	void (*on_room)(struct channel *ch, void *arg);
	/* The connection must be closed now; the channel is detached already.
	 * why is for the log. */
	void (*on_close)(
	    struct channel *ch, int rc, const char *why, void *arg);
};

struct channel_opts {
	enum channel_role role;
	const char *node;    /* our name; copied */
	const char *boot;    /* id of this process, up to 40; copied */
	const char *store;   /* dialling side; copied, may be NULL */
	uint64_t epoch;      /* dialling side */
	struct clock *clock; /* borrowed */
	const struct channel_events *events; /* borrowed, static */
	void *arg;
	uint64_t window_frames; /* 0 = 4096; at most 2^20 */
	uint64_t window_bytes;  /* 0 = 32 MiB; at least 1 MiB */
	size_t journal_frames;  /* ours unanswered, 0 = 16384 */
	size_t journal_bytes;   /* 0 = 64 MiB; at least 1 MiB */
	/* Span of the peer's numbers that is remembered: answers until the
	 * peer has seen them, and frames owed; 16 bytes each.  0 = 2^20; at
	 * least twice window_frames and 2048 more. */
	size_t memory_frames;
	uint64_t ping_ms; /* 0 = 5000 */
	uint64_t dead_ms; /* 0 = 15000 */
};

int channel_new(struct channel **out, const struct channel_opts *opts);
/* No event fires; unanswered frames are dropped, and their cookies are the
 * owner's to account for (channel_each_unanswered). */
void channel_free(struct channel *ch);

/* A connection is up and authenticated.  The dialling side sends hello. */
void channel_attach(struct channel *ch);
/* Accepting side: the owner has read the first frame of a connection, found
 * this channel by its node, and hands the frame in.  An attach in force is
 * replaced (the owner closes the older connection).  ERR_PROTOCOL with *why
 * set when the hello is not acceptable. */
int channel_attach_hello(
    struct channel *ch, const struct frame *hello, const char **why);
/* The connection is gone. */
void channel_detach(struct channel *ch);
/* Bytes from the connection, cut anywhere. */
void channel_input(struct channel *ch, const uint8_t *data, size_t len);

/* The connection's write queue is above (below) its mark.  While blocked,
 * stanza frames wait in the journal; results and control frames still go. */
void channel_block(struct channel *ch, bool blocked);
/* A whole refuse frame, for a connection that finds no channel or whose hello
 * is not acceptable. */
int channel_refuse(struct buf *out, const char *why);

bool channel_is_up(const struct channel *ch);
/* As channel_block() said last. */
bool channel_is_blocked(const struct channel *ch);
/* What both sides speak; 0 before the first greeting. */
unsigned channel_version(const struct channel *ch);
/* Facts about the peer; "" before the first hello or welcome. */
const char *channel_peer_node(const struct channel *ch);
const char *channel_peer_boot(const struct channel *ch);
const char *channel_peer_store(const struct channel *ch);
uint64_t channel_peer_epoch(const struct channel *ch);

/* frame: one encoded stanza frame without FIELD_SEQ.  Copied.  Waits for
 * credit and connection inside the bounds of the journal.
 * ERR_FULL, ERR_NOMEM, ERR_MALFORMED. */
int channel_send(
    struct channel *ch, const struct buf *frame, void *cookie, uint64_t *seq);
/* One encoded control frame of those on_control names; ERR_CLOSED when the
 * channel is not up, ERR_UNSUPPORTED when the peer is too old for it,
 * ERR_MALFORMED, ERR_NOMEM. */
int channel_send_control(struct channel *ch, const struct buf *frame);
/* The owner has given up on a frame (its deadline passed): on_result will not
 * fire and it is not replayed.  True when it may have reached the peer.  False
 * also when the frame is answered already. */
bool channel_withdraw(struct channel *ch, uint64_t seq);
/* The one answer to a stanza frame.  An unknown or answered seq is a mistake
 * of the caller (assert). */
void channel_answer(
    struct channel *ch, uint64_t seq, const struct channel_result *r);

size_t channel_unanswered(const struct channel *ch);
/* fn may withdraw the frame it is given. */
typedef void channel_each_fn(uint64_t seq, void *cookie, void *arg);
void
channel_each_unanswered(struct channel *ch, channel_each_fn *fn, void *arg);
/* The oldest of them; false when there is none. */
bool channel_oldest_unanswered(
    const struct channel *ch, uint64_t *seq, void **cookie);
/* Stanza frames of the peer that we have not answered yet. */
size_t channel_owed(const struct channel *ch);

/* Since the channel was made. */
const struct channel_delays *channel_delays(const struct channel *ch);

#endif
