/*
 * dane_lookup - see the header.
 *
 *   both SRV services ──► TLSA of each signed target ──► done
 *          │                        │                     ▲
 *          └── none is signed ──────┴── the time is over ─┘
 */
#include "edge-proxy/dane_lookup.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "edge-proxy/resolver_client.h"
#include "edge-proxy/srv_set.h"
#include "edge-proxy/tlsa.h"

/* One server, whose records are asked for. */
struct asked {
	struct dane_lookup *lookup;
	struct resolver_query *query;
	const struct dns_srv *server;
	struct tlsa_set *tlsa; /* NULL: none */
};

struct dane_lookup {
	struct dane_lookup_opts opts;
	char domain[256];
	struct clock_timer limit;
	struct resolver_query *srv, *direct_srv;
	struct srv_set targets;
	struct asked asked[DANE_LOOKUP_SERVERS];
	size_t asked_count;
};

void
dane_lookup_cancel(struct dane_lookup *l)
{
	if (l == NULL)
		return;
	clock_timer_stop(&l->limit);
	if (l->srv != NULL)
		resolver_cancel(l->srv);
	if (l->direct_srv != NULL)
		resolver_cancel(l->direct_srv);
	for (size_t i = 0; i < l->asked_count; i++) {
		if (l->asked[i].query != NULL)
			resolver_cancel(l->asked[i].query);
		tlsa_set_free(l->asked[i].tlsa);
	}
	free(l);
}

/* Tells what there is. */
static void
finish(struct dane_lookup *l)
{
	struct dane_server found[DANE_LOOKUP_SERVERS];
	size_t count = 0;

	for (size_t i = 0; i < l->asked_count; i++)
		if (l->asked[i].tlsa != NULL)
			found[count++] =
			    (struct dane_server){ l->asked[i].server->target,
				    l->asked[i].tlsa };
	l->opts.on_done(found, count, l->opts.arg);
	dane_lookup_cancel(l);
}

static void
on_limit(struct clock_timer *t, void *arg)
{
	(void)t;
	finish(arg);
}

static bool
is_waiting(const struct dane_lookup *l)
{
	for (size_t i = 0; i < l->asked_count; i++)
		if (l->asked[i].query != NULL)
			return true;
	return false;
}

static void
on_tlsa(const struct dns_answer *a, void *arg)
{
	struct asked *one = arg;

	one->query = NULL;
	(void)tlsa_judge(&one->tlsa, a);
	if (!is_waiting(one->lookup))
		finish(one->lookup);
}

static void
ask_about(struct dane_lookup *l, const struct dns_srv *server)
{
	struct asked *one = &l->asked[l->asked_count];
	char name[300];

	snprintf(name, sizeof(name), "_%u._tcp.%s", (unsigned)server->port,
	    server->target);
	*one = (struct asked){ .lookup = l, .server = server };
	if (resolver_query(&one->query, l->opts.resolver, name, DNS_TLSA,
		DANE_LOOKUP_MS, on_tlsa, one) == 0)
		l->asked_count++;
}

/* Both services have answered. */
static void
take_targets(struct dane_lookup *l)
{
	if (srv_set_judge(&l->targets) == SRV_TARGETS)
		for (size_t i = 0; i < l->targets.count &&
				   l->asked_count < DANE_LOOKUP_SERVERS;
		     i++)
			if (l->targets.v[i].secure &&
			    l->targets.v[i].port != 0 &&
			    strcmp(l->targets.v[i].target, ".") != 0)
				ask_about(l, &l->targets.v[i]);
	if (l->asked_count == 0)
		finish(l);
}

static void
take_srv(struct dane_lookup *l, const struct dns_answer *a, bool direct)
{
	srv_set_add(&l->targets, a, direct);
	if (l->srv == NULL && l->direct_srv == NULL)
		take_targets(l);
}

static void
on_srv(const struct dns_answer *a, void *arg)
{
	struct dane_lookup *l = arg;

	l->srv = NULL;
	take_srv(l, a, false);
}

static void
on_direct_srv(const struct dns_answer *a, void *arg)
{
	struct dane_lookup *l = arg;

	l->direct_srv = NULL;
	take_srv(l, a, true);
}

int
dane_lookup_open(struct dane_lookup **out, const struct dane_lookup_opts *opts)
{
	struct dane_lookup *l = calloc(1, sizeof(*l));
	char name[300];
	int rc;

	if (l == NULL)
		return ERR_NOMEM;
	l->opts = *opts;
	snprintf(l->domain, sizeof(l->domain), "%s", opts->domain);
	l->opts.domain = l->domain;
	clock_timer_init(&l->limit, opts->clock, on_limit, l);
	snprintf(name, sizeof(name), "_xmpp-server._tcp.%s", l->domain);
	rc = resolver_query(
	    &l->srv, opts->resolver, name, DNS_SRV, DANE_LOOKUP_MS, on_srv, l);
	snprintf(name, sizeof(name), "_xmpps-server._tcp.%s", l->domain);
	if (rc == 0)
		rc = resolver_query(&l->direct_srv, opts->resolver, name,
		    DNS_SRV, DANE_LOOKUP_MS, on_direct_srv, l);
	if (rc < 0) {
		dane_lookup_cancel(l);
		return rc;
	}
	clock_timer_start(&l->limit, DANE_LOOKUP_MS);
	*out = l;
	return 0;
}
