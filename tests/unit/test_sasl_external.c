/* sasl_external: what an initiator may ask for, and how it must be spelt. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/buf.h"
#include "edge-proxy/sasl_external.h"

static const struct {
	const char *text;
	enum sasl_answer answer;
} texts[] = {
	{ "=", SASL_SUCCESS },
	{ "cGFydG5lci5leGFtcGxl", SASL_SUCCESS },     /* partner.example */
	{ "UGFydG5lci5FWEFNUExF", SASL_SUCCESS },     /* Partner.EXAMPLE */
	{ "cGFydG5lci5leGFtcGxlLg==", SASL_SUCCESS }, /* partner.example. */
	{ "b3RoZXIuZXhhbXBsZQ==", SASL_INVALID_AUTHZID },
	{ "Ym9AcGFydG5lci5leGFtcGxl", SASL_INVALID_AUTHZID }, /* bo@ */
	{ "cGFydG5lci5leGFtcGxlL3g=", SASL_INVALID_AUTHZID }, /* /x */
	{ "cGFydG5lci5leGFtcGxlAA==", SASL_INVALID_AUTHZID }, /* NUL */
	{ "YS5wYXJ0bmVyLmV4YW1wbGU=", SASL_INVALID_AUTHZID }, /* a. */
	{ "ICA=", SASL_INVALID_AUTHZID },                     /* spaces */
	{ "/////w==", SASL_INVALID_AUTHZID },                 /* no UTF-8 */
	{ "cGFydG5l\nci5leGFtcGxl", SASL_INCORRECT_ENCODING },
	{ " cGFydG5lci5leGFtcGxl", SASL_INCORRECT_ENCODING },
	{ "cGFy=G5lci5leGFtcGxl", SASL_INCORRECT_ENCODING },
	{ "b3RoZXIuZXhhbXBsZR==", SASL_INCORRECT_ENCODING }, /* bits */
	{ "b3RoZXIuZXhhbXBsZQ", SASL_INCORRECT_ENCODING },
	{ "b3RoZXIuZXhhbXBsZQ=", SASL_INCORRECT_ENCODING },
	{ "b3RoZXIuZXhhbXBsZQ===", SASL_INCORRECT_ENCODING },
	{ "====", SASL_INCORRECT_ENCODING },
	{ "==", SASL_INCORRECT_ENCODING },
	{ "cGFydG5lci5leGFtcGx-", SASL_INCORRECT_ENCODING },
};

static void
test_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const char *t = texts[i].text;
		enum sasl_answer a = sasl_external_auth(
		    "EXTERNAL", t, strlen(t), "partner.example");

		if (a != texts[i].answer)
			fail_msg("%s: %s", t, sasl_external_str(a));
		assert_int_equal(
		    a, sasl_external_response(t, strlen(t), "partner.example"));
	}
}

static void
test_the_rest(void **state)
{
	char *huge = malloc(100000);
	struct buf b;

	(void)state;
	memset(huge, 'A', 100000);
	assert_int_equal(SASL_CHALLENGE,
	    sasl_external_auth("EXTERNAL", "", 0, "partner.example"));
	assert_int_equal(
	    SASL_SUCCESS, sasl_external_response("", 0, "partner.example"));
	assert_int_equal(SASL_MALFORMED_REQUEST,
	    sasl_external_auth(NULL, "=", 1, "partner.example"));
	assert_int_equal(SASL_INVALID_MECHANISM,
	    sasl_external_auth("PLAIN", "=", 1, "partner.example"));
	assert_int_equal(SASL_INVALID_MECHANISM,
	    sasl_external_auth("external", "=", 1, "partner.example"));
	assert_int_equal(SASL_INVALID_AUTHZID,
	    sasl_external_auth("EXTERNAL", huge, 100000, "partner.example"));
	assert_string_equal(
	    "invalid-authzid", sasl_external_str(SASL_INVALID_AUTHZID));
	buf_init(&b, 0);
	assert_int_equal(0, sasl_external_initial(&b, "partner.example"));
	assert_string_equal("cGFydG5lci5leGFtcGxl", buf_cstr(&b));
	buf_finish(&b);
	free(huge);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
