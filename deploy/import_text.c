/* From UTF-16 and UTF-8 to UTF-8. */
#include "deploy/import_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/utf8.h"

static uint32_t
unit_at(const uint8_t *p, bool big)
{
	return big ? (uint32_t)p[0] << 8 | p[1] : (uint32_t)p[1] << 8 | p[0];
}

static bool
put(struct buf *out, uint32_t c)
{
	uint8_t bytes[4];

	return buf_add(out, bytes, utf8_encode(bytes, c)) == 0;
}

static int
decode_utf16(struct buf *b, bool big)
{
	const uint8_t *p = b->data + 2, *end = b->data + b->len;
	struct buf out;

	buf_init(&out, b->limit != 0 ? b->limit * 2 : 0);
	if (b->len % 2 != 0)
		goto fail;
	for (; p < end; p += 2) {
		uint32_t c = unit_at(p, big), low;

		if (c >= 0xD800 && c < 0xE000) {
			if (c >= 0xDC00 || end - p < 4)
				goto fail;
			p += 2;
			low = unit_at(p, big);
			if (low < 0xDC00 || low >= 0xE000)
				goto fail;
			c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
		}
		if (c == 0 || !put(&out, c))
			goto fail;
	}
	buf_finish(b);
	*b = out;
	return 0;

fail:
	buf_finish(&out);
	return buf_failed(&out) ? ERR_FULL : ERR_UTF8;
}

int
import_text_decode(struct buf *b)
{
	if (b->len >= 2 && b->data[0] == 0xFF && b->data[1] == 0xFE)
		return decode_utf16(b, false);
	if (b->len >= 2 && b->data[0] == 0xFE && b->data[1] == 0xFF)
		return decode_utf16(b, true);
	if (b->len >= 3 && memcmp(b->data, "\xEF\xBB\xBF", 3) == 0)
		buf_consume(b, 3);
	return utf8_valid(b->data, b->len) ? 0 : ERR_UTF8;
}
