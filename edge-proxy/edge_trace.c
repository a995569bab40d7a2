/*
 * A stanza is looked at only if somebody asks for its pair of domains, and made
 * into text only if he asks for one of its addresses and may be told so much
 * now: so a trace costs the edge no more than its rate allows, however much
 * passes.
 */
#include "edge-proxy/edge_trace.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/jid.h"
#include "common/list.h"
#include "common/log.h"
#include "common/log_limit.h"
#include "common/token_bucket.h"
#include "common/xml.h"
#include "common/xml_parse.h"
#include "common/xml_redact.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/stanza_ns.h"
#include "edge-proxy/trace_ask.h"
#include "proto/frame.h"

enum {
	PER_SECOND = 200,
	AT_ONCE = 400,
	BYTES_PER_SECOND = 512 * 1024,
	BYTES_AT_ONCE = 2 * BYTES_PER_SECOND,
	/* Of a stanza as a tree; its parser has bounds of its own. */
	ARENA_MAX = 32 * 1024 * 1024
};

/* One gateway that asks. */
struct watcher {
	struct list all;
	struct edge_trace *trace;
	char node[256];
	struct trace_ask ask;
	struct clock_timer end;
	struct token_bucket frames, bytes;
	uint64_t told, missed, missed_in_all;
};

struct edge_trace {
	struct edge_trace_opts opts;
	struct list watchers;
	struct log log;
};

/* What passed, and where. */
struct sight {
	const char *kind, *direction; /* static */
	const char *stream;
	const char *from, *to;
};

int
edge_trace_new(struct edge_trace **out, const struct edge_trace_opts *opts)
{
	struct edge_trace *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return ERR_NOMEM;
	t->opts = *opts;
	list_init(&t->watchers);
	log_init(&t->log, "edge_trace");
	*out = t;
	return 0;
}

/* --- who asks ------------------------------------------------------------ */

static void
end_watcher(struct watcher *w, const char *why)
{
	log_limited_info(&w->trace->log, w->node, "trace-ended",
	    "node=%s reason=%s told=%llu missed=%llu", w->node, why,
	    (unsigned long long)w->told, (unsigned long long)w->missed_in_all);
	clock_timer_stop(&w->end);
	list_remove(&w->all);
	trace_ask_finish(&w->ask);
	free(w);
}

void
edge_trace_free(struct edge_trace *t)
{
	if (t == NULL)
		return;
	LIST_FOREACH_SAFE (it, &t->watchers)
		end_watcher(list_entry(it, struct watcher, all), "stopping");
	free(t);
}

static void
on_end(struct clock_timer *timer, void *arg)
{
	(void)timer;
	end_watcher(arg, "time");
}

static struct watcher *
find(const struct edge_trace *t, const char *node)
{
	LIST_FOREACH (it, &t->watchers) {
		struct watcher *w = list_entry(it, struct watcher, all);

		if (strcmp(w->node, node) == 0)
			return w;
	}
	return NULL;
}

static struct watcher *
new_watcher(struct edge_trace *t, const char *node)
{
	struct watcher *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->trace = t;
	snprintf(w->node, sizeof(w->node), "%s", node);
	clock_timer_init(&w->end, t->opts.clock, on_end, w);
	list_append(&t->watchers, &w->all);
	return w;
}

/* Takes ask over. */
static int
set_ask(struct edge_trace *t, const char *node, struct trace_ask *ask)
{
	struct watcher *w = find(t, node);
	char words[TRACE_ASK_WORDS_SIZE];

	if (ask->count == 0) {
		if (w != NULL)
			end_watcher(w, "asked");
		trace_ask_finish(ask);
		return 0;
	}
	if (w == NULL)
		w = new_watcher(t, node);
	if (w == NULL) {
		trace_ask_finish(ask);
		return ERR_NOMEM;
	}
	if (!trace_ask_equal(&w->ask, ask)) {
		trace_ask_words(words, sizeof(words), ask);
		log_limited_info(&t->log, node, "trace-begun",
		    "node=%s who=%s bodies=%d", node, words,
		    (int)(ask->bodies && log_bodies()));
	}
	trace_ask_finish(&w->ask);
	w->ask = *ask;
	clock_timer_start(&w->end, (uint64_t)ask->seconds * 1000);
	return 0;
}

