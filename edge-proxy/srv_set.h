/*
 * srv_set - what the two SRV services of a domain say together: _xmpps-server,
 * whose targets speak TLS at once, and _xmpp-server (XEP-0368, RFC 6120 3.2).
 * Pure.
 *
 * Priorities and weights of both are of one set.  A service whose one target
 * is "." is not offered; the other one may be.  A service that could not be
 * looked up does not hold up the other, unless its answer was bogus.  Of each
 * target it stays known whether its service's answer was signed.
 */
#ifndef EDGE_SRV_SET_H
#define EDGE_SRV_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "edge-proxy/resolver_client.h"

enum { SRV_SET_MAX = 2 * DNS_RECORDS_MAX };

enum srv_verdict {
	SRV_TARGETS, /* try them */
	SRV_ITSELF,  /* no records: the domain's own address */
	SRV_ABSENT,  /* it says that there is no such service */
	SRV_UNKNOWN, /* not to be found out: no leave to look elsewhere */
	SRV_BOGUS    /* validation failed: do not connect */
};

/* Empty when zeroed. */
struct srv_set {
	struct dns_srv v[SRV_SET_MAX];
	size_t count;
	bool published; /* there were records */
	enum dns_status worst;
};

/* The answer of one service, each once; direct: of _xmpps-server. */
void
srv_set_add(struct srv_set *set, const struct dns_answer *answer, bool direct);
/* When the answers asked for are in. */
enum srv_verdict srv_set_judge(const struct srv_set *set);

#endif
