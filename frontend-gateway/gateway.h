/*
 * gateway - the one context of the program: loop, clock, store, edges, SIP,
 * conversations, and the wires between them.
 *
 * Ends     gateway_stop(): messages of Lync users under way get a few seconds
 *          for their proof, then are answered with an error; dialogs end by
 *          BYE; messages of XMPP users stay with the edges for the next
 *          start.  on_stopped fires once and the gateway is freed when it
 *          returns.  A second gateway_stop() skips the waiting.
 */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include <stddef.h>
#include <jansson.h>
#include <uv.h>

struct gateway;
struct gateway_conf;
struct tls_identity;
struct turns;

typedef void gateway_stopped_fn(struct gateway *g, void *arg);

struct gateway_opts {
	uv_loop_t *loop;
	const struct turns *turns; /* of the loop; borrowed */
	const char *path; /* of the configuration, for reloads; borrowed */
	/* Borrowed; a reload exchanges their content. */
	struct gateway_conf *conf;
	struct tls_identity *channel_tls, *sip_tls;
	gateway_stopped_fn *on_stopped;
	void *arg;
};

/* Opens the store, starts listening and dialling.  On error why (size bytes)
 * has a line for an admin; the loop must still be run until it is empty. */
int gateway_open(struct gateway **out, const struct gateway_opts *opts,
    char *why, size_t size);
void gateway_stop(struct gateway *g);
/* gateway_stop() for longer: the edges are told not to wait for us, so that
 * partners turn elsewhere at once. */
void gateway_drain(struct gateway *g);
/* Reads configuration and certificates again.  Nothing open is dropped; a
 * mistake leaves everything as it was, with why for an admin.  *restart (may
 * be NULL) gets an array, the caller's, of the members that have changed but
 * need a restart.  All of it is logged here. */
int gateway_reload(struct gateway *g, json_t **restart, char *why, size_t size);

#endif
