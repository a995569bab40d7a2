/*
 * sip_subscriber against a scripted pool.
 */
#include "frontend-gateway/sip/sip_subscriber.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/buf.h"
#include "common/err.h"

#include "tests/unit/sip_wire.inc"
#include "tests/unit/sip_hear.inc"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define DOC      "<presentity uri=\"anna@contoso.example\"/>"
#define CONTACT  "Contact: <sip:fe1.contoso.example:5061;transport=tls>\r\n"
#define ROUTES                                                                 \
	"Record-Route: <sip:pool.contoso.example:5061;transport=tls;lr;"       \
	"ms-route-sig=aa>;tag=1\r\n"                                           \
	"Record-Route: <sip:edge.contoso.example;lr>\r\n"

static struct sip_subscriber *sub;
static char asked[8192]; /* the SUBSCRIBE that made the dialog */
static enum { NOTHING, DROP, END } in_notice, in_granted, in_over;
static int verdict; /* on a notice */
static struct buf image;

/* --- the owner ---------------------------------------------------------- */

void
wire_on_request(struct sip_ua *ua, struct sip_server_txn *st,
    const struct sip_msg *req, struct sip_dialog *d, void *arg)
{
	static const struct sip_answer ok = { .status = 200 };
	struct sip_dialog *made;

	(void)arg;
	wire_note("ua: %s%s", sip_msg_method_name(req), d != NULL ? " in" : "");
	if (sip_msg_method(req) == SIP_INVITE && d == NULL)
		assert_int_equal(sip_ua_accept(&made, ua, st, &ok, NULL), 0);
	else if (sip_ua_refuse(ua, st, 403, 0, NULL) < 0)
		abort();
}

static void
act(struct sip_subscriber *s, int what)
{
	if (what == DROP)
		sip_subscriber_drop(s);
	else if (what == END)
		sip_subscriber_end(s);
}

static void
on_granted(struct sip_subscriber *s, uint32_t expires_s, void *arg)
{
	assert_ptr_equal(arg, &sub);
	wire_note("granted %u", (unsigned)expires_s);
	act(s, in_granted);
}

static int
on_notice(struct sip_subscriber *s, const struct sip_notice *notice, void *arg)
{
	assert_ptr_equal(arg, &sub);
	wire_note("%s", sip_sub_state_str(notice->state));
	if (notice->state == SIP_SUB_TERMINATED)
		wire_note("%s %u", sip_sub_reason_str(notice->reason),
		    (unsigned)notice->retry_after_s);
	if (notice->body_len > 0)
		wire_note("%s %.*s", notice->content_type,
		    (int)notice->body_len, (const char *)notice->body);
	act(s, in_notice);
	return verdict;
}

static void
on_changed(struct sip_subscriber *s, void *arg)
{
	assert_ptr_equal(arg, &sub);
	wire_note("changed");
	buf_clear(&image);
	assert_int_equal(sip_subscriber_save(&image, s), 0);
}

static void
on_over(
    struct sip_subscriber *s, const struct sip_subscriber_over *over, void *arg)
{
	assert_ptr_equal(arg, &sub);
	wire_note("over %s %d %u", sip_subscriber_cause_str(over->cause),
	    over->status, (unsigned)over->retry_after_s);
	act(s, in_over);
	sub = NULL;
}

static const struct sip_subscriber_events events = {
	.on_granted = on_granted,
	.on_notice = on_notice,
	.on_changed = on_changed,
	.on_over = on_over,
};

static struct sip_subscriber_opts
opts(void)
{
	return (struct sip_subscriber_opts){ .clock = wire_clock,
		.uri = "sip:anna@contoso.example",
		.from_uri = "sip:bo@partner.example",
		.from_display = "Bo \"B\" Builder",
		.accept = "text/xml+msrtc.pidf, application/pidf+xml",
		.label = 77,
		.events = &events,
		.arg = &sub };
}

static int
set_up(void **state)
{
	(void)state;
	wire_open();
	sub = NULL;
	in_notice = in_granted = in_over = NOTHING;
	verdict = 200;
	buf_init(&image, 0);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	wire_close();
	buf_finish(&image);
	return 0;
}

static void
ask(void)
{
	struct sip_subscriber_opts o = opts();

	assert_int_equal(sip_subscriber_open(&sub, wire_ua, &o), 0);
	snprintf(asked, sizeof(asked), "%s", hear("SUBSCRIBE "));
	silence();
}

/* --- the pool ----------------------------------------------------------- */

/* A request of theirs within the dialog of asked.  tag is their own. */
static void
request(const char *method, const char *tag, unsigned cseq, const char *more,
    const char *body)
{
	wire_sayf("%s sip:bo@gw1.contoso.example:5061;transport=tls SIP/2.0\r\n"
		  "Via: SIP/2.0/TLS fe1.contoso.example:5061"
		  ";branch=z9hG4bK%u\r\nMax-Forwards: 70\r\n"
		  "From: %s;tag=%s\r\nTo: %s\r\nCall-ID: %s\r\n"
		  "CSeq: %u %s\r\n%s%sContent-Length: %zu\r\n\r\n%s",
	    method, ++wire_branch, wire_value(asked, "To"), tag,
	    wire_value(asked, "From"), wire_value(asked, "Call-ID"), cseq,
	    method, CONTACT, more, strlen(body), body);
}

static void
notify(unsigned cseq, const char *more, const char *body)
{
	request("NOTIFY", "fe", cseq, more, body);
}

#define ACTIVE                                                                 \
	"Event: presence\r\nSubscription-State: active\r\n"                    \
	"Content-Type: text/xml+msrtc.pidf\r\n"

/* A live subscription, everything heard. */
static void
live(const char *expires)
{
	char more[2048];

	ask();
	snprintf(more, sizeof(more), CONTACT ROUTES "Expires: %s\r\n", expires);
	wire_answer(asked, "200 OK", "fe", more, "");
	notify(1, ACTIVE, DOC);
	hear("SIP/2.0 200 ");
	silence();
	wire_journal[0] = '\0';
}

/* --- the normal path ---------------------------------------------------- */

