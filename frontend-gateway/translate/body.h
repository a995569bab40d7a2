/*
 * body - message bodies between SIP (RFC 3428, MIME) and XMPP (RFC 6121 5.2.3).
 *
 * What comes out is whole or nothing: a body is never cut, split or thinned.
 * Pure.
 */
#ifndef FRONTEND_GATEWAY_TRANSLATE_BODY_H
#define FRONTEND_GATEWAY_TRANSLATE_BODY_H

#include <stddef.h>

struct buf;

enum {
	BODY_LIMIT = 65536,     /* bytes of a SIP body by default */
	BODY_TEXT_MAX = 131072, /* bytes of text that the channel carries */
};

/* Accept and Accept-Encoding to send with a 415 (RFC 3261 21.4.13), and the
 * types to list in an SDP accept-types line. */
#define BODY_ACCEPT                                                            \
	"text/plain, text/html, text/rtf, multipart/alternative, "             \
	"multipart/related"
#define BODY_ACCEPT_ENCODING "identity"
#define BODY_ACCEPT_TYPES    "text/plain multipart/alternative"
/* The Content-Type of what body_to_sip() makes. */
#define BODY_CONTENT_TYPE "text/plain; charset=UTF-8"

/* A SIP body with the header fields that tell what it is. */
struct body_part {
	const char *content_type;     /* field value, or NULL */
	const char *content_encoding; /* field value, or NULL */
	const void *data;
	size_t len;
};

/* Appends the text for <body/>: UTF-8 of characters XML allows, LF line ends,
 * without one last line end.  Takes text/plain in the usual charsets,
 * text/html, text/rtf, multipart/alternative with such a part, and
 * multipart/related or mixed that begin with one.  When the formatting of
 * HTML is more than that, appends it to rich (proto/rich_body.h), which may
 * be NULL.  Returns 0, or the SIP status to refuse it with: 400 malformed, 413
 * more than limit bytes, 415 of a kind not taken, 500 no memory; out is then
 * as before.  Nothing appended (with 0) means that there is nothing to say:
 * answer 200 and send nothing. */
int body_from_sip(struct buf *out, struct buf *rich,
    const struct body_part *part, size_t limit);

/* Appends the text of a <body/> as content of BODY_CONTENT_TYPE, with CRLF line ends.
 * Returns 0, ERR_TOO_LONG (more than limit bytes in SIP form: policy-violation
 * with body_limit_text()), ERR_UTF8, ERR_FULL, ERR_NOMEM. */
int body_to_sip(struct buf *out, const char *text, size_t len, size_t limit);

/* The text of the error for too long a message; it names the limit. */
void body_limit_text(char *out, size_t size, size_t limit);

#endif
