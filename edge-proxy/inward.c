/*
 * inward - see the header.
 *
 * A stanza's way: taken ── normalised ──► sent ──► delivered
 *                   │                      ├─────► failed     ── error back
 *                   │                      └─────► timed out  ── error back
 *                   └──► answered, refused, dropped: all done here
 * When all streams together have many stanzas under way, each may have its share
 * only (fair_share.h): so the channel never fills, for then stanzas of those
 * would be refused who have few.
 *
 * A stream's:  reading ── window full ──► paused ── 5 s ──► refusing
 *                 ▲                          │                  │
 *                 └──────── window has room ─┴──────────────────┘
 */
#include "edge-proxy/inward.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/jid.h"
#include "common/list.h"
#include "common/log.h"
#include "common/log_limit.h"
#include "common/xml.h"
#include "edge-proxy/body_log.h"
#include "edge-proxy/fair_share.h"
#include "edge-proxy/handled_count.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/iq_asked.h"
#include "edge-proxy/normalise.h"
#include "edge-proxy/render.h"
#include "edge-proxy/stream_info.h"
#include "proto/channel.h"
#include "proto/frame.h"

enum {
	PAUSE_MS = 5000,
	REPLY_MAX = 64 * 1024,
	MUCH =
	    2048 /* under way, of all streams; far less than a channel holds */
};

enum flow { FLOW_READING, FLOW_PAUSED, FLOW_REFUSING };

static const struct {
	const char *name;
	unsigned next;
} flows[] = {
	[FLOW_READING] = { "reading", 1u << FLOW_PAUSED },
	[FLOW_PAUSED] = { "paused", 1u << FLOW_READING | 1u << FLOW_REFUSING },
	[FLOW_REFUSING] = { "refusing", 1u << FLOW_READING },
};

struct inward_stream {
	struct list all;
	struct inward *in;
	char id[STREAM_ID_SIZE];
	const struct inward_stream_ops *ops;
	void *stream;
	enum flow flow;
	struct clock_timer pause;
	struct list pending;
	struct fair_share_stream share;
	struct handled_count handled;
	struct log log;
};

/* One stanza under way: what an error about it needs. */
struct pending {
	struct list all;
	struct list of_stream;
	struct inward *in;
	struct inward_stream *stream; /* NULL when it is gone */
	uint64_t number;              /* in its stream's count */
	struct channel *channel;
	uint64_t seq;
	struct clock_timer deadline;
	bool may_bounce;
	const char *name; /* static: message, presence, iq */
	struct jid from, to;
	char *id;
	char asked[IQ_ASKED_ID_SIZE]; /* our id of a request; "" = it is none */
};

struct inward {
	struct inward_opts opts;
	struct list streams;
	struct list pending;
	size_t under_way;
	struct fair_share *shares;
	struct normalised normalised;
	struct buf xml;
	size_t window_max; /* while memory is short; else 0 */
	struct inward_counters counters;
	struct log log;
};

int
inward_new(struct inward **out, const struct inward_opts *opts)
{
	struct inward *in = calloc(1, sizeof(*in));

	if (in == NULL)
		return ERR_NOMEM;
	if (fair_share_new(&in->shares, MUCH) < 0) {
		free(in);
		return ERR_NOMEM;
	}
	in->opts = *opts;
	list_init(&in->streams);
	list_init(&in->pending);
	normalise_init(&in->normalised);
	buf_init(&in->xml, REPLY_MAX);
	log_init(&in->log, "inward");
	*out = in;
	return 0;
}

/* --- the flow of a stream ----------------------------------------------- */

/* The only place that writes s->flow. */
static void
set_flow(struct inward_stream *s, enum flow to)
{
	struct inward *in = s->in;
	enum flow from = s->flow;

	assert((flows[from].next & 1u << to) != 0);
	log_limited_info(&s->log, NULL, "flow", "from=%s to=%s ahead=%zu",
	    flows[from].name, flows[to].name, handled_count_ahead(&s->handled));
	/* First: a resume brings stanzas at once, which may fill the window. */
	s->flow = to;
	if (to == FLOW_PAUSED) {
		in->counters.paused++;
		clock_timer_start(&s->pause, PAUSE_MS);
		s->ops->pause(s->stream, in->opts.arg);
	} else {
		clock_timer_stop(&s->pause);
		if (from == FLOW_PAUSED)
			s->ops->resume(s->stream, in->opts.arg);
	}
}

