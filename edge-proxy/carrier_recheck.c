/*
 * What becomes of connections and riders when the configuration changes.
 *
 * A way that is permitted no more is left at once.  One that is permitted, but
 * not the one to take now, is left when nothing on it waits for proof.
 */
#include "edge-proxy/carrier_impl.h"

#include <stdio.h>
#include <string.h>

#include "edge-proxy/connector.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/routes.h"
#include "edge-proxy/s2s_in_back.h"
#include "edge-proxy/tally.h"

void
carrier_read_terms(struct rider_terms *out, const struct rider *r)
{
	const struct hosting *h = r->shared->opts->hosting;
	const struct partner *p = hosting_partner(h, r->local, r->remote);
	struct hosting_bounds bounds;

	hosting_bounds(h, &bounds);
	*out = (struct rider_terms){ .connections = bounds.connections };
	if (p == NULL)
		return;
	out->methods = p->methods;
	out->connection_limit = p->connection_limit;
	snprintf(out->next_hop, sizeof(out->next_hop), "%s", p->proxy_fqdn);
}

bool
carrier_permits(struct rider *r)
{
	const struct carrier *c = r->carrier;

	r->solo_until_ms = 0;
	if (c == NULL)
		return true;
	if (c->way.back != NULL)
		return s2s_in_back_carries(c->way.back, r->local, r->remote);
	if (r->state == RIDER_ABOARD) {
		s2s_out_recheck(c->way.out);
		return s2s_out_permits(c->way.out, r->local, r->remote);
	}
	if (r->state == RIDER_WAITING || r->state == RIDER_JOINING)
		return (carrier_methods(r) & DIALBACK) != 0;
	if (c->connector != NULL)
		connector_recheck(c->connector);
	return true;
}

/* Whether it is one more than a partner of its riders may have now. */
static bool
is_too_many(struct carrier *c, struct tally *t)
{
	const struct hosting *h = c->shared->opts->hosting;
	const char *last = NULL;
	bool over = false;

	LIST_FOREACH (it, &c->riders) {
		const struct rider *r = carrier_rider(it);
		const struct partner *p =
		    hosting_partner(h, r->local, r->remote);

		/* Several domains of his, or of ours: one connection. */
		if (p == NULL ||
		    (last != NULL && strcmp(p->primary, last) == 0))
			continue;
		last = p->primary;
		if (tally_add(t, p->primary) > p->connection_limit)
			over = true;
	}
	return over;
}

void
carrier_thin_out(struct route_shared *shared)
{
	struct hosting_bounds bounds;
	struct tally t;
	size_t all = 0;

	if (tally_init(&t) < 0)
		return; /* What is too much then stays until it ends. */
	hosting_bounds(shared->opts->hosting, &bounds);
	LIST_FOREACH (it, &shared->carriers) {
		struct carrier *c = list_entry(it, struct carrier, link);

		if (c->way.back == NULL)
			c->surplus =
			    is_too_many(c, &t) || ++all > bounds.connections;
	}
	tally_finish(&t);
}

const char *
carrier_why_move(const struct rider *r)
{
	struct rider_terms now;

	if (r->carrier == NULL || r->carrier->way.back != NULL)
		return NULL;
	if (r->carrier->surplus)
		return "fewer connections are permitted";
	carrier_read_terms(&now, r);
	return strcmp(now.next_hop, r->terms.next_hop) != 0
		   ? "another next hop is to be taken"
		   : NULL;
}

bool
carrier_has_new_terms(const struct rider *r)
{
	struct rider_terms now;

	carrier_read_terms(&now, r);
	return now.methods != r->terms.methods ||
	       now.connections != r->terms.connections ||
	       now.connection_limit != r->terms.connection_limit ||
	       strcmp(now.next_hop, r->terms.next_hop) != 0;
}
