/*
 * edges - all edges of the gateway: their links, what each was told, the
 * streams each has reported, and which of them serves a pair.
 *
 * On a new channel the edge gets the configuration and is used for outward
 * traffic once it has confirmed it.  Its reports of streams are kept in a
 * bounded table, ended streams for EDGES_ENDED_MS more, since reports overtake
 * stanzas.  When the edge comes back as another boot they are forgotten.
 *
 * The table follows the configuration (edges_reload).  Edges are known by
 * numbers, which mean the same edge for as long as anything is under way there.
 *
 * All traffic of one pair goes through one edge while that edge's channel
 * lives: the choice is a rendezvous hash over the live edges, which the
 * caller hands back to stay with it.
 *
 * Owns     links, stream tables.
 * Borrows  loop, clock, configuration, generation, TLS identity, events.
 * Ends     edges_close(); on_closed fires once, and all is freed when it
 *          returns.
 */
#ifndef GATEWAY_EDGES_H
#define GATEWAY_EDGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include <uv.h>
#include <openssl/ssl.h>

#include "frontend-gateway/guard.h"

struct buf;
struct channel_result;
struct clock;
struct edges;
struct frame;
struct gateway_conf;
struct generation;

enum {
	EDGES_NONE = 255,         /* no edge */
	EDGES_STREAMS_MAX = 4096, /* of one edge, ended ones included */
	EDGES_PAIRS_MAX = 256,    /* of one stream */
	EDGES_ENDED_MS = 120000,
	EDGES_LOST_MS = 3000,
	EDGES_PROOFS = 256 /* of an edge, kept for its return */
};

/* Who learns what became of a frame: a member of what he keeps of it. */
struct edges_sender {
	/* Once, unless the frame is withdrawn first. */
	void (*on_result)(
	    struct edges_sender *s, const struct channel_result *r);
};

/* What a stanza frame from an edge is answered with. */
struct edges_ticket {
	unsigned edge;
	uint64_t seq;
};

/* A stream as an edge reported it. */
struct edges_stream {
	const char *id;
	struct guard_stream guard;
	size_t fresh; /* of its pairs: from here on new with the last report */
	const char *auth; /* "external" ... */
	const char *peer; /* "192.0.2.1:5269" */
};

struct edges_events {
	/* Must be answered exactly once with edges_answer(), now or later.
	 * stream is NULL when the frame names none the edge has reported. */
	void (*on_stanza)(struct edges *e, struct edges_ticket ticket,
	    const struct frame *f, const struct edges_stream *stream,
	    void *arg);
	/* A stream came up, or carries more pairs; not said again when a
	 * channel is resumed. */
	void (*on_stream)(struct edges *e, unsigned edge,
	    const struct edges_stream *s, void *arg);
	/* A stream ended, or an attempt to reach a partner brought none
	 * (failed).  Domains in comparable form.  May be NULL. */
	void (*on_partner)(struct edges *e, unsigned edge, const char *local,
	    const char *remote, bool failed, void *arg);
	/* The channel to an edge is up, or is not any more.  May be NULL. */
	void (*on_link)(struct edges *e, unsigned edge, bool up, void *arg);
	/* An edge has confirmed what it was told, or refused it.  May be
	 * NULL. */
	void (*on_answer)(struct edges *e, unsigned edge, void *arg);
	/* Every edge has confirmed the generation in force. */
	void (*on_confirmed)(struct edges *e, void *arg);
	/* The edge is there as a boot it was not before.  What the former
	 * one has not answered follows by itself, barriers and all; the
	 * answer to such a barrier may have been used up already, so whoever
	 * waits for one sends his stanza anew. */
	void (*on_renewed)(struct edges *e, unsigned edge, void *arg);
	/* What an edge tells of the traffic it was asked for (edges_trace): the
	 * json of a traced frame, held to its form and bounds and no further,
	 * for whoever holds the edge may have made it up.  missed counts what
	 * was dropped here too.  May be NULL. */
	void (*on_traced)(
	    struct edges *e, unsigned edge, const json_t *what, void *arg);
	/* The edge has been away for EDGES_LOST_MS. */
	void (*on_lost)(struct edges *e, unsigned edge, void *arg);
	/* The edge has been taken out of the configuration and is let go: what
	 * it still has can go through another.  The rest fails behind it. */
	void (*on_removed)(struct edges *e, unsigned edge, void *arg);
	void (*on_closed)(struct edges *e, void *arg);
};

