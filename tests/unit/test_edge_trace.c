/*
 * Traces at the edge: what gateways ask, and what each of them is told.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/jid.h"
#include "common/log.h"
#include "common/utf8.h"
#include "common/xml.h"
#include "common/xml_parse.h"
#include "edge-proxy/edge_trace.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/trace_ask.h"
#include "proto/frame.h"

#define GW1  "gw1.contoso.example"
#define GW2  "gw2.contoso.example"
#define ANNA "anna@contoso.example"
#define BO   "bo@partner.example"

static struct clock *clk;
static struct hosting *hosting;
static struct edge_trace *trace;
static json_t *told[2]; /* to each gateway, in order */
static bool full;       /* nobody can be told anything */
static size_t sent;     /* bytes of frames */

static void
host(const char *node, const char *domain, int counter, bool bodies)
{
	struct buf config, confirm;
	struct frame_writer w;
	struct frame f;
	char json[512], store[4];

	snprintf(store, sizeof(store), "%.3s", node);
	snprintf(json, sizeof(json),
	    "{\"generation\":{\"store\":\"%s\",\"counter\":%d},"
	    "\"hosted\":[{\"domain\":\"%s\"}],\"partners\":"
	    "[{\"Domain\":\"partner.example\"}],"
	    "\"settings\":{\"bodies\":%s}}",
	    store, counter, domain, bodies ? "true" : "false");
	buf_init(&config, FRAME_MAX);
	buf_init(&confirm, FRAME_MAX);
	frame_begin(&w, &config, FRAME_CONFIG);
	frame_put_str(&w, FIELD_JSON, json);
	assert_int_equal(frame_end(&w), 0);
	assert_int_equal(frame_decode(&f, config.data, config.len), 0);
	assert_int_equal(
	    hosting_apply(hosting, node, store, 1, &f, &confirm), 0);
	buf_finish(&config);
	buf_finish(&confirm);
}

static int
on_send(const char *node, const struct buf *frame, void *arg)
{
	const struct frame_field *json;
	struct frame f;
	json_t *what;

	(void)arg;
	if (full)
		return ERR_FULL;
	sent += frame->len;
	assert_int_equal(frame_decode(&f, frame->data, frame->len), 0);
	assert_int_equal(f.type, FRAME_TRACED);
	json = frame_field(&f, FIELD_JSON);
	what = json_loadb((const char *)json->data, json->len, 0, NULL);
	assert_non_null(what);
	json_array_append_new(told[strcmp(node, GW2) == 0], what);
	return 0;
}

static int
setup(void **state)
{
	struct edge_trace_opts opts = { .send = on_send };

	(void)state;
	assert_int_equal(clock_open_manual(&clk, 1000000, 1767225600000), 0);
	assert_int_equal(hosting_new(&hosting), 0);
	host(GW1, "contoso.example", 1, true);
	host(GW2, "fabrikam.example", 1, true);
	opts.clock = clk;
	opts.hosting = hosting;
	assert_int_equal(edge_trace_new(&trace, &opts), 0);
	told[0] = json_array();
	told[1] = json_array();
	full = false;
	sent = 0;
	log_set_bodies(false);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	edge_trace_free(trace);
	hosting_free(hosting);
	clock_close(clk);
	json_decref(told[0]);
	json_decref(told[1]);
	log_set_bodies(false);
	return 0;
}

static void
ask(const char *node, const char *json)
{
	struct frame_writer w;
	struct buf b;
	struct frame f;

	buf_init(&b, FRAME_MAX);
	frame_begin(&w, &b, FRAME_TRACE);
	frame_put_str(&w, FIELD_JSON, json);
	assert_int_equal(frame_end(&w), 0);
	assert_int_equal(frame_decode(&f, b.data, b.len), 0);
	edge_trace_ask(trace, node, &f);
	buf_finish(&b);
}

#define ASK(seconds, bodies, who)                                              \
	"{\"seconds\":" #seconds ",\"bodies\":" #bodies ",\"who\":[" who "]}"
#define ADDRESS(a) "{\"address\":\"" a "\"}"
#define DOMAIN(d)  "{\"domain\":\"" d "\"}"

