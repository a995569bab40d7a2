/* Quoting for PowerShell. */
#include "deploy/powershell.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/utf8.h"

/* One character beyond ASCII, as UTF-16. */
static void
add_char(struct buf *out, uint32_t c)
{
	if (c < 0x10000) {
		buf_addf(out, "[char]0x%X", (unsigned)c);
		return;
	}
	c -= 0x10000;
	buf_addf(out, "[char]0x%X + [char]0x%X", (unsigned)(0xD800 + (c >> 10)),
	    (unsigned)(0xDC00 + (c & 0x3FF)));
}

static bool
is_ascii(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s >= 0x80)
			return false;
	return true;
}

/* A run of ASCII in quotes; returns its length. */
static size_t
add_run(struct buf *out, const char *s)
{
	size_t n = 0;

	buf_add_char(out, '\'');
	for (; s[n] != '\0' && (unsigned char)s[n] < 0x80; n++) {
		if (s[n] == '\'')
			buf_add_char(out, '\'');
		buf_add_char(out, s[n]);
	}
	buf_add_char(out, '\'');
	return n;
}

int
powershell_quote(struct buf *out, const char *s)
{
	bool plain = is_ascii(s);
	size_t left = strlen(s);

	for (size_t i = 0; i < left; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7F)
			return ERR_MALFORMED;
	if (!plain)
		buf_add_str(out, "(");
	/* Begins with a string, so that + joins instead of adding. */
	for (;;) {
		size_t n = add_run(out, s);
		uint32_t c;

		s += n;
		left -= n;
		if (left == 0)
			break;
		n = utf8_decode((const uint8_t *)s, left, &c);
		if (n == 0 || (c >= 0x80 && c < 0xA0))
			return ERR_MALFORMED;
		buf_add_str(out, " + ");
		add_char(out, c);
		s += n;
		left -= n;
		if (left == 0)
			break;
		buf_add_str(out, " + ");
	}
	if (!plain)
		buf_add_str(out, ")");
	return buf_failed(out) ? ERR_FULL : 0;
}
