/*
 * buf - a growable byte buffer with a hard limit.
 *
 * A zeroed struct buf with a limit is valid and empty.  Memory belongs to
 * the buffer; buf_finish() releases it.  An append that would pass the
 * limit, or that finds no memory, leaves the content as it was and makes
 * the buffer sticky-failed: every later append fails too, so that a
 * sequence of appends needs one check at its end (buf_failed()).
 */
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data; /* may be NULL while len is 0 */
	size_t len;
	size_t cap;
	size_t limit; /* bytes; 0 means none */
	bool failed;
};

void buf_init(struct buf *b, size_t limit);
void buf_finish(struct buf *b);
/* Empties the buffer and forgets a failure; keeps the memory. */
void buf_clear(struct buf *b);
/* Gives back what the content does not need. */
void buf_trim(struct buf *b);
bool buf_failed(const struct buf *b);

/* 0, ERR_FULL or ERR_NOMEM. */
int buf_add(struct buf *b, const void *data, size_t len);
int buf_add_str(struct buf *b, const char *s);
int buf_add_char(struct buf *b, char c);
int buf_addf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int buf_vaddf(struct buf *b, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
/* Makes room for len more bytes and returns where they go (their number is
 * added to len already), or NULL. */
uint8_t *buf_extend(struct buf *b, size_t len);
/* Drops len bytes (at most b->len) from the front. */
void buf_consume(struct buf *b, size_t len);
/* NUL-terminates (the NUL is not counted) and returns the content, or NULL
 * when there is no memory.  Valid until the next append. */
const char *buf_cstr(struct buf *b);

#endif
