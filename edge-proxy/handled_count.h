/*
 * handled_count - how many stanzas of a stream are done with, counted from the
 * first without a gap (the h of XEP-0198 4).  Pure.
 *
 * Stanzas are numbered in the order they came and may be finished in any
 * order; the count only passes a stanza when all before it are finished.
 * The next stanza may be at most `window` ahead of the count.  What comes beyond
 * and is done with at once (refused) is counted too, when its turn has come.
 */
#ifndef EDGE_HANDLED_COUNT_H
#define EDGE_HANDLED_COUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct handled_count {
	uint64_t next; /* number of the next stanza */
	uint64_t base; /* all below are finished */
	uint64_t past; /* finished ones from next on that got no number */
	size_t window;
	uint8_t *finished; /* ring: one flag per number, base .. next - 1 */
	size_t size;       /* of the ring; power of two */
};

/* 0 or ERR_NOMEM. */
int handled_count_init(struct handled_count *c, size_t window);
void handled_count_finish(struct handled_count *c);

/* Another window from now on; what is open stays so.  0 or ERR_NOMEM (then the
 * old one goes on). */
int handled_count_resize(struct handled_count *c, size_t window);

/* A stanza came: its number.  ERR_FULL when the window is used up, by open
 * stanzas or by finished ones that wait for an open one before them. */
int handled_count_begin(struct handled_count *c, uint64_t *number);
/* A stanza came that handled_count_begin() had no room for, and is done with.
 * True when the count moved (it does not, past an open one). */
bool handled_count_pass(struct handled_count *c);
/* That stanza is done with; each number once.  True when the count moved. */
bool handled_count_end(struct handled_count *c, uint64_t number);

/* The count: all stanzas before that number are done with. */
uint64_t handled_count_value(const struct handled_count *c);
/* There is no room for another one. */
bool handled_count_full(const struct handled_count *c);
/* Stanzas that came and are not in the count yet. */
size_t handled_count_ahead(const struct handled_count *c);

#endif
