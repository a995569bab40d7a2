/*
 * sm_out - stream management where we send stanzas: we ask, and learn how many
 * of them the partner has taken over (XEP-0198 3, 4).
 *
 * Stanzas are numbered from 1 as they are written; those in front of <enable/>
 * are not counted by the partner, but taken over when one behind it is.  At most
 * one <r/> is out at a time; what is written meanwhile is asked for when it has
 * been answered.  A partner that does not answer within 30 s has gone silent.
 *
 * Owns     its timer.
 * Borrows  the clock.
 * Ends     sm_out_finish().
 */
#ifndef EDGE_SM_OUT_H
#define EDGE_SM_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"

struct buf;
struct xml_elem;

enum { SM_OUT_ANSWER_MS = 30000 };

enum sm_out_state {
	SM_OUT_OFF, /* not offered, or refused */
	SM_OUT_ASKED,
	SM_OUT_ON,
};

struct sm_out {
	enum sm_out_state state;
	uint64_t sent;  /* stanzas written */
	uint64_t base;  /* of them, before it was enabled */
	uint64_t acked; /* of all, by the partner's count; base at first */
	bool wanted;    /* an <r/> is to follow the one that is out */
	struct clock_timer answer; /* runs while an <r/> is out */
};

enum sm_out_verdict {
	SM_OUT_FINE,
	SM_OUT_ENABLED,      /* the partner has promised to count */
	SM_OUT_ACKNOWLEDGED, /* sm_out.acked is the partner's word */
	SM_OUT_TOO_HIGH, /* a count that cannot be: more than was sent, or less
			  * than before; the stream error has been written,
			  * the stream has to end */
	SM_OUT_UNKNOWN   /* not for this side, or not now: ignored */
};

/* silent: the partner has not answered in time. */
void sm_out_init(
    struct sm_out *m, struct clock *clock, clock_timer_fn *silent, void *arg);
void sm_out_finish(struct sm_out *m);

/* The partner offers it: appends <enable/>. */
void sm_out_enable(struct sm_out *m, struct buf *out);
/* The partner has enabled it on the stream that he opened, and counts what we
 * send on it from now on (XEP-0288).  Appends an <r/> if one was wanted. */
void sm_out_promised(struct sm_out *m, struct buf *out);
/* The partner's count covers something. */
bool sm_out_covers(const struct sm_out *m);
/* A stanza was written: its number. */
uint64_t sm_out_sent(struct sm_out *m);
/* What was written so far is to be acknowledged: appends an <r/> now, or when
 * the one that is out has been answered. */
void sm_out_ask(struct sm_out *m, struct buf *out);
/* An element in XML_NS_SM of an open stream.  Appends what is to be answered,
 * and the next <r/>. */
enum sm_out_verdict
sm_out_take(struct sm_out *m, const struct xml_elem *e, struct buf *out);

#endif
