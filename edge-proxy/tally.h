/*
 * tally - how often each name was met.
 */
#ifndef EDGE_TALLY_H
#define EDGE_TALLY_H

#include <stddef.h>

#include "common/map.h"

struct tally {
	struct map names;
};

/* ERR_NOMEM. */
int tally_init(struct tally *t);
void tally_finish(struct tally *t);
/* How often with this time; without memory 1. */
size_t tally_add(struct tally *t, const char *name);

#endif
