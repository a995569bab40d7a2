/*
 * settings_slice - how much of a large commit is done in one turn of the loop:
 * a number of steps, and less when these take long.
 */
#ifndef GATEWAY_SETTINGS_SETTINGS_SLICE_H
#define GATEWAY_SETTINGS_SETTINGS_SLICE_H

#include <stdbool.h>
#include <stdint.h>

enum { SETTINGS_SLICE_STEPS = 1000, SETTINGS_SLICE_MS = 5 };

struct settings_slice {
	uint64_t end_ns;
	unsigned left;
};

void settings_slice_begin(struct settings_slice *s);
/* Before each step: whether it belongs to this slice.  The first one does. */
bool settings_slice_has_room(struct settings_slice *s);

#endif
