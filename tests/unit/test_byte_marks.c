/* Which bytes have arrived, when those they were turned into have. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/byte_marks.h"

static void
test_marks(void **state)
{
	struct byte_marks m = { 0 };

	(void)state;
	assert_int_equal(byte_marks_reached(&m, 1000), 0);
	byte_marks_add(&m, 10, 1040);
	byte_marks_add(&m, 30, 1100);
	assert_int_equal(byte_marks_reached(&m, 1039), 0);
	assert_int_equal(byte_marks_reached(&m, 1040), 10);
	assert_int_equal(byte_marks_reached(&m, 1099), 10);
	/* what is behind the last mark is nobody's */
	assert_int_equal(byte_marks_reached(&m, 5000), 30);
	assert_int_equal(byte_marks_reached(&m, 5000), 30);
	byte_marks_add(&m, 31, 5001);
	assert_int_equal(byte_marks_reached(&m, 5000), 30);
	assert_int_equal(byte_marks_reached(&m, 5001), 31);
}

/* More marks than there is room for: later, never too early, and whole in the
 * end. */
static void
test_many_marks(void **state)
{
	struct byte_marks m = { 0 };
	uint64_t app;

	(void)state;
	for (uint64_t turn = 0; turn < 3; turn++) {
		for (uint64_t i = 1; i <= 1000; i++)
			byte_marks_add(
			    &m, turn * 1000 + i, (turn * 1000 + i) * 3);
		for (uint64_t w = turn * 3000; w < turn * 3000 + 3000; w++) {
			app = byte_marks_reached(&m, w);
			assert_true(app <= w / 3);
			if (w - turn * 3000 < BYTE_MARKS_MAX * 3 - 3)
				assert_int_equal(app, w / 3);
		}
		assert_int_equal(byte_marks_reached(&m, turn * 3000 + 3000),
		    turn * 1000 + 1000);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_many_marks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
