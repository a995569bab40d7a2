/* An address is cut first (RFC 7622 3.1: at the first '/', then its left part
 * at the first '@') and prepared part by part.  ASCII takes a short way, for
 * nearly every address is ASCII; it gives what the long way would give.
 *
 * Two profiles are in use for local parts, nodeprep and UsernameCaseMapped.
 * jid_profile.inc lists the characters that both accept and map alike; a
 * local part with any other is refused.  What is left is a set of characters
 * on which nodeprep alone may decide. */
#include "common/jid.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <idn2.h>
#include <stringprep.h>

#include "common/err.h"
#include "common/utf8.h"

enum {
	DOMAIN_MAX = 253, /* 255 bytes in DNS wire form */
	LABEL_MAX = 63,
	WORK_SIZE = 4 * JID_PART_MAX + 1, /* preparation can lengthen */
};

static const struct {
	uint32_t low, high;
} agreed[] = {
#include "common/jid_profile.inc"
};

static bool
is_ascii(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] >= 0x80)
			return false;
	return true;
}

/* Copies s with its NUL, or nothing. */
static int
copy(char *out, size_t size, const char *s)
{
	size_t len = strlen(s);

	if (len >= size)
		return ERR_TOO_LONG;
	memcpy(out, s, len + 1);
	return 0;
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* --- local part --------------------------------------------------------- */

/* ASCII in a local part: no space, no control, none of the eight. */
static bool
is_local_ascii(char c)
{
	return c > ' ' && c < 0x7f && strchr("\"&'/:<>@", c) == NULL;
}

static bool
is_agreed(uint32_t cp)
{
	size_t low = 0, high = sizeof(agreed) / sizeof(*agreed);

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (cp > agreed[mid].high)
			low = mid + 1;
		else if (cp < agreed[mid].low)
			high = mid;
		else
			return true;
	}
	return false;
}

static int
check_local(const char *s, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		uint32_t cp;

		n = utf8_decode((const uint8_t *)s + i, len - i, &cp);
		if (n == 0)
			return ERR_UTF8;
		if (cp < 0x80 ? !is_local_ascii((char)cp) : !is_agreed(cp))
			return ERR_JID;
	}
	return 0;
}

/* Runs one of libidn's profiles over work, in place. */
static int
apply_profile(char *work, const Stringprep_profile *profile,
    Stringprep_profile_flags flags)
{
	int rc = stringprep(work, WORK_SIZE, flags, profile);

	if (rc == STRINGPREP_MALLOC_ERROR)
		return ERR_NOMEM;
	if (rc == STRINGPREP_TOO_SMALL_BUFFER)
		return ERR_TOO_LONG;
	if (rc != STRINGPREP_OK || work[0] == '\0')
		return ERR_JID;
	return strlen(work) > JID_PART_MAX ? ERR_TOO_LONG : 0;
}

/* work holds WORK_SIZE bytes and gets the prepared part. */
static int
prepare_local(char *work, const char *s, size_t len)
{
	int rc = len == 0 ? ERR_JID : check_local(s, len);

	if (rc < 0)
		return rc;
	if (len > JID_PART_MAX)
		return ERR_TOO_LONG;
	memcpy(work, s, len);
	work[len] = '\0';
	if (!is_ascii(s, len))
		return apply_profile(
		    work, stringprep_xmpp_nodeprep, STRINGPREP_NO_UNASSIGNED);
	for (size_t i = 0; i < len; i++)
		work[i] = lower(work[i]);
	return 0;
}

/* --- resource ----------------------------------------------------------- */

static int
prepare_resource(char *work, const char *s, size_t len)
{
	bool plain = true;

	if (len == 0)
		return ERR_JID;
	if (len > JID_PART_MAX)
		return ERR_TOO_LONG;
	for (size_t i = 0; i < len; i++)
		plain = plain && s[i] >= ' ' && s[i] < 0x7f;
	memcpy(work, s, len);
	work[len] = '\0';
	/* Characters younger than the tables pass: emoji are in wide use. */
	return plain ? 0 : apply_profile(work, stringprep_xmpp_resourceprep, 0);
}

/* --- domain ------------------------------------------------------------- */

/* "[2001:db8::1]" into its canonical form. */
static int
ipv6_literal(char out[static DOMAIN_MAX + 1], const char *s, size_t len)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr addr;
	size_t end;

	if (len < 4 || len - 2 >= sizeof(text) || s[len - 1] != ']')
		return ERR_JID;
	memcpy(text, s + 1, len - 2);
	text[len - 2] = '\0';
	if (inet_pton(AF_INET6, text, &addr) != 1)
		return ERR_JID;
	out[0] = '[';
	inet_ntop(AF_INET6, &addr, out + 1, INET6_ADDRSTRLEN);
	end = strlen(out);
	return copy(out + end, DOMAIN_MAX + 1 - end, "]");
}

