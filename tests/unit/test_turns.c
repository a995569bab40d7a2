/* What a turn of a loop counts: work, and not the wait for it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/turns.h"

enum { WORK_MS = 30, WAIT_MS = 120, ROUNDS = 3 };

static unsigned rounds;

static void
on_timer(uv_timer_t *h)
{
	const uint64_t began = uv_hrtime();

	while (uv_hrtime() - began < (uint64_t)WORK_MS * 1000000)
		;
	if (++rounds == ROUNDS)
		uv_close((uv_handle_t *)h, NULL);
}

static json_int_t
number(const json_t *j, const char *member)
{
	return json_integer_value(json_object_get(j, member));
}

static void
work_counts_and_waiting_does_not(void **state)
{
	struct turns t;
	struct histogram took;
	uv_timer_t timer;
	uv_loop_t loop;
	json_t *j;

	(void)state;
	assert_int_equal(uv_loop_init(&loop), 0);
	turns_open(&t, &loop);
	assert_int_equal(uv_timer_init(&loop, &timer), 0);
	assert_int_equal(uv_timer_start(&timer, on_timer, WAIT_MS, WAIT_MS), 0);
	/* What watches does not keep the loop. */
	assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
	j = turns_json(&t);
	assert_in_range(number(j, "longest_us"), WORK_MS * 1000, 1000000);
	assert_int_equal(histogram_read(&took, json_object_get(j, "took")), 0);
	/* The last one is over only when the loop looks again. */
	assert_true(took.sum_ms >= (ROUNDS - 1) * WORK_MS);
	assert_true(took.sum_ms < (uint64_t)ROUNDS * WAIT_MS);
	assert_true(histogram_total(&took) >= ROUNDS);
	json_decref(j);
	turns_close(&t);
	assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void
the_longest_is_forgotten(void **state)
{
	const uint64_t minute = 60000000000;
	struct turns t;
	uv_loop_t loop;
	json_t *j;

	(void)state;
	assert_int_equal(uv_loop_init(&loop), 0);
	turns_open(&t, &loop);
	uv_ref((uv_handle_t *)&t.handle);
	for (unsigned past = 0; past <= 3; past++) {
		t.longest_ns = 7000000000;
		t.former_ns = 0;
		t.window_ns = uv_hrtime() - past * minute;
		uv_run(&loop, UV_RUN_NOWAIT);
		j = turns_json(&t);
		if (past < 2)
			assert_int_equal(number(j, "longest_us"), 7000000);
		else
			assert_true(number(j, "longest_us") < 7000000);
		json_decref(j);
	}
	turns_close(&t);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(work_counts_and_waiting_does_not),
		cmocka_unit_test(the_longest_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
