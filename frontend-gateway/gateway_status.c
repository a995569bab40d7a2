/* What the gateway tells of itself: to an operator, and to who counts. */
#include "frontend-gateway/gateway_impl.h"

#include <unistd.h>

#include "common/err.h"
#include "common/heap.h"
#include "common/histogram.h"
#include "common/turns.h"
#include "frontend-gateway/admin/metrics.h"
#include "frontend-gateway/conversation/conversation.h"
#include "frontend-gateway/conversation/conversations.h"
#include "frontend-gateway/conversation/outward.h"
#include "frontend-gateway/edges.h"
#include "frontend-gateway/presence/presence.h"
#include "frontend-gateway/sip/sip_delays.h"
#include "frontend-gateway/sip/sip_health.h"
#include "frontend-gateway/sip/sip_transport.h"
#include "frontend-gateway/store/store.h"

static json_int_t
uptime_s(const struct gateway *g)
{
	return (json_int_t)((clock_now_ms(g->clock) - g->started_ms) / 1000);
}

static json_t *
hosted_json(const struct gateway *g)
{
	json_t *all = json_array();

	for (size_t i = 0; i < g->opts.conf->hosted_count; i++)
		(void)json_array_append_new(
		    all, json_string(g->opts.conf->hosted[i]));
	return all;
}

static void
on_front_end(const struct sip_front_end_view *v, bool own, void *arg)
{
	const struct sip_health *h = v->health;
	uint64_t left = v->retry_in_ms;
	json_t *row;

	if (h->state == SIP_HEALTH_RESTING)
		left = sip_health_rest_ms(h, v->now_ms);
	row = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
	    "name", v->name, "state", own ? sip_health_str(h->state) : "pool",
	    "since_s", (json_int_t)((v->now_ms - h->since_ms) / 1000), "out",
	    (json_int_t)v->out, "out_wanted", (json_int_t)v->out_wanted, "in",
	    (json_int_t)v->in, "requests", (json_int_t)h->requests, "answers",
	    (json_int_t)h->answers, "failures", (json_int_t)h->failures,
	    "next_s", (json_int_t)((left + 999) / 1000));
	if (h->failure[0] != '\0')
		(void)json_object_set_new(row, "failure",
		    json_pack("{s:s, s:I}", "reason", h->failure, "ago_s",
			(json_int_t)((v->now_ms - h->failure_ms) / 1000)));
	(void)json_array_append_new(arg, row);
}

static json_t *
front_ends_json(const struct gateway *g)
{
	json_t *all = json_array();

	sip_ua_each_front_end(g->ua, on_front_end, all);
	return all;
}

static void
add_transactions(json_t *all, const char *direction,
    const struct sip_delay delays[static SIP_METHOD_COUNT])
{
	for (int m = 0; m < SIP_METHOD_COUNT; m++) {
		const struct sip_delay *d = &delays[m];
		const char *name = sip_method_name((enum sip_method)m);

		if (histogram_total(&d->took) + d->answers[SIP_NO_ANSWER] == 0)
			continue;
		(void)json_array_append_new(all,
		    json_pack("{s:s, s:s, s:o, s:{s:I, s:I, s:I, s:I, s:I, "
			      "s:I}}",
			"direction", direction, "method",
			name[0] != '\0' ? name : "other", "took",
			histogram_json(&d->took), "answers", "2xx",
			(json_int_t)d->answers[2], "3xx",
			(json_int_t)d->answers[3], "4xx",
			(json_int_t)d->answers[4], "5xx",
			(json_int_t)d->answers[5], "6xx",
			(json_int_t)d->answers[6], "none",
			(json_int_t)d->answers[SIP_NO_ANSWER]));
	}
}

static json_t *
transactions_json(const struct gateway *g)
{
	const struct sip_delays *d = sip_ua_delays(g->ua);
	json_t *all = json_array();

	add_transactions(all, "to_pool", d->asked);
	add_transactions(all, "from_pool", d->answered);
	return all;
}

static json_t *
pool_json(const struct gateway *g)
{
	struct sip_ua_stats s;

	sip_ua_get_stats(g->ua, &s);
	return json_pack("{s:s, s:b, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:o}",
	    "name", g->opts.conf->sip.pool, "reachable",
	    sip_ua_reachable(g->ua), "front_ends", front_ends_json(g),
	    "connections", (json_int_t)s.connections, "dialogs",
	    (json_int_t)s.dialogs, "client_transactions",
	    (json_int_t)s.client_txns, "server_transactions",
	    (json_int_t)s.server_txns, "requests_in", (json_int_t)s.requests_in,
	    "requests_out", (json_int_t)s.requests_out, "transactions",
	    transactions_json(g));
}

/* What became of messages. */
static json_t *
messages_json(const struct gateway *g)
{
	const struct conversation_counts *in =
	    conversations_counts(g->conversations);
	const struct outwards_counts *out =
	    conversations_outward_counts(g->conversations);

	return json_pack("{s:{s:I, s:I, s:I}, s:{s:I, s:I, s:I}, s:I}",
	    "inward", "delivered", (json_int_t)in->delivered, "failed",
	    (json_int_t)in->failed, "denied", (json_int_t)in->denied, "outward",
	    "delivered", (json_int_t)out->delivered, "failed",
	    (json_int_t)out->failed, "bounced", (json_int_t)out->bounced,
	    "notices", (json_int_t)conversations_notices(g->conversations));
}

/* What came for Lync users more than once, or may have. */
static json_t *
repeats_json(const struct gateway *g)
{
	const struct conversation_counts *n =
	    conversations_counts(g->conversations);

	return json_pack("{s:I, s:I}", "sent_again", (json_int_t)n->sent_again,
	    "doubled", (json_int_t)n->doubled);
}

json_t *
gateway_status(const struct gateway *g)
{
	return json_pack(
	    "{s:s, s:s, s:s, s:s, s:I, s:[{s:s, s:I, s:I}], s:o, s:I, s:I, "
	    "s:o, s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:I, s:o}",
	    "daemon", "gateway", "version", SALLYPORT_VERSION, "node",
	    g->opts.conf->node, "state", gateway_state_str(g), "uptime_s",
	    uptime_s(g), "processes", "name", "gateway", "pid",
	    (json_int_t)getpid(), "uptime_s", uptime_s(g), "hosted",
	    hosted_json(g), "epoch", (json_int_t)store_facts(g->store)->epoch,
	    "generation", (json_int_t)g->generation.counter, "edges",
	    edges_status(g->edges), "pool", pool_json(g), "conversations",
	    (json_int_t)conversations_count(g->conversations), "pending",
	    (json_int_t)conversations_pending(g->conversations),
	    "late_failures",
	    (json_int_t)conversations_late_failures(g->conversations),
	    "messages", messages_json(g), "repeats", repeats_json(g),
	    "failures", edges_failures(g->edges), "presence",
	    presence_status(g->presence), "trials", gateway_trials_json(g),
	    "heap_bytes", (json_int_t)heap_in_use(), "turns",
	    turns_json(g->opts.turns));
}

int
gateway_metrics(struct buf *out, void *arg)
{
	const struct gateway *g = arg;
	json_t *status = gateway_status(g);
	int rc = status != NULL ? metrics_write(out, status) : ERR_NOMEM;

	json_decref(status);
	return rc;
}
