/*
 * body - message bodies between SIP (RFC 3428, MIME) and XMPP (RFC 6121 5.2.3).
 *
 * What comes out is whole or nothing: a body is never cut, split or thinned.
 * Pure.
 */
#ifndef FRONTEND_GATEWAY_TRANSLATE_BODY_H
#define FRONTEND_GATEWAY_TRANSLATE_BODY_H

#include <stdbool.h>
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
	"multipart/related, message/cpim"
#define BODY_ACCEPT_ENCODING "identity"
#define BODY_ACCEPT_TYPES    "text/plain multipart/alternative text/html"
/* The same where formatted text is not wanted. */
#define BODY_ACCEPT_TYPES_PLAIN "text/plain"
/* The Content-Type of what body_to_sip() makes, and of HTML. */
#define BODY_CONTENT_TYPE "text/plain; charset=UTF-8"
#define BODY_HTML_TYPE    "text/html; charset=UTF-8"

/* A SIP body with the header fields that tell what it is. */
struct body_part {
	const char *content_type;     /* field value, or NULL */
	const char *content_encoding; /* field value, or NULL */
	const void *data;
	size_t len;
};

struct body_rules {
	size_t limit; /* bytes of a SIP body */
	bool replace; /* bytes that are no text become U+FFFD; else 400 */
};

/* Appends the text for <body/>: UTF-8 of characters XML allows, LF line ends,
 * without one last line end.  Takes text/plain in the usual charsets, text/html,
 * text/rtf, multipart/alternative with such a part, multipart/related whose root
 * is one, multipart/mixed that has one, and message/cpim around one.  When there
 * is formatting to speak of, appends the formatted form to rich
 * (proto/rich_body.h), which may be NULL; more of it than RICH_BODY_MAX is left
 * out.  Returns 0, or the SIP status to refuse it with: 400 malformed, 413 too
 * many bytes, 415 of a kind not taken, 500 no memory; out is then as before.
 * Nothing appended (with 0) means that there is nothing to say: answer 200 and
 * send nothing. */
int body_from_sip(struct buf *out, struct buf *rich,
    const struct body_part *part, const struct body_rules *rules);

/* Appends the text of a <body/> as content of BODY_CONTENT_TYPE, with CRLF line ends.
 * Returns 0, ERR_TOO_LONG (more than limit bytes in SIP form: policy-violation
 * with body_limit_text()), ERR_UTF8, ERR_FULL, ERR_NOMEM. */
int body_to_sip(struct buf *out, const char *text, size_t len, size_t limit);

/* In which form an endpoint gets what has a formatted form. */
enum body_form {
	BODY_PLAIN,      /* text/plain alone */
	BODY_HTML,       /* text/html alone */
	BODY_ALTERNATIVE /* both, as multipart/alternative */
};

enum { BODY_TYPE_SIZE = 80 };

/* A text in SIP form, and the document that says the same. */
struct body_said {
	const char *text;
	size_t len;
	const char *html;
	size_t html_len;
};

/* Appends the body of a message in that form; type becomes its Content-Type.
 * ERR_FULL, ERR_NOMEM; out is then as before. */
int body_in_form(struct buf *out, char type[static BODY_TYPE_SIZE],
    enum body_form form, const struct body_said *said);

enum { BODY_LANGUAGE_SIZE = 36 };

/* Copies the first language that a Content-Language field names; false when
 * there is none (value may be NULL) or it is no tag (BCP 47). */
bool body_language(char out[static BODY_LANGUAGE_SIZE], const char *value);

/* The text of the error for too long a message; it names the limit. */
void body_limit_text(char *out, size_t size, size_t limit);

#endif
