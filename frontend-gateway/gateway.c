/*
 * Start: store (a new epoch), generation, conversations' helpers, SIP
 * listener, edges.  The pool is served before the edges are dialled, so that
 * no message meets a gateway that cannot pass it on.
 *
 * Stop:
 *
 *   running -> settling (<= 5 s, until Lync's messages are answered)
 *           -> hanging up (0.3 s for BYE and answers to leave)
 *           -> closing (sockets) -> gone
 */
#include "frontend-gateway/gateway_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/log_limit.h"
#include "common/random.h"
#include "common/service.h"
#include "common/tls_identity.h"
#include "frontend-gateway/barrier.h"
#include "frontend-gateway/conversation/conversations.h"
#include "frontend-gateway/edges.h"
#include "frontend-gateway/gateway_admin.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/gateway_settings.h"
#include "frontend-gateway/guard.h"
#include "frontend-gateway/policy/policy.h"
#include "frontend-gateway/presence/presence.h"
#include "frontend-gateway/prover.h"
#include "frontend-gateway/sip/sip_ua.h"
#include "frontend-gateway/store/pair_store.h"
#include "frontend-gateway/store/store.h"
#include "proto/channel.h"
#include "proto/frame.h"

enum {
	SETTLE_MS = 5000,
	SETTLE_STEP_MS = 50,
	HANG_UP_MS = 300,
	BOOT_BYTES = 8,
	METHODS = SIP_METHOD_BIT(SIP_INVITE) | SIP_METHOD_BIT(SIP_MESSAGE) |
		  SIP_METHOD_BIT(SIP_INFO) | SIP_METHOD_BIT(SIP_SUBSCRIBE) |
		  SIP_METHOD_BIT(SIP_NOTIFY) | SIP_METHOD_BIT(SIP_BENOTIFY)
};

#define BIT(s) (1u << (unsigned)(s))

static const struct {
	const char *name;
	unsigned next;
} states[GATEWAY_COUNT] = {
	[GATEWAY_RUNNING] = { "running",
	    BIT(GATEWAY_SETTLING) | BIT(GATEWAY_CLOSING) },
	[GATEWAY_SETTLING] = { "settling", BIT(GATEWAY_HANGING_UP) },
	[GATEWAY_HANGING_UP] = { "hanging-up", BIT(GATEWAY_CLOSING) },
	[GATEWAY_CLOSING] = { "closing", 0 },
};

static void
set_state(struct gateway *g, enum gateway_state to)
{
	assert(states[g->state].next & BIT(to));
	log_info(&g->log, "state", "from=%s to=%s", states[g->state].name,
	    states[to].name);
	g->state = to;
	gateway_admin_tell_state(g, states[to].name);
}

const char *
gateway_state_str(const struct gateway *g)
{
	return states[g->state].name;
}

/* --- from the edges ------------------------------------------------------- */

/* As often as the edge likes, so not each of them. */
static void
alarm_of(struct gateway *g, const char *rule, const char *edge,
    const struct frame *f, const struct edges_stream *stream)
{
	const struct log_limit limit = { .log = &g->log,
		.level = LOG_ERROR,
		.event = "alarm",
		.what = rule,
		.peer = edge };

	log_limited(&limit, "rule=%s edge=%s type=%s stream=%s", rule, edge,
	    frame_type_str(f->type), stream != NULL ? stream->id : NULL);
}

/* Answers to our pings are the prover's. */
static void
on_iq(struct gateway *g, struct edges_ticket ticket, const struct frame *f,
    const struct guard_addresses *who)
{
	bool answer = frame_is(f, FIELD_KIND, "result") ||
		      frame_is(f, FIELD_KIND, "error");

	if (answer && frame_is(f, FIELD_REQUEST, "ping"))
		prover_on_iq(g->prover, ticket, f, who);
	else
		presence_on_iq(g->presence, ticket, f, who);
}

static void
on_presence(struct gateway *g, struct edges_ticket ticket,
    const struct frame *f, const struct guard_addresses *who)
{
	conversations_on_presence(g->conversations, f, who);
	presence_on_stanza(g->presence, ticket, f, who);
}

