#include "frontend-gateway/gateway_admin.h"

#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "frontend-gateway/admin/admin.h"
#include "frontend-gateway/conversation/conversations.h"
#include "frontend-gateway/edges.h"
#include "frontend-gateway/gateway_impl.h"
#include "frontend-gateway/gateway_settings.h"
#include "frontend-gateway/policy/policy.h"
#include "frontend-gateway/presence/presence.h"
#include "frontend-gateway/settings/settings_view.h"

/* --- what is asked --------------------------------------------------------- */

static json_t *
on_status(void *arg)
{
	return gateway_status(arg);
}

static json_t *
on_edges(void *arg)
{
	const struct gateway *g = arg;

	return edges_status(g->edges);
}

static json_t *
on_streams(void *arg)
{
	const struct gateway *g = arg;

	return edges_list_streams(g->edges);
}

static json_t *
on_contacts(const json_t *request, const char **error, void *arg)
{
	const struct gateway *g = arg;

	return presence_list(g->presence, request, error);
}

static json_t *
on_conversations(const struct admin_page *page, const char *user,
    const char *contact, const char *state, void *arg)
{
	const struct gateway *g = arg;
	const struct conversations_query q = {
		.user = user,
		.contact = contact,
		.state = state,
		.after = page->after,
		.limit = page->limit,
		.fits = settings_view_fits,
	};

	return conversations_list(g->conversations, &q);
}

static void
on_confirm(uint64_t generation, admin_confirmed_fn *fn, void *fn_arg, void *arg)
{
	struct gateway *g = arg;

	gateway_confirm_wait(&g->settings.confirm, generation,
	    GATEWAY_SETTINGS_CONFIRM_MS, fn, fn_arg);
}

static json_t *
on_rights(const char *user, void *arg)
{
	const struct gateway *g = arg;

	return policy_explain(g->policy, user);
}

/* --- life ------------------------------------------------------------------ */

int
gateway_admin_open(struct gateway *g, char *why, size_t size)
{
	const struct gateway_admin_conf *c = &g->opts.conf->admin;
	char reason[256];
	int rc;

	if (c->socket[0] == '\0' && c->listen_count == 0)
		return 0;
	g->admin_sources = (struct admin_sources){ on_status, on_edges,
		on_streams, on_contacts, on_conversations, on_confirm,
		gateway_metrics, on_rights, g };
	rc = admin_open(&g->admin,
	    &(struct admin_opts){ .loop = g->opts.loop,
		.clock = g->clock,
		.socket = c->socket,
		.listen = c->listen,
		.listen_count = c->listen_count,
		.settings = g->settings.settings,
		.store = g->settings.store,
		.sources = &g->admin_sources },
	    reason, sizeof(reason));
	if (rc < 0) {
		snprintf(why, size, "/admin/%s", reason);
		return rc;
	}
	rc = gateway_trial_open(g);
	if (rc == 0)
		rc = gateway_trace_open(g);
	if (rc < 0)
		snprintf(why, size, "/admin: %s", err_str(rc));
	return rc;
}

static void
on_closed(void *arg)
{
	struct gateway *g = arg;

	g->admin_closing = false;
	gateway_admin_closed(g);
}

void
gateway_admin_close(struct gateway *g)
{
	struct admin *a = g->admin;

	if (a == NULL)
		return;
	g->admin = NULL;
	g->admin_closing = true;
	admin_close(a, on_closed, g);
}

/* --- what happens ---------------------------------------------------------- */

void
gateway_admin_tell_state(struct gateway *g, const char *state)
{
	if (g->admin != NULL)
		admin_tell(
		    g->admin, "gateway", json_pack("{s:s}", "state", state));
}

void
gateway_admin_tell_pool(struct gateway *g, bool reachable)
{
	if (g->admin != NULL)
		admin_tell(g->admin, "pool",
		    json_pack("{s:s, s:b}", "pool", g->opts.conf->sip.pool,
			"reachable", reachable));
}

void
gateway_admin_tell_store(struct gateway *g, const char *part, bool well)
{
	if (g->admin != NULL)
		admin_tell(g->admin, "store",
		    json_pack("{s:s, s:b}", "part", part, "well", well));
}

void
gateway_admin_tell_edge(struct gateway *g, const char *edge, const char *what)
{
	if (g->admin != NULL)
		admin_tell(g->admin, "edge",
		    json_pack("{s:s, s:s}", "edge", edge, "what", what));
}

void
gateway_admin_tell_stream(
    struct gateway *g, const char *edge, const struct edges_stream *s)
{
	json_t *pairs;

	if (g->admin == NULL)
		return;
	pairs = json_array();
	for (size_t i = s->fresh; i < s->guard.pair_count; i++)
		(void)json_array_append_new(
		    pairs, json_pack("[s, s]", s->guard.pairs[i].local,
			       s->guard.pairs[i].remote));
	admin_tell(g->admin, "stream",
	    json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:s}", "edge", edge,
		"what", "up", "id", s->id, "direction",
		s->guard.inbound ? "in" : "out", "pairs", pairs, "peer",
		s->peer, "auth", s->auth));
}

void
gateway_admin_tell_partner(struct gateway *g, const char *edge,
    const char *local, const char *remote, bool failed)
{
	if (g->admin != NULL)
		admin_tell(g->admin, "stream",
		    json_pack("{s:s, s:s, s:[[s, s]]}", "edge", edge, "what",
			failed ? "failed" : "down", "pairs", local, remote));
}
