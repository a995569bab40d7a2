/* srv_order: priorities, the weighted draw by its rule and in its effect. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/random.h"
#include "edge-proxy/resolver_client.h"
#include "edge-proxy/srv_order.h"

static uint32_t drawn[8], bounds[8];
static size_t draws;

static uint32_t
scripted(uint32_t bound)
{
	bounds[draws] = bound;
	assert_true(drawn[draws] < bound);
	return drawn[draws++];
}

static struct dns_srv
srv(uint16_t priority, uint16_t weight, uint16_t port)
{
	return (struct dns_srv){
		.priority = priority, .weight = weight, .port = port
	};
}

/* RFC 2782: 0 to the sum inclusive; the first whose running sum reaches it. */
static void
test_rule(void **state)
{
	static const struct {
		uint32_t draw[2];
		uint16_t ports[3];
	} rows[] = {
		{ { 0, 0 }, { 1, 2, 3 } }, /* weight 0 stands first */
		{ { 1, 0 }, { 2, 1, 3 } },
		{ { 10, 1 }, { 2, 3, 1 } },
		{ { 11, 0 }, { 3, 1, 2 } },
		{ { 100, 1 }, { 3, 2, 1 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dns_srv v[3] = { srv(1, 10, 2), srv(1, 90, 3),
			srv(1, 0, 1) };

		draws = 0;
		memcpy(drawn, rows[i].draw, sizeof(rows[i].draw));
		srv_order(v, 3, scripted);
		assert_int_equal(2, draws);
		assert_int_equal(101, bounds[0]);
		for (size_t k = 0; k < 3; k++)
			assert_int_equal(rows[i].ports[k], v[k].port);
	}
}

static void
test_priorities(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++) {
		struct dns_srv v[5] = { srv(20, 65535, 5), srv(10, 5, 2),
			srv(5, 0, 1), srv(10, 5, 3), srv(15, 0, 4) };

		srv_order(v, 5, random_below);
		assert_int_equal(1, v[0].port);
		assert_int_equal(5, v[1].port + v[2].port);
		assert_int_equal(4, v[3].port);
		assert_int_equal(5, v[4].port);
	}
	srv_order(NULL, 0, random_below);
}

/* Weights 0, 10 and 90: the numbers 0 to 100 are drawn, so they are first in
 * 1, 10 and 90 of 101 draws. */
static void
test_distribution(void **state)
{
	unsigned first[4] = { 0 };

	(void)state;
	for (int i = 0; i < 10000; i++) {
		struct dns_srv v[3] = { srv(1, 90, 3), srv(1, 0, 1),
			srv(1, 10, 2) };

		srv_order(v, 3, random_below);
		first[v[0].port]++;
	}
	assert_in_range(first[1], 50, 160);   /* 99 expected */
	assert_in_range(first[2], 820, 1160); /* 990 */
	assert_in_range(first[3], 8730, 9100);
}

/* The largest weights there can be do not overflow. */
static void
test_many(void **state)
{
	static struct dns_srv v[DNS_RECORDS_MAX];
	unsigned seen = 0;

	(void)state;
	for (uint16_t i = 0; i < DNS_RECORDS_MAX; i++)
		v[i] = srv(0, UINT16_MAX, i);
	srv_order(v, DNS_RECORDS_MAX, random_below);
	for (uint16_t i = 0; i < DNS_RECORDS_MAX; i++)
		seen += v[i].port;
	assert_int_equal(DNS_RECORDS_MAX * (DNS_RECORDS_MAX - 1) / 2, seen);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rule),
		cmocka_unit_test(test_priorities),
		cmocka_unit_test(test_distribution),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
