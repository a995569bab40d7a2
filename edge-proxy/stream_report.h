/*
 * stream_report - the content of the channel's stream frames, and who is told
 * of a stream (proto/CHANNEL.md).  Pure.
 */
#ifndef EDGE_STREAM_REPORT_H
#define EDGE_STREAM_REPORT_H

#include <stdbool.h>

#include <jansson.h>

#include "edge-proxy/stream_info.h"

struct buf;
struct hosting;

/* Does the stream carry, or was it to carry, a domain of that node? */
bool stream_report_concerns(const struct stream_info *info,
    const struct hosting *hosting, const char *node);
/* Appends a whole stream frame for the node: pairs of other nodes' domains are
 * left out.  ERR_NOMEM, ERR_TOO_LONG. */
int stream_report_write(struct buf *out, enum stream_event ev,
    const struct stream_info *info, const struct hosting *hosting,
    const char *node);

/* Names of the proofs whose bits are set; NULL without memory. */
json_t *stream_report_proofs(unsigned proofs);

#endif
