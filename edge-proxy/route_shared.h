/*
 * route_shared - what all routes, carriers and verifications of one table
 * (routes.h) have in common.
 */
#ifndef EDGE_ROUTE_SHARED_H
#define EDGE_ROUTE_SHARED_H

#include <stdbool.h>
#include <stddef.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/map.h"

struct routes_opts;

struct route_shared {
	const struct routes_opts *opts;
	struct map by_cookie; /* every stanza that is not settled */
	struct list carriers; /* of carrier.h, those that may take riders */
	size_t live;          /* attempts and streams that have not ended */
	struct list verifications; /* of dialback_verify */
	size_t verification_count;
	size_t queue_max; /* stanzas of a pair; 0 = as configured */
	bool closing;
	struct clock_timer closed; /* started when closing and live is 0 */
};

/* One of what counts as live has ended. */
void route_shared_drop(struct route_shared *r);

#endif