#define MESSAGE(from, to, body)                                                \
	"<message from='" from "' to='" to "' type='chat' id='m1'><body>" body \
	"</body></message>"

static void
come(const char *xml)
{
	struct jid from, to;
	struct xml_arena *a;
	struct xml_elem *e;

	assert_int_equal(xml_arena_open(&a, 1 << 24), 0);
	assert_int_equal(
	    xml_parse(&e, a, "jabber:server", xml, strlen(xml)), 0);
	assert_int_equal(
	    jid_parse(&from, xml_attr(e, "from"), strlen(xml_attr(e, "from"))),
	    0);
	assert_int_equal(
	    jid_parse(&to, xml_attr(e, "to"), strlen(xml_attr(e, "to"))), 0);
	edge_trace_inward(trace, "edge1.b.1", e, &from, &to);
	jid_finish(&from);
	jid_finish(&to);
	xml_arena_close(a);
}

static void
go(const char *xml)
{
	edge_trace_outward(trace, "edge1.b.2", "contoso.example",
	    "partner.example", xml, strlen(xml));
}

static size_t
count(int gateway)
{
	return json_array_size(told[gateway]);
}

static const char *
string_of(int gateway, size_t i, const char *member)
{
	return json_string_value(
	    json_object_get(json_array_get(told[gateway], i), member));
}

static json_int_t
missed(int gateway, size_t i)
{
	return json_integer_value(
	    json_object_get(json_array_get(told[gateway], i), "missed"));
}

/* --- what is asked ------------------------------------------------------- */