/* Whether the stream has to wait: its window is full, or its share of what all
 * may have under way. */
static bool
is_ahead(const struct inward_stream *s)
{
	const struct inward *in = s->in;
	size_t ahead = handled_count_ahead(&s->handled);

	return handled_count_full(&s->handled) ||
	       (in->window_max > 0 && ahead >= in->window_max) ||
	       ahead >= fair_share_of(in->shares, &s->share);
}

/* Whether what the stream waits for is held by a gateway that is there. */
static bool
is_attended(const struct inward_stream *s)
{
	LIST_FOREACH (it, &s->pending)
		if (channel_is_up(
			list_entry(it, struct pending, of_stream)->channel))
			return true;
	return false;
}

static void
on_pause_over(struct clock_timer *t, void *arg)
{
	struct inward_stream *s = arg;

	/* Nobody there: held back for as long as that lasts. */
	if (is_attended(s))
		set_flow(s, FLOW_REFUSING);
	else
		clock_timer_start(t, PAUSE_MS);
}

/* The count has moved: whoever acknowledges is told, and there may be room. */
static void
count_moved(struct inward_stream *s)
{
	s->ops->handled(
	    s->stream, handled_count_value(&s->handled), s->in->opts.arg);
	if (s->flow != FLOW_READING && !is_ahead(s))
		set_flow(s, FLOW_READING);
}

int
inward_stream_open(struct inward_stream **out, struct inward *in,
    const char *id, const struct inward_stream_ops *ops, void *stream)
{
	struct inward_stream *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return ERR_NOMEM;
	if (handled_count_init(&s->handled,
		hosting_settings(in->opts.hosting, "")->inward_window) < 0) {
		free(s);
		return ERR_NOMEM;
	}
	s->in = in;
	s->ops = ops;
	s->stream = stream;
	snprintf(s->id, sizeof(s->id), "%s", id);
	list_init(&s->pending);
	list_append(&in->streams, &s->all);
	clock_timer_init(&s->pause, in->opts.clock, on_pause_over, s);
	log_init(&s->log, "inward");
	log_object(&s->log, "stream=%s", s->id);
	*out = s;
	return 0;
}

/* The stream has nothing to do with it any more. */
static void
part(struct pending *p)
{
	struct inward_stream *s = p->stream;

	if (s == NULL)
		return;
	p->stream = NULL;
	list_remove(&p->of_stream);
	fair_share_drop(s->in->shares, &s->share);
}

void
inward_stream_close(struct inward_stream *s)
{
	if (s == NULL)
		return;
	clock_timer_stop(&s->pause);
	LIST_FOREACH_SAFE (it, &s->pending)
		part(list_entry(it, struct pending, of_stream));
	list_remove(&s->all);
	handled_count_finish(&s->handled);
	free(s);
}

void
inward_channels_changed(struct inward *in)
{
	LIST_FOREACH (it, &in->streams) {
		struct inward_stream *s =
		    list_entry(it, struct inward_stream, all);

		if (s->flow == FLOW_PAUSED)
			clock_timer_start(&s->pause, PAUSE_MS);
	}
}

void
inward_limit_window(struct inward *in, size_t stanzas)
{
	in->window_max = stanzas;
	LIST_FOREACH (it, &in->streams) {
		struct inward_stream *s =
		    list_entry(it, struct inward_stream, all);

		if (s->flow == FLOW_READING && is_ahead(s))
			set_flow(s, FLOW_PAUSED);
	}
}

/* --- stanzas under way -------------------------------------------------- */

static void
free_pending(struct pending *p)
{
	clock_timer_stop(&p->deadline);
	list_remove(&p->all);
	part(p);
	jid_finish(&p->from);
	jid_finish(&p->to);
	free(p->id);
	free(p);
}

