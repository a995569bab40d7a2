/*
 * Time limits of sessions (RFC 4028): the terms, then who refreshes and what
 * becomes of a session that is not refreshed.  The wire is the test's, and so
 * is the time.
 */
#include "frontend-gateway/sip/sip_session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/sip_wire.inc"
#include "tests/unit/sip_hear.inc"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* --- the terms ----------------------------------------------------------- */

static struct sip_msg *
message(const char *start, const char *headers)
{
	struct sip_msg *m;
	char text[1024];
	int len;

	len = snprintf(text, sizeof(text),
	    "%s\r\nVia: SIP/2.0/TLS fe1:5061;branch=z9hG4bK1\r\n"
	    "From: <sip:anna@contoso.example>;tag=a\r\n"
	    "To: <sip:bo@partner.example>;tag=b\r\n"
	    "Call-ID: c\r\nCSeq: 1 INVITE\r\n%sContent-Length: 0\r\n\r\n",
	    start, headers);
	assert_int_equal(
	    sip_msg_parse(&m, (const uint8_t *)text, (size_t)len, NULL, 0), 0);
	return m;
}

#define TIMER "Supported: histinfo, timer\r\n"
#define SE(v) "Session-Expires: " v "\r\n"

static const struct {
	const char *headers;
	bool updates;
	struct sip_session before;
	int rc;
	struct sip_session after;
	const char *value; /* of our answer */
} askers[] = {
	{ TIMER, true, { 0, false }, 0, { 0, false }, NULL },
	/* RFC 4028 9, table 2. */
	{ TIMER SE("1800;refresher=uac"), true, { 0, false }, 0,
	    { 1800, false }, "1800;refresher=uac" },
	{ TIMER SE("1800;refresher=uas"), true, { 0, false }, 0, { 1800, true },
	    "1800;refresher=uas" },
	{ TIMER SE("1800"), true, { 0, false }, 0, { 1800, false },
	    "1800;refresher=uac" },
	{ SE("1800"), true, { 0, false }, 0, { 1800, true },
	    "1800;refresher=uas" },
	{ "Require: timer\r\n" SE("1800"), true, { 0, false }, 0,
	    { 1800, false }, "1800;refresher=uac" },
	{ TIMER "x: 600 ; refresher=UAS\r\n", true, { 0, false }, 0,
	    { 600, true }, "600;refresher=uas" },
	/* Not to be kept without UPDATE. */
	{ SE("1800"), false, { 0, false }, 0, { 0, false }, NULL },
	{ TIMER SE("1800;refresher=uas"), false, { 0, false }, 0, { 0, false },
	    NULL },
	{ TIMER SE("1800;refresher=uac"), false, { 0, false }, 0,
	    { 1800, false }, "1800;refresher=uac" },
	/* RFC 4028 6, 9: too short, for one who understands and one who does
	 * not. */
	{ TIMER SE("89"), true, { 700, true }, 422, { 700, true }, NULL },
	{ TIMER SE("90"), true, { 0, false }, 0, { 90, false },
	    "90;refresher=uac" },
	{ SE("89"), true, { 0, false }, 0, { 0, false }, NULL },
	/* A refresh without the header. */
	{ TIMER, true, { 900, false }, 0, { 0, false }, NULL },
	{ "", true, { 900, true }, 0, { 900, true }, "900;refresher=uas" },
	/* What is no number. */
	{ TIMER SE(""), true, { 0, false }, 0, { 0, false }, NULL },
	{ TIMER SE("soon"), true, { 0, false }, 0, { 0, false }, NULL },
	{ TIMER SE("-5"), true, { 0, false }, 0, { 0, false }, NULL },
	{ TIMER SE("99999999999999999999"), true, { 0, false }, 0,
	    { 604800, false }, "604800;refresher=uac" },
};

