/*
 * Whom a partner's server has to prove to be, by what of the DNS is signed:
 * routes, connector and s2s_out towards a real inbound stream of ours.  The
 * resolver is a table.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "common/clock.h"
#include "common/tls_identity.h"
#include "edge-proxy/connector.h"
#include "edge-proxy/dane.h"
#include "edge-proxy/resolver_client.h"
#include "edge-proxy/routes.h"
#include "edge-proxy/s2s_in.h"
#include "edge-proxy/s2s_out.h"
#include "proto/channel.h"
#include "tests/unit/stream_world.h"
#include "tests/unit/resolver_table.inc"

#define LOCAL  "contoso.example"
#define REMOTE "partner.example"
#define HOST   "xmpp.partner.example"
#define BACKUP "backup.partner.example"

/* Of the partner at the edge. */
#define WITHOUT_CERTIFICATE                                                    \
	",\"TlsNegotiation\":\"Required\",\"SaslNegotiation\":\"Optional\","   \
	"\"SupportDialbackNegotiation\":true"
#define WITHOUT_TLS                                                            \
	",\"TlsNegotiation\":\"Optional\",\"SaslNegotiation\":\"Optional\","   \
	"\"SupportDialbackNegotiation\":true"

#define NO_TLS                                                                 \
	",\"TlsNegotiation\":\"NotSupported\",\"SaslNegotiation\":"            \
	"\"NotSupported\",\"SupportDialbackNegotiation\":true"

enum cert { TRUSTED, STRANGER, OF_HOST, OF_OTHER };
enum tlsa { NO_TLSA, RIGHT, WRONG, UNUSABLE, RIGHT_AND_WRONG, BROKEN, BOGUS };

struct row {
	const char *signs; /* s: SRV, a: address, t: TLSA */
	enum tlsa tlsa;
	enum cert cert;
	const char *permits; /* more of the partner's row, or NULL */
	const char *auth;    /* the stream comes up by that, or NULL */
	const char *reason;  /* else: some of why it does not */
	bool asked;          /* for TLSA records */
	unsigned how;
};

/* Bits of how. */
enum {
	OFF = 1,    /* the setting */
	SECOND = 2, /* another target without records, trusted */
	DIRECT = 4  /* TLS at once */
};

struct fixture {
	const struct row *row;
	struct world w;
	struct site edge, partner, second;
	struct routes *routes;
	struct dane_conf dane;
	char auth[40], reason[300], peer[80];
	uint8_t right[32], wrong[32];
	bool told, closed, settled;
	bool tlsa_asked;
	unsigned ids, open; /* inbound streams */
	bool all_ended;
};

static struct fixture *at; /* for the resolver, which has no argument */

/* --- the resolver -------------------------------------------------------- */

static unsigned
port_of(const struct site *s)
{
	return ntohs(((const struct sockaddr_in *)&s->addr)->sin_port);
}

static void
know_srv(struct resolver_query *q)
{
	q->answer.count = (at->row->how & SECOND) != 0 ? 2 : 1;
	q->srv[0] = (struct dns_srv){ .priority = 1,
		.port = (uint16_t)port_of(&at->partner),
		.target = HOST };
	q->srv[1] = (struct dns_srv){ .priority = 2,
		.port = (uint16_t)port_of(&at->second),
		.target = BACKUP };
}

static void
know_tlsa(struct resolver_query *q, const char *name)
{
	const struct dns_tlsa right = { 3, 1, 1, 32, at->right },
			      wrong = { 3, 1, 1, 32, at->wrong },
			      unusable = { 3, 1, 7, 32, at->right };
	char of_host[300];

	snprintf(
	    of_host, sizeof(of_host), "_%u._tcp." HOST, port_of(&at->partner));
	if (strcmp(name, of_host) != 0)
		return;
	at->tlsa_asked = true;
	q->answer.count = 1;
	switch (at->row->tlsa) {
	case NO_TLSA:
		q->answer.count = 0;
		break;
	case RIGHT:
		q->tlsa[0] = right;
		break;
	case WRONG:
		q->tlsa[0] = wrong;
		break;
	case UNUSABLE:
		q->tlsa[0] = unusable;
		break;
	case RIGHT_AND_WRONG:
		q->answer.count = 2;
		q->tlsa[0] = wrong;
		q->tlsa[1] = right;
		break;
	case BROKEN:
		q->answer.status = DNS_FAILED;
		q->answer.count = 0;
		break;
	case BOGUS:
		q->answer.status = DNS_BOGUS;
		q->answer.count = 0;
		break;
	}
}

