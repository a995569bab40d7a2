/* tlsa: which records are of use, and what an answer says about its server. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/x509.h>

#include "edge-proxy/tlsa.h"
#include "tests/unit/make_cert.h"

static uint8_t digest[80];
static uint8_t cert_der[2048], key_der[512];
static uint16_t cert_len, key_len;

static int
make_der(void **state)
{
	struct make_cert c;
	unsigned char *p = cert_der;

	(void)state;
	make_cert_new(&c, &(struct make_cert_opts){ .cn = "a.example" });
	assert_true(i2d_X509(c.cert, NULL) <= (int)sizeof(cert_der));
	cert_len = (uint16_t)i2d_X509(c.cert, &p);
	p = key_der;
	assert_true(i2d_PUBKEY(c.key, NULL) <= (int)sizeof(key_der));
	key_len = (uint16_t)i2d_PUBKEY(c.key, &p);
	make_cert_finish(&c);
	return 0;
}

enum data { DIGEST, CERT, KEY };

static const struct {
	uint8_t usage, selector, matching;
	enum data data;
	int len; /* 0 = all of it; negative: so many less */
	bool usable;
} rows[] = {
	{ 3, 1, 1, DIGEST, 32, true },
	{ 3, 0, 1, DIGEST, 32, true },
	{ 2, 0, 1, DIGEST, 32, true },
	{ 2, 1, 2, DIGEST, 64, true },
	{ 1, 1, 1, DIGEST, 32, true },
	{ 0, 0, 2, DIGEST, 64, true },
	/* numbers without a meaning */
	{ 4, 1, 1, DIGEST, 32, false },
	{ 255, 1, 1, DIGEST, 32, false },
	{ 3, 2, 1, DIGEST, 32, false },
	{ 3, 255, 1, DIGEST, 32, false },
	{ 3, 1, 3, DIGEST, 32, false },
	{ 3, 1, 255, DIGEST, 32, false },
	/* digests of another length */
	{ 3, 1, 1, DIGEST, 31, false },
	{ 3, 1, 1, DIGEST, 33, false },
	{ 3, 1, 1, DIGEST, 64, false },
	{ 3, 1, 1, DIGEST, 1, false },
	{ 3, 1, 2, DIGEST, 32, false },
	{ 3, 1, 2, DIGEST, 65, false },
	/* the whole of it, of the right kind, and nothing behind */
	{ 3, 0, 0, CERT, 0, true },
	{ 2, 0, 0, CERT, 0, true },
	{ 3, 1, 0, KEY, 0, true },
	{ 3, 1, 0, CERT, 0, false },
	{ 3, 0, 0, KEY, 0, false },
	{ 3, 0, 0, CERT, -1, false },
	{ 3, 1, 0, KEY, -1, false },
	{ 3, 0, 0, DIGEST, 32, false },
	{ 3, 1, 0, DIGEST, 32, false },
};

static struct dns_tlsa
record(size_t i)
{
	const uint8_t *data[] = { digest, cert_der, key_der };
	const uint16_t all[] = { sizeof(digest), cert_len, key_len };
	int len =
	    rows[i].len > 0 ? rows[i].len : all[rows[i].data] + rows[i].len;

	return (struct dns_tlsa){ rows[i].usage, rows[i].selector,
		rows[i].matching, (uint16_t)len, data[rows[i].data] };
}

static void
test_records(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dns_tlsa r = record(i);

		if (tlsa_usable(&r) != rows[i].usable)
			fail_msg("row %zu: %u %u %u of %u bytes", i, r.usage,
			    r.selector, r.matching, r.len);
	}
}

/* Something behind a certificate or a key is none of it. */
static void
test_nothing_stands_behind(void **state)
{
	uint8_t longer[2049];
	struct dns_tlsa r = { 3, 0, 0, 0, longer };

	(void)state;
	memcpy(longer, cert_der, cert_len);
	longer[cert_len] = 0;
	r.len = (uint16_t)(cert_len + 1);
	assert_false(tlsa_usable(&r));
	memcpy(longer, key_der, key_len);
	longer[key_len] = 0;
	r.len = (uint16_t)(key_len + 1);
	r.selector = 1;
	assert_false(tlsa_usable(&r));
}

/* R: usable, U: unusable */
static const struct {
	enum dns_status status;
	bool secure;
	const char *records;
	enum tlsa_verdict verdict;
	size_t count;
} answers[] = {
	{ DNS_OK, true, "R", TLSA_RECORDS, 1 },
	{ DNS_OK, true, "URUR", TLSA_RECORDS, 2 },
	{ DNS_OK, true, "", TLSA_NONE, 0 },
	{ DNS_OK, true, "UU", TLSA_NONE, 0 },
	/* nobody signed it */
	{ DNS_OK, false, "R", TLSA_NONE, 0 },
	{ DNS_OK, false, "", TLSA_NONE, 0 },
	{ DNS_NXDOMAIN, true, "", TLSA_NONE, 0 },
	{ DNS_NXDOMAIN, false, "", TLSA_NONE, 0 },
	/* there might be one */
	{ DNS_FAILED, false, "", TLSA_UNKNOWN, 0 },
	{ DNS_BOGUS, false, "", TLSA_BOGUS, 0 },
	{ DNS_BOGUS, true, "R", TLSA_BOGUS, 0 },
};

static void
test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct dns_tlsa v[4];
		struct dns_answer a = { .status = answers[i].status,
			.secure = answers[i].secure,
			.type = DNS_TLSA,
			.count = strlen(answers[i].records),
			.tlsa = v };
		struct tlsa_set *set = NULL, *copy;

		for (size_t k = 0; k < a.count; k++)
			v[k] = (struct dns_tlsa){ 3, 1,
				answers[i].records[k] == 'R' ? 1 : 9, 32,
				digest + k };
		assert_int_equal(tlsa_judge(&set, &a), answers[i].verdict);
		if (answers[i].verdict != TLSA_RECORDS) {
			assert_null(set);
			continue;
		}
		assert_int_equal(set->count, answers[i].count);
		copy = tlsa_set_copy(set);
		tlsa_set_free(set);
		assert_non_null(copy);
		assert_int_equal(copy->count, answers[i].count);
		for (size_t k = 0; k < copy->count; k++)
			assert_memory_equal(copy->v[k].data,
			    digest + strcspn(answers[i].records, "R") + 2 * k,
			    32);
		tlsa_set_free(copy);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_nothing_stands_behind),
		cmocka_unit_test(test_answers),
	};

	for (size_t i = 0; i < sizeof(digest); i++)
		digest[i] = (uint8_t)i;
	return cmocka_run_group_tests(tests, make_der, NULL);
}
