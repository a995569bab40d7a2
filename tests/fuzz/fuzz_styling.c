/* A text as a partner's user might write it.  What is made of it is formatted
 * text of the form that passes the channel, bounded by the text; without the
 * tags it is the text again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/utf8.h"
#include "frontend-gateway/translate/styling.h"
#include "proto/rich_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(int truth)
{
	if (!truth)
		abort();
}

static int
skip(const char **at, const char *text)
{
	size_t n = strlen(text);

	if (strncmp(*at, text, n) != 0)
		return 0;
	*at += n;
	return 1;
}

/* The characters of a fragment, every blank as one of the same kind. */
static void
read_back(struct buf *out, const char *at)
{
	while (*at != '\0') {
		if (*at == '<')
			at = strchr(at, '>') + 1;
		else if (skip(&at, "&lt;"))
			buf_add_char(out, '<');
		else if (skip(&at, "&gt;"))
			buf_add_char(out, '>');
		else if (skip(&at, "&amp;"))
			buf_add_char(out, '&');
		else if (skip(&at, "\xc2\xa0") || skip(&at, " "))
			buf_add_char(out, ' ');
		else if (!skip(&at, "&#13;"))
			buf_add_char(out, *at++);
	}
}

/* The same of the text; line ends are elements there. */
static void
flatten(struct buf *out, const char *at, const char *end)
{
	while (at < end) {
		if (skip(&at, "\xc2\xa0") || skip(&at, " ") || skip(&at, "\t"))
			buf_add_char(out, ' ');
		else if (!skip(&at, "\n") && !skip(&at, "\r"))
			buf_add_char(out, *at++);
	}
}

static void
check(int (*make)(struct buf *, const char *, size_t), const char *text,
    size_t len)
{
	struct buf rich = { 0 }, back = { 0 }, flat = { 0 };
	int rc = make(&rich, text, len);

	require((rc == 0) == utf8_valid_xml(text, len));
	require(rich_body_valid((char *)rich.data, rich.len));
	require(rich.len <= 48 * len + 256);
	if (rc == 0) {
		read_back(&back, buf_cstr(&rich));
		flatten(&flat, text, text + len);
		require(back.len == flat.len);
		require(back.len == 0 ||
			memcmp(back.data, flat.data, back.len) == 0);
	}
	buf_finish(&rich);
	buf_finish(&back);
	buf_finish(&flat);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	(void)styling_found(text, size);
	check(styling_format, text, size);
	check(styling_escape, text, size);
	free(text);
	return 0;
}