static void
resolver_know(struct resolver_query *q, const char *name, enum dns_type type)
{
	const char *sign = type == DNS_SRV ? "s" : type == DNS_TLSA ? "t" : "a";

	q->answer.secure = strstr(at->row->signs, sign) != NULL;
	if (type == DNS_SRV &&
	    strcmp(name, (at->row->how & DIRECT) != 0
			     ? "_xmpps-server._tcp." REMOTE
			     : "_xmpp-server._tcp." REMOTE) == 0)
		know_srv(q);
	else if (type == DNS_TLSA)
		know_tlsa(q, name);
	else if (type == DNS_A) {
		q->answer.count = 1;
		uv_ip4_addr("127.0.0.1", 0, (struct sockaddr_in *)&q->addr);
	}
}

/* --- the fixture --------------------------------------------------------- */

static void
on_in_event(struct s2s_in *s, enum stream_event ev,
    const struct stream_info *info, void *arg)
{
	struct fixture *f = arg;

	(void)s;
	(void)info;
	if (ev != STREAM_UP)
		return;
	f->open++;
	f->all_ended = false;
}

static void
on_in_stanza(struct s2s_in *s, const struct xml_elem *e, const struct jid *from,
    const struct jid *to, void *arg)
{
	(void)e;
	(void)from;
	(void)to;
	(void)arg;
	s2s_in_handled(s, 1); /* or the goodbye would wait for it */
}

static void
on_in_end(
    struct s2s_in *s, bool was_up, const struct stream_info *info, void *arg)
{
	struct fixture *f = arg;

	(void)s;
	(void)info;
	if (was_up)
		f->all_ended = --f->open == 0;
}

static const struct s2s_in_events in_events = {
	.on_event = on_in_event,
	.on_stanza = on_in_stanza,
	.on_end = on_in_end,
};

static void
make_id(char *out, void *arg)
{
	snprintf(
	    out, STREAM_ID_SIZE, "edge1.0.%u", ++((struct fixture *)arg)->ids);
}

static void
on_settled(void *arg, void *cookie, const struct channel_result *r)
{
	(void)cookie;
	(void)r;
	((struct fixture *)arg)->settled = true;
}

static void
on_event(enum stream_event ev, const struct stream_info *info, void *arg)
{
	struct fixture *f = arg;

	if (ev != STREAM_UP && ev != STREAM_FAILED)
		return;
	f->told = true;
	snprintf(
	    f->auth, sizeof(f->auth), "%s", ev == STREAM_UP ? info->auth : "");
	snprintf(f->peer, sizeof(f->peer), "%s", info->peer);
	if (info->reason != NULL)
		snprintf(f->reason, sizeof(f->reason), "%s", info->reason);
}

static void
on_closed(void *arg)
{
	((struct fixture *)arg)->closed = true;
}

/* The partner's part: a certificate, and dialback to whoever asks for it. */
static void
open_partner(struct fixture *f, struct site *s, enum cert cert)
{
	static const char *const names[] = { REMOTE, REMOTE, HOST,
		"other.example" };
	struct site_opts o = {
		.hosted = REMOTE,
		.partner = LOCAL,
		.issuer = cert == STRANGER ? &f->w.stranger_ca : NULL,
		.names = { { MAKE_CERT_DNS, names[cert], 0 } },
		.direct = (f->row->how & DIRECT) != 0,
		.in_events = &in_events,
		.in_arg = f,
	};

	site_init(s, &f->w, &o);
}

/* What a right record holds of the partner's certificate. */
static void
digest_key(struct fixture *f)
{
	X509 *cert = SSL_CTX_get0_certificate(f->partner.raw->server);
	unsigned char *der = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);

	assert_true(len > 0);
	assert_int_equal(1,
	    EVP_Digest(der, (size_t)len, f->right, NULL, EVP_sha256(), NULL));
	OPENSSL_free(der);
}

