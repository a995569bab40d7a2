/* What the operator's command prints: clean, short, in columns. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "deploy/text.h"

static const struct {
	const char *in, *out;
} clean[] = {
	{ "", "" },
	{ "certificate names b\xC3\xBC.example", "certificate names b\xC3\xBC"
						 ".example" },
	{ "\x1B[2Jgone", "?[2Jgone" },
	{ "a\nb\x7F", "a?b?" },
	{ "\xC2\x9Bm", "?m" },        /* CSI in one character */
	{ "x\xE2\x80\xAEy", "x?y" },  /* right to left */
	{ "x\xE2\x81\xA7y", "x?y" },  /* isolate */
	{ "cut \xE2\x82", "cut ??" }, /* broken UTF-8 */
	{ "\xE2\x82\xAC", "\xE2\x82\xAC" },
};

static void
test_clean(void **state)
{
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(clean) / sizeof(clean[0]); i++) {
		text_clean(out, sizeof(out), clean[i].in);
		assert_string_equal(out, clean[i].out);
	}
	/* Never half a character. */
	text_clean(out, 3, "a\xE2\x82\xAC");
	assert_string_equal(out, "a");
}

static const struct {
	int64_t seconds;
	const char *text;
} durations[] = {
	{ 0, "0 s" },
	{ 119, "119 s" },
	{ 120, "2 min" },
	{ 7199, "119 min" },
	{ 7260, "2 h 1 min" },
	{ 180000, "2 d 2 h" },
};

static void
test_durations(void **state)
{
	char out[32];

	(void)state;
	for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
		text_duration(out, sizeof(out), durations[i].seconds);
		assert_string_equal(out, durations[i].text);
	}
}

static void
test_members(void **state)
{
	json_t *o = json_pack("{s:s, s:I, s:[s,s,i]}", "name", "a\tb", "n",
	    (json_int_t)7, "list", "x", "y", 3);

	(void)state;
	assert_string_equal(text_of(o, "name"), "a?b");
	assert_string_equal(text_of(o, "absent"), "");
	assert_int_equal(text_number(o, "n"), 7);
	assert_string_equal(text_list(o, "list"), "x, y");
	assert_string_equal(text_list(o, "absent"), "");
	json_decref(o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
