/*
 * dialback_in - server dialback on one inbound stream (XEP-0220): the receiving
 * server, which lets a pair in when the sender's domain vouches for the key,
 * and the authoritative server, which says whether a key is ours.
 *
 * What a peer does wrong here costs him a pair, never the stream, but for
 * three cases: no address, the only pair refused, too many refusals.  An
 * answer that nobody asked for (an element with a type) changes nothing.
 *
 * Owns     the requests under way, at most DIALBACK_IN_PENDING_MAX.
 * Borrows  hosting, pairs, the log's context, the event table.
 * Ends     dialback_in_finish(); questions still under way are withdrawn.
 */
#ifndef EDGE_DIALBACK_IN_H
#define EDGE_DIALBACK_IN_H

#include <stdbool.h>
#include <stddef.h>

#include "common/list.h"
#include "common/log.h"
#include "edge-proxy/dialback_ask.h"
#include "edge-proxy/stream_error.h"

struct buf;
struct hosting;
struct pair_set;
struct xml_elem;

enum { DIALBACK_IN_PENDING_MAX = 16, DIALBACK_IN_FAILURES_MAX = 10 };

struct dialback_in_events {
	/* The certificate shown on this stream proves the domain, as it
	 * would for EXTERNAL. */
	bool (*proves)(const char *domain, void *arg);
	/* Writes an element and finishes the buffer. */
	void (*on_send)(struct buf *out, void *arg);
	/* The pair is proven, by that AUTH_ method.  False: there is no room
	 * for it. */
	bool (*on_valid)(
	    const char *local, const char *remote, unsigned method, void *arg);
	/* The stream is to end; the last event. */
	void (*on_close)(enum stream_error e, const char *why, void *arg);
};

struct dialback_in_opts {
	const struct hosting *hosting;
	const struct pair_set *pairs; /* what the stream may carry already */
	dialback_asker *ask;
	void *ask_arg;
	const char *peer_ip;                     /* for the log; or NULL */
	const struct dialback_in_events *events; /* static */
	void *arg;
};

struct dialback_in {
	struct dialback_in_opts opts;
	struct log log; /* the owner gives it its object */
	struct list pending;
	size_t pending_count;
	unsigned failures;
	unsigned unasked;          /* answers; the first is news */
	unsigned answered;         /* questions that we answered */
	char id[DIALBACK_ID_SIZE]; /* of the stream's life going on */
	bool secured;
};

void
dialback_in_init(struct dialback_in *d, const struct dialback_in_opts *opts);
void dialback_in_finish(struct dialback_in *d);
/* A stream begins, or begins anew, under that id: what was asked on the one
 * before is void. */
void
dialback_in_begin(struct dialback_in *d, const char *stream_id, bool secured);
/* An element of the dialback namespace. */
void dialback_in_take(struct dialback_in *d, const struct xml_elem *e);

#endif
