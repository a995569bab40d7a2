/*
 * carrier - see the header.
 *
 *   connector ──► stream ──► down (gone from the list) ──► end ──► freed
 *       └► failed, cancelled ──────────────────────────────────► freed
 *   (partner's stream) ──► down ───────────────────────────────► freed
 *
 * A rider's way:
 *
 *   off ─► starting ────────────────► aboard ─► off
 *     ├──► boarding ─────────────────────┤
 *     └──► waiting ──► joining ──────────┘
 *     ▲        │          │ refused
 *     └────────┴──────────┘ and boards again
 *
 * Telling a rider may make it board or leave at once: a rider is out of every
 * list before it is told, and loops begin anew at the head where they tell.
 */
#include "edge-proxy/carrier_impl.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "edge-proxy/connector.h"
#include "edge-proxy/dane.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/routes.h"
#include "edge-proxy/s2s_in_back.h"
#include "edge-proxy/s2s_out_back.h"

enum { APART_MS = 3600 * 1000 }; /* for a pair that was refused */

/* --- riders -------------------------------------------------------------- */

void
rider_init(struct rider *r, struct route_shared *shared, const char *local,
    const char *remote, const struct rider_events *events, void *arg)
{
	*r = (struct rider){ .shared = shared,
		.local = local,
		.remote = remote,
		.events = events,
		.arg = arg };
	list_init(&r->link);
}

struct rider *
carrier_rider(struct list *n)
{
	return list_entry(n, struct rider, link);
}

void
carrier_attach(struct rider *r, struct carrier *c, enum rider_state state)
{
	list_append(&c->riders, &r->link);
	r->carrier = c;
	r->state = state;
}

void
carrier_detach(struct rider *r)
{
	s2s_out_join_cancel(&r->join);
	list_remove(&r->link);
	r->carrier = NULL;
	r->state = RIDER_OFF;
}

static uint64_t
now_ms(const struct route_shared *shared)
{
	return clock_now_ms(shared->opts->clock);
}

unsigned
carrier_methods(const struct rider *r)
{
	return hosting_methods(r->shared->opts->hosting, r->local, r->remote);
}

bool
carrier_is_apart(const struct rider *r)
{
	return now_ms(r->shared) < r->solo_until_ms;
}

bool
carrier_may_share(const struct rider *r)
{
	return !r->solo && !carrier_is_apart(r) &&
	       (carrier_methods(r) & DIALBACK) != 0;
}

void
carrier_keep_apart(struct rider *r)
{
	r->solo_until_ms = now_ms(r->shared) + APART_MS;
}

void
carrier_tell_aboard(struct rider *r)
{
	r->state = RIDER_ABOARD;
	r->solo = false;
	r->events->on_aboard(r->arg);
}

static void
tell_failed(struct rider *r, const struct route_failure *f)
{
	carrier_detach(r);
	r->solo = false;
	r->events->on_failed(f, r->arg);
}

size_t
carrier_count(const struct carrier *c, enum rider_state state)
{
	size_t n = 0;

	LIST_FOREACH (it, &c->riders)
		n += carrier_rider(it)->state == state ? 1 : 0;
	return n;
}

static struct rider *
starter_of(const struct carrier *c)
{
	LIST_FOREACH (it, &c->riders)
		if (carrier_rider(it)->state == RIDER_STARTING)
			return carrier_rider(it);
	return NULL;
}

static size_t
unproven(const struct carrier *c)
{
	size_t n = 0;

	LIST_FOREACH (it, &c->riders)
		n += carrier_rider(it)->unproven;
	return n;
}

/* --- what is told to who watches ------------------------------------------ */

static void
report_info(const struct carrier *c, enum stream_event ev,
    const struct stream_info *info)
{
	c->shared->opts->on_event(ev, info, c->shared->opts->arg);
}

void
carrier_report(const struct carrier *c, enum stream_event ev)
{
	struct stream_info info;

	s2s_out_info(c->way.out, &info);
	report_info(c, ev, &info);
}

/* The stream has lost a pair, others are left.  A gateway that has none of these
 * is told that the stream is down. */
