/* Certificates as a peer sends them: DER in, names out.  The input is tried as
 * a whole certificate and as the content of its subjectAltName.  Every name
 * must be in comparable form, whatever was in there. */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <openssl/x509.h>

#include "common/cert_names.h"
#include "common/jid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_name(const struct cert_name *n)
{
	const char *domain = n->domain;
	char again[256];

	if (n->kind == CERT_DNS_ID && strncmp(domain, "*.", 2) == 0)
		domain += 2;
	assert(
	    jid_domain_ascii(again, sizeof again, domain, strlen(domain)) == 0);
	assert(strcmp(again, domain) == 0);
	assert(cert_name_matches(domain, domain));
}

static void
check_cert(X509 *cert)
{
	struct cert_names names;

	if (cert_names_read(&names, cert) == 0) {
		for (size_t i = 0; i < names.count; i++)
			check_name(&names.v[i]);
		cert_names_finish(&names);
	} else {
		assert(names.count == 0 && names.v == NULL);
	}
	X509_free(cert);
}

/* A certificate that has nothing but this content of subjectAltName: the
 * shortest way to the entries. */
static X509 *
new_cert(const uint8_t *data, size_t size)
{
	ASN1_OCTET_STRING *content = ASN1_OCTET_STRING_new();
	X509_EXTENSION *e;
	X509 *cert = X509_new();

	(void)ASN1_OCTET_STRING_set(content, data, (int)size);
	e = X509_EXTENSION_create_by_NID(
	    NULL, NID_subject_alt_name, 0, content);
	(void)X509_add_ext(cert, e, -1);
	X509_EXTENSION_free(e);
	ASN1_OCTET_STRING_free(content);
	return cert;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const unsigned char *p = data;
	X509 *cert;

	if (size > 65536)
		return 0;
	check_cert(new_cert(data, size));
	cert = d2i_X509(NULL, &p, (long)size);
	if (cert != NULL)
		check_cert(cert);
	return 0;
}
