/*
 * carrier: which pairs share an outbound connection, and what becomes of each
 * of them.  The partner's server follows a script and speaks dialback in the
 * clear; both its domains, and a third one of its own, are found in a table.
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

#include "common/clock.h"
#include "common/err.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/resolver_client.h"
#include "edge-proxy/routes.h"
#include "proto/channel.h"
#include "proto/frame.h"
#include "tests/unit/stream_world.h"
#include "tests/unit/resolver_table.inc"

#define L1 "contoso.example"
#define L2 "fabrikam.example"
#define L3 "northwind.example"
#define R1 "partner.example"
#define R2 "other.example"
#define R3 "elsewhere.example"

enum { PEERS = 6 };

/* --- the resolver: all at one port, but R3 -------------------------------- */

static uint16_t port, port_elsewhere;

static void
resolver_know(struct resolver_query *q, const char *name, enum dns_type type)
{
	assert_int_equal(DNS_SRV, type);
	q->answer.count = 1;
	q->srv[0].port = strstr(name, R3) != NULL ? port_elsewhere : port;
	strcpy(q->srv[0].target, "127.0.0.1");
}

/* --- the fixture --------------------------------------------------------- */

struct settled {
	unsigned times;
	struct channel_result r;
	char text[200];
};

struct fixture {
	struct world w;
	struct site edge, elsewhere;
	struct routes *routes;
	bool routes_closed;
	struct script p[PEERS];
	unsigned accepted;
	struct settled s[40];
	struct buf events;
	unsigned ids;
};

static void
on_connection(uv_stream_t *listener, int status)
{
	struct fixture *f = ((struct site *)listener->data)->in_arg;

	assert_int_equal(0, status);
	assert_true(f->accepted < PEERS);
	script_accept(&f->p[f->accepted++], &f->w, listener);
}

static void
make_id(char *out, void *arg)
{
	snprintf(out, STREAM_ID_SIZE, "e.%u", ++((struct fixture *)arg)->ids);
}

static void
on_settled(void *arg, void *cookie, const struct channel_result *r)
{
	struct settled *s = cookie;

	(void)arg;
	s->times++;
	s->r = *r;
	snprintf(s->text, sizeof(s->text), "%s", r->text ? r->text : "");
}

/* "up:contoso+partner " and so on. */
static void
on_event(enum stream_event ev, const struct stream_info *info, void *arg)
{
	struct fixture *f = arg;

	if (ev == STREAM_UPDATE && info->proofs != 0)
		return;
	buf_addf(&f->events, "%s", stream_event_str(ev));
	for (size_t i = 0; i < info->pair_count; i++)
		buf_addf(&f->events, ":%.*s+%.*s",
		    (int)strcspn(info->pairs[i].local, "."),
		    info->pairs[i].local,
		    (int)strcspn(info->pairs[i].remote, "."),
		    info->pairs[i].remote);
	buf_add_char(&f->events, ' ');
}

static void
on_closed(void *arg)
{
	((struct fixture *)arg)->routes_closed = true;
}

#define PLAIN                                                                  \
	",\"TlsNegotiation\":\"NotSupported\",\"SaslNegotiation\":"            \
	"\"NotSupported\",\"SupportDialbackNegotiation\":true}"
#define LAX                                                                    \
	",\"TlsNegotiation\":\"Optional\",\"SaslNegotiation\":\"Optional\","   \
	"\"SupportDialbackNegotiation\":true}"
#define PARTNER(domain, row)                                                   \
	"{\"Domain\":\"" domain "\",\"PartnerType\":\"Federated\"" row
#define ALL            PARTNER(R1, PLAIN) "," PARTNER(R2, PLAIN) "," PARTNER(R3, PLAIN)
#define HOSTED(domain) "{\"domain\":\"" domain "\"}"

static const char *settings = ""; /* members */

