/*
 * cert_file - certificates and keys as they lie in files, for looking at.
 * PEM; the daemons read no other form.
 */
#ifndef DEPLOY_CERT_FILE_H
#define DEPLOY_CERT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

enum { CERT_FILE_MAX = 16 };

/* In the file's order: the first is the server's own. */
struct cert_file {
	X509 *v[CERT_FILE_MAX];
	size_t count;
};

/* False with why, one line.  The key is never asked for a passphrase. */
bool
cert_file_read(struct cert_file *out, const char *path, char *why, size_t size);
void cert_file_finish(struct cert_file *f);
/* Whether one of the certificate's names is that domain's. */
bool cert_file_names(X509 *cert, const char *domain);
bool cert_file_key(EVP_PKEY **out, const char *path, char *why, size_t size);

/* "EC P-256", "RSA 2048 bits". */
void cert_file_key_text(char *out, size_t size, EVP_PKEY *key);
/* RFC 2253, as most tools show it. */
void cert_file_name_text(char *out, size_t size, const X509_NAME *name);

/* The purposes a certificate has here. */
enum cert_purpose { CERT_EXTERNAL, CERT_INTERNAL, CERT_SIP };
enum { CERT_PURPOSES = 3 };
extern const char *const cert_file_purposes[CERT_PURPOSES];

#endif