/* One label of letters, digits, hyphens and underscores. */
static bool
is_label(const char *s, size_t len)
{
	if (len < 1 || len > LABEL_MAX || s[0] == '-' || s[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') ||
			(s[i] >= '0' && s[i] <= '9') || s[i] == '-' ||
			s[i] == '_'))
			return false;
	return true;
}

/* Whether name, in lower case, is a domain name or an IPv4 address.  What ends
 * in a label of digits could only be an address (RFC 1123 2.1). */
static int
check_ascii(const char *name)
{
	const char *label = name, *dot;
	struct in_addr addr;

	if (strlen(name) > DOMAIN_MAX)
		return ERR_TOO_LONG;
	while ((dot = strchr(label, '.')) != NULL) {
		if (!is_label(label, (size_t)(dot - label)))
			return ERR_JID;
		label = dot + 1;
	}
	if (!is_label(label, strlen(label)))
		return ERR_JID;
	if (strspn(label, "0123456789") == strlen(label) &&
	    inet_pton(AF_INET, name, &addr) != 1)
		return ERR_JID;
	return 0;
}

static int
idn_code(int rc)
{
	if (rc == IDN2_MALLOC)
		return ERR_NOMEM;
	if (rc == IDN2_TOO_BIG_DOMAIN || rc == IDN2_TOO_BIG_LABEL)
		return ERR_TOO_LONG;
	return ERR_JID;
}

