/* Ids of barrier pings: whose answer counts, and how often. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "frontend-gateway/barrier.h"

static const char *const edges[] = { "edge1.contoso.example",
	"edge2.contoso.example" };

static const char *
name_of(unsigned edge, void *arg)
{
	(void)arg;
	return edges[edge];
}

struct fixture {
	struct clock *clock;
	struct barrier *b;
	char id[BARRIER_ID_SIZE];
};

static void
start(struct fixture *f, const char *node)
{
	assert_int_equal(clock_open_manual(&f->clock, 1000, 0), 0);
	assert_int_equal(barrier_new(&f->b, node, f->clock), 0);
}

static void
finish(struct fixture *f)
{
	barrier_free(f->b);
	clock_close(f->clock);
}

static int
verify(struct fixture *f, unsigned *edge, const char *id, const char *local,
    const char *remote)
{
	return barrier_verify(edge, f->b, id, local, remote, name_of, NULL);
}

static void
an_answer_names_the_edge_once(void **state)
{
	struct fixture f;
	unsigned edge = 9;

	(void)state;
	start(&f, "gw-1.contoso.example");
	barrier_make(
	    f.id, f.b, 1, edges[1], "contoso.example", "partner.example");
	assert_int_equal(strncmp(f.id, "sp1-gw-1.contoso.example-1-", 27), 0);
	assert_int_equal(strlen(f.id), 27 + 32);
	assert_int_equal(
	    verify(&f, &edge, f.id, "contoso.example", "partner.example"), 0);
	assert_int_equal(edge, 1);
	assert_int_equal(
	    verify(&f, &edge, f.id, "contoso.example", "partner.example"),
	    ERR_NOT_FOUND);
	finish(&f);
}

static void
other_addresses_do_not_count(void **state)
{
	struct fixture f;
	unsigned edge = 9;

	(void)state;
	start(&f, "gw1");
	barrier_make(
	    f.id, f.b, 0, edges[0], "contoso.example", "partner.example");
	assert_int_equal(
	    verify(&f, &edge, f.id, "contoso.example", "other.example"),
	    ERR_DENIED);
	assert_int_equal(
	    verify(&f, &edge, f.id, "other.example", "partner.example"),
	    ERR_DENIED);
	assert_int_equal(
	    verify(&f, &edge, f.id, "partner.example", "contoso.example"),
	    ERR_DENIED);
	assert_int_equal(edge, 9);
	/* A wrong guess does not use the id up. */
	assert_int_equal(
	    verify(&f, &edge, f.id, "contoso.example", "partner.example"), 0);
	finish(&f);
}

static void
a_changed_digit_anywhere_is_refused(void **state)
{
	struct fixture f;
	unsigned edge;

	(void)state;
	start(&f, "gw1");
	barrier_make(
	    f.id, f.b, 0, edges[0], "contoso.example", "partner.example");
	for (size_t i = 0; i < strlen(f.id); i++) {
		char id[BARRIER_ID_SIZE];

		memcpy(id, f.id, sizeof(id));
		id[i] = id[i] == 'b' ? 'c' : 'b';
		assert_true(verify(&f, &edge, id, "contoso.example",
				"partner.example") < 0);
		memcpy(id, f.id, sizeof(id));
		id[i] = '\0';
		assert_true(verify(&f, &edge, id, "contoso.example",
				"partner.example") < 0);
	}
	finish(&f);
}

static void
what_is_no_id_is_refused(void **state)
{
	static const char *const ids[] = { "", "sp1-", "sp1-gw1", "sp1-gw1-",
		"sp1-gw1-1", "sp1-gw1-1-", "sp1-gw1--",
		"sp1-gw1--0123456789abcdef0123456789abcdef",
		"sp1-gw1-01-0123456789abcdef0123456789abcdef",
		"sp1-gw1-G-0123456789abcdef0123456789abcdef",
		"sp1-gw1-11111111111111111-0123456789abcdef0123456789abcdef",
		"sp1-gw2-1-0123456789abcdef0123456789abcdef",
		"xyz-gw1-1-0123456789abcdef0123456789abcdef" };
	struct fixture f;
	unsigned edge;

	(void)state;
	start(&f, "gw1");
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		if (verify(&f, &edge, ids[i], "a.example", "b.example") == 0)
			fail_msg("accepted: %s", ids[i]);
	finish(&f);
}

static void
old_ids_do_not_count(void **state)
{
	struct fixture f;
	unsigned edge;

	(void)state;
	start(&f, "gw1");
	barrier_make(f.id, f.b, 0, edges[0], "a.example", "b.example");
	clock_advance(f.clock, BARRIER_MAX_AGE_MS + 1);
	assert_int_equal(
	    verify(&f, &edge, f.id, "a.example", "b.example"), ERR_NOT_FOUND);
	/* Nor does one that many others came after. */
	barrier_make(f.id, f.b, 0, edges[0], "a.example", "b.example");
	for (int i = 0; i < BARRIER_OUTSTANDING; i++) {
		char id[BARRIER_ID_SIZE];

		barrier_make(id, f.b, 0, edges[0], "a.example", "b.example");
	}
	assert_int_equal(
	    verify(&f, &edge, f.id, "a.example", "b.example"), ERR_NOT_FOUND);
	finish(&f);
}

static void
each_boot_has_its_own_key(void **state)
{
	struct fixture a, b;
	unsigned edge;

	(void)state;
	start(&a, "gw1");
	start(&b, "gw1");
	barrier_make(a.id, a.b, 0, edges[0], "a.example", "b.example");
	barrier_make(b.id, b.b, 0, edges[0], "a.example", "b.example");
	assert_string_not_equal(a.id, b.id);
	assert_int_equal(
	    verify(&b, &edge, a.id, "a.example", "b.example"), ERR_DENIED);
	finish(&a);
	finish(&b);
}

static void
long_names_fit(void **state)
{
	char node[BARRIER_NODE_MAX + 2], domain[254];
	struct fixture f;
	struct barrier *b = NULL;
	unsigned edge;

	(void)state;
	memset(node, 'n', sizeof(node));
	memset(domain, 'd', sizeof(domain));
	node[BARRIER_NODE_MAX] = '\0';
	domain[253] = '\0';
	start(&f, node);
	barrier_make(f.id, f.b, 0, edges[0], domain, domain);
	assert_int_equal(verify(&f, &edge, f.id, domain, domain), 0);
	node[BARRIER_NODE_MAX] = 'n';
	node[BARRIER_NODE_MAX + 1] = '\0';
	assert_int_equal(barrier_new(&b, node, f.clock), ERR_TOO_LONG);
	finish(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_names_the_edge_once),
		cmocka_unit_test(other_addresses_do_not_count),
		cmocka_unit_test(a_changed_digit_anywhere_is_refused),
		cmocka_unit_test(what_is_no_id_is_refused),
		cmocka_unit_test(old_ids_do_not_count),
		cmocka_unit_test(each_boot_has_its_own_key),
		cmocka_unit_test(long_names_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
