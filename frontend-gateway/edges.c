/*
 * An edge is
 *
 *   down -> up (told the configuration) -> confirmed
 *
 * and only a confirmed one is chosen for outward traffic.  Inward stanzas are
 * taken from any edge whose channel is up: the guard judges each of them.
 *
 * One that the configuration names no more is
 *
 *   listed -> leaving -> closing -> gone
 *
 * It is told to drain and chosen no more; when partners have gone from it and
 * what is under way has been answered, either way, or its time is up, its channel
 * ends.  Named again while
 * it leaves, it stays.
 *
 * Edges are known to others by numbers.  The number of one that is gone is
 * given to another only when nobody can mean the former one any more: its
 * stanzas are answered, and its barriers too old to be proven.
 */
#include "frontend-gateway/edges_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/failures.h"
#include "common/random.h"
#include "frontend-gateway/edge_link.h"
#include "frontend-gateway/edge_streams.h"
#include "frontend-gateway/gateway_conf.h"
#include "proto/channel.h"

enum {
	LEAVE_MS = 30000, /* more than a message to a partner may take */
	LEAVE_STEP_MS = 100,
	BOOT_BYTES = 8
};

#define BIT(s) (1u << (unsigned)(s))

static const struct {
	const char *name;
	unsigned next;
} states[EDGE_STATES] = {
	[EDGE_LISTED] = { "listed", BIT(EDGE_LEAVING) | BIT(EDGE_GONE) },
	[EDGE_LEAVING] = { "leaving",
	    BIT(EDGE_LISTED) | BIT(EDGE_CLOSING) | BIT(EDGE_GONE) },
	[EDGE_CLOSING] = { "closing", BIT(EDGE_GONE) },
	[EDGE_GONE] = { "gone", BIT(EDGE_LISTED) },
};

/* The only place that writes d->state. */
static void
set_state(struct edge *d, enum edge_state to)
{
	assert(states[d->state].next & BIT(to));
	log_info(&d->log, "state", "from=%s to=%s", states[d->state].name,
	    states[to].name);
	d->state = to;
}

/* The edge of that number, which was handed out. */
static struct edge *
edge_of(const struct edges *e, unsigned edge)
{
	assert(edge < EDGES_SLOTS && e->v[edge] != NULL);
	return e->v[edge];
}

/* --- choosing ----------------------------------------------------------- */

const char *
edges_name(const struct edges *e, unsigned edge)
{
	return edge_of(e, edge)->name;
}

static bool
serves(const struct edge *d, const char *local)
{
	const json_t *item;
	size_t i;

	if (d->state != EDGE_LISTED || !d->up || !d->confirmed || d->draining)
		return false;
	json_array_foreach(d->fenced, i,
	    item) if (strcmp(json_string_value(item), local) == 0) return false;
	return true;
}

bool
edges_serves(const struct edges *e, unsigned edge, const char *local)
{
	return serves(edge_of(e, edge), local);
}

/* FNV-1a over the edge's name and both users: no secret is at stake, only that
 * every gateway chooses alike. */
static uint64_t
weight(const char *edge, const char *user, const char *contact)
{
	const char *parts[] = { edge, user, contact };
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < 3; i++) {
		const unsigned char *p = (const unsigned char *)parts[i];

		do {
			h = (h ^ *p) * 0x100000001b3u;
		} while (*p++ != '\0');
	}
	/* The last bytes must reach all bits, or similar names tie. */
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdu;
	return h ^ h >> 33;
}

unsigned
edges_choose(const struct edges *e, const char *local, const char *user,
    const char *contact, unsigned preferred)
{
	const struct edge *best = NULL;
	uint64_t best_weight = 0;
	bool best_live = false;

	if (preferred < EDGES_SLOTS && e->v[preferred] != NULL &&
	    serves(e->v[preferred], local))
		return preferred;
	LIST_FOREACH (it, &e->all) {
		const struct edge *d = list_entry(it, struct edge, all);
		bool live = serves(d, local);
		uint64_t w = weight(d->name, user, contact);

		if (d->state != EDGE_LISTED)
			continue;
		if (best != NULL && (live < best_live || (live == best_live &&
							     w <= best_weight)))
			continue;
		best = d;
		best_weight = w;
		best_live = live;
	}
	/* The configuration names one at least. */
	assert(best != NULL);
	return best->index;
}

/* --- links -------------------------------------------------------------- */

static void
tell_link(const struct edge *d, bool up)
{
	struct edges *e = d->edges;

	if (e->opts.events->on_link != NULL)
		e->opts.events->on_link(e, d->index, up, e->opts.arg);
}

