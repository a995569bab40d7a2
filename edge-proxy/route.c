/*
 * route - the way out for one pair.
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
 * When a stream ends, what the partner has acknowledged is delivered; what was
 * written and not proven fails: the partner may or may not have it, and its
 * sender is told so.  What still waits was never
 * written: it goes with a new stream, unless the partner's words or a failed
 * attempt put the pair into back-off, which fails it too.
 *
 * Settling calls the owner, who may send or withdraw: an item is out of every
 * list and map before its settlement is told, and loops begin anew at the head.
 */
#include "edge-proxy/route.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/list.h"
#include "common/map.h"
#include "common/random.h"
#include "edge-proxy/connector.h"
#include "edge-proxy/hosting.h"
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
tell_failed(struct route_shared *r, void *cookie, const struct route_failure *f)
{
	struct channel_result result = {
		.delivered = false,
		.condition = f->condition,
		.error_type = f->type,
		.text = f->reason[0] != '\0' ? f->reason : NULL,
	};

	r->opts->on_settled(r->opts->arg, cookie, &result);
}

static void
tell_delivered(struct route_shared *r, void *cookie, enum proof by)
{
	struct channel_result result = { .delivered = true, .proof = by };

	r->opts->on_settled(r->opts->arg, cookie, &result);
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
	map_remove(&i->route->shared->by_cookie, &i->by_cookie);
	free(i->payload);
	free(i);
	return cookie;
}

static void
fail_queue(struct route *t, const struct route_failure *f)
{
	struct route_failure copy = *f;
	struct list *n;

	while ((n = list_first(&t->queue)) != NULL)
		tell_failed(t->shared,
		    release(list_entry(n, struct item, link)), &copy);
}

/* The stream is gone: the partner's last word tells what he has taken over, the
 * rest he may have or not. */
static void
settle_unproven(struct route *t, const struct route_failure *f)
{
	struct route_failure copy = *f;
	struct barrier_item *b;
	enum proof by;

	while ((b = barrier_stream_take(&t->barrier, &by)) != NULL) {
		void *cookie = release(list_entry(b, struct item, barrier));

		if (by != PROOF_NONE)
			tell_delivered(t->shared, cookie, by);
		else
			tell_failed(t->shared, cookie, &copy);
	}
}

/* --- streams ------------------------------------------------------------- */

static void
report(struct route *t, enum stream_event ev)
{
	struct stream_info info;

	s2s_out_info(t->stream, &info);
	t->shared->opts->on_event(ev, &info, t->shared->opts->arg);
}

void
route_shared_drop(struct route_shared *r)
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

static void
on_stream_managed(struct s2s_out *s, void *arg)
{
	struct route *t = arg;

	(void)s;
	barrier_stream_promised(&t->barrier);
}

static void
on_stream_acknowledged(struct s2s_out *s, uint64_t count, void *arg)
{
	struct route *t = arg;

	(void)s;
	barrier_stream_acknowledged(&t->barrier, count);
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
	if (route_failure_retry_at_once(end) || t->shared->closing) {
		set_state(t, ROUTE_IDLE);
		settle_unproven(t, &f);
	} else {
		back_off(t, &f);
		settle_unproven(t, &f);
	}
	barrier_stream_reset(&t->barrier);
	if (!list_empty(&t->queue) && t->state == ROUTE_IDLE &&
	    !t->shared->closing)
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
	route_shared_drop(t->shared);
}

static const struct s2s_out_events stream_events = {
	.on_up = on_stream_up,
	.on_drained = on_stream_drained,
	.on_managed = on_stream_managed,
	.on_acknowledged = on_stream_acknowledged,
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
	t->up_ms = clock_now_ms(t->shared->opts->clock);
	t->written = 0;
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
	t->shared->opts->on_event(STREAM_FAILED, info, t->shared->opts->arg);
	back_off(t, f);
	route_shared_drop(t->shared);
}

static void
on_connector_cancelled(void *arg)
{
	struct route *t = arg;

	t->connector = NULL;
	set_state(t, ROUTE_IDLE);
	if (!list_empty(&t->queue) && !t->shared->closing)
		connect_route(t);
	route_shared_drop(t->shared);
}

static const struct connector_events connector_events = {
	.on_stream = on_connector_stream,
	.on_failed = on_connector_failed,
	.on_cancelled = on_connector_cancelled,
};

