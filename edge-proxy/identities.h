/*
 * identities - the external TLS identities of the edge, one per certificate,
 * picked by hosted domain.  Filled by the keeper's hand-over; replaced as a
 * whole on reload (open streams keep the context they began with).
 */
#ifndef EDGE_IDENTITIES_H
#define EDGE_IDENTITIES_H

#include <stdbool.h>
#include <stddef.h>

#include "common/tls_identity.h"

struct cert_status;
struct identities;

int identities_new(struct identities **out);
void identities_free(struct identities *ids);
/* Adds one; the identity and its contexts are taken over (*id is zeroed).
 * ERR_CERT, ERR_FULL, ERR_NOMEM: it is still the caller's. */
int identities_add(struct identities *ids, struct tls_identity *id);
/* Takes over the content of by, which is freed; what ids held goes. */
void identities_replace(struct identities *ids, struct identities *by);
/* All of them, in the order of adding. */
size_t identities_count(const struct identities *ids);
const struct tls_identity *
identities_at(const struct identities *ids, size_t i);
/* Whom to ask whether partners' certificates have been taken back; borrowed,
 * stays when the content is replaced.  NULL: nobody. */
void identities_set_status(struct identities *ids, struct cert_status *status);
struct cert_status *identities_status(const struct identities *ids);
/* The identity whose certificate names the domain (comparable form), else the
 * first one added; NULL only when there is none at all.  *named tells whether
 * the certificate does name the domain. */
const struct tls_identity *
identities_pick(const struct identities *ids, const char *ascii, bool *named);

#endif
