/*
 * route - the way out for one pair (hosted domain, partner domain); the rows of
 * the table in routes.h, and of no use without it.
 *
 * Owns     the pair's queue, its place on a carrier, its timers.
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
#include "edge-proxy/carrier.h"
#include "edge-proxy/route_failure.h"
#include "edge-proxy/route_shared.h"
#include "edge-proxy/routes.h"

enum route_state {
	ROUTE_IDLE,
	ROUTE_CONNECTING, /* or asking to be let in on a stream that is up */
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
	struct rider rider;
	struct list queue;
	size_t queue_frames, queue_bytes;
	struct barrier_stream barrier;
	struct clock_timer backoff;
	/* Why nothing more is written to the stream: what was has to be proven,
	 * then the pair goes on elsewhere.  NULL: it stays. */
	const char *moving;
	struct clock_timer move;
	unsigned failures; /* in a row */
	/* When the partner last authenticated on a stream of his own, and when
	 * our stream came up; 0 for never. */
	uint64_t heard_ms, up_ms;
	uint64_t spared_until_ms; /* no back-off is cut short before */
	struct route_failure last_failure;
};

/* NULL without memory. */
struct route *
route_new(struct route_shared *shared, const char *local, const char *remote);
void route_free(struct route *t);

/* Queues a stanza, or writes it at once; may settle it (full, in back-off).
 * The cookie is not in use.  ERR_NOMEM: not taken. */
int route_take(struct route *t, const struct route_stanza *s);
/* Whether a stream is there to send a ping on, ours or the partner's. */
bool route_can_probe(const struct route *t);
/* Fails the queue and leaves the stream or the attempt. */
void
route_shut(struct route *t, const struct route_failure *f, const char *reason);
/* The partner has authenticated on a stream of his own, so his server is there:
 * ends a back-off, once in the time of the one that it ends. */
void route_heard(struct route *t);
/* The configuration changed, and still permits the pair: if not on this stream,
 * what waits goes with another one; and what kept the pair off may be mended. */
void route_recheck(struct route *t);

/* Settles a stanza that no route has taken. */
void route_bounce(
    struct route_shared *r, void *cookie, enum condition c, const char *reason);
/* Forgets a stanza; false when the cookie is unknown. */
bool route_withdraw(struct route_shared *r, void *cookie);

#endif
