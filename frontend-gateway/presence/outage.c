/*
 * Pool and partners come and go.
 *
 * Each pair is told, as many in a turn of the loop as fit into some
 * milliseconds; the machine lets the grace time pass before anybody sees a
 * difference.  A walk that is overtaken by the next piece of news begins anew
 * with that.
 *
 * The pool counts as away when no connection is up, at the start after
 * FIRST_MS.  A partner counts as away when an attempt to reach it failed; a
 * stream that ends proves nothing (idle ones do), so when the last one has
 * ended, a ping is sent: it finds out.  Edges send such a ping on a stream that
 * is up and open none for it; so when it fails, somebody there is asked, or
 * told, what he may be at any time, and that decides.  Without any edge all partners are away,
 * until a stream of ours, or the answer to a ping, shows that they are not.
 */
#include "frontend-gateway/presence/presence_impl.h"

#include <stdio.h>

#include "common/buf.h"
#include "common/err.h"
#include "frontend-gateway/barrier.h"
#include "frontend-gateway/sip/sip_ua.h"
#include "proto/channel.h"
#include "proto/frame.h"

enum { FIRST_MS = 10000, QUIET_MS = 2000, TRY_DISK_MS = 10000 };

/* --- pool --------------------------------------------------------------- */

static void
tell_pool(struct presence *pr)
{
	pr->pool_told = pr->pool_away;
	sweep_start(&pr->walks[WALK_POOL], sweep_tell,
	    pr->pool_away ? PAIR_ON_POOL_LOST : PAIR_ON_POOL_BACK);
}

static void
on_pool_timer(struct clock_timer *t, void *arg)
{
	struct presence *pr = arg;

	(void)t;
	if (pr->pool_away && !pr->pool_told)
		tell_pool(pr);
}

void
presence_on_reachable(struct presence *pr, bool reachable)
{
	if (pr->stopping || pr->pool_away == !reachable)
		return;
	pr->pool_away = !reachable;
	clock_timer_stop(&pr->pool_timer);
	from_queue_resume(pr);
	/* After the start nobody was told that it was away. */
	tell_pool(pr);
}

/* --- partners ----------------------------------------------------------- */

static void
tell_partner(struct presence_partner *t)
{
	sweep_start(&t->sweep, sweep_tell,
	    t->lost ? PAIR_ON_PARTNER_LOST : PAIR_ON_PARTNER_BACK);
}

void
outage_partner_lost(struct presence_partner *t)
{
	t->quiet = false;
	t->tries++;
	if (t->lost)
		return;
	t->lost = true;
	log_warn(&t->presence->log, "partner-away",
	    "local=%s remote=%s pairs=%zu", t->local, t->remote, t->count);
	tell_partner(t);
}

void
outage_partner_back(struct presence_partner *t)
{
	t->quiet = false;
	t->tries = 0;
	if (!t->lost)
		return;
	t->lost = false;
	log_info(&t->presence->log, "partner-back",
	    "local=%s remote=%s pairs=%zu", t->local, t->remote, t->count);
	tell_partner(t);
	clock_timer_start(&t->timer, 0);
}

static void
on_each_partner_lost(struct map_node *n, void *arg)
{
	struct presence_partner *t =
	    map_entry(n, struct presence_partner, node);

	(void)arg;
	outage_partner_lost(t);
	/* From now on it is tried. */
	outbox_pump(t);
}

void
outage_no_edge(struct presence *pr)
{
	map_each(&pr->partners, on_each_partner_lost, NULL);
}

/* Something that makes an edge connect; harmless, however often.  False when no
 * pair has anything of the kind. */
static bool
write_to_somebody(struct presence_partner *t)
{
	struct pair_action a = { .kind = PAIR_SEND, .answer = true };

	LIST_FOREACH (it, &t->pairs) {
		struct pair *p = list_entry(it, struct pair, by_partner);
		enum roster_state r = (enum roster_state)p->state.roster;

		if (p->busy || p->restored)
			continue;
		if (roster_state_to(r))
			a.stanza = PAIR_PROBE;
		else if (roster_state_from(r))
			a.stanza = PAIR_CURRENT;
		else
			continue;
		outbox_send(p, &a);
		return true;
	}
	return false;
}

static void
on_canary(struct edges_sender *s, const struct channel_result *r)
{
	struct presence_partner *t =
	    list_entry(s, struct presence_partner, canary);

	t->canary_sent = false;
	if (r->delivered)
		outage_partner_back(t);
	else if (!write_to_somebody(t))
		outage_partner_lost(t);
	if (!pairs_partner_release(t))
		outbox_pump(t);
}

static unsigned
canary_edge(const struct presence_partner *t)
{
	return edges_choose(
	    t->presence->opts.edges, t->local, t->local, t->remote, EDGES_NONE);
}

/* A ping of the barrier's kind; any answer to it is good. */
static int
send_canary(struct presence_partner *t)
{
	const struct presence_opts *o = &t->presence->opts;
	const unsigned edge = canary_edge(t);
	char id[BARRIER_ID_SIZE];
	struct frame_writer w;
	struct buf frame;
	int rc;

	barrier_make(id, o->barrier, edge, edges_name(o->edges, edge), t->local,
	    t->remote);
	buf_init(&frame, FRAME_MAX);
	frame_begin(&w, &frame, FRAME_IQ);
	frame_put_str(&w, FIELD_ID, id);
	frame_put_str(&w, FIELD_FROM, t->local);
	frame_put_str(&w, FIELD_TO, t->remote);
	frame_put_str(&w, FIELD_KIND, "get");
	frame_put_str(&w, FIELD_REQUEST, "ping");
	frame_put_str(&w, FIELD_BARRIER, id);
	rc = frame_end(&w);
	t->canary.on_result = on_canary;
	if (rc == 0)
		rc = edges_send(
		    o->edges, edge, &frame, &t->canary, &t->canary_seq);
	buf_finish(&frame);
	t->canary_edge = edge;
	t->canary_sent = rc == 0;
	if (rc < 0)
		log_warn(&t->presence->log, "not-pinged", "remote=%s error=%s",
		    t->remote, err_str(rc));
	return rc;
}

