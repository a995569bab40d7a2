/*
 * ocsp_staple - see the header.  OpenSSL asks the context a handshake ends up
 * with, after the client's SNI has picked it; so the answer hangs there.
 */
#include "edge-proxy/ocsp_staple.h"

#include <openssl/tls1.h>

#include "common/buf.h"
#include "common/err.h"

static void
on_context_freed(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int index,
    long argl, void *argp)
{
	struct buf *answer = ptr;

	(void)parent;
	(void)ad;
	(void)index;
	(void)argl;
	(void)argp;
	if (answer == NULL)
		return;
	buf_finish(answer);
	OPENSSL_free(answer);
}

static int
staple_index(void)
{
	static int index = -1;

	if (index < 0)
		index = SSL_CTX_get_ex_new_index(
		    0, NULL, NULL, NULL, on_context_freed);
	return index;
}

/* A client asks for it. */
static int
on_asked(SSL *ssl, void *arg)
{
	const struct buf *answer =
	    SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), staple_index());
	unsigned char *copy;

	(void)arg;
	if (answer == NULL || answer->len == 0)
		return SSL_TLSEXT_ERR_NOACK;
	/* OpenSSL frees it with the connection. */
	copy = OPENSSL_memdup(answer->data, answer->len);
	if (copy == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	if (SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)answer->len) !=
	    1) {
		OPENSSL_free(copy);
		return SSL_TLSEXT_ERR_NOACK;
	}
	return SSL_TLSEXT_ERR_OK;
}

int
ocsp_staple_prepare(const struct tls_identity *id)
{
	struct buf *answer;

	if (staple_index() < 0)
		return ERR_NOMEM;
	answer = OPENSSL_zalloc(sizeof(*answer));
	if (answer == NULL)
		return ERR_NOMEM;
	if (SSL_CTX_set_ex_data(id->server, staple_index(), answer) != 1) {
		OPENSSL_free(answer);
		return ERR_NOMEM;
	}
	if (SSL_CTX_set_tlsext_status_cb(id->server, on_asked) != 1 ||
	    SSL_CTX_set_tlsext_status_type(
		id->client, TLSEXT_STATUSTYPE_ocsp) != 1)
		return ERR_TLS;
	return 0;
}

int
ocsp_staple_set(SSL_CTX *server, const void *der, size_t len)
{
	struct buf *answer = SSL_CTX_get_ex_data(server, staple_index());

	if (answer == NULL)
		return ERR_BAD_STATE;
	buf_clear(answer);
	return der != NULL ? buf_add(answer, der, len) : 0;
}
