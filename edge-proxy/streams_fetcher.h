/*
 * streams_fetcher - the streams process's side of the line to the fetcher, and
 * what hangs on it: what is known of partners' certificates (cert_status.h) and
 * the answers stapled to ours (own_staples.h).
 *
 * Owns     both, and the line.
 * Borrows  loop and clock.
 */
#ifndef EDGE_STREAMS_FETCHER_H
#define EDGE_STREAMS_FETCHER_H

#include <jansson.h>
#include <uv.h>

#include "edge-proxy/keeper_wire.h"

struct cert_status;
struct clock;
struct edge_conf;
struct identities;
struct streams_fetcher;

int streams_fetcher_new(
    struct streams_fetcher **out, uv_loop_t *loop, struct clock *clock);
/* After the last stream has ended; the line's memory goes later. */
void streams_fetcher_free(struct streams_fetcher *f);
/* A line to a new fetcher; fd is taken over. */
void streams_fetcher_attach(struct streams_fetcher *f, int fd);
/* What came into force; files as for own_staples_set(). */
int streams_fetcher_set(struct streams_fetcher *f, const struct edge_conf *c,
    const struct identities *ids, const struct keeper_blob *files);
struct cert_status *streams_fetcher_status(struct streams_fetcher *f);
/* For an operator, or NULL without memory. */
json_t *streams_fetcher_describe(const struct streams_fetcher *f);

#endif
