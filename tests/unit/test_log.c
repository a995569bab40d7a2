#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <fcntl.h>
#include <cmocka.h>

#include "common/err.h"
#include "common/log.h"

static int pipe_fds[2];
static char line[8192];

/* The lines written since the last call, without time stamps. */
static const char *
lines(void)
{
	ssize_t n = read(pipe_fds[0], line, sizeof(line) - 1);

	if (n < 0)
		return "";
	line[n] = '\0';
	/* 2026-11-21T08:33:00.123Z and a space */
	assert_int_equal(strspn(line, "0123456789-T:.Z"), 24);
	return line + 25;
}

static void
test_quoting(void **state)
{
	static const struct {
		const char *value, *shown;
	} rows[] = {
		{ "plain", "plain" },
		{ "a.example:5269", "a.example:5269" },
		{ "", "\"\"" },
		{ NULL, "-" },
		{ "two words", "\"two words\"" },
		{ "x=1", "\"x=1\"" },
		{ "a\"b\\c", "\"a\\\"b\\\\c\"" },
		{ "a\nb\r\tc", "\"a\\nb\\r\\tc\"" },
		{ "\x1b[2J", "\"\\u{1b}[2J\"" },
		{ "gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\"" },
		{ "\xff", "\"\\xff\"" },
		{ "\xe2\x80\xae", "\"\\u{202e}\"" },
		{ "\xc2\x85", "\"\\u{85}\"" },
	};
	struct log l;
	char want[200];

	(void)state;
	log_init(&l, "test");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		log_info(&l, "event", "value=%s next=1", rows[i].value);
		snprintf(want, sizeof(want),
		    "info test event value=%s next=1\n", rows[i].shown);
		assert_string_equal(lines(), want);
	}
}

static void
test_conversions(void **state)
{
	struct log l;

	(void)state;
	log_init(&l, "test");
	log_object(&l, "stream=%s peer=%s", "in-1", "a b");
	log_warn(&l, "e", "a=%d b=%u c=%zu d=%llu e=%lld f=%.*s g=%s:%d h=%x",
	    -5, 7u, (size_t)9, 18446744073709551615ull, -1ll, 2, "xyz", "h", 80,
	    255u);
	assert_string_equal(lines(),
	    "warn test e stream=in-1 peer=\"a b\" a=-5 b=7 c=9 "
	    "d=18446744073709551615 e=-1 f=xy g=h:80 h=ff\n");
	log_error(&l, "bare", " ");
	assert_string_equal(
	    lines(), "error test bare stream=in-1 peer=\"a b\"\n");
}

/* Whatever is too long is cut inside its value; the line stays whole. */
static void
test_cutting(void **state)
{
	static char big[9000];
	struct log l;
	const char *got;
	size_t len;

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	log_init(&l, "test");
	log_object(&l, "id=%s", big);
	assert_true(strlen(l.object) < sizeof(l.object));
	assert_string_equal(l.object + strlen(l.object) - 4, "...\"");
	log_object(&l, "id=%s", "1");
	log_info(&l, "e", "long=%s after=%d", big, 1);
	got = lines();
	len = strlen(got);
	assert_in_range(len, 2048, 2200);
	assert_string_equal(got + len - 14, "x...\" after=1\n");
	memset(big, '\n', 2000);
	log_info(&l, "e", "a=%s b=%s c=%s d=%d", big, big, "short", 1);
	got = lines();
	len = strlen(got);
	assert_in_range(len, 4000, 4096);
	assert_ptr_equal(strchr(got, '\n'), got + len - 1);
	assert_string_equal(got + len - 5, "...\"\n");
}

static void
test_levels(void **state)
{
	struct log a, b;
	enum log_level level;

	(void)state;
	log_init(&a, "aa");
	log_init(&b, "bb");
	assert_false(log_enabled(&a, LOG_DEBUG));
	assert_int_equal(log_set_level("aa", LOG_DEBUG), 0);
	assert_true(log_enabled(&a, LOG_DEBUG));
	assert_false(log_enabled(&b, LOG_DEBUG));
	log_debug(&b, "no", "x=%d", 1);
	log_debug(&a, "yes", "x=%d", 1);
	assert_string_equal(lines(), "debug aa yes x=1\n");
	assert_int_equal(log_set_level("aa", LOG_ERROR), 0);
	log_warn(&a, "no", "x=%d", 1);
	assert_string_equal(lines(), "");
	assert_int_equal(log_set_level(NULL, LOG_INFO), 0);
	assert_true(log_enabled(&a, LOG_INFO));
	assert_int_equal(
	    log_set_level("a-component-whose-name-is-far-too-long", LOG_INFO),
	    ERR_TOO_LONG);
	assert_int_equal(log_level_parse(&level, "debug"), 0);
	assert_int_equal(level, LOG_DEBUG);
	assert_int_equal(log_level_parse(&level, "Debug"), ERR_MALFORMED);
}

static void
test_bodies_are_off(void **state)
{
	char text[1001] = "";
	struct log l;

	(void)state;
	log_init(&l, "test");
	log_set_level(NULL, LOG_DEBUG);
	log_body(&l, "sent", "secret", 6);
	assert_string_equal(lines(), "");
	log_set_bodies(true);
	log_body(&l, "sent", "secret", 3);
	assert_string_equal(lines(), "info test sent length=3 at=0 body=sec\n");
	/* A long one takes several lines, and breaks no character. */
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = i == 899 ? '\xc3' : i == 900 ? '\xa4' : 'x';
	log_body(&l, "sent", text, sizeof(text) - 1);
	assert_non_null(strstr(lines(), " length=1000 at=899 body="));
	log_set_bodies(false);
	log_set_level(NULL, LOG_INFO);
}

static void
test_process_and_loss(void **state)
{
	struct log l;
	int full[2];

	(void)state;
	log_init(&l, "test");
	log_set_process("streams");
	log_info(&l, "e", "x=%d", 1);
	assert_string_equal(lines(), "info streams/test e x=1\n");
	log_set_process(NULL);
	/* A reader that does not read must not stop the daemon. */
	assert_int_equal(pipe2(full, O_NONBLOCK), 0);
	while (write(full[1], line, 4096) > 0)
		;
	log_set_fd(full[1]);
	log_info(&l, "gone", "x=%d", 1);
	log_info(&l, "gone", "x=%d", 2);
	log_set_fd(pipe_fds[1]);
	log_info(&l, "e", "x=%d", 3);
	assert_string_equal(lines(), "info test e lost_lines=2 x=3\n");
	log_info(&l, "e", "x=%d", 4);
	assert_string_equal(lines(), "info test e x=4\n");
	close(full[0]);
	close(full[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quoting),
		cmocka_unit_test(test_conversions),
		cmocka_unit_test(test_cutting),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_bodies_are_off),
		cmocka_unit_test(test_process_and_loss),
	};

	if (pipe2(pipe_fds, O_NONBLOCK) < 0)
		return 1;
	log_set_fd(pipe_fds[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
