/*
 * sip_notifier against a scripted watcher.
 */
#include "frontend-gateway/sip/sip_notifier.h"

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
#define PIDF     "application/pidf+xml"
#define CONTACT                                                                \
	"Contact: <sip:anna@contoso.example;opaque=user:epid:aa;gruu>\r\n"

static struct sip_notifier *watch;
static struct sip_server_txn *open_st;
static enum { OPEN, ADMIT_ONLY, FETCH } taking;
static bool confirming;
static enum { NOTHING, DROP, END, NOTIFY } in_end, in_refresh, in_answer;
static int opened;     /* what open gave */
static char tag[64];   /* our tag in the dialog */
static unsigned calls; /* for Call-IDs */
static bool same_call;
static struct buf image;

/* --- the owner ---------------------------------------------------------- */

static void
act(struct sip_notifier *n, int what)
{
	if (what == DROP)
		sip_notifier_drop(n);
	else if (what == END)
		sip_notifier_end(n, SIP_SUB_REJECTED, 0, NULL, NULL, 0);
	else if (what == NOTIFY)
		(void)sip_notifier_notify(n, SIP_SUB_ACTIVE, PIDF, "now", 3);
}

static void
on_refresh(struct sip_notifier *n, const struct sip_msg *req,
    uint32_t expires_s, void *arg)
{
	assert_ptr_equal(arg, &image);
	wire_note("refresh %u %s", (unsigned)expires_s,
	    sip_msg_header(req, "Accept", 0) != NULL
		? sip_msg_header(req, "Accept", 0)
		: "-");
	act(n, in_refresh);
}

static void
on_changed(struct sip_notifier *n, void *arg)
{
	assert_ptr_equal(arg, &image);
	wire_note("changed");
	buf_clear(&image);
	assert_int_equal(sip_notifier_save(&image, n), 0);
}

static void
on_answer(struct sip_notifier *n, int status, void *arg)
{
	assert_ptr_equal(arg, &image);
	wire_note("answer %d", status);
	act(n, in_answer);
}

static void
on_end(struct sip_notifier *n, enum sip_notifier_why why, void *arg)
{
	assert_ptr_equal(arg, &image);
	wire_note("end %s", sip_notifier_why_str(why));
	act(n, in_end);
	watch = NULL;
}

static const struct sip_notifier_events events = {
	.on_refresh = on_refresh,
	.on_changed = on_changed,
	.on_answer = on_answer,
	.on_end = on_end,
};

static struct sip_notifier_opts
opts(void)
{
	return (struct sip_notifier_opts){ .clock = wire_clock,
		.label = 5,
		.events = &events,
		.arg = &image };
}

void
wire_on_request(struct sip_ua *ua, struct sip_server_txn *st,
    const struct sip_msg *req, struct sip_dialog *d, void *arg)
{
	struct sip_notifier_opts o = opts();

	(void)arg;
	assert_null(d);
	assert_int_equal(sip_msg_method(req), SIP_SUBSCRIBE);
	if (!sip_notifier_admit(ua, st, "presence")) {
		wire_note("not admitted");
		return;
	}
	open_st = st;
	if (taking == FETCH) {
		assert_true(sip_notifier_is_fetch(req));
		opened = sip_notifier_fetch(ua, st, &o, PIDF, "once", 4);
		return;
	}
	opened = sip_notifier_open(&watch, ua, st, &o);
	if (opened < 0) {
		assert_int_equal(sip_ua_refuse(ua, st, 500, 0, NULL), 0);
		return;
	}
	buf_clear(&image);
	assert_int_equal(sip_notifier_save(&image, watch), 0);
	if (confirming)
		assert_int_equal(sip_notifier_confirm(watch, 0), 0);
}

