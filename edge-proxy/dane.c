/*
 * dane - see the header.
 *
 * OpenSSL does the matching, as part of verifying a chain.  The records come
 * from the DNS by way of a target, before the handshake toward a server, and
 * only after it with those who dial us; so in both cases the chain is verified
 * a second time, for an SSL object of its own that the records are given to.
 * That one has the context's settings, and keeps the first error as any other
 * (common/tls_identity.h).
 */
#include "edge-proxy/dane.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "common/cert_chain.h"
#include "common/err.h"
#include "common/tls_identity.h"
#include "edge-proxy/tlsa.h"

/* Gives the records over; those that OpenSSL has no use for count for
 * nothing, and where no other is left nothing can match. */
static int
add_records(SSL *judge, const struct tlsa_set *set, size_t *added)
{
	*added = 0;
	for (size_t i = 0; i < set->count; i++) {
		const struct dns_tlsa *r = &set->v[i];
		int rc = SSL_dane_tlsa_add(
		    judge, r->usage, r->selector, r->matching, r->data, r->len);

		if (rc < 0)
			return ERR_NOMEM;
		*added += rc > 0;
	}
	return 0;
}

/* An SSL object that knows the records. */
static int
new_judge(SSL **out, SSL *ssl, const struct tlsa_set *set, size_t *added)
{
	SSL_CTX *ctx = SSL_get_SSL_CTX(ssl);
	SSL *judge;
	int rc;

	if (SSL_CTX_dane_enable(ctx) != 1)
		return ERR_NOMEM;
	judge = SSL_new(ctx);
	if (judge == NULL)
		return ERR_NOMEM;
	rc = SSL_dane_enable(judge, NULL) == 1 ? add_records(judge, set, added)
					       : ERR_NOMEM;
	if (rc == 0)
		*out = judge;
	else
		SSL_free(judge);
	return rc;
}

/* As the handshake does it: the context's parameters above the defaults of our
 * role. */
static bool
prepare(X509_STORE_CTX *store, SSL *judge, SSL *ssl)
{
	X509_VERIFY_PARAM *param;

	if (X509_STORE_CTX_init(store,
		SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl)),
		SSL_get0_peer_certificate(ssl),
		SSL_get_peer_cert_chain(ssl)) != 1)
		return false;
	param = X509_STORE_CTX_get0_param(store);
	X509_VERIFY_PARAM_set_auth_level(param, SSL_get_security_level(judge));
	X509_STORE_CTX_set0_dane(store, SSL_get0_dane(judge));
	X509_STORE_CTX_set_verify_cb(store, SSL_get_verify_callback(judge));
	return X509_STORE_CTX_set_ex_data(
		   store, SSL_get_ex_data_X509_STORE_CTX_idx(), judge) == 1 &&
	       X509_STORE_CTX_set_default(store,
		   SSL_is_server(ssl) ? "ssl_client" : "ssl_server") == 1 &&
	       X509_VERIFY_PARAM_set1(param, SSL_get0_param(judge)) == 1;
}

/* What verification has found. */
static void
take_verdict(
    struct dane_verdict *out, SSL *judge, X509_STORE_CTX *store, bool done)
{
	struct dane_verdict v = { .until_ms = INT64_MAX };

	v.error = tls_first_error(judge);
	if (v.error == X509_V_OK && !done)
		v.error = X509_STORE_CTX_get_error(store);
	/* Nothing matched, however good the chain is. */
	if (SSL_get0_dane_authority(judge, NULL, NULL) < 0 &&
	    v.error == X509_V_OK)
		v.error = X509_V_ERR_DANE_NO_MATCH;
	if (v.error == X509_V_OK) {
		(void)SSL_get0_dane_tlsa(
		    judge, &v.usage, &v.selector, &v.matching, NULL, NULL);
		if (v.usage != TLSA_DANE_EE)
			v.until_ms =
			    cert_chain_end_ms(X509_STORE_CTX_get0_chain(store));
	}
	*out = v;
}

int
dane_judge(struct dane_verdict *out, SSL *ssl, const struct tlsa_set *set)
{
	X509_STORE_CTX *store = X509_STORE_CTX_new();
	SSL *judge = NULL;
	size_t added = 0;
	int rc = ERR_NOMEM;

	if (store == NULL)
		goto fail;
	rc = new_judge(&judge, ssl, set, &added);
	if (rc < 0)
		goto fail;
	if (added == 0) {
		/* It would fall back to the authorities alone. */
		*out =
		    (struct dane_verdict){ .error = X509_V_ERR_DANE_NO_MATCH };
	} else if (!prepare(store, judge, ssl)) {
		rc = ERR_NOMEM;
	} else {
		take_verdict(out, judge, store, X509_verify_cert(store) == 1);
	}
fail:
	X509_STORE_CTX_free(store);
	SSL_free(judge);
	ERR_clear_error();
	return rc;
}
