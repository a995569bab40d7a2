/*
 * The subjectAltName extension is read by OpenSSL's decoder; what is done
 * here is to look at each entry by type and length, never as a C string.
 */
#include "common/cert_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "common/err.h"
#include "common/jid.h"

enum { DOMAIN_SIZE = 256 };

static const char service[] = "_xmpp-server.";

/* Bytes of an entry; not terminated. */
struct text {
	const char *s;
	size_t len;
};

/* The content when the string is of that type; else an empty text. */
static struct text
text_of(const ASN1_STRING *s, int type)
{
	struct text t = { "", 0 };

	if (s != NULL && ASN1_STRING_type(s) == type) {
		t.s = (const char *)ASN1_STRING_get0_data(s);
		t.len = (size_t)ASN1_STRING_length(s);
	}
	return t;
}

static bool
is_ascii(struct text t)
{
	for (size_t i = 0; i < t.len; i++)
		if ((unsigned char)t.s[i] >= 0x80)
			return false;
	return true;
}

static bool
begins_with(struct text t, const char *prefix)
{
	size_t len = strlen(prefix);

	return t.len >= len && strncasecmp(t.s, prefix, len) == 0;
}

static struct text
skip(struct text t, size_t len)
{
	return (struct text){ t.s + len, t.len - len };
}

/* No top-level domain is a number, so this is an IPv4 address or its tail. */
static bool
ends_in_number(const char *domain)
{
	const char *dot = strrchr(domain, '.');
	const char *label = dot == NULL ? domain : dot + 1;

	return label[strspn(label, "0123456789")] == '\0';
}

/* Into comparable form.  False for what is no domain, addresses included:
 * those have a type of entry of their own. */
static bool
domain_of(char out[DOMAIN_SIZE], struct text t)
{
	if (t.len == 0 || memchr(t.s, '\0', t.len) != NULL)
		return false;
	if (jid_domain_ascii(out, DOMAIN_SIZE, t.s, t.len) != 0)
		return false;
	return out[0] != '[' && !ends_in_number(out);
}

/* "*.rest" keeps its asterisk.  The rest must have two labels or more: nobody
 * may hold a certificate for a whole top-level domain. */
static bool
dns_id_of(char out[DOMAIN_SIZE], struct text t)
{
	char rest[DOMAIN_SIZE];
	int len;

	if (!is_ascii(t))
		return false;
	if (!begins_with(t, "*."))
		return domain_of(out, t);
	if (!domain_of(rest, skip(t, 2)) || strchr(rest, '.') == NULL)
		return false;
	len = snprintf(out, DOMAIN_SIZE, "*.%s", rest);
	return len > 0 && len < DOMAIN_SIZE;
}

/* A SRVName or XmppAddr. */
static bool
other_name_of(
    char out[DOMAIN_SIZE], enum cert_name_kind *kind, const OTHERNAME *other)
{
	struct text t;

	switch (OBJ_obj2nid(other->type_id)) {
	case NID_SRVName:
		*kind = CERT_SRV_ID;
		if (other->value->type != V_ASN1_IA5STRING)
			return false;
		t = text_of(other->value->value.ia5string, V_ASN1_IA5STRING);
		return is_ascii(t) && begins_with(t, service) &&
		       domain_of(out, skip(t, strlen(service)));
	case NID_XmppAddr:
		*kind = CERT_XMPP_ADDR;
		if (other->value->type != V_ASN1_UTF8STRING)
			return false;
		t = text_of(other->value->value.utf8string, V_ASN1_UTF8STRING);
		return domain_of(out, t);
	default:
		return false;
	}
}

/* One entry; false when it names nothing we know. */
static bool
name_of(
    char out[DOMAIN_SIZE], enum cert_name_kind *kind, const GENERAL_NAME *entry)
{
	if (entry->type == GEN_DNS) {
		*kind = CERT_DNS_ID;
		return dns_id_of(
		    out, text_of(entry->d.dNSName, V_ASN1_IA5STRING));
	}
	if (entry->type == GEN_OTHERNAME)
		return other_name_of(out, kind, entry->d.otherName);
	return false;
}

/* Adds all entries of the extension. */
static int
read_entries(struct cert_names *names, const GENERAL_NAMES *entries)
{
	int count = sk_GENERAL_NAME_num(entries);
	enum cert_name_kind kind;
	char domain[DOMAIN_SIZE];

	for (int i = 0; i < count && names->count < CERT_NAMES_MAX; i++) {
		struct cert_name *n = &names->v[names->count];

		if (!name_of(domain, &kind, sk_GENERAL_NAME_value(entries, i)))
			continue;
		n->kind = kind;
		n->domain = strdup(domain);
		if (n->domain == NULL)
			return ERR_NOMEM;
		names->count++;
	}
	return 0;
}

/* Nearly all certificates name one or two; room was made for the most. */
static void
shrink(struct cert_names *names)
{
	size_t count = names->count > 0 ? names->count : 1;
	struct cert_name *v = realloc(names->v, count * sizeof *v);

	if (v != NULL)
		names->v = v;
}

int
cert_names_read(struct cert_names *out, X509 *cert)
{
	struct cert_names names = { 0 };
	GENERAL_NAMES *entries;
	int critical, rc = ERR_NOMEM;

	*out = names;
	entries = X509_get_ext_d2i(cert, NID_subject_alt_name, &critical, NULL);
	if (entries == NULL) {
		ERR_clear_error();
		/* -1: there is none.  Else it is malformed or there are two. */
		return critical == -1 ? 0 : ERR_CERT;
	}
	names.v = calloc(CERT_NAMES_MAX, sizeof *names.v);
	if (names.v != NULL)
		rc = read_entries(&names, entries);
	GENERAL_NAMES_free(entries);
	if (rc < 0) {
		cert_names_finish(&names);
		return rc;
	}
	shrink(&names);
	*out = names;
	return 0;
}

void
cert_names_finish(struct cert_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->v[i].domain);
	free(names->v);
	*names = (struct cert_names){ 0 };
}

bool
cert_name_matches(const char *presented, const char *reference)
{
	const char *dot;

	if (strncmp(presented, "*.", 2) != 0)
		return strcmp(presented, reference) == 0;
	dot = strchr(reference, '.');
	return dot != NULL && dot != reference &&
	       strcmp(presented + 1, dot) == 0;
}

/* Whether any DNS-ID matches. */
static bool
names_host(const struct cert_names *names, const char *reference)
{
	for (size_t i = 0; i < names->count; i++)
		if (names->v[i].kind == CERT_DNS_ID &&
		    cert_name_matches(names->v[i].domain, reference))
			return true;
	return false;
}

int
cert_names_match_dns(
    const struct cert_names *names, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (names_host(names, list[i]))
			return (int)i;
	return -1;
}
