/*
 * Lists are kept as OpenSSL reads them.  Which of them speaks for a
 * certificate, whether it is signed by the authority and what it covers is
 * decided by OpenSSL during the verification of a chain; every certificate
 * of the chain is asked about, the root's own included.
 */
#include "common/revocation.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "common/err.h"

/* ---- reading -------------------------------------------------------- */

static int
no_memory(char *why, size_t size)
{
	(void)snprintf(why, size, "out of memory");
	ERR_clear_error();
	return ERR_NOMEM;
}

/* One list in DER that fills the file. */
static X509_CRL *
read_der(const void *data, size_t len)
{
	const unsigned char *p = data;
	X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)len);

	if (crl != NULL && p != (const unsigned char *)data + len) {
		X509_CRL_free(crl);
		crl = NULL;
	}
	ERR_clear_error();
	return crl;
}

/* All lists of a PEM text, at least one. */
static int
read_pem(STACK_OF(X509_CRL) * out, const void *data, size_t len, char *why,
    size_t size)
{
	BIO *bio = BIO_new_mem_buf(data, (int)len);
	unsigned long error;
	X509_CRL *crl;

	if (bio == NULL)
		return no_memory(why, size);
	while ((crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL)
		if (sk_X509_CRL_push(out, crl) == 0) {
			X509_CRL_free(crl);
			BIO_free(bio);
			return no_memory(why, size);
		}
	BIO_free(bio);
	error = ERR_peek_last_error();
	ERR_clear_error();
	if (ERR_GET_LIB(error) != ERR_LIB_PEM ||
	    ERR_GET_REASON(error) != PEM_R_NO_START_LINE) {
		const char *reason = ERR_reason_error_string(error);

		(void)snprintf(why, size, "list number %d: %s",
		    sk_X509_CRL_num(out) + 1,
		    reason != NULL ? reason : "unknown reason");
		return ERR_CERT;
	}
	if (sk_X509_CRL_num(out) > 0)
		return 0;
	(void)snprintf(why, size, "no revocation list in PEM or DER form");
	return ERR_CERT;
}

static int
read_lists(STACK_OF(X509_CRL) * out, const void *data, size_t len, char *why,
    size_t size)
{
	X509_CRL *crl;

	if (len > INT_MAX) {
		(void)snprintf(why, size, "too large");
		return ERR_CERT;
	}
	ERR_clear_error();
	crl = read_der(data, len);
	if (crl == NULL)
		return read_pem(out, data, len, why, size);
	if (sk_X509_CRL_push(out, crl) > 0)
		return 0;
	X509_CRL_free(crl);
	return no_memory(why, size);
}

int
revocation_add(
    struct revocation *r, const void *data, size_t len, char *why, size_t size)
{
	STACK_OF(X509_CRL) *fresh = sk_X509_CRL_new_null();
	int rc = ERR_NOMEM, n;

	if (r->lists == NULL)
		r->lists = sk_X509_CRL_new_null();
	if (fresh == NULL || r->lists == NULL) {
		rc = no_memory(why, size);
		goto fail;
	}
	rc = read_lists(fresh, data, len, why, size);
	if (rc < 0)
		goto fail;
	n = sk_X509_CRL_num(fresh);
	if (sk_X509_CRL_reserve(r->lists, n) != 1) {
		rc = no_memory(why, size);
		goto fail;
	}
	for (int i = 0; i < n; i++)
		(void)sk_X509_CRL_push(r->lists, sk_X509_CRL_value(fresh, i));
	sk_X509_CRL_free(fresh);
	return 0;

fail:
	sk_X509_CRL_pop_free(fresh, X509_CRL_free);
	return rc;
}

void
revocation_finish(struct revocation *r)
{
	sk_X509_CRL_pop_free(r->lists, X509_CRL_free);
	*r = (struct revocation){ 0 };
}

/* ---- dates ---------------------------------------------------------- */

int
revocation_count(const struct revocation *r)
{
	return r->lists != NULL ? sk_X509_CRL_num(r->lists) : 0;
}

/* "the list of CN = Some CA <what>, <time>". */
static void
describe(char *out, size_t size, const X509_CRL *crl, const char *what,
    const ASN1_TIME *time)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long len;

	(void)snprintf(out, size, "a list %s", what);
	if (bio == NULL)
		return;
	if (BIO_puts(bio, "the list of ") > 0 &&
	    X509_NAME_print_ex(bio, X509_CRL_get_issuer(crl), 0,
		XN_FLAG_ONELINE & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0 &&
	    BIO_printf(bio, " %s, ", what) > 0 &&
	    ASN1_TIME_print(bio, time) == 1) {
		len = BIO_get_mem_data(bio, &text);
		(void)snprintf(out, size, "%.*s", (int)len, text);
	}
	BIO_free(bio);
	ERR_clear_error();
}

bool
revocation_in_force(
    const struct revocation *r, int first, char *why, size_t size)
{
	for (int i = first; i < revocation_count(r); i++) {
		const X509_CRL *crl = sk_X509_CRL_value(r->lists, i);
		const ASN1_TIME *from = X509_CRL_get0_lastUpdate(crl);
		const ASN1_TIME *to = X509_CRL_get0_nextUpdate(crl);

		if (X509_cmp_current_time(from) > 0) {
			describe(why, size, crl, "is not yet valid", from);
			return false;
		}
		if (to != NULL && X509_cmp_current_time(to) < 0) {
			describe(why, size, crl, "has expired", to);
			return false;
		}
	}
	return true;
}

/* ---- obeying -------------------------------------------------------- */

int
revocation_set(const struct revocation *r, SSL_CTX *ctx)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);

	for (int i = 0; i < revocation_count(r); i++)
		if (X509_STORE_add_crl(store, sk_X509_CRL_value(r->lists, i)) !=
		    1)
			return ERR_NOMEM;
	/* Not of the store: that also completes the chain we show. */
	return X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx),
		   X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL) == 1
		   ? 0
		   : ERR_NOMEM;
}

bool
revocation_unknown(int error)
{
	return error == X509_V_ERR_UNABLE_TO_GET_CRL ||
	       error == X509_V_ERR_CRL_HAS_EXPIRED ||
	       error == X509_V_ERR_CRL_NOT_YET_VALID ||
	       /* A list of the authority's that covers others. */
	       error == X509_V_ERR_DIFFERENT_CRL_SCOPE;
}
