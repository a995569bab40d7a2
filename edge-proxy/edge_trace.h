/*
 * edge_trace - tells gateways of the traffic they have asked to see
 * (proto/CHANNEL.md: trace, traced).
 *
 * Each gateway has its own ask, which ends when it says so, when its time is
 * up, or when the gateway is forgotten; it hears of the pairs of its own hosted
 * domains alone.  Stanzas are shown without what people wrote, unless the
 * gateway asked for bodies and our own log may have them.
 *
 * Nothing waits for it: what a gateway cannot be told now is counted, and the
 * number is told with the next.  While nobody asks, it costs a look at a list.
 *
 * Owns     what was asked, its timers.
 * Borrows  clock, hosting.
 * Errors   a stanza that could not be told counts as missed; the caller has
 *          nothing to do with it.
 */
#ifndef EDGE_EDGE_TRACE_H
#define EDGE_EDGE_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "edge-proxy/stream_info.h"

struct buf;
struct clock;
struct edge_trace;
struct frame;
struct hosting;
struct jid;
struct xml_elem;

enum { EDGE_TRACE_TEXT_MAX = 16384 }; /* bytes of one stanza */

struct edge_trace_opts {
	struct clock *clock;
	const struct hosting *hosting;
	/* Sends one control frame to the node.  Negative: not now.  Must not
	 * lead to edge_trace_forget(). */
	int (*send)(const char *node, const struct buf *frame, void *arg);
	void *arg;
};

int edge_trace_new(struct edge_trace **out, const struct edge_trace_opts *opts);
void edge_trace_free(struct edge_trace *t);

/* A trace frame of a node.  One that cannot be taken changes nothing. */
void
edge_trace_ask(struct edge_trace *t, const char *node, const struct frame *f);
/* The gateway is gone, or is not what asked: why, for the log. */
void edge_trace_forget(struct edge_trace *t, const char *node, const char *why);

/* A stanza came on a stream, as yet untouched. */
void edge_trace_inward(struct edge_trace *t, const char *stream,
    const struct xml_elem *e, const struct jid *from, const struct jid *to);
/* Stanzas of the pair (comparable forms) were written to a stream, in the
 * namespace jabber:server. */
void edge_trace_outward(struct edge_trace *t, const char *stream,
    const char *local, const char *remote, const void *xml, size_t len);
void edge_trace_stream(
    struct edge_trace *t, enum stream_event ev, const struct stream_info *info);

#endif
