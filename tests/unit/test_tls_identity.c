/* Contexts: what they accept as their own, and how they judge a peer.  Two
 * engines shake hands in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/tls_engine.h"
#include "common/tls_identity.h"
#include "tests/unit/make_cert.h"

enum who {
	SERVER_EKU,
	CLIENT_EKU,
	BOTH_EKU,
	NO_EKU,
	EXPIRED,
	FUTURE,
	SELF_SIGNED,
	SELF_EXPIRED,
	FOREIGN,
	BELOW_INTERMEDIATE,
	WHO_COUNT
};

static struct make_cert ca, foreign_ca, intermediate, certs[WHO_COUNT];

static int
make_certs(void **state)
{
	const struct make_cert_opts all[WHO_COUNT] = {
		[SERVER_EKU] = { .issuer = &ca },
		[CLIENT_EKU] = { .issuer = &ca, .eku = MAKE_CERT_EKU_CLIENT },
		[BOTH_EKU] = { .issuer = &ca, .eku = MAKE_CERT_EKU_BOTH },
		[NO_EKU] = { .issuer = &ca, .eku = MAKE_CERT_EKU_NONE },
		[EXPIRED] = { .issuer = &ca, .from_s = -7200, .to_s = -3600 },
		[FUTURE] = { .issuer = &ca, .from_s = 3600, .to_s = 7200 },
		[SELF_SIGNED] = { .eku = MAKE_CERT_EKU_BOTH },
		[SELF_EXPIRED] = { .eku = MAKE_CERT_EKU_BOTH,
		    .from_s = -7200,
		    .to_s = -3600 },
		[FOREIGN] = { .issuer = &foreign_ca },
		[BELOW_INTERMEDIATE] = { .issuer = &intermediate },
	};

	(void)state;
	make_cert_new(
	    &ca, &(struct make_cert_opts){ .cn = "root", .ca = true });
	make_cert_new(&foreign_ca,
	    &(struct make_cert_opts){ .cn = "elsewhere", .ca = true });
	make_cert_new(
	    &intermediate, &(struct make_cert_opts){
			       .cn = "between", .ca = true, .issuer = &ca });
	for (int i = 0; i < WHO_COUNT; i++) {
		struct make_cert_opts o = all[i];

		o.cn = "leaf.example";
		make_cert_new(&certs[i], &o);
	}
	return 0;
}

static int
free_certs(void **state)
{
	(void)state;
	for (int i = 0; i < WHO_COUNT; i++)
		make_cert_finish(&certs[i]);
	make_cert_finish(&intermediate);
	make_cert_finish(&foreign_ca);
	make_cert_finish(&ca);
	return 0;
}

/* An identity that shows one of the certificates and trusts our root.  More
 * options than these are in o. */
static void
open_identity(
    struct tls_identity *id, enum who who, const struct tls_identity_opts *o)
{
	struct tls_identity_opts all = *o;
	char pem[8192], why[200] = "";

	(void)snprintf(pem, sizeof pem, "%s%s", certs[who].pem,
	    who == BELOW_INTERMEDIATE ? intermediate.pem : "");
	all.certificate = pem;
	all.certificate_len = strlen(pem);
	all.key = certs[who].key_pem;
	all.key_len = strlen(all.key);
	all.trust = ca.pem;
	all.trust_len = strlen(ca.pem);
	if (all.min_version == 0)
		all.min_version = TLS1_2_VERSION;
	assert_int_equal(tls_identity_init(id, &all, why, sizeof why), 0);
	assert_string_equal(why, "");
}

/* Carries output to the other engine in pieces of at most step bytes. */
static void
carry(struct tls_engine *from, struct tls_engine *to, size_t step)
{
	const uint8_t *data;
	size_t len = tls_engine_output(from, &data);
	uint8_t *copy = malloc(len + 1);

	assert_non_null(copy);
	memcpy(copy, data, len);
	tls_engine_output_taken(from);
	for (size_t at = 0; at < len; at += step) {
		size_t n = len - at < step ? len - at : step;

		assert_int_equal(tls_engine_feed(to, copy + at, n), 0);
		if (!SSL_is_init_finished(to->ssl))
			(void)tls_engine_handshake(to);
	}
	free(copy);
}

struct outcome {
	enum tls_step server, client;
	struct tls_engine s, c;
};

/* Shakes hands and lets one byte pass each way, so that a TLS 1.3 client
 * hears that its certificate was refused. */
