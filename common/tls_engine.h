/*
 * tls_engine - one TLS connection between byte strings: OpenSSL on a pair of
 * memory BIOs, no sockets, no loop.
 *
 * Ciphertext of the peer goes in by tls_engine_feed(); after every other call
 * tls_engine_output() may hold ciphertext for the peer, after a failed one
 * the alert that tells it why.
 *
 * Owns     the SSL object and both BIOs.
 * Borrows  nothing; SSL_new takes a reference to the context.
 * Errors   steps say how a call ended; after TLS_STEP_FAILED
 *          tls_engine_error() has the words.
 */
#ifndef COMMON_TLS_ENGINE_H
#define COMMON_TLS_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/ssl.h>

enum tls_role { TLS_SERVER, TLS_CLIENT };

enum tls_step {
	TLS_STEP_DONE,   /* went on */
	TLS_STEP_WANT,   /* needs more bytes of the peer */
	TLS_STEP_CLOSED, /* the peer has sent close_notify */
	TLS_STEP_FAILED  /* the session is dead; only its output counts */
};

struct tls_engine {
	SSL *ssl;
	BIO *in, *out; /* belong to ssl */
	bool failed;
	char error[160]; /* of the step that failed, else "" */
};

/* 0, ERR_NOMEM or ERR_TLS.  On error *e is zeroed. */
int tls_engine_init(struct tls_engine *e, SSL_CTX *ctx, enum tls_role role);
/* Accepts a zeroed engine. */
void tls_engine_finish(struct tls_engine *e);
/* Client, before the handshake; sni and alpn may be NULL. */
int tls_engine_offer(struct tls_engine *e, const char *sni, const uint8_t *alpn,
    size_t alpn_len);

/* Takes a copy of all bytes: 0 or ERR_NOMEM. */
int tls_engine_feed(struct tls_engine *e, const void *data, size_t len);
enum tls_step tls_engine_handshake(struct tls_engine *e);
/* At most one record; *n is written with TLS_STEP_DONE only. */
enum tls_step
tls_engine_read(struct tls_engine *e, void *out, size_t size, size_t *n);
/* Takes at most one record from data; a repetition must begin with the same
 * bytes. */
enum tls_step
tls_engine_write(struct tls_engine *e, const void *data, size_t len, size_t *n);
/* Queues close_notify; does nothing on a dead session. */
void tls_engine_close(struct tls_engine *e);

/* Ciphertext that waits for the peer: returns its length ... */
size_t tls_engine_output(struct tls_engine *e, const uint8_t **data);
/* ... and forgets it. */
void tls_engine_output_taken(struct tls_engine *e);

const char *tls_engine_error(const struct tls_engine *e);

#endif
