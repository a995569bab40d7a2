/*
 * routes, connector and s2s_out, towards a real inbound stream of ours and
 * towards servers that follow a script.  The resolver is a table.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/tls_accept.h"
#include "common/tls_identity.h"
#include "common/xml.h"
#include "edge-proxy/resolver_client.h"
#include "edge-proxy/routes.h"
#include "edge-proxy/s2s_in.h"
#include "proto/channel.h"
#include "tests/unit/stream_world.h"
#include "tests/unit/resolver_table.inc"

#define LOCAL  "contoso.example"
#define REMOTE "partner.example"

/* --- the resolver -------------------------------------------------------- */

struct record {
	const char *name;
	enum dns_type type;
	enum dns_status status;
	size_t count;
	struct dns_srv srv[8];
	const char *addr;
	uint64_t late_ms;
};

static struct record zone[12];
static size_t zone_count;
static char asked[1000];

static void
resolver_know(struct resolver_query *q, const char *name, enum dns_type type)
{
	const struct record *r = NULL;

	snprintf(asked + strlen(asked), sizeof(asked) - strlen(asked), "%s/%d ",
	    name, (int)type);
	for (size_t i = 0; i < zone_count; i++) {
		if (zone[i].type == type && strcmp(zone[i].name, name) == 0)
			r = &zone[i];
	}
	if (r == NULL)
		return;
	q->answer.status = r->status;
	q->late_ms = r->late_ms;
	q->answer.count = r->count;
	memcpy(q->srv, r->srv, sizeof(q->srv));
	if (r->addr != NULL) {
		q->answer.count = 1;
		uv_ip4_addr(r->addr, 0, (struct sockaddr_in *)&q->addr);
	}
}

#define PEER_HEADER                                                            \
	"<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx."    \
	"jabber.org/streams' from='partner.example' to='contoso.example' "     \
	"version='1.0' id='1'>"
#define PEER_STARTTLS                                                          \
	"<stream:features><starttls "                                          \
	"xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>"
#define PEER_PROCEED "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
#define SASL         "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"
#define PEER_EXTERNAL                                                          \
	"<stream:features><mechanisms " SASL                                   \
	"><mechanism>EXTERNAL</mechanism></mechanisms></stream:features>"

/* --- the fixture --------------------------------------------------------- */

struct settled {
	unsigned times;
	struct channel_result r;
	char text[200];
};

struct fixture {
	struct world w;
	struct site edge, partner, second;
	struct routes *routes;
	bool routes_closed;
	struct buf seen; /* stanzas at the partner */
	unsigned stanzas;
	bool in_up, in_ended, pause_in;
	bool handles;    /* the partner counts every stanza as done with */
	unsigned proofs; /* last reported */
	struct s2s_in *in;
	struct buf events;
	bool something; /* settled or told */
	struct settled s[400];
	unsigned settled;
	unsigned ids;
	bool here; /* a stream of the partner's own is up */
	/* a scripted server in place of the partner */
	struct script p;
	bool accepted;
	struct tls_accept *at_once; /* it begins with TLS */
};

static void
on_in_event(struct s2s_in *s, enum stream_event ev,
    const struct stream_info *info, void *arg)
{
	struct fixture *f = arg;

	(void)info;
	if (ev == STREAM_UP)
		f->in_up = true;
	f->in = s;
	if (f->pause_in)
		s2s_in_pause(s);
}

static void
on_in_stanza(struct s2s_in *s, const struct xml_elem *e, const struct jid *from,
    const struct jid *to, void *arg)
{
	struct fixture *f = arg;

	(void)s;
	(void)from;
	(void)to;
	f->stanzas++;
	if (xml_child(e, "urn:xmpp:delay", "delay") != NULL)
		buf_add_str(&f->seen, "late:");
	if (xml_child(e, "urn:xmpp:ping", "ping") != NULL)
		buf_addf(&f->seen, "ping:%s ", xml_attr(e, "id"));
	else
		buf_addf(&f->seen, "%s ", xml_attr(e, "id"));
	if (f->handles)
		s2s_in_handled(s, f->stanzas);
}

static void
on_in_end(
    struct s2s_in *s, bool was_up, const struct stream_info *info, void *arg)
{
	struct fixture *f = arg;

	(void)was_up;
	(void)info;
	if (f->in == s) {
		f->in_ended = true;
		f->in = NULL;
	}
}

static const struct s2s_in_events in_events = {
	.on_event = on_in_event,
	.on_stanza = on_in_stanza,
	.on_end = on_in_end,
};

static void
make_id(char *out, void *arg)
{
	struct fixture *f = arg;

	snprintf(out, STREAM_ID_SIZE, "edge1.0.%u", ++f->ids);
}

static void
on_settled(void *arg, void *cookie, const struct channel_result *r)
{
	struct fixture *f = arg;
	struct settled *s = cookie;

	s->times++;
	s->r = *r;
	snprintf(s->text, sizeof(s->text), "%s", r->text ? r->text : "");
	f->settled++;
	f->something = true;
}

static void
on_event(enum stream_event ev, const struct stream_info *info, void *arg)
{
	struct fixture *f = arg;

	assert_int_equal(STREAM_OUT, info->direction);
	assert_int_equal(1, info->pair_count);
	assert_string_equal(LOCAL, info->pairs[0].local);
	assert_string_equal(REMOTE, info->pairs[0].remote);
	assert_true(info->id[0] != '\0');
	if (ev == STREAM_UP) {
		assert_string_equal("external", info->auth);
		assert_string_equal("TLSv1.3", info->tls);
		assert_null(info->reason);
	}
	if (ev == STREAM_FAILED) {
		assert_non_null(info->condition);
		assert_non_null(info->reason);
	}
	f->proofs = info->proofs;
	/* which comes first is not ours to say */
	if (ev == STREAM_UPDATE && (info->proofs & 1u << PROOF_ACK) != 0)
		return;
	buf_addf(&f->events, "%s", stream_event_str(ev));
	if (ev == STREAM_UPDATE)
		buf_addf(&f->events, ":%u", info->proofs);
	if (info->condition != NULL)
		buf_addf(&f->events, ":%s", info->condition);
	buf_add_char(&f->events, ' ');
	f->something = true;
}

static bool
is_here(void *arg, const char *remote)
{
	assert_string_equal(REMOTE, remote);
	return ((struct fixture *)arg)->here;
}

static void
on_closed(void *arg)
{
	((struct fixture *)arg)->routes_closed = true;
}

static struct record *
zone_add(const char *name, enum dns_type type, enum dns_status status)
{
	struct record *r = &zone[zone_count++];

	*r = (struct record){ .name = name, .type = type, .status = status };
	return r;
}

static uint16_t
port_of(const struct site *s)
{
	return ntohs(((const struct sockaddr_in *)&s->addr)->sin_port);
}

/* SRV of the partner to that port of loopback. */
static void
zone_target(struct record *srv, uint16_t priority, uint16_t port)
{
	struct dns_srv *v = &srv->srv[srv->count++];

	*v = (struct dns_srv){ .priority = priority, .port = port };
	snprintf(v->target, sizeof(v->target), "xmpp.partner.example");
}

static void
zone_of_partner(struct fixture *f)
{
	zone_count = 0;
	zone_target(
	    zone_add("_xmpp-server._tcp.partner.example", DNS_SRV, DNS_OK), 1,
	    port_of(&f->partner));
	zone_add("xmpp.partner.example", DNS_A, DNS_OK)->addr = "127.0.0.1";
}

