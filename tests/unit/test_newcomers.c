/* How often contacts may turn to new addresses. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "frontend-gateway/policy/newcomers.h"

enum { MINUTE = 60000 };

static const struct newcomers_opts small = {
	.contact_burst = 3,
	.contact_per_minute = 2,
	.domain_burst = 5,
	.domain_per_minute = 4,
	.max = 4,
};

static int
admitted(struct newcomers *n, const char *contact, const char *domain,
    uint64_t now_ms)
{
	int count = 0;

	while (count < 1000 && newcomers_admit(n, contact, domain, now_ms))
		count++;
	return count;
}

static void
a_contact_and_his_domain_are_held(void **state)
{
	static const struct {
		const char *contact, *domain;
		uint64_t now_ms;
		int admitted;
	} rows[] = {
		{ "a@p.example", "p.example", 1000, 3 },
		{ "a@p.example", "p.example", 1000, 0 },
		/* His domain has two left for all others. */
		{ "b@p.example", "p.example", 1000, 2 },
		{ "c@p.example", "p.example", 1000, 0 },
		/* Another partner does not suffer. */
		{ "a@q.example", "q.example", 1000, 3 },
		/* Half a minute: one for a, two for the domain. */
		{ "a@p.example", "p.example", 31000, 1 },
		{ "b@p.example", "p.example", 31000, 1 },
		{ "c@p.example", "p.example", 31000, 0 },
		/* Never more than the burst. */
		{ "a@p.example", "p.example", 1000000000, 3 },
		/* A clock that went back gives nothing. */
		{ "a@p.example", "p.example", 5000, 0 },
	};
	struct newcomers *n;

	(void)state;
	assert_int_equal(newcomers_new(&n, &small), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int got = admitted(
		    n, rows[i].contact, rows[i].domain, rows[i].now_ms);

		if (got != rows[i].admitted)
			fail_msg("row %zu: %d", i, got);
	}
	newcomers_free(n);
}

/* Many names of one domain push each other out, and gain nothing by it. */
static void
the_table_is_bounded(void **state)
{
	struct newcomers *n;
	char contact[32], domain[32];
	int count = 0;

	(void)state;
	assert_int_equal(newcomers_new(&n, &small), 0);
	for (int i = 0; i < 100; i++) {
		snprintf(contact, sizeof(contact), "c%d@p.example", i);
		count += admitted(n, contact, "p.example", 1);
	}
	assert_int_equal(count, 5);
	/* Three more domains find room, a fifth does not until one is full. */
	for (int i = 0; i < 4; i++) {
		snprintf(contact, sizeof(contact), "a@d%d.example", i);
		snprintf(domain, sizeof(domain), "d%d.example", i);
		assert_int_equal(newcomers_admit(n, contact, domain, 1), i < 3);
	}
	assert_true(
	    newcomers_admit(n, "a@d9.example", "d9.example", 10 * MINUTE));
	newcomers_free(n);
}

static void
the_defaults_let_people_work(void **state)
{
	struct newcomers *n;

	(void)state;
	assert_int_equal(newcomers_new(&n, NULL), 0);
	assert_int_equal(admitted(n, "a@p.example", "p.example", 1), 20);
	assert_int_equal(
	    admitted(n, "a@p.example", "p.example", 1 + 5 * MINUTE), 10);
	newcomers_free(n);
	newcomers_free(NULL);
}

/* Only what fails is paid for, what was under way when the bucket ran dry as
 * well, and that for an hour at most. */
static void
who_tries_in_vain_has_to_wait(void **state)
{
	struct newcomers *n;
	int tries;

	(void)state;
	assert_int_equal(newcomers_new(&n, &small), 0);
	for (int i = 0; i < 1000; i++)
		assert_true(newcomers_may(n, "a@p.example", "p.example", 1));
	for (tries = 0; newcomers_may(n, "a@p.example", "p.example", 1);
	     tries++)
		newcomers_miss(n, "a@p.example", "p.example", 1);
	assert_int_equal(tries, 3);
	/* Others of his domain may. */
	assert_true(newcomers_may(n, "b@p.example", "p.example", 1));
	/* Ten were on their way. */
	for (int i = 0; i < 10; i++)
		newcomers_miss(n, "a@p.example", "p.example", 1);
	assert_false(newcomers_may(n, "b@p.example", "p.example", 1));
	assert_true(newcomers_may(n, "b@q.example", "q.example", 1));
	/* The domain owes 8 of 4 a minute, he 10 of 2 a minute. */
	assert_false(
	    newcomers_may(n, "b@p.example", "p.example", 1 + 2 * MINUTE));
	assert_true(
	    newcomers_may(n, "b@p.example", "p.example", 1 + 3 * MINUTE));
	assert_false(
	    newcomers_may(n, "a@p.example", "p.example", 1 + 5 * MINUTE));
	assert_true(
	    newcomers_may(n, "a@p.example", "p.example", 1 + 6 * MINUTE));
	for (int i = 0; i < 100000; i++)
		newcomers_miss(n, "a@p.example", "p.example", 6 * MINUTE);
	assert_false(newcomers_may(n, "b@p.example", "p.example", 65 * MINUTE));
	assert_true(newcomers_may(n, "b@p.example", "p.example", 67 * MINUTE));
	newcomers_free(n);
}

static void
rates_change_while_it_runs(void **state)
{
	struct newcomers_opts more = small;
	struct newcomers *n;

	(void)state;
	assert_int_equal(newcomers_new(&n, &small), 0);
	assert_int_equal(admitted(n, "a@p.example", "p.example", 1), 3);
	more.contact_per_minute = 60;
	more.contact_burst = 1;
	newcomers_set(n, &more);
	assert_int_equal(admitted(n, "a@p.example", "p.example", 1001), 1);
	assert_int_equal(admitted(n, "b@p.example", "p.example", 1001), 1);
	/* A bucket that holds more than is allowed by now. */
	more.domain_burst = 1;
	newcomers_set(n, &more);
	assert_int_equal(
	    admitted(n, "c@p.example", "p.example", 10 * MINUTE), 1);
	newcomers_free(n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_contact_and_his_domain_are_held),
		cmocka_unit_test(the_table_is_bounded),
		cmocka_unit_test(the_defaults_let_people_work),
		cmocka_unit_test(who_tries_in_vain_has_to_wait),
		cmocka_unit_test(rates_change_while_it_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