static void
report_left(const struct carrier *c, const struct rider *left)
{
	const struct hosting *h = c->shared->opts->hosting;
	const char *owner = hosting_owner(h, left->local);
	const struct stream_pair pair = { left->local, left->remote, 0 };
	struct stream_info info;

	carrier_report(c, STREAM_UPDATE);
	s2s_out_info(c->way.out, &info);
	for (size_t i = 0; i < info.pair_count; i++) {
		const char *other = hosting_owner(h, info.pairs[i].local);

		if (owner == NULL ||
		    (other != NULL && strcmp(owner, other) == 0))
			return;
	}
	info.pairs = &pair;
	info.pair_count = 1;
	info.reason = "the stream carries the pair no more";
	report_info(c, STREAM_DOWN, &info);
}

/* --- the end ------------------------------------------------------------- */

void
carrier_destroy(struct carrier *c)
{
	struct route_shared *shared = c->shared;

	list_remove(&c->link);
	clock_timer_stop(&c->stall);
	clock_timer_stop(&c->board);
	free(c);
	route_shared_drop(shared);
}

/* Nobody boards it any more; who waited or asked to be let in goes elsewhere. */
static void
send_away(struct carrier *c)
{
	list_remove(&c->link);
	while (!list_empty(&c->riders)) {
		struct rider *r = carrier_rider(c->riders.next);

		carrier_detach(r);
		carrier_board_again(r);
	}
}

static void
on_stall(struct clock_timer *timer, void *arg)
{
	struct carrier *c = arg;

	(void)timer;
	outlet_close(
	    &c->way, STREAM_ERR_CONNECTION_TIMEOUT, "partner does not read");
}

/* --- from the stream to the riders ---------------------------------------- */

/* Who came first the last time comes last this time. */
void
carrier_room(struct carrier *c)
{
	const struct outlet way = c->way;
	struct list *first;

	clock_timer_stop(&c->stall);
	first = list_first(&c->riders);
	if (first != NULL) {
		list_remove(first);
		list_append(&c->riders, first);
	}
	LIST_FOREACH_SAFE (it, &c->riders) {
		struct rider *r = carrier_rider(it);

		if (!outlet_is_open(&way))
			return;
		if (r->state == RIDER_ABOARD)
			r->events->on_room(r->arg);
	}
}

void
carrier_managed(struct carrier *c)
{
	LIST_FOREACH_SAFE (it, &c->riders) {
		struct rider *r = carrier_rider(it);

		if (r->state == RIDER_ABOARD)
			r->events->on_managed(r->arg);
	}
}

void
carrier_acknowledged(struct carrier *c, uint64_t count)
{
	LIST_FOREACH_SAFE (it, &c->riders) {
		struct rider *r = carrier_rider(it);

		if (r->state == RIDER_ABOARD)
			r->events->on_acknowledged(count, r->arg);
	}
}

void
carrier_down(struct carrier *c, const struct route_failure *f, bool again)
{
	clock_timer_stop(&c->stall);
	c->way = (struct outlet){ 0 };
	list_remove(&c->link);
	while (!list_empty(&c->riders)) {
		struct rider *r = carrier_rider(c->riders.next);
		bool aboard = r->state == RIDER_ABOARD;

		carrier_detach(r);
		if (aboard) {
			r->events->on_down(f, again, r->arg);
		} else {
			r->solo = true;
			carrier_board_again(r);
		}
	}
}

/* --- the stream that we opened -------------------------------------------- */

static void
on_stream_up(struct s2s_out *s, void *arg)
{
	(void)s; /* was told to the connector */
	(void)arg;
}

static void
on_stream_drained(struct s2s_out *s, void *arg)
{
	(void)s;
	carrier_room(arg);
}

static void
on_stream_managed(struct s2s_out *s, void *arg)
{
	(void)s;
	carrier_managed(arg);
}

static void
on_stream_acknowledged(struct s2s_out *s, uint64_t count, void *arg)
{
	(void)s;
	carrier_acknowledged(arg, count);
}

/* The owner of the routes takes it, as he takes what comes on inbound ones. */
static void
on_stream_stanza(struct s2s_out *s, const struct xml_elem *e,
    const struct jid *from, const struct jid *to, void *arg)
{
	struct carrier *c = arg;
	const struct routes_opts *o = c->shared->opts;

	if (o->on_returned != NULL)
		o->on_returned(o->arg, s, &c->inlet, e, from, to);
}

static void
on_stream_down(struct s2s_out *s, const struct s2s_out_end *end, void *arg)
{
	struct carrier *c = arg;
	struct stream_info info;
	struct route_failure f;

	s2s_out_info(s, &info);
	route_failure_of_end(&f, end, info.reason);
	carrier_report(c, STREAM_DOWN);
	carrier_down(c, &f, route_failure_retry_at_once(end));
}

