/* What an operator reads of failures: one line a pair, the latest first. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/failures.h"

static void
note(struct failures *f, const char *remote, const char *reason, uint64_t ms)
{
	struct failure what = { .direction = "out",
		.local = "contoso.example",
		.remote = remote,
		.peer = "192.0.2.1:5269",
		.reason = reason };

	failures_note(f, &what, ms);
}

static const char *
string(const json_t *all, size_t i, const char *key)
{
	return json_string_value(json_object_get(json_array_get(all, i), key));
}

static json_int_t
number(const json_t *all, size_t i, const char *key)
{
	return json_integer_value(json_object_get(json_array_get(all, i), key));
}

static void
test_same_reason_counts_and_another_begins_anew(void **state)
{
	struct failures *f;
	json_t *all;

	(void)state;
	assert_int_equal(failures_new(&f), 0);
	note(f, "a.example", "refused", 1000);
	note(f, "b.example", "no SRV", 2000);
	note(f, "a.example", "refused", 3000);
	all = failures_json(f, 5000);
	assert_int_equal(json_array_size(all), 2);
	assert_string_equal(string(all, 0, "remote"), "a.example");
	assert_int_equal(number(all, 0, "count"), 2);
	assert_int_equal(number(all, 0, "ago_s"), 2);
	assert_int_equal(number(all, 1, "count"), 1);
	json_decref(all);
	note(f, "a.example", "expired", 6000);
	all = failures_json(f, 6000);
	assert_string_equal(string(all, 0, "reason"), "expired");
	assert_int_equal(number(all, 0, "count"), 1);
	json_decref(all);
	failures_free(f);
}

static void
test_a_pair_that_works_is_forgotten(void **state)
{
	struct failures *f;
	json_t *all;

	(void)state;
	assert_int_equal(failures_new(&f), 0);
	note(f, "a.example", "refused", 1);
	failures_clear(f, "in", "contoso.example", "a.example");
	failures_clear(f, "out", "contoso.example", "b.example");
	all = failures_json(f, 1);
	assert_int_equal(json_array_size(all), 1);
	json_decref(all);
	failures_clear(f, "out", "contoso.example", "a.example");
	all = failures_json(f, 1);
	assert_int_equal(json_array_size(all), 0);
	json_decref(all);
	failures_free(f);
}

static void
test_the_oldest_goes_and_long_or_strange_text_does_no_harm(void **state)
{
	struct failures *f;
	json_t *all;
	char name[600];

	(void)state;
	assert_int_equal(failures_new(&f), 0);
	for (unsigned i = 0; i < FAILURES_MAX + 5; i++) {
		snprintf(name, sizeof(name), "p%u.example", i);
		note(f, name, "refused", i);
	}
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	note(f, "\xFF", name, 1000);
	all = failures_json(f, 1000);
	assert_int_equal(json_array_size(all), FAILURES_MAX);
	assert_string_equal(string(all, 0, "remote"), "(unprintable)");
	assert_int_equal(strlen(string(all, 0, "reason")), 255);
	assert_string_equal(
	    string(all, FAILURES_MAX - 1, "remote"), "p6.example");
	json_decref(all);
	failures_free(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_same_reason_counts_and_another_begins_anew),
		cmocka_unit_test(test_a_pair_that_works_is_forgotten),
		cmocka_unit_test(
		    test_the_oldest_goes_and_long_or_strange_text_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