static void
begin_with(
    struct fixture *f, const struct site_opts *partner, const char *settings)
{
	memset(f, 0, sizeof(*f));
	buf_init(&f->seen, 0);
	buf_init(&f->events, 0);
	world_init(&f->w);
	resolver_clock = f->w.clock;
	asked[0] = '\0';
	site_init(&f->edge, &f->w,
	    &(struct site_opts){
		.hosted = LOCAL, .partner = REMOTE, .settings = settings });
	site_init(&f->partner, &f->w, partner);
	zone_of_partner(f);
	assert_int_equal(0,
	    routes_open(&f->routes, &(struct routes_opts){ .loop = &f->w.loop,
					.clock = f->w.clock,
					.hosting = f->edge.hosting,
					.identities = f->edge.ids,
					.make_id = make_id,
					.on_settled = on_settled,
					.on_event = on_event,
					.is_here = is_here,
					.on_closed = on_closed,
					.arg = f }));
}

/* in_arg cannot be named in a compound literal of the caller */
static void
begin_opts(struct fixture *f, struct site_opts o, const char *settings)
{
	o.hosted = REMOTE;
	if (o.partner == NULL)
		o.partner = LOCAL;
	o.in_events = &in_events;
	o.in_arg = f;
	begin_with(f, &o, settings);
}

static void
begin(struct fixture *f)
{
	begin_opts(f, (struct site_opts){ 0 }, NULL);
}

static void
on_connection(uv_stream_t *listener, int status)
{
	struct fixture *f = ((struct site *)listener->data)->in_arg;

	assert_int_equal(0, status);
	script_accept(&f->p, &f->w, listener);
	f->accepted = true;
	if (f->at_once == NULL)
		return;
	assert_int_equal(
	    0, conn_start_tls_server(f->p.conn, f->partner.raw->server, 0));
	assert_int_equal(0, tls_accept_set(conn_ssl(f->p.conn), f->at_once));
}

/* The partner is a script. */
static void
begin_scripted(struct fixture *f)
{
	begin_with(
	    f, &(struct site_opts){ .hosted = REMOTE, .partner = LOCAL }, NULL);
	f->partner.in_arg = f;
	assert_int_equal(0,
	    uv_listen((uv_stream_t *)&f->partner.listener, 4, on_connection));
}

static void
finish(struct fixture *f)
{
	routes_close(f->routes);
	if (f->in != NULL) /* who holds nothing back has no reason to wait */
		s2s_in_handled(f->in, f->stanzas);
	if (f->accepted)
		script_close(&f->p);
	assert_true(world_run(&f->w, &f->routes_closed, 10000));
	if (f->in != NULL) {
		s2s_in_resume(f->in);
		assert_true(world_run(&f->w, &f->in_ended, 10000));
	}
	site_close(&f->edge);
	site_close(&f->partner);
	world_finish(&f->w);
	site_free(&f->edge);
	site_free(&f->partner);
	buf_finish(&f->seen);
	buf_finish(&f->events);
}

static int
send_one(struct fixture *f, unsigned n, const char *barrier)
{
	char xml[200];

	snprintf(xml, sizeof(xml),
	    "<message from='anna@contoso.example' to='bo@partner.example' "
	    "id='m%u'/>",
	    n);
	return routes_send(f->routes, &(struct route_stanza){ .local = LOCAL,
					  .remote = REMOTE,
					  .xml = xml,
					  .len = strlen(xml),
					  .barrier = barrier,
					  .cookie = &f->s[n] });
}

/* Runs until n stanzas in all are settled. */
static void
until_settled(struct fixture *f, unsigned n)
{
	for (int i = 0; i < 3000 && f->settled < n; i++)
		world_pass(&f->w, 2);
	if (f->settled < n)
		fail_msg("%u settled, not %u; events: %s", f->settled, n,
		    buf_cstr(&f->events));
}

static void
until_seen(struct fixture *f, const char *what)
{
	for (int i = 0; i < 1500; i++) {
		if (strstr(buf_cstr(&f->seen), what) != NULL)
			return;
		world_pass(&f->w, 2);
	}
	fail_msg("%s not seen, but %s", what, buf_cstr(&f->seen));
}

static void
assert_failed(const struct settled *s, enum condition c, const char *type)
{
	assert_int_equal(1, s->times);
	assert_false(s->r.delivered);
	assert_string_equal(condition_str(c), condition_str(s->r.condition));
	if (type == NULL)
		assert_null(s->r.error_type);
	else
		assert_string_equal(type, s->r.error_type);
	assert_true(s->text[0] != '\0');
}

static void
assert_delivered(const struct settled *s, enum proof by)
{
	assert_int_equal(1, s->times);
	assert_true(s->r.delivered);
	assert_int_equal(by, s->r.proof);
}

/* --- tests --------------------------------------------------------------- */

/* What waited while connecting comes first and in order. */
static void
test_order(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(0, send_one(&f, i, NULL));
	assert_int_equal(ERR_EXISTS, send_one(&f, 0, NULL));
	assert_int_equal(5, routes_unsettled(f.routes));
	assert_int_equal(0, f.settled);
	until_settled(&f, 5);
	for (unsigned i = 5; i < 8; i++)
		assert_int_equal(0, send_one(&f, i, NULL));
	assert_int_equal(8, f.settled);
	until_seen(&f, "m7");
	assert_string_equal("m0 m1 m2 m3 m4 m5 m6 m7 ", buf_cstr(&f.seen));
	for (unsigned i = 0; i < 8; i++)
		assert_delivered(&f.s[i], PROOF_TCP);
	assert_string_equal("up ", buf_cstr(&f.events));
	finish(&f);
}

static void
send_xml(struct fixture *f, unsigned n, const char *xml)
{
	assert_int_equal(
	    0, routes_send(f->routes, &(struct route_stanza){ .local = LOCAL,
					  .remote = REMOTE,
					  .xml = xml,
					  .len = strlen(xml),
					  .cookie = &f->s[n] }));
}

/* A message says since when it waited, if it waited for long. */
static void
test_late_messages(void **state)
{
#define ADDRESSES " from='anna@contoso.example' to='bo@partner.example' "
	struct fixture f;

	(void)state;
	begin(&f);
	send_xml(
	    &f, 0, "<message" ADDRESSES "id='m0'><body>a</body></message>");
	send_xml(&f, 1, "<presence" ADDRESSES "id='p1'></presence>");
	world_skip(&f.w, 4500);
	send_xml(
	    &f, 2, "<message" ADDRESSES "id='m2'><body>b</body></message>");
	world_skip(&f.w, 501);
	until_settled(&f, 3);
	until_seen(&f, "m2");
	assert_string_equal("late:m0 p1 m2 ", buf_cstr(&f.seen));
	finish(&f);
}

static void
test_barrier(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	send_one(&f, 0, "sp1-gw1-0-a");
	send_one(&f, 1, NULL);
	send_one(&f, 2, "sp1-gw1-1-b");
	send_one(&f, 3, "sp1-gw1-2-c");
	until_seen(&f, "m3");
	assert_string_equal("m0 ping:sp1-gw1-0-a m1 m2 m3 ", buf_cstr(&f.seen));
	assert_int_equal(1, f.settled);
	routes_proof(f.routes, "sp1-gw1-1-b"); /* was never sent */
	assert_int_equal(1, f.settled);
	routes_proof(f.routes, "sp1-gw1-0-a");
	assert_delivered(&f.s[0], PROOF_PING);
	assert_int_equal(2, f.settled);
	assert_true(f.proofs & 1u << PROOF_PING);
	/* the newest id covers both that wait */
	until_seen(&f, "ping:sp1-gw1-2-c");
	assert_null(strstr(buf_cstr(&f.seen), "ping:sp1-gw1-1-b"));
	routes_proof(f.routes, "sp1-gw1-0-a"); /* a second time */
	assert_int_equal(2, f.settled);
	routes_proof(f.routes, "sp1-gw1-2-c");
	assert_int_equal(4, f.settled);
	assert_delivered(&f.s[2], PROOF_PING);
	assert_delivered(&f.s[3], PROOF_PING);
	assert_int_equal(0, routes_unsettled(f.routes));
	/* neither answered nor counted: that ends the stream and fails */
	send_one(&f, 4, "sp1-gw1-3-d");
	until_seen(&f, "ping:sp1-gw1-3-d");
	world_pass(&f.w, 50);
	world_skip(&f.w, 10000);
	assert_int_equal(4, f.settled);
	assert_true(f.proofs & 1u << PROOF_ACK);
	world_skip(&f.w, 61000);
	until_settled(&f, 5);
	assert_failed(&f.s[4], COND_REMOTE_SERVER_TIMEOUT, NULL);
	finish(&f);
}

