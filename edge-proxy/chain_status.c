/*
 * chain_status - see the header.
 *
 * Which list speaks for a certificate, whether it is signed by the authority
 * and what it covers is OpenSSL's to decide, as in a handshake.
 */
#include "edge-proxy/chain_status.h"

#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/revocation.h"
#include "common/tls_bounds.h"

int
chain_status_write(struct buf *out, const STACK_OF(X509) * chain)
{
	int rc = 0;

	for (int i = 0; rc == 0 && i < sk_X509_num(chain); i++) {
		unsigned char *der = NULL;
		int len = i2d_X509(sk_X509_value(chain, i), &der);

		rc = len > 0 ? buf_add(out, der, (size_t)len) : ERR_NOMEM;
		OPENSSL_free(der);
	}
	return rc;
}

int
chain_status_read(STACK_OF(X509) * *out, const void *der, size_t len)
{
	const unsigned char *p = der, *end = p + len;
	STACK_OF(X509) *chain = sk_X509_new_null();
	int rc = ERR_NOMEM;

	if (chain == NULL)
		return rc;
	rc = len == 0 || len > CHAIN_STATUS_BYTES_MAX ? ERR_MALFORMED : 0;
	while (rc == 0 && p < end) {
		X509 *cert = d2i_X509(NULL, &p, end - p);

		if (cert == NULL || sk_X509_num(chain) > TLS_BOUNDS_CHAIN) {
			rc = ERR_MALFORMED;
		} else if (sk_X509_push(chain, cert) == 0) {
			rc = ERR_NOMEM;
		} else {
			continue;
		}
		X509_free(cert);
	}
	ERR_clear_error();
	if (rc == 0)
		*out = chain;
	else
		sk_X509_pop_free(chain, X509_free);
	return rc;
}

void
chain_status_key(
    uint8_t out[static CHAIN_STATUS_KEY], const void *der, size_t len)
{
	SHA256(der, len, out);
}

/* What checking a chain needs; the verdict is OpenSSL's, in *error. */
static int
check(STACK_OF(X509) * *out, const STACK_OF(X509) * sent, X509_STORE *trust,
    int *error)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *untrusted = sk_X509_dup(sent);
	int rc = ERR_NOMEM;

	if (ctx == NULL || untrusted == NULL ||
	    X509_STORE_CTX_init(
		ctx, trust, sk_X509_value(sent, 0), untrusted) != 1 ||
	    X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_SERVER) != 1)
		goto out;
	X509_VERIFY_PARAM_set_depth(
	    X509_STORE_CTX_get0_param(ctx), TLS_BOUNDS_CHAIN);
	*error = X509_V_OK;
	rc = 0;
	if (X509_verify_cert(ctx) != 1)
		*error = X509_STORE_CTX_get_error(ctx);
	else
		*out = X509_STORE_CTX_get1_chain(ctx);
out:
	X509_STORE_CTX_free(ctx);
	sk_X509_free(untrusted);
	ERR_clear_error();
	return rc;
}

int
chain_status_verify(STACK_OF(X509) * *out, const STACK_OF(X509) * sent,
    X509_STORE *trust, const char **why)
{
	STACK_OF(X509) *chain = NULL;
	int error = X509_V_OK;
	int rc;

	*why = tls_bounds_exceeded(sent);
	if (*why != NULL)
		return ERR_CERT;
	rc = check(&chain, sent, trust, &error);
	*why = rc < 0 ? err_str(rc) : X509_verify_cert_error_string(error);
	if (rc == 0 && error != X509_V_OK)
		rc = ERR_CERT;
	if (rc == 0 && chain == NULL)
		rc = ERR_NOMEM;
	if (rc == 0)
		*out = chain;
	return rc;
}

/* --- revocation ---------------------------------------------------------- */

struct judging {
	struct chain_status status;
	int last; /* depth of the root */
	bool leaf_known;
};

static int judging_index(void);

/* Goes on over everything, and keeps what was worst. */
static int
on_verified(int ok, X509_STORE_CTX *ctx)
{
	struct judging *j = X509_STORE_CTX_get_ex_data(ctx, judging_index());
	int error = X509_STORE_CTX_get_error(ctx);
	int depth = X509_STORE_CTX_get_error_depth(ctx);

	if (ok == 1)
		return 1;
	if (depth == j->last ||
	    (depth == 0 && j->leaf_known && revocation_unknown(error)))
		return 1;
	if (error == X509_V_ERR_CERT_REVOKED ||
	    j->status.verdict == X509_V_OK) {
		j->status.verdict = error;
		j->status.depth = depth;
	}
	/* A revoked one is the end of all questions. */
	return error == X509_V_ERR_CERT_REVOKED ? 0 : 1;
}

static int
judging_index(void)
{
	static int index = -1;

	if (index < 0)
		index =
		    X509_STORE_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	return index;
}

int
chain_status_judge(struct chain_status *out, const STACK_OF(X509) * chain,
    X509_STORE *trust, STACK_OF(X509_CRL) * lists, bool leaf_known)
{
	struct judging j = { .last = sk_X509_num(chain) - 1,
		.leaf_known = leaf_known };
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *untrusted = sk_X509_dup(chain);
	int rc = ERR_NOMEM;

	if (ctx == NULL || untrusted == NULL ||
	    X509_STORE_CTX_init(
		ctx, trust, sk_X509_value(chain, 0), untrusted) != 1 ||
	    X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_SERVER) != 1 ||
	    X509_STORE_CTX_set_ex_data(ctx, judging_index(), &j) != 1)
		goto out;
	X509_STORE_CTX_set0_crls(ctx, lists);
	X509_STORE_CTX_set_verify_cb(ctx, on_verified);
	X509_STORE_CTX_set_flags(
	    ctx, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	(void)X509_verify_cert(ctx); /* j has what came of it */
	*out = j.status;
	rc = 0;
out:
	X509_STORE_CTX_free(ctx);
	sk_X509_free(untrusted);
	ERR_clear_error();
	return rc;
}
