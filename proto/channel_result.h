/* channel_result - result frames: what became of one stanza frame. */
#ifndef PROTO_CHANNEL_RESULT_H
#define PROTO_CHANNEL_RESULT_H

#include <stddef.h>
#include <stdint.h>

#include "proto/channel.h"

enum { CHANNEL_RESULT_TEXT_MAX = 1024 };

/* Appends a result frame.  A text that a frame cannot hold (too long, not
 * XML characters) is left out.  0 or ERR_NOMEM. */
int channel_result_write(
    struct buf *out, uint64_t seq, const struct channel_result *r);
/* NULL, or why the frame is no result.  text holds CHANNEL_RESULT_TEXT_MAX + 1
 * bytes and is where r->text points. */
const char *channel_result_read(
    const struct frame *f, uint64_t *seq, struct channel_result *r, char *text);

/* Error types (RFC 6120 8.3.2) as small numbers; 0 for NULL and unknown. */
unsigned channel_result_type_index(const char *type);
const char *channel_result_type(unsigned index);

#endif
