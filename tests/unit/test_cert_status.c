/*
 * What is known of a certificate: answers (ocsp_reply), where they are to be had
 * (crl_points), chains in lists (chain_status), staples on the wire in both
 * roles (ocsp_staple, cert_status, own_staples).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <uv.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/ssl.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/tls_engine.h"
#include "common/tls_identity.h"
#include "edge-proxy/cert_status.h"
#include "edge-proxy/chain_status.h"
#include "edge-proxy/crl_points.h"
#include "edge-proxy/identities.h"
#include "edge-proxy/ocsp_reply.h"
#include "edge-proxy/ocsp_staple.h"
#include "edge-proxy/own_staples.h"
#include "make_cert.h"

enum { HOUR = 3600, DAY = 24 * HOUR };

/* Two authorities, one below the first, leaves and who may answer. */
static struct make_cert root, other, middle, leaf, sibling, demanding;
static struct make_cert delegate, pretender, stranger;
static X509_STORE *trust;

static void
leaf_of(struct make_cert *out, const char *cn, const struct make_cert *issuer,
    enum make_cert_eku eku, bool must_staple)
{
	make_cert_new(out, &(struct make_cert_opts){
			       .cn = cn,
			       .issuer = issuer,
			       .eku = eku,
			       .must_staple = must_staple,
			       .names = { { MAKE_CERT_DNS, cn, 0 } },
			   });
}

static int
make_all(void **state)
{
	(void)state;
	make_cert_new(
	    &root, &(struct make_cert_opts){ .cn = "root", .ca = true });
	make_cert_new(
	    &other, &(struct make_cert_opts){ .cn = "other", .ca = true });
	make_cert_new(
	    &middle, &(struct make_cert_opts){
			 .cn = "middle", .ca = true, .issuer = &root });
	leaf_of(&leaf, "a.example", &middle, MAKE_CERT_EKU_SERVER, false);
	leaf_of(&sibling, "b.example", &middle, MAKE_CERT_EKU_SERVER, false);
	leaf_of(&demanding, "c.example", &middle, MAKE_CERT_EKU_SERVER, true);
	leaf_of(&delegate, "answers", &middle, MAKE_CERT_EKU_OCSP, false);
	leaf_of(&pretender, "no", &middle, MAKE_CERT_EKU_SERVER, false);
	leaf_of(&stranger, "answers too", &other, MAKE_CERT_EKU_OCSP, false);
	trust = X509_STORE_new();
	assert_int_equal(X509_STORE_add_cert(trust, root.cert), 1);
	return 0;
}

static int
drop_all(void **state)
{
	struct make_cert *all[] = { &root, &other, &middle, &leaf, &sibling,
		&demanding, &delegate, &pretender, &stranger };

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		make_cert_finish(all[i]);
	X509_STORE_free(trust);
	return 0;
}

/* --- answers ------------------------------------------------------------- */

struct answer {
	const struct make_cert *about, *signer;
	int status;
	long from_s, to_s; /* from now; to_s 0: it has no end */
	bool sha256;
};

/* In DER; its length. */
static size_t
make_answer(unsigned char *out, size_t size, const struct answer *a)
{
	OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
	OCSP_CERTID *id = OCSP_cert_to_id(
	    a->sha256 ? EVP_sha256() : NULL, a->about->cert, middle.cert);
	ASN1_TIME *from = X509_gmtime_adj(NULL, a->from_s);
	ASN1_TIME *to = a->to_s != 0 ? X509_gmtime_adj(NULL, a->to_s) : NULL;
	ASN1_TIME *revoked = X509_gmtime_adj(NULL, -DAY);
	OCSP_RESPONSE *r;
	int len;

	assert_non_null(OCSP_basic_add1_status(basic, id, a->status, 0,
	    a->status == V_OCSP_CERTSTATUS_REVOKED ? revoked : NULL, from, to));
	assert_int_equal(
	    OCSP_basic_sign(basic, a->signer->cert, a->signer->key,
		EVP_sha256(), NULL, a->signer == &middle ? OCSP_NOCERTS : 0),
	    1);
	r = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	len = i2d_OCSP_RESPONSE(r, NULL);
	assert_true(len > 0 && (size_t)len <= size);
	len = i2d_OCSP_RESPONSE(r, &out);
	OCSP_RESPONSE_free(r);
	OCSP_BASICRESP_free(basic);
	OCSP_CERTID_free(id);
	ASN1_TIME_free(from);
	ASN1_TIME_free(to);
	ASN1_TIME_free(revoked);
	return (size_t)len;
}

