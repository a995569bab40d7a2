/*
 * edge_impl - what the files of the edge's context share.  Nobody else includes
 * it.
 *
 * edge.c           beginning and end
 * edge_visitors.c  the inbound streams
 * edge_returns.c   what comes in on outbound ones
 * edge_gateways.c  gateways joining and leaving
 * edge_doors.c     whether partners may connect
 * edge_memory.c    what all may take of memory
 * edge_tell.c      what the gateways are told
 * edge_status.c    what an operator is told
 */
#ifndef EDGE_EDGE_IMPL_H
#define EDGE_EDGE_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "edge-proxy/admission.h"
#include "edge-proxy/edge.h"
#include "edge-proxy/edge_conf.h"
#include "edge-proxy/reach.h"

/* Of our name in the name of a stream. */
enum { STREAM_NODE_MAX = 38 };

enum stage { RUNNING, DRAINING, LEAVING, CLOSING };

/* What the edge knows of a gateway beside its channel. */
struct book {
	struct list all;
	struct edge *edge;
	char node[256];
	char boot[65];     /* of the gateway, as last met */
	size_t fenced;     /* as last told */
	uint64_t since_ms; /* up or away */
	struct clock_timer grace;
};

/* One inbound stream. */
struct visitor {
	struct list all;
	struct edge *edge;
	struct s2s_in *s2s;
	struct inward_stream *inward;
	struct admission_place place;
	bool ushered; /* has no place, and is told so */
	uint64_t up_ms, stanzas;
};

/* See edge_memory.h. */
struct edge_memory {
	struct clock_timer timer;
	unsigned looks, newcomers;
	bool is_short;
	size_t used, most, max; /* bytes; as last seen */
};

struct edge_counters {
	uint64_t accepted, turned_away;
	uint64_t memory_short; /* how often it was */
	uint64_t in_up, in_failed, out_up, out_failed;
};

struct edge {
	struct edge_opts opts;
	char node[256];
	char boot[33];
	char stream_prefix[STREAM_NODE_MAX + 10]; /* ".", 8 of boot, NUL */
	uint64_t stream_number;
	uint32_t grace_ms;
	enum stage stage;
	bool failed; /* edge_open() did not succeed */

	struct hosting *hosting;
	struct doors *doors;
	struct proxy_gate *gate;
	struct inner_listener *inner;
	struct reach reach;
	struct dane_conf dane;
	struct routes *routes;
	struct iq_asked *asked;
	struct inward *inward;
	struct outward *outward;
	struct edge_trace *trace;
	struct list visitors;
	size_t visitor_count;
	struct admission *admission;
	size_t ushered; /* visitors who are being told why they may not stay */
	struct edge_memory memory;
	struct list books;

	struct clock_timer stats, stopping, reopen;
	struct edge_counters counters;
	struct failures *failures;
	uint64_t started_ms;
	uint64_t drain_until; /* by the clock */
	uint64_t
	    leave_until; /* draining: partners have been asked to go; 0 = no */
	char doors_why[256]; /* why they could not be opened, or "" */
	struct sockaddr_storage inner_listen[EDGE_CONF_LISTEN_MAX];
	size_t inner_listen_count;
	struct log log;
};

/* Counters, as the gateways get them; NULL without memory. */
json_t *edge_status_counters(const struct edge *e);
/* In edge.c: the name of e->stage. */
const char *edge_stage_str(const struct edge *e);
/* In edge.c: takes the next step of stopping, as soon as nothing holds it up;
 * the edge may be gone afterwards. */
void edge_proceed(struct edge *e);
/* In edge_gateways.c: NULL when the gateway has not been here. */
struct book *edge_find_book(const struct edge *e, const char *node);

#endif
