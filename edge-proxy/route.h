/*
 * route - the way out for one pair (hosted domain, partner domain); the rows of
 * the table in routes.h, and of no use without it.
 *
 * Owns     the pair's queue, its stream or attempt, its timers.
 * Borrows  the shared part, which outlives it.
 * Ends     route_free(), when neither stream nor attempt is left
 *          (route_shared.live is 0).
 */
#ifndef EDGE_ROUTE_H
#define EDGE_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "common/map.h"
#include "edge-proxy/barrier_stream.h"
#include "edge-proxy/route_failure.h"
#include "edge-proxy/routes.h"

/* What all routes of a table have in common. */
struct route_shared {
	const struct routes_opts *opts;
	struct map by_cookie; /* every stanza that is not settled */
	size_t live;          /* attempts and streams that have not ended */
	struct list verifications; /* of dialback_verify */
	size_t verification_count;
	bool closing;
	struct clock_timer closed; /* started when closing and live is 0 */
};

enum route_state {
	ROUTE_IDLE,
	ROUTE_CONNECTING,
	ROUTE_UP,
	ROUTE_BACKOFF,
	ROUTE_COUNT
};

struct route {
	struct map_node node; /* for the table: by key */
	struct list link;
	char *key; /* "local NUL remote NUL" */
	size_t key_len;
	const char *local, *remote;

	struct route_shared *shared;
	struct log log;
	enum route_state state;
	struct connector *connector; /* while connecting */
	struct s2s_out *stream;      /* while up */
	struct list queue;
	size_t queue_frames, queue_bytes;
	struct barrier_stream barrier;
	size_t unproven;
	struct clock_timer backoff;
	struct clock_timer stall;
	unsigned failures; /* in a row */
	uint64_t up_ms;    /* of the stream */
	uint64_t written;  /* stanzas, on it */
	struct route_failure last_failure;
};

/* NULL without memory. */
struct route *
route_new(struct route_shared *shared, const char *local, const char *remote);
void route_free(struct route *t);

/* Queues a stanza, or writes it at once; may settle it (full, in back-off).
 * The cookie is not in use.  ERR_NOMEM: not taken. */
int route_take(struct route *t, const struct route_stanza *s);
/* Fails the queue and lets stream or attempt go. */
void
route_shut(struct route *t, const struct route_failure *f, const char *reason);

/* One of what counts as live has ended. */
void route_shared_drop(struct route_shared *r);

/* Settles a stanza that no route has taken. */
void route_bounce(
    struct route_shared *r, void *cookie, enum condition c, const char *reason);
/* Forgets a stanza; false when the cookie is unknown. */
bool route_withdraw(struct route_shared *r, void *cookie);

#endif
