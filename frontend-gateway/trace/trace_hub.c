/*
 * Watchers are a bit each.  What passes is matched first, which costs an
 * address or two; only what somebody wants and still has room for is made
 * readable, once for all of them.
 */
#include "frontend-gateway/trace/trace_hub.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/jid.h"
#include "common/log.h"
#include "common/token_bucket.h"
#include "frontend-gateway/admin/sse.h"
#include "frontend-gateway/trace/trace_frame.h"
#include "frontend-gateway/trace/trace_sip.h"
#include "frontend-gateway/trace/trace_stanza.h"
#include "proto/channel.h"
#include "proto/frame.h"

enum { SETTLE_MS = 2000 /* until every edge knows what it may show */ };

typedef uint8_t watcher_set; /* a bit each */

struct watcher {
	struct trace_hub *hub;
	struct sse *sse; /* NULL: nobody sits here */
	struct trace_filter filter;
	struct clock_timer over, look;
	struct token_bucket events, bytes;
	uint64_t told, missed; /* in all */
	uint64_t unsaid;       /* of those missed */
	bool ended;            /* nothing is told any more */
	const char *reason;    /* why it ended; NULL: he went */
	char token[TRACE_HUB_TOKEN_SIZE];
	char who[256];
};

/* A frame whose result is waited for. */
struct awaited {
	uint64_t seq;
	uint8_t edge, type;
	bool inward;
	watcher_set set; /* 0: none */
};

struct trace_hub {
	struct clock *clock;
	const struct trace_hub_events *events;
	void *arg;
	struct log log;
	struct watcher watchers[TRACE_HUB_WATCHERS];
	struct awaited *awaited; /* TRACE_HUB_RESULTS; NULL while none watch */
	uint64_t veiled_until_ms;
	bool stopped;
};

int
trace_hub_new(struct trace_hub **out, struct clock *clock,
    const struct trace_hub_events *events, void *arg)
{
	struct trace_hub *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return ERR_NOMEM;
	h->clock = clock;
	h->events = events;
	h->arg = arg;
	log_init(&h->log, "trace");
	*out = h;
	return 0;
}

void
trace_hub_free(struct trace_hub *h)
{
	if (h == NULL)
		return;
	for (size_t i = 0; i < TRACE_HUB_WATCHERS; i++)
		assert(h->watchers[i].sse == NULL);
	free(h->awaited);
	free(h);
}

static bool
is_watching(const struct watcher *w)
{
	return w->sse != NULL && !w->ended;
}

size_t
trace_hub_count(const struct trace_hub *h)
{
	size_t count = 0;

	for (size_t i = 0; i < TRACE_HUB_WATCHERS; i++)
		count += is_watching(&h->watchers[i]);
	return count;
}

/* --- whom the edges follow ------------------------------------------------- */

static int
collect(const struct trace_hub *h, json_t *who)
{
	int rc = 0;

	for (size_t i = 0; i < TRACE_HUB_WATCHERS && rc == 0; i++)
		if (is_watching(&h->watchers[i]))
			rc = trace_filter_add_who(&h->watchers[i].filter, who);
	return rc;
}

static void
tell_watched(struct trace_hub *h)
{
	json_t *who = json_array();

	/* Without memory the edges follow whom they can. */
	(void)collect(h, who);
	if (trace_hub_count(h) == 0) {
		free(h->awaited);
		h->awaited = NULL;
	}
	if (!h->stopped && who != NULL)
		h->events->on_watched(who, h->arg);
	json_decref(who);
}

void
trace_hub_bodies_changed(struct trace_hub *h)
{
	/* What the edges are about to tell was made under the former rule. */
	h->veiled_until_ms = clock_now_ms(h->clock) + SETTLE_MS;
	for (size_t i = 0; i < TRACE_HUB_WATCHERS; i++)
		if (is_watching(&h->watchers[i]))
			sse_send_json(h->watchers[i].sse, "bodies",
			    json_pack(
				"{s:b}", "bodies", h->events->bodies(h->arg)));
	if (trace_hub_count(h) > 0)
		tell_watched(h);
}

