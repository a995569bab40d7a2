/*
 * dialback_out - server dialback on one outbound stream (XEP-0220): what we
 * asked of the partner's server, and which of its words is an answer to it.
 *
 * Two things are asked: that it let a pair of ours in (initiating server), and
 * whether a key that it vouches for is its own (receiving server's question).
 * An answer counts when both names, and with a key's question the stream id,
 * are those of something asked on this very stream; everything else changes
 * nothing.
 *
 * Owns     nothing but its lists; at most DIALBACK_OUT_ASKS_MAX questions.
 * Borrows  hosting, pairs and questions, until they are answered.
 * Ends     dialback_out_fail(): all that is open gets an error.
 */
#ifndef EDGE_DIALBACK_OUT_H
#define EDGE_DIALBACK_OUT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/list.h"
#include "common/log.h"
#include "edge-proxy/dialback_ask.h"

struct buf;
struct hosting;
struct stream_header;
struct xml_elem;

enum { DIALBACK_OUT_ASKS_MAX = 64 };

/* A pair that asks to be let in; the asker's. */
struct dialback_pair {
	const char *local, *remote; /* comparable forms */
	/* verdict: DIALBACK_VALID, _INVALID or _ERROR.  condition: what the
	 * senders of stanzas that wait for it are told, if it is not valid.
	 * reason: for an admin. */
	void (*on_verdict)(struct dialback_pair *p, enum dialback_type verdict,
	    enum condition condition, const char *reason);
	struct list link;
};

struct dialback_out {
	const struct hosting *hosting;
	struct log log; /* the owner gives it its object */
	struct list pairs, asks;
	size_t ask_count;
	unsigned unasked;          /* answers; the first is news */
	char id[DIALBACK_ID_SIZE]; /* that the partner gave the stream */
	bool offered;              /* the partner does dialback */
	bool errors;               /* and its errors: more pairs are welcome */
};

void dialback_out_init(struct dialback_out *d, const struct hosting *hosting);
/* The partner's header and features; what it said before TLS is forgotten. */
void dialback_out_header(struct dialback_out *d, const struct stream_header *h);
void
dialback_out_features(struct dialback_out *d, const struct xml_elem *features);

/* Writes the request for a pair.  ERR_NOT_FOUND: we have no secret, or the
 * partner gave no usable id.  ERR_EXISTS, ERR_NOMEM. */
int dialback_out_request(
    struct dialback_out *d, struct dialback_pair *p, struct buf *out);
/* Writes the question.  ERR_FULL. */
int dialback_out_ask(
    struct dialback_out *d, struct dialback_ask *a, struct buf *out);
/* An element of the dialback namespace.  May answer one pair or question. */
void dialback_out_take(struct dialback_out *d, const struct xml_elem *e);
/* The stream is at its end. */
void dialback_out_fail(
    struct dialback_out *d, enum condition condition, const char *reason);

#endif
