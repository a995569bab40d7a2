/* deploy/powershell: what a script takes for a value, and nothing else. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/buf.h"
#include "common/err.h"
#include "deploy/powershell.h"

static const struct {
	const char *text, *quoted;
	int rc;
} values[] = {
	{ "contoso.example", "'contoso.example'", 0 },
	{ "", "''", 0 },
	{ "it's", "'it''s'", 0 },
	{ "'; Remove-Item C:\\ #", "'''; Remove-Item C:\\ #'", 0 },
	{ "$(calc) `n \"x\"", "'$(calc) `n \"x\"'", 0 },
	{ "K\xC3\xB6ln", "('K' + [char]0xF6 + 'ln')", 0 },
	/* A typographic quote ends a string for PowerShell. */
	{ "a\xE2\x80\x99; calc", "('a' + [char]0x2019 + '; calc')", 0 },
	{ "\xF0\x9F\x98\x80", "('' + [char]0xD83D + [char]0xDE00)", 0 },
	{ "a\nb", NULL, ERR_MALFORMED },
	{ "a\x7F", NULL, ERR_MALFORMED },
	{ "\xC2\x85", NULL, ERR_MALFORMED },
	{ "\xC3", NULL, ERR_MALFORMED },
};

static void
test_quote(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct buf out;

		buf_init(&out, 1000);
		assert_int_equal(
		    powershell_quote(&out, values[i].text), values[i].rc);
		if (values[i].rc == 0)
			assert_string_equal(buf_cstr(&out), values[i].quoted);
		buf_finish(&out);
	}
}

static void
test_no_room(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 5);
	assert_int_equal(powershell_quote(&out, "longer"), ERR_FULL);
	buf_finish(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quote),
		cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