static void
on_up(struct edge_link *l, bool resumed, void *arg)
{
	struct edge *d = arg;
	struct edges *e = d->edges;

	(void)l;
	clock_timer_stop(&d->lost);
	d->up = true;
	d->since_ms = clock_now_ms(e->opts.clock);
	d->confirmed = d->draining = false;
	if (resumed) {
		edge_streams_resume(d->streams, clock_now_ms(e->opts.clock));
		edges_control_prove_again(d);
	} else {
		edge_streams_forget(d->streams);
		d->proofs.count = 0;
	}
	edges_control_config(d);
	edges_trace_attached(d);
	tell_link(d, true);
	/* Before the channel sends anything again. */
	if (!resumed)
		e->opts.events->on_renewed(e, d->index, e->opts.arg);
}

static void
on_down(struct edge_link *l, void *arg)
{
	struct edge *d = arg;

	(void)l;
	d->up = d->confirmed = false;
	d->since_ms = clock_now_ms(d->edges->opts.clock);
	if (d->state == EDGE_LISTED)
		clock_timer_start(&d->lost, EDGES_LOST_MS);
	tell_link(d, false);
}

static void
on_lost(struct clock_timer *t, void *arg)
{
	struct edge *d = arg;
	struct edges *e = d->edges;

	(void)t;
	e->opts.events->on_lost(e, d->index, e->opts.arg);
}

static void
on_stanza(struct edge_link *l, uint64_t seq, const struct frame *f, void *arg)
{
	struct edge *d = arg;
	struct edges *e = d->edges;
	const struct frame_field *id = frame_field(f, FIELD_STREAM);
	const struct edges_stream *stream = NULL;
	struct edges_ticket ticket = { d->index, seq };

	(void)l;
	d->owed++;
	if (id != NULL)
		stream = edge_streams_find(
		    d->streams, (const char *)id->data, id->len);
	if (e->tap != NULL)
		e->tap->on_frame(e, d->index, true, seq, f, e->tap->arg);
	e->opts.events->on_stanza(e, ticket, f, stream, e->opts.arg);
}

static void
on_result(struct edge_link *l, uint64_t seq, void *cookie,
    const struct channel_result *r, void *arg)
{
	struct edges_sender *sender = cookie;
	struct edge *d = arg;

	(void)l;
	if (d->edges->tap != NULL)
		edges_trace_result(d, false, seq, r);
	if (sender != NULL)
		sender->on_result(sender, r);
}

static void
on_control(struct edge_link *l, const struct frame *f, void *arg)
{
	(void)l;
	edges_control_receive(arg, f);
}

static void
free_edge(struct edge *d)
{
	edge_streams_free(d->streams);
	json_decref(d->fenced);
	json_decref(d->stats);
	list_remove(&d->all);
	free(d);
}

static void
finish(struct edges *e)
{
	LIST_FOREACH_SAFE (it, &e->all)
		free_edge(list_entry(it, struct edge, all));
	edges_trace_finish(e);
	failures_free(e->failures);
	free(e->store);
	free(e);
}

static void
on_closed(struct edge_link *l, void *arg)
{
	struct edge *d = arg;
	struct edges *e = d->edges;

	(void)l;
	d->link = NULL;
	d->up = d->confirmed = false;
	edge_streams_forget(d->streams);
	if (d->state != EDGE_GONE)
		set_state(d, EDGE_GONE);
	d->gone_ms = clock_now_ms(e->opts.clock);
	if (--e->open > 0 || !e->closing)
		return;
	if (!e->silent)
		e->opts.events->on_closed(e, e->opts.arg);
	finish(e);
}

static const struct edge_link_events link_events = {
	.on_up = on_up,
	.on_down = on_down,
	.on_stanza = on_stanza,
	.on_result = on_result,
	.on_control = on_control,
	.on_closed = on_closed,
};

/* --- leaving ------------------------------------------------------------ */

/* Whoever still waits for an answer hears that there will be none. */
static void
fail_unanswered(struct edge *d)
{
	static const struct channel_result none = {
		.condition = COND_REMOTE_SERVER_TIMEOUT,
		.text = "the edge was taken out of service",
	};
	struct channel *ch = edge_link_channel(d->link);
	uint64_t seq;
	void *cookie;

	while (channel_oldest_unanswered(ch, &seq, &cookie)) {
		struct edges_sender *sender = cookie;

		(void)channel_withdraw(ch, seq);
		if (d->edges->tap != NULL)
			edges_trace_result(d, false, seq, &none);
		if (sender != NULL)
			sender->on_result(sender, &none);
	}
}

static void
close_edge(struct edge *d)
{
	struct edges *e = d->edges;

	clock_timer_stop(&d->leaving);
	set_state(d, EDGE_CLOSING);
	/* What can go another way goes. */
	e->opts.events->on_removed(e, d->index, e->opts.arg);
	fail_unanswered(d);
	edge_link_close(d->link);
}

