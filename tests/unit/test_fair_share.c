/* fair_share: nobody shares as long as all have little; then partners share
 * alike, and each partner's streams. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "edge-proxy/fair_share.h"

enum { MUCH = 100 };

static void
take(struct fair_share *f, struct fair_share_stream *s, const char *partner,
    size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_int_equal(fair_share_add(f, s, partner), 0);
}

static void
test_shares(void **state)
{
	struct fair_share_stream a = { 0 }, b[4] = { { 0 } }, none = { 0 };
	struct fair_share *f;

	(void)state;
	assert_int_equal(fair_share_new(&f, MUCH), 0);
	take(f, &a, "a.example", 99);
	assert_true(fair_share_of(f, &a) == SIZE_MAX);
	take(f, &a, "a.example", 1);
	assert_int_equal(fair_share_of(f, &a), 100);
	for (size_t i = 0; i < 4; i++)
		take(f, &b[i], "b.example", 10);
	/* Four streams of one partner have what the one of the other has. */
	assert_int_equal(fair_share_of(f, &a), 50);
	assert_int_equal(fair_share_of(f, &b[0]), 12);
	assert_int_equal(fair_share_of(f, &none), 50);
	fair_share_leave(f, &b[3]);
	fair_share_leave(f, &b[3]);
	assert_int_equal(fair_share_of(f, &b[0]), 16);
	while (a.count > 1)
		fair_share_drop(f, &a);
	assert_true(fair_share_of(f, &b[0]) == SIZE_MAX);
	take(f, &b[0], "b.example", 90);
	assert_int_equal(fair_share_of(f, &b[0]), 16);
	fair_share_drop(f, &a);
	/* The first of those is alone now. */
	assert_null(a.party);
	assert_int_equal(fair_share_of(f, &b[0]), 33);
	/* It counts for whom it has something under way. */
	fair_share_leave(f, &b[1]);
	take(f, &b[1], "c.example", 1);
	assert_int_equal(fair_share_of(f, &b[1]), 50);
	for (size_t i = 0; i < 4; i++)
		fair_share_leave(f, &b[i]);
	fair_share_free(f);
}

static void
test_the_least(void **state)
{
	struct fair_share_stream s[200] = { { 0 } };
	struct fair_share *f;
	char domain[] = "aa.example";

	(void)state;
	assert_int_equal(fair_share_new(&f, MUCH), 0);
	for (size_t i = 0; i < 200; i++) {
		domain[0] = (char)('a' + i / 20);
		domain[1] = (char)('a' + i % 20);
		take(f, &s[i], domain, 1);
	}
	assert_int_equal(fair_share_of(f, &s[0]), FAIR_SHARE_LEAST);
	for (size_t i = 0; i < 200; i++)
		fair_share_leave(f, &s[i]);
	fair_share_free(f);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_the_least),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
