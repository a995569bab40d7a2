/* Custody inward, over a real channel whose other side plays the gateway. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/jid.h"
#include "common/xml.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/inward.h"
#include "edge-proxy/iq_asked.h"
#include "proto/channel.h"
#include "proto/frame.h"
#include "tests/unit/stanza_parse.h"

enum { WINDOW = 4, SEQS_MAX = 64 };

static struct clock *clk;
static struct hosting *hosting;
static struct inward *in;
static struct iq_asked *asked;
static struct inward_stream *stream;
static struct channel *edge, *gateway;
static bool broken; /* nothing passes between the two */

/* What the gateway has got and not answered. */
static uint64_t seqs[SEQS_MAX];
static char bodies[SEQS_MAX][64];
static size_t got;

static char replies[8][1024];
static size_t reply_count;
static bool paused;
static unsigned pauses;
static unsigned behind; /* stanzas of the chunk that a pause cut short */
static void hand_in_message(void);
static uint64_t handled;
static char languages[SEQS_MAX][36];
static char ids[SEQS_MAX][64];

/* Frames wait here until pump() hands them over. */
static struct buf to_edge, to_gateway;

static void
on_output(struct channel *ch, const uint8_t *data, size_t len, void *arg)
{
	(void)arg;
	if (!broken)
		buf_add(ch == edge ? &to_gateway : &to_edge, data, len);
}

static void
on_up(struct channel *ch, bool resumed, void *arg)
{
	(void)ch;
	(void)resumed;
	(void)arg;
}

static void
on_stanza(struct channel *ch, uint64_t seq, const struct frame *f, void *arg)
{
	(void)arg;
	assert_ptr_equal(ch, gateway);
	assert_true(got < SEQS_MAX);
	frame_copy(f, FIELD_BODY, bodies[got], sizeof(bodies[got]));
	frame_copy(f, FIELD_LANGUAGE, languages[got], sizeof(languages[got]));
	frame_copy(f, FIELD_ID, ids[got], sizeof(ids[got]));
	seqs[got++] = seq;
}

static void
on_result(struct channel *ch, uint64_t seq, void *cookie,
    const struct channel_result *r, void *arg)
{
	(void)ch;
	(void)seq;
	(void)arg;
	inward_result(in, cookie, r);
}

static void
on_control(struct channel *ch, const struct frame *f, void *arg)
{
	(void)ch;
	(void)f;
	(void)arg;
}

static void
on_room(struct channel *ch, void *arg)
{
	(void)ch;
	(void)arg;
}

static void
on_close(struct channel *ch, int rc, const char *why, void *arg)
{
	(void)ch;
	(void)arg;
	(void)rc;
	(void)why;
}

static const struct channel_events events = { on_output, on_up, on_stanza,
	on_result, on_control, on_room, on_close };

static void
pump(void)
{
	while (to_edge.len > 0 || to_gateway.len > 0) {
		struct buf a = to_edge, b = to_gateway;

		buf_init(&to_edge, 0);
		buf_init(&to_gateway, 0);
		if (b.len > 0 && channel_is_up(edge))
			channel_input(gateway, b.data, b.len);
		if (a.len > 0)
			channel_input(edge, a.data, a.len);
		buf_finish(&a);
		buf_finish(&b);
	}
}

/* The gateway dials: its hello is the first frame. */
static void
attach(void)
{
	const char *why = NULL;
	struct frame f;
	struct buf hello;
	size_t size;

	channel_attach(gateway);
	hello = to_edge;
	buf_init(&to_edge, 0);
	assert_int_equal(frame_length(&size, hello.data, hello.len), 0);
	assert_int_equal(frame_decode(&f, hello.data, size), 0);
	assert_int_equal(channel_attach_hello(edge, &f, &why), 0);
	buf_finish(&hello);
	pump();
	assert_true(channel_is_up(gateway));
}

static void
detach(void)
{
	channel_detach(edge);
	channel_detach(gateway);
	buf_clear(&to_edge);
	buf_clear(&to_gateway);
}

static struct channel *
find_channel(const char *node, void *arg)
{
	(void)arg;
	return strcmp(node, "gw1") == 0 ? edge : NULL;
}

static void
on_reply(
    const char *local, const char *remote, const struct buf *xml, void *arg)
{
	(void)arg;
	assert_string_equal(local, "contoso.example");
	assert_string_equal(remote, "partner.example");
	assert_true(reply_count < 8 && xml->len < sizeof(replies[0]));
	memcpy(replies[reply_count], xml->data, xml->len);
	replies[reply_count++][xml->len] = '\0';
}

