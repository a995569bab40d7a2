/*
 * prover - the inside's part of the ping barrier: tries what a new outbound
 * stream can prove, and turns answers to barrier pings into proof for the edge
 * that waits for it.
 *
 * Owns     its pings that are not answered yet.
 * Borrows  edges, barrier.
 */
#ifndef GATEWAY_PROVER_H
#define GATEWAY_PROVER_H

#include "frontend-gateway/edges.h"

struct barrier;
struct prover;

int
prover_new(struct prover **out, struct edges *edges, struct barrier *barrier);
void prover_free(struct prover *p);

/* An outbound stream came up, or carries more: a ping is sent on it for each
 * pair that is new. */
void
prover_on_stream(struct prover *p, unsigned edge, const struct edges_stream *s);
/* The edge is there as another boot: the streams that were tried are gone. */
void prover_on_renewed(struct prover *p, unsigned edge);
/* The answer to a ping of ours that the guard let pass.  Answered here. */
void prover_on_iq(struct prover *p, struct edges_ticket ticket,
    const struct frame *f, const struct guard_addresses *who);

#endif
