/*
 * edge - the one context of the streams process: who is connected on either
 * side, and what passes between them.
 *
 * Owns     both kinds of listeners, the inbound streams, the routes, hosting,
 *          what is under way, its timers.
 * Borrows  loop, clock, identities, the resolver's line.
 * Ends     edge_stop() ends in order: no new connections, gateways told, what
 *          is under way given a moment, streams and routes said goodbye to,
 *          channels last.  on_stopped then fires once and the memory is gone
 *          when it returns.
 * Errors   0 or a negative code.
 */
#ifndef EDGE_EDGE_H
#define EDGE_EDGE_H

#include <stddef.h>
#include <jansson.h>
#include <uv.h>

#include <openssl/ssl.h>

struct clock;
struct edge;
struct edge_conf;
struct identities;
struct resolver_client;
struct turns;

struct edge_opts {
	uv_loop_t *loop;
	const struct turns *turns; /* of the loop; borrowed */
	struct clock *clock;
	struct resolver_client *resolver;
	const struct identities *identities;
	const struct edge_conf *conf; /* read during the call only */
	SSL_CTX *inner;               /* a reference is taken */
	void (*on_stopped)(void *arg);
	void *arg;
};

/* Listens for gateways; partners are let in once a gateway with a
 * configuration is there.  On failure why says what to do about it. */
int edge_open(
    struct edge **out, const struct edge_opts *opts, char *why, size_t size);
/* New gateways, certificates, addresses to listen on for partners, and grace
 * time.  The node's name, the inner addresses and the source addresses stay
 * until a restart. */
int edge_reload(struct edge *e, const struct edge_conf *conf, SSL_CTX *inner);
/* For an operator: objects that are the caller's, or NULL without memory. */
json_t *edge_status(struct edge *e);
json_t *edge_status_streams(struct edge *e);
/* Repeats are ignored. */
void edge_stop(struct edge *e);

#endif
