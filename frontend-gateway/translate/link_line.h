/*
 * link_line - a link as a person reads it: the name and the size of what is
 * behind it, as far as its sender has said, and the address.  Pure.
 */
#ifndef FRONTEND_GATEWAY_TRANSLATE_LINK_LINE_H
#define FRONTEND_GATEWAY_TRANSLATE_LINK_LINE_H

#include <stddef.h>
#include <stdint.h>

struct buf;

/* Texts with their lengths; no name = length 0, unknown size = 0. */
struct link_line {
	const char *url;
	size_t url_len;
	const char *name;
	size_t name_len;
	uint64_t size; /* bytes */
};

/* Appends "name (12 KB)"; nothing when neither is known.  The name becomes one
 * short line of characters that cannot turn its end into its beginning. */
void link_line_label(struct buf *out, const struct link_line *l);
/* Appends "name (12 KB): address", or the address alone. */
void link_line_whole(struct buf *out, const struct link_line *l);

#endif
