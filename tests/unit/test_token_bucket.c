/* token_bucket: so many at once, then so many a second. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/token_bucket.h"

static void
test_at_once_and_then_slowly(void **state)
{
	struct token_bucket b = { 0 };
	uint64_t wait;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(token_bucket_take(&b, 10, 100, 5000), 0);
	/* The one beyond it is owed: a tenth of a second, and some to go on
	 * with. */
	wait = token_bucket_take(&b, 10, 100, 5000);
	assert_in_range(wait, 100, 200);
	assert_int_equal(token_bucket_take(&b, 10, 100, 5000 + 10000), 0);
}

/* Whoever does as he is told gets what he may have, and no more. */
static void
test_the_rate_is_kept(void **state)
{
	static const uint32_t rates[] = { 1, 7, 1000, 999983 };

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct token_bucket b = { 0 };
		uint64_t now = 0, taken = 0, most;

		while (now < 60000) {
			now += token_bucket_take(&b, rates[i], rates[i], now);
			taken++;
		}
		most = (uint64_t)rates[i] * 61;
		assert_in_range(taken, most - rates[i] - 1, most + 1);
	}
}

static void
test_edges(void **state)
{
	struct token_bucket b = { 0 };

	(void)state;
	/* A clock far on, one that goes back, no rate at all. */
	assert_int_equal(token_bucket_take(&b, 1, 1, 0), 0);
	assert_int_equal(token_bucket_take(&b, 1, 1, UINT64_MAX), 0);
	assert_true(token_bucket_take(&b, 1, 1, 5) > 0);
	assert_int_equal(token_bucket_take(&b, 0, 1, 5), 0);
	b = (struct token_bucket){ 0 };
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(
		    token_bucket_take(&b, UINT32_MAX, UINT32_MAX, 1), 0);
}

/* All or nothing, and what others have spent is waited for. */
static void
test_so_many_if_they_are_there(void **state)
{
	struct token_bucket b = { 0 };

	(void)state;
	assert_false(token_bucket_try(&b, 10, 100, 101, 5000));
	assert_true(token_bucket_try(&b, 10, 100, 60, 5000));
	assert_false(token_bucket_try(&b, 10, 100, 41, 5000));
	assert_true(token_bucket_try(&b, 10, 100, 40, 5000));
	assert_false(token_bucket_try(&b, 10, 100, 1, 5099));
	assert_true(token_bucket_try(&b, 10, 100, 1, 5100));
	/* Three seconds' worth more than there was. */
	assert_true(token_bucket_try(&b, 10, 100, 100, 50000));
	token_bucket_spend(&b, 10, 30, 50000);
	assert_false(token_bucket_try(&b, 10, 100, 1, 53000));
	assert_true(token_bucket_try(&b, 10, 100, 1, 53100));
	token_bucket_spend(&b, 10, UINT32_MAX, 53100);
	assert_false(token_bucket_try(&b, 10, 100, 1, 100000000));
	assert_true(token_bucket_try(
	    &b, UINT32_MAX, UINT32_MAX, UINT32_MAX, 200000000));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_at_once_and_then_slowly),
		cmocka_unit_test(test_the_rate_is_kept),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_so_many_if_they_are_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
