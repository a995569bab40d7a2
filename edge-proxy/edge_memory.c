/*
 * A look each tenth of a second; one in five seconds lets idle streams rest.
 * What is in use is asked of the allocator, which knows of every byte,
 * OpenSSL's and expat's among them.  While crowds come in, a look is taken
 * after so many of them, for a tenth of a second is long enough to let in
 * hundreds.
 */
#include "edge-proxy/edge_memory.h"

#include <stdio.h>

#include "common/heap.h"
#include "edge-proxy/edge_impl.h"
#include "edge-proxy/edge_tell.h"
#include "edge-proxy/edge_visitors.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/inward.h"
#include "edge-proxy/routes.h"

enum {
	LOOK_MS = 100,
	REST_EACH = 50,      /* looks */
	TRIM_EACH = 300,     /* looks */
	CROWD = 64,          /* newcomers between two looks */
	FEW = 16,            /* stanzas under way, while memory is short */
	PARTIAL_MIN = 16384, /* bytes of a stanza that is worth ending */
	PARTIAL_COST = 3,    /* bytes it takes for each that came */
	STRANGER_COST = 32768
};

/* The bound is passed, or kept again. */
static void
set_short(struct edge *e, bool is_short, size_t used, size_t max)
{
	char text[120];

	if (e->memory.is_short == is_short)
		return;
	e->memory.is_short = is_short;
	if (is_short)
		e->counters.memory_short++;
	snprintf(text, sizeof(text), "%zu of %zu bytes are in use", used, max);
	edge_tell_notice(e, is_short ? "memory-short" : "memory-enough", text);
	inward_limit_window(e->inward, is_short ? FEW : 0);
	routes_limit_queues(e->routes, is_short ? FEW : 0);
}

/* Ends whom it costs least to end, until about so many bytes are free. */
static void
make_room(struct edge *e, size_t excess)
{
	size_t won = 0, cost;

	while (won < excess && edge_visitors_end_stranger(e))
		won += STRANGER_COST;
	while (won < excess &&
	       (cost = edge_visitors_end_largest(e, PARTIAL_MIN)) > 0)
		won += PARTIAL_COST * cost;
}

static void
look(struct edge *e)
{
	struct hosting_bounds bounds;
	size_t used = heap_in_use();

	hosting_bounds(e->hosting, &bounds);
	e->memory.newcomers = 0;
	e->memory.used = used;
	e->memory.max = bounds.memory_max;
	if (used > e->memory.most)
		e->memory.most = used;
	set_short(e, used > bounds.memory_max, used, bounds.memory_max);
	if (used > bounds.memory_max)
		make_room(e, used - bounds.memory_max);
}

static void
on_look(struct clock_timer *t, void *arg)
{
	struct edge *e = arg;

	clock_timer_start(t, LOOK_MS);
	e->memory.looks++;
	if (e->memory.looks % REST_EACH == 0) {
		edge_visitors_rest(e);
		routes_rest(e->routes);
	}
	if (e->memory.looks % TRIM_EACH == 0)
		heap_trim();
	look(e);
}

bool
edge_memory_has_room(struct edge *e)
{
	if (++e->memory.newcomers >= CROWD)
		look(e);
	return !e->memory.is_short;
}

void
edge_memory_init(struct edge *e)
{
	clock_timer_init(&e->memory.timer, e->opts.clock, on_look, e);
}

void
edge_memory_start(struct edge *e)
{
	clock_timer_start(&e->memory.timer, LOOK_MS);
}

void
edge_memory_stop(struct edge *e)
{
	clock_timer_stop(&e->memory.timer);
}