static void
shake(struct outcome *o, SSL_CTX *server, SSL_CTX *client, size_t step)
{
	uint8_t byte = 'x';
	size_t n;

	assert_int_equal(tls_engine_init(&o->s, server, TLS_SERVER), 0);
	assert_int_equal(tls_engine_init(&o->c, client, TLS_CLIENT), 0);
	for (int i = 0; i < 6; i++) {
		o->client = tls_engine_handshake(&o->c);
		carry(&o->c, &o->s, step);
		o->server = tls_engine_handshake(&o->s);
		carry(&o->s, &o->c, step);
	}
	if (o->server == TLS_STEP_DONE)
		o->server = tls_engine_write(&o->s, &byte, 1, &n);
	carry(&o->s, &o->c, step);
	if (o->client == TLS_STEP_DONE)
		o->client = tls_engine_read(&o->c, &byte, 1, &n);
}

static void
outcome_finish(struct outcome *o)
{
	tls_engine_finish(&o->s);
	tls_engine_finish(&o->c);
}

/* The verdict of the accepting side on the connecting side's certificate, and
 * the other way round. */
static const struct {
	enum who who;
	bool judge_as_server;
	long as_client, as_server;
} verdicts[] = {
	{ SERVER_EKU, true, X509_V_OK, X509_V_OK },
	{ SERVER_EKU, false, X509_V_ERR_INVALID_PURPOSE, X509_V_OK },
	{ CLIENT_EKU, true, X509_V_ERR_INVALID_PURPOSE,
	    X509_V_ERR_INVALID_PURPOSE },
	{ CLIENT_EKU, false, X509_V_OK, X509_V_ERR_INVALID_PURPOSE },
	{ BOTH_EKU, true, X509_V_OK, X509_V_OK },
	{ BOTH_EKU, false, X509_V_OK, X509_V_OK },
	{ NO_EKU, true, X509_V_OK, X509_V_OK },
	{ NO_EKU, false, X509_V_OK, X509_V_OK },
	{ EXPIRED, true, X509_V_ERR_CERT_HAS_EXPIRED,
	    X509_V_ERR_CERT_HAS_EXPIRED },
	{ FUTURE, true, X509_V_ERR_CERT_NOT_YET_VALID,
	    X509_V_ERR_CERT_NOT_YET_VALID },
	{ SELF_SIGNED, true, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
	    X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT },
	/* The first error, not the last. */
	{ SELF_EXPIRED, true, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
	    X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT },
	{ FOREIGN, true, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
	    X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY },
	{ BELOW_INTERMEDIATE, true, X509_V_OK, X509_V_OK },
};

static void
each_verdict(int version)
{
	for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++) {
		const struct tls_identity_opts o = {
			.peer = TLS_PEER_RECORDED,
			.judge_as_server = verdicts[i].judge_as_server,
			.max_version = version,
		};
		struct tls_identity peer, ours;
		struct outcome out;

		open_identity(&ours, BOTH_EKU, &o);
		open_identity(&peer, verdicts[i].who, &o);
		shake(&out, ours.server, peer.client, SIZE_MAX / 2);
		assert_int_equal(out.server, TLS_STEP_DONE);
		assert_int_equal(
		    tls_peer_verdict(out.s.ssl), verdicts[i].as_client);
		outcome_finish(&out);
		shake(&out, peer.server, ours.client, SIZE_MAX / 2);
		assert_int_equal(out.client, TLS_STEP_DONE);
		assert_int_equal(
		    tls_peer_verdict(out.c.ssl), verdicts[i].as_server);
		assert_int_equal(SSL_version(out.c.ssl), version);
		outcome_finish(&out);
		tls_identity_finish(&ours);
		tls_identity_finish(&peer);
	}
}

static void
verdicts_are_recorded(void **state)
{
	(void)state;
	each_verdict(TLS1_2_VERSION);
	each_verdict(TLS1_3_VERSION);
}