static void
the_normal_path(void **state)
{
	const char *text;

	(void)state;
	ask();
	assert_memory_equal(
	    asked, "SUBSCRIBE sip:anna@contoso.example SIP/2.0\r\n", 44);
	assert_string_equal(wire_value(asked, "Event"), "presence");
	assert_string_equal(wire_value(asked, "Accept"),
	    "text/xml+msrtc.pidf, application/pidf+xml");
	assert_string_equal(wire_value(asked, "Expires"), "28800");
	assert_string_equal(wire_value(asked, "CSeq"), "1 SUBSCRIBE");
	assert_string_equal(
	    wire_value(asked, "To"), "<sip:anna@contoso.example>");
	assert_string_equal(wire_value(asked, "Contact"),
	    "<sip:bo@gw1.contoso.example:5061;transport=tls>");
	assert_string_equal(wire_value(asked, "Supported"), "");
	assert_non_null(strstr(wire_value(asked, "From"),
	    "\"Bo \\\"B\\\" Builder\" <sip:bo@partner.example>;tag="));
	expect("");
	wire_answer(
	    asked, "200 OK", "fe", CONTACT ROUTES "Expires: 29087\r\n", "");
	expect("granted 29087 | changed");
	seconds(10);
	notify(5, ACTIVE, DOC);
	text = hear("SIP/2.0 200 ");
	assert_string_equal(wire_value(text, "CSeq"), "5 NOTIFY");
	expect("active | text/xml+msrtc.pidf " DOC);
	/* Refreshed 900 s before the end. */
	clock_advance(wire_clock, (29087 - 900 - 10) * 1000 - 1);
	silence();
	clock_advance(wire_clock, 1);
	text = hear("SUBSCRIBE sip:fe1.contoso.example:5061;transport=tls ");
	assert_string_equal(wire_value(text, "CSeq"), "2 SUBSCRIBE");
	assert_string_equal(wire_value(text, "Expires"), "28800");
	assert_string_equal(wire_value(text, "Event"), "presence");
	assert_string_equal(wire_value(text, "Accept"),
	    "text/xml+msrtc.pidf, application/pidf+xml");
	assert_string_equal(
	    wire_value(text, "To"), "<sip:anna@contoso.example>;tag=fe");
	assert_string_equal(
	    wire_value(text, "From"), wire_value(asked, "From"));
	assert_string_equal(
	    wire_value(text, "Call-ID"), wire_value(asked, "Call-ID"));
	assert_string_equal(
	    wire_value(text, "Route"), "<sip:edge.contoso.example;lr>");
	assert_non_null(strstr(text, "ms-route-sig=aa>\r\n"));
	assert_non_null(strstr(text, "\r\nContact: <sip:bo@gw1"));
	wire_answer(text, "200 OK", "", CONTACT "Expires: 1200\r\n", "");
	expect("granted 1200 | changed");
	/* No NOTIFY has to follow a refresh. */
	seconds(1080);
	hear("SUBSCRIBE ");
	silence();
}

static void
refreshed_in_time(void **state)
{
	static const struct {
		const char *granted;
		unsigned refresh_s;
	} rows[] = { { "1", 0 }, { "60", 54 }, { "9000", 8100 },
		{ "9001", 8101 }, { "28800", 27900 }, { "43200", 42300 },
		{ "86400", 85500 }, { "4000000000", 85500 },
		{ "99999999999999999999", 85500 }, { "3600;x=y", 3240 },
		/* What cannot be read: as asked for. */
		{ "soon", 27900 }, { "-5", 27900 } };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		live(rows[i].granted);
		if (rows[i].refresh_s > 0)
			clock_advance(
			    wire_clock, (uint64_t)rows[i].refresh_s * 1000 - 1);
		silence();
		clock_advance(wire_clock, i == 0 ? 900 : 1);
		hear("SUBSCRIBE ");
		sip_subscriber_drop(sub);
		expect("");
	}
}

static void
expires_of_notify_rules(void **state)
{
	(void)state;
	live("28800");
	seconds(100);
	/* Counting down: nothing new. */
	notify(2,
	    "Event: presence\r\n"
	    "Subscription-State: active;expires=28705\r\n",
	    "");
	hear("SIP/2.0 200 ");
	expect("active");
	/* Cut short. */
	notify(3,
	    "Event: presence\r\n"
	    "subscription-state: active;expires=600\r\n",
	    "");
	hear("SIP/2.0 200 ");
	expect("active | changed");
	clock_advance(wire_clock, 539999);
	silence();
	clock_advance(wire_clock, 1);
	hear("SUBSCRIBE ");
	/* ... and while the refresh is out. */
	notify(4,
	    "Event: presence\r\n"
	    "Subscription-State: active;expires=20\r\n",
	    "");
	hear("SIP/2.0 200 ");
	expect("active | changed");
	seconds(20);
	expect("over expired 0 0");
}

/* --- NOTIFY and 200 in either order ------------------------------------- */

static void
notify_overtakes(void **state)
{
	const char *text;

	(void)state;
	ask();
	notify(1, ACTIVE ROUTES, DOC);
	hear("SIP/2.0 200 ");
	/* Nothing to be kept yet: for how long is not known. */
	expect("active | text/xml+msrtc.pidf " DOC);
	assert_int_equal(sip_subscriber_save(&image, sub), ERR_BAD_STATE);
	/* The other branch of a fork finds no room. */
	request("NOTIFY", "other", 1, ACTIVE, DOC);
	hear("SIP/2.0 481 ");
	expect("");
	wire_answer(
	    asked, "200 OK", "fe", CONTACT ROUTES "Expires: 2000\r\n", "");
	expect("granted 2000 | changed");
	seconds(1800);
	text = hear("SUBSCRIBE sip:fe1.");
	/* A NOTIFY's routes stand as they are to be sent. */
	assert_non_null(
	    strstr(wire_value(text, "Route"), "pool.contoso.example"));
	assert_string_equal(
	    wire_value(text, "To"), "<sip:anna@contoso.example>;tag=fe");
}

/* Two answer; the NOTIFY of the one comes before the 200 of the other. */
static void
forked_200(void **state)
{
	(void)state;
	ask();
	notify(1, ACTIVE, DOC);
	hear("SIP/2.0 200 ");
	wire_journal[0] = '\0';
	wire_answer(asked, "200 OK", "other", CONTACT "Expires: 2000\r\n", "");
	expect("granted 2000 | changed");
	request("NOTIFY", "other", 1, ACTIVE, DOC);
	hear("SIP/2.0 481 ");
	notify(2, ACTIVE, DOC);
	hear("SIP/2.0 200 ");
	expect("active | text/xml+msrtc.pidf " DOC);
	seconds(1800);
	assert_string_equal(wire_value(hear("SUBSCRIBE "), "To"),
	    "<sip:anna@contoso.example>;tag=fe");
	/* And the other way round: the 200 has made the dialog. */
	sip_subscriber_drop(sub);
	live("2000");
	request("NOTIFY", "other", 1, ACTIVE, DOC);
	hear("SIP/2.0 481 ");
	expect("");
}