#define GOOD    V_OCSP_CERTSTATUS_GOOD
#define REVOKED V_OCSP_CERTSTATUS_REVOKED
#define UNKNOWN V_OCSP_CERTSTATUS_UNKNOWN

static const struct {
	const char *name;
	struct answer answer;
	int said; /* or -1 */
	const char *why;
} answers[] = {
	{ "good", { &leaf, &middle, GOOD, -HOUR, HOUR, false }, OCSP_SAID_GOOD,
	    NULL },
	{ "revoked", { &leaf, &middle, REVOKED, -HOUR, HOUR, false },
	    OCSP_SAID_REVOKED, NULL },
	{ "unknown", { &leaf, &middle, UNKNOWN, -HOUR, HOUR, false },
	    OCSP_SAID_UNKNOWN, NULL },
	{ "by another hash", { &leaf, &middle, GOOD, -HOUR, HOUR, true },
	    OCSP_SAID_GOOD, NULL },
	{ "by the appointed", { &leaf, &delegate, GOOD, -HOUR, HOUR, false },
	    OCSP_SAID_GOOD, NULL },
	{ "a clock that is a little ahead",
	    { &leaf, &middle, GOOD, 200, HOUR, false }, OCSP_SAID_GOOD, NULL },
	{ "of the moment", { &leaf, &middle, GOOD, -HOUR, 0, false },
	    OCSP_SAID_GOOD, NULL },
	{ "of a moment long ago", { &leaf, &middle, GOOD, -2 * DAY, 0, false },
	    -1, "out of date" },
	{ "old", { &leaf, &middle, GOOD, -2 * HOUR, -HOUR, false }, -1,
	    "out of date" },
	{ "old and revoked",
	    { &leaf, &middle, REVOKED, -2 * HOUR, -HOUR, false }, -1,
	    "out of date" },
	{ "early", { &leaf, &middle, GOOD, HOUR, 2 * HOUR, false }, -1,
	    "not yet" },
	{ "about another", { &sibling, &middle, GOOD, -HOUR, HOUR, false }, -1,
	    "another certificate" },
	{ "by one who is not appointed",
	    { &leaf, &pretender, GOOD, -HOUR, HOUR, false }, -1, "not signed" },
	{ "by the certificate itself",
	    { &leaf, &leaf, GOOD, -HOUR, HOUR, false }, -1, "not signed" },
	{ "by another authority", { &leaf, &other, GOOD, -HOUR, HOUR, false },
	    -1, "not signed" },
	{ "by whom another has appointed",
	    { &leaf, &stranger, GOOD, -HOUR, HOUR, false }, -1, "not signed" },
	{ "by the authority above", { &leaf, &root, GOOD, -HOUR, HOUR, false },
	    -1, "not signed" },
};

static int64_t
now_ms(void)
{
	return (int64_t)time(NULL) * 1000;
}

static void
test_answers(void **state)
{
	const struct ocsp_about about = { leaf.cert, middle.cert, trust };

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		unsigned char der[8192];
		size_t len = make_answer(der, sizeof(der), &answers[i].answer);
		struct ocsp_reply r = { .said = OCSP_SAID_UNKNOWN };
		const char *why = "";
		int rc = ocsp_reply_read(&r, der, len, &about, now_ms(), &why);

		if ((rc == 0) != (answers[i].said >= 0))
			fail_msg("%s: %d %s", answers[i].name, rc,
			    why != NULL ? why : "-");
		if (rc == 0 && (int)r.said != answers[i].said)
			fail_msg("%s: said %d", answers[i].name, (int)r.said);
		if (rc < 0 && strstr(why, answers[i].why) == NULL)
			fail_msg("%s: %s", answers[i].name, why);
		/* Cut, lengthened, or another byte: never believed. */
		if (i > 0)
			continue;
		assert_int_equal(
		    ocsp_reply_read(&r, der, len - 1, &about, now_ms(), &why),
		    ERR_CERT);
		assert_int_equal(
		    ocsp_reply_read(&r, der, len + 1, &about, now_ms(), &why),
		    ERR_CERT);
		for (size_t k = 0; k < len; k += 7) {
			der[k] ^= 1;
			assert_int_equal(ocsp_reply_read(&r, der, len, &about,
					     now_ms(), &why),
			    ERR_CERT);
			der[k] ^= 1;
		}
	}
}

