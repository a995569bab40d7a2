/* From SIP: take the URI out of its brackets, cut it at '@', decode the user
 * once, escape what a JID may not hold (XEP-0106), prepare the result.
 *
 * Preparation changes letters, and a changed letter can turn harmless text
 * behind a backslash into one of the ten escapes, or out of it.  The
 * result is therefore undone and compared: the special characters must be
 * those that were written, and escaping must give the same local part again.
 *
 * To SIP: undo the escapes, percent-encode. */
#include "frontend-gateway/translate/address.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/jid.h"
#include "common/utf8.h"

enum {
	BAD_REQUEST = 400,
	NOT_FOUND = 404,
	URI_TOO_LONG = 414,
	BAD_SCHEME = 416,
	INCOMPLETE = 484,
	SERVER_ERROR = 500,
};

/* The parts of a URI, as written. */
struct uri {
	const char *user, *host, *params;
	size_t user_len, host_len, params_len;
};

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9');
}

/* --- XEP-0106 ----------------------------------------------------------- */

static const struct {
	char c;
	char code[3];
} escapes[] = {
	{ ' ', "20" },
	{ '"', "22" },
	{ '&', "26" },
	{ '\'', "27" },
	{ '/', "2f" },
	{ ':', "3a" },
	{ '<', "3c" },
	{ '>', "3e" },
	{ '@', "40" },
	{ '\\', "5c" },
};
enum { ESCAPES = sizeof(escapes) / sizeof(*escapes) };

/* The character that the text behind a backslash stands for, or 0.  Upper case
 * counts when the text is yet to be prepared. */
static char
escaped_char(const char *code, size_t len, bool any_case)
{
	for (int i = 0; i < ESCAPES && len >= 2; i++)
		if (any_case ? strncasecmp(code, escapes[i].code, 2) == 0
			     : memcmp(code, escapes[i].code, 2) == 0)
			return escapes[i].c;
	return 0;
}

static const char *
code_of(char c)
{
	for (int i = 0; i < ESCAPES; i++)
		if (escapes[i].c == c)
			return escapes[i].code;
	return NULL;
}

static int
escape(struct buf *out, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		const char *code = code_of(s[i]);

		/* A backslash is escaped only where it would be read as the
		 * start of an escape. */
		if (s[i] == '\\' &&
		    escaped_char(s + i + 1, len - i - 1, true) == 0)
			code = NULL;
		if (code != NULL)
			buf_addf(out, "\\%s", code);
		else
			buf_add_char(out, s[i]);
	}
	return buf_failed(out) ? ERR_NOMEM : 0;
}

static int
unescape(struct buf *out, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = s[i] == '\\'
			     ? escaped_char(s + i + 1, len - i - 1, false)
			     : 0;

		buf_add_char(out, c != 0 ? c : s[i]);
		if (c != 0)
			i += 2;
	}
	return buf_failed(out) ? ERR_NOMEM : 0;
}

/* Appends the unescaped form of a prepared local part.  ERR_JID unless
 * escaping that gives the local part again. */
static int
undo_local(struct buf *out, const char *local)
{
	struct buf again = { 0 };
	size_t len = strlen(local);
	int rc;

	if (len == 0)
		return ERR_JID;
	rc = unescape(out, local, len);
	if (rc == 0)
		rc = escape(&again, (const char *)out->data, out->len);
	if (rc == 0 &&
	    (again.len != len || memcmp(again.data, local, len) != 0 ||
		out->data[0] == ' ' || out->data[out->len - 1] == ' '))
		rc = ERR_JID;
	buf_finish(&again);
	return rc;
}

/* Whether both texts have the same special characters in the same order. */
static bool
same_specials(const struct buf *a, const struct buf *b)
{
	size_t i = 0, k = 0;

	for (;;) {
		while (i < a->len && code_of((char)a->data[i]) == NULL)
			i++;
		while (k < b->len && code_of((char)b->data[k]) == NULL)
			k++;
		if (i == a->len || k == b->len)
			return i == a->len && k == b->len;
		if (a->data[i++] != b->data[k++])
			return false;
	}
}

/* --- from SIP ----------------------------------------------------------- */