static void
test_asks(void **state)
{
	static const struct {
		const char *json;
		int rc;
		const char *words;
	} rows[] = {
		{ ASK(120, false, ADDRESS(ANNA)), 0, ANNA },
		{ ASK(1, true, DOMAIN("Partner.example") "," ADDRESS(BO)), 0,
		    "partner.example " BO },
		{ ASK(300, false, ""), 0, "" },
		{ "{\"seconds\":5,\"who\":[]}", 0, "" },
		{ "{\"seconds\":5,\"who\":[],\"later\":{\"x\":1}}", 0, "" },
		{ "{}", ERR_MALFORMED, NULL },
		{ "[]", ERR_MALFORMED, NULL },
		{ "{\"seconds\":5}", ERR_MALFORMED, NULL },
		{ "{\"seconds\":5,\"who\":{}}", ERR_MALFORMED, NULL },
		{ "{\"seconds\":5,\"who\":[7]}", ERR_MALFORMED, NULL },
		{ "{\"seconds\":5,\"who\":[{}]}", ERR_MALFORMED, NULL },
		{ "{\"seconds\":5,\"who\":[],\"who\":[]}", ERR_MALFORMED,
		    NULL },
		{ "{\"seconds\":5,\"bodies\":1,\"who\":[]}", ERR_MALFORMED,
		    NULL },
		{ ASK(0, false, ""), ERR_MALFORMED, NULL },
		{ ASK(-1, false, ""), ERR_MALFORMED, NULL },
		{ ASK(301, false, ""), ERR_MALFORMED, NULL },
		{ ASK(18446744073709551617, false, ""), ERR_MALFORMED, NULL },
		{ ASK("5", false, ""), ERR_MALFORMED, NULL },
		{ ASK(5, false, "{\"address\":\"" ANNA "\",\"domain\":\"x\"}"),
		    ERR_MALFORMED, NULL },
		{ ASK(5, false, "{\"address\":7}"), ERR_MALFORMED, NULL },
		{ ASK(5, false, ADDRESS("contoso.example")), ERR_JID, NULL },
		{ ASK(5, false, ADDRESS(ANNA "/desk")), ERR_JID, NULL },
		{ ASK(5, false, DOMAIN(ANNA)), ERR_JID, NULL },
		{ ASK(5, false, DOMAIN("")), ERR_JID, NULL },
		{ ASK(5, false, ADDRESS("a b@contoso.example")), ERR_JID,
		    NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char words[TRACE_ASK_WORDS_SIZE];
		struct trace_ask a;
		int rc =
		    trace_ask_parse(&a, rows[i].json, strlen(rows[i].json));

		if (rc != rows[i].rc)
			fail_msg("%s: %d", rows[i].json, rc);
		assert_int_equal(a.count > 0, rc == 0 && rows[i].words[0] != 0);
		if (rc == 0) {
			trace_ask_words(words, sizeof(words), &a);
			assert_string_equal(words, rows[i].words);
		}
		trace_ask_finish(&a);
	}
}

static void
many(struct buf *out, size_t n, size_t name)
{
	buf_clear(out);
	buf_add_str(out, "{\"seconds\":5,\"who\":[");
	for (size_t i = 0; i < n; i++)
		buf_addf(out, "%s{\"address\":\"%0*zu@contoso.example\"}",
		    i > 0 ? "," : "", (int)name, i);
	buf_add_str(out, "]}");
}

static void
test_how_much_may_be_asked(void **state)
{
	char words[40];
	struct trace_ask a;
	struct buf b = { 0 };

	(void)state;
	many(&b, TRACE_ASK_WHO_MAX, 1);
	assert_int_equal(trace_ask_parse(&a, buf_cstr(&b), b.len), 0);
	assert_int_equal(a.count, TRACE_ASK_WHO_MAX);
	trace_ask_words(words, sizeof(words), &a);
	assert_true(strlen(words) < sizeof(words));
	assert_string_equal(words + strlen(words) - 3, "...");
	trace_ask_finish(&a);
	many(&b, TRACE_ASK_WHO_MAX + 1, 1);
	assert_int_equal(trace_ask_parse(&a, buf_cstr(&b), b.len), ERR_FULL);
	many(&b, TRACE_ASK_WHO_MAX, 5000);
	assert_int_equal(
	    trace_ask_parse(&a, buf_cstr(&b), b.len), ERR_TOO_LONG);
	buf_finish(&b);
}

/* --- who is told what ---------------------------------------------------- */

static void
test_nothing_unasked(void **state)
{
	(void)state;
	come(MESSAGE(BO "/home", ANNA, "Hello"));
	go(MESSAGE(ANNA, BO, "Hello"));
	assert_int_equal(count(0) + count(1), 0);
}

static void
test_a_stanza_is_told_without_its_words(void **state)
{
	(void)state;
	ask(GW1, ASK(120, false, ADDRESS(ANNA)));
	come(MESSAGE(BO "/home", ANNA, "Hello"));
	go(MESSAGE(ANNA "/desk", BO, "Hello"));
	assert_int_equal(count(0), 2);
	assert_string_equal(string_of(0, 0, "kind"), "stanza");
	assert_string_equal(string_of(0, 0, "direction"), "in");
	assert_string_equal(string_of(0, 0, "stream"), "edge1.b.1");
	assert_string_equal(string_of(0, 0, "from"), BO "/home");
	assert_string_equal(string_of(0, 0, "to"), ANNA);
	assert_string_equal(
	    string_of(0, 0, "text"), MESSAGE(BO "/home", ANNA, "[5 bytes]"));
	assert_int_equal(json_integer_value(
			     json_object_get(json_array_get(told[0], 0), "at")),
	    1767225600000);
	assert_string_equal(string_of(0, 1, "direction"), "out");
	assert_string_equal(string_of(0, 1, "stream"), "edge1.b.2");
	assert_string_equal(string_of(0, 1, "from"), ANNA "/desk");
	assert_string_equal(
	    string_of(0, 1, "text"), MESSAGE(ANNA "/desk", BO, "[5 bytes]"));
	assert_int_equal(count(1), 0);
}

/* Who asks, the configuration and our own log have to have them. */
static void
test_bodies_need_every_switch(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++) {
		bool asked = (i & 1) != 0, allowed = (i & 2) != 0;
		const char *body = i == 7 ? ">Hello<" : ">[5 bytes]<";

		ask(GW1, asked ? ASK(120, true, ADDRESS(ANNA))
			       : ASK(120, false, ADDRESS(ANNA)));
		log_set_bodies(allowed);
		host(GW1, "contoso.example", 10 + i, (i & 4) != 0);
		come(MESSAGE(BO "/home", ANNA, "Hello"));
		go(MESSAGE(ANNA, BO, "Hello"));
		assert_int_equal(count(0), 2);
		assert_non_null(strstr(string_of(0, 0, "text"), body));
		assert_non_null(strstr(string_of(0, 1, "text"), body));
		json_array_clear(told[0]);
	}
}

