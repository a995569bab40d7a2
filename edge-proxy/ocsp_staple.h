/*
 * ocsp_staple - answers of authorities that travel with a handshake (RFC 6066 8):
 * ours with our certificate, and asking a partner's server for its own.
 *
 * Owns     the answer, with the context it hangs on.
 */
#ifndef EDGE_OCSP_STAPLE_H
#define EDGE_OCSP_STAPLE_H

#include <stddef.h>
#include <stdint.h>

#include "common/tls_identity.h"

/* Once for every identity toward partners.  ERR_NOMEM. */
int ocsp_staple_prepare(const struct tls_identity *id);
/* What goes with that identity's certificate from the next handshake on; NULL:
 * nothing.  Copied.  ERR_NOMEM. */
int ocsp_staple_set(SSL_CTX *server, const void *der, size_t len);

#endif
