/*
 * A reload has two halves.  What can fail comes first and touches nothing that
 * is in force: file, certificates, generation.  The second half exchanges and
 * cannot fail.
 *
 * Open connections keep the TLS context they began with; it is counted.
 */
#include "frontend-gateway/gateway_impl.h"

#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/service.h"
#include "common/tls_identity.h"
#include "frontend-gateway/conf_reload.h"
#include "frontend-gateway/conversation/conversations.h"
#include "frontend-gateway/edges.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/gateway_settings.h"
#include "frontend-gateway/policy/policy.h"
#include "frontend-gateway/presence/presence.h"
#include "frontend-gateway/sip/sip_ua.h"

/* What a reload has made and not yet put in force.  The configuration comes with
 * the settings in force laid over it. */
struct fresh {
	struct gateway_conf *conf;
	struct tls_identity channel, sip;
	struct generation generation;
	struct gateway_overlay overlay; /* what the file had instead */
	json_t *restart;
};

static void
drop(struct fresh *f)
{
	gateway_conf_free(f->conf);
	tls_identity_finish(&f->channel);
	tls_identity_finish(&f->sip);
	generation_finish(&f->generation);
	gateway_overlay_finish(&f->overlay);
	json_decref(f->restart);
}

static int
prepare(struct fresh *f, struct gateway *g, char *why, size_t size)
{
	char error[GATEWAY_CONF_ERROR_SIZE];
	int rc;

	rc = gateway_conf_load(&f->conf, g->opts.path, error);
	if (rc < 0) {
		snprintf(why, size, "%s", error);
		return rc;
	}
	f->restart = conf_reload_keep(f->conf, g->opts.conf);
	if (f->restart == NULL) {
		snprintf(why, size, "out of memory");
		return ERR_NOMEM;
	}
	rc = gateway_conf_identities(&f->channel, &f->sip, f->conf, error);
	if (rc < 0) {
		snprintf(why, size, "%s: %s", g->opts.path, error);
		return rc;
	}
	gateway_import_compare(g, f->conf);
	rc = gateway_overlay_make(
	    &f->overlay, settings_now(gateway_settings(g)), f->conf, why, size);
	if (rc < 0)
		return rc;
	gateway_overlay_swap(&f->overlay, f->conf);
	return generation_make(&f->generation, f->conf, g->store, why, size);
}

/* What was in force is what f holds afterwards. */
static void
exchange(struct gateway *g, struct fresh *f)
{
	struct tls_identity channel = *g->opts.channel_tls;
	struct tls_identity sip = *g->opts.sip_tls;
	struct generation generation = g->generation;

	conf_reload_swap(g->opts.conf, f->conf);
	*g->opts.channel_tls = f->channel;
	*g->opts.sip_tls = f->sip;
	g->generation = f->generation;
	f->channel = channel;
	f->sip = sip;
	f->generation = generation;
}

static void
set_front_ends(struct gateway *g)
{
	struct sip_front_end front_ends[GATEWAY_CONF_FRONT_ENDS_MAX];
	const size_t count = gateway_front_ends(front_ends, g->opts.conf);
	int rc = sip_ua_set_front_ends(g->ua, front_ends, count);

	if (rc < 0)
		log_error(
		    &g->log, "front-end-not-added", "error=%s", err_str(rc));
}

static void
put_in_force(struct gateway *g, struct fresh *f)
{
	bool news = strcmp(f->generation.hash, g->generation.hash) != 0;

	exchange(g, f);
	gateway_settings_rebase(g);
	gateway_conf_apply_log(g->opts.conf);
	gateway_conf_log_warnings(g->opts.conf);
	edges_set_tls(g->edges, g->opts.channel_tls->client);
	edges_reload(g->edges);
	sip_ua_set_tls(g->ua, g->opts.sip_tls);
	sip_ua_set_product(g->ua, g->opts.conf->sip.user_agent);
	set_front_ends(g);
	policy_recheck(g->policy);
	conversations_recheck(g->conversations);
	presence_recheck(g->presence);
	/* A secret that is staged waits for their word, old news or not. */
	if (news || g->generation.staged)
		edges_announce(g->edges);
}

int
gateway_reload(struct gateway *g, json_t **restart, char *why, size_t size)
{
	struct fresh f = { 0 };
	int rc;

	if (g->state != GATEWAY_RUNNING) {
		snprintf(why, size, "the gateway is stopping");
		return ERR_BAD_STATE;
	}
	service_reloading();
	rc = prepare(&f, g, why, size);
	if (rc < 0) {
		log_error(&g->log, "reload-refused", "reason=%s", why);
		goto done;
	}
	put_in_force(g, &f);
	for (size_t i = 0; i < json_array_size(f.restart); i++)
		log_warn(&g->log, "restart-needed", "member=%s",
		    json_string_value(json_array_get(f.restart, i)));
	log_info(&g->log, "reloaded", "generation=%llu hosted=%zu partners=%zu",
	    (unsigned long long)g->generation.counter,
	    g->opts.conf->hosted_count, g->opts.conf->partner_count);
	if (restart != NULL)
		*restart = json_incref(f.restart);

done:
	drop(&f);
	service_notify("READY=1");
	return rc;
}

void
gateway_use_secret(struct gateway *g)
{
	struct generation fresh = { 0 };
	char why[512];

	if (!g->generation.staged || g->state != GATEWAY_RUNNING)
		return;
	gateway_settings_rebase(g);
	if (generation_advance(g->opts.conf, g->store, why, sizeof(why)) < 0 ||
	    generation_make(&fresh, g->opts.conf, g->store, why, sizeof(why)) <
		0) {
		/* Nothing is lost: the former one stays in use. */
		log_error(
		    &g->log, "dialback-secret-not-used", "reason=%s", why);
		return;
	}
	generation_finish(&g->generation);
	g->generation = fresh;
	log_info(&g->log, "dialback-secret-used", "generation=%llu",
	    (unsigned long long)g->generation.counter);
	edges_announce(g->edges);
}
