/* dane and peer_identity: certificates held against TLSA records, in either
 * direction.  Two engines shake hands in memory. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "common/tls_engine.h"
#include "common/tls_identity.h"
#include "edge-proxy/dane.h"
#include "edge-proxy/peer_identity.h"
#include "edge-proxy/tlsa.h"
#include "tests/unit/make_cert.h"

#define DOMAIN "partner.example"
#define HOST   "xmpp.host.example"

enum who {
	OURS,
	TRUSTED,
	TRUSTED_HOST,
	TRUSTED_OLD,
	SELF,
	SELF_OLD_OTHER,
	PRIVATE,
	PRIVATE_HOST,
	PRIVATE_OTHER,
	PRIVATE_OLD,
	PRIVATE_CLIENT,
	BELOW,
	WHO_COUNT
};

static struct make_cert ca, private_ca, between, certs[WHO_COUNT];

#define NAMED(n) .names = { { MAKE_CERT_DNS, n, 0 } }
#define OLD      .from_s = -7200, .to_s = -3600

static int
make_certs(void **state)
{
	const struct make_cert_opts all[WHO_COUNT] = {
		[OURS] = { .issuer = &ca },
		[TRUSTED] = { .issuer = &ca, NAMED(DOMAIN) },
		[TRUSTED_HOST] = { .issuer = &ca, NAMED(HOST) },
		[TRUSTED_OLD] = { .issuer = &ca, NAMED(DOMAIN), OLD },
		[SELF] = { NAMED(DOMAIN) },
		[SELF_OLD_OTHER] = { NAMED("other.example"), OLD },
		[PRIVATE] = { .issuer = &private_ca, NAMED(DOMAIN) },
		[PRIVATE_HOST] = { .issuer = &private_ca, NAMED(HOST) },
		[PRIVATE_OTHER] = { .issuer = &private_ca,
		    NAMED("other.example") },
		[PRIVATE_OLD] = { .issuer = &private_ca, NAMED(DOMAIN), OLD },
		[PRIVATE_CLIENT] = { .issuer = &private_ca,
		    .eku = MAKE_CERT_EKU_CLIENT,
		    NAMED(DOMAIN) },
		[BELOW] = { .issuer = &between, NAMED(DOMAIN) },
	};

	(void)state;
	make_cert_new(&ca, &(struct make_cert_opts){ .cn = "ca", .ca = true });
	make_cert_new(&private_ca,
	    &(struct make_cert_opts){ .cn = "private", .ca = true });
	make_cert_new(
	    &between, &(struct make_cert_opts){
			  .cn = "between", .ca = true, .issuer = &private_ca });
	for (int i = 0; i < WHO_COUNT; i++) {
		struct make_cert_opts o = all[i];

		o.cn = "leaf";
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
	make_cert_finish(&between);
	make_cert_finish(&private_ca);
	make_cert_finish(&ca);
	return 0;
}

/* --- a handshake --------------------------------------------------------- */

static void
open_identity(struct tls_identity *id, enum who who, bool with_root)
{
	char pem[8192], why[200] = "";
	struct tls_identity_opts o = {
		.certificate = pem,
		.key = certs[who].key_pem,
		.key_len = strlen(certs[who].key_pem),
		.trust = ca.pem,
		.trust_len = strlen(ca.pem),
		.peer = TLS_PEER_RECORDED,
		.judge_as_server = true,
		.min_version = TLS1_2_VERSION,
	};

	(void)snprintf(pem, sizeof(pem), "%s%s%s", certs[who].pem,
	    who == BELOW ? between.pem : "", with_root ? private_ca.pem : "");
	o.certificate_len = strlen(pem);
	if (tls_identity_init(id, &o, why, sizeof(why)) != 0)
		fail_msg("%s", why);
}

static void
carry(struct tls_engine *from, struct tls_engine *to)
{
	const uint8_t *data;
	size_t len = tls_engine_output(from, &data);

	assert_int_equal(tls_engine_feed(to, data, len), 0);
	tls_engine_output_taken(from);
}

struct meeting {
	struct tls_identity ours, theirs;
	struct tls_engine us, them;
};

/* They show us their certificate; we dial, or they do. */
static void
meet(struct meeting *m, enum who who, bool with_root, bool we_dial)
{
	open_identity(&m->ours, OURS, false);
	open_identity(&m->theirs, who, with_root);
	assert_int_equal(0,
	    tls_engine_init(&m->us, we_dial ? m->ours.client : m->ours.server,
		we_dial ? TLS_CLIENT : TLS_SERVER));
	assert_int_equal(0, tls_engine_init(&m->them,
				we_dial ? m->theirs.server : m->theirs.client,
				we_dial ? TLS_SERVER : TLS_CLIENT));
	for (int i = 0; i < 6; i++) {
		(void)tls_engine_handshake(&m->us);
		carry(&m->us, &m->them);
		(void)tls_engine_handshake(&m->them);
		carry(&m->them, &m->us);
	}
	assert_true(SSL_is_init_finished(m->us.ssl));
}

