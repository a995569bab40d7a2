/* render_message - what stands inside a message, made of the fields of its
 * frame.  Part of render. */
#ifndef EDGE_RENDER_MESSAGE_H
#define EDGE_RENDER_MESSAGE_H

struct buf;
struct frame;

void render_message_content(struct buf *out, const struct frame *f);

#endif
