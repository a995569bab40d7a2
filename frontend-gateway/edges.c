/*
 * An edge is
 *
 *   down -> up (told the configuration) -> confirmed
 *
 * and only a confirmed one is chosen for outward traffic.  Inward stanzas are
 * taken from any edge whose channel is up: the guard judges each of them.
 */
#include "frontend-gateway/edges.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/failures.h"
#include "common/log.h"
#include "common/log_limit.h"
#include "frontend-gateway/barrier.h"
#include "frontend-gateway/edge_link.h"
#include "frontend-gateway/edge_streams.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/generation.h"
#include "proto/channel.h"
#include "proto/frame.h"

enum { STREAM_LINES = 500 }; /* in the log, a minute, of each kind */

/* The newest proofs, for a connection that broke before they were read: control
 * frames are not in the channel's custody. */
struct proofs {
	char ids[EDGES_PROOFS][BARRIER_ID_SIZE];
	size_t count; /* ever; the newest ones are in the ring */
};

struct edge {
	struct edges *edges;
	unsigned index;
	struct edge_link *link;
	struct edge_streams *streams;
	struct clock_timer lost; /* runs while the edge is away */
	bool up, confirmed, draining;
	uint64_t known;    /* the generation it confirmed last */
	uint64_t since_ms; /* up or away */
	char refusal[256]; /* why it did not take the configuration */
	json_t *fenced;    /* domains for which another gateway is obeyed */
	struct proofs proofs;
	struct log log;
};

struct edges {
	struct edges_opts opts;
	struct edge v[GATEWAY_CONF_EDGES_MAX];
	size_t count;
	size_t open; /* links */
	struct failures *failures;
	bool closing;
	bool silent; /* never handed out: nobody hears of its end */
};

/* --- choosing ----------------------------------------------------------- */

size_t
edges_count(const struct edges *e)
{
	return e->count;
}

const char *
edges_name(const struct edges *e, unsigned edge)
{
	assert(edge < e->count);
	return e->opts.conf->edges[edge].name;
}

static const char *
name_of(const struct edge *d)
{
	return edges_name(d->edges, d->index);
}

bool
edges_serves(const struct edges *e, unsigned edge, const char *local)
{
	const struct edge *d = &e->v[edge];
	const json_t *item;
	size_t i;

	assert(edge < e->count);
	if (!d->up || !d->confirmed || d->draining)
		return false;
	json_array_foreach(d->fenced, i,
	    item) if (strcmp(json_string_value(item), local) == 0) return false;
	return true;
}

/* FNV-1a over the edge's name and both users: no secret is at stake, only that
 * every gateway chooses alike. */
static uint64_t
weight(const char *edge, const char *user, const char *contact)
{
	const char *parts[] = { edge, user, contact };
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < 3; i++) {
		const unsigned char *p = (const unsigned char *)parts[i];

		do {
			h = (h ^ *p) * 0x100000001b3u;
		} while (*p++ != '\0');
	}
	/* The last bytes must reach all bits, or similar names tie. */
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdu;
	return h ^ h >> 33;
}

unsigned
edges_choose(const struct edges *e, const char *local, const char *user,
    const char *contact, unsigned preferred)
{
	unsigned best = 0;
	uint64_t best_weight = 0;
	bool best_live = false;

	if (preferred < e->count && edges_serves(e, preferred, local))
		return preferred;
	for (unsigned i = 0; i < e->count; i++) {
		bool live = edges_serves(e, i, local);
		uint64_t w = weight(edges_name(e, i), user, contact);

		if (i > 0 && (live < best_live ||
				 (live == best_live && w <= best_weight)))
			continue;
		best = i;
		best_weight = w;
		best_live = live;
	}
	return best;
}

/* --- control frames ----------------------------------------------------- */

static void
send_control(
    struct edge *d, struct frame_writer *w, struct buf *frame, const char *what)
{
	int rc = frame_end(w);

	if (rc == 0)
		rc = channel_send_control(edge_link_channel(d->link), frame);
	if (rc < 0)
		log_warn(
		    &d->log, "not-sent", "what=%s error=%s", what, err_str(rc));
	buf_finish(frame);
}

static void
send_config(struct edge *d)
{
	const struct generation *g = d->edges->opts.generation;
	struct frame_writer w;
	struct buf frame;

	buf_init(&frame, FRAME_MAX);
	frame_begin(&w, &frame, FRAME_CONFIG);
	frame_put(&w, FIELD_JSON, g->text, g->len);
	send_control(d, &w, &frame, "config");
}