static void
part(struct meeting *m)
{
	tls_engine_finish(&m->us);
	tls_engine_finish(&m->them);
	tls_identity_finish(&m->ours);
	tls_identity_finish(&m->theirs);
}

/* --- records ------------------------------------------------------------- */

enum of { LEAF, ISSUER, ROOT, ELSE };

struct spec {
	uint8_t usage, selector, matching; /* usage 9: there is no record */
	enum of of;
};

#define NO_RECORD                                                              \
	{                                                                      \
		9, 0, 0, LEAF                                                  \
	}
#define TO(u, s, m, o)                                                         \
	{                                                                      \
		u, s, m, o                                                     \
	}

static X509 *
cert_of(enum who who, enum of of)
{
	switch (of) {
	case LEAF:
		return certs[who].cert;
	case ISSUER:
		return who == BELOW ? between.cert
		       : who == TRUSTED || who == TRUSTED_HOST
			   ? ca.cert
			   : private_ca.cert;
	case ROOT:
		return private_ca.cert;
	case ELSE:
		break;
	}
	return certs[OURS].cert;
}

static void
write_record(
    struct dns_tlsa *r, uint8_t *data, const struct spec *s, enum who who)
{
	X509 *cert = cert_of(who, s->of);
	unsigned char *der = NULL;
	unsigned n = 0;
	int len = s->selector == 0
		      ? i2d_X509(cert, &der)
		      : i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);

	assert_true(len > 0 && len < 2048);
	if (s->matching == 0) {
		memcpy(data, der, (size_t)len);
		n = (unsigned)len;
	} else {
		assert_int_equal(1,
		    EVP_Digest(der, (size_t)len, data, &n,
			s->matching == 1 ? EVP_sha256() : EVP_sha512(), NULL));
	}
	OPENSSL_free(der);
	*r = (struct dns_tlsa){ s->usage, s->selector, s->matching, (uint16_t)n,
		data };
}

static struct tlsa_set *
make_set(const struct spec *specs, enum who who)
{
	static uint8_t data[2][2048];
	struct dns_tlsa v[2];
	struct dns_answer a = {
		.status = DNS_OK, .secure = true, .type = DNS_TLSA, .tlsa = v
	};
	struct tlsa_set *set = NULL;

	for (size_t i = 0; i < 2 && specs[i].usage != 9; i++)
		write_record(&v[a.count++], data[i], &specs[i], who);
	if (a.count > 0)
		assert_int_equal(TLSA_RECORDS, tlsa_judge(&set, &a));
	return set;
}

/* --- the table ----------------------------------------------------------- */

#define MATCHES_NONE "none of the server's TLSA records"
#define OTHER_NAME   "does not name the domain"