/* The 200 is lost, the NOTIFY has told enough. */
static void
notify_is_the_only_answer(void **state)
{
	(void)state;
	ask();
	notify(1,
	    "Event: presence\r\n"
	    "Subscription-State: active;expires=3000\r\n",
	    "");
	hear("SIP/2.0 200 ");
	expect("active | changed");
	seconds(32);
	expect("");
	seconds(2700 - 32);
	hear("SUBSCRIBE ");
	sip_subscriber_drop(sub);
	/* Without expires: what was asked for. */
	ask();
	notify(1, ACTIVE, "");
	hear("SIP/2.0 200 ");
	expect("active");
	seconds(32);
	expect("changed");
	assert_int_equal(sip_subscriber_expires_ms(sub),
	    clock_wall_ms(wire_clock) + 28800000);
}

/* A 200 that cannot make a dialog leaves it to the NOTIFY. */
static void
answer_without_contact(void **state)
{
	(void)state;
	ask();
	wire_answer(asked, "200 OK", "fe", "Expires: 2000\r\n", "");
	expect("granted 2000");
	notify(1, ACTIVE, "");
	hear("SIP/2.0 200 ");
	expect("active | changed");
	seconds(1800);
	hear("SUBSCRIBE sip:fe1.");
}

static void
accepted_is_202_too(void **state)
{
	(void)state;
	ask();
	wire_answer(asked, "202 Accepted", "fe", CONTACT, "");
	expect("granted 28800 | changed");
}

static void
document_in_the_200(void **state)
{
	(void)state;
	ask();
	wire_answer(asked, "200 OK", "fe",
	    CONTACT "Expires: 28934\r\nContent-Type: text/xml+msrtc.pidf\r\n"
		    "Event: presence\r\nms-piggyback-cseq: 1\r\n"
		    "subscription-state: active;expires=28934\r\n",
	    DOC);
	expect(
	    "granted 28934 | active | text/xml+msrtc.pidf " DOC " | changed");
	/* It stands for the NOTIFY. */
	seconds(33);
	expect("");
	/* In the answer to a refresh, without a state. */
	seconds(28934 - 900 - 33);
	wire_answer(hear("SUBSCRIBE "), "200 OK", "",
	    "Expires: 3000\r\nContent-Type: application/pidf+xml\r\n", DOC);
	expect(
	    "granted 3000 | active | application/pidf+xml " DOC " | changed");
}

static void
benotify(void **state)
{
	(void)state;
	ask();
	/* One may even make the dialog. */
	request("BENOTIFY", "fe", 1, ACTIVE, DOC);
	expect("active | text/xml+msrtc.pidf " DOC);
	wire_answer(asked, "200 OK", "fe", CONTACT "Expires: 2000\r\n", "");
	expect("granted 2000 | changed");
	request("BENOTIFY", "fe", 7, ACTIVE, DOC);
	expect("active | text/xml+msrtc.pidf " DOC);
	/* Lost on the way to us: nothing is said. */
	request("BENOTIFY", "fe", 8, "Event: presence.winfo\r\n", "");
	request("BENOTIFY", "other", 9, ACTIVE, DOC);
	expect("");
	request("BENOTIFY", "fe", 9,
	    "Event: presence\r\nsubscription-state: terminated;expires=0\r\n",
	    "");
	expect("terminated |  0 | over terminated 0 0");
	silence();
}

/* --- states and reasons ------------------------------------------------- */

static void
every_state(void **state)
{
	static const struct {
		const char *header, *want;
	} rows[] = {
		{ "Subscription-State: active", "active" },
		{ "SUBSCRIPTION-STATE: Active;expires=28800", "active" },
		{ "subscription-state: pending ;expires=28800", "pending" },
		{ "Subscription-State: waiting", "strange" },
		{ "Subscription-State: activex", "strange" },
		{ "Subscription-State: act", "strange" },
		{ "Subscription-State: ;expires=28800", "strange" },
		{ "Subscription-State: active expires=99", "strange" },
		{ "Supported: a", "active" }, /* none */
		{ "Expires: 600", "active" },
		{ "Expires: 0", "terminated |  0 | over terminated 0 0" },
		{ "Subscription-State: terminated",
		    "terminated |  0 | over terminated 0 0" },
		{ "subscription-state: TERMINATED;expires=0",
		    "terminated |  0 | over terminated 0 0" },
		{ "Subscription-State: terminated;reason=deactivated",
		    "terminated | deactivated 0 | over terminated 0 0" },
		{ "Subscription-State: terminated ; "
		  "Reason=\"Probation\" ; Retry-After=300",
		    "terminated | probation 300 | over terminated 0 300" },
		{ "Subscription-State: terminated;reason=rejected",
		    "terminated | rejected 0 | over terminated 0 0" },
		{ "Subscription-State: terminated;reason=timeout",
		    "terminated | timeout 0 | over terminated 0 0" },
		{ "Subscription-State: "
		  "terminated;retry-after=5;reason=giveup",
		    "terminated | giveup 5 | over terminated 0 5" },
		{ "Subscription-State: terminated;reason=noresource",
		    "terminated | noresource 0 | over terminated 0 0" },
		{ "Subscription-State: terminated;reason=invariant",
		    "terminated | invariant 0 | over terminated 0 0" },
		{ "Subscription-State: terminated;reason=bored;retry-after=x",
		    "terminated | other 0 | over terminated 0 0" },
		{ "Subscription-State: terminated;reason=", /* empty */
		    "terminated |  0 | over terminated 0 0" },
		{ "Subscription-State: terminated;reason="
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		    "terminated | other 0 | over terminated 0 0" },
	};
	char more[512];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		live("28800");
		snprintf(more, sizeof(more), "Event: presence\r\n%s\r\n",
		    rows[i].header);
		notify(2, more, "");
		hear("SIP/2.0 200 ");
		if (strcmp(wire_journal, rows[i].want) != 0)
			fail_msg("%s: got '%s', want '%s'", rows[i].header,
			    wire_journal, rows[i].want);
		wire_journal[0] = '\0';
		if (sub != NULL) {
			sip_subscriber_drop(sub);
			continue;
		}
		/* The dialog is gone with it. */
		notify(3, ACTIVE, "");
		hear("SIP/2.0 481 ");
	}
	expect("");
}

/* --- refusals ----------------------------------------------------------- */

