/*
 * edge - see the header.
 *
 * What comes from partners: doors ─► s2s_in ─► inward ─► channel of a gateway.
 * What comes from gateways: inner_listener ─► outward ─► routes ─► partners.
 * This file makes the objects and takes them down in order; what happens in
 * between is in the files that edge_impl.h lists.
 */
#include "edge-proxy/edge_impl.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/failures.h"
#include "common/random.h"
#include "edge-proxy/doors.h"
#include "edge-proxy/edge_doors.h"
#include "edge-proxy/edge_gateways.h"
#include "edge-proxy/edge_memory.h"
#include "edge-proxy/edge_tell.h"
#include "edge-proxy/edge_trace.h"
#include "edge-proxy/edge_returns.h"
#include "edge-proxy/edge_visitors.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/inner_listener.h"
#include "edge-proxy/inward.h"
#include "edge-proxy/iq_asked.h"
#include "edge-proxy/outward.h"
#include "edge-proxy/proxy_gate.h"
#include "edge-proxy/routes.h"

enum {
	STATS_MS = 10000,
	DRAIN_MS = 5000, /* for what is under way when we stop */
	DRAIN_STEP_MS = 50,
	LEAVE_MS = 2000 /* for partners to say goodbye too */
};

static const struct {
	const char *name;
	unsigned next;
} stages[] = {
	[RUNNING] = { "running", 1u << DRAINING },
	[DRAINING] = { "draining", 1u << LEAVING },
	[LEAVING] = { "leaving", 1u << CLOSING },
	[CLOSING] = { "closing", 0 },
};

static void
on_stats(struct clock_timer *t, void *arg)
{
	struct edge *e = arg;

	edge_tell_stats(e);
	clock_timer_start(t, STATS_MS);
}

/* --- routes ------------------------------------------------------------- */

static void
on_route_event(enum stream_event ev, const struct stream_info *info, void *arg)
{
	struct edge *e = arg;

	if (ev == STREAM_UP)
		e->counters.out_up++;
	else if (ev == STREAM_FAILED)
		e->counters.out_failed++;
	edge_tell_stream(e, ev, info);
}

static void
on_settled(void *arg, void *cookie, const struct channel_result *r)
{
	struct edge *e = arg;

	outward_settled(e->outward, cookie, r);
}

static void
on_written(void *arg, const char *stream, const char *local, const char *remote,
    const void *xml, size_t len)
{
	struct edge *e = arg;

	edge_trace_outward(e->trace, stream, local, remote, xml, len);
}

static void
on_routes_closed(void *arg)
{
	struct edge *e = arg;

	e->routes = NULL;
	edge_proceed(e);
}

static void
on_inner_closed(void *arg)
{
	struct edge *e = arg;

	e->inner = NULL;
	edge_proceed(e);
}

/* --- hosting ------------------------------------------------------------ */

static void
on_hosting_changed(void *arg)
{
	struct edge *e = arg;

	if (e->stage >= LEAVING)
		return;
	edge_visitors_recheck(e);
	routes_recheck(e->routes);
	edge_gateways_recheck(e);
	edge_doors_settle(e);
}

/* A request of a partner's user, taken by a gateway and never answered. */
static void
on_request_late(
    const struct jid *from, const struct jid *to, const char *id, void *arg)
{
	struct edge *e = arg;

	outward_no_answer(e->outward, from, to, id, COND_REMOTE_SERVER_TIMEOUT);
}

/* --- beginning and end -------------------------------------------------- */