static void
test_an_answer_of_no_content(void **state)
{
	static const unsigned char try_later[] = { 0x30, 3, 0x0a, 1, 3 };
	const struct ocsp_about about = { leaf.cert, middle.cert, trust };
	struct ocsp_reply r;
	const char *why;

	(void)state;
	assert_int_equal(ocsp_reply_read(&r, try_later, sizeof(try_later),
			     &about, now_ms(), &why),
	    ERR_CERT);
	assert_string_equal(why, "the responder could not answer");
	assert_int_equal(
	    ocsp_reply_read(&r, "x", 1, &about, now_ms(), &why), ERR_CERT);
	assert_int_equal(
	    ocsp_reply_read(&r, "", 0, &about, now_ms(), &why), ERR_CERT);
	assert_true(ocsp_reply_is_demanded(demanding.cert));
	assert_false(ocsp_reply_is_demanded(leaf.cert));
}

/* --- where --------------------------------------------------------------- */

static void
test_points(void **state)
{
	static const struct {
		const char *lists, *responder;
		const char *first, *first_responder; /* or NULL */
		size_t count;
	} rows[] = {
		{ NULL, NULL, NULL, NULL, 0 },
		{ "URI:http://a/1.crl", "OCSP;URI:http://a/", "http://a/1.crl",
		    "http://a/", 1 },
		{ "URI:http://a/1.crl,URI:http://a/2.crl", NULL,
		    "http://a/1.crl", NULL, 2 },
		{ "URI:ldap://a/1.crl,URI:https://a/,URI:http://a/2.crl",
		    "OCSP;URI:https://a/", "http://a/2.crl", NULL, 1 },
		{ "URI:http://1/,URI:http://2/,URI:http://3/,URI:http://4/",
		    "caIssuers;URI:http://a/", "http://1/", NULL, 3 },
		{ "DNS:a.example", "OCSP;DNS:a.example", NULL, NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct crl_points lists, responders;
		struct make_cert c;

		make_cert_new(&c, &(struct make_cert_opts){ .cn = "x",
				      .lists = rows[i].lists,
				      .responder = rows[i].responder });
		crl_points_lists(&lists, c.cert);
		crl_points_responders(&responders, c.cert);
		assert_int_equal(lists.count, rows[i].count);
		if (lists.count > 0)
			assert_string_equal(lists.urls[0], rows[i].first);
		assert_int_equal(
		    responders.count, rows[i].first_responder != NULL ? 1 : 0);
		if (responders.count > 0)
			assert_string_equal(
			    responders.urls[0], rows[i].first_responder);
		make_cert_finish(&c);
	}
}

/* --- chains -------------------------------------------------------------- */

static STACK_OF(X509) * chain_of(const struct make_cert *end)
{
	STACK_OF(X509) *chain = sk_X509_new_null();

	sk_X509_push(chain, end->cert);
	sk_X509_push(chain, middle.cert);
	return chain;
}

static X509_CRL *
list_of(const struct make_cert *issuer, const struct make_cert *named,
    long from_s, long to_s)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *t = X509_gmtime_adj(NULL, from_s);

	X509_CRL_set_version(crl, X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->cert));
	X509_CRL_set1_lastUpdate(crl, t);
	if (named != NULL) {
		X509_REVOKED *r = X509_REVOKED_new();

		X509_REVOKED_set_serialNumber(
		    r, X509_get_serialNumber(named->cert));
		X509_REVOKED_set_revocationDate(r, t);
		assert_int_equal(X509_CRL_add0_revoked(crl, r), 1);
	}
	X509_gmtime_adj(t, to_s);
	X509_CRL_set1_nextUpdate(crl, t);
	ASN1_TIME_free(t);
	assert_true(X509_CRL_sign(crl, issuer->key, EVP_sha256()) > 0);
	return crl;
}