static int
set_up(void **state)
{
	(void)state;
	wire_open();
	watch = NULL;
	taking = OPEN;
	confirming = true;
	in_end = in_refresh = in_answer = NOTHING;
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

/* --- the watcher -------------------------------------------------------- */

/* A request of Anna's endpoint; within the dialog when tag is set. */
static void
request(const char *method, unsigned cseq, const char *more)
{
	if (*tag == '\0' && !same_call)
		calls++;
	wire_sayf("%s sip:bo@partner.example SIP/2.0\r\n"
		  "Via: SIP/2.0/TLS fe1.contoso.example:5061"
		  ";branch=z9hG4bK%u\r\nMax-Forwards: 70\r\n"
		  "From: \"Anna\"<sip:anna@contoso.example>;tag=an;epid=e1\r\n"
		  "To: <sip:bo@partner.example>%s%s\r\nCall-ID: c%u\r\n"
		  "Record-Route: <sip:pool.contoso.example:5061;lr"
		  ";ms-route-sig=aa>;tag=1\r\n"
		  "CSeq: %u %s\r\nProxy-Require: ms-benotify\r\n"
		  "%sContent-Length: 0\r\n\r\n",
	    method, ++wire_branch, *tag != '\0' ? ";tag=" : "", tag, calls,
	    cseq, method, more);
}

#define EVENT CONTACT "Event: presence\r\nAccept: application/pidf+xml\r\n"

static void
learn_tag(const char *answer)
{
	const char *p = strstr(wire_value(answer, "To"), ";tag=");

	assert_non_null(p);
	snprintf(tag, sizeof(tag), "%s", p + 5);
}

static const char *
subscribe(const char *more)
{
	const char *text;

	tag[0] = '\0';
	request("SUBSCRIBE", 1, more);
	text = hear("SIP/2.0 200 ");
	learn_tag(text);
	return text;
}

/* Confirmed, first NOTIFY answered, nothing left to hear. */
static void
live(const char *more)
{
	subscribe(more);
	assert_int_equal(
	    sip_notifier_notify(watch, SIP_SUB_ACTIVE, PIDF, "one", 3), 0);
	wire_answer(hear("NOTIFY "), "200 OK", "", "", "");
	silence();
	expect("answer 200");
}

static int
say(const char *body)
{
	return sip_notifier_notify(
	    watch, SIP_SUB_ACTIVE, PIDF, body, strlen(body));
}

/* --- the normal path ---------------------------------------------------- */

static void
the_normal_path(void **state)
{
	const char *text;

	(void)state;
	confirming = false;
	tag[0] = '\0';
	request("SUBSCRIBE", 1, EVENT "Expires: 3600\r\n");
	silence(); /* durable before acknowledged */
	assert_int_equal(sip_notifier_expires(watch), 3600);
	assert_int_equal(say("early"), ERR_BAD_STATE);
	assert_int_equal(sip_notifier_confirm(watch, 0), 0);
	assert_int_equal(sip_notifier_confirm(watch, 0), ERR_BAD_STATE);
	text = hear("SIP/2.0 200 ");
	learn_tag(text);
	assert_string_equal(wire_value(text, "Expires"), "3600");
	assert_string_equal(wire_value(text, "Event"), "presence");
	assert_string_equal(wire_value(text, "Contact"),
	    "<sip:bo@gw1.contoso.example:5061;transport=tls>");
	assert_string_equal(wire_value(text, "Supported"), "");
	assert_string_equal(wire_value(text, "Record-Route"),
	    "<sip:pool.contoso.example:5061;lr;ms-route-sig=aa>;tag=1");
	silence();
	/* At once, and while nothing is known. */
	assert_int_equal(
	    sip_notifier_notify(watch, SIP_SUB_PENDING, NULL, NULL, 0), 0);
	text = hear("NOTIFY sip:anna@contoso.example;opaque=user:epid:aa;"
		    "gruu SIP/2.0\r\n");
	assert_string_equal(
	    wire_value(text, "Subscription-State"), "pending;expires=3600");
	assert_string_equal(wire_value(text, "Event"), "presence");
	assert_string_equal(wire_value(text, "CSeq"), "1 NOTIFY");
	assert_string_equal(wire_value(text, "Content-Type"), "");
	assert_string_equal(wire_value(text, "Contact"),
	    "<sip:bo@gw1.contoso.example:5061;transport=tls>");
	assert_string_equal(wire_value(text, "To"),
	    "\"Anna\"<sip:anna@contoso.example>;tag=an;epid=e1");
	assert_string_equal(wire_value(text, "Route"),
	    "<sip:pool.contoso.example:5061;lr;ms-route-sig=aa>");
	wire_answer(text, "200 OK", "", "", "");
	expect("answer 200");
	seconds(600);
	assert_int_equal(say("open"), 0);
	text = hear("NOTIFY ");
	assert_string_equal(
	    wire_value(text, "Subscription-State"), "active;expires=3000");
	assert_string_equal(wire_value(text, "Content-Type"), PIDF);
	assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\nopen");
	assert_string_equal(wire_value(text, "CSeq"), "2 NOTIFY");
	wire_answer(text, "200 OK", "", "", "");
	expect("answer 200");
	/* The refresh, which renews the whole time. */
	seconds(2000);
	request("SUBSCRIBE", 2,
	    CONTACT "Event: presence\r\nAccept: a/b\r\nExpires: 7200\r\n");
	text = hear("SIP/2.0 200 ");
	assert_string_equal(wire_value(text, "Expires"), "7200");
	assert_non_null(strstr(wire_value(text, "Contact"), "bo@gw1"));
	expect("refresh 7200 a/b");
	assert_int_equal(say("again"), 0);
	assert_string_equal(wire_value(hear("NOTIFY "), "Subscription-State"),
	    "active;expires=7200");
	assert_int_equal(sip_notifier_expires_ms(watch),
	    clock_wall_ms(wire_clock) + 7200000);
}

static void
expires_granted(void **state)
{
	static const struct {
		const char *asked, *granted;
	} rows[] = { { "", "28800" }, { "Expires: 1\r\n", "1200" },
		{ "Expires: 1200\r\n", "1200" },
		{ "Expires: 1201\r\n", "1201" },
		{ "Expires: 43200\r\n", "43200" },
		{ "expires: 43201\r\n", "43200" },
		{ "Expires: 4294967296000\r\n", "43200" } };
	char more[512];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		snprintf(more, sizeof(more), EVENT "%s", rows[i].asked);
		assert_string_equal(
		    wire_value(subscribe(more), "Expires"), rows[i].granted);
		/* As a refresh. */
		request("SUBSCRIBE", 2, more);
		assert_string_equal(wire_value(hear("SIP/2.0 200 "), "Expires"),
		    rows[i].granted);
		sip_notifier_drop(watch);
	}
	/* The owner grants less. */
	confirming = false;
	tag[0] = '\0';
	request("SUBSCRIBE", 1, EVENT "Expires: 30000\r\n");
	assert_int_equal(sip_notifier_confirm(watch, 1800), 0);
	assert_string_equal(
	    wire_value(hear("SIP/2.0 200 "), "Expires"), "1800");
	assert_int_equal(sip_notifier_expires(watch), 1800);
}

