/*
 * dns_check - what a partner's server sees of a domain: SRV records in the
 * order it tries them, addresses, TLSA records, how DNSSEC vouches for them,
 * and on request who answers there.
 *
 * Findings are in the order in which things fail: the service, its targets,
 * their addresses, the servers, certificates.
 */
#ifndef DEPLOY_DNS_CHECK_H
#define DEPLOY_DNS_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>

struct args_names;
struct ask;
struct cert_file;
struct report;

struct dns_check {
	struct ask *ask;
	bool validating; /* there is a trust anchor */
	/* The targets it must have, and no others; empty = any. */
	const struct args_names *edges;
	/* With those of its issuers, for TLSA; NULL = the one met, if any. */
	const struct cert_file *certificate;
	const char *owner; /* of certificate, a target; NULL = each of them */
	bool connect;
	const char *from;  /* the domain to connect as; NULL = none */
	const char *trust; /* PEM; NULL = the system's */
};

/* The caller owns the object that is returned: what was found, as data. */
json_t *
dns_check_run(struct report *r, const struct dns_check *c, const char *domain);

#endif