static void
first_refused(void **state)
{
	static const struct {
		const char *status, *more, *want;
	} rows[] = {
		{ "403 Forbidden", "", "over refused 403 0" },
		{ "404 Not Found", "", "over refused 404 0" },
		{ "423 Interval Too Brief", "", "over refused 423 0" },
		{ "423 Interval Too Brief", "Min-Expires: 10\r\n",
		    "over refused 423 0" },
		{ "480 Unavailable", "Retry-After: 90 (later);duration=3\r\n",
		    "over refused 480 90" },
		{ "489 Bad Event", "", "over refused 489 0" },
		{ "503 Service Unavailable", "Retry-After: 7\r\n",
		    "over refused 503 7" },
		{ "301 Moved", "", "over refused 301 0" },
		{ "603 Decline", "", "over refused 603 0" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		ask();
		wire_answer(asked, rows[i].status, "fe", rows[i].more, "");
		expect_(rows[i].want, (int)i);
		silence();
	}
	ask();
	seconds(31);
	expect("");
	seconds(1);
	expect("over unanswered 408 0");
	ask();
	wire.events->on_down(WIRE_CONN, wire.arg);
	expect("over transport 503 0");
}

/* A NOTIFY has come, and yet it is refused. */
static void
refused_after_notify(void **state)
{
	(void)state;
	ask();
	notify(1, ACTIVE, "");
	hear("SIP/2.0 200 ");
	expect("active");
	wire_answer(asked, "403 Forbidden", "fe", "", "");
	expect("over refused 403 0");
}

static void
too_brief(void **state)
{
	const char *text;

	(void)state;
	ask();
	wire_answer(asked, "423 Interval Too Brief", "fe",
	    "Min-Expires: 40000\r\n", "");
	text = hear("SUBSCRIBE sip:anna@contoso.example ");
	assert_string_equal(wire_value(text, "Expires"), "40000");
	assert_string_equal(wire_value(text, "CSeq"), "2 SUBSCRIBE");
	assert_string_equal(
	    wire_value(text, "Call-ID"), wire_value(asked, "Call-ID"));
	assert_string_equal(
	    wire_value(text, "To"), "<sip:anna@contoso.example>");
	wire_answer(text, "200 OK", "fe", CONTACT "Expires: 40000\r\n", "");
	expect("granted 40000 | changed");
	notify(1, ACTIVE, "");
	hear("SIP/2.0 200 ");
	wire_journal[0] = '\0';
	/* Refreshes ask for as much; and may be too brief again. */
	seconds(40000 - 900);
	text = hear("SUBSCRIBE ");
	assert_string_equal(wire_value(text, "Expires"), "40000");
	wire_answer(
	    text, "423 Interval Too Brief", "", "Min-Expires: 50000\r\n", "");
	text = hear("SUBSCRIBE ");
	assert_string_equal(wire_value(text, "Expires"), "50000");
	/* Once is enough. */
	wire_answer(
	    text, "423 Interval Too Brief", "", "Min-Expires: 60000\r\n", "");
	silence();
	expect("");
	sip_subscriber_drop(sub);
	ask();
	wire_answer(asked, "423 Interval Too Brief", "fe",
	    "Min-Expires: 40000\r\n", "");
	wire_answer(hear("SUBSCRIBE "), "423 Interval Too Brief", "fe",
	    "Min-Expires: 50000\r\n", "");
	expect("over refused 423 0");
}

static void
never_notified(void **state)
{
	(void)state;
	ask();
	wire_answer(asked, "200 OK", "fe", CONTACT "Expires: 2000\r\n", "");
	expect("granted 2000 | changed");
	clock_advance(wire_clock, 31999);
	expect("");
	clock_advance(wire_clock, 1);
	expect("over silent 0 0");
	notify(1, ACTIVE, "");
	hear("SIP/2.0 481 ");
	/* Granted nothing: the NOTIFY that ends it may follow. */
	ask();
	wire_answer(asked, "200 OK", "fe", CONTACT "Expires: 0\r\n", "");
	expect("granted 0 | changed");
	notify(1,
	    "Event: presence\r\nSubscription-State: terminated"
	    ";reason=timeout\r\n",
	    "");
	hear("SIP/2.0 200 ");
	expect("terminated | timeout 0 | over terminated 0 0");
}

/* --- refreshes that fail ------------------------------------------------ */

static void
refresh_answers(void **state)
{
	static const int ends[] = { 403, 404, 405, 410, 416, 430, 480, 481, 482,
		483, 484, 485, 489, 501, 504, 603, 604 };
	static const int keeps[] = { 302, 400, 401, 408, 413, 415, 420, 429,
		479, 486, 487, 488, 491, 500, 502, 503, 513, 600, 606 };
	char status[32], want[64];

	(void)state;
	for (size_t i = 0; i < COUNT(ends) + COUNT(keeps); i++) {
		bool end = i < COUNT(ends);
		int code = end ? ends[i] : keeps[i - COUNT(ends)];

		live("28800");
		seconds(27900);
		snprintf(status, sizeof(status), "%d x", code);
		snprintf(want, sizeof(want), "over lost %d 4", code);
		wire_answer(
		    hear("SUBSCRIBE "), status, "", "Retry-After: 4\r\n", "");
		expect_(end ? want : "", code);
		if (end)
			continue;
		/* Still alive. */
		notify(2, ACTIVE, "");
		hear("SIP/2.0 200 ");
		expect("active");
		seconds(59);
		silence();
		seconds(16);
		hear("SUBSCRIBE ");
		sip_subscriber_drop(sub);
	}
}

static void
refresh_tried_until_it_expires(void **state)
{
	size_t tries = 0;

	(void)state;
	live("28800");
	seconds(27900);
	for (unsigned s = 0; s < 899; s++) {
		while (wire.taken < wire.count) {
			tries++;
			wire_answer(wire_next(), "500 Oops", "", "", "");
		}
		seconds(1);
	}
	/* 0, 60, 180, 420 seconds and some; the next comes too late. */
	assert_in_range(tries, 4, 5);
	expect("");
	seconds(1);
	expect("over expired 0 0");
	/* Retry-After is heeded. */
	live("28800");
	seconds(27900);
	wire_answer(
	    hear("SUBSCRIBE "), "503 Overload", "", "Retry-After: 300\r\n", "");
	seconds(299);
	silence();
	seconds(1);
	/* No answer at all: given up after 32 s, tried again. */
	hear("SUBSCRIBE ");
	seconds(31 + 120);
	silence();
	seconds(1 + 30);
	wire_answer(hear("SUBSCRIBE "), "200 OK", "", "Expires: 100\r\n", "");
	expect("granted 100 | changed");
	seconds(90);
	hear("SUBSCRIBE ");
	/* No answer until the end. */
	seconds(10);
	expect("over expired 0 0");
	silence();
}

static void
pool_away(void **state)
{
	struct sip_subscriber_opts o = opts();

	(void)state;
	live("28800");
	wire.up = false;
	seconds(27900 + 75);
	expect("");
	wire.up = true;
	for (unsigned s = 0; s < 150 && wire.taken == wire.count; s++)
		seconds(1);
	wire_answer(hear("SUBSCRIBE "), "200 OK", "", "Expires: 1000\r\n", "");
	expect("granted 1000 | changed");
	/* A refresh the owner wants now. */
	assert_int_equal(sip_subscriber_refresh(sub), 0);
	assert_int_equal(sip_subscriber_refresh(sub), ERR_BAD_STATE);
	hear("SUBSCRIBE ");
	wire.events->on_down(WIRE_CONN, wire.arg);
	expect("");
	assert_int_equal(sip_subscriber_refresh(sub), 0);
	wire_answer(hear("SUBSCRIBE "), "200 OK", "", "Expires: 1000\r\n", "");
	expect("granted 1000 | changed");
	wire.up = false;
	assert_int_equal(sip_subscriber_refresh(sub), ERR_CLOSED);
	sip_subscriber_drop(sub);
	assert_int_equal(sip_subscriber_open(&sub, wire_ua, &o), ERR_CLOSED);
	wire.up = true;
	o.uri = "sip:a b@contoso.example";
	assert_int_equal(sip_subscriber_open(&sub, wire_ua, &o), ERR_MALFORMED);
	silence();
	expect("");
}

/* --- what does not belong ----------------------------------------------- */

static void
strange_requests(void **state)
{
	static const struct {
		const char *method, *more, *want;
	} rows[] = {
		{ "NOTIFY", "Event: dialog\r\n", "SIP/2.0 489 " },
		{ "NOTIFY", "Event: presence.winfo\r\n", "SIP/2.0 489 " },
		{ "NOTIFY", "Event: presence;id=9\r\n", "SIP/2.0 489 " },
		{ "NOTIFY", "Supported: x\r\n", "SIP/2.0 489 " },
		{ "SUBSCRIBE", "Event: presence\r\n", "SIP/2.0 481 " },
		{ "BYE", "", "SIP/2.0 481 " },
		{ "MESSAGE", "", "SIP/2.0 481 " },
		{ "INVITE", "", "SIP/2.0 481 " },
		{ "OPTIONS", "", "SIP/2.0 200 " },
		{ "NOTIFY",
		    "Event: presence\r\nSupported: ms-dialog-route-set-update"
		    "\r\nRecord-Route: <sip:a b\r\n",
		    "SIP/2.0 400 " },
		{ "NOTIFY", "event: Presence ;x=y\r\n", "SIP/2.0 200 " },
	};
	unsigned cseq = 10;
	const char *text;

	(void)state;
	live("28800");
	for (size_t i = 0; i < COUNT(rows); i++) {
		request(rows[i].method, "fe", cseq++, rows[i].more, "");
		text = hear_(rows[i].want, (int)i);
		if (strstr(rows[i].want, "489") != NULL)
			assert_string_equal(
			    wire_value(text, "Allow-Events"), "presence");
	}
	expect("active | active");
	/* Out of order; the same number is a NOTIFY on another way. */
	notify(9, ACTIVE, "");
	hear("SIP/2.0 500 ");
	/* Of nothing. */
	request("NOTIFY", "stranger", cseq, ACTIVE, "");
	hear("SIP/2.0 481 ");
	request("SUBSCRIBE", "stranger", cseq, "Event: presence\r\n", "");
	hear("SIP/2.0 481 ");
	wire_sayf("NOTIFY sip:bo@gw1.contoso.example SIP/2.0\r\n"
		  "Via: SIP/2.0/TLS fe1;branch=z9hG4bKa%u\r\n"
		  "From: <sip:a@contoso.example>;tag=f\r\n"
		  "To: <sip:bo@gw1.contoso.example>\r\nCall-ID: x\r\n"
		  "CSeq: 1 NOTIFY\r\n" ACTIVE "Content-Length: 0\r\n\r\n",
	    ++wire_branch);
	hear("SIP/2.0 481 ");
	expect("");
}

/* The owner refuses a document; the subscription lives on, and its state was
 * heard.  A BENOTIFY and a 200 cannot be refused. */
static void
documents_refused(void **state)
{
	static const struct {
		int status;
		const char *want, *accept;
	} rows[] = {
		{ 400, "SIP/2.0 400 ", "" },
		{ 415, "SIP/2.0 415 ",
		    "text/xml+msrtc.pidf, application/pidf+xml" },
		{ 500, "SIP/2.0 500 ", "" },
		{ 200, "SIP/2.0 200 ", "" },
	};

	(void)state;
	live("28800");
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *text;

		verdict = rows[i].status;
		notify((unsigned)i + 2, ACTIVE, DOC);
		text = hear_(rows[i].want, (int)i);
		assert_string_equal(wire_value(text, "Accept"), rows[i].accept);
		expect("active | text/xml+msrtc.pidf " DOC);
	}
	verdict = 400;
	request("BENOTIFY", "fe", 20, ACTIVE, DOC);
	silence();
	expect("active | text/xml+msrtc.pidf " DOC);
	/* Who drops it from within has it answered as he says. */
	in_notice = DROP;
	notify(21, ACTIVE, DOC);
	hear("SIP/2.0 400 ");
	notify(22, ACTIVE, DOC);
	hear("SIP/2.0 481 ");
	expect("active | text/xml+msrtc.pidf " DOC);
	in_notice = NOTHING;
	/* The end counts, whatever it brings along. */
	verdict = 200;
	live("28800");
	verdict = 400;
	notify(2,
	    "Event: presence\r\nSubscription-State: terminated\r\n"
	    "Content-Type: a/b\r\n",
	    "x");
	hear("SIP/2.0 400 ");
	expect("terminated |  0 | a/b x | over terminated 0 0");
	silence();
}

