/*
 * edge - see the header.
 *
 * What comes from partners: doors ─► s2s_in ─► inward ─► channel of a gateway.
 * What comes from gateways: inner_listener ─► outward ─► routes ─► partners.
 * This file holds the ends of those together: it makes the objects, passes
 * their events on, and tells the gateways what they have to know.
 *
 * The doors are open exactly while a gateway that is not absent owns a domain
 * (hosting_open).  A gateway is absent when its channel has been down for the
 * grace time, or when it has said that it drains.
 */
#include "edge-proxy/edge_impl.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/sha.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/failures.h"
#include "common/random.h"
#include "edge-proxy/doors.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/inner_listener.h"
#include "edge-proxy/inward.h"
#include "edge-proxy/outward.h"
#include "edge-proxy/routes.h"
#include "edge-proxy/s2s_in.h"
#include "edge-proxy/stream_report.h"
#include "proto/channel.h"
#include "proto/frame.h"

enum {
	STATS_MS = 10000,
	DRAIN_MS = 5000, /* for what is under way when we stop */
	DRAIN_STEP_MS = 50,
	RETRY_OPEN_MS = 5000, /* until the doors are tried again */
	STRANGERS_MAX = 256,  /* inbound streams not authenticated yet */
	PER_ADDRESS_MAX = 128
};

static const struct {
	const char *name;
	unsigned next;
} stages[] = {
	[RUNNING] = { "running", 1u << DRAINING },
	[DRAINING] = { "draining", 1u << LEAVING },
	[LEAVING] = { "leaving", 1u << CLOSING },
	[CLOSING] = { "closing", 0 },
};

/* --- telling the gateways ----------------------------------------------- */

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
tell_notice(struct gateway *g, void *arg)
{
	struct notice *n = arg;

	if (channel_is_up(gateway_channel(g)))
		tell(n->edge, g, FRAME_LOG,
		    json_pack(
			"{s:s, s:s}", "event", n->event, "text", n->text));
}

