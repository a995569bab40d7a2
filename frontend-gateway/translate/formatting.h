/*
 * formatting - formatted text as Lync clients read it: HTML made of what came
 * over the channel (proto/rich_body.h), or of message styling (XEP-0393) in a
 * plain text.  Nothing but the elements and attributes of rich_body can come
 * out.  Pure.
 */
#ifndef FRONTEND_GATEWAY_TRANSLATE_FORMATTING_H
#define FRONTEND_GATEWAY_TRANSLATE_FORMATTING_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

enum { FORMATTING_HTML_MAX = 65536 };

struct formatting_source {
	const char *text; /* all that is to be read: LF line ends */
	size_t text_len;
	const char *body; /* what of text its writer wrote, or NULL */
	size_t body_len;
	const char *rich; /* his formatted form of body, or NULL */
	size_t rich_len;
	bool styling; /* text may hold directives of message styling */
};

/* Appends a document that says the same as text, or nothing when it would
 * show no formatting: rich absent or not of its form, body not found in text,
 * no directive, or more than FORMATTING_HTML_MAX bytes.  0, ERR_UTF8,
 * ERR_NOMEM; html is then as before. */
int formatting_html(struct buf *html, const struct formatting_source *s);

#endif
