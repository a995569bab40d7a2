/*
 * gateway_impl - what the files of the gateway's context share.  Nobody else
 * includes it.
 *
 * gateway.c          start, wires, stop
 * gateway_control.c  what an operator and the service manager are told
 * gateway_status.c   what there is to tell
 * gateway_reload.c   another configuration, other certificates
 * gateway_settings.c what administrators set
 * gateway_import.c   what the file has of that
 * gateway_admin.c    the HTTP interface for administrators
 * gateway_trial.c    test messages
 * gateway_trace.c    what passes, for those who look on
 */
#ifndef GATEWAY_GATEWAY_IMPL_H
#define GATEWAY_GATEWAY_IMPL_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include <jansson.h>

#include "common/clock.h"
#include "common/histogram.h"
#include "common/log.h"
#include "frontend-gateway/admin/admin.h"
#include "frontend-gateway/edges.h"
#include "frontend-gateway/gateway.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/gateway_settings_impl.h"
#include "frontend-gateway/generation.h"
#include "frontend-gateway/sip/sip_ua.h"

struct buf;

enum gateway_state {
	GATEWAY_RUNNING,
	GATEWAY_SETTLING,
	GATEWAY_HANGING_UP,
	GATEWAY_CLOSING,
	GATEWAY_COUNT
};

/* Test messages: gateway_trial.c. */
struct gateway_trials {
	size_t under_way;
	struct histogram took[2]; /* by whether it arrived */
	bool last_ok;
	int64_t last_wall_ms; /* 0 = there was none */
};

struct gateway {
	struct gateway_opts opts;
	struct log log;
	enum gateway_state state;
	struct clock *clock;
	struct clock_timer timer; /* of stopping */
	uv_idle_t turn; /* never started: its closing takes a loop turn */
	uint64_t settle_until;
	struct store *store;
	struct gateway_settings settings;
	struct generation generation;
	struct barrier *barrier;
	struct policy *policy;
	struct edges *edges;
	struct sip_ua *ua;
	struct prover *prover;
	struct conversations *conversations;
	struct pair_store *pairs;
	struct presence *presence;
	struct control *control; /* NULL without a socket */
	struct admin *admin;     /* NULL without HTTP */
	struct admin_sources admin_sources;
	bool admin_closing;
	struct trace_hub *trace; /* NULL without HTTP */
	struct settings_listener trace_tokens;
	struct sip_tap sip_tap; /* there while somebody watches */
	struct edges_tap edges_tap;
	bool tracing;             /* those who watch are served */
	bool trace_bodies;        /* what they were told of, last */
	struct clock_timer pulse; /* watchdog, status line */
	char told[160];           /* the service manager, last */
	uint64_t started_ms;
	struct gateway_trials trials;
	bool failed; /* never handed out */
};

/* --- gateway_control.c -------------------------------------------------- */

/* Binds and serves the configured socket, and starts to talk to the service
 * manager.  why is for an admin. */
int gateway_control_open(struct gateway *g, char *why, size_t size);
/* Harmless when it was not opened. */
void gateway_control_close(struct gateway *g);

/* --- gateway_status.c --------------------------------------------------- */

/* The caller's; NULL without memory. */
json_t *gateway_status(const struct gateway *g);
/* The same for Prometheus.  arg: the gateway.  ERR_NOMEM. */
int gateway_metrics(struct buf *out, void *arg);

/* --- gateway_trial.c ------------------------------------------------------ */

/* What came of them; the caller's, NULL without memory. */
json_t *gateway_trials_json(const struct gateway *g);

/* --- gateway_reload.c --------------------------------------------------- */

/* Every edge has confirmed the generation in force: if that brought a new
 * dialback secret, keys are made with it from now on. */
void gateway_use_secret(struct gateway *g);

/* --- gateway.c ---------------------------------------------------------- */

const char *gateway_state_str(const struct gateway *g);
/* As the user agent wants them; they point into the configuration. */
size_t
gateway_front_ends(struct sip_front_end out[static GATEWAY_CONF_FRONT_ENDS_MAX],
    const struct gateway_conf *conf);

#endif
