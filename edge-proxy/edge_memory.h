/*
 * edge_memory - what the streams take of memory together: idle ones give back
 * what they do not need, and there is a bound for all.
 *
 * The bound (hosting_bounds.memory_max) is held against what is allocated, by
 * whomever.  Past it, until it is kept again: nobody new comes in; who has not
 * authenticated goes, the newest first; then those that are in the middle of
 * the largest stanzas; and of stanzas under way a stream, or a pair outward,
 * may have a few only, where it may otherwise have hundreds.  Who is in and
 * sends what people send notices nothing.
 */
#ifndef EDGE_EDGE_MEMORY_H
#define EDGE_EDGE_MEMORY_H

#include <stdbool.h>

struct edge;

void edge_memory_init(struct edge *e);
/* When all parts are open. */
void edge_memory_start(struct edge *e);
void edge_memory_stop(struct edge *e);
/* Whether there is memory for one more connection; looks anew now and then. */
bool edge_memory_has_room(struct edge *e);

#endif
