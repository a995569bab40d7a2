/*
 * reach - which addresses a partner's DNS may send us to.
 *
 * A partner says by his records, and anybody by those of a domain he asks us to
 * verify, where the edge connects.  Never to itself: that would be a stream
 * from us to us.  Never to its own internal address, to a network the admin
 * has named (internal.networks), to link-local addresses or to what is no
 * address of a host at all.  A next hop that an admin has configured may lie in
 * a named network.  Pure.
 *
 * An IPv4 address within an IPv6 one (RFC 4291 2.5.5.2, RFC 6052 2.1) counts as
 * itself.
 */
#ifndef EDGE_REACH_H
#define EDGE_REACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/prefix.h"
#include "edge-proxy/edge_conf.h"

/* Everything is within reach but what is within nobody's, when zeroed. */
struct reach {
	struct reach_listener {
		struct prefix at;
		uint16_t port;
	} external[2 * EDGE_CONF_LISTEN_MAX], internal[EDGE_CONF_LISTEN_MAX];
	size_t external_count, internal_count;
	struct prefix outgoing[2]; /* ours too */
	size_t outgoing_count;
	struct prefix networks[EDGE_CONF_NETWORKS_MAX];
	size_t network_count;
};

void reach_init(struct reach *out, const struct edge_conf *conf);

/* NULL, or why not (static).  The port of the address does not count.
 * configured: our own side has named that target. */
const char *reach_refusal(const struct reach *r,
    const struct sockaddr_storage *address, uint16_t port, bool configured);

/* The same for what anybody on the Internet is to reach: an address of a
 * private network (RFC 1918, RFC 6598, RFC 4193, loopback) is out of reach too,
 * but for those in permitted. */
const char *reach_refusal_public(const struct reach *r,
    const struct sockaddr_storage *address, uint16_t port,
    const struct prefix *permitted, size_t permitted_count);

#endif
