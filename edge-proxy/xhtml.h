/*
 * xhtml - the XHTML-IM (XEP-0071) of a stanza, reduced to the form that passes
 * the channel (proto/rich_body.h).  Of elements that do not pass only the
 * content stays, of script, style and head nothing, of an image its
 * alternative text.  Pure.
 */
#ifndef EDGE_XHTML_H
#define EDGE_XHTML_H

struct buf;
struct xml_elem;

/* Appends the reduced content of an XHTML body.  0, ERR_FULL, ERR_NOMEM,
 * ERR_UTF8. */
int xhtml_reduce(struct buf *out, const struct xml_elem *body);
#endif