static void
on_pause(void *s, void *arg)
{
	(void)s;
	(void)arg;
	assert_false(paused);
	paused = true;
	pauses++;
}

static void
on_resume(void *s, void *arg)
{
	(void)s;
	(void)arg;
	assert_true(paused);
	paused = false;
	while (behind > 0 && !paused) {
		behind--;
		hand_in_message();
	}
}

static void
on_handled(void *s, uint64_t count, void *arg)
{
	(void)s;
	(void)arg;
	assert_true(count > handled);
	handled = count;
}

static const struct inward_ops ops = { find_channel, on_reply };
static const struct inward_stream_ops stream_ops = { on_pause, on_resume,
	on_handled };

static void
configure(void)
{
	static const char json[] =
	    "{\"generation\":{\"store\":\"s\",\"counter\":1},"
	    "\"hosted\":[{\"domain\":\"contoso.example\"}],\"partners\":[],"
	    "\"settings\":{\"inward_window\":4,\"inward_deadline_ms\":20000}}";
	struct buf config, confirm;
	struct frame_writer w;
	struct frame f;

	buf_init(&config, 0);
	buf_init(&confirm, 0);
	frame_begin(&w, &config, FRAME_CONFIG);
	frame_put_str(&w, FIELD_JSON, json);
	assert_int_equal(frame_end(&w), 0);
	assert_int_equal(frame_decode(&f, config.data, config.len), 0);
	assert_int_equal(
	    hosting_apply(hosting, "gw1", "s", 1, &f, &confirm), 0);
	buf_finish(&config);
	buf_finish(&confirm);
}

