/*
 * A commit is proposed, written and put in force:
 *
 *   proposed   the partner table as it would be, and the text that edges would
 *              be told: what cannot be made or is too long refuses it here
 *   written    settings, audit and the number of that text in one transaction
 *   in force   table and values are exchanged, then everybody looks again:
 *              policy, chats, contacts, edges
 *
 * While it is being written a reload, or the use of a new dialback secret, may
 * change the ground it stands on; the text is then made anew.
 */
#include "frontend-gateway/gateway_settings.h"

#include <stdio.h>
#include <openssl/crypto.h>

#include "common/err.h"
#include "common/log.h"
#include "frontend-gateway/conversation/conversations.h"
#include "frontend-gateway/edges.h"
#include "frontend-gateway/gateway_admin.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/gateway_impl.h"
#include "frontend-gateway/policy/policy.h"
#include "frontend-gateway/presence/presence.h"

/* --- the gate ------------------------------------------------------------- */

/* Whether something the configuration is made of changes. */
static bool
concerns_us(const struct settings_delta *deltas, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (deltas[i].before != deltas[i].after &&
		    (deltas[i].kind == &setting_kind_partner ||
			deltas[i].kind == &setting_kind_gateway_config))
			return true;
	return false;
}

/* The configuration as it would be with the overlay; to look at only. */
static int
draft(struct gateway *g, char *why, size_t size)
{
	struct gateway_settings *gs = &g->settings;
	struct gateway_overlay was = gs->overlay;
	struct gateway_conf would = *g->opts.conf;
	int rc;

	gateway_overlay_swap(&was, &would);
	rc = generation_draft(&gs->draft, &would, g->store, why, size);
	OPENSSL_cleanse(would.dialback_secret, sizeof(would.dialback_secret));
	return rc;
}

static void
on_proposed(const struct settings_view *after,
    const struct settings_delta *deltas, size_t count, bool dry_run,
    struct settings_report *report, const char **hash, void *arg)
{
	struct gateway *g = arg;
	struct gateway_settings *gs = &g->settings;
	char why[512];
	int rc;

	(void)dry_run;
	if (!concerns_us(deltas, count))
		return;
	gs->draft_base = gs->base;
	rc = gateway_overlay_make(
	    &gs->overlay, after, g->opts.conf, why, sizeof(why));
	if (rc == 0) {
		gs->proposed = true;
		rc = draft(g, why, sizeof(why));
	}
	if (rc < 0)
		settings_report_problem(report, NULL, "%s", why);
	else
		*hash = gs->draft.hash;
}

static void
on_dropped(void *arg)
{
	struct gateway *g = arg;
	struct gateway_settings *gs = &g->settings;

	if (!gs->proposed)
		return;
	gateway_overlay_finish(&gs->overlay);
	generation_draft_finish(&gs->draft);
	gs->proposed = false;
}

/* Everybody who has something open looks whether it may stay.  Those who stop
 * have other things to do. */
static void
recheck(struct gateway *g)
{
	gateway_conf_apply_bodies(g->opts.conf);
	gateway_trace_recheck(g);
	if (g->state != GATEWAY_RUNNING || g->presence == NULL)
		return;
	policy_recheck(g->policy);
	conversations_recheck(g->conversations);
	presence_recheck(g->presence);
}

void
gateway_settings_follow(const char *user, void *arg)
{
	struct gateway *g = arg;

	if (g->state != GATEWAY_RUNNING || g->presence == NULL)
		return;
	conversations_rights_changed(g->conversations, user);
	presence_rights_changed(g->presence, user);
}

