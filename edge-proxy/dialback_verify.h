/*
 * dialback_verify - puts questions about keys to the authoritative server of a
 * domain (XEP-0220 2.2.1, the receiving server's step 2), for routes.h.
 *
 * A stream of ours to that domain that is up is asked first; without one a
 * connection is made for the question, by the same look-ups and under the
 * same row as a stream for stanzas, and closed after it.  Each question has
 * DIALBACK_VERIFY_MS in all.
 *
 * Owns     the questions under way, at most DIALBACK_VERIFY_MAX, and their
 *          connections.
 * Borrows  the shared part of the routes, which outlives it: connections count
 *          in route_shared.live.
 */
#ifndef EDGE_DIALBACK_VERIFY_H
#define EDGE_DIALBACK_VERIFY_H

#include "edge-proxy/dialback_ask.h"

struct route_shared;
struct s2s_out;

enum { DIALBACK_VERIFY_MS = 20000, DIALBACK_VERIFY_MAX = 128 };

/* stream: one of ours for that pair, or NULL.  As dialback_asker. */
int dialback_verify(struct route_shared *shared, struct s2s_out *stream,
    struct dialback_ask *client);
/* All that is under way gets an error. */
void dialback_verify_shut(struct route_shared *shared);

#endif
