/* Routes: order, custody, and where a partner is looked for.  See route_rig.h. */
#include "tests/unit/route_rig.h"

#include <stdio.h>
#include <string.h>

#include "common/err.h"

/* What waited while connecting comes first and in order. */
static void
test_order(void **state)
{
	struct route_rig f;

	(void)state;
	route_begin(&f);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(0, route_send_one(&f, i, NULL));
	assert_int_equal(ERR_EXISTS, route_send_one(&f, 0, NULL));
	assert_int_equal(5, routes_unsettled(f.routes));
	assert_int_equal(0, f.settled);
	route_until_settled(&f, 5);
	for (unsigned i = 5; i < 8; i++)
		assert_int_equal(0, route_send_one(&f, i, NULL));
	assert_int_equal(8, f.settled);
	route_until_seen(&f, "m7");
	assert_string_equal("m0 m1 m2 m3 m4 m5 m6 m7 ", buf_cstr(&f.seen));
	for (unsigned i = 0; i < 8; i++)
		route_assert_delivered(&f.s[i], PROOF_TCP);
	assert_string_equal("up ", buf_cstr(&f.events));
	route_finish(&f);
}

static void
send_xml(struct route_rig *f, unsigned n, const char *xml)
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
	struct route_rig f;

	(void)state;
	route_begin(&f);
	send_xml(
	    &f, 0, "<message" ADDRESSES "id='m0'><body>a</body></message>");
	send_xml(&f, 1, "<presence" ADDRESSES "id='p1'></presence>");
	world_skip(&f.w, 4500);
	send_xml(
	    &f, 2, "<message" ADDRESSES "id='m2'><body>b</body></message>");
	world_skip(&f.w, 501);
	route_until_settled(&f, 3);
	route_until_seen(&f, "m2");
	assert_string_equal("late:m0 p1 m2 ", buf_cstr(&f.seen));
	route_finish(&f);
}

static void
test_barrier(void **state)
{
	struct route_rig f;

	(void)state;
	route_begin(&f);
	route_send_one(&f, 0, "sp1-gw1-0-a");
	route_send_one(&f, 1, NULL);
	route_send_one(&f, 2, "sp1-gw1-1-b");
	route_send_one(&f, 3, "sp1-gw1-2-c");
	route_until_seen(&f, "m3");
	assert_string_equal("m0 ping:sp1-gw1-0-a m1 m2 m3 ", buf_cstr(&f.seen));
	assert_int_equal(1, f.settled);
	routes_proof(f.routes, "sp1-gw1-1-b"); /* was never sent */
	assert_int_equal(1, f.settled);
	routes_proof(f.routes, "sp1-gw1-0-a");
	route_assert_delivered(&f.s[0], PROOF_PING);
	assert_int_equal(2, f.settled);
	assert_true(f.proofs & 1u << PROOF_PING);
	/* the newest id covers both that wait */
	route_until_seen(&f, "ping:sp1-gw1-2-c");
	assert_null(strstr(buf_cstr(&f.seen), "ping:sp1-gw1-1-b"));
	routes_proof(f.routes, "sp1-gw1-0-a"); /* a second time */
	assert_int_equal(2, f.settled);
	routes_proof(f.routes, "sp1-gw1-2-c");
	assert_int_equal(4, f.settled);
	route_assert_delivered(&f.s[2], PROOF_PING);
	route_assert_delivered(&f.s[3], PROOF_PING);
	assert_int_equal(0, routes_unsettled(f.routes));
	/* neither answered nor counted: that ends the stream and fails */
	route_send_one(&f, 4, "sp1-gw1-3-d");
	route_until_seen(&f, "ping:sp1-gw1-3-d");
	world_pass(&f.w, 50);
	world_skip(&f.w, 10000);
	assert_int_equal(4, f.settled);
	assert_true(f.proofs & 1u << PROOF_ACK);
	world_skip(&f.w, 61000);
	route_until_settled(&f, 5);
	route_assert_failed(&f.s[4], COND_REMOTE_SERVER_TIMEOUT, NULL);
	route_finish(&f);
}

static void
test_probe_and_count(void **state)
{
	struct route_stanza probe = {
		.local = LOCAL, .remote = REMOTE, .barrier = "sp1-gw1-0-p"
	};
	struct route_rig f;

	(void)state;
	route_begin(&f);
	f.handles = true;
	probe.cookie = &f.s[0];
	assert_int_equal(0, routes_probe(f.routes, &probe));
	route_assert_failed(&f.s[0], COND_REMOTE_SERVER_TIMEOUT, NULL);
	route_send_one(&f, 1, NULL);
	route_until_settled(&f, 2);
	probe.cookie = &f.s[2];
	assert_int_equal(0, routes_probe(f.routes, &probe));
	route_until_seen(&f, "ping:sp1-gw1-0-p");
	assert_int_equal(2, f.settled);
	/* no answer: his count has to do */
	world_pass(&f.w, 50);
	world_skip(&f.w, 10001);
	route_until_settled(&f, 3);
	route_assert_delivered(&f.s[2], PROOF_ACK);
	assert_int_equal(1u << PROOF_ACK, f.proofs);
	route_send_one(&f, 3, "sp1-gw1-1-q");
	route_until_settled(&f, 4);
	route_assert_delivered(&f.s[3], PROOF_ACK);
	assert_null(strstr(buf_cstr(&f.seen), "ping:sp1-gw1-1-q"));
	/* better late than never */
	routes_proof(f.routes, "sp1-gw1-0-p");
	assert_int_equal(1u << PROOF_ACK | 1u << PROOF_PING, f.proofs);
	route_send_one(&f, 4, "sp1-gw1-2-r");
	route_until_seen(&f, "ping:sp1-gw1-2-r");
	world_pass(&f.w, 50);
	assert_int_equal(4, f.settled);
	routes_proof(f.routes, "sp1-gw1-2-r");
	route_assert_delivered(&f.s[4], PROOF_PING);
	route_finish(&f);
}