/* What a gateway permits: its domains and partners, as JSON. */
static void
permit(struct fixture *f, const char *node, const char *hosted,
    const char *partners)
{
	static unsigned counter = 1000;
	struct frame_writer fw;
	struct buf out, json, confirm;
	struct frame frame;

	buf_init(&json, 0);
	buf_init(&out, 0);
	buf_init(&confirm, 0);
	buf_addf(&json,
	    "{\"generation\":{\"store\":\"s%s\",\"counter\":%u},\"hosted\":[%s]"
	    ",\"partners\":[%s],\"dialback\":{\"current\":"
	    "\"00112233445566778899aabbccddeeff\"},\"settings\":{%s}}",
	    node, ++counter, hosted, partners, settings);
	frame_begin(&fw, &out, FRAME_CONFIG);
	frame_put(&fw, FIELD_JSON, json.data, json.len);
	assert_int_equal(0, frame_end(&fw));
	assert_int_equal(0, frame_decode(&frame, out.data, out.len));
	buf_clear(&json);
	buf_addf(&json, "s%s", node);
	assert_int_equal(0, hosting_apply(f->edge.hosting, node,
				buf_cstr(&json), 1, &frame, &confirm));
	buf_finish(&json);
	buf_finish(&out);
	buf_finish(&confirm);
	if (f->routes != NULL)
		routes_recheck(f->routes);
}

static void
listen_at(struct fixture *f, struct site *s, uint16_t *at)
{
	s->in_arg = f;
	assert_int_equal(
	    0, uv_listen((uv_stream_t *)&s->listener, 8, on_connection));
	*at = ntohs(((struct sockaddr_in *)(void *)&s->addr)->sin_port);
}

