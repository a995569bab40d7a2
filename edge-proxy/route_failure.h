/*
 * route_failure - what the sender of a stanza is told when the way out failed
 * (RFC 6120 10.4.3, 8.3.3).  Pure.
 */
#ifndef EDGE_ROUTE_FAILURE_H
#define EDGE_ROUTE_FAILURE_H

#include <stdbool.h>

#include "edge-proxy/resolver_client.h"
#include "edge-proxy/s2s_out.h"
#include "proto/condition.h"

struct route_failure {
	enum condition condition;
	const char *type; /* error type; static, NULL = the condition's own */
	bool unreached;   /* nobody was there to talk to */
	char reason[200]; /* for an admin, and the text of the error */
};

void route_failure_set(struct route_failure *f, enum condition c,
    const char *type, const char *reason);
/* Resolution that brought no address: every kind of failure counts as "not
 * found". */
void route_failure_of_dns(
    struct route_failure *f, enum dns_status status, const char *what);
/* A stream that ended, before it came up or later. */
void route_failure_of_end(
    struct route_failure *f, const struct s2s_out_end *end, const char *reason);
/* After a stream that was up ended so: may the next stanza try again at once,
 * or is the pair to be left alone for a while? */
bool route_failure_retry_at_once(const struct s2s_out_end *end);

#endif
