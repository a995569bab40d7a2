/*
 * s2s_in over loopback with real TLS, against a peer that follows a script and
 * breaks the rules in every place.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/x509v3.h>

#include "common/conn_impl.h"
#include "common/jid.h"
#include "common/xml.h"
#include "edge-proxy/s2s_in_impl.h"
#include "tests/unit/stream_world.h"

#define HEADER(from, to)                                                       \
	"<stream:stream xmlns='jabber:server' "                                \
	"xmlns:stream='http://etherx.jabber.org/streams' from='" from          \
	"' to='" to "' version='1.0'>"
#define PARTNER   HEADER("partner.example", "contoso.example")
#define STARTTLS  "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
#define PROCEED   "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
#define SASL      "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"
#define AUTH(s)   "<auth " SASL " mechanism='EXTERNAL'>" s "</auth>"
#define GOOD_AUTH AUTH("cGFydG5lci5leGFtcGxl")
#define BODY(from, to)                                                         \
	"<message from='" from "' to='" to "'><body>hi</body></message>"
#define GOOD BODY("bo@partner.example/x", "anna@contoso.example")

#define SM " xmlns='urn:xmpp:sm:3'"
#define LIMITS                                                                 \
	"<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>262144"           \
	"</max-bytes><idle-seconds>300</idle-seconds></limits>"
#define OPEN_FEATURES "<stream:features><sm" SM "/><limits"

struct fixture {
	struct world w;
	struct site edge, partner;
	struct script p;
	struct s2s_in *in;
	unsigned ups, stanzas, ends;
	struct dialback_ask *asked;
	bool up, end, was_up, pause, stanza;
	char condition[64], auth[16], from[100], to[100];
	struct buf seen;
};

static void
on_event(struct s2s_in *s, enum stream_event ev, const struct stream_info *info,
    void *arg)
{
	struct fixture *f = arg;

	assert_int_equal(STREAM_UP, ev);
	assert_true(s2s_in_is_up(s));
	assert_int_equal(1, info->pair_count);
	assert_string_equal("contoso.example", info->pairs[0].local);
	assert_string_equal("partner.example", info->pairs[0].remote);
	assert_int_equal(STREAM_IN, info->direction);
	assert_non_null(strstr(info->peer, "127.0.0.1:"));
	if (strcmp(info->tls, "-") != 0) {
		assert_string_equal("TLSv1.3", info->tls);
		assert_true(info->cipher[0] != '\0');
	}
	snprintf(f->auth, sizeof(f->auth), "%s", info->auth);
	f->in = s;
	f->ups++;
	f->up = true;
}

static void
on_stanza(struct s2s_in *s, const struct xml_elem *e, const struct jid *from,
    const struct jid *to, void *arg)
{
	struct fixture *f = arg;

	f->stanzas++;
	f->stanza = true;
	snprintf(f->from, sizeof(f->from), "%s", from->full);
	snprintf(f->to, sizeof(f->to), "%s", to->full);
	xml_write(&f->seen, e, "jabber:server");
	if (f->pause)
		s2s_in_pause(s);
}

static void
on_end(struct s2s_in *s, bool was_up, const struct stream_info *info, void *arg)
{
	struct fixture *f = arg;

	(void)s;
	f->ends++;
	f->end = true;
	f->was_up = was_up;
	f->in = NULL;
	assert_non_null(info->reason);
	snprintf(f->condition, sizeof(f->condition), "%s",
	    info->condition != NULL ? info->condition : "");
}

static int
take_ask(struct dialback_ask *a, void *arg)
{
	((struct fixture *)arg)->asked = a;
	return 0;
}

static const struct s2s_in_events events = {
	.on_event = on_event,
	.on_stanza = on_stanza,
	.on_end = on_end,
};

static void
begin_row(struct fixture *f, const struct site_opts *partner,
    const char *settings, const char *row)
{
	memset(f, 0, sizeof(*f));
	buf_init(&f->seen, 0);
	world_init(&f->w);
	site_init(&f->edge, &f->w,
	    &(struct site_opts){ .hosted = "contoso.example",
		.partner = "partner.example",
		.settings = settings,
		.row = row,
		.ask = take_ask,
		.ask_arg = f,
		.in_events = &events,
		.in_arg = f });
	site_init(&f->partner, &f->w, partner);
	script_connect(&f->p, &f->edge);
}

static void
begin_with(
    struct fixture *f, const struct site_opts *partner, const char *settings)
{
	begin_row(f, partner, settings, NULL);
}

static void
begin(struct fixture *f)
{
	begin_with(f, &(struct site_opts){ .hosted = "partner.example" }, NULL);
}

static void
finish(struct fixture *f)
{
	script_close(&f->p);
	world_run(&f->w, &f->end, 3000);
	assert_int_equal(1, f->ends);
	site_close(&f->edge);
	site_close(&f->partner);
	world_finish(&f->w);
	site_free(&f->edge);
	site_free(&f->partner);
	buf_finish(&f->seen);
}

/* Up to the header after TLS; what the edge then offers is not read. */
static void
go_tls(struct fixture *f)
{
	script_send(&f->p, PARTNER);
	script_expect(&f->p, "</stream:features>");
	script_send(&f->p, STARTTLS);
	script_expect(&f->p, PROCEED);
	script_tls_client(&f->p, &f->partner);
}

static void
go_auth(struct fixture *f)
{
	go_tls(f);
	script_send(&f->p, PARTNER);
	script_expect(&f->p, "</stream:features>");
}

static void
go_open(struct fixture *f)
{
	go_auth(f);
	script_send(&f->p, GOOD_AUTH);
	script_expect(&f->p, "<success " SASL "/>");
	script_send(&f->p, PARTNER);
	script_expect(&f->p, OPEN_FEATURES);
	assert_true(f->up);
}