void
edges_announce(struct edges *e)
{
	for (size_t i = 0; i < e->count; i++)
		if (e->v[i].up)
			send_config(&e->v[i]);
}

void
edges_set_tls(struct edges *e, SSL_CTX *tls)
{
	for (size_t i = 0; i < e->count; i++)
		edge_link_set_tls(e->v[i].link, tls);
}

void
edges_drain(struct edges *e)
{
	for (size_t i = 0; i < e->count; i++) {
		struct frame_writer w;
		struct buf frame;

		if (!e->v[i].up)
			continue;
		buf_init(&frame, FRAME_MAX);
		frame_begin(&w, &frame, FRAME_DRAIN);
		send_control(&e->v[i], &w, &frame, "drain");
	}
}

static void
send_proof(struct edge *d, const char *barrier)
{
	struct frame_writer w;
	struct buf frame;

	buf_init(&frame, FRAME_MAX);
	frame_begin(&w, &frame, FRAME_PROOF);
	frame_put_str(&w, FIELD_BARRIER, barrier);
	send_control(d, &w, &frame, "proof");
}

void
edges_prove(struct edges *e, unsigned edge, const char *barrier)
{
	struct edge *d = &e->v[edge];
	struct proofs *p = &d->proofs;

	assert(edge < e->count);
	snprintf(p->ids[p->count++ % EDGES_PROOFS], sizeof(p->ids[0]), "%s",
	    barrier);
	if (d->up)
		send_proof(d, barrier);
}

/* The same edge is back.  It knows which of them it has had. */
static void
prove_again(struct edge *d)
{
	const struct proofs *p = &d->proofs;
	size_t i = p->count > EDGES_PROOFS ? p->count - EDGES_PROOFS : 0;

	for (; i < p->count; i++)
		send_proof(d, p->ids[i % EDGES_PROOFS]);
}

/* Keeps the list of domains for which another gateway is obeyed. */
static void
set_fenced(struct edge *d, json_t *domains)
{
	const json_t *item;
	size_t i;

	json_decref(d->fenced);
	d->fenced = json_array();
	json_array_foreach(domains, i, item)
	{
		if (!json_is_string(item) ||
		    json_array_append_new(
			d->fenced, json_string(json_string_value(item))) < 0)
			continue;
		log_limited_error(&d->log, name_of(d), "fenced", "domain=%s",
		    json_string_value(item));
	}
}

/* Tells the owner when the last edge has confirmed what is in force. */
static void
tell_confirmed(struct edges *e)
{
	for (size_t i = 0; i < e->count; i++)
		if (!e->v[i].confirmed ||
		    e->v[i].known != e->opts.generation->counter)
			return;
	e->opts.events->on_confirmed(e, e->opts.arg);
}

static void
on_confirm(struct edge *d, const struct frame *f)
{
	const struct generation *g = d->edges->opts.generation;
	const struct frame_field *field = frame_field(f, FIELD_JSON);
	json_t *root = NULL;
	json_int_t counter;
	const char *hash;
	char reason[256];

	(void)frame_copy(f, FIELD_REASON, reason, sizeof(reason));
	if (field != NULL)
		root = json_loadb((const char *)field->data, field->len,
		    JSON_REJECT_DUPLICATES, NULL);
	counter = json_integer_value(json_object_get(root, "counter"));
	hash = json_string_value(json_object_get(root, "hash"));
	d->confirmed = false;
	d->refusal[0] = '\0';
	if (frame_is(f, FIELD_STATUS, "refused")) {
		snprintf(d->refusal, sizeof(d->refusal), "%s", reason);
		log_limited_error(&d->log, name_of(d), "config-refused",
		    "counter=%llu reason=%s", (unsigned long long)g->counter,
		    reason);
	} else if (counter < 0 || (uint64_t)counter != g->counter ||
		   hash == NULL || strcmp(hash, g->hash) != 0) {
		log_limited_error(&d->log, name_of(d), "config-mismatch",
		    "counter=%llu confirmed=%lld",
		    (unsigned long long)g->counter, (long long)counter);
	} else {
		d->confirmed = true;
		d->known = g->counter;
		set_fenced(d, json_object_get(root, "fenced"));
		log_limited_info(&d->log, name_of(d), "config-confirmed",
		    "counter=%llu", (unsigned long long)g->counter);
	}
	json_decref(root);
	if (d->confirmed)
		tell_confirmed(d->edges);
}

