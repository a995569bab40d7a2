/*
 * trace_hub - who watches whose traffic (GET /v1/trace), and what each of them
 * is told.
 *
 * What passes is told to the hub by taps, which are there only while somebody
 * watches: SIP as it is read or about to be written, stanza frames and their
 * results, and what the edges tell of stanzas.  A result goes to those who were
 * told of its frame.
 *
 * Nothing waits for a watcher.  He gets at most TRACE_HUB_PER_SECOND events and
 * TRACE_HUB_BYTES_PER_SECOND; what is more is left out and counted in an
 * event "missed".  One who reads more slowly than that is cut (sse.h).
 *
 * Events   ready, sip, frame, stanza, stream, missed, bodies (what people write
 *          is shown from here on, or is not), and at last end or cut.
 *          "direction" is that of the traffic: inward is towards the pool.
 * Owns     watchers.
 * Borrows  clock, events.
 * Bounds   TRACE_HUB_WATCHERS; an edge follows TRACE_FILTER_WHO_MAX at once.
 * Ends     trace_hub_free(), when the calls have ended.
 */
#ifndef GATEWAY_TRACE_TRACE_HUB_H
#define GATEWAY_TRACE_TRACE_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "frontend-gateway/trace/trace_filter.h"

struct channel_result;
struct clock;
struct frame;
struct http_call;
struct trace_hub;

enum {
	TRACE_HUB_WATCHERS = 8,
	TRACE_HUB_SECONDS = 3600,
	TRACE_HUB_SECONDS_MAX = 86400,
	TRACE_HUB_PER_SECOND = 400,
	TRACE_HUB_AT_ONCE = 800,
	TRACE_HUB_BYTES_PER_SECOND = 512 * 1024,
	TRACE_HUB_BYTES_AT_ONCE = 160 * 1024,
	TRACE_HUB_TEXT_MAX = 16 * 1024,
	TRACE_HUB_RESULTS = 4096, /* frames whose results are waited for */
	TRACE_HUB_TOKEN_SIZE = 16,
	TRACE_HUB_LOOK_MS = 5000,
	TRACE_HUB_BEAT_MS = 500 /* seats are few */
};

struct trace_hub_events {
	/* Somebody else watches, or nobody: who is what the edges are to
	 * follow, an array that is borrowed and empty when there is nobody. */
	void (*on_watched)(const json_t *who, void *arg);
	/* Whether what people wrote may be shown. */
	bool (*bodies)(void *arg);
	/* Whether there is such a token still. */
	bool (*may)(const char *token, void *arg);
};

int trace_hub_new(struct trace_hub **out, struct clock *clock,
    const struct trace_hub_events *events, void *arg);
void trace_hub_free(struct trace_hub *h);

struct trace_hub_wish {
	struct trace_filter *filter; /* its content is taken over with 0 */
	unsigned seconds;
	const char *token; /* the id of the token he came with; "" = none */
	const char *who;   /* for the log */
};
/* Streams to the call from now on.  ERR_FULL: there are TRACE_HUB_WATCHERS;
 * ERR_TOO_LONG: the edges cannot follow so many; ERR_CLOSED, ERR_NOMEM.  The
 * call is still to be answered then. */
int trace_hub_join(struct trace_hub *h, struct http_call *call,
    const struct trace_hub_wish *wish);
/* That token is no more: what was opened with it is cut.  One that expires is
 * noticed within TRACE_HUB_LOOK_MS. */
void trace_hub_drop(struct trace_hub *h, const char *token);
/* Whether people's words may be shown has changed. */
void trace_hub_bodies_changed(struct trace_hub *h);
/* The gateway stops: all are cut, nobody joins any more, and no event comes. */
void trace_hub_stop(struct trace_hub *h, const char *reason);
size_t trace_hub_count(const struct trace_hub *h);

/* --- taps ----------------------------------------------------------------- */

struct trace_hub_sip {
	bool inward;
	const char *peer; /* the front end */
	uint64_t conn;
	const void *head, *body;
	size_t head_len, body_len;
};
void trace_hub_sip(struct trace_hub *h, const struct trace_hub_sip *s);

/* A stanza frame by its place: the edge's number and its name, the sequence
 * number, and which way the stanza goes. */
struct trace_hub_place {
	unsigned edge;
	const char *name;
	bool inward;
	uint64_t seq;
};
void trace_hub_frame(struct trace_hub *h, const struct trace_hub_place *p,
    const struct frame *f);
/* NULL: the sender has given up on it. */
void trace_hub_result(struct trace_hub *h, const struct trace_hub_place *p,
    const struct channel_result *r);
/* The json of a traced frame (proto/CHANNEL.md). */
void
trace_hub_traced(struct trace_hub *h, const char *edge, const json_t *what);

#endif