static void
test_opens(void **state)
{
	struct fixture f;
	char first[33], second[33];
	const char *id;

	(void)state;
	begin(&f);
	script_send(&f.p, PARTNER);
	script_expect(&f.p, "from='contoso.example' to='partner.example' id='");
	id = buf_cstr(&f.p.seen);
	snprintf(first, sizeof(first), "%s", id);
	/* only STARTTLS, and required */
	script_expect(&f.p,
	    "version='1.0' xml:lang='en'><stream:features><starttls "
	    "xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
	    "</stream:features>");
	script_send(&f.p, STARTTLS);
	script_expect(&f.p, PROCEED);
	script_tls_client(&f.p, &f.partner);
	script_send(&f.p, PARTNER);
	script_expect(&f.p, "id='");
	snprintf(second, sizeof(second), "%s", buf_cstr(&f.p.seen));
	assert_string_not_equal(first, second);
	assert_int_equal(32, strspn(second, "0123456789abcdef"));
	script_expect(&f.p,
	    "<stream:features><mechanisms " SASL
	    "><mechanism>EXTERNAL</mechanism></mechanisms>" LIMITS
	    "</stream:features>");
	script_send(&f.p, GOOD_AUTH);
	script_expect(&f.p, "<success " SASL "/>");
	script_send(&f.p, "<?xml version='1.0'?>" PARTNER);
	script_expect(&f.p, OPEN_FEATURES);
	assert_int_equal(1, f.ups);
	assert_string_equal("external", f.auth);
	script_send(&f.p, " " GOOD "\n");
	assert_true(world_run(&f.w, &f.stanza, 3000));
	assert_string_equal("bo@partner.example/x", f.from);
	assert_string_equal("anna@contoso.example", f.to);
	script_send(&f.p, "</stream:stream>");
	assert_true(script_ended_with(&f.p, "</stream:stream>"));
	finish(&f);
	assert_true(f.was_up);
	assert_string_equal("", f.condition);
}

/* One text instead of the first header, and the stream error it earns. */
static void
test_first_headers(void **state)
{
	static const struct {
		const char *text, *answer, *condition;
	} rows[] = {
		{ HEADER("partner.example", "other.example"), "from=''",
		    "host-unknown" },
		{ HEADER("stranger.example", "contoso.example"),
		    "from='contoso.example'", "policy-violation" },
		{ HEADER("a@partner.example", "contoso.example"),
		    "from='contoso.example'", "improper-addressing" },
		{ HEADER("conference.partner.example", "contoso.example"),
		    "from='contoso.example'", "policy-violation" },
		{ "<stream:stream xmlns='jabber:server' "
		  "xmlns:stream='http://etherx.jabber.org/streams' "
		  "version='1.0'>",
		    "from=''", "improper-addressing" },
		{ "<stream:stream xmlns='jabber:server' "
		  "xmlns:stream='http://etherx.jabber.org/streams' "
		  "to='contoso.example'>",
		    "from='contoso.example'", "unsupported-version" },
		{ "<stream:stream xmlns='jabber:server' "
		  "xmlns:stream='http://etherx.jabber.org/streams' "
		  "to='contoso.example' version='2.0'>",
		    "from='contoso.example'", "unsupported-version" },
		{ "<stream:stream xmlns='jabber:server' "
		  "xmlns:stream='http://etherx.jabber.org/streams' "
		  "to='contoso.example' version='x'>",
		    "from='contoso.example'", "bad-format" },
		{ "<stream:stream xmlns='jabber:client' "
		  "xmlns:stream='http://etherx.jabber.org/streams' "
		  "to='contoso.example' version='1.0'>",
		    "from=''", "invalid-namespace" },
		{ "<!DOCTYPE a>", "from=''", "restricted-xml" },
		{ "GET / HTTP/1.1\r\n\r\n", "from=''", "not-well-formed" },
		{ PARTNER GOOD, "</stream:features>", "not-authorized" },
		{ PARTNER GOOD_AUTH "<x xmlns='u'/>",
		    "<failure " SASL "><encryption-required/></failure>",
		    "unsupported-stanza-type" },
		{ PARTNER "<compress xmlns='http://jabber.org/protocol/"
			  "compress'><method>zlib</method></compress>",
		    "</stream:features>", "unsupported-stanza-type" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;
		char error[64];

		begin(&f);
		script_send(&f.p, rows[i].text);
		script_expect(&f.p, "<stream:stream ");
		script_expect(&f.p, rows[i].answer);
		snprintf(error, sizeof(error), "<%s xmlns=", rows[i].condition);
		if (!script_ended_with(&f.p, error))
			fail_msg("row %zu: %s", i, buf_cstr(&f.p.seen));
		assert_true(
		    script_ended_with(&f.p, "</stream:error></stream:stream>"));
		finish(&f);
		assert_string_equal(rows[i].condition, f.condition);
		assert_false(f.was_up);
		assert_int_equal(0, f.stanzas);
	}
}

static void
test_versions_that_pass(void **state)
{
	static const char *const versions[] = { "1.0", "1.1", "01.0", "1.00" };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct fixture f;
		char text[300];

		begin(&f);
		snprintf(text, sizeof(text),
		    "<s:stream xmlns='jabber:server' xmlns:s='http://etherx."
		    "jabber.org/streams' to='CONTOSO.example.' version='%s'>",
		    versions[i]);
		script_send(&f.p, text);
		script_expect(&f.p, "version='1.0'");
		script_expect(&f.p, "<required/>");
		finish(&f);
	}
}

#define OLD(more)                                                              \
	"<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx."    \
	"jabber.org/streams' xmlns:db='jabber:server:dialback' " more ">"
#define BOTH "from='partner.example' to='contoso.example'"
#define KEY                                                                    \
	"<db:result xmlns:db='jabber:server:dialback' from='partner.example' " \
	"to='contoso.example'>k</db:result>"
#define ROW(tls, sasl, dialback)                                               \
	",\"TlsNegotiation\":\"" tls "\",\"SaslNegotiation\":\"" sasl          \
	"\",\"SupportDialbackNegotiation\":" dialback

/* A header without a version is answered with one (RFC 6120 4.7.5), and then
 * there is nothing but dialback; where the row demands more, there is nothing. */