static void
test_probe_and_count(void **state)
{
	struct route_stanza probe = {
		.local = LOCAL, .remote = REMOTE, .barrier = "sp1-gw1-0-p"
	};
	struct fixture f;

	(void)state;
	begin(&f);
	f.handles = true;
	probe.cookie = &f.s[0];
	assert_int_equal(0, routes_probe(f.routes, &probe));
	assert_failed(&f.s[0], COND_REMOTE_SERVER_TIMEOUT, NULL);
	send_one(&f, 1, NULL);
	until_settled(&f, 2);
	probe.cookie = &f.s[2];
	assert_int_equal(0, routes_probe(f.routes, &probe));
	until_seen(&f, "ping:sp1-gw1-0-p");
	assert_int_equal(2, f.settled);
	/* no answer: his count has to do */
	world_pass(&f.w, 50);
	world_skip(&f.w, 10001);
	until_settled(&f, 3);
	assert_delivered(&f.s[2], PROOF_ACK);
	assert_int_equal(1u << PROOF_ACK, f.proofs);
	send_one(&f, 3, "sp1-gw1-1-q");
	until_settled(&f, 4);
	assert_delivered(&f.s[3], PROOF_ACK);
	assert_null(strstr(buf_cstr(&f.seen), "ping:sp1-gw1-1-q"));
	/* better late than never */
	routes_proof(f.routes, "sp1-gw1-0-p");
	assert_int_equal(1u << PROOF_ACK | 1u << PROOF_PING, f.proofs);
	send_one(&f, 4, "sp1-gw1-2-r");
	until_seen(&f, "ping:sp1-gw1-2-r");
	world_pass(&f.w, 50);
	assert_int_equal(4, f.settled);
	routes_proof(f.routes, "sp1-gw1-2-r");
	assert_delivered(&f.s[4], PROOF_PING);
	finish(&f);
}

static void
test_forget_and_withdraw(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	send_one(&f, 0, "sp1-gw1-0-a");
	send_one(&f, 1, "sp1-gw1-1-b");
	send_one(&f, 9, NULL);
	/* still in the queue: never sent */
	assert_true(routes_withdraw(f.routes, &f.s[9]));
	assert_false(routes_withdraw(f.routes, &f.s[9]));
	until_seen(&f, "m1");
	routes_forget_pings(f.routes, "gw");
	routes_forget_pings(f.routes, "gw1");
	routes_proof(f.routes, "sp1-gw1-0-a");
	assert_int_equal(0, f.settled);
	assert_true(routes_withdraw(f.routes, &f.s[0]));
	send_one(&f, 2, "sp1-gw1-0-c");
	until_seen(&f, "ping:sp1-gw1-0-c");
	routes_proof(f.routes, "sp1-gw1-0-c");
	assert_int_equal(2, f.settled);
	assert_delivered(&f.s[1], PROOF_PING);
	assert_delivered(&f.s[2], PROOF_PING);
	assert_int_equal(0, f.s[0].times);
	assert_int_equal(0, f.s[9].times);
	assert_null(strstr(buf_cstr(&f.seen), "m9"));
	finish(&f);
}

static void
test_not_permitted(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	assert_int_equal(
	    0, routes_send(f.routes, &(struct route_stanza){ .local = LOCAL,
					 .remote = "stranger.example",
					 .xml = "<a/>",
					 .len = 4,
					 .cookie = &f.s[0] }));
	assert_failed(&f.s[0], COND_NOT_ALLOWED, NULL);
	assert_string_equal("", asked);
	send_one(&f, 1, NULL);
	until_settled(&f, 2);
	site_permit(&f.edge, NULL, NULL);
	routes_recheck(f.routes);
	assert_non_null(strstr(buf_cstr(&f.events), "down"));
	send_one(&f, 2, NULL);
	assert_failed(&f.s[2], COND_NOT_ALLOWED, NULL);
	finish(&f);
}

/* One attempt that must fail, its condition, and back-off behind it. */
static void
expect_failure(struct fixture *f, enum condition c, const char *type)
{
	send_one(f, 0, "sp1-gw1-0-a");
	send_one(f, 1, NULL);
	until_settled(f, 2);
	assert_failed(&f->s[0], c, type);
	assert_failed(&f->s[1], c, type);
	assert_int_equal(0, f->stanzas);
	send_one(f, 2, NULL);
	assert_failed(&f->s[2], c, type);
	assert_string_equal(c == COND_REMOTE_SERVER_NOT_FOUND
				? "failed:remote-server-not-found "
				: "failed:remote-server-timeout ",
	    buf_cstr(&f->events));
}

