#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/err.h"
#include "common/map.h"

struct item {
	struct map_node node;
	char key[16];
};

/* Test values that the authors of SipHash publish: key 00..0f, data of
 * length n is 00..n-1. */
static void
test_hash(void **state)
{
	static const struct {
		size_t len;
		uint64_t hash;
	} rows[] = {
		{ 0, 0x726fdb47dd0e0e31 },
		{ 1, 0x74f839c593dc67fd },
		{ 7, 0xab0200f58b01d137 },
		{ 8, 0x93f5f5799a932462 },
		{ 15, 0xa129ca6149be45e5 },
		{ 63, 0x958a324ceb064572 },
	};
	uint8_t key[16], data[64];

	(void)state;
	for (uint8_t i = 0; i < 64; i++)
		data[i] = i;
	memcpy(key, data, 16);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_true(map_hash(key, data, rows[i].len) == rows[i].hash);
}

static void
test_put_get_remove(void **state)
{
	static struct item items[1000];
	struct item twin = { 0 };
	struct map m;

	(void)state;
	assert_int_equal(map_init(&m), 0);
	assert_null(map_get(&m, "0", 1));
	for (int i = 0; i < 1000; i++) {
		snprintf(items[i].key, sizeof(items[i].key), "%d", i);
		assert_int_equal(map_put(&m, &items[i].node, items[i].key,
				     strlen(items[i].key)),
		    0);
	}
	assert_int_equal(m.count, 1000);
	assert_int_equal(map_put(&m, &twin.node, "77", 2), ERR_EXISTS);
	assert_false(twin.node.in);
	for (int i = 0; i < 1000; i += 2) {
		map_remove(&m, &items[i].node);
		map_remove(&m, &items[i].node);
	}
	assert_int_equal(m.count, 500);
	for (int i = 0; i < 1000; i++) {
		struct map_node *n =
		    map_get(&m, items[i].key, strlen(items[i].key));

		if (i % 2 == 0)
			assert_null(n);
		else
			assert_ptr_equal(
			    map_entry(n, struct item, node), &items[i]);
	}
	map_finish(&m);
}

/* Keys are bytes: NUL, prefixes and the empty one differ. */
static void
test_keys_are_bytes(void **state)
{
	static const struct {
		const char *key;
		size_t len;
	} keys[] = { { "", 0 }, { "\0", 1 }, { "\0\0", 2 }, { "a", 1 },
		{ "a\0", 2 }, { "ab", 2 } };
	struct item items[6] = { 0 };
	struct map m;

	(void)state;
	assert_int_equal(map_init(&m), 0);
	for (int i = 0; i < 6; i++)
		assert_int_equal(
		    map_put(&m, &items[i].node, keys[i].key, keys[i].len), 0);
	for (int i = 0; i < 6; i++)
		assert_ptr_equal(
		    map_get(&m, keys[i].key, keys[i].len), &items[i].node);
	map_finish(&m);
}

static void
drop(struct map_node *n, void *arg)
{
	struct map *m = arg;

	map_remove(m, n);
	memset(n, 0xee, sizeof(*n));
}

static void
test_each_may_remove(void **state)
{
	struct item items[50] = { 0 };
	struct map m;

	(void)state;
	assert_int_equal(map_init(&m), 0);
	for (int i = 0; i < 50; i++) {
		snprintf(items[i].key, sizeof(items[i].key), "k%d", i);
		assert_int_equal(map_put(&m, &items[i].node, items[i].key,
				     strlen(items[i].key)),
		    0);
	}
	map_each(&m, drop, &m);
	assert_int_equal(m.count, 0);
	map_finish(&m);
}

/* Taking any until none is left meets each once. */
static void
test_any(void **state)
{
	struct item items[50] = { 0 };
	struct map_node *n;
	struct map m;

	(void)state;
	assert_int_equal(map_init(&m), 0);
	assert_null(map_any(&m));
	for (int i = 0; i < 50; i++) {
		snprintf(items[i].key, sizeof(items[i].key), "k%d", i);
		assert_int_equal(map_put(&m, &items[i].node, items[i].key,
				     strlen(items[i].key)),
		    0);
	}
	for (int i = 0; i < 50; i++) {
		n = map_any(&m);
		assert_non_null(n);
		map_remove(&m, n);
	}
	assert_null(map_any(&m));
	for (int i = 0; i < 50; i++)
		assert_false(items[i].node.in);
	map_finish(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_put_get_remove),
		cmocka_unit_test(test_keys_are_bytes),
		cmocka_unit_test(test_each_may_remove),
		cmocka_unit_test(test_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
