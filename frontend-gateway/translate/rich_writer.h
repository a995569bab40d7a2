/*
 * rich_writer - formatted text (proto/rich_body.h) from characters, each with
 * the look it is to have: for sources that have switches instead of elements.
 *
 * Nothing is lost of blanks and line ends between what can be seen; those before
 * and behind it are left out.  Pure.
 *
 * Borrows  the buffer.  Errors stay in it.
 */
#ifndef FRONTEND_GATEWAY_TRANSLATE_RICH_WRITER_H
#define FRONTEND_GATEWAY_TRANSLATE_RICH_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

enum { RICH_WRITER_NO_COLOUR = -1 };

struct rich_look {
	bool bold, italic, underline, strike;
	int32_t colour; /* 0xrrggbb, or RICH_WRITER_NO_COLOUR */
};

struct rich_writer {
	struct buf *out; /* NULL: nothing is written */
	size_t start;
	struct rich_look look; /* of what is written now */
	bool linked;           /* within a link */
	bool formatted;        /* something is more than plain text */
	size_t lines, blanks;  /* owed before the next character */
};

void rich_writer_init(struct rich_writer *w, struct buf *out);
/* One character of UTF-8; blanks, tabs and line ends are characters, too. */
void rich_writer_put(struct rich_writer *w, const struct rich_look *look,
    const char *c, size_t len);
/* Until rich_writer_unlink() all is text of a link to there; href is allowed
 * (rich_body_href_allowed()).  Links do not nest. */
void rich_writer_link(struct rich_writer *w, const char *href, size_t len);
void rich_writer_unlink(struct rich_writer *w);
/* Closes what is open; takes all back when nothing was formatted. */
void rich_writer_end(struct rich_writer *w);

#endif
