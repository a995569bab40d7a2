/*
 * routes - the way out.
 *
 *   idle ──► connecting ──► up ──► idle
 *              │             │
 *              └► back-off ◄─┘ ──► idle
 *
 * A stanza for an idle pair starts a connector and waits in the pair's queue.
 * When the stream is up the queue is written in order, as far as the
 * connection takes it; only with an empty queue does a stanza go out at once.
 * What was written with a barrier is in the hands of barrier_stream until it is
 * proven.
 *
 * When a stream ends, what was written and not proven fails: the partner may or
 * may not have it, and its sender is told so.  What still waits was never
 * written: it goes with a new stream, unless the partner's words or a failed
 * attempt put the pair into back-off, which fails it too.
 *
 * Settling calls the owner, who may send or withdraw: an item is out of every
 * list and map before its settlement is told, and loops begin anew at the head.
 */
#include "edge-proxy/routes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/list.h"
#include "common/log.h"
#include "common/map.h"
#include "common/random.h"
#include "edge-proxy/barrier_stream.h"
#include "edge-proxy/connector.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/route_failure.h"
#include "edge-proxy/s2s_out.h"
#include "edge-proxy/stream_xml.h"
#include "proto/channel.h"

enum {
	BACKOFF_MIN_MS = 1000,
	BACKOFF_FIRST_MS = 10000, /* span of the first draw; doubles */
	BACKOFF_SPAN_MS = 300000, /* and never gets longer */
	STALL_MS = 30000,         /* a partner that does not read */
	UNPROVEN_MAX = 16384
};

enum route_state {
	ROUTE_IDLE,
	ROUTE_CONNECTING,
	ROUTE_UP,
	ROUTE_BACKOFF,
	ROUTE_COUNT
};

#define BIT(n) (1u << (n))

static const struct {
	const char *name;
	unsigned next;
} states[ROUTE_COUNT] = {
	[ROUTE_IDLE] = { "idle", BIT(ROUTE_CONNECTING) },
	[ROUTE_CONNECTING] = { "connecting",
	    BIT(ROUTE_UP) | BIT(ROUTE_BACKOFF) | BIT(ROUTE_IDLE) },
	[ROUTE_UP] = { "up", BIT(ROUTE_IDLE) | BIT(ROUTE_BACKOFF) },
	[ROUTE_BACKOFF] = { "backoff", BIT(ROUTE_IDLE) },
};

/* One stanza that is not settled. */
struct item {
	struct list link;            /* in the queue of its route */
	struct barrier_item barrier; /* once it is written */
	struct map_node by_cookie;
	struct route *route;
	void *cookie;
	bool queued;
	/* while it waits, in one block: the stanza, then the barrier's id */
	char *payload;
	size_t len;
	const char *barrier_id; /* NULL for none */
};

struct route {
	struct map_node node;
	struct list link;
	struct routes *r;
	struct log log;
	char *key; /* "local NUL remote" */
	size_t key_len;
	const char *local, *remote;
	enum route_state state;
	struct connector *connector;
	struct s2s_out *stream; /* while up */
	struct list queue;
	size_t queue_frames, queue_bytes;
	struct barrier_stream barrier;
	size_t unproven;
	struct clock_timer backoff;
	struct clock_timer stall;
	unsigned failures; /* in a row */
	struct route_failure last_failure;
};

struct routes {
	struct routes_opts opts;
	struct log log;
	struct map by_pair;
	struct map by_cookie;
	struct list all;
	size_t live; /* connectors and streams that have not ended */
	bool closing;
	struct clock_timer closed;
};

static void drain(struct route *t);
static void connect_route(struct route *t);

/* The only place that writes t->state. */
static void
set_state(struct route *t, enum route_state to)
{
	assert(states[t->state].next & BIT(to));
	log_debug(&t->log, "state", "from=%s to=%s", states[t->state].name,
	    states[to].name);
	t->state = to;
}

/* --- settling ------------------------------------------------------------ */

static void
tell_failed(struct routes *r, void *cookie, const struct route_failure *f)
{
	struct channel_result result = {
		.delivered = false,
		.condition = f->condition,
		.error_type = f->type,
		.text = f->reason[0] != '\0' ? f->reason : NULL,
	};

	r->opts.on_settled(r->opts.arg, cookie, &result);
}

