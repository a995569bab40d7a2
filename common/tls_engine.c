/*
 * SSL in the middle, a memory BIO on either side.  An empty BIO must read as
 * "not now" and not as the end, or OpenSSL takes every pause for a truncation.
 *
 * OpenSSL keeps errors in a queue per thread: it is cleared before each step,
 * so that what is found after a failure belongs to it.
 */
#include "common/tls_engine.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <openssl/buffer.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "common/err.h"

/* Bytes that an empty BIO may keep. */
enum { KEPT = 4096 };

/* Puts the reason of a failed step into words. */
static void
note_error(struct tls_engine *e)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(code);
	long verdict = SSL_get_verify_result(e->ssl);

	if (code == 0)
		reason = "the connection broke within TLS";
	else if (reason == NULL)
		reason = "unknown reason";
	if (ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED &&
	    verdict != X509_V_OK)
		(void)snprintf(e->error, sizeof e->error, "%s: %s", reason,
		    X509_verify_cert_error_string(verdict));
	else
		(void)snprintf(e->error, sizeof e->error, "%s", reason);
	ERR_clear_error();
}

/* What became of an SSL call that returned rc. */
static enum tls_step
step_of(struct tls_engine *e, int rc)
{
	switch (SSL_get_error(e->ssl, rc)) {
	case SSL_ERROR_NONE:
		return TLS_STEP_DONE;
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return TLS_STEP_WANT;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_STEP_CLOSED;
	default:
		e->failed = true;
		note_error(e);
		return TLS_STEP_FAILED;
	}
}

int
tls_engine_init(struct tls_engine *e, SSL_CTX *ctx, enum tls_role role)
{
	*e = (struct tls_engine){ 0 };
	e->ssl = SSL_new(ctx);
	e->in = BIO_new(BIO_s_mem());
	e->out = BIO_new(BIO_s_mem());
	if (e->ssl == NULL || e->in == NULL || e->out == NULL) {
		BIO_free(e->in);
		BIO_free(e->out);
		SSL_free(e->ssl);
		*e = (struct tls_engine){ 0 };
		ERR_clear_error();
		return ERR_NOMEM;
	}
	BIO_set_mem_eof_return(e->in, -1);
	BIO_set_mem_eof_return(e->out, -1);
	SSL_set_bio(e->ssl, e->in, e->out);
	SSL_set_mode(e->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE |
				 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				 SSL_MODE_RELEASE_BUFFERS);
	if (role == TLS_SERVER)
		SSL_set_accept_state(e->ssl);
	else
		SSL_set_connect_state(e->ssl);
	return 0;
}

void
tls_engine_finish(struct tls_engine *e)
{
	SSL_free(e->ssl);
	*e = (struct tls_engine){ 0 };
}

int
tls_engine_offer(
    struct tls_engine *e, const char *sni, const uint8_t *alpn, size_t alpn_len)
{
	assert(!SSL_is_server(e->ssl) && alpn_len <= UINT_MAX);
	ERR_clear_error();
	if (sni != NULL && SSL_set_tlsext_host_name(e->ssl, sni) != 1)
		goto fail;
	/* The other way round than its neighbours: 0 is success. */
	if (alpn != NULL &&
	    SSL_set_alpn_protos(e->ssl, alpn, (unsigned)alpn_len) != 0)
		goto fail;
	return 0;

fail:
	ERR_clear_error();
	return ERR_TLS;
}

/* An empty BIO keeps the memory of the most it ever held, which for one that
 * was busy is more than all else that an idle connection has. */
static void
let_go(BIO *bio)
{
	BUF_MEM *was, *fresh;

	if (BIO_ctrl_pending(bio) > 0 || BIO_get_mem_ptr(bio, &was) <= 0 ||
	    was->max <= KEPT)
		return;
	fresh = BUF_MEM_new();
	if (fresh != NULL)
		BIO_set_mem_buf(bio, fresh, BIO_CLOSE);
}

int
tls_engine_feed(struct tls_engine *e, const void *data, size_t len)
{
	assert(len <= INT_MAX);
	if (len == 0)
		return 0;
	ERR_clear_error();
	if (BIO_write(e->in, data, (int)len) == (int)len)
		return 0;
	ERR_clear_error();
	return ERR_NOMEM;
}

enum tls_step
tls_engine_handshake(struct tls_engine *e)
{
	if (e->failed)
		return TLS_STEP_FAILED;
	ERR_clear_error();
	return step_of(e, SSL_do_handshake(e->ssl));
}

enum tls_step
tls_engine_read(struct tls_engine *e, void *out, size_t size, size_t *n)
{
	enum tls_step step;

	if (e->failed)
		return TLS_STEP_FAILED;
	ERR_clear_error();
	step = step_of(e, SSL_read_ex(e->ssl, out, size, n));
	if (step == TLS_STEP_WANT)
		let_go(e->in);
	return step;
}

enum tls_step
tls_engine_write(struct tls_engine *e, const void *data, size_t len, size_t *n)
{
	if (e->failed)
		return TLS_STEP_FAILED;
	ERR_clear_error();
	return step_of(e, SSL_write_ex(e->ssl, data, len, n));
}

void
tls_engine_close(struct tls_engine *e)
{
	if (e->failed || !SSL_is_init_finished(e->ssl))
		return;
	/* The peer's answer is not waited for: 0 and 1 are both well, and
	 * nobody is left to hear of anything else. */
	ERR_clear_error();
	(void)SSL_shutdown(e->ssl);
	ERR_clear_error();
}

size_t
tls_engine_output(struct tls_engine *e, const uint8_t **data)
{
	char *p = NULL;
	long len = BIO_get_mem_data(e->out, &p);

	*data = (const uint8_t *)p;
	return len > 0 ? (size_t)len : 0;
}

void
tls_engine_output_taken(struct tls_engine *e)
{
	(void)BIO_reset(e->out);
	let_go(e->out);
}

const char *
tls_engine_error(const struct tls_engine *e)
{
	return e->error;
}
