/*
 * A gateway that comes learns all live streams; one that goes keeps its domains
 * for the grace time.  It is absent when that is over, or when it has said that
 * it drains.  What the edge remembers of it beside its channel is in its book,
 * which outlives the channel until the gateway leaves the configuration.
 */
#include "edge-proxy/edge_gateways.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "edge-proxy/edge_impl.h"
#include "edge-proxy/edge_tell.h"
#include "edge-proxy/edge_trace.h"
#include "edge-proxy/edge_visitors.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/inward.h"
#include "edge-proxy/outward.h"
#include "edge-proxy/routes.h"
#include "proto/channel.h"
#include "proto/frame.h"

/* --- books -------------------------------------------------------------- */

static void
on_grace_over(struct clock_timer *t, void *arg)
{
	struct book *b = arg;

	(void)t;
	edge_trace_forget(b->edge->trace, b->node, "away");
	hosting_set_absent(b->edge->hosting, b->node, true);
}

struct book *
edge_find_book(const struct edge *e, const char *node)
{
	LIST_FOREACH (it, &e->books) {
		struct book *b = list_entry(it, struct book, all);

		if (strcmp(b->node, node) == 0)
			return b;
	}
	return NULL;
}

static struct book *
need_book(struct edge *e, const char *node)
{
	struct book *b = edge_find_book(e, node);

	if (b != NULL)
		return b;
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		return NULL;
	b->edge = e;
	snprintf(b->node, sizeof(b->node), "%s", node);
	clock_timer_init(&b->grace, e->opts.clock, on_grace_over, b);
	list_append(&e->books, &b->all);
	return b;
}

static void
free_book(struct book *b)
{
	clock_timer_stop(&b->grace);
	list_remove(&b->all);
	free(b);
}

static void
on_gateway_up(struct gateway *g, bool resumed, void *arg)
{
	struct edge *e = arg;
	struct channel *ch = gateway_channel(g);
	struct book *b = need_book(e, gateway_node(g));

	(void)resumed;
	if (b != NULL) {
		clock_timer_stop(&b->grace);
		b->since_ms = clock_now_ms(e->opts.clock);
		if (b->boot[0] != '\0' &&
		    strcmp(b->boot, channel_peer_boot(ch)) != 0) {
			routes_forget_pings(e->routes, b->node);
			edge_trace_forget(e->trace, b->node, "another boot");
		}
		snprintf(b->boot, sizeof(b->boot), "%s", channel_peer_boot(ch));
	}
	hosting_set_absent(e->hosting, gateway_node(g), false);
	edge_tell_live(e, g);
	inward_channels_changed(e->inward);
}

static void
on_gateway_down(struct gateway *g, void *arg)
{
	struct edge *e = arg;
	struct book *b = edge_find_book(e, gateway_node(g));

	if (b != NULL)
		b->since_ms = clock_now_ms(e->opts.clock);
	if (b != NULL && e->stage == RUNNING)
		clock_timer_start(&b->grace, e->grace_ms);
	inward_channels_changed(e->inward);
	edge_proceed(e);
}

static void
on_gateway_removed(struct gateway *g, void *arg)
{
	struct edge *e = arg;
	struct book *b = edge_find_book(e, gateway_node(g));

	inward_forget(e->inward, gateway_channel(g));
	outward_forget(e->outward, gateway_channel(g));
	routes_forget_pings(e->routes, gateway_node(g));
	edge_trace_forget(e->trace, gateway_node(g), "removed");
	hosting_drop(e->hosting, gateway_node(g));
	if (b != NULL)
		free_book(b);
}

static void
on_gateway_stanza(
    struct gateway *g, uint64_t seq, const struct frame *f, void *arg)
{
	static const struct channel_result stopping = {
		.condition = COND_RESOURCE_CONSTRAINT,
		.text = "the edge is stopping",
	};
	struct edge *e = arg;

	if (e->stage == RUNNING)
		outward_stanza(
		    e->outward, gateway_node(g), gateway_channel(g), seq, f);
	else
		channel_answer(gateway_channel(g), seq, &stopping);
}

static void
on_gateway_result(struct gateway *g, uint64_t seq, void *cookie,
    const struct channel_result *r, void *arg)
{
	struct edge *e = arg;

	(void)g;
	(void)seq;
	inward_result(e->inward, cookie, r);
	edge_proceed(e);
}

