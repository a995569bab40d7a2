/*
 * route - the way out for one pair.
 *
 *   idle ──► connecting ──► up ──► idle
 *              │             │
 *              └► back-off ◄─┘ ──► idle
 *
 * A partner who comes to us has a server that works: his coming ends the
 * back-off.  One who comes and goes all the time gains no more by it than one
 * attempt for each back-off that would have been.
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/list.h"
#include "common/map.h"
#include "common/random.h"
#include "common/xmpp_time.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/stanza_ns.h"
#include "proto/channel.h"

enum {
	BACKOFF_MIN_MS = 1000,
	BACKOFF_FIRST_MS = 10000, /* span of the first draw; doubles */
	BACKOFF_SPAN_MS = 300000, /* and never gets longer */
	HEARD_MS = 10000, /* before our stream's end: he moved, not left */
	LATE_MS = 5000,   /* a message that waited longer says so */
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
	uint64_t taken_ms;
	/* while it waits, in one block: the stanza, then the barrier's id */
	char *payload;
	size_t len;
	const char *barrier_id; /* NULL for none */
};

static const char message_end[] = "</message>";

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
		i->route->rider.unproven--;
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

static bool
may_spare(const struct route *t)
{
	return clock_now_ms(t->shared->opts->clock) >= t->spared_until_ms;
}

static void
end_back_off(struct route *t)
{
	uint64_t left =
	    t->backoff.due_ms - clock_now_ms(t->shared->opts->clock);

	clock_timer_stop(&t->backoff);
	log_info(&t->log, "backoff-ended", "left_ms=%llu failures=%u",
	    (unsigned long long)left, t->failures);
	set_state(t, ROUTE_IDLE);
}

void
route_heard(struct route *t)
{
	t->heard_ms = clock_now_ms(t->shared->opts->clock);
	if (t->state != ROUTE_BACKOFF || !may_spare(t))
		return;
	t->spared_until_ms = t->backoff.due_ms;
	end_back_off(t);
}

/* The partner ended our stream a moment after he had opened one of his own that
 * goes on: one of several servers, or one that restarts. */
static bool
has_moved(const struct route *t)
{
	const struct routes_opts *o = t->shared->opts;

	return t->heard_ms > t->up_ms &&
	       clock_now_ms(o->clock) - t->heard_ms < HEARD_MS &&
	       may_spare(t) && o->is_here != NULL &&
	       o->is_here(o->arg, t->remote);
}

static void
on_aboard(void *arg)
{
	struct route *t = arg;

	t->failures = 0;
	t->moving = NULL;
	t->up_ms = clock_now_ms(t->shared->opts->clock);
	set_state(t, ROUTE_UP);
	drain(t);
}

static void
on_failed(const struct route_failure *f, void *arg)
{
	struct route *t = arg;

	if (t->shared->closing) {
		set_state(t, ROUTE_IDLE);
		fail_queue(t, f);
	} else if (carrier_may_go_back(&t->rider)) {
		/* He cannot be reached, and has come meanwhile. */
		set_state(t, ROUTE_IDLE);
		if (!list_empty(&t->queue))
			connect_route(t);
	} else {
		back_off(t, f);
	}
}

static void
on_room(void *arg)
{
	drain(arg);
}

static void
on_managed(void *arg)
{
	struct route *t = arg;

	barrier_stream_promised(&t->barrier);
}

static void
on_acknowledged(uint64_t count, void *arg)
{
	struct route *t = arg;

	barrier_stream_acknowledged(&t->barrier, count);
}

/* The stream takes no more, or no more of this pair. */
static void
on_down(const struct route_failure *f, bool again, void *arg)
{
	struct route *t = arg;

	t->moving = NULL;
	clock_timer_stop(&t->move);
	if (again || t->shared->closing) {
		set_state(t, ROUTE_IDLE);
	} else if (has_moved(t)) {
		t->spared_until_ms = clock_now_ms(t->shared->opts->clock) +
				     BACKOFF_MIN_MS + BACKOFF_FIRST_MS;
		set_state(t, ROUTE_IDLE);
	} else {
		back_off(t, f);
	}
	settle_unproven(t, f);
	barrier_stream_reset(&t->barrier);
	if (!list_empty(&t->queue) && t->state == ROUTE_IDLE &&
	    !t->shared->closing)
		connect_route(t);
}

