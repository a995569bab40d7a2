/*
 * cert_plan - which certificates a site needs: for whom, with which names, for
 * what use, with which key, from what kind of authority.
 */
#ifndef DEPLOY_CERT_PLAN_H
#define DEPLOY_CERT_PLAN_H

#include <stdbool.h>
#include <jansson.h>

struct args_names;

struct cert_plan {
	const struct args_names *domains, *edges, *gateways;
	/* The name the pool knows the gateway by; NULL = the gateway's. */
	const char *sip_name;
	bool per_domain; /* else one external certificate per edge */
};

/* An array of objects, the caller's; NULL without memory. */
json_t *cert_plan_make(const struct cert_plan *p);
void cert_plan_print(const json_t *list);

#endif