void
inward_free(struct inward *in)
{
	if (in == NULL)
		return;
	LIST_FOREACH_SAFE (it, &in->streams)
		inward_stream_close(list_entry(it, struct inward_stream, all));
	LIST_FOREACH_SAFE (it, &in->pending)
		free_pending(list_entry(it, struct pending, all));
	normalise_finish(&in->normalised);
	buf_finish(&in->xml);
	fair_share_free(in->shares);
	free(in);
}

/* It is settled: custody of it ends here. */
static void
remove_pending(struct pending *p)
{
	struct inward_stream *s = p->stream;
	uint64_t number = p->number;

	p->in->under_way--;
	iq_asked_forget(p->in->opts.asked, p->asked);
	free_pending(p);
	if (s != NULL && handled_count_end(&s->handled, number))
		count_moved(s);
}

/* Tells the sender that his stanza failed, if he is to be told. */
static void
bounce(struct pending *p, const struct channel_result *r)
{
	struct inward *in = p->in;
	const struct render_stanza_error e = {
		.name = p->name,
		.from = p->to.full,
		.to = p->from.full,
		.id = p->id,
		.condition = r->condition,
		.type = r->error_type,
		.text = r->text,
		.by = p->to.domain,
		.gone_to = r->gone_to,
	};
	int rc;

	log_limited_info(&in->log, p->from.ascii, "stanza-failed",
	    "stanza=%s from=%s to=%s condition=%s text=%s told=%d", p->name,
	    p->from.ascii, p->to.ascii, condition_str(r->condition), r->text,
	    p->may_bounce);
	if (!p->may_bounce)
		return;
	buf_clear(&in->xml);
	rc = render_stanza_error(&in->xml, &e);
	if (rc == 0)
		in->opts.ops->reply(
		    p->to.ascii, p->from.ascii, &in->xml, in->opts.arg);
	else
		log_limited_error(&in->log, p->from.ascii, "error-lost",
		    "to=%s error=%s", p->from.ascii, err_str(rc));
}

void
inward_result(struct inward *in, void *cookie, const struct channel_result *r)
{
	struct pending *p = cookie;

	assert(p->in == in);
	if (r->delivered) {
		in->counters.delivered++;
		/* The answer itself is a frame of its own. */
		iq_asked_taken(in->opts.asked, p->asked);
		p->asked[0] = '\0';
	} else {
		in->counters.failed++;
		bounce(p, r);
	}
	remove_pending(p);
}

static void
on_deadline(struct clock_timer *t, void *arg)
{
	static const struct channel_result late = {
		.condition = COND_REMOTE_SERVER_TIMEOUT,
		.text = "no answer in time",
	};
	struct pending *p = arg;

	(void)t;
	(void)channel_withdraw(p->channel, p->seq);
	p->in->counters.timed_out++;
	bounce(p, &late);
	remove_pending(p);
}

void
inward_forget(struct inward *in, const struct channel *ch)
{
	static const struct channel_result gone = {
		.condition = COND_REMOTE_SERVER_TIMEOUT,
		.text = "the gateway is gone",
	};

	LIST_FOREACH_SAFE (it, &in->pending) {
		struct pending *p = list_entry(it, struct pending, all);

		if (p->channel != ch)
			continue;
		(void)channel_withdraw(p->channel, p->seq);
		in->counters.failed++;
		bounce(p, &gone);
		remove_pending(p);
	}
}

size_t
inward_stream_pending(const struct inward_stream *s)
{
	return s->share.count;
}

size_t
inward_under_way(const struct inward *in)
{
	return in->under_way;
}

const struct inward_counters *
inward_counters(const struct inward *in)
{
	return &in->counters;
}

/* --- taking ------------------------------------------------------------- */

/* A stanza that came, for the time of one call. */
struct taken {
	const struct xml_elem *e;
	const struct jid *from, *to;
	bool numbered; /* there was room in the window */
	uint64_t number;
	char request_id[IQ_ASKED_ID_SIZE]; /* for a request that passes */
};