/* Finds the URI in a name-addr; leaves an addr-spec as it is.  0 or 400. */
static int
strip_brackets(const char **uri, size_t *len)
{
	const char *s = *uri, *end = s + *len, *open, *close;

	while (s < end && (*s == ' ' || *s == '\t'))
		s++;
	while (end > s && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*uri = s;
	*len = (size_t)(end - s);
	if (s < end && *s == '"') {
		for (s++; s < end && *s != '"'; s++)
			if (*s == '\\')
				s++;
		if (s >= end)
			return BAD_REQUEST;
		s++;
	}
	open = memchr(s, '<', (size_t)(end - s));
	if (open == NULL)
		return s == *uri ? 0 : BAD_REQUEST;
	close = memchr(open, '>', (size_t)(end - open));
	if (close == NULL)
		return BAD_REQUEST;
	*uri = open + 1;
	*len = (size_t)(close - open - 1);
	return 0;
}

/* Skips "sip:" and its kin; 0, 400 or 416. */
static int
strip_scheme(const char **uri, size_t *len)
{
	static const char *const taken[] = { "sip", "im", "pres" };
	const char *colon = memchr(*uri, ':', *len);
	size_t n;

	if (colon == NULL)
		return BAD_REQUEST;
	n = (size_t)(colon - *uri);
	for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++)
		if (strlen(taken[i]) == n &&
		    strncasecmp(*uri, taken[i], n) == 0) {
			*uri += n + 1;
			*len -= n + 1;
			return 0;
		}
	return BAD_SCHEME;
}

/* Cuts the port off the host; 0 or 400. */
static int
strip_port(struct uri *u)
{
	const char *host = u->host, *colon;
	size_t digits;

	if (u->host_len > 0 && host[0] == '[') {
		colon = memchr(host, ']', u->host_len);
		if (colon == NULL)
			return BAD_REQUEST;
		colon++;
		if (colon == host + u->host_len)
			return 0;
		if (*colon != ':')
			return BAD_REQUEST;
	} else {
		colon = memchr(host, ':', u->host_len);
		if (colon == NULL)
			return 0;
	}
	digits = u->host_len - (size_t)(colon + 1 - host);
	if (digits < 1 || digits > 5)
		return BAD_REQUEST;
	for (size_t i = 1; i <= digits; i++)
		if (colon[i] < '0' || colon[i] > '9')
			return BAD_REQUEST;
	u->host_len = (size_t)(colon - host);
	return 0;
}

/* Takes what follows the scheme apart.  0, 400, 404 or 484. */
static int
split(struct uri *u, const char *s, size_t len)
{
	const char *at = memchr(s, '@', len), *end = s + len, *p;

	if (at == NULL || memchr(at + 1, '@', (size_t)(end - at - 1)) != NULL)
		return NOT_FOUND;
	u->user = s;
	u->user_len = (size_t)(at - s);
	if (u->user_len == 0)
		return INCOMPLETE;
	if (memchr(s, ':', u->user_len) != NULL)
		return BAD_REQUEST; /* a password */
	p = memchr(at, '?', (size_t)(end - at));
	if (p != NULL)
		end = p;
	u->host = at + 1;
	p = memchr(at, ';', (size_t)(end - at));
	u->host_len = (size_t)((p != NULL ? p : end) - u->host);
	u->params = p != NULL ? p : end;
	u->params_len = (size_t)(end - u->params);
	return strip_port(u);
}

/* Appends s with its percent escapes decoded.  0, 400 or 500. */
static int
percent_decode(struct buf *out, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		int high, low;

		if (c <= ' ' || c == 0x7f || c == '"' || c == '<' || c == '>')
			return BAD_REQUEST;
		if (c == '%') {
			if (len - i < 3)
				return BAD_REQUEST;
			high = hex_value(s[i + 1]);
			low = hex_value(s[i + 2]);
			if (high < 0 || low < 0)
				return BAD_REQUEST;
			c = (unsigned char)(high << 4 | low);
			if (c < ' ' || c == 0x7f)
				return BAD_REQUEST;
			i += 2;
		}
		buf_add_char(out, (char)c);
	}
	if (buf_failed(out))
		return SERVER_ERROR;
	return utf8_valid(out->data, out->len) ? 0 : BAD_REQUEST;
}

/* Appends the domain in the form of a JID.  0, 400, 404 for an IP address,
 * which is nobody's domain. */
