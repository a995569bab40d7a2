/*
 * tls_bounds - what judging a peer's certificates may cost us.
 *
 * A signature is checked in the loop, and whoever connects chooses by which
 * key: within OpenSSL's own bounds, 100 KiB of certificates and keys of 16384
 * bits, one handshake takes 130 ms.  Within ours it takes 20 at most.
 *
 * Here a chain has at most ten certificates and 64 KiB, a key at most 8192
 * bits and an exponent of 64; a peer beyond that fails its handshake, and one
 * line in the log says by what.
 */
#ifndef COMMON_TLS_BOUNDS_H
#define COMMON_TLS_BOUNDS_H

#include <openssl/ssl.h>

enum {
	TLS_BOUNDS_CHAIN = 10,
	TLS_BOUNDS_BYTES = 64 * 1024,
	TLS_BOUNDS_KEY_BITS = 8192,
	TLS_BOUNDS_EXPONENT_BITS = 64
};

/* For every context that judges peers. */
void tls_bounds_set(SSL_CTX *ctx);

/* What of these certificates, as a peer sends them, is beyond a bound; NULL:
 * nothing is. */
const char *tls_bounds_exceeded(const STACK_OF(X509) * chain);

#endif
