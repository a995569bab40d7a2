/*
 * Who dials us with a certificate of nobody we trust, and what signed TLSA
 * records make of it.  Over loopback, against a scripted peer; the resolver is
 * a table.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "common/clock.h"
#include "common/tls_identity.h"
#include "edge-proxy/dane_lookup.h"
#include "edge-proxy/resolver_client.h"
#include "edge-proxy/s2s_in.h"
#include "tests/unit/stream_world.h"
#include "tests/unit/resolver_table.inc"

#define HEADER                                                                 \
	"<stream:stream xmlns='jabber:server' "                                \
	"xmlns:stream='http://etherx.jabber.org/streams' "                     \
	"from='partner.example' to='contoso.example' version='1.0'>"
#define STARTTLS "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
#define PROCEED  "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
#define AUTH                                                                   \
	"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' "                      \
	"mechanism='EXTERNAL'>=</auth>"

#define ALSO_BY_DIALBACK                                                       \
	",\"TlsNegotiation\":\"Required\",\"SaslNegotiation\":\"Optional\","   \
	"\"SupportDialbackNegotiation\":true"
#define BY_DIALBACK                                                            \
	",\"TlsNegotiation\":\"Required\",\"SaslNegotiation\":"                \
	"\"NotSupported\",\"SupportDialbackNegotiation\":true"

enum tlsa { NO_TLSA, RIGHT, WRONG, BOGUS, SILENT };

struct row {
	const char *signs; /* s: SRV, t: TLSA */
	enum tlsa tlsa[2]; /* of two servers */
	bool trusted;      /* the certificate */
	bool direct_only;  /* the servers are of _xmpps-server */
	bool off;          /* the setting */
	const char *permits;
	const char *offered; /* NULL: turned away */
	const char *auth;    /* by EXTERNAL the stream comes up as; NULL: no */
	unsigned asked;      /* for TLSA records */
};

struct fixture {
	const struct row *row;
	struct world w;
	struct site edge, partner;
	struct script p;
	struct s2s_in *in;
	bool up, end;
	char auth[20];
	uint8_t right[32], wrong[32];
	unsigned asked;
};

static struct fixture *at; /* for the resolver */
static char resolver;      /* in the place of a real one */

/* --- the resolver -------------------------------------------------------- */

static void
know_srv(struct resolver_query *q, bool direct)
{
	if (direct != at->row->direct_only)
		return;
	q->answer.count = 3;
	q->srv[0] = (struct dns_srv){ .port = 5269, .target = "a.example" };
	q->srv[1] = (struct dns_srv){ .port = 5269, .target = "b.example" };
	q->srv[2] = (struct dns_srv){ .port = 0, .target = "c.example" };
}

static void
know_tlsa(struct resolver_query *q, enum tlsa t)
{
	at->asked++;
	q->answer.count = t == RIGHT || t == WRONG;
	q->tlsa[0] = (struct dns_tlsa){ 3, 1, 1, 32,
		t == RIGHT ? at->right : at->wrong };
	if (t == BOGUS)
		q->answer.status = DNS_BOGUS;
	if (t == SILENT)
		q->late_ms = 60000;
}

static void
resolver_know(struct resolver_query *q, const char *name, enum dns_type type)
{
	q->answer.secure =
	    strchr(at->row->signs, type == DNS_SRV ? 's' : 't') != NULL;
	if (strcmp(name, "_xmpp-server._tcp.partner.example") == 0)
		know_srv(q, false);
	else if (strcmp(name, "_xmpps-server._tcp.partner.example") == 0)
		know_srv(q, true);
	else if (strcmp(name, "_5269._tcp.a.example") == 0)
		know_tlsa(q, at->row->tlsa[0]);
	else if (strcmp(name, "_5269._tcp.b.example") == 0)
		know_tlsa(q, at->row->tlsa[1]);
	else
		fail_msg("asked for %s", name);
}

/* --- the fixture --------------------------------------------------------- */

static void
on_event(struct s2s_in *s, enum stream_event ev, const struct stream_info *info,
    void *arg)
{
	struct fixture *f = arg;

	(void)ev;
	f->in = s;
	f->up = true;
	snprintf(f->auth, sizeof(f->auth), "%s", info->auth);
}

static void
on_stanza(struct s2s_in *s, const struct xml_elem *e, const struct jid *from,
    const struct jid *to, void *arg)
{
	(void)s;
	(void)e;
	(void)from;
	(void)to;
	(void)arg;
}

static void
on_end(struct s2s_in *s, bool was_up, const struct stream_info *info, void *arg)
{
	(void)s;
	(void)was_up;
	(void)info;
	((struct fixture *)arg)->end = true;
}

static const struct s2s_in_events events = {
	.on_event = on_event,
	.on_stanza = on_stanza,
	.on_end = on_end,
};

static void
digest_key(struct fixture *f)
{
	X509 *cert = SSL_CTX_get0_certificate(f->partner.raw->client);
	unsigned char *der = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);

	assert_true(len > 0);
	assert_int_equal(1,
	    EVP_Digest(der, (size_t)len, f->right, NULL, EVP_sha256(), NULL));
	OPENSSL_free(der);
}

