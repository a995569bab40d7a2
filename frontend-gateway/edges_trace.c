/*
 * What the edges shall tell of traffic is kept here and told to each of them,
 * when it changes, when an edge attaches, and again and again, because an edge
 * forgets it by itself.  What they tell is held to the form and the bounds of
 * proto/CHANNEL.md, the rate before anything is parsed: an edge that lies can
 * show an operator rubbish with its own name on it, and make a few of its own
 * reports be dropped.
 */
#include "frontend-gateway/edges_impl.h"

#include <stdlib.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/log_limit.h"
#include "frontend-gateway/edge_link.h"
#include "frontend-gateway/traced.h"
#include "proto/channel.h"
#include "proto/frame.h"

enum {
	LASTS_S = 120,
	AGAIN_MS = 60000,
	WHO_MAX = 16,
	/* Of one edge; twice what an honest one sends. */
	PER_SECOND = 400,
	AT_ONCE = 800,
	BYTES_PER_SECOND = 1024 * 1024,
	BYTES_AT_ONCE = 2 * BYTES_PER_SECOND
};

/* --- to the edges ------------------------------------------------------- */

static void
ask(struct edge *d, const char *json)
{
	struct channel *ch = edge_link_channel(d->link);
	struct frame_writer w;
	struct buf frame;
	int rc;

	buf_init(&frame, FRAME_MAX);
	frame_begin(&w, &frame, FRAME_TRACE);
	frame_put_str(&w, FIELD_JSON, json);
	rc = frame_end(&w);
	if (rc == 0)
		rc = channel_send_control(ch, &frame);
	if (rc == ERR_UNSUPPORTED)
		log_limited_info(
		    &d->log, d->name, "trace-unknown", "edge=%s", d->name);
	else if (rc < 0)
		log_warn(&d->log, "not-sent", "what=%s error=%s", "trace",
		    err_str(rc));
	buf_finish(&frame);
}

/* The content of the frame, to be freed; nothing is asked any more when there
 * is no trace.  NULL without memory. */
static char *
content(const struct edges *e)
{
	json_t *all = json_pack("{s:i}", "seconds", LASTS_S);
	char *text = NULL;
	int rc;

	if (e->trace != NULL)
		rc = json_object_update(all, e->trace);
	else
		rc = json_object_set_new(all, "who", json_array());
	if (rc == 0)
		text = json_dumps(all, JSON_COMPACT);
	json_decref(all);
	return text;
}

static void
ask_all(struct edges *e)
{
	char *text = content(e);

	if (text == NULL) {
		log_warn(&e->log, "not-sent", "what=%s error=%s", "trace",
		    err_str(ERR_NOMEM));
		return;
	}
	LIST_FOREACH (it, &e->all) {
		struct edge *d = list_entry(it, struct edge, all);

		if (d->up)
			ask(d, text);
	}
	free(text);
}

static void
on_again(struct clock_timer *t, void *arg)
{
	ask_all(arg);
	clock_timer_start(t, AGAIN_MS);
}

void
edges_trace_attached(struct edge *d)
{
	struct edges *e = d->edges;
	char *text;

	if (e->trace == NULL)
		return;
	text = content(e);
	if (text != NULL)
		ask(d, text);
	free(text);
}

int
edges_trace(struct edges *e, const json_t *what)
{
	const json_t *who = json_object_get(what, "who");
	json_t *copy = NULL;

	if (what != NULL &&
	    (!json_is_array(who) || json_array_size(who) > WHO_MAX))
		return ERR_MALFORMED;
	if (json_array_size(who) > 0) {
		copy = json_deep_copy(what);
		if (copy == NULL)
			return ERR_NOMEM;
	}
	clock_timer_stop(&e->trace_again);
	if (copy == NULL && e->trace == NULL)
		return 0;
	json_decref(e->trace);
	e->trace = copy;
	if (e->closing)
		return 0;
	ask_all(e);
	if (copy != NULL)
		clock_timer_start(&e->trace_again, AGAIN_MS);
	return 0;
}

void
edges_trace_init(struct edges *e)
{
	clock_timer_init(&e->trace_again, e->opts.clock, on_again, e);
}

void
edges_trace_finish(struct edges *e)
{
	clock_timer_stop(&e->trace_again);
	json_decref(e->trace);
	e->trace = NULL;
}

/* --- from an edge ------------------------------------------------------- */

/* Whether the edge may tell so much in this moment. */
static bool
is_affordable(struct edge *d, size_t len)
{
	uint64_t now = clock_now_ms(d->edges->opts.clock);

	return token_bucket_try(&d->traced, PER_SECOND, AT_ONCE, 1, now) &&
	       token_bucket_try(&d->traced_bytes, BYTES_PER_SECOND,
		   BYTES_AT_ONCE, (uint32_t)len, now);
}

/* Counted, to be told with the next one that is handed on. */
static void
drop(struct edge *d, const char *reason)
{
	d->traced_dropped++;
	log_limited_warn(
	    &d->log, d->name, "traced-dropped", "reason=%s", reason);
}

void
edges_trace_receive(struct edge *d, const struct frame *f)
{
	struct edges *e = d->edges;
	const struct frame_field *field = frame_field(f, FIELD_JSON);
	json_int_t missed;
	json_t *what;

	/* The last ones of a trace that is over are of no use. */
	if (e->trace == NULL || e->opts.events->on_traced == NULL)
		return;
	if (field == NULL || !is_affordable(d, field->len)) {
		drop(d, "too much");
		return;
	}
	what = traced_read((const char *)field->data, field->len);
	if (what == NULL) {
		drop(d, "not of its form");
		return;
	}
	missed = json_integer_value(json_object_get(what, "missed"));
	(void)json_integer_set(json_object_get(what, "missed"),
	    missed + (json_int_t)d->traced_dropped);
	d->traced_dropped = 0;
	e->opts.events->on_traced(e, d->index, what, e->opts.arg);
	json_decref(what);
}

/* --- frames, for whoever looks on ---------------------------------------- */

void
edges_set_tap(struct edges *e, const struct edges_tap *tap)
{
	e->tap = tap;
}

/* A frame of ours, which has no fault. */
void
edges_trace_sent(struct edge *d, const struct buf *frame, uint64_t seq)
{
	struct edges *e = d->edges;
	struct frame f;

	if (frame_decode(&f, frame->data, frame->len) == 0)
		e->tap->on_frame(e, d->index, false, seq, &f, e->tap->arg);
}

void
edges_trace_result(
    struct edge *d, bool inward, uint64_t seq, const struct channel_result *r)
{
	struct edges *e = d->edges;

	e->tap->on_result(e, d->index, inward, seq, r, e->tap->arg);
}
