#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <uv.h>

#include "common/base64.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/list.h"
#include "common/random.h"
#include "common/utf8.h"

static void
test_buf_grows(void **state)
{
	struct buf b = { 0 };

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(buf_addf(&b, "%d,", i), 0);
	assert_int_equal(b.len, 10 * 2 + 90 * 3 + 900 * 4);
	assert_memory_equal(b.data, "0,1,2,3,", 8);
	assert_string_equal(buf_cstr(&b) + b.len - 8, "998,999,");
	buf_consume(&b, b.len - 4);
	assert_string_equal(buf_cstr(&b), "999,");
	buf_consume(&b, 4);
	assert_string_equal(buf_cstr(&b), "");
	buf_finish(&b);
}

static void
test_buf_limit_is_sticky(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 8);
	assert_int_equal(buf_add_str(&b, "12345678"), 0);
	assert_int_equal(buf_add_str(&b, ""), 0);
	assert_false(buf_failed(&b));
	assert_int_equal(buf_add_char(&b, '9'), ERR_FULL);
	assert_true(buf_failed(&b));
	assert_string_equal(buf_cstr(&b), "12345678");
	buf_consume(&b, 4);
	assert_int_equal(buf_add_str(&b, "x"), ERR_FULL);
	assert_int_equal(buf_addf(&b, "%s", "x"), ERR_FULL);
	assert_null(buf_extend(&b, 1));
	assert_int_equal(b.len, 4);
	buf_clear(&b);
	assert_int_equal(buf_addf(&b, "%08d", 7), 0);
	assert_int_equal(buf_add(&b, NULL, 0), 0);
	assert_int_equal(buf_addf(&b, "%s", "9"), ERR_FULL);
	assert_string_equal(buf_cstr(&b), "00000007");
	buf_finish(&b);
}

static void
test_buf_extend(void **state)
{
	struct buf b = { 0 };
	uint8_t *p;

	(void)state;
	assert_non_null(buf_extend(&b, 0));
	p = buf_extend(&b, 300);
	assert_non_null(p);
	memset(p, 'x', 300);
	assert_int_equal(b.len, 300);
	assert_int_equal(strspn(buf_cstr(&b), "x"), 300);
	assert_null(buf_extend(&b, SIZE_MAX - 100));
	assert_int_equal(b.len, 300);
	assert_true(buf_failed(&b));
	buf_finish(&b);
	assert_null(b.data);
}

static void
test_err_names_all(void **state)
{
	(void)state;
#define X(name, code, text) assert_string_equal(err_str(name), text);
	ERR_CODES(X)
#undef X
	assert_string_equal(err_str(UV_ECONNRESET), "connection reset by peer");
	assert_string_equal(err_str(UV_EOF), "end of file");
	assert_string_equal(err_str(0), "no error");
	assert_string_equal(err_str(-9999), "unknown error");
	assert_string_equal(err_str(17), "unknown error");
}

/* RFC 4648 section 10, and what a strict decoder refuses. */
static void
test_base64(void **state)
{
	static const struct {
		const char *plain, *coded;
	} good[] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
		{ "\xfb\xff\xbf", "+/+/" },
	};
	static const char *const bad[] = { "Z", "Zg", "Zg=", "Zg==\n",
		"Zh==", "Zm9=", "Zm9v=", "====", "Z===", "=g==", "Zm9vZg==Zm9v",
		"Zm-_", "Z g=", "Zg=g", "Zm9v\xc3\xa4 =" };
	struct buf b = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		buf_clear(&b);
		assert_int_equal(
		    base64_encode(&b, good[i].plain, strlen(good[i].plain)), 0);
		assert_string_equal(buf_cstr(&b), good[i].coded);
		buf_clear(&b);
		assert_int_equal(
		    base64_decode(&b, good[i].coded, strlen(good[i].coded)), 0);
		assert_string_equal(buf_cstr(&b), good[i].plain);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		buf_clear(&b);
		buf_add_str(&b, "kept");
		assert_int_equal(
		    base64_decode(&b, bad[i], strlen(bad[i])), ERR_MALFORMED);
		assert_string_equal(buf_cstr(&b), "kept");
	}
	buf_finish(&b);
	buf_init(&b, 5);
	assert_int_equal(base64_encode(&b, "fooba", 5), ERR_FULL);
	buf_finish(&b);
}