/* An honest edge that comes back reports all its streams at once. */
#define OF_STREAM(d, lvl, ev)                                                  \
	&(const struct log_limit)                                              \
	{                                                                      \
		.log = &(d)->log, .level = (lvl), .event = (ev),               \
		.peer = name_of(d), .lines = STREAM_LINES                      \
	}

static void
log_report(struct edge *d, const struct edge_streams_report *r)
{
	switch (r->event) {
	case EDGE_STREAMS_UP:
		log_limited(OF_STREAM(d, LOG_INFO, "stream-up"),
		    "stream=%s direction=%s local=%s remote=%s peer=%s "
		    "auth=%s tls=%s",
		    r->id, r->inbound ? "in" : "out", r->local, r->remote,
		    r->peer, r->auth, r->tls);
		break;
	case EDGE_STREAMS_UPDATE:
		log_limited(OF_STREAM(d, LOG_INFO, "stream-update"),
		    "stream=%s local=%s remote=%s pairs=%zu proofs=%s", r->id,
		    r->local, r->remote, r->stream->guard.pair_count,
		    r->proofs);
		break;
	case EDGE_STREAMS_DOWN:
		log_limited(OF_STREAM(d, LOG_INFO, "stream-down"),
		    "stream=%s reason=%s condition=%s", r->id, r->reason,
		    r->condition);
		break;
	case EDGE_STREAMS_FAILED:
		log_limited(OF_STREAM(d, LOG_WARN, "stream-failed"),
		    "local=%s remote=%s peer=%s reason=%s condition=%s",
		    r->local, r->remote, r->peer, r->reason, r->condition);
		break;
	}
}

/* What an operator will ask for. */
static void
keep_failure(struct edges *e, const struct edge_streams_report *r)
{
	const char *direction = r->inbound ? "in" : "out";
	struct failure what = { .direction = direction,
		.local = r->local,
		.remote = r->remote,
		.peer = r->peer,
		.reason = r->reason };

	for (size_t i = r->stream != NULL ? r->stream->fresh : 0;
	     r->stream != NULL && i < r->stream->guard.pair_count; i++)
		failures_clear(e->failures, direction,
		    r->stream->guard.pairs[i].local,
		    r->stream->guard.pairs[i].remote);
	if (r->event == EDGE_STREAMS_FAILED)
		failures_note(e->failures, &what, clock_now_ms(e->opts.clock));
}

static void
tell_partner(struct edge *d, const char *local, const char *remote, bool failed)
{
	struct edges *e = d->edges;

	if (e->opts.events->on_partner != NULL)
		e->opts.events->on_partner(
		    e, d->index, local, remote, failed, e->opts.arg);
}

static void
tell_ended(struct edge *d, const struct guard_stream *g)
{
	for (size_t i = 0; i < g->pair_count; i++)
		tell_partner(d, g->pairs[i].local, g->pairs[i].remote, false);
}

static void
on_stream(struct edge *d, const struct frame *f)
{
	struct edges *e = d->edges;
	const struct frame_field *field = frame_field(f, FIELD_JSON);
	struct edge_streams_report r;
	int rc = ERR_MALFORMED;

	if (field != NULL)
		rc = edge_streams_report(d->streams, &r,
		    (const char *)field->data, field->len,
		    clock_now_ms(e->opts.clock));
	if (rc < 0) {
		log_limited_error(&d->log, name_of(d), "stream-report-refused",
		    "error=%s", err_str(rc));
		return;
	}
	log_report(d, &r);
	keep_failure(e, &r);
	if (r.stream != NULL && r.stream->fresh < r.stream->guard.pair_count)
		e->opts.events->on_stream(e, d->index, r.stream, e->opts.arg);
	else if (r.event == EDGE_STREAMS_FAILED)
		tell_partner(d, r.local, r.remote, true);
	else if (r.event == EDGE_STREAMS_DOWN && r.stream != NULL)
		tell_ended(d, &r.stream->guard);
}

/* What the edge wants an operator to read; its text is quoted by the log. */
static void
on_log(struct edge *d, const struct frame *f)
{
	char json[2048];

	if (frame_copy(f, FIELD_JSON, json, sizeof(json)))
		log_limited_info(
		    &d->log, name_of(d), "edge-says", "json=%s", json);
}

