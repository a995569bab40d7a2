/*
 * tls_accept - what a server makes of the name (SNI, RFC 6066 3) and of the
 * protocols (ALPN, RFC 7301) in a client's hello, one connection at a time.
 *
 * A connection for which nothing is set takes no notice of either.
 *
 * Borrows  what is set, until the handshake is over.
 * Errors   none of its own: a client that offers protocols, and not ours, is
 *          refused with the alert no_application_protocol.
 */
#ifndef COMMON_TLS_ACCEPT_H
#define COMMON_TLS_ACCEPT_H

#include <stddef.h>
#include <stdint.h>
#include <openssl/ssl.h>

struct tls_accept {
	/* The context whose certificate answers to that name, or NULL for the
	 * one the connection began with.  Its trust and its rules for peers
	 * must be the same. */
	SSL_CTX *(*pick)(const char *name, void *arg);
	void *arg;
	/* Our protocol in the wire's form (length in front). */
	const uint8_t *alpn;
	size_t alpn_len;
};

/* Once for every context that accepts: 0 or ERR_NOMEM. */
int tls_accept_prepare(SSL_CTX *ctx);
/* Before the client's hello is read: 0 or ERR_NOMEM. */
int tls_accept_set(SSL *ssl, const struct tls_accept *a);

#endif
