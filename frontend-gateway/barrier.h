/*
 * barrier - the ids of the pings that prove outward delivery (XEP-0199).
 *
 * The edge sends a ping with such an id right behind a message; its answer
 * takes the way that a bounce would take, so after the answer no bounce can
 * follow.  The answer may come in at any edge; the id names this node and
 * carries an HMAC over the edge it was given to, both domains and a counter,
 * so nobody outside can make one up or use it for another pair.
 *
 *   sp1-<node>-<counter in hex>-<32 hex digits of HMAC-SHA256>
 *
 * Bounds   BARRIER_OUTSTANDING ids are remembered; the oldest goes first.
 *          Each is good for one answer within BARRIER_MAX_AGE_MS.
 */
#ifndef GATEWAY_BARRIER_H
#define GATEWAY_BARRIER_H

#include <stddef.h>
#include <stdint.h>

struct barrier;
struct clock;

enum {
	BARRIER_ID_SIZE = 256, /* with NUL; the frame field takes 255 */
	BARRIER_NODE_MAX = 200,
	BARRIER_OUTSTANDING = 65536,
	BARRIER_MAX_AGE_MS = 120000
};

/* node is copied, at most BARRIER_NODE_MAX bytes.  The key is drawn here and
 * lives as long as the process. */
int barrier_new(struct barrier **out, const char *node, struct clock *clock);
void barrier_free(struct barrier *b);

/* Makes an id for a stanza that goes to edge number edge (named edge_node)
 * from a hosted domain to a partner's, both in comparable form. */
void
barrier_make(char out[static BARRIER_ID_SIZE], struct barrier *b, unsigned edge,
    const char *edge_node, const char *local, const char *remote);

/* Name of edge number edge. */
typedef const char *barrier_edge_fn(unsigned edge, void *arg);

/* Checks the id of an answer that came from domain remote to domain local:
 * 0 and *edge = the edge that had been given the id.  The id is used up then.
 * ERR_MALFORMED, ERR_NOT_FOUND (not ours, too old, answered already),
 * ERR_DENIED (HMAC does not match these addresses). */
int barrier_verify(unsigned *edge, struct barrier *b, const char *id,
    const char *local, const char *remote, barrier_edge_fn *name, void *arg);

#endif