static void
on_stanza(struct edges *e, struct edges_ticket ticket, const struct frame *f,
    const struct edges_stream *stream, void *arg)
{
	struct gateway *g = arg;
	struct channel_result r = { .condition = COND_NOT_AUTHORIZED };
	struct guard_addresses who;
	const char *why;
	int rc;

	if (g->conversations == NULL)
		return; /* Stopping: it stays with the edge. */
	rc = guard_check(&who, &why, g->opts.conf, f,
	    stream != NULL ? &stream->guard : NULL);
	if (rc == 0 && f->type == FRAME_IQ)
		on_iq(g, ticket, f, &who);
	else if (rc == 0 && f->type == FRAME_PRESENCE)
		on_presence(g, ticket, f, &who);
	else if (rc == 0)
		conversations_on_stanza(
		    g->conversations, ticket, f, &who, stream);
	if (rc == 0) {
		guard_addresses_finish(&who);
		return;
	}
	if (rc == ERR_NOMEM)
		r.condition = COND_RESOURCE_CONSTRAINT;
	else
		alarm_of(g, why, edges_name(e, ticket.edge), f, stream);
	edges_answer(e, ticket, &r);
}

static void
on_stream(
    struct edges *e, unsigned edge, const struct edges_stream *s, void *arg)
{
	struct gateway *g = arg;

	gateway_admin_tell_stream(g, edges_name(e, edge), s);
	if (g->prover != NULL)
		prover_on_stream(g->prover, edge, s);
	if (g->presence != NULL)
		presence_on_stream(g->presence, edge, s);
}

static void
on_partner(struct edges *e, unsigned edge, const char *local,
    const char *remote, bool failed, void *arg)
{
	struct gateway *g = arg;

	gateway_admin_tell_partner(
	    g, edges_name(e, edge), local, remote, failed);
	if (g->presence != NULL)
		presence_on_partner(g->presence, edge, local, remote, failed);
}

static void
on_link(struct edges *e, unsigned edge, bool up, void *arg)
{
	gateway_admin_tell_edge(arg, edges_name(e, edge), up ? "up" : "down");
}

static void
on_answer(struct edges *e, unsigned edge, void *arg)
{
	struct gateway *g = arg;

	gateway_admin_tell_edge(g, edges_name(e, edge), "answered");
	gateway_confirm_look(&g->settings.confirm);
}

static void
on_confirmed(struct edges *e, void *arg)
{
	(void)e;
	gateway_use_secret(arg);
}

static void
on_renewed(struct edges *e, unsigned edge, void *arg)
{
	struct gateway *g = arg;

	(void)e;
	if (g->prover != NULL)
		prover_on_renewed(g->prover, edge);
	if (g->conversations != NULL)
		conversations_on_renewed(g->conversations, edge);
	if (g->presence != NULL)
		presence_on_renewed(g->presence, edge);
}

/* What waits for an edge goes through another. */
static void
move_off(struct gateway *g, unsigned edge)
{
	if (g->conversations != NULL)
		conversations_on_lost(g->conversations, edge);
	if (g->presence != NULL)
		presence_on_lost(g->presence, edge);
}

static void
on_traced(struct edges *e, unsigned edge, const json_t *what, void *arg)
{
	gateway_trace_traced(arg, edges_name(e, edge), what);
}

static void
on_lost(struct edges *e, unsigned edge, void *arg)
{
	struct gateway *g = arg;

	log_warn(&g->log, "edge-lost", "edge=%s", edges_name(e, edge));
	gateway_admin_tell_edge(g, edges_name(e, edge), "lost");
	move_off(g, edge);
}

static void
on_removed(struct edges *e, unsigned edge, void *arg)
{
	struct gateway *g = arg;

	log_info(&g->log, "edge-removed", "edge=%s", edges_name(e, edge));
	gateway_admin_tell_edge(g, edges_name(e, edge), "removed");
	move_off(g, edge);
}

/* --- from the pool -------------------------------------------------------- */

static void
on_request(struct sip_ua *ua, struct sip_server_txn *st,
    const struct sip_msg *req, struct sip_dialog *d, void *arg)
{
	struct gateway *g = arg;

	(void)ua;
	if (sip_msg_method(req) == SIP_SUBSCRIBE && g->presence != NULL)
		presence_on_request(g->presence, st, req);
	else if (g->conversations != NULL)
		conversations_on_request(g->conversations, st, req, d);
}

static void
on_withdrawn(struct sip_ua *ua, struct sip_server_txn *st, void *arg)
{
	struct gateway *g = arg;

	(void)ua;
	if (g->conversations != NULL)
		conversations_on_withdrawn(g->conversations, st);
}