static void
test_without_version(void **state)
{
	static const struct {
		const char *row, *header, *then, *condition;
	} rows[] = {
		{ ROW("NotSupported", "NotSupported", "true"), OLD(BOTH), KEY,
		    NULL },
		{ ROW("NotSupported", "NotSupported", "true"),
		    OLD("to='contoso.example'"), KEY, NULL },
		{ ROW("Optional", "Optional", "true"), OLD(BOTH), KEY, NULL },
		{ ROW("Required", "Required", "true"), OLD(BOTH), NULL,
		    "<unsupported-version" },
		{ ROW("Required", "NotSupported", "true"), OLD(BOTH), NULL,
		    "<unsupported-version" },
		{ ROW("NotSupported", "NotSupported", "true"),
		    OLD("from='other.example' to='contoso.example'"), NULL,
		    "<unsupported-version" },
		{ ROW("NotSupported", "NotSupported", "true"), OLD(""), NULL,
		    "<improper-addressing" },
		{ ROW("NotSupported", "NotSupported", "true"), OLD(BOTH), GOOD,
		    "<not-authorized" },
		{ ROW("Optional", "Optional", "true"), OLD(BOTH), STARTTLS,
		    "<unsupported-stanza-type" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;

		begin_row(&f,
		    &(struct site_opts){ .hosted = "partner.example" }, NULL,
		    rows[i].row);
		script_send(&f.p, rows[i].header);
		if (rows[i].then == NULL) {
			assert_true(script_ended_with(&f.p, rows[i].condition));
			finish(&f);
			continue;
		}
		script_expect(&f.p, "xmlns:db='jabber:server:dialback'");
		script_expect(&f.p, "xml:lang='en'>");
		assert_false(script_has(&f.p, "<"));
		script_send(&f.p, rows[i].then);
		if (rows[i].condition != NULL) {
			assert_true(script_ended_with(&f.p, rows[i].condition));
			finish(&f);
			continue;
		}
		for (int k = 0; k < 100 && f.asked == NULL; k++)
			world_pass(&f.w, 5);
		assert_non_null(f.asked);
		f.asked->on_answer(
		    f.asked, DIALBACK_VALID, COND_UNDEFINED_CONDITION);
		script_expect(&f.p, "type='valid'/>");
		assert_string_equal("dialback", f.auth);
		script_send(&f.p, GOOD);
		assert_true(world_run(&f.w, &f.stanza, 3000));
		finish(&f);
	}
}

static void
test_plaintext_behind_starttls(void **state)
{
	static const char *const extra[] = { PARTNER, " ", GOOD };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct fixture f;
		char text[400];

		begin(&f);
		script_send(&f.p, PARTNER);
		script_expect(&f.p, "</stream:features>");
		snprintf(text, sizeof(text), "%s%s", STARTTLS, extra[i]);
		script_send(&f.p, text);
		assert_false(script_ended_with(&f.p, "<stream:stream"));
		finish(&f);
		assert_int_equal(0, f.stanzas);
	}
}