/* --- the end ---------------------------------------------------------------- */

/* He is told no more; his stream may take a while to be read. */
static void
end_watch(struct watcher *w, const char *reason)
{
	struct trace_hub *h = w->hub;

	if (w->ended)
		return;
	w->ended = true;
	w->reason = reason;
	clock_timer_stop(&w->over);
	clock_timer_stop(&w->look);
	log_info(&h->log, "trace-ended",
	    "who=%s user=%s contact=%s partner=%s reason=%s told=%" PRIu64
	    " missed=%" PRIu64,
	    w->who, w->filter.user, w->filter.contact,
	    w->filter.domain_count > 0 ? w->filter.domains[0] : NULL, reason,
	    w->told, w->missed);
	tell_watched(h);
}

static void
cut(struct watcher *w, const char *reason)
{
	sse_cut(w->sse, reason);
	end_watch(w, reason);
}

static void
on_over(struct clock_timer *t, void *arg)
{
	struct watcher *w = arg;

	(void)t;
	sse_end(w->sse, "end",
	    json_pack("{s:s, s:I, s:I}", "reason", "the time is over", "told",
		(json_int_t)w->told, "missed", (json_int_t)w->missed));
	end_watch(w, "the time is over");
}

static void
on_look(struct clock_timer *t, void *arg)
{
	struct watcher *w = arg;
	const struct trace_hub *h = w->hub;

	if (h->events->may(w->token, h->arg))
		clock_timer_start(t, TRACE_HUB_LOOK_MS);
	else
		cut(w, "the token has expired");
}

/* His call has ended. */
static void
on_end(struct sse *s, void *arg)
{
	struct watcher *w = arg;

	(void)s;
	end_watch(w, "the client went");
	w->sse = NULL;
	trace_filter_finish(&w->filter);
}

void
trace_hub_drop(struct trace_hub *h, const char *token)
{
	for (size_t i = 0; i < TRACE_HUB_WATCHERS; i++)
		if (is_watching(&h->watchers[i]) &&
		    strcmp(h->watchers[i].token, token) == 0)
			cut(&h->watchers[i], "the token is no more");
}

void
trace_hub_stop(struct trace_hub *h, const char *reason)
{
	h->stopped = true;
	for (size_t i = 0; i < TRACE_HUB_WATCHERS; i++)
		if (is_watching(&h->watchers[i]))
			cut(&h->watchers[i], reason);
}

/* --- joining ------------------------------------------------------------------ */

static struct watcher *
free_seat(struct trace_hub *h)
{
	for (size_t i = 0; i < TRACE_HUB_WATCHERS; i++)
		if (h->watchers[i].sse == NULL)
			return &h->watchers[i];
	return NULL;
}

/* Whether the edges can follow one more. */
static int
check_who(const struct trace_hub *h, const struct trace_filter *more)
{
	json_t *who = json_array();
	int rc = who != NULL ? collect(h, who) : ERR_NOMEM;

	if (rc == 0)
		rc = trace_filter_add_who(more, who);
	json_decref(who);
	return rc == ERR_FULL ? ERR_TOO_LONG : rc;
}

static void
send_ready(struct watcher *w)
{
	json_t *domains = json_array();

	for (size_t i = 0; i < w->filter.domain_count; i++)
		(void)json_array_append_new(
		    domains, json_string(w->filter.domains[i]));
	sse_send_json(w->sse, "ready",
	    json_pack("{s:s*, s:s*, s:o, s:b}", "user", w->filter.user,
		"contact", w->filter.contact, "partner", domains, "bodies",
		w->hub->events->bodies(w->hub->arg)));
}

