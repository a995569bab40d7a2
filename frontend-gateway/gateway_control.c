/*
 * The control socket's verbs, each answered at once, and the pulse: a timer
 * that pets the service manager's watchdog and keeps its status line true.
 * That the timer fires is what there is to prove: the loop turns.
 */
#include "frontend-gateway/gateway_impl.h"

#include <stdio.h>
#include <string.h>

#include "common/control.h"
#include "common/control_level.h"
#include "common/err.h"
#include "common/service.h"
#include "frontend-gateway/conversation/conversations.h"
#include "frontend-gateway/edges.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/presence/presence.h"
#include "frontend-gateway/sip/sip_ua.h"

enum { PULSE_MS = 5000 };

/* --- verbs -------------------------------------------------------------- */

static void
reply(struct control_call *call, json_t *body)
{
	if (body != NULL)
		control_reply(call, body);
	else
		control_fail(call, err_str(ERR_NOMEM));
}

static void
on_log_level(
    struct control_call *call, struct gateway *g, const json_t *request)
{
	struct control_level level;
	char why[128];
	int rc;

	if (control_level_read(&level, request, why, sizeof(why)) < 0) {
		control_fail(call, why);
		return;
	}
	rc = control_level_apply(&level);
	if (rc < 0) {
		control_fail(call, err_str(rc));
		return;
	}
	log_info(&g->log, "log-level", "component=%s level=%d",
	    level.component[0] != '\0' ? level.component : "all",
	    (int)level.level);
	reply(call, json_object());
}

static void
on_contacts(struct control_call *call, struct gateway *g, const json_t *request)
{
	const char *error = NULL;
	json_t *all = presence_list(g->presence, request, &error);

	if (all != NULL)
		control_reply(call, all);
	else
		control_fail(call, error);
}

static void
on_reload(struct control_call *call, struct gateway *g)
{
	char why[GATEWAY_CONF_ERROR_SIZE];
	json_t *restart = NULL;

	if (gateway_reload(g, &restart, why, sizeof(why)) < 0)
		control_fail(call, why);
	else
		reply(call, json_pack("{s:o}", "restart", restart));
}

static void
on_request(struct control_call *call, const char *verb, const json_t *request,
    void *arg)
{
	struct gateway *g = arg;

	if (strcmp(verb, "status") == 0) {
		reply(call, gateway_status(g));
	} else if (strcmp(verb, "streams") == 0) {
		reply(call, json_pack("{s:s, s:o}", "daemon", "gateway",
				"streams", edges_list_streams(g->edges)));
	} else if (strcmp(verb, "contacts") == 0) {
		on_contacts(call, g, request);
	} else if (strcmp(verb, "log-level") == 0) {
		on_log_level(call, g, request);
	} else if (strcmp(verb, "reload") == 0) {
		on_reload(call, g);
	} else if (strcmp(verb, "drain") == 0) {
		log_info(&g->log, "drain-asked", "by=%s", "operator");
		reply(call, json_object());
		gateway_drain(g);
	} else {
		control_fail(call, "the gateway knows no such verb");
	}
}

/* --- the service manager ------------------------------------------------ */

static void
tell_status(struct gateway *g)
{
	char text[sizeof(g->told)];

	snprintf(text, sizeof(text),
	    "STATUS=%s: %zu of %zu edges, pool %s, %zu chats",
	    gateway_state_str(g), edges_count_up(g->edges),
	    edges_count(g->edges),
	    sip_ua_reachable(g->ua) ? "reachable" : "not reachable",
	    conversations_count(g->conversations));
	if (strcmp(text, g->told) == 0)
		return;
	memcpy(g->told, text, sizeof(text));
	service_notify(text);
}

static void
on_pulse(struct clock_timer *t, void *arg)
{
	struct gateway *g = arg;
	uint64_t watchdog = service_watchdog_ms();

	if (watchdog > 0)
		service_notify("WATCHDOG=1");
	tell_status(g);
	clock_timer_start(t,
	    watchdog > 0 && watchdog / 3 < PULSE_MS ? watchdog / 3 : PULSE_MS);
}

/* --- life --------------------------------------------------------------- */

int
gateway_control_open(struct gateway *g, char *why, size_t size)
{
	const char *path = g->opts.conf->control;
	int fd, rc;

	clock_timer_init(&g->pulse, g->clock, on_pulse, g);
	if (path[0] != '\0') {
		fd = control_bind(path);
		if (fd < 0) {
			snprintf(
			    why, size, "/control: %s: %s", path, err_str(fd));
			return fd;
		}
		rc = control_open(
		    &g->control, g->opts.loop, g->clock, fd, on_request, g);
		if (rc < 0) {
			snprintf(why, size, "/control: %s", err_str(rc));
			return rc;
		}
	}
	clock_timer_start(&g->pulse, 0);
	return 0;
}

void
gateway_control_close(struct gateway *g)
{
	if (g->pulse.clock != NULL)
		clock_timer_stop(&g->pulse);
	if (g->control != NULL)
		control_close(g->control, NULL, NULL);
	g->control = NULL;
}
