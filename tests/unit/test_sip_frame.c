/* sip_frame: what is cut where, at every split, and what is refused. */
#include "frontend-gateway/sip/sip_frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/err.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define HEAD(body) "MESSAGE sip:a@b SIP/2.0\r\nContent-Length: " body "\r\n\r\n"

/* A stream and what comes out: m(head bytes,body), p(ing), t(oo large), and
 * the error at its end. */
static const struct {
	const char *stream;
	const char *items;
	int rc;
} rows[] = {
	{ "", "", 0 },
	{ HEAD("0"), "m0 ", 0 },
	{ HEAD("5") "hello", "m5 ", 0 },
	{ HEAD("5") "hello" HEAD("0"), "m5 m0 ", 0 },
	{ HEAD("2") "\r\n" HEAD("0"), "m2 m0 ", 0 },
	{ "\r\n" HEAD("0"), "m0 ", 0 },
	{ "\r\n\r\n", "p ", 0 },
	{ "\r\n\r\n\r\n", "p ", 0 },
	{ "\r\n\r\n\r\n\r\n" HEAD("0"), "p p m0 ", 0 },
	{ "\r\n" HEAD("0") "\r\n" HEAD("0"), "m0 m0 ", 0 },
	{ HEAD("0") "\r\n\r\n" HEAD("0"), "m0 p m0 ", 0 },
	{ HEAD("5") "hell", "", 0 },
	/* Header forms. */
	{ "A b c\r\nl:3\r\n\r\nabc", "m3 ", 0 },
	{ "A b c\r\nL \t: \t3 \t\r\n\r\nabc", "m3 ", 0 },
	{ "A b c\r\ncontent-LENGTH:003\r\nX: y\r\n\r\nabc", "m3 ", 0 },
	{ "A b c\r\nX: y\r\n folded\r\n\tmore\r\nl: 0\r\n\r\n", "m0 ", 0 },
	{ "A b c\r\nX: Content-Length: 9\r\nl: 0\r\n\r\n", "m0 ", 0 },
	/* Length. */
	{ "A b c\r\nX: y\r\n\r\n", "", ERR_MALFORMED },
	{ "A b c\r\n\r\n", "", ERR_MALFORMED },
	{ HEAD("-3"), "", ERR_MALFORMED },
	{ HEAD("+3"), "", ERR_MALFORMED },
	{ HEAD(""), "", ERR_MALFORMED },
	{ HEAD(" "), "", ERR_MALFORMED },
	{ HEAD("0x3"), "", ERR_MALFORMED },
	{ HEAD("3,3"), "", ERR_MALFORMED },
	{ HEAD("3 3"), "", ERR_MALFORMED },
	{ HEAD("99999999999"), "", ERR_MALFORMED },
	{ HEAD("9999999999"), "", ERR_TOO_LONG },
	{ "A b c\r\nl: 0\r\nContent-Length: 0\r\n\r\n", "", ERR_MALFORMED },
	{ "A b c\r\nl: 3\r\nl: 3\r\n\r\nabc", "", ERR_MALFORMED },
	{ "A b c\r\nl: 1\r\n 2\r\n\r\nabc", "", ERR_MALFORMED },
	{ "A b c\r\nl:\r\n 2\r\n\r\nab", "", ERR_MALFORMED },
	/* Line ends. */
	{ "A b c\nl: 0\n\n", "", ERR_MALFORMED },
	{ "A b c\r\nl: 0\r\n\n", "", ERR_MALFORMED },
	{ "A b c\r\nl: 0\n\r\n", "", ERR_MALFORMED },
	{ "A b c\r\nl: 0\r\r\n\r\n", "", ERR_MALFORMED },
	{ "A b\rc\r\nl: 0\r\n\r\n", "", ERR_MALFORMED },
	{ "A b c\r\nX: a\rb\r\nl: 0\r\n\r\n", "", ERR_MALFORMED },
	{ "A b c\r\n\rl: 0\r\n\r\n", "", ERR_MALFORMED },
	{ "\rA", "", ERR_MALFORMED },
	{ "\n", "", ERR_MALFORMED },
	{ "\r\n\n", "", ERR_MALFORMED },
	{ "\r\n\r\n\rA", "p ", ERR_MALFORMED },
	/* Lines. */
	{ "A b c\r\n folded\r\nl: 0\r\n\r\n", "", ERR_MALFORMED },
	{ "A b c\r\nno colon\r\nl: 0\r\n\r\n", "m0 ", 0 },
	{ "A b c\r\n: v\r\nl: 0\r\n\r\n", "m0 ", 0 },
	{ "A b c\r\nl 3\r\nl: 0\r\n\r\n", "m0 ", 0 },
	/* Limits of the test: 200 bytes of head, 5 lines, 10 of body. */
	{ HEAD("10") "0123456789", "m10 ", 0 },
	{ HEAD("11") "0123456789a" HEAD("1") "b", "t m1 ", 0 },
	{ HEAD("30") "0123456789\r\n\r\n0123456789\r\n\r\n01"
		     "\r\n\r\n",
	    "t p ", 0 },
	{ HEAD("101"), "", ERR_TOO_LONG },
	{ "A b c\r\na: 1\r\nb: 2\r\nc: 3\r\nd: 4\r\nl: 0\r\n\r\n", "m0 ", 0 },
	{ "A b c\r\na: 1\r\nb: 2\r\nc: 3\r\nd: 4\r\ne: 5\r\nl: 0\r\n\r\n", "",
	    ERR_TOO_LONG },
};

