/* Requests for another log level: what is taken and what is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/control_level.h"
#include "common/err.h"

static const struct {
	const char *request, *component;
	int rc;
	enum log_level level;
} rows[] = {
	{ "{\"level\":\"debug\"}", "", 0, LOG_DEBUG },
	{ "{\"level\":\"warn\",\"component\":\"s2s_in\"}", "s2s_in", 0,
	    LOG_WARN },
	{ "{\"level\":\"loud\"}", "", ERR_MALFORMED, 0 },
	{ "{}", "", ERR_MALFORMED, 0 },
	{ "{\"level\":5}", "", ERR_MALFORMED, 0 },
	{ "{\"level\":\"info\",\"component\":7}", "", ERR_MALFORMED, 0 },
	{ "{\"level\":\"info\",\"component\":\"a b\"}", "", ERR_MALFORMED, 0 },
	{ "{\"level\":\"info\",\"component\":"
	  "\"abcdefghijklmnopqrstuvwxyzabcdef\"}",
	    "", ERR_MALFORMED, 0 },
};

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *request = json_loads(rows[i].request, 0, NULL);
		struct control_level l = { .component = "untouched" };
		char why[128] = "";

		assert_non_null(request);
		assert_int_equal(
		    control_level_read(&l, request, why, sizeof(why)),
		    rows[i].rc);
		json_decref(request);
		if (rows[i].rc < 0) {
			assert_string_not_equal(why, "");
			assert_string_equal(l.component, "untouched");
			continue;
		}
		assert_string_equal(l.component, rows[i].component);
		assert_int_equal(l.level, rows[i].level);
	}
}

static void
test_it_is_applied(void **state)
{
	struct control_level one = { .component = "s2s_in",
		.level = LOG_DEBUG };
	struct control_level all = { .level = LOG_ERROR };
	struct log in, out;

	(void)state;
	log_init(&in, "s2s_in");
	log_init(&out, "s2s_out");
	assert_int_equal(control_level_apply(&one), 0);
	assert_true(log_enabled(&in, LOG_DEBUG));
	assert_false(log_enabled(&out, LOG_DEBUG));
	assert_int_equal(control_level_apply(&all), 0);
	assert_false(log_enabled(&in, LOG_WARN));
	all.level = LOG_INFO;
	assert_int_equal(control_level_apply(&all), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_it_is_applied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
