/* External access policies: which of them holds for whom, and what it costs to
 * ask. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "frontend-gateway/policy/access.h"

#define ANNA "anna@contoso.example"
#define OLAF "olaf@contoso.example"
#define HOME "contoso.example"

static struct access *
sample(void)
{
	static const char *const domains[] = { "paris.contoso.example" };
	struct access *a;

	assert_int_equal(access_new(&a), 0);
	assert_int_equal(access_set_site(a, "Paris", domains, 1), 0);
	return a;
}

static void
is(const struct access *a, const char *user, const char *domain,
    const char *policy, unsigned rights)
{
	struct access_view v = access_of(a, user, domain);

	assert_string_equal(v.policy, policy);
	assert_int_equal(v.rights, rights);
}

static void
nothing_is_allowed_at_first(void **state)
{
	struct access *a = sample();

	(void)state;
	assert_false(access_master(a));
	is(a, ANNA, HOME, "global", 0);
	is(a, "p@paris.contoso.example", "paris.contoso.example", "global", 0);
	access_free(a);
}

/* Each row lays one more policy over what was there. */
static void
the_nearest_policy_counts(void **state)
{
	static const char paris[] = "paris.contoso.example";
	struct access *a = sample();

	(void)state;
	assert_int_equal(access_set_policy(a, "global", ACCESS_FEDERATION), 0);
	is(a, "p@paris.contoso.example", paris, "global", ACCESS_FEDERATION);
	assert_int_equal(access_set_policy(a, "site:Paris", ACCESS_XMPP), 0);
	is(a, "p@paris.contoso.example", paris, "site:Paris", ACCESS_XMPP);
	is(a, ANNA, HOME, "global", ACCESS_FEDERATION);
	assert_int_equal(
	    access_set_policy(a, "tag:FedPic", ACCESS_PUBLIC_CLOUD), 0);
	assert_int_equal(
	    access_grant(a, "p@paris.contoso.example", "tag:FedPic"), 0);
	is(a, "p@paris.contoso.example", paris, "tag:FedPic",
	    ACCESS_PUBLIC_CLOUD);
	is(a, "q@paris.contoso.example", paris, "site:Paris", ACCESS_XMPP);
	/* And one after the other is taken away. */
	access_ungrant(a, "p@paris.contoso.example");
	is(a, "p@paris.contoso.example", paris, "site:Paris", ACCESS_XMPP);
	access_remove_policy(a, "site:Paris");
	is(a, "p@paris.contoso.example", paris, "global", ACCESS_FEDERATION);
	access_remove_policy(a, "global");
	is(a, "p@paris.contoso.example", paris, "global", 0);
	access_free(a);
}

static void
a_grant_to_nothing_gives_nothing(void **state)
{
	struct access *a = sample();

	(void)state;
	assert_int_equal(access_set_policy(a, "global", ACCESS_XMPP), 0);
	assert_int_equal(access_grant(a, OLAF, "tag:None"), 0);
	is(a, OLAF, HOME, "tag:None", 0);
	assert_int_equal(access_granted(a, "tag:none"), 1);
	/* It comes later, in other letters. */
	assert_int_equal(
	    access_set_policy(a, "tag:NONE", ACCESS_FEDERATION), 0);
	is(a, OLAF, HOME, "tag:None", ACCESS_FEDERATION);
	access_remove_policy(a, "tag:none");
	is(a, OLAF, HOME, "tag:None", 0);
	access_ungrant(a, OLAF);
	assert_int_equal(access_granted(a, "tag:None"), 0);
	is(a, OLAF, HOME, "global", ACCESS_XMPP);
	access_free(a);
}

static void
a_grant_is_replaced(void **state)
{
	struct access *a = sample();

	(void)state;
	assert_int_equal(access_set_policy(a, "tag:a", ACCESS_XMPP), 0);
	assert_int_equal(access_set_policy(a, "tag:b", ACCESS_FEDERATION), 0);
	assert_int_equal(access_grant(a, OLAF, "tag:a"), 0);
	assert_int_equal(access_grant(a, OLAF, "tag:b"), 0);
	is(a, OLAF, HOME, "tag:b", ACCESS_FEDERATION);
	assert_int_equal(access_granted(a, "tag:a"), 0);
	assert_int_equal(access_granted(a, "tag:b"), 1);
	assert_int_equal(access_grants(a), 1);
	assert_int_equal(access_grant(a, OLAF, "tag:b"), 0);
	assert_int_equal(access_granted(a, "tag:b"), 1);
	access_free(a);
}