/* A configuration: taken or refused, the gateway is told. */
static void
take_config(struct edge *e, struct gateway *g, const struct frame *f)
{
	struct channel *ch = gateway_channel(g);
	struct book *b = need_book(e, gateway_node(g));
	char text[300];
	struct buf confirm;
	int rc;

	buf_init(&confirm, FRAME_MAX);
	rc = hosting_apply(e->hosting, gateway_node(g), channel_peer_store(ch),
	    channel_peer_epoch(ch), f, &confirm);
	if (b != NULL)
		b->fenced = hosting_fenced(e->hosting, gateway_node(g));
	if (confirm.len > 0 && channel_send_control(ch, &confirm) < 0)
		log_warn(&e->log, "confirm-lost", "node=%s", gateway_node(g));
	buf_finish(&confirm);
	if (rc == 0) {
		/* It may own streams now that it was not told of. */
		edge_tell_live(e, g);
		return;
	}
	snprintf(text, sizeof(text), "configuration of %s: %s", gateway_node(g),
	    err_str(rc));
	edge_tell_notice(e, "config-refused", text);
}

/* No new work of that gateway; it is away for a while, or for good. */
static void
on_gateway_drains(struct edge *e, const char *node, bool removed)
{
	struct book *b = edge_find_book(e, node);

	log_info(&e->log, "gateway-drains", "node=%s removed=%d", node,
	    (int)removed);
	if (b != NULL)
		clock_timer_stop(&b->grace);
	edge_trace_forget(e->trace, node, "draining");
	hosting_set_absent(e->hosting, node, true);
	if (removed)
		edge_visitors_release(e, node);
}

static void
on_gateway_control(struct gateway *g, const struct frame *f, void *arg)
{
	struct edge *e = arg;

	switch (f->type) {
	case FRAME_CONFIG:
		take_config(e, g, f);
		break;
	case FRAME_PROOF:
		outward_proof(e->outward, gateway_node(g), f);
		break;
	case FRAME_TRACE:
		edge_trace_ask(e->trace, gateway_node(g), f);
		break;
	case FRAME_DRAIN:
		on_gateway_drains(
		    e, gateway_node(g), frame_is(f, FIELD_STATUS, "removed"));
		break;
	default:
		log_warn(&e->log, "frame-ignored", "node=%s frame=%s",
		    gateway_node(g), frame_type_str(f->type));
		break;
	}
}

const struct inner_events edge_gateways_events = {
	.on_up = on_gateway_up,
	.on_down = on_gateway_down,
	.on_stanza = on_gateway_stanza,
	.on_result = on_gateway_result,
	.on_control = on_gateway_control,
	.on_removed = on_gateway_removed,
};

/* --- domains won and lost ----------------------------------------------- */

/* Two gateways claim one domain: both of them, and the log here, are told. */
static void
notice_fenced(struct edge *e, const char *node)
{
	char text[400];

	snprintf(text, sizeof(text),
	    "%s claims domains that another gateway holds with a higher "
	    "epoch: it is not obeyed for them",
	    node);
	edge_tell_notice(e, "gateway-fenced", text);
}

/* Tells a gateway that it has lost domains to another, or got them back. */
static void
tell_fenced(struct gateway *g, void *arg)
{
	struct edge *e = arg;
	struct book *b = edge_find_book(e, gateway_node(g));
	size_t fenced = hosting_fenced(e->hosting, gateway_node(g));
	struct buf confirm;

	if (b == NULL || b->fenced == fenced)
		return;
	if (fenced > b->fenced)
		notice_fenced(e, gateway_node(g));
	b->fenced = fenced;
	if (!channel_is_up(gateway_channel(g)))
		return;
	buf_init(&confirm, FRAME_MAX);
	if (hosting_confirm(e->hosting, gateway_node(g), &confirm) < 0 ||
	    channel_send_control(gateway_channel(g), &confirm) < 0)
		log_warn(&e->log, "confirm-lost", "node=%s", gateway_node(g));
	buf_finish(&confirm);
}

void
edge_gateways_recheck(struct edge *e)
{
	inner_listener_each(e->inner, tell_fenced, e);
}

void
edge_gateways_end_grace(struct edge *e)
{
	LIST_FOREACH (it, &e->books)
		clock_timer_stop(&list_entry(it, struct book, all)->grace);
}

void
edge_gateways_forget(struct edge *e)
{
	LIST_FOREACH_SAFE (it, &e->books)
		free_book(list_entry(it, struct book, all));
}