static const struct {
	const char *name;
	const struct make_cert *of_middle, *of_root; /* whom they name */
	bool has_middle, has_root, old, leaf_known;
	int verdict, depth;
} judgements[] = {
	{ "both lists", NULL, NULL, true, true, false, false, X509_V_OK, 0 },
	{ "the leaf", &leaf, NULL, true, true, false, false,
	    X509_V_ERR_CERT_REVOKED, 0 },
	{ "the leaf, though its staple is good", &leaf, NULL, true, true, false,
	    true, X509_V_ERR_CERT_REVOKED, 0 },
	{ "the authority between", NULL, &middle, true, true, false, false,
	    X509_V_ERR_CERT_REVOKED, 1 },
	{ "the authority between, nothing of the leaf", NULL, &middle, false,
	    true, false, false, X509_V_ERR_CERT_REVOKED, 1 },
	{ "the leaf, nothing of the authority", &leaf, NULL, true, false, false,
	    false, X509_V_ERR_CERT_REVOKED, 0 },
	{ "nothing of the leaf", NULL, NULL, false, true, false, false,
	    X509_V_ERR_UNABLE_TO_GET_CRL, 0 },
	{ "nothing of the leaf but a staple", NULL, NULL, false, true, false,
	    true, X509_V_OK, 0 },
	{ "nothing of the authority", NULL, NULL, true, false, false, false,
	    X509_V_ERR_UNABLE_TO_GET_CRL, 1 },
	{ "an old list", NULL, NULL, true, true, true, false,
	    X509_V_ERR_CRL_HAS_EXPIRED, 0 },
	{ "an old list that names it", &leaf, NULL, true, true, true, false,
	    X509_V_ERR_CERT_REVOKED, 0 },
};

static void
test_chains_in_lists(void **state)
{
	STACK_OF(X509) *sent = chain_of(&leaf), *chain;
	const char *why;

	(void)state;
	assert_int_equal(chain_status_verify(&chain, sent, trust, &why), 0);
	assert_int_equal(sk_X509_num(chain), 3);
	for (size_t i = 0; i < sizeof(judgements) / sizeof(judgements[0]);
	     i++) {
		STACK_OF(X509_CRL) *lists = sk_X509_CRL_new_null();
		long from = judgements[i].old ? -3 * HOUR : -HOUR;
		long to = judgements[i].old ? -2 * HOUR : HOUR;
		struct chain_status s;

		if (judgements[i].has_middle)
			sk_X509_CRL_push(
			    lists, list_of(&middle, judgements[i].of_middle,
				       from, to));
		if (judgements[i].has_root)
			sk_X509_CRL_push(lists,
			    list_of(&root, judgements[i].of_root, -HOUR, HOUR));
		assert_int_equal(chain_status_judge(&s, chain, trust, lists,
				     judgements[i].leaf_known),
		    0);
		if (s.verdict != judgements[i].verdict ||
		    s.depth != judgements[i].depth)
			fail_msg("%s: %s at %d", judgements[i].name,
			    X509_verify_cert_error_string(s.verdict), s.depth);
		sk_X509_CRL_pop_free(lists, X509_CRL_free);
	}
	sk_X509_pop_free(chain, X509_free);
	sk_X509_free(sent);
}

static void
test_chains_on_their_way(void **state)
{
	STACK_OF(X509) *sent = chain_of(&leaf), *back, *verified;
	struct buf der;
	const char *why;

	(void)state;
	buf_init(&der, 0);
	assert_int_equal(chain_status_write(&der, sent), 0);
	assert_int_equal(chain_status_read(&back, der.data, der.len), 0);
	assert_int_equal(sk_X509_num(back), 2);
	assert_int_equal(X509_cmp(sk_X509_value(back, 1), middle.cert), 0);
	sk_X509_pop_free(back, X509_free);
	for (size_t len = 0; len < der.len; len++)
		if (chain_status_read(&back, der.data, len) == 0) {
			/* Only where a certificate ends. */
			assert_int_equal(sk_X509_num(back), 1);
			sk_X509_pop_free(back, X509_free);
		}
	/* Nobody's authority is believed. */
	sk_X509_zero(sent);
	sk_X509_push(sent, stranger.cert);
	assert_int_equal(
	    chain_status_verify(&verified, sent, trust, &why), ERR_CERT);
	sk_X509_zero(sent);
	for (int i = 0; i < 12; i++)
		sk_X509_push(sent, middle.cert);
	assert_int_equal(
	    chain_status_verify(&verified, sent, trust, &why), ERR_CERT);
	buf_clear(&der);
	assert_int_equal(chain_status_write(&der, sent), 0);
	assert_int_equal(
	    chain_status_read(&back, der.data, der.len), ERR_MALFORMED);
	buf_finish(&der);
	sk_X509_free(sent);
}

