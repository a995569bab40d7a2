/* Second copies: recognised only after a broken stream, and only if equal. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "frontend-gateway/conversation/duplicates.h"

/* Streams whose name begins with x are broken. */
static bool
on_broken(const char *stream, void *arg)
{
	(void)arg;
	return stream[0] == 'x';
}

static enum duplicates_verdict
look(struct duplicates *d, struct duplicate **e, const char *id,
    const char *body, const char *stream, uint64_t now)
{
	struct duplicates_copy c = {
		.id = id,
		.from = "bo@partner.example/a",
		.to = "anna@contoso.example",
		.body = body,
		.body_len = strlen(body),
		.stream = stream,
	};

	return duplicates_look(d, e, &c, now, on_broken, NULL);
}

static void
a_copy_after_a_broken_stream_is_answered_from_memory(void **state)
{
	struct duplicates *d;
	struct duplicate *e, *again;

	(void)state;
	assert_int_equal(duplicates_new(&d, 0), 0);
	assert_int_equal(look(d, &e, "m1", "hi", "x1", 0), DUPLICATES_NEW);
	assert_non_null(e);
	duplicates_set_owner(e, &d);
	/* The first copy is still under way. */
	assert_int_equal(
	    look(d, &again, "m1", "hi", "x2", 1), DUPLICATES_PENDING);
	assert_ptr_equal(again, e);
	assert_ptr_equal(duplicates_owner(again), &d);
	duplicates_settle(d, e, true, 2);
	assert_int_equal(
	    look(d, &again, "m1", "hi", "s3", 3), DUPLICATES_DELIVERED);
	assert_null(again);
	/* The third came on a stream that lives: it is what counts now. */
	assert_int_equal(look(d, &again, "m1", "hi", "s3", 4), DUPLICATES_NEW);
	duplicates_free(d);
}

static void
anything_else_is_a_message_of_its_own(void **state)
{
	static const struct {
		const char *id, *from, *to, *body;
	} rows[] = {
		{ "m2", "bo@partner.example/a", "anna@contoso.example", "hi" },
		{ "m1", "bo@partner.example/b", "anna@contoso.example", "hi" },
		{ "m1", "bo@partner.example/a", "carl@contoso.example", "hi" },
		{ "m1", "bo@partner.example/a", "anna@contoso.example", "ho" },
		{ "", "bo@partner.example/a", "anna@contoso.example", "hi" },
		{ NULL, "bo@partner.example/a", "anna@contoso.example", "hi" },
	};
	struct duplicates *d;
	struct duplicate *e;

	(void)state;
	assert_int_equal(duplicates_new(&d, 0), 0);
	assert_int_equal(look(d, &e, "m1", "hi", "x1", 0), DUPLICATES_NEW);
	duplicates_settle(d, e, true, 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct duplicates_copy c = { rows[i].id, rows[i].from,
			rows[i].to, rows[i].body, strlen(rows[i].body), "s" };

		assert_int_equal(duplicates_look(d, &e, &c, 1, on_broken, NULL),
		    DUPLICATES_NEW);
		if (rows[i].id == NULL || rows[i].id[0] == '\0')
			assert_null(e);
		else
			duplicates_settle(d, e, true, 1);
	}
	duplicates_free(d);
}

static void
an_id_used_twice_on_a_live_stream_is_two_messages(void **state)
{
	struct duplicates *d;
	struct duplicate *e, *second;

	(void)state;
	assert_int_equal(duplicates_new(&d, 0), 0);
	assert_int_equal(look(d, &e, "m1", "hi", "s1", 0), DUPLICATES_NEW);
	assert_int_equal(look(d, &second, "m1", "hi", "s1", 0), DUPLICATES_NEW);
	assert_null(second);
	duplicates_settle(d, e, true, 0);
	assert_int_equal(look(d, &second, "m1", "hi", "s1", 0), DUPLICATES_NEW);
	assert_non_null(second);
	duplicates_settle(d, second, true, 0);
	duplicates_free(d);
}

static void
what_failed_is_tried_again(void **state)
{
	struct duplicates *d;
	struct duplicate *e;

	(void)state;
	assert_int_equal(duplicates_new(&d, 0), 0);
	assert_int_equal(look(d, &e, "m1", "hi", "x1", 0), DUPLICATES_NEW);
	duplicates_settle(d, e, false, 0);
	assert_int_equal(look(d, &e, "m1", "hi", "x1", 0), DUPLICATES_NEW);
	assert_non_null(e);
	duplicates_free(d);
}

static void
memory_has_an_end(void **state)
{
	struct duplicates *d;
	struct duplicate *e[4], *x;

	(void)state;
	assert_int_equal(duplicates_new(&d, 3), 0);
	for (int i = 0; i < 3; i++) {
		char id[8];

		snprintf(id, sizeof(id), "m%d", i);
		assert_int_equal(
		    look(d, &e[i], id, "hi", "x", 0), DUPLICATES_NEW);
		assert_non_null(e[i]);
	}
	/* All three are pending: a fourth is handled without being kept. */
	assert_int_equal(look(d, &e[3], "m3", "hi", "x", 0), DUPLICATES_NEW);
	assert_null(e[3]);
	for (int i = 0; i < 3; i++)
		duplicates_settle(d, e[i], true, (uint64_t)i);
	/* The oldest settled one makes room. */
	assert_int_equal(look(d, &e[3], "m3", "hi", "x", 10), DUPLICATES_NEW);
	assert_non_null(e[3]);
	assert_int_equal(
	    look(d, &x, "m2", "hi", "x", 10), DUPLICATES_DELIVERED);
	duplicates_settle(d, e[3], true, 20);
	assert_int_equal(look(d, &x, "m0", "hi", "x", 30), DUPLICATES_NEW);
	duplicates_settle(d, x, true, 30);
	/* And time forgets all. */
	assert_int_equal(look(d, &x, "m3", "hi", "x", DUPLICATES_AGE_MS + 50),
	    DUPLICATES_NEW);
	duplicates_free(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_copy_after_a_broken_stream_is_answered_from_memory),
		cmocka_unit_test(anything_else_is_a_message_of_its_own),
		cmocka_unit_test(
		    an_id_used_twice_on_a_live_stream_is_two_messages),
		cmocka_unit_test(what_failed_is_tried_again),
		cmocka_unit_test(memory_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
