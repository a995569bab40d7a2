/*
 * The pieces of SIP header values: addresses, lists, parameters, URIs.
 * Part of sip_msg.h, apart from the message because each is a small grammar
 * of its own (RFC 3261 25.1).
 */
#include "frontend-gateway/sip/sip_msg.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/err.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_hex(char c)
{
	return isxdigit((unsigned char)c) != 0;
}

/* Length of the quoted string at p, quotes included; 0 when it does not
 * end. */
static size_t
quoted_len(const char *p, size_t len)
{
	for (size_t i = 1; i < len; i++) {
		if (p[i] == '\\')
			i++;
		else if (p[i] == '"')
			return i + 1;
	}
	return 0;
}

bool
sip_list_next(const char **at, const char **element, size_t *len)
{
	const char *p = *at;
	bool angle = false;
	const char *begin;
	size_t n;

	while (is_blank(*p) || *p == ',')
		p++;
	if (*p == '\0')
		return false;
	begin = p;
	for (; *p != '\0' && (angle || *p != ','); p++) {
		if (*p == '<') {
			angle = true;
		} else if (*p == '>') {
			angle = false;
		} else if (*p == '"' && !angle) {
			n = quoted_len(p, strlen(p));
			if (n > 0)
				p += n - 1;
		}
	}
	*at = p;
	while (p > begin && is_blank(p[-1]))
		p--;
	*element = begin;
	*len = (size_t)(p - begin);
	return true;
}

/* Where '<' opens the URI, outside a quoted display name; NULL when it is an
 * addr-spec.  *ok is false when a quote does not close. */
static const char *
find_angle(const char *p, const char *end, bool *ok)
{
	size_t n;

	*ok = true;
	for (; p < end; p++) {
		if (*p == '<')
			return p;
		if (*p != '"')
			continue;
		n = quoted_len(p, (size_t)(end - p));
		if (n == 0) {
			*ok = false;
			return NULL;
		}
		p += n - 1;
	}
	return NULL;
}

int
sip_addr_read(struct sip_addr *out, const char *text, size_t len)
{
	const char *end = text + len;
	struct sip_addr a = { .params = "" };
	const char *open, *close;
	bool ok;

	while (text < end && is_blank(*text))
		text++;
	while (end > text && is_blank(end[-1]))
		end--;
	open = find_angle(text, end, &ok);
	if (!ok)
		return ERR_MALFORMED;
	if (open != NULL) {
		close = memchr(open, '>', (size_t)(end - open));
		if (close == NULL)
			return ERR_MALFORMED;
		a.uri = open + 1;
		a.uri_len = (size_t)(close - a.uri);
		while (open > text && is_blank(open[-1]))
			open--;
		if (open > text) {
			a.display = text;
			a.display_len = (size_t)(open - text);
		}
		if (a.display != NULL && *a.display != '"' &&
		    memchr(a.display, ',', a.display_len) != NULL)
			return ERR_MALFORMED;
		close++;
	} else {
		close = memchr(text, ';', (size_t)(end - text));
		if (close == NULL)
			close = end;
		a.uri = text;
		a.uri_len = (size_t)(close - text);
		while (a.uri_len > 0 && is_blank(a.uri[a.uri_len - 1]))
			a.uri_len--;
		if (memchr(a.uri, '?', a.uri_len) != NULL ||
		    memchr(a.uri, ',', a.uri_len) != NULL)
			return ERR_MALFORMED;
	}
	while (close < end && is_blank(*close))
		close++;
	if (close < end) {
		if (*close != ';')
			return ERR_MALFORMED;
		a.params = close;
		a.params_len = (size_t)(end - close);
	}
	if (a.uri_len == 0 || sip_params_check(a.params, a.params_len) < 0)
		return ERR_MALFORMED;
	*out = a;
	return 0;
}

int
sip_params_check(const char *params, size_t len)
{
	bool open = false; /* a semicolon with nothing behind it so far */
	size_t n;

	for (size_t i = 0; i < len; i++) {
		if (params[i] == ';') {
			if (open)
				return ERR_MALFORMED;
			open = true;
			continue;
		}
		if (!is_blank(params[i]))
			open = false;
		n = params[i] == '"' ? quoted_len(params + i, len - i) : 0;
		if (n > 0)
			i += n - 1;
	}
	return 0;
}

/* Copies a token or a quoted string, unquoted. */
static int
copy_value(char *out, size_t size, const char *p, size_t len)
{
	size_t n = 0;
	bool quoted = len >= 2 && p[0] == '"' && p[len - 1] == '"';

	if (quoted) {
		p++;
		len -= 2;
	}
	for (size_t i = 0; i < len; i++) {
		if (quoted && p[i] == '\\' && i + 1 < len)
			i++;
		if (n + 1 >= size)
			return ERR_TOO_LONG;
		out[n++] = p[i];
	}
	if (size == 0)
		return ERR_TOO_LONG;
	out[n] = '\0';
	return 0;
}

static void
trim(const char **p, size_t *len)
{
	while (*len > 0 && is_blank(**p)) {
		(*p)++;
		(*len)--;
	}
	while (*len > 0 && is_blank((*p)[*len - 1]))
		(*len)--;
}

