/*
 * pace - things to be done at a bounded rate, the most important first.
 *
 * Items wait in a heap.  While there are any and the pace is not held, one is
 * handed out each 1 / rate seconds, in bursts of at most PACE_BURST_MS.
 *
 * Owns     the heap, a timer.
 * Borrows  clock, the items: a zeroed item is valid and waits nowhere.
 */
#ifndef GATEWAY_PRESENCE_PACE_H
#define GATEWAY_PRESENCE_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock;
struct pace;

enum { PACE_BURST_MS = 100 };

struct pace_item {
	int64_t weight; /* larger: earlier */
	size_t slot;    /* place in the heap + 1; 0 = in none */
};

/* Its turn has come; it waits no more. */
typedef void pace_fn(struct pace_item *item, void *arg);

int pace_new(struct pace **out, struct clock *clock, uint32_t per_second,
    pace_fn *fn, void *arg);
/* Items that wait are forgotten. */
void pace_free(struct pace *p);
void pace_set_rate(struct pace *p, uint32_t per_second);
/* While held, nothing is handed out. */
void pace_hold(struct pace *p, bool held);

/* ERR_NOMEM.  An item that waits already keeps its place. */
int pace_put(struct pace *p, struct pace_item *item, int64_t weight);
/* Harmless when it does not wait. */
void pace_remove(struct pace *p, struct pace_item *item);
size_t pace_count(const struct pace *p);

#endif