static const struct rider_events rider_events = {
	.on_aboard = on_aboard,
	.on_failed = on_failed,
	.on_room = on_room,
	.on_managed = on_managed,
	.on_acknowledged = on_acknowledged,
	.on_down = on_down,
};

static void
connect_route(struct route *t)
{
	struct route_failure f;
	int rc;

	set_state(t, ROUTE_CONNECTING);
	rc = carrier_board(&t->rider);
	if (rc == 0)
		return;
	route_failure_set(&f, COND_RESOURCE_CONSTRAINT, NULL, err_str(rc));
	back_off(t, &f);
}

/* Off the stream, or out of the attempt, of its own accord. */
static void
leave(struct route *t, enum stream_error e, const char *why)
{
	const struct s2s_out_end end = { .why = S2S_OUT_LOCAL };
	enum route_state was = t->state;
	struct route_failure f;

	carrier_leave(&t->rider, e, why);
	if (was == ROUTE_UP) {
		route_failure_of_end(&f, &end, why);
		on_down(&f, true, t);
	} else if (was == ROUTE_CONNECTING) {
		set_state(t, ROUTE_IDLE);
		if (!list_empty(&t->queue) && !t->shared->closing)
			connect_route(t);
	}
}

/* --- moving --------------------------------------------------------------- */

/* Who tells that the last one is proven, or forgotten, is not done yet. */
static void
move_when_proven(struct route *t)
{
	if (t->moving != NULL && t->rider.unproven == 0)
		clock_timer_start(&t->move, 0);
}

static void
on_move(struct clock_timer *timer, void *arg)
{
	struct route *t = arg;

	(void)timer;
	leave(t, STREAM_ERR_NONE, t->moving);
}

static void
move(struct route *t, const char *why)
{
	if (t->state == ROUTE_UP)
		t->moving = why;
	if (t->state != ROUTE_UP || t->rider.unproven == 0)
		leave(t, STREAM_ERR_NONE, why);
}

/* --- proof --------------------------------------------------------------- */

static void
on_ping(const char *id, void *arg)
{
	struct route *t = arg;

	if (t->state == ROUTE_UP)
		carrier_ping(&t->rider, id);
}

static void
on_proven(struct barrier_item *b, enum proof by, void *arg)
{
	struct route *t = arg;
	struct route_shared *r = t->shared;

	tell_delivered(r, release(list_entry(b, struct item, barrier)), by);
	move_when_proven(t);
}

static void
on_ability(enum proof by, void *arg)
{
	struct route *t = arg;

	if (t->state == ROUTE_UP)
		carrier_add_proof(&t->rider, by);
}

static void
on_dead(void *arg)
{
	struct route *t = arg;

	if (t->state != ROUTE_UP)
		return;
	/* For this pair; what becomes of others they will find out. */
	carrier_keep_apart(&t->rider);
	leave(t, STREAM_ERR_CONNECTION_TIMEOUT,
	    "partner proves nothing any more");
}

static uint64_t
bytes_acknowledged(void *arg)
{
	const struct route *t = arg;

	return t->state == ROUTE_UP ? carrier_bytes_acknowledged(&t->rider) : 0;
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
	const struct barrier_place place = carrier_place(&t->rider);

	if (i->barrier_id == NULL) {
		tell_delivered(t->shared, release(i), PROOF_TCP);
		return;
	}
	t->rider.unproven++;
	barrier_stream_written(&t->barrier, &i->barrier, i->barrier_id, place);
	if (t->state == ROUTE_UP)
		carrier_request_ack(&t->rider);
}

static bool
can_write(const struct route *t)
{
	return t->state == ROUTE_UP && t->moving == NULL &&
	       carrier_can_write(&t->rider);
}

/* A message that waited says since when (XEP-0203). */
static int
write_late(struct route *t, const struct item *i, uint64_t waited_ms)
{
	const uint32_t max = carrier_bytes_max(&t->rider);
	int64_t since =
	    clock_wall_ms(t->shared->opts->clock) - (int64_t)waited_ms;
	char stamp[XMPP_TIME_SIZE];
	struct buf out;
	int rc;

	xmpp_time_format(stamp, since > 0 ? (uint64_t)since : 0);
	buf_init(&out, 0);
	buf_add(&out, i->payload, i->len - strlen(message_end));
	buf_addf(&out, "<delay xmlns='" NS_DELAY "' from='%s' stamp='%s'/>%s",
	    t->local, stamp, message_end);
	/* Without memory or room for it, it goes as it is. */
	if (buf_failed(&out) || (max > 0 && out.len > max))
		rc = carrier_write(&t->rider, i->payload, i->len);
	else
		rc = carrier_write(&t->rider, out.data, out.len);
	buf_finish(&out);
	return rc;
}