/* The A-labels libidn2 makes of name; free with idn2_free(). */
static int
lookup(char **ascii, const char *name)
{
	uint8_t *made = NULL;
	int rc;

	/* Not with IDN2_USE_STD3_ASCII_RULES: it would drop characters. */
	rc = idn2_lookup_u8((const uint8_t *)name, &made,
	    IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (rc != IDN2_OK)
		return idn_code(rc);
	*ascii = (char *)made;
	return 0;
}

/* Whether looking name up gives ascii. */
static int
leads_to(const char *name, const char *ascii)
{
	char *made;
	int rc = lookup(&made, name);

	if (rc < 0)
		return rc;
	rc = strcmp(made, ascii) == 0 ? 0 : ERR_JID;
	idn2_free(made);
	return rc;
}

/* Some A-labels that libidn2 lets pass decode to text it would encode
 * otherwise.  Such a name is refused, or it could be taken for another. */
static int
check_stable(const char *ascii)
{
	char *unicode;
	int rc = leads_to(ascii, ascii);

	if (rc < 0)
		return rc;
	rc = idn2_to_unicode_8z8z(ascii, &unicode, 0);
	if (rc != IDN2_OK)
		return idn_code(rc);
	rc = leads_to(unicode, ascii);
	idn2_free(unicode);
	return rc;
}

/* For a domain with something outside ASCII, or with an A-label. */
static int
idna_to_ascii(char out[static DOMAIN_MAX + 1], const char *name)
{
	char *ascii;
	int rc = lookup(&ascii, name);

	if (rc < 0)
		return rc;
	rc = strlen(ascii) > DOMAIN_MAX ? ERR_TOO_LONG : check_stable(ascii);
	if (rc == 0)
		rc = copy(out, DOMAIN_MAX + 1, ascii);
	idn2_free(ascii);
	return rc;
}

/* Prepares the domain into out: lower-case A-labels. */
static int
domain_to_ascii(char out[static DOMAIN_MAX + 1], const char *s, size_t len)
{
	char work[JID_PART_MAX + 1];
	int rc;

	if (len > 0 && s[0] == '[')
		return ipv6_literal(out, s, len);
	if (len > 0 && s[len - 1] == '.')
		len--;
	if (len == 0 || memchr(s, '\0', len) != NULL)
		return ERR_JID;
	if (len > JID_PART_MAX)
		return ERR_TOO_LONG;
	if (!utf8_valid(s, len))
		return ERR_UTF8;
	for (size_t i = 0; i < len; i++)
		work[i] = lower(s[i]);
	work[len] = '\0';
	if (!is_ascii(work, len) || strstr(work, "xn--") != NULL)
		rc = idna_to_ascii(out, work);
	else
		rc = copy(out, DOMAIN_MAX + 1, work);
	return rc == 0 ? check_ascii(out) : rc;
}

int
jid_domain_ascii(char *out, size_t size, const char *s, size_t len)
{
	char ascii[DOMAIN_MAX + 1];
	int rc = domain_to_ascii(ascii, s, len);

	return rc == 0 ? copy(out, size, ascii) : rc;
}

/* A prepared domain with U-labels; work holds WORK_SIZE bytes. */
static int
ascii_to_unicode(char *work, const char *ascii)
{
	char *unicode = NULL;
	int rc;

	if (strstr(ascii, "xn--") == NULL)
		return copy(work, WORK_SIZE, ascii);
	rc = idn2_to_unicode_8z8z(ascii, &unicode, 0);
	if (rc != IDN2_OK)
		return idn_code(rc);
	rc = copy(work, JID_PART_MAX + 1, unicode);
	idn2_free(unicode);
	return rc;
}

int
jid_domain_unicode(char *out, size_t size, const char *s, size_t len)
{
	char ascii[DOMAIN_MAX + 1], work[WORK_SIZE];
	int rc = domain_to_ascii(ascii, s, len);

	if (rc == 0)
		rc = ascii_to_unicode(work, ascii);
	return rc == 0 ? copy(out, size, work) : rc;
}

/* --- the whole ---------------------------------------------------------- */

static char *
append(char **at, const char *s)
{
	char *start = *at;

	*at = stpcpy(start, s) + 1;
	return start;
}

/* Lays the parts out in one block.  local and resource may be NULL. */
static int
assemble(struct jid *out, const char *local, const char *domain,
    const char *ascii, const char *resource)
{
	size_t l = local != NULL ? strlen(local) + 1 : 0;
	size_t r = resource != NULL ? strlen(resource) + 1 : 0;
	size_t d = strlen(domain) + 1;
	struct jid j = { 0 };
	char *at;

	j.block = malloc((l + d + r) + (l + d) + l + d + strlen(ascii) + 1 + r);
	if (j.block == NULL)
		return ERR_NOMEM;
	at = j.block;
	j.bare = at;
	if (local != NULL) {
		at = stpcpy(at, local);
		*at++ = '@';
	}
	append(&at, domain);
	j.full = j.bare;
	if (resource != NULL) {
		j.full = at;
		at = stpcpy(at, j.bare);
		*at++ = '/';
		j.resource = append(&at, resource);
	}
	if (local != NULL)
		j.local = append(&at, local);
	j.domain = append(&at, domain);
	j.ascii = append(&at, ascii);
	*out = j;
	return 0;
}

int
jid_parse(struct jid *out, const char *s, size_t len)
{
	char local[WORK_SIZE], resource[WORK_SIZE], domain[WORK_SIZE];
	char ascii[DOMAIN_MAX + 1];
	const char *slash, *at;
	size_t bare_len;
	int rc;

	*out = (struct jid){ 0 };
	if (len > JID_MAX)
		return ERR_TOO_LONG;
	if (len == 0 || memchr(s, '\0', len) != NULL)
		return ERR_JID;
	if (!utf8_valid(s, len))
		return ERR_UTF8;
	slash = memchr(s, '/', len);
	bare_len = slash != NULL ? (size_t)(slash - s) : len;
	at = memchr(s, '@', bare_len);
	if (slash != NULL) {
		rc = prepare_resource(resource, slash + 1, len - bare_len - 1);
		if (rc < 0)
			return rc;
	}
	if (at != NULL) {
		rc = prepare_local(local, s, (size_t)(at - s));
		if (rc < 0)
			return rc;
		bare_len -= (size_t)(at + 1 - s);
		s = at + 1;
	}
	rc = domain_to_ascii(ascii, s, bare_len);
	if (rc == 0)
		rc = ascii_to_unicode(domain, ascii);
	if (rc < 0)
		return rc;
	return assemble(out, at != NULL ? local : NULL, domain, ascii,
	    slash != NULL ? resource : NULL);
}

int
jid_copy(struct jid *out, const struct jid *j)
{
	int rc = assemble(out, j->local, j->domain, j->ascii, j->resource);

	if (rc < 0)
		*out = (struct jid){ 0 };
	return rc;
}

void
jid_finish(struct jid *j)
{
	free(j->block);
	*j = (struct jid){ 0 };
}

static bool
same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool
jid_bare_equal(const struct jid *a, const struct jid *b)
{
	return same(a->local, b->local) && same(a->ascii, b->ascii);
}

bool
jid_equal(const struct jid *a, const struct jid *b)
{
	return jid_bare_equal(a, b) && same(a->resource, b->resource);
}
