/*
 * carrier - see the header.
 *
 *   connector ──► stream ──► down (gone from the list) ──► end ──► freed
 *       └► failed, cancelled ──────────────────────────────────► freed
 *
 * A rider's way:
 *
 *   off ─► starting ────────────────► aboard ─► off
 *     └──► waiting ──► joining ──────────┘
 *     ▲        │          │ refused
 *     └────────┴──────────┘ and boards again
 *
 * Another domain of ours is recognised by the partner's domain alone.  Another
 * domain of the partner's is resolved first; before its connector tries an
 * address it asks here whether somebody is there already, or about to be.
 *
 * Telling a rider may make it board or leave at once: a rider is out of every
 * list before it is told, and loops begin anew at the head where they tell.
 */
#include "edge-proxy/carrier.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "edge-proxy/candidates.h"
#include "edge-proxy/connector.h"
#include "edge-proxy/dane.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/route_shared.h"
#include "edge-proxy/routes.h"
#include "edge-proxy/stream_xml.h"

enum {
	STALL_MS = 30000,      /* a partner that does not read */
	APART_MS = 3600 * 1000 /* for a pair that was refused */
};

#define DIALBACK (AUTH_DIALBACK_TLS | AUTH_DIALBACK_TCP)

struct carrier {
	struct list link; /* in route_shared.carriers, or alone */
	struct route_shared *shared;
	struct log log;
	struct connector *connector; /* while connecting */
	struct s2s_out *stream;      /* while up */
	struct list riders;
	struct clock_timer stall; /* runs while some rider awaits room */
	uint64_t up_ms, written;
};

static void board_again(struct rider *r);

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

static struct rider *
rider_of(struct list *n)
{
	return list_entry(n, struct rider, link);
}

static void
attach(struct rider *r, struct carrier *c, enum rider_state state)
{
	list_append(&c->riders, &r->link);
	r->carrier = c;
	r->state = state;
}

static void
detach(struct rider *r)
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

static unsigned
methods(const struct rider *r)
{
	return hosting_methods(r->shared->opts->hosting, r->local, r->remote);
}

static bool
may_share(const struct rider *r)
{
	return !r->solo && now_ms(r->shared) >= r->solo_until_ms &&
	       (methods(r) & DIALBACK) != 0;
}

void
carrier_keep_apart(struct rider *r)
{
	r->solo_until_ms = now_ms(r->shared) + APART_MS;
}

static void
tell_aboard(struct rider *r)
{
	r->state = RIDER_ABOARD;
	r->solo = false;
	r->events->on_aboard(r->arg);
}

static void
tell_failed(struct rider *r, const struct route_failure *f)
{
	detach(r);
	r->solo = false;
	r->events->on_failed(f, r->arg);
}

static size_t
count_riders(const struct carrier *c, enum rider_state state)
{
	size_t n = 0;

	LIST_FOREACH (it, &c->riders)
		n += rider_of(it)->state == state ? 1 : 0;
	return n;
}

static struct rider *
starter_of(const struct carrier *c)
{
	LIST_FOREACH (it, &c->riders)
		if (rider_of(it)->state == RIDER_STARTING)
			return rider_of(it);
	return NULL;
}

static size_t
unproven(const struct carrier *c)
{
	size_t n = 0;

	LIST_FOREACH (it, &c->riders)
		n += rider_of(it)->unproven;
	return n;
}

/* --- what is told to who watches ------------------------------------------ */

static void
report_info(const struct carrier *c, enum stream_event ev,
    const struct stream_info *info)
{
	c->shared->opts->on_event(ev, info, c->shared->opts->arg);
}

