/* The 18 combinations of a partner's negotiation settings. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/err.h"
#include "proto/negotiation.h"

#define R NEG_REQUIRED
#define O NEG_OPTIONAL
#define N NEG_NOT_SUPPORTED

enum {
	NONE = 0,
	S = AUTH_SASL_TLS,
	D = AUTH_DIALBACK_TLS,
	T = AUTH_DIALBACK_TCP
};
enum {
	QUIET = 0,
	NEEDS = NEG_WARN_SASL_NEEDS_TLS,
	INERT = NEG_WARN_DIALBACK_INERT
};

static const struct {
	enum negotiation tls, sasl;
	bool dialback;
	unsigned methods, warnings;
} rows[] = {
	{ R, R, true, S, INERT },
	{ R, R, false, S, QUIET },
	{ O, R, true, S | D | T, NEEDS },
	{ O, R, false, S, NEEDS },
	{ N, R, true, T, NEEDS },
	{ N, R, false, NONE, QUIET },
	{ R, O, true, S | D, QUIET },
	{ R, O, false, S, QUIET },
	{ O, O, true, S | D | T, NEEDS },
	{ O, O, false, S, NEEDS },
	{ N, O, true, T, NEEDS },
	{ N, O, false, NONE, QUIET },
	{ R, N, true, D, QUIET },
	{ R, N, false, NONE, QUIET },
	{ O, N, true, D | T, QUIET },
	{ O, N, false, NONE, QUIET },
	{ N, N, true, T, QUIET },
	{ N, N, false, NONE, QUIET },
};

static void
every_combination_permits_what_the_matrix_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct negotiation_verdict v = negotiation_judge(
		    rows[i].tls, rows[i].sasl, rows[i].dialback);

		if (v.methods != rows[i].methods ||
		    v.warnings != rows[i].warnings)
			fail_msg("row %zu: methods %x, warnings %x", i,
			    v.methods, v.warnings);
	}
}

static void
names_are_those_of_the_cmdlets(void **state)
{
	enum negotiation n = NEG_REQUIRED;

	(void)state;
	assert_int_equal(negotiation_parse(&n, "NotSupported"), 0);
	assert_int_equal(n, NEG_NOT_SUPPORTED);
	assert_int_equal(negotiation_parse(&n, "Optional"), 0);
	assert_int_equal(n, NEG_OPTIONAL);
	assert_int_equal(negotiation_parse(&n, "required"), ERR_MALFORMED);
	assert_string_equal(negotiation_str(NEG_REQUIRED), "Required");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    every_combination_permits_what_the_matrix_says),
		cmocka_unit_test(names_are_those_of_the_cmdlets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
