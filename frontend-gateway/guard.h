/*
 * guard - the inside's own check of every stanza frame from an edge.
 *
 * The pool believes each From the gateway writes, so the gateway does not
 * take the edge's word: a captured edge may speak for the partners whose
 * streams it holds, never for employees.  Pure.
 */
#ifndef GATEWAY_GUARD_H
#define GATEWAY_GUARD_H

#include <stdbool.h>
#include <stddef.h>

#include "common/jid.h"

struct frame;
struct gateway_conf;

/* What an edge has reported about one of its streams. */
struct guard_stream {
	bool inbound; /* the partner opened it */
	bool bidi;    /* stanzas go both ways on it */
	size_t pair_count;
	const struct guard_pair {
		char local[256], remote[256]; /* comparable form */
	} * pairs;
};

/* A frame that passed: its addresses, taken apart.  End with
 * guard_addresses_finish(). */
struct guard_addresses {
	struct jid from, to;
};

/* stream: what that very edge reported under the name the frame carries, NULL
 * when it reported none.  0, or ERR_DENIED with *why (static) for the alarm,
 * or ERR_NOMEM. */
int guard_check(struct guard_addresses *out, const char **why,
    const struct gateway_conf *conf, const struct frame *f,
    const struct guard_stream *stream);
void guard_addresses_finish(struct guard_addresses *a);

#endif