static void
what_is_asked_for(void **state)
{
	char value[SIP_SESSION_VALUE_SIZE];
	struct sip_session s;
	struct sip_msg *m;

	(void)state;
	for (size_t i = 0; i < COUNT(askers); i++) {
		m = message(
		    "INVITE sip:bo@partner.example SIP/2.0", askers[i].headers);
		s = askers[i].before;
		if (sip_session_answer(&s, m, askers[i].updates) !=
			askers[i].rc ||
		    s.interval_s != askers[i].after.interval_s ||
		    s.ours != askers[i].after.ours)
			fail_msg("row %zu: %u %d", i, (unsigned)s.interval_s,
			    s.ours);
		if (askers[i].value != NULL) {
			sip_session_value(value, &s, true);
			assert_string_equal(value, askers[i].value);
		}
		sip_msg_free(m);
	}
}

static const struct {
	const char *headers;
	bool updates;
	struct sip_session after;
} answers[] = {
	{ "", true, { 0, false } },
	{ SE("1800;refresher=uac"), true, { 1800, true } },
	{ SE("1800;refresher=uas"), true, { 1800, false } },
	{ SE("1800"), true, { 1800, true } },
	{ SE("1800;refresher=uac"), false, { 0, false } },
	{ SE("1800;refresher=uas"), false, { 1800, false } },
	{ SE("1;refresher=uac"), true, { 90, true } },
	{ SE("x"), true, { 0, false } },
};

static void
what_is_answered(void **state)
{
	struct sip_session s;
	struct sip_msg *m;

	(void)state;
	for (size_t i = 0; i < COUNT(answers); i++) {
		m = message("SIP/2.0 200 OK", answers[i].headers);
		s = (struct sip_session){ 333, true };
		sip_session_answered(&s, m, answers[i].updates);
		if (s.interval_s != answers[i].after.interval_s ||
		    s.ours != answers[i].after.ours)
			fail_msg("row %zu: %u %d", i, (unsigned)s.interval_s,
			    s.ours);
		sip_msg_free(m);
	}
}