static void
begin(struct fixture *f, const struct row *row)
{
	memset(f, 0, sizeof(*f));
	f->row = row;
	f->all_ended = true;
	f->dane.outbound = (row->how & OFF) == 0;
	at = f;
	world_init(&f->w);
	resolver_clock = f->w.clock;
	site_init(&f->edge, &f->w,
	    &(struct site_opts){
		.hosted = LOCAL, .partner = REMOTE, .row = row->permits });
	open_partner(f, &f->partner, row->cert);
	open_partner(f, &f->second, TRUSTED);
	digest_key(f);
	assert_int_equal(0,
	    routes_open(&f->routes, &(struct routes_opts){ .loop = &f->w.loop,
					.clock = f->w.clock,
					.hosting = f->edge.hosting,
					.identities = f->edge.ids,
					.dane = &f->dane,
					.make_id = make_id,
					.on_settled = on_settled,
					.on_event = on_event,
					.on_closed = on_closed,
					.arg = f }));
}

static void
finish(struct fixture *f)
{
	routes_close(f->routes);
	assert_true(world_run(&f->w, &f->closed, 10000));
	assert_true(world_run(&f->w, &f->all_ended, 10000));
	site_close(&f->edge);
	site_close(&f->partner);
	site_close(&f->second);
	world_finish(&f->w);
	site_free(&f->edge);
	site_free(&f->partner);
	site_free(&f->second);
}

static void
send_one(struct fixture *f)
{
	static const char xml[] = "<message from='anna@contoso.example' "
				  "to='bo@partner.example' id='m1'/>";

	assert_int_equal(
	    0, routes_send(f->routes, &(struct route_stanza){ .local = LOCAL,
					  .remote = REMOTE,
					  .xml = xml,
					  .len = sizeof(xml) - 1,
					  .cookie = f }));
	if (!world_run(&f->w, &f->told, 10000))
		fail_msg("nothing happened");
}

/* --- the table ----------------------------------------------------------- */

#define NONE_MATCHES "matches none of the server's TLSA records"
#define OTHER_NAME   "does not name the domain"

static const struct row rows[] = {
	/* a matching record is all it takes, and only where all is signed */
	{ "sat", RIGHT, STRANGER, NULL, "dane", NULL, true, 0 },
	{ "sat", RIGHT, OF_OTHER, NULL, "dane", NULL, true, 0 },
	{ "sat", RIGHT_AND_WRONG, STRANGER, NULL, "dane", NULL, true, 0 },
	{ "sat", RIGHT, STRANGER, WITHOUT_CERTIFICATE, "dane", NULL, true, 0 },
	{ "sa", RIGHT, STRANGER, NULL, NULL, "local issuer", true, 0 },
	{ "st", RIGHT, STRANGER, NULL, NULL, "local issuer", false, 0 },
	{ "at", RIGHT, STRANGER, NULL, NULL, "local issuer", false, 0 },
	{ "", RIGHT, STRANGER, NULL, NULL, "local issuer", false, 0 },
	{ "sat", RIGHT, STRANGER, NULL, NULL, "local issuer", false, OFF },
	{ "sat", RIGHT, STRANGER, NULL, "dane", NULL, true, DIRECT },
	{ "sat", WRONG, TRUSTED, NULL, NULL, NONE_MATCHES, true, DIRECT },
	/* one that does not match forbids what was good without it */
	{ "sat", WRONG, TRUSTED, NULL, NULL, NONE_MATCHES, true, 0 },
	{ "sat", WRONG, TRUSTED, WITHOUT_CERTIFICATE, NULL, NONE_MATCHES, true,
	    0 },
	{ "sat", WRONG, STRANGER, WITHOUT_TLS, NULL, NONE_MATCHES, true, 0 },
	{ "sa", WRONG, TRUSTED, NULL, "external", NULL, true, 0 },
	{ "s", WRONG, TRUSTED, NULL, "external", NULL, false, 0 },
	{ "", WRONG, TRUSTED, NULL, "external", NULL, false, 0 },
	{ "sat", WRONG, TRUSTED, NULL, "external", NULL, false, OFF },
	/* a row without TLS asks for nothing; this partner demands it */
	{ "sat", RIGHT, TRUSTED, NO_TLS, NULL, "dialback without TLS", false,
	    0 },
	/* nor may they be missing unexplained */
	{ "sa", BOGUS, TRUSTED, NULL, NULL, "DNSSEC", true, 0 },
	{ "sa", BROKEN, TRUSTED, NULL, NULL, "TLSA of " HOST, true, 0 },
	{ "sa", BOGUS, TRUSTED, NULL, "external", NULL, true, SECOND },
	{ "sa", BROKEN, TRUSTED, NULL, "external", NULL, true, SECOND },
	{ "sat", WRONG, TRUSTED, NULL, "external", NULL, true, SECOND },
	/* as if there were none */
	{ "sat", NO_TLSA, TRUSTED, NULL, "external", NULL, true, 0 },
	{ "sat", UNUSABLE, TRUSTED, NULL, "external", NULL, true, 0 },
	{ "sat", UNUSABLE, STRANGER, NULL, NULL, "local issuer", true, 0 },
	/* the target's name, where it was signed */
	{ "sat", NO_TLSA, OF_HOST, NULL, "external", NULL, true, 0 },
	{ "s", NO_TLSA, OF_HOST, NULL, "external", NULL, false, 0 },
	{ "at", NO_TLSA, OF_HOST, NULL, NULL, OTHER_NAME, false, 0 },
	{ "sat", NO_TLSA, OF_HOST, NULL, NULL, OTHER_NAME, false, OFF },
	{ "sat", NO_TLSA, OF_OTHER, NULL, NULL, OTHER_NAME, true, 0 },
};

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct fixture f;

		begin(&f, r);
		send_one(&f);
		if (strcmp(f.auth, r->auth != NULL ? r->auth : "") != 0)
			fail_msg(
			    "row %zu: auth=%s reason=%s", i, f.auth, f.reason);
		if (r->reason != NULL && strstr(f.reason, r->reason) == NULL)
			fail_msg("row %zu: %s", i, f.reason);
		if (f.tlsa_asked != r->asked)
			fail_msg("row %zu: TLSA asked: %d", i, f.tlsa_asked);
		finish(&f);
	}
}