static void
test_forget_and_withdraw(void **state)
{
	struct route_rig f;

	(void)state;
	route_begin(&f);
	route_send_one(&f, 0, "sp1-gw1-0-a");
	route_send_one(&f, 1, "sp1-gw1-1-b");
	route_send_one(&f, 9, NULL);
	/* still in the queue: never sent */
	assert_true(routes_withdraw(f.routes, &f.s[9]));
	assert_false(routes_withdraw(f.routes, &f.s[9]));
	route_until_seen(&f, "m1");
	routes_forget_pings(f.routes, "gw");
	routes_forget_pings(f.routes, "gw1");
	routes_proof(f.routes, "sp1-gw1-0-a");
	assert_int_equal(0, f.settled);
	assert_true(routes_withdraw(f.routes, &f.s[0]));
	route_send_one(&f, 2, "sp1-gw1-0-c");
	route_until_seen(&f, "ping:sp1-gw1-0-c");
	routes_proof(f.routes, "sp1-gw1-0-c");
	assert_int_equal(2, f.settled);
	route_assert_delivered(&f.s[1], PROOF_PING);
	route_assert_delivered(&f.s[2], PROOF_PING);
	assert_int_equal(0, f.s[0].times);
	assert_int_equal(0, f.s[9].times);
	assert_null(strstr(buf_cstr(&f.seen), "m9"));
	route_finish(&f);
}

static void
test_not_permitted(void **state)
{
	struct route_rig f;

	(void)state;
	route_begin(&f);
	assert_int_equal(
	    0, routes_send(f.routes, &(struct route_stanza){ .local = LOCAL,
					 .remote = "stranger.example",
					 .xml = "<a/>",
					 .len = 4,
					 .cookie = &f.s[0] }));
	route_assert_failed(&f.s[0], COND_NOT_ALLOWED, NULL);
	assert_string_equal("", route_asked);
	route_send_one(&f, 1, NULL);
	route_until_settled(&f, 2);
	site_permit(&f.edge, NULL, NULL);
	routes_recheck(f.routes);
	assert_non_null(strstr(buf_cstr(&f.events), "down"));
	route_send_one(&f, 2, NULL);
	route_assert_failed(&f.s[2], COND_NOT_ALLOWED, NULL);
	route_finish(&f);
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
		struct route_rig f;

		route_begin_opts(&f, rows[i], NULL);
		route_expect_failure(&f, COND_REMOTE_SERVER_TIMEOUT, "cancel");
		assert_false(f.in_up);
		route_finish(&f);
	}
}

/* The partner does not know us. */
static void
test_refused_by_partner(void **state)
{
	struct route_rig f;

	(void)state;
	route_begin_opts(
	    &f, (struct site_opts){ .partner = "third.example" }, NULL);
	route_expect_failure(&f, COND_REMOTE_SERVER_TIMEOUT, NULL);
	assert_non_null(strstr(f.s[0].text, "policy-violation"));
	route_finish(&f);
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
		struct route_rig f;
		struct route_record *srv;

		route_begin(&f);
		route_zone_count = 0;
		srv = route_zone_add(
		    "_xmpp-server._tcp.partner.example", DNS_SRV, rows[i].srv);
		if (rows[i].target != NULL) {
			route_zone_target(srv, 0, rows[i].port);
			snprintf(srv->srv[0].target, sizeof(srv->srv[0].target),
			    "%s", rows[i].target);
		}
		route_zone_add(REMOTE, DNS_A, rows[i].a)->addr = rows[i].addr;
		route_expect_failure(&f, rows[i].c, NULL);
		if (strcmp(route_asked, rows[i].asked) != 0)
			fail_msg("row %zu asked %s", i, route_asked);
		route_finish(&f);
	}
}

/* A dead target, then one that cannot do TLS, then the good one. */
static void
test_next_target(void **state)
{
	struct route_rig f;
	struct site broken;

	(void)state;
	route_begin(&f);
	site_init(
	    &broken, &f.w, &(struct site_opts){ .hosted = "broken.example" });
	broken.in_arg = &f;
	assert_int_equal(0,
	    uv_listen((uv_stream_t *)&broken.listener, 4, route_on_connection));
	route_zone[0].count = 0;
	route_zone_target(&route_zone[0], 1, 1);
	route_zone_target(&route_zone[0], 3, route_port_of(&f.partner));
	route_zone_target(&route_zone[0], 2, route_port_of(&broken));
	route_send_one(&f, 0, NULL);
	assert_true(world_run(&f.w, &f.accepted, 3000));
	script_expect(&f.p, "to='partner.example'");
	script_send(&f.p,
	    "<stream:stream xmlns='jabber:server' xmlns:stream='http://"
	    "etherx.jabber.org/streams' version='1.0' id='1'>"
	    "<stream:features/>");
	script_expect(&f.p, "<starttls ");
	script_send(&f.p, "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
	route_until_settled(&f, 1);
	route_assert_delivered(&f.s[0], PROOF_TCP);
	route_until_seen(&f, "m0");
	assert_string_equal("up ", buf_cstr(&f.events));
	site_close(&broken);
	route_finish(&f);
	site_free(&broken);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
