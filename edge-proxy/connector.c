/*
 * connector - see the header.
 *
 *   srv ──► addresses of a target ──► attempts to connect, one each 250 ms
 *                ▲                         │             ▲
 *                └── next target, when ────┤             │ ended too early
 *                    all are under way     ▼             │
 *                                   the first one that is connected
 *                                          │
 *                                       (stream: done)
 *
 * What is reported in the end is the failure that got furthest: once an address
 * was tried, a name that cannot be resolved is no longer the story.
 */
#include "edge-proxy/connector_impl.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/err.h"
#include "edge-proxy/hosting.h"

/* --- the end ------------------------------------------------------------- */

void
connector_destroy(struct connector *c)
{
	clock_timer_stop(&c->step);
	clock_timer_stop(&c->limit);
	clock_timer_stop(&c->service);
	clock_timer_stop(&c->delay);
	clock_timer_stop(&c->resolution);
	target_tlsa_finish(&c->tlsa);
	free(c);
}

void
connector_fail(struct connector *c)
{
	struct stream_info info = {
		.id = c->id,
		.direction = STREAM_OUT,
		.pairs = &c->pair,
		.pair_count = 1,
		.peer = c->peer,
		.auth = c->auth,
		.tls = c->tls,
		.cipher = c->cipher,
		.reason = c->failure.reason,
		.condition = condition_str(c->failure.condition),
	};

	assert(c->live == 0);
	if (c->id[0] == '\0')
		c->opts.make_id(c->id, c->opts.id_arg);
	log_warn(&c->log, "route-failed", "condition=%s reason=%s",
	    info.condition, c->failure.reason);
	connector_drop_queries(c);
	c->opts.events->on_failed(&c->failure, &info, c->opts.arg);
	connector_destroy(c);
}

/* --- the beginning and the time -------------------------------------------- */

static void
on_step(struct clock_timer *t, void *arg)
{
	struct connector *c = arg;

	(void)t;
	if (c->cancelled) {
		c->opts.events->on_cancelled(c->opts.arg);
		connector_destroy(c);
		return;
	}
	connector_targets_begin(c);
}

/* The time for all targets together is over: the attempts in progress are the
 * last ones. */
static void
on_limit(struct clock_timer *t, void *arg)
{
	struct connector *c = arg;

	(void)t;
	connector_drop_queries(c);
	connector_race_stop(c);
	if (c->live > 0) {
		connector_race_close(c, STREAM_ERR_CONNECTION_TIMEOUT,
		    "stream not established in time");
		return;
	}
	if (c->started == 0)
		route_failure_of_dns(&c->failure, DNS_FAILED, c->remote);
	connector_fail(c);
}

/* As much as is granted now, from the beginning on. */
static void
limit_establishment(struct connector *c)
{
	uint64_t ms = hosting_settings(c->opts.hosting, c->local)
			  ->stream_establishment_ms;
	uint64_t spent = clock_now_ms(c->opts.clock) - c->begun_ms;

	clock_timer_start(&c->limit, ms > spent ? ms - spent : 0);
}

int
connector_open(struct connector **out, const struct connector_opts *opts)
{
	struct connector *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return ERR_NOMEM;
	c->opts = *opts;
	snprintf(c->local, sizeof(c->local), "%s", opts->local);
	snprintf(c->remote, sizeof(c->remote), "%s", opts->remote);
	c->opts.local = c->local;
	c->opts.remote = c->remote;
	c->pair = (struct stream_pair){ c->local, c->remote, 0 };
	log_init(&c->log, "connector");
	log_object(&c->log, "local=%s remote=%s", c->local, c->remote);
	connector_targets_init(c);
	connector_race_init(c);
	clock_timer_init(&c->step, opts->clock, on_step, c);
	clock_timer_init(&c->limit, opts->clock, on_limit, c);
	c->auth = c->tls = c->cipher = "";
	/* IPv6 first, unless IPv4 is the only family we were given an address
	 * for. */
	c->candidates.prefer4 = opts->outgoing4->ss_family == AF_INET &&
				opts->outgoing6->ss_family != AF_INET6;
	c->begun_ms = clock_now_ms(opts->clock);
	clock_timer_start(&c->step, 0);
	limit_establishment(c);
	*out = c;
	return 0;
}

void
connector_recheck(struct connector *c)
{
	if (clock_timer_running(&c->limit))
		limit_establishment(c);
}

void
connector_cancel(struct connector *c)
{
	if (c->cancelled)
		return;
	c->cancelled = true;
	clock_timer_stop(&c->limit);
	connector_drop_queries(c);
	connector_race_stop(c);
	if (c->live > 0)
		connector_race_close(c, STREAM_ERR_NONE, "not wanted");
	else
		clock_timer_start(&c->step, 0);
}

bool
connector_tries(const struct connector *c, const struct sockaddr_storage *addr)
{
	for (size_t i = 0; i < CONNECTOR_LIVE_MAX; i++) {
		const struct connector_attempt *a = &c->attempts[i];

		if (a->stream != NULL && !a->dropped && !c->cancelled &&
		    candidates_same_address(&a->candidate->addr, addr))
			return true;
	}
	return false;
}