/* --- staples on the wire -------------------------------------------------- */

static void
identity_of(struct tls_identity *out, const struct make_cert *own)
{
	char chain[16384], why[200];

	snprintf(chain, sizeof(chain), "%s%s", own->pem, middle.pem);
	assert_int_equal(tls_identity_init(out,
			     &(struct tls_identity_opts){
				 .certificate = chain,
				 .certificate_len = strlen(chain),
				 .key = own->key_pem,
				 .key_len = strlen(own->key_pem),
				 .trust = root.pem,
				 .trust_len = strlen(root.pem),
				 .peer = TLS_PEER_RECORDED,
				 .judge_as_server = true,
			     },
			     why, sizeof(why)),
	    0);
	assert_int_equal(ocsp_staple_prepare(out), 0);
}

static void
on_word(struct cert_watch *w, long verdict)
{
	(void)w;
	(void)verdict;
	fail_msg("nobody was asked");
}

static void
shake_hands(
    struct tls_engine *s, struct tls_engine *c, const struct tls_identity *id)
{
	const uint8_t *data;
	size_t len;

	assert_int_equal(tls_engine_init(s, id->server, TLS_SERVER), 0);
	assert_int_equal(tls_engine_init(c, id->client, TLS_CLIENT), 0);
	for (int i = 0; i < 4; i++) {
		(void)tls_engine_handshake(c);
		len = tls_engine_output(c, &data);
		assert_int_equal(tls_engine_feed(s, data, len), 0);
		tls_engine_output_taken(c);
		(void)tls_engine_handshake(s);
		len = tls_engine_output(s, &data);
		assert_int_equal(tls_engine_feed(c, data, len), 0);
		tls_engine_output_taken(s);
	}
}

/* What a client makes of a server, by what comes with its certificate. */
static long
meet(const struct tls_identity *server, struct clock *clock, bool *stapled)
{
	struct tls_engine s, c;
	struct cert_status *status;
	struct cert_watch watch;
	const unsigned char *der;
	long verdict;

	shake_hands(&s, &c, server);
	assert_true(SSL_is_init_finished(c.ssl));
	assert_int_equal(tls_peer_verdict(c.ssl), X509_V_OK);
	*stapled = SSL_get_tlsext_status_ocsp_resp(c.ssl, &der) > 0;
	assert_int_equal(cert_status_new(&status, clock), 0);
	cert_watch_init(&watch, on_word);
	verdict = cert_watch_begin(&watch, status, c.ssl);
	/* Who dials has none, and none is demanded of him. */
	assert_int_equal(cert_watch_begin(&watch, status, s.ssl), X509_V_OK);
	cert_watch_end(&watch);
	cert_status_free(status);
	tls_engine_finish(&s);
	tls_engine_finish(&c);
	return verdict;
}

