/* Routes: partners who follow a script.  See route_rig.h. */
#include "tests/unit/route_rig.h"

#include <string.h>

#include "common/err.h"

static void
go_connected(struct route_rig *f)
{
	route_begin_scripted(f);
	route_send_one(f, 0, "sp1-gw1-0-a");
	route_send_one(f, 1, NULL);
	assert_true(world_run(&f->w, &f->accepted, 3000));
	script_expect(&f->p,
	    "from='contoso.example' to='partner.example' version='1.0' "
	    "xml:lang='en'>");
}

static void
go_tls(struct route_rig *f)
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
		struct route_rig f;

		if (rows[i].tls)
			go_tls(&f);
		else
			go_connected(&f);
		script_send(&f.p, rows[i].text);
		route_until_settled(&f, 2);
		if (strstr(f.s[0].text, rows[i].says) == NULL)
			fail_msg("row %zu says %s", i, f.s[0].text);
		route_assert_failed(&f.s[0], rows[i].c, rows[i].type);
		route_assert_failed(&f.s[1], rows[i].c, rows[i].type);
		assert_false(script_ended_with(&f.p, "<message"));
		route_finish(&f);
	}
}

static void
go_features(struct route_rig *f, const char *features)
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
go_open(struct route_rig *f)
{
	go_features(f, "<stream:features/>");
	script_expect(&f->p, "id='m0'/>" PING("sp1-gw1-0-a"));
	script_expect(&f->p, "id='m1'/>");
}

/* Enabled in front of the first stanza; asked for behind the first ping. */
static void
go_managed(struct route_rig *f)
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
	struct route_rig f;

	(void)state;
	go_open(&f);
	world_pass(&f.w, 50);
	assert_int_equal(1, f.settled);
	world_skip(&f.w, 10001);
	route_until_settled(&f, 2);
	route_assert_delivered(&f.s[0], PROOF_TCP);
	route_send_one(&f, 2, "sp1-gw1-1-q");
	route_until_settled(&f, 3);
	route_assert_delivered(&f.s[2], PROOF_TCP);
	assert_string_equal("up update:8 ", buf_cstr(&f.events));
	script_expect(&f.p, "id='m2'/>");
	assert_null(strstr(buf_cstr(&f.p.seen), "<r"));
	routes_proof(f.routes, "sp1-gw1-0-a");
	assert_string_equal("up update:8 update:10 ", buf_cstr(&f.events));
	route_finish(&f);
}

static void
test_counted(void **state)
{
	struct route_rig f;

	(void)state;
	/* the count covers m0, not m2; then the connection breaks */
	go_managed(&f);
	route_send_one(&f, 2, "sp1-gw1-1-b");
	script_expect(&f.p, "id='m2'/>");
	script_send(&f.p, "<a" SM " h='3'/>");
	script_expect(&f.p, "<r" SM "/>");
	assert_int_equal(1, f.settled);
	script_close(&f.p);
	f.accepted = false;
	route_until_settled(&f, 3);
	route_assert_delivered(&f.s[0], PROOF_ACK);
	route_assert_failed(&f.s[2], COND_REMOTE_SERVER_TIMEOUT, NULL);
	route_finish(&f);
	/* no answer to <r/> */
	go_managed(&f);
	world_skip(&f.w, 30000);
	route_until_settled(&f, 2);
	route_assert_failed(&f.s[0], COND_REMOTE_SERVER_TIMEOUT, NULL);
	assert_true(script_ended_with(&f.p, "<connection-timeout"));
	route_finish(&f);
	/* a count that cannot be */
	go_managed(&f);
	script_send(&f.p, "<a" SM " h='4'/>");
	assert_true(script_ended_with(
	    &f.p, "<handled-count-too-high" SM " h='4' send-count='3'/>"));
	route_until_settled(&f, 2);
	route_assert_failed(&f.s[0], COND_REMOTE_SERVER_TIMEOUT, NULL);
	route_finish(&f);
	/* idle: he is asked for a sign of life */
	go_managed(&f);
	script_send(&f.p, "<a" SM " h='3'/>");
	world_pass(&f.w, 50);
	routes_proof(f.routes, "sp1-gw1-0-a");
	route_until_settled(&f, 2);
	world_skip(&f.w, 149000);
	assert_false(script_has(&f.p, "<r"));
	world_skip(&f.w, 1000);
	script_expect(&f.p, "<r" SM "/>");
	world_skip(&f.w, 30000);
	assert_true(script_ended_with(&f.p, "<connection-timeout"));
	route_finish(&f);
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
		struct route_rig f;

		go_open(&f);
		world_skip(&f.w, 10001);
		route_until_settled(&f, 2);
		f.edge.row = rows[i].row;
		site_permit(&f.edge, REMOTE, rows[i].settings);
		route_send_one(&f, 2, NULL);
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
		route_finish(&f);
	}
}

