/*
 * GET /v1/trace: what passes of somebody's, as it passes.  Whoever asks says
 * whom he means; from then on taps at the SIP transport and at the edges tell
 * the hub, and the edges tell of stanzas.  When the last one goes, so do the
 * taps: nothing is left that traffic could notice.
 */
#include "frontend-gateway/gateway_admin.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "frontend-gateway/admin/tokens.h"
#include "frontend-gateway/edges.h"
#include "frontend-gateway/gateway_impl.h"
#include "frontend-gateway/gateway_settings.h"
#include "frontend-gateway/settings/settings.h"
#include "frontend-gateway/sip/sip_ua.h"
#include "frontend-gateway/trace/trace_filter.h"
#include "frontend-gateway/trace/trace_hub.h"

/* --- taps ------------------------------------------------------------------ */

static void
on_sip(const struct sip_tap_message *m, void *arg)
{
	struct gateway *g = arg;

	trace_hub_sip(g->trace, &(struct trace_hub_sip){ .inward = m->outgoing,
				    .peer = m->peer,
				    .conn = m->conn,
				    .head = m->head,
				    .head_len = m->head_len,
				    .body = m->body,
				    .body_len = m->body_len });
}

static void
on_frame(struct edges *e, unsigned edge, bool inward, uint64_t seq,
    const struct frame *f, void *arg)
{
	struct gateway *g = arg;
	const struct trace_hub_place p = { edge, edges_name(e, edge), inward,
		seq };

	trace_hub_frame(g->trace, &p, f);
}

static void
on_result(struct edges *e, unsigned edge, bool inward, uint64_t seq,
    const struct channel_result *r, void *arg)
{
	struct gateway *g = arg;
	const struct trace_hub_place p = { edge, edges_name(e, edge), inward,
		seq };

	trace_hub_result(g->trace, &p, r);
}

void
gateway_trace_traced(struct gateway *g, const char *edge, const json_t *what)
{
	if (g->trace != NULL)
		trace_hub_traced(g->trace, edge, what);
}

static bool
on_bodies(void *arg)
{
	const struct gateway *g = arg;

	return g->opts.conf->log.bodies;
}

static bool
on_may(const char *token, void *arg)
{
	struct gateway *g = arg;

	return tokens_hold(
	    settings_now(gateway_settings(g)), token, clock_wall_ms(g->clock));
}

static void
set_taps(struct gateway *g, bool on)
{
	g->sip_tap = (struct sip_tap){ on_sip, g };
	g->edges_tap = (struct edges_tap){ on_frame, on_result, g };
	if (g->ua != NULL)
		sip_ua_set_tap(g->ua, on ? &g->sip_tap : NULL);
	if (g->edges != NULL)
		edges_set_tap(g->edges, on ? &g->edges_tap : NULL);
}

static void
on_watched(const json_t *who, void *arg)
{
	struct gateway *g = arg;
	json_t *what = json_pack(
	    "{s:b, s:O}", "bodies", g->opts.conf->log.bodies, "who", who);
	int rc = what != NULL ? edges_trace(g->edges, what) : ERR_NOMEM;

	if (rc < 0)
		log_warn(&g->log, "edges-not-asked", "error=%s", err_str(rc));
	json_decref(what);
	set_taps(g, json_array_size(who) > 0);
}

/* --- who asks --------------------------------------------------------------- */

/* The first domain of a partner stands for all of his. */
static int
add_partner(const struct gateway *g, struct trace_filter *f, const char *text,
    char why[static TRACE_FILTER_WHY_SIZE])
{
	int rc = trace_filter_add_domain(f, text, why);
	const struct gateway_partner *p;

	if (rc < 0)
		return rc;
	p = gateway_conf_partner(g->opts.conf, f->domains[0]);
	if (p == NULL || strcmp(p->domain, f->domains[0]) != 0)
		return 0;
	for (size_t i = 0; i < p->additional_count && rc == 0; i++)
		rc = trace_filter_add_domain(f, p->additional[i], why);
	return rc;
}

