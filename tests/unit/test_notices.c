/* What a Lync user is told of messages that failed behind their 200, with the
 * pool played by the test. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "frontend-gateway/conversation/notices.h"
#include "frontend-gateway/sip/sip_ua.h"
#include "frontend-gateway/translate/errors.h"

struct sip_ua_call {
	sip_ua_result_fn *fn;
	void *arg;
	bool open;
};

static struct sip_ua_call call;
static int ask_rc;
static char body[4096], type[64], line[1024];
static unsigned lines, asked;
static struct gateway_conf conf;
static struct clock *wall;
static struct notices *ns;
static struct sip_dialog *const dialog = (struct sip_dialog *)&call;

int
sip_ua_ask_in(struct sip_ua_call **out, struct sip_ua *u, struct sip_dialog *d,
    const struct sip_question *q)
{
	(void)u;
	assert_ptr_equal(d, dialog);
	assert_int_equal(q->method, SIP_NOTIFY);
	if (ask_rc < 0)
		return ask_rc;
	snprintf(type, sizeof(type), "%s", q->content_type);
	snprintf(body, sizeof(body), "%.*s", (int)q->body_len,
	    (const char *)q->body);
	call = (struct sip_ua_call){ q->on_result, q->arg, true };
	*out = &call;
	asked++;
	return 0;
}

void
sip_ua_drop(struct sip_ua *u, struct sip_ua_call *c)
{
	(void)u;
	assert_true(c->open);
	c->open = false;
}

static void
answered(int status, bool final)
{
	struct sip_result r = { .outcome = SIP_OUTCOME_RESPONSE,
		.final = final,
		.status = status };

	assert_true(call.open);
	call.open = !final;
	call.fn(NULL, &call, &r, call.arg);
}

static void
on_line(const char *user, const char *contact, const char *text, void *arg)
{
	(void)arg;
	snprintf(line, sizeof(line), "%s<%s %s", user, contact, text);
	lines++;
}

static int
setup(void **state)
{
	struct notices_opts o = { .conf = &conf, .on_line = on_line };

	(void)state;
	log_set_fd(-1);
	conf = (struct gateway_conf){ .sip = { .fqdn = "gw1.example" } };
	lines = asked = 0;
	ask_rc = 0;
	call.open = false;
	if (clock_open_manual(&wall, 1000, 1795248930000) < 0)
		return -1;
	o.clock = wall;
	return notices_new(&ns, &o);
}

static int
teardown(void **state)
{
	(void)state;
	notices_free(ns);
	clock_close(wall);
	return 0;
}

static void
fails(const char *user, const char *text, uint32_t number)
{
	char quote[NOTICES_QUOTE_SIZE];
	struct errors_sip e;
	struct notice n = { .user = user,
		.contact = "bo@p.example",
		.quote = quote,
		.error = &e,
		.message_id = number,
		.contact_uri = "sip:o'b&o@p.example",
		.dialog = number != 0 ? dialog : NULL };

	errors_to_sip(&e, "item-not-found", "secret words of the partner");
	notices_quote(quote, text, strlen(text));
	notices_tell(ns, &n);
}

#define EURO  "\xe2\x82\xac"
#define TEN   "1234567890"
#define MORE  "\xe2\x80\xa6"
#define EUROS EURO EURO EURO EURO EURO EURO EURO EURO EURO EURO

static void
a_text_is_quoted_by_its_beginning(void **state)
{
	static const struct {
		const char *text, *quote;
	} rows[] = {
		{ "hello", "hello" },
		{ "", "" },
		{ " \n ", "" },
		{ "  two\r\n\r\nlines\t of it\n", "two lines of it" },
		{ TEN TEN TEN TEN, TEN TEN TEN TEN },
		{ TEN TEN TEN TEN "\n\n", TEN TEN TEN TEN },
		{ TEN TEN TEN TEN "1", TEN TEN TEN TEN MORE },
		{ TEN TEN TEN TEN " 1", TEN TEN TEN TEN MORE },
		{ TEN TEN TEN "123456789 1", TEN TEN TEN "123456789" MORE },
		{ EUROS EUROS EUROS EUROS EURO, EUROS EUROS EUROS EUROS MORE },
		{ "cut \xe2\x82", "cut" },
	};
	char quote[NOTICES_QUOTE_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		notices_quote(quote, rows[i].text, strlen(rows[i].text));
		assert_string_equal(quote, rows[i].quote);
	}
}

static void
the_chat_names_the_message_and_our_reason(void **state)
{
	(void)state;
	fails("anna@c.example", "lunch?", 0);
	assert_string_equal(line,
	    "anna@c.example<bo@p.example [Not delivered: \"lunch?\". "
	    "XMPP address does not exist.]");
	assert_null(strstr(line, "secret"));
	/* No id was given for it, or its dialog takes none. */
	conf.notices = GATEWAY_NOTICES_IMDN;
	fails("carl@c.example", "lunch?", 0);
	assert_int_equal(lines, 2);
	assert_int_equal(asked, 0);
}

