/*
 * iq_payload - the requests that pass between the halves, and their answers:
 * XML on the partner's side, FIELD_REQUEST and FIELD_ANSWER in frames.  Pure.
 *
 * The content of an answer is a JSON object; proto/CHANNEL.md lists its
 * members for each request.  What they do not name does not pass.
 */
#ifndef EDGE_IQ_PAYLOAD_H
#define EDGE_IQ_PAYLOAD_H

#include <stddef.h>

struct buf;
struct xml_elem;

enum iq_request {
	IQ_NONE,
	IQ_PING,
	IQ_DISCO_INFO,
	IQ_DISCO_ITEMS,
	IQ_VERSION,
	IQ_TIME,
	IQ_VCARD
};

/* "ping" ... as in FIELD_REQUEST; NULL for IQ_NONE. */
const char *iq_payload_str(enum iq_request request);
enum iq_request iq_payload_parse(const char *name);
/* What the only child of an iq asks for, or answers. */
enum iq_request iq_payload_of(const struct xml_elem *payload);
/* The payload of a request.  node may be NULL. */
void iq_payload_write_request(
    struct buf *out, enum iq_request request, const char *node);

/* The content of a result as JSON, appended.  ERR_TOO_LONG when it does not
 * fit into FIELD_ANSWER, ERR_NOMEM. */
int iq_payload_read_answer(
    struct buf *json, enum iq_request request, const struct xml_elem *payload);
/* And back.  node may be NULL.  ERR_MALFORMED, ERR_NOMEM. */
int iq_payload_write_answer(struct buf *out, enum iq_request request,
    const char *node, const char *json, size_t len);

#endif