/* A dialog made by INVITE: no subscription gets in, what belongs there does.
 * NOTIFYs of no subscription never get up. */
static void
sessions_are_left_alone(void **state)
{
	static const struct {
		const char *method, *heard, *up;
	} rows[] = {
		{ "SUBSCRIBE", "SIP/2.0 489 ", "" },
		{ "NOTIFY", "SIP/2.0 481 ", "" },
		{ "BENOTIFY", "", "" },
		{ "MESSAGE", "SIP/2.0 403 ", "ua: MESSAGE in" },
		{ "BYE", "SIP/2.0 200 ", "ua: dialog end" },
	};
	char tag[64] = "";
	unsigned cseq = 0;

	(void)state;
	live("28800"); /* there is one beside it */
	for (size_t i = 0; i <= COUNT(rows); i++) {
		const char *method = i == 0 ? "INVITE" : rows[i - 1].method;

		wire_sayf("%s sip:bo@partner.example SIP/2.0\r\n"
			  "Via: SIP/2.0/TLS fe1;branch=z9hG4bKs%u\r\n"
			  "From: <sip:anna@contoso.example>;tag=an\r\n"
			  "To: <sip:bo@partner.example>%s\r\n"
			  "Call-ID: session\r\nCSeq: %u %s\r\n" CONTACT
			  "Event: presence\r\n"
			  "Subscription-State: active\r\n"
			  "Content-Length: 0\r\n\r\n",
		    method, ++wire_branch, tag, ++cseq, method);
		if (i == 0) {
			snprintf(tag, sizeof(tag), "%s",
			    strstr(wire_value(hear("SIP/2.0 200 "), "To"),
				";tag="));
			expect("ua: INVITE");
			continue;
		}
		hear_(rows[i - 1].heard, (int)i);
		expect_(rows[i - 1].up, (int)i);
		silence();
	}
	notify(2, ACTIVE, "");
	hear("SIP/2.0 200 ");
	expect("active");
}

