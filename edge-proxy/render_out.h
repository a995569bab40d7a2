/*
 * render_out - pieces of XML made of frame fields.  All of them append to a
 * buffer whose stickiness tells in the end whether memory sufficed, and write
 * nothing at all for a field that is absent.
 */
#ifndef EDGE_RENDER_OUT_H
#define EDGE_RENDER_OUT_H

#include "proto/frame.h"

struct buf;

void render_out_attr(struct buf *out, const char *name, const char *value);
void render_out_attr_field(
    struct buf *out, const char *name, const struct frame_field *field);
/* <name>text</name> */
void render_out_text(
    struct buf *out, const char *name, const struct frame_field *field);
/* <name xmlns='ns'>text</name> */
void render_out_text_ns(struct buf *out, const char *ns, const char *name,
    const struct frame_field *field);
/* <name xmlns='ns' attr='value'/> */
void render_out_ref(struct buf *out, const char *ns, const char *name,
    const char *attr, const struct frame_field *field);
/* <name xmlns='ns' attr='time'/> for a field that holds milliseconds. */
void render_out_time(struct buf *out, const struct frame *f, enum frame_tag tag,
    const char *ns, const char *name, const char *attr);

#endif
