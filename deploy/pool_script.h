/*
 * pool_script - the PowerShell that makes a pool of Lync Server 2013, Skype
 * for Business Server 2015, 2019 or Subscription Edition accept SIP from the
 * gateway and route partners' domains to it; and the one that takes it back.
 *
 * What the pool knows afterwards: a trusted application pool (the gateway's
 * name), its computers (the nodes), one application with the port, and one
 * static route for each domain.  Both scripts may be run again: what is there
 * is left, what is gone is not missed, and a route of somebody else stops the
 * script.
 */
#ifndef DEPLOY_POOL_SCRIPT_H
#define DEPLOY_POOL_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct args_names;
struct buf;

struct pool_script {
	const char *gateway;            /* the trusted application pool */
	const struct args_names *nodes; /* its computers, at least one */
	const char *pool;               /* the registrar */
	const char *site;               /* SiteId, any text */
	const char *application;        /* without spaces */
	const struct args_names *partners;
	bool children;                /* also *.domain */
	bool routes_alone;            /* of the removal: the trust stays */
	const char *registrar_routes; /* routes of this pool; NULL = global */
	uint32_t port;
};

/* 0; ERR_MALFORMED when a text can be no PowerShell value, ERR_FULL. */
int pool_script_attach(struct buf *out, const struct pool_script *s);
int pool_script_remove(struct buf *out, const struct pool_script *s);

#endif
