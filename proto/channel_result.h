/* channel_result - result frames: what became of one stanza frame. */
#ifndef PROTO_CHANNEL_RESULT_H
#define PROTO_CHANNEL_RESULT_H

#include <stddef.h>
#include <stdint.h>

#include "proto/channel.h"

enum { CHANNEL_RESULT_TEXT_MAX = 1024, CHANNEL_RESULT_GONE_MAX = 3071 };

/* Appends a result frame.  A text that a frame cannot hold (too long, not
 * XML characters) is left out.  0 or ERR_NOMEM. */
int channel_result_write(
    struct buf *out, uint64_t seq, const struct channel_result *r);
/* Where the texts of a result that was read lie. */
struct channel_result_texts {
	char text[CHANNEL_RESULT_TEXT_MAX + 1];
	char gone_to[CHANNEL_RESULT_GONE_MAX + 1];
};
/* NULL, or why the frame is no result. */
const char *channel_result_read(const struct frame *f, uint64_t *seq,
    struct channel_result *r, struct channel_result_texts *texts);

/* Error types (RFC 6120 8.3.2) as small numbers; 0 for NULL and unknown. */
unsigned channel_result_type_index(const char *type);
const char *channel_result_type(unsigned index);

#endif