/* The text for the edges, numbered. */
static int
renew_generation(struct gateway *g, uint64_t number)
{
	struct gateway_settings *gs = &g->settings;
	struct generation fresh = { 0 };
	char why[512] = "";
	int rc;

	if (gs->draft_base == gs->base)
		rc = generation_number(&fresh, &gs->draft, g->store, number);
	else
		rc = generation_make(
		    &fresh, g->opts.conf, g->store, why, sizeof(why));
	if (rc < 0) {
		log_error(&g->log, "edges-not-told", "reason=%s",
		    why[0] != '\0' ? why : err_str(rc));
		return rc;
	}
	generation_finish(&g->generation);
	g->generation = fresh;
	return 0;
}

static uint64_t
on_in_force(uint64_t number, void *arg)
{
	struct gateway *g = arg;
	struct gateway_settings *gs = &g->settings;
	uint64_t before = g->generation.counter;
	uint64_t told = 0;

	if (!gs->proposed)
		return 0;
	gateway_overlay_swap(&gs->overlay, g->opts.conf);
	if (renew_generation(g, number) == 0 && g->state == GATEWAY_RUNNING &&
	    (g->generation.counter != before || g->generation.staged)) {
		told = g->generation.counter;
		edges_announce(g->edges);
	}
	on_dropped(g);
	recheck(g);
	return told;
}

/* --- life ----------------------------------------------------------------- */

static bool
is_own(const char *domain, void *arg)
{
	const struct gateway *g = arg;

	return gateway_conf_is_own(g->opts.conf, domain);
}

static bool
hosts(const char *domain, void *arg)
{
	const struct gateway *g = arg;

	return gateway_conf_hosts(g->opts.conf, domain);
}

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
	gateway_admin_tell_store(g, "settings", well);
}

static int
lay_over(struct gateway *g, char *why, size_t size)
{
	struct gateway_overlay o;
	int rc = gateway_overlay_make(
	    &o, settings_now(g->settings.settings), g->opts.conf, why, size);

	if (rc < 0)
		return rc;
	gateway_overlay_swap(&o, g->opts.conf);
	gateway_overlay_finish(&o);
	gateway_conf_apply_bodies(g->opts.conf);
	return 0;
}

int
gateway_settings_open(struct gateway *g, char *why, size_t size)
{
	static const struct setting_store_events events = { on_health };
	struct gateway_settings *gs = &g->settings;
	const struct settings_gate gate = { .on_proposed = on_proposed,
		.on_in_force = on_in_force,
		.on_dropped = on_dropped,
		.arg = g };
	int rc;

	gs->world = (struct settings_world){ is_own, hosts, g };
	rc = setting_store_open(&gs->store, g->store, g->opts.loop, &events, g);
	if (rc < 0) {
		snprintf(why, size, "%s", err_str(rc));
		return rc;
	}
	rc = settings_open(
	    &gs->settings, gs->store, g->clock, &gs->world, why, size);
	if (rc == 0 && settings_is_fresh(gs->settings))
		rc = gateway_import(g, why, size);
	else if (rc == 0)
		gateway_import_compare(g, g->opts.conf);
	if (rc == 0)
		rc = lay_over(g, why, size);
	if (rc == 0)
		settings_set_gate(gs->settings, &gate);
	return rc;
}

static void
on_store_closed(void *arg)
{
	struct gateway *g = arg;

	g->settings.store = NULL;
	gateway_settings_closed(g);
}

static void
on_settings_closed(void *arg)
{
	struct gateway *g = arg;

	g->settings.settings = NULL;
	setting_store_close(g->settings.store, on_store_closed, g);
}

bool
gateway_settings_are_open(const struct gateway *g)
{
	return g->settings.store != NULL;
}

void
gateway_settings_close(struct gateway *g)
{
	if (g->settings.settings != NULL)
		settings_close(g->settings.settings, on_settings_closed, g);
	else if (g->settings.store != NULL)
		setting_store_close(g->settings.store, on_store_closed, g);
}

void
gateway_settings_rebase(struct gateway *g)
{
	g->settings.base++;
}

struct settings *
gateway_settings(struct gateway *g)
{
	return g->settings.settings;
}
