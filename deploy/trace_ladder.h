/*
 * trace_ladder - the events of a trace as a ladder: time, an arrow between two
 * of partner, edge, gateway and pool, and what it was.
 *
 *   TIME (UTC)    partner  edge     gateway  pool
 *   09:14:02.117  |------->|        |        |  message chat bo@... -> anna@...
 *   09:14:02.119  |        |------->|        |  #7 message chat bo@... -> ...
 *   09:14:02.120  |        |        |------->|  INVITE bo@... -> anna@...
 *
 * All text is from outside: nothing gets through that a terminal would act on.
 * Pure.
 */
#ifndef DEPLOY_TRACE_LADDER_H
#define DEPLOY_TRACE_LADDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

struct buf;

enum { TRACE_LADDER_NAME_SIZE = 128 };

struct trace_ladder {
	size_t width; /* lines are cut there; 0 = never */
	bool full;    /* the text of each message below its arrow */
	uint64_t stanzas, frames, sip, missed;
	/* The first that was seen; another one is named. */
	char edge[TRACE_LADDER_NAME_SIZE], peer[TRACE_LADDER_NAME_SIZE];
};

void trace_ladder_init(struct trace_ladder *l, size_t width, bool full);
/* Appends the lines of an event; of one that it does not know, none.
 * ERR_NOMEM. */
int trace_ladder_add(struct trace_ladder *l, struct buf *out, const char *event,
    const json_t *data);
/* Appends how many there were. */
int trace_ladder_end(const struct trace_ladder *l, struct buf *out);

#endif