static void
on_acknowledged(struct sip_ua *ua, struct sip_dialog *d,
    const struct sip_msg *ack, void *arg)
{
	struct gateway *g = arg;

	(void)ua;
	if (g->conversations != NULL)
		conversations_on_acknowledged(g->conversations, d, ack);
}

static void
on_dialog_end(
    struct sip_ua *ua, struct sip_dialog *d, enum sip_dialog_end why, void *arg)
{
	struct gateway *g = arg;

	(void)ua;
	if (g->conversations != NULL)
		conversations_on_dialog_end(g->conversations, d, why);
}

static void
on_reachable(struct sip_ua *ua, bool reachable, void *arg)
{
	struct gateway *g = arg;

	(void)ua;
	log_info(&g->log, reachable ? "pool-reachable" : "pool-unreachable",
	    "pool=%s", g->opts.conf->sip.pool);
	gateway_admin_tell_pool(g, reachable);
	if (reachable && g->conversations != NULL)
		conversations_on_reachable(g->conversations);
	if (g->presence != NULL)
		presence_on_reachable(g->presence, reachable);
}

/* --- from the disk -------------------------------------------------------- */

static void
on_health(bool well, const char *why, void *arg)
{
	struct gateway *g = arg;

	if (well)
		log_info(&g->log, "store-works-again", "path=%s",
		    g->opts.conf->store);
	else
		log_error(&g->log, "store-fails", "path=%s reason=%s",
		    g->opts.conf->store, why);
	gateway_admin_tell_store(g, "pairs", well);
	if (g->presence != NULL)
		presence_on_health(g->presence, well);
}

/* --- the end -------------------------------------------------------------- */

static void
finish(struct gateway *g)
{
	gateway_trace_free(g);
	presence_free(g->presence);
	prover_free(g->prover);
	policy_free(g->policy);
	barrier_free(g->barrier);
	generation_finish(&g->generation);
	store_close(g->store);
	log_limit_stop();
	if (g->clock != NULL)
		clock_close(g->clock);
	free(g);
}

static void
on_handle_closed(uv_handle_t *h)
{
	struct gateway *g = h->data;

	if (!g->failed)
		g->opts.on_stopped(g, g->opts.arg);
	finish(g);
}

static bool
is_closed(const struct gateway *g)
{
	return g->edges == NULL && g->ua == NULL && g->pairs == NULL &&
	       !g->admin_closing && !gateway_settings_are_open(g);
}

/* When the sockets of both sides are gone and the rows are on disk.  The rest
 * goes a loop turn later, after all have put away what they had from us. */
static void
finish_if_closed(struct gateway *g)
{
	if (is_closed(g))
		uv_close((uv_handle_t *)&g->turn, on_handle_closed);
}

void
gateway_settings_closed(struct gateway *g)
{
	finish_if_closed(g);
}

void
gateway_admin_closed(struct gateway *g)
{
	finish_if_closed(g);
}

static void
on_edges_closed(struct edges *e, void *arg)
{
	struct gateway *g = arg;

	(void)e;
	g->edges = NULL;
	finish_if_closed(g);
}

static void
on_ua_closed(struct sip_ua *ua, void *arg)
{
	struct gateway *g = arg;

	(void)ua;
	g->ua = NULL;
	finish_if_closed(g);
}

static void
on_pairs_closed(void *arg)
{
	struct gateway *g = arg;

	g->pairs = NULL;
	finish_if_closed(g);
}

static void
close_all(struct gateway *g)
{
	struct sip_ua *ua = g->ua;
	struct edges *edges = g->edges;
	struct pair_store *pairs = g->pairs;

	set_state(g, GATEWAY_CLOSING);
	gateway_trace_stop(g);
	if (edges != NULL)
		gateway_confirm_stop(&g->settings.confirm);
	gateway_control_close(g);
	gateway_admin_close(g);
	conversations_free(g->conversations);
	g->conversations = NULL;
	presence_stop(g->presence);
	if (is_closed(g)) {
		finish_if_closed(g);
		return;
	}
	if (ua != NULL)
		sip_ua_close(ua);
	if (edges != NULL)
		edges_close(edges);
	if (pairs != NULL)
		pair_store_close(pairs, on_pairs_closed, g);
	if (g->policy != NULL)
		policy_unfollow(g->policy);
	gateway_settings_close(g);
}

