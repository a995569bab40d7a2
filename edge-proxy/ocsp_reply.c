/*
 * ocsp_reply - see the header.  The order of questions: is it an answer, who
 * signed it, is it about the certificate, is it in force.
 */
#include "edge-proxy/ocsp_reply.h"

#include <limits.h>
#include <stdlib.h>
#include <time.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include "common/buf.h"
#include "common/err.h"

enum {
	SKEW_MS = 5 * 60 * 1000,
	/* Without an end of its own an answer is of the moment. */
	OPEN_END_MS = 24 * 60 * 60 * 1000,
	STATUS_REQUEST = 5
};

static bool
read_time(int64_t *ms, const ASN1_GENERALIZEDTIME *t)
{
	struct tm tm;

	if (t == NULL || ASN1_TIME_to_tm(t, &tm) != 1)
		return false;
	*ms = (int64_t)timegm(&tm) * 1000;
	return true;
}

/* The whole of the bytes as an answer that has been given. */
static OCSP_BASICRESP *
read_answer(const void *der, size_t len, const char **why)
{
	const unsigned char *p = der;
	OCSP_RESPONSE *r = NULL;
	OCSP_BASICRESP *basic = NULL;

	*why = "it is no answer";
	if (len <= OCSP_REPLY_MAX)
		r = d2i_OCSP_RESPONSE(NULL, &p, (long)len);
	if (r != NULL && p == (const unsigned char *)der + len) {
		if (OCSP_response_status(r) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
			*why = "the responder could not answer";
		else
			basic = OCSP_response_get1_basic(r);
	}
	OCSP_RESPONSE_free(r);
	return basic;
}

static bool
signature_counts(OCSP_BASICRESP *basic, const struct ocsp_about *about)
{
	STACK_OF(X509) *helpers = sk_X509_new_null();
	bool ok = helpers != NULL && sk_X509_push(helpers, about->issuer) > 0 &&
		  OCSP_basic_verify(basic, helpers, about->trust, 0) == 1;

	sk_X509_free(helpers);
	return ok;
}

/* Whether an entry is about the certificate, by the hash it has chosen. */
static bool
is_about(OCSP_SINGLERESP *single, const struct ocsp_about *about)
{
	const OCSP_CERTID *id = OCSP_SINGLERESP_get0_id(single);
	OCSP_CERTID *copy = OCSP_CERTID_dup(id), *wanted;
	ASN1_OBJECT *algorithm = NULL;
	const EVP_MD *md = NULL;
	bool same = false;

	if (copy != NULL &&
	    OCSP_id_get0_info(NULL, &algorithm, NULL, NULL, copy) == 1)
		md = EVP_get_digestbyobj(algorithm);
	wanted =
	    md != NULL ? OCSP_cert_to_id(md, about->cert, about->issuer) : NULL;
	if (wanted != NULL)
		same = OCSP_id_cmp(wanted, copy) == 0;
	OCSP_CERTID_free(wanted);
	OCSP_CERTID_free(copy);
	return same;
}

static OCSP_SINGLERESP *
find_entry(OCSP_BASICRESP *basic, const struct ocsp_about *about)
{
	for (int i = 0; i < OCSP_resp_count(basic); i++) {
		OCSP_SINGLERESP *single = OCSP_resp_get0(basic, i);

		if (is_about(single, about))
			return single;
	}
	return NULL;
}

static const char *
read_entry(struct ocsp_reply *r, OCSP_SINGLERESP *single, int64_t now_ms)
{
	ASN1_GENERALIZEDTIME *from = NULL, *until = NULL;
	int status = OCSP_single_get0_status(single, NULL, NULL, &from, &until);

	r->said = status == V_OCSP_CERTSTATUS_GOOD      ? OCSP_SAID_GOOD
		  : status == V_OCSP_CERTSTATUS_REVOKED ? OCSP_SAID_REVOKED
							: OCSP_SAID_UNKNOWN;
	if (!read_time(&r->from_ms, from))
		return "its time cannot be read";
	if (until == NULL)
		r->until_ms = r->from_ms + OPEN_END_MS;
	else if (!read_time(&r->until_ms, until))
		return "its time cannot be read";
	if (r->from_ms > now_ms + SKEW_MS)
		return "it is not yet in force";
	if (r->until_ms <= now_ms)
		return "it is out of date";
	return NULL;
}

int
ocsp_reply_read(struct ocsp_reply *out, const void *der, size_t len,
    const struct ocsp_about *about, int64_t now_ms, const char **why)
{
	OCSP_BASICRESP *basic = read_answer(der, len, why);
	struct ocsp_reply r = { 0 };
	OCSP_SINGLERESP *single;
	const char *wrong = *why;

	if (basic != NULL) {
		if (!signature_counts(basic, about))
			wrong = "it is not signed for this authority";
		else if ((single = find_entry(basic, about)) == NULL)
			wrong = "it is about another certificate";
		else
			wrong = read_entry(&r, single, now_ms);
	}
	OCSP_BASICRESP_free(basic);
	ERR_clear_error();
	*why = wrong;
	if (wrong != NULL)
		return ERR_CERT;
	*out = r;
	return 0;
}

int
ocsp_reply_ask(struct buf *out, X509 *cert, X509 *issuer)
{
	/* SHA-1 is what responders know, and names things here only. */
	OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), cert, issuer);
	OCSP_REQUEST *request = OCSP_REQUEST_new();
	unsigned char *der = NULL;
	int rc = ERR_NOMEM, len;

	if (id != NULL && request != NULL &&
	    OCSP_request_add0_id(request, id) != NULL) {
		id = NULL;
		len = i2d_OCSP_REQUEST(request, &der);
		if (len > 0)
			rc = buf_add(out, der, (size_t)len);
	}
	OPENSSL_free(der);
	OCSP_CERTID_free(id);
	OCSP_REQUEST_free(request);
	ERR_clear_error();
	return rc;
}

bool
ocsp_reply_is_demanded(X509 *cert)
{
	TLS_FEATURE *features =
	    X509_get_ext_d2i(cert, NID_tlsfeature, NULL, NULL);
	bool demanded = false;

	for (int i = 0; i < sk_ASN1_INTEGER_num(features); i++)
		if (ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, i)) ==
		    STATUS_REQUEST)
			demanded = true;
	TLS_FEATURE_free(features);
	ERR_clear_error();
	return demanded;
}
