/*
 * duplicates - recognises the second copy of an XMPP message.
 *
 * A partner's server that lost a stream sends what was not acknowledged once
 * more (XEP-0198).  The copy is taken for one only when it has an id, when
 * id, from, to and all that its sender wrote are equal and the stream of the
 * first copy is broken:
 * otherwise two people's equal words could swallow each other.  Pure.
 *
 * Bounds   max entries; settled ones are forgotten after DUPLICATES_AGE_MS or
 *          when there is no room, oldest first.  A message for which there
 *          is no room is handled, only not recognised later.
 */
#ifndef GATEWAY_CONVERSATION_DUPLICATES_H
#define GATEWAY_CONVERSATION_DUPLICATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct duplicates;
struct duplicate;

enum { DUPLICATES_AGE_MS = 10 * 60 * 1000, DUPLICATES_STREAM_SIZE = 65 };

/* max 0 = 65536 */
int duplicates_new(struct duplicates **out, size_t max);
/* Pending entries go too: their owners must not touch them any more. */
void duplicates_free(struct duplicates *d);

/* One copy, as it came. */
struct duplicates_copy {
	const char *id; /* NULL or "" = none */
	const char *from, *to;
	const void *body; /* all that its sender wrote */
	size_t body_len;
	const char *stream;
};

enum duplicates_verdict {
	DUPLICATES_NEW,      /* never seen, or failed the first time */
	DUPLICATES_PENDING,  /* the first copy is still under way */
	DUPLICATES_DELIVERED /* the first copy arrived */
};

/* Whether the stream of that name can carry nothing more. */
typedef bool duplicates_broken_fn(const char *stream, void *arg);

/* Judges a copy.  NEW: *entry is a pending entry for it, to be settled with
 * duplicates_settle(), or NULL when it cannot be kept.  PENDING: *entry is the
 * first copy's; its stream is now this copy's. */
enum duplicates_verdict duplicates_look(struct duplicates *d,
    struct duplicate **entry, const struct duplicates_copy *copy,
    uint64_t now_ms, duplicates_broken_fn *broken, void *arg);
/* The owner of a pending entry, for who meets its second copy. */
void duplicates_set_owner(struct duplicate *e, void *owner);
void *duplicates_owner(const struct duplicate *e);
/* The message's fate is known.  NULL is allowed.  e is the table's from now
 * on. */
void duplicates_settle(
    struct duplicates *d, struct duplicate *e, bool delivered, uint64_t now_ms);

#endif
