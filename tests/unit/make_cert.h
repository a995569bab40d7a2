/*
 * make_cert - certificates for tests, made in the process.
 *
 *	struct make_cert ca, leaf;
 *	make_cert_new(&ca, &(struct make_cert_opts){ .cn = "ca", .ca = true });
 *	make_cert_new(&leaf, &(struct make_cert_opts){ .cn = "a",
 *	    .issuer = &ca, .names = { { MAKE_CERT_DNS, "a.example" } } });
 *
 * Keys are P-256.  Whatever fails, aborts: no test can go on without.
 */
#ifndef TESTS_MAKE_CERT_H
#define TESTS_MAKE_CERT_H

#include <stdbool.h>
#include <stddef.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

enum make_cert_kind {
	MAKE_CERT_END, /* no further names */
	MAKE_CERT_DNS,
	MAKE_CERT_SRV, /* the whole value: "_xmpp-server.a.example" */
	MAKE_CERT_XMPP,
	MAKE_CERT_EMAIL,
	MAKE_CERT_URI,
	MAKE_CERT_SRV_UTF8, /* SRVName of a wrong ASN.1 type */
	MAKE_CERT_XMPP_IA5  /* XmppAddr of a wrong ASN.1 type */
};

enum make_cert_eku {
	MAKE_CERT_EKU_SERVER,
	MAKE_CERT_EKU_CLIENT,
	MAKE_CERT_EKU_BOTH,
	MAKE_CERT_EKU_NONE,
	MAKE_CERT_EKU_OCSP
};

struct make_cert_name {
	enum make_cert_kind kind;
	const char *value;
	size_t len; /* 0 = strlen(value) */
};

struct make_cert {
	X509 *cert;
	EVP_PKEY *key;
	char *pem; /* the certificate, NUL-terminated */
	char *key_pem;
};

enum { MAKE_CERT_NAMES = 300 };

struct make_cert_opts {
	const char *cn;
	const struct make_cert *issuer; /* NULL: self-signed */
	bool ca;
	enum make_cert_eku eku; /* not for a ca */
	/* As OpenSSL's configuration has them: "URI:http://a/b", maybe several;
	 * "OCSP;URI:http://a/b". */
	const char *lists, *responder;
	bool must_staple;
	long from_s, to_s; /* from now; both 0: -1 hour, +1 hour */
	struct make_cert_name names[MAKE_CERT_NAMES];
};

void make_cert_new(struct make_cert *out, const struct make_cert_opts *o);
void make_cert_finish(struct make_cert *c);

#endif
