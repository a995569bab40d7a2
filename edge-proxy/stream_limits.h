/*
 * stream_limits - what either side of a stream says it will bear (XEP-0478).
 * Pure.
 *
 * What a partner announces binds us until he announces something else on the
 * same stream; who announces nothing sets no limit that we know of.
 */
#ifndef EDGE_STREAM_LIMITS_H
#define EDGE_STREAM_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct xml_elem;

#define XML_NS_LIMITS "urn:xmpp:stream-limits:0"

struct stream_limits {
	uint32_t max_bytes; /* of a first-level element; 0 = not said */
	uint32_t idle_s;    /* without a byte from us; 0 = not said */
};

/* Appends the element; nothing when nothing is to be said. */
void stream_limits_write(struct buf *out, const struct stream_limits *l);
/* Those among the children of features, or of the request for both directions
 * (XEP-0288).  What is no number is not said.  Less than 10000 bytes, which RFC
 * 6120 13.12 forbids to demand, counts as 10000. */
struct stream_limits stream_limits_read(const struct xml_elem *parent);

bool stream_limits_fits(const struct stream_limits *l, size_t bytes);
/* How long we may be quiet so that the partner finds nothing idle: with a
 * margin, never below 5 s; 0 when nothing was said. */
uint64_t stream_limits_quiet_ms(const struct stream_limits *l);

#endif