static void
one_line_for_a_pair_in_ten_seconds(void **state)
{
	(void)state;
	fails("anna@c.example", "one", 0);
	fails("anna@c.example", "two", 0);
	fails("anna@c.example", "three", 0);
	assert_int_equal(lines, 1);
	fails("carl@c.example", "four", 0);
	assert_int_equal(lines, 2);
	clock_advance(wall, NOTICES_PAUSE_MS - 1);
	assert_int_equal(lines, 2);
	clock_advance(wall, 1);
	assert_string_equal(line, "anna@c.example<bo@p.example "
				  "[2 more messages could not be delivered.]");
	assert_int_equal(lines, 3);
	/* What the number told is a line, too. */
	fails("anna@c.example", "five", 0);
	assert_int_equal(lines, 3);
	clock_advance(wall, NOTICES_PAUSE_MS);
	assert_string_equal(line, "anna@c.example<bo@p.example "
				  "[1 more message could not be delivered.]");
	clock_advance(wall, NOTICES_PAUSE_MS);
	fails("anna@c.example", "six", 0);
	assert_int_equal(lines, 5);
	assert_non_null(strstr(line, "six"));
}

static void
off_is_silence(void **state)
{
	(void)state;
	conf.notices = GATEWAY_NOTICES_OFF;
	fails("anna@c.example", "one", 7);
	clock_advance(wall, NOTICES_PAUSE_MS);
	assert_int_equal(lines + asked, 0);
}

static void
a_notification_names_the_message_by_its_number(void **state)
{
	(void)state;
	conf.notices = GATEWAY_NOTICES_IMDN;
	fails("anna@c.example", "one", 7);
	assert_string_equal(type, "application/ms-imdn+xml");
	assert_string_equal(body,
	    "<?xml version=\"1.0\" encoding=\"utf-8\"?>"
	    "<imdn xmlns=\"http://schemas.microsoft.com/rtc/2005/08/imdn\">"
	    "<message-id>7</message-id>"
	    "<recipient uri=\"&lt;sip:o&apos;b&amp;o@p.example&gt;\">"
	    "<status>404</status><entry><key>ms-diagnostics</key>"
	    "<value>61106;reason=\"XMPP address does not exist\";"
	    "source=\"gw1.example\";component=\"xmpp-gateway\"</value>"
	    "</entry></recipient></imdn>");
	answered(180, false);
	answered(200, true);
	/* Each names another message: there is no pause between them. */
	fails("anna@c.example", "two", 8);
	answered(200, true);
	assert_int_equal(asked, 2);
	assert_int_equal(lines, 0);
}

static void
a_notification_that_is_not_taken_becomes_a_line(void **state)
{
	(void)state;
	conf.notices = GATEWAY_NOTICES_IMDN;
	fails("anna@c.example", "one", 7);
	answered(489, true);
	assert_int_equal(lines, 1);
	assert_non_null(strstr(line, "\"one\""));
	ask_rc = ERR_CLOSED;
	fails("carl@c.example", "two", 8);
	assert_int_equal(lines, 2);
	assert_non_null(strstr(line, "\"two\""));
	/* One is under way at the end. */
	ask_rc = 0;
	fails("dora@c.example", "three", 9);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_text_is_quoted_by_its_beginning),
		TEST(the_chat_names_the_message_and_our_reason),
		TEST(one_line_for_a_pair_in_ten_seconds),
		TEST(off_is_silence),
		TEST(a_notification_names_the_message_by_its_number),
		TEST(a_notification_that_is_not_taken_becomes_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