static void
begin(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	buf_init(&f->events, 0);
	world_init(&f->w);
	resolver_clock = f->w.clock;
	site_init(
	    &f->edge, &f->w, &(struct site_opts){ .hosted = "x.example" });
	site_init(
	    &f->elsewhere, &f->w, &(struct site_opts){ .hosted = "y.example" });
	/* The sites are no more than two listeners and what the edge needs. */
	listen_at(f, &f->edge, &port);
	listen_at(f, &f->elsewhere, &port_elsewhere);
	permit(f, "gw", HOSTED(L1) "," HOSTED(L2) "," HOSTED(L3), ALL);
	assert_int_equal(0,
	    routes_open(&f->routes, &(struct routes_opts){ .loop = &f->w.loop,
					.clock = f->w.clock,
					.hosting = f->edge.hosting,
					.identities = f->edge.ids,
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
	for (unsigned i = 0; i < f->accepted; i++)
		script_close(&f->p[i]);
	assert_true(world_run(&f->w, &f->routes_closed, 10000));
	site_close(&f->edge);
	site_close(&f->elsewhere);
	world_finish(&f->w);
	site_free(&f->edge);
	site_free(&f->elsewhere);
	buf_finish(&f->events);
}

static void
send_one(struct fixture *f, unsigned n, const char *local, const char *remote,
    const char *barrier)
{
	char xml[200];
	const struct route_stanza s = {
		.local = local,
		.remote = remote,
		.xml = xml,
		.len = (size_t)snprintf(xml, sizeof(xml),
		    "<message from='a@%s' to='b@%s' id='m%u'/>", local, remote,
		    n),
		.barrier = barrier,
		.cookie = &f->s[n],
	};

	assert_int_equal(0, routes_send(f->routes, &s));
}

static void
until_settled(struct fixture *f, unsigned n)
{
	for (int i = 0; i < 1500 && f->s[n].times == 0; i++)
		world_pass(&f->w, 2);
	if (f->s[n].times == 0)
		fail_msg("m%u not settled; %s", n, buf_cstr(&f->events));
	assert_int_equal(1, f->s[n].times);
}

static void
assert_delivered(struct fixture *f, unsigned n, enum proof by)
{
	until_settled(f, n);
	if (!f->s[n].r.delivered)
		fail_msg("m%u failed: %s", n, f->s[n].text);
	assert_int_equal(by, f->s[n].r.proof);
}

static void
assert_failed(struct fixture *f, unsigned n, enum condition c)
{
	until_settled(f, n);
	assert_false(f->s[n].r.delivered);
	assert_string_equal(
	    condition_str(c), condition_str(f->s[n].r.condition));
}

static void
until_accepted(struct fixture *f, unsigned n)
{
	for (int i = 0; i < 1500 && f->accepted < n; i++)
		world_pass(&f->w, 2);
	assert_int_equal(n, f->accepted);
}

/* --- the partner --------------------------------------------------------- */

#define BARE "<dialback xmlns='urn:xmpp:features:dialback'/>"
#define ERRORS                                                                 \
	"<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"

static void
expect_key(
    struct fixture *f, unsigned peer, const char *local, const char *remote)
{
	char text[200];

	snprintf(text, sizeof(text),
	    "<db:result xmlns:db='jabber:server:dialback' "
	    "from='%s' to='%s'>",
	    local, remote);
	script_expect(&f->p[peer], text);
}

static void
verdict(struct fixture *f, unsigned peer, const char *local, const char *remote,
    const char *type)
{
	char text[400];

	snprintf(text, sizeof(text),
	    "<db:result xmlns:db='jabber:server:dialback' from='%s' to='%s' "
	    "type='%s'>%s</db:result>",
	    remote, local, type,
	    strcmp(type, "error") == 0
		? "<error type='cancel'><forbidden xmlns='urn:ietf:params:xml:"
		  "ns:xmpp-stanzas'/></error>"
		: "");
	script_send(&f->p[peer], text);
}

static void
let_in(struct fixture *f, unsigned peer, const char *local, const char *remote)
{
	expect_key(f, peer, local, remote);
	verdict(f, peer, local, remote, "valid");
}

/* The header is there; features are sent. */
static void
greet(struct fixture *f, unsigned peer, const char *local, const char *remote,
    const char *features)
{
	char text[400];

	until_accepted(f, peer + 1);
	snprintf(text, sizeof(text), "from='%s' to='%s'", local, remote);
	script_expect(&f->p[peer], text);
	snprintf(text, sizeof(text),
	    "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx."
	    "jabber.org/streams' xmlns:db='jabber:server:dialback' from='%s' "
	    "to='%s' version='1.0' id='i%u'><stream:features>%s"
	    "</stream:features>",
	    remote, local, peer, features);
	script_send(&f->p[peer], text);
}

static void
expect_message(struct fixture *f, unsigned peer, unsigned n)
{
	char text[40];

	snprintf(text, sizeof(text), "id='m%u'/>", n);
	script_expect(&f->p[peer], text);
}

/* One stream that carries L1 to R1. */
static void
go_up(struct fixture *f, const char *features)
{
	begin(f);
	send_one(f, 0, L1, R1, NULL);
	greet(f, 0, L1, R1, features);
	let_in(f, 0, L1, R1);
	expect_message(f, 0, 0);
	assert_delivered(f, 0, PROOF_TCP);
}

/* ... and one more pair. */
static void
go_shared(struct fixture *f, const char *features, const char *local,
    const char *remote)
{
	go_up(f, features);
	send_one(f, 1, local, remote, NULL);
	let_in(f, 0, local, remote);
	expect_message(f, 0, 1);
	assert_delivered(f, 1, PROOF_TCP);
}

/* --- who shares ---------------------------------------------------------- */

/* Asked for at the same time: no connection but one, whoever is asked for. */
static void
test_at_the_same_time(void **state)
{
	static const struct {
		const char *local, *remote, *features;
		bool shared;
	} rows[] = {
		{ L2, R1, ERRORS, true },
		{ L1, R2, ERRORS, true },
		{ L2, R2, ERRORS, true },
		/* dialback alone is no offer to carry more */
		{ L2, R1, BARE, false },
		{ L2, R1, "", false },
		{ L1, R2, BARE, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;
		unsigned peer = rows[i].shared ? 0 : 1;

		begin(&f);
		send_one(&f, 0, L1, R1, NULL);
		send_one(&f, 1, rows[i].local, rows[i].remote, NULL);
		greet(&f, 0, L1, R1, rows[i].features);
		let_in(&f, 0, L1, R1);
		if (peer == 1) {
			expect_message(&f, 0, 0);
			greet(&f, 1, rows[i].local, rows[i].remote,
			    rows[i].features);
		}
		let_in(&f, peer, rows[i].local, rows[i].remote);
		expect_message(&f, peer, 1);
		world_pass(&f.w, 300);
		assert_int_equal(peer + 1, f.accepted);
		assert_delivered(&f, 0, PROOF_TCP);
		assert_delivered(&f, 1, PROOF_TCP);
		finish(&f);
	}
}

/* A stream that is up is joined; the one who watches is told. */
static void
test_later(void **state)
{
	struct fixture f;

	(void)state;
	go_shared(&f, ERRORS, L2, R1);
	send_one(&f, 2, L2, R2, NULL);
	let_in(&f, 0, L2, R2);
	expect_message(&f, 0, 2);
	send_one(&f, 3, L1, R1, NULL);
	expect_message(&f, 0, 3);
	send_one(&f, 4, L1, R3, NULL);
	greet(&f, 1, L1, R3, ERRORS);
	let_in(&f, 1, L1, R3);
	expect_message(&f, 1, 4);
	assert_int_equal(2, f.accepted);
	assert_string_equal(
	    "up:contoso+partner update:contoso+partner:fabrikam+partner "
	    "update:contoso+partner:fabrikam+partner:fabrikam+other "
	    "up:contoso+elsewhere ",
	    buf_cstr(&f.events));
	finish(&f);
}

#define OLD(more)                                                              \
	"<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx."    \
	"jabber.org/streams'" more ">"
#define DB_NS " xmlns:db='jabber:server:dialback'"
/* A server whose header has no version (RFC 6120 4.7.5): dialback at once, where
 * it may be in the clear; each pair has a stream of its own, since he does no
 * errors. */
static void
test_without_version(void **state)
{
	static const struct {
		const char *row, *header, *says;
	} rows[] = {
		{ PLAIN, OLD(DB_NS " id='old'"), NULL },
		{ LAX, OLD(DB_NS " id='old'"), NULL },
		{ PLAIN, OLD(" id='old'"), "</stream:stream>" },
		{ PLAIN, OLD(DB_NS), "</stream:stream>" },
		{ PLAIN, OLD(DB_NS " id='old' version='0.9'"),
		    "<unsupported-version" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;
		char partners[300];

		begin(&f);
		snprintf(partners, sizeof(partners),
		    "{\"Domain\":\"" R1 "\",\"PartnerType\":\"Federated\","
		    "\"EnableKeepAlive\":false%s",
		    rows[i].row);
		permit(&f, "gw", HOSTED(L1) "," HOSTED(L2), partners);
		send_one(&f, 0, L1, R1, NULL);
		until_accepted(&f, 1);
		script_expect(&f.p[0], "version='1.0'");
		script_expect(&f.p[0], ">");
		script_send(&f.p[0], rows[i].header);
		if (rows[i].says != NULL) {
			assert_true(script_ended_with(&f.p[0], rows[i].says));
			assert_failed(&f, 0, COND_REMOTE_SERVER_TIMEOUT);
			finish(&f);
			continue;
		}
		let_in(&f, 0, L1, R1);
		expect_message(&f, 0, 0);
		assert_delivered(&f, 0, PROOF_TCP);
		send_one(&f, 1, L2, R1, NULL);
		until_accepted(&f, 2);
		script_expect(&f.p[1], "from='" L2 "'");
		script_send(&f.p[1], rows[i].header);
		let_in(&f, 1, L2, R1);
		expect_message(&f, 1, 1);
		/* and it hears nothing that is no stanza, until it is idle */
		world_skip(&f.w, 599000);
		assert_false(script_has(&f.p[0], " "));
		world_skip(&f.w, 1100);
		script_expect(&f.p[0], "</stream:stream>");
		finish(&f);
	}
}

/* One connection more than a partner, or all, may have is not opened; those that
 * are go on, and a place that gets free is used. */
static void
test_limits(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	permit(&f, "gw", HOSTED(L1) "," HOSTED(L2) "," HOSTED(L3),
	    PARTNER(R1, ",\"ConnectionLimit\":1" PLAIN) "," PARTNER(
		R2, PLAIN) "," PARTNER(R3, PLAIN));
	send_one(&f, 0, L1, R1, NULL);
	greet(&f, 0, L1, R1, BARE);
	let_in(&f, 0, L1, R1);
	send_one(&f, 1, L2, R1, NULL);
	assert_failed(&f, 1, COND_RESOURCE_CONSTRAINT);
	send_one(&f, 2, L1, R2, NULL);
	greet(&f, 1, L1, R2, BARE);
	let_in(&f, 1, L1, R2);
	settings = "\"connection_limit\":2";
	hosting_drop(f.edge.hosting, "gw1"); /* which permits more */
	permit(&f, "gw", HOSTED(L1) "," HOSTED(L2) "," HOSTED(L3), ALL);
	send_one(&f, 3, L1, R3, NULL);
	assert_failed(&f, 3, COND_RESOURCE_CONSTRAINT);
	send_one(&f, 4, L1, R1, NULL);
	assert_delivered(&f, 4, PROOF_TCP);
	settings = "";
	permit(&f, "gw", HOSTED(L1) "," HOSTED(L2) "," HOSTED(L3), ALL);
	world_skip(&f.w, 3600 * 1000);
	send_one(&f, 5, L1, R3, NULL);
	greet(&f, 2, L1, R3, BARE);
	let_in(&f, 2, L1, R3);
	assert_delivered(&f, 5, PROOF_TCP);
	finish(&f);
}

/* A partner's limit is that of all his domains together. */
static void
test_limit_of_a_row(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	permit(&f, "gw", HOSTED(L1) "," HOSTED(L2) "," HOSTED(L3),
	    PARTNER(R1, ",\"AdditionalDomains\":[\"" R2 "\"]"
			",\"ConnectionLimit\":1" PLAIN) "," PARTNER(R3, PLAIN));
	send_one(&f, 0, L1, R1, NULL);
	greet(&f, 0, L1, R1, BARE);
	let_in(&f, 0, L1, R1);
	send_one(&f, 1, L1, R2, NULL);
	assert_failed(&f, 1, COND_RESOURCE_CONSTRAINT);
	send_one(&f, 2, L1, R3, NULL);
	greet(&f, 1, L1, R3, BARE);
	let_in(&f, 1, L1, R3);
	assert_delivered(&f, 2, PROOF_TCP);
	finish(&f);
}

/* Where the row would have got something better elsewhere. */
static void
test_not_for_worse(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	permit(&f, "gw", HOSTED(L1) "," HOSTED(L2) "," HOSTED(L3),
	    PARTNER(R1, PLAIN) "," PARTNER(R2, LAX));
	send_one(&f, 0, L1, R1, NULL);
	greet(&f, 0, L1, R1, ERRORS);
	let_in(&f, 0, L1, R1);
	send_one(&f, 1, L1, R2, NULL);
	greet(&f, 1, L1, R2, ERRORS);
	let_in(&f, 1, L1, R2);
	expect_message(&f, 1, 1);
	finish(&f);
}

/* --- refusals ------------------------------------------------------------ */

/* Costs the pair a connection of its own, and nobody else anything; it does not
 * ask again. */
static void
test_refused(void **state)
{
	static const char *const types[] = { "error", "invalid", NULL };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct fixture f;

		go_up(&f, ERRORS);
		send_one(&f, 1, L1, R1, "sp1-gw-0-a");
		send_one(&f, 2, L2, R1, NULL);
		expect_key(&f, 0, L2, R1);
		if (types[i] != NULL)
			verdict(&f, 0, L2, R1, types[i]);
		else
			world_skip(&f.w, 10001); /* not a word */
		greet(&f, 1, L2, R1, ERRORS);
		/* late, or made up */
		verdict(&f, 0, L2, R1, "valid");
		let_in(&f, 1, L2, R1);
		expect_message(&f, 1, 2);
		send_one(&f, 3, L1, R1, NULL);
		expect_message(&f, 0, 3);
		routes_proof(f.routes, "sp1-gw-0-a");
		assert_delivered(&f, 1, PROOF_PING);
		/* its connection gone: another one, and no word to the first */
		script_send(&f.p[1], "</stream:stream>");
		world_pass(&f.w, 50);
		send_one(&f, 4, L2, R1, NULL);
		greet(&f, 2, L2, R1, ERRORS);
		let_in(&f, 2, L2, R1);
		expect_message(&f, 2, 4);
		assert_null(strstr(buf_cstr(&f.p[0].seen), "db:result"));
		/* an hour later it does; the first has gone for idleness */
		world_skip(&f.w, 3600001);
		send_one(&f, 5, L1, R1, NULL);
		send_one(&f, 6, L2, R1, NULL);
		greet(&f, 3, L1, R1, ERRORS);
		let_in(&f, 3, L1, R1);
		let_in(&f, 3, L2, R1);
		expect_message(&f, 3, 6);
		finish(&f);
	}
}

/* Refused there as well: its own senders are told, once. */
static void
test_refused_twice(void **state)
{
	struct fixture f;

	(void)state;
	go_up(&f, ERRORS);
	send_one(&f, 1, L2, R1, NULL);
	expect_key(&f, 0, L2, R1);
	verdict(&f, 0, L2, R1, "error");
	greet(&f, 1, L2, R1, ERRORS);
	expect_key(&f, 1, L2, R1);
	verdict(&f, 1, L2, R1, "invalid");
	assert_failed(&f, 1, COND_INTERNAL_SERVER_ERROR);
	send_one(&f, 2, L1, R1, NULL);
	expect_message(&f, 0, 2);
	world_pass(&f.w, 300);
	assert_int_equal(2, f.accepted);
	finish(&f);
}

/* The refusal is a stream error: the pairs that were carried are not to blame,
 * and are not left alone for it. */
static void
test_closed_for_asking(void **state)
{
	struct fixture f;

	(void)state;
	go_up(&f, ERRORS);
	send_one(&f, 1, L2, R1, NULL);
	expect_key(&f, 0, L2, R1);
	script_send(&f.p[0],
	    "<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-"
	    "streams'/></stream:error></stream:stream>");
	greet(&f, 1, L2, R1, ERRORS);
	expect_key(&f, 1, L2, R1);
	send_one(&f, 2, L1, R1, NULL);
	verdict(&f, 1, L2, R1, "invalid");
	assert_failed(&f, 1, COND_INTERNAL_SERVER_ERROR);
	greet(&f, 2, L1, R1, ERRORS);
	let_in(&f, 2, L1, R1);
	expect_message(&f, 2, 2);
	finish(&f);
}

/* --- ends ---------------------------------------------------------------- */

/* Each has its own proof: an answer takes the way of its pair. */
static void
test_pings_are_each_pairs_own(void **state)
{
	struct fixture f;

	(void)state;
	go_shared(&f, ERRORS, L2, R2);
	send_one(&f, 2, L1, R1, "sp1-gw-0-a");
	send_one(&f, 3, L2, R2, "sp1-gw-1-b");
	script_expect(&f.p[0],
	    "<iq type='get' id='sp1-gw-0-a' from='" L1 "' to='" R1 "'>");
	script_expect(&f.p[0],
	    "<iq type='get' id='sp1-gw-1-b' from='" L2 "' to='" R2 "'>");
	routes_proof(f.routes, "sp1-gw-1-b");
	assert_delivered(&f, 3, PROOF_PING);
	assert_int_equal(0, f.s[2].times);
	/* 30 s without an answer to a pair that did get some: that pair goes
	 * elsewhere */
	send_one(&f, 4, L2, R2, "sp1-gw-2-c");
	send_one(&f, 5, L1, R1, NULL);
	world_skip(&f.w, 2001);
	routes_proof(f.routes, "sp1-gw-0-a");
	assert_delivered(&f, 2, PROOF_PING);
	world_skip(&f.w, 28001);
	assert_failed(&f, 4, COND_REMOTE_SERVER_TIMEOUT);
	send_one(&f, 6, L2, R2, NULL);
	greet(&f, 1, L2, R2, ERRORS);
	let_in(&f, 1, L2, R2);
	expect_message(&f, 1, 6);
	send_one(&f, 7, L1, R1, NULL);
	expect_message(&f, 0, 7);
	assert_string_equal(
	    "up:contoso+partner update:contoso+partner:fabrikam+other "
	    "up:fabrikam+other ",
	    buf_cstr(&f.events));
	finish(&f);
}

#define SM " xmlns='urn:xmpp:sm:3'"

/* The partner counts what comes in on the stream, of whatever pair. */
static void
test_the_count_is_the_streams(void **state)
{
	struct fixture f;

	(void)state;
	go_shared(&f, ERRORS "<sm" SM "/>", L2, R1);
	script_send(&f.p[0], "<enabled" SM "/>");
	world_pass(&f.w, 20);
	send_one(&f, 2, L1, R1, "sp1-gw-0-a"); /* number 3, its ping 4 */
	send_one(&f, 3, L2, R1, "sp1-gw-1-b"); /* number 5, its ping 6 */
	send_one(&f, 4, L1, R1, "sp1-gw-2-c"); /* number 7, no ping */
	expect_message(&f, 0, 4);
	script_send(&f.p[0], "<a" SM " h='6'/>");
	world_pass(&f.w, 50);
	script_close(&f.p[0]);
	buf_init(&f.p[0].seen, 0);
	assert_delivered(&f, 2, PROOF_ACK);
	assert_delivered(&f, 3, PROOF_ACK);
	assert_failed(&f, 4, COND_REMOTE_SERVER_TIMEOUT);
	assert_string_equal(
	    "up:contoso+partner update:contoso+partner:fabrikam+partner "
	    "down:contoso+partner:fabrikam+partner ",
	    strstr(buf_cstr(&f.events), "up:"));
	f.p[0].conn = NULL;
	finish(&f);
}

/* The end of a stream settles all its pairs; what waits goes with one new
 * stream. */
static void
test_the_end_is_everybodys(void **state)
{
	struct fixture f;

	(void)state;
	go_shared(&f, ERRORS, L2, R1);
	send_one(&f, 2, L1, R1, "sp1-gw-0-a");
	send_one(&f, 3, L2, R1, "sp1-gw-1-b");
	expect_message(&f, 0, 3);
	/* one that still asks */
	send_one(&f, 4, L3, R1, NULL);
	expect_key(&f, 0, L3, R1);
	script_send(&f.p[0], "</stream:stream>");
	assert_failed(&f, 2, COND_REMOTE_SERVER_TIMEOUT);
	assert_failed(&f, 3, COND_REMOTE_SERVER_TIMEOUT);
	greet(&f, 1, L3, R1, ERRORS);
	let_in(&f, 1, L3, R1);
	expect_message(&f, 1, 4);
	send_one(&f, 5, L1, R1, NULL);
	send_one(&f, 6, L2, R1, NULL);
	let_in(&f, 1, L1, R1);
	let_in(&f, 1, L2, R1);
	expect_message(&f, 1, 6);
	assert_delivered(&f, 5, PROOF_TCP);
	assert_int_equal(2, f.accepted);
	finish(&f);
}

/* A server that is not there is tried once for all who want it. */
static void
test_nobody_there(void **state)
{
	struct fixture f;
	uint16_t was;

	(void)state;
	begin(&f);
	was = port;
	port = 1;
	send_one(&f, 0, L1, R1, NULL);
	send_one(&f, 1, L2, R1, NULL);
	send_one(&f, 2, L3, R1, NULL);
	assert_failed(&f, 0, COND_REMOTE_SERVER_TIMEOUT);
	assert_failed(&f, 1, COND_REMOTE_SERVER_TIMEOUT);
	assert_failed(&f, 2, COND_REMOTE_SERVER_TIMEOUT);
	assert_int_equal(1, f.ids);
	assert_non_null(strstr(buf_cstr(&f.events), "failed:contoso+partner "));
	assert_non_null(
	    strstr(buf_cstr(&f.events), "failed:fabrikam+partner "));
	port = was;
	finish(&f);
}

/* The one for whom it is connected is refused there: the others try. */
static void
test_the_first_is_not_wanted(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	send_one(&f, 0, L1, R1, NULL);
	send_one(&f, 1, L2, R1, NULL);
	send_one(&f, 2, L3, R1, NULL);
	greet(&f, 0, L1, R1, ERRORS);
	expect_key(&f, 0, L1, R1);
	verdict(&f, 0, L1, R1, "error");
	assert_failed(&f, 0, COND_REMOTE_SERVER_TIMEOUT);
	greet(&f, 1, L2, R1, ERRORS);
	let_in(&f, 1, L2, R1);
	let_in(&f, 1, L3, R1);
	expect_message(&f, 1, 2);
	assert_int_equal(2, f.accepted);
	finish(&f);
}

/* --- configuration ------------------------------------------------------- */

/* A pair that is permitted no more leaves; the stream stays for the others,
 * until the last one goes. */
static void
test_a_pair_is_taken_away(void **state)
{
	struct fixture f;

	(void)state;
	go_shared(&f, ERRORS, L1, R2);
	send_one(&f, 2, L1, R2, "sp1-gw-0-a");
	send_one(&f, 3, L1, R1, "sp1-gw-1-b");
	expect_message(&f, 0, 3);
	permit(&f, "gw", HOSTED(L1), PARTNER(R1, PLAIN));
	assert_failed(&f, 2, COND_REMOTE_SERVER_TIMEOUT);
	assert_int_equal(0, f.s[3].times);
	send_one(&f, 4, L1, R2, NULL);
	assert_failed(&f, 4, COND_NOT_ALLOWED);
	send_one(&f, 5, L1, R1, NULL);
	expect_message(&f, 0, 5);
	routes_proof(f.routes, "sp1-gw-1-b");
	assert_delivered(&f, 3, PROOF_PING);
	permit(&f, "gw", HOSTED(L1), "");
	assert_true(
	    strstr(buf_cstr(&f.events),
		"update:contoso+partner down:contoso+partner ") != NULL);
	script_expect(&f.p[0], "</stream:stream>");
	assert_int_equal(1, f.accepted);
	finish(&f);
}

/* The first pair goes, the one that joined stays. */
static void
test_the_first_pair_is_taken_away(void **state)
{
	struct fixture f;

	(void)state;
	go_shared(&f, ERRORS, L1, R2);
	permit(&f, "gw", HOSTED(L1), PARTNER(R2, PLAIN));
	send_one(&f, 2, L1, R2, NULL);
	expect_message(&f, 0, 2);
	/* asking for it is not in question any more */
	permit(&f, "gw", HOSTED(L1) "," HOSTED(L2),
	    PARTNER(R2, PLAIN) "," PARTNER(R1, PLAIN));
	send_one(&f, 3, L1, R1, NULL);
	let_in(&f, 0, L1, R1);
	expect_message(&f, 0, 3);
	assert_int_equal(1, f.accepted);
	finish(&f);
}

/* While it asks, or waits, or is connected for. */
static void
test_taken_away_on_the_way(void **state)
{
	struct fixture f;

	(void)state;
	go_up(&f, ERRORS);
	send_one(&f, 1, L1, R2, NULL);
	expect_key(&f, 0, L1, R2);
	permit(&f, "gw", HOSTED(L1) "," HOSTED(L2), PARTNER(R1, PLAIN));
	assert_failed(&f, 1, COND_NOT_ALLOWED);
	verdict(&f, 0, L1, R2, "valid");
	world_pass(&f.w, 50);
	assert_string_equal("up:contoso+partner ", buf_cstr(&f.events));
	finish(&f);

	begin(&f);
	send_one(&f, 0, L1, R1, NULL);
	send_one(&f, 1, L2, R1, NULL);
	until_accepted(&f, 1);
	permit(&f, "gw", HOSTED(L2), PARTNER(R1, PLAIN));
	assert_failed(&f, 0, COND_NOT_ALLOWED);
	greet(&f, 1, L2, R1, ERRORS);
	let_in(&f, 1, L2, R1);
	expect_message(&f, 1, 1);
	finish(&f);
}

/* Pairs of two gateways: the one that has none left on the stream hears that it
 * is down. */
static void
test_two_gateways(void **state)
{
	struct fixture f;

	(void)state;
	go_up(&f, ERRORS);
	permit(&f, "gw", HOSTED(L1), PARTNER(R1, PLAIN));
	permit(&f, "gx", HOSTED(L2), PARTNER(R1, PLAIN));
	send_one(&f, 1, L2, R1, NULL);
	let_in(&f, 0, L2, R1);
	expect_message(&f, 0, 1);
	buf_clear(&f.events);
	permit(&f, "gx", HOSTED(L2), "");
	assert_string_equal("update:contoso+partner down:fabrikam+partner ",
	    buf_cstr(&f.events));
	finish(&f);
}

static void
on_each(const struct stream_info *info, void *arg)
{
	char *text = arg;

	snprintf(text + strlen(text), 200 - strlen(text), "%zu/%llu/%zu ",
	    info->pair_count, (unsigned long long)info->stanzas_out,
	    info->unanswered);
}

static void
test_listing(void **state)
{
	struct fixture f;
	char text[200] = "";

	(void)state;
	go_shared(&f, ERRORS, L2, R1);
	send_one(&f, 2, L1, R1, "sp1-gw-0-a");
	send_one(&f, 3, L2, R1, "sp1-gw-1-b");
	routes_each_stream(f.routes, on_each, text);
	assert_string_equal("2/4/2 ", text);
	finish(&f);
}

/* Everything at once at the end, whatever state each is in. */
static void
test_close(void **state)
{
	struct fixture f;

	(void)state;
	go_up(&f, ERRORS);
	send_one(&f, 1, L1, R1, "sp1-gw-0-a");
	send_one(&f, 2, L2, R1, NULL); /* asks */
	send_one(&f, 3, L1, R3, NULL); /* is connected for */
	send_one(&f, 4, L2, R3, NULL); /* waits */
	until_accepted(&f, 2);
	finish(&f);
	for (unsigned i = 1; i < 5; i++) {
		assert_int_equal(1, f.s[i].times);
		assert_false(f.s[i].r.delivered);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_at_the_same_time),
		cmocka_unit_test(test_later),
		cmocka_unit_test(test_without_version),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_limit_of_a_row),
		cmocka_unit_test(test_not_for_worse),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_twice),
		cmocka_unit_test(test_closed_for_asking),
		cmocka_unit_test(test_pings_are_each_pairs_own),
		cmocka_unit_test(test_the_count_is_the_streams),
		cmocka_unit_test(test_the_end_is_everybodys),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_the_first_is_not_wanted),
		cmocka_unit_test(test_a_pair_is_taken_away),
		cmocka_unit_test(test_the_first_pair_is_taken_away),
		cmocka_unit_test(test_taken_away_on_the_way),
		cmocka_unit_test(test_two_gateways),
		cmocka_unit_test(test_listing),
		cmocka_unit_test(test_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