/* Something is under way, or a partner may still bring something. */
static bool
is_busy(const struct edge *d)
{
	const struct channel *ch = edge_link_channel(d->link);

	return channel_unanswered(ch) > 0 || channel_owed(ch) > 0 ||
	       edge_streams_count_inbound(d->streams) > 0;
}

static void
on_leaving(struct clock_timer *t, void *arg)
{
	struct edge *d = arg;

	if (d->up && clock_now_ms(d->edges->opts.clock) < d->leave_by_ms &&
	    is_busy(d))
		clock_timer_start(t, LEAVE_STEP_MS);
	else
		close_edge(d);
}

static void
leave(struct edge *d)
{
	set_state(d, EDGE_LEAVING);
	clock_timer_stop(&d->lost);
	d->leave_by_ms = clock_now_ms(d->edges->opts.clock) + LEAVE_MS;
	if (d->up)
		edges_control_drain(d, true);
	clock_timer_start(&d->leaving, LEAVE_STEP_MS);
}

/* Named again.  A new connection undoes that it was told to drain. */
static void
stay(struct edge *d, const struct gateway_host *host)
{
	clock_timer_stop(&d->leaving);
	set_state(d, EDGE_LISTED);
	edge_link_move(d->link, &host->address);
}

/* --- coming ------------------------------------------------------------- */

static void
init_edge(struct edge *d, struct edges *e, unsigned index)
{
	d->edges = e;
	d->index = index;
	d->state = EDGE_GONE;
	log_init(&d->log, "edges");
	list_init(&d->all);
	clock_timer_init(&d->lost, e->opts.clock, on_lost, d);
	clock_timer_init(&d->leaving, e->opts.clock, on_leaving, d);
}

static int
new_edge(struct edge **out, struct edges *e, unsigned index)
{
	struct edge *d = calloc(1, sizeof(*d));
	int rc;

	if (d == NULL)
		return ERR_NOMEM;
	rc = edge_streams_new(&d->streams);
	if (rc < 0) {
		free(d);
		return rc;
	}
	init_edge(d, e, index);
	list_append(&e->all, &d->all);
	e->v[index] = d;
	*out = d;
	return 0;
}

/* Nobody can mean the one that had this number. */
static bool
is_forgotten(const struct edge *d)
{
	return d->state == EDGE_GONE && d->owed == 0 &&
	       clock_now_ms(d->edges->opts.clock) - d->gone_ms >
		   BARRIER_MAX_AGE_MS;
}

static int
find_slot(struct edge **out, struct edges *e)
{
	for (unsigned i = 0; i < EDGES_SLOTS; i++) {
		struct edge *d = e->v[i];

		if (d == NULL)
			return new_edge(out, e, i);
		if (is_forgotten(d)) {
			*out = d;
			return 0;
		}
	}
	return ERR_FULL;
}

/* Begins anew, but for what lasts. */
static void
reset_edge(struct edge *d, const char *name)
{
	snprintf(d->name, sizeof(d->name), "%s", name);
	log_object(&d->log, "edge=%s", d->name);
	d->draining = false;
	d->known = 0;
	d->refusal[0] = '\0';
	json_decref(d->fenced);
	d->fenced = NULL;
	json_decref(d->stats);
	d->stats = NULL;
	d->proofs.count = 0;
	d->traced_dropped = 0;
	d->since_ms = clock_now_ms(d->edges->opts.clock);
}

/* boot: one that comes back has one of its own, so that the edge forgets pings
 * whose answers would be looked for under the former number. */
static int
open_edge(struct edges *e, const struct gateway_host *host, const char *boot)
{
	struct edge_link_opts opts = {
		.loop = e->opts.loop,
		.clock = e->opts.clock,
		.tls = e->opts.tls,
		.name = host->name,
		.address = host->address,
		.node = e->opts.conf->node,
		.boot = boot,
		.store = e->store,
		.epoch = e->opts.epoch,
		.events = &link_events,
	};
	struct edge *d;
	int rc = find_slot(&d, e);

	if (rc < 0)
		return rc;
	reset_edge(d, host->name);
	opts.arg = d;
	rc = edge_link_open(&d->link, &opts);
	if (rc < 0)
		return rc;
	set_state(d, EDGE_LISTED);
	e->open++;
	return 0;
}

static const struct gateway_host *
find_host(const struct edges *e, const char *name)
{
	const struct gateway_conf *c = e->opts.conf;

	for (size_t i = 0; i < c->edge_count; i++)
		if (strcmp(c->edges[i].name, name) == 0)
			return &c->edges[i];
	return NULL;
}

static struct edge *
find_open(const struct edges *e, const char *name)
{
	LIST_FOREACH (it, &e->all) {
		struct edge *d = list_entry(it, struct edge, all);

		if ((d->state == EDGE_LISTED || d->state == EDGE_LEAVING) &&
		    strcmp(d->name, name) == 0)
			return d;
	}
	return NULL;
}