static void
admitted_or_not(void **state)
{
	static const struct {
		const char *more, *want;
	} rows[] = {
		{ CONTACT "Event: vnd-microsoft-roaming-contacts\r\n",
		    "SIP/2.0 489 " },
		{ CONTACT "Event: presence.wpending\r\n", "SIP/2.0 489 " },
		{ CONTACT, "SIP/2.0 489 " },
		{ CONTACT "Event: presence\r\nExpires: soon\r\n",
		    "SIP/2.0 400 " },
		{ CONTACT "Event: presence;id=\"a b\"\r\n", "SIP/2.0 400 " },
		{ CONTACT "Event: presence;id=\r\n", "SIP/2.0 400 " },
		{ "Event: presence\r\n", "SIP/2.0 400 " },
		{ CONTACT "Event: presence\r\nRequire: adhoclist\r\n",
		    "SIP/2.0 420 " },
	};
	const char *text;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		tag[0] = '\0';
		request("SUBSCRIBE", 1, rows[i].more);
		text = hear_(rows[i].want, (int)i);
		expect(i < 7 ? "not admitted" : "");
		if (strstr(rows[i].want, "489") != NULL)
			assert_string_equal(
			    wire_value(text, "Allow-Events"), "presence");
	}
	silence();
}

static void
event_id(void **state)
{
	(void)state;
	subscribe(CONTACT "Event: presence;id=77.a\r\n");
	assert_int_equal(say("x"), 0);
	assert_string_equal(
	    wire_value(hear("NOTIFY "), "Event"), "presence;id=77.a");
	request("SUBSCRIBE", 2, CONTACT "Event: presence\r\n");
	hear("SIP/2.0 489 ");
	request("SUBSCRIBE", 3, CONTACT "Event: presence;id=78\r\n");
	hear("SIP/2.0 489 ");
	request("SUBSCRIBE", 4, CONTACT "Event: presence;x=y;ID=77.a\r\n");
	hear("SIP/2.0 200 ");
	expect("refresh 28800 -");
}