static void
on_stream_end(struct s2s_out *s, const struct s2s_out_end *end,
    const struct stream_info *info, void *arg)
{
	struct carrier *c = arg;
	const struct routes_opts *o = c->shared->opts;

	(void)s;
	(void)end;
	(void)info;
	if (c->inlet != NULL)
		o->on_returns_end(o->arg, c->inlet);
	carrier_destroy(c);
}

static const struct s2s_out_events stream_events = {
	.on_up = on_stream_up,
	.on_drained = on_stream_drained,
	.on_managed = on_stream_managed,
	.on_acknowledged = on_stream_acknowledged,
	.on_stanza = on_stream_stanza,
	.on_down = on_stream_down,
	.on_end = on_stream_end,
};

/* --- connecting ---------------------------------------------------------- */

static void
on_connector_stream(struct s2s_out *s, void *arg)
{
	struct carrier *c = arg;
	struct rider *starter = starter_of(c);

	c->connector = NULL;
	c->way.out = s;
	c->up_ms = now_ms(c->shared);
	s2s_out_set_owner(s, &stream_events, c);
	carrier_report(c, STREAM_UP);
	LIST_FOREACH_SAFE (it, &c->riders)
		if (carrier_rider(it)->state == RIDER_WAITING)
			carrier_join_or_go_solo(c, carrier_rider(it));
	carrier_tell_aboard(starter);
}

static void
on_connector_failed(
    const struct route_failure *f, const struct stream_info *info, void *arg)
{
	struct carrier *c = arg;
	struct rider *starter = starter_of(c);

	c->connector = NULL;
	list_remove(&c->link);
	report_info(c, STREAM_FAILED, info);
	LIST_FOREACH_SAFE (it, &c->riders) {
		struct rider *r = carrier_rider(it);
		struct stream_info same = *info;
		const struct stream_pair pair = { r->local, r->remote, 0 };

		/* Where nobody was reached it would fare no better. */
		if (r == starter || !f->unreached ||
		    !carrier_same_server(r, starter))
			continue;
		same.pairs = &pair;
		same.pair_count = 1;
		report_info(c, STREAM_FAILED, &same);
		tell_failed(r, f);
	}
	tell_failed(starter, f);
	send_away(c);
	carrier_destroy(c);
}

static void
on_connector_cancelled(void *arg)
{
	struct carrier *c = arg;

	c->connector = NULL;
	carrier_destroy(c);
}

static void
cancel(struct carrier *c)
{
	connector_cancel(c->connector);
	send_away(c);
}

/* Before an address is tried: one connection there is enough. */
static bool
on_candidate(const struct sockaddr_storage *addr, void *arg)
{
	struct carrier *own = arg;
	struct rider *r = starter_of(own);

	if (r == NULL || !carrier_may_share(r))
		return false;
	r->seen = *addr;
	LIST_FOREACH (it, &r->shared->carriers) {
		struct carrier *c = list_entry(it, struct carrier, link);
		bool up = carrier_is_at(c, addr) && carrier_may_carry(c, r);

		if (c == own ||
		    (!up && (c->connector == NULL ||
				!connector_tries(c->connector, addr))))
			continue;
		carrier_detach(r);
		if (!up)
			carrier_attach(r, c, RIDER_WAITING);
		else if (!carrier_join(c, r)) {
			carrier_attach(r, own, RIDER_STARTING);
			return false;
		}
		cancel(own);
		return true;
	}
	return false;
}

static const struct connector_events connector_events = {
	.on_candidate = on_candidate,
	.on_stream = on_connector_stream,
	.on_failed = on_connector_failed,
	.on_cancelled = on_connector_cancelled,
};

struct carrier *
carrier_new(struct route_shared *shared)
{
	struct carrier *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->shared = shared;
	log_init(&c->log, "carrier");
	list_init(&c->link);
	list_init(&c->riders);
	clock_timer_init(&c->stall, shared->opts->clock, on_stall, c);
	shared->live++;
	return c;
}

/* Whether some rider's partner is that one, by whichever of his domains. */
static bool
goes_to(const struct carrier *c, const struct partner *p)
{
	const struct hosting *h = c->shared->opts->hosting;

	LIST_FOREACH (it, &c->riders) {
		const struct rider *r = carrier_rider(it);
		const struct partner *other =
		    hosting_partner(h, r->local, r->remote);

		if (other != NULL && strcmp(other->primary, p->primary) == 0)
			return true;
	}
	return false;
}

