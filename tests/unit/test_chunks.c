/* The byte queue: order, sizes around the piece's, nothing left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/chunks.h"

/* The byte that belongs at a position of the endless test pattern. */
static uint8_t
pattern(size_t at)
{
	return (uint8_t)(at * 31 + (at >> 8) * 7);
}

static void
add_pattern(struct chunks *q, size_t *at, size_t len)
{
	uint8_t *data = malloc(len + 1);

	assert_non_null(data);
	for (size_t i = 0; i < len; i++)
		data[i] = pattern(*at + i);
	assert_int_equal(chunks_add(q, data, len), 0);
	*at += len;
	free(data);
}

/* Takes at most len bytes from the front and compares them. */
static void
take_pattern(struct chunks *q, size_t *at, size_t len)
{
	const uint8_t *data;

	while (len > 0 && q->len > 0) {
		size_t n = chunks_front(q, &data);

		assert_true(n > 0);
		if (n > len)
			n = len;
		for (size_t i = 0; i < n; i++)
			assert_int_equal(data[i], pattern(*at + i));
		chunks_consume(q, n);
		*at += n;
		len -= n;
	}
}

static const size_t sizes[] = { 1, 2, 100, CHUNK_SIZE - 1, CHUNK_SIZE,
	CHUNK_SIZE + 1, (size_t)3 * CHUNK_SIZE, 100000 };
#define COUNT (sizeof sizes / sizeof sizes[0])

static void
bytes_leave_in_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		for (size_t j = 0; j < COUNT; j++) {
			struct chunks q = { 0 };
			size_t in = 0, out = 0;

			for (int round = 0; round < 5; round++) {
				add_pattern(&q, &in, sizes[i]);
				assert_int_equal(q.len, in - out);
				take_pattern(&q, &out, sizes[j]);
				assert_int_equal(q.len, in - out);
			}
			take_pattern(&q, &out, SIZE_MAX);
			assert_int_equal(out, in);
			assert_null(q.head);
			assert_null(q.tail);
		}
}

static void
buffers_cover_the_front(void **state)
{
	struct chunks q = { 0 };
	size_t in = 0, out = 0, len = 0;
	uv_buf_t v[3];

	(void)state;
	assert_int_equal(chunks_buffers(&q, v, 3), 0);
	add_pattern(&q, &in, 10);
	take_pattern(&q, &out, 4);
	assert_int_equal(chunks_buffers(&q, v, 3), 1);
	assert_int_equal(v[0].len, 6);
	add_pattern(&q, &in, (size_t)5 * CHUNK_SIZE);
	assert_int_equal(chunks_buffers(&q, v, 3), 3);
	for (int i = 0; i < 3; i++) {
		for (size_t k = 0; k < v[i].len; k++)
			assert_int_equal(
			    (uint8_t)v[i].base[k], pattern(out + len + k));
		len += v[i].len;
	}
	assert_int_equal(len, (size_t)3 * CHUNK_SIZE - 4);
	chunks_finish(&q);
	assert_int_equal(q.len, 0);
}

static void
nothing_is_nothing(void **state)
{
	struct chunks q = { 0 };
	const uint8_t *data = NULL;

	(void)state;
	assert_int_equal(chunks_add(&q, "", 0), 0);
	assert_null(q.head);
	assert_int_equal(chunks_front(&q, &data), 0);
	chunks_consume(&q, 0);
	chunks_finish(&q);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_leave_in_order),
		cmocka_unit_test(buffers_cover_the_front),
		cmocka_unit_test(nothing_is_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
