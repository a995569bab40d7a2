/*
 * What stands in text before and behind the body (a subject, a time, a link) is
 * put around its formatted form; so nothing that the plain form says is
 * missing from the other.
 *
 * The formatted form is XML; HTML parsers take no empty-element tags and older
 * ones no &apos;, so it is written anew, token by token.  It has been checked,
 * so the tokens need no second look.
 */
#include "frontend-gateway/translate/formatting.h"

#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "frontend-gateway/translate/styling.h"
#include "proto/rich_body.h"

struct span {
	const char *at;
	size_t len;
};

static bool
take(struct span *s, const char *text)
{
	size_t n = strlen(text);

	if (s->len < n || memcmp(s->at, text, n) != 0)
		return false;
	s->at += n;
	s->len -= n;
	return true;
}

static void
put_tag(struct buf *html, struct span *rich)
{
	const char *start = rich->at;
	/* No value holds a '>'. */
	const char *end = memchr(start, '>', rich->len);
	bool empty = end[-1] == '/';
	struct span tag = { start, (size_t)(end - start) - empty };
	int name_len = (int)strcspn(start + 1, " />");

	rich->at = end + 1;
	rich->len -= (size_t)(end + 1 - start);
	while (tag.len > 0) {
		if (take(&tag, "'")) {
			(void)buf_add_char(html, '"');
		} else if (take(&tag, "&apos;")) {
			(void)buf_add_char(html, '\'');
		} else {
			(void)buf_add_char(html, *tag.at++);
			tag.len--;
		}
	}
	(void)buf_add_char(html, '>');
	if (empty && strncmp(start, "<br", 3) != 0)
		(void)buf_addf(html, "</%.*s>", name_len, start + 1);
}

static void
put_html(struct buf *html, struct span rich)
{
	while (rich.len > 0) {
		if (rich.at[0] == '<') {
			put_tag(html, &rich);
		} else if (take(&rich, "&apos;")) {
			(void)buf_add_char(html, '\'');
		} else if (take(&rich, "&#13;")) {
			(void)buf_add_char(html, ' ');
		} else {
			(void)buf_add_char(html, *rich.at++);
			rich.len--;
		}
	}
}

/* The formatted form of all the text; nothing appended: there is none. */
static int
gather(struct buf *rich, const struct formatting_source *s)
{
	const char *body = NULL, *behind;
	size_t before;
	int rc;

	if (s->rich_len > 0 && s->body_len > 0 &&
	    rich_body_valid(s->rich, s->rich_len))
		body = memmem(s->text, s->text_len, s->body, s->body_len);
	if (body == NULL)
		return s->styling && styling_found(s->text, s->text_len)
			   ? styling_format(rich, s->text, s->text_len)
			   : 0;
	before = (size_t)(body - s->text);
	behind = body + s->body_len;
	rc = styling_escape(rich, s->text, before);
	if (rc == 0)
		rc = buf_add(rich, s->rich, s->rich_len);
	if (rc == 0)
		rc = styling_escape(
		    rich, behind, s->text_len - before - s->body_len);
	return rc;
}

int
formatting_html(struct buf *html, const struct formatting_source *s)
{
	size_t before = html->len;
	struct buf rich;
	int rc;

	buf_init(&rich, FORMATTING_HTML_MAX);
	rc = gather(&rich, s);
	if (rc == 0 && rich.len > 0) {
		(void)buf_add_str(html, "<html><body>");
		put_html(html, (struct span){ (char *)rich.data, rich.len });
		(void)buf_add_str(html, "</body></html>");
	}
	buf_finish(&rich);
	if (buf_failed(html))
		rc = ERR_NOMEM;
	if (rc < 0 || html->len - before > FORMATTING_HTML_MAX)
		html->len = before;
	/* What is too much is left out: the plain form says it all. */
	return rc == ERR_FULL ? 0 : rc;
}