static void
set_next_hop(struct route_rig *f, const char *row)
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
	struct route_rig f;

	(void)state;
	go_open(&f);
	set_next_hop(&f, hop);
	route_send_one(&f, 2, NULL);
	world_pass(&f.w, 50);
	assert_int_equal(1, f.settled);
	assert_false(script_has(&f.p, "</stream:stream>"));
	/* Back and forth: it stays. */
	set_next_hop(&f, NULL);
	script_expect(&f.p, "id='m2'/>");
	route_until_settled(&f, 2);
	set_next_hop(&f, hop);
	route_send_one(&f, 3, NULL);
	world_pass(&f.w, 50);
	assert_int_equal(2, f.settled);
	assert_null(strstr(route_asked, "proxy.partner.example"));
	routes_proof(f.routes, "sp1-gw1-0-a");
	route_until_settled(&f, 4);
	route_assert_delivered(&f.s[0], PROOF_PING);
	route_assert_failed(&f.s[3], COND_REMOTE_SERVER_NOT_FOUND, NULL);
	assert_non_null(strstr(route_asked, "proxy.partner.example"));
	script_expect(&f.p, "</stream:stream>");
	assert_false(script_has(&f.p, "id='m3'"));
	/* Left alone for a while, unless it is another row. */
	route_send_one(&f, 4, NULL);
	assert_int_equal(1, f.s[4].times);
	set_next_hop(&f, hop);
	route_send_one(&f, 5, NULL);
	assert_int_equal(1, f.s[5].times);
	set_next_hop(&f, ",\"ProxyFqdn\":\"other.partner.example\"");
	route_send_one(&f, 6, NULL);
	assert_int_equal(0, f.s[6].times);
	route_until_settled(&f, 7);
	route_finish(&f);
}

/* An attempt has the time that is granted now, from its beginning on. */
static void
test_the_time_for_an_attempt_changes(void **state)
{
	struct route_rig f;

	(void)state;
	go_connected(&f);
	world_skip(&f.w, 3000);
	assert_int_equal(0, f.settled);
	site_permit(&f.edge, REMOTE, "{\"stream_establishment_ms\":2000}");
	routes_recheck(f.routes);
	route_until_settled(&f, 2);
	route_assert_failed(&f.s[0], COND_REMOTE_SERVER_TIMEOUT, NULL);
	assert_true(script_ended_with(&f.p, "</stream:stream>"));
	route_finish(&f);
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
		struct route_rig f;

		go_open(&f);
		assert_int_equal(1, f.settled);
		route_assert_delivered(&f.s[1], PROOF_TCP);
		script_send(&f.p, rows[i].text);
		route_until_settled(&f, 2);
		route_assert_failed(&f.s[0], COND_REMOTE_SERVER_TIMEOUT, NULL);
		assert_string_equal(rows[i].event, buf_cstr(&f.events));
		route_send_one(&f, 2, NULL);
		assert_int_equal(rows[i].backoff ? 1 : 0, f.s[2].times);
		assert_true(script_ended_with(&f.p, "</stream:stream>"));
		buf_finish(&f.p.seen);
		f.accepted = false;
		route_finish(&f);
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
		struct route_rig f;

		go_open(&f);
		world_skip(&f.w, 1);
		routes_heard(f.routes, REMOTE);
		f.here = !rows[i].gone;
		if (rows[i].wait_ms > 0)
			world_skip(&f.w, rows[i].wait_ms);
		script_send(&f.p, bye);
		route_until_settled(&f, 2);
		route_send_one(&f, 2, NULL);
		assert_int_equal(rows[i].backoff ? 1 : 0, f.s[2].times);
		assert_true(script_ended_with(&f.p, "</stream:stream>"));
		buf_finish(&f.p.seen);
		f.accepted = false;
		route_finish(&f);
		assert_int_equal(1, f.s[2].times);
	}
}

static void
test_connection_lost(void **state)
{
	struct route_rig f;

	(void)state;
	go_open(&f);
	conn_abort(f.p.conn, CONN_END_LOCAL);
	route_until_settled(&f, 2);
	route_assert_failed(&f.s[0], COND_REMOTE_SERVER_TIMEOUT, NULL);
	assert_string_equal("up down ", buf_cstr(&f.events));
	assert_true(f.p.ended || world_run(&f.w, &f.p.ended, 3000));
	route_finish(&f);
}

/* Peers that say nothing at some point are given up in time. */
static void
test_silent_partner(void **state)
{
	struct route_rig f;

	(void)state;
	go_connected(&f);
	world_skip(&f.w, 10001);
	route_until_settled(&f, 2);
	route_assert_failed(&f.s[0], COND_REMOTE_SERVER_TIMEOUT, NULL);
	route_finish(&f);
	go_tls(&f);
	world_skip(&f.w, 10001);
	route_until_settled(&f, 2);
	route_assert_failed(&f.s[0], COND_REMOTE_SERVER_TIMEOUT, NULL);
	route_finish(&f);
}

static void
test_close_settles(void **state)
{
	struct route_rig f;

	(void)state;
	/* while resolving */
	route_begin(&f);
	route_send_one(&f, 0, NULL);
	route_finish(&f);
	assert_int_equal(1, f.s[0].times);
	/* while connecting */
	go_connected(&f);
	route_finish(&f);
	assert_int_equal(1, f.s[0].times);
	assert_int_equal(1, f.s[1].times);
	/* open, one unproven */
	go_open(&f);
	routes_close(f.routes);
	assert_int_equal(ERR_CLOSED, route_send_one(&f, 5, NULL));
	route_finish(&f);
	route_assert_failed(&f.s[0], COND_REMOTE_SERVER_TIMEOUT, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
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