/* Whether one more connection of ours is permitted, to that partner and at all.
 * Those that partners have opened are counted where they come in. */
static bool
may_open(const struct rider *r)
{
	const struct hosting *h = r->shared->opts->hosting;
	const struct partner *p = hosting_partner(h, r->local, r->remote);
	struct hosting_bounds bounds;
	size_t all = 0, same = 0;

	LIST_FOREACH (it, &r->shared->carriers) {
		const struct carrier *c = list_entry(it, struct carrier, link);

		if (c->way.back != NULL)
			continue;
		all++;
		same += p != NULL && goes_to(c, p) ? 1 : 0;
	}
	hosting_bounds(h, &bounds);
	return all < bounds.connections &&
	       (p == NULL || same < p->connection_limit);
}

static int
start(struct rider *r)
{
	const struct routes_opts *o = r->shared->opts;
	struct carrier *c = carrier_new(r->shared);
	struct connector_opts opts = {
		.loop = o->loop,
		.clock = o->clock,
		.resolver = o->resolver,
		.hosting = o->hosting,
		.identities = o->identities,
		.local = r->local,
		.remote = r->remote,
		.outgoing4 = &o->outgoing4,
		.outgoing6 = &o->outgoing6,
		.reach = o->reach,
		.dane = o->dane != NULL && o->dane->outbound,
		.make_id = o->make_id,
		.id_arg = o->arg,
		.events = &connector_events,
		.arg = c,
	};
	int rc;

	if (c == NULL)
		return ERR_NOMEM;
	rc = connector_open(&c->connector, &opts);
	if (rc < 0) {
		carrier_destroy(c);
		return rc;
	}
	list_append(&r->shared->carriers, &c->link);
	carrier_attach(r, c, RIDER_STARTING);
	return 0;
}

int
carrier_board(struct rider *r)
{
	if (r->shared->closing)
		return ERR_CLOSED;
	carrier_read_terms(&r->terms, r);
	if (carrier_board_back(r) ||
	    (carrier_may_share(r) && carrier_board_other(r)))
		return 0;
	return may_open(r) ? start(r) : ERR_FULL;
}

void
carrier_board_again(struct rider *r)
{
	struct route_failure f;
	int rc = carrier_board(r);

	if (rc == 0)
		return;
	route_failure_set(&f, COND_RESOURCE_CONSTRAINT, NULL, err_str(rc));
	tell_failed(r, &f);
}

/* --- the riders' side ---------------------------------------------------- */

/* A partner's own stream stays for him unless it is of no use. */
static void
leave_stream(struct carrier *c, const struct rider *r, enum stream_error e,
    const char *why)
{
	bool last = carrier_count(c, RIDER_ABOARD) == 0;

	if (last && (c->way.back == NULL || e != STREAM_ERR_NONE)) {
		outlet_close(&c->way, e, why);
	} else if (!last && c->way.back == NULL) {
		s2s_out_leave(c->way.out, r->local, r->remote);
		report_left(c, r);
	}
}

void
carrier_leave(struct rider *r, enum stream_error e, const char *why)
{
	struct carrier *c = r->carrier;
	enum rider_state was = r->state;

	if (was == RIDER_OFF)
		return;
	carrier_detach(r);
	if (was == RIDER_STARTING) {
		cancel(c);
	} else if (was == RIDER_ABOARD) {
		leave_stream(c, r, e, why);
	}
}

struct s2s_out *
carrier_stream(const struct rider *r)
{
	return r->state == RIDER_ABOARD ? r->carrier->way.out : NULL;
}

void
carrier_each(struct route_shared *shared,
    void (*fn)(const struct stream_info *info, void *arg), void *arg)
{
	LIST_FOREACH (it, &shared->carriers) {
		const struct carrier *c = list_entry(it, struct carrier, link);
		struct stream_info info;

		if (c->way.out == NULL)
			continue;
		s2s_out_info(c->way.out, &info);
		info.up_ms = c->up_ms;
		info.stanzas_in = s2s_out_back_stanzas(c->way.out);
		info.stanzas_out = c->written;
		info.unanswered = unproven(c);
		fn(&info, arg);
	}
}

void
carrier_rest_all(struct route_shared *shared)
{
	LIST_FOREACH (it, &shared->carriers) {
		const struct carrier *c = list_entry(it, struct carrier, link);

		if (c->way.out != NULL)
			s2s_out_rest(c->way.out);
	}
}
