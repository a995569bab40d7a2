/*
 * dane_lookup - the servers of a domain, as far as they are signed, and their
 * TLSA records: to hold against the certificate of somebody who dials us and
 * says that he is that domain.
 *
 * RFC 7673 is about servers that are found, and no standard says as much of
 * those who dial; that a domain's servers dial with the certificates they
 * answer with is custom.  So this is done only where the operator wants it.
 *
 * What is found only ever adds to what is known of the certificate, so a server
 * whose records cannot be had is passed over.  There are at most
 * DANE_LOOKUP_SERVERS questions about records and DANE_LOOKUP_MS for all.
 *
 * Owns     its look-ups, what they find, its timer.
 * Borrows  clock, resolver.
 * Ends     on_done fires once, never from within dane_lookup_open(); the memory
 *          is gone when it returns, or at dane_lookup_cancel().
 */
#ifndef EDGE_DANE_LOOKUP_H
#define EDGE_DANE_LOOKUP_H

#include <stddef.h>

#include "edge-proxy/dane.h"

struct clock;
struct dane_lookup;
struct resolver_client;

enum { DANE_LOOKUP_SERVERS = 8, DANE_LOOKUP_MS = 5000 };

struct dane_lookup_opts {
	struct clock *clock;
	struct resolver_client *resolver;
	const char *domain; /* comparable form; copied */
	/* Each of the servers has records.  They are valid during the call. */
	void (*on_done)(
	    const struct dane_server *servers, size_t count, void *arg);
	void *arg;
};

/* ERR_NOMEM, or the resolver's: nothing is under way then. */
int
dane_lookup_open(struct dane_lookup **out, const struct dane_lookup_opts *opts);
/* NULL is fine. */
void dane_lookup_cancel(struct dane_lookup *l);

#endif