static int
add_domain(struct buf *out, const struct uri *u)
{
	char domain[256];
	struct in_addr addr;

	if (jid_domain_ascii(domain, sizeof(domain), u->host, u->host_len) < 0)
		return BAD_REQUEST;
	if (domain[0] == '[' || inet_pton(AF_INET, domain, &addr) == 1)
		return NOT_FOUND;
	return buf_add_str(out, domain) < 0 ? SERVER_ERROR : 0;
}

/* Finds a parameter's value in ";a=b;c"; NULL when it is absent or bare. */
static const char *
param_value(const struct uri *u, const char *name, size_t *len)
{
	const char *p = u->params, *end = p + u->params_len;
	size_t n = strlen(name);

	while (p < end) {
		const char *next = memchr(p + 1, ';', (size_t)(end - p - 1));

		if (next == NULL)
			next = end;
		p++;
		if ((size_t)(next - p) > n + 1 && p[n] == '=' &&
		    strncasecmp(p, name, n) == 0) {
			*len = (size_t)(next - p) - n - 1;
			return p + n + 1;
		}
		p = next;
	}
	return NULL;
}

static int
status_of_jid(int rc, int otherwise)
{
	return rc == 0 ? 0 : rc == ERR_NOMEM ? SERVER_ERROR : otherwise;
}

/* Prepares text as a JID whose local part was made from user, decoded. */
static int
prepare(struct jid *out, const struct buf *text, const struct buf *user)
{
	struct buf undone = { 0 };
	struct jid j;
	int rc;

	rc = jid_parse(&j, (const char *)text->data, text->len);
	if (rc < 0)
		return status_of_jid(rc, NOT_FOUND);
	rc = undo_local(&undone, j.local);
	if (rc == 0 && !same_specials(&undone, user))
		rc = ERR_JID;
	buf_finish(&undone);
	if (rc < 0)
		jid_finish(&j);
	else
		*out = j;
	return status_of_jid(rc, NOT_FOUND);
}

/* Gives the JID the gr parameter as its resource. */
static int
add_resource(struct jid *j, const char *gr, size_t len)
{
	struct buf text = { 0 };
	struct jid full = { 0 };
	size_t bare_len;
	int status;

	buf_addf(&text, "%s/", j->bare);
	bare_len = text.len;
	status =
	    buf_failed(&text) ? SERVER_ERROR : percent_decode(&text, gr, len);
	if (status == 0 && text.len > bare_len)
		status = status_of_jid(
		    jid_parse(&full, (const char *)text.data, text.len),
		    BAD_REQUEST);
	buf_finish(&text);
	if (full.block != NULL) {
		jid_finish(j);
		*j = full;
	}
	return status;
}

int
address_from_sip(struct jid *out, const char *uri, size_t len)
{
	struct buf user = { 0 }, text = { 0 };
	struct uri u;
	const char *gr;
	size_t gr_len;
	int status;

	*out = (struct jid){ 0 };
	if (len > ADDRESS_URI_MAX)
		return URI_TOO_LONG;
	status = strip_brackets(&uri, &len);
	if (status == 0)
		status = strip_scheme(&uri, &len);
	if (status == 0)
		status = split(&u, uri, len);
	if (status == 0)
		status = percent_decode(&user, u.user, u.user_len);
	if (status == 0 &&
	    (escape(&text, (const char *)user.data, user.len) < 0 ||
		buf_add_char(&text, '@') < 0))
		status = SERVER_ERROR;
	if (status == 0)
		status = add_domain(&text, &u);
	if (status == 0)
		status = prepare(out, &text, &user);
	buf_finish(&user);
	buf_finish(&text);
	if (status != 0)
		return status;
	gr = param_value(&u, "gr", &gr_len);
	if (gr != NULL)
		status = add_resource(out, gr, gr_len);
	if (status != 0)
		jid_finish(out);
	return status;
}

/* --- to SIP ------------------------------------------------------------- */

/* Appends s, percent-encoding all but letters, digits and those in plain. */
static void
percent_encode(struct buf *out, const char *s, size_t len, const char *plain)
{
	for (size_t i = 0; i < len; i++) {
		if (is_alnum(s[i]) ||
		    (s[i] != '\0' && strchr(plain, s[i]) != NULL))
			buf_add_char(out, s[i]);
		else
			buf_addf(out, "%%%02X", (unsigned char)s[i]);
	}
}

