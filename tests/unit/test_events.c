#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/events.h"

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < events_count; i++) {
		const struct event_row *r = &events_rows[i];
		size_t len = strlen(r->text);

		assert_in_range(r->number, 1000, 3999);
		if (i > 0)
			assert_true(r->number > events_rows[i - 1].number);
		assert_true(len > 0 && r->text[len - 1] == '.');
		len = strlen(r->advice);
		assert_true(len == 0 || strchr(".?)", r->advice[len - 1]));
		/* Each meaning stands once. */
		assert_ptr_equal(events_find(r->component, r->event), r);
		assert_ptr_equal(events_numbered(r->number), r);
		/* An alarm without advice helps nobody. */
		assert_true(r->severity != LOG_ERROR || len > 0);
	}
}

static void
test_find(void **state)
{
	static const struct {
		const char *component, *event;
		unsigned number; /* 0 = none */
	} rows[] = {
		{ "s2s_in", "stream-end", 2302 },
		{ "s2s_out", "stream-end", 2352 },
		{ "whoever", "suppressed", 1001 },
		{ "whoever", "stream-end", 0 },
		{ "whoever", "dialback-invalid", 2402 },
		{ "s2s_in", "no-such-event", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct event_row *r =
		    events_find(rows[i].component, rows[i].event);

		assert_int_equal(r != NULL ? r->number : 0, rows[i].number);
	}
	assert_null(events_numbered(1000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_find),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
