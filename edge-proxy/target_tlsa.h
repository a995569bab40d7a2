/*
 * target_tlsa - the TLSA records of the servers that a connector tries, one
 * after the other (RFC 7673 3).
 *
 * They are asked for once the service that named the server and an address of
 * it are known to be signed, and not at all where one of its addresses is not.
 * While they are asked for, no address of the server may be used.
 *
 * Owns     the look-up in progress, and the records found.
 * Borrows  the resolver, the log.
 */
#ifndef EDGE_TARGET_TLSA_H
#define EDGE_TARGET_TLSA_H

#include <stdbool.h>
#include <stddef.h>

#include "edge-proxy/dane.h"
#include "edge-proxy/srv_set.h"
#include "edge-proxy/tlsa.h"

struct log;
struct resolver_client;
struct resolver_query;

struct target_tlsa_opts {
	struct resolver_client *resolver;
	const struct log *log;
	bool enabled; /* else nothing is asked for or known */
	/* Not from within target_tlsa_address(). */
	void (*on_known)(enum tlsa_verdict verdict, void *arg);
	void *arg;
};

enum target_tlsa_state {
	TARGET_UNSIGNED, /* nothing more to know */
	TARGET_SIGNED,   /* the service is; of addresses nothing is known */
	TARGET_ASKED,    /* on_known will tell */
	TARGET_KNOWN,    /* there may be records */
	TARGET_REFUSED   /* it must not be used */
};

/* Zeroed: nothing is known, and finishing is harmless. */
struct target_tlsa {
	struct target_tlsa_opts opts;
	enum target_tlsa_state state; /* of the current server */
	const struct dns_srv *server;
	size_t index;
	struct resolver_query *query;
	struct tlsa_set *sets[SRV_SET_MAX]; /* by index; NULL: none */
};

void
target_tlsa_init(struct target_tlsa *t, const struct target_tlsa_opts *opts);
void target_tlsa_finish(struct target_tlsa *t);
/* on_known will not fire; what was asked for stays unknown. */
void target_tlsa_cancel(struct target_tlsa *t);

/* The next server, and its place in the order; borrowed until the next one. */
void target_tlsa_begin(
    struct target_tlsa *t, const struct dns_srv *server, size_t index);
/* An answer with addresses of it.  If nothing can be asked it is refused at
 * once, and on_known stays silent. */
void target_tlsa_address(struct target_tlsa *t, bool secure);
/* What is known of the server in that place, with the host's name. */
struct dane_server target_tlsa_of(
    const struct target_tlsa *t, const struct dns_srv *server, size_t index);

#endif
