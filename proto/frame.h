/*
 * frame - encoding and decoding of channel frames.  No I/O, no allocation on
 * decode: a decoded frame points into the bytes it was decoded from and is
 * valid as long as they are.
 *
 * Layout: u32 big-endian length of what follows, u8 version, u8 type, then
 * fields of u16 tag, u32 length, bytes (proto/CHANNEL.md).
 */
#ifndef PROTO_FRAME_H
#define PROTO_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/frame_table.h"

struct buf;

enum {
	FRAME_VERSION = 1,
	FRAME_MAX = 256 * 1024, /* whole frame, length prefix included */
	FRAME_FIELDS_LIMIT = 128
};

struct frame_field {
	uint16_t tag;
	uint32_t len;
	const uint8_t *data;
};

struct frame {
	uint8_t type;
	uint16_t count;
	struct frame_field fields[FRAME_FIELDS_LIMIT];
};

/* Length of the frame at the start of data: 0 and *size (prefix included),
 * ERR_INCOMPLETE, or ERR_TOO_LONG / ERR_MALFORMED when it can never be one. */
int frame_length(size_t *size, const uint8_t *data, size_t len);
/* Decodes exactly one whole frame of len bytes.  Known fields are checked for
 * form and size; unknown tags are dropped.  ERR_MALFORMED, ERR_UNSUPPORTED
 * (version or type), ERR_UTF8. */
int frame_decode(struct frame *f, const uint8_t *data, size_t len);

/* NULL when absent; otherwise the first of that tag. */
const struct frame_field *
frame_field(const struct frame *f, enum frame_tag tag);
/* The n-th (from 0) of a repeatable field, or NULL. */
const struct frame_field *
frame_field_n(const struct frame *f, enum frame_tag tag, unsigned n);
bool frame_has(const struct frame *f, enum frame_tag tag);
/* def when absent. */
uint64_t frame_u64(const struct frame *f, enum frame_tag tag, uint64_t def);
uint64_t frame_u64_n(
    const struct frame *f, enum frame_tag tag, unsigned n, uint64_t def);
/* Compares a TOKEN or TEXT field with a string; false when absent. */
bool frame_is(const struct frame *f, enum frame_tag tag, const char *s);
/* Copies with NUL; false when absent or longer than size - 1 (out is ""). */
bool
frame_copy(const struct frame *f, enum frame_tag tag, char *out, size_t size);
/* New NUL-terminated copy to free(), or NULL when absent or no memory. */
char *frame_dup(const struct frame *f, enum frame_tag tag);
bool frame_is_stanza(uint8_t type);
const char *frame_type_str(uint8_t type);

/* Writing: begin, puts, end.  Failures are sticky; frame_end() reports the
 * first one and then removes the whole frame from out.  A field is held to the
 * same rules as on decode, so what was written can be read: ERR_TOO_LONG (a
 * field or the frame), ERR_UTF8, ERR_MALFORMED (form, a field twice, too many
 * of them), ERR_NOMEM.  A stanza frame leaves room for its FIELD_SEQ. */
struct frame_writer {
	struct buf *out;
	size_t start;
	int rc;
	unsigned count;
	uint8_t seen[16]; /* a bit for each tag written */
};

void frame_begin(struct frame_writer *w, struct buf *out, enum frame_type type);
void frame_put(
    struct frame_writer *w, enum frame_tag tag, const void *data, size_t len);
/* Nothing is written when s is NULL. */
void frame_put_str(struct frame_writer *w, enum frame_tag tag, const char *s);
void frame_put_u64(struct frame_writer *w, enum frame_tag tag, uint64_t v);
void frame_put_flag(struct frame_writer *w, enum frame_tag tag);
void frame_put_field(struct frame_writer *w, const struct frame_field *field);
int frame_end(struct frame_writer *w);

/* One line of JSON for a trace.  With bodies false the text fields that hold
 * what people wrote (body, rich-body, subject, status-text, reaction, nick,
 * links, why an invitation is declined, texts of errors, the stanzas of a trace)
 * and the answers to iq are replaced by their length. */
int frame_to_json(struct buf *out, const struct frame *f, bool bodies);

#endif
