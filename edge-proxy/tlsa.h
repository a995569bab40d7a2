/*
 * tlsa - what a TLSA answer says about the server it belongs to: which records
 * are of use, and whether the server may be used at all (RFC 6698 4.1,
 * RFC 7671 5, RFC 7673 3.3 and 3.4).  Pure.
 *
 * A record counts when a certificate could be held against it: a usage from 0
 * to 3, a selector and a matching type that are defined, a digest of its
 * proper length, or a whole certificate or key that can be read.  Others are
 * passed over, and where no record is left it is as if there were none.
 */
#ifndef EDGE_TLSA_H
#define EDGE_TLSA_H

#include <stdbool.h>
#include <stddef.h>

#include "edge-proxy/resolver_client.h"

enum tlsa_usage {
	TLSA_PKIX_TA = 0, /* an authority, trusted by us too */
	TLSA_PKIX_EE = 1, /* this certificate, and its chain trusted by us */
	TLSA_DANE_TA = 2, /* an authority, whoever knows it */
	TLSA_DANE_EE = 3  /* this certificate, whatever it says */
};

/* What counts of the records of one server, a copy. */
struct tlsa_set {
	size_t count; /* not 0 */
	struct dns_tlsa v[DNS_RECORDS_MAX];
};

enum tlsa_verdict {
	TLSA_NONE,    /* nothing is known: as ever */
	TLSA_RECORDS, /* the certificate has to match one */
	TLSA_UNKNOWN, /* not to be found out: do not connect */
	TLSA_BOGUS    /* validation failed: do not connect */
};

bool tlsa_usable(const struct dns_tlsa *r);

/* With TLSA_RECORDS *out is a set of the caller's, else it is untouched.
 * Without memory: TLSA_UNKNOWN. */
enum tlsa_verdict tlsa_judge(struct tlsa_set **out, const struct dns_answer *a);

/* NULL without memory. */
struct tlsa_set *tlsa_set_copy(const struct tlsa_set *set);
void tlsa_set_free(struct tlsa_set *set);

#endif
