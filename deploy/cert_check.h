/*
 * cert_check - whether a certificate does what it is for.
 *
 * external  shown to partners' servers: names each hosted domain (RFC 6120
 *           13.7, RFC 9525)
 * internal  between edge and gateway: names its own host
 * sip       toward the pool: names the gateway as the pool knows it
 */
#ifndef DEPLOY_CERT_CHECK_H
#define DEPLOY_CERT_CHECK_H

#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "deploy/cert_file.h"

struct args_names;
struct report;

struct cert_check {
	enum cert_purpose purpose;
	const struct args_names *names; /* what it must name; may be empty */
	const char *key;                /* NULL = not looked at */
	const char *trust; /* NULL = the system's for external, else none */
	const char *crl;   /* a list of revoked ones (PEM) to obey, or NULL */
	/* How early to warn of the end; CERT_CHECK_BY_LIFETIME: when a third of
	 * its life is left, at most 30 days. */
	uint32_t soon_days;
};
#define CERT_CHECK_BY_LIFETIME UINT32_MAX

/* The caller owns the object that is returned: what the certificate is, as
 * data; an empty one when the file cannot be read. */
json_t *
cert_check_run(struct report *r, const struct cert_check *c, const char *path);

#endif