static int
setup(void **state)
{
	struct channel_opts o = { .role = CHANNEL_ACCEPTS,
		.node = "edge1",
		.boot = "e",
		.events = &events };
	struct inward_opts opts = { .ops = &ops };

	(void)state;
	got = reply_count = pauses = behind = 0;
	handled = 0;
	paused = broken = false;
	buf_init(&to_edge, 0);
	buf_init(&to_gateway, 0);
	assert_int_equal(clock_open_manual(&clk, 1000, 1000), 0);
	assert_int_equal(hosting_new(&hosting), 0);
	configure();
	o.clock = clk;
	/* The clock jumps by minutes here; life signs are not the subject. */
	o.ping_ms = o.dead_ms = 3600000;
	assert_int_equal(channel_new(&edge, &o), 0);
	o.role = CHANNEL_DIALS;
	o.node = "gw1";
	o.boot = "g";
	o.store = "s";
	o.epoch = 1;
	assert_int_equal(channel_new(&gateway, &o), 0);
	attach();
	assert_int_equal(iq_asked_new(&asked, clk, NULL, NULL), 0);
	opts.asked = asked;
	opts.clock = clk;
	opts.hosting = hosting;
	assert_int_equal(inward_new(&in, &opts), 0);
	assert_int_equal(
	    inward_stream_open(&stream, in, "e.1", &stream_ops, NULL), 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	inward_stream_close(stream);
	channel_free(edge);
	channel_free(gateway);
	inward_free(in);
	iq_asked_free(asked);
	hosting_free(hosting);
	clock_close(clk);
	buf_finish(&to_edge);
	buf_finish(&to_gateway);
	return 0;
}

static void
on_element(const struct xml_elem *e, void *arg)
{
	const char *from = xml_attr(e, "from"), *to = xml_attr(e, "to");
	struct jid f, t;

	assert_int_equal(jid_parse(&f, from, strlen(from)), 0);
	assert_int_equal(jid_parse(&t, to, strlen(to)), 0);
	*(int *)arg = inward_take(stream, e, &f, &t, "de");
	jid_finish(&f);
	jid_finish(&t);
}

#define ADDRESSES "from='bo@partner.example/r' to='anna@contoso.example'"

static int
hand_in(const char *text)
{
	int rc = 1;

	assert_int_equal(stanza_parse(text, strlen(text), on_element, &rc), 1);
	return rc;
}

#define MESSAGE                                                                \
	"<message " ADDRESSES " type='chat' "                                  \
	"id='m'><body>hello</body></message>"

static void
hand_in_message(void)
{
	assert_int_equal(hand_in(MESSAGE), 0);
}

static int
take(const char *text)
{
	int rc = hand_in(text);

	pump();
	return rc;
}

static void
take_messages(int count)
{
	for (int i = 0; i < count; i++)
		assert_int_equal(take(MESSAGE), 0);
}

static void
answer(size_t i, bool delivered, enum condition c)
{
	const struct channel_result r = { .delivered = delivered,
		.proof = PROOF_GATEWAY,
		.condition = c,
		.text = delivered ? NULL : "because" };

	channel_answer(gateway, seqs[i], &r);
	pump();
}

#define PING                                                                   \
	"<iq " ADDRESSES                                                       \
	" type='get' id='p1'><ping xmlns='urn:xmpp:ping'/></iq>"

/* A request is known to the gateway by another id than to the asker. */
static void
test_a_request_goes_under_an_id_of_ours(void **state)
{
	struct jid anna, bo;
	char *id;

	(void)state;
	assert_int_equal(take(PING), 0);
	assert_int_equal(take(PING), 0);
	assert_int_equal(got, 2);
	assert_int_equal(strlen(ids[0]), 32);
	assert_string_not_equal(ids[0], ids[1]);
	assert_int_equal(iq_asked_count(asked), 2);
	/* Refused by the gateway: told with the asker's id, and over. */
	answer(0, false, COND_SERVICE_UNAVAILABLE);
	assert_int_equal(reply_count, 1);
	assert_non_null(strstr(replies[0], "id='p1'"));
	assert_null(strstr(replies[0], ids[0]));
	assert_int_equal(iq_asked_count(asked), 1);
	/* Taken: it waits for its answer, the stanza itself is handled. */
	answer(1, true, COND_COUNT);
	assert_int_equal(inward_under_way(in), 0);
	assert_int_equal(iq_asked_count(asked), 1);
	assert_int_equal(jid_parse(&anna, "anna@contoso.example", 20), 0);
	assert_int_equal(jid_parse(&bo, "bo@partner.example/r", 20), 0);
	id = iq_asked_answer(asked, ids[1], &anna, &bo);
	assert_string_equal(id, "p1");
	free(id);
	jid_finish(&anna);
	jid_finish(&bo);
}

/* Neither late nor lost requests are left behind. */
static void
test_a_request_that_times_out_is_over(void **state)
{
	(void)state;
	assert_int_equal(take(PING), 0);
	clock_advance(clk, 20000);
	assert_int_equal(reply_count, 1);
	assert_non_null(strstr(replies[0], "remote-server-timeout"));
	assert_int_equal(iq_asked_count(asked), 0);
	/* Other stanzas, and answers, are not requests. */
	take_messages(1);
	assert_string_equal(ids[got - 1], "m");
	assert_int_equal(iq_asked_count(asked), 0);
}

static void
test_a_body_is_in_its_streams_language(void **state)
{
	static const char *const texts[][2] = {
		{ "<body>hello</body>", "de" },
		{ "<body xml:lang='en'>hello</body>", "en" },
	};
	char text[256];

	(void)state;
	for (int i = 0; i < 2; i++) {
		snprintf(text, sizeof(text),
		    "<message " ADDRESSES " type='chat' id='m'>%s</message>",
		    texts[i][0]);
		assert_int_equal(take(text), 0);
		assert_string_equal(languages[i], texts[i][1]);
		answer((size_t)i, true, COND_UNDEFINED_CONDITION);
	}
}

static void
test_delivered_is_the_end_of_it(void **state)
{
	(void)state;
	take_messages(1);
	assert_int_equal(got, 1);
	assert_string_equal(bodies[0], "hello");
	assert_int_equal(inward_under_way(in), 1);
	answer(0, true, 0);
	assert_int_equal(inward_under_way(in), 0);
	assert_int_equal(reply_count, 0);
	assert_int_equal(inward_counters(in)->delivered, 1);
}

static void
test_failed_comes_back_as_an_error(void **state)
{
	(void)state;
	take_messages(1);
	answer(0, false, COND_ITEM_NOT_FOUND);
	assert_int_equal(reply_count, 1);
	assert_non_null(strstr(replies[0], "<message"));
	assert_non_null(strstr(replies[0], "type='error'"));
	assert_non_null(strstr(replies[0], "id='m'"));
	assert_non_null(strstr(replies[0], "from='anna@contoso.example'"));
	assert_non_null(strstr(replies[0], "to='bo@partner.example/r'"));
	assert_non_null(strstr(replies[0], "item-not-found"));
	assert_non_null(strstr(replies[0], "because"));
	assert_non_null(strstr(replies[0], "by='contoso.example'"));
}

static const char *const mute[] = {
	"<presence " ADDRESSES " type='unavailable'/>",
	"<presence " ADDRESSES " type='probe'/>",
	"<message " ADDRESSES " type='error' id='e'><error type='cancel'>"
	"<gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
	"</message>",
};

static void
test_some_failures_are_not_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mute) / sizeof(mute[0]); i++) {
		assert_int_equal(take(mute[i]), 0);
		assert_int_equal(got, i + 1);
		answer(i, false, COND_SERVICE_UNAVAILABLE);
		assert_int_equal(reply_count, 0);
	}
	assert_int_equal(inward_under_way(in), 0);
}

