/*
 * inner_listener - where the gateways dial in: TLS 1.3, both certificates
 * checked, hello first (proto/CHANNEL.md).
 *
 * A connection is taken for a gateway when its certificate chains to the
 * internal authority, a DNS name of it is in the list of gateways, and its
 * first frame is a hello whose node is that name.  Each gateway of the list
 * has one channel that stays while connections come and go; a newer connection
 * takes the place of an older one.  Everything else is closed within seconds,
 * with one line in the log.
 *
 * Owns     listeners, connections, the channels of all listed gateways.
 * Borrows  loop, clock, the event table; a reference to the TLS context.
 * Ends     inner_listener_close() drops the channels without events;
 *          on_closed fires once when the last connection is gone, and the
 *          memory goes after it.
 * Errors   0 or a negative code.
 */
#ifndef EDGE_INNER_LISTENER_H
#define EDGE_INNER_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include <openssl/ssl.h>

#include "proto/channel.h"

struct clock;
struct gateway; /* one node of the list */
struct inner_listener;

struct inner_events {
	/* The gateway's channel is up; resumed as in proto/channel.h.  Also
	 * when a connection replaces another. */
	void (*on_up)(struct gateway *g, bool resumed, void *arg);
	/* Its connection is gone. */
	void (*on_down)(struct gateway *g, void *arg);
	void (*on_stanza)(
	    struct gateway *g, uint64_t seq, const struct frame *f, void *arg);
	void (*on_result)(struct gateway *g, uint64_t seq, void *cookie,
	    const struct channel_result *r, void *arg);
	void (*on_control)(struct gateway *g, const struct frame *f, void *arg);
	/* The node is on the list no longer; g and its channel are gone when
	 * this returns. */
	void (*on_removed)(struct gateway *g, void *arg);
};

struct inner_listener_opts {
	uv_loop_t *loop;
	struct clock *clock;
	const char *node; /* ours; copied */
	const char *boot; /* ours; copied */
	SSL_CTX *tls;     /* server context that demands certificates */
	const struct sockaddr_storage *listen;
	size_t listen_count;
	const char (*gateways)[256]; /* comparable domains; copied */
	size_t gateway_count;
	const struct inner_events *events; /* borrowed, static */
	void (*on_closed)(void *arg);
	void *arg;
};

/* On failure why says which address it was about. */
int inner_listener_open(struct inner_listener **out,
    const struct inner_listener_opts *opts, char *why, size_t size);
/* Another list of gateways and certificate, for connections to come.  Nodes
 * that are listed no longer lose their connection and their channel. */
int inner_listener_reload(struct inner_listener *l, SSL_CTX *tls,
    const char (*gateways)[256], size_t gateway_count);
void inner_listener_close(struct inner_listener *l);

/* NULL when the node is not on the list. */
struct gateway *
inner_listener_find(const struct inner_listener *l, const char *node);
typedef void inner_listener_each_fn(struct gateway *g, void *arg);
void inner_listener_each(
    struct inner_listener *l, inner_listener_each_fn *fn, void *arg);
/* How many channels are up. */
size_t inner_listener_up(const struct inner_listener *l);

const char *gateway_node(const struct gateway *g);
struct channel *gateway_channel(const struct gateway *g);
/* Owner's data, NULL at first. */
void gateway_set_data(struct gateway *g, void *data);
void *gateway_data(const struct gateway *g);

#endif
