/*
 * edge_visitors - the table of inbound streams.
 *
 * Owns     every struct visitor: made when a partner connects, gone when his
 *          stream has ended, which edge_proceed() is then told.
 * Errors   a connection that cannot be served is turned away and logged.
 */
#ifndef EDGE_EDGE_VISITORS_H
#define EDGE_EDGE_VISITORS_H

#include <stdbool.h>
#include <uv.h>

#include "edge-proxy/inward.h"

struct edge;

/* Once, when the edge's node and boot are known. */
void edge_visitors_init(struct edge *e);
/* A partner connects (doors_fn). */
void edge_visitors_accept(uv_stream_t *listener, bool direct, void *arg);
/* One that a load balancer has passed on (proxy_gate_fn). */
void edge_visitors_passed_on(
    int fd, const struct sockaddr_storage *peer, bool direct, void *arg);
/* The name of a new stream in either direction, STREAM_ID_SIZE bytes: our node
 * and boot in front, so that it is unique among all edges and starts. */
void edge_visitors_make_id(char *out, void *arg);
/* Whether an inbound stream of that domain is up (routes_opts.is_here). */
bool edge_visitors_are_here(void *arg, const char *remote);
/* For want of memory: ends the newest who has not authenticated; false when
 * there is none. */
bool edge_visitors_end_stranger(struct edge *e);
/* ... and the one in the middle of the largest stanza, of that many bytes at
 * least; answers how many they are. */
size_t edge_visitors_end_largest(struct edge *e, size_t least);
/* s2s_in_rest() for all. */
void edge_visitors_rest(struct edge *e);
/* What inward asks of the edge; its streams are visitors. */
extern const struct inward_ops edge_visitors_ops;

/* Hosting has changed: who is no longer permitted goes. */
void edge_visitors_recheck(struct edge *e);
/* Takes leave of those who came for domains of that gateway alone. */
void edge_visitors_release(struct edge *e, const char *node);
/* Says goodbye to all; the second time without waiting for theirs. */
void edge_visitors_dismiss(struct edge *e);

#endif