/* In whichever order the two sites are told. */
static void
a_domain_moves_to_another_site(void **state)
{
	static const char *const both[] = { "a.example", "b.example",
		"a.example" };
	struct access *a;

	(void)state;
	assert_int_equal(access_new(&a), 0);
	assert_int_equal(access_set_policy(a, "site:one", ACCESS_XMPP), 0);
	assert_int_equal(access_set_policy(a, "site:two", ACCESS_OUTSIDE), 0);
	assert_int_equal(access_set_site(a, "one", both, 3), 0);
	is(a, "x@a.example", "a.example", "site:one", ACCESS_XMPP);
	assert_int_equal(access_set_site(a, "two", both, 1), 0);
	assert_int_equal(access_set_site(a, "one", both + 1, 1), 0);
	is(a, "x@a.example", "a.example", "site:two", ACCESS_OUTSIDE);
	is(a, "x@b.example", "b.example", "site:one", ACCESS_XMPP);
	access_remove_site(a, "ONE");
	access_remove_site(a, "one");
	is(a, "x@b.example", "b.example", "global", 0);
	access_remove_site(a, "two");
	access_free(a);
}

static void
names_have_an_end(void **state)
{
	struct access *a = sample();
	char name[2 * ACCESS_NAME_MAX];

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_true(access_set_policy(a, name, 0) < 0);
	assert_true(access_set_site(a, name, NULL, 0) < 0);
	assert_true(access_grant(a, OLAF, name) < 0);
	assert_int_equal(access_granted(a, name), 0);
	access_remove_policy(a, name);
	access_remove_site(a, name);
	is(a, OLAF, HOME, "global", 0);
	access_free(a);
}

/* --- what it costs ------------------------------------------------------ */

enum { GRANTS = 50000, ASKED = 20000, ROUNDS = 9 };

static double
cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The best of some rounds, so that others on the machine are left out. */
static double
cost(const struct access *a)
{
	double best = 1e9;

	for (int r = 0; r < ROUNDS; r++) {
		double begin = cpu_seconds();

		for (int i = 0; i < ASKED; i++)
			(void)access_of(a, OLAF, HOME);
		if (cpu_seconds() - begin < best)
			best = cpu_seconds() - begin;
	}
	return best;
}

/* One who has none is asked for, whose place in the table others share. */
static void
judging_costs_the_same_with_many_grants(void **state)
{
	struct access *a = sample();
	double none, many, begin;
	char user[64];

	(void)state;
	assert_int_equal(access_set_policy(a, "tag:all", ACCESS_XMPP), 0);
	none = cost(a);
	begin = cpu_seconds();
	for (int i = 0; i < GRANTS; i++) {
		snprintf(user, sizeof(user), "user%d@contoso.example", i);
		assert_int_equal(access_grant(a, user, "tag:all"), 0);
	}
	/* A walk through those before it would take minutes. */
	assert_true(cpu_seconds() - begin < 5);
	assert_int_equal(access_granted(a, "tag:all"), GRANTS);
	many = cost(a);
	if (many > 4 * none)
		fail_msg("%g s with none, %g s with many", none, many);
	is(a, "user49999@contoso.example", HOME, "tag:all", ACCESS_XMPP);
	for (int i = 0; i < GRANTS; i += 2) {
		snprintf(user, sizeof(user), "user%d@contoso.example", i);
		access_ungrant(a, user);
	}
	assert_int_equal(access_grants(a), GRANTS / 2);
	access_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_allowed_at_first),
		cmocka_unit_test(the_nearest_policy_counts),
		cmocka_unit_test(a_grant_to_nothing_gives_nothing),
		cmocka_unit_test(a_grant_is_replaced),
		cmocka_unit_test(a_domain_moves_to_another_site),
		cmocka_unit_test(names_have_an_end),
		cmocka_unit_test(judging_costs_the_same_with_many_grants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
