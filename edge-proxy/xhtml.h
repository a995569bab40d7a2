/*
 * xhtml - XHTML-IM (XEP-0071) reduced to what passes: the elements
 *
 *   a blockquote br em li ol p span strong ul
 *
 * with href on a (http, https, mailto, xmpp, tel) and style limited to color,
 * font-family, font-size, font-style, font-weight and text-decoration.  Of
 * other elements only the content stays, of script, style and head nothing, of
 * an image its alternative text.  Pure.
 *
 * The reduced form is a fragment without namespace declarations:
 *   <p>hello <strong>you</strong><br/></p>
 */
#ifndef EDGE_XHTML_H
#define EDGE_XHTML_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct xml_elem;

/* Appends the reduced content of an XHTML body.  0, ERR_FULL, ERR_NOMEM,
 * ERR_UTF8. */
int xhtml_reduce(struct buf *out, const struct xml_elem *body);
/* Is this exactly what xhtml_reduce() might have written?  What is not never
 * goes into a stream. */
bool xhtml_is_reduced(const char *s, size_t len);

#endif
