/*
 * OpenSSL asks contexts, and the contexts of a server are shared by all its
 * ports; the wishes of one connection hang on its SSL object, where the
 * callbacks find them.  The name comes first, whatever its place in the hello.
 */
#include "common/tls_accept.h"

#include <pthread.h>

#include "common/err.h"

static int accept_index = -1;

static void
get_index(void)
{
	accept_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

static int
on_name(SSL *ssl, int *alert, void *arg)
{
	const struct tls_accept *a = SSL_get_ex_data(ssl, accept_index);
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	SSL_CTX *ctx = NULL;

	(void)arg;
	if (a == NULL || name == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	ctx = a->pick(name, a->arg);
	if (ctx == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	if (SSL_set_SSL_CTX(ssl, ctx) != NULL)
		return SSL_TLSEXT_ERR_OK;
	*alert = SSL_AD_INTERNAL_ERROR;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int
on_protocols(SSL *ssl, const unsigned char **out, unsigned char *out_len,
    const unsigned char *offered, unsigned offered_len, void *arg)
{
	const struct tls_accept *a = SSL_get_ex_data(ssl, accept_index);
	unsigned char *chosen;

	(void)arg;
	if (a == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	if (SSL_select_next_proto(&chosen, out_len, a->alpn,
		(unsigned)a->alpn_len, offered,
		offered_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

int
tls_accept_prepare(SSL_CTX *ctx)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, get_index);
	if (accept_index < 0)
		return ERR_NOMEM;
	SSL_CTX_set_tlsext_servername_callback(ctx, on_name);
	SSL_CTX_set_alpn_select_cb(ctx, on_protocols, NULL);
	return 0;
}

int
tls_accept_set(SSL *ssl, const struct tls_accept *a)
{
	/* It is not written through: OpenSSL keeps pointers without const. */
	return SSL_set_ex_data(ssl, accept_index, (void *)(uintptr_t)a) == 1
		   ? 0
		   : ERR_NOMEM;
}