int
sip_param_get(
    char *out, size_t size, const char *params, size_t len, const char *name)
{
	const char *p = params, *end = params + len;
	const char *from, *eq, *value;
	size_t n, name_len, value_len;

	while (p < end) {
		if (*p == ';' || is_blank(*p)) {
			p++;
			continue;
		}
		from = p;
		eq = NULL;
		for (; p < end && *p != ';'; p++) {
			if (*p == '=' && eq == NULL) {
				eq = p;
			} else if (*p == '"') {
				n = quoted_len(p, (size_t)(end - p));
				if (n > 0)
					p += n - 1;
			}
		}
		name_len = (size_t)((eq != NULL ? eq : p) - from);
		trim(&from, &name_len);
		if (name_len != strlen(name) ||
		    strncasecmp(from, name, name_len) != 0)
			continue;
		value = eq != NULL ? eq + 1 : p;
		value_len = (size_t)(p - value);
		trim(&value, &value_len);
		return copy_value(out, size, value, value_len);
	}
	return ERR_NOT_FOUND;
}

/* --- URIs --------------------------------------------------------------- */

/* Printable ASCII without what ends a URI, and every escape whole.  An
 * escaped NUL would cut the text short for whoever decodes it. */
static bool
characters_sound(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (p[i] <= ' ' || p[i] > '~' || p[i] == '<' || p[i] == '>' ||
		    p[i] == '"')
			return false;
		if (p[i] != '%')
			continue;
		if (len - i < 3 || !is_hex(p[i + 1]) || !is_hex(p[i + 2]))
			return false;
		if (p[i + 1] == '0' && p[i + 2] == '0')
			return false;
	}
	return true;
}

/* Length of "scheme:"; 0 when there is none. */
static size_t
scheme_len(const char *p, size_t len)
{
	size_t i = 0;

	if (len == 0 || isalpha((unsigned char)p[0]) == 0)
		return 0;
	while (i < len && (isalnum((unsigned char)p[i]) != 0 ||
			      strchr("+-.", p[i]) != NULL))
		i++;
	return i < len && p[i] == ':' ? i + 1 : 0;
}

static bool
user_sound(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (isalnum((unsigned char)p[i]) == 0 &&
		    strchr("-_.!~*'()&=+$,;?/%:", p[i]) == NULL)
			return false;
	return len > 0 && p[0] != ':';
}

static bool
port_sound(const char *p, size_t len)
{
	unsigned value = 0;

	if (len == 0 || len > 5)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (isdigit((unsigned char)p[i]) == 0)
			return false;
		value = value * 10 + (unsigned)(p[i] - '0');
	}
	return value >= 1 && value <= 65535;
}

/* host [":" port], host a name, an IPv4 address or [IPv6]. */
static bool
hostport_sound(const char *p, size_t len)
{
	const char *colon;
	size_t host = 0;

	if (len > 0 && p[0] == '[') {
		while (++host < len && p[host] != ']')
			if (!is_hex(p[host]) && p[host] != ':' &&
			    p[host] != '.')
				return false;
		if (host == len || host < 3)
			return false;
		host++;
	} else {
		colon = memchr(p, ':', len);
		host = colon != NULL ? (size_t)(colon - p) : len;
		for (size_t i = 0; i < host; i++)
			if (isalnum((unsigned char)p[i]) == 0 &&
			    strchr("-._", p[i]) == NULL)
				return false;
		if (host == 0 || host > 255 || p[0] == '.' || p[0] == '-')
			return false;
	}
	if (host == len)
		return true;
	return p[host] == ':' && port_sound(p + host + 1, len - host - 1);
}

int
sip_uri_check(const char *uri, size_t len)
{
	size_t scheme = scheme_len(uri, len);
	const char *at, *rest;
	size_t n;

	if (scheme == 0 || scheme == len || !characters_sound(uri, len))
		return ERR_MALFORMED;
	if (!(scheme == 4 && strncasecmp(uri, "sip:", 4) == 0) &&
	    !(scheme == 5 && strncasecmp(uri, "sips:", 5) == 0))
		return 0;
	rest = uri + scheme;
	n = len - scheme;
	/* The grammar allows one '@': behind it no part may hold another. */
	at = memchr(rest, '@', n);
	if (at != NULL) {
		if (!user_sound(rest, (size_t)(at - rest)))
			return ERR_MALFORMED;
		n -= (size_t)(at + 1 - rest);
		rest = at + 1;
		if (memchr(rest, '@', n) != NULL)
			return ERR_MALFORMED;
	}
	for (size_t i = 0; i < n; i++)
		if (rest[i] == ';' || rest[i] == '?')
			n = i;
	return hostport_sound(rest, n) ? 0 : ERR_MALFORMED;
}

int
sip_uri_user(const char **user, size_t *len, const char *uri)
{
	const char *rest = strchr(uri, ':');
	const char *at;

	if (rest == NULL)
		return ERR_NOT_FOUND;
	rest++;
	at = strchr(rest, '@');
	if (at == NULL || at == rest)
		return ERR_NOT_FOUND;
	*user = rest;
	*len = strcspn(rest, ":@");
	return 0;
}