/* The pool repairs the route. */
static void
route_repaired(void **state)
{
	const char *text;

	(void)state;
	live("28800");
	request("UPDATE", "fe", 2,
	    "Record-Route: <sip:pool2.contoso.example;lr>\r\n", "");
	hear("SIP/2.0 200 ");
	/* Told with the next occasion. */
	notify(3, ACTIVE, "");
	hear("SIP/2.0 200 ");
	expect("active | changed");
	/* A proxy that is alone to record itself again replaces nothing. */
	notify(4, ACTIVE "Record-Route: <sip:partly.example;lr>\r\n", "");
	hear("SIP/2.0 200 ");
	expect("active");
	seconds(27900);
	text = hear("SUBSCRIBE ");
	assert_string_equal(
	    wire_value(text, "Route"), "<sip:pool2.contoso.example;lr>");
	wire_answer(text, "200 OK", "",
	    "Contact: <sip:fe9.contoso.example>\r\n"
	    "Supported: ms-dialog-route-set-update\r\n"
	    "Record-Route: <sip:pool3.contoso.example;lr>\r\n",
	    "");
	expect("granted 28800 | changed");
	seconds(27900);
	text = hear("SUBSCRIBE sip:fe9.contoso.example ");
	assert_string_equal(
	    wire_value(text, "Route"), "<sip:pool3.contoso.example;lr>");
}

/* --- the end ------------------------------------------------------------ */

#define GONE                                                                   \
	"Event: presence\r\nSubscription-State: terminated;reason=timeout\r\n"

static void
ended(void **state)
{
	const char *text;

	(void)state;
	live("28800");
	sip_subscriber_end(sub);
	sip_subscriber_end(sub);
	text = hear("SUBSCRIBE ");
	silence();
	assert_string_equal(wire_value(text, "Expires"), "0");
	assert_int_equal(sip_subscriber_save(&image, sub), ERR_BAD_STATE);
	assert_int_equal(sip_subscriber_refresh(sub), ERR_BAD_STATE);
	wire_answer(text, "200 OK", "", "Expires: 0\r\n", "");
	expect("over ended 0 0");
	/* The last NOTIFY is answered all the same, and no further one. */
	notify(2, GONE, "");
	hear("SIP/2.0 200 ");
	notify(3, GONE, "");
	hear("SIP/2.0 481 ");
	/* The NOTIFY first. */
	live("28800");
	sip_subscriber_end(sub);
	text = hear("SUBSCRIBE ");
	notify(2, ACTIVE, DOC);
	hear("SIP/2.0 200 ");
	notify(3, GONE, "");
	hear("SIP/2.0 200 ");
	expect("");
	wire_answer(text, "200 OK", "", "", "");
	expect("over ended 0 0");
	notify(4, GONE, "");
	hear("SIP/2.0 481 ");
	/* The last NOTIFY never comes. */
	live("28800");
	sip_subscriber_end(sub);
	wire_answer(hear("SUBSCRIBE "), "200 OK", "", "", "");
	expect("over ended 0 0");
	seconds(32);
	notify(4, GONE, "");
	hear("SIP/2.0 481 ");
	/* No answer, no pool, 481. */
	live("28800");
	sip_subscriber_end(sub);
	hear("SUBSCRIBE ");
	seconds(31);
	expect("");
	seconds(1);
	expect("over ended 0 0");
	live("28800");
	wire.up = false;
	sip_subscriber_end(sub);
	expect("");
	seconds(1);
	expect("over ended 0 0");
	wire.up = true;
	live("28800");
	sip_subscriber_end(sub);
	wire_answer(hear("SUBSCRIBE "), "481 Gone", "", "", "");
	expect("over ended 0 0");
	silence();
}

static void
ended_early(void **state)
{
	(void)state;
	/* Before the answer: first that, then the end. */
	ask();
	sip_subscriber_end(sub);
	silence();
	wire_answer(asked, "200 OK", "fe", CONTACT "Expires: 2000\r\n", "");
	wire_answer(hear("SUBSCRIBE sip:fe1."), "200 OK", "", "", "");
	expect("over ended 0 0");
	ask();
	sip_subscriber_end(sub);
	wire_answer(asked, "404 Not Found", "fe", "", "");
	expect("over ended 0 0");
	ask();
	sip_subscriber_end(sub);
	seconds(32);
	expect("over ended 0 0");
	/* A NOTIFY has made the dialog: no need to wait. */
	ask();
	notify(1, ACTIVE, "");
	hear("SIP/2.0 200 ");
	sip_subscriber_end(sub);
	wire_answer(hear("SUBSCRIBE sip:fe1."), "200 OK", "", "", "");
	expect("active | over ended 0 0");
	/* ... or makes it while the answer is waited for. */
	ask();
	sip_subscriber_end(sub);
	notify(1, ACTIVE, "");
	hear("SIP/2.0 200 ");
	wire_answer(asked, "200 OK", "fe", "", "");
	wire_answer(hear("SUBSCRIBE sip:fe1."), "200 OK", "", "", "");
	expect("over ended 0 0");
	/* A dialog that never was. */
	ask();
	wire_answer(asked, "200 OK", "fe", "", "");
	sip_subscriber_end(sub);
	seconds(1);
	expect("granted 28800 | over ended 0 0");
	/* While a refresh is out; its answer is of no interest. */
	live("1000");
	assert_int_equal(sip_subscriber_refresh(sub), 0);
	snprintf(asked, sizeof(asked), "%s", hear("SUBSCRIBE "));
	sip_subscriber_end(sub);
	wire_answer(asked, "200 OK", "", "Expires: 700\r\n", "");
	expect("");
	wire_answer(hear("SUBSCRIBE "), "200 OK", "", "", "");
	expect("over ended 0 0");
	silence();
}