/* The same table where trust is required: no handshake without it. */
static void
trust_is_required(void **state)
{
	const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	(void)state;
	for (size_t i = 0; i < 2 * sizeof verdicts / sizeof verdicts[0]; i++) {
		struct tls_identity_opts o = {
			.peer = TLS_PEER_REQUIRED,
			.judge_as_server = verdicts[i / 2].judge_as_server,
			.max_version = versions[i % 2],
		};
		long expected = verdicts[i / 2].as_client;
		struct tls_identity peer, ours;
		struct outcome out;

		open_identity(&ours, BOTH_EKU, &o);
		o.peer = TLS_PEER_RECORDED;
		open_identity(&peer, verdicts[i / 2].who, &o);
		shake(&out, ours.server, peer.client, SIZE_MAX / 2);
		assert_int_equal(out.server,
		    expected == X509_V_OK ? TLS_STEP_DONE : TLS_STEP_FAILED);
		/* The alert has told the peer. */
		assert_int_equal(out.client, out.server);
		if (expected != X509_V_OK) {
			assert_non_null(strstr(tls_engine_error(&out.s),
			    "certificate verify failed: "));
			assert_non_null(
			    strstr(tls_engine_error(&out.c), "alert"));
		}
		outcome_finish(&out);
		tls_identity_finish(&ours);
		tls_identity_finish(&peer);
	}
}

static void
peer_without_certificate(void **state)
{
	struct tls_identity_opts o = { .peer = TLS_PEER_RECORDED };
	SSL_CTX *bare = SSL_CTX_new(TLS_client_method());
	struct tls_identity ours;
	struct outcome out;

	(void)state;
	open_identity(&ours, SERVER_EKU, &o);
	shake(&out, ours.server, bare, SIZE_MAX / 2);
	assert_int_equal(out.server, TLS_STEP_DONE);
	assert_int_equal(
	    tls_peer_verdict(out.s.ssl), X509_V_ERR_APPLICATION_VERIFICATION);
	outcome_finish(&out);
	tls_identity_finish(&ours);

	o.peer = TLS_PEER_REQUIRED;
	open_identity(&ours, SERVER_EKU, &o);
	shake(&out, ours.server, bare, SIZE_MAX / 2);
	assert_int_equal(out.server, TLS_STEP_FAILED);
	outcome_finish(&out);
	tls_identity_finish(&ours);
	SSL_CTX_free(bare);
}

/* What a foreign client proposes, and whether we take it. */
static const struct {
	const char *ciphers;
	int version;
	bool allow_cbc;
	bool accepted;
} proposals[] = {
	{ "ALL:@SECLEVEL=0", TLS1_1_VERSION, false, false },
	{ "ALL:@SECLEVEL=0", TLS1_1_VERSION, true, false },
	{ "ECDHE+AESGCM", TLS1_2_VERSION, false, true },
	{ "ECDHE+CHACHA20", TLS1_2_VERSION, false, true },
	{ "ECDHE-ECDSA-AES128-SHA256", TLS1_2_VERSION, false, false },
	{ "ECDHE-ECDSA-AES128-SHA256", TLS1_2_VERSION, true, true },
	{ "ECDHE-ECDSA-AES256-SHA", TLS1_2_VERSION, true, true },
	{ "AES128-GCM-SHA256:AES128-SHA", TLS1_2_VERSION, true, false },
	{ "aNULL:eNULL:@SECLEVEL=0", TLS1_2_VERSION, true, false },
};

static void
versions_and_ciphers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof proposals / sizeof proposals[0]; i++) {
		const struct tls_identity_opts o = {
			.peer = TLS_PEER_RECORDED,
			.allow_cbc = proposals[i].allow_cbc,
		};
		SSL_CTX *foreign = SSL_CTX_new(TLS_client_method());
		struct tls_identity ours;
		struct outcome out;

		assert_int_equal(SSL_CTX_set_min_proto_version(
				     foreign, proposals[i].version),
		    1);
		assert_int_equal(SSL_CTX_set_max_proto_version(
				     foreign, proposals[i].version),
		    1);
		assert_int_equal(
		    SSL_CTX_set_cipher_list(foreign, proposals[i].ciphers), 1);
		open_identity(&ours, SERVER_EKU, &o);
		shake(&out, ours.server, foreign, SIZE_MAX / 2);
		assert_int_equal(
		    out.server == TLS_STEP_DONE, proposals[i].accepted);
		outcome_finish(&out);
		tls_identity_finish(&ours);
		SSL_CTX_free(foreign);
	}
}

static void
old_versions_on_demand(void **state)
{
	const struct tls_identity_opts o = {
		.peer = TLS_PEER_REQUIRED,
		.min_version = TLS1_VERSION,
		.max_version = TLS1_VERSION,
	};
	struct tls_identity ours;
	struct outcome out;

	(void)state;
	open_identity(&ours, BOTH_EKU, &o);
	shake(&out, ours.server, ours.client, SIZE_MAX / 2);
	assert_int_equal(out.client, TLS_STEP_DONE);
	assert_int_equal(SSL_version(out.s.ssl), TLS1_VERSION);
	outcome_finish(&out);
	tls_identity_finish(&ours);
}