/* The name of the stanza as a string that outlives it, and whether its sender
 * is to hear of a failure. */
static void
judge(struct pending *p, const struct xml_elem *e)
{
	static const char *const names[] = { "message", "presence", "iq" };
	const char *type = xml_attr(e, "type");

	p->may_bounce = true;
	for (size_t i = 0; i < 3; i++)
		if (strcmp(e->name, names[i]) == 0)
			p->name = names[i];
	assert(p->name != NULL);
	if (type == NULL)
		return;
	if (strcmp(type, "error") == 0 ||
	    (strcmp(p->name, "iq") == 0 && strcmp(type, "result") == 0) ||
	    (strcmp(p->name, "presence") == 0 &&
		(strcmp(type, "unavailable") == 0 ||
		    strcmp(type, "probe") == 0)))
		p->may_bounce = false;
}

static int
make_pending(struct pending **out, struct inward *in, const struct xml_elem *e,
    const struct jid *from, const struct jid *to)
{
	struct pending *p = calloc(1, sizeof(*p));
	const char *id = xml_attr(e, "id");

	if (p == NULL)
		return ERR_NOMEM;
	p->in = in;
	list_init(&p->all);
	list_init(&p->of_stream);
	clock_timer_init(&p->deadline, in->opts.clock, on_deadline, p);
	judge(p, e);
	if (jid_copy(&p->from, from) < 0 || jid_copy(&p->to, to) < 0 ||
	    (id != NULL && (p->id = strdup(id)) == NULL)) {
		free_pending(p);
		return ERR_NOMEM;
	}
	*out = p;
	return 0;
}

/* Not taken: the sender is told at once. */
static void
refuse(struct pending *p, enum condition condition, const char *text)
{
	const struct channel_result r = { .condition = condition,
		.text = text };

	p->in->counters.refused++;
	bounce(p, &r);
	free_pending(p);
}

static void
log_text(const struct inward_stream *s, const struct pending *p)
{
	const struct buf *b = &s->in->normalised.frame;
	const struct hosting_settings *hs =
	    hosting_settings(s->in->opts.hosting, p->to.ascii);
	struct frame f;

	if (hs->bodies && frame_decode(&f, b->data, b->len) == 0)
		body_log_frame(&s->log, "text-from-partner", &f, hs);
}

/* Gives the frame to the channel, or refuses the stanza.  True when it is under
 * way. */
static bool
send_frame(struct inward_stream *s, struct pending *p, const char *node)
{
	struct inward *in = s->in;
	int rc;

	p->channel =
	    node != NULL ? in->opts.ops->channel(node, in->opts.arg) : NULL;
	if (p->channel == NULL) {
		refuse(p, COND_SERVICE_UNAVAILABLE, NULL);
		return false;
	}
	rc = fair_share_add(in->shares, &s->share, p->from.ascii);
	if (rc == 0) {
		rc =
		    channel_send(p->channel, &in->normalised.frame, p, &p->seq);
		if (rc < 0)
			fair_share_drop(in->shares, &s->share);
	}
	if (rc < 0) {
		log_limited_warn(&s->log, p->from.ascii, "channel-full",
		    "node=%s error=%s", node, err_str(rc));
		refuse(p, COND_RESOURCE_CONSTRAINT, NULL);
		return false;
	}
	in->counters.sent++;
	in->under_way++;
	list_append(&in->pending, &p->all);
	p->stream = s;
	list_append(&s->pending, &p->of_stream);
	clock_timer_start(
	    &p->deadline, hosting_settings(in->opts.hosting, p->to.ascii)
			      ->inward_deadline_ms);
	return true;
}

/* What became of a stanza that was taken. */
enum fate { FATE_DONE, FATE_UNDER_WAY };

/* A frame for the owner of the domain, or for the node that an answer to a
 * ping names.  Such an answer is dropped when the node is not there: it proves
 * nothing to anybody else. */
