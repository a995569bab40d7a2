/*
 * edges_impl - what the files of the table of edges share; for them alone.
 *
 *   edges.c          the table: choosing, stanzas, links, coming and going
 *   edges_control.c  control frames both ways
 *   edges_status.c   what an operator is told
 *   edges_trace.c    traffic that the edges shall tell of
 */
#ifndef GATEWAY_EDGES_IMPL_H
#define GATEWAY_EDGES_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "common/token_bucket.h"
#include "frontend-gateway/barrier.h"
#include "frontend-gateway/edges.h"

struct edge_link;
struct edge_streams;
struct failures;

/* An edge in the configuration, one that is leaving, and those that have left
 * not long ago. */
enum { EDGES_SLOTS = 48 };

/* The newest proofs, for a connection that broke before they were read: control
 * frames are not in the channel's custody. */
struct edges_proofs {
	char ids[EDGES_PROOFS][BARRIER_ID_SIZE];
	size_t count; /* ever; the newest ones are in the ring */
};

enum edge_state {
	EDGE_LISTED,  /* the configuration names it */
	EDGE_LEAVING, /* it does no more; what is under way is waited for */
	EDGE_CLOSING, /* until its connection is gone */
	EDGE_GONE,    /* but somebody may still remember its number */
	EDGE_STATES
};

struct edge {
	struct list all;
	struct edges *edges;
	unsigned index;
	enum edge_state state;
	char name[256];
	struct edge_link *link; /* NULL: gone */
	struct edge_streams *streams;
	struct clock_timer lost;    /* runs while a listed edge is away */
	struct clock_timer leaving; /* looks whether it may go */
	uint64_t leave_by_ms, gone_ms;
	size_t owed; /* stanzas of its that are not answered yet */
	bool up, confirmed, draining;
	uint64_t known;    /* the generation it confirmed last */
	uint64_t since_ms; /* up or away */
	char refusal[256]; /* why it did not take the configuration */
	json_t *stats;     /* what it told of itself last; NULL = nothing */
	uint64_t stats_ms; /* when */
	json_t *fenced;    /* domains for which another gateway is obeyed */
	struct edges_proofs proofs;
	/* Of what it tells of traffic. */
	struct token_bucket traced, traced_bytes;
	uint64_t traced_dropped; /* since the last that was handed on */
	struct log log;
};

struct edges {
	struct edges_opts opts;
	char *store;
	struct edge *v[EDGES_SLOTS]; /* NULL: never used */
	struct list all;             /* the same, those that are gone too */
	size_t open;                 /* links */
	struct failures *failures;
	json_t *trace; /* what they were asked to tell; NULL = nothing */
	struct clock_timer trace_again;
	const struct edges_tap *tap; /* NULL: nobody looks on */
	struct log log;
	bool closing;
	bool silent; /* never handed out: nobody hears of its end */
};

void edges_control_config(struct edge *d);
/* No new work, please; removed: and never again. */
void edges_control_drain(struct edge *d, bool removed);
/* The same edge is back.  It knows which proofs it has had. */
void edges_control_prove_again(struct edge *d);
void edges_control_receive(struct edge *d, const struct frame *f);
/* The edge is back, and knows of no trace. */
void edges_trace_attached(struct edge *d);
void edges_trace_receive(struct edge *d, const struct frame *f);
/* Tell the tap, which is there. */
void edges_trace_sent(struct edge *d, const struct buf *frame, uint64_t seq);
void edges_trace_result(
    struct edge *d, bool inward, uint64_t seq, const struct channel_result *r);
void edges_trace_init(struct edges *e);
void edges_trace_finish(struct edges *e);
/* Tells the owner when the last edge has confirmed what is in force. */
void edges_control_settle(struct edges *e);

#endif