/* A notable event: to our own log and to every gateway. */
static void
notice(struct edge *e, const char *event, const char *text)
{
	struct notice n = { e, event, text };

	log_warn(&e->log, event, "text=%s", text);
	if (e->inner != NULL)
		inner_listener_each(e->inner, tell_notice, &n);
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

/* Something happened to a stream: every gateway it concerns is told. */
static void
report(struct edge *e, enum stream_event ev, const struct stream_info *info)
{
	struct report r = { e, ev, info };

	if (e->inner != NULL)
		inner_listener_each(e->inner, report_to, &r);
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

/* All streams that are up, to one gateway. */
static void
report_all(struct edge *e, struct gateway *g)
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
tell_stats(struct gateway *g, void *arg)
{
	struct edge *e = arg;

	if (channel_is_up(gateway_channel(g)))
		tell(e, g, FRAME_STATS, edge_status_counters(e));
}

static void
on_stats(struct clock_timer *t, void *arg)
{
	struct edge *e = arg;

	inner_listener_each(e->inner, tell_stats, e);
	clock_timer_start(t, STATS_MS);
}

/* --- the doors ---------------------------------------------------------- */

/* The name of a new stream: our node and boot in front, so that it is unique
 * among all edges and starts. */
static void
make_stream_id(char *out, void *arg)
{
	struct edge *e = arg;

	snprintf(out, STREAM_ID_SIZE, "%s.%llx", e->stream_prefix,
	    (unsigned long long)++e->stream_number);
}

/* Our node as part of a stream's name; a long one is replaced by its hash. */
static void
set_stream_prefix(struct edge *e)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	char name[STREAM_NODE_MAX + 1];

	if (strlen(e->node) < sizeof(name)) {
		snprintf(name, sizeof(name), "%s", e->node);
	} else {
		SHA256((const unsigned char *)e->node, strlen(e->node), digest);
		for (size_t i = 0; i < 12; i++)
			snprintf(name + 2 * i, 3, "%02x", digest[i]);
	}
	snprintf(e->stream_prefix, sizeof(e->stream_prefix), "%s.%.8s", name,
	    e->boot);
}

/* Opens or closes the doors as hosting demands. */
static void
settle_doors(struct edge *e)
{
	bool wanted = e->stage == RUNNING && hosting_open(e->hosting);
	char why[256];

	if (!wanted) {
		clock_timer_stop(&e->reopen);
		if (doors_are_open(e->doors)) {
			doors_close(e->doors);
			notice(e, "doors-closed",
			    "no gateway to receive for, or stopping");
		}
		return;
	}
	if (doors_are_open(e->doors))
		return;
	e->doors_why[0] = '\0';
	if (doors_open(e->doors, why, sizeof(why)) < 0) {
		snprintf(e->doors_why, sizeof(e->doors_why), "%s", why);
		notice(e, "doors-failed", why);
		clock_timer_start(&e->reopen, RETRY_OPEN_MS);
		return;
	}
	clock_timer_stop(&e->reopen);
	log_info(&e->log, "doors-open", "node=%s", e->node);
}

static void
on_reopen(struct clock_timer *t, void *arg)
{
	(void)t;
	settle_doors(arg);
}

/* Whether one more inbound stream would be too many; says which limit. */
static const char *
over_limit(const struct edge *e, const char *ip)
{
	size_t strangers = 0, same = 0;

	if (e->visitor_count > hosting_connection_limit(e->hosting))
		return "connection limit";
	LIST_FOREACH (it, &e->visitors) {
		const struct visitor *v = list_entry(it, struct visitor, all);

		if (!s2s_in_is_up(v->s2s))
			strangers++;
		if (strcmp(s2s_in_peer_ip(v->s2s), ip) == 0)
			same++;
	}
	if (strangers > STRANGERS_MAX)
		return "too many that have not authenticated";
	if (same > PER_ADDRESS_MAX)
		return "too many from one address";
	return NULL;
}

static void
free_visitor(struct visitor *v)
{
	inward_stream_close(v->inward);
	list_remove(&v->all);
	v->edge->visitor_count--;
	free(v);
}

/* How many inbound streams carry a partner's domain. */
static size_t
count_partner(const struct edge *e, const char *remote)
{
	size_t count = 0;

	LIST_FOREACH (it, &e->visitors) {
		const struct visitor *v = list_entry(it, struct visitor, all);
		struct stream_info info;

		if (!s2s_in_is_up(v->s2s))
			continue;
		s2s_in_info(v->s2s, &info);
		for (size_t i = 0; i < info.pair_count; i++) {
			if (strcmp(info.pairs[i].remote, remote) != 0)
				continue;
			count++;
			break;
		}
	}
	return count;
}

/* Whether a partner has more streams than he may. */
static bool
over_partner_limit(const struct edge *e, const struct stream_info *info)
{
	for (size_t i = 0; i < info->pair_count; i++) {
		const struct partner *p = hosting_partner(
		    e->hosting, info->pairs[i].local, info->pairs[i].remote);

		if (p != NULL &&
		    count_partner(e, p->domain) > p->connection_limit)
			return true;
	}
	return false;
}

static void
on_stream_event(struct s2s_in *s, enum stream_event ev,
    const struct stream_info *info, void *arg)
{
	struct visitor *v = arg;
	struct edge *e = v->edge;

	if (ev == STREAM_UP) {
		e->counters.in_up++;
		v->up_ms = clock_now_ms(e->opts.clock);
	}
	keep_failure(e, ev, info);
	report(e, ev, info);
	if (ev == STREAM_UP && over_partner_limit(e, info))
		s2s_in_close(
		    s, STREAM_ERR_RESOURCE_CONSTRAINT, "too many connections");
}

static void
on_stream_stanza(struct s2s_in *s, const struct xml_elem *elem,
    const struct jid *from, const struct jid *to, void *arg)
{
	struct visitor *v = arg;
	int rc;

	v->stanzas++;
	rc = inward_take(v->inward, elem, from, to, s2s_in_language(s));
	if (rc == 0)
		return;
	log_warn(&v->edge->log, "stanza-not-taken", "stream=%s error=%s",
	    s2s_in_id(s), err_str(rc));
	s2s_in_close(s,
	    rc == ERR_UNSUPPORTED ? STREAM_ERR_UNSUPPORTED_STANZA_TYPE
				  : STREAM_ERR_RESOURCE_CONSTRAINT,
	    NULL);
}

static void proceed(struct edge *e);

static void
on_stream_end(
    struct s2s_in *s, bool was_up, const struct stream_info *info, void *arg)
{
	struct visitor *v = arg;
	struct edge *e = v->edge;

	if (was_up) {
		report(e, STREAM_DOWN, info);
	} else if (!s2s_in_only_asked(s)) {
		e->counters.in_failed++;
		keep_failure(e, STREAM_FAILED, info);
		report(e, STREAM_FAILED, info);
	}
	free_visitor(v);
	proceed(e);
}

static int
ask_authority(struct dialback_ask *a, void *arg)
{
	struct edge *e = arg;

	return e->routes != NULL ? routes_verify(e->routes, a) : ERR_CLOSED;
}

static const struct s2s_in_events stream_events = {
	.on_event = on_stream_event,
	.on_stanza = on_stream_stanza,
	.on_end = on_stream_end,
};

/* A partner connects. */
static void
on_partner(uv_stream_t *listener, void *arg)
{
	struct edge *e = arg;
	struct visitor *v = calloc(1, sizeof(*v));
	char id[STREAM_ID_SIZE];
	struct s2s_in_opts opts = {
		.loop = e->opts.loop,
		.clock = e->opts.clock,
		.hosting = e->hosting,
		.identities = e->opts.identities,
		.id = id,
		.ask = ask_authority,
		.ask_arg = e,
		.events = &stream_events,
		.arg = v,
	};
	const char *limit;
	int rc = ERR_NOMEM;

	make_stream_id(id, e);
	if (v == NULL)
		goto fail;
	v->edge = e;
	list_init(&v->all);
	rc = inward_stream_open(&v->inward, e->inward, id, v);
	if (rc == 0)
		rc = s2s_in_open(&v->s2s, listener, &opts);
	if (rc < 0)
		goto fail;
	list_append(&e->visitors, &v->all);
	e->visitor_count++;
	e->counters.accepted++;
	limit = over_limit(e, s2s_in_peer_ip(v->s2s));
	if (limit == NULL)
		return;
	e->counters.turned_away++;
	log_warn(&e->log, "stream-turned-away", "peer=%s reason=%s",
	    s2s_in_peer_ip(v->s2s), limit);
	s2s_in_close(v->s2s, STREAM_ERR_RESOURCE_CONSTRAINT, limit);
	return;

fail:
	e->counters.turned_away++;
	log_error(&e->log, "accept-failed", "error=%s", err_str(rc));
	doors_turn_away(listener);
	if (v != NULL)
		inward_stream_close(v->inward);
	free(v);
}

/* --- what inward needs -------------------------------------------------- */

static struct channel *
find_channel(const char *node, void *arg)
{
	struct edge *e = arg;
	struct gateway *g = inner_listener_find(e->inner, node);

	return g != NULL ? gateway_channel(g) : NULL;
}

static void
on_reply(
    const char *local, const char *remote, const struct buf *xml, void *arg)
{
	struct edge *e = arg;

	outward_reply(e->outward, local, remote, xml);
}

static void
on_window_full(void *stream, void *arg)
{
	struct visitor *v = stream;

	(void)arg;
	s2s_in_pause(v->s2s);
}

static void
on_window_open(void *stream, void *arg)
{
	struct visitor *v = stream;
	struct edge *e = arg;

	/* Before the end nothing new is taken. */
	if (e->stage == RUNNING || (e->stage == DRAINING && !e->deaf))
		s2s_in_resume(v->s2s);
}

static void
on_handled(void *stream, uint64_t count, void *arg)
{
	struct visitor *v = stream;

	(void)arg;
	s2s_in_handled(v->s2s, count);
}

static const struct inward_ops inward_ops = {
	.channel = find_channel,
	.reply = on_reply,
	.pause = on_window_full,
	.resume = on_window_open,
	.handled = on_handled,
};

/* --- routes ------------------------------------------------------------- */

static void
on_route_event(enum stream_event ev, const struct stream_info *info, void *arg)
{
	struct edge *e = arg;

	if (ev == STREAM_UP)
		e->counters.out_up++;
	else if (ev == STREAM_FAILED)
		e->counters.out_failed++;
	keep_failure(e, ev, info);
	report(e, ev, info);
}

static void
on_settled(void *arg, void *cookie, const struct channel_result *r)
{
	struct edge *e = arg;

	outward_settled(e->outward, cookie, r);
}

static void
on_routes_closed(void *arg)
{
	struct edge *e = arg;

	e->routes = NULL;
	proceed(e);
}

/* --- gateways ----------------------------------------------------------- */

static void
on_grace_over(struct clock_timer *t, void *arg)
{
	struct book *b = arg;

	(void)t;
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
		    strcmp(b->boot, channel_peer_boot(ch)) != 0)
			routes_forget_pings(e->routes, b->node);
		snprintf(b->boot, sizeof(b->boot), "%s", channel_peer_boot(ch));
	}
	hosting_set_absent(e->hosting, gateway_node(g), false);
	report_all(e, g);
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
	proceed(e);
}

