#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/err.h"
#include "common/histogram.h"

static void
test_classes(void **state)
{
	static const struct {
		uint64_t ms;
		int class;
	} rows[] = {
		{ 0, 0 },
		{ 1, 0 },
		{ 2, 1 },
		{ 5, 1 },
		{ 6, 2 },
		{ 1000, 8 },
		{ 30000, 12 },
		{ 30001, 13 },
		{ UINT32_MAX, 13 },
	};
	struct histogram all = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct histogram h = { 0 };

		histogram_observe(&h, rows[i].ms);
		for (int c = 0; c <= HISTOGRAM_BOUNDS; c++)
			assert_int_equal(h.counts[c], c == rows[i].class);
		assert_int_equal(h.sum_ms, rows[i].ms);
		histogram_add(&all, &h);
		assert_int_equal(histogram_total(&all), i + 1);
	}
}

static void
test_json(void **state)
{
	struct histogram h = { 0 }, back = { 0 };
	json_t *j;

	(void)state;
	histogram_observe(&h, 7);
	histogram_observe(&h, 40000);
	j = histogram_json(&h);
	assert_int_equal(histogram_read(&back, j), 0);
	assert_memory_equal(&h, &back, sizeof(h));
	json_decref(j);
}

static void
test_bad_json(void **state)
{
	static const char *const rows[] = {
		"null",
		"{}",
		"{\"n\":[0,0,0,0,0,0,0,0,0,0,0,0,0,0]}",
		"{\"n\":[0,0,0,0,0,0,0,0,0,0,0,0,0],\"ms\":0}",
		"{\"n\":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],\"ms\":0}",
		"{\"n\":[0,0,0,0,0,0,0,0,0,0,0,0,0,-1],\"ms\":0}",
		"{\"n\":[0,0,0,0,0,0,0,0,0,0,0,0,0,\"1\"],\"ms\":0}",
		"{\"n\":[0,0,0,0,0,0,0,0,0,0,0,0,0,1.5],\"ms\":0}",
		"{\"n\":[0,0,0,0,0,0,0,0,0,0,0,0,0,0],\"ms\":-1}",
		"{\"n\":[0,0,0,0,0,0,0,0,0,0,0,0,0,9007199254740992],"
		"\"ms\":0}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *j = json_loads(rows[i], JSON_DECODE_ANY, NULL);
		struct histogram h = { .sum_ms = 5 };

		assert_int_equal(histogram_read(&h, j), ERR_MALFORMED);
		assert_int_equal(h.sum_ms, 5);
		json_decref(j);
	}
	assert_int_equal(
	    histogram_read(&(struct histogram){ 0 }, NULL), ERR_MALFORMED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_bad_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