static const struct sip_frame_limits limits = {
	.head_max = 200, .headers_max = 5, .body_max = 10, .skip_max = 100
};

/* Takes what is there; notes it in out. */
static int
drain(struct sip_frame *f, char *out, size_t size)
{
	struct sip_frame_item item;
	size_t n;
	int rc;

	for (;;) {
		rc = sip_frame_next(f, &item);
		if (rc < 0)
			return rc;
		n = strlen(out);
		switch (item.kind) {
		case SIP_FRAME_NONE:
			return 0;
		case SIP_FRAME_PING:
			snprintf(out + n, size - n, "p ");
			break;
		case SIP_FRAME_MESSAGE:
			assert_memory_equal(
			    item.head + item.head_len - 4, "\r\n\r\n", 4);
			assert_ptr_equal(item.body, item.head + item.head_len);
			snprintf(out + n, size - n, "m%zu ", item.body_len);
			break;
		case SIP_FRAME_TOO_LARGE:
			assert_int_equal(item.body_len, 0);
			snprintf(out + n, size - n, "t ");
			break;
		}
	}
}

static void
run(const char *stream, const size_t *cuts, size_t cut_count, const char *items,
    int want)
{
	struct sip_frame f;
	char out[256] = "";
	size_t at = 0, end;
	int rc = 0;

	sip_frame_init(&f, &limits);
	for (size_t i = 0; rc == 0 && i <= cut_count; i++) {
		end = cuts != NULL && i < cut_count ? cuts[i] : strlen(stream);
		assert_int_equal(
		    sip_frame_feed(&f, (const uint8_t *)stream + at, end - at),
		    0);
		at = end;
		rc = drain(&f, out, sizeof(out));
	}
	if (rc != want || strcmp(out, items) != 0)
		fail_msg("stream '%s' cut %zu: got '%s' %d, want '%s' %d",
		    stream, cut_count > 0 ? cuts[0] : 0, out, rc, items, want);
	if (rc < 0) { /* errors stay */
		struct sip_frame_item item;

		assert_int_equal(sip_frame_next(&f, &item), rc);
		assert_int_equal(
		    sip_frame_feed(&f, (const uint8_t *)"x", 1), rc);
	}
	sip_frame_finish(&f);
}

static void
test_rows_at_every_split(void **state)
{
	size_t cuts[512];
	size_t len;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		len = strlen(rows[i].stream);
		run(rows[i].stream, NULL, 0, rows[i].items, rows[i].rc);
		for (size_t cut = 0; cut <= len; cut++)
			run(rows[i].stream, &cut, 1, rows[i].items, rows[i].rc);
		for (size_t cut = 0; cut < len; cut++)
			cuts[cut] = cut;
		run(rows[i].stream, cuts, len, rows[i].items, rows[i].rc);
	}
}

