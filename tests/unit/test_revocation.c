/* Revocation lists: which files hold any, and what a handshake makes of them.
 * A root, an authority below it, and a leaf below that shake hands with us. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "common/err.h"
#include "common/revocation.h"
#include "common/tls_engine.h"
#include "common/tls_identity.h"
#include "tests/unit/make_cert.h"

enum { HOUR = 3600 };

static struct make_cert root, between, leaf, ours, foreign;

static int
make_certs(void **state)
{
	(void)state;
	make_cert_new(
	    &root, &(struct make_cert_opts){ .cn = "Root", .ca = true });
	make_cert_new(&foreign,
	    &(struct make_cert_opts){ .cn = "Elsewhere", .ca = true });
	make_cert_new(
	    &between, &(struct make_cert_opts){
			  .cn = "Between", .ca = true, .issuer = &root });
	make_cert_new(&leaf, &(struct make_cert_opts){
				 .cn = "partner.example", .issuer = &between });
	make_cert_new(&ours, &(struct make_cert_opts){
				 .cn = "contoso.example", .issuer = &root });
	return 0;
}

static int
free_certs(void **state)
{
	(void)state;
	make_cert_finish(&ours);
	make_cert_finish(&leaf);
	make_cert_finish(&between);
	make_cert_finish(&foreign);
	make_cert_finish(&root);
	return 0;
}

/* --- lists ---------------------------------------------------------------- */

/* What a list of an authority's says: nothing, nobody, or one of its
 * certificates; today, or when it was not or is no longer in force. */
enum what { NONE, EMPTY, NAMES_IT, OLD_EMPTY, OLD_NAMES_IT, EARLY_EMPTY };

static X509_CRL *
make_list(const struct make_cert *issuer, const struct make_cert *revoked,
    long from_s, long to_s)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *t = ASN1_TIME_new();

	assert_non_null(crl);
	assert_int_equal(X509_CRL_set_version(crl, X509_CRL_VERSION_2), 1);
	assert_int_equal(
	    X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->cert)),
	    1);
	assert_non_null(X509_gmtime_adj(t, from_s));
	assert_int_equal(X509_CRL_set1_lastUpdate(crl, t), 1);
	if (revoked != NULL) {
		X509_REVOKED *r = X509_REVOKED_new();

		assert_int_equal(X509_REVOKED_set_serialNumber(
				     r, X509_get_serialNumber(revoked->cert)),
		    1);
		assert_int_equal(X509_REVOKED_set_revocationDate(r, t), 1);
		assert_int_equal(X509_CRL_add0_revoked(crl, r), 1);
	}
	assert_non_null(X509_gmtime_adj(t, to_s));
	assert_int_equal(X509_CRL_set1_nextUpdate(crl, t), 1);
	ASN1_TIME_free(t);
	assert_true(X509_CRL_sign(crl, issuer->key, EVP_sha256()) > 0);
	return crl;
}

/* Writes a list to out as PEM or DER; its length. */
static size_t
write_list(X509_CRL *crl, bool der, char *out, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data;
	long len;

	assert_int_equal(
	    der ? i2d_X509_CRL_bio(bio, crl) : PEM_write_bio_X509_CRL(bio, crl),
	    1);
	len = BIO_get_mem_data(bio, &data);
	assert_true((size_t)len < size);
	memcpy(out, data, (size_t)len);
	out[len] = '\0';
	BIO_free(bio);
	X509_CRL_free(crl);
	return (size_t)len;
}

static void
add_what(struct revocation *r, enum what what, const struct make_cert *issuer,
    const struct make_cert *subject, bool der)
{
	bool names = what == NAMES_IT || what == OLD_NAMES_IT;
	long from = -HOUR, to = HOUR;
	char data[4096], why[200] = "";
	size_t len;

	if (what == NONE)
		return;
	if (what == OLD_EMPTY || what == OLD_NAMES_IT) {
		from = -3 * HOUR;
		to = -2 * HOUR;
	}
	if (what == EARLY_EMPTY) {
		from = 2 * HOUR;
		to = 3 * HOUR;
	}
	len = write_list(make_list(issuer, names ? subject : NULL, from, to),
	    der, data, sizeof(data));
	assert_int_equal(revocation_add(r, data, len, why, sizeof(why)), 0);
	assert_string_equal(why, "");
}

/* --- handshakes ------------------------------------------------------------ */

static void
open_identity(struct tls_identity *id, const struct make_cert *cert,
    const struct revocation *lists, enum tls_peer peer)
{
	char pem[8192], why[200] = "";
	struct tls_identity_opts o = {
		.certificate = pem,
		.key = cert->key_pem,
		.key_len = strlen(cert->key_pem),
		.trust = root.pem,
		.trust_len = strlen(root.pem),
		.peer = peer,
		.judge_as_server = true,
		.min_version = TLS1_2_VERSION,
		.revocation = lists,
	};

	(void)snprintf(pem, sizeof(pem), "%s%s", cert->pem,
	    cert == &leaf ? between.pem : "");
	o.certificate_len = strlen(pem);
	assert_int_equal(tls_identity_init(id, &o, why, sizeof(why)), 0);
	assert_string_equal(why, "");
}

