/* One decoder, by the table of RFC 3629 section 4: the lead byte decides the
 * length and how the second byte is bounded. */
#include "common/utf8.h"

/* Length that the lead byte announces, and the bounds of the second byte,
 * which exclude overlong forms, surrogates and what lies past U+10FFFF
 * (RFC 3629 section 4). */
static size_t
lead(uint8_t b, uint8_t *lo, uint8_t *hi)
{
	*lo = 0x80;
	*hi = 0xbf;
	if (b < 0x80)
		return 1;
	if (b >= 0xc2 && b <= 0xdf)
		return 2;
	if (b >= 0xe0 && b <= 0xef) {
		if (b == 0xe0)
			*lo = 0xa0;
		if (b == 0xed)
			*hi = 0x9f;
		return 3;
	}
	if (b >= 0xf0 && b <= 0xf4) {
		if (b == 0xf0)
			*lo = 0x90;
		if (b == 0xf4)
			*hi = 0x8f;
		return 4;
	}
	return 0;
}

size_t
utf8_decode(const uint8_t *s, size_t len, uint32_t *cp)
{
	uint8_t lo, hi;
	size_t n = lead(s[0], &lo, &hi);
	uint32_t v;

	if (n == 0 || n > len)
		return 0;
	if (n == 1) {
		*cp = s[0];
		return 1;
	}
	if (s[1] < lo || s[1] > hi)
		return 0;
	v = s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (s[i] & 0x3f);
	}
	*cp = v;
	return n;
}

size_t
utf8_encode(uint8_t *out, uint32_t cp)
{
	if (cp < 0x80) {
		out[0] = (uint8_t)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (uint8_t)(0xc0 | cp >> 6);
		out[1] = (uint8_t)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (uint8_t)(0xe0 | cp >> 12);
		out[1] = (uint8_t)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (uint8_t)(0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (uint8_t)(0xf0 | cp >> 18);
	out[1] = (uint8_t)(0x80 | (cp >> 12 & 0x3f));
	out[2] = (uint8_t)(0x80 | (cp >> 6 & 0x3f));
	out[3] = (uint8_t)(0x80 | (cp & 0x3f));
	return 4;
}

bool
utf8_valid(const void *s, size_t len)
{
	const uint8_t *p = s;
	uint32_t cp;

	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_decode(p + i, len - i, &cp);
		if (n == 0)
			return false;
	}
	return true;
}

bool
utf8_xml_char(uint32_t cp)
{
	return cp == 0x9 || cp == 0xa || cp == 0xd ||
	       (cp >= 0x20 && cp <= 0xd7ff) || (cp >= 0xe000 && cp <= 0xfffd) ||
	       (cp >= 0x10000 && cp <= 0x10ffff);
}

bool
utf8_valid_xml(const void *s, size_t len)
{
	const uint8_t *p = s;
	uint32_t cp;

	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_decode(p + i, len - i, &cp);
		if (n == 0 || !utf8_xml_char(cp))
			return false;
	}
	return true;
}

bool
utf8_attached(uint32_t cp)
{
	return (cp >= 0x300 && cp <= 0x36f) || (cp >= 0x1ab0 && cp <= 0x1aff) ||
	       (cp >= 0x20d0 && cp <= 0x20ff) || cp == 0x200d ||
	       (cp >= 0xfe00 && cp <= 0xfe0f) ||
	       (cp >= 0xfe20 && cp <= 0xfe2f) ||
	       (cp >= 0x1f3fb && cp <= 0x1f3ff) ||
	       (cp >= 0xe0020 && cp <= 0xe007f);
}
