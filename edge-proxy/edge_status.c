/*
 * What the edge tells of itself: counters to the gateways, everything an
 * administrator of the perimeter needs to the control socket.
 */
#include "edge-proxy/edge_impl.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/failures.h"
#include "common/heap.h"
#include "common/turns.h"
#include "edge-proxy/doors.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/inner_listener.h"
#include "edge-proxy/inward.h"
#include "edge-proxy/outward.h"
#include "edge-proxy/routes.h"
#include "edge-proxy/s2s_in.h"
#include "edge-proxy/s2s_in_back.h"
#include "edge-proxy/stream_report.h"

json_t *
edge_status_counters(const struct edge *e)
{
	const struct inward_counters *in = inward_counters(e->inward);
	const struct outward_counters *out = outward_counters(e->outward);
	const struct edge_counters *c = &e->counters;

#define N(x) ((json_int_t)(x))
	return json_pack("{s:{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:b},"
			 "s:{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I},"
			 "s:{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I},"
			 "s:{s:I,s:I,s:I,s:I},s:o}",
	    "streams", "inbound", N(e->visitor_count), "half_open",
	    N(admission_half_open(e->admission)), "accepted", N(c->accepted),
	    "turned_away", N(c->turned_away), "in_up", N(c->in_up), "in_failed",
	    N(c->in_failed), "out_failed", N(c->out_failed), "listening",
	    doors_are_open(e->doors), "inward", "stanzas", N(in->stanzas),
	    "sent", N(in->sent), "delivered", N(in->delivered), "failed",
	    N(in->failed), "timed_out", N(in->timed_out), "refused",
	    N(in->refused), "answered", N(in->answered), "dropped",
	    N(in->dropped), "paused", N(in->paused), "under_way",
	    N(inward_under_way(e->inward)), "outward", "stanzas",
	    N(out->stanzas), "delivered", N(out->delivered), "failed",
	    N(out->failed), "timed_out", N(out->timed_out), "refused",
	    N(out->refused), "probes", N(out->probes), "under_way",
	    N(outward_under_way(e->outward)), "unsettled",
	    N(routes_unsettled(e->routes)), "memory", "used", N(e->memory.used),
	    "most", N(e->memory.most), "max", N(e->memory.max), "short",
	    N(c->memory_short), "turns", turns_json(e->opts.turns));
#undef N
}

/* --- parts of the status ------------------------------------------------- */

static json_int_t
seconds_since(const struct edge *e, uint64_t ms)
{
	return (json_int_t)((clock_now_ms(e->opts.clock) - ms) / 1000);
}

/* "192.0.2.1:5269", "[::1]:5269" */
static json_t *
address_json(const struct sockaddr_storage *ss)
{
	char host[INET6_ADDRSTRLEN] = "?", text[INET6_ADDRSTRLEN + 10];
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)ss;

	uv_ip_name((const struct sockaddr *)ss, host, sizeof(host));
	/* The port is at the same place in both families. */
	snprintf(text, sizeof(text),
	    ss->ss_family == AF_INET6 ? "[%s]:%u" : "%s:%u", host,
	    ntohs(six->sin6_port));
	return json_string(text);
}

static json_t *
doors_json(const struct edge *e)
{
	const struct doors_place *at;
	json_t *listen = json_array(), *direct = json_array();
	const char *why = "";

	for (size_t i = 0; (at = doors_at(e->doors, i)) != NULL; i++)
		(void)json_array_append_new(
		    at->direct ? direct : listen, address_json(&at->addr));
	if (doors_are_open(e->doors))
		why = "";
	else if (e->stage != RUNNING)
		why = "the edge is stopping";
	else if (!hosting_open(e->hosting))
		why = "no gateway with a configuration is here to receive for";
	else
		why = e->doors_why;
	return json_pack("{s:b, s:s, s:o, s:o}", "open",
	    doors_are_open(e->doors), "why", why, "listen", listen,
	    "direct_listen", direct);
}

static json_t *
inner_json(const struct edge *e)
{
	json_t *all = json_array();

	for (size_t i = 0; i < e->inner_listen_count; i++)
		(void)json_array_append_new(
		    all, address_json(&e->inner_listen[i]));
	return all;
}

struct listing {
	struct edge *edge;
	json_t *array;
	size_t in, out;
};

