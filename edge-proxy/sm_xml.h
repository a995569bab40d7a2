/*
 * sm_xml - the elements of stream management (XEP-0198), without resumption.
 * Pure: writing appends to a buffer, whose stickiness tells whether memory
 * sufficed.
 */
#ifndef EDGE_SM_XML_H
#define EDGE_SM_XML_H

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct xml_elem;

#define XML_NS_SM "urn:xmpp:sm:3"

void sm_xml_feature(struct buf *out);
void sm_xml_enable(struct buf *out);
void sm_xml_enabled(struct buf *out);
/* condition: an element name of ours (RFC 6120 8.3.3). */
void sm_xml_failed(struct buf *out, const char *condition);
void sm_xml_request(struct buf *out);
void sm_xml_ack(struct buf *out, uint32_t h);
/* The whole stream error about an h above what was sent (6). */
void sm_xml_too_high(struct buf *out, uint32_t h, uint32_t sent);

/* The h of an <a/>; false when there is none, or it is no number of 32 bits. */
bool sm_xml_read_h(uint32_t *h, const struct xml_elem *a);

#endif