static const struct {
	const char *name;
	const struct make_cert *own;
	struct answer answer; /* about NULL: none */
	long verdict;
} staples[] = {
	{ "none", &leaf, { 0 }, X509_V_OK },
	{ "good", &leaf, { &leaf, &middle, GOOD, -HOUR, HOUR, false },
	    X509_V_OK },
	{ "revoked", &leaf, { &leaf, &middle, REVOKED, -HOUR, HOUR, false },
	    X509_V_ERR_CERT_REVOKED },
	{ "old", &leaf, { &leaf, &middle, GOOD, -2 * HOUR, -HOUR, false },
	    X509_V_OK },
	{ "forged", &leaf, { &leaf, &pretender, REVOKED, -HOUR, HOUR, false },
	    X509_V_OK },
	{ "demanded, none", &demanding, { 0 }, X509_V_ERR_OCSP_VERIFY_NEEDED },
	{ "demanded, good", &demanding,
	    { &demanding, &middle, GOOD, -HOUR, HOUR, false }, X509_V_OK },
	{ "demanded, revoked", &demanding,
	    { &demanding, &middle, REVOKED, -HOUR, HOUR, false },
	    X509_V_ERR_CERT_REVOKED },
	{ "demanded, unknown", &demanding,
	    { &demanding, &middle, UNKNOWN, -HOUR, HOUR, false },
	    X509_V_ERR_OCSP_VERIFY_FAILED },
	{ "demanded, old", &demanding,
	    { &demanding, &middle, GOOD, -2 * HOUR, -HOUR, false },
	    X509_V_ERR_OCSP_VERIFY_FAILED },
	{ "demanded, another's", &demanding,
	    { &leaf, &middle, GOOD, -HOUR, HOUR, false },
	    X509_V_ERR_OCSP_VERIFY_FAILED },
};

static void
test_what_servers_staple(void **state)
{
	struct clock *clock;

	(void)state;
	assert_int_equal(clock_open_manual(&clock, 0, now_ms()), 0);
	for (size_t i = 0; i < sizeof(staples) / sizeof(staples[0]); i++) {
		struct tls_identity id;
		unsigned char der[8192];
		bool stapled;
		long verdict;
		size_t len;

		identity_of(&id, staples[i].own);
		if (staples[i].answer.about != NULL) {
			len = make_answer(der, sizeof(der), &staples[i].answer);
			assert_int_equal(
			    ocsp_staple_set(id.server, der, len), 0);
		}
		verdict = meet(&id, clock, &stapled);
		if (verdict != staples[i].verdict ||
		    stapled != (staples[i].answer.about != NULL))
			fail_msg("%s: %s", staples[i].name,
			    X509_verify_cert_error_string(verdict));
		tls_identity_finish(&id);
	}
	clock_close(clock);
}

/* --- the fetcher's word --------------------------------------------------- */

/* Both ends of the line; the fetcher is the test. */
static struct {
	uv_loop_t loop;
	struct clock *clock;
	struct keeper_link *ours, *theirs;
	struct cert_status *status;
	unsigned questions;
	uint8_t key[CHAIN_STATUS_KEY];
	unsigned words;
	long word;
} line;

static void
on_question(enum keeper_message type, const struct keeper_blob *blobs, int fd,
    void *arg)
{
	(void)arg;
	assert_int_equal(fd, -1);
	assert_int_equal(type, KW_JUDGE);
	assert_int_equal(blobs[0].len, sizeof(line.key));
	memcpy(line.key, blobs[0].data, sizeof(line.key));
	line.questions++;
}

static void
on_verdict(enum keeper_message type, const struct keeper_blob *blobs, int fd,
    void *arg)
{
	(void)arg;
	assert_int_equal(fd, -1);
	if (type == KW_JUDGED)
		cert_status_judged(line.status, blobs);
	else
		cert_status_anew(line.status);
}

static void
on_line_end(int rc, void *arg)
{
	(void)rc;
	(void)arg;
}

static void
on_told(struct cert_watch *w, long verdict)
{
	(void)w;
	line.words++;
	line.word = verdict;
}

static void
open_line(void)
{
	struct keeper_link_opts opts = { .loop = &line.loop,
		.on_end = on_line_end };
	int pair[2];

	memset(&line, 0, sizeof(line));
	assert_int_equal(uv_loop_init(&line.loop), 0);
	opts.loop = &line.loop;
	assert_int_equal(clock_open_manual(&line.clock, 0, now_ms()), 0);
	assert_int_equal(cert_status_new(&line.status, line.clock), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	opts.fd = pair[0];
	opts.on_message = on_verdict;
	assert_int_equal(keeper_link_open(&line.ours, &opts), 0);
	opts.fd = pair[1];
	opts.on_message = on_question;
	assert_int_equal(keeper_link_open(&line.theirs, &opts), 0);
}

static void
close_line(void)
{
	cert_status_free(line.status);
	keeper_link_close(line.ours);
	keeper_link_close(line.theirs);
	uv_run(&line.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&line.loop), 0);
	clock_close(line.clock);
}