static void
test_whose(void **state)
{
	static const struct {
		const char *ask, *from, *to;
		bool told;
	} rows[] = {
		{ ASK(9, false, ADDRESS(BO)), BO, ANNA, true },
		{ ASK(9, false, ADDRESS(BO)), BO "/x", ANNA "/y", true },
		{ ASK(9, false, ADDRESS("BO@Partner.Example")), BO, ANNA,
		    true },
		{ ASK(9, false, ADDRESS(BO)), "eve@partner.example", ANNA,
		    false },
		{ ASK(9, false, ADDRESS(BO)), "partner.example", ANNA, false },
		{ ASK(9, false, ADDRESS(BO)), "bo@b.partner.example", ANNA,
		    false },
		{ ASK(9, false, DOMAIN("partner.example")), BO, ANNA, true },
		{ ASK(9, false, DOMAIN("partner.example")), "partner.example",
		    "contoso.example", true },
		{ ASK(9, false, DOMAIN("partner.example")),
		    "bo@b.partner.example", ANNA, false },
		{ ASK(9, false, DOMAIN("contoso.example")), BO, ANNA, true },
		{ ASK(9, false, ADDRESS("eve@x.example") "," ADDRESS(BO)), BO,
		    ANNA, true },
		/* Of another gateway's domain. */
		{ ASK(9, false, ADDRESS(BO)), BO, "kim@fabrikam.example",
		    false },
		{ ASK(9, false, DOMAIN("fabrikam.example")), BO,
		    "kim@fabrikam.example", false },
		{ ASK(9, false, ADDRESS(BO)), BO, "kim@nobody.example", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char xml[256];

		ask(GW1, rows[i].ask);
		snprintf(xml, sizeof(xml), "<presence from='%s' to='%s'/>",
		    rows[i].from, rows[i].to);
		come(xml);
		if (count(0) != rows[i].told)
			fail_msg("%s, %s", rows[i].ask, xml);
		json_array_clear(told[0]);
	}
}

static void
test_each_gateway_has_its_own(void **state)
{
	(void)state;
	ask(GW1, ASK(100, false, DOMAIN("partner.example")));
	ask(GW2, ASK(100, false, ADDRESS(BO)));
	come(MESSAGE(BO, ANNA, "one"));
	assert_int_equal(count(0), 1);
	assert_int_equal(count(1), 0);
	come(MESSAGE(BO, "kim@fabrikam.example", "two"));
	assert_int_equal(count(0), 1);
	assert_int_equal(count(1), 1);
	ask(GW1, ASK(1, false, ""));
	come(MESSAGE(BO, ANNA, "three"));
	come(MESSAGE(BO, "kim@fabrikam.example", "four"));
	assert_int_equal(count(0), 1);
	assert_int_equal(count(1), 2);
	edge_trace_forget(trace, GW2, "away");
	edge_trace_forget(trace, GW2, "away");
	come(MESSAGE(BO, "kim@fabrikam.example", "five"));
	assert_int_equal(count(1), 2);
}

static void
test_the_newest_ask_counts(void **state)
{
	(void)state;
	ask(GW1, ASK(100, false, ADDRESS(BO)));
	ask(GW1, ASK(100, false, ADDRESS("eve@partner.example")));
	come(MESSAGE(BO, ANNA, "no"));
	come(MESSAGE("eve@partner.example", ANNA, "yes"));
	assert_int_equal(count(0), 1);
	/* One that cannot be taken changes nothing. */
	ask(GW1, ASK(0, false, ADDRESS(BO)));
	ask(GW1, "{}");
	come(MESSAGE(BO, ANNA, "no"));
	come(MESSAGE("eve@partner.example", ANNA, "yes"));
	assert_int_equal(count(0), 2);
}

static void
test_it_ends_by_itself(void **state)
{
	(void)state;
	ask(GW1, ASK(120, false, ADDRESS(BO)));
	clock_advance(clk, 119999);
	come(MESSAGE(BO, ANNA, "in time"));
	assert_int_equal(count(0), 1);
	ask(GW1, ASK(120, false, ADDRESS(BO)));
	clock_advance(clk, 119999);
	come(MESSAGE(BO, ANNA, "renewed"));
	assert_int_equal(count(0), 2);
	clock_advance(clk, 1);
	come(MESSAGE(BO, ANNA, "late"));
	assert_int_equal(count(0), 2);
}

/* --- bounds -------------------------------------------------------------- */

static void
test_a_flood_is_counted(void **state)
{
	size_t first;

	(void)state;
	ask(GW1, ASK(300, false, ADDRESS(BO)));
	for (int i = 0; i < 5000; i++)
		come(MESSAGE(BO, ANNA, "x"));
	first = count(0);
	assert_int_equal(first, 400);
	clock_advance(clk, 1000);
	for (int i = 0; i < 5000; i++)
		go(MESSAGE(ANNA, BO, "x"));
	assert_int_equal(count(0), first + 200);
	assert_int_equal(missed(0, first - 1), 0);
	assert_int_equal(missed(0, first), 4600);
	assert_int_equal(missed(0, first + 1), 0);
}

enum { LONG = 100000 };

/* Characters of three bytes, behind so many of one; to be freed. */
static char *
long_message(size_t shift)
{
	struct buf b = { 0 };
	char *xml;

	buf_add_str(&b, "<message from='" BO "' to='" ANNA "'><body>");
	for (size_t i = 0; i < shift; i++)
		buf_add_str(&b, "a");
	while (b.len < LONG)
		buf_add_str(&b, "\xe2\x82\xac");
	buf_add_str(&b, "</body></message>");
	xml = strdup(buf_cstr(&b));
	buf_finish(&b);
	return xml;
}

/* Not through a character. */
static void
test_long_stanzas_are_cut(void **state)
{
	(void)state;
	log_set_bodies(true);
	ask(GW1, ASK(300, true, ADDRESS(BO)));
	for (size_t shift = 0; shift < 3; shift++) {
		char *xml = long_message(shift);
		const char *text;

		come(xml);
		go(xml);
		assert_int_equal(count(0), 2);
		for (size_t i = 0; i < 2; i++) {
			text = string_of(0, i, "text");
			assert_in_range(strlen(text), EDGE_TRACE_TEXT_MAX - 2,
			    EDGE_TRACE_TEXT_MAX);
			assert_true(utf8_valid(text, strlen(text)));
			assert_memory_equal(text, xml, strlen(text));
			assert_true(json_is_true(json_object_get(
			    json_array_get(told[0], i), "cut")));
		}
		json_array_clear(told[0]);
		free(xml);
	}
	come(MESSAGE(BO, ANNA, "x"));
	assert_null(json_object_get(json_array_get(told[0], 0), "cut"));
}

/* What is cut off has been made, and is paid for. */
static void
test_bytes_are_counted_too(void **state)
{
	char *xml = long_message(0);

	(void)state;
	log_set_bodies(true);
	ask(GW1, ASK(300, true, ADDRESS(BO)));
	for (int i = 0; i < 100; i++)
		come(xml);
	assert_in_range(count(0), 1048576 / LONG, 1048576 / LONG + 1);
	clock_advance(clk, 10000);
	come(MESSAGE(BO, ANNA, "x"));
	assert_int_equal(missed(0, count(0) - 1), 100 - (count(0) - 1));
	free(xml);
}

/* Addresses take more room than they do in the stanza, their quotes twice as
 * much: what goes over the channel is what counts. */
static void
test_long_addresses_are_paid_for(void **state)
{
	struct buf b = { 0 };

	(void)state;
	buf_add_str(&b, "<presence to='" ANNA "/x' from='" BO "/");
	for (int i = 0; i < 1000; i++)
		buf_add_str(&b, "\\");
	buf_add_str(&b, "'/>");
	ask(GW1, ASK(300, false, ADDRESS(BO)));
	for (int i = 0; i < 400; i++)
		come(buf_cstr(&b));
	assert_true(count(0) < 400);
	assert_in_range(sent, 1048576 - 10000, 1048576 + 10000);
	buf_finish(&b);
}

static void
test_a_gateway_that_takes_nothing(void **state)
{
	(void)state;
	ask(GW1, ASK(300, false, ADDRESS(BO)));
	full = true;
	for (int i = 0; i < 7; i++)
		come(MESSAGE(BO, ANNA, "x"));
	full = false;
	come(MESSAGE(BO, ANNA, "x"));
	assert_int_equal(count(0), 1);
	assert_int_equal(missed(0, 0), 7);
}

/* What we wrote ourselves is a stanza with addresses; if it were not, nothing
 * of it is shown. */
static void
test_what_cannot_be_read_is_missed(void **state)
{
	(void)state;
	ask(GW1, ASK(300, false, DOMAIN("partner.example")));
	go("nothing of the kind");
	go("<message to='" BO "'/>");
	go("<message from='" ANNA "' to='" BO "'><body>open");
	assert_int_equal(count(0), 0);
	go(MESSAGE(ANNA, BO, "x"));
	assert_int_equal(missed(0, 0), 3);
}

/* --- streams ------------------------------------------------------------- */

static void
test_streams(void **state)
{
	static const struct stream_pair pairs[] = {
		{ "contoso.example", "partner.example", 0 },
		{ "fabrikam.example", "partner.example", 0 },
		{ "contoso.example", "other.example", 0 },
	};
	struct stream_info info = {
		.id = "edge1.b.3",
		.direction = STREAM_OUT,
		.pairs = pairs,
		.pair_count = 3,
		.peer = "192.0.2.1:5269",
		.auth = "external",
		.tls = "TLSv1.3",
	};

	(void)state;
	ask(GW1, ASK(300, false, ADDRESS(BO)));
	edge_trace_stream(trace, STREAM_UP, &info);
	edge_trace_stream(trace, STREAM_UPDATE, &info);
	info.reason = "the partner ended it";
	edge_trace_stream(trace, STREAM_DOWN, &info);
	info.direction = STREAM_IN;
	info.reason = NULL;
	info.condition = "system-shutdown";
	edge_trace_stream(trace, STREAM_FAILED, &info);
	assert_int_equal(count(0), 3);
	assert_int_equal(count(1), 0);
	assert_string_equal(string_of(0, 0, "kind"), "stream");
	assert_string_equal(string_of(0, 0, "direction"), "out");
	assert_string_equal(string_of(0, 0, "from"), "contoso.example");
	assert_string_equal(string_of(0, 0, "to"), "partner.example");
	assert_string_equal(
	    string_of(0, 0, "text"), "up: 192.0.2.1:5269, external, TLSv1.3");
	assert_string_equal(
	    string_of(0, 1, "text"), "down: the partner ended it");
	assert_string_equal(string_of(0, 2, "direction"), "in");
	assert_string_equal(string_of(0, 2, "from"), "partner.example");
	assert_string_equal(string_of(0, 2, "to"), "contoso.example");
	assert_string_equal(string_of(0, 2, "text"),
	    "failed: no reason given (system-shutdown)");
	/* A user of ours is not all partners there are. */
	ask(GW1, ASK(300, false, ADDRESS(ANNA)));
	edge_trace_stream(trace, STREAM_UP, &info);
	assert_int_equal(count(0), 3);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asks),
		cmocka_unit_test(test_how_much_may_be_asked),
		TEST(test_nothing_unasked),
		TEST(test_a_stanza_is_told_without_its_words),
		TEST(test_bodies_need_every_switch),
		TEST(test_whose),
		TEST(test_each_gateway_has_its_own),
		TEST(test_the_newest_ask_counts),
		TEST(test_it_ends_by_itself),
		TEST(test_a_flood_is_counted),
		TEST(test_long_stanzas_are_cut),
		TEST(test_bytes_are_counted_too),
		TEST(test_long_addresses_are_paid_for),
		TEST(test_a_gateway_that_takes_nothing),
		TEST(test_what_cannot_be_read_is_missed),
		TEST(test_streams),
	};

	log_set_fd(-1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
