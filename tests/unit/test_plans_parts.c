/* The small parts of the planners: names and numbers of the command line, what
 * a user may do with a file, findings and their verdict. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "deploy/account.h"
#include "deploy/args.h"
#include "deploy/report.h"

static void
test_names(void **state)
{
	static const struct {
		const char *list;
		size_t count; /* 0 = refused */
		const char *last;
	} lists[] = {
		{ "a.example", 1, "a.example" },
		{ "A.Example.,b.example", 2, "b.example" },
		{ "a.example,a.EXAMPLE", 1, "a.example" },
		{ "b\xC3\xBC"
		  "cher.example",
		    1, "xn--bcher-kva.example" },
		{ "", 0, NULL },
		{ "a.example,", 0, NULL },
		{ "a b", 0, NULL },
		{ "[::1]", 0, NULL },
		{ "a'; rm.example", 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct args_names *n = calloc(1, sizeof(*n));

		assert_non_null(n);
		assert_int_equal(args_names_add(n, "test", lists[i].list),
		    lists[i].count > 0);
		if (lists[i].count > 0) {
			assert_int_equal(n->count, lists[i].count);
			assert_string_equal(n->v[n->count - 1], lists[i].last);
			assert_true(args_names_have(n, lists[i].last));
		}
		assert_false(args_names_have(n, "c.example"));
		free(n);
	}
}

static void
test_too_many_names(void **state)
{
	struct args_names *n = calloc(1, sizeof(*n));
	char name[32];

	(void)state;
	assert_non_null(n);
	for (int i = 0; i < ARGS_NAMES_MAX; i++) {
		snprintf(name, sizeof(name), "n%d.example", i);
		assert_true(args_names_add(n, "test", name));
	}
	assert_true(args_names_add(n, "test", "n0.example"));
	assert_false(args_names_add(n, "test", "more.example"));
	assert_int_equal(n->count, ARGS_NAMES_MAX);
	free(n);
}

static void
test_numbers(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		uint32_t n;
	} numbers[] = {
		{ "1", true, 1 },
		{ "65535", true, 65535 },
		{ "0", false, 0 },
		{ "65536", false, 0 },
		{ "-1", false, 0 },
		{ "+1", false, 0 },
		{ " 1", false, 0 },
		{ "1x", false, 0 },
		{ "", false, 0 },
		{ "99999999999999999999", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		uint32_t n = 7;

		assert_int_equal(args_number(&n, "test", "--port",
				     numbers[i].text, 1, 65535),
		    numbers[i].ok);
		assert_int_equal(n, numbers[i].ok ? numbers[i].n : 7);
	}
}

/* Who it is decides on which bits count, as in the kernel. */
static void
test_account(void **state)
{
	static const struct {
		mode_t mode;
		bool owner, member, root; /* and so */
		int mask;
		bool may;
	} cases[] = {
		{ 0600, true, false, false, R_OK | W_OK, true },
		{ 0600, false, true, false, R_OK, false },
		{ 0640, false, true, false, R_OK, true },
		{ 0640, false, true, false, W_OK, false },
		{ 0640, false, false, false, R_OK, false },
		{ 0604, false, false, false, R_OK, true },
		/* The owner is not saved by what others may. */
		{ 0044, true, false, false, R_OK, false },
		{ 0604, false, true, false, R_OK, false },
		{ 0000, false, false, true, R_OK | W_OK, true },
	};
	char path[] = "/tmp/sallyport-account-XXXXXX", why[300];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct account a = { .uid = cases[i].root    ? 0
					    : cases[i].owner ? getuid()
							     : 64999,
			.groups = { cases[i].member ? getgid() : 64998 },
			.group_count = 1,
			.name = "somebody" };

		/* root is its own case. */
		if (cases[i].owner && getuid() == 0)
			continue;
		assert_int_equal(fchmod(fd, cases[i].mode), 0);
		assert_int_equal(
		    account_may(&a, path, cases[i].mask, why, sizeof(why)),
		    cases[i].may);
		if (!cases[i].may)
			assert_non_null(strstr(why, "somebody may not"));
	}
	close(fd);
	unlink(path);
	assert_false(account_may(
	    &(struct account){ .uid = 0 }, path, R_OK, why, sizeof(why)));
	assert_false(
	    account_find(&(struct account){ 0 }, "nobody-has-this-name"));
}

static void
test_report(void **state)
{
	struct report r, more;
	const json_t *last;

	(void)state;
	report_init(&r);
	assert_string_equal(report_verdict(&r), "ok");
	report_add(&r, REPORT_NOTE, "a", "%d", 1);
	assert_string_equal(report_verdict(&r), "ok");
	report_init(&more);
	report_add(&more, REPORT_OK, "b", "fine");
	report_add(&more, REPORT_WARNING, "b", "esc\x1b[31m %s", "\xff");
	report_next(&more, "turn %s", "left");
	report_add(&more, REPORT_FAILURE, "left-out", "bad");
	report_merge(&r, &more, "c", "what", "left-out");
	report_finish(&more);
	assert_string_equal(report_verdict(&r), "warnings");
	assert_int_equal(json_array_size(r.findings), 2);
	last = json_array_get(r.findings, 1);
	assert_string_equal(
	    json_string_value(json_object_get(last, "check")), "c");
	assert_string_equal(json_string_value(json_object_get(last, "text")),
	    "what: esc?[31m ?");
	assert_string_equal(
	    json_string_value(json_object_get(last, "next")), "turn left");
	report_add(&r, REPORT_FAILURE, "d", "bad");
	assert_string_equal(report_verdict(&r), "failed");
	report_finish(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_too_many_names),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_account),
		cmocka_unit_test(test_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
