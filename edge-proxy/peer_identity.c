/*
 * peer_identity - see the header.  The order of questions: was there a
 * certificate, is its chain good, does one of its names fit.  Where TLSA records
 * decide, that was settled when they were heard of.
 */
#include "edge-proxy/peer_identity.h"

#include <stdio.h>
#include <string.h>
#include <openssl/x509.h>

#include "common/cert_chain.h"
#include "common/err.h"
#include "common/tls_identity.h"
#include "edge-proxy/dane.h"
#include "edge-proxy/tlsa.h"

#define NO_NAME "certificate does not name the domain"

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
	/* RFC 6120 13.7.2.3: a stream does not outlive the certificates behind
	 * it. */
	out->until_ms = cert_chain_end_ms(SSL_get0_verified_chain(ssl));
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

/* One of the names is the domain's, or that of the host that stands for it
 * ("" = there is none). */
static bool
any_fits(const struct cert_names *names, const char *domain, const char *host)
{
	for (size_t i = 0; i < names->count; i++) {
		const struct cert_name *n = &names->v[i];

		if (name_fits(n, domain) ||
		    (host[0] != '\0' && n->kind == CERT_DNS_ID &&
			cert_name_matches(n->domain, host)))
			return true;
	}
	return false;
}

/* --- signed DNS ---------------------------------------------------------- */

/* The certificate matches a record: whether it has the name that this record's
 * usage demands. */
static int
check_names(struct peer_identity_dns *d, SSL *ssl)
{
	struct cert_names names;
	int rc;

	d->why = NULL;
	if (d->usage == TLSA_DANE_EE)
		return 0;
	rc = cert_names_read(&names, SSL_get0_peer_certificate(ssl));
	if (rc < 0)
		return rc;
	if (!any_fits(&names, d->domain, d->host))
		d->why = NO_NAME;
	cert_names_finish(&names);
	return 0;
}

static int
hear_tlsa(struct peer_identity *p, SSL *ssl, const struct tlsa_set *tlsa)
{
	struct peer_identity_dns *d = &p->dns;
	struct dane_verdict v;
	int rc;

	d->decides = true;
	d->why = "certificate could not be held against the TLSA records";
	rc = dane_judge(&v, ssl, tlsa);
	if (rc < 0)
		return rc;
	if (v.error == X509_V_ERR_DANE_NO_MATCH) {
		d->why =
		    "certificate matches none of the server's TLSA records";
		return 0;
	}
	if (v.error != X509_V_OK) {
		d->why = X509_verify_cert_error_string(v.error);
		return 0;
	}
	d->usage = v.usage;
	d->selector = v.selector;
	d->matching = v.matching;
	rc = check_names(d, ssl);
	/* Dates that the authorities' chain has hold as well, if it is good. */
	if (rc == 0 && p->verdict != X509_V_OK)
		p->until_ms = v.until_ms;
	return rc;
}

int
peer_identity_hear_dns(struct peer_identity *p, SSL *ssl, const char *domain,
    const struct dane_server *server)
{
	struct peer_identity_dns *d = &p->dns;

	memset(d, 0, sizeof(*d));
	if (!p->presented || (server->host == NULL && server->tlsa == NULL))
		return 0;
	snprintf(d->domain, sizeof(d->domain), "%s", domain);
	if (server->host != NULL)
		snprintf(d->host, sizeof(d->host), "%s", server->host);
	return server->tlsa != NULL ? hear_tlsa(p, ssl, server->tlsa) : 0;
}

static bool
dns_speaks_of(const struct peer_identity *p, const char *domain)
{
	return p->dns.domain[0] != '\0' && strcmp(p->dns.domain, domain) == 0;
}

/* The record that matched takes the place of an authority. */
static bool
stands_alone(const struct peer_identity_dns *d)
{
	return d->usage == TLSA_DANE_EE || d->usage == TLSA_DANE_TA;
}

bool
peer_identity_proven_by_dane(const struct peer_identity *p, const char *domain)
{
	return p->presented && dns_speaks_of(p, domain) && p->dns.decides &&
	       p->dns.why == NULL && stands_alone(&p->dns);
}

/* --- the question -------------------------------------------------------- */

bool
peer_identity_proves(const struct peer_identity *p, const char *domain)
{
	return peer_identity_why_not(p, domain) == NULL;
}

const char *
peer_identity_why_not(const struct peer_identity *p, const char *domain)
{
	bool heard;

	if (!p->presented)
		return "no certificate presented";
	heard = dns_speaks_of(p, domain);
	if (heard && p->dns.decides &&
	    (p->dns.why != NULL || stands_alone(&p->dns)))
		return p->dns.why;
	if (p->verdict != X509_V_OK)
		return X509_verify_cert_error_string(p->verdict);
	return any_fits(&p->names, domain, heard ? p->dns.host : "") ? NULL
								     : NO_NAME;
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
	if (p->presented && dns_speaks_of(p, domain) && p->dns.decides)
		snprintf(out, size, "%s%s%.100s", why,
		    p->dns.host[0] != '\0' ? ": " : "", p->dns.host);
	if (strcmp(why, NO_NAME) != 0 || p->verdict != X509_V_OK)
		return true;
	list_names(names, sizeof(names), &p->names);
	snprintf(out, size, "%s %.80s%s%s", why, domain,
	    names[0] != '\0' ? ", it names " : ", it names none", names);
	return true;
}