static void
tell_delivered(struct routes *r, void *cookie, enum proof by)
{
	struct channel_result result = { .delivered = true, .proof = by };

	r->opts.on_settled(r->opts.arg, cookie, &result);
}

static void
leave_queue(struct item *i)
{
	if (!i->queued)
		return;
	i->queued = false;
	list_remove(&i->link);
	i->route->queue_frames--;
	i->route->queue_bytes -= i->len;
}

/* Takes the item out of everything; returns what its settlement needs. */
static void *
release(struct item *i)
{
	void *cookie = i->cookie;

	leave_queue(i);
	list_remove(&i->barrier.link);
	if (i->barrier.number != 0)
		i->route->unproven--;
	map_remove(&i->route->r->by_cookie, &i->by_cookie);
	free(i->payload);
	free(i);
	return cookie;
}

static void
fail_queue(struct route *t, const struct route_failure *f)
{
	struct route_failure copy = *f;

	while (!list_empty(&t->queue))
		tell_failed(t->r,
		    release(list_entry(t->queue.next, struct item, link)),
		    &copy);
}

static void
fail_unproven(struct route *t, const struct route_failure *f)
{
	struct route_failure copy = *f;
	struct barrier_item *b;

	while ((b = barrier_stream_take(&t->barrier)) != NULL)
		tell_failed(
		    t->r, release(list_entry(b, struct item, barrier)), &copy);
}

/* --- streams ------------------------------------------------------------- */

static void
report(struct route *t, enum stream_event ev)
{
	struct stream_info info;

	s2s_out_info(t->stream, &info);
	t->r->opts.on_event(ev, &info, t->r->opts.arg);
}

static void
drop_live(struct routes *r)
{
	assert(r->live > 0);
	if (--r->live == 0 && r->closing)
		clock_timer_start(&r->closed, 0);
}

/* The pair is left alone for a random time that grows with each failure. */
static void
back_off(struct route *t, const struct route_failure *f)
{
	uint32_t span = BACKOFF_FIRST_MS;
	uint64_t ms;

	for (unsigned i = 0; i < t->failures && span < BACKOFF_SPAN_MS; i++)
		span *= 2;
	if (span > BACKOFF_SPAN_MS)
		span = BACKOFF_SPAN_MS;
	t->failures++;
	t->last_failure = *f;
	set_state(t, ROUTE_BACKOFF);
	ms = BACKOFF_MIN_MS + random_below(span);
	clock_timer_start(&t->backoff, ms);
	log_info(&t->log, "backoff", "ms=%llu failures=%u",
	    (unsigned long long)ms, t->failures);
	fail_queue(t, f);
}

static void
on_backoff_over(struct clock_timer *timer, void *arg)
{
	(void)timer;
	set_state(arg, ROUTE_IDLE);
}

static void
on_stall(struct clock_timer *timer, void *arg)
{
	struct route *t = arg;

	(void)timer;
	if (t->stream != NULL)
		s2s_out_close(t->stream, STREAM_ERR_CONNECTION_TIMEOUT,
		    "partner does not read");
}

static void
on_stream_up(struct s2s_out *s, void *arg)
{
	(void)s; /* was told to the connector */
	(void)arg;
}

static void
on_stream_drained(struct s2s_out *s, void *arg)
{
	struct route *t = arg;

	if (t->stream == s)
		drain(t);
}

/* The stream takes no more. */
static void
on_stream_down(struct s2s_out *s, const struct s2s_out_end *end, void *arg)
{
	struct route *t = arg;
	struct stream_info info;
	struct route_failure f;

	s2s_out_info(s, &info);
	route_failure_of_end(&f, end, info.reason);
	report(t, STREAM_DOWN);
	t->stream = NULL;
	clock_timer_stop(&t->stall);
	if (route_failure_retry_at_once(end) || t->r->closing) {
		set_state(t, ROUTE_IDLE);
		fail_unproven(t, &f);
	} else {
		back_off(t, &f);
		fail_unproven(t, &f);
	}
	barrier_stream_reset(&t->barrier);
	if (!list_empty(&t->queue) && t->state == ROUTE_IDLE && !t->r->closing)
		connect_route(t);
}