/* --- one at a time ------------------------------------------------------ */

static void
newest_waits(void **state)
{
	const char *text;

	(void)state;
	live(EVENT);
	assert_int_equal(say("a"), 0);
	assert_int_equal(say("b"), 0);
	assert_int_equal(say("c"), 0);
	text = hear("NOTIFY ");
	silence();
	assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\na");
	wire_answer(text, "200 OK", "", "", "");
	expect("");
	text = hear("NOTIFY ");
	assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\nc");
	assert_string_equal(wire_value(text, "Content-Type"), PIDF);
	silence();
	wire_answer(text, "200 OK", "", "", "");
	expect("answer 200");
	silence();
	/* One without a document, behind one that fails. */
	assert_int_equal(say("d"), 0);
	assert_int_equal(
	    sip_notifier_notify(watch, SIP_SUB_PENDING, NULL, NULL, 0), 0);
	wire_answer(hear("NOTIFY "), "500 x", "", "", "");
	text = hear("NOTIFY ");
	assert_string_equal(wire_value(text, "Content-Length"), "0");
	/* The connection goes while one waits: it cannot be sent. */
	assert_int_equal(say("e"), 0);
	wire.up = false;
	wire.events->on_down(WIRE_CONN, wire.arg);
	expect("answer 503");
	assert_int_equal(say("f"), ERR_CLOSED);
	wire.up = true;
	assert_int_equal(say("g"), 0);
	text = hear("NOTIFY ");
	assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\ng");
	/* Said within the callback. */
	in_answer = NOTIFY;
	wire_answer(text, "200 OK", "", "", "");
	in_answer = NOTHING;
	assert_string_equal(strstr(hear("NOTIFY "), "\r\n\r\n"), "\r\n\r\nnow");
	seconds(32);
	expect("answer 200 | answer 408");
}

static void
notify_answers(void **state)
{
	static const int ends[] = { 404, 405, 410, 416, 481, 482, 483, 484, 485,
		489, 501, 604 };
	static const int keeps[] = { 202, 302, 400, 403, 408, 423, 430, 480,
		486, 488, 500, 503, 504, 603 };
	char status[32], want[64];

	(void)state;
	for (size_t i = 0; i < COUNT(ends) + COUNT(keeps); i++) {
		bool end = i < COUNT(ends);
		int code = end ? ends[i] : keeps[i - COUNT(ends)];

		live(EVENT);
		assert_int_equal(say("x"), 0);
		/* What waits goes with the dialog. */
		if (end)
			assert_int_equal(say("y"), 0);
		snprintf(status, sizeof(status), "%d x", code);
		snprintf(want, sizeof(want), "answer %d", code);
		wire_answer(hear("NOTIFY "), status, "", "", "");
		expect_(end ? "end lost" : want, code);
		silence();
		request("SUBSCRIBE", 9, EVENT);
		hear(end ? "SIP/2.0 481 " : "SIP/2.0 200 ");
		wire_journal[0] = '\0';
		if (!end)
			sip_notifier_drop(watch);
	}
}

/* --- the end ------------------------------------------------------------ */

