/*
 * image - small versioned records of values, for rows of the store.
 *
 * Numbers are big-endian, a text is its length and its bytes.  A reader never
 * leaves its bytes: past the end, or after one thing that could not be, every
 * later read gives nothing and ok is false, so that one check at the end is
 * enough.  Pure.
 */
#ifndef FRONTEND_GATEWAY_TRANSLATE_IMAGE_H
#define FRONTEND_GATEWAY_TRANSLATE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/* bytes of them, 1 to 8. */
void image_put(struct buf *out, uint64_t v, unsigned bytes);
/* NULL is "".  Longer than 65535 bytes fails the buffer. */
void image_put_text(struct buf *out, const char *s);

struct image {
	const uint8_t *at;
	size_t left;
	bool ok;
};

struct image image_of(const void *data, size_t len);
uint64_t image_get(struct image *i, unsigned bytes);
/* Copies a text of XML characters with its NUL into size bytes. */
void image_get_text(struct image *i, char *out, size_t size);
/* All was read and nothing was wrong. */
bool image_ended(const struct image *i);

#endif
