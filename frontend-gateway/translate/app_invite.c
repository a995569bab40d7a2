#include "frontend-gateway/translate/app_invite.h"

#include <string.h>
#include <strings.h>

#include "common/buf.h"
#include "common/err.h"

struct span {
	const char *at;
	size_t len;
};

static struct span
trim(struct span s)
{
	while (s.len > 0 && (*s.at == ' ' || *s.at == '\t')) {
		s.at++;
		s.len--;
	}
	while (
	    s.len > 0 && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t' ||
			     s.at[s.len - 1] == '\r'))
		s.len--;
	return s;
}

static bool
equals(struct span s, const char *text)
{
	return s.len == strlen(text) && strncasecmp(s.at, text, s.len) == 0;
}

/* A number by all that is known; it goes back, so it must be harmless. */
static bool
copy_cookie(char out[static APP_INVITE_COOKIE_SIZE], struct span value)
{
	if (value.len == 0 || value.len >= APP_INVITE_COOKIE_SIZE)
		return false;
	for (size_t i = 0; i < value.len; i++)
		if (value.at[i] <= ' ' || value.at[i] > '~')
			return false;
	memcpy(out, value.at, value.len);
	out[value.len] = '\0';
	return true;
}

int
app_invite_read(struct app_invite *out, const void *body, size_t len)
{
	struct app_invite in = { 0 };
	struct span rest = { body, len };
	bool command = false;

	if (len > APP_INVITE_MAX)
		return ERR_TOO_LONG;
	while (rest.len > 0) {
		const char *end = memchr(rest.at, '\n', rest.len);
		struct span line = { rest.at,
			end != NULL ? (size_t)(end - rest.at) : rest.len };
		const char *colon = memchr(line.at, ':', line.len);
		struct span name, value;

		rest.at += line.len + (end != NULL ? 1 : 0);
		rest.len -= line.len + (end != NULL ? 1 : 0);
		if (colon == NULL)
			continue;
		name.at = line.at;
		name.len = (size_t)(colon - line.at);
		value.at = colon + 1;
		value.len = line.len - name.len - 1;
		name = trim(name);
		value = trim(value);
		if (equals(name, "Invitation-Command")) {
			command = true;
			in.asks = equals(value, "INVITE");
		} else if (equals(name, "Invitation-Cookie") &&
			   !copy_cookie(in.cookie, value)) {
			return ERR_MALFORMED;
		}
	}
	if (!command || (in.asks && in.cookie[0] == '\0'))
		return ERR_MALFORMED;
	*out = in;
	return 0;
}

int
app_invite_decline(struct buf *out, const struct app_invite *in)
{
	return buf_addf(out,
	    "Invitation-Command: CANCEL\r\n"
	    "Invitation-Cookie: %s\r\n"
	    "Cancel-Code: REJECT\r\n",
	    in->cookie);
}
