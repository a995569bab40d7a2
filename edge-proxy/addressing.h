/*
 * addressing - who may be named in the headers and stanzas of a stream
 * (RFC 6120 4.7, 8.1).  Pure.
 *
 * Both functions answer STREAM_ERR_NONE or the stream error to close with, and
 * then a text for the log in *why.
 */
#ifndef EDGE_ADDRESSING_H
#define EDGE_ADDRESSING_H

#include <stdbool.h>

#include "common/jid.h"
#include "edge-proxy/stream_error.h"

struct hosting;
struct pair_set;
struct stream_header;
struct xml_elem;

/* The two ends as the first header named them, in comparable form; "" until
 * then.  Later headers of the stream must name the same. */
struct stream_ends {
	char to[256];
	char from[256];
};

/* The header of an initiator.  need_from: encryption is up, so it must say who
 * it is.  One without a version, from before XMPP 1.0, passes where dialback on
 * plain TCP may, which is all that such a stream can do (RFC 6120 4.7.5).  What it names is written into *ends even when it is refused for
 * other reasons, so that the answer can name it. */
enum stream_error
addressing_header(struct stream_ends *ends, const struct stream_header *h,
    bool need_from, const struct hosting *hosting, const char **why);

/* A stanza of the partner.  On STREAM_ERR_NONE from and to are parsed and the
 * caller's to finish; else both are zeroed. */
enum stream_error addressing_stanza(struct jid *from, struct jid *to,
    const struct xml_elem *e, const struct pair_set *pairs,
    const struct hosting *hosting, const char **why);

#endif