static void
unsubscribed(void **state)
{
	const char *text;

	(void)state;
	live(EVENT);
	request("SUBSCRIBE", 2, EVENT "Expires: 0\r\n");
	text = hear("SIP/2.0 200 ");
	assert_string_equal(wire_value(text, "Expires"), "0");
	text = hear("NOTIFY ");
	assert_string_equal(wire_value(text, "Subscription-State"),
	    "terminated;reason=timeout");
	expect("end unsubscribed");
	request("SUBSCRIBE", 3, EVENT);
	hear("SIP/2.0 481 ");
	wire_answer(text, "200 OK", "", "", "");
	request("SUBSCRIBE", 4, EVENT);
	hear("SIP/2.0 481 ");
	/* While another NOTIFY is out: behind it, in place of what waits. */
	live(EVENT);
	assert_int_equal(say("a"), 0);
	assert_int_equal(say("b"), 0);
	text = hear("NOTIFY ");
	request("SUBSCRIBE", 2, EVENT "Expires: 0\r\n");
	hear("SIP/2.0 200 ");
	expect("end unsubscribed");
	silence();
	wire_answer(text, "200 OK", "", "", "");
	text = hear("NOTIFY ");
	assert_string_equal(wire_value(text, "Subscription-State"),
	    "terminated;reason=timeout");
	wire_answer(text, "481 x", "", "", "");
	silence();
	expect("");
	/* In on_end there is nothing left to do, and it does no harm. */
	for (int what = DROP; what <= NOTIFY; what++) {
		live(EVENT);
		in_end = what;
		request("SUBSCRIBE", 2, EVENT "Expires: 0\r\n");
		hear("SIP/2.0 200 ");
		wire_answer(hear("NOTIFY "), "200 OK", "", "", "");
		silence();
		expect("end unsubscribed");
	}
}

static void
silent_watcher(void **state)
{
	(void)state;
	live(EVENT "Expires: 2000\r\n");
	clock_advance(wire_clock, 2031999);
	/* Late, but not over. */
	expect("");
	assert_int_equal(say("x"), 0);
	assert_string_equal(wire_value(hear("NOTIFY "), "Subscription-State"),
	    "active;expires=1");
	request("SUBSCRIBE", 2, EVENT "Expires: 2000\r\n");
	hear("SIP/2.0 200 ");
	expect("refresh 2000 application/pidf+xml");
	clock_advance(wire_clock, 2031999);
	expect("answer 408");
	clock_advance(wire_clock, 1);
	expect("end expired");
	assert_string_equal(wire_value(hear("NOTIFY "), "Subscription-State"),
	    "terminated;reason=timeout");
	/* With no way to tell. */
	live(EVENT "Expires: 2000\r\n");
	wire.up = false;
	seconds(2032);
	expect("end expired");
	silence();
}

static void
ended_by_owner(void **state)
{
	const char *text;

	(void)state;
	live(EVENT);
	sip_notifier_end(watch, SIP_SUB_REJECTED, 0, PIDF, "bye", 3);
	text = hear("NOTIFY ");
	assert_string_equal(wire_value(text, "Subscription-State"),
	    "terminated;reason=rejected");
	assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\nbye");
	request("SUBSCRIBE", 2, EVENT);
	hear("SIP/2.0 481 ");
	wire_answer(text, "200 OK", "", "", "");
	/* Behind one that is out; that one fails. */
	live(EVENT);
	assert_int_equal(say("a"), 0);
	sip_notifier_end(watch, SIP_SUB_PROBATION, 300, NULL, NULL, 0);
	wire_answer(hear("NOTIFY "), "500 x", "", "", "");
	text = hear("NOTIFY ");
	assert_string_equal(wire_value(text, "Subscription-State"),
	    "terminated;reason=probation;retry-after=300");
	seconds(32);
	/* Cannot be told. */
	live(EVENT);
	wire.up = false;
	sip_notifier_end(watch, SIP_SUB_DEACTIVATED, 0, NULL, NULL, 0);
	wire.up = true;
	request("SUBSCRIBE", 2, EVENT);
	hear("SIP/2.0 481 ");
	/* Without a word. */
	live(EVENT);
	sip_notifier_drop(watch);
	request("SUBSCRIBE", 2, EVENT);
	hear("SIP/2.0 481 ");
	silence();
	expect("");
	/* Within callbacks. */
	live(EVENT);
	in_refresh = DROP;
	request("SUBSCRIBE", 2, EVENT);
	hear("SIP/2.0 200 ");
	expect("refresh 28800 application/pidf+xml");
	request("SUBSCRIBE", 3, EVENT);
	hear("SIP/2.0 481 ");
	in_refresh = END;
	live(EVENT);
	request("SUBSCRIBE", 2, EVENT);
	hear("SIP/2.0 200 ");
	wire_answer(hear("NOTIFY "), "200 OK", "", "", "");
	expect("refresh 28800 application/pidf+xml");
	in_refresh = NOTIFY;
	live(EVENT);
	request("SUBSCRIBE", 2, EVENT);
	hear("SIP/2.0 200 ");
	text = hear("NOTIFY ");
	in_answer = DROP;
	wire_answer(text, "200 OK", "", "", "");
	silence();
}