static void
left_within_callbacks(void **state)
{
	(void)state;
	in_notice = DROP;
	ask();
	wire_answer(asked, "200 OK", "fe", CONTACT "Expires: 0\r\n", "");
	notify(1, ACTIVE, "");
	hear("SIP/2.0 200 ");
	notify(2, ACTIVE, "");
	hear("SIP/2.0 481 ");
	expect("granted 0 | changed | active");
	ask();
	wire_answer(asked, "200 OK", "fe", CONTACT, "");
	notify(1, GONE, "");
	hear("SIP/2.0 200 ");
	expect("granted 28800 | changed | terminated | timeout 0");
	in_notice = END;
	ask();
	wire_answer(asked, "200 OK", "fe", CONTACT, "");
	notify(1, ACTIVE, "");
	hear("SIP/2.0 200 ");
	wire_answer(hear("SUBSCRIBE "), "200 OK", "", "", "");
	expect("granted 28800 | changed | active | over ended 0 0");
	ask();
	wire_answer(asked, "200 OK", "fe", CONTACT, "");
	notify(1, GONE, "");
	hear("SIP/2.0 200 ");
	wire_answer(hear("SUBSCRIBE "), "481 Gone", "", "", "");
	expect("granted 28800 | changed | terminated | timeout 0 | "
	       "over ended 0 0");
	in_notice = NOTHING;
	in_granted = DROP;
	ask();
	wire_answer(asked, "200 OK", "fe",
	    CONTACT "Content-Type: text/xml+msrtc.pidf\r\n", DOC);
	expect("granted 28800");
	in_granted = END;
	ask();
	wire_answer(asked, "200 OK", "fe",
	    CONTACT "Content-Type: text/xml+msrtc.pidf\r\n", DOC);
	in_over = END;
	wire_answer(hear("SUBSCRIBE "), "200 OK", "", "", "");
	notify(1, GONE, "");
	hear("SIP/2.0 200 ");
	expect("granted 28800 | over ended 0 0");
	in_over = DROP;
	ask();
	wire_answer(asked, "404 x", "fe", "", "");
	expect("over refused 404 0");
	silence();
}

static void
ua_closes(void **state)
{
	(void)state;
	ask(); /* one whose answer is out */
	live("28800");
	live("28800"); /* one whose refresh is out */
	assert_int_equal(sip_subscriber_refresh(sub), 0);
	hear("SUBSCRIBE ");
	live("28800"); /* one that lingers */
	sip_subscriber_end(sub);
	wire_answer(hear("SUBSCRIBE "), "200 OK", "", "", "");
	expect("over ended 0 0");
	sip_ua_close(wire_ua);
	expect("over transport 503 0 | over closed 0 0 | over closed 0 0");
}

/* --- beyond the process ------------------------------------------------- */

static void
restart_ua(void)
{
	in_over = NOTHING;
	sip_ua_close(wire_ua);
	wire_forget_heard();
	wire_journal[0] = '\0';
	wire_open_ua();
}

static void
restored(void **state)
{
	struct sip_subscriber_opts o = opts();
	struct sip_subscriber *twice;
	const char *text;
	struct buf old;

	(void)state;
	live("28800");
	restart_ua();
	seconds(1000);
	o.label = 0;
	assert_int_equal(
	    sip_subscriber_restore(&sub, wire_ua, &o, image.data, image.len),
	    0);
	expect("");
	assert_int_equal(sip_subscriber_label(sub), 77);
	assert_int_equal(sip_subscriber_expires_ms(sub),
	    clock_wall_ms(wire_clock) + 27800000);
	assert_string_equal(
	    sip_subscriber_call_id(sub), wire_value(asked, "Call-ID"));
	assert_int_equal(
	    sip_subscriber_restore(&twice, wire_ua, &o, image.data, image.len),
	    ERR_EXISTS);
	/* Takes NOTIFYs at once, in their order; and is to be saved. */
	notify(2, ACTIVE, DOC);
	hear("SIP/2.0 200 ");
	expect("active | text/xml+msrtc.pidf " DOC " | changed");
	notify(1, ACTIVE, "");
	hear("SIP/2.0 500 ");
	/* Refreshes when due, with a number never used before. */
	seconds(26899);
	silence();
	seconds(1);
	text = hear("SUBSCRIBE sip:fe1.contoso.example:5061;transport=tls ");
	assert_string_equal(wire_value(text, "CSeq"), "130 SUBSCRIBE");
	assert_string_equal(
	    wire_value(text, "From"), wire_value(asked, "From"));
	assert_string_equal(
	    wire_value(text, "To"), "<sip:anna@contoso.example>;tag=fe");
	assert_string_equal(
	    wire_value(text, "Route"), "<sip:edge.contoso.example;lr>");
	assert_string_equal(wire_value(text, "Contact"),
	    "<sip:bo@gw1.contoso.example:5061;transport=tls>");
	wire_answer(text, "200 OK", "", "Expires: 2000\r\n", "");
	expect("granted 2000 | changed");
	/* Once more: 130 was reserved up to 257. */
	restart_ua();
	assert_int_equal(
	    sip_subscriber_restore(&sub, wire_ua, &o, image.data, image.len),
	    0);
	assert_int_equal(sip_subscriber_refresh(sub), 0);
	assert_string_equal(
	    wire_value(hear("SUBSCRIBE "), "CSeq"), "258 SUBSCRIBE");
	/* Expired meanwhile. */
	restart_ua();
	seconds(2000);
	assert_int_equal(
	    sip_subscriber_restore(&sub, wire_ua, &o, image.data, image.len),
	    ERR_TIMEOUT);
	/* Another version, and none at all. */
	old = image;
	old.data[1]++;
	assert_int_equal(
	    sip_subscriber_restore(&sub, wire_ua, &o, old.data, old.len),
	    ERR_UNSUPPORTED);
	assert_int_equal(
	    sip_subscriber_restore(&sub, wire_ua, &o, "", 0), ERR_MALFORMED);
	sub = NULL;
}