/* After TLS: the second header, and what follows authentication. */
static void
test_second_headers(void **state)
{
	static const struct {
		const char *text, *condition;
	} rows[] = {
		{ HEADER("partner.example", "other.example"),
		    "improper-addressing" },
		{ HEADER("other.example", "contoso.example"), "invalid-from" },
		{ "<stream:stream xmlns='jabber:server' "
		  "xmlns:stream='http://etherx.jabber.org/streams' "
		  "to='contoso.example' version='1.0'>",
		    NULL },
		{ PARTNER GOOD, "not-authorized" },
		{ PARTNER STARTTLS, "unsupported-stanza-type" },
		{ PARTNER GOOD_AUTH HEADER("partner.example", "other.example"),
		    "improper-addressing" },
		{ PARTNER GOOD_AUTH HEADER("other.example", "contoso.example"),
		    "invalid-from" },
		{ PARTNER GOOD_AUTH PARTNER GOOD_AUTH,
		    "unsupported-stanza-type" },
		{ PARTNER GOOD_AUTH PARTNER STARTTLS,
		    "unsupported-stanza-type" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;
		char error[64];

		begin(&f);
		go_tls(&f);
		script_send(&f.p, rows[i].text);
		if (rows[i].condition == NULL) {
			/* the from of the first header stands */
			script_expect(&f.p, "EXTERNAL");
			finish(&f);
			continue;
		}
		snprintf(error, sizeof(error), "<%s xmlns=", rows[i].condition);
		if (!script_ended_with(&f.p, error))
			fail_msg("row %zu: %s", i, buf_cstr(&f.p.seen));
		finish(&f);
		assert_string_equal(rows[i].condition, f.condition);
	}
}

/* No from at all, before and after TLS: nobody to authenticate. */
static void
test_nameless(void **state)
{
#define NAMELESS                                                               \
	"<stream:stream xmlns='jabber:server' "                                \
	"xmlns:stream='http://etherx.jabber.org/streams' "                     \
	"to='contoso.example' version='1.0'>"
	struct fixture f;

	(void)state;
	begin(&f);
	script_send(&f.p, NAMELESS);
	script_expect(&f.p, "</stream:features>");
	script_send(&f.p, STARTTLS);
	script_expect(&f.p, PROCEED);
	script_tls_client(&f.p, &f.partner);
	script_send(&f.p, NAMELESS);
	assert_true(script_ended_with(&f.p, "<improper-addressing"));
	finish(&f);
	/* named after TLS only: fine */
	begin(&f);
	script_send(&f.p, NAMELESS);
	script_expect(&f.p, "</stream:features>");
	script_send(&f.p, STARTTLS);
	script_expect(&f.p, PROCEED);
	script_tls_client(&f.p, &f.partner);
	script_send(&f.p, PARTNER);
	script_expect(&f.p, "EXTERNAL");
	finish(&f);
}

#define DNS(s)                                                                 \
	{                                                                      \
		MAKE_CERT_DNS, s, 0                                            \
	}
#define SRV(s)                                                                 \
	{                                                                      \
		MAKE_CERT_SRV, s, 0                                            \
	}
#define XMPP(s)                                                                \
	{                                                                      \
		MAKE_CERT_XMPP, s, 0                                           \
	}

static void
test_certificates(void **state)
{
	static const struct {
		const char *name;
		bool offered;
		struct site_opts o;
	} rows[] = {
		{ "DNS-ID", true, { .names = { DNS("partner.example") } } },
		{ "SRV-ID", true,
		    { .names = { SRV("_xmpp-server.partner.example") } } },
		{ "XmppAddr", true, { .names = { XMPP("partner.example") } } },
		{ "upper case", true, { .names = { DNS("Partner.EXAMPLE") } } },
		{ "second of two", true,
		    { .names = { DNS("a.example"), DNS("partner.example") } } },
		{ "server only", true,
		    { .names = { DNS("partner.example") },
			.eku = MAKE_CERT_EKU_SERVER } },
		{ "both", true,
		    { .names = { DNS("partner.example") },
			.eku = MAKE_CERT_EKU_BOTH } },
		{ "none", true,
		    { .names = { DNS("partner.example") },
			.eku = MAKE_CERT_EKU_NONE } },
		{ "client only", false,
		    { .names = { DNS("partner.example") },
			.eku = MAKE_CERT_EKU_CLIENT } },
		{ "name in CN only", false,
		    { .names = { DNS("www.partner.example") } } },
		{ "wildcard too deep", false,
		    { .names = { DNS("*.partner.example") } } },
		{ "wildcard too wide", false,
		    { .names = { DNS("*.example") } } },
		{ "SRV-ID for clients", false,
		    { .names = { SRV("_xmpp-client.partner.example") } } },
		{ "XmppAddr with a local part", false,
		    { .names = { XMPP("bo@partner.example") } } },
		{ "expired", false,
		    { .names = { DNS("partner.example") },
			.from_s = -7200,
			.to_s = -3600 } },
		{ "not yet valid", false,
		    { .names = { DNS("partner.example") },
			.from_s = 3600,
			.to_s = 7200 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct site_opts o = rows[i].o;
		struct fixture f;

		o.hosted = "partner.example";
		begin_with(&f, &o, NULL);
		go_tls(&f);
		script_send(&f.p, PARTNER);
		if (rows[i].offered) {
			script_expect(&f.p, "<mechanism>EXTERNAL</mechanism>");
		} else {
			if (!script_ended_with(&f.p, "<policy-violation"))
				fail_msg("%s", rows[i].name);
			assert_false(script_ended_with(&f.p, "EXTERNAL"));
		}
		finish(&f);
	}
}

static void
test_stranger(void **state)
{
	struct fixture f;

	(void)state;
	memset(&f, 0, sizeof(f));
	buf_init(&f.seen, 0);
	world_init(&f.w);
	site_init(&f.edge, &f.w,
	    &(struct site_opts){ .hosted = "contoso.example",
		.partner = "partner.example",
		.in_events = &events,
		.in_arg = &f });
	site_init(&f.partner, &f.w,
	    &(struct site_opts){
		.hosted = "partner.example", .issuer = &f.w.stranger_ca });
	script_connect(&f.p, &f.edge);
	go_tls(&f);
	script_send(&f.p, PARTNER);
	assert_true(script_ended_with(&f.p, "<policy-violation"));
	finish(&f);
}

static void
test_sasl(void **state)
{
	static const struct {
		const char *text, *answer;
	} rows[] = {
		{ AUTH("="), "<success " },
		{ GOOD_AUTH, "<success " },
		{ AUTH("b3RoZXIuZXhhbXBsZQ=="), "<invalid-authzid/>" },
		{ AUTH("Ym9AcGFydG5lci5leGFtcGxl"), "<invalid-authzid/>" },
		{ AUTH("cGFydG5l\nci5leGFtcGxl"), "<incorrect-encoding/>" },
		{ AUTH("cGFy=G5lci5leGFtcGxl"), "<incorrect-encoding/>" },
		{ AUTH("!!!!"), "<incorrect-encoding/>" },
		{ "<auth " SASL " mechanism='PLAIN'>AA==</auth>",
		    "<invalid-mechanism/>" },
		{ "<auth " SASL "/>", "<malformed-request/>" },
		{ "<response " SASL "/>", "<malformed-request/>" },
		{ "<abort " SASL "/>", "<aborted/>" },
		{ AUTH(""), "<challenge " SASL "/>" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;

		begin(&f);
		go_auth(&f);
		script_send(&f.p, rows[i].text);
		script_expect(&f.p, rows[i].answer);
		finish(&f);
	}
}

static void
test_challenge_and_failures(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	go_auth(&f);
	script_send(&f.p, AUTH(""));
	script_expect(&f.p, "<challenge ");
	script_send(&f.p, "<response " SASL ">=</response>");
	script_expect(&f.p, "<success ");
	finish(&f);

	begin(&f);
	go_auth(&f);
	for (int i = 0; i < 4; i++) {
		script_send(&f.p, AUTH("b3RoZXIuZXhhbXBsZQ=="));
		script_expect(&f.p, "</failure>");
	}
	script_send(&f.p, AUTH("b3RoZXIuZXhhbXBsZQ=="));
	assert_true(script_ended_with(&f.p, "<policy-violation"));
	finish(&f);

	begin(&f);
	go_auth(&f);
	script_send(&f.p, AUTH("b3RoZXIuZXhhbXBsZQ=="));
	script_expect(&f.p, "</failure>");
	script_send(&f.p, GOOD_AUTH);
	script_expect(&f.p, "<success ");
	finish(&f);
}

static void
test_stanzas(void **state)
{
	static const struct {
		const char *text, *condition; /* NULL: delivered */
	} rows[] = {
		{ GOOD, NULL },
		{ BODY("partner.example", "contoso.example"), NULL },
		{ BODY("PARTNER.example", "Anna@Contoso.Example."), NULL },
		{ "<presence from='bo@partner.example' "
		  "to='anna@contoso.example'/>",
		    NULL },
		{ "<n:iq xmlns:n='jabber:server' type='get' id='1' "
		  "from='partner.example' to='contoso.example'/>",
		    NULL },
		{ "<message to='anna@contoso.example'/>",
		    "improper-addressing" },
		{ "<message from='bo@partner.example'/>",
		    "improper-addressing" },
		{ BODY("", "anna@contoso.example"), "improper-addressing" },
		{ BODY("@", "anna@contoso.example"), "improper-addressing" },
		{ BODY("bo@", "anna@contoso.example"), "improper-addressing" },
		{ BODY("bo@@partner.example", "anna@contoso.example"),
		    "improper-addressing" },
		{ BODY("bo@partner.example", "x/"), "improper-addressing" },
		{ BODY("bo@other.example", "anna@contoso.example"),
		    "invalid-from" },
		{ BODY("bo@conference.partner.example", "anna@contoso.example"),
		    "invalid-from" },
		{ BODY("anna@contoso.example", "anna@contoso.example"),
		    "invalid-from" },
		{ BODY("bo@partner.example", "anna@other.example"),
		    "host-unknown" },
		{ BODY("bo@partner.example", "a/b@contoso.example"),
		    "host-unknown" },
		{ "<foo from='bo@partner.example' to='anna@contoso.example'/>",
		    "unsupported-stanza-type" },
		{ "text", "bad-format" },
		{ "<a>&nbsp;</a>", "restricted-xml" },
		{ "<message><", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;
		char error[64];

		begin(&f);
		go_open(&f);
		script_send(&f.p, rows[i].text);
		if (rows[i].condition == NULL) {
			/* half a stanza never arrives */
			bool whole = strcmp(rows[i].text, "<message><") != 0;

			world_run(&f.w, &f.stanza, whole ? 3000 : 50);
			if (f.stanzas != (whole ? 1u : 0u))
				fail_msg("row %zu: %s", i, f.condition);
		} else {
			snprintf(error, sizeof(error),
			    "<%s xmlns=", rows[i].condition);
			if (!script_ended_with(&f.p, error))
				fail_msg("row %zu: %s", i, buf_cstr(&f.p.seen));
			assert_int_equal(0, f.stanzas);
		}
		finish(&f);
	}
}

/* The header that counts is the last one. */
static void
test_language(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	go_auth(&f);
	script_send(&f.p, GOOD_AUTH);
	script_expect(&f.p, "<success " SASL "/>");
	script_send(&f.p,
	    "<stream:stream xmlns='jabber:server' xml:lang='de-CH' "
	    "xmlns:stream='http://etherx.jabber.org/streams' "
	    "from='partner.example' to='contoso.example' version='1.0'>");
	script_expect(&f.p, OPEN_FEATURES);
	assert_string_equal("de-CH", s2s_in_language(f.in));
	finish(&f);
	begin(&f);
	go_open(&f);
	assert_null(s2s_in_language(f.in));
	finish(&f);
}

static void
test_ignored_elements(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	go_open(&f);
	script_send(&f.p, "<x xmlns='urn:u'/><r xmlns='urn:xmpp:sm:3'/>"
			  "<y xmlns='urn:u' from='bo@partner.example' "
			  "to='anna@contoso.example'/>" GOOD);
	assert_true(world_run(&f.w, &f.stanza, 3000));
	assert_int_equal(1, f.stanzas);
	finish(&f);
}

/* A further pair by dialback is refused; the stream goes on. */
static void
test_dialback_refused(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	go_open(&f);
	script_send(&f.p,
	    "<db:result xmlns:db='jabber:server:dialback' "
	    "from='other.example' to='contoso.example'>key</db:result>");
	script_expect(&f.p,
	    "<db:result xmlns:db='jabber:server:dialback' "
	    "from='contoso.example' to='other.example' type='error'>"
	    "<error type='auth'><forbidden "
	    "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
	    "</db:result>");
	script_send(&f.p, GOOD);
	assert_true(world_run(&f.w, &f.stanza, 3000));
	finish(&f);
}

static void
test_too_large(void **state)
{
	struct fixture f;
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	begin_with(&f, &(struct site_opts){ .hosted = "partner.example" },
	    "{\"stanza_max\":10000}");
	go_open(&f);
	buf_add_str(&b, "<message from='bo@partner.example' "
			"to='anna@contoso.example'><body>");
	for (int i = 0; i < 10000; i++)
		buf_add_char(&b, 'x');
	script_send(&f.p, buf_cstr(&b));
	assert_true(script_ended_with(&f.p, "<policy-violation"));
	finish(&f);
	buf_finish(&b);
}

static void
test_pause(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	go_open(&f);
	f.pause = true;
	script_send(&f.p, GOOD GOOD GOOD);
	assert_true(world_run(&f.w, &f.stanza, 3000));
	world_pass(&f.w, 50);
	assert_int_equal(1, f.stanzas);
	s2s_in_resume(f.in);
	assert_int_equal(2, f.stanzas);
	f.pause = false;
	s2s_in_resume(f.in);
	assert_int_equal(3, f.stanzas);
	f.stanza = false;
	script_send(&f.p, GOOD);
	assert_true(world_run(&f.w, &f.stanza, 3000));
	finish(&f);
}

/* More than he may send in a second waits, whole and in order; nobody else's
 * pause is ended by that. */
static void
test_rate(void **state)
{
	struct fixture f;

	(void)state;
	begin_with(&f, &(struct site_opts){ .hosted = "partner.example" },
	    "{\"stanza_rate\": 1}");
	go_open(&f);
	script_send(&f.p, GOOD GOOD GOOD GOOD GOOD GOOD GOOD GOOD GOOD GOOD GOOD
			      GOOD GOOD GOOD);
	assert_true(world_run(&f.w, &f.stanza, 3000));
	world_pass(&f.w, 50);
	/* Ten at once, and the one that was too many. */
	assert_int_equal(11, f.stanzas);
	world_skip(&f.w, 1200);
	world_pass(&f.w, 10);
	assert_int_equal(12, f.stanzas);
	s2s_in_pause(f.in);
	world_skip(&f.w, 5000);
	world_pass(&f.w, 10);
	assert_int_equal(12, f.stanzas);
	s2s_in_resume(f.in);
	assert_int_equal(14, f.stanzas);
	finish(&f);
}

/* A stanza has a time from its first byte to its last, however it drips. */
static void
test_slow_stanza(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	go_open(&f);
	for (unsigned i = 0; i < 5; i++) {
		script_send(&f.p, GOOD);
		world_pass(&f.w, 10);
		world_skip(&f.w, 100000);
		s2s_in_rest(f.in);
		assert_true(s2s_in_is_up(f.in));
	}
	script_send(&f.p, "<message>");
	for (unsigned i = 0; i < 2; i++) {
		world_pass(&f.w, 10);
		s2s_in_rest(f.in);
		assert_true(s2s_in_is_up(f.in));
		world_skip(&f.w, 50000);
		script_send(&f.p, " ");
	}
	world_pass(&f.w, 10);
	world_skip(&f.w, 120000);
	s2s_in_rest(f.in);
	assert_true(script_ended_with(&f.p, "</stream:stream>"));
	finish(&f);
	assert_string_equal("connection-timeout", f.condition);
}

/* The kernel takes megabytes else. */
static void
set_room(struct conn *c, int which, int size)
{
	uv_os_fd_t fd;

	assert_int_equal(0, uv_fileno((uv_handle_t *)&c->tcp, &fd));
	assert_int_equal(
	    0, setsockopt(fd, SOL_SOCKET, which, &size, sizeof(size)));
}

/* Who asks and does not read the answers is not asked on: what waits for him is
 * bounded, and when he reads he gets them all. */
static void
test_unread_answers(void **state)
{
	enum { ASK = 10000 };
	struct fixture f;
	size_t answers = 0, most = 0;
	const char *at;

	(void)state;
	begin_with(&f, &(struct site_opts){ .hosted = "partner.example" },
	    "{\"stanza_rate\": 0}");
	go_open(&f);
	script_send(&f.p, "<enable" SM "/>");
	script_expect(&f.p, "<enabled" SM "/>");
	conn_pause(f.p.conn);
	set_room(f.p.conn, SO_RCVBUF, 4096);
	set_room(f.in->conn, SO_SNDBUF, 4096);
	for (unsigned i = 0; i < ASK; i++) {
		script_send(&f.p, "<r" SM "/>");
		if (i % 1000 != 0)
			continue;
		world_pass(&f.w, 1);
		if (conn_queued(f.in->conn) > most)
			most = conn_queued(f.in->conn);
	}
	world_pass(&f.w, 50);
	assert_true((f.in->holds & HOLD_BACKLOG) != 0);
	assert_in_range(most, 32 * 1024, 64 * 1024);
	set_room(f.p.conn, SO_RCVBUF, 1 << 20);
	set_room(f.in->conn, SO_SNDBUF, 1 << 20);
	conn_resume(f.p.conn);
	script_send(&f.p, GOOD);
	assert_true(world_run(&f.w, &f.stanza, 10000));
	script_send(&f.p, "</stream:stream>");
	(void)world_run(&f.w, &f.p.ended, 10000);
	at = buf_cstr(&f.p.seen);
	while ((at = strstr(at, "<a" SM)) != NULL) {
		answers++;
		at++;
	}
	assert_int_equal(ASK, answers);
	finish(&f);
}

static void
go_managed(struct fixture *f)
{
	go_open(f);
	script_send(&f->p, GOOD "<enable" SM "/>");
	script_expect(&f->p, "<enabled" SM "/>");
	f->stanza = false;
	script_send(&f->p, GOOD GOOD "<r" SM "/>");
	script_expect(&f->p, "<a" SM " h='0'/>");
	assert_int_equal(3, f->stanzas);
	s2s_in_handled(f->in, 2);
	script_expect(&f->p, "<a" SM " h='1'/>");
}

static void
test_acknowledgements(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	go_managed(&f);
	/* before we close, even in the same turn */
	s2s_in_handled(f.in, 3);
	s2s_in_close(f.in, STREAM_ERR_SYSTEM_SHUTDOWN, NULL);
	script_expect(&f.p, "<a" SM " h='2'/><stream:error><system-shutdown");
	script_send(&f.p, "</stream:stream>");
	assert_true(world_run(&f.w, &f.end, 3000));
	finish(&f);
	/* what is out is waited for, and what comes meanwhile is left to him */
	begin(&f);
	go_managed(&f);
	s2s_in_close(f.in, STREAM_ERR_SYSTEM_SHUTDOWN, NULL);
	script_send(&f.p, GOOD);
	s2s_in_resume(f.in);
	world_pass(&f.w, 50);
	assert_int_equal(3, f.stanzas);
	s2s_in_handled(f.in, 3);
	script_expect(&f.p, "<a" SM " h='2'/><stream:error><system-shutdown");
	script_send(&f.p, GOOD "</stream:stream>");
	assert_true(world_run(&f.w, &f.end, 3000));
	assert_int_equal(3, f.stanzas);
	finish(&f);
	/* but not for ever */
	begin(&f);
	go_managed(&f);
	s2s_in_close(f.in, STREAM_ERR_SYSTEM_SHUTDOWN, NULL);
	world_skip(&f.w, 5000);
	assert_true(script_ended_with(&f.p, "<system-shutdown"));
	finish(&f);
	/* goodbye from him: what is out is waited for */
	begin(&f);
	go_managed(&f);
	script_send(&f.p, "</stream:stream>");
	world_pass(&f.w, 50);
	assert_false(f.p.ended);
	assert_false(s2s_in_is_up(f.in));
	s2s_in_handled(f.in, 3);
	assert_true(
	    script_ended_with(&f.p, "<a" SM " h='2'/></stream:stream>"));
	finish(&f);
	/* but not for ever */
	begin(&f);
	go_managed(&f);
	script_send(&f.p, "</stream:stream>");
	world_pass(&f.w, 50);
	world_skip(&f.w, 5000);
	assert_true(script_ended_with(&f.p, "</stream:stream>"));
	finish(&f);
	assert_string_equal("", f.condition);
	/* rules broken */
	begin(&f);
	go_managed(&f);
	script_send(&f.p, "<enable" SM "/>");
	assert_true(script_ended_with(&f.p, "<policy-violation"));
	finish(&f);
	begin(&f);
	go_managed(&f);
	script_send(&f.p, "<a" SM " h='1'/>");
	assert_true(script_ended_with(&f.p, "send-count='0'/></stream:error>"));
	finish(&f);
}

static void
test_close_and_recheck(void **state)
{
	struct fixture f;

	(void)state;
	/* goodbye: what is under way still arrives */
	begin(&f);
	go_open(&f);
	s2s_in_close(f.in, STREAM_ERR_NONE, NULL);
	script_expect(&f.p, "</stream:stream>");
	script_send(&f.p, GOOD "</stream:stream>");
	assert_true(world_run(&f.w, &f.end, 3000));
	assert_int_equal(1, f.stanzas);
	finish(&f);
	/* shut down: the same */
	begin(&f);
	go_open(&f);
	s2s_in_close(f.in, STREAM_ERR_SYSTEM_SHUTDOWN, NULL);
	script_expect(&f.p, "<system-shutdown");
	script_send(&f.p, GOOD "</stream:stream>");
	assert_true(world_run(&f.w, &f.end, 3000));
	assert_int_equal(1, f.stanzas);
	finish(&f);
	assert_string_equal("system-shutdown", f.condition);
	/* and at once, the second time */
	begin(&f);
	go_open(&f);
	s2s_in_close(f.in, STREAM_ERR_SYSTEM_SHUTDOWN, NULL);
	s2s_in_close(f.in, STREAM_ERR_SYSTEM_SHUTDOWN, NULL);
	assert_true(script_ended_with(&f.p, "</stream:stream>"));
	finish(&f);
	/* the partner is struck off the list */
	begin(&f);
	go_open(&f);
	s2s_in_recheck(f.in);
	assert_true(s2s_in_is_up(f.in));
	site_permit(&f.edge, NULL, NULL);
	s2s_in_recheck(f.in);
	assert_true(script_ended_with(&f.p, "<policy-violation"));
	finish(&f);
}

static void
test_time_limits(void **state)
{
	struct fixture f;

	(void)state;
	/* nothing is ever sent */
	begin(&f);
	world_pass(&f.w, 20);
	world_skip(&f.w, 29000);
	assert_false(f.end);
	world_skip(&f.w, 2000);
	assert_true(script_ended_with(&f.p, "<connection-timeout"));
	finish(&f);
	/* the handshake never comes */
	begin(&f);
	script_send(&f.p, PARTNER);
	script_expect(&f.p, "</stream:features>");
	script_send(&f.p, STARTTLS);
	script_expect(&f.p, PROCEED);
	world_skip(&f.w, 31000);
	assert_false(script_ended_with(&f.p, "stream"));
	finish(&f);
	/* all steps are taken, but slowly */
	begin(&f);
	world_skip(&f.w, 25000);
	script_send(&f.p, PARTNER);
	script_expect(&f.p, "</stream:features>");
	world_skip(&f.w, 25000);
	script_send(&f.p, STARTTLS);
	script_expect(&f.p, PROCEED);
	script_tls_client(&f.p, &f.partner);
	world_skip(&f.w, 11000);
	assert_true(script_ended_with(&f.p, "<connection-timeout"));
	finish(&f);
	/* a company that grants less */
	begin_with(&f, &(struct site_opts){ .hosted = "partner.example" },
	    "{\"stream_establishment_ms\":5000}");
	world_pass(&f.w, 20);
	world_skip(&f.w, 3000);
	script_send(&f.p, PARTNER);
	script_expect(&f.p, "</stream:features>");
	world_skip(&f.w, 1900);
	assert_false(f.end);
	world_skip(&f.w, 200);
	assert_true(script_ended_with(&f.p, "<connection-timeout"));
	finish(&f);
	/* and to one who names nobody */
	begin_with(&f, &(struct site_opts){ .hosted = "partner.example" },
	    "{\"stream_establishment_ms\":5000}");
	world_pass(&f.w, 20);
	world_skip(&f.w, 5100);
	assert_true(script_ended_with(&f.p, "<connection-timeout"));
	finish(&f);
	/* idle after it was open; what arrives counts */
	begin_row(&f, &(struct site_opts){ .hosted = "partner.example" }, NULL,
	    ",\"EnableKeepAlive\":false");
	go_open(&f);
	world_skip(&f.w, 590000);
	script_send(&f.p, " " GOOD);
	assert_true(world_run(&f.w, &f.stanza, 3000));
	world_skip(&f.w, 590000);
	assert_true(s2s_in_is_up(f.in));
	world_skip(&f.w, 11000);
	script_expect(&f.p, "</stream:stream>");
	/* and it does not wait for ever for the answer */
	world_skip(&f.w, 6000);
	assert_true(world_run(&f.w, &f.end, 6000));
	finish(&f);
	assert_string_equal("", f.condition);
	/* a partner who is expected to be heard of, and one who is not */
	begin(&f);
	go_open(&f);
	world_skip(&f.w, 299000);
	script_send(&f.p, " ");
	world_pass(&f.w, 20);
	world_skip(&f.w, 299000);
	assert_true(s2s_in_is_up(f.in));
	world_skip(&f.w, 1100);
	assert_false(s2s_in_is_up(f.in));
	script_expect(&f.p, "</stream:stream>");
	finish(&f);
	begin_row(&f, &(struct site_opts){ .hosted = "partner.example" },
	    "{\"stream_inactivity_ms\":86400000,\"keep_alive_ms\":20000}",
	    ",\"EnableKeepAlive\":false");
	go_open(&f);
	world_skip(&f.w, 3000000);
	assert_true(s2s_in_is_up(f.in));
	finish(&f);
	/* other times hold for a stream that is open */
	for (int i = 0; i < 2; i++) {
		begin(&f);
		go_open(&f);
		world_skip(&f.w, 100000);
		site_permit(&f.edge, "partner.example",
		    i == 0 ? "{\"keep_alive_ms\":20000}"
			   : "{\"stream_inactivity_ms\":20000}");
		s2s_in_recheck(f.in);
		world_skip(&f.w, 19000);
		/* no news: its time does not begin anew */
		s2s_in_recheck(f.in);
		assert_true(s2s_in_is_up(f.in));
		world_skip(&f.w, 2000);
		assert_false(s2s_in_is_up(f.in));
		finish(&f);
	}
	/* the certificate's hour is over */
	begin(&f);
	go_open(&f);
	for (int i = 0; i < 12; i++) {
		world_skip(&f.w, 290000);
		script_send(&f.p, " ");
		world_pass(&f.w, 10);
	}
	assert_true(s2s_in_is_up(f.in));
	/* in steps below the time that a closing connection lingers */
	for (int i = 0; i < 60 && !f.end; i++) {
		world_skip(&f.w, 3000);
		world_pass(&f.w, 3);
	}
	assert_true(script_ended_with(&f.p, "<reset"));
	finish(&f);
}

/* A partner that sends a stream error is answered and let go. */
static void
test_peer_error(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	go_open(&f);
	script_send(&f.p,
	    "<stream:error><reset "
	    "xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>");
	assert_true(script_ended_with(&f.p, "</stream:stream>"));
	finish(&f);
}

/* --- direct TLS ---------------------------------------------------------- */

#define XMPP_SERVER "\013xmpp-server"
#define XMPP_CLIENT "\013xmpp-client"
#define H2          "\002h2"

static void
begin_direct(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	buf_init(&f->seen, 0);
	world_init(&f->w);
	site_init(&f->edge, &f->w,
	    &(struct site_opts){ .hosted = "contoso.example",
		.partner = "partner.example",
		.direct = true,
		.in_events = &events,
		.in_arg = f });
	site_add_certificate(&f->edge, "fabrikam.example");
	site_init(&f->partner, &f->w,
	    &(struct site_opts){ .hosted = "partner.example" });
	script_connect(&f->p, &f->edge);
}

/* Whose certificate the edge has shown. */
static void
assert_shown(struct fixture *f, const char *name)
{
	X509 *cert = SSL_get0_peer_certificate(conn_ssl(f->p.conn));

	assert_non_null(cert);
	assert_int_equal(1, X509_check_host(cert, name, 0, 0, NULL));
}

static void
assert_protocol(struct fixture *f, const char *want)
{
	const unsigned char *name = NULL;
	unsigned len = 0;

	SSL_get0_alpn_selected(conn_ssl(f->p.conn), &name, &len);
	assert_int_equal(strlen(want), len);
	assert_memory_equal(want, name, len);
}

static void
test_direct_tls(void **state)
{
	static const struct {
		const char *sni, *alpn;
		const char *shown;    /* NULL: refused */
		const char *protocol; /* that was agreed on */
	} rows[] = {
		{ "contoso.example", XMPP_SERVER, "contoso.example",
		    "xmpp-server" },
		{ "contoso.example", NULL, "contoso.example", "" },
		{ "fabrikam.example", XMPP_SERVER, "fabrikam.example",
		    "xmpp-server" },
		{ "FABRIKAM.Example", XMPP_SERVER, "fabrikam.example",
		    "xmpp-server" },
		{ NULL, XMPP_SERVER, "contoso.example", "xmpp-server" },
		{ NULL, NULL, "contoso.example", "" },
		{ "nobody.example", XMPP_SERVER, "contoso.example",
		    "xmpp-server" },
		{ "a..b", NULL, "contoso.example", "" },
		{ "contoso.example", H2 XMPP_SERVER, "contoso.example",
		    "xmpp-server" },
		{ "contoso.example", H2, NULL, NULL },
		{ NULL, XMPP_CLIENT, NULL, NULL },
		{ "fabrikam.example", XMPP_CLIENT H2, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;
		bool done;

		begin_direct(&f);
		done = script_tls_offer(
		    &f.p, &f.partner, rows[i].sni, rows[i].alpn);
		if (done != (rows[i].shown != NULL))
			fail_msg("row %zu: done=%d", i, done);
		if (done) {
			assert_shown(&f, rows[i].shown);
			assert_protocol(&f, rows[i].protocol);
			script_send(&f.p, PARTNER);
			script_expect(&f.p,
			    "<stream:features><mechanisms " SASL
			    "><mechanism>EXTERNAL</mechanism></"
			    "mechanisms>" LIMITS "</stream:features>");
		}
		finish(&f);
		assert_false(f.was_up);
	}
}

static void
test_direct_opens(void **state)
{
	struct fixture f;

	(void)state;
	begin_direct(&f);
	assert_true(
	    script_tls_offer(&f.p, &f.partner, "contoso.example", XMPP_SERVER));
	script_send(&f.p, PARTNER);
	script_expect(&f.p, "</stream:features>");
	script_send(&f.p, GOOD_AUTH);
	script_expect(&f.p, "<success " SASL "/>");
	script_send(&f.p, PARTNER);
	script_expect(&f.p, OPEN_FEATURES);
	script_send(&f.p, GOOD);
	assert_true(world_run(&f.w, &f.stanza, 3000));
	assert_string_equal("external", f.auth);
	finish(&f);
	assert_true(f.was_up);
}

/* What may not be there: an XMPP header before TLS, STARTTLS within it, a
 * header of another domain than the stream began with, one without from. */
static void
test_direct_refusals(void **state)
{
	static const struct {
		const char *text, *condition;
	} rows[] = {
		{ PARTNER STARTTLS, "unsupported-stanza-type" },
		{ HEADER("partner.example", "nobody.example"), "host-unknown" },
		{ HEADER("stranger.example", "contoso.example"),
		    "policy-violation" },
		{ "<stream:stream xmlns='jabber:server' xmlns:stream='http://"
		  "etherx.jabber.org/streams' to='contoso.example' "
		  "version='1.0'>",
		    "improper-addressing" },
		{ PARTNER GOOD, "not-authorized" },
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin_direct(&f);
		assert_true(script_tls_offer(
		    &f.p, &f.partner, "contoso.example", XMPP_SERVER));
		script_send(&f.p, rows[i].text);
		if (!script_ended_with(&f.p, rows[i].condition))
			fail_msg("row %zu saw %s", i, buf_cstr(&f.p.seen));
		finish(&f);
		assert_string_equal(rows[i].condition, f.condition);
	}
	begin_direct(&f);
	script_send(&f.p, PARTNER);
	assert_false(script_ended_with(&f.p, "<"));
	finish(&f);
	/* who says nothing is not waited for */
	begin_direct(&f);
	world_pass(&f.w, 20);
	world_skip(&f.w, 30001);
	assert_false(script_ended_with(&f.p, "<"));
	finish(&f);
}

/* On a port for STARTTLS neither name nor protocol counts: the header has
 * chosen. */
static void
test_starttls_takes_no_notice(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	site_add_certificate(&f.edge, "fabrikam.example");
	script_send(&f.p, PARTNER);
	script_expect(&f.p, "</stream:features>");
	script_send(&f.p, STARTTLS);
	script_expect(&f.p, PROCEED);
	assert_true(script_tls_offer(&f.p, &f.partner, "fabrikam.example", H2));
	assert_shown(&f, "contoso.example");
	assert_protocol(&f, "");
	finish(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_opens),
		cmocka_unit_test(test_first_headers),
		cmocka_unit_test(test_versions_that_pass),
		cmocka_unit_test(test_without_version),
		cmocka_unit_test(test_plaintext_behind_starttls),
		cmocka_unit_test(test_second_headers),
		cmocka_unit_test(test_nameless),
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_stranger),
		cmocka_unit_test(test_sasl),
		cmocka_unit_test(test_challenge_and_failures),
		cmocka_unit_test(test_stanzas),
		cmocka_unit_test(test_language),
		cmocka_unit_test(test_ignored_elements),
		cmocka_unit_test(test_dialback_refused),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_unread_answers),
		cmocka_unit_test(test_slow_stanza),
		cmocka_unit_test(test_acknowledgements),
		cmocka_unit_test(test_close_and_recheck),
		cmocka_unit_test(test_time_limits),
		cmocka_unit_test(test_peer_error),
		cmocka_unit_test(test_direct_tls),
		cmocka_unit_test(test_direct_opens),
		cmocka_unit_test(test_direct_refusals),
		cmocka_unit_test(test_starttls_takes_no_notice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