static void
when_it_is_due(void **state)
{
	static const struct {
		uint32_t interval_s;
		uint64_t refresh_ms, end_ms;
	} rows[] = {
		{ 90, 45000, 60000 },
		{ 96, 48000, 64000 },
		{ 1800, 900000, 1768000 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct sip_session s = { rows[i].interval_s, true };

		assert_int_equal(
		    sip_session_refresh_ms(&s), rows[i].refresh_ms);
		assert_int_equal(sip_session_end_ms(&s), rows[i].end_ms);
	}
}

/* --- on the wire --------------------------------------------------------- */

static struct sip_dialog *chat;
static const struct sip_answer refusal = { .status = 488 };
static bool refuses; /* the owner: an offer within the dialog */

void
wire_on_request(struct sip_ua *ua, struct sip_server_txn *st,
    const struct sip_msg *req, struct sip_dialog *d, void *arg)
{
	static const struct sip_answer ok = { .status = 200,
		.content_type = "application/sdp",
		.body = "v=0\r\n",
		.body_len = 5 };

	(void)arg;
	wire_note("%s%s", sip_msg_method_name(req), d != NULL ? " in" : "");
	if (d == NULL)
		assert_int_equal(sip_ua_accept(&chat, ua, st, &ok, NULL), 0);
	else
		assert_int_equal(
		    sip_ua_respond(ua, st, refuses ? &refusal : &ok), 0);
}

static void
on_result(struct sip_ua *ua, struct sip_ua_call *call,
    const struct sip_result *r, void *arg)
{
	(void)ua;
	(void)call;
	(void)arg;
	wire_note("%d%s", r->status, r->dialog != NULL ? " dialog" : "");
	if (r->dialog != NULL)
		chat = r->dialog;
}

#define ALLOW "Allow: INVITE, BYE, ACK, CANCEL, INFO, MESSAGE, UPDATE\r\n"
#define CONTACT                                                                \
	"Contact: <sip:anna@contoso.example;opaque=user:epid:A;gruu>\r\n"

/* Anna calls; returns our 200. */
static const char *
called(const char *headers)
{
	const char *ok;

	wire_sayf("INVITE sip:bo@partner.example SIP/2.0\r\n"
		  "Via: SIP/2.0/TLS fe1:5061;branch=z9hG4bKinvite\r\n"
		  "From: <sip:anna@contoso.example>;tag=a\r\n"
		  "To: <sip:bo@partner.example>\r\nCall-ID: c1\r\n"
		  "CSeq: 1 INVITE\r\nMax-Forwards: 70\r\n" CONTACT
		  "%sContent-Length: 0\r\n\r\n",
	    headers);
	ok = wire_next();
	if (strncmp(ok, "SIP/2.0 200", 11) != 0)
		return ok;
	expect("INVITE");
	wire_sayf("ACK sip:bo@partner.example SIP/2.0\r\n"
		  "Via: SIP/2.0/TLS fe1:5061;branch=z9hG4bKack\r\n"
		  "From: <sip:anna@contoso.example>;tag=a\r\nTo: %s\r\n"
		  "Call-ID: c1\r\nCSeq: 1 ACK\r\nMax-Forwards: 70\r\n"
		  "Content-Length: 0\r\n\r\n",
	    wire_value(ok, "To"));
	return ok;
}

/* A request of hers within the dialog; ok is our 200 to her INVITE. */
static void
she_asks(const char *ok, const char *method, unsigned cseq, const char *more,
    const char *body)
{
	wire_sayf("%s sip:bo@gw1.contoso.example:5061 SIP/2.0\r\n"
		  "Via: SIP/2.0/TLS fe1:5061;branch=z9hG4bKs%u\r\n"
		  "From: <sip:anna@contoso.example>;tag=a\r\nTo: %s\r\n"
		  "Call-ID: c1\r\nCSeq: %u %s\r\nMax-Forwards: 70\r\n" CONTACT
		  "%sContent-Length: %zu\r\n\r\n%s",
	    method, ++wire_branch, wire_value(ok, "To"), cseq, method, more,
	    strlen(body), body);
}

/* We call Anna, whose 200 has these headers. */
static void
call(const char *headers)
{
	struct sip_question q = { .method = SIP_INVITE,
		.uri = "sip:anna@contoso.example",
		.from_uri = "sip:bo@partner.example",
		.on_result = on_result };
	struct sip_ua_call *c;
	const char *invite;
	char more[512];

	assert_int_equal(sip_ua_ask(&c, wire_ua, &q), 0);
	invite = hear("INVITE ");
	assert_non_null(
	    strstr(invite, "\r\nSupported: "
			   "ms-dialog-route-set-update, timer\r\n"));
	assert_null(strstr(invite, "Session-Expires"));
	snprintf(more, sizeof(more), CONTACT "%s", headers);
	wire_answer(invite, "200 OK", "b", more, "");
	hear("ACK ");
	expect("200 dialog");
}

static int
on_setup(void **state)
{
	(void)state;
	wire_open();
	refuses = false;
	return 0;
}

static int
on_teardown(void **state)
{
	(void)state;
	wire_close();
	return 0;
}

static void
advance_s(unsigned s)
{
	clock_advance(wire_clock, (uint64_t)s * 1000);
}

static void
too_short_a_session_is_refused(void **state)
{
	const char *text = called(TIMER SE("60"));

	(void)state;
	if (strncmp(text, "SIP/2.0 422 Session Interval Too Small", 38) != 0)
		fail_msg("%s", text);
	assert_string_equal(wire_value(text, "Min-SE"), "90");
	expect("");
}

static void
without_a_limit_nothing_is_said_of_it(void **state)
{
	const char *ok = called(ALLOW TIMER);

	(void)state;
	assert_string_equal(wire_value(ok, "Session-Expires"), "");
	assert_string_equal(wire_value(ok, "Require"), "");
	advance_s(100000);
	silence();
}

static void
who_calls_refreshes_and_may_fail_to(void **state)
{
	const char *ok = called(ALLOW TIMER SE("1800;refresher=uac"));

	(void)state;
	assert_string_equal(
	    wire_value(ok, "Session-Expires"), "1800;refresher=uac");
	assert_string_equal(wire_value(ok, "Require"), "timer");
	for (unsigned i = 0; i < 5; i++) {
		advance_s(900);
		she_asks(
		    ok, "UPDATE", 2 + i, TIMER SE("1800;refresher=uac"), "");
		assert_string_equal(
		    wire_value(hear("SIP/2.0 200 OK"), "Session-Expires"),
		    "1800;refresher=uac");
	}
	/* A re-INVITE does as well. */
	advance_s(1700);
	she_asks(ok, "INVITE", 10, TIMER SE("200;refresher=uac"), "");
	assert_string_equal(
	    wire_value(hear("SIP/2.0 200 OK"), "Session-Expires"),
	    "200;refresher=uac");
	expect("INVITE in");
	she_asks(ok, "ACK", 10, "", "");
	/* But not one that was refused. */
	advance_s(100);
	refuses = true;
	she_asks(ok, "INVITE", 11,
	    TIMER SE("1800;refresher=uac") "Content-Type: application/sdp\r\n",
	    "v=0\r\n");
	hear("SIP/2.0 488 ");
	expect("INVITE in");
	advance_s(67);
	silence();
	advance_s(1); /* 32 s before the 200 s are over */
	expect("ua: dialog end");
	hear("BYE ");
}

static void
we_refresh_when_asked_to(void **state)
{
	const char *update;

	(void)state;
	called(ALLOW SE("1800"));
	for (unsigned i = 0; i < 5; i++) {
		advance_s(899);
		silence();
		advance_s(1);
		update = hear("UPDATE sip:anna@contoso.example;opaque=user:");
		assert_string_equal(wire_value(update, "Session-Expires"),
		    "1800;refresher=uac");
		assert_string_equal(wire_value(update, "Min-SE"), "90");
		assert_non_null(strstr(
		    wire_value(update, "Contact"), "<sip:bo@gw1.contoso."));
		wire_answer(update, "200 OK", "",
		    CONTACT "Session-Expires: 1800;refresher=uac\r\n", "");
	}
	/* The answer may hand the duty over, or end the limit. */
	advance_s(900);
	wire_answer(hear("UPDATE "), "200 OK", "",
	    CONTACT "Session-Expires: 1800;refresher=uas\r\n", "");
	advance_s(1767);
	silence();
	advance_s(1);
	expect("ua: dialog end");
	hear("BYE ");
}

static void
a_200_without_the_header_ends_the_limit(void **state)
{
	(void)state;
	call(ALLOW SE("1800;refresher=uac"));
	advance_s(900);
	wire_answer(hear("UPDATE "), "200 OK", "", CONTACT, "");
	advance_s(100000);
	silence();
	expect("");
}

static void
the_callee_may_want_refreshes(void **state)
{
	(void)state;
	call(ALLOW "Require: timer\r\n" SE("90;refresher=uac"));
	advance_s(45);
	wire_answer(
	    hear("UPDATE "), "200 OK", "", CONTACT SE("90;refresher=uac"), "");
	/* One that nobody answers: the session ends before it would there. */
	advance_s(45);
	hear("UPDATE ");
	advance_s(14);
	silence();
	advance_s(1);
	expect("ua: dialog end");
	hear("BYE ");
}

static void
a_callee_without_update_is_promised_nothing(void **state)
{
	(void)state;
	call("Allow: INVITE, ACK, BYE, CANCEL, MESSAGE\r\n" SE(
	    "90;refresher=uac"));
	advance_s(1000);
	silence();
	expect("");
}

/* What a refresh may be answered with; in how many ms the next one comes. */
static const struct {
	const char *status, *more;
	unsigned first_ms, last_ms;
	bool ended, bye;
} failures[] = {
	{ "481 Call Does Not Exist", "", 0, 0, true, false },
	{ "430 Flow Failed",
	    "P-Dialog-Recovery-Action: Dialog-Route-Set-Update\r\n", 0, 0, true,
	    false },
	{ "408 Request Timeout", "", 0, 0, true, true },
	/* RFC 3261 14.1: the Call-ID is ours, 2.1 to 4 s. */
	{ "491 Request Pending", "", 2100, 4000, false, false },
	{ "500 Server Internal Error", "Retry-After: 20\r\n", 20000, 20000,
	    false, false },
	{ "504 Server Time-out", "", 5000, 5000, false, false },
	{ "422 Session Interval Too Small", "Min-SE: 90\r\n", 5000, 5000, false,
	    false },
};

static void
a_refresh_that_fails(void **state)
{
	unsigned waited;

	(void)state;
	for (size_t i = 0; i < COUNT(failures); i++) {
		call(ALLOW SE("1800;refresher=uac"));
		advance_s(900);
		wire_answer(hear("UPDATE "), failures[i].status, "",
		    failures[i].more, "");
		expect(failures[i].ended ? "ua: dialog end" : "");
		if (failures[i].bye)
			hear("BYE ");
		if (failures[i].ended) {
			advance_s(2000);
			silence();
			continue;
		}
		for (waited = 0; wire.taken == wire.count && waited < 60000;
		     waited += 100)
			clock_advance(wire_clock, 100);
		if (waited < failures[i].first_ms ||
		    waited > failures[i].last_ms)
			fail_msg("row %zu: %u ms", i, waited);
		wire_answer(hear("UPDATE "), "200 OK", "", CONTACT, "");
		sip_ua_forget(wire_ua, chat);
	}
}

/* RFC 3261 14.1: who did not make the Call-ID is back sooner. */
static void
glare_when_the_call_is_theirs(void **state)
{
	(void)state;
	called(ALLOW SE("1800"));
	advance_s(900);
	wire_answer(hear("UPDATE "), "491 Request Pending", "", "", "");
	clock_advance(wire_clock, 2000);
	wire_answer(hear("UPDATE "), "200 OK", "", CONTACT, "");
}

static void
too_short_a_refresh_is_widened(void **state)
{
	const char *update;

	(void)state;
	call(ALLOW SE("90;refresher=uac"));
	advance_s(45);
	wire_answer(hear("UPDATE "), "422 Session Interval Too Small", "",
	    "Min-SE: 600\r\n", "");
	update = hear("UPDATE ");
	assert_string_equal(
	    wire_value(update, "Session-Expires"), "600;refresher=uac");
	wire_answer(update, "200 OK", "", CONTACT SE("600;refresher=uac"), "");
	advance_s(299);
	silence();
	advance_s(1);
	hear("UPDATE ");
}

static void
the_end_of_the_chat_ends_the_refreshes(void **state)
{
	(void)state;
	call(ALLOW SE("90;refresher=uac"));
	advance_s(45);
	hear("UPDATE ");
	sip_ua_bye(wire_ua, chat);
	wire_answer(hear("BYE "), "200 OK", "", "", "");
	advance_s(1000);
	silence();
	expect("");
}

/* A repaired route has nothing to do with the time limit. */
static void
a_route_update_keeps_our_duty(void **state)
{
	const char *ok = called(ALLOW SE("1800"));

	(void)state;
	advance_s(600);
	she_asks(ok, "UPDATE", 2,
	    "Record-Route: <sip:pool2.contoso.example;lr>\r\n", "");
	assert_string_equal(
	    wire_value(hear("SIP/2.0 200 OK"), "Session-Expires"),
	    "1800;refresher=uas");
	advance_s(899);
	silence();
	advance_s(1);
	assert_string_equal(wire_value(hear("UPDATE "), "Route"),
	    "<sip:pool2.contoso.example;lr>");
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, on_setup, on_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_asked_for),
		cmocka_unit_test(what_is_answered),
		cmocka_unit_test(when_it_is_due),
		T(too_short_a_session_is_refused),
		T(without_a_limit_nothing_is_said_of_it),
		T(who_calls_refreshes_and_may_fail_to),
		T(we_refresh_when_asked_to),
		T(a_200_without_the_header_ends_the_limit),
		T(the_callee_may_want_refreshes),
		T(a_callee_without_update_is_promised_nothing),
		T(a_refresh_that_fails),
		T(glare_when_the_call_is_theirs),
		T(too_short_a_refresh_is_widened),
		T(the_end_of_the_chat_ends_the_refreshes),
		T(a_route_update_keeps_our_duty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