static void
on_gateway_removed(struct gateway *g, void *arg)
{
	struct edge *e = arg;
	struct book *b = edge_find_book(e, gateway_node(g));

	inward_forget(e->inward, gateway_channel(g));
	outward_forget(e->outward, gateway_channel(g));
	routes_forget_pings(e->routes, gateway_node(g));
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
	proceed(e);
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
		report_all(e, g);
		return;
	}
	snprintf(text, sizeof(text), "configuration of %s: %s", gateway_node(g),
	    err_str(rc));
	notice(e, "config-refused", text);
}

static void
on_gateway_control(struct gateway *g, const struct frame *f, void *arg)
{
	struct edge *e = arg;
	struct book *b;

	switch (f->type) {
	case FRAME_CONFIG:
		take_config(e, g, f);
		break;
	case FRAME_PROOF:
		outward_proof(e->outward, gateway_node(g), f);
		break;
	case FRAME_DRAIN:
		log_info(&e->log, "gateway-drains", "node=%s", gateway_node(g));
		b = edge_find_book(e, gateway_node(g));
		if (b != NULL)
			clock_timer_stop(&b->grace);
		hosting_set_absent(e->hosting, gateway_node(g), true);
		break;
	default:
		log_warn(&e->log, "frame-ignored", "node=%s frame=%s",
		    gateway_node(g), frame_type_str(f->type));
		break;
	}
}