static void
test_base64_round_trip(void **state)
{
	uint8_t raw[80];
	struct buf coded = { 0 }, plain = { 0 };

	(void)state;
	for (size_t len = 0; len <= sizeof(raw); len++) {
		random_bytes(raw, len);
		buf_clear(&coded);
		buf_clear(&plain);
		assert_int_equal(base64_encode(&coded, raw, len), 0);
		assert_int_equal(
		    base64_decode(&plain, (const char *)coded.data, coded.len),
		    0);
		assert_int_equal(plain.len, len);
		if (len > 0)
			assert_memory_equal(plain.data, raw, len);
	}
	buf_finish(&coded);
	buf_finish(&plain);
}

static void
test_random(void **state)
{
	char a[33], b[33];
	unsigned seen[5] = { 0 };

	(void)state;
	random_hex(a, 16);
	random_hex(b, 16);
	assert_int_equal(strspn(a, "0123456789abcdef"), 32);
	assert_int_equal(strlen(a), 32);
	assert_string_not_equal(a, b);
	for (int i = 0; i < 5000; i++)
		seen[random_below(5)]++;
	for (int i = 0; i < 5; i++)
		assert_in_range(seen[i], 800, 1200);
	assert_int_equal(random_below(1), 0);
}

static void
test_utf8(void **state)
{
	static const struct {
		const char *bytes;
		bool valid, xml;
	} rows[] = {
		{ "", true, true },
		{ "plain\t\r\n", true, true },
		{ "a\x07z", true, false },
		{ "\x7f", true, true },
		{ "\xc3\xa4", true, true },
		{ "\xc2\x80", true, true },
		{ "\xf0\x9f\x98\x80", true, true },
		{ "\xf4\x8f\xbf\xbf", true, true }, /* U+10FFFF */
		{ "\xef\xbf\xbe", true, false },    /* U+FFFE */
		{ "\xef\xbf\xbf", true, false },
		{ "\xef\xbf\xbd", true, true },
		{ "\xed\x9f\xbf", true, true },   /* U+D7FF */
		{ "\xed\xa0\x80", false, false }, /* surrogate */
		{ "\xc0\x80", false, false },     /* overlong */
		{ "\xc1\xbf", false, false },
		{ "\xe0\x9f\xbf", false, false },
		{ "\xf0\x8f\xbf\xbf", false, false },
		{ "\xf4\x90\x80\x80", false, false }, /* past the end */
		{ "\xf5\x80\x80\x80", false, false },
		{ "\x80", false, false },
		{ "\xc3", false, false },
		{ "\xe2\x82", false, false },
		{ "\xe2\x82z", false, false },
		{ "\xf0\x9f\x98", false, false },
		{ "\xff", false, false },
	};
	uint8_t out[4];
	uint32_t cp;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t len = strlen(rows[i].bytes);

		assert_int_equal(utf8_valid(rows[i].bytes, len), rows[i].valid);
		assert_int_equal(
		    utf8_valid_xml(rows[i].bytes, len), rows[i].xml);
	}
	assert_true(utf8_valid("a\0b", 3));
	assert_false(utf8_valid_xml("a\0b", 3));
	for (uint32_t c = 0; c <= 0x10ffff; c += c < 0x3000 ? 1 : 97) {
		size_t n;

		if (c >= 0xd800 && c <= 0xdfff)
			continue;
		n = utf8_encode(out, c);
		assert_int_equal(utf8_decode(out, n, &cp), n);
		assert_int_equal(cp, c);
		assert_int_equal(
		    utf8_decode(out, n - 1 + (n == 1), &cp), n == 1 ? 1 : 0);
	}
}

static void
test_list(void **state)
{
	struct list head, n[4];
	size_t count = 0;

	(void)state;
	list_init(&head);
	assert_true(list_empty(&head));
	for (int i = 0; i < 4; i++) {
		list_init(&n[i]);
		list_append(&head, &n[i]);
	}
	list_remove(&n[1]);
	list_remove(&n[1]);
	LIST_FOREACH (it, &head)
		assert_ptr_not_equal(it, &n[1]);
	LIST_FOREACH_SAFE (it, &head) {
		list_remove(it);
		count++;
	}
	assert_int_equal(count, 3);
	assert_true(list_empty(&head));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buf_grows),
		cmocka_unit_test(test_buf_limit_is_sticky),
		cmocka_unit_test(test_buf_extend),
		cmocka_unit_test(test_err_names_all),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_base64_round_trip),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