static void
on_stream_end(struct s2s_out *s, const struct s2s_out_end *end,
    const struct stream_info *info, void *arg)
{
	struct route *t = arg;

	(void)s;
	(void)end;
	(void)info;
	drop_live(t->r);
}

static const struct s2s_out_events stream_events = {
	.on_up = on_stream_up,
	.on_drained = on_stream_drained,
	.on_down = on_stream_down,
	.on_end = on_stream_end,
};

static void
on_connector_stream(struct s2s_out *s, void *arg)
{
	struct route *t = arg;

	t->connector = NULL;
	t->stream = s;
	t->failures = 0;
	s2s_out_set_owner(s, &stream_events, t);
	set_state(t, ROUTE_UP);
	report(t, STREAM_UP);
	drain(t);
}

static void
on_connector_failed(
    const struct route_failure *f, const struct stream_info *info, void *arg)
{
	struct route *t = arg;

	t->connector = NULL;
	t->r->opts.on_event(STREAM_FAILED, info, t->r->opts.arg);
	back_off(t, f);
	drop_live(t->r);
}

static void
on_connector_cancelled(void *arg)
{
	struct route *t = arg;

	t->connector = NULL;
	set_state(t, ROUTE_IDLE);
	if (!list_empty(&t->queue) && !t->r->closing)
		connect_route(t);
	drop_live(t->r);
}

static const struct connector_events connector_events = {
	.on_stream = on_connector_stream,
	.on_failed = on_connector_failed,
	.on_cancelled = on_connector_cancelled,
};

static void
connect_route(struct route *t)
{
	const struct routes_opts *o = &t->r->opts;
	struct route_failure f;
	int rc;

	set_state(t, ROUTE_CONNECTING);
	rc = connector_open(&t->connector, &(struct connector_opts){
					       .loop = o->loop,
					       .clock = o->clock,
					       .resolver = o->resolver,
					       .hosting = o->hosting,
					       .identities = o->identities,
					       .local = t->local,
					       .remote = t->remote,
					       .outgoing4 = &o->outgoing4,
					       .outgoing6 = &o->outgoing6,
					       .make_id = o->make_id,
					       .id_arg = o->arg,
					       .events = &connector_events,
					       .arg = t,
					   });
	if (rc < 0) {
		route_failure_set(
		    &f, COND_RESOURCE_CONSTRAINT, NULL, err_str(rc));
		back_off(t, &f);
		return;
	}
	t->r->live++;
}

/* --- proof --------------------------------------------------------------- */

static void
on_ping(const char *id, void *arg)
{
	struct route *t = arg;
	struct buf out;

	if (t->stream == NULL)
		return;
	buf_init(&out, 0);
	stream_xml_ping(&out, t->local, t->remote, id);
	/* A stream that cannot take it is ending; that settles the rest. */
	if (!buf_failed(&out))
		s2s_out_write(t->stream, out.data, out.len);
	buf_finish(&out);
}

static void
on_proven(struct barrier_item *b, enum proof by, void *arg)
{
	struct route *t = arg;
	struct routes *r = t->r;

	tell_delivered(r, release(list_entry(b, struct item, barrier)), by);
}

static void
on_ability(enum proof by, void *arg)
{
	struct route *t = arg;

	if (t->stream == NULL)
		return;
	s2s_out_add_proof(t->stream, by);
	report(t, STREAM_UPDATE);
}

static void
on_dead(void *arg)
{
	struct route *t = arg;

	if (t->stream != NULL)
		s2s_out_close(t->stream, STREAM_ERR_CONNECTION_TIMEOUT,
		    "partner proves nothing any more");
}

static bool
all_acknowledged(void *arg)
{
	const struct route *t = arg;

	return t->stream != NULL && s2s_out_all_acknowledged(t->stream);
}

static const struct barrier_events barrier_events = {
	.on_ping = on_ping,
	.on_proven = on_proven,
	.on_ability = on_ability,
	.on_dead = on_dead,
	.all_acknowledged = all_acknowledged,
};

/* --- writing ------------------------------------------------------------- */