static void
test_a_request_for_the_domain_is_answered_here(void **state)
{
	(void)state;
	assert_int_equal(
	    take("<iq from='bo@partner.example/r' to='contoso.example' "
		 "type='get' id='i'><ping xmlns='urn:xmpp:ping'/></iq>"),
	    0);
	assert_int_equal(got, 0);
	assert_int_equal(reply_count, 1);
	assert_non_null(strstr(replies[0], "type='result'"));
	assert_int_equal(inward_counters(in)->answered, 1);
}

static void
test_no_answer_in_time(void **state)
{
	(void)state;
	take_messages(1);
	clock_advance(clk, 19999);
	assert_int_equal(reply_count, 0);
	clock_advance(clk, 1);
	assert_int_equal(reply_count, 1);
	assert_non_null(strstr(replies[0], "remote-server-timeout"));
	assert_int_equal(inward_under_way(in), 0);
	assert_int_equal(channel_unanswered(edge), 0);
	/* The gateway's late word changes nothing. */
	answer(0, true, 0);
	assert_int_equal(reply_count, 1);
}

static void
test_the_window(void **state)
{
	(void)state;
	take_messages(WINDOW);
	assert_true(paused);
	assert_int_equal(got, WINDOW);
	/* Room again: read again. */
	answer(0, true, 0);
	assert_false(paused);
	take_messages(1);
	assert_true(paused);
	/* Nobody answers for 5 s: read, but refuse what is beyond. */
	clock_advance(clk, 4999);
	assert_true(paused);
	clock_advance(clk, 1);
	assert_false(paused);
	take_messages(1);
	assert_int_equal(reply_count, 1);
	assert_non_null(strstr(replies[0], "resource-constraint"));
	assert_false(paused);
	assert_int_equal(inward_under_way(in), WINDOW);
	/* What was refused waits for its place in the count. */
	answer(1, true, 0);
	take_messages(1);
	assert_int_equal(reply_count, 2);
	answer(2, true, 0);
	answer(3, true, 0);
	take_messages(1);
	assert_int_equal(reply_count, 2);
	assert_true(paused);
	assert_int_equal(pauses, 3);
}

/* What was read already when the window filled comes with the resume, within
 * it; it may fill the window anew. */
static void
test_what_a_resume_brings_is_not_refused(void **state)
{
	(void)state;
	take_messages(WINDOW);
	behind = 5;
	for (unsigned i = 0; i < 5; i++) {
		pump();
		answer(i, true, 0);
		assert_true(paused);
		assert_int_equal(behind, 4 - i);
	}
	assert_int_equal(reply_count, 0);
	assert_int_equal(inward_under_way(in), WINDOW);
}

/* While memory is short a stream has fewer under way; who has more is held at
 * once, and none of his is refused. */
static void
test_a_window_that_is_limited(void **state)
{
	(void)state;
	take_messages(3);
	inward_limit_window(in, 3);
	assert_true(paused);
	answer(0, true, 0);
	assert_false(paused);
	take_messages(1);
	assert_true(paused);
	inward_limit_window(in, 0);
	answer(1, true, 0);
	assert_false(paused);
	take_messages(WINDOW - 3);
	assert_false(paused);
	assert_int_equal(reply_count, 0);
}

static void
take_ping(void)
{
	assert_int_equal(
	    take("<iq from='bo@partner.example/r' to='contoso.example' "
		 "type='get' id='i'><ping xmlns='urn:xmpp:ping'/></iq>"),
	    0);
}

/* The count is that of custody: it waits for the oldest, and what was answered,
 * refused, bounced or too late is done with. */
