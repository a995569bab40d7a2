/*
 * rtf - the plain text of what Lync clients send as text/rtf (Rich Text
 * Format 1.9.1).  Pure.
 *
 * Read are groups, destinations, paragraphs and lines, special characters,
 * \'hh by the code page of \ansicpg, \u with its \uc substitutes.  Everything
 * else is formatting and is left out; what is no text (font table, colours,
 * pictures, every \* destination) with all of its group.
 */
#ifndef FRONTEND_GATEWAY_TRANSLATE_RTF_H
#define FRONTEND_GATEWAY_TRANSLATE_RTF_H

#include <stddef.h>

struct buf;

enum { RTF_DEPTH_MAX = 64 };

/* Appends the text, LF line ends, without blank ends.  0, ERR_MALFORMED (does
 * not begin with {\rtf, groups that do not close, deeper than RTF_DEPTH_MAX,
 * an unknown code page), ERR_NOMEM, ERR_FULL; out is then as before. */
int rtf_read(struct buf *out, const char *rtf, size_t len);

#endif