/* False after answering. */
static bool
read_filter(struct trace_filter *f, struct admin_request *r)
{
	const char *user = admin_param(r, "user");
	const char *contact = admin_param(r, "contact");
	const char *partner = admin_param(r, "partner");
	char why[TRACE_FILTER_WHY_SIZE];
	const char *which = "user";
	int rc = 0;

	if (user != NULL)
		rc = trace_filter_set_user(f, user, why);
	if (rc == 0 && contact != NULL) {
		which = "contact";
		rc = trace_filter_set_contact(f, contact, why);
	}
	if (rc == 0 && partner != NULL) {
		which = "partner";
		rc = add_partner(r->arg, f, partner, why);
	}
	if (rc == ERR_JID)
		admin_fail(r, 422, "%s: %s", which, why);
	else if (rc < 0)
		admin_reply(r, 503, NULL);
	else if (trace_filter_is_empty(f))
		admin_fail(r, 422, "user, contact or partner is needed");
	return rc == 0 && !trace_filter_is_empty(f);
}

/* False after answering. */
static bool
read_seconds(unsigned *out, struct admin_request *r)
{
	const char *text = admin_param(r, "seconds");
	unsigned long n;
	char *end;

	*out = TRACE_HUB_SECONDS;
	if (text == NULL)
		return true;
	n = strtoul(text, &end, 10);
	if (text[0] >= '0' && text[0] <= '9' && strlen(text) <= 6 &&
	    *end == '\0' && n >= 1 && n <= TRACE_HUB_SECONDS_MAX) {
		*out = (unsigned)n;
		return true;
	}
	admin_fail(r, 422, "seconds: 1 to %d", TRACE_HUB_SECONDS_MAX);
	return false;
}

static void
on_get(struct admin_request *r)
{
	struct gateway *g = r->arg;
	struct trace_filter filter = { 0 };
	struct trace_hub_wish wish = {
		.filter = &filter, .token = r->token, .who = r->who
	};
	int rc = 0;

	if (read_filter(&filter, r) && read_seconds(&wish.seconds, r))
		rc = trace_hub_join(g->trace, r->call, &wish);
	if (rc == ERR_FULL)
		admin_fail(r, 503, "%d watch already", TRACE_HUB_WATCHERS);
	else if (rc == ERR_TOO_LONG)
		admin_fail(r, 503,
		    "with those who watch already that is more than the %d "
		    "addresses and domains that an edge can follow",
		    TRACE_FILTER_WHO_MAX);
	else if (rc == ERR_CLOSED)
		admin_fail(r, 503, "the gateway stops");
	else if (rc < 0)
		admin_reply(r, 503, NULL);
	trace_filter_finish(&filter);
}

const struct admin_route gateway_trace_routes[] = {
	{ .method = HTTP_GET,
	    .path = "/v1/trace",
	    .right = ADMIN_READ,
	    .params = "user contact partner seconds",
	    .handle = on_get },
};

const size_t gateway_trace_route_count =
    sizeof(gateway_trace_routes) / sizeof(gateway_trace_routes[0]);

/* --- life -------------------------------------------------------------------- */

/* What was opened with a token goes when the token goes, or changes. */
static void
on_change(const struct settings_view *now, const struct settings_delta *deltas,
    size_t count, void *arg)
{
	struct gateway *g = arg;

	(void)now;
	for (size_t i = 0; i < count; i++)
		if (deltas[i].kind == &setting_kind_token &&
		    deltas[i].before != deltas[i].after)
			trace_hub_drop(g->trace, deltas[i].key);
}

void
gateway_trace_recheck(struct gateway *g)
{
	const bool bodies = g->opts.conf->log.bodies;

	if (g->trace == NULL || bodies == g->trace_bodies)
		return;
	g->trace_bodies = bodies;
	trace_hub_bodies_changed(g->trace);
}

int
gateway_trace_open(struct gateway *g)
{
	static const struct trace_hub_events events = { on_watched, on_bodies,
		on_may };
	int rc = trace_hub_new(&g->trace, g->clock, &events, g);

	if (rc < 0)
		return rc;
	g->trace_bodies = g->opts.conf->log.bodies;
	g->trace_tokens.on_change = on_change;
	g->trace_tokens.arg = g;
	settings_listen(gateway_settings(g), &g->trace_tokens);
	g->tracing = true;
	return admin_add_routes(
	    g->admin, gateway_trace_routes, gateway_trace_route_count, g);
}

void
gateway_trace_stop(struct gateway *g)
{
	if (!g->tracing)
		return;
	g->tracing = false;
	settings_unlisten(&g->trace_tokens);
	trace_hub_stop(g->trace, "the gateway stops");
	set_taps(g, false);
}

void
gateway_trace_free(struct gateway *g)
{
	trace_hub_free(g->trace);
}
