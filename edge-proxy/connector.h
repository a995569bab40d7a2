/*
 * connector - from a domain to an open stream: SRV, addresses, attempts side by
 * side (RFC 6120 3.2, RFC 2782, RFC 8305).
 *
 * An address that is out of reach (reach.h) is passed over.
 *
 * A partner row with a next hop is resolved by its addresses alone.  A domain
 * whose SRV answer is "." offers no service; one that has SRV records is never
 * looked for at its own address; only one without them is, at port 5269.  A
 * target that fails to connect, to do TLS, to prove who it is or to accept us
 * gives way to the next.  A target that is silent is not waited for: every
 * 250 ms another address is tried as well, and the first one that is connected
 * goes on alone.
 *
 * Where the service and a target's addresses are signed, the target's TLSA
 * records decide whom it must prove to be (RFC 7673); if they cannot be found
 * out, or their signatures are wrong, the target is passed over.  A row that
 * permits no TLS is left out of it.
 *
 * Owns     the look-ups and the attempts in progress.
 * Borrows  loop, clock, resolver, hosting, identities, the event table.
 * Ends     exactly one event fires, never from within connector_open(); the
 *          connector is gone when it returns.
 */
#ifndef EDGE_CONNECTOR_H
#define EDGE_CONNECTOR_H

#include <stdbool.h>
#include <sys/socket.h>
#include <uv.h>

#include "edge-proxy/route_failure.h"
#include "edge-proxy/stream_info.h"

struct clock;
struct connector;
struct hosting;
struct identities;
struct reach;
struct resolver_client;
struct s2s_out;

struct connector_events {
	/* An address is about to be tried, of a server without TLSA records:
	 * with them a stream that leads there already is not good enough by
	 * that alone.  True: it shall not, and the receiver has cancelled the
	 * connector.  May be NULL. */
	bool (*on_candidate)(const struct sockaddr_storage *addr, void *arg);
	/* The stream is open and the receiver's from now on (it sets its own
	 * events with s2s_out_set_owner). */
	void (*on_stream)(struct s2s_out *s, void *arg);
	/* info: the attempt that got furthest, or what is known without one. */
	void (*on_failed)(const struct route_failure *f,
	    const struct stream_info *info, void *arg);
	/* connector_cancel() has been carried out. */
	void (*on_cancelled)(void *arg);
};

struct connector_opts {
	uv_loop_t *loop;
	struct clock *clock;
	struct resolver_client *resolver;
	const struct hosting *hosting;
	const struct identities *identities;
	const char *local; /* comparable forms; copied */
	const char *remote;
	bool dane; /* DNS that is signed has a part in who is believed */
	bool asks; /* a stream to put questions on (s2s_out.h) */
	const struct sockaddr_storage *outgoing4; /* borrowed, as routes.h */
	const struct sockaddr_storage *outgoing6;
	const struct reach *reach; /* NULL: every address may be tried */
	void (*make_id)(char *out, void *arg); /* with id_arg */
	void *id_arg;
	const struct connector_events *events; /* borrowed, static */
	void *arg;
};

int connector_open(struct connector **out, const struct connector_opts *opts);
void connector_cancel(struct connector *c);
/* The configuration changed: the time that it may take is another one. */
void connector_recheck(struct connector *c);
/* Whether it is in the middle of an attempt there. */
bool
connector_tries(const struct connector *c, const struct sockaddr_storage *addr);

#endif
