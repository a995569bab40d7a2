/* Any bytes as what an authority says of a certificate.  The certificate is one
 * whose key nobody here has: nothing may be believed. */
#include <stdint.h>
#include <stdlib.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "edge-proxy/ocsp_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static X509 *
make_cert(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();

	if (key == NULL || cert == NULL)
		abort();
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN",
	    MBSTRING_ASC, (const unsigned char *)"ca", -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	X509_set_pubkey(cert, key);
	if (X509_sign(cert, key, EVP_sha256()) <= 0)
		abort();
	EVP_PKEY_free(key);
	return cert;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ocsp_about about;
	struct ocsp_reply r;
	const char *why = NULL;

	if (about.cert == NULL) {
		about.cert = about.issuer = make_cert();
		about.trust = X509_STORE_new();
		X509_STORE_add_cert(about.trust, about.issuer);
	}
	if (ocsp_reply_read(&r, data, size, &about, 1700000000000, &why) == 0 ||
	    why == NULL)
		abort();
	return 0;
}