static void
on_inner_closed(void *arg)
{
	struct edge *e = arg;

	e->inner = NULL;
	proceed(e);
}

static const struct inner_events inner_events = {
	.on_up = on_gateway_up,
	.on_down = on_gateway_down,
	.on_stanza = on_gateway_stanza,
	.on_result = on_gateway_result,
	.on_control = on_gateway_control,
	.on_removed = on_gateway_removed,
};

/* --- hosting ------------------------------------------------------------ */

/* Two gateways claim one domain: both of them, and the log here, are told. */
static void
notice_fenced(struct edge *e, const char *node)
{
	char text[400];

	snprintf(text, sizeof(text),
	    "%s claims domains that another gateway holds with a higher "
	    "epoch: it is not obeyed for them",
	    node);
	notice(e, "gateway-fenced", text);
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

static void
on_hosting_changed(void *arg)
{
	struct edge *e = arg;

	if (e->stage >= LEAVING)
		return;
	LIST_FOREACH_SAFE (it, &e->visitors)
		s2s_in_recheck(list_entry(it, struct visitor, all)->s2s);
	routes_recheck(e->routes);
	inner_listener_each(e->inner, tell_fenced, e);
	settle_doors(e);
}

/* --- beginning and end -------------------------------------------------- */

static int
open_parts(struct edge *e, const struct edge_conf *conf)
{
	const struct inward_opts inward = {
		.clock = e->opts.clock,
		.hosting = e->hosting,
		.ops = &inward_ops,
		.arg = e,
	};
	struct routes_opts routes = {
		.loop = e->opts.loop,
		.clock = e->opts.clock,
		.resolver = e->opts.resolver,
		.hosting = e->hosting,
		.identities = e->opts.identities,
		.outgoing4 = conf->outgoing4,
		.outgoing6 = conf->outgoing6,
		.make_id = make_stream_id,
		.on_settled = on_settled,
		.on_event = on_route_event,
		.on_closed = on_routes_closed,
		.arg = e,
	};
	struct outward_opts outward;
	int rc;

	rc = inward_new(&e->inward, &inward);
	if (rc == 0)
		rc = doors_new(&e->doors, e->opts.loop, on_partner, e);
	if (rc == 0)
		rc = doors_set(e->doors, conf->listen, conf->listen_count);
	if (rc == 0)
		rc = routes_open(&e->routes, &routes);
	if (rc < 0)
		return rc;
	outward = (struct outward_opts){
		.clock = e->opts.clock,
		.hosting = e->hosting,
		.routes = e->routes,
	};
	return outward_new(&e->outward, &outward);
}

static int
open_inner(struct edge *e, const struct edge_conf *conf, char *why, size_t size)
{
	const struct inner_listener_opts opts = {
		.loop = e->opts.loop,
		.clock = e->opts.clock,
		.node = e->node,
		.boot = e->boot,
		.tls = e->opts.inner,
		.listen = conf->inner_listen,
		.listen_count = conf->inner_listen_count,
		.gateways = conf->gateways,
		.gateway_count = conf->gateway_count,
		.events = &inner_events,
		.on_closed = on_inner_closed,
		.arg = e,
	};

	return inner_listener_open(&e->inner, &opts, why, size);
}

/* Frees what closes at once; routes and inner listener are gone. */
static void
free_edge(struct edge *e)
{
	assert(e->routes == NULL && e->inner == NULL);
	assert(list_empty(&e->visitors));
	clock_timer_stop(&e->stats);
	clock_timer_stop(&e->stopping);
	clock_timer_stop(&e->reopen);
	outward_free(e->outward);
	inward_free(e->inward);
	doors_free(e->doors);
	LIST_FOREACH_SAFE (it, &e->books)
		free_book(list_entry(it, struct book, all));
	hosting_free(e->hosting);
	failures_free(e->failures);
	free(e);
}

static void on_stopping(struct clock_timer *t, void *arg);

int
edge_open(
    struct edge **out, const struct edge_opts *opts, char *why, size_t size)
{
	struct edge *e = calloc(1, sizeof(*e));
	int rc = ERR_NOMEM;

	snprintf(why, size, "%s", err_str(rc));
	if (e == NULL)
		return rc;
	e->opts = *opts;
	snprintf(e->node, sizeof(e->node), "%s", opts->conf->node);
	random_hex(e->boot, 8);
	set_stream_prefix(e);
	e->grace_ms = opts->conf->grace_ms;
	list_init(&e->visitors);
	list_init(&e->books);
	log_init(&e->log, "edge");
	clock_timer_init(&e->stats, opts->clock, on_stats, e);
	clock_timer_init(&e->stopping, opts->clock, on_stopping, e);
	clock_timer_init(&e->reopen, opts->clock, on_reopen, e);
	e->started_ms = clock_now_ms(opts->clock);
	memcpy(
	    e->inner_listen, opts->conf->inner_listen, sizeof(e->inner_listen));
	e->inner_listen_count = opts->conf->inner_listen_count;
	rc = failures_new(&e->failures);
	if (rc == 0)
		rc = hosting_new(&e->hosting);
	if (rc < 0) {
		failures_free(e->failures);
		free(e);
		return rc;
	}
	rc = open_parts(e, opts->conf);
	if (rc < 0)
		goto fail;
	/* Addresses that cannot be had are told now, not when the first
	 * gateway comes. */
	rc = doors_open(e->doors, why, size);
	doors_close(e->doors);
	if (rc == 0)
		rc = open_inner(e, opts->conf, why, size);
	if (rc < 0)
		goto fail;
	hosting_on_change(e->hosting, on_hosting_changed, e);
	clock_timer_start(&e->stats, STATS_MS);
	log_info(&e->log, "open", "node=%s boot=%s gateways=%zu", e->node,
	    e->boot, opts->conf->gateway_count);
	*out = e;
	return 0;

fail:
	/* Routes close in a later turn and take the rest along. */
	e->failed = true;
	e->stage = CLOSING;
	if (e->routes != NULL)
		routes_close(e->routes);
	else
		free_edge(e);
	return rc;
}

int
edge_reload(struct edge *e, const struct edge_conf *conf, SSL_CTX *inner)
{
	int rc;

	if (e->stage != RUNNING)
		return ERR_BAD_STATE;
	e->grace_ms = conf->grace_ms;
	rc = inner_listener_reload(
	    e->inner, inner, conf->gateways, conf->gateway_count);
	if (rc == 0 && !doors_same(e->doors, conf->listen, conf->listen_count))
		rc = doors_set(e->doors, conf->listen, conf->listen_count);
	settle_doors(e);
	return rc;
}

const char *
edge_stage_str(const struct edge *e)
{
	return stages[e->stage].name;
}

/* The only place that writes e->stage after the start. */
static void
set_stage(struct edge *e, enum stage to)
{
	assert((stages[e->stage].next & 1u << to) != 0);
	log_info(&e->log, "stage", "from=%s to=%s", stages[e->stage].name,
	    stages[to].name);
	e->stage = to;
	clock_timer_stop(&e->stopping);
}

static void
tell_drain(struct gateway *g, void *arg)
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
edge_stop(struct edge *e)
{
	if (e->stage != RUNNING)
		return;
	set_stage(e, DRAINING);
	e->drain_until = clock_now_ms(e->opts.clock) + DRAIN_MS;
	clock_timer_start(&e->stopping, 0);
	clock_timer_stop(&e->stats);
	inner_listener_each(e->inner, tell_drain, NULL);
	settle_doors(e);
	LIST_FOREACH (it, &e->books)
		clock_timer_stop(&list_entry(it, struct book, all)->grace);
}

/* From now on partners write in vain, and their servers know it. */
static void
grow_deaf(struct edge *e)
{
	if (e->deaf)
		return;
	e->deaf = true;
	LIST_FOREACH_SAFE (it, &e->visitors)
		s2s_in_pause(list_entry(it, struct visitor, all)->s2s);
}

/* Says goodbye to all partners. */
static void
leave(struct edge *e)
{
	set_stage(e, LEAVING);
	LIST_FOREACH_SAFE (it, &e->visitors)
		s2s_in_close(list_entry(it, struct visitor, all)->s2s,
		    STREAM_ERR_SYSTEM_SHUTDOWN, NULL);
	routes_close(e->routes);
}

/* Takes the next step of stopping, as soon as nothing holds it up. */
static void
proceed(struct edge *e)
{
	if (e->failed) {
		free_edge(e);
		return;
	}
	if (e->stage == LEAVING && list_empty(&e->visitors) &&
	    e->routes == NULL) {
		set_stage(e, CLOSING);
		/* Results of the last moment have been written by now. */
		inner_listener_close(e->inner);
		return;
	}
	if (e->stage == CLOSING && e->inner == NULL) {
		void (*fn)(void *arg) = e->opts.on_stopped;
		void *arg = e->opts.arg;

		free_edge(e);
		fn(arg);
	}
}

/* Draining.  Proof of what went out comes in by the streams of partners, so
 * they are read until nothing waits for it any more, or half the time is over;
 * then what has come in gets the rest of the time. */
static void
on_stopping(struct clock_timer *t, void *arg)
{
	struct edge *e = arg;
	uint64_t now = clock_now_ms(e->opts.clock);
	size_t in = inward_under_way(e->inward);
	size_t out = routes_unsettled(e->routes);

	if (out == 0 || now + DRAIN_MS / 2 >= e->drain_until)
		grow_deaf(e);
	if ((in > 0 || out > 0) && now < e->drain_until) {
		clock_timer_start(t, DRAIN_STEP_MS);
		return;
	}
	if (in > 0 || out > 0)
		log_warn(&e->log, "drain-cut-short", "inward=%zu outward=%zu",
		    in, out);
	leave(e);
	proceed(e);
}
