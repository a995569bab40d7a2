/*
 * turns - how long the turns of a loop take.  While one lasts nobody else is
 * served, so the longest tells what a message may have to wait here.
 *
 * A turn counts from one look for events to the next, without the time in which
 * there were none.
 *
 * Ends     turns_close(): the memory is the loop's until the handle's close
 *          callback has run; after uv_loop_close() at the latest it is free.
 */
#ifndef COMMON_TURNS_H
#define COMMON_TURNS_H

#include <stdint.h>
#include <jansson.h>
#include <uv.h>

#include "common/histogram.h"

struct turns {
	uv_prepare_t handle;
	uint64_t last_ns, idle_ns;      /* when the last one ended */
	uint64_t busy_ns;               /* all of them */
	struct histogram took;          /* its sum is exact */
	uint64_t window_ns;             /* when `longest` began */
	uint64_t longest_ns, former_ns; /* in this window, the one before */
};

/* To be called before the loop runs, and once for a loop. */
void turns_open(struct turns *t, uv_loop_t *loop);
void turns_close(struct turns *t);

/* {"took": histogram, "longest_us"}: of the last one to two minutes.  The
 * caller's; NULL without memory. */
json_t *turns_json(const struct turns *t);

#endif