static void
add_gateway(struct gateway *g, void *arg)
{
	struct listing *l = arg;
	const struct book *b = edge_find_book(l->edge, gateway_node(g));
	struct channel *ch = gateway_channel(g);
	json_t *o = hosting_describe(l->edge->hosting, gateway_node(g));

	if (o == NULL)
		o = json_object();
	json_object_set_new(o, "node", json_string(gateway_node(g)));
	json_object_set_new(o, "up", json_boolean(channel_is_up(ch)));
	json_object_set_new(
	    o, "unanswered", json_integer((json_int_t)channel_unanswered(ch)));
	/* Without it: it has not been here. */
	if (b != NULL)
		json_object_set_new(o, "since_s",
		    json_integer(seconds_since(l->edge, b->since_ms)));
	(void)json_array_append_new(l->array, o);
}

static json_t *
gateways_json(struct edge *e)
{
	struct listing l = { e, json_array(), 0, 0 };

	if (e->inner != NULL)
		inner_listener_each(e->inner, add_gateway, &l);
	return l.array;
}

static void
add_waiting(const struct routes_waiting *w, void *arg)
{
	json_t *all = arg;

	(void)json_array_append_new(all,
	    json_pack("{s:s, s:s, s:s, s:i, s:I}", "local", w->local, "remote",
		w->remote, "reason", w->reason, "failures", (int)w->failures,
		"next_s", (json_int_t)(w->left_ms + 999) / 1000));
}

static json_t *
waiting_json(const struct edge *e)
{
	json_t *all = json_array();

	if (e->routes != NULL)
		routes_each_waiting(e->routes, add_waiting, all);
	return all;
}

/* --- streams -------------------------------------------------------------- */

static json_t *
pairs_json(const struct stream_info *info)
{
	json_t *pairs = json_array();

	for (size_t i = 0; i < info->pair_count; i++)
		(void)json_array_append_new(
		    pairs, json_pack("[s,s]", info->pairs[i].local,
			       info->pairs[i].remote));
	return pairs;
}

static void
add_stream(const struct stream_info *info, void *arg)
{
	struct listing *l = arg;

	if (info->direction == STREAM_IN)
		l->in++;
	else
		l->out++;
	if (l->array == NULL)
		return;
	(void)json_array_append_new(l->array,
	    json_pack("{s:s, s:s, s:b, s:o, s:s, s:s, s:s, s:s, s:o, s:I,"
		      " s:I, s:I, s:I}",
		"id", info->id, "direction",
		stream_direction_str(info->direction), "bidi", (int)info->bidi,
		"pairs", pairs_json(info), "peer", info->peer, "auth",
		info->auth, "tls", info->tls, "cipher", info->cipher, "proofs",
		stream_report_proofs(info->proofs), "age_s",
		seconds_since(l->edge, info->up_ms), "stanzas_in",
		(json_int_t)info->stanzas_in, "stanzas_out",
		(json_int_t)info->stanzas_out, "unanswered",
		(json_int_t)info->unanswered));
}

static void
each_stream(struct edge *e, struct listing *l)
{
	LIST_FOREACH (it, &e->visitors) {
		const struct visitor *v = list_entry(it, struct visitor, all);
		struct stream_info info;

		if (!s2s_in_is_up(v->s2s))
			continue;
		s2s_in_info(v->s2s, &info);
		info.up_ms = v->up_ms;
		info.stanzas_in = v->stanzas;
		info.stanzas_out = s2s_in_back_stanzas(v->s2s);
		info.unanswered = inward_stream_pending(v->inward);
		add_stream(&info, l);
	}
	if (e->routes != NULL)
		routes_each_stream(e->routes, add_stream, l);
}

json_t *
edge_status_streams(struct edge *e)
{
	struct listing l = { e, json_array(), 0, 0 };

	each_stream(e, &l);
	return json_pack("{s:s, s:o}", "daemon", "edge", "streams", l.array);
}

json_t *
edge_status(struct edge *e)
{
	struct listing count = { e, NULL, 0, 0 };

	each_stream(e, &count);
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:o, s:o, s:o, "
			 "s:{s:I, s:I}, s:o, s:o, s:o, s:I}",
	    "daemon", "edge", "version", SALLYPORT_VERSION, "node", e->node,
	    "state", edge_stage_str(e), "uptime_s",
	    seconds_since(e, e->started_ms), "doors", doors_json(e), "inner",
	    inner_json(e), "gateways", gateways_json(e), "streams", "in",
	    (json_int_t)count.in, "out", (json_int_t)count.out, "backoff",
	    waiting_json(e), "failures",
	    failures_json(e->failures, clock_now_ms(e->opts.clock)), "counters",
	    edge_status_counters(e), "heap_bytes", (json_int_t)heap_in_use());
}
