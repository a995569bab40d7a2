#include "frontend-gateway/translate/link_line.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "common/buf.h"
#include "common/utf8.h"
#include "frontend-gateway/translate/excerpt.h"

enum { NAME_CHARS = 100 };

/* Characters that change the direction of what follows: "gpj.exe" would read
 * as a picture. */
static bool
turns(uint32_t cp)
{
	return cp == 0x61c || cp == 0x200e || cp == 0x200f ||
	       (cp >= 0x202a && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069);
}

static void
put_name(struct buf *out, const struct link_line *l)
{
	char name[EXCERPT_SIZE];
	size_t len = excerpt_of(name, l->name, l->name_len, NAME_CHARS), n;
	uint32_t cp;

	for (size_t i = 0; i < len; i += n) {
		n = utf8_decode((const uint8_t *)name + i, len - i, &cp);
		if (n == 0)
			return;
		if (!turns(cp))
			buf_add(out, name + i, n);
	}
}

static void
put_size(struct buf *out, uint64_t bytes)
{
	static const char *const units[] = { "KB", "MB", "GB", "TB" };
	uint64_t tenths;
	size_t unit = 0;

	if (bytes < 1000) {
		buf_addf(
		    out, "%" PRIu64 " byte%s", bytes, bytes == 1 ? "" : "s");
		return;
	}
	/* Thousands, as file managers and browsers count by now. */
	while (bytes >= 999500 && unit < 3) {
		bytes /= 1000;
		unit++;
	}
	tenths = (bytes + 50) / 100;
	if (tenths >= 100 || tenths % 10 == 0)
		buf_addf(out, "%" PRIu64, (bytes + 500) / 1000);
	else
		buf_addf(out, "%" PRIu64 ".%" PRIu64, tenths / 10, tenths % 10);
	buf_addf(out, " %s", units[unit]);
}

void
link_line_label(struct buf *out, const struct link_line *l)
{
	size_t before = out->len;

	if (l->name_len > 0)
		put_name(out, l);
	if (l->size == 0)
		return;
	if (out->len > before)
		buf_add_char(out, ' ');
	buf_add_char(out, '(');
	put_size(out, l->size);
	buf_add_char(out, ')');
}

void
link_line_whole(struct buf *out, const struct link_line *l)
{
	size_t before = out->len;

	link_line_label(out, l);
	if (out->len > before)
		buf_add_str(out, ": ");
	buf_add(out, l->url, l->url_len);
}
