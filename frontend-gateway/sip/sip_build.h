/*
 * sip_build - writes SIP messages (RFC 3261 7, 8.1.1, 8.2.6).  Pure.
 *
 * Texts that come back to the pool (Via, Record-Route, From, To, Route) are
 * copied byte for byte from the received lines, never from a parse.  Every
 * text is checked: none can end its line and add another.
 *
 * Errors   ERR_MALFORMED when a text holds CR, LF or NUL; ERR_FULL, ERR_NOMEM
 *          from the buffer.  The buffer's content is then of no use.
 */
#ifndef FRONTEND_GATEWAY_SIP_SIP_BUILD_H
#define FRONTEND_GATEWAY_SIP_SIP_BUILD_H

#include <stddef.h>
#include <stdint.h>

#include "frontend-gateway/sip/sip_msg.h"

struct buf;

struct sip_build_request {
	const char *method;
	const char *uri;
	const char *sent_by; /* "gw1.contoso.example:5061" */
	const char *branch;
	char *const *routes; /* URIs, without < > */
	size_t route_count;
	const char *last_route; /* one more behind these, or NULL */
	const char *from;       /* whole values, tags included */
	const char *to;
	const char *call_id;
	uint32_t cseq;
	const char *contact;          /* whole value; NULL = none */
	const struct sip_header *own; /* put before the caller's */
	size_t own_count;
	const struct sip_header *headers;
	size_t header_count;
	const char *content_type; /* NULL = no body */
	const void *body;
	size_t body_len;
};
int sip_build_request(struct buf *out, const struct sip_build_request *r);

struct sip_build_response {
	const struct sip_msg *request;
	int status;
	const char *reason;  /* NULL = the usual one */
	const char *to_tag;  /* added when the request's To has none */
	const char *contact; /* whole value; NULL = none */
	const struct sip_header *own;
	size_t own_count;
	const struct sip_header *headers;
	size_t header_count;
	const char *content_type;
	const void *body;
	size_t body_len;
};
int sip_build_response(struct buf *out, const struct sip_build_response *r);

/* The ACK to a response that is no 2xx (RFC 3261 17.1.1.3) and the CANCEL
 * (9.1) of an INVITE of ours. */
int sip_build_ack(struct buf *out, const struct sip_msg *invite,
    const struct sip_msg *response);
int sip_build_cancel(struct buf *out, const struct sip_msg *invite);

/* "OK" for 200; "Unknown" for what has no name. */
const char *sip_build_reason(int status);

/* Appends text as a quoted-string.  Control characters become spaces. */
int sip_build_quoted(struct buf *out, const char *text);
/* Appends an address: "Bo" <sip:bo@partner.example>;tag=x;epid=y.  All but
 * the URI may be NULL.  epid names an endpoint ([MS-SIP] 2.2.1): up to 16
 * letters and digits, else ERR_MALFORMED. */
int sip_build_address(struct buf *out, const char *display, const char *uri,
    const char *tag, const char *epid);
/* Appends the value of an ms-diagnostics header. */
int sip_build_diagnostics(
    struct buf *out, unsigned id, const char *reason, const char *source);
/* Appends the names of a set of methods: "INVITE, ACK". */
int sip_build_methods(struct buf *out, unsigned methods);

#endif