int
trace_hub_join(struct trace_hub *h, struct http_call *call,
    const struct trace_hub_wish *wish)
{
	struct watcher *w = free_seat(h);
	int rc;

	if (h->stopped)
		return ERR_CLOSED;
	if (w == NULL)
		return ERR_FULL;
	rc = check_who(h, wish->filter);
	if (rc < 0)
		return rc;
	if (h->awaited == NULL)
		h->awaited = calloc(TRACE_HUB_RESULTS, sizeof(*h->awaited));
	if (h->awaited == NULL)
		return ERR_NOMEM;
	*w = (struct watcher){ .hub = h };
	rc = sse_open(&w->sse, call, h->clock, on_end, w);
	if (rc < 0)
		return rc;
	sse_set_beat(w->sse, TRACE_HUB_BEAT_MS);
	w->filter = *wish->filter;
	*wish->filter = (struct trace_filter){ 0 };
	snprintf(w->token, sizeof(w->token), "%s", wish->token);
	snprintf(w->who, sizeof(w->who), "%s", wish->who);
	clock_timer_init(&w->look, h->clock, on_look, w);
	if (w->token[0] != '\0')
		clock_timer_start(&w->look, TRACE_HUB_LOOK_MS);
	clock_timer_init(&w->over, h->clock, on_over, w);
	clock_timer_start(&w->over, (uint64_t)wish->seconds * 1000);
	log_info(&h->log, "trace-began",
	    "who=%s user=%s contact=%s partner=%s seconds=%u", w->who,
	    w->filter.user, w->filter.contact,
	    w->filter.domain_count > 0 ? w->filter.domains[0] : NULL,
	    wish->seconds);
	send_ready(w);
	tell_watched(h);
	return 0;
}

/* --- telling ------------------------------------------------------------------ */

static struct trace_party
party_of(const struct jid *j)
{
	return (struct trace_party){ j->bare, j->ascii };
}

static watcher_set
who_wants(
    const struct trace_hub *h, const struct trace_party *parties, size_t count)
{
	watcher_set set = 0;

	for (size_t i = 0; i < TRACE_HUB_WATCHERS; i++)
		if (is_watching(&h->watchers[i]) &&
		    trace_filter_fits(&h->watchers[i].filter, parties, count))
			set |= (watcher_set)(1u << i);
	return set;
}

/* Of these, those who have room for one more event now. */
static watcher_set
who_has_room(struct trace_hub *h, watcher_set set)
{
	const uint64_t now = clock_now_ms(h->clock);

	for (size_t i = 0; i < TRACE_HUB_WATCHERS; i++) {
		struct watcher *w = &h->watchers[i];

		if ((set >> i & 1) == 0 ||
		    (is_watching(w) &&
			token_bucket_try(&w->events, TRACE_HUB_PER_SECOND,
			    TRACE_HUB_AT_ONCE, 1, now)))
			continue;
		set &= (watcher_set) ~(1u << i);
		w->missed++;
		w->unsaid++;
	}
	return set;
}

static void
send_missed(struct watcher *w, const char *by, json_int_t count)
{
	sse_send_json(w->sse, "missed",
	    json_pack("{s:I, s:s}", "count", count, "by", by));
}

static void
send_to(struct watcher *w, const char *event, const char *text)
{
	const size_t len = strlen(text) + sizeof("event: \ndata: \n\n") + 16;

	if (!token_bucket_try(&w->bytes, TRACE_HUB_BYTES_PER_SECOND,
		TRACE_HUB_BYTES_AT_ONCE, (uint32_t)len,
		clock_now_ms(w->hub->clock))) {
		w->missed++;
		w->unsaid++;
		return;
	}
	if (w->unsaid > 0)
		send_missed(w, "gateway", (json_int_t)w->unsaid);
	w->unsaid = 0;
	sse_send(w->sse, NULL, event, text);
	if (sse_is_over(w->sse))
		end_watch(w, "too slow");
	else
		w->told++;
}

/* data is taken over. */
static void
tell(struct trace_hub *h, watcher_set set, const char *event, json_t *data)
{
	char *text = data != NULL ? json_dumps(data, JSON_COMPACT) : NULL;

	json_decref(data);
	for (size_t i = 0; i < TRACE_HUB_WATCHERS; i++) {
		struct watcher *w = &h->watchers[i];

		if ((set >> i & 1) == 0 || !is_watching(w))
			continue;
		if (text != NULL) {
			send_to(w, event, text);
		} else {
			w->missed++;
			w->unsaid++;
		}
	}
	free(text);
}