void
edge_trace_ask(struct edge_trace *t, const char *node, const struct frame *f)
{
	const struct frame_field *json = frame_field(f, FIELD_JSON);
	struct trace_ask ask;
	int rc = ERR_MALFORMED;

	if (json != NULL)
		rc = trace_ask_parse(&ask, (const char *)json->data, json->len);
	if (rc == 0)
		rc = set_ask(t, node, &ask);
	if (rc < 0)
		log_limited_warn(&t->log, node, "trace-refused",
		    "node=%s error=%s", node, err_str(rc));
}

void
edge_trace_forget(struct edge_trace *t, const char *node, const char *why)
{
	struct watcher *w = find(t, node);

	if (w != NULL)
		end_watcher(w, why);
}

/* --- telling ------------------------------------------------------------- */

/* The length of the whole characters within the first max bytes. */
static size_t
whole_characters(const uint8_t *s, size_t len, size_t max)
{
	if (len <= max)
		return len;
	while (max > 0 && (s[max] & 0xc0) == 0x80)
		max--;
	return max;
}

static int
write_frame(struct buf *frame, const struct watcher *w, const struct sight *s,
    const struct buf *text)
{
	size_t len =
	    whole_characters(text->data, text->len, EDGE_TRACE_TEXT_MAX);
	struct frame_writer writer;
	json_t *root;
	char *json = NULL;

	root = json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:s%, s:I}", "at",
	    (json_int_t)clock_wall_ms(w->trace->opts.clock), "kind", s->kind,
	    "direction", s->direction, "stream", s->stream, "from", s->from,
	    "to", s->to, "text", (const char *)text->data, len, "missed",
	    (json_int_t)w->missed);
	if (root != NULL && (len == text->len || json_object_set_new(root,
						     "cut", json_true()) == 0))
		json = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	if (json == NULL)
		return ERR_NOMEM;
	frame_begin(&writer, frame, FRAME_TRACED);
	frame_put_str(&writer, FIELD_JSON, json);
	free(json);
	return frame_end(&writer);
}

static void
miss(struct watcher *w)
{
	w->missed++;
	w->missed_in_all++;
}

/* Whether it may be told something now.  What it will cost is not known yet. */
static bool
may_tell(struct watcher *w)
{
	uint64_t now = clock_now_ms(w->trace->opts.clock);

	return token_bucket_try(
		   &w->bytes, BYTES_PER_SECOND, BYTES_AT_ONCE, 1, now) &&
	       token_bucket_try(&w->frames, PER_SECOND, AT_ONCE, 1, now);
}

/* All of the text was made, whatever is cut off. */
static void
pay(struct watcher *w, const struct buf *text, const struct buf *frame)
{
	size_t cost = text->len > frame->len ? text->len : frame->len;

	token_bucket_spend(&w->bytes, BYTES_PER_SECOND, (uint32_t)cost,
	    clock_now_ms(w->trace->opts.clock));
}

/* rc: whether the text could be made. */
static void
tell(struct watcher *w, const struct sight *s, const struct buf *text, int rc)
{
	const struct edge_trace_opts *o = &w->trace->opts;
	struct buf frame;

	buf_init(&frame, FRAME_MAX);
	if (rc == 0)
		rc = write_frame(&frame, w, s, text);
	pay(w, text, &frame);
	if (rc == 0)
		rc = o->send(w->node, &frame, o->arg);
	buf_finish(&frame);
	if (rc < 0) {
		miss(w);
		return;
	}
	w->told++;
	w->missed = 0;
}

static bool
owns(const struct watcher *w, const char *local)
{
	const char *owner = hosting_owner(w->trace->opts.hosting, local);

	return owner != NULL && strcmp(owner, w->node) == 0;
}

/* Three have to agree: who asks, the configuration that he gave us, which may
 * have changed since, and our own file. */
static bool
wants_bodies(const struct watcher *w, const char *local)
{
	return w->ask.bodies && log_bodies() &&
	       hosting_settings(w->trace->opts.hosting, local)->bodies;
}

/* --- what passes --------------------------------------------------------- */

void
edge_trace_inward(struct edge_trace *t, const char *stream,
    const struct xml_elem *e, const struct jid *from, const struct jid *to)
{
	const struct sight s = { "stanza", "in", stream, from->full, to->full };

	LIST_FOREACH (it, &t->watchers) {
		struct watcher *w = list_entry(it, struct watcher, all);
		struct buf text;
		int rc;

		if (!trace_ask_concerns(&w->ask, from, to) ||
		    !owns(w, to->ascii))
			continue;
		if (!may_tell(w)) {
			miss(w);
			continue;
		}
		buf_init(&text, 0);
		rc = wants_bodies(w, to->ascii)
			 ? xml_write(&text, e, NS_STANZA_SERVER)
			 : xml_redact_elem(&text, e, NS_STANZA_SERVER);
		tell(w, &s, &text, rc);
		buf_finish(&text);
	}
}

