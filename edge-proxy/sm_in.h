/*
 * sm_in - stream management where a partner sends stanzas: what he asks is
 * answered, and he is told how many of his stanzas are done with (XEP-0198 3,
 * 4).
 *
 * Two counts meet here: the stanzas that came, told by the stream, and those
 * that nobody here is responsible for any more, told by their custodian.  The
 * partner learns the second, from the moment he enabled it on: an answer to
 * each request, and a word of its own each time the count has grown, once in a
 * turn of the loop.
 *
 * Owns     its timer.
 * Borrows  the clock.
 * Ends     sm_in_finish().
 */
#ifndef EDGE_SM_IN_H
#define EDGE_SM_IN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"

struct buf;
struct xml_elem;

struct sm_in {
	bool enabled;
	uint64_t received; /* stanzas that came */
	uint64_t start;    /* of them, before it was enabled */
	uint64_t handled;  /* the first so many are done with */
	uint64_t told;     /* handled, as the partner knows it */
	struct clock_timer tell;
};

enum sm_in_verdict {
	SM_IN_FINE,
	SM_IN_TWICE,    /* enabled again: the stream has to end */
	SM_IN_TOO_HIGH, /* acknowledges what was never sent; the stream error
			 * has been written, the stream has to end */
	SM_IN_UNKNOWN   /* not for this side, or not now: ignored */
};

/* tell: the time to sm_in_flush() has come. */
void sm_in_init(
    struct sm_in *m, struct clock *clock, clock_timer_fn *tell, void *arg);
void sm_in_finish(struct sm_in *m);

/* An element in XML_NS_SM of an authenticated stream.  Appends what is to be
 * answered. */
enum sm_in_verdict
sm_in_take(struct sm_in *m, const struct xml_elem *e, struct buf *out);

/* He has promised to count as we asked him to, and what he sends from now on is
 * counted here (XEP-0288). */
void sm_in_enable(struct sm_in *m);
/* A stanza came and goes to its custodian now. */
void sm_in_received(struct sm_in *m);
/* The first count of all stanzas that came are done with. */
void sm_in_handled(struct sm_in *m, uint64_t count);
/* Appends the count if the partner does not know it yet. */
void sm_in_flush(struct sm_in *m, struct buf *out);
/* There are stanzas whose acknowledgement the partner waits for. */
bool sm_in_owes(const struct sm_in *m);

#endif