/* Overdue refreshes wait for random moments of the spread. */
static void
overdue(void **state)
{
	enum { IMAGES = 200 };
	static struct buf images[IMAGES];
	struct sip_subscriber_opts o = opts();
	size_t thirds[3] = { 0 }, sent = 0;

	(void)state;
	for (size_t i = 0; i < IMAGES; i++) {
		live("28800");
		buf_init(&images[i], 0);
		assert_int_equal(sip_subscriber_save(&images[i], sub), 0);
		wire_forget_heard();
	}
	restart_ua();
	seconds(28000);
	o.spread_s = 90;
	for (size_t i = 0; i < IMAGES; i++) {
		assert_int_equal(sip_subscriber_restore(&sub, wire_ua, &o,
				     images[i].data, images[i].len),
		    0);
		buf_finish(&images[i]);
	}
	wire.sent = 0;
	wire.deaf = true;
	for (unsigned s = 0; s < 90; s++) {
		clock_advance(wire_clock, s < 89 ? 1000 : 999);
		thirds[s / 30] += wire.sent - sent;
		sent = wire.sent;
	}
	for (size_t i = 0; i < COUNT(thirds); i++)
		assert_in_range(thirds[i], 30, 110);
	assert_int_equal(sent, IMAGES);
}

/* ... but no longer than half of what is left. */
static void
overdue_and_nearly_over(void **state)
{
	struct sip_subscriber_opts o = opts();

	(void)state;
	live("28800");
	restart_ua();
	seconds(28790);
	o.spread_s = 3000;
	assert_int_equal(
	    sip_subscriber_restore(&sub, wire_ua, &o, image.data, image.len),
	    0);
	seconds(5);
	hear("SUBSCRIBE ");
}

/* The wall clock was set back: no longer than granted. */
static void
wall_clock_set_back(void **state)
{
	struct sip_subscriber_opts o = opts();
	const int64_t later = WIRE_WALL + INT64_C(900000000000);

	(void)state;
	live("2000");
	restart_ua();
	for (unsigned i = 0; i < 8; i++)
		image.data[3 + i] = (uint8_t)(later >> (8 * (7 - i)));
	assert_int_equal(
	    sip_subscriber_restore(&sub, wire_ua, &o, image.data, image.len),
	    0);
	seconds(1800);
	hear("SUBSCRIBE ");
}

static void
numbers_reserved(void **state)
{
	size_t changes = 0;
	const char *text;

	(void)state;
	live("28800");
	for (unsigned i = 0; i < 640; i++) {
		assert_int_equal(sip_subscriber_refresh(sub), 0);
		text = hear("SUBSCRIBE ");
		/* Fails, so that nothing else changes. */
		wire_answer(text, "500 x", "", "", "");
		if (strcmp(wire_journal, "changed") == 0)
			changes++;
		wire_journal[0] = '\0';
		wire_forget_heard();
	}
	assert_in_range(changes, 9, 11);
}

static void
damaged_images(void **state)
{
	struct sip_subscriber_opts o = opts();
	size_t taken = 0;

	(void)state;
	live("28800");
	restart_ua();
	for (size_t len = 0; len < image.len; len++)
		assert_int_equal(
		    sip_subscriber_restore(&sub, wire_ua, &o, image.data, len),
		    ERR_MALFORMED);
	for (size_t i = 0; i < image.len * 8; i++) {
		uint8_t bit = (uint8_t)(1u << (i % 8));

		image.data[i / 8] ^= bit;
		if (sip_subscriber_restore(
			&sub, wire_ua, &o, image.data, image.len) == 0) {
			taken++;
			if (sip_subscriber_refresh(sub) == 0)
				wire_forget_heard();
			sip_subscriber_drop(sub);
		}
		image.data[i / 8] ^= bit;
	}
	assert_true(taken > 0);
	/* One byte too many. */
	assert_int_equal(buf_add(&image, "", 1), 0);
	assert_int_equal(
	    sip_subscriber_restore(&sub, wire_ua, &o, image.data, image.len),
	    ERR_MALFORMED);
	expect("");
}

/* --- size --------------------------------------------------------------- */

enum { MANY = 2000, SIZE_MAX_BYTES = 3072 };

static void
memory_of_a_live_one(void **state)
{
	static struct sip_subscriber *many[MANY];
	struct sip_subscriber_opts o = opts();
	struct mallinfo2 before, after;
	size_t each;

	(void)state;
	live("28800");
	restart_ua();
	before = mallinfo2();
	for (unsigned i = 0; i < MANY; i++) {
		assert_int_equal(sip_subscriber_open(&sub, wire_ua, &o), 0);
		snprintf(asked, sizeof(asked), "%s", hear("SUBSCRIBE "));
		wire_answer(asked, "200 OK", "0123456789abcdef",
		    "Contact: <sip:anna@contoso.example;opaque=user:epid:"
		    "ExampleEpidToken1234AA;gruu>\r\n"
		    "Record-Route: <sip:pool01.contoso.example:5061;"
		    "transport=tls;ms-fe=fe01.contoso.example;"
		    "opaque=state:F:Ci.R1a2b00;lr;ms-route-sig="
		    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa>"
		    ";ms-rrsig=bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb;tag=c\r\n"
		    "Record-Route: <sip:fe01.contoso.example:5061;"
		    "transport=tls;opaque=state:T:F;lr>\r\n",
		    "");
		request("NOTIFY", "0123456789abcdef", 1, ACTIVE, DOC);
		many[i] = sub;
		wire_forget_heard();
		wire_journal[0] = '\0';
	}
	seconds(10); /* transactions end */
	after = mallinfo2();
	each = (after.uordblks - before.uordblks) / MANY;
	print_message("a live subscription: %zu bytes\n", each);
	/* The sanitizers' allocator tells nothing. */
	if (after.uordblks != before.uordblks)
		assert_in_range(each, 1, SIZE_MAX_BYTES);
	for (unsigned i = 0; i < MANY; i++)
		sip_subscriber_drop(many[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(the_normal_path),
		T(refreshed_in_time),
		T(expires_of_notify_rules),
		T(notify_overtakes),
		T(forked_200),
		T(notify_is_the_only_answer),
		T(answer_without_contact),
		T(accepted_is_202_too),
		T(document_in_the_200),
		T(benotify),
		T(every_state),
		T(first_refused),
		T(refused_after_notify),
		T(too_brief),
		T(never_notified),
		T(refresh_answers),
		T(refresh_tried_until_it_expires),
		T(pool_away),
		T(strange_requests),
		T(documents_refused),
		T(sessions_are_left_alone),
		T(route_repaired),
		T(ended),
		T(ended_early),
		T(left_within_callbacks),
		T(ua_closes),
		T(restored),
		T(overdue),
		T(overdue_and_nearly_over),
		T(wall_clock_set_back),
		T(numbers_reserved),
		T(damaged_images),
		T(memory_of_a_live_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
