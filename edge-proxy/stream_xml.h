/*
 * stream_xml - what we write on a stream besides stanzas: headers, features,
 * stream errors, STARTTLS and SASL elements (RFC 6120).  Pure: appends to a
 * buffer, whose stickiness tells whether memory sufficed.
 *
 * Never an echo of the peer's bytes: all values are escaped, all names are
 * ours.
 */
#ifndef EDGE_STREAM_XML_H
#define EDGE_STREAM_XML_H

#include <stdbool.h>

#include "edge-proxy/stream_error.h"
#include "edge-proxy/stream_limits.h"

struct buf;

struct stream_xml_header {
	const char *from; /* NULL leaves the attribute out, as for the others */
	const char *to;
	const char *id;
	bool old; /* no version: the peer gave none (RFC 6120 4.7.5) */
};

/* XML declaration and opening tag.  The dialback namespace is declared when
 * dialback may be used. */
void stream_xml_header(
    struct buf *out, const struct stream_xml_header *h, bool dialback);
void stream_xml_goodbye(struct buf *out);
/* The error element alone; text may be NULL. */
void stream_xml_error(struct buf *out, enum stream_error e, const char *text);

struct stream_xml_features {
	bool starttls;
	bool optional; /* starttls is not required */
	bool external;
	bool dialback; /* XEP-0220 2.4, with errors */
	bool sm;       /* stream management */
	bool bidi;     /* both directions (XEP-0288) */
	struct stream_limits limits;
};
void stream_xml_features(struct buf *out, const struct stream_xml_features *f);

/* The request for both directions, with what we bear on the way back. */
void stream_xml_bidi(struct buf *out, const struct stream_limits *limits);

void stream_xml_starttls(struct buf *out);
void stream_xml_proceed(struct buf *out);
void stream_xml_tls_failure(struct buf *out);

/* base64 is the initial response. */
void
stream_xml_auth(struct buf *out, const char *mechanism, const char *base64);
void stream_xml_challenge(struct buf *out); /* empty */
void stream_xml_response(struct buf *out, const char *base64);
void stream_xml_success(struct buf *out);
/* condition: an element name of ours. */
void stream_xml_sasl_failure(struct buf *out, const char *condition);

/* XEP-0199 request. */
void stream_xml_ping(
    struct buf *out, const char *from, const char *to, const char *id);

#endif