static void
refused(void **state)
{
	const char *text;

	(void)state;
	confirming = false;
	tag[0] = '\0';
	request("SUBSCRIBE", 1, EVENT);
	/* A second before the first is answered. */
	same_call = true;
	request("SUBSCRIBE", 1, EVENT);
	same_call = false;
	hear("SIP/2.0 482 ");
	sip_notifier_refuse(watch, 403, 61010, "Not permitted");
	text = hear("SIP/2.0 403 ");
	assert_non_null(strstr(wire_value(text, "ms-diagnostics"), "61010"));
	learn_tag(text);
	request("SUBSCRIBE", 2, EVENT);
	hear("SIP/2.0 481 ");
	tag[0] = '\0';
	request("SUBSCRIBE", 5, EVENT);
	sip_notifier_drop(watch);
	hear("SIP/2.0 500 ");
	tag[0] = '\0';
	request("SUBSCRIBE", 6, EVENT);
	sip_notifier_end(watch, SIP_SUB_REJECTED, 0, NULL, NULL, 0);
	hear("SIP/2.0 480 ");
	silence();
	expect("");
}

static void
fetched(void **state)
{
	const char *text;

	(void)state;
	taking = FETCH;
	tag[0] = '\0';
	request("SUBSCRIBE", 1, EVENT "Expires: 0\r\n");
	assert_int_equal(opened, 0);
	text = hear("SIP/2.0 200 ");
	learn_tag(text);
	assert_string_equal(wire_value(text, "Expires"), "0");
	text = hear("NOTIFY ");
	assert_string_equal(wire_value(text, "Subscription-State"),
	    "terminated;reason=timeout");
	assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\nonce");
	wire_answer(text, "200 OK", "", "", "");
	request("SUBSCRIBE", 2, EVENT);
	hear("SIP/2.0 481 ");
	/* Never answered. */
	tag[0] = '\0';
	request("SUBSCRIBE", 3, EVENT "Expires: 0\r\n");
	hear("SIP/2.0 200 ");
	hear("NOTIFY ");
	seconds(32);
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
		{ "NOTIFY", CONTACT "Event: presence\r\n", "SIP/2.0 481 " },
		{ "SUBSCRIBE", CONTACT "Event: dialog\r\n", "SIP/2.0 489 " },
		{ "SUBSCRIBE", CONTACT, "SIP/2.0 489 " },
		{ "SUBSCRIBE", EVENT "Expires: x\r\n", "SIP/2.0 400 " },
		{ "SUBSCRIBE",
		    EVENT "Supported: ms-dialog-route-set-update\r\n"
			  "Record-Route: <sip:a b\r\n",
		    "SIP/2.0 400 " },
		{ "BYE", "", "SIP/2.0 481 " },
		{ "MESSAGE", "", "SIP/2.0 481 " },
		{ "OPTIONS", "", "SIP/2.0 200 " },
		{ "UPDATE", CONTACT, "SIP/2.0 200 " },
	};
	unsigned cseq = 10;

	(void)state;
	live(EVENT);
	for (size_t i = 0; i < COUNT(rows); i++) {
		request(rows[i].method, cseq++, rows[i].more);
		hear_(rows[i].want, (int)i);
	}
	request("BENOTIFY", cseq, CONTACT "Event: presence\r\n");
	request("SUBSCRIBE", 9, EVENT);
	hear("SIP/2.0 500 ");
	silence();
	expect("");
	assert_int_equal(say("alive"), 0);
	hear("NOTIFY ");
}

