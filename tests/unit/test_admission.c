/* admission: who comes in, whom a limit keeps out, and who is spared. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "edge-proxy/admission.h"

enum { PLACES = 3000 };

static struct admission_place places[PLACES];
static struct admission *a;
static size_t used;

static int
setup(void **state)
{
	(void)state;
	memset(places, 0, sizeof(places));
	used = 0;
	return admission_new(&a);
}

static int
teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < used; i++)
		admission_leave(a, &places[i]);
	assert_int_equal(admission_count(a), 0);
	assert_int_equal(admission_half_open(a), 0);
	admission_free(a);
	return 0;
}

/* The one who came from there; which limit kept him out is in *why. */
static struct admission_place *
come(const char *ip, const struct admission_limits *l, const char **why)
{
	struct admission_place *p = &places[used++];

	*why = admission_enter(a, p, ip, l);
	return p;
}

#define IN(ip) assert_non_null(come(ip, &limits, &why)->address)
#define OUT(ip, is)                                                            \
	do {                                                                   \
		assert_null(come(ip, &limits, &why)->address);                 \
		assert_string_equal(why, is);                                  \
	} while (0)

#define TOTAL     "connection limit"
#define ADDRESS   "too many from one address"
#define HALF_OPEN "too many that have not authenticated"
#define ADDRESS_HALF_OPEN                                                      \
	"too many from one address that have not authenticated"

static void
test_each_limit_keeps_the_next_out(void **state)
{
	struct admission_limits limits = { 5, 3, 4, 2 };
	const char *why;

	(void)state;
	IN("192.0.2.1");
	IN("192.0.2.1");
	OUT("192.0.2.1", ADDRESS_HALF_OPEN);
	IN("2001:db8::1");
	OUT("192.0.2.3", HALF_OPEN);
	/* Proven, they hold no place of those any more ... */
	for (size_t i = 0; i < used; i++)
		admission_prove(a, &places[i]);
	assert_int_equal(admission_half_open(a), 0);
	IN("192.0.2.1");
	IN("192.0.2.1");
	/* ... but one of all. */
	OUT("192.0.2.3", TOTAL);
	limits.total = 6;
	OUT("192.0.2.1", ADDRESS);
	IN("192.0.2.3");
	admission_leave(a, &places[used - 1]);
	IN("192.0.2.3");
}

/* Who has been here comes in although strangers have taken all places that
 * are for strangers, and a stranger can be spared for him. */
static void
test_who_is_known_finds_a_place(void **state)
{
	struct admission_limits limits = { 6, 2, 10, 2 };
	struct admission_place *p;
	const char *why;

	(void)state;
	p = come("192.0.2.1", &limits, &why);
	assert_false(admission_knows(a, "192.0.2.1"));
	admission_prove(a, p);
	admission_prove(a, p);
	admission_leave(a, p);
	admission_leave(a, p);
	assert_true(admission_knows(a, "192.0.2.1"));
	IN("192.0.2.7");
	IN("192.0.2.8");
	OUT("192.0.2.9", HALF_OPEN);
	IN("192.0.2.1");
	IN("192.0.2.1");
	OUT("192.0.2.1", ADDRESS_HALF_OPEN);
	limits.total = 4;
	OUT("192.0.2.1", TOTAL);
	/* The newest of them; none of his. */
	p = admission_spare(a, false);
	assert_ptr_equal(p, &places[2]);
	admission_leave(a, p);
	assert_ptr_equal(admission_spare(a, false), &places[1]);
	admission_leave(a, &places[1]);
	assert_null(admission_spare(a, false));
	assert_ptr_equal(admission_spare(a, true), &places[5]);
}

/* His others are strangers no more when one of them has authenticated. */
static void
test_one_proves_the_address(void **state)
{
	struct admission_limits limits = { 100, 2, 10, 10 };
	const char *why;

	(void)state;
	IN("192.0.2.1");
	IN("192.0.2.1");
	OUT("192.0.2.2", HALF_OPEN);
	admission_prove(a, &places[0]);
	assert_int_equal(admission_half_open(a), 1);
	IN("192.0.2.2");
	IN("192.0.2.3");
	OUT("192.0.2.4", HALF_OPEN);
	admission_leave(a, &places[1]);
	OUT("192.0.2.4", HALF_OPEN);
}

/* So many are remembered, those who left last. */
static void
test_memory_of_addresses_is_bounded(void **state)
{
	struct admission_limits limits = { 100, 2, 10, 10 };
	struct admission_place *p;
	const char *why;
	char ip[32];

	(void)state;
	for (unsigned i = 0; i < ADMISSION_KNOWN + 10; i++) {
		snprintf(ip, sizeof(ip), "10.0.%u.%u", i / 256, i % 256);
		p = come(ip, &limits, &why);
		admission_prove(a, p);
		admission_leave(a, p);
	}
	assert_false(admission_knows(a, "10.0.0.9"));
	assert_true(admission_knows(a, "10.0.0.10"));
	assert_true(admission_knows(a, ip));
	/* Coming again makes one the newest. */
	p = come("10.0.0.10", &limits, &why);
	admission_leave(a, p);
	p = come("192.0.2.1", &limits, &why);
	admission_prove(a, p);
	admission_leave(a, p);
	assert_true(admission_knows(a, "10.0.0.10"));
	assert_false(admission_knows(a, "10.0.0.11"));
}

int
main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	static const struct CMUnitTest tests[] = {
		TEST(test_each_limit_keeps_the_next_out),
		TEST(test_who_is_known_finds_a_place),
		TEST(test_one_proves_the_address),
		TEST(test_memory_of_addresses_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
