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
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/log_limit.h"
#include "common/utf8.h"
#include "frontend-gateway/edge_link.h"
#include "proto/channel.h"
#include "proto/frame.h"

enum {
	LASTS_S = 120,
	AGAIN_MS = 60000,
	WHO_MAX = 16,
	TEXT_MAX = 16384,
	ADDRESS_MAX = 3071,
	STREAM_MAX = 64,
	/* The text with its quotes escaped, the addresses, the rest. */
	JSON_MAX = 2 * TEXT_MAX + 4 * ADDRESS_MAX + 1024,
	/* Of one edge; twice what an honest one sends. */
	PER_SECOND = 400,
	AT_ONCE = 800,
	BYTES_PER_SECOND = 1024 * 1024,
	BYTES_AT_ONCE = 2 * BYTES_PER_SECOND
};

static const json_int_t MISSED_MAX = 1000000000;

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

/* Text of at most that many bytes, of characters a document may have. */
static bool
is_text(const json_t *v, size_t max)
{
	return json_is_string(v) && json_string_length(v) <= max &&
	       utf8_valid_xml(json_string_value(v), json_string_length(v));
}

static bool
is_one_of(const json_t *v, const char *a, const char *b)
{
	const char *s = json_string_value(v);

	return s != NULL && (strcmp(s, a) == 0 || strcmp(s, b) == 0);
}

static bool
is_within(const json_t *v, json_int_t max)
{
	return json_is_integer(v) && json_integer_value(v) >= 0 &&
	       json_integer_value(v) <= max;
}

/* The members that are known, each of its form, and no others; NULL when one is
 * not, or without memory. */
static json_t *
take(const json_t *in, uint64_t dropped)
{
	const json_t *at = json_object_get(in, "at");
	const json_t *kind = json_object_get(in, "kind");
	const json_t *direction = json_object_get(in, "direction");
	const json_t *stream = json_object_get(in, "stream");
	const json_t *from = json_object_get(in, "from");
	const json_t *to = json_object_get(in, "to");
	const json_t *text = json_object_get(in, "text");
	const json_t *missed = json_object_get(in, "missed");

	if (!is_within(at, INT64_MAX) || !is_one_of(kind, "stanza", "stream") ||
	    !is_one_of(direction, "in", "out") ||
	    !is_text(stream, STREAM_MAX) || !is_text(from, ADDRESS_MAX) ||
	    !is_text(to, ADDRESS_MAX) || !is_text(text, TEXT_MAX) ||
	    !is_within(missed, MISSED_MAX))
		return NULL;
	return json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:I}", "at",
	    json_integer_value(at), "kind", json_string_value(kind),
	    "direction", json_string_value(direction), "stream",
	    json_string_value(stream), "from", json_string_value(from), "to",
	    json_string_value(to), "text", json_string_value(text), "cut",
	    json_is_true(json_object_get(in, "cut")), "missed",
	    json_integer_value(missed) + (json_int_t)dropped);
}

/* Whether the edge may tell so much in this moment. */
static bool
is_affordable(struct edge *d, size_t len)
{
	uint64_t now = clock_now_ms(d->edges->opts.clock);

	return token_bucket_try(&d->traced, PER_SECOND, AT_ONCE, 1, now) &&
	       token_bucket_try(&d->traced_bytes, BYTES_PER_SECOND,
		   BYTES_AT_ONCE, (uint32_t)len, now);
}

void
edges_trace_receive(struct edge *d, const struct frame *f)
{
	struct edges *e = d->edges;
	const struct frame_field *field = frame_field(f, FIELD_JSON);
	json_t *in, *what;

	/* The last ones of a trace that is over are of no use. */
	if (e->trace == NULL || e->opts.events->on_traced == NULL)
		return;
	if (field == NULL || field->len > JSON_MAX ||
	    !is_affordable(d, field->len)) {
		d->traced_dropped++;
		log_limited_warn(&d->log, d->name, "traced-dropped",
		    "reason=%s", "too much");
		return;
	}
	in = json_loadb((const char *)field->data, field->len,
	    JSON_REJECT_DUPLICATES, NULL);
	what = take(in, d->traced_dropped);
	json_decref(in);
	if (what == NULL) {
		d->traced_dropped++;
		log_limited_warn(&d->log, d->name, "traced-dropped",
		    "reason=%s", "not of its form");
		return;
	}
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
