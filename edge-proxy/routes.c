/*
 * routes - the table of pairs; what happens to a stanza of one pair is told in
 * route.c.
 *
 * A route is made when a permitted pair is first used and stays until the end:
 * there can be no more of them than rows of hosted domains and partners.
 */
#include "edge-proxy/routes.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/list.h"
#include "common/log.h"
#include "common/map.h"
#include "edge-proxy/barrier_stream.h"
#include "edge-proxy/dialback_verify.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/route.h"
#include "edge-proxy/s2s_in.h"
#include "edge-proxy/s2s_out.h"

struct routes {
	struct routes_opts opts;
	struct route_shared shared;
	struct log log;
	struct map by_pair;
	struct list all;
};

static struct route *
find(struct routes *r, const char *local, const char *remote)
{
	char key[2 * 256];
	size_t l = strlen(local) + 1, m = strlen(remote) + 1;
	struct map_node *n;

	if (l > 256 || m > 256)
		return NULL;
	memcpy(key, local, l);
	memcpy(key + l, remote, m);
	n = map_get(&r->by_pair, key, l + m);
	return n != NULL ? map_entry(n, struct route, node) : NULL;
}

static struct route *
add(struct routes *r, const struct route_stanza *s)
{
	struct route *t = route_new(&r->shared, s->local, s->remote);

	if (t == NULL)
		return NULL;
	list_append(&r->all, &t->link);
	map_put(&r->by_pair, &t->node, t->key, t->key_len);
	return t;
}

static bool
is_permitted(const struct routes *r, const char *local, const char *remote)
{
	return hosting_partner(r->opts.hosting, local, remote) != NULL;
}

static int
refuse_or_find(
    struct routes *r, const struct route_stanza *s, struct route **out)
{
	*out = NULL;
	if (r->shared.closing)
		return ERR_CLOSED;
	if (map_get(&r->shared.by_cookie, &s->cookie, sizeof(s->cookie)) !=
	    NULL)
		return ERR_EXISTS;
	if (s->barrier != NULL && strlen(s->barrier) >= BARRIER_ID_SIZE)
		return ERR_TOO_LONG;
	*out = find(r, s->local, s->remote);
	return 0;
}

int
routes_send(struct routes *r, const struct route_stanza *s)
{
	struct route *t;
	int rc = refuse_or_find(r, s, &t);

	if (rc < 0)
		return rc;
	if (!is_permitted(r, s->local, s->remote)) {
		route_bounce(&r->shared, s->cookie, COND_NOT_ALLOWED,
		    "not a permitted partner");
		return 0;
	}
	if (t == NULL)
		t = add(r, s);
	if (t == NULL)
		return ERR_NOMEM;
	return route_take(t, s);
}

int
routes_probe(struct routes *r, const struct route_stanza *s)
{
	struct route_stanza ping = *s;
	struct route *t;
	int rc = refuse_or_find(r, s, &t);

	if (rc < 0)
		return rc;
	if (s->barrier == NULL)
		return ERR_MALFORMED;
	if (t == NULL && is_permitted(r, s->local, s->remote))
		t = add(r, s);
	if (t == NULL || !route_can_probe(t)) {
		route_bounce(&r->shared, s->cookie, COND_REMOTE_SERVER_TIMEOUT,
		    "no stream to the partner");
		return 0;
	}
	ping.xml = NULL;
	ping.len = 0;
	return route_take(t, &ping);
}

void
routes_proof(struct routes *r, const char *barrier)
{
	LIST_FOREACH (it, &r->all) {
		struct route *t = list_entry(it, struct route, link);

		if (barrier_stream_proof(&t->barrier, barrier))
			return;
	}
	log_debug(&r->log, "proof-of-nothing", "barrier=%s", barrier);
}

void
routes_forget_pings(struct routes *r, const char *node)
{
	struct buf prefix;
	const char *s;

	buf_init(&prefix, 0);
	buf_addf(&prefix, "sp1-%s-", node);
	s = buf_cstr(&prefix);
	LIST_FOREACH (it, &r->all) {
		if (s != NULL)
			barrier_stream_forget(
			    &list_entry(it, struct route, link)->barrier, s);
	}
	buf_finish(&prefix);
}

