/* Certificates by OpenSSL's C interface, entry by entry, so that tests can
 * also make such as no authority would. */
#include "tests/unit/make_cert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#define CHECK(cond)                                                            \
	do {                                                                   \
		if (!(cond)) {                                                 \
			(void)fprintf(stderr, "make_cert: %s\n", #cond);       \
			abort();                                               \
		}                                                              \
	} while (0)

/* The string of an entry, of the ASN.1 type asked for, any bytes in it. */
static ASN1_STRING *
new_string(int type, const struct make_cert_name *n)
{
	ASN1_STRING *s = ASN1_STRING_type_new(type);
	size_t len = n->len != 0 ? n->len : strlen(n->value);

	CHECK(s != NULL && ASN1_STRING_set(s, n->value, (int)len) == 1);
	return s;
}

static void
set_other(GENERAL_NAME *g, int nid, int type, const struct make_cert_name *n)
{
	ASN1_TYPE *value = ASN1_TYPE_new();

	CHECK(value != NULL);
	ASN1_TYPE_set(value, type, new_string(type, n));
	CHECK(GENERAL_NAME_set0_othername(g, OBJ_nid2obj(nid), value) == 1);
}

static GENERAL_NAME *
new_name(const struct make_cert_name *n)
{
	GENERAL_NAME *g = GENERAL_NAME_new();

	CHECK(g != NULL);
	switch (n->kind) {
	case MAKE_CERT_DNS:
		GENERAL_NAME_set0_value(
		    g, GEN_DNS, new_string(V_ASN1_IA5STRING, n));
		break;
	case MAKE_CERT_EMAIL:
		GENERAL_NAME_set0_value(
		    g, GEN_EMAIL, new_string(V_ASN1_IA5STRING, n));
		break;
	case MAKE_CERT_URI:
		GENERAL_NAME_set0_value(
		    g, GEN_URI, new_string(V_ASN1_IA5STRING, n));
		break;
	case MAKE_CERT_SRV:
		set_other(g, NID_SRVName, V_ASN1_IA5STRING, n);
		break;
	case MAKE_CERT_SRV_UTF8:
		set_other(g, NID_SRVName, V_ASN1_UTF8STRING, n);
		break;
	case MAKE_CERT_XMPP:
		set_other(g, NID_XmppAddr, V_ASN1_UTF8STRING, n);
		break;
	case MAKE_CERT_XMPP_IA5:
		set_other(g, NID_XmppAddr, V_ASN1_IA5STRING, n);
		break;
	case MAKE_CERT_END:
		CHECK(!"a name");
	}
	return g;
}

static void
add_names(X509 *cert, const struct make_cert_name *names)
{
	GENERAL_NAMES *list = sk_GENERAL_NAME_new_null();

	CHECK(list != NULL);
	for (; names->kind != MAKE_CERT_END; names++)
		CHECK(sk_GENERAL_NAME_push(list, new_name(names)) > 0);
	CHECK(X509_add1_ext_i2d(cert, NID_subject_alt_name, list, 0, 0) == 1);
	GENERAL_NAMES_free(list);
}

static void
add_text(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	CHECK(e != NULL && X509_add_ext(cert, e, -1) == 1);
	X509_EXTENSION_free(e);
}

static void
add_extensions(X509 *cert, const struct make_cert_opts *o)
{
	static const char *const ekus[] = {
		[MAKE_CERT_EKU_SERVER] = "serverAuth",
		[MAKE_CERT_EKU_CLIENT] = "clientAuth",
		[MAKE_CERT_EKU_BOTH] = "serverAuth,clientAuth",
		[MAKE_CERT_EKU_NONE] = NULL,
		[MAKE_CERT_EKU_OCSP] = "OCSPSigning",
	};

	add_text(cert, NID_basic_constraints,
	    o->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	add_text(cert, NID_key_usage,
	    o->ca ? "critical,keyCertSign,cRLSign"
		  : "critical,digitalSignature");
	if (!o->ca && ekus[o->eku] != NULL)
		add_text(cert, NID_ext_key_usage, ekus[o->eku]);
	if (o->lists != NULL)
		add_text(cert, NID_crl_distribution_points, o->lists);
	if (o->responder != NULL)
		add_text(cert, NID_info_access, o->responder);
	if (o->must_staple)
		add_text(cert, NID_tlsfeature, "status_request");
	if (o->names[0].kind != MAKE_CERT_END)
		add_names(cert, o->names);
}

/* The content of a memory BIO as a string of its own; frees the BIO. */
static char *
take_string(BIO *bio)
{
	char *data, *s;
	long len = BIO_get_mem_data(bio, &data);

	s = strndup(data, (size_t)len);
	CHECK(s != NULL);
	BIO_free(bio);
	return s;
}

static void
add_pem(struct make_cert *c)
{
	BIO *bio = BIO_new(BIO_s_mem());

	CHECK(bio != NULL && PEM_write_bio_X509(bio, c->cert) == 1);
	c->pem = take_string(bio);
	bio = BIO_new(BIO_s_mem());
	CHECK(bio != NULL && PEM_write_bio_PrivateKey(
				 bio, c->key, NULL, NULL, 0, NULL, NULL) == 1);
	c->key_pem = take_string(bio);
}

static void
set_serial(X509 *cert)
{
	uint64_t serial;

	CHECK(RAND_bytes((unsigned char *)&serial, sizeof serial) == 1);
	CHECK(ASN1_INTEGER_set_uint64(
		  X509_get_serialNumber(cert), serial >> 1) == 1);
}

void
make_cert_new(struct make_cert *out, const struct make_cert_opts *o)
{
	const struct make_cert *issuer = o->issuer != NULL ? o->issuer : out;
	bool dated = o->from_s != 0 || o->to_s != 0;
	X509_NAME *name = X509_NAME_new();
	X509 *cert = X509_new();

	*out = (struct make_cert){ .cert = cert, .key = EVP_EC_gen("P-256") };
	CHECK(cert != NULL && out->key != NULL && name != NULL);
	CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
		  (const unsigned char *)o->cn, -1, -1, 0) == 1);
	CHECK(X509_set_version(cert, X509_VERSION_3) == 1);
	set_serial(cert);
	CHECK(X509_set_subject_name(cert, name) == 1);
	X509_NAME_free(name);
	CHECK(X509_set_issuer_name(cert, X509_get_subject_name(issuer->cert)) ==
	      1);
	CHECK(X509_gmtime_adj(X509_getm_notBefore(cert),
		  dated ? o->from_s : -3600) != NULL);
	CHECK(X509_gmtime_adj(
		  X509_getm_notAfter(cert), dated ? o->to_s : 3600) != NULL);
	CHECK(X509_set_pubkey(cert, out->key) == 1);
	add_extensions(cert, o);
	CHECK(X509_sign(cert, issuer->key, EVP_sha256()) > 0);
	add_pem(out);
}

void
make_cert_finish(struct make_cert *c)
{
	X509_free(c->cert);
	EVP_PKEY_free(c->key);
	free(c->pem);
	free(c->key_pem);
	*c = (struct make_cert){ 0 };
}
