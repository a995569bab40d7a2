/* Turns at a bounded rate, the weightiest first. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/clock.h"
#include "frontend-gateway/presence/pace.h"

enum { ITEMS = 200 };

static struct clock *clk;
static struct pace *pace;
static struct pace_item items[ITEMS];
static size_t order[ITEMS], done;

static void
on_turn(struct pace_item *item, void *arg)
{
	(void)arg;
	assert_int_equal(item->slot, 0);
	order[done++] = (size_t)(item - items);
}

static void
begin(uint32_t per_second)
{
	memset(items, 0, sizeof(items));
	done = 0;
	assert_int_equal(clock_open_manual(&clk, 1000, 1000), 0);
	assert_int_equal(pace_new(&pace, clk, per_second, on_turn, NULL), 0);
}

static void
end(void)
{
	pace_free(pace);
	clock_close(clk);
}

static void
the_rate_is_kept(void **state)
{
	static const uint32_t rates[] = { 1, 7, 25, 50, 1000 };

	(void)state;
	for (size_t r = 0; r < sizeof(rates) / sizeof(rates[0]); r++) {
		size_t burst = rates[r] * PACE_BURST_MS / 1000 + 1;
		size_t most = 2 * rates[r] + burst;

		begin(rates[r]);
		for (size_t i = 0; i < ITEMS; i++)
			assert_int_equal(pace_put(pace, &items[i], 0), 0);
		for (int i = 0; i < 2000; i++)
			clock_advance(clk, 1);
		if (most > ITEMS)
			most = ITEMS;
		assert_true(done <= most);
		assert_true(
		    done + 1 >= (2 * rates[r] < ITEMS ? 2 * rates[r] : ITEMS));
		assert_int_equal(pace_count(pace), ITEMS - done);
		end();
	}
}

static void
the_weightiest_goes_first(void **state)
{
	(void)state;
	begin(25);
	for (size_t i = 0; i < ITEMS; i++)
		assert_int_equal(
		    pace_put(pace, &items[i], (int64_t)(i * 37 % ITEMS)), 0);
	/* A second put changes nothing. */
	assert_int_equal(pace_put(pace, &items[0], INT64_MAX), 0);
	for (int i = 0; i < 20000 && done < ITEMS; i++)
		clock_advance(clk, 1);
	assert_int_equal(done, ITEMS);
	for (size_t i = 0; i < ITEMS; i++)
		assert_int_equal(order[i] * 37 % ITEMS, ITEMS - 1 - i);
	end();
}

static void
who_leaves_has_no_turn(void **state)
{
	(void)state;
	begin(1000);
	for (size_t i = 0; i < ITEMS; i++)
		assert_int_equal(
		    pace_put(pace, &items[i], (int64_t)(i * 37 % ITEMS)), 0);
	for (size_t i = 0; i < ITEMS; i += 3)
		pace_remove(pace, &items[i]);
	pace_remove(pace, &items[0]);
	clock_advance(clk, 10000);
	for (int i = 0; i < 1000; i++)
		clock_advance(clk, 1);
	assert_int_equal(done, ITEMS - (ITEMS + 2) / 3);
	for (size_t i = 0; i < done; i++) {
		assert_int_not_equal(order[i] % 3, 0);
		if (i > 0)
			assert_true(
			    order[i] * 37 % ITEMS < order[i - 1] * 37 % ITEMS);
	}
	end();
}

static void
held_it_rests_and_saves_no_turns(void **state)
{
	(void)state;
	begin(10);
	pace_hold(pace, true);
	for (size_t i = 0; i < ITEMS; i++)
		assert_int_equal(pace_put(pace, &items[i], 0), 0);
	clock_advance(clk, 60000);
	assert_int_equal(done, 0);
	pace_hold(pace, false);
	clock_advance(clk, 1);
	assert_true(done <= 1 + 10 * PACE_BURST_MS / 1000);
	pace_set_rate(pace, 1000);
	for (int i = 0; i < 1000; i++)
		clock_advance(clk, 1);
	assert_int_equal(done, ITEMS);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rate_is_kept),
		cmocka_unit_test(the_weightiest_goes_first),
		cmocka_unit_test(who_leaves_has_no_turn),
		cmocka_unit_test(held_it_rests_and_saves_no_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