void
routes_add_back(struct routes *r, struct s2s_in *s)
{
	int rc = carrier_open_back(&r->shared, s);

	if (rc < 0)
		log_warn(&r->log, "way-back-unused", "stream=%s error=%s",
		    s2s_in_id(s), err_str(rc));
}

void
routes_heard(struct routes *r, const char *remote)
{
	LIST_FOREACH (it, &r->all) {
		struct route *t = list_entry(it, struct route, link);

		if (strcmp(t->remote, remote) == 0)
			route_heard(t);
	}
}

int
routes_verify(struct routes *r, struct dialback_ask *a)
{
	struct route *t = find(r, a->local, a->remote);

	return dialback_verify(
	    &r->shared, t != NULL ? carrier_stream(&t->rider) : NULL, a);
}

bool
routes_withdraw(struct routes *r, void *cookie)
{
	return route_withdraw(&r->shared, cookie);
}

void
routes_recheck(struct routes *r)
{
	struct route_failure f;

	route_failure_set(
	    &f, COND_NOT_ALLOWED, NULL, "no longer a permitted partner");
	carrier_thin_out(&r->shared);
	LIST_FOREACH (it, &r->all) {
		struct route *t = list_entry(it, struct route, link);

		if (!is_permitted(r, t->local, t->remote))
			route_shut(t, &f, "no longer permitted");
		else
			route_recheck(t);
	}
}

void
routes_each_stream(struct routes *r, routes_each_fn *fn, void *arg)
{
	carrier_each(&r->shared, fn, arg);
}

void
routes_each_waiting(const struct routes *r, routes_waiting_fn *fn, void *arg)
{
	uint64_t now = clock_now_ms(r->opts.clock);

	LIST_FOREACH (it, &r->all) {
		const struct route *t = list_entry(it, struct route, link);
		struct routes_waiting w = { .local = t->local,
			.remote = t->remote,
			.reason = t->last_failure.reason,
			.failures = t->failures };

		if (t->state != ROUTE_BACKOFF)
			continue;
		if (t->backoff.due_ms > now)
			w.left_ms = t->backoff.due_ms - now;
		fn(&w, arg);
	}
}

void
routes_limit_queues(struct routes *r, size_t stanzas)
{
	r->shared.queue_max = stanzas;
}

void
routes_rest(struct routes *r)
{
	carrier_rest_all(&r->shared);
}

size_t
routes_unsettled(const struct routes *r)
{
	return r->shared.by_cookie.count;
}

/* --- life ---------------------------------------------------------------- */

static void
on_all_closed(struct clock_timer *timer, void *arg)
{
	struct routes *r = arg;

	(void)timer;
	LIST_FOREACH_SAFE (it, &r->all)
		route_free(list_entry(it, struct route, link));
	map_finish(&r->by_pair);
	map_finish(&r->shared.by_cookie);
	if (r->opts.on_closed != NULL)
		r->opts.on_closed(r->opts.arg);
	free(r);
}

int
routes_open(struct routes **out, const struct routes_opts *opts)
{
	struct routes *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return ERR_NOMEM;
	r->opts = *opts;
	r->shared.opts = &r->opts;
	log_init(&r->log, "routes");
	list_init(&r->all);
	list_init(&r->shared.carriers);
	list_init(&r->shared.verifications);
	clock_timer_init(&r->shared.closed, opts->clock, on_all_closed, r);
	if (map_init(&r->by_pair) < 0)
		goto fail;
	if (map_init(&r->shared.by_cookie) < 0) {
		map_finish(&r->by_pair);
		goto fail;
	}
	*out = r;
	return 0;

fail:
	free(r);
	return ERR_NOMEM;
}

void
routes_close(struct routes *r)
{
	struct route_failure f;

	if (r->shared.closing)
		return;
	r->shared.closing = true;
	dialback_verify_shut(&r->shared);
	route_failure_set(
	    &f, COND_REMOTE_SERVER_TIMEOUT, NULL, "the edge is stopping");
	LIST_FOREACH (it, &r->all)
		route_shut(list_entry(it, struct route, link), &f,
		    "the edge is stopping");
	carrier_close_back(&r->shared);
	if (r->shared.live == 0)
		clock_timer_start(&r->shared.closed, 0);
}
