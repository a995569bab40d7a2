/* The XEP-0198 count never passes an unfinished stanza. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "common/err.h"
#include "edge-proxy/handled_count.h"

static void
the_count_waits_for_the_slowest(void **state)
{
	struct handled_count c;
	uint64_t n[3];

	(void)state;
	assert_int_equal(handled_count_init(&c, 500), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(handled_count_begin(&c, &n[i]), 0);
	assert_false(handled_count_end(&c, n[1]));
	assert_false(handled_count_end(&c, n[2]));
	assert_int_equal(handled_count_value(&c), 0);
	assert_int_equal(handled_count_ahead(&c), 3);
	assert_true(handled_count_end(&c, n[0]));
	assert_int_equal(handled_count_value(&c), 3);
	assert_int_equal(handled_count_ahead(&c), 0);
	handled_count_finish(&c);
}

static void
the_window_bounds_what_runs_ahead(void **state)
{
	struct handled_count c;
	uint64_t first, n;

	(void)state;
	assert_int_equal(handled_count_init(&c, 100), 0);
	assert_int_equal(handled_count_begin(&c, &first), 0);
	for (int i = 1; i < 100; i++) {
		assert_int_equal(handled_count_begin(&c, &n), 0);
		assert_false(handled_count_end(&c, n));
	}
	assert_int_equal(handled_count_begin(&c, &n), ERR_FULL);
	assert_true(handled_count_end(&c, first));
	assert_int_equal(handled_count_begin(&c, &n), 0);
	assert_true(handled_count_end(&c, n));
	handled_count_finish(&c);
}

/* Any order of finishing, over many turns of the ring and past 2^32. */
static void
any_order_ends_in_the_same_count(void **state)
{
	struct handled_count c;
	uint64_t open[64];
	size_t opened = 0;
	uint64_t total = 0;

	(void)state;
	srand(7);
	assert_int_equal(handled_count_init(&c, 64), 0);
	c.next = c.base = UINT32_MAX - 1000u;
	for (int turn = 0; turn < 100000; turn++) {
		if (opened < 64 && rand() % 2 == 0 &&
		    handled_count_begin(&c, &open[opened]) == 0) {
			opened++;
			total++;
		} else if (opened > 0) {
			size_t i = (size_t)rand() % opened;
			uint64_t lowest = open[0];

			for (size_t k = 1; k < opened; k++)
				if (open[k] < lowest)
					lowest = open[k];
			assert_int_equal(handled_count_value(&c), lowest);
			(void)handled_count_end(&c, open[i]);
			open[i] = open[--opened];
		}
	}
	while (opened > 0)
		(void)handled_count_end(&c, open[--opened]);
	assert_int_equal(handled_count_value(&c), UINT32_MAX - 1000u + total);
	handled_count_finish(&c);
}

/* What comes past the window and is done with counts in its turn. */
static void
what_got_no_number_counts_too(void **state)
{
	struct handled_count c;
	uint64_t n[4], more;

	(void)state;
	assert_int_equal(handled_count_init(&c, 4), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(handled_count_begin(&c, &n[i]), 0);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(handled_count_begin(&c, &more), ERR_FULL);
		assert_false(handled_count_pass(&c));
	}
	assert_int_equal(handled_count_ahead(&c), 14);
	assert_true(handled_count_end(&c, n[0]));
	assert_int_equal(handled_count_value(&c), 1);
	/* The room is for those that wait for a number. */
	assert_true(handled_count_full(&c));
	assert_int_equal(handled_count_begin(&c, &more), ERR_FULL);
	assert_false(handled_count_end(&c, n[2]));
	assert_true(handled_count_end(&c, n[1]));
	assert_int_equal(handled_count_value(&c), 3);
	assert_true(handled_count_end(&c, n[3]));
	assert_int_equal(handled_count_value(&c), 14);
	assert_int_equal(handled_count_begin(&c, &more), 0);
	assert_int_equal(more, 14);
	assert_true(handled_count_end(&c, more));
	/* With nothing open it counts at once. */
	assert_true(handled_count_pass(&c));
	assert_int_equal(handled_count_value(&c), 16);
	handled_count_finish(&c);
}

static void
another_window_keeps_what_is_open(void **state)
{
	struct handled_count c;
	uint64_t n[100], more;

	(void)state;
	assert_int_equal(handled_count_init(&c, 70), 0);
	c.next = c.base = 60;
	for (int i = 0; i < 70; i++)
		assert_int_equal(handled_count_begin(&c, &n[i]), 0);
	for (int i = 1; i < 70; i += 2)
		assert_false(handled_count_end(&c, n[i]));
	assert_int_equal(handled_count_resize(&c, 1000), 0);
	for (int i = 70; i < 100; i++)
		assert_int_equal(handled_count_begin(&c, &n[i]), 0);
	assert_int_equal(handled_count_resize(&c, 2), 0);
	assert_int_equal(handled_count_begin(&c, &more), ERR_FULL);
	for (int i = 0; i < 70; i += 2) {
		assert_true(handled_count_end(&c, n[i]));
		assert_int_equal(handled_count_value(&c), 60 + i + 2);
	}
	for (int i = 99; i >= 70; i--)
		assert_int_equal(handled_count_end(&c, n[i]), i == 70);
	assert_int_equal(handled_count_value(&c), 160);
	handled_count_finish(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_count_waits_for_the_slowest),
		cmocka_unit_test(the_window_bounds_what_runs_ahead),
		cmocka_unit_test(any_order_ends_in_the_same_count),
		cmocka_unit_test(what_got_no_number_counts_too),
		cmocka_unit_test(another_window_keeps_what_is_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