static void
on_control(struct edge_link *l, const struct frame *f, void *arg)
{
	struct edge *d = arg;
	char json[2048];

	(void)l;
	switch (f->type) {
	case FRAME_CONFIRM:
		on_confirm(d, f);
		break;
	case FRAME_STREAM:
		on_stream(d, f);
		break;
	case FRAME_LOG:
		on_log(d, f);
		break;
	case FRAME_STATS:
		if (frame_copy(f, FIELD_JSON, json, sizeof(json)))
			log_debug(&d->log, "stats", "json=%s", json);
		break;
	case FRAME_DRAIN:
		d->draining = true;
		log_limited_info(&d->log, name_of(d), "draining", "edge=%s",
		    edge_link_name(d->link));
		break;
	default:
		log_limited_warn(&d->log, name_of(d), "unexpected-frame",
		    "type=%s", frame_type_str(f->type));
		break;
	}
}

/* --- links -------------------------------------------------------------- */

static void
on_up(struct edge_link *l, bool resumed, void *arg)
{
	struct edge *d = arg;
	struct edges *e = d->edges;

	(void)l;
	clock_timer_stop(&d->lost);
	d->up = true;
	d->since_ms = clock_now_ms(e->opts.clock);
	d->confirmed = d->draining = false;
	if (resumed) {
		edge_streams_resume(d->streams, clock_now_ms(e->opts.clock));
		prove_again(d);
	} else {
		edge_streams_forget(d->streams);
		d->proofs.count = 0;
	}
	send_config(d);
	/* Before the channel sends anything again. */
	if (!resumed)
		e->opts.events->on_renewed(e, d->index, e->opts.arg);
}

static void
on_down(struct edge_link *l, void *arg)
{
	struct edge *d = arg;

	(void)l;
	d->up = d->confirmed = false;
	d->since_ms = clock_now_ms(d->edges->opts.clock);
	clock_timer_start(&d->lost, EDGES_LOST_MS);
}

static void
on_lost(struct clock_timer *t, void *arg)
{
	struct edge *d = arg;
	struct edges *e = d->edges;

	(void)t;
	e->opts.events->on_lost(e, d->index, e->opts.arg);
}

static void
on_stanza(struct edge_link *l, uint64_t seq, const struct frame *f, void *arg)
{
	struct edge *d = arg;
	struct edges *e = d->edges;
	const struct frame_field *id = frame_field(f, FIELD_STREAM);
	const struct edges_stream *stream = NULL;
	struct edges_ticket ticket = { d->index, seq };

	(void)l;
	if (id != NULL)
		stream = edge_streams_find(
		    d->streams, (const char *)id->data, id->len);
	e->opts.events->on_stanza(e, ticket, f, stream, e->opts.arg);
}

static void
on_result(struct edge_link *l, uint64_t seq, void *cookie,
    const struct channel_result *r, void *arg)
{
	struct edges_sender *sender = cookie;

	(void)l;
	(void)seq;
	(void)arg;
	if (sender != NULL)
		sender->on_result(sender, r);
}

static void
finish(struct edges *e)
{
	for (size_t i = 0; i < e->count; i++) {
		edge_streams_free(e->v[i].streams);
		json_decref(e->v[i].fenced);
	}
	failures_free(e->failures);
	free(e);
}

static void
on_closed(struct edge_link *l, void *arg)
{
	struct edge *d = arg;
	struct edges *e = d->edges;

	(void)l;
	d->link = NULL;
	if (--e->open > 0 || !e->closing)
		return;
	if (!e->silent)
		e->opts.events->on_closed(e, e->opts.arg);
	finish(e);
}

static const struct edge_link_events link_events = {
	.on_up = on_up,
	.on_down = on_down,
	.on_stanza = on_stanza,
	.on_result = on_result,
	.on_control = on_control,
	.on_closed = on_closed,
};

static int
open_edge(struct edges *e, unsigned i)
{
	const struct gateway_host *host = &e->opts.conf->edges[i];
	struct edge *d = &e->v[i];
	struct edge_link_opts opts = {
		.loop = e->opts.loop,
		.clock = e->opts.clock,
		.tls = e->opts.tls,
		.name = host->name,
		.address = host->address,
		.node = e->opts.conf->node,
		.boot = e->opts.boot,
		.store = e->opts.store,
		.epoch = e->opts.epoch,
		.events = &link_events,
		.arg = d,
	};
	int rc;

	d->edges = e;
	d->index = i;
	d->since_ms = clock_now_ms(e->opts.clock);
	log_init(&d->log, "edges");
	log_object(&d->log, "edge=%s", host->name);
	clock_timer_init(&d->lost, e->opts.clock, on_lost, d);
	rc = edge_streams_new(&d->streams);
	if (rc < 0)
		return rc;
	rc = edge_link_open(&d->link, &opts);
	if (rc < 0) {
		edge_streams_free(d->streams);
		d->streams = NULL;
		return rc;
	}
	e->open++;
	return 0;
}