/* A stanza that was written, with its addresses. */
struct written {
	const char *local; /* the hosted domain of the pair */
	const void *xml;
	size_t len;
	struct xml_arena *arena;
	struct jid from, to;
};

static int
read_address(struct jid *out, const struct xml_elem *e, const char *name)
{
	const char *value = xml_attr(e, name);

	return value != NULL ? jid_parse(out, value, strlen(value))
			     : ERR_MALFORMED;
}

static int
read_written(struct written *x)
{
	struct xml_elem *e;
	int rc;

	rc = xml_arena_open(&x->arena, ARENA_MAX);
	if (rc == 0)
		rc = xml_parse_head(
		    &e, x->arena, NS_STANZA_SERVER, x->xml, x->len);
	if (rc == 0)
		rc = read_address(&x->from, e, "from");
	if (rc == 0)
		rc = read_address(&x->to, e, "to");
	return rc;
}

static void
finish_written(struct written *x)
{
	xml_arena_close(x->arena);
	jid_finish(&x->from);
	jid_finish(&x->to);
}

static int
redact_written(struct buf *text, const struct written *x)
{
	struct xml_elem *e;
	int rc = xml_parse(&e, x->arena, NS_STANZA_SERVER, x->xml, x->len);

	return rc < 0 ? rc : xml_redact_elem(text, e, NS_STANZA_SERVER);
}

static void
show_written(struct watcher *w, const char *stream, const struct written *x)
{
	const struct sight s = { "stanza", "out", stream, x->from.full,
		x->to.full };
	struct buf text;
	int rc;

	if (!trace_ask_concerns(&w->ask, &x->from, &x->to))
		return;
	if (!may_tell(w)) {
		miss(w);
		return;
	}
	buf_init(&text, 0);
	rc = wants_bodies(w, x->local) ? buf_add(&text, x->xml, x->len)
				       : redact_written(&text, x);
	tell(w, &s, &text, rc);
	buf_finish(&text);
}

void
edge_trace_outward(struct edge_trace *t, const char *stream, const char *local,
    const char *remote, const void *xml, size_t len)
{
	struct written x = { .local = local, .xml = xml, .len = len };
	bool read = false;
	int rc = 0;

	LIST_FOREACH (it, &t->watchers) {
		struct watcher *w = list_entry(it, struct watcher, all);

		if (!trace_ask_may_concern(&w->ask, local, remote) ||
		    !owns(w, local))
			continue;
		if (!read)
			rc = read_written(&x);
		read = true;
		if (rc == 0)
			show_written(w, stream, &x);
		else
			miss(w);
	}
	if (read)
		finish_written(&x);
}

static int
write_event(
    struct buf *out, enum stream_event ev, const struct stream_info *info)
{
	if (ev == STREAM_UP)
		return buf_addf(
		    out, "up: %s, %s, %s", info->peer, info->auth, info->tls);
	buf_addf(out, "%s: %s", stream_event_str(ev),
	    info->reason != NULL ? info->reason : "no reason given");
	if (info->condition != NULL)
		buf_addf(out, " (%s)", info->condition);
	return buf_failed(out) ? ERR_NOMEM : 0;
}

static void
show_stream(struct watcher *w, enum stream_event ev,
    const struct stream_info *info, const struct stream_pair *pair)
{
	bool in = info->direction == STREAM_IN;
	const struct sight s = { "stream", in ? "in" : "out", info->id,
		in ? pair->remote : pair->local,
		in ? pair->local : pair->remote };
	struct buf text;
	int rc;

	if (!trace_ask_names_domain(&w->ask, pair->remote) ||
	    !owns(w, pair->local))
		return;
	if (!may_tell(w)) {
		miss(w);
		return;
	}
	buf_init(&text, 0);
	rc = write_event(&text, ev, info);
	tell(w, &s, &text, rc);
	buf_finish(&text);
}

void
edge_trace_stream(
    struct edge_trace *t, enum stream_event ev, const struct stream_info *info)
{
	if (ev == STREAM_UPDATE)
		return;
	LIST_FOREACH (it, &t->watchers)
		for (size_t i = 0; i < info->pair_count; i++)
			show_stream(list_entry(it, struct watcher, all), ev,
			    info, &info->pairs[i]);
}
