/*
 * One header per line, in the order in which people like to read a trace;
 * Content-Length last, so that it is right by construction.
 */
#include "frontend-gateway/sip/sip_build.h"

#include <string.h>
#include <strings.h>

#include "common/buf.h"
#include "common/err.h"

enum { EPID_MAX = 16 };

static const char alnum[] = "0123456789abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

static const struct {
	int status;
	const char *reason;
} reasons[] = {
	{ 100, "Trying" },
	{ 180, "Ringing" },
	{ 181, "Call Is Being Forwarded" },
	{ 182, "Queued" },
	{ 183, "Session Progress" },
	{ 200, "OK" },
	{ 202, "Accepted" },
	{ 301, "Moved Permanently" },
	{ 302, "Moved Temporarily" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 408, "Request Timeout" },
	{ 410, "Gone" },
	{ 412, "Conditional Request Failed" },
	{ 413, "Request Entity Too Large" },
	{ 414, "Request-URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 416, "Unsupported URI Scheme" },
	{ 420, "Bad Extension" },
	{ 421, "Extension Required" },
	{ 422, "Session Interval Too Small" },
	{ 423, "Interval Too Brief" },
	{ 430, "Flow Failed" },
	{ 480, "Temporarily Unavailable" },
	{ 481, "Call/Transaction Does Not Exist" },
	{ 482, "Loop Detected" },
	{ 483, "Too Many Hops" },
	{ 484, "Address Incomplete" },
	{ 485, "Ambiguous" },
	{ 486, "Busy Here" },
	{ 487, "Request Terminated" },
	{ 488, "Not Acceptable Here" },
	{ 489, "Bad Event" },
	{ 491, "Request Pending" },
	{ 493, "Undecipherable" },
	{ 500, "Server Internal Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Server Time-out" },
	{ 505, "Version Not Supported" },
	{ 513, "Message Too Large" },
	{ 600, "Busy Everywhere" },
	{ 603, "Decline" },
	{ 604, "Does Not Exist Anywhere" },
	{ 606, "Not Acceptable" },
};

const char *
sip_build_reason(int status)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

/* --- lines -------------------------------------------------------------- */

static bool
fits_line(const char *text)
{
	return strpbrk(text, "\r\n") == NULL;
}

/* "Name: value" CRLF; nothing for a NULL value. */
static int
add_line(struct buf *out, const char *name, const char *value)
{
	if (value == NULL)
		return 0;
	if (!fits_line(name) || !fits_line(value))
		return ERR_MALFORMED;
	return buf_addf(out, "%s: %s\r\n", name, value);
}

static int
add_lines(struct buf *out, const struct sip_header *headers, size_t count)
{
	int rc;

	for (size_t i = 0; i < count; i++) {
		rc = add_line(out, headers[i].name, headers[i].value);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* All lines of that name as received. */
static int
copy_lines(struct buf *out, const struct sip_msg *m, const char *name)
{
	const char *value;
	int rc;

	for (size_t i = 0;; i++) {
		value = sip_msg_header(m, name, i);
		if (value == NULL)
			return 0;
		rc = add_line(out, name, value);
		if (rc < 0)
			return rc;
	}
}

static int
add_body(struct buf *out, const char *type, const void *body, size_t len)
{
	int rc;

	if (type == NULL)
		len = 0;
	rc = add_line(out, "Content-Type", type);
	if (rc < 0)
		return rc;
	rc = buf_addf(out, "Content-Length: %zu\r\n\r\n", len);
	if (rc < 0 || len == 0)
		return rc;
	return buf_add(out, body, len);
}

/* Fails when any of a NULL-terminated list cannot stand in a line. */
static int
check(const char *const *texts)
{
	for (; *texts != NULL; texts++)
		if (!fits_line(*texts))
			return ERR_MALFORMED;
	return 0;
}

/* --- messages ----------------------------------------------------------- */

int
sip_build_request(struct buf *out, const struct sip_build_request *r)
{
	const char *const texts[] = { r->method, r->uri, r->sent_by, r->branch,
		r->from, r->to, r->call_id, NULL };
	int rc = check(texts);

	if (rc < 0)
		return rc;
	buf_addf(out, "%s %s SIP/2.0\r\n", r->method, r->uri);
	buf_addf(
	    out, "Via: SIP/2.0/TLS %s;branch=%s\r\n", r->sent_by, r->branch);
	buf_add_str(out, "Max-Forwards: 70\r\n");
	for (size_t i = 0; i < r->route_count; i++) {
		if (!fits_line(r->routes[i]))
			return ERR_MALFORMED;
		buf_addf(out, "Route: <%s>\r\n", r->routes[i]);
	}
	if (r->last_route != NULL) {
		if (!fits_line(r->last_route))
			return ERR_MALFORMED;
		buf_addf(out, "Route: <%s>\r\n", r->last_route);
	}
	buf_addf(out, "From: %s\r\nTo: %s\r\nCall-ID: %s\r\n", r->from, r->to,
	    r->call_id);
	buf_addf(out, "CSeq: %u %s\r\n", (unsigned)r->cseq, r->method);
	rc = add_line(out, "Contact", r->contact);
	if (rc == 0)
		rc = add_lines(out, r->own, r->own_count);
	if (rc == 0)
		rc = add_lines(out, r->headers, r->header_count);
	if (rc == 0)
		rc = add_body(out, r->content_type, r->body, r->body_len);
	return rc;
}

/* Whether responses of that kind set up or refresh a dialog, and therefore
 * carry the route back (RFC 3261 12.1.1). */
static bool
records_route(const struct sip_build_response *r)
{
	return r->status > 100 && r->status < 300;
}

static int
add_to(struct buf *out, const struct sip_build_response *r)
{
	const char *to = sip_msg_header(r->request, "To", 0);

	if (to == NULL)
		return 0;
	if (r->to_tag == NULL || r->status == 100 ||
	    *sip_msg_to_tag(r->request) != '\0')
		return add_line(out, "To", to);
	if (!fits_line(to) || !fits_line(r->to_tag))
		return ERR_MALFORMED;
	return buf_addf(out, "To: %s;tag=%s\r\n", to, r->to_tag);
}

int
sip_build_response(struct buf *out, const struct sip_build_response *r)
{
	const char *reason = r->reason;
	int rc;

	if (reason == NULL)
		reason = sip_build_reason(r->status);
	if (!fits_line(reason))
		return ERR_MALFORMED;
	buf_addf(out, "SIP/2.0 %d %s\r\n", r->status, reason);
	rc = copy_lines(out, r->request, "Via");
	if (rc == 0 && records_route(r))
		rc = copy_lines(out, r->request, "Record-Route");
	if (rc == 0)
		rc = add_line(
		    out, "From", sip_msg_header(r->request, "From", 0));
	if (rc == 0)
		rc = add_to(out, r);
	if (rc == 0)
		rc = add_line(
		    out, "Call-ID", sip_msg_header(r->request, "Call-ID", 0));
	if (rc == 0)
		rc = add_line(
		    out, "CSeq", sip_msg_header(r->request, "CSeq", 0));
	if (rc == 0)
		rc = add_line(out, "Contact", r->contact);
	if (rc == 0)
		rc = add_lines(out, r->own, r->own_count);
	if (rc == 0)
		rc = add_lines(out, r->headers, r->header_count);
	if (rc == 0)
		rc = add_body(out, r->content_type, r->body, r->body_len);
	return rc;
}

/* What ACK and CANCEL share: they follow the INVITE's way with its top Via. */
static int
build_follower(struct buf *out, const struct sip_msg *invite,
    const char *method, const char *to)
{
	int rc;

	buf_addf(out, "%s %s SIP/2.0\r\n", method, sip_msg_uri(invite));
	rc = add_line(out, "Via", sip_msg_top_via(invite));
	if (rc == 0)
		rc = add_line(out, "Max-Forwards", "70");
	if (rc == 0)
		rc = copy_lines(out, invite, "Route");
	if (rc == 0)
		rc = add_line(out, "From", sip_msg_from(invite));
	if (rc == 0)
		rc = add_line(out, "To", to);
	if (rc == 0)
		rc = add_line(out, "Call-ID", sip_msg_call_id(invite));
	if (rc == 0)
		rc = buf_addf(out, "CSeq: %u %s\r\n",
		    (unsigned)sip_msg_cseq(invite), method);
	if (rc == 0)
		rc = add_body(out, NULL, NULL, 0);
	return rc;
}

int
sip_build_ack(struct buf *out, const struct sip_msg *invite,
    const struct sip_msg *response)
{
	return build_follower(out, invite, "ACK", sip_msg_to(response));
}

int
sip_build_cancel(struct buf *out, const struct sip_msg *invite)
{
	return build_follower(out, invite, "CANCEL", sip_msg_to(invite));
}

/* --- values ------------------------------------------------------------- */

int
sip_build_quoted(struct buf *out, const char *text)
{
	buf_add_char(out, '"');
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			buf_add_char(out, '\\');
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			buf_add_char(out, ' ');
		else
			buf_add_char(out, *text);
	}
	return buf_add_char(out, '"');
}

int
sip_build_address(struct buf *out, const char *display, const char *uri,
    const char *tag, const char *epid)
{
	size_t len = epid != NULL ? strlen(epid) : 0;

	if (len > EPID_MAX || (len > 0 && strspn(epid, alnum) != len))
		return ERR_MALFORMED;
	if (display != NULL && *display != '\0') {
		sip_build_quoted(out, display);
		buf_add_char(out, ' ');
	}
	buf_addf(out, "<%s>", uri);
	if (tag != NULL)
		buf_addf(out, ";tag=%s", tag);
	if (len > 0)
		buf_addf(out, ";epid=%s", epid);
	return buf_failed(out) ? ERR_NOMEM : 0;
}

int
sip_build_diagnostics(
    struct buf *out, unsigned id, const char *reason, const char *source)
{
	buf_addf(out, "%u;reason=", id);
	sip_build_quoted(out, reason != NULL ? reason : "");
	buf_add_str(out, ";source=");
	sip_build_quoted(out, source);
	return buf_add_str(out, ";component=\"xmpp-gateway\"");
}

int
sip_build_methods(struct buf *out, unsigned methods)
{
	const char *separator = "";
	int rc = 0;

	for (unsigned m = 1; m < SIP_METHOD_COUNT; m++) {
		if ((methods & SIP_METHOD_BIT(m)) == 0)
			continue;
		rc = buf_addf(out, "%s%s", separator,
		    sip_method_name((enum sip_method)m));
		separator = ", ";
	}
	return rc;
}