int
edges_open(struct edges **out, const struct edges_opts *opts)
{
	struct edges *e = calloc(1, sizeof(*e));
	int rc;

	if (e == NULL)
		return ERR_NOMEM;
	e->opts = *opts;
	rc = failures_new(&e->failures);
	if (rc < 0)
		goto fail;
	for (unsigned i = 0; i < opts->conf->edge_count; i++) {
		rc = open_edge(e, i);
		if (rc < 0)
			goto fail;
		e->count++;
	}
	*out = e;
	return 0;

fail:
	/* Links already open take a loop turn to end. */
	e->silent = true;
	if (e->open > 0)
		edges_close(e);
	else
		finish(e);
	return rc;
}

void
edges_close(struct edges *e)
{
	size_t count = e->count;

	if (e->closing)
		return;
	e->closing = true;
	for (size_t i = 0; i < count; i++)
		clock_timer_stop(&e->v[i].lost);
	/* The last one may take e with it. */
	for (size_t i = 0; i < count; i++)
		edge_link_close(e->v[i].link);
}

/* --- stanzas ------------------------------------------------------------ */

int
edges_send(struct edges *e, unsigned edge, const struct buf *frame,
    struct edges_sender *sender, uint64_t *seq)
{
	assert(edge < e->count);
	return channel_send(
	    edge_link_channel(e->v[edge].link), frame, sender, seq);
}

void
edges_withdraw(struct edges *e, unsigned edge, uint64_t seq)
{
	assert(edge < e->count);
	(void)channel_withdraw(edge_link_channel(e->v[edge].link), seq);
}

void
edges_answer(
    struct edges *e, struct edges_ticket ticket, const struct channel_result *r)
{
	assert(ticket.edge < e->count);
	channel_answer(
	    edge_link_channel(e->v[ticket.edge].link), ticket.seq, r);
}

bool
edges_reach(const struct edges *e, const char *local, const char *remote)
{
	for (size_t i = 0; i < e->count; i++)
		if (e->v[i].up &&
		    edge_streams_reach(e->v[i].streams, local, remote))
			return true;
	return false;
}

bool
edges_stream_broken(const struct edges *e, const char *id)
{
	for (size_t i = 0; i < e->count; i++)
		if (edge_streams_live(e->v[i].streams, id))
			return false;
	return true;
}

/* --- for an operator ---------------------------------------------------- */

size_t
edges_count_up(const struct edges *e)
{
	size_t n = 0;

	for (size_t i = 0; i < e->count; i++)
		n += e->v[i].up ? 1 : 0;
	return n;
}

static json_t *
edge_status(const struct edge *d)
{
	const struct edges *e = d->edges;
	const char *configuration = d->confirmed            ? "confirmed"
				    : d->refusal[0] != '\0' ? "REFUSED"
							    : "not confirmed";
	const char *why = d->refusal;

	if (!d->up)
		why = edge_link_failure(d->link);
	return json_pack("{s:s, s:b, s:I, s:s, s:b, s:s, s:I, s:I, s:o}",
	    "name", edges_name(e, d->index), "up", d->up, "since_s",
	    (json_int_t)((clock_now_ms(e->opts.clock) - d->since_ms) / 1000),
	    "configuration", configuration, "draining", d->draining, "why",
	    why[0] != '\0' || d->up ? why : "not tried yet", "streams",
	    (json_int_t)edge_streams_count_live(d->streams), "unanswered",
	    (json_int_t)channel_unanswered(edge_link_channel(d->link)),
	    "fenced", d->fenced != NULL ? json_copy(d->fenced) : json_array());
}

json_t *
edges_status(const struct edges *e)
{
	json_t *all = json_array();

	for (size_t i = 0; i < e->count; i++)
		if (json_array_append_new(all, edge_status(&e->v[i])) < 0) {
			json_decref(all);
			return NULL;
		}
	return all;
}

json_t *
edges_list_streams(const struct edges *e)
{
	json_t *all = json_array();

	for (size_t i = 0; all != NULL && i < e->count; i++)
		edge_streams_list(e->v[i].streams, all,
		    edges_name(e, (unsigned)i), clock_now_ms(e->opts.clock));
	return all;
}

json_t *
edges_failures(const struct edges *e)
{
	return failures_json(e->failures, clock_now_ms(e->opts.clock));
}
