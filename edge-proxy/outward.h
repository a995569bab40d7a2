/*
 * outward - custody of stanzas on their way from a gateway to a partner.
 *
 * A frame is checked (the sender's domain is hosted by that very gateway, the
 * receiver's is its partner), rendered and given to the route.  What the route
 * says of it, or the deadline, is the one answer the gateway gets.  An answer
 * to a request goes out under the asker's own id, if he still waits.
 *
 * Owns     what is under way, its timers.
 * Borrows  clock, hosting, routes, the requests that wait.
 * Errors   0 or a negative code.
 */
#ifndef EDGE_OUTWARD_H
#define EDGE_OUTWARD_H

#include <stddef.h>
#include <stdint.h>

#include "proto/condition.h"

struct buf;
struct channel;
struct channel_result;
struct clock;
struct frame;
struct hosting;
struct iq_asked;
struct jid;
struct outward;
struct routes;

struct outward_counters {
	uint64_t stanzas; /* frames of gateways */
	uint64_t delivered;
	uint64_t failed; /* by the route */
	uint64_t timed_out;
	uint64_t refused; /* here */
	uint64_t probes;
	uint64_t replies;      /* answers and errors made at the edge */
	uint64_t replies_lost; /* that did not reach the partner */
};

struct outward_opts {
	struct clock *clock;
	const struct hosting *hosting;
	struct routes *routes;
	struct iq_asked *asked; /* requests that wait for an answer */
};

int outward_new(struct outward **out, const struct outward_opts *opts);
/* What is under way is forgotten; the routes must be closed. */
void outward_free(struct outward *o);

/* A stanza frame of a node; answered on ch now or later. */
void outward_stanza(struct outward *o, const char *node, struct channel *ch,
    uint64_t seq, const struct frame *f);
/* A stanza the edge itself sends to a partner: an answer, an error.  Nobody
 * waits for what becomes of it; a loss is logged. */
void outward_reply(struct outward *o, const char *local, const char *remote,
    const struct buf *xml);
/* Tells the asker (from) that his request to one of ours (to) gets no answer. */
void outward_no_answer(struct outward *o, const struct jid *from,
    const struct jid *to, const char *id, enum condition condition);
/* A proof frame of a node. */
void outward_proof(struct outward *o, const char *node, const struct frame *f);
/* From the routes: cookie is one of ours. */
void outward_settled(
    struct outward *o, void *cookie, const struct channel_result *r);
/* The channel is about to be freed: nobody waits for these any more. */
void outward_forget(struct outward *o, const struct channel *ch);

size_t outward_under_way(const struct outward *o);
const struct outward_counters *outward_counters(const struct outward *o);

#endif