static void
carry(struct tls_engine *from, struct tls_engine *to)
{
	const uint8_t *data;
	size_t len = tls_engine_output(from, &data);

	if (len > 0)
		assert_int_equal(tls_engine_feed(to, data, len), 0);
	tls_engine_output_taken(from);
}

/* Our verdict on the leaf, where it accepts or where it connects. */
static enum tls_step
meet(long *verdict, const struct tls_identity *us, bool it_connects)
{
	struct tls_identity it;
	struct tls_engine server, client, *mine;
	enum tls_step step = TLS_STEP_WANT, other = TLS_STEP_WANT;

	open_identity(&it, &leaf, NULL, TLS_PEER_RECORDED);
	assert_int_equal(tls_engine_init(&server,
			     it_connects ? us->server : it.server, TLS_SERVER),
	    0);
	assert_int_equal(tls_engine_init(&client,
			     it_connects ? it.client : us->client, TLS_CLIENT),
	    0);
	mine = it_connects ? &server : &client;
	for (int i = 0; i < 6; i++) {
		step = tls_engine_handshake(mine);
		carry(&client, &server);
		other = tls_engine_handshake(it_connects ? &client : &server);
		carry(&server, &client);
	}
	(void)other;
	*verdict = tls_peer_verdict(mine->ssl);
	tls_engine_finish(&server);
	tls_engine_finish(&client);
	tls_identity_finish(&it);
	return step;
}

#define NO_LIST X509_V_ERR_UNABLE_TO_GET_CRL
#define REVOKED X509_V_ERR_CERT_REVOKED

/* The authority's list about the leaf, the root's about the authority, and
 * the verdicts. */
static const struct {
	enum what leaf, between;
	long soft, hard;
} judgements[] = {
	{ EMPTY, EMPTY, X509_V_OK, X509_V_OK },
	{ NAMES_IT, EMPTY, REVOKED, REVOKED },
	{ EMPTY, NAMES_IT, REVOKED, REVOKED },
	{ NONE, EMPTY, X509_V_OK, NO_LIST },
	{ EMPTY, NONE, X509_V_OK, NO_LIST },
	{ NAMES_IT, NONE, REVOKED, REVOKED },
	{ NONE, NAMES_IT, REVOKED, NO_LIST },
	{ OLD_EMPTY, EMPTY, X509_V_OK, X509_V_ERR_CRL_HAS_EXPIRED },
	{ EMPTY, OLD_EMPTY, X509_V_OK, X509_V_ERR_CRL_HAS_EXPIRED },
	{ EARLY_EMPTY, EMPTY, X509_V_OK, X509_V_ERR_CRL_NOT_YET_VALID },
	/* What was taken back stays so. */
	{ OLD_NAMES_IT, EMPTY, REVOKED, X509_V_ERR_CRL_HAS_EXPIRED },
	{ EMPTY, OLD_NAMES_IT, REVOKED, X509_V_ERR_CRL_HAS_EXPIRED },
};

static void
judge(size_t i, bool hard, bool der, enum tls_peer peer)
{
	long expected = hard ? judgements[i].hard : judgements[i].soft;
	struct revocation lists = { .hard = hard };
	struct tls_identity us;
	long verdict;

	add_what(&lists, judgements[i].leaf, &between, &leaf, der);
	add_what(&lists, judgements[i].between, &root, &between, der);
	open_identity(&us, &ours, &lists, peer);
	revocation_finish(&lists);
	for (int connects = 0; connects < 2; connects++) {
		enum tls_step step = meet(&verdict, &us, connects == 1);
		bool goes_on =
		    peer == TLS_PEER_RECORDED || expected == X509_V_OK;

		/* Of a handshake that failed nothing is kept. */
		if ((goes_on && verdict != expected) ||
		    step != (goes_on ? TLS_STEP_DONE : TLS_STEP_FAILED))
			fail_msg("row %zu hard=%d connects=%d: %ld, step %d", i,
			    hard, connects, verdict, (int)step);
	}
	tls_identity_finish(&us);
}

static void
test_who_is_refused(void **state)
{
	size_t n = sizeof(judgements) / sizeof(judgements[0]);

	(void)state;
	for (size_t i = 0; i < n; i++)
		for (int k = 0; k < 8; k++)
			judge(i, (k & 1) != 0, (k & 2) != 0,
			    (k & 4) != 0 ? TLS_PEER_REQUIRED
					 : TLS_PEER_RECORDED);
}

static void
test_without_lists_nobody_is_asked_for(void **state)
{
	struct tls_identity us;
	long verdict;

	(void)state;
	open_identity(&us, &ours, NULL, TLS_PEER_RECORDED);
	assert_int_equal(meet(&verdict, &us, true), TLS_STEP_DONE);
	assert_int_equal(verdict, X509_V_OK);
	tls_identity_finish(&us);
}

