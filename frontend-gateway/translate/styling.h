/*
 * styling - plain text, and the directives of message styling in it
 * (XEP-0393), as formatted text (proto/rich_body.h).
 *
 * Read are spans (*strong*, _emphasis_, ~strike~, `code`), blocks of code
 * between lines of ```, and quotations by '>'.  The directives stay in the
 * text, as the XEP advises: it says the same whether somebody formats it or
 * not.  Pure.
 */
#ifndef FRONTEND_GATEWAY_TRANSLATE_STYLING_H
#define FRONTEND_GATEWAY_TRANSLATE_STYLING_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

/* Whether a client that knows message styling shows the text otherwise than
 * one that does not. */
bool styling_found(const char *text, size_t len);

/* Both append UTF-8 text with LF line ends as formatted text in which no blank
 * and no line end is lost, and web addresses are links: styling_format() as
 * its directives say, styling_escape() without a look at them.  0, ERR_UTF8 (not
 * of characters XML allows), ERR_NOMEM, ERR_FULL; rich is then as before. */
int styling_format(struct buf *rich, const char *text, size_t len);
int styling_escape(struct buf *rich, const char *text, size_t len);

#endif
