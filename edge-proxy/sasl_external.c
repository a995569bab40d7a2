/*
 * sasl_external - see the header.  On a server-to-server stream the
 * authorisation id is a bare domain (RFC 6120 6.3.8): one with a local part or
 * a resource, or of another domain, is SASL_INVALID_AUTHZID.
 */
#include "edge-proxy/sasl_external.h"

#include <string.h>

#include "common/base64.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/jid.h"

enum { RESPONSE_MAX = 4 * ((JID_MAX + 2) / 3) };

static const char *const names[SASL_ANSWER_COUNT] = {
#define X(name, text) [name] = (text),
	SASL_ANSWERS(X)
#undef X
};

const char *
sasl_external_str(enum sasl_answer a)
{
	return names[a];
}

static enum sasl_answer
judge_authzid(const struct buf *authzid, const char *from)
{
	const char *s = (const char *)authzid->data;
	char ascii[256];

	if (authzid->len == 0)
		return SASL_SUCCESS;
	if (memchr(s, 0, authzid->len) != NULL)
		return SASL_INVALID_AUTHZID;
	if (memchr(s, '@', authzid->len) != NULL ||
	    memchr(s, '/', authzid->len) != NULL)
		return SASL_INVALID_AUTHZID;
	if (jid_domain_ascii(ascii, sizeof(ascii), s, authzid->len) < 0)
		return SASL_INVALID_AUTHZID;
	return strcmp(ascii, from) == 0 ? SASL_SUCCESS : SASL_INVALID_AUTHZID;
}

enum sasl_answer
sasl_external_response(const char *text, size_t len, const char *from)
{
	enum sasl_answer a;
	struct buf authzid;
	int rc;

	if (len == 0 || (len == 1 && text[0] == '='))
		return SASL_SUCCESS;
	if (len > RESPONSE_MAX)
		return SASL_INVALID_AUTHZID;
	buf_init(&authzid, JID_MAX);
	rc = base64_decode(&authzid, text, len);
	if (rc == ERR_MALFORMED)
		a = SASL_INCORRECT_ENCODING;
	else if (rc == ERR_NOMEM)
		a = SASL_TEMPORARY_AUTH_FAILURE;
	else if (rc < 0)
		a = SASL_INVALID_AUTHZID;
	else
		a = judge_authzid(&authzid, from);
	buf_finish(&authzid);
	return a;
}

enum sasl_answer
sasl_external_auth(
    const char *mechanism, const char *text, size_t len, const char *from)
{
	if (mechanism == NULL)
		return SASL_MALFORMED_REQUEST;
	if (strcmp(mechanism, "EXTERNAL") != 0)
		return SASL_INVALID_MECHANISM;
	if (len == 0)
		return SASL_CHALLENGE;
	return sasl_external_response(text, len, from);
}

int
sasl_external_initial(struct buf *out, const char *domain)
{
	return base64_encode(out, domain, strlen(domain));
}
