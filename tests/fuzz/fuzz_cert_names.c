/* Certificates as a peer sends them: DER in, names out.  Every name must be
 * in comparable form, whatever was in the certificate. */
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

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const unsigned char *p = data;
	struct cert_names names;
	X509 *cert;

	if (size > 65536)
		return 0;
	cert = d2i_X509(NULL, &p, (long)size);
	if (cert == NULL)
		return 0;
	if (cert_names_read(&names, cert) == 0) {
		for (size_t i = 0; i < names.count; i++)
			check_name(&names.v[i]);
		cert_names_finish(&names);
	} else {
		assert(names.count == 0 && names.v == NULL);
	}
	X509_free(cert);
	return 0;
}