static void
add_edge(struct edges *e, const struct gateway_host *host)
{
	char boot[2 * BOOT_BYTES + 1];
	int rc;

	random_hex(boot, BOOT_BYTES);
	rc = open_edge(e, host, boot);
	if (rc < 0)
		log_error(&e->log, "edge-not-added", "edge=%s error=%s",
		    host->name, err_str(rc));
}

void
edges_reload(struct edges *e)
{
	const struct gateway_conf *c = e->opts.conf;

	for (size_t i = 0; i < c->edge_count; i++) {
		struct edge *d = find_open(e, c->edges[i].name);

		if (d == NULL)
			add_edge(e, &c->edges[i]);
		else if (d->state == EDGE_LEAVING)
			stay(d, &c->edges[i]);
		else if (!edge_link_is_at(d->link, &c->edges[i].address))
			edge_link_move(d->link, &c->edges[i].address);
	}
	LIST_FOREACH (it, &e->all) {
		struct edge *d = list_entry(it, struct edge, all);

		if (d->state == EDGE_LISTED && find_host(e, d->name) == NULL)
			leave(d);
	}
	/* One that is leaving may have been all that was waited for. */
	edges_control_settle(e);
}

int
edges_open(struct edges **out, const struct edges_opts *opts)
{
	struct edges *e = calloc(1, sizeof(*e));
	int rc;

	if (e == NULL)
		return ERR_NOMEM;
	e->opts = *opts;
	e->opts.boot = e->opts.store = NULL;
	log_init(&e->log, "edges");
	list_init(&e->all);
	edges_trace_init(e);
	e->store = strdup(opts->store);
	rc = e->store != NULL ? failures_new(&e->failures) : ERR_NOMEM;
	for (size_t i = 0; rc == 0 && i < opts->conf->edge_count; i++)
		rc = open_edge(e, &opts->conf->edges[i], opts->boot);
	if (rc == 0) {
		*out = e;
		return 0;
	}
	/* Links already open take a loop turn to end. */
	e->silent = true;
	if (e->open > 0)
		edges_close(e);
	else
		finish(e);
	return rc;
}

void
edges_close(struct edges *e)
{
	size_t open = e->open;

	if (e->closing)
		return;
	e->closing = true;
	clock_timer_stop(&e->trace_again);
	/* The last one may take e with it. */
	for (size_t i = 0; open > 0; i++) {
		struct edge *d = e->v[i];

		if (d == NULL || d->link == NULL)
			continue;
		open--;
		clock_timer_stop(&d->lost);
		clock_timer_stop(&d->leaving);
		edge_link_close(d->link);
	}
}

void
edges_set_tls(struct edges *e, SSL_CTX *tls)
{
	e->opts.tls = tls;
	LIST_FOREACH (it, &e->all) {
		struct edge *d = list_entry(it, struct edge, all);

		if (d->link != NULL)
			edge_link_set_tls(d->link, tls);
	}
}

/* --- stanzas ------------------------------------------------------------ */

int
edges_send(struct edges *e, unsigned edge, const struct buf *frame,
    struct edges_sender *sender, uint64_t *seq)
{
	struct edge *d = edge_of(e, edge);
	int rc;

	if (d->state != EDGE_LISTED && d->state != EDGE_LEAVING)
		return ERR_CLOSED;
	rc = channel_send(edge_link_channel(d->link), frame, sender, seq);
	if (rc == 0 && e->tap != NULL)
		edges_trace_sent(d, frame, *seq);
	return rc;
}

void
edges_withdraw(struct edges *e, unsigned edge, uint64_t seq)
{
	struct edge *d = edge_of(e, edge);

	if (e->tap != NULL)
		edges_trace_result(d, false, seq, NULL);
	if (d->link != NULL)
		(void)channel_withdraw(edge_link_channel(d->link), seq);
}

void
edges_answer(
    struct edges *e, struct edges_ticket ticket, const struct channel_result *r)
{
	struct edge *d = edge_of(e, ticket.edge);

	assert(d->owed > 0);
	d->owed--;
	if (e->tap != NULL)
		edges_trace_result(d, true, ticket.seq, r);
	/* Nobody is there to hear it: the edge has told the sender so. */
	if (d->link != NULL)
		channel_answer(edge_link_channel(d->link), ticket.seq, r);
}

bool
edges_reach(const struct edges *e, const char *local, const char *remote)
{
	LIST_FOREACH (it, &e->all) {
		const struct edge *d = list_entry(it, struct edge, all);

		if (d->up && edge_streams_reach(d->streams, local, remote))
			return true;
	}
	return false;
}

bool
edges_stream_broken(const struct edges *e, const char *id)
{
	LIST_FOREACH (it, &e->all)
		if (edge_streams_live(
			list_entry(it, struct edge, all)->streams, id))
			return false;
	return true;
}