static void
target_moves(void **state)
{
	(void)state;
	live(EVENT);
	request("UPDATE", 2, "Contact: <sip:anna@moved.example>\r\n");
	hear("SIP/2.0 200 ");
	assert_int_equal(say("x"), 0);
	wire_answer(hear("NOTIFY sip:anna@moved.example "), "200 OK", "",
	    "Contact: <sip:anna@there.example>\r\n", "");
	expect("answer 200 | changed");
	assert_int_equal(say("x"), 0);
	wire_answer(
	    hear("NOTIFY sip:anna@there.example "), "200 OK", "", "", "");
	expect("answer 200");
	request("SUBSCRIBE", 3,
	    "Event: presence\r\n"
	    "Contact: <sip:anna@new.example>\r\n");
	hear("SIP/2.0 200 ");
	expect("refresh 28800 -");
	assert_int_equal(say("x"), 0);
	hear("NOTIFY sip:anna@new.example ");
}

static void
ua_closes(void **state)
{
	(void)state;
	live(EVENT); /* its NOTIFY out */
	assert_int_equal(say("x"), 0);
	sip_ua_close(wire_ua);
	expect("answer 503 | end closed");
	wire_open_ua();
	(void)wire_next();
	live(EVENT); /* leaving */
	sip_notifier_end(watch, SIP_SUB_REJECTED, 0, NULL, NULL, 0);
	sip_ua_close(wire_ua);
	wire_open_ua();
	(void)wire_next();
	confirming = false;
	tag[0] = '\0';
	request("SUBSCRIBE", 1, EVENT);
	sip_ua_close(wire_ua);
	expect("end closed");
}

/* --- beyond the process ------------------------------------------------- */

static void
restart_ua(void)
{
	sip_ua_close(wire_ua);
	wire_forget_heard();
	wire_journal[0] = '\0';
	wire_open_ua();
}

static void
restored(void **state)
{
	struct sip_notifier_opts o = opts();
	struct sip_notifier *twice;
	const char *text;

	(void)state;
	live(CONTACT "Event: presence;id=7\r\nExpires: 5000\r\n");
	restart_ua();
	seconds(1000);
	o.label = 0;
	assert_int_equal(
	    sip_notifier_restore(&watch, wire_ua, &o, image.data, image.len),
	    0);
	assert_int_equal(
	    sip_notifier_restore(&twice, wire_ua, &o, image.data, image.len),
	    ERR_EXISTS);
	assert_int_equal(sip_notifier_label(watch), 5);
	assert_memory_equal(sip_notifier_call_id(watch), "c", 1);
	/* Notified in at once, with a number never used before. */
	assert_int_equal(say("back"), 0);
	text = hear("NOTIFY sip:anna@contoso.example;opaque=user:epid:aa;");
	assert_string_equal(wire_value(text, "CSeq"), "129 NOTIFY");
	assert_string_equal(wire_value(text, "Event"), "presence;id=7");
	assert_string_equal(
	    wire_value(text, "Subscription-State"), "active;expires=4000");
	assert_non_null(strstr(wire_value(text, "From"), tag));
	assert_string_equal(wire_value(text, "Route"),
	    "<sip:pool.contoso.example:5061;lr;ms-route-sig=aa>");
	wire_answer(text, "200 OK", "", "", "");
	expect("answer 200 | changed");
	/* Refreshed, in the order of numbers. */
	request("SUBSCRIBE", 1, CONTACT "Event: presence;id=7\r\n");
	hear("SIP/2.0 200 ");
	request("SUBSCRIBE", 0, CONTACT "Event: presence;id=7\r\n");
	hear("SIP/2.0 500 ");
	expect("refresh 28800 -");
	sip_notifier_set_label(watch, 9);
	buf_clear(&image);
	assert_int_equal(sip_notifier_save(&image, watch), 0);
	/* Expired meanwhile: 32 s for the refresh of a watcher who could not
	 * reach us. */
	restart_ua();
	seconds(30000);
	assert_int_equal(
	    sip_notifier_restore(&watch, wire_ua, &o, image.data, image.len),
	    0);
	assert_int_equal(sip_notifier_label(watch), 9);
	clock_advance(wire_clock, 31999);
	expect("");
	clock_advance(wire_clock, 1);
	expect("end expired");
	assert_string_equal(wire_value(hear("NOTIFY "), "CSeq"), "257 NOTIFY");
	image.data[1]++;
	assert_int_equal(
	    sip_notifier_restore(&watch, wire_ua, &o, image.data, image.len),
	    ERR_UNSUPPORTED);
}