static void
test_wrong_certificates(void **state)
{
	static const struct site_opts rows[] = {
		{ .names = { { MAKE_CERT_DNS, "other.example", 0 } } },
		{ .names = { { MAKE_CERT_DNS, "xmpp.partner.example", 0 } } },
		{ .names = { { MAKE_CERT_DNS, REMOTE, 0 } },
		    .from_s = -7200,
		    .to_s = -3600 },
		{ .names = { { MAKE_CERT_DNS, REMOTE, 0 } },
		    .eku = MAKE_CERT_EKU_CLIENT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;

		begin_opts(&f, rows[i], NULL);
		expect_failure(&f, COND_REMOTE_SERVER_TIMEOUT, "cancel");
		assert_false(f.in_up);
		finish(&f);
	}
}

/* The partner does not know us. */
static void
test_refused_by_partner(void **state)
{
	struct fixture f;

	(void)state;
	begin_opts(&f, (struct site_opts){ .partner = "third.example" }, NULL);
	expect_failure(&f, COND_REMOTE_SERVER_TIMEOUT, NULL);
	assert_non_null(strstr(f.s[0].text, "policy-violation"));
	finish(&f);
}

static void
test_dns(void **state)
{
	static const struct {
		enum dns_status srv, a;
		const char *target; /* of the SRV record, NULL: none */
		const char *addr;
		uint16_t port;
		enum condition c;
		const char *asked;
	} rows[] = {
#define SRV_ASKED                                                              \
	"_xmpp-server._tcp.partner.example/33 "                                \
	"_xmpps-server._tcp.partner.example/33 "
#define OWN_ASKED "partner.example/1 partner.example/28 "
		{ DNS_NXDOMAIN, DNS_NXDOMAIN, NULL, NULL, 0,
		    COND_REMOTE_SERVER_NOT_FOUND, SRV_ASKED OWN_ASKED },
		{ DNS_OK, DNS_OK, NULL, NULL, 0, COND_REMOTE_SERVER_NOT_FOUND,
		    SRV_ASKED OWN_ASKED },
		{ DNS_OK, DNS_OK, NULL, "127.254.0.9", 0,
		    COND_REMOTE_SERVER_TIMEOUT, SRV_ASKED OWN_ASKED },
		{ DNS_OK, DNS_OK, ".", "127.0.0.1", 0,
		    COND_REMOTE_SERVER_NOT_FOUND, SRV_ASKED },
		{ DNS_FAILED, DNS_OK, NULL, "127.0.0.1", 0,
		    COND_REMOTE_SERVER_NOT_FOUND, SRV_ASKED },
		{ DNS_BOGUS, DNS_OK, "partner.example", "127.0.0.1", 1,
		    COND_REMOTE_SERVER_NOT_FOUND, SRV_ASKED },
		/* a dead target is no reason to look elsewhere */
		{ DNS_OK, DNS_OK, "partner.example", "127.254.0.9", 1,
		    COND_REMOTE_SERVER_TIMEOUT, SRV_ASKED OWN_ASKED },
		{ DNS_OK, DNS_BOGUS, "partner.example", "127.0.0.1", 1,
		    COND_REMOTE_SERVER_NOT_FOUND, SRV_ASKED OWN_ASKED },
		{ DNS_OK, DNS_OK, "partner.example", "127.0.0.1", 0,
		    COND_REMOTE_SERVER_NOT_FOUND, SRV_ASKED },
		{ DNS_OK, DNS_OK, "127.254.0.9", NULL, 1,
		    COND_REMOTE_SERVER_TIMEOUT, SRV_ASKED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;
		struct record *srv;

		begin(&f);
		zone_count = 0;
		srv = zone_add(
		    "_xmpp-server._tcp.partner.example", DNS_SRV, rows[i].srv);
		if (rows[i].target != NULL) {
			zone_target(srv, 0, rows[i].port);
			snprintf(srv->srv[0].target, sizeof(srv->srv[0].target),
			    "%s", rows[i].target);
		}
		zone_add(REMOTE, DNS_A, rows[i].a)->addr = rows[i].addr;
		expect_failure(&f, rows[i].c, NULL);
		if (strcmp(asked, rows[i].asked) != 0)
			fail_msg("row %zu asked %s", i, asked);
		finish(&f);
	}
}

/* A dead target, then one that cannot do TLS, then the good one. */
static void
test_next_target(void **state)
{
	struct fixture f;
	struct site broken;

	(void)state;
	begin(&f);
	site_init(
	    &broken, &f.w, &(struct site_opts){ .hosted = "broken.example" });
	broken.in_arg = &f;
	assert_int_equal(
	    0, uv_listen((uv_stream_t *)&broken.listener, 4, on_connection));
	zone[0].count = 0;
	zone_target(&zone[0], 1, 1);
	zone_target(&zone[0], 3, port_of(&f.partner));
	zone_target(&zone[0], 2, port_of(&broken));
	send_one(&f, 0, NULL);
	assert_true(world_run(&f.w, &f.accepted, 3000));
	script_expect(&f.p, "to='partner.example'");
	script_send(&f.p,
	    "<stream:stream xmlns='jabber:server' xmlns:stream='http://"
	    "etherx.jabber.org/streams' version='1.0' id='1'>"
	    "<stream:features/>");
	script_expect(&f.p, "<starttls ");
	script_send(&f.p, "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
	until_settled(&f, 1);
	assert_delivered(&f.s[0], PROOF_TCP);
	until_seen(&f, "m0");
	assert_string_equal("up ", buf_cstr(&f.events));
	site_close(&broken);
	finish(&f);
	site_free(&broken);
}

/* --- direct TLS ---------------------------------------------------------- */

#define DIRECT "_xmpps-server._tcp.partner.example"

/* The good target does direct TLS; whatever stands before it does not stop
 * us. */
static void
test_direct_tls(void **state)
{
	static const struct {
		uint16_t direct; /* priorities; 0: no such target */
		uint16_t dead_direct, dead;
		enum dns_status starttls;
	} rows[] = {
		{ 1, 0, 0, DNS_NXDOMAIN },
		{ 1, 0, 0, DNS_FAILED },
		{ 2, 1, 0, DNS_NXDOMAIN },
		{ 2, 0, 1, DNS_OK },
		{ 1, 0, 2, DNS_OK },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;
		struct record *r;

		begin_opts(&f, (struct site_opts){ .direct = true }, NULL);
		zone[0].count = 0;
		zone[0].status = rows[i].starttls;
		if (rows[i].dead != 0)
			zone_target(&zone[0], rows[i].dead, 1);
		r = zone_add(DIRECT, DNS_SRV, DNS_OK);
		zone_target(r, rows[i].direct, port_of(&f.partner));
		if (rows[i].dead_direct != 0)
			zone_target(r, rows[i].dead_direct, 1);
		send_one(&f, 0, NULL);
		until_settled(&f, 1);
		assert_delivered(&f.s[0], PROOF_TCP);
		until_seen(&f, "m0");
		assert_string_equal("up ", buf_cstr(&f.events));
		finish(&f);
	}
}

/* A direct target that is dead, or no TLS server, or shows a certificate of
 * somebody else, gives way to one with STARTTLS; "." is no target. */
static void
test_direct_gives_way(void **state)
{
	enum { DEAD, NO_TLS, OTHERS, ABSENT, UNKNOWN, WAYS };

	(void)state;
	for (int way = DEAD; way < WAYS; way++) {
		struct fixture f;
		struct site other;
		struct record *r;

		begin(&f);
		/* Even where TLS may be done without, a port for it is tried
		 * once. */
		f.edge.row = ",\"TlsNegotiation\":\"Optional\","
			     "\"SaslNegotiation\":\"Optional\","
			     "\"SupportDialbackNegotiation\":true";
		if (way == NO_TLS)
			site_permit(&f.edge, REMOTE, NULL);
		site_init(&other, &f.w,
		    &(struct site_opts){ .hosted = "other.example",
			.partner = LOCAL,
			.direct = way == OTHERS,
			.in_events = &in_events,
			.in_arg = &f });
		r = zone_add(
		    DIRECT, DNS_SRV, way == UNKNOWN ? DNS_FAILED : DNS_OK);
		if (way != UNKNOWN)
			zone_target(r, 0, way == DEAD ? 1 : port_of(&other));
		if (way == ABSENT)
			strcpy(r->srv[0].target, ".");
		send_one(&f, 0, NULL);
		until_settled(&f, 1);
		assert_delivered(&f.s[0], PROOF_TCP);
		until_seen(&f, "m0");
		assert_string_equal("up ", buf_cstr(&f.events));
		if (way == NO_TLS || way == OTHERS)
			assert_int_equal(1, other.in_count);
		site_close(&other);
		finish(&f);
		site_free(&other);
	}
}

/* What both services say without a target. */
static void
test_direct_dns(void **state)
{
	static const struct {
		enum dns_status direct, starttls;
		bool direct_absent, starttls_absent;
		const char *asked;
	} rows[] = {
		{ DNS_OK, DNS_NXDOMAIN, true, false, SRV_ASKED },
		{ DNS_OK, DNS_OK, true, true, SRV_ASKED },
		{ DNS_FAILED, DNS_NXDOMAIN, false, false, SRV_ASKED },
		{ DNS_BOGUS, DNS_OK, false, false, SRV_ASKED },
		{ DNS_NXDOMAIN, DNS_NXDOMAIN, false, false,
		    SRV_ASKED OWN_ASKED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;
		struct record *r;

		begin(&f);
		zone[0].status = rows[i].starttls;
		if (rows[i].starttls != DNS_OK)
			zone[0].count = 0;
		if (rows[i].starttls_absent)
			strcpy(zone[0].srv[0].target, ".");
		r = zone_add(DIRECT, DNS_SRV, rows[i].direct);
		if (rows[i].direct_absent) {
			zone_target(r, 0, 0);
			strcpy(r->srv[0].target, ".");
		}
		expect_failure(&f, COND_REMOTE_SERVER_NOT_FOUND, NULL);
		if (strcmp(asked, rows[i].asked) != 0)
			fail_msg("row %zu asked %s", i, asked);
		finish(&f);
	}
}

/* One service that is silent holds up the other for two seconds, and a domain
 * that has neither until it is given up. */
static void
test_a_silent_service(void **state)
{
	(void)state;
	for (int silent = 0; silent < 3; silent++) {
		struct fixture f;
		struct record *r;

		begin_opts(
		    &f, (struct site_opts){ .direct = silent == 1 }, NULL);
		r = zone_add(DIRECT, DNS_SRV, DNS_OK);
		zone_target(r, 1, port_of(&f.partner));
		if (silent == 1) {
			zone[0].late_ms = 50000;
		} else {
			r->late_ms = silent == 2 ? 9000 : 50000;
			r->count = 0;
		}
		if (silent == 2)
			zone[0].count = 0;
		send_one(&f, 0, NULL);
		world_pass(&f.w, 20);
		world_skip(&f.w, 1900);
		world_pass(&f.w, 50);
		assert_int_equal(0, f.settled);
		assert_false(f.in_up);
		world_skip(&f.w, 150);
		if (silent == 2) {
			world_pass(&f.w, 50);
			assert_int_equal(0, f.settled);
			assert_null(strstr(asked, OWN_ASKED));
			world_skip(&f.w, 9000);
			until_settled(&f, 1);
			assert_false(f.s[0].r.delivered);
		} else {
			until_settled(&f, 1);
			assert_delivered(&f.s[0], PROOF_TCP);
			until_seen(&f, "m0");
		}
		finish(&f);
	}
}

/* Whose row wants no TLS, or names the next hop, is not looked for there. */
static void
test_direct_not_for_all(void **state)
{
	static const struct {
		const char *row, *asked;
	} rows[] = {
		{ ",\"TlsNegotiation\":\"NotSupported\","
		  "\"SaslNegotiation\":\"NotSupported\","
		  "\"SupportDialbackNegotiation\":true",
		    "_xmpp-server._tcp.partner.example/33 " },
		{ ",\"ProxyFqdn\":\"hop.example\"",
		    "hop.example/1 hop.example/28 " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;

		begin(&f);
		f.edge.row = rows[i].row;
		site_permit(&f.edge, REMOTE, NULL);
		zone[0].status = DNS_NXDOMAIN;
		zone[0].count = 0;
		zone_target(
		    zone_add(DIRECT, DNS_SRV, DNS_OK), 1, port_of(&f.partner));
		send_one(&f, 0, NULL);
		until_settled(&f, 1);
		assert_false(f.s[0].r.delivered);
		if (strncmp(asked, rows[i].asked, strlen(rows[i].asked)) != 0 ||
		    strstr(asked, "_xmpps-server") != NULL)
			fail_msg("row %zu asked %s", i, asked);
		finish(&f);
	}
}

static SSL_CTX *
on_name(const char *name, void *arg)
{
	snprintf(arg, 100, "%s", name);
	return NULL;
}

/* TLS comes at once, with the partner's domain as name and xmpp-server as
 * protocol; STARTTLS offered within it is left alone. */
static void
test_direct_hello(void **state)
{
	static const uint8_t alpn[] = "\013xmpp-server";
	struct fixture f;
	struct tls_accept a = {
		.pick = on_name, .alpn = alpn, .alpn_len = sizeof(alpn) - 1
	};
	const unsigned char *protocol = NULL;
	unsigned len = 0;
	char name[100] = "";

	(void)state;
	begin_scripted(&f);
	zone[0].name = DIRECT;
	a.arg = name;
	f.at_once = &a;
	send_one(&f, 0, NULL);
	assert_true(world_run(&f.w, &f.accepted, 3000));
	assert_true(world_run(&f.w, &f.p.secured, 3000));
	assert_string_equal(REMOTE, name);
	SSL_get0_alpn_selected(conn_ssl(f.p.conn), &protocol, &len);
	assert_int_equal(11, len);
	script_expect(&f.p, "from='contoso.example' to='partner.example'");
	script_send(&f.p, PEER_HEADER
	    "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-"
	    "tls'/><mechanisms " SASL "><mechanism>EXTERNAL</mechanism>"
	    "</mechanisms></stream:features>");
	script_expect(&f.p, "<auth " SASL " mechanism='EXTERNAL'>");
	assert_null(strstr(buf_cstr(&f.p.seen), "starttls"));
	finish(&f);
}

/* --- side by side -------------------------------------------------------- */

/* An address where SYNs are left unanswered: a listener that takes none, its
 * queue full. */
struct hole {
	int listener, fill[4];
	uint16_t port;
};

static void
hole_open(struct hole *h)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	uv_ip4_addr("127.0.0.1", 0, &a);
	h->listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(
	    0, bind(h->listener, (struct sockaddr *)&a, sizeof(a)));
	assert_int_equal(0, listen(h->listener, 0));
	assert_int_equal(
	    0, getsockname(h->listener, (struct sockaddr *)&a, &len));
	h->port = ntohs(a.sin_port);
	for (int i = 0; i < 4; i++) {
		h->fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(h->fill[i], (struct sockaddr *)&a, sizeof(a));
	}
}

static void
hole_close(struct hole *h)
{
	close(h->listener);
	for (int i = 0; i < 4; i++)
		close(h->fill[i]);
}

/* Two dead targets cost a quarter of
 * a second each, and one stream comes of it. */
static void
test_side_by_side(void **state)
{
	struct fixture f;
	struct hole hole;
	uint64_t begun;

	(void)state;
	begin(&f);
	hole_open(&hole);
	zone[0].count = 0;
	zone_target(&zone[0], 1, hole.port);
	zone_target(&zone[0], 2, hole.port);
	zone_target(&zone[0], 3, port_of(&f.partner));
	begun = clock_now_ms(f.w.clock);
	send_one(&f, 0, NULL);
	until_settled(&f, 1);
	assert_delivered(&f.s[0], PROOF_TCP);
	assert_in_range(clock_now_ms(f.w.clock) - begun, 500, 999);
	until_seen(&f, "m0");
	assert_string_equal("up ", buf_cstr(&f.events));
	assert_int_equal(1, f.partner.in_count);
	hole_close(&hole);
	finish(&f);
}

/* The one that leads fails: those that were let go are tried again. */
static void
test_again_after_the_leader(void **state)
{
	struct fixture f;
	struct hole hole;

	(void)state;
	begin_scripted(&f);
	hole_open(&hole);
	zone[0].count = 0;
	zone_target(&zone[0], 1, hole.port);
	zone_target(&zone[0], 2, port_of(&f.partner));
	send_one(&f, 0, NULL);
	assert_true(world_run(&f.w, &f.accepted, 3000));
	script_send(&f.p, "</stream:stream>");
	world_pass(&f.w, 100);
	assert_int_equal(0, f.settled);
	/* it does not answer this time either */
	world_skip(&f.w, 8000);
	until_settled(&f, 1);
	assert_failed(&f.s[0], COND_REMOTE_SERVER_TIMEOUT, NULL);
	/* the story is that of the one that got furthest */
	if (strstr(f.s[0].text, "connecting timed out") != NULL)
		fail_msg("says %s", f.s[0].text);
	hole_close(&hole);
	finish(&f);
}

static void
test_cancelled_while_racing(void **state)
{
	struct fixture f;
	struct hole hole;

	(void)state;
	begin(&f);
	hole_open(&hole);
	zone[0].count = 0;
	for (uint16_t i = 1; i <= 8; i++)
		zone_target(&zone[0], i, hole.port);
	send_one(&f, 0, NULL);
	world_pass(&f.w, 700);
	assert_int_equal(0, f.settled);
	finish(&f);
	assert_int_equal(1, f.s[0].times);
	hole_close(&hole);
}

/* Many stanzas of one pair, before, while and after it connects: one stream. */
static void
test_one_stream_for_a_pair(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	for (unsigned i = 0; i < 20; i++)
		send_one(&f, i, NULL);
	while (!f.in_up) {
		world_pass(&f.w, 1);
		send_one(&f, 20 + f.ids, NULL);
		f.ids++;
	}
	until_seen(&f, "m21 ");
	world_pass(&f.w, 100);
	assert_int_equal(1, f.partner.in_count);
	assert_string_equal("up ", buf_cstr(&f.events));
	finish(&f);
}

static void
test_backoff(void **state)
{
	struct fixture f;
	struct record *r;
	unsigned tries = 0;

	(void)state;
	begin(&f);
	r = &zone[0];
	r->status = DNS_FAILED;
	/* the first span is 1 to 11 s */
	send_one(&f, 0, NULL);
	until_settled(&f, 1);
	world_skip(&f.w, 999);
	send_one(&f, 1, NULL);
	assert_int_equal(2, f.settled);
	world_skip(&f.w, 10001);
	send_one(&f, 2, NULL);
	assert_int_equal(2, f.settled);
	until_settled(&f, 3);
	/* failures make it longer, up to 301 s */
	for (unsigned i = 3; i < 10; i++) {
		world_skip(&f.w, 301000);
		send_one(&f, i, NULL);
		until_settled(&f, i + 1);
		tries++;
	}
	r->status = DNS_OK;
	world_skip(&f.w, 301000);
	send_one(&f, 20, NULL);
	until_seen(&f, "m20");
	assert_int_equal(7, tries);
	finish(&f);
}

/* A partner who comes to us ends his back-off, but not that of others, and only
 * once in the time of each. */
static void
test_backoff_ends_when_the_partner_comes(void **state)
{
	struct fixture f;
	struct record *r;

	(void)state;
	begin(&f);
	r = &zone[0];
	r->status = DNS_FAILED;
	routes_heard(f.routes, REMOTE);
	send_one(&f, 0, NULL);
	until_settled(&f, 1);
	/* He had come before: that says nothing of the failure. */
	send_one(&f, 1, NULL);
	assert_int_equal(2, f.settled);
	routes_heard(f.routes, "other.example");
	send_one(&f, 2, NULL);
	assert_int_equal(3, f.settled);
	/* He comes, and cannot be reached all the same. */
	routes_heard(f.routes, REMOTE);
	send_one(&f, 3, NULL);
	assert_int_equal(3, f.settled);
	until_settled(&f, 4);
	routes_heard(f.routes, REMOTE);
	send_one(&f, 4, NULL);
	assert_int_equal(5, f.settled);
	/* The first back-off would be over: once more. */
	world_skip(&f.w, 11001);
	r->status = DNS_OK;
	routes_heard(f.routes, REMOTE);
	send_one(&f, 5, NULL);
	until_seen(&f, "m5");
	finish(&f);
}

static void
test_queue_bounds(void **state)
{
	struct fixture f;
	char *big = malloc(60000);

	(void)state;
	memset(big, ' ', 60000);
	begin_opts(&f, (struct site_opts){ 0 },
	    "{\"queue_frames\":3,\"queue_bytes\":65536}");
	for (unsigned i = 0; i < 4; i++)
		send_one(&f, i, NULL);
	assert_failed(&f.s[3], COND_RESOURCE_CONSTRAINT, NULL);
	assert_int_equal(1, f.settled);
	until_settled(&f, 4);
	finish(&f);
	/* bytes */
	begin_opts(&f, (struct site_opts){ 0 },
	    "{\"queue_frames\":30,\"queue_bytes\":65536}");
	for (unsigned i = 0; i < 2; i++)
		routes_send(f.routes, &(struct route_stanza){ .local = LOCAL,
					  .remote = REMOTE,
					  .xml = big,
					  .len = 60000,
					  .cookie = &f.s[i] });
	assert_int_equal(0, f.s[0].times);
	assert_failed(&f.s[1], COND_RESOURCE_CONSTRAINT, NULL);
	finish(&f);
	free(big);
}

/* A partner that stops reading: the connection fills, then the queue, then
 * stanzas bounce; in the end the stream is given up. */
static void
test_partner_does_not_read(void **state)
{
	struct fixture f;
	char *big = malloc(200001);
	unsigned i, bounced = 0;

	(void)state;
	memset(big, ' ', 200000);
	begin_opts(&f, (struct site_opts){ 0 },
	    "{\"queue_frames\":10,\"queue_bytes\":10000000}");
	f.pause_in = true;
	send_one(&f, 0, NULL);
	assert_true(world_run(&f.w, &f.in_up, 3000));
	until_settled(&f, 1);
	for (i = 1; i < 300 && bounced == 0; i++) {
		routes_send(f.routes, &(struct route_stanza){ .local = LOCAL,
					  .remote = REMOTE,
					  .xml = big,
					  .len = 200000,
					  .cookie = &f.s[i] });
		world_pass(&f.w, 1);
		if (f.s[i].times > 0 && !f.s[i].r.delivered)
			bounced++;
	}
	assert_int_equal(1, bounced);
	assert_failed(&f.s[i - 1], COND_RESOURCE_CONSTRAINT, NULL);
	assert_int_equal(10, routes_unsettled(f.routes));
	f.pause_in = false;
	world_skip(&f.w, 30001);
	assert_non_null(strstr(buf_cstr(&f.events), "down"));
	finish(&f);
	for (unsigned k = 0; k < i; k++)
		assert_int_equal(1, f.s[k].times);
	free(big);
}

/* --- scripted partners ---------------------------------------------------- */

static void
go_connected(struct fixture *f)
{
	begin_scripted(f);
	send_one(f, 0, "sp1-gw1-0-a");
	send_one(f, 1, NULL);
	assert_true(world_run(&f->w, &f->accepted, 3000));
	script_expect(&f->p,
	    "from='contoso.example' to='partner.example' version='1.0' "
	    "xml:lang='en'>");
}

static void
go_tls(struct fixture *f)
{
	go_connected(f);
	/* not offered, asked for all the same */
	script_send(&f->p, PEER_HEADER "<stream:features/>");
	script_expect(
	    &f->p, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
	script_send(&f->p, PEER_PROCEED);
	script_tls_server(&f->p, &f->partner);
}

static void
test_scripted_refusals(void **state)
{
	static const struct {
		bool tls;
		const char *text;
		enum condition c;
		const char *type, *says;
	} rows[] = {
		{ false, "</stream:stream>", COND_REMOTE_SERVER_TIMEOUT, NULL,
		    "" },
		{ false, "<!DOCTYPE x>", COND_REMOTE_SERVER_TIMEOUT, NULL, "" },
		{ false,
		    "<stream:stream xmlns='jabber:server' xmlns:stream='"
		    "http://etherx.jabber.org/streams' id='1'>",
		    COND_REMOTE_SERVER_TIMEOUT, NULL, "1.0" },
		{ false,
		    PEER_HEADER "<stream:error><host-unknown xmlns='urn:ietf:"
				"params:xml:ns:xmpp-streams'/></stream:error>",
		    COND_REMOTE_SERVER_NOT_FOUND, NULL, "host-unknown" },
		{ false, PEER_HEADER PEER_STARTTLS PEER_PROCEED " ",
		    COND_REMOTE_SERVER_TIMEOUT, "cancel", "plaintext" },
		{ false, PEER_HEADER PEER_STARTTLS PEER_PROCEED PEER_HEADER,
		    COND_REMOTE_SERVER_TIMEOUT, "cancel", "plaintext" },
		{ false, PEER_HEADER "<success " SASL "/>",
		    COND_REMOTE_SERVER_TIMEOUT, NULL, "SASL" },
		{ false, PEER_HEADER PEER_PROCEED, COND_REMOTE_SERVER_TIMEOUT,
		    NULL, "TLS" },
		{ true, PEER_HEADER "<stream:features/>",
		    COND_REMOTE_SERVER_TIMEOUT, "cancel",
		    "did not accept our certificate" },
		{ true,
		    PEER_HEADER "<stream:features><mechanisms " SASL
				"/></stream:features>",
		    COND_REMOTE_SERVER_TIMEOUT, "cancel",
		    "did not accept our certificate" },
		{ true,
		    PEER_HEADER PEER_EXTERNAL "<failure " SASL "><text>x</text>"
					      "<not-authorized/></failure>",
		    COND_REMOTE_SERVER_TIMEOUT, "cancel", "not-authorized" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;

		if (rows[i].tls)
			go_tls(&f);
		else
			go_connected(&f);
		script_send(&f.p, rows[i].text);
		until_settled(&f, 2);
		if (strstr(f.s[0].text, rows[i].says) == NULL)
			fail_msg("row %zu says %s", i, f.s[0].text);
		assert_failed(&f.s[0], rows[i].c, rows[i].type);
		assert_failed(&f.s[1], rows[i].c, rows[i].type);
		assert_false(script_ended_with(&f.p, "<message"));
		finish(&f);
	}
}

static void
go_features(struct fixture *f, const char *features)
{
	go_tls(f);
	script_expect(&f->p, "from='contoso.example'");
	script_send(&f->p, PEER_HEADER PEER_EXTERNAL);
	script_expect(&f->p,
	    "<auth " SASL " mechanism='EXTERNAL'>Y29udG9zby5leGFtcGxl</auth>");
	script_send(&f->p, "<challenge " SASL "/>");
	script_expect(
	    &f->p, "<response " SASL ">Y29udG9zby5leGFtcGxl</response>");
	script_send(&f->p, "<success " SASL "/>");
	script_expect(&f->p, "<stream:stream ");
	script_send(&f->p, PEER_HEADER);
	script_send(&f->p, features);
}

#define PING(id)                                                               \
	"<iq type='get' id='" id                                               \
	"' from='contoso.example' to='partner.example'>"                       \
	"<ping xmlns='urn:xmpp:ping'/></iq>"
#define SM " xmlns='urn:xmpp:sm:3'"

static void
go_open(struct fixture *f)
{
	go_features(f, "<stream:features/>");
	script_expect(&f->p, "id='m0'/>" PING("sp1-gw1-0-a"));
	script_expect(&f->p, "id='m1'/>");
}

/* Enabled in front of the first stanza; asked for behind the first ping. */
static void
go_managed(struct fixture *f)
{
	go_features(f, "<stream:features><sm" SM "/></stream:features>");
	script_expect(&f->p, "<enable" SM "/><message ");
	script_expect(&f->p, "id='m0'/>" PING("sp1-gw1-0-a"));
	script_expect(&f->p, "id='m1'/>");
	script_send(&f->p, "<enabled" SM "/>");
	script_expect(&f->p, "<r" SM "/>");
	assert_int_equal(1, f->settled);
}

static void
test_tcp(void **state)
{
	struct fixture f;

	(void)state;
	go_open(&f);
	world_pass(&f.w, 50);
	assert_int_equal(1, f.settled);
	world_skip(&f.w, 10001);
	until_settled(&f, 2);
	assert_delivered(&f.s[0], PROOF_TCP);
	send_one(&f, 2, "sp1-gw1-1-q");
	until_settled(&f, 3);
	assert_delivered(&f.s[2], PROOF_TCP);
	assert_string_equal("up update:8 ", buf_cstr(&f.events));
	script_expect(&f.p, "id='m2'/>");
	assert_null(strstr(buf_cstr(&f.p.seen), "<r"));
	routes_proof(f.routes, "sp1-gw1-0-a");
	assert_string_equal("up update:8 update:10 ", buf_cstr(&f.events));
	finish(&f);
}

static void
test_counted(void **state)
{
	struct fixture f;

	(void)state;
	/* the count covers m0, not m2; then the connection breaks */
	go_managed(&f);
	send_one(&f, 2, "sp1-gw1-1-b");
	script_expect(&f.p, "id='m2'/>");
	script_send(&f.p, "<a" SM " h='3'/>");
	script_expect(&f.p, "<r" SM "/>");
	assert_int_equal(1, f.settled);
	script_close(&f.p);
	f.accepted = false;
	until_settled(&f, 3);
	assert_delivered(&f.s[0], PROOF_ACK);
	assert_failed(&f.s[2], COND_REMOTE_SERVER_TIMEOUT, NULL);
	finish(&f);
	/* no answer to <r/> */
	go_managed(&f);
	world_skip(&f.w, 30000);
	until_settled(&f, 2);
	assert_failed(&f.s[0], COND_REMOTE_SERVER_TIMEOUT, NULL);
	assert_true(script_ended_with(&f.p, "<connection-timeout"));
	finish(&f);
	/* a count that cannot be */
	go_managed(&f);
	script_send(&f.p, "<a" SM " h='4'/>");
	assert_true(script_ended_with(
	    &f.p, "<handled-count-too-high" SM " h='4' send-count='3'/>"));
	until_settled(&f, 2);
	assert_failed(&f.s[0], COND_REMOTE_SERVER_TIMEOUT, NULL);
	finish(&f);
	/* idle: he is asked for a sign of life */
	go_managed(&f);
	script_send(&f.p, "<a" SM " h='3'/>");
	world_pass(&f.w, 50);
	routes_proof(f.routes, "sp1-gw1-0-a");
	until_settled(&f, 2);
	world_skip(&f.w, 149000);
	assert_false(script_has(&f.p, "<r"));
	world_skip(&f.w, 1000);
	script_expect(&f.p, "<r" SM "/>");
	world_skip(&f.w, 30000);
	assert_true(script_ended_with(&f.p, "<connection-timeout"));
	finish(&f);
}

/* Twice in the time in which he would have to be heard of, and only if his row
 * says so: a space, where he does not count. */
static void
test_keep_alives(void **state)
{
	static const struct {
		const char *row;
		const char *settings;
		unsigned first_ms; /* 0: none */
	} rows[] = {
		{ NULL, NULL, 150000 },
		{ NULL, "{\"keep_alive_ms\":60000}", 30000 },
		{ ",\"EnableKeepAlive\":false", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;

		go_open(&f);
		world_skip(&f.w, 10001);
		until_settled(&f, 2);
		f.edge.row = rows[i].row;
		site_permit(&f.edge, REMOTE, rows[i].settings);
		send_one(&f, 2, NULL);
		script_expect(&f.p, "id='m2'/>");
		for (int k = 0; k < 3 && rows[i].first_ms > 0; k++) {
			world_skip(&f.w, rows[i].first_ms - 1000);
			assert_false(script_has(&f.p, " "));
			world_skip(&f.w, 1000);
			script_expect(&f.p, " ");
		}
		world_skip(&f.w, 599000 - 3 * rows[i].first_ms);
		if (rows[i].first_ms == 0)
			assert_false(script_has(&f.p, " "));
		world_skip(&f.w, 1100);
		script_expect(&f.p, "</stream:stream>");
		finish(&f);
	}
}

static void
set_next_hop(struct fixture *f, const char *row)
{
	f->edge.row = row;
	site_permit(&f->edge, REMOTE, NULL);
	routes_recheck(f->routes);
}

/* What was written is proven first; what comes meanwhile goes the other way, and
 * when that turns out to be wrong, no time is lost once it is mended. */
static void
test_another_next_hop(void **state)
{
	static const char hop[] = ",\"ProxyFqdn\":\"proxy.partner.example\"";
	struct fixture f;

	(void)state;
	go_open(&f);
	set_next_hop(&f, hop);
	send_one(&f, 2, NULL);
	world_pass(&f.w, 50);
	assert_int_equal(1, f.settled);
	assert_false(script_has(&f.p, "</stream:stream>"));
	/* Back and forth: it stays. */
	set_next_hop(&f, NULL);
	script_expect(&f.p, "id='m2'/>");
	until_settled(&f, 2);
	set_next_hop(&f, hop);
	send_one(&f, 3, NULL);
	world_pass(&f.w, 50);
	assert_int_equal(2, f.settled);
	assert_null(strstr(asked, "proxy.partner.example"));
	routes_proof(f.routes, "sp1-gw1-0-a");
	until_settled(&f, 4);
	assert_delivered(&f.s[0], PROOF_PING);
	assert_failed(&f.s[3], COND_REMOTE_SERVER_NOT_FOUND, NULL);
	assert_non_null(strstr(asked, "proxy.partner.example"));
	script_expect(&f.p, "</stream:stream>");
	assert_false(script_has(&f.p, "id='m3'"));
	/* Left alone for a while, unless it is another row. */
	send_one(&f, 4, NULL);
	assert_int_equal(1, f.s[4].times);
	set_next_hop(&f, hop);
	send_one(&f, 5, NULL);
	assert_int_equal(1, f.s[5].times);
	set_next_hop(&f, ",\"ProxyFqdn\":\"other.partner.example\"");
	send_one(&f, 6, NULL);
	assert_int_equal(0, f.s[6].times);
	until_settled(&f, 7);
	finish(&f);
}

/* An attempt has the time that is granted now, from its beginning on. */
static void
test_the_time_for_an_attempt_changes(void **state)
{
	struct fixture f;

	(void)state;
	go_connected(&f);
	world_skip(&f.w, 3000);
	assert_int_equal(0, f.settled);
	site_permit(&f.edge, REMOTE, "{\"stream_establishment_ms\":2000}");
	routes_recheck(f.routes);
	until_settled(&f, 2);
	assert_failed(&f.s[0], COND_REMOTE_SERVER_TIMEOUT, NULL);
	assert_true(script_ended_with(&f.p, "</stream:stream>"));
	finish(&f);
}

static void
test_ends_after_open(void **state)
{
	static const struct {
		const char *text, *event;
		bool backoff;
	} rows[] = {
		{ "</stream:stream>", "up down ", false },
		{ "<stream:error><reset xmlns='urn:ietf:params:xml:ns:"
		  "xmpp-streams'/></stream:error></stream:stream>",
		    "up down:reset ", false },
		{ "<stream:error><system-shutdown xmlns='urn:ietf:params:xml:"
		  "ns:xmpp-streams'/></stream:error></stream:stream>",
		    "up down:system-shutdown ", true },
		/* nobody sends us stanzas here: ignored */
		{ "<message from='bo@partner.example' "
		  "to='anna@contoso.example'/></stream:stream>",
		    "up down ", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;

		go_open(&f);
		assert_int_equal(1, f.settled);
		assert_delivered(&f.s[1], PROOF_TCP);
		script_send(&f.p, rows[i].text);
		until_settled(&f, 2);
		assert_failed(&f.s[0], COND_REMOTE_SERVER_TIMEOUT, NULL);
		assert_string_equal(rows[i].event, buf_cstr(&f.events));
		send_one(&f, 2, NULL);
		assert_int_equal(rows[i].backoff ? 1 : 0, f.s[2].times);
		assert_true(script_ended_with(&f.p, "</stream:stream>"));
		buf_finish(&f.p.seen);
		f.accepted = false;
		finish(&f);
		assert_int_equal(1, f.s[2].times);
	}
}

/* The partner opens a stream of his own, which goes on, and ends ours: what
 * comes next goes out at once. */
static void
test_ends_after_he_came(void **state)
{
	static const char bye[] =
	    "<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:"
	    "xmpp-streams'/></stream:error></stream:stream>";
	static const struct {
		uint64_t wait_ms;
		bool gone, backoff;
	} rows[] = { { 0, false, false }, { 9000, false, false },
		{ 10000, false, true }, { 0, true, true } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;

		go_open(&f);
		world_skip(&f.w, 1);
		routes_heard(f.routes, REMOTE);
		f.here = !rows[i].gone;
		if (rows[i].wait_ms > 0)
			world_skip(&f.w, rows[i].wait_ms);
		script_send(&f.p, bye);
		until_settled(&f, 2);
		send_one(&f, 2, NULL);
		assert_int_equal(rows[i].backoff ? 1 : 0, f.s[2].times);
		assert_true(script_ended_with(&f.p, "</stream:stream>"));
		buf_finish(&f.p.seen);
		f.accepted = false;
		finish(&f);
		assert_int_equal(1, f.s[2].times);
	}
}

static void
test_connection_lost(void **state)
{
	struct fixture f;

	(void)state;
	go_open(&f);
	conn_abort(f.p.conn, CONN_END_LOCAL);
	until_settled(&f, 2);
	assert_failed(&f.s[0], COND_REMOTE_SERVER_TIMEOUT, NULL);
	assert_string_equal("up down ", buf_cstr(&f.events));
	assert_true(f.p.ended || world_run(&f.w, &f.p.ended, 3000));
	finish(&f);
}

/* Peers that say nothing at some point are given up in time. */
static void
test_silent_partner(void **state)
{
	struct fixture f;

	(void)state;
	go_connected(&f);
	world_skip(&f.w, 10001);
	until_settled(&f, 2);
	assert_failed(&f.s[0], COND_REMOTE_SERVER_TIMEOUT, NULL);
	finish(&f);
	go_tls(&f);
	world_skip(&f.w, 10001);
	until_settled(&f, 2);
	assert_failed(&f.s[0], COND_REMOTE_SERVER_TIMEOUT, NULL);
	finish(&f);
}

static void
test_close_settles(void **state)
{
	struct fixture f;

	(void)state;
	/* while resolving */
	begin(&f);
	send_one(&f, 0, NULL);
	finish(&f);
	assert_int_equal(1, f.s[0].times);
	/* while connecting */
	go_connected(&f);
	finish(&f);
	assert_int_equal(1, f.s[0].times);
	assert_int_equal(1, f.s[1].times);
	/* open, one unproven */
	go_open(&f);
	routes_close(f.routes);
	assert_int_equal(ERR_CLOSED, send_one(&f, 5, NULL));
	finish(&f);
	assert_failed(&f.s[0], COND_REMOTE_SERVER_TIMEOUT, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_late_messages),
		cmocka_unit_test(test_barrier),
		cmocka_unit_test(test_probe_and_count),
		cmocka_unit_test(test_forget_and_withdraw),
		cmocka_unit_test(test_not_permitted),
		cmocka_unit_test(test_wrong_certificates),
		cmocka_unit_test(test_refused_by_partner),
		cmocka_unit_test(test_dns),
		cmocka_unit_test(test_next_target),
		cmocka_unit_test(test_direct_tls),
		cmocka_unit_test(test_direct_gives_way),
		cmocka_unit_test(test_direct_dns),
		cmocka_unit_test(test_a_silent_service),
		cmocka_unit_test(test_direct_not_for_all),
		cmocka_unit_test(test_direct_hello),
		cmocka_unit_test(test_side_by_side),
		cmocka_unit_test(test_again_after_the_leader),
		cmocka_unit_test(test_cancelled_while_racing),
		cmocka_unit_test(test_one_stream_for_a_pair),
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_backoff_ends_when_the_partner_comes),
		cmocka_unit_test(test_queue_bounds),
		cmocka_unit_test(test_partner_does_not_read),
		cmocka_unit_test(test_scripted_refusals),
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_counted),
		cmocka_unit_test(test_keep_alives),
		cmocka_unit_test(test_another_next_hop),
		cmocka_unit_test(test_the_time_for_an_attempt_changes),
		cmocka_unit_test(test_ends_after_open),
		cmocka_unit_test(test_ends_after_he_came),
		cmocka_unit_test(test_connection_lost),
		cmocka_unit_test(test_silent_partner),
		cmocka_unit_test(test_close_settles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
