/*
 * What races is TCP.  The attempt whose connection is up first leads: the others
 * are let go, so that the partner sees one negotiation, and their addresses come
 * last should it fail.  Another address is tried each ATTEMPT_DELAY_MS, and at
 * once when an attempt ends.
 */
#include "edge-proxy/connector_impl.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>

#include "common/err.h"
#include "edge-proxy/hosting.h"

enum { ATTEMPT_DELAY_MS = 250 /* RFC 8305 5 */ };

/* How far an attempt got that ended so. */
static unsigned
rank_of(enum s2s_out_why why)
{
	switch (why) {
	case S2S_OUT_CONNECT:
		return 1;
	case S2S_OUT_LOCAL:
	case S2S_OUT_LOST:
	case S2S_OUT_PEER_CLOSED:
	case S2S_OUT_PROTOCOL:
		return 2;
	case S2S_OUT_TLS:
		return 3;
	case S2S_OUT_AUTH:
	case S2S_OUT_DIALBACK:
		return 4;
	case S2S_OUT_ERROR:
		return 5;
	}
	return 0;
}

static void
remember(struct connector *c, const struct s2s_out_end *end,
    const struct stream_info *info)
{
	unsigned rank = rank_of(end->why);

	if (rank < c->rank)
		return;
	c->rank = rank;
	route_failure_of_end(&c->failure, end, info->reason);
	snprintf(c->id, sizeof(c->id), "%s", info->id);
	snprintf(c->peer, sizeof(c->peer), "%s", info->peer);
	/* static texts */
	c->auth = info->auth;
	c->tls = info->tls;
	c->cipher = info->cipher;
}

/* --- attempts ------------------------------------------------------------ */

static bool start(struct connector *c, struct candidate *to, bool plain);

/* TCP is up: the race is over. */
static void
on_attempt_connected(struct s2s_out *s, void *arg)
{
	struct connector_attempt *a = arg;
	struct connector *c = a->connector;

	(void)s;
	if (c->cancelled || a->dropped)
		return;
	assert(c->leader == NULL);
	c->leader = a;
	clock_timer_stop(&c->delay);
	for (size_t i = 0; i < CONNECTOR_LIVE_MAX; i++) {
		struct connector_attempt *other = &c->attempts[i];

		if (other == a || other->stream == NULL || other->dropped)
			continue;
		other->dropped = true;
		candidates_give_back(other->candidate);
		s2s_out_close(
		    other->stream, STREAM_ERR_NONE, "another one was faster");
	}
}

static void
on_attempt_up(struct s2s_out *s, void *arg)
{
	struct connector_attempt *a = arg;
	struct connector *c = a->connector;

	/* Connections let go end in the same turn of the loop. */
	assert(c->leader == a && c->live == 1);
	connector_drop_queries(c);
	c->opts.events->on_stream(s, c->opts.arg);
	connector_destroy(c);
}

/* Whether the target speaks TLS at once. */
static bool
is_direct(const struct connector *c, const struct candidate *to)
{
	return c->targets.v[to->target].direct;
}

/* What signed DNS says of the server at that address. */
static struct dane_server
server_of(const struct connector *c, const struct candidate *to)
{
	return target_tlsa_of(&c->tlsa, &c->targets.v[to->target], to->target);
}

/* TLS is not to be had there, and the partner's row permits to do without.  A
 * question about a key is never put again in the clear, a port that is for TLS
 * has no ear for anything else, and TLSA records forbid it. */
static bool
worth_plain(const struct connector *c, const struct connector_attempt *was,
    const struct s2s_out_end *end)
{
	unsigned m = hosting_methods(c->opts.hosting, c->local, c->remote);

	return end->why == S2S_OUT_TLS && !was->plain && !c->opts.asks &&
	       !is_direct(c, was->candidate) &&
	       server_of(c, was->candidate).tlsa == NULL &&
	       (m & AUTH_DIALBACK_TCP) != 0 &&
	       c->started < CONNECTOR_ATTEMPTS_MAX &&
	       clock_timer_running(&c->limit);
}

static void
on_attempt_end(struct s2s_out *s, const struct s2s_out_end *end,
    const struct stream_info *info, void *arg)
{
	struct connector_attempt *a = arg;
	struct connector *c = a->connector;
	const struct connector_attempt was = *a;

	(void)s;
	*a = (struct connector_attempt){ .connector = c };
	c->live--;
	if (c->leader == a)
		c->leader = NULL;
	if (c->cancelled) {
		if (c->live > 0)
			return;
		c->opts.events->on_cancelled(c->opts.arg);
		connector_destroy(c);
		return;
	}
	if (was.dropped) {
		connector_launch(c);
		return;
	}
	remember(c, end, info);
	if (worth_plain(c, &was, end)) {
		log_info(
		    &c->log, "trying-without-tls", "reason=%s", info->reason);
		if (start(c, was.candidate, true))
			return;
	}
	clock_timer_stop(&c->delay);
	connector_launch(c);
}

