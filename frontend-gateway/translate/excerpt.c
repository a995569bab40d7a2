#include "frontend-gateway/translate/excerpt.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/utf8.h"

static const char more[] = "\xe2\x80\xa6";

static bool
is_blank(uint32_t cp)
{
	return cp <= ' ' || cp == 0x7f || cp == 0x85 || cp == 0xa0 ||
	       cp == 0x2028 || cp == 0x2029;
}

/* Where the character that begins at i ends, with all that belongs to it; its
 * first code point in *first.  i when there is none. */
static size_t
character_end(uint32_t *first, const char *text, size_t len, size_t i)
{
	bool joined = false;
	uint32_t cp;
	size_t n, at = i;

	while (at < len) {
		n = utf8_decode((const uint8_t *)text + at, len - at, &cp);
		if (n == 0)
			return at; /* no text any more */
		if (at == i)
			*first = cp;
		else if (!joined && !utf8_attached(cp))
			return at;
		joined = cp == 0x200d;
		at += n;
	}
	return at;
}

size_t
excerpt_of(
    char out[static EXCERPT_SIZE], const char *text, size_t len, size_t chars)
{
	const size_t room = EXCERPT_SIZE - sizeof(more);
	bool blank = false, cut = false;
	size_t used = 0, n = 0, end;
	uint32_t cp = 0;

	for (size_t i = 0; i < len; i = end) {
		end = character_end(&cp, text, len, i);
		if (end > i && is_blank(cp)) {
			blank = used > 0;
			continue;
		}
		cut = end == i || n + blank + 1 > chars ||
		      used + blank + (end - i) > room;
		if (cut)
			break;
		if (blank)
			out[used++] = ' ';
		n += 1 + blank;
		blank = false;
		memcpy(out + used, text + i, end - i);
		used += end - i;
	}
	if (cut) {
		memcpy(out + used, more, sizeof(more) - 1);
		used += sizeof(more) - 1;
	}
	out[used] = '\0';
	return used;
}
