/* deploy/ask: records as they come. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "deploy/ask.h"

#define DATA(s) (const uint8_t *)(s), sizeof(s) - 1

static const struct {
	int type;
	const uint8_t *data;
	size_t len;
	const char *text; /* NULL = refused */
} records[] = {
	{ ASK_A, DATA("\xC0\0\2\1"), "192.0.2.1" },
	{ ASK_A, DATA("\xC0\0\2"), NULL },
	{ ASK_A, DATA(""), NULL },
	{ ASK_AAAA, DATA("\x20\1\r\xB8\0\0\0\0\0\0\0\0\0\0\0\1"),
	    "2001:db8::1" },
	{ ASK_AAAA, DATA("\xC0\0\2\1"), NULL },
	{ ASK_SRV, DATA("\0\1\0\2\x14\x95\4Edge\7example\0"), "edge.example" },
	{ ASK_SRV, DATA("\0\1\0\2\x14\x95\0"), "." },
	{ ASK_SRV, DATA("\0\1\0\2\x14\x95"), NULL },
	/* No end, an end too early, a length beyond it, compression. */
	{ ASK_SRV, DATA("\0\1\0\2\x14\x95\4edge"), NULL },
	{ ASK_SRV, DATA("\0\1\0\2\x14\x95\4edge\0x"), NULL },
	{ ASK_SRV, DATA("\0\1\0\2\x14\x95\5edge\0"), NULL },
	{ ASK_SRV, DATA("\0\1\0\2\x14\x95\xC0\x0C"), NULL },
	/* A label with a dot or an escape sequence is no other name. */
	{ ASK_SRV, DATA("\0\1\0\2\x14\x95\4a.b\x1B\0"), "a?b?" },
	{ ASK_TLSA, DATA("\3\1\1x"), "" },
	{ ASK_TLSA, DATA("\3\1\1"), NULL },
};

static void
test_records(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		struct ask_record r;
		bool ok = ask_read_record(
		    &r, records[i].type, records[i].data, records[i].len);

		assert_int_equal(ok, records[i].text != NULL);
		if (ok)
			assert_string_equal(r.text, records[i].text);
	}
}

static void
test_numbers(void **state)
{
	struct ask_record r;
	uint8_t longest[3 + ASK_DATA_MAX + 1] = { 3, 0, 2 };

	(void)state;
	assert_true(ask_read_record(
	    &r, ASK_SRV, DATA("\0\1\0\2\x14\x95\4edge\7example\0")));
	assert_int_equal(r.priority, 1);
	assert_int_equal(r.weight, 2);
	assert_int_equal(r.port, 5269);
	assert_true(
	    ask_read_record(&r, ASK_TLSA, longest, sizeof(longest) - 1));
	assert_int_equal(r.usage, 3);
	assert_int_equal(r.selector, 0);
	assert_int_equal(r.matching, 2);
	assert_int_equal(r.len, ASK_DATA_MAX);
	assert_true(ask_read_record(&r, ASK_TLSA, longest, sizeof(longest)));
	assert_int_equal(r.len, ASK_DATA_MAX + 1); /* told, not kept */
}

/* Names of 253 characters fit, longer ones are refused. */
static void
test_long_names(void **state)
{
	uint8_t data[6 + 64 * 4 + 1] = { 0 };
	struct ask_record r;
	size_t at = 6;

	(void)state;
	for (int i = 0; i < 4; i++) {
		data[at] = 63;
		memset(data + at + 1, 'a' + i, 63);
		at += 64;
	}
	assert_false(ask_read_record(&r, ASK_SRV, data, sizeof(data)));
	data[6 + 64 * 3] = 61;
	data[6 + 64 * 3 + 62] = 0;
	assert_true(ask_read_record(&r, ASK_SRV, data, 6 + 64 * 3 + 63));
	assert_int_equal(strlen(r.text), 253);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
