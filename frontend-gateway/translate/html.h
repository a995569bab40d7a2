/*
 * html - what Lync clients send as text/html: its plain text, and its
 * formatting in the form that passes the channel (proto/rich_body.h).
 *
 * libxml2 reads the HTML; what comes out is written anew from a list of known
 * elements, so no script, no picture, no attribute that was not asked for
 * survives.  Pure; nothing is fetched.
 */
#ifndef FRONTEND_GATEWAY_TRANSLATE_HTML_H
#define FRONTEND_GATEWAY_TRANSLATE_HTML_H

#include <stddef.h>

struct buf;

/* Appends the text of html (UTF-8): one line per block, white space collapsed
 * save in pre, "- " before list items, " <URL>" behind a link that reads
 * otherwise, an image's alternative text; without blank ends.  Appends the
 * formatted form to rich, which is left alone when there is no formatting to
 * speak of; rich may be NULL.
 *
 * 0, ERR_UTF8, ERR_NOMEM, ERR_FULL; the buffers are then as before. */
int html_read(struct buf *text, struct buf *rich, const char *html, size_t len);

#endif