/* Up to the header behind TLS, which is followed by more. */
static void
begin(struct fixture *f, const struct row *row, const char *more)
{
	memset(f, 0, sizeof(*f));
	f->row = row;
	at = f;
	world_init(&f->w);
	resolver_clock = f->w.clock;
	site_init(&f->edge, &f->w,
	    &(struct site_opts){ .hosted = "contoso.example",
		.partner = "partner.example",
		.row = row->permits,
		.resolver = row->off ? NULL : (void *)&resolver,
		.in_events = &events,
		.in_arg = f });
	site_init(&f->partner, &f->w,
	    &(struct site_opts){ .hosted = "partner.example",
		.issuer = row->trusted ? NULL : &f->w.stranger_ca });
	digest_key(f);
	script_connect(&f->p, &f->edge);
	script_send(&f->p, HEADER);
	script_expect(&f->p, "</stream:features>");
	script_send(&f->p, STARTTLS);
	script_expect(&f->p, PROCEED);
	script_tls_client(&f->p, &f->partner);
	script_send(&f->p, more);
}

static void
finish(struct fixture *f)
{
	script_close(&f->p);
	assert_true(world_run(&f->w, &f->end, 3000));
	site_close(&f->edge);
	site_close(&f->partner);
	world_finish(&f->w);
	site_free(&f->edge);
	site_free(&f->partner);
}

/* --- the table ----------------------------------------------------------- */

#define EXTERNAL "<mechanism>EXTERNAL</mechanism>"
#define DIALBACK "urn:xmpp:features:dialback"

static const struct row rows[] = {
	{ .signs = "st",
	    .tlsa = { RIGHT, NO_TLSA },
	    .offered = EXTERNAL,
	    .auth = "dane",
	    .asked = 2 },
	{ .signs = "st",
	    .tlsa = { WRONG, RIGHT },
	    .direct_only = true,
	    .offered = EXTERNAL,
	    .auth = "dane",
	    .asked = 2 },
	/* only ever adds to what is known */
	{ .signs = "st",
	    .tlsa = { BOGUS, RIGHT },
	    .offered = EXTERNAL,
	    .auth = "dane",
	    .asked = 2 },
	{ .signs = "st",
	    .tlsa = { WRONG, WRONG },
	    .trusted = true,
	    .offered = EXTERNAL,
	    .auth = "external" },
	{ .signs = "st",
	    .tlsa = { WRONG, BOGUS },
	    .permits = ALSO_BY_DIALBACK,
	    .offered = DIALBACK,
	    .asked = 2 },
	/* not proven */
	{ .signs = "st", .tlsa = { WRONG, NO_TLSA }, .asked = 2 },
	{ .signs = "s", .tlsa = { RIGHT, RIGHT }, .asked = 2 },
	{ .signs = "t", .tlsa = { RIGHT, RIGHT } },
	{ .signs = "", .tlsa = { RIGHT, RIGHT } },
	/* not looked for */
	{ .signs = "st", .tlsa = { RIGHT, RIGHT }, .off = true },
	{ .signs = "st",
	    .tlsa = { RIGHT, RIGHT },
	    .permits = BY_DIALBACK,
	    .offered = DIALBACK },
};

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct fixture f;

		begin(&f, r, HEADER);
		if (r->offered == NULL) {
			if (!script_ended_with(&f.p, "<policy-violation"))
				fail_msg("row %zu", i);
		} else {
			script_expect(&f.p, r->offered);
			script_expect(&f.p, "</stream:features>");
			script_send(&f.p, AUTH);
			script_expect(
			    &f.p, r->auth != NULL ? "<success" : "<failure");
		}
		if (r->auth != NULL) {
			script_send(&f.p, HEADER);
			assert_true(world_run(&f.w, &f.up, 3000));
			assert_string_equal(r->auth, f.auth);
		}
		if (f.asked != r->asked)
			fail_msg("row %zu asked %u times", i, f.asked);
		finish(&f);
	}
}

static const struct row silent = { .signs = "st", .tlsa = { SILENT, RIGHT } },
			good = { .signs = "st", .tlsa = { RIGHT, WRONG } };

/* What a partner sends without waiting for us is read afterwards. */
static void
test_nothing_is_read_meanwhile(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, &good, HEADER AUTH);
	script_expect(&f.p, EXTERNAL);
	script_expect(&f.p, "<success");
	finish(&f);
}

/* A name server that does not answer: what the others said is used in the
 * end. */
static void
test_the_time_is_bounded(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, &silent, HEADER);
	for (int i = 0; i < 500 && f.asked < 2; i++)
		world_pass(&f.w, 2);
	world_pass(&f.w, 20);
	assert_null(strstr(buf_cstr(&f.p.seen), "features"));
	world_skip(&f.w, DANE_LOOKUP_MS);
	script_expect(&f.p, EXTERNAL);
	finish(&f);
}

/* The partner or time takes the stream away while records are asked for. */
static void
test_gone_meanwhile(void **state)
{
	(void)state;
	for (int who = 0; who < 2; who++) {
		struct fixture f;

		begin(&f, &silent, HEADER);
		for (int i = 0; i < 500 && f.asked < 2; i++)
			world_pass(&f.w, 2);
		if (who == 0)
			script_close(&f.p);
		world_skip(&f.w, 61000);
		finish(&f);
		assert_false(f.up);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_nothing_is_read_meanwhile),
		cmocka_unit_test(test_the_time_is_bounded),
		cmocka_unit_test(test_gone_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