static int
open_parts(struct edge *e, const struct edge_conf *conf)
{
	struct inward_opts inward = {
		.clock = e->opts.clock,
		.hosting = e->hosting,
		.ops = &edge_visitors_ops,
		.arg = e,
	};
	struct routes_opts routes = {
		.loop = e->opts.loop,
		.clock = e->opts.clock,
		.resolver = e->opts.resolver,
		.hosting = e->hosting,
		.identities = e->opts.identities,
		.outgoing4 = conf->outgoing4,
		.outgoing6 = conf->outgoing6,
		.reach = &e->reach,
		.dane = &e->dane,
		.make_id = edge_visitors_make_id,
		.on_settled = on_settled,
		.on_event = on_route_event,
		.on_written = on_written,
		.on_returned = edge_returns_stanza,
		.on_returns_end = edge_returns_end,
		.is_here = edge_visitors_are_here,
		.on_closed = on_routes_closed,
		.arg = e,
	};
	const struct edge_trace_opts trace = {
		.clock = e->opts.clock,
		.hosting = e->hosting,
		.send = edge_tell_traced,
		.arg = e,
	};
	struct outward_opts outward;
	int rc;

	reach_init(&e->reach, conf);
	e->dane = conf->dane;
	rc = iq_asked_new(&e->asked, e->opts.clock, on_request_late, e);
	inward.asked = e->asked;
	if (rc == 0)
		rc = inward_new(&e->inward, &inward);
	if (rc == 0)
		rc = edge_trace_new(&e->trace, &trace);
	if (rc == 0)
		rc = doors_new(&e->doors, e->opts.loop, edge_visitors_accept,
		    edge_doors_on_exhausted, e);
	if (rc == 0)
		rc = proxy_gate_new(&e->gate, e->opts.loop, e->opts.clock,
		    edge_visitors_passed_on, e);
	if (rc == 0)
		rc = edge_doors_set(e, conf);
	if (rc == 0)
		rc = routes_open(&e->routes, &routes);
	if (rc < 0)
		return rc;
	outward = (struct outward_opts){
		.clock = e->opts.clock,
		.hosting = e->hosting,
		.routes = e->routes,
		.asked = e->asked,
	};
	return outward_new(&e->outward, &outward);
}

static int
open_inner(struct edge *e, const struct edge_conf *conf, char *why, size_t size)
{
	const struct inner_listener_opts opts = {
		.loop = e->opts.loop,
		.clock = e->opts.clock,
		.node = e->node,
		.boot = e->boot,
		.tls = e->opts.inner,
		.listen = conf->inner_listen,
		.listen_count = conf->inner_listen_count,
		.gateways = conf->gateways,
		.gateway_count = conf->gateway_count,
		.events = &edge_gateways_events,
		.on_closed = on_inner_closed,
		.arg = e,
	};

	return inner_listener_open(&e->inner, &opts, why, size);
}

/* Frees what closes at once; routes and inner listener are gone. */
static void
free_edge(struct edge *e)
{
	assert(e->routes == NULL && e->inner == NULL);
	assert(list_empty(&e->visitors));
	clock_timer_stop(&e->stats);
	clock_timer_stop(&e->stopping);
	clock_timer_stop(&e->reopen);
	edge_memory_stop(e);
	edge_trace_free(e->trace);
	outward_free(e->outward);
	inward_free(e->inward);
	iq_asked_free(e->asked);
	doors_free(e->doors);
	proxy_gate_free(e->gate);
	edge_gateways_forget(e);
	hosting_free(e->hosting);
	failures_free(e->failures);
	admission_free(e->admission);
	free(e);
}

static void on_stopping(struct clock_timer *t, void *arg);

int
edge_open(
    struct edge **out, const struct edge_opts *opts, char *why, size_t size)
{
	struct edge *e = calloc(1, sizeof(*e));
	int rc = ERR_NOMEM;

	snprintf(why, size, "%s", err_str(rc));
	if (e == NULL)
		return rc;
	e->opts = *opts;
	snprintf(e->node, sizeof(e->node), "%s", opts->conf->node);
	random_hex(e->boot, 8);
	edge_visitors_init(e);
	e->grace_ms = opts->conf->grace_ms;
	list_init(&e->books);
	log_init(&e->log, "edge");
	clock_timer_init(&e->stats, opts->clock, on_stats, e);
	clock_timer_init(&e->stopping, opts->clock, on_stopping, e);
	edge_doors_init(e);
	edge_memory_init(e);
	e->started_ms = clock_now_ms(opts->clock);
	memcpy(
	    e->inner_listen, opts->conf->inner_listen, sizeof(e->inner_listen));
	e->inner_listen_count = opts->conf->inner_listen_count;
	rc = failures_new(&e->failures);
	if (rc == 0)
		rc = hosting_new(&e->hosting);
	if (rc == 0)
		rc = admission_new(&e->admission);
	if (rc < 0) {
		hosting_free(e->hosting);
		failures_free(e->failures);
		free(e);
		return rc;
	}
	rc = open_parts(e, opts->conf);
	if (rc < 0)
		goto fail;
	/* Addresses that cannot be had are told now, not when the first
	 * gateway comes. */
	rc = doors_open(e->doors, why, size);
	doors_close(e->doors);
	if (rc == 0)
		rc = open_inner(e, opts->conf, why, size);
	if (rc < 0)
		goto fail;
	hosting_on_change(e->hosting, on_hosting_changed, e);
	clock_timer_start(&e->stats, STATS_MS);
	edge_memory_start(e);
	log_info(&e->log, "open", "node=%s boot=%s gateways=%zu", e->node,
	    e->boot, opts->conf->gateway_count);
	*out = e;
	return 0;

fail:
	/* Routes close in a later turn and take the rest along. */
	e->failed = true;
	e->stage = CLOSING;
	if (e->routes != NULL)
		routes_close(e->routes);
	else
		free_edge(e);
	return rc;
}