/* Two members that every event has. */
static json_t *
complete(const struct trace_hub *h, json_t *data, bool inward)
{
	if (data == NULL)
		return NULL;
	if (json_object_set_new(data, "at_ms",
		json_integer((json_int_t)clock_wall_ms(h->clock))) == 0 &&
	    json_object_set_new(data, "direction",
		json_string(inward ? "inward" : "outward")) == 0)
		return data;
	json_decref(data);
	return NULL;
}

/* --- SIP ------------------------------------------------------------------------ */

static watcher_set
who_wants_sip(const struct trace_hub *h, const struct trace_sip *m)
{
	struct jid jids[TRACE_SIP_PARTIES_MAX];
	struct trace_party parties[TRACE_SIP_PARTIES_MAX];
	const size_t count = trace_sip_parties(m, jids);
	watcher_set set;

	for (size_t i = 0; i < count; i++)
		parties[i] = party_of(&jids[i]);
	set = who_wants(h, parties, count);
	for (size_t i = 0; i < count; i++)
		jid_finish(&jids[i]);
	return set;
}

void
trace_hub_sip(struct trace_hub *h, const struct trace_hub_sip *s)
{
	struct trace_sip m;
	watcher_set set;
	json_t *data;

	trace_sip_read(&m, s->head, s->head_len, s->body, s->body_len);
	set = who_has_room(h, who_wants_sip(h, &m));
	if (set == 0)
		return;
	data = complete(h,
	    trace_sip_json(&m, h->events->bodies(h->arg), TRACE_HUB_TEXT_MAX),
	    s->inward);
	if (data != NULL) {
		(void)json_object_set_new(data, "peer", json_string(s->peer));
		(void)json_object_set_new(
		    data, "connection", json_integer((json_int_t)s->conn));
	}
	tell(h, set, "sip", data);
}

/* --- frames ---------------------------------------------------------------------- */

static struct awaited *
place_of(const struct trace_hub *h, const struct trace_hub_place *p)
{
	const uint64_t n =
	    p->seq * 2 + (p->inward ? 1 : 0) + (uint64_t)p->edge * 61;

	return &h->awaited[n % TRACE_HUB_RESULTS];
}

static watcher_set
who_wants_frame(const struct trace_hub *h, const struct frame *f)
{
	static const enum frame_tag tags[] = { FIELD_FROM, FIELD_TO };
	struct jid jids[2] = { 0 };
	struct trace_party parties[2];
	size_t count = 0;
	watcher_set set;

	for (size_t i = 0; i < 2; i++) {
		const struct frame_field *a = frame_field(f, tags[i]);

		if (a != NULL &&
		    jid_parse(&jids[i], (const char *)a->data, a->len) == 0)
			parties[count++] = party_of(&jids[i]);
	}
	set = who_wants(h, parties, count);
	jid_finish(&jids[0]);
	jid_finish(&jids[1]);
	return set;
}

static json_t *
with_place(json_t *data, const struct trace_hub_place *p)
{
	if (data != NULL) {
		(void)json_object_set_new(data, "edge", json_string(p->name));
		(void)json_object_set_new(
		    data, "seq", json_integer((json_int_t)p->seq));
	}
	return data;
}

void
trace_hub_frame(
    struct trace_hub *h, const struct trace_hub_place *p, const struct frame *f)
{
	const watcher_set wanted = who_wants_frame(h, f);
	watcher_set set;

	if (wanted == 0)
		return;
	*place_of(h, p) = (struct awaited){ p->seq, (uint8_t)p->edge, f->type,
		p->inward, wanted };
	set = who_has_room(h, wanted);
	if (set != 0)
		tell(h, set, "frame",
		    complete(h,
			with_place(
			    trace_frame_json(f, h->events->bodies(h->arg)), p),
			p->inward));
}

