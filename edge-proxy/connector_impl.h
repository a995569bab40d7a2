/*
 * connector_impl - what the parts of the connector share.
 *
 *   connector.c          its life: beginning, time, end
 *   connector_targets.c  names: SRV, and the addresses of each target
 *   connector_race.c     attempts: which address is tried when
 *
 * Names feed candidates; the race takes them, and asks for the next target
 * when there are no more.
 */
#ifndef EDGE_CONNECTOR_IMPL_H
#define EDGE_CONNECTOR_IMPL_H

#include "edge-proxy/connector.h"

#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/log.h"
#include "edge-proxy/candidates.h"
#include "edge-proxy/resolver_client.h"
#include "edge-proxy/s2s_out.h"
#include "edge-proxy/srv_set.h"
#include "edge-proxy/target_tlsa.h"

enum {
	CONNECTOR_LIVE_MAX = 6,     /* attempts at a time */
	CONNECTOR_ATTEMPTS_MAX = 12 /* in all */
};

struct connector_attempt {
	struct connector *connector;
	struct s2s_out *stream; /* NULL: free */
	struct candidate *candidate;
	bool plain;   /* tries no TLS */
	bool dropped; /* another one leads */
};

struct connector {
	struct connector_opts opts;
	struct log log;
	char local[256], remote[256];
	struct stream_pair pair;

	struct resolver_query *srv, *direct_srv, *a, *aaaa;
	struct srv_set targets;
	size_t target; /* the next one */
	enum dns_status addr_status;
	struct target_tlsa tlsa;
	struct candidates candidates;
	bool configured; /* the target is of our own side's naming */
	bool refused;    /* an address, and that is what failed */

	struct connector_attempt attempts[CONNECTOR_LIVE_MAX];
	struct connector_attempt *leader; /* the one that is connected */
	size_t live;
	unsigned started;
	bool cancelled;
	uint64_t begun_ms;
	struct clock_timer step; /* defers what must not happen at once */
	struct clock_timer limit;
	struct clock_timer service; /* runs while one service is waited for */
	struct clock_timer delay;   /* runs until the next attempt is due */
	struct clock_timer resolution; /* the other family may answer yet */

	/* what got furthest */
	struct route_failure failure;
	unsigned rank;
	char id[STREAM_ID_SIZE];
	char peer[STREAM_PEER_SIZE];
	const char *auth, *tls, *cipher;
};

/* --- connector.c --- */

/* It is over, with what got furthest; c is gone. */
void connector_fail(struct connector *c);
void connector_destroy(struct connector *c);

/* --- connector_targets.c --- */

void connector_targets_init(struct connector *c);
/* Asks where the domain is; c may be gone afterwards. */
void connector_targets_begin(struct connector *c);
/* The next target's address is known, or asked for.  False when there is none
 * any more. */
bool connector_resolve_next(struct connector *c);
void connector_drop_queries(struct connector *c);

/* --- connector_race.c --- */

void connector_race_init(struct connector *c);
/* Starts the next attempt if one is due; when nothing is left that could
 * succeed, this is the end.  c may be gone afterwards. */
void connector_launch(struct connector *c);
/* No attempt begins by time any more. */
void connector_race_stop(struct connector *c);
void
connector_race_close(struct connector *c, enum stream_error e, const char *why);

#endif