static void
send_canary_anew(struct presence_partner *t)
{
	edges_withdraw(t->presence->opts.edges, t->canary_edge, t->canary_seq);
	if (send_canary(t) < 0)
		(void)pairs_partner_release(t);
}

static void
on_each_renewed(struct map_node *n, void *arg)
{
	struct presence_partner *t =
	    map_entry(n, struct presence_partner, node);
	const unsigned *edge = arg;

	if (t->canary_sent && t->canary_edge == *edge)
		send_canary_anew(t);
}

void
outage_edge_renewed(struct presence *pr, unsigned edge)
{
	map_each(&pr->partners, on_each_renewed, &edge);
}

static void
on_each_lost(struct map_node *n, void *arg)
{
	struct presence_partner *t =
	    map_entry(n, struct presence_partner, node);
	const unsigned *edge = arg;

	if (t->canary_sent && t->canary_edge == *edge &&
	    canary_edge(t) != *edge)
		send_canary_anew(t);
}

void
outage_edge_lost(struct presence *pr, unsigned edge)
{
	map_each(&pr->partners, on_each_lost, &edge);
}

/* Time to send what waits, or to look after a partner that fell silent. */
static void
on_partner_timer(struct clock_timer *timer, void *arg)
{
	struct presence_partner *t = arg;
	struct edges *e = t->presence->opts.edges;
	bool idle;

	(void)timer;
	idle = t->flight == 0 && list_empty(&t->box) && list_empty(&t->probes);
	if (!t->canary_sent &&
	    ((t->quiet && !edges_reach(e, t->local, t->remote)) ||
		(t->lost && idle)))
		(void)send_canary(t);
	t->quiet = false;
	outbox_pump(t);
}

void
presence_on_partner(struct presence *pr, unsigned edge, const char *local,
    const char *remote, bool failed)
{
	struct presence_partner *t = pairs_partner(pr, local, remote);

	(void)edge;
	if (t == NULL || pr->stopping)
		return;
	if (failed) {
		outage_partner_lost(t);
	} else if (!edges_reach(pr->opts.edges, local, remote)) {
		t->quiet = true;
		clock_timer_start(&t->timer, QUIET_MS);
	}
}

void
presence_on_stream(
    struct presence *pr, unsigned edge, const struct edges_stream *s)
{
	(void)edge;
	/* A stream of theirs proves that they live, not that we reach them. */
	if (pr->stopping || (s->guard.inbound && !s->guard.bidi))
		return;
	for (size_t i = 0; i < s->guard.pair_count; i++) {
		struct presence_partner *t = pairs_partner(
		    pr, s->guard.pairs[i].local, s->guard.pairs[i].remote);

		if (t != NULL)
			outage_partner_back(t);
	}
}

static void
follow_policy(struct pair *p, const struct presence_sweep *s)
{
	(void)s;
	from_half_follow_policy(p);
}

void
outage_recheck(struct presence *pr)
{
	sweep_start(&pr->walks[WALK_POLICY], follow_policy, PAIR_ON_POLICY);
}

void
outage_tell_new(struct pair *p)
{
	if (p->presence->pool_told && p->presence->pool_away)
		pair_run_kind(p, PAIR_ON_POOL_LOST);
}

/* --- life --------------------------------------------------------------- */

void
outage_partner_init(struct presence_partner *t)
{
	struct clock *clock = t->presence->opts.clock;

	clock_timer_init(&t->timer, clock, on_partner_timer, t);
	sweep_init(&t->sweep, clock, &t->pairs, t);
}

void
outage_partner_stop(struct presence_partner *t)
{
	clock_timer_stop(&t->timer);
	sweep_stop(&t->sweep);
}

static void
on_each_partner_stop(struct map_node *n, void *arg)
{
	(void)arg;
	outage_partner_stop(map_entry(n, struct presence_partner, node));
}

void
outage_init(struct presence *pr)
{
	struct clock *clock = pr->opts.clock;

	clock_timer_init(&pr->pool_timer, clock, on_pool_timer, pr);
	for (int i = 0; i < WALK_COUNT; i++)
		sweep_init(&pr->walks[i], clock, &pr->all, NULL);
	pr->pool_away = !sip_ua_reachable(pr->opts.ua);
	pace_hold(pr->pace, pr->pool_away);
	if (pr->pool_away)
		clock_timer_start(&pr->pool_timer, FIRST_MS);
}

void
outage_stop(struct presence *pr)
{
	clock_timer_stop(&pr->pool_timer);
	for (int i = 0; i < WALK_COUNT; i++)
		sweep_stop(&pr->walks[i]);
	map_each(&pr->partners, on_each_partner_stop, NULL);
}

static void
write_again(struct pair *p, const struct presence_sweep *s)
{
	(void)s;
	pair_row_put_all(p);
}

void
presence_on_health(struct presence *pr, bool well)
{
	if (pr->well == well)
		return;
	pr->well = well;
	if (pr->stopping)
		return;
	if (!well) {
		clock_timer_start(&pr->flush, TRY_DISK_MS);
		return;
	}
	/* What was not written in between is written now. */
	sweep_start(&pr->walks[WALK_ROWS], write_again, PAIR_ON_DUE);
}