static void
connect_route(struct route *t)
{
	const struct routes_opts *o = t->shared->opts;
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
	t->shared->live++;
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
	struct route_shared *r = t->shared;

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

static uint64_t
bytes_acknowledged(void *arg)
{
	const struct route *t = arg;

	return t->stream != NULL ? s2s_out_bytes_acknowledged(t->stream) : 0;
}

static const struct barrier_events barrier_events = {
	.on_ping = on_ping,
	.on_proven = on_proven,
	.on_ability = on_ability,
	.on_dead = on_dead,
	.bytes_acknowledged = bytes_acknowledged,
};

/* --- writing ------------------------------------------------------------- */

/* The item's stanza has been written.  What proves it is asked for behind it:
 * the ping, and an acknowledgement of both. */
static void
after_write(struct route *t, struct item *i)
{
	const struct barrier_place place = {
		.stanza = s2s_out_stanzas(t->stream),
		.bytes = s2s_out_bytes(t->stream),
	};

	t->written += i->len > 0 ? 1 : 0;
	if (i->barrier_id == NULL) {
		tell_delivered(t->shared, release(i), PROOF_TCP);
		return;
	}
	t->unproven++;
	barrier_stream_written(&t->barrier, &i->barrier, i->barrier_id, place);
	if (t->stream != NULL)
		s2s_out_request_ack(t->stream);
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
	struct list *n;

	clock_timer_stop(&t->stall);
	while ((n = list_first(&t->queue)) != NULL && can_write(t)) {
		struct item *i = list_entry(n, struct item, link);
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
	    hosting_settings(t->shared->opts->hosting, t->local);

	return t->queue_frames < hs->queue_frames &&
	       t->queue_bytes + len <= hs->queue_bytes &&
	       t->unproven < UNPROVEN_MAX;
}

int
route_take(struct route *t, const struct route_stanza *s)
{
	struct item *i;
	int rc;

	if (t->state == ROUTE_BACKOFF) {
		tell_failed(t->shared, s->cookie, &t->last_failure);
		return 0;
	}
	if (!queue_has_room(t, s->len)) {
		route_bounce(t->shared, s->cookie, COND_RESOURCE_CONSTRAINT,
		    "too much waits for the partner's server");
		return 0;
	}
	i = item_new(t, s);
	if (i == NULL)
		return ERR_NOMEM;
	rc = map_put(&t->shared->by_cookie, &i->by_cookie, &i->cookie,
	    sizeof(i->cookie));
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

/* Settles a stanza that has no item. */
void
route_bounce(
    struct route_shared *r, void *cookie, enum condition c, const char *reason)
{
	struct route_failure f;

	route_failure_set(&f, c, NULL, reason);
	tell_failed(r, cookie, &f);
}

bool
route_withdraw(struct route_shared *r, void *cookie)
{
	struct map_node *n = map_get(&r->by_cookie, &cookie, sizeof(cookie));

	if (n == NULL)
		return false;
	release(map_entry(n, struct item, by_cookie));
	return true;
}

/* --- life ---------------------------------------------------------------- */

void
route_shut(struct route *t, const struct route_failure *f, const char *reason)
{
	fail_queue(t, f);
	if (t->stream != NULL)
		s2s_out_close(t->stream, STREAM_ERR_NONE, reason);
	else if (t->connector != NULL)
		connector_cancel(t->connector);
}

struct route *
route_new(struct route_shared *shared, const char *local, const char *remote)
{
	size_t l = strlen(local) + 1, m = strlen(remote) + 1;
	struct route *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->key = malloc(l + m);
	if (t->key == NULL) {
		free(t);
		return NULL;
	}
	memcpy(t->key, local, l);
	memcpy(t->key + l, remote, m);
	t->key_len = l + m;
	t->local = t->key;
	t->remote = t->key + l;
	t->shared = shared;
	list_init(&t->link);
	list_init(&t->queue);
	log_init(&t->log, "routes");
	log_object(&t->log, "local=%s remote=%s", t->local, t->remote);
	barrier_stream_init(
	    &t->barrier, shared->opts->clock, &barrier_events, t);
	clock_timer_init(&t->backoff, shared->opts->clock, on_backoff_over, t);
	clock_timer_init(&t->stall, shared->opts->clock, on_stall, t);
	return t;
}

void
route_free(struct route *t)
{
	clock_timer_stop(&t->backoff);
	clock_timer_stop(&t->stall);
	barrier_stream_finish(&t->barrier);
	free(t->key);
	free(t);
}
