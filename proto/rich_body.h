/*
 * rich_body - the one form of formatted text that passes the channel
 * (FIELD_RICH_BODY): XHTML-IM (XEP-0071) reduced to the elements
 *
 *   a blockquote br em li ol p span strong ul
 *
 * with href on a (http, https, mailto, xmpp, tel) and style limited to color,
 * font-family, font-size (a word, or about the size of text), font-style,
 * font-weight and text-decoration.  It is
 * a fragment without namespace declarations, with attributes in single quotes:
 *
 *   <p>hello <strong>you</strong><br/></p>
 *
 * Nothing in it can run, fetch or name anything but a link.  The edge makes it
 * of stanzas, the gateway of HTML; each side checks what the other sent.
 * Pure.
 */
#ifndef PROTO_RICH_BODY_H
#define PROTO_RICH_BODY_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

enum {
	/* Bytes; of more than that the plain body alone is passed on. */
	RICH_BODY_MAX = 65536,
	RICH_BODY_DEPTH_MAX = 32,
	RICH_BODY_STYLE_MAX = 512,
	RICH_BODY_HREF_MAX = 2048
};

/* Is this of that form, whole and properly nested? */
bool rich_body_valid(const char *s, size_t len);

/* The element of that name, as a static text; NULL when none passes. */
const char *rich_body_element(const char *name, size_t len);
/* An element whose content is nothing to read (script, style ...). */
bool rich_body_dropped(const char *name, size_t len);
/* An address as it is before it is escaped: of a scheme that may be followed,
 * and within RICH_BODY_HREF_MAX escaped. */
bool rich_body_href_allowed(const char *href, size_t len);
/* Appends the allowed part of a style attribute, "name:value;name:value". */
void rich_body_reduce_style(struct buf *out, const char *style);

#endif
