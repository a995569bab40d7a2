/*
 * settings_order - sorts what is to stand under which key, some of it at a time.
 *
 * A merge sort: short runs first, then two runs of a length become one.
 *
 * Borrows  the entries.
 */
#ifndef GATEWAY_SETTINGS_SETTINGS_ORDER_H
#define GATEWAY_SETTINGS_SETTINGS_ORDER_H

#include <stdbool.h>
#include <stddef.h>

struct settings_entry;

struct settings_order {
	struct settings_entry *v, *room;
	size_t count;
	size_t width; /* of the runs so far; 0 = there are none yet */
	size_t at;
};

/* ERR_NOMEM. */
int settings_order_begin(
    struct settings_order *o, struct settings_entry *v, size_t count);
/* Some more of it; false when there was nothing left to do: v is sorted by kind
 * and key. */
bool settings_order_step(struct settings_order *o);
/* By kind and key. */
int settings_order_compare(
    const struct settings_entry *a, const struct settings_entry *b);
/* Whether it is sorted or not.  All zeroes are accepted. */
void settings_order_finish(struct settings_order *o);

#endif
