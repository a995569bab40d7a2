/*
 * trace_sdp - the description of a session (RFC 8866) as an administrator may
 * see it: addresses, media and what they take, by a table.  Names that people
 * give and keys become their length.  Pure.
 */
#ifndef GATEWAY_TRACE_TRACE_SDP_H
#define GATEWAY_TRACE_TRACE_SDP_H

#include <stddef.h>

struct buf;

/* Appends it with LF line ends; printable ASCII, whatever it was. */
void trace_sdp_write(struct buf *out, const char *sdp, size_t len);

#endif
