/*
 * tls_bounds: keys and chains that are made to keep a server busy.
 *
 * The keys are none: a random odd number serves as a modulus as well as any
 * when the work is what counts.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/x509v3.h>

#include "common/tls_bounds.h"
#include "common/tls_engine.h"
#include "common/tls_identity.h"
#include "make_cert.h"

enum { CHAIN_MAX = 24 };

/* An RSA key of that size with an exponent of that length. */
static EVP_PKEY *
odd_key(int bits, int exponent_bits)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	BIGNUM *n = BN_new(), *e = BN_new(), *d = BN_new();
	EVP_PKEY *key = NULL;
	OSSL_PARAM *params;

	assert_int_equal(
	    BN_rand(n, bits, BN_RAND_TOP_TWO, BN_RAND_BOTTOM_ODD), 1);
	assert_int_equal(
	    BN_rand(e, exponent_bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD), 1);
	/* Whoever attacks spares himself the work. */
	assert_int_equal(BN_set_word(d, 3), 1);
	OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n);
	OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e);
	OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_D, d);
	params = OSSL_PARAM_BLD_to_param(build);
	assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
	assert_int_equal(
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params), 1);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(ctx);
	BN_free(n);
	BN_free(e);
	BN_free(d);
	return key;
}

/* A certificate for key that says to be signed by issuer. */
static X509 *
claim(EVP_PKEY *key, const char *cn, EVP_PKEY *issuer, const char *issuer_cn)
{
	X509 *cert = X509_new();
	X509_NAME *name = X509_NAME_new();
	X509_EXTENSION *ext =
	    X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "CA:TRUE");

	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 7);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)issuer_cn, -1, -1, 0);
	X509_set_issuer_name(cert, name);
	X509_NAME_free(name);
	name = X509_NAME_new();
	X509_NAME_add_entry_by_txt(
	    name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
	X509_set_subject_name(cert, name);
	X509_NAME_free(name);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
	assert_true(X509_sign(cert, issuer, EVP_sha256()) > 0);
	return cert;
}

/* A server of ours, a client with count certificates; the seconds the server
 * spends on one handshake, and how it ends. */
static double
shake_hands(X509 **chain, int count, EVP_PKEY *key, char *error, size_t size)
{
	static const uint8_t *data;
	struct make_cert own;
	struct tls_identity id;
	struct tls_engine server, client;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	clock_t spent = 0;
	size_t len;
	char why[200];

	make_cert_new(&own, &(struct make_cert_opts){ .cn = "a.example" });
	assert_int_equal(tls_identity_init(&id,
			     &(struct tls_identity_opts){
				 .certificate = own.pem,
				 .certificate_len = strlen(own.pem),
				 .key = own.key_pem,
				 .key_len = strlen(own.key_pem),
				 .trust = own.pem,
				 .trust_len = strlen(own.pem),
				 .peer = TLS_PEER_RECORDED,
				 .judge_as_server = true,
			     },
			     why, sizeof(why)),
	    0);
	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_max_cert_list(ctx, 1024 * 1024);
	assert_int_equal(SSL_CTX_use_certificate(ctx, chain[0]), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
	for (int i = 1; i < count; i++)
		assert_int_equal(SSL_CTX_add1_chain_cert(ctx, chain[i]), 1);
	assert_int_equal(tls_engine_init(&server, id.server, TLS_SERVER), 0);
	assert_int_equal(tls_engine_init(&client, ctx, TLS_CLIENT), 0);
	for (int i = 0; i < 4; i++) {
		clock_t before;

		(void)tls_engine_handshake(&client);
		len = tls_engine_output(&client, &data);
		before = clock();
		assert_int_equal(tls_engine_feed(&server, data, len), 0);
		(void)tls_engine_handshake(&server);
		spent += clock() - before;
		tls_engine_output_taken(&client);
		len = tls_engine_output(&server, &data);
		assert_int_equal(tls_engine_feed(&client, data, len), 0);
		tls_engine_output_taken(&server);
	}
	snprintf(error, size, "%s", tls_engine_error(&server));
	tls_engine_finish(&server);
	tls_engine_finish(&client);
	SSL_CTX_free(ctx);
	tls_identity_finish(&id);
	make_cert_finish(&own);
	return (double)spent / CLOCKS_PER_SEC;
}

/* What came of a chain of that length with such keys. */
static double
attack(int count, int bits, int exponent_bits, char *error, size_t size)
{
	EVP_PKEY *key = odd_key(bits, exponent_bits);
	X509 *chain[CHAIN_MAX];
	double seconds;

	assert_true(count <= CHAIN_MAX);
	for (int i = 0; i < count; i++) {
		char cn[16], issuer[16];

		snprintf(cn, sizeof(cn), "c%d", i);
		snprintf(issuer, sizeof(issuer), "c%d", i + 1);
		chain[i] = claim(key, cn, key, issuer);
	}
	seconds = shake_hands(chain, count, key, error, size);
	for (int i = 0; i < count; i++)
		X509_free(chain[i]);
	EVP_PKEY_free(key);
	return seconds;
}

static const struct {
	const char *name;
	int count, bits, exponent_bits;
	bool refused;
} attacks[] = {
	{ "the longest key", 1, 16384, 64, true },
	{ "a chain of them", 20, 16384, 64, true },
	{ "one bit too many", 1, 8200, 17, true },
	{ "a long exponent", 10, 3072, 3000, true },
	{ "eleven certificates", 11, 2048, 17, true },
	{ "the most that is judged", 10, 8192, 64, false },
};

static void
test_no_certificate_holds_the_loop(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
		char error[200];
		double seconds = attack(attacks[i].count, attacks[i].bits,
		    attacks[i].exponent_bits, error, sizeof(error));

		printf("%s: %.0f ms\n", attacks[i].name, seconds * 1000);
		if ((strstr(error, "certificate rejected") != NULL ||
			strstr(error, "excessive message size") != NULL) !=
		    attacks[i].refused)
			fail_msg("%s: %s", attacks[i].name, error);
		/* Of the processor, not of the clock on the wall. */
		if (seconds > 0.25)
			fail_msg("%s: %.3f s", attacks[i].name, seconds);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_certificate_holds_the_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
