/*
 * edge_streams - the partner streams one edge has reported (pure).
 *
 * Bounds   EDGES_STREAMS_MAX streams, EDGES_PAIRS_MAX pairs each.
 */
#ifndef GATEWAY_EDGE_STREAMS_H
#define GATEWAY_EDGE_STREAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "frontend-gateway/edges.h"

struct edge_streams;

enum edge_streams_event {
	EDGE_STREAMS_UP,     /* a stream not known before */
	EDGE_STREAMS_UPDATE, /* known, with news */
	EDGE_STREAMS_DOWN,
	EDGE_STREAMS_FAILED /* an attempt to reach a partner */
};

/* What a report said; pointers live until the next call. */
struct edge_streams_report {
	enum edge_streams_event event;
	const char *id, *peer, *auth, *tls, *proofs, *reason, *condition;
	const char *local, *remote; /* first pair */
	bool inbound;
	/* NULL for FAILED, and for DOWN of a stream that was not known. */
	const struct edges_stream *stream;
};

int edge_streams_new(struct edge_streams **out);
void edge_streams_free(struct edge_streams *s);

/* Takes the JSON of a stream frame.  ERR_MALFORMED, ERR_FULL, ERR_NOMEM. */
int edge_streams_report(struct edge_streams *s, struct edge_streams_report *out,
    const char *json, size_t len, uint64_t now_ms);
/* A channel to the same boot is up: what lives is reported anew. */
void edge_streams_resume(struct edge_streams *s, uint64_t now_ms);
/* The edge has restarted. */
void edge_streams_forget(struct edge_streams *s);

/* Also a stream that ended not long ago. */
const struct edges_stream *
edge_streams_find(const struct edge_streams *s, const char *id, size_t len);
bool edge_streams_live(const struct edge_streams *s, const char *id);
/* Some live stream is for these two domains. */
bool edge_streams_reach(
    const struct edge_streams *s, const char *local, const char *remote);
size_t edge_streams_count_live(const struct edge_streams *s);
/* Of these, those that partners have opened. */
size_t edge_streams_count_inbound(const struct edge_streams *s);
/* Appends an object for each live stream, with the edge's name. */
void edge_streams_list(
    struct edge_streams *s, json_t *array, const char *edge, uint64_t now_ms);

#endif
