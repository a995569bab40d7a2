/*
 * tlsa - see the header.
 *
 * An answer that nobody signed says nothing, be there records in it or not; one
 * that could not be had, or whose signatures are wrong, may hide a record that
 * would have forbidden what comes to be done without it.
 */
#include "edge-proxy/tlsa.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

enum { SELECT_CERTIFICATE = 0, SELECT_KEY = 1 };
enum { MATCH_WHOLE = 0, MATCH_SHA256 = 1, MATCH_SHA512 = 2 };

/* A whole certificate, and nothing behind it. */
static bool
is_certificate(const struct dns_tlsa *r)
{
	const unsigned char *p = r->data;
	X509 *cert = d2i_X509(NULL, &p, r->len);
	bool ok = cert != NULL && p == r->data + r->len &&
		  X509_get0_pubkey(cert) != NULL;

	X509_free(cert);
	ERR_clear_error();
	return ok;
}

static bool
is_key(const struct dns_tlsa *r)
{
	const unsigned char *p = r->data;
	EVP_PKEY *key = d2i_PUBKEY(NULL, &p, r->len);
	bool ok = key != NULL && p == r->data + r->len;

	EVP_PKEY_free(key);
	ERR_clear_error();
	return ok;
}

bool
tlsa_usable(const struct dns_tlsa *r)
{
	if (r->usage > TLSA_DANE_EE || r->selector > SELECT_KEY)
		return false;
	switch (r->matching) {
	case MATCH_WHOLE:
		return r->selector == SELECT_KEY ? is_key(r)
						 : is_certificate(r);
	case MATCH_SHA256:
		return r->len == SHA256_DIGEST_LENGTH;
	case MATCH_SHA512:
		return r->len == SHA512_DIGEST_LENGTH;
	default:
		return false;
	}
}

/* The set and the bytes its records lead to are one piece of memory. */
static struct tlsa_set *
new_set(const struct dns_tlsa *v, size_t count)
{
	struct tlsa_set *set;
	uint8_t *bytes;
	size_t total = 0;

	for (size_t i = 0; i < count; i++)
		total += v[i].len;
	set = malloc(sizeof(*set) + total);
	if (set == NULL)
		return NULL;
	bytes = (uint8_t *)(set + 1);
	set->count = count;
	for (size_t i = 0; i < count; i++) {
		set->v[i] = v[i];
		set->v[i].data = bytes;
		memcpy(bytes, v[i].data, v[i].len);
		bytes += v[i].len;
	}
	return set;
}

enum tlsa_verdict
tlsa_judge(struct tlsa_set **out, const struct dns_answer *a)
{
	struct dns_tlsa good[DNS_RECORDS_MAX];
	struct tlsa_set *set;
	size_t count = 0;

	if (a->status == DNS_BOGUS)
		return TLSA_BOGUS;
	if (a->status == DNS_FAILED)
		return TLSA_UNKNOWN;
	if (a->status != DNS_OK || !a->secure)
		return TLSA_NONE;
	for (size_t i = 0; i < a->count && i < DNS_RECORDS_MAX; i++)
		if (tlsa_usable(&a->tlsa[i]))
			good[count++] = a->tlsa[i];
	if (count == 0)
		return TLSA_NONE;
	set = new_set(good, count);
	if (set == NULL)
		return TLSA_UNKNOWN;
	*out = set;
	return TLSA_RECORDS;
}

struct tlsa_set *
tlsa_set_copy(const struct tlsa_set *set)
{
	return new_set(set->v, set->count);
}

void
tlsa_set_free(struct tlsa_set *set)
{
	free(set);
}