/* The item's stanza has been written. */
static void
after_write(struct route *t, struct item *i)
{
	if (i->barrier_id == NULL) {
		tell_delivered(t->r, release(i), PROOF_TCP);
		return;
	}
	t->unproven++;
	barrier_stream_written(&t->barrier, &i->barrier, i->barrier_id);
}

static bool
can_write(const struct route *t)
{
	return t->state == ROUTE_UP && t->stream != NULL &&
	       s2s_out_is_up(t->stream) && !s2s_out_backlogged(t->stream);
}

/* Writes the queue, in order, as far as the connection takes it. */
static void
drain(struct route *t)
{
	clock_timer_stop(&t->stall);
	while (!list_empty(&t->queue) && can_write(t)) {
		struct item *i = list_entry(t->queue.next, struct item, link);
		char *payload = i->payload;

		/* Not written means that the stream is ending: the item
		 * stays first in the queue and goes with the next one. */
		if (i->len > 0 && s2s_out_write(t->stream, payload, i->len) < 0)
			return;
		leave_queue(i);
		i->payload = NULL;
		after_write(t, i);
		free(payload);
	}
	if (!list_empty(&t->queue) && t->state == ROUTE_UP)
		clock_timer_start(&t->stall, STALL_MS);
}

/* --- taking stanzas ------------------------------------------------------ */

static struct item *
item_new(struct route *t, const struct route_stanza *s)
{
	size_t id_size = s->barrier != NULL ? strlen(s->barrier) + 1 : 0;
	struct item *i = calloc(1, sizeof(*i));

	if (i == NULL)
		return NULL;
	i->payload = malloc(s->len + id_size + 1);
	if (i->payload == NULL) {
		free(i);
		return NULL;
	}
	if (s->len > 0)
		memcpy(i->payload, s->xml, s->len);
	if (s->barrier != NULL) {
		memcpy(i->payload + s->len, s->barrier, id_size);
		i->barrier_id = i->payload + s->len;
	}
	i->len = s->len;
	i->cookie = s->cookie;
	i->route = t;
	list_init(&i->link);
	list_init(&i->barrier.link);
	return i;
}

static bool
queue_has_room(const struct route *t, size_t len)
{
	const struct hosting_settings *hs =
	    hosting_settings(t->r->opts.hosting, t->local);

	return t->queue_frames < hs->queue_frames &&
	       t->queue_bytes + len <= hs->queue_bytes &&
	       t->unproven < UNPROVEN_MAX;
}

static struct route *
route_new(struct routes *r, const struct route_stanza *s)
{
	size_t l = strlen(s->local) + 1, m = strlen(s->remote) + 1;
	struct route *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->key = malloc(l + m);
	if (t->key == NULL) {
		free(t);
		return NULL;
	}
	memcpy(t->key, s->local, l);
	memcpy(t->key + l, s->remote, m);
	t->key_len = l + m;
	t->local = t->key;
	t->remote = t->key + l;
	t->r = r;
	list_init(&t->queue);
	log_init(&t->log, "routes");
	log_object(&t->log, "local=%s remote=%s", t->local, t->remote);
	barrier_stream_init(&t->barrier, r->opts.clock, &barrier_events, t);
	clock_timer_init(&t->backoff, r->opts.clock, on_backoff_over, t);
	clock_timer_init(&t->stall, r->opts.clock, on_stall, t);
	list_append(&r->all, &t->link);
	map_put(&r->by_pair, &t->node, t->key, t->key_len);
	return t;
}

static struct route *
route_find(struct routes *r, const char *local, const char *remote)
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

static void
route_free(struct route *t)
{
	clock_timer_stop(&t->backoff);
	clock_timer_stop(&t->stall);
	barrier_stream_finish(&t->barrier);
	map_remove(&t->r->by_pair, &t->node);
	list_remove(&t->link);
	free(t->key);
	free(t);
}

