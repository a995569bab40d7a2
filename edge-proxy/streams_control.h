/*
 * streams_control - the edge's control socket, served by the streams process.
 *
 * What the process knows it answers by itself; a reload, another log level and
 * the end of the daemon are the keeper's business: it is asked over its link.
 *
 * Owns     the socket, the request that waits for the keeper.
 * Borrows  loop, clock, link.
 * Ends     streams_control_close(); memory goes in a later loop turn.
 */
#ifndef EDGE_STREAMS_CONTROL_H
#define EDGE_STREAMS_CONTROL_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct clock;
struct edge;
struct keeper_link;
struct streams_control;
struct streams_fetcher;

struct streams_control_opts {
	uv_loop_t *loop;
	struct clock *clock;
	struct keeper_link *link;
	struct edge *const *edge; /* where the edge is, NULL while there is
				     none; read at each request */
	/* What it knows of certificates; may be NULL. */
	const struct streams_fetcher *fetcher;
	int fd; /* listening; taken over in any case */
};

int streams_control_open(
    struct streams_control **out, const struct streams_control_opts *opts);
/* May be NULL. */
void streams_control_close(struct streams_control *c);

/* From the keeper: the processes there are, and the answer to a reload. */
void
streams_control_about(struct streams_control *c, const void *json, size_t len);
void
streams_control_answer(struct streams_control *c, const void *json, size_t len);

#endif
