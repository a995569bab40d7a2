/* The text, the body within it and the formatted form as a lying edge might
 * send them, apart by NUL.  The document that is made of them is read like
 * one that a Lync client sent: it holds nothing but what rich_body lists, and
 * the second way leads where the first one did. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/utf8.h"
#include "frontend-gateway/translate/body.h"
#include "frontend-gateway/translate/formatting.h"
#include "frontend-gateway/translate/html.h"
#include "proto/rich_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(int truth)
{
	if (!truth)
		abort();
}

static const char *
cut(const char **at, const char *end, size_t *len)
{
	const char *start = *at;
	const char *stop = memchr(start, '\0', (size_t)(end - start));

	*len = (size_t)((stop != NULL ? stop : end) - start);
	*at = stop != NULL ? stop + 1 : end;
	return start;
}

/* Tags of the list, attributes of the list, in double quotes. */
static void
check_tags(const char *at, const char *end)
{
	while ((at = memchr(at, '<', (size_t)(end - at))) != NULL) {
		const char *close = memchr(at, '>', (size_t)(end - at));
		size_t n;

		require(close != NULL);
		at += at[1] == '/' ? 2 : 1;
		n = strspn(at, "abcdefghijklmnopqrstuvwxyz");
		require(rich_body_element(at, n) != NULL ||
			(n == 4 && (memcmp(at, "html", 4) == 0 ||
				       memcmp(at, "body", 4) == 0)));
		for (at += n; at < close;) {
			require(strncmp(at, " href=\"", 7) == 0 ||
				strncmp(at, " style=\"", 8) == 0);
			at = strchr(at, '"');
			at = memchr(at + 1, '"', (size_t)(close - at - 1));
			require(at != NULL);
			at++;
		}
	}
}

static void
check_document(const struct buf *html)
{
	struct buf text = { 0 }, rich = { 0 };

	require(html->len <= FORMATTING_HTML_MAX);
	require(utf8_valid_xml(html->data, html->len));
	check_tags((char *)html->data, (char *)html->data + html->len);
	require(html_read(&text, &rich, (char *)html->data, html->len) == 0);
	require(rich_body_valid((char *)rich.data, rich.len));
	buf_finish(&text);
	buf_finish(&rich);
}

static void
check_forms(struct formatting_source *s, const struct buf *html)
{
	static const struct body_rules rules = { .limit = SIZE_MAX };
	struct body_said said = { s->text, s->text_len, (char *)html->data,
		html->len };
	char type[BODY_TYPE_SIZE];
	struct buf out = { 0 }, text = { 0 };
	struct body_part part = { .content_type = type };

	require(body_in_form(&out, type, BODY_ALTERNATIVE, &said) == 0);
	part.data = out.data;
	part.len = out.len;
	require(body_from_sip(&text, NULL, &part, &rules) == 0);
	buf_finish(&out);
	buf_finish(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at, *end;
	struct formatting_source s = { .styling = true };
	struct buf html = { 0 };
	char *copy = malloc(size + 1);

	if (copy == NULL)
		return 0;
	memcpy(copy, data, size);
	copy[size] = '\0';
	at = copy;
	end = copy + size;
	s.text = cut(&at, end, &s.text_len);
	s.body = cut(&at, end, &s.body_len);
	s.rich = cut(&at, end, &s.rich_len);
	/* The frame has seen to that. */
	if (utf8_valid_xml(s.text, s.text_len) &&
	    formatting_html(&html, &s) == 0 && html.len > 0) {
		check_document(&html);
		check_forms(&s, &html);
	}
	buf_finish(&html);
	free(copy);
	return 0;
}
