/*
 * Before OpenSSL's own verification begins, and with it the first signature,
 * the keys are looked at; that the bytes were few enough is OpenSSL's to see.
 */
#include "common/tls_bounds.h"

#include <stdbool.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "common/log.h"
#include "common/log_limit.h"

/* Small exponents are what makes RSA cheap to verify. */
static bool
exponent_is_long(const EVP_PKEY *key)
{
	BIGNUM *e = NULL;
	bool is_long;

	if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) != 1) {
		ERR_clear_error();
		return false; /* no RSA */
	}
	is_long = BN_num_bits(e) > TLS_BOUNDS_EXPONENT_BITS;
	BN_free(e);
	return is_long;
}

const char *
tls_bounds_exceeded(const STACK_OF(X509) * chain)
{
	if (sk_X509_num(chain) > TLS_BOUNDS_CHAIN)
		return "more certificates than ten";
	for (int i = 0; i < sk_X509_num(chain); i++) {
		const EVP_PKEY *key = X509_get0_pubkey(sk_X509_value(chain, i));

		/* One that is none is refused by the verification. */
		if (key == NULL)
			continue;
		if (EVP_PKEY_get_bits(key) > TLS_BOUNDS_KEY_BITS)
			return "a key of more than 8192 bits";
		if (exponent_is_long(key))
			return "an RSA exponent of more than 64 bits";
	}
	ERR_clear_error();
	return NULL;
}

static int
on_verify(X509_STORE_CTX *store_ctx, void *arg)
{
	const char *why =
	    tls_bounds_exceeded(X509_STORE_CTX_get0_untrusted(store_ctx));
	struct log log;
	int rc;

	(void)arg;
	if (why == NULL) {
		rc = X509_verify_cert(store_ctx);
		return rc > 0 ? 1 : 0;
	}
	log_init(&log, "tls");
	log_limited_warn(&log, NULL, "certificates-refused", "reason=%s", why);
	X509_STORE_CTX_set_error(store_ctx, X509_V_ERR_CERT_REJECTED);
	return 0;
}

void
tls_bounds_set(SSL_CTX *ctx)
{
	SSL_CTX_set_max_cert_list(ctx, TLS_BOUNDS_BYTES);
	SSL_CTX_set_verify_depth(ctx, TLS_BOUNDS_CHAIN);
	SSL_CTX_set_cert_verify_callback(ctx, on_verify, NULL);
}