/* Settles a stanza that is not taken further; it has no item. */
static void
bounce(struct routes *r, const struct route_stanza *s, enum condition c,
    const char *reason)
{
	struct route_failure f;

	route_failure_set(&f, c, NULL, reason);
	tell_failed(r, s->cookie, &f);
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
	if (r->closing)
		return ERR_CLOSED;
	if (map_get(&r->by_cookie, &s->cookie, sizeof(s->cookie)) != NULL)
		return ERR_EXISTS;
	if (s->barrier != NULL && strlen(s->barrier) >= BARRIER_ID_SIZE)
		return ERR_TOO_LONG;
	*out = route_find(r, s->local, s->remote);
	return 0;
}

/* Queues it, or writes it at once. */
static int
take(struct route *t, const struct route_stanza *s)
{
	struct item *i;
	int rc;

	if (!queue_has_room(t, s->len)) {
		bounce(t->r, s, COND_RESOURCE_CONSTRAINT,
		    "too much waits for the partner's server");
		return 0;
	}
	i = item_new(t, s);
	if (i == NULL)
		return ERR_NOMEM;
	rc = map_put(
	    &t->r->by_cookie, &i->by_cookie, &i->cookie, sizeof(i->cookie));
	assert(rc == 0);
	i->queued = true;
	list_append(&t->queue, &i->link);
	t->queue_frames++;
	t->queue_bytes += i->len;
	if (t->state == ROUTE_IDLE)
		connect_route(t);
	else if (t->state == ROUTE_UP && !clock_timer_running(&t->stall))
		drain(t);
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
		bounce(r, s, COND_NOT_ALLOWED, "not a permitted partner");
		return 0;
	}
	if (t == NULL)
		t = route_new(r, s);
	if (t == NULL)
		return ERR_NOMEM;
	if (t->state == ROUTE_BACKOFF) {
		tell_failed(r, s->cookie, &t->last_failure);
		return 0;
	}
	return take(t, s);
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
	if (t == NULL || t->state != ROUTE_UP) {
		bounce(r, s, COND_REMOTE_SERVER_TIMEOUT,
		    "no stream to the partner");
		return 0;
	}
	ping.xml = NULL;
	ping.len = 0;
	return take(t, &ping);
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

bool
routes_withdraw(struct routes *r, void *cookie)
{
	struct map_node *n = map_get(&r->by_cookie, &cookie, sizeof(cookie));

	if (n == NULL)
		return false;
	release(map_entry(n, struct item, by_cookie));
	return true;
}

void
routes_recheck(struct routes *r)
{
	struct route_failure f;

	route_failure_set(
	    &f, COND_NOT_ALLOWED, NULL, "no longer a permitted partner");
	LIST_FOREACH_SAFE (it, &r->all) {
		struct route *t = list_entry(it, struct route, link);

		if (is_permitted(r, t->local, t->remote))
			continue;
		fail_queue(t, &f);
		if (t->stream != NULL)
			s2s_out_close(
			    t->stream, STREAM_ERR_NONE, "no longer permitted");
		else if (t->connector != NULL)
			connector_cancel(t->connector);
	}
}

void
routes_each_stream(struct routes *r, routes_each_fn *fn, void *arg)
{
	LIST_FOREACH (it, &r->all) {
		struct route *t = list_entry(it, struct route, link);
		struct stream_info info;

		if (t->stream == NULL)
			continue;
		s2s_out_info(t->stream, &info);
		fn(&info, arg);
	}
}

size_t
routes_unsettled(const struct routes *r)
{
	return r->by_cookie.count;
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
	map_finish(&r->by_cookie);
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
	log_init(&r->log, "routes");
	list_init(&r->all);
	clock_timer_init(&r->closed, opts->clock, on_all_closed, r);
	if (map_init(&r->by_pair) < 0)
		goto fail;
	if (map_init(&r->by_cookie) < 0) {
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

	if (r->closing)
		return;
	r->closing = true;
	route_failure_set(
	    &f, COND_REMOTE_SERVER_TIMEOUT, NULL, "the edge is stopping");
	LIST_FOREACH (it, &r->all) {
		struct route *t = list_entry(it, struct route, link);

		fail_queue(t, &f);
		if (t->stream != NULL)
			s2s_out_close(
			    t->stream, STREAM_ERR_NONE, "the edge is stopping");
		if (t->connector != NULL)
			connector_cancel(t->connector);
	}
	if (r->live == 0)
		clock_timer_start(&r->closed, 0);
}