static const struct {
	enum who who;
	struct spec records[2];
	bool host;       /* the SRV record is signed */
	bool root;       /* is in the chain shown */
	const char *why; /* NULL: proven; else some of the reason */
} rows[] = {
	/* 3: the certificate or its key, and nothing else counts */
	{ SELF, { TO(3, 1, 1, LEAF), NO_RECORD }, true, false, NULL },
	{ SELF, { TO(3, 0, 1, LEAF), NO_RECORD }, true, false, NULL },
	{ SELF, { TO(3, 1, 2, LEAF), NO_RECORD }, true, false, NULL },
	{ SELF, { TO(3, 0, 0, LEAF), NO_RECORD }, true, false, NULL },
	{ SELF, { TO(3, 1, 0, LEAF), NO_RECORD }, true, false, NULL },
	{ SELF_OLD_OTHER, { TO(3, 1, 1, LEAF), NO_RECORD }, true, false, NULL },
	{ PRIVATE_CLIENT, { TO(3, 1, 1, LEAF), NO_RECORD }, true, false, NULL },
	{ TRUSTED, { TO(3, 1, 1, LEAF), NO_RECORD }, true, false, NULL },
	{ SELF, { TO(3, 1, 1, ELSE), TO(3, 1, 1, LEAF) }, true, false, NULL },
	{ SELF, { TO(3, 1, 1, ELSE), NO_RECORD }, true, false, MATCHES_NONE },
	{ TRUSTED, { TO(3, 1, 1, ELSE), NO_RECORD }, true, false,
	    MATCHES_NONE },
	{ TRUSTED, { TO(3, 1, 0, ELSE), NO_RECORD }, true, false,
	    MATCHES_NONE },
	{ PRIVATE, { TO(3, 1, 1, ISSUER), NO_RECORD }, true, true,
	    MATCHES_NONE },
	/* 2: somebody above it, with name and dates */
	{ PRIVATE, { TO(2, 0, 1, ISSUER), NO_RECORD }, true, true, NULL },
	{ PRIVATE, { TO(2, 1, 1, ISSUER), NO_RECORD }, true, true, NULL },
	{ PRIVATE, { TO(2, 0, 0, ISSUER), NO_RECORD }, true, false, NULL },
	{ PRIVATE, { TO(2, 1, 0, ISSUER), NO_RECORD }, true, false, NULL },
	{ PRIVATE, { TO(2, 0, 1, ISSUER), NO_RECORD }, true, false,
	    MATCHES_NONE },
	{ BELOW, { TO(2, 0, 1, ISSUER), NO_RECORD }, true, false, NULL },
	{ BELOW, { TO(2, 0, 1, ROOT), NO_RECORD }, true, true, NULL },
	{ BELOW, { TO(2, 0, 1, ROOT), NO_RECORD }, true, false, MATCHES_NONE },
	{ PRIVATE_HOST, { TO(2, 0, 1, ISSUER), NO_RECORD }, true, true, NULL },
	{ PRIVATE_HOST, { TO(2, 0, 1, ISSUER), NO_RECORD }, false, true,
	    OTHER_NAME },
	{ PRIVATE_OTHER, { TO(2, 0, 1, ISSUER), NO_RECORD }, true, true,
	    OTHER_NAME },
	{ PRIVATE_OLD, { TO(2, 0, 1, ISSUER), NO_RECORD }, true, true,
	    "expired" },
	{ PRIVATE_CLIENT, { TO(2, 0, 1, ISSUER), NO_RECORD }, true, true,
	    "purpose" },
	{ SELF, { TO(2, 0, 1, ROOT), NO_RECORD }, true, true, MATCHES_NONE },
	{ TRUSTED, { TO(2, 0, 1, ROOT), NO_RECORD }, true, false,
	    MATCHES_NONE },
	/* 1 and 0: what we trust, and that alone of it */
	{ TRUSTED, { TO(1, 1, 1, LEAF), NO_RECORD }, true, false, NULL },
	{ TRUSTED, { TO(0, 0, 1, ISSUER), NO_RECORD }, true, false, NULL },
	{ TRUSTED_HOST, { TO(1, 1, 1, LEAF), NO_RECORD }, true, false, NULL },
	{ TRUSTED, { TO(1, 1, 1, ELSE), NO_RECORD }, true, false,
	    MATCHES_NONE },
	{ TRUSTED, { TO(0, 0, 1, ROOT), NO_RECORD }, true, false,
	    MATCHES_NONE },
	{ TRUSTED_OLD, { TO(1, 1, 1, LEAF), NO_RECORD }, true, false,
	    "expired" },
	{ SELF, { TO(1, 1, 1, LEAF), NO_RECORD }, true, false, "self-signed" },
	{ PRIVATE, { TO(0, 0, 1, ISSUER), NO_RECORD }, true, true, "" },
	{ PRIVATE, { TO(0, 0, 1, ISSUER), TO(2, 0, 1, ISSUER) }, true, true,
	    NULL },
	{ SELF, { TO(1, 1, 1, LEAF), TO(3, 1, 1, LEAF) }, true, false, NULL },
	/* no records: our authorities, and the host's name if it is signed */
	{ TRUSTED, { NO_RECORD, NO_RECORD }, true, false, NULL },
	{ TRUSTED_HOST, { NO_RECORD, NO_RECORD }, true, false, NULL },
	{ TRUSTED_HOST, { NO_RECORD, NO_RECORD }, false, false, OTHER_NAME },
	{ PRIVATE_HOST, { NO_RECORD, NO_RECORD }, true, true, "" },
	{ SELF, { NO_RECORD, NO_RECORD }, true, false, "self-signed" },
};