/* --- one connector by itself --------------------------------------------- */

struct spared {
	struct s2s_out *stream;
	unsigned offered; /* addresses where another connection might do */
	bool up, ended;
};

static bool
on_candidate(const struct sockaddr_storage *addr, void *arg)
{
	(void)addr;
	((struct spared *)arg)->offered++;
	return false;
}

static void
on_up(struct s2s_out *s, void *arg)
{
	(void)s; /* was told to the connector */
	(void)arg;
}

static void
on_end(struct s2s_out *s, const struct s2s_out_end *end,
    const struct stream_info *info, void *arg)
{
	(void)s;
	(void)end;
	(void)info;
	((struct spared *)arg)->ended = true;
}

static const struct s2s_out_events stream_events = {
	.on_up = on_up, .on_drained = on_up, .on_end = on_end
};

static void
on_stream(struct s2s_out *s, void *arg)
{
	struct spared *p = arg;

	p->stream = s;
	p->up = true;
	s2s_out_set_owner(s, &stream_events, p);
}

static void
on_failed(
    const struct route_failure *f, const struct stream_info *info, void *arg)
{
	(void)info;
	(void)arg;
	fail_msg("%s", f->reason);
}

/* A connection that leads to the same address for another domain was proven
 * otherwise, or not at all: it is not looked for where there are records. */
static void
test_no_other_connection_will_do(void **state)
{
	static const struct connector_events connector = {
		.on_candidate = on_candidate,
		.on_stream = on_stream,
		.on_failed = on_failed,
	};
	static const struct row none = { "sat", NO_TLSA, TRUSTED, NULL, NULL,
		NULL, true, 0 },
				right = { "sat", RIGHT, TRUSTED, NULL, NULL,
					NULL, true, 0 };

	(void)state;
	for (int records = 0; records < 2; records++) {
		const struct sockaddr_storage any = { 0 };
		struct spared spared = { 0 };
		struct connector *c;
		struct fixture f;

		begin(&f, records ? &right : &none);
		assert_int_equal(
		    0, connector_open(
			   &c, &(struct connector_opts){ .loop = &f.w.loop,
				   .clock = f.w.clock,
				   .hosting = f.edge.hosting,
				   .identities = f.edge.ids,
				   .local = LOCAL,
				   .remote = REMOTE,
				   .dane = true,
				   .outgoing4 = &any,
				   .outgoing6 = &any,
				   .make_id = make_id,
				   .id_arg = &f,
				   .events = &connector,
				   .arg = &spared }));
		assert_true(world_run(&f.w, &spared.up, 5000));
		assert_int_equal(records ? 0 : 1, spared.offered);
		s2s_out_close(spared.stream, STREAM_ERR_NONE, NULL);
		assert_true(world_run(&f.w, &spared.ended, 5000));
		finish(&f);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_no_other_connection_will_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
