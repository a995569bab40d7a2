/*
 * The doors are open exactly while a gateway that is not absent owns a domain
 * (hosting_open), and the edge is not stopping.  Addresses that cannot be had
 * are tried again; so are all of them after descriptors ran out.
 */
#include "edge-proxy/edge_doors.h"

#include <stdio.h>

#include "edge-proxy/doors.h"
#include "edge-proxy/edge_impl.h"
#include "edge-proxy/edge_tell.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/proxy_gate.h"

enum { RETRY_OPEN_MS = 5000 };

int
edge_doors_set(struct edge *e, const struct edge_conf *conf)
{
	struct doors_place places[2 * EDGE_CONF_LISTEN_MAX];
	size_t n = 0;
	int rc;

	rc = proxy_gate_set(e->gate, conf->proxies, conf->proxy_count);
	if (rc < 0)
		return rc;

	for (size_t i = 0; i < conf->listen_count; i++)
		places[n++] = (struct doors_place){ conf->listen[i], false };
	for (size_t i = 0; i < conf->direct_listen_count; i++)
		places[n++] =
		    (struct doors_place){ conf->direct_listen[i], true };
	if (doors_same(e->doors, places, n))
		return 0;
	return doors_set(e->doors, places, n);
}

void
edge_doors_settle(struct edge *e)
{
	bool wanted = e->stage == RUNNING && hosting_open(e->hosting);
	char why[256];

	if (!wanted) {
		clock_timer_stop(&e->reopen);
		if (doors_are_open(e->doors)) {
			doors_close(e->doors);
			edge_tell_notice(e, "doors-closed",
			    "no gateway to receive for, or stopping");
		}
		return;
	}
	if (doors_are_open(e->doors))
		return;
	e->doors_why[0] = '\0';
	if (doors_open(e->doors, why, sizeof(why)) < 0) {
		snprintf(e->doors_why, sizeof(e->doors_why), "%s", why);
		edge_tell_notice(e, "doors-failed", why);
		clock_timer_start(&e->reopen, RETRY_OPEN_MS);
		return;
	}
	clock_timer_stop(&e->reopen);
	log_info(&e->log, "doors-open", "node=%s", e->node);
}

void
edge_doors_on_exhausted(void *arg)
{
	struct edge *e = arg;

	snprintf(e->doors_why, sizeof(e->doors_why), "no descriptor is left");
	edge_tell_notice(e, "doors-closed", e->doors_why);
	clock_timer_start(&e->reopen, RETRY_OPEN_MS);
}

static void
on_reopen(struct clock_timer *t, void *arg)
{
	(void)t;
	edge_doors_settle(arg);
}

void
edge_doors_init(struct edge *e)
{
	clock_timer_init(&e->reopen, e->opts.clock, on_reopen, e);
}