/* Nothing to resume with is handed out, so no peer skips its verdict. */
static void
sessions_cannot_be_resumed(void **state)
{
	const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	(void)state;
	for (int i = 0; i < 2; i++) {
		const struct tls_identity_opts o = {
			.peer = TLS_PEER_REQUIRED,
			.max_version = versions[i],
		};
		struct tls_identity ours;
		struct outcome out;

		open_identity(&ours, BOTH_EKU, &o);
		shake(&out, ours.server, ours.client, SIZE_MAX / 2);
		assert_int_equal(out.client, TLS_STEP_DONE);
		assert_false(
		    SSL_SESSION_is_resumable(SSL_get0_session(out.c.ssl)) &&
		    SSL_SESSION_has_ticket(SSL_get0_session(out.c.ssl)));
		assert_int_equal(SSL_CTX_sess_number(ours.server), 0);
		outcome_finish(&out);
		tls_identity_finish(&ours);
	}
}

/* However the bytes are cut. */
static void
handshake_in_single_bytes(void **state)
{
	const struct tls_identity_opts o = { .peer = TLS_PEER_REQUIRED };
	struct tls_identity ours;
	struct outcome out;

	(void)state;
	open_identity(&ours, BOTH_EKU, &o);
	for (size_t step = 1; step < 4; step++) {
		shake(&out, ours.server, ours.client, step);
		assert_int_equal(out.client, TLS_STEP_DONE);
		assert_int_equal(tls_peer_verdict(out.s.ssl), X509_V_OK);
		outcome_finish(&out);
	}
	tls_identity_finish(&ours);
}

static void
engine_refuses_an_impossible_offer(void **state)
{
	const struct tls_identity_opts o = { .peer = TLS_PEER_REQUIRED };
	struct tls_identity ours;
	struct tls_engine e;
	char longest[300];

	(void)state;
	memset(longest, 'a', sizeof longest);
	longest[sizeof longest - 1] = '\0';
	open_identity(&ours, BOTH_EKU, &o);
	assert_int_equal(tls_engine_init(&e, ours.client, TLS_CLIENT), 0);
	assert_int_equal(tls_engine_offer(&e, longest, NULL, 0), ERR_TLS);
	assert_int_equal(tls_engine_offer(&e, "a.example", NULL, 0), 0);
	tls_engine_finish(&e);
	tls_identity_finish(&ours);
}

/* ---- what an admin may get wrong ------------------------------------ */

static const char encrypted_key[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "Proc-Type: 4,ENCRYPTED\n"
    "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n"
    "\n"
    "bm90IHJlYWxseSBhIGtleSwgYnV0IG5vYm9keSBnZXRzIHRoYXQgZmFyLi4u\n"
    "-----END EC PRIVATE KEY-----\n";

static const char broken_certificate[] = "-----BEGIN CERTIFICATE-----\n"
					 "AAAA\n"
					 "-----END CERTIFICATE-----\n";

struct mistake {
	const char *certificate, *key, *trust, *why;
};

static void
mistakes_are_explained(void **state)
{
	const char *cert = certs[SERVER_EKU].pem;
	const char *key = certs[SERVER_EKU].key_pem;
	char half[8192], torn[8192];
	const struct mistake all[] = {
		{ "", key, ca.pem, "certificate: no certificate in PEM form" },
		{ key, key, ca.pem, "certificate: no certificate in PEM form" },
		{ broken_certificate, key, ca.pem,
		    "certificate: certificate number 1: " },
		{ half, key, ca.pem, "certificate: certificate number 2: " },
		{ torn, key, ca.pem, "certificate: certificate number 1: " },
		{ cert, "", ca.pem, "key: no usable private key in PEM form" },
		{ cert, cert, ca.pem,
		    "key: no usable private key in PEM form" },
		{ cert, encrypted_key, ca.pem,
		    "key: the key is protected by a passphrase" },
		{ cert, certs[EXPIRED].key_pem, ca.pem,
		    "key: key does not match the certificate" },
		{ cert, key, "", "trust: no certificate in PEM form" },
		{ cert, key, broken_certificate,
		    "trust: certificate number 1: " },
	};

	(void)state;
	(void)snprintf(half, sizeof half, "%s%s", cert, broken_certificate);
	(void)snprintf(torn, sizeof torn, "%.200s", cert);
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		const struct tls_identity_opts o = {
			.certificate = all[i].certificate,
			.certificate_len = strlen(all[i].certificate),
			.key = all[i].key,
			.key_len = strlen(all[i].key),
			.trust = all[i].trust,
			.trust_len = strlen(all[i].trust),
			.min_version = TLS1_2_VERSION,
		};
		struct tls_identity id;
		char why[200] = "";

		memset(&id, 0xff, sizeof id);
		assert_int_equal(
		    tls_identity_init(&id, &o, why, sizeof why), ERR_CERT);
		assert_null(id.server);
		assert_null(id.client);
		if (strncmp(why, all[i].why, strlen(all[i].why)) != 0)
			fail_msg("mistake %zu: %s", i, why);
	}
}

