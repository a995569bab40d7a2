/*
 * What is said on an edge's channel beside stanzas: the configuration and its
 * confirmation, streams that came and went, proofs, what an operator shall read.
 */
#include "frontend-gateway/edges_impl.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/failures.h"
#include "common/log_limit.h"
#include "frontend-gateway/edge_link.h"
#include "frontend-gateway/edge_streams.h"
#include "frontend-gateway/generation.h"
#include "proto/channel.h"
#include "proto/frame.h"

enum {
	STREAM_LINES = 500, /* in the log, a minute, of each kind */
	STATS_MAX = 8192
};

/* --- to the edge -------------------------------------------------------- */

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

void
edges_control_config(struct edge *d)
{
	const struct generation *g = d->edges->opts.generation;
	struct frame_writer w;
	struct buf frame;

	d->refusal[0] = '\0';
	buf_init(&frame, FRAME_MAX);
	frame_begin(&w, &frame, FRAME_CONFIG);
	frame_put(&w, FIELD_JSON, g->text, g->len);
	send_control(d, &w, &frame, "config");
}

void
edges_announce(struct edges *e)
{
	LIST_FOREACH (it, &e->all) {
		struct edge *d = list_entry(it, struct edge, all);

		if (d->up)
			edges_control_config(d);
	}
}

void
edges_control_drain(struct edge *d, bool removed)
{
	struct frame_writer w;
	struct buf frame;

	buf_init(&frame, FRAME_MAX);
	frame_begin(&w, &frame, FRAME_DRAIN);
	if (removed)
		frame_put_str(&w, FIELD_STATUS, "removed");
	send_control(d, &w, &frame, "drain");
}

void
edges_drain(struct edges *e)
{
	LIST_FOREACH (it, &e->all) {
		struct edge *d = list_entry(it, struct edge, all);

		if (d->up)
			edges_control_drain(d, false);
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
	struct edge *d = edge < EDGES_SLOTS ? e->v[edge] : NULL;
	struct edges_proofs *p;

	assert(d != NULL);
	p = &d->proofs;
	snprintf(p->ids[p->count++ % EDGES_PROOFS], sizeof(p->ids[0]), "%s",
	    barrier);
	if (d->up)
		send_proof(d, barrier);
}

void
edges_control_prove_again(struct edge *d)
{
	const struct edges_proofs *p = &d->proofs;
	size_t i = p->count > EDGES_PROOFS ? p->count - EDGES_PROOFS : 0;

	for (; i < p->count; i++)
		send_proof(d, p->ids[i % EDGES_PROOFS]);
}

/* --- from the edge ------------------------------------------------------ */

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
		log_limited_error(&d->log, d->name, "fenced", "domain=%s",
		    json_string_value(item));
	}
}

void
edges_control_settle(struct edges *e)
{
	LIST_FOREACH (it, &e->all) {
		const struct edge *d = list_entry(it, struct edge, all);

		if (d->state == EDGE_LISTED &&
		    (!d->confirmed || d->known != e->opts.generation->counter))
			return;
	}
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
	if (counter > 0 && (uint64_t)counter < g->counter) {
		/* It has been told of a newer one since. */
		json_decref(root);
		return;
	}
	d->confirmed = false;
	d->refusal[0] = '\0';
	if (frame_is(f, FIELD_STATUS, "refused")) {
		snprintf(d->refusal, sizeof(d->refusal), "%s", reason);
		log_limited_error(&d->log, d->name, "config-refused",
		    "counter=%llu reason=%s", (unsigned long long)g->counter,
		    reason);
	} else if (counter < 0 || (uint64_t)counter != g->counter ||
		   hash == NULL || strcmp(hash, g->hash) != 0) {
		log_limited_error(&d->log, d->name, "config-mismatch",
		    "counter=%llu confirmed=%lld",
		    (unsigned long long)g->counter, (long long)counter);
	} else {
		d->confirmed = true;
		d->known = g->counter;
		set_fenced(d, json_object_get(root, "fenced"));
		log_limited_info(&d->log, d->name, "config-confirmed",
		    "counter=%llu", (unsigned long long)g->counter);
	}
	json_decref(root);
	if (d->edges->opts.events->on_answer != NULL)
		d->edges->opts.events->on_answer(
		    d->edges, d->index, d->edges->opts.arg);
	if (d->confirmed)
		edges_control_settle(d->edges);
}

/* An honest edge that comes back reports all its streams at once. */
#define OF_STREAM(d, lvl, ev)                                                  \
	&(const struct log_limit)                                              \
	{                                                                      \
		.log = &(d)->log, .level = (lvl), .event = (ev),               \
		.peer = (d)->name, .lines = STREAM_LINES                       \
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
		log_limited_error(&d->log, d->name, "stream-report-refused",
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
		    &d->log, d->name, "edge-says", "json=%s", json);
}

/* Its numbers, which are an operator's to read and nothing else's. */
static void
on_stats(struct edge *d, const struct frame *f)
{
	char text[STATS_MAX];
	json_t *stats;

	if (!frame_copy(f, FIELD_JSON, text, sizeof(text)))
		return;
	log_debug(&d->log, "stats", "json=%s", text);
	stats = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(stats)) {
		json_decref(stats);
		return;
	}
	json_decref(d->stats);
	d->stats = stats;
	d->stats_ms = clock_now_ms(d->edges->opts.clock);
}

void
edges_control_receive(struct edge *d, const struct frame *f)
{
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
		on_stats(d, f);
		break;
	case FRAME_TRACED:
		edges_trace_receive(d, f);
		break;
	case FRAME_DRAIN:
		d->draining = true;
		log_limited_info(
		    &d->log, d->name, "draining", "edge=%s", d->name);
		break;
	default:
		log_limited_warn(&d->log, d->name, "unexpected-frame",
		    "type=%s", frame_type_str(f->type));
		break;
	}
}
