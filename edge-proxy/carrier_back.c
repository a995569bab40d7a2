/*
 * Carriers that partners have connected: streams of theirs on which our stanzas
 * may go back (XEP-0288).
 *
 * Such a carrier lives as long as the stream does, with riders or without; it
 * is closed by its partner, by its own limits, or because it proves to be of no
 * use.  A pair that it carries boards it rather than have a connection made, but
 * never leaves one of our own for it: with both sides doing so at the same time
 * each would lose the stream that the other one has turned to.
 */
#include "edge-proxy/carrier_impl.h"

#include "common/err.h"
#include "edge-proxy/routes.h"
#include "edge-proxy/s2s_in.h"
#include "edge-proxy/s2s_in_back.h"

static void
on_drained(void *arg)
{
	carrier_room(arg);
}

static void
on_managed(void *arg)
{
	carrier_managed(arg);
}

static void
on_acknowledged(uint64_t count, void *arg)
{
	carrier_acknowledged(arg, count);
}

/* Where the partner's stream has ended we can still try one of our own. */
static void
on_down(const char *reason, void *arg)
{
	struct carrier *c = arg;
	struct route_failure f;

	route_failure_set(&f, COND_REMOTE_SERVER_TIMEOUT, NULL, reason);
	carrier_down(c, &f, true);
	/* Who tells us may be in the middle of telling others. */
	clock_timer_start(&c->board, 0);
}

static const struct s2s_in_back_events back_events = {
	.on_drained = on_drained,
	.on_managed = on_managed,
	.on_acknowledged = on_acknowledged,
	.on_down = on_down,
};

/* One at a time: whoever is told may end the stream, and the carrier with it. */
static void
on_board(struct clock_timer *t, void *arg)
{
	struct carrier *c = arg;
	struct rider *first = NULL;

	if (c->way.back == NULL) {
		carrier_destroy(c);
		return;
	}
	LIST_FOREACH (it, &c->riders)
		if (first == NULL && carrier_rider(it)->state == RIDER_BOARDING)
			first = carrier_rider(it);
	if (first == NULL)
		return;
	clock_timer_start(t, 0);
	carrier_tell_aboard(first);
}

static struct carrier *
find(const struct rider *r)
{
	if (carrier_is_apart(r))
		return NULL;
	LIST_FOREACH (it, &r->shared->carriers) {
		struct carrier *c = list_entry(it, struct carrier, link);

		if (c->way.back != NULL &&
		    s2s_in_back_carries(c->way.back, r->local, r->remote))
			return c;
	}
	return NULL;
}

bool
carrier_board_back(struct rider *r)
{
	struct carrier *c = find(r);

	if (c == NULL)
		return false;
	carrier_attach(r, c, RIDER_BOARDING);
	clock_timer_start(&c->board, 0);
	return true;
}

bool
carrier_may_go_back(const struct rider *r)
{
	return find(r) != NULL;
}

int
carrier_open_back(struct route_shared *shared, struct s2s_in *s)
{
	struct carrier *c;

	if (shared->closing)
		return ERR_CLOSED;
	c = carrier_new(shared);
	if (c == NULL)
		return ERR_NOMEM;
	c->way.back = s;
	clock_timer_init(&c->board, shared->opts->clock, on_board, c);
	list_append(&shared->carriers, &c->link);
	s2s_in_back_set_user(s, &back_events, c);
	return 0;
}

void
carrier_close_back(struct route_shared *shared)
{
	LIST_FOREACH_SAFE (it, &shared->carriers) {
		struct carrier *c = list_entry(it, struct carrier, link);

		if (c->way.back == NULL)
			continue;
		s2s_in_back_set_user(c->way.back, NULL, NULL);
		carrier_destroy(c);
	}
}
