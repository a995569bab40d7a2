/*
 * trace_frame - a stanza frame, or its result, as an administrator may see it.
 * Pure.
 */
#ifndef GATEWAY_TRACE_TRACE_FRAME_H
#define GATEWAY_TRACE_TRACE_FRAME_H

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>

struct channel_result;
struct frame;

enum { TRACE_FRAME_VALUE_MAX = 4096 /* bytes of a field */ };

/* {"type", "from", "to", "fields": {...}}; a long value is cut, and then "cut"
 * is true.  NULL without memory. */
json_t *trace_frame_json(const struct frame *f, bool bodies);
/* {"type": "result", "of": "message", "status", "proof" or "condition" and
 * "text", which is that of one of the halves}.  r NULL: "withdrawn".  NULL
 * without memory. */
json_t *trace_frame_result_json(const struct channel_result *r, uint8_t of);

#endif