static void
on_attempt_drained(struct s2s_out *s, void *arg)
{
	(void)s; /* nothing is written before the stream is handed on */
	(void)arg;
}

static const struct s2s_out_events attempt_events = {
	.on_connected = on_attempt_connected,
	.on_up = on_attempt_up,
	.on_drained = on_attempt_drained,
	.on_end = on_attempt_end,
};

/* Our own address of that family, or NULL for any. */
static const struct sockaddr *
source_for(const struct connector *c, const struct sockaddr_storage *target)
{
	const struct sockaddr_storage *own = target->ss_family == AF_INET6
						 ? c->opts.outgoing6
						 : c->opts.outgoing4;

	return own->ss_family == target->ss_family
		   ? (const struct sockaddr *)own
		   : NULL;
}

static struct connector_attempt *
free_attempt(struct connector *c)
{
	for (size_t i = 0; i < CONNECTOR_LIVE_MAX; i++)
		if (c->attempts[i].stream == NULL)
			return &c->attempts[i];
	return NULL;
}

/* False when it could not even begin: then there will be no more. */
static bool
start(struct connector *c, struct candidate *to, bool plain)
{
	struct connector_attempt *a = free_attempt(c);
	struct dane_server server = server_of(c, to);
	struct s2s_out_opts opts = {
		.loop = c->opts.loop,
		.clock = c->opts.clock,
		.hosting = c->opts.hosting,
		.identities = c->opts.identities,
		.local = c->local,
		.remote = c->remote,
		.addr = (const struct sockaddr *)&to->addr,
		.bind = source_for(c, &to->addr),
		.asks = c->opts.asks,
		.plain = plain,
		.direct = is_direct(c, to),
		.server = &server,
		.events = &attempt_events,
		.arg = a,
	};
	char id[STREAM_ID_SIZE];
	int rc;

	assert(a != NULL);
	c->opts.make_id(id, c->opts.id_arg);
	opts.id = id;
	rc = s2s_out_open(&a->stream, &opts);
	if (rc < 0) {
		c->started = CONNECTOR_ATTEMPTS_MAX;
		route_failure_set(
		    &c->failure, COND_RESOURCE_CONSTRAINT, NULL, err_str(rc));
		return false;
	}
	a->connector = c;
	a->candidate = to;
	a->plain = plain;
	c->live++;
	c->started++;
	clock_timer_start(&c->delay, ATTEMPT_DELAY_MS);
	return true;
}

/* The next candidate, for which another target may have to be resolved. */
static struct candidate *
next_candidate(struct connector *c)
{
	struct candidate *next = candidates_take(&c->candidates);

	while (next == NULL && c->a == NULL && c->aaaa == NULL &&
	       connector_resolve_next(c))
		next = candidates_take(&c->candidates);
	return next;
}

/* Whether a connection that is there already may do for this one. */
static bool
may_be_spared(const struct connector *c, const struct candidate *to)
{
	return c->opts.events->on_candidate != NULL &&
	       server_of(c, to).tlsa == NULL;
}

void
connector_launch(struct connector *c)
{
	struct candidate *next = NULL;

	if (c->leader != NULL || clock_timer_running(&c->delay) ||
	    clock_timer_running(&c->resolution) ||
	    c->tlsa.state == TARGET_ASKED)
		return;
	if (c->started < CONNECTOR_ATTEMPTS_MAX &&
	    clock_timer_running(&c->limit)) {
		if (c->live == CONNECTOR_LIVE_MAX)
			return;
		next = next_candidate(c);
		if (next == NULL && (c->a != NULL || c->aaaa != NULL))
			return;
	}
	if (next != NULL && may_be_spared(c, next) &&
	    c->opts.events->on_candidate(&next->addr, c->opts.arg))
		return;
	if ((next == NULL || !start(c, next, false)) && c->live == 0)
		connector_fail(c);
}

static void
on_due(struct clock_timer *t, void *arg)
{
	(void)t;
	connector_launch(arg);
}

void
connector_race_close(struct connector *c, enum stream_error e, const char *why)
{
	for (size_t i = 0; i < CONNECTOR_LIVE_MAX; i++)
		if (c->attempts[i].stream != NULL)
			s2s_out_close(c->attempts[i].stream, e, why);
}

void
connector_race_stop(struct connector *c)
{
	clock_timer_stop(&c->delay);
	clock_timer_stop(&c->resolution);
}

void
connector_race_init(struct connector *c)
{
	clock_timer_init(&c->delay, c->opts.clock, on_due, c);
	clock_timer_init(&c->resolution, c->opts.clock, on_due, c);
}
