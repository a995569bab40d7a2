/*
 * Several pairs on one connection of ours.
 *
 * Another domain of ours is recognised by the partner's domain alone.  Another
 * domain of the partner's is resolved first; before its connector tries an
 * address it asks here whether somebody is there already, or about to be.
 */
#include "edge-proxy/carrier_impl.h"

#include <string.h>

#include "common/err.h"
#include "edge-proxy/candidates.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/routes.h"

static void
on_joined(struct s2s_out_join *j, bool joined, const char *reason)
{
	struct rider *r = list_entry(j, struct rider, join);
	struct carrier *c = r->carrier;

	if (joined) {
		carrier_report(c, STREAM_UPDATE);
		carrier_tell_aboard(r);
		return;
	}
	log_info(&c->log, "pair-kept-apart", "local=%s remote=%s reason=%s",
	    r->local, r->remote, reason);
	carrier_keep_apart(r);
	carrier_detach(r);
	carrier_board_again(r);
}

bool
carrier_is_at(const struct carrier *c, const struct sockaddr_storage *addr)
{
	return c->way.out != NULL &&
	       candidates_same_address(s2s_out_addr(c->way.out), addr);
}

/* Whether the stream that is up may be asked for the pair, whose server it
 * leads to. */
bool
carrier_may_carry(const struct carrier *c, const struct rider *r)
{
	return c->way.out != NULL && !c->surplus && carrier_may_share(r) &&
	       s2s_out_may_join(c->way.out, r->local, r->remote);
}

bool
carrier_join(struct carrier *c, struct rider *r)
{
	int rc;

	r->join.on_joined = on_joined;
	rc = s2s_out_join(c->way.out, &r->join, r->local, r->remote);
	if (rc == 0) {
		carrier_attach(r, c, RIDER_JOINING);
		return true;
	}
	log_info(&c->log, "pair-not-asked-for", "local=%s remote=%s error=%s",
	    r->local, r->remote, err_str(rc));
	carrier_keep_apart(r);
	return false;
}

static const char *
next_hop(const struct rider *r)
{
	const struct partner *p =
	    hosting_partner(r->shared->opts->hosting, r->local, r->remote);

	return p != NULL ? p->proxy_fqdn : "";
}

/* The same domain of the partner's, to be reached by the same way. */
bool
carrier_same_server(const struct rider *a, const struct rider *b)
{
	return strcmp(a->remote, b->remote) == 0 &&
	       strcmp(next_hop(a), next_hop(b)) == 0;
}

/* Carries, or is being connected for, the rider's partner domain. */
static bool
leads_to(const struct carrier *c, const struct rider *r)
{
	LIST_FOREACH (it, &c->riders) {
		const struct rider *other = carrier_rider(it);

		if ((other->state == RIDER_ABOARD ||
			other->state == RIDER_STARTING) &&
		    carrier_same_server(other, r))
			return true;
	}
	return false;
}

/* Boards one that leads to its partner domain, or waits for it. */
bool
carrier_board_other(struct rider *r)
{
	LIST_FOREACH (it, &r->shared->carriers) {
		struct carrier *c = list_entry(it, struct carrier, link);

		if (!leads_to(c, r))
			continue;
		if (c->connector != NULL) {
			carrier_attach(r, c, RIDER_WAITING);
			return true;
		}
		if (carrier_may_carry(c, r) && carrier_join(c, r))
			return true;
	}
	return false;
}

/* The connection it waited for is up. */
void
carrier_join_or_go_solo(struct carrier *c, struct rider *r)
{
	bool there = leads_to(c, r) || carrier_is_at(c, &r->seen);

	carrier_detach(r);
	if (there && carrier_may_carry(c, r) && carrier_join(c, r))
		return;
	r->solo = true;
	carrier_board_again(r);
}
