/* News for thousands of pairs: as many are told in a turn as fit into some
 * milliseconds, and none is left out. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "frontend-gateway/presence/presence_impl.h"

enum { PAIRS = 2500 };

static struct pair *pairs;
static struct list all;
static struct clock *wall;
static struct presence_sweep sweep;
static size_t told;
static long each_ns; /* what comes of it takes so long */

static void
on_told(struct pair *p, const struct presence_sweep *s)
{
	const uint64_t end = uv_hrtime() + (uint64_t)each_ns;

	/* In their order. */
	assert_ptr_equal(p, &pairs[told]);
	assert_int_equal(s->event, PAIR_ON_POLICY);
	told++;
	while (uv_hrtime() < end)
		;
}

static int
on_setup(void **state)
{
	(void)state;
	pairs = calloc(PAIRS, sizeof(*pairs));
	assert_non_null(pairs);
	list_init(&all);
	for (size_t i = 0; i < PAIRS; i++) {
		list_init(&pairs[i].all);
		list_append(&all, &pairs[i].all);
	}
	told = 0;
	assert_int_equal(clock_open_manual(&wall, 0, 0), 0);
	sweep_init(&sweep, wall, &all, NULL);
	return 0;
}

static int
on_teardown(void **state)
{
	(void)state;
	sweep_stop(&sweep);
	clock_close(wall);
	free(pairs);
	return 0;
}

static void
what_is_quick_goes_by_the_thousand(void **state)
{
	(void)state;
	each_ns = 0;
	sweep_start(&sweep, on_told, PAIR_ON_POLICY);
	assert_int_equal(told, 0);
	for (size_t turns = 0; told < PAIRS; turns++) {
		size_t before = told;

		clock_advance(wall, 1);
		assert_true(told > before && told - before <= 1000);
		assert_true(turns < PAIRS / 8 + 1);
	}
	clock_advance(wall, 10);
	assert_int_equal(told, PAIRS);
}

static void
what_takes_long_leaves_the_turn(void **state)
{
	(void)state;
	each_ns = 1000000;
	sweep_start(&sweep, on_told, PAIR_ON_POLICY);
	for (size_t turns = 0; turns < 4; turns++) {
		size_t before = told;

		clock_advance(wall, 1);
		assert_in_range(told - before, 1, 8);
	}
}

/* It begins anew, with all of them. */
static void
other_news_overtake_it(void **state)
{
	(void)state;
	each_ns = 1000000;
	sweep_start(&sweep, on_told, PAIR_ON_POLICY);
	clock_advance(wall, 1);
	assert_true(told > 0);
	told = 0;
	each_ns = 0;
	sweep_start(&sweep, on_told, PAIR_ON_POLICY);
	clock_advance(wall, 1000);
	assert_int_equal(told, PAIRS);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, on_setup, on_teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_is_quick_goes_by_the_thousand),
		TEST(what_takes_long_leaves_the_turn),
		TEST(other_news_overtake_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
