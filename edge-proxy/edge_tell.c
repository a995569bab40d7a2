/*
 * One thing happens, many may have to know: control frames go to every gateway
 * whose channel is up and whom it concerns.  One that cannot be sent is logged;
 * a gateway that reconnects learns all streams anew.
 */
#include "edge-proxy/edge_tell.h"

#include <stdlib.h>

#include <jansson.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/failures.h"
#include "edge-proxy/edge_impl.h"
#include "edge-proxy/edge_trace.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/inner_listener.h"
#include "edge-proxy/routes.h"
#include "edge-proxy/s2s_in.h"
#include "edge-proxy/stream_report.h"
#include "proto/channel.h"
#include "proto/frame.h"

/* A control frame with JSON to one gateway; content is used up. */
static void
tell(struct edge *e, struct gateway *g, enum frame_type type, json_t *content)
{
	char *text = content != NULL ? json_dumps(content, JSON_COMPACT) : NULL;
	struct frame_writer w;
	struct buf b;
	int rc = ERR_NOMEM;

	json_decref(content);
	buf_init(&b, FRAME_MAX);
	if (text != NULL) {
		frame_begin(&w, &b, type);
		frame_put_str(&w, FIELD_JSON, text);
		rc = frame_end(&w);
	}
	if (rc == 0)
		rc = channel_send_control(gateway_channel(g), &b);
	if (rc < 0 && rc != ERR_CLOSED)
		log_warn(&e->log, "control-lost", "node=%s frame=%s error=%s",
		    gateway_node(g), frame_type_str((uint8_t)type),
		    err_str(rc));
	buf_finish(&b);
	free(text);
}

struct notice {
	struct edge *edge;
	const char *event, *text;
};

static void
notice_to(struct gateway *g, void *arg)
{
	struct notice *n = arg;

	if (channel_is_up(gateway_channel(g)))
		tell(n->edge, g, FRAME_LOG,
		    json_pack(
			"{s:s, s:s}", "event", n->event, "text", n->text));
}

void
edge_tell_notice(struct edge *e, const char *event, const char *text)
{
	struct notice n = { e, event, text };

	log_warn(&e->log, event, "text=%s", text);
	if (e->inner != NULL)
		inner_listener_each(e->inner, notice_to, &n);
}

struct report {
	struct edge *edge;
	enum stream_event event;
	const struct stream_info *info;
};

static void
report_to(struct gateway *g, void *arg)
{
	struct report *r = arg;
	struct edge *e = r->edge;
	struct buf b;
	int rc;

	if (!channel_is_up(gateway_channel(g)) ||
	    !stream_report_concerns(r->info, e->hosting, gateway_node(g)))
		return;
	buf_init(&b, FRAME_MAX);
	rc = stream_report_write(
	    &b, r->event, r->info, e->hosting, gateway_node(g));
	if (rc == 0)
		rc = channel_send_control(gateway_channel(g), &b);
	if (rc < 0)
		log_warn(&e->log, "stream-report-lost",
		    "node=%s stream=%s error=%s", gateway_node(g), r->info->id,
		    err_str(rc));
	buf_finish(&b);
}

/* What an operator will ask for: why partners do not connect, or are not
 * reached. */
static void
keep_failure(
    struct edge *e, enum stream_event ev, const struct stream_info *info)
{
	static const struct stream_pair nobody = { "", "", 0 };
	size_t count = info->pair_count > 0 ? info->pair_count : 1;
	const struct stream_pair *pairs =
	    info->pair_count > 0 ? info->pairs : &nobody;
	struct failure what = {
		.direction = stream_direction_str(info->direction),
		.peer = info->peer != NULL ? info->peer : "",
		.reason = info->reason != NULL ? info->reason : "",
	};

	for (size_t i = 0; i < count; i++) {
		what.local = pairs[i].local;
		what.remote = pairs[i].remote;
		if (ev == STREAM_UP || ev == STREAM_UPDATE)
			failures_clear(e->failures, what.direction, what.local,
			    what.remote);
		else if (ev == STREAM_FAILED)
			failures_note(
			    e->failures, &what, clock_now_ms(e->opts.clock));
	}
}

void
edge_tell_stream(
    struct edge *e, enum stream_event ev, const struct stream_info *info)
{
	struct report r = { e, ev, info };

	keep_failure(e, ev, info);
	edge_trace_stream(e->trace, ev, info);
	if (e->inner != NULL)
		inner_listener_each(e->inner, report_to, &r);
}

/* The gateway and what there is to tell it. */
struct audience {
	struct edge *edge;
	struct gateway *gateway;
};

static void
report_live(const struct stream_info *info, void *arg)
{
	struct audience *a = arg;
	struct report r = { a->edge, STREAM_UP, info };

	report_to(a->gateway, &r);
}

void
edge_tell_live(struct edge *e, struct gateway *g)
{
	struct audience a = { e, g };

	LIST_FOREACH (it, &e->visitors) {
		struct visitor *v = list_entry(it, struct visitor, all);
		struct stream_info info;

		if (!s2s_in_is_up(v->s2s))
			continue;
		s2s_in_info(v->s2s, &info);
		report_live(&info, &a);
	}
	routes_each_stream(e->routes, report_live, &a);
}

static void
stats_to(struct gateway *g, void *arg)
{
	struct edge *e = arg;
	json_t *stats;

	if (!channel_is_up(gateway_channel(g)))
		return;
	stats = edge_status_counters(e);
	(void)json_object_set_new(stats, "custody",
	    channel_delays_json(
		channel_delays(gateway_channel(g)), "inward", "outward"));
	tell(e, g, FRAME_STATS, stats);
}

void
edge_tell_stats(struct edge *e)
{
	inner_listener_each(e->inner, stats_to, e);
}

int
edge_tell_traced(const char *node, const struct buf *frame, void *arg)
{
	struct edge *e = arg;
	const struct gateway *g =
	    e->inner != NULL ? inner_listener_find(e->inner, node) : NULL;

	if (g == NULL)
		return ERR_CLOSED;
	/* What was written before has not gone out: no more on top of it. */
	if (channel_is_blocked(gateway_channel(g)))
		return ERR_FULL;
	return channel_send_control(gateway_channel(g), frame);
}

static void
drain_to(struct gateway *g, void *arg)
{
	struct frame_writer w;
	struct buf b;

	(void)arg;
	if (!channel_is_up(gateway_channel(g)))
		return;
	buf_init(&b, FRAME_MAX);
	frame_begin(&w, &b, FRAME_DRAIN);
	if (frame_end(&w) == 0)
		(void)channel_send_control(gateway_channel(g), &b);
	buf_finish(&b);
}

void
edge_tell_drain(struct edge *e)
{
	inner_listener_each(e->inner, drain_to, NULL);
}