int
address_to_sip(struct buf *out, const struct jid *j, unsigned flags)
{
	/* RFC 3261 25.1: unreserved, user-unreserved, param-unreserved. */
	static const char user[] = "-_.!~*'()&=+$,;?/";
	static const char careful[] = "-_.~";
	static const char param[] = "-_.!~*'()[]/:&+$";
	struct buf local = { 0 };
	size_t before = out->len;
	int rc;

	if (j->local == NULL)
		return ERR_NOT_FOUND;
	rc = undo_local(&local, j->local);
	if (rc == 0) {
		buf_add_str(out, "sip:");
		percent_encode(out, (const char *)local.data, local.len,
		    flags & ADDRESS_CONSERVATIVE ? careful : user);
		buf_addf(out, "@%s", j->ascii);
		if ((flags & ADDRESS_GRUU) && j->resource != NULL) {
			buf_add_str(out, ";gr=");
			percent_encode(
			    out, j->resource, strlen(j->resource), param);
		}
		rc = buf_failed(out) ? ERR_FULL : 0;
	}
	if (rc < 0)
		out->len = before;
	buf_finish(&local);
	return rc;
}

/* --- names -------------------------------------------------------------- */

/* White space and line ends, which all become one space. */
static bool
is_blank(uint32_t cp)
{
	return cp == ' ' || (cp >= 0x9 && cp <= 0xd) || cp == 0x85 ||
	       cp == 0xa0 || cp == 0x2028 || cp == 0x2029;
}

/* Controls, and marks that turn the direction of the text behind a name. */
static bool
is_dropped(uint32_t cp)
{
	return cp < ' ' || (cp >= 0x7f && cp <= 0x9f) ||
	       (cp >= 0x202a && cp <= 0x202e) ||
	       (cp >= 0x2066 && cp <= 0x2069) || cp == 0xfeff ||
	       !utf8_xml_char(cp);
}

int
address_display(struct buf *out, const char *name, size_t len)
{
	size_t left = ADDRESS_DISPLAY_MAX, n;
	bool space = false, any = false;
	uint8_t piece[5];
	uint32_t cp;

	for (size_t i = 0; i < len; i += n) {
		size_t size = 0;

		n = utf8_decode((const uint8_t *)name + i, len - i, &cp);
		if (n == 0) {
			n = 1;
			cp = 0xfffd;
		}
		if (is_blank(cp)) {
			space = any;
			continue;
		}
		if (is_dropped(cp))
			continue;
		if (space)
			piece[size++] = ' ';
		size += utf8_encode(piece + size, cp);
		if (size > left)
			break;
		buf_add(out, piece, size);
		left -= size;
		space = false;
		any = true;
	}
	return buf_failed(out) ? ERR_FULL : 0;
}

int
address_display_of(struct buf *out, const struct jid *j)
{
	struct buf local = { 0 };
	int rc = 0;

	if (j->local == NULL)
		return address_display(out, j->domain, strlen(j->domain));
	rc = unescape(&local, j->local, strlen(j->local));
	if (rc == 0)
		rc = address_display(out, (const char *)local.data, local.len);
	buf_finish(&local);
	return rc;
}

int
address_name_addr(struct buf *out, const char *name, const char *uri)
{
	if (name != NULL && name[0] != '\0') {
		buf_add_char(out, '"');
		for (; *name != '\0'; name++) {
			if (*name == '"' || *name == '\\')
				buf_add_char(out, '\\');
			buf_add_char(out, *name);
		}
		buf_add_char(out, '"');
	}
	buf_addf(out, "<%s>", uri);
	return buf_failed(out) ? ERR_FULL : 0;
}

int
address_xmpp_uri(struct buf *out, const struct jid *j)
{
	/* RFC 5122 2.2: nodeallow, resallow, and unreserved. */
	static const char node[] = "-._~!$()*+,;=";
	static const char resource[] = "-._~!$&'()*+,:;=";

	buf_add_str(out, "xmpp:");
	if (j->local != NULL) {
		percent_encode(out, j->local, strlen(j->local), node);
		buf_add_char(out, '@');
	}
	buf_add_str(out, j->ascii);
	if (j->resource != NULL) {
		buf_add_char(out, '/');
		percent_encode(out, j->resource, strlen(j->resource), resource);
	}
	return buf_failed(out) ? ERR_FULL : 0;
}