static void
numbers_reserved(void **state)
{
	size_t changes = 0;

	(void)state;
	live(EVENT);
	for (unsigned i = 0; i < 640; i++) {
		assert_int_equal(say("x"), 0);
		wire_answer(hear("NOTIFY "), "200 OK", "", "", "");
		if (strstr(wire_journal, "changed") != NULL)
			changes++;
		wire_journal[0] = '\0';
		wire_forget_heard();
	}
	assert_in_range(changes, 9, 11);
}

static void
damaged_images(void **state)
{
	struct sip_notifier_opts o = opts();
	size_t taken = 0;

	(void)state;
	live(CONTACT "Event: presence;id=7\r\nExpires: 5000\r\n");
	restart_ua();
	for (size_t len = 0; len < image.len; len++)
		assert_int_equal(
		    sip_notifier_restore(&watch, wire_ua, &o, image.data, len),
		    ERR_MALFORMED);
	for (size_t i = 0; i < image.len * 8; i++) {
		uint8_t bit = (uint8_t)(1u << (i % 8));

		image.data[i / 8] ^= bit;
		if (sip_notifier_restore(
			&watch, wire_ua, &o, image.data, image.len) == 0) {
			taken++;
			if (say("x") == 0)
				wire_forget_heard();
			sip_notifier_drop(watch);
		}
		image.data[i / 8] ^= bit;
	}
	assert_true(taken > 0);
	assert_int_equal(buf_add(&image, "", 1), 0);
	assert_int_equal(
	    sip_notifier_restore(&watch, wire_ua, &o, image.data, image.len),
	    ERR_MALFORMED);
	expect("");
}

/* --- size --------------------------------------------------------------- */

enum { MANY = 2000, SIZE_MAX_BYTES = 3072 };

static void
memory_of_a_live_one(void **state)
{
	static struct sip_notifier *many[MANY];
	struct mallinfo2 before, after;
	size_t each;

	(void)state;
	live(EVENT);
	restart_ua();
	before = mallinfo2();
	for (unsigned i = 0; i < MANY; i++) {
		subscribe(
		    CONTACT "Event: presence;id=1234\r\n"
			    "Record-Route: <sip:fe01.contoso.example:5061;"
			    "transport=tls;ms-fe=fe01.contoso.example;"
			    "opaque=state:F:Ci.R1a2b00;lr;ms-route-sig="
			    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa>\r\n");
		assert_int_equal(say("open"), 0);
		wire_answer(hear("NOTIFY "), "200 OK", "", "", "");
		many[i] = watch;
		wire_forget_heard();
		wire_journal[0] = '\0';
	}
	seconds(10); /* transactions end */
	after = mallinfo2();
	each = (after.uordblks - before.uordblks) / MANY;
	print_message("a dialog in which we notify: %zu bytes\n", each);
	/* The sanitizers' allocator tells nothing. */
	if (after.uordblks != before.uordblks)
		assert_in_range(each, 1, SIZE_MAX_BYTES);
	for (unsigned i = 0; i < MANY; i++)
		sip_notifier_drop(many[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(the_normal_path),
		T(expires_granted),
		T(admitted_or_not),
		T(event_id),
		T(newest_waits),
		T(notify_answers),
		T(unsubscribed),
		T(silent_watcher),
		T(ended_by_owner),
		T(refused),
		T(fetched),
		T(strange_requests),
		T(target_moves),
		T(ua_closes),
		T(restored),
		T(numbers_reserved),
		T(damaged_images),
		T(memory_of_a_live_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
