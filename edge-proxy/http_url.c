/* http_url - see the header. */
#include "edge-proxy/http_url.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/conf.h"
#include "common/err.h"
#include "common/ports.h"
#include "common/prefix.h"

#define SCHEME "http://"

/* Digits only, 1 to 65535. */
static int
read_port(uint16_t *out, const char *s, size_t len)
{
	unsigned port = 0;

	if (len == 0 || len > 5)
		return ERR_MALFORMED;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return ERR_MALFORMED;
		port = port * 10 + (unsigned)(s[i] - '0');
	}
	if (port == 0 || port > UINT16_MAX)
		return ERR_MALFORMED;
	*out = (uint16_t)port;
	return 0;
}

/* A name, "192.0.2.1", or what stands between brackets. */
static int
read_host(struct http_url *u, const char *s, size_t len, bool brackets)
{
	struct prefix p;
	char why[200];

	if (len == 0 || len >= sizeof(u->host))
		return ERR_MALFORMED;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (!isalnum(c) && c != '.' && c != '-' &&
		    !(brackets && c == ':') && !(!brackets && c == '_'))
			return ERR_MALFORMED;
		u->host[i] = (char)tolower(c);
	}
	u->host[len] = '\0';
	u->literal = prefix_parse(&p, u->host, why, sizeof(why)) == 0 &&
		     prefix_is_host(&p);
	if (brackets != (u->literal && p.family == AF_INET6))
		return ERR_MALFORMED;
	if (u->literal)
		prefix_sockaddr(&u->address, &p, u->port);
	return 0;
}

/* What a request line takes; a fragment is not sent. */
static int
read_path(struct http_url *u, const char *s, size_t len)
{
	const char *hash = memchr(s, '#', len);
	size_t n = hash != NULL ? (size_t)(hash - s) : len;
	size_t at = 0;

	if (n == 0 || s[0] != '/')
		u->path[at++] = '/'; /* "http://host", "http://host?query" */
	if (at + n >= sizeof(u->path))
		return ERR_MALFORMED;
	for (size_t i = 0; i < n; i++) {
		if (s[i] <= ' ' || s[i] > '~')
			return ERR_MALFORMED;
		u->path[at++] = s[i];
	}
	u->path[at] = '\0';
	return 0;
}

/* "host", "host:port", "[address]:port" */
static int
read_authority(struct http_url *u, const char *s, size_t len)
{
	bool brackets = len > 0 && s[0] == '[';
	const char *end = brackets ? memchr(s, ']', len) : memchr(s, ':', len);
	const char *host = brackets ? s + 1 : s;
	size_t host_len, used;
	int rc = 0;

	if (brackets && end == NULL)
		return ERR_MALFORMED;
	host_len = (size_t)((end != NULL ? end : s + len) - host);
	used = (size_t)(host - s) + host_len + (brackets ? 1 : 0);
	u->port = PORTS_HTTP;
	if (used < len)
		rc = s[used] == ':'
			 ? read_port(&u->port, s + used + 1, len - used - 1)
			 : ERR_MALFORMED;
	if (rc == 0)
		rc = read_host(u, host, host_len, brackets);
	if (rc < 0)
		return rc;
	if (u->port == PORTS_HTTP)
		snprintf(u->authority, sizeof(u->authority),
		    brackets ? "[%s]" : "%s", u->host);
	else
		snprintf(u->authority, sizeof(u->authority),
		    brackets ? "[%s]:%u" : "%s:%u", u->host, u->port);
	return 0;
}

int
http_url_parse(struct http_url *out, const char *text, size_t len)
{
	size_t scheme = sizeof(SCHEME) - 1, n;
	struct http_url u = { 0 };
	int rc;

	if (len < scheme || strncasecmp(text, SCHEME, scheme) != 0)
		return ERR_UNSUPPORTED;
	if (len > HTTP_URL_MAX || memchr(text, 0, len) != NULL)
		return ERR_MALFORMED;
	text += scheme;
	len -= scheme;
	for (n = 0; n < len && strchr("/?#", text[n]) == NULL;)
		n++;
	rc = read_authority(&u, text, n);
	if (rc == 0)
		rc = read_path(&u, text + n, len - n);
	if (rc == 0)
		*out = u;
	return rc;
}

int
http_url_follow(
    struct http_url *out, const struct http_url *base, const char *location)
{
	struct http_url u = *base;
	int rc;

	if (location[0] != '/' || location[1] == '/')
		return http_url_parse(out, location, strlen(location));
	rc = read_path(&u, location, strlen(location));
	if (rc == 0)
		*out = u;
	return rc;
}
