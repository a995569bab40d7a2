/*
 * edge_tell - what the gateways are told, and the memory of failures.
 *
 * Errors   a frame that cannot be sent is logged; there is nothing else the
 *          caller could do about it.
 */
#ifndef EDGE_EDGE_TELL_H
#define EDGE_EDGE_TELL_H

#include "edge-proxy/stream_info.h"

struct buf;
struct edge;
struct gateway;

/* A notable event: to our own log and to every gateway. */
void edge_tell_notice(struct edge *e, const char *event, const char *text);
/* Something happened to a stream: every gateway it concerns is told, and a
 * failure is kept for the operator until the pair succeeds. */
void edge_tell_stream(
    struct edge *e, enum stream_event ev, const struct stream_info *info);
/* All streams that are up, to one gateway. */
void edge_tell_live(struct edge *e, struct gateway *g);
/* Our counters, to every gateway. */
void edge_tell_stats(struct edge *e);
/* A frame of edge_trace's, to the node; negative when it cannot be told now.  arg
 * is the edge. */
int edge_tell_traced(const char *node, const struct buf *frame, void *arg);
/* That we are about to go, to every gateway; one that cannot be told sees its
 * channel end. */
void edge_tell_drain(struct edge *e);

#endif