static void
hang_up(struct gateway *g)
{
	set_state(g, GATEWAY_HANGING_UP);
	gateway_trace_stop(g);
	conversations_hang_up(g->conversations);
	clock_timer_start(&g->timer, HANG_UP_MS);
}

static void
on_timer(struct clock_timer *t, void *arg)
{
	struct gateway *g = arg;

	(void)t;
	if (g->state == GATEWAY_HANGING_UP)
		close_all(g);
	else if (conversations_pending(g->conversations) == 0 ||
		 clock_now_ms(g->clock) >= g->settle_until)
		hang_up(g);
	else
		clock_timer_start(&g->timer, SETTLE_STEP_MS);
}

void
gateway_stop(struct gateway *g)
{
	switch (g->state) {
	case GATEWAY_RUNNING:
		service_notify("STOPPING=1");
		set_state(g, GATEWAY_SETTLING);
		g->settle_until = clock_now_ms(g->clock) + SETTLE_MS;
		if (conversations_stop(g->conversations) == 0)
			hang_up(g);
		else
			clock_timer_start(&g->timer, SETTLE_STEP_MS);
		break;
	case GATEWAY_SETTLING:
		hang_up(g);
		break;
	case GATEWAY_HANGING_UP:
		clock_timer_stop(&g->timer);
		close_all(g);
		break;
	case GATEWAY_CLOSING:
	case GATEWAY_COUNT:
		break;
	}
}

void
gateway_drain(struct gateway *g)
{
	if (g->state == GATEWAY_RUNNING)
		edges_drain(g->edges);
	gateway_stop(g);
}

/* --- the start ------------------------------------------------------------ */

size_t
gateway_front_ends(struct sip_front_end out[static GATEWAY_CONF_FRONT_ENDS_MAX],
    const struct gateway_conf *conf)
{
	const struct gateway_sip_conf *s = &conf->sip;

	for (size_t i = 0; i < s->front_end_count; i++) {
		out[i].name = s->front_ends[i].name;
		out[i].address = s->front_ends[i].address;
	}
	return s->front_end_count;
}

static int
open_ua(struct gateway *g, char *why, size_t size)
{
	static const struct sip_ua_events events = {
		.on_request = on_request,
		.on_withdrawn = on_withdrawn,
		.on_acknowledged = on_acknowledged,
		.on_dialog_end = on_dialog_end,
		.on_reachable = on_reachable,
		.on_closed = on_ua_closed,
	};
	const struct gateway_sip_conf *s = &g->opts.conf->sip;
	struct sip_front_end front_ends[GATEWAY_CONF_FRONT_ENDS_MAX];
	const size_t count = gateway_front_ends(front_ends, g->opts.conf);
	const size_t pairs = g->opts.conf->presence.pairs;
	const size_t chats = g->opts.conf->limits.conversations;
	struct sip_ua_opts opts = {
		.loop = g->opts.loop,
		.clock = g->clock,
		.tls = g->opts.sip_tls,
		.fqdn = s->fqdn,
		.port = s->port,
		.listen = s->listen,
		.listen_count = s->listen_count,
		.pool = s->pool,
		.front_ends = front_ends,
		.front_end_count = count,
		.connections = s->connections,
		.probe_ms = s->probe_ms,
		.negotiate_reply = s->negotiate_reply,
		.contact = s->contact,
		.product = s->user_agent,
		.methods = METHODS,
		/* Each pair may watch both ways; some have more devices, and
		 * some chats more than one session. */
		.dialogs_max = 3 * pairs + 2 * chats,
		.events = &events,
		.arg = g,
	};

	return sip_ua_open(&g->ua, &opts, why, size);
}

static int
open_edges(struct gateway *g)
{
	static const struct edges_events events = {
		.on_stanza = on_stanza,
		.on_stream = on_stream,
		.on_partner = on_partner,
		.on_link = on_link,
		.on_answer = on_answer,
		.on_confirmed = on_confirmed,
		.on_renewed = on_renewed,
		.on_traced = on_traced,
		.on_lost = on_lost,
		.on_removed = on_removed,
		.on_closed = on_edges_closed,
	};
	const struct store_facts *facts = store_facts(g->store);
	char boot[2 * BOOT_BYTES + 1];
	struct edges_opts opts = {
		.loop = g->opts.loop,
		.clock = g->clock,
		.tls = g->opts.channel_tls->client,
		.conf = g->opts.conf,
		.generation = &g->generation,
		.boot = boot,
		.store = facts->id,
		.epoch = facts->epoch,
		.events = &events,
		.arg = g,
	};

	random_hex(boot, BOOT_BYTES);
	return edges_open(&g->edges, &opts);
}

