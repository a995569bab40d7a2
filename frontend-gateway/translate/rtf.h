/*
 * rtf - what Lync clients send as text/rtf (Rich Text Format 1.9.1): its plain
 * text, and its formatting in the form that passes the channel
 * (proto/rich_body.h).  Pure.
 *
 * Read are groups, destinations, paragraphs and lines, special characters,
 * \'hh by the code page of \ansicpg, \u with its \uc substitutes; and bold,
 * italic, underlined and struck text, colours, hyperlinks.  Everything else is
 * left out: fonts and sizes, which every message names for its whole text, and
 * what is no text (font table, pictures, every \* destination) with all of its
 * group.
 */
#ifndef FRONTEND_GATEWAY_TRANSLATE_RTF_H
#define FRONTEND_GATEWAY_TRANSLATE_RTF_H

#include <stddef.h>

struct buf;

enum { RTF_DEPTH_MAX = 64 };

/* Appends the text, LF line ends, without blank ends, " <URL>" behind a link
 * that reads otherwise; and the formatted form to rich, which is left alone when
 * there is none and may be NULL.  0, ERR_MALFORMED (does not begin with {\rtf,
 * groups that do not close, deeper than RTF_DEPTH_MAX, an unknown code page),
 * ERR_NOMEM, ERR_FULL; the buffers are then as before. */
int rtf_read(struct buf *out, struct buf *rich, const char *rtf, size_t len);

#endif
