/*
 * trace_sip - a SIP message as an administrator may see it: who, what and which
 * way, but nothing that somebody wrote.
 *
 * Shown are the start line, the headers of a table and, of these, what is a
 * word of the protocol: addresses without display names, parameters of a table,
 * media types, diagnostics.  Everything else, and every header and parameter
 * that the tables do not name, becomes its length, "[12 bytes]".  Bodies of
 * XML (presence, is-composing, notifications) go through xml_redact, of SDP the
 * lines of a table are shown, of all others the length.  What is unreadable is
 * not shown.
 *
 * It reads with patience: also what sip_msg refuses is to be traced, as far as
 * it is lines.
 *
 * Pure.  What was read points into the bytes it was read from.
 */
#ifndef GATEWAY_TRACE_TRACE_SIP_H
#define GATEWAY_TRACE_TRACE_SIP_H

#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>

#include "common/jid.h"

struct buf;

enum {
	TRACE_SIP_HEADERS_MAX = 256, /* more are not shown */
	TRACE_SIP_PARTIES_MAX = 3
};

struct trace_sip_span {
	const char *at;
	size_t len;
};

struct trace_sip {
	struct trace_sip_span start; /* the first line */
	struct trace_sip_header {
		struct trace_sip_span name; /* empty: the line is no header */
		struct trace_sip_span value;
	} headers[TRACE_SIP_HEADERS_MAX];
	size_t count;
	bool more; /* than fit */
	struct trace_sip_span body;
	/* Of the first line; both empty when it is neither. */
	struct trace_sip_span method, uri; /* of a request */
	int status;                        /* of a response, or 0 */
	struct trace_sip_span reason;
};

/* How many of the bytes are the head: start line, headers and the empty line. */
size_t trace_sip_head(const void *data, size_t len);
void trace_sip_read(struct trace_sip *out, const void *head, size_t head_len,
    const void *body, size_t body_len);

/* Whom it is about: From, To and the Request-URI, as far as they are
 * addresses.  Each of the returned number ends with jid_finish(). */
size_t trace_sip_parties(
    const struct trace_sip *m, struct jid out[static TRACE_SIP_PARTIES_MAX]);

/* Appends the message with LF line ends, always valid UTF-8.  With bodies
 * everything is shown but credentials and keys.  ERR_NOMEM. */
int trace_sip_write(struct buf *out, const struct trace_sip *m, bool bodies);
/* The same in parts: "method" or "status" and "reason", "cseq", "call_id",
 * "from", "to", "diagnostics" as far as there are any, "text" of at most max
 * bytes, "cut" when that was not all.  NULL without memory. */
json_t *trace_sip_json(const struct trace_sip *m, bool bodies, size_t max);

#endif
