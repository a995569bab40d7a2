/*
 * addressing - see the header.
 *
 * to and from are frozen at their first accepted value: a partner that had its
 * certificate checked for one domain must not become another one by the next
 * header.  Sub-domains are other domains.
 */
#include "edge-proxy/addressing.h"

#include <string.h>

#include "common/xml.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/pair_set.h"
#include "edge-proxy/xml_stream.h"

/* "1.0": digits, a dot, digits; leading zeros do not count. */
static enum stream_error
judge_version(const char *v, const char **why)
{
	size_t major, minor;

	if (v == NULL) {
		*why = "header without version";
		return STREAM_ERR_UNSUPPORTED_VERSION;
	}
	major = strspn(v, "0123456789");
	minor = v[major] == '.' ? strspn(v + major + 1, "0123456789") : 0;
	if (major == 0 || minor == 0 || v[major + 1 + minor] != '\0') {
		*why = "version is not a number";
		return STREAM_ERR_BAD_FORMAT;
	}
	while (*v == '0') {
		v++;
		major--;
	}
	if (major != 1 || *v != '1') {
		*why = "version is not 1";
		return STREAM_ERR_UNSUPPORTED_VERSION;
	}
	return STREAM_ERR_NONE;
}

/* Whether who names himself so, or not at all, may do dialback on plain TCP. */
static bool
may_be_old(const struct stream_ends *ends, const struct hosting *hosting)
{
	unsigned m = ends->from[0] == '\0'
			 ? hosting_all_methods(hosting, ends->to)
			 : hosting_methods(hosting, ends->to, ends->from);

	return (m & AUTH_DIALBACK_TCP) != 0;
}

/* Takes or compares one end. */
static enum stream_error
judge_end(char *frozen, const char *given, enum stream_error changed,
    const char **why)
{
	char ascii[256];

	if (jid_domain_ascii(ascii, sizeof(ascii), given, strlen(given)) < 0) {
		*why = "header names no valid domain";
		return STREAM_ERR_IMPROPER_ADDRESSING;
	}
	if (frozen[0] == '\0') {
		memcpy(frozen, ascii, sizeof(ascii));
		return STREAM_ERR_NONE;
	}
	if (strcmp(frozen, ascii) != 0) {
		*why = "header names another domain than before";
		return changed;
	}
	return STREAM_ERR_NONE;
}

enum stream_error
addressing_header(struct stream_ends *ends, const struct stream_header *h,
    bool need_from, const struct hosting *hosting, const char **why)
{
	enum stream_error e, version = judge_version(h->version, why);

	if (h->to == NULL) {
		*why = "header without to";
		return STREAM_ERR_IMPROPER_ADDRESSING;
	}
	e = judge_end(ends->to, h->to, STREAM_ERR_IMPROPER_ADDRESSING, why);
	if (e == STREAM_ERR_NONE && h->from != NULL)
		e = judge_end(
		    ends->from, h->from, STREAM_ERR_INVALID_FROM, why);
	if (e != STREAM_ERR_NONE)
		return e;
	if (version != STREAM_ERR_NONE &&
	    !(h->version == NULL && !need_from && may_be_old(ends, hosting)))
		return version;
	if (!hosting_serves(hosting, ends->to)) {
		*why = "domain not served here";
		return STREAM_ERR_HOST_UNKNOWN;
	}
	if (need_from && ends->from[0] == '\0') {
		*why = "header without from after TLS";
		return STREAM_ERR_IMPROPER_ADDRESSING;
	}
	if (ends->from[0] != '\0' &&
	    hosting_partner(hosting, ends->to, ends->from) == NULL) {
		*why = "not a permitted partner";
		return STREAM_ERR_POLICY_VIOLATION;
	}
	return STREAM_ERR_NONE;
}

static bool
parse_address(struct jid *out, const struct xml_elem *e, const char *name)
{
	const char *value = xml_attr(e, name);

	return value != NULL && jid_parse(out, value, strlen(value)) == 0;
}

enum stream_error
addressing_stanza(struct jid *from, struct jid *to, const struct xml_elem *e,
    const struct pair_set *pairs, const struct hosting *hosting,
    const char **why)
{
	enum stream_error error;

	memset(from, 0, sizeof(*from));
	memset(to, 0, sizeof(*to));
	if (!parse_address(from, e, "from") || !parse_address(to, e, "to")) {
		*why = "stanza without valid from and to";
		error = STREAM_ERR_IMPROPER_ADDRESSING;
	} else if (!pair_set_has_remote(pairs, from->ascii)) {
		*why = "stanza from a domain that is not authorised";
		error = STREAM_ERR_INVALID_FROM;
	} else if (!hosting_serves(hosting, to->ascii)) {
		*why = "stanza to a domain not served here";
		error = STREAM_ERR_HOST_UNKNOWN;
	} else if (!pair_set_has(pairs, to->ascii, from->ascii)) {
		*why = "stanza of a pair that is not authorised";
		error = STREAM_ERR_INVALID_FROM;
	} else {
		return STREAM_ERR_NONE;
	}
	jid_finish(from);
	jid_finish(to);
	return error;
}
