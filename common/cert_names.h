/*
 * cert_names - the identities a certificate presents (RFC 6125/9525,
 * RFC 4985, RFC 6120 13.7.1.4).  The common name is never looked at.
 *
 * Names that are not of the right ASN.1 type, hold a NUL or are no valid
 * domain are skipped: an odd entry cannot match anything, nor hurt others.
 * So are IP addresses and wildcards right below the root ("*.example").
 */
#ifndef COMMON_CERT_NAMES_H
#define COMMON_CERT_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <openssl/x509.h>

enum cert_name_kind {
	CERT_DNS_ID,   /* dNSName; may begin with "*." */
	CERT_SRV_ID,   /* SRVName "_xmpp-server.domain": the domain */
	CERT_XMPP_ADDR /* id-on-xmppAddr that is a bare domain */
};

struct cert_name {
	enum cert_name_kind kind;
	char *domain; /* lower-case A-labels */
};

struct cert_names {
	struct cert_name *v;
	size_t count; /* at most CERT_NAMES_MAX, the rest is ignored */
};
enum { CERT_NAMES_MAX = 256 };

/* 0 with no names when there is no subjectAltName.  ERR_CERT when it cannot
 * be decoded or is there twice, ERR_NOMEM; *out is then empty. */
int cert_names_read(struct cert_names *out, X509 *cert);
void cert_names_finish(struct cert_names *names);

/* RFC 9525 6.3: equal, or presented "*.rest" against one label plus rest.
 * Both in comparable form. */
bool cert_name_matches(const char *presented, const char *reference);
/* Any DNS-ID of the certificate matches one of count names.  For the inner
 * channel and SIP, where there is a list of permitted peers.  Returns the
 * index of the name that matched, or -1. */
int cert_names_match_dns(
    const struct cert_names *names, const char *const *list, size_t count);

#endif