static int
open_conversations(struct gateway *g)
{
	const struct store_facts *facts = store_facts(g->store);
	struct conversations_opts opts = {
		.conf = g->opts.conf,
		.clock = g->clock,
		.edges = g->edges,
		.ua = g->ua,
		.policy = g->policy,
		.barrier = g->barrier,
		.secret = { facts->secret, STORE_SECRET_LEN },
	};

	return conversations_new(&g->conversations, &opts);
}

/* Contacts are there before the first connection is. */
static int
open_presence(struct gateway *g, char *why, size_t size)
{
	struct presence_opts opts = {
		.conf = g->opts.conf,
		.clock = g->clock,
		.edges = g->edges,
		.ua = g->ua,
		.policy = g->policy,
		.barrier = g->barrier,
		.epoch = store_facts(g->store)->epoch,
	};
	static const struct pair_store_events events = { .on_health =
							     on_health };
	int rc;

	rc = pair_store_open(&g->pairs, g->store, g->opts.loop, &events, g);
	opts.store = g->pairs;
	if (rc == 0)
		rc = presence_new(&g->presence, &opts);
	if (rc == 0)
		rc = presence_load(g->presence, why, size);
	return rc;
}

static int
open_parts(struct gateway *g, char *why, size_t size)
{
	int rc;

	snprintf(why, size, "out of memory");
	rc = clock_open_uv(&g->clock, g->opts.loop);
	if (rc < 0)
		return rc;
	clock_timer_init(&g->timer, g->clock, on_timer, g);
	g->started_ms = clock_now_ms(g->clock);
	rc = log_limit_start(g->clock);
	if (rc < 0)
		return rc;
	rc = store_open(&g->store, g->opts.conf->store, why, size);
	if (rc < 0)
		return rc;
	rc = gateway_settings_open(g, why, size);
	if (rc < 0)
		return rc;
	rc = generation_make(&g->generation, g->opts.conf, g->store, why, size);
	if (rc < 0)
		return rc;
	snprintf(why, size, "out of memory");
	rc = barrier_new(&g->barrier, g->opts.conf->node, g->clock);
	if (rc == 0)
		rc = policy_new(&g->policy, g->opts.conf, 0);
	if (rc == 0)
		rc = policy_follow(g->policy, gateway_settings(g), g->clock,
		    gateway_settings_follow, g);
	if (rc < 0)
		return rc;
	rc = open_ua(g, why, size);
	if (rc < 0)
		return rc;
	snprintf(why, size, "edges: out of memory");
	rc = open_edges(g);
	if (rc == 0)
		gateway_confirm_init(&g->settings.confirm, g->clock, g->edges);
	if (rc == 0)
		rc = prover_new(&g->prover, g->edges, g->barrier);
	if (rc == 0)
		rc = open_conversations(g);
	if (rc == 0)
		rc = open_presence(g, why, size);
	if (rc == 0)
		rc = gateway_admin_open(g, why, size);
	if (rc < 0)
		return rc;
	return gateway_control_open(g, why, size);
}

int
gateway_open(struct gateway **out, const struct gateway_opts *opts, char *why,
    size_t size)
{
	struct gateway *g = calloc(1, sizeof(*g));
	int rc;

	if (g == NULL) {
		snprintf(why, size, "out of memory");
		return ERR_NOMEM;
	}
	g->opts = *opts;
	log_init(&g->log, "gateway");
	uv_idle_init(opts->loop, &g->turn);
	g->turn.data = g;
	rc = open_parts(g, why, size);
	if (rc < 0) {
		g->failed = true;
		close_all(g);
		return rc;
	}
	log_info(&g->log, "started",
	    "node=%s epoch=%llu generation=%llu hosted=%zu partners=%zu",
	    opts->conf->node, (unsigned long long)store_facts(g->store)->epoch,
	    (unsigned long long)g->generation.counter, opts->conf->hosted_count,
	    opts->conf->partner_count);
	service_notify("READY=1");
	*out = g;
	return 0;
}