static int
write_item(struct route *t, const struct item *i)
{
	uint64_t waited = clock_now_ms(t->shared->opts->clock) - i->taken_ms;
	size_t end = strlen(message_end);

	if (i->len == 0)
		return 0;
	if (waited > LATE_MS && i->len > end &&
	    memcmp(i->payload + i->len - end, message_end, end) == 0)
		return write_late(t, i, waited);
	return carrier_write(&t->rider, i->payload, i->len);
}

/* What the partner would end the stream for is not sent (XEP-0478 4). */
static bool
refuse_item(struct route *t, struct item *i)
{
	const uint32_t max = carrier_bytes_max(&t->rider);
	struct route_failure f;
	char reason[sizeof(f.reason)];

	if (max == 0 || i->len <= max)
		return false;
	snprintf(reason, sizeof(reason),
	    "the partner's server takes %u bytes in one stanza, this one has "
	    "%zu",
	    max, i->len);
	route_failure_set(&f, COND_POLICY_VIOLATION, "modify", reason);
	log_info(&t->log, "stanza-too-large", "bytes=%zu max=%u", i->len, max);
	tell_failed(t->shared, release(i), &f);
	return true;
}

/* Writes the queue, in order, as far as the connection takes it. */
static void
drain(struct route *t)
{
	struct list *n;

	while ((n = list_first(&t->queue)) != NULL && can_write(t)) {
		struct item *i = list_entry(n, struct item, link);
		char *payload = i->payload;

		if (refuse_item(t, i))
			continue;
		/* Not written means that the stream is ending: the item
		 * stays first in the queue and goes with the next one. */
		if (write_item(t, i) < 0)
			return;
		leave_queue(i);
		i->payload = NULL;
		after_write(t, i);
		free(payload);
	}
	if (!list_empty(&t->queue) && t->state == ROUTE_UP && t->moving == NULL)
		carrier_await_room(&t->rider);
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
	i->taken_ms = clock_now_ms(t->shared->opts->clock);
	list_init(&i->link);
	list_init(&i->barrier.link);
	return i;
}

bool
route_can_probe(const struct route *t)
{
	return t->state == ROUTE_UP ||
	       (t->state == ROUTE_IDLE && carrier_may_go_back(&t->rider));
}

static bool
queue_has_room(const struct route *t, size_t len)
{
	const struct hosting_settings *hs =
	    hosting_settings(t->shared->opts->hosting, t->local);
	size_t few = t->shared->queue_max;

	if (few > 0 && t->queue_frames + t->rider.unproven >= few)
		return false;
	return t->queue_frames < hs->queue_frames &&
	       t->queue_bytes + len <= hs->queue_bytes &&
	       t->rider.unproven < UNPROVEN_MAX;
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
	else if (t->state == ROUTE_UP)
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
	struct item *i;
	struct route *t;

	if (n == NULL)
		return false;
	i = map_entry(n, struct item, by_cookie);
	t = i->route;
	release(i);
	move_when_proven(t);
	return true;
}

/* --- life ---------------------------------------------------------------- */

void
route_shut(struct route *t, const struct route_failure *f, const char *reason)
{
	fail_queue(t, f);
	leave(t, STREAM_ERR_NONE, reason);
}

/* What it was to move for holds no more. */
static void
stay(struct route *t)
{
	t->moving = NULL;
	clock_timer_stop(&t->move);
	drain(t);
}

void
route_recheck(struct route *t)
{
	const char *why = carrier_why_move(&t->rider);

	if (t->state == ROUTE_BACKOFF) {
		if (carrier_has_new_terms(&t->rider))
			end_back_off(t);
		return;
	}
	if (!carrier_permits(&t->rider))
		leave(t, STREAM_ERR_NONE, "no longer permitted so");
	else if (why != NULL)
		move(t, why);
	else if (t->moving != NULL)
		stay(t);
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
	clock_timer_init(&t->move, shared->opts->clock, on_move, t);
	rider_init(&t->rider, shared, t->local, t->remote, &rider_events, t);
	return t;
}

void
route_free(struct route *t)
{
	clock_timer_stop(&t->backoff);
	clock_timer_stop(&t->move);
	barrier_stream_finish(&t->barrier);
	free(t->key);
	free(t);
}