/* Soft is lenient about lists, and about nothing else. */
static void
test_another_fault_is_still_one(void **state)
{
	struct revocation lists = { 0 };
	struct tls_identity us;
	long verdict;
	char pem[8192], why[200] = "";
	struct tls_identity_opts o = {
		.certificate = ours.pem,
		.certificate_len = strlen(ours.pem),
		.key = ours.key_pem,
		.key_len = strlen(ours.key_pem),
		.trust = pem,
		.peer = TLS_PEER_RECORDED,
		.judge_as_server = true,
		.revocation = &lists,
	};

	(void)state;
	add_what(&lists, EMPTY, &foreign, NULL, false);
	(void)snprintf(pem, sizeof(pem), "%s", foreign.pem);
	o.trust_len = strlen(pem);
	assert_int_equal(tls_identity_init(&us, &o, why, sizeof(why)), 0);
	assert_int_equal(meet(&verdict, &us, true), TLS_STEP_DONE);
	assert_int_equal(verdict, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
	tls_identity_finish(&us);
	revocation_finish(&lists);
}

/* A list in the authority's name that somebody else has signed. */
static void
test_a_forged_list_speaks_for_nobody(void **state)
{
	const struct make_cert forger = { .cert = between.cert,
		.key = foreign.key };
	struct revocation lists = { 0 };
	struct tls_identity us;
	long verdict;

	(void)state;
	add_what(&lists, EMPTY, &forger, NULL, false);
	open_identity(&us, &ours, &lists, TLS_PEER_RECORDED);
	assert_int_equal(meet(&verdict, &us, false), TLS_STEP_DONE);
	assert_int_equal(verdict, X509_V_ERR_CRL_SIGNATURE_FAILURE);
	tls_identity_finish(&us);
	revocation_finish(&lists);
}

/* --- files ------------------------------------------------------------------ */

static void
test_files_with_and_without_lists(void **state)
{
	static const char nothing[] = "no revocation list in PEM or DER form";
	struct revocation r = { 0 };
	char one[2048], two[2048], both[8192], why[200];
	size_t n;

	(void)state;
	assert_int_equal(revocation_count(&r), 0);
	assert_int_equal(revocation_add(&r, "", 0, why, sizeof(why)), ERR_CERT);
	assert_string_equal(why, nothing);
	assert_int_equal(
	    revocation_add(&r, "garbage", 7, why, sizeof(why)), ERR_CERT);
	assert_string_equal(why, nothing);
	assert_int_equal(
	    revocation_add(&r, root.pem, strlen(root.pem), why, sizeof(why)),
	    ERR_CERT);
	assert_string_equal(why, nothing);
	/* A list in DER with something behind it, and one cut short. */
	n = write_list(make_list(&root, NULL, 0, HOUR), true, one, sizeof(one));
	assert_int_equal(
	    revocation_add(&r, one, n + 1, why, sizeof(why)), ERR_CERT);
	assert_int_equal(
	    revocation_add(&r, one, n - 1, why, sizeof(why)), ERR_CERT);
	assert_int_equal(revocation_count(&r), 0);
	/* Two in one PEM file, with words between. */
	write_list(make_list(&root, NULL, 0, HOUR), false, one, sizeof(one));
	write_list(make_list(&between, NULL, 0, HOUR), false, two, sizeof(two));
	n = (size_t)snprintf(
	    both, sizeof(both), "words\n%smore words\n%s", one, two);
	assert_int_equal(revocation_add(&r, both, n, why, sizeof(why)), 0);
	assert_int_equal(revocation_count(&r), 2);
	/* The second one is damaged: nothing is added. */
	both[n - 40] = '!';
	assert_int_equal(
	    revocation_add(&r, both, n, why, sizeof(why)), ERR_CERT);
	assert_non_null(strstr(why, "list number 2: "));
	assert_int_equal(revocation_count(&r), 2);
	revocation_finish(&r);
	assert_int_equal(revocation_count(&r), 0);
}

static void
test_dates_are_told(void **state)
{
	struct revocation r = { 0 };
	char why[200] = "";

	(void)state;
	add_what(&r, EMPTY, &root, NULL, true);
	assert_true(revocation_in_force(&r, 0, why, sizeof(why)));
	assert_string_equal(why, "");
	add_what(&r, OLD_EMPTY, &between, NULL, false);
	assert_false(revocation_in_force(&r, 0, why, sizeof(why)));
	assert_non_null(strstr(why, "the list of CN = Between has expired, "));
	assert_non_null(strstr(why, " GMT"));
	add_what(&r, EARLY_EMPTY, &root, NULL, false);
	assert_false(revocation_in_force(&r, 2, why, sizeof(why)));
	assert_non_null(
	    strstr(why, "the list of CN = Root is not yet valid, "));
	revocation_finish(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_is_refused),
		cmocka_unit_test(test_without_lists_nobody_is_asked_for),
		cmocka_unit_test(test_another_fault_is_still_one),
		cmocka_unit_test(test_a_forged_list_speaks_for_nobody),
		cmocka_unit_test(test_files_with_and_without_lists),
		cmocka_unit_test(test_dates_are_told),
	};

	return cmocka_run_group_tests(tests, make_certs, free_certs);
}