static void
test_the_count_follows_custody(void **state)
{
	(void)state;
	take_ping();
	assert_int_equal(handled, 1);
	take_messages(2);
	take_ping();
	assert_int_equal(handled, 1);
	answer(1, true, 0);
	assert_int_equal(handled, 1);
	answer(0, false, COND_ITEM_NOT_FOUND);
	assert_int_equal(handled, 4);
	take_messages(1);
	clock_advance(clk, 19999);
	assert_int_equal(handled, 4);
	clock_advance(clk, 1);
	assert_int_equal(handled, 5);
	take_messages(2);
	inward_forget(in, edge);
	assert_int_equal(handled, 7);
}

/* Past the window, too, nothing is lost for the count. */
static void
test_the_count_past_the_window(void **state)
{
	(void)state;
	take_messages(WINDOW);
	for (size_t i = 1; i < WINDOW; i++)
		answer(i, true, 0);
	assert_true(paused);
	assert_int_equal(handled, 0);
	clock_advance(clk, 5000);
	assert_false(paused);
	take_messages(3);
	take_ping();
	assert_int_equal(reply_count, 4);
	assert_int_equal(got, WINDOW);
	assert_int_equal(handled, 0);
	answer(0, true, 0);
	assert_int_equal(handled, WINDOW + 4);
	take_messages(1);
	assert_int_equal(got, WINDOW + 1);
	answer(WINDOW, true, 0);
	assert_int_equal(handled, WINDOW + 5);
}

static void
test_without_a_gateway_it_stays_paused(void **state)
{
	(void)state;
	detach();
	take_messages(WINDOW);
	assert_true(paused);
	clock_advance(clk, 12000);
	assert_true(paused);
	/* It is back, and takes its time: 5 s from now. */
	attach();
	inward_channels_changed(in);
	assert_int_equal(got, WINDOW);
	clock_advance(clk, 4999);
	assert_true(paused);
	clock_advance(clk, 1);
	assert_false(paused);
}

static void
test_a_stream_that_ends_leaves_its_stanzas(void **state)
{
	(void)state;
	take_messages(2);
	inward_stream_close(stream);
	stream = NULL;
	answer(0, true, 0);
	answer(1, false, COND_RECIPIENT_UNAVAILABLE);
	assert_int_equal(reply_count, 1);
	assert_int_equal(inward_under_way(in), 0);
}

static void
test_a_gateway_that_is_removed(void **state)
{
	(void)state;
	take_messages(3);
	inward_forget(in, edge);
	assert_int_equal(reply_count, 3);
	assert_int_equal(inward_under_way(in), 0);
	assert_int_equal(channel_unanswered(edge), 0);
}

static void
test_a_domain_nobody_owns(void **state)
{
	(void)state;
	hosting_drop(hosting, "gw1");
	take_messages(1);
	assert_int_equal(got, 0);
	assert_int_equal(reply_count, 1);
	assert_non_null(strstr(replies[0], "service-unavailable"));
}

/* The answer to a ping goes to the node it names, and to nobody else. */
static void
test_answers_to_pings(void **state)
{
	static const char *const nodes[] = { "gw1", "gw2" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char text[512];

		snprintf(text, sizeof(text),
		    "<iq type='result' from='partner.example' "
		    "to='contoso.example' id='sp1-%s-1f-%s'/>",
		    nodes[i], "00112233445566778899aabbccddeeff");
		assert_int_equal(take(text), 0);
	}
	assert_int_equal(got, 1);
	assert_int_equal(reply_count, 0);
}

int
main(void)
{
#define T(x) cmocka_unit_test_setup_teardown(x, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_a_request_goes_under_an_id_of_ours, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_a_request_that_times_out_is_over, setup, teardown),
		T(test_a_body_is_in_its_streams_language),
		T(test_delivered_is_the_end_of_it),
		T(test_failed_comes_back_as_an_error),
		T(test_some_failures_are_not_told),
		T(test_a_request_for_the_domain_is_answered_here),
		T(test_no_answer_in_time),
		T(test_the_window),
		T(test_what_a_resume_brings_is_not_refused),
		T(test_a_window_that_is_limited),
		T(test_the_count_follows_custody),
		T(test_the_count_past_the_window),
		T(test_without_a_gateway_it_stays_paused),
		T(test_a_stream_that_ends_leaves_its_stanzas),
		T(test_a_gateway_that_is_removed),
		T(test_a_domain_nobody_owns),
		T(test_answers_to_pings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
