/* Routes: direct TLS (XEP-0368).  See route_rig.h. */
#include "tests/unit/route_rig.h"

#include <stdio.h>
#include <string.h>

#include "common/tls_accept.h"

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
		struct route_rig f;
		struct route_record *r;

		route_begin_opts(
		    &f, (struct site_opts){ .direct = true }, NULL);
		route_zone[0].count = 0;
		route_zone[0].status = rows[i].starttls;
		if (rows[i].dead != 0)
			route_zone_target(&route_zone[0], rows[i].dead, 1);
		r = route_zone_add(DIRECT, DNS_SRV, DNS_OK);
		route_zone_target(r, rows[i].direct, route_port_of(&f.partner));
		if (rows[i].dead_direct != 0)
			route_zone_target(r, rows[i].dead_direct, 1);
		route_send_one(&f, 0, NULL);
		route_until_settled(&f, 1);
		route_assert_delivered(&f.s[0], PROOF_TCP);
		route_until_seen(&f, "m0");
		assert_string_equal("up ", buf_cstr(&f.events));
		route_finish(&f);
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
		struct route_rig f;
		struct site other;
		struct route_record *r;

		route_begin(&f);
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
			.in_events = &route_in_events,
			.in_arg = &f });
		r = route_zone_add(
		    DIRECT, DNS_SRV, way == UNKNOWN ? DNS_FAILED : DNS_OK);
		if (way != UNKNOWN)
			route_zone_target(
			    r, 0, way == DEAD ? 1 : route_port_of(&other));
		if (way == ABSENT)
			strcpy(r->srv[0].target, ".");
		route_send_one(&f, 0, NULL);
		route_until_settled(&f, 1);
		route_assert_delivered(&f.s[0], PROOF_TCP);
		route_until_seen(&f, "m0");
		assert_string_equal("up ", buf_cstr(&f.events));
		if (way == NO_TLS || way == OTHERS)
			assert_int_equal(1, other.in_count);
		site_close(&other);
		route_finish(&f);
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
		struct route_rig f;
		struct route_record *r;

		route_begin(&f);
		route_zone[0].status = rows[i].starttls;
		if (rows[i].starttls != DNS_OK)
			route_zone[0].count = 0;
		if (rows[i].starttls_absent)
			strcpy(route_zone[0].srv[0].target, ".");
		r = route_zone_add(DIRECT, DNS_SRV, rows[i].direct);
		if (rows[i].direct_absent) {
			route_zone_target(r, 0, 0);
			strcpy(r->srv[0].target, ".");
		}
		route_expect_failure(&f, COND_REMOTE_SERVER_NOT_FOUND, NULL);
		if (strcmp(route_asked, rows[i].asked) != 0)
			fail_msg("row %zu asked %s", i, route_asked);
		route_finish(&f);
	}
}

/* One service that is silent holds up the other for two seconds, and a domain
 * that has neither until it is given up. */
static void
test_a_silent_service(void **state)
{
	(void)state;
	for (int silent = 0; silent < 3; silent++) {
		struct route_rig f;
		struct route_record *r;

		route_begin_opts(
		    &f, (struct site_opts){ .direct = silent == 1 }, NULL);
		r = route_zone_add(DIRECT, DNS_SRV, DNS_OK);
		route_zone_target(r, 1, route_port_of(&f.partner));
		if (silent == 1) {
			route_zone[0].late_ms = 50000;
		} else {
			r->late_ms = silent == 2 ? 9000 : 50000;
			r->count = 0;
		}
		if (silent == 2)
			route_zone[0].count = 0;
		route_send_one(&f, 0, NULL);
		world_pass(&f.w, 20);
		world_skip(&f.w, 1900);
		world_pass(&f.w, 50);
		assert_int_equal(0, f.settled);
		assert_false(f.in_up);
		world_skip(&f.w, 150);
		if (silent == 2) {
			world_pass(&f.w, 50);
			assert_int_equal(0, f.settled);
			assert_null(strstr(route_asked, OWN_ASKED));
			world_skip(&f.w, 9000);
			route_until_settled(&f, 1);
			assert_false(f.s[0].r.delivered);
		} else {
			route_until_settled(&f, 1);
			route_assert_delivered(&f.s[0], PROOF_TCP);
			route_until_seen(&f, "m0");
		}
		route_finish(&f);
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
		struct route_rig f;

		route_begin(&f);
		f.edge.row = rows[i].row;
		site_permit(&f.edge, REMOTE, NULL);
		route_zone[0].status = DNS_NXDOMAIN;
		route_zone[0].count = 0;
		route_zone_target(route_zone_add(DIRECT, DNS_SRV, DNS_OK), 1,
		    route_port_of(&f.partner));
		route_send_one(&f, 0, NULL);
		route_until_settled(&f, 1);
		assert_false(f.s[0].r.delivered);
		if (strncmp(route_asked, rows[i].asked,
			strlen(rows[i].asked)) != 0 ||
		    strstr(route_asked, "_xmpps-server") != NULL)
			fail_msg("row %zu asked %s", i, route_asked);
		route_finish(&f);
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
	struct route_rig f;
	struct tls_accept a = {
		.pick = on_name, .alpn = alpn, .alpn_len = sizeof(alpn) - 1
	};
	const unsigned char *protocol = NULL;
	unsigned len = 0;
	char name[100] = "";

	(void)state;
	route_begin_scripted(&f);
	route_zone[0].name = DIRECT;
	a.arg = name;
	f.at_once = &a;
	route_send_one(&f, 0, NULL);
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
	route_finish(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_direct_tls),
		cmocka_unit_test(test_direct_gives_way),
		cmocka_unit_test(test_direct_dns),
		cmocka_unit_test(test_a_silent_service),
		cmocka_unit_test(test_direct_not_for_all),
		cmocka_unit_test(test_direct_hello),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