void
trace_hub_result(struct trace_hub *h, const struct trace_hub_place *p,
    const struct channel_result *r)
{
	struct awaited *a = h->awaited != NULL ? place_of(h, p) : NULL;
	watcher_set set;

	if (a == NULL || a->set == 0 || a->seq != p->seq ||
	    a->edge != p->edge || a->inward != p->inward)
		return;
	set = who_has_room(h, a->set);
	a->set = 0;
	/* It goes the other way. */
	if (set != 0)
		tell(h, set, "frame",
		    complete(h,
			with_place(trace_frame_result_json(r, a->type), p),
			!p->inward));
}

/* --- what the edges tell ------------------------------------------------------------ */

static watcher_set
who_wants_traced(const struct trace_hub *h, const json_t *what)
{
	static const char *const keys[] = { "from", "to" };
	struct jid jids[2] = { 0 };
	struct trace_party parties[2];
	size_t count = 0;
	watcher_set set;

	for (size_t i = 0; i < 2; i++) {
		const char *s =
		    json_string_value(json_object_get(what, keys[i]));

		if (s != NULL && jid_parse(&jids[i], s, strlen(s)) == 0)
			parties[count++] = party_of(&jids[i]);
	}
	set = who_wants(h, parties, count);
	jid_finish(&jids[0]);
	jid_finish(&jids[1]);
	return set;
}

/* A stream is its domains', not that of two people. */
static watcher_set
who_wants_stream(const struct trace_hub *h, const json_t *what)
{
	watcher_set set = who_wants_traced(h, what);

	for (size_t i = 0; i < TRACE_HUB_WATCHERS; i++) {
		const struct watcher *w = &h->watchers[i];
		const char *at = w->filter.contact != NULL
				     ? strrchr(w->filter.contact, '@')
				     : NULL;

		for (int k = 0; is_watching(w) && at != NULL && k < 2; k++) {
			const char *one = json_string_value(
			    json_object_get(what, k == 0 ? "from" : "to"));

			if (one != NULL && strcmp(one, at + 1) == 0)
				set |= (watcher_set)(1u << i);
		}
	}
	return set;
}

/* Made anew, so that nothing is told but what is known here. */
static json_t *
traced_json(const struct trace_hub *h, const char *edge, const json_t *what,
    bool stanza)
{
	static const char *const kept[] = { "stream", "from", "to" };
	const json_t *text = json_object_get(what, "text");
	const bool veiled = stanza && !h->events->bodies(h->arg) &&
			    clock_now_ms(h->clock) < h->veiled_until_ms;
	json_t *out = json_pack("{s:s, s:O*}", "edge", edge, "edge_at_ms",
	    json_object_get(what, "at"));

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		json_t *one = json_object_get(what, kept[i]);

		if (one != NULL)
			(void)json_object_set(out, kept[i], one);
	}
	if (json_is_true(json_object_get(what, "cut")))
		(void)json_object_set_new(out, "cut", json_true());
	if (text == NULL)
		return out;
	if (stanza)
		trace_stanza_describe(
		    out, json_string_value(text), json_string_length(text));
	if (!veiled)
		(void)json_object_set_new(
		    out, "text", json_string(json_string_value(text)));
	return out;
}

static void
tell_missed(struct trace_hub *h, const char *edge, const json_t *what)
{
	const json_int_t count =
	    json_integer_value(json_object_get(what, "missed"));

	for (size_t i = 0; i < TRACE_HUB_WATCHERS && count > 0; i++)
		if (is_watching(&h->watchers[i]))
			send_missed(&h->watchers[i], edge, count);
}

void
trace_hub_traced(struct trace_hub *h, const char *edge, const json_t *what)
{
	const char *kind = json_string_value(json_object_get(what, "kind"));
	const char *way = json_string_value(json_object_get(what, "direction"));
	const bool stanza = kind == NULL || strcmp(kind, "stream") != 0;
	watcher_set set;

	tell_missed(h, edge, what);
	set = stanza ? who_wants_traced(h, what) : who_wants_stream(h, what);
	set = who_has_room(h, set);
	if (set != 0)
		tell(h, set, stanza ? "stanza" : "stream",
		    complete(h, traced_json(h, edge, what, stanza),
			way != NULL && strcmp(way, "in") == 0));
}