static void
check_row(size_t i, bool we_dial)
{
	struct meeting m;
	struct peer_identity p;
	struct tlsa_set *set = make_set(rows[i].records, rows[i].who);
	const struct dane_server server = { rows[i].host ? HOST : NULL, set };
	char why[300] = "";
	bool proven;

	meet(&m, rows[i].who, rows[i].root, we_dial);
	assert_int_equal(0, peer_identity_read(&p, m.us.ssl));
	assert_int_equal(
	    0, peer_identity_hear_dns(&p, m.us.ssl, DOMAIN, &server));
	proven = peer_identity_proves(&p, DOMAIN);
	(void)peer_identity_explain(&p, DOMAIN, why, sizeof(why));
	if (proven != (rows[i].why == NULL) ||
	    (!proven && strstr(why, rows[i].why) == NULL))
		fail_msg("row %zu, %s: %s", i, we_dial ? "out" : "in",
		    proven ? "proven" : why);
	assert_true(proven || why[0] != '\0');
	assert_int_equal(peer_identity_proven_by_dane(&p, DOMAIN),
	    proven && set != NULL && p.dns.usage >= TLSA_DANE_TA);
	/* Nothing of it is about anybody else. */
	assert_false(peer_identity_proves(&p, "third.example"));
	assert_false(peer_identity_proven_by_dane(&p, HOST));
	if (rows[i].who != TRUSTED_HOST)
		assert_false(peer_identity_proves(&p, HOST));
	peer_identity_finish(&p);
	tlsa_set_free(set);
	part(&m);
}

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		check_row(i, true);
		check_row(i, false);
	}
}

/* A stream does not outlive what had to be valid for it. */
static void
test_how_long(void **state)
{
	static const struct {
		enum who who;
		struct spec records[2];
		bool for_ever;
	} times[] = {
		{ SELF_OLD_OTHER, { TO(3, 1, 1, LEAF), NO_RECORD }, true },
		{ PRIVATE, { TO(2, 0, 1, ISSUER), NO_RECORD }, false },
		{ TRUSTED, { TO(3, 1, 1, LEAF), NO_RECORD }, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct tlsa_set *set = make_set(times[i].records, times[i].who);
		const struct dane_server server = { HOST, set };
		struct peer_identity p;
		struct meeting m;

		meet(&m, times[i].who, true, true);
		assert_int_equal(0, peer_identity_read(&p, m.us.ssl));
		assert_int_equal(
		    0, peer_identity_hear_dns(&p, m.us.ssl, DOMAIN, &server));
		assert_true(peer_identity_proves(&p, DOMAIN));
		if (times[i].for_ever)
			assert_true(p.until_ms == INT64_MAX);
		else
			assert_in_range(p.until_ms / 1000, time(NULL) + 3000,
			    time(NULL) + 3700);
		peer_identity_finish(&p);
		tlsa_set_free(set);
		part(&m);
	}
}

/* A certificate that was taken back later on: what authorities said of it is
 * void, what its owner's zone says is not. */
static void
test_taken_back(void **state)
{
	static const struct {
		enum who who;
		struct spec records[2];
		bool proven;
	} those[] = {
		{ TRUSTED, { TO(3, 1, 1, LEAF), NO_RECORD }, true },
		{ TRUSTED, { TO(1, 1, 1, LEAF), NO_RECORD }, false },
		{ TRUSTED, { TO(0, 0, 1, ISSUER), NO_RECORD }, false },
		{ TRUSTED, { NO_RECORD, NO_RECORD }, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(those) / sizeof(those[0]); i++) {
		struct tlsa_set *set = make_set(those[i].records, those[i].who);
		const struct dane_server server = { HOST, set };
		struct peer_identity p;
		struct meeting m;

		meet(&m, those[i].who, true, true);
		assert_int_equal(0, peer_identity_read(&p, m.us.ssl));
		assert_int_equal(
		    0, peer_identity_hear_dns(&p, m.us.ssl, DOMAIN, &server));
		assert_true(peer_identity_proves(&p, DOMAIN));
		p.verdict = X509_V_ERR_CERT_REVOKED;
		assert_int_equal(
		    those[i].proven, peer_identity_proves(&p, DOMAIN));
		peer_identity_finish(&p);
		tlsa_set_free(set);
		part(&m);
	}
}

/* Who shows no certificate proves nothing by records. */
static void
test_nothing_shown(void **state)
{
	static const struct spec records[2] = { TO(3, 1, 1, LEAF), NO_RECORD };
	struct tlsa_set *set = make_set(records, SELF);
	const struct dane_server server = { HOST, set };
	struct peer_identity p = { 0 };

	(void)state;
	assert_int_equal(0, peer_identity_hear_dns(&p, NULL, DOMAIN, &server));
	assert_false(peer_identity_proves(&p, DOMAIN));
	assert_false(peer_identity_proven_by_dane(&p, DOMAIN));
	tlsa_set_free(set);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_how_long),
		cmocka_unit_test(test_taken_back),
		cmocka_unit_test(test_nothing_shown),
	};

	return cmocka_run_group_tests(tests, make_certs, free_certs);
}
