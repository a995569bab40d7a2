/*
 * log_limit on a manual clock; what is written goes into a pipe.
 */
#include "common/log_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/clock.h"

static int fds[2];
static char text[1 << 18];
static struct clock *clk;
static struct log a, b;

/* How often the words stand in what was written since the last call. */
static size_t
count(const char *words)
{
	size_t n = 0;

	for (const char *p = text; (p = strstr(p, words)) != NULL; p++)
		n++;
	return n;
}

static void
take(void)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(fds[0], text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
}

static int
setup(void **state)
{
	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	assert_true(fcntl(fds[1], F_SETPIPE_SZ, 1 << 20) > 0);
	log_set_fd(fds[1]);
	log_init(&a, "aa");
	log_init(&b, "bb");
	assert_int_equal(clock_open_manual(&clk, 5000, 0), 0);
	assert_int_equal(log_limit_start(clk), 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	log_limit_stop();
	clock_close(clk);
	log_set_fd(-1);
	close(fds[0]);
	close(fds[1]);
	return 0;
}

static void
shout(const struct log *l, const char *peer, const char *event, int times)
{
	for (int i = 0; i < times; i++)
		log_limited_warn(l, peer, event, "n=%d", i);
}

static void
test_counted(void **state)
{
	(void)state;
	shout(&a, "192.0.2.1", "alarm", 5000);
	take();
	assert_int_equal(count(" aa alarm n="), LOG_LIMIT_LINES);
	assert_int_equal(count(" n=19\n"), 1);
	assert_int_equal(count("suppressed"), 0);
	clock_advance(clk, LOG_LIMIT_MS - 1);
	shout(&a, "192.0.2.1", "alarm", 1);
	take();
	assert_string_equal(text, "");
	clock_advance(clk, 1);
	take();
	assert_int_equal(
	    count("warn aa suppressed event=alarm what=- "
		  "peer=192.0.2.1 lines=4981 seconds=60 event_id=1001\n"),
	    1);
	/* And a new minute. */
	shout(&a, "192.0.2.1", "alarm", 3);
	take();
	assert_int_equal(count(" aa alarm n="), 3);
	clock_advance(clk, 2 * LOG_LIMIT_MS);
	take();
	assert_string_equal(text, "");
}

/* Nobody uses up what belongs to another. */
static void
test_apart(void **state)
{
	struct log_limit what = {
		.log = &a, .level = LOG_ERROR, .event = "alarm", .peer = "p1"
	};

	(void)state;
	shout(&a, "p1", "alarm", 100);
	shout(&a, "p2", "alarm", 1);
	shout(&a, NULL, "alarm", 1);
	shout(&a, "p1", "other", 1);
	shout(&b, "p1", "alarm", 1);
	what.what = "kind";
	log_limited(&what, "n=%d", 0);
	take();
	assert_int_equal(count(" aa alarm n="), LOG_LIMIT_LINES + 3);
	assert_int_equal(count(" aa other n=0"), 1);
	assert_int_equal(count(" bb alarm n=0"), 1);
	assert_int_equal(count("error aa alarm n=0"), 1);
	clock_advance(clk, LOG_LIMIT_MS);
	take();
	assert_int_equal(count("suppressed"), 1);
}

static void
test_larger_budget(void **state)
{
	struct log_limit limit = { .log = &a,
		.level = LOG_INFO,
		.event = "up",
		.peer = "p1",
		.lines = 300 };

	(void)state;
	for (int i = 0; i < 301; i++)
		log_limited(&limit, "n=%d", i);
	take();
	assert_int_equal(count(" up n="), 300);
	clock_advance(clk, LOG_LIMIT_MS);
	take();
	assert_int_equal(count("info aa suppressed event=up what=- peer=p1 "
			       "lines=1 "),
	    1);
}

/* From thousands of addresses: they share one budget at last. */
static void
test_many_peers(void **state)
{
	char peer[32];

	(void)state;
	shout(&a, "patient", "alarm", 1);
	for (int i = 0; i < 10000; i++) {
		snprintf(peer, sizeof(peer), "2001:db8::%x", (unsigned)i);
		shout(&a, peer, "alarm", 1);
	}
	shout(&b, "late", "alarm", 1);
	take();
	assert_int_equal(
	    count(" aa alarm n="), LOG_LIMIT_PEERS + LOG_LIMIT_LINES);
	assert_int_equal(count(" bb alarm n="), 1);
	clock_advance(clk, LOG_LIMIT_MS);
	take();
	assert_int_equal(count("suppressed"), 1);
	assert_int_equal(count("peer=(others) lines=9469 "), 1);
	shout(&a, "2001:db8::ffff", "alarm", 1);
	take();
	assert_int_equal(count(" aa alarm n="), 1);
}

/* Each minute begins for itself. */
static void
test_minutes(void **state)
{
	(void)state;
	shout(&a, "p1", "alarm", 25);
	clock_advance(clk, LOG_LIMIT_MS / 2);
	shout(&a, "p2", "alarm", 26);
	clock_advance(clk, LOG_LIMIT_MS / 2);
	take();
	assert_int_equal(count("peer=p1 lines=5 "), 1);
	assert_int_equal(count("suppressed"), 1);
	clock_advance(clk, LOG_LIMIT_MS / 2);
	take();
	assert_int_equal(count("peer=p2 lines=6 "), 1);
}

/* What is not written at that level is not counted either. */
static void
test_level(void **state)
{
	(void)state;
	log_set_level(NULL, LOG_ERROR);
	shout(&a, "p1", "alarm", 100);
	log_set_level(NULL, LOG_INFO);
	shout(&a, "p1", "alarm", 1);
	take();
	assert_int_equal(count(" alarm n="), 1);
	clock_advance(clk, LOG_LIMIT_MS);
	take();
	assert_string_equal(text, "");
}

static void
test_stop(void **state)
{
	(void)state;
	shout(&a, "p1", "alarm", 100);
	take();
	log_limit_stop();
	take();
	assert_int_equal(count("suppressed"), 1);
	assert_int_equal(count("lines=80 "), 1);
	shout(&a, "p1", "alarm", 100);
	take();
	assert_int_equal(count(" alarm n="), 100);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_counted),
		T(test_apart),
		T(test_larger_budget),
		T(test_many_peers),
		T(test_minutes),
		T(test_level),
		T(test_stop),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