static int
forward(struct inward_stream *s, const struct taken *t)
{
	struct inward *in = s->in;
	const char *node = in->normalised.node;
	struct pending *p;
	int rc;

	rc = make_pending(&p, in, t->e, t->from, t->to);
	if (rc < 0)
		return rc;
	p->number = t->number;
	if (node[0] == '\0')
		node = hosting_owner(in->opts.hosting, t->to->ascii);
	else
		p->may_bounce = false;
	if (!t->numbered) {
		refuse(p, COND_RESOURCE_CONSTRAINT, "too much unanswered");
		return FATE_DONE;
	}
	if (in->normalised.request &&
	    iq_asked_add(in->opts.asked, t->request_id, t->from, t->to, p->id) <
		0) {
		refuse(p, COND_RESOURCE_CONSTRAINT, "too many requests wait");
		return FATE_DONE;
	}
	log_text(s, p);
	if (!send_frame(s, p, node)) {
		iq_asked_forget(in->opts.asked, t->request_id);
		return FATE_DONE;
	}
	if (in->normalised.request)
		memcpy(p->asked, t->request_id, sizeof(p->asked));
	return FATE_UNDER_WAY;
}

/* A fate, or an error: then it counts as nothing. */
static int
handle(struct inward_stream *s, const struct taken *t)
{
	struct inward *in = s->in;
	struct normalised *n = &in->normalised;

	switch (n->outcome) {
	case NORMALISE_FRAME:
		return forward(s, t);
	case NORMALISE_ANSWER:
		in->counters.answered++;
		in->opts.ops->reply(
		    t->to->ascii, t->from->ascii, &n->xml, in->opts.arg);
		break;
	case NORMALISE_REFUSE:
		in->counters.refused++;
		log_limited_info(&s->log, t->from->ascii, "stanza-refused",
		    "stanza=%s from=%s to=%s condition=%s reason=%s",
		    t->e->name, t->from->ascii, t->to->ascii,
		    condition_str(n->condition), n->why);
		in->opts.ops->reply(
		    t->to->ascii, t->from->ascii, &n->xml, in->opts.arg);
		break;
	case NORMALISE_DROP:
		in->counters.dropped++;
		log_debug(&s->log, "stanza-dropped",
		    "stanza=%s from=%s to=%s reason=%s", t->e->name,
		    t->from->ascii, t->to->ascii, n->why);
		break;
	}
	return FATE_DONE;
}

/* The stanza's place in the count, none when the window is used up. */
static void
number(struct inward_stream *s, struct taken *t)
{
	size_t window =
	    hosting_settings(s->in->opts.hosting, t->to->ascii)->inward_window;

	if (s->handled.window != window &&
	    handled_count_resize(&s->handled, window) < 0)
		log_limited_warn(&s->log, t->from->ascii, "window-kept",
		    "window=%zu", s->handled.window);
	t->numbered = handled_count_begin(&s->handled, &t->number) == 0;
}

int
inward_take(struct inward_stream *s, const struct xml_elem *e,
    const struct jid *from, const struct jid *to, const char *language)
{
	struct inward *in = s->in;
	struct taken t = { .e = e, .from = from, .to = to };
	const struct normalise_ctx ctx = {
		.from = from,
		.to = to,
		.stream = s->id,
		.language = language,
		.prefer =
		    hosting_settings(in->opts.hosting, to->ascii)->language,
		.request_id = t.request_id,
	};
	int rc;

	if (strcmp(e->name, "iq") == 0)
		iq_asked_make_id(t.request_id);
	rc = normalise_stanza(&in->normalised, e, &ctx);
	if (rc < 0)
		return rc;
	in->counters.stanzas++;
	number(s, &t);
	rc = handle(s, &t);
	if (rc < 0)
		return rc;
	if (rc == FATE_DONE &&
	    (t.numbered ? handled_count_end(&s->handled, t.number)
			: handled_count_pass(&s->handled)))
		count_moved(s);
	if (s->flow == FLOW_READING && is_ahead(s))
		set_flow(s, FLOW_PAUSED);
	return 0;
}