static void
trust_may_be_a_bundle_with_words_between(void **state)
{
	struct tls_identity_opts o = { .min_version = TLS1_2_VERSION };
	char bundle[8192], why[200] = "";
	struct tls_identity id;

	(void)state;
	(void)snprintf(bundle, sizeof bundle, "# roots\n%s\nother: \n%s\n",
	    foreign_ca.pem, ca.pem);
	o.certificate = certs[SERVER_EKU].pem;
	o.certificate_len = strlen(o.certificate);
	o.key = certs[SERVER_EKU].key_pem;
	o.key_len = strlen(o.key);
	o.trust = bundle;
	o.trust_len = strlen(bundle);
	assert_int_equal(tls_identity_init(&id, &o, why, sizeof why), 0);
	tls_identity_finish(&id);
}

static void
write_file(const char *folder, const char *name, const char *text)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void
files_are_named(void **state)
{
	char folder[] = "/tmp/sallyport-test-XXXXXX";
	char path[4][64], why[200] = "", expected[200];
	struct tls_identity_files files = { path[0], path[1], path[2],
		TLS_PEER_REQUIRED, true, TLS1_2_VERSION, 0, false };
	const char *const names[] = { "cert.pem", "cert.key", "ca.pem",
		"absent.pem" };
	struct tls_identity id;

	(void)state;
	assert_non_null(mkdtemp(folder));
	for (int i = 0; i < 4; i++)
		(void)snprintf(
		    path[i], sizeof path[i], "%s/%s", folder, names[i]);
	write_file(folder, names[0], certs[SERVER_EKU].pem);
	write_file(folder, names[1], certs[SERVER_EKU].key_pem);
	write_file(folder, names[2], ca.pem);
	assert_int_equal(tls_identity_load(&id, &files, why, sizeof why), 0);
	assert_non_null(id.server);
	assert_non_null(id.client);
	tls_identity_finish(&id);
	assert_null(id.server);

	files.trust = path[3];
	assert_int_equal(
	    tls_identity_load(&id, &files, why, sizeof why), ERR_IO);
	(void)snprintf(expected, sizeof expected,
	    "%s: No such file or directory", path[3]);
	assert_string_equal(why, expected);
	files.trust = folder;
	assert_int_equal(
	    tls_identity_load(&id, &files, why, sizeof why), ERR_IO);
	files.trust = path[2];
	files.key = path[2];
	assert_int_equal(
	    tls_identity_load(&id, &files, why, sizeof why), ERR_CERT);
	(void)snprintf(expected, sizeof expected,
	    "%s: no usable private key in PEM form", path[2]);
	assert_string_equal(why, expected);
	assert_null(id.server);

	for (int i = 0; i < 3; i++)
		assert_int_equal(unlink(path[i]), 0);
	assert_int_equal(rmdir(folder), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts_are_recorded),
		cmocka_unit_test(trust_is_required),
		cmocka_unit_test(peer_without_certificate),
		cmocka_unit_test(versions_and_ciphers),
		cmocka_unit_test(old_versions_on_demand),
		cmocka_unit_test(sessions_cannot_be_resumed),
		cmocka_unit_test(handshake_in_single_bytes),
		cmocka_unit_test(engine_refuses_an_impossible_offer),
		cmocka_unit_test(mistakes_are_explained),
		cmocka_unit_test(trust_may_be_a_bundle_with_words_between),
		cmocka_unit_test(files_are_named),
	};

	return cmocka_run_group_tests(tests, make_certs, free_certs);
}
