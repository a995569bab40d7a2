/*
 * handled_count - how many stanzas of a stream are done with, counted from the
 * first without a gap (the h of XEP-0198 4).  Pure.
 *
 * Stanzas are numbered in the order they came and may be finished in any
 * order; the count only passes a stanza when all before it are finished.
 * At most `window` stanzas are open at a time.
 */
#ifndef EDGE_HANDLED_COUNT_H
#define EDGE_HANDLED_COUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct handled_count {
	uint64_t next; /* number of the next stanza */
	uint64_t base; /* all below are finished */
	size_t window;
	uint8_t *finished; /* ring: one flag per number, base .. next - 1 */
	size_t size;       /* of the ring; power of two */
};

/* 0 or ERR_NOMEM. */
int handled_count_init(struct handled_count *c, size_t window);
void handled_count_finish(struct handled_count *c);

/* A stanza came: its number.  ERR_FULL when the window is used up, by open
 * stanzas or by finished ones that wait for an open one before them. */
int handled_count_begin(struct handled_count *c, uint64_t *number);
/* That stanza is done with; each number once.  True when the count moved. */
bool handled_count_end(struct handled_count *c, uint64_t number);

/* The count as XEP-0198 carries it, modulo 2^32. */
uint32_t handled_count_value(const struct handled_count *c);
/* Stanzas that came and are not in the count yet. */
size_t handled_count_ahead(const struct handled_count *c);

#endif
