/*
 * edge_link - the connection to one edge, kept up for as long as the gateway
 * runs, and the channel on it.
 *
 * The gateway dials.  TLS 1.3, both certificates checked against the
 * internal CA; the edge's must name the edge.  A connection that fails is
 * tried again after a pause that grows from 0.1 to 1 s.
 *
 * Owns     the connection and the channel.
 * Borrows  loop, clock, TLS identity, event table.
 * Ends     edge_link_close(); on_closed fires exactly once, perhaps from
 *          within, and the link is freed when it returns.
 */
#ifndef GATEWAY_EDGE_LINK_H
#define GATEWAY_EDGE_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>
#include <openssl/ssl.h>

struct edge_link;
struct channel;
struct channel_result;
struct clock;
struct frame;

struct edge_link_events {
	/* The channel works.  resumed: the edge is the boot we knew. */
	void (*on_up)(struct edge_link *l, bool resumed, void *arg);
	void (*on_down)(struct edge_link *l, void *arg);
	void (*on_stanza)(struct edge_link *l, uint64_t seq,
	    const struct frame *f, void *arg);
	void (*on_result)(struct edge_link *l, uint64_t seq, void *cookie,
	    const struct channel_result *r, void *arg);
	void (*on_control)(
	    struct edge_link *l, const struct frame *f, void *arg);
	void (*on_closed)(struct edge_link *l, void *arg);
};

struct edge_link_opts {
	uv_loop_t *loop;
	struct clock *clock;
	SSL_CTX *tls;     /* a client context */
	const char *name; /* of the edge; copied */
	struct sockaddr_storage address;
	const char *node, *boot, *store; /* ours; copied */
	uint64_t epoch;
	const struct edge_link_events *events; /* borrowed, static */
	void *arg;
};

/* Starts dialling at once. */
int edge_link_open(struct edge_link **out, const struct edge_link_opts *opts);
void edge_link_close(struct edge_link *l);
/* Frames are sent and answered through it; lives as long as the link. */
struct channel *edge_link_channel(struct edge_link *l);
const char *edge_link_name(const struct edge_link *l);
/* Why the last attempt failed; "" once the channel has worked. */
const char *edge_link_failure(const struct edge_link *l);
/* The edge is at this address from now on.  A connection that is there ends, and
 * the channel goes on with the next one. */
void edge_link_move(struct edge_link *l, const struct sockaddr_storage *to);
bool edge_link_is_at(
    const struct edge_link *l, const struct sockaddr_storage *address);
/* Connections to come use it; the one there is stays. */
void edge_link_set_tls(struct edge_link *l, SSL_CTX *tls);

#endif