static void
report(const struct carrier *c, enum stream_event ev)
{
	struct stream_info info;

	s2s_out_info(c->stream, &info);
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

	report(c, STREAM_UPDATE);
	s2s_out_info(c->stream, &info);
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

static void
destroy(struct carrier *c)
{
	struct route_shared *shared = c->shared;

	list_remove(&c->link);
	clock_timer_stop(&c->stall);
	free(c);
	route_shared_drop(shared);
}

/* Nobody boards it any more; who waited or asked to be let in goes elsewhere. */
static void
send_away(struct carrier *c)
{
	list_remove(&c->link);
	while (!list_empty(&c->riders)) {
		struct rider *r = rider_of(c->riders.next);

		detach(r);
		board_again(r);
	}
}

static void
on_stall(struct clock_timer *timer, void *arg)
{
	struct carrier *c = arg;

	(void)timer;
	s2s_out_close(
	    c->stream, STREAM_ERR_CONNECTION_TIMEOUT, "partner does not read");
}

/* --- the stream ---------------------------------------------------------- */

static void
on_stream_up(struct s2s_out *s, void *arg)
{
	(void)s; /* was told to the connector */
	(void)arg;
}

/* Who came first the last time comes last this time. */
static void
on_stream_drained(struct s2s_out *s, void *arg)
{
	struct carrier *c = arg;
	struct list *first;

	clock_timer_stop(&c->stall);
	first = list_first(&c->riders);
	if (first != NULL) {
		list_remove(first);
		list_append(&c->riders, first);
	}
	LIST_FOREACH_SAFE (it, &c->riders) {
		struct rider *r = rider_of(it);

		if (r->state == RIDER_ABOARD && s2s_out_is_up(s))
			r->events->on_room(r->arg);
	}
}

static void
on_stream_managed(struct s2s_out *s, void *arg)
{
	struct carrier *c = arg;

	(void)s;
	LIST_FOREACH_SAFE (it, &c->riders) {
		struct rider *r = rider_of(it);

		if (r->state == RIDER_ABOARD)
			r->events->on_managed(r->arg);
	}
}

static void
on_stream_acknowledged(struct s2s_out *s, uint64_t count, void *arg)
{
	struct carrier *c = arg;

	(void)s;
	LIST_FOREACH_SAFE (it, &c->riders) {
		struct rider *r = rider_of(it);

		if (r->state == RIDER_ABOARD)
			r->events->on_acknowledged(count, r->arg);
	}
}

static void
on_stream_down(struct s2s_out *s, const struct s2s_out_end *end, void *arg)
{
	struct carrier *c = arg;
	struct stream_info info;
	struct route_failure f;
	bool again = route_failure_retry_at_once(end);

	s2s_out_info(s, &info);
	route_failure_of_end(&f, end, info.reason);
	report(c, STREAM_DOWN);
	clock_timer_stop(&c->stall);
	c->stream = NULL;
	list_remove(&c->link);
	while (!list_empty(&c->riders)) {
		struct rider *r = rider_of(c->riders.next);
		bool aboard = r->state == RIDER_ABOARD;

		detach(r);
		if (aboard) {
			r->events->on_down(&f, again, r->arg);
		} else {
			r->solo = true;
			board_again(r);
		}
	}
}

static void
on_stream_end(struct s2s_out *s, const struct s2s_out_end *end,
    const struct stream_info *info, void *arg)
{
	(void)s;
	(void)end;
	(void)info;
	destroy(arg);
}

static const struct s2s_out_events stream_events = {
	.on_up = on_stream_up,
	.on_drained = on_stream_drained,
	.on_managed = on_stream_managed,
	.on_acknowledged = on_stream_acknowledged,
	.on_down = on_stream_down,
	.on_end = on_stream_end,
};

/* --- sharing ------------------------------------------------------------- */

static void
on_joined(struct s2s_out_join *j, bool joined, const char *reason)
{
	struct rider *r = list_entry(j, struct rider, join);
	struct carrier *c = r->carrier;

	if (joined) {
		report(c, STREAM_UPDATE);
		tell_aboard(r);
		return;
	}
	log_info(&c->log, "pair-kept-apart", "local=%s remote=%s reason=%s",
	    r->local, r->remote, reason);
	carrier_keep_apart(r);
	detach(r);
	board_again(r);
}

static bool
is_at(const struct carrier *c, const struct sockaddr_storage *addr)
{
	return c->stream != NULL &&
	       candidates_same_address(s2s_out_addr(c->stream), addr);
}

/* Whether the stream that is up may be asked for the pair, whose server it
 * leads to. */
static bool
may_carry(const struct carrier *c, const struct rider *r)
{
	return c->stream != NULL && may_share(r) &&
	       s2s_out_may_join(c->stream, r->local, r->remote);
}

static bool
join(struct carrier *c, struct rider *r)
{
	int rc;

	r->join.on_joined = on_joined;
	rc = s2s_out_join(c->stream, &r->join, r->local, r->remote);
	if (rc == 0) {
		attach(r, c, RIDER_JOINING);
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
static bool
same_server(const struct rider *a, const struct rider *b)
{
	return strcmp(a->remote, b->remote) == 0 &&
	       strcmp(next_hop(a), next_hop(b)) == 0;
}

/* Carries, or is being connected for, the rider's partner domain. */
static bool
leads_to(const struct carrier *c, const struct rider *r)
{
	LIST_FOREACH (it, &c->riders) {
		const struct rider *other = rider_of(it);

		if ((other->state == RIDER_ABOARD ||
			other->state == RIDER_STARTING) &&
		    same_server(other, r))
			return true;
	}
	return false;
}

/* Boards one that leads to its partner domain, or waits for it. */
static bool
board_other(struct rider *r)
{
	LIST_FOREACH (it, &r->shared->carriers) {
		struct carrier *c = list_entry(it, struct carrier, link);

		if (!leads_to(c, r))
			continue;
		if (c->connector != NULL) {
			attach(r, c, RIDER_WAITING);
			return true;
		}
		if (may_carry(c, r) && join(c, r))
			return true;
	}
	return false;
}

/* The connection it waited for is up. */
static void
join_or_go_solo(struct carrier *c, struct rider *r)
{
	bool there = leads_to(c, r) || is_at(c, &r->seen);

	detach(r);
	if (there && may_carry(c, r) && join(c, r))
		return;
	r->solo = true;
	board_again(r);
}

/* --- connecting ---------------------------------------------------------- */

static void
on_connector_stream(struct s2s_out *s, void *arg)
{
	struct carrier *c = arg;
	struct rider *starter = starter_of(c);

	c->connector = NULL;
	c->stream = s;
	c->up_ms = now_ms(c->shared);
	s2s_out_set_owner(s, &stream_events, c);
	report(c, STREAM_UP);
	LIST_FOREACH_SAFE (it, &c->riders)
		if (rider_of(it)->state == RIDER_WAITING)
			join_or_go_solo(c, rider_of(it));
	tell_aboard(starter);
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
		struct rider *r = rider_of(it);
		struct stream_info same = *info;
		const struct stream_pair pair = { r->local, r->remote, 0 };

		/* Where nobody was reached it would fare no better. */
		if (r == starter || !f->unreached || !same_server(r, starter))
			continue;
		same.pairs = &pair;
		same.pair_count = 1;
		report_info(c, STREAM_FAILED, &same);
		tell_failed(r, f);
	}
	tell_failed(starter, f);
	send_away(c);
	destroy(c);
}

static void
on_connector_cancelled(void *arg)
{
	struct carrier *c = arg;

	c->connector = NULL;
	destroy(c);
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

	if (r == NULL || !may_share(r))
		return false;
	r->seen = *addr;
	LIST_FOREACH (it, &r->shared->carriers) {
		struct carrier *c = list_entry(it, struct carrier, link);
		bool up = is_at(c, addr) && may_carry(c, r);

		if (c == own ||
		    (!up && (c->connector == NULL ||
				!connector_tries(c->connector, addr))))
			continue;
		detach(r);
		if (!up)
			attach(r, c, RIDER_WAITING);
		else if (!join(c, r)) {
			attach(r, own, RIDER_STARTING);
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

static int
start(struct rider *r)
{
	const struct routes_opts *o = r->shared->opts;
	struct carrier *c = calloc(1, sizeof(*c));
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
		free(c);
		return rc;
	}
	c->shared = r->shared;
	log_init(&c->log, "carrier");
	list_init(&c->link);
	list_init(&c->riders);
	clock_timer_init(&c->stall, o->clock, on_stall, c);
	list_append(&r->shared->carriers, &c->link);
	r->shared->live++;
	attach(r, c, RIDER_STARTING);
	return 0;
}

int
carrier_board(struct rider *r)
{
	if (r->shared->closing)
		return ERR_CLOSED;
	if (may_share(r) && board_other(r))
		return 0;
	return start(r);
}

static void
board_again(struct rider *r)
{
	struct route_failure f;
	int rc = carrier_board(r);

	if (rc == 0)
		return;
	route_failure_set(&f, COND_RESOURCE_CONSTRAINT, NULL, err_str(rc));
	tell_failed(r, &f);
}

/* --- the riders' side ---------------------------------------------------- */

void
carrier_leave(struct rider *r, enum stream_error e, const char *why)
{
	struct carrier *c = r->carrier;
	enum rider_state was = r->state;

	if (was == RIDER_OFF)
		return;
	detach(r);
	if (was == RIDER_STARTING) {
		cancel(c);
	} else if (was == RIDER_ABOARD) {
		if (count_riders(c, RIDER_ABOARD) == 0) {
			s2s_out_close(c->stream, e, why);
			return;
		}
		s2s_out_leave(c->stream, r->local, r->remote);
		report_left(c, r);
	}
}

bool
carrier_permits(struct rider *r)
{
	r->solo_until_ms = 0;
	if (r->state == RIDER_ABOARD)
		return s2s_out_permits(r->carrier->stream, r->local, r->remote);
	if (r->state == RIDER_WAITING || r->state == RIDER_JOINING)
		return (methods(r) & DIALBACK) != 0;
	return true;
}

bool
carrier_can_write(const struct rider *r)
{
	return r->state == RIDER_ABOARD && s2s_out_is_up(r->carrier->stream) &&
	       !s2s_out_backlogged(r->carrier->stream);
}

int
carrier_write(struct rider *r, const void *xml, size_t len)
{
	int rc = s2s_out_write(r->carrier->stream, xml, len);

	r->carrier->written += rc == 0 ? 1 : 0;
	return rc;
}

void
carrier_ping(struct rider *r, const char *id)
{
	struct buf out;

	buf_init(&out, 0);
	stream_xml_ping(&out, r->local, r->remote, id);
	/* A stream that cannot take it is ending; that settles the rest. */
	if (!buf_failed(&out))
		(void)s2s_out_write(r->carrier->stream, out.data, out.len);
	buf_finish(&out);
}

struct barrier_place
carrier_place(const struct rider *r)
{
	return (struct barrier_place){
		.stanza = s2s_out_stanzas(r->carrier->stream),
		.bytes = s2s_out_bytes(r->carrier->stream),
	};
}

uint64_t
carrier_bytes_acknowledged(const struct rider *r)
{
	return s2s_out_bytes_acknowledged(r->carrier->stream);
}

void
carrier_request_ack(struct rider *r)
{
	s2s_out_request_ack(r->carrier->stream);
}

void
carrier_await_room(struct rider *r)
{
	if (!clock_timer_running(&r->carrier->stall))
		clock_timer_start(&r->carrier->stall, STALL_MS);
}

void
carrier_add_proof(struct rider *r, enum proof by)
{
	s2s_out_add_proof(r->carrier->stream, by);
	report(r->carrier, STREAM_UPDATE);
}

struct s2s_out *
carrier_stream(const struct rider *r)
{
	return r->state == RIDER_ABOARD ? r->carrier->stream : NULL;
}

void
carrier_each(struct route_shared *shared,
    void (*fn)(const struct stream_info *info, void *arg), void *arg)
{
	LIST_FOREACH (it, &shared->carriers) {
		const struct carrier *c = list_entry(it, struct carrier, link);
		struct stream_info info;

		if (c->stream == NULL)
			continue;
		s2s_out_info(c->stream, &info);
		info.up_ms = c->up_ms;
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

		if (c->stream != NULL)
			s2s_out_rest(c->stream);
	}
}