int
edge_reload(struct edge *e, const struct edge_conf *conf, SSL_CTX *inner)
{
	int rc;

	if (e->stage != RUNNING)
		return ERR_BAD_STATE;
	e->grace_ms = conf->grace_ms;
	reach_init(&e->reach, conf);
	e->dane = conf->dane;
	rc = inner_listener_reload(
	    e->inner, inner, conf->gateways, conf->gateway_count);
	if (rc == 0)
		rc = edge_doors_set(e, conf);
	edge_doors_settle(e);
	return rc;
}

const char *
edge_stage_str(const struct edge *e)
{
	return stages[e->stage].name;
}

/* The only place that writes e->stage after the start. */
static void
set_stage(struct edge *e, enum stage to)
{
	assert((stages[e->stage].next & 1u << to) != 0);
	log_info(&e->log, "stage", "from=%s to=%s", stages[e->stage].name,
	    stages[to].name);
	e->stage = to;
	clock_timer_stop(&e->stopping);
}

void
edge_stop(struct edge *e)
{
	if (e->stage != RUNNING)
		return;
	set_stage(e, DRAINING);
	e->drain_until = clock_now_ms(e->opts.clock) + DRAIN_MS;
	clock_timer_start(&e->stopping, 0);
	clock_timer_stop(&e->stats);
	edge_tell_drain(e);
	edge_doors_settle(e);
	edge_gateways_end_grace(e);
}

/* Asks partners to write no more. */
static void
take_leave(struct edge *e, uint64_t now)
{
	if (e->leave_until != 0)
		return;
	e->leave_until = now + LEAVE_MS;
	edge_visitors_dismiss(e);
}

/* Ends what partners have not ended. */
static void
leave(struct edge *e)
{
	set_stage(e, LEAVING);
	edge_memory_stop(e);
	edge_visitors_dismiss(e);
	routes_close(e->routes);
}

void
edge_proceed(struct edge *e)
{
	if (e->failed) {
		free_edge(e);
		return;
	}
	if (e->stage == LEAVING && list_empty(&e->visitors) &&
	    e->routes == NULL) {
		set_stage(e, CLOSING);
		/* Results of the last moment have been written by now. */
		inner_listener_close(e->inner);
		return;
	}
	if (e->stage == CLOSING && e->inner == NULL) {
		void (*fn)(void *arg) = e->opts.on_stopped;
		void *arg = e->opts.arg;

		free_edge(e);
		fn(arg);
	}
}

/* Whether partners may still be saying goodbye. */
static bool
has_visitors(const struct edge *e, uint64_t now)
{
	return !list_empty(&e->visitors) &&
	       (e->leave_until == 0 || now < e->leave_until);
}

/* Draining.  Proof of what went out comes in by the streams of partners, so
 * they stay until nothing waits for it any more, or half the time is over.
 * Then partners are asked to end their streams: what one had written before
 * he heard of it is taken, for he will not learn that it was not.  What has
 * come in gets the rest of the time. */
static void
on_stopping(struct clock_timer *t, void *arg)
{
	struct edge *e = arg;
	uint64_t now = clock_now_ms(e->opts.clock);
	size_t in = inward_under_way(e->inward);
	size_t out = routes_unsettled(e->routes);

	if (out == 0 || now + DRAIN_MS / 2 >= e->drain_until)
		take_leave(e, now);
	if ((in > 0 || out > 0 || has_visitors(e, now)) &&
	    now < e->drain_until) {
		clock_timer_start(t, DRAIN_STEP_MS);
		return;
	}
	if (in > 0 || out > 0)
		log_warn(&e->log, "drain-cut-short", "inward=%zu outward=%zu",
		    in, out);
	leave(e);
	edge_proceed(e);
}