static void
turn(void)
{
	for (int i = 0; i < 5; i++)
		uv_run(&line.loop, UV_RUN_NOWAIT);
}

/* The fetcher says so. */
static void
say(const char *json)
{
	const struct keeper_blob blobs[] = { { line.key, sizeof(line.key) },
		{ (const uint8_t *)json, strlen(json) } };

	assert_int_equal(
	    keeper_link_send(line.theirs, KW_JUDGED, blobs, 2, -1), 0);
	turn();
}

#define SAID_GOOD    "{\"verdict\":0,\"why\":\"\",\"next_s\":600}"
#define SAID_REVOKED "{\"verdict\":23,\"why\":\"x\",\"next_s\":600}"
#define SAID_UNKNOWN "{\"verdict\":3,\"why\":\"x\",\"next_s\":60}"

static const struct {
	const char *name;
	bool hard;
	const char *said; /* NULL: nothing, for as long as it is waited */
	long at_once;
	unsigned words;
	long word;
	long next; /* what the next one with that certificate gets */
} talks[] = {
	{ "soft, good", false, SAID_GOOD, X509_V_OK, 0, 0, X509_V_OK },
	{ "soft, revoked", false, SAID_REVOKED, X509_V_OK, 1,
	    X509_V_ERR_CERT_REVOKED, X509_V_ERR_CERT_REVOKED },
	{ "soft, unknown", false, SAID_UNKNOWN, X509_V_OK, 0, 0, X509_V_OK },
	{ "soft, silent", false, NULL, X509_V_OK, 0, 0, X509_V_OK },
	{ "soft, nonsense", false, "{", X509_V_OK, 0, 0, X509_V_OK },
	{ "hard, good", true, SAID_GOOD, CERT_WATCH_WAIT, 1, X509_V_OK,
	    X509_V_OK },
	{ "hard, revoked", true, SAID_REVOKED, CERT_WATCH_WAIT, 1,
	    X509_V_ERR_CERT_REVOKED, X509_V_ERR_CERT_REVOKED },
	{ "hard, unknown", true, SAID_UNKNOWN, CERT_WATCH_WAIT, 1,
	    X509_V_ERR_UNABLE_TO_GET_CRL, X509_V_ERR_UNABLE_TO_GET_CRL },
	{ "hard, silent", true, NULL, CERT_WATCH_WAIT, 1,
	    X509_V_ERR_UNABLE_TO_GET_CRL, CERT_WATCH_WAIT },
};

static void
test_what_the_fetcher_says(void **state)
{
	struct tls_identity id;
	struct tls_engine s, c;

	(void)state;
	identity_of(&id, &leaf);
	shake_hands(&s, &c, &id);
	for (size_t i = 0; i < sizeof(talks) / sizeof(talks[0]); i++) {
		struct cert_watch one, two;
		unsigned asked;
		long first, second;

		open_line();
		cert_status_set(line.status, talks[i].hard, true);
		cert_status_attach(line.status, line.ours);
		cert_watch_init(&one, on_told);
		cert_watch_init(&two, on_told);
		first = cert_watch_begin(&one, line.status, c.ssl);
		turn();
		assert_int_equal(line.questions, 1);
		if (talks[i].said != NULL)
			say(talks[i].said);
		else
			clock_advance(line.clock, 7000);
		if (first != talks[i].at_once || line.words != talks[i].words ||
		    line.word != talks[i].word)
			fail_msg("%s: %ld, then %u: %ld", talks[i].name, first,
			    line.words, line.word);
		asked = line.questions;
		second = cert_watch_begin(&two, line.status, c.ssl);
		turn();
		if (second != talks[i].next || line.questions != asked)
			fail_msg("%s: next %ld", talks[i].name, second);
		/* Worth asking again, and asked again for who is there. */
		clock_advance(line.clock, 600 * 1000);
		turn();
		if (talks[i].said != NULL && talks[i].said[1] != '\0')
			assert_true(line.questions > asked);
		cert_watch_end(&one);
		cert_watch_end(&two);
		close_line();
	}
	tls_engine_finish(&s);
	tls_engine_finish(&c);
	tls_identity_finish(&id);
}

