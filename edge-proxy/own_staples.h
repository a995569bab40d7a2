/*
 * own_staples - the answers of authorities that go with our own certificates
 * (OCSP, RFC 6960; RFC 6066 8): from a file of the admin's, or fetched by the
 * fetcher, and fetched again at half of their life.
 *
 * An answer is judged before it is shown, and dropped when it is out of date:
 * partners take a bad one worse than none.
 *
 * Owns     the answers and their timers.
 * Borrows  clock; the line to the fetcher is given by the owner.
 */
#ifndef EDGE_OWN_STAPLES_H
#define EDGE_OWN_STAPLES_H

#include <stddef.h>
#include <jansson.h>

#include "edge-proxy/keeper_wire.h"

struct clock;
struct identities;
struct own_staples;

int own_staples_new(struct own_staples **out, struct clock *clock);
void own_staples_free(struct own_staples *o);
/* The identities in force; files[i] is the answer for the i-th, or has no
 * bytes: then it is fetched.  What was fetched for a certificate that is still
 * there stays.  ERR_NOMEM. */
int own_staples_set(struct own_staples *o, const struct identities *ids,
    const struct keeper_blob *files);
void own_staples_attach(struct own_staples *o, struct keeper_link *line);
/* What the fetcher says: KW_OCSP, KW_ANEW. */
void
own_staples_answered(struct own_staples *o, const struct keeper_blob *blobs);
void own_staples_anew(struct own_staples *o);
/* [{name, stapled, until_s, why}], or NULL without memory. */
json_t *own_staples_describe(const struct own_staples *o);

#endif