/* Stanza frames and their results as they pass, for whoever looks on.  inward:
 * the stanza comes from a partner; its result goes the other way. */
struct edges_tap {
	void (*on_frame)(struct edges *e, unsigned edge, bool inward,
	    uint64_t seq, const struct frame *f, void *arg);
	/* r NULL: the sender has given up on it. */
	void (*on_result)(struct edges *e, unsigned edge, bool inward,
	    uint64_t seq, const struct channel_result *r, void *arg);
	void *arg;
};

struct edges_opts {
	uv_loop_t *loop;
	struct clock *clock;
	SSL_CTX *tls;
	const struct gateway_conf *conf;
	const struct generation *generation;
	const char *boot, *store; /* copied */
	uint64_t epoch;
	const struct edges_events *events; /* borrowed, static */
	void *arg;
};

int edges_open(struct edges **out, const struct edges_opts *opts);
void edges_close(struct edges *e);

/* The configuration may name other edges, or other addresses: those that are
 * new are dialled, those that are gone are drained and let go. */
void edges_reload(struct edges *e);

/* The generation or the configuration behind it has changed: every edge is
 * told. */
void edges_announce(struct edges *e);
/* Connections to come use it. */
void edges_set_tls(struct edges *e, SSL_CTX *tls);
/* The gateway will be away: the edges need not wait for it. */
void edges_drain(struct edges *e);

size_t edges_count(const struct edges *e);
size_t edges_count_up(const struct edges *e);
const char *edges_name(const struct edges *e, unsigned edge);
/* Up, confirmed, not draining, and obeying us for that hosted domain. */
bool edges_serves(const struct edges *e, unsigned edge, const char *local);
/* The edge for a pair; local is the hosted domain.  preferred (or EDGES_NONE)
 * is kept while it is live.  When none is live, the one that would be the
 * pair's: its channel holds frames until it is up. */
unsigned edges_choose(const struct edges *e, const char *local,
    const char *user, const char *contact, unsigned preferred);

/* frame: one encoded stanza frame.  sender outlives it; NULL: nobody wants the
 * result.  ERR_FULL, ERR_NOMEM, ERR_MALFORMED; ERR_CLOSED when the edge has been
 * let go. */
int edges_send(struct edges *e, unsigned edge, const struct buf *frame,
    struct edges_sender *sender, uint64_t *seq);
/* The sender will hear nothing. */
void edges_withdraw(struct edges *e, unsigned edge, uint64_t seq);
void edges_answer(struct edges *e, struct edges_ticket ticket,
    const struct channel_result *r);
/* A barrier that had been given to that edge is proven. */
void edges_prove(struct edges *e, unsigned edge, const char *barrier);
/* tap is borrowed; NULL: nobody looks on. */
void edges_set_tap(struct edges *e, const struct edges_tap *tap);
/* Every edge, those that attach later included, shall tell of that traffic from
 * now on, in place of what was asked before: {"bodies", "who"} as in a trace
 * frame; how long and its repetition are seen to here.  NULL or nobody in who:
 * none any more.  0, ERR_MALFORMED, ERR_NOMEM: as before. */
int edges_trace(struct edges *e, const json_t *what);
/* {"counter", "confirmed": [names], "waiting": [names]} of that generation, the
 * caller's; an edge that refused it has its reason in "refused": {name: reason}.
 * *open: how many that are there have not answered yet.  NULL without
 * memory. */
json_t *
edges_confirmations(const struct edges *e, uint64_t counter, size_t *open);
/* For an operator: arrays that are the caller's, or NULL without memory. */
json_t *edges_status(const struct edges *e);
json_t *edges_list_streams(const struct edges *e);
json_t *edges_failures(const struct edges *e);
/* Some stream, either direction, lives between the two domains. */
bool edges_reach(const struct edges *e, const char *local, const char *remote);
/* No edge knows the stream as one that lives. */
bool edges_stream_broken(const struct edges *e, const char *id);

#endif