/* Who waits is asked about when there is a fetcher; everybody is when it wants
 * to be asked anew, and then learns what is new. */
static void
test_a_fetcher_that_comes_late_and_learns(void **state)
{
	struct tls_identity id;
	struct tls_engine s, c;
	struct cert_watch w;

	(void)state;
	identity_of(&id, &leaf);
	shake_hands(&s, &c, &id);
	open_line();
	cert_status_set(line.status, true, true);
	cert_watch_init(&w, on_told);
	assert_int_equal(
	    cert_watch_begin(&w, line.status, c.ssl), CERT_WATCH_WAIT);
	turn();
	assert_int_equal(line.questions, 0);
	cert_status_attach(line.status, line.ours);
	turn();
	assert_int_equal(line.questions, 1);
	say(SAID_GOOD);
	assert_int_equal(line.words, 1);
	assert_int_equal(line.word, X509_V_OK);
	assert_int_equal(
	    keeper_link_send(line.theirs, KW_ANEW, NULL, 0, -1), 0);
	turn();
	turn();
	assert_int_equal(line.questions, 2);
	say(SAID_REVOKED);
	assert_int_equal(line.words, 2);
	assert_int_equal(line.word, X509_V_ERR_CERT_REVOKED);
	/* A verdict about nobody. */
	line.key[5] ^= 1;
	say(SAID_GOOD);
	assert_int_equal(line.words, 2);
	cert_watch_end(&w);
	close_line();
	tls_engine_finish(&s);
	tls_engine_finish(&c);
	tls_identity_finish(&id);
}

/* --- our own -------------------------------------------------------------- */

/* Whether something goes along, while time passes. */
static void
test_our_own_answer_goes_when_it_is_old(void **state)
{
	const struct answer a = { &leaf, &middle, GOOD, -HOUR, HOUR, false };
	const struct answer bad = { &leaf, &pretender, GOOD, -HOUR, HOUR,
		false };
	struct identities *ids;
	struct own_staples *own;
	struct tls_identity id;
	unsigned char der[8192];
	struct keeper_blob file = { der, 0 };
	struct clock *clock;
	bool stapled;

	(void)state;
	assert_int_equal(clock_open_manual(&clock, 0, now_ms()), 0);
	assert_int_equal(identities_new(&ids), 0);
	identity_of(&id, &leaf);
	assert_int_equal(identities_add(ids, &id), 0);
	assert_int_equal(own_staples_new(&own, clock), 0);

	file.len = make_answer(der, sizeof(der), &a);
	assert_int_equal(own_staples_set(own, ids, &file), 0);
	clock_advance(clock, 1000);
	assert_int_equal(meet(identities_at(ids, 0), clock, &stapled), 0);
	assert_true(stapled);
	clock_advance(clock, (HOUR - 100) * 1000ull);
	assert_int_equal(meet(identities_at(ids, 0), clock, &stapled), 0);
	assert_true(stapled);
	clock_advance(clock, 200 * 1000ull);
	assert_int_equal(meet(identities_at(ids, 0), clock, &stapled), 0);
	assert_false(stapled);

	file.len = make_answer(der, sizeof(der), &bad);
	assert_int_equal(own_staples_set(own, ids, &file), 0);
	assert_int_equal(meet(identities_at(ids, 0), clock, &stapled), 0);
	assert_false(stapled);
	own_staples_free(own);
	identities_free(ids);
	clock_close(clock);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_an_answer_of_no_content),
		cmocka_unit_test(test_points),
		cmocka_unit_test(test_chains_in_lists),
		cmocka_unit_test(test_chains_on_their_way),
		cmocka_unit_test(test_what_servers_staple),
		cmocka_unit_test(test_what_the_fetcher_says),
		cmocka_unit_test(test_a_fetcher_that_comes_late_and_learns),
		cmocka_unit_test(test_our_own_answer_goes_when_it_is_old),
	};

	return cmocka_run_group_tests(tests, make_all, drop_all);
}
