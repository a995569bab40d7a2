/* Any bytes as one frame.  What can be read can be printed and written again,
 * and reads the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "proto/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(int truth)
{
	if (!truth)
		abort();
}

static void
write_again(const struct frame *f)
{
	struct frame_writer w;
	struct frame again;
	struct buf b;
	unsigned i;

	buf_init(&b, 0);
	frame_begin(&w, &b, (enum frame_type)f->type);
	for (i = 0; i < f->count; i++)
		frame_put_field(&w, &f->fields[i]);
	if (frame_end(&w) == 0) {
		require(frame_decode(&again, b.data, b.len) == 0);
		require(again.type == f->type && again.count == f->count);
		for (i = 0; i < f->count; i++) {
			require(again.fields[i].tag == f->fields[i].tag);
			require(again.fields[i].len == f->fields[i].len);
			require(memcmp(again.fields[i].data, f->fields[i].data,
				    f->fields[i].len) == 0);
		}
	} else {
		/* Only that it has no room for a number. */
		require(frame_is_stanza(f->type) && b.len == 0);
	}
	buf_finish(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame f;
	struct buf b;
	size_t n;

	if (frame_length(&n, data, size) == 0)
		require(n <= size && n <= FRAME_MAX);
	if (frame_decode(&f, data, size) < 0)
		return 0;
	require(n == size);
	buf_init(&b, 0);
	require(frame_to_json(&b, &f, size % 2 == 0) == 0);
	buf_finish(&b);
	write_again(&f);
	return 0;
}
