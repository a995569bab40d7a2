/*
 * sasl_external - the rules of SASL EXTERNAL between servers (RFC 6120 6,
 * XEP-0178).  Pure.
 *
 * The certificate has named the stream's from already; what is left is that the
 * initiator asks for that identity and no other: by an empty authorisation id,
 * or by the domain itself.
 */
#ifndef EDGE_SASL_EXTERNAL_H
#define EDGE_SASL_EXTERNAL_H

#include <stddef.h>

struct buf;

#define SASL_ANSWERS(X)                                                        \
	X(SASL_SUCCESS, "success")                                             \
	X(SASL_CHALLENGE, "challenge")                                         \
	X(SASL_ABORTED, "aborted")                                             \
	X(SASL_INCORRECT_ENCODING, "incorrect-encoding")                       \
	X(SASL_INVALID_AUTHZID, "invalid-authzid")                             \
	X(SASL_INVALID_MECHANISM, "invalid-mechanism")                         \
	X(SASL_MALFORMED_REQUEST, "malformed-request")                         \
	X(SASL_NOT_AUTHORIZED, "not-authorized")                               \
	X(SASL_TEMPORARY_AUTH_FAILURE, "temporary-auth-failure")

enum sasl_answer {
#define X(name, text) name,
	SASL_ANSWERS(X)
#undef X
	    SASL_ANSWER_COUNT
};
/* The condition's element name, or what the answer is. */
const char *sasl_external_str(enum sasl_answer a);

/* Judges <auth mechanism='...'>text</auth>.  from: the stream's from in
 * comparable form, which the certificate proves.  An <auth/> without text
 * means no initial response: SASL_CHALLENGE. */
enum sasl_answer sasl_external_auth(
    const char *mechanism, const char *text, size_t len, const char *from);
/* Judges the text of <response/> to an empty challenge: empty or "=" is an
 * empty authorisation id. */
enum sasl_answer
sasl_external_response(const char *text, size_t len, const char *from);
/* The initial response of the initiating side: its domain in base64, which all
 * servers accept.  0 or the code of the buffer. */
int sasl_external_initial(struct buf *out, const char *domain);

#endif
