/*
 * carrier - one outbound connection and the pairs that ride on it: from the
 * first look-up to the end of its stream.
 *
 * A rider stands for one pair (hosted domain, partner domain).  It boards a
 * carrier that is up where that may carry the pair too, waits for one that is
 * being connected to the same server, or gets one of its own.  What may share a
 * connection, where the partner does dialback errors (s2s_out_may_join): another
 * domain of ours with the same domain of the partner's; and another domain of
 * the partner's that is found at the same address and port (XEP-0220 2.6).  A
 * pair that is refused there gets a connection of its own, and keeps to that for
 * an hour; the others are not touched.
 *
 * Where the partner himself has connected, and on that stream stanzas may go both
 * ways (XEP-0288), the pairs that it carries board it instead.
 *
 * A partner has as many connections of ours as his row permits, all together as
 * many as the gateways do; a rider that would need one more fails.
 *
 * Proof of delivery is each rider's own: the answer to a ping takes the way of
 * its pair.  What is counted (stanzas, bytes) is the stream's.
 *
 * Owns     connector and stream; it frees itself when they have ended.
 * Borrows  the shared part of the routes, and the riders.
 * Ends     a rider leaves by carrier_leave(), or is told that it is on none any
 *          more by on_failed or on_down.
 */
#ifndef EDGE_CARRIER_H
#define EDGE_CARRIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/list.h"
#include "edge-proxy/barrier_stream.h"
#include "edge-proxy/route_failure.h"
#include "edge-proxy/s2s_out.h"
#include "edge-proxy/stream_info.h"

struct carrier;
struct route_shared;
struct s2s_in;

struct rider_events {
	/* The pair is let in: stanzas may be written. */
	void (*on_aboard)(void *arg);
	/* No stream came to be for it. */
	void (*on_failed)(const struct route_failure *f, void *arg);
	/* There is room again. */
	void (*on_room)(void *arg);
	/* As in s2s_out.h. */
	void (*on_managed)(void *arg);
	void (*on_acknowledged)(uint64_t count, void *arg);
	/* The stream takes no more.  again: another may be tried at once. */
	void (*on_down)(const struct route_failure *f, bool again, void *arg);
};

enum rider_state {
	RIDER_OFF,
	RIDER_BOARDING, /* a stream of the partner's, in this turn of the loop */
	RIDER_STARTING, /* its carrier is being connected for it */
	RIDER_WAITING,  /* ... for another one */
	RIDER_JOINING,  /* the partner has been asked to let it in */
	RIDER_ABOARD
};

/* What of the partner's row decides how he is reached, and whether at all. */
struct rider_terms {
	unsigned methods;
	uint32_t connection_limit;
	size_t connections; /* of all partners together */
	char next_hop[256]; /* "" = whom DNS names */
};

struct rider {
	struct list link; /* in its carrier */
	struct route_shared *shared;
	const char *local, *remote; /* the pair, comparable forms */
	const struct rider_events *events;
	void *arg;

	enum rider_state state;
	struct carrier *carrier;
	struct rider_terms terms; /* when it boarded last */
	struct s2s_out_join join;
	struct sockaddr_storage seen; /* where its domain was found, or 0 */
	bool solo; /* this time it is to have a connection of its own */
	uint64_t solo_until_ms; /* until then, each time */
	size_t unproven;        /* kept by the rider's owner */
};

void rider_init(struct rider *r, struct route_shared *shared, const char *local,
    const char *remote, const struct rider_events *events, void *arg);

/* Looks for a way; one of on_aboard and on_failed will tell, never from within
 * the call.  ERR_CLOSED, ERR_NOMEM, ERR_FULL (a limit): it stays silent. */
int carrier_board(struct rider *r);
/* Off, whatever its state; no event follows.  When it was the last one aboard
 * the stream ends, with that error. */
void carrier_leave(struct rider *r, enum stream_error e, const char *why);
/* The configuration changed; the stream, or the attempt, goes by its times.
 * False when the way in which the pair is carried (or about to be) is permitted
 * no more: it should leave. */
bool carrier_permits(struct rider *r);
/* Looks which connections of ours are more than there may be now, the newest
 * first. */
void carrier_thin_out(struct route_shared *shared);
/* Whether the rider, though it is permitted, is to go on elsewhere: why, or
 * NULL. */
const char *carrier_why_move(const struct rider *r);
/* Whether the partner is to be reached by other means than when it boarded. */
bool carrier_has_new_terms(const struct rider *r);
/* For an hour it shall have connections of its own. */
void carrier_keep_apart(struct rider *r);

/* Whether a stream of the partner's is there that it could go back on. */
bool carrier_may_go_back(const struct rider *r);

/* The rest is for riders that are aboard. */
/* Bytes that the partner takes in one stanza; 0 = he has not said. */
uint32_t carrier_bytes_max(const struct rider *r);
bool carrier_can_write(const struct rider *r);
/* One whole stanza of the pair.  An error means that the stream is ending. */
int carrier_write(struct rider *r, const void *xml, size_t len);
/* A ping of ours, from domain to domain. */
void carrier_ping(struct rider *r, const char *id);
/* Where the stanza written last ends. */
struct barrier_place carrier_place(const struct rider *r);
uint64_t carrier_bytes_acknowledged(const struct rider *r);
void carrier_request_ack(struct rider *r);
/* Something waits for room: the partner has to make some in time. */
void carrier_await_room(struct rider *r);
void carrier_add_proof(struct rider *r, enum proof by);
/* The stream of ours that it is aboard of, or NULL. */
struct s2s_out *carrier_stream(const struct rider *r);

/* A stream of a partner's is up that goes both ways; it is told here when that
 * is over.  ERR_CLOSED, ERR_NOMEM. */
int carrier_open_back(struct route_shared *shared, struct s2s_in *s);
/* Those streams are used no more; nobody may be aboard. */
void carrier_close_back(struct route_shared *shared);
/* Every stream of ours that is up. */
void carrier_each(struct route_shared *shared,
    void (*fn)(const struct stream_info *info, void *arg), void *arg);
/* s2s_out_rest() for every stream. */
void carrier_rest_all(struct route_shared *shared);

#endif