static void
test_nul(void **state)
{
	static const char with_nul[] = "A b c\r\nX: a\0b\r\nl: 0\r\n\r\n";
	static const char in_length[] = "A b c\r\nl: 0\0\r\n\r\n";
	static const char in_body[] = "A b c\r\nl: 3\r\n\r\na\0b";
	struct sip_frame f;
	struct sip_frame_item item;

	(void)state;
	sip_frame_init(&f, NULL);
	/* In the head it changes no boundary, unless it is of the length. */
	sip_frame_feed(&f, (const uint8_t *)with_nul, sizeof(with_nul) - 1);
	assert_int_equal(sip_frame_next(&f, &item), 0);
	assert_int_equal(item.kind, SIP_FRAME_MESSAGE);
	assert_int_equal(item.head_len, sizeof(with_nul) - 1);
	sip_frame_finish(&f);
	sip_frame_init(&f, NULL);
	sip_frame_feed(&f, (const uint8_t *)in_length, sizeof(in_length) - 1);
	assert_int_equal(sip_frame_next(&f, &item), ERR_MALFORMED);
	sip_frame_finish(&f);
	sip_frame_init(&f, NULL);
	sip_frame_feed(&f, (const uint8_t *)in_body, sizeof(in_body) - 1);
	assert_int_equal(sip_frame_next(&f, &item), 0);
	assert_int_equal(item.kind, SIP_FRAME_MESSAGE);
	assert_memory_equal(item.body, "a\0b", 3);
	sip_frame_finish(&f);
}

/* One header line of 60 KB, in pieces of 1000 bytes. */
static void
test_long_line(void **state)
{
	enum { LINE = 60 * 1024 };
	static const char start[] = "INVITE sip:a@b SIP/2.0\r\nms-im-format: ";
	static const char rest[] = "\r\nContent-Length: 2\r\n\r\nhi";
	size_t total = sizeof(start) - 1 + LINE + sizeof(rest) - 1;
	char *stream = malloc(total);
	struct sip_frame f;
	struct sip_frame_item item = { 0 };

	(void)state;
	assert_non_null(stream);
	memcpy(stream, start, sizeof(start) - 1);
	memset(stream + sizeof(start) - 1, 'Q', LINE);
	memcpy(stream + sizeof(start) - 1 + LINE, rest, sizeof(rest) - 1);
	sip_frame_init(&f, NULL);
	for (size_t at = 0; at < total; at += 1000) {
		assert_int_equal(item.kind, SIP_FRAME_NONE);
		sip_frame_feed(&f, (const uint8_t *)stream + at,
		    total - at < 1000 ? total - at : 1000);
		assert_int_equal(sip_frame_next(&f, &item), 0);
	}
	assert_int_equal(item.kind, SIP_FRAME_MESSAGE);
	assert_int_equal(item.head_len, total - 2);
	assert_int_equal(item.body_len, 2);
	sip_frame_finish(&f);
	free(stream);
}

/* A head that never ends is refused at the limit, whatever it consists of. */
static void
test_endless_head(void **state)
{
	static const char *const pieces[] = { "x", "x: y\r\n", "A: b\r\n c" };
	struct sip_frame_item item;
	struct sip_frame f;
	size_t fed;
	int rc;

	(void)state;
	for (size_t i = 0; i < COUNT(pieces); i++) {
		sip_frame_init(&f, &limits);
		rc = 0;
		for (fed = 0; rc == 0 && fed < 1000; fed += strlen(pieces[i])) {
			sip_frame_feed(
			    &f, (const uint8_t *)pieces[i], strlen(pieces[i]));
			rc = sip_frame_next(&f, &item);
		}
		assert_true(rc < 0);
		assert_true(fed <= 220);
		sip_frame_finish(&f);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_at_every_split),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_endless_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
