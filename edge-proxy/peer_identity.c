/*
 * peer_identity - see the header.  The order of questions: was there a
 * certificate, is its chain good, does one of its names fit.
 */
#include "edge-proxy/peer_identity.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <openssl/x509.h>

#include "common/err.h"
#include "common/tls_identity.h"

/* RFC 6120 13.7.2.3: a stream does not outlive the certificates behind it. */
static int64_t
chain_end_ms(SSL *ssl)
{
	STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
	int64_t end = INT64_MAX;

	for (int i = 0; i < sk_X509_num(chain); i++) {
		const ASN1_TIME *t =
		    X509_get0_notAfter(sk_X509_value(chain, i));
		struct tm tm;
		int64_t ms;

		if (ASN1_TIME_to_tm(t, &tm) != 1)
			continue;
		ms = (int64_t)timegm(&tm) * 1000;
		if (ms < end)
			end = ms;
	}
	return end;
}

int
peer_identity_read(struct peer_identity *out, SSL *ssl)
{
	X509 *cert = SSL_get0_peer_certificate(ssl);
	int rc;

	memset(out, 0, sizeof(*out));
	if (cert == NULL) {
		out->verdict = X509_V_ERR_APPLICATION_VERIFICATION;
		return 0;
	}
	out->verdict = tls_peer_verdict(ssl);
	if (out->verdict == X509_V_OK) {
		rc = cert_names_read(&out->names, cert);
		if (rc < 0) {
			memset(out, 0, sizeof(*out));
			return rc;
		}
	}
	out->until_ms = chain_end_ms(ssl);
	out->presented = true;
	return 0;
}

void
peer_identity_finish(struct peer_identity *p)
{
	cert_names_finish(&p->names);
	memset(p, 0, sizeof(*p));
}

static bool
name_fits(const struct cert_name *n, const char *domain)
{
	switch (n->kind) {
	case CERT_DNS_ID:
		return cert_name_matches(n->domain, domain);
	case CERT_SRV_ID:
	case CERT_XMPP_ADDR:
		return strcmp(n->domain, domain) == 0;
	}
	return false;
}

bool
peer_identity_proves(const struct peer_identity *p, const char *domain)
{
	return peer_identity_why_not(p, domain) == NULL;
}

const char *
peer_identity_why_not(const struct peer_identity *p, const char *domain)
{
	if (!p->presented)
		return "no certificate presented";
	if (p->verdict != X509_V_OK)
		return X509_verify_cert_error_string(p->verdict);
	for (size_t i = 0; i < p->names.count; i++) {
		if (name_fits(&p->names.v[i], domain))
			return NULL;
	}
	return "certificate does not name the domain";
}

/* The first few different domains the certificate names. */
static void
list_names(char *out, size_t size, const struct cert_names *names)
{
	enum { LISTED_MAX = 3 };
	size_t done = 0, listed = 0;

	out[0] = '\0';
	for (size_t i = 0; i < names->count && done + 1 < size; i++) {
		const char *name = names->v[i].domain;
		bool known = false;

		for (size_t k = 0; k < i && !known; k++)
			known = strcmp(names->v[k].domain, name) == 0;
		if (known)
			continue;
		if (listed == LISTED_MAX) {
			snprintf(out + done, size - done, " and others");
			return;
		}
		done += (size_t)snprintf(out + done, size - done, "%s%.80s",
		    listed > 0 ? ", " : "", name);
		listed++;
	}
}

bool
peer_identity_explain(
    const struct peer_identity *p, const char *domain, char *out, size_t size)
{
	const char *why = peer_identity_why_not(p, domain);
	char names[160];

	snprintf(out, size, "%s", why != NULL ? why : "");
	if (why == NULL)
		return false;
	if (!p->presented || p->verdict != X509_V_OK)
		return true;
	list_names(names, sizeof(names), &p->names);
	snprintf(out, size, "%s %.80s%s%s", why, domain,
	    names[0] != '\0' ? ", it names " : ", it names none", names);
	return true;
}
