/* Stream management: what each side says and counts (XEP-0198). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/xml.h"
#include "edge-proxy/sm_in.h"
#include "edge-proxy/sm_out.h"
#include "edge-proxy/sm_xml.h"
#include "tests/unit/stanza_parse.h"

#define SM " xmlns='urn:xmpp:sm:3'"

static struct clock *clk;
static struct sm_in in;
static struct buf out;
static enum sm_in_verdict verdict;
static struct sm_out sm_out;
static enum sm_out_verdict got;
static unsigned silences;

static void
on_tell(struct clock_timer *t, void *arg)
{
	(void)t;
	(void)arg;
	sm_in_flush(&in, &out);
}

static void
on_silent(struct clock_timer *t, void *arg)
{
	(void)t;
	(void)arg;
	silences++;
}

static int
setup(void **state)
{
	(void)state;
	assert_int_equal(clock_open_manual(&clk, 0, 0), 0);
	buf_init(&out, 0);
	sm_in_init(&in, clk, on_tell, NULL);
	sm_out_init(&sm_out, clk, on_silent, NULL);
	silences = 0;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	sm_in_finish(&in);
	sm_out_finish(&sm_out);
	buf_finish(&out);
	clock_close(clk);
	return 0;
}

/* What was written since the last look. */
static void
expect(const char *text)
{
	assert_string_equal(buf_cstr(&out), text);
	buf_clear(&out);
}

static void
on_in(const struct xml_elem *e, void *arg)
{
	(void)arg;
	verdict = sm_in_take(&in, e, &out);
}

static enum sm_in_verdict
take(const char *text)
{
	assert_int_equal(stanza_parse(text, strlen(text), on_in, NULL), 1);
	return verdict;
}

static const struct {
	const char *h;
	bool good;
	uint32_t value;
} numbers[] = {
	{ " h='0'", true, 0 },
	{ " h='007'", true, 7 },
	{ " h='4294967295'", true, UINT32_MAX },
	{ " h='4294967296'", false, 0 },
	{ " h='18446744073709551617'", false, 0 },
	{ " h='-1'", false, 0 },
	{ " h='+1'", false, 0 },
	{ " h=' 1'", false, 0 },
	{ " h='1x'", false, 0 },
	{ " h=''", false, 0 },
	{ "", false, 0 },
};

static void
on_number(const struct xml_elem *e, void *arg)
{
	size_t i = *(size_t *)arg;
	uint32_t h = 99;

	assert_int_equal(sm_xml_read_h(&h, e), numbers[i].good);
	assert_int_equal(h, numbers[i].good ? numbers[i].value : 99);
}

static void
test_numbers(void **state)
{
	char text[100];

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		snprintf(text, sizeof(text), "<a" SM "%s/>", numbers[i].h);
		assert_int_equal(
		    stanza_parse(text, strlen(text), on_number, &i), 1);
	}
}

static void
test_before_it_is_enabled(void **state)
{
	(void)state;
	sm_in_received(&in);
	sm_in_handled(&in, 1);
	assert_int_equal(take("<r" SM "/>"), SM_IN_UNKNOWN);
	assert_int_equal(take("<a" SM " h='0'/>"), SM_IN_UNKNOWN);
	clock_advance(clk, 1000);
	assert_false(sm_in_owes(&in));
	expect("");
}

static void
test_requests_are_answered_with_the_count_reached(void **state)
{
	(void)state;
	assert_int_equal(take("<enable" SM " resume='true'/>"), SM_IN_FINE);
	expect("<enabled" SM "/>");
	for (int i = 0; i < 3; i++)
		sm_in_received(&in);
	assert_true(sm_in_owes(&in));
	assert_int_equal(take("<r" SM "/>"), SM_IN_FINE);
	expect("<a" SM " h='0'/>");
	sm_in_handled(&in, 2);
	assert_int_equal(take("<r" SM "/>"), SM_IN_FINE);
	expect("<a" SM " h='2'/>");
	/* the answer was the word */
	clock_advance(clk, 1000);
	expect("");
	sm_in_handled(&in, 3);
	assert_false(sm_in_owes(&in));
}

static void
test_one_word_for_a_turn_of_the_loop(void **state)
{
	(void)state;
	take("<enable" SM "/>");
	expect("<enabled" SM "/>");
	for (int i = 0; i < 5; i++)
		sm_in_received(&in);
	sm_in_handled(&in, 1);
	sm_in_handled(&in, 4);
	expect("");
	clock_advance(clk, 0);
	expect("<a" SM " h='4'/>");
	clock_advance(clk, 1000);
	expect("");
	sm_in_handled(&in, 5);
	/* closing does not wait for the turn */
	sm_in_flush(&in, &out);
	expect("<a" SM " h='5'/>");
	clock_advance(clk, 1000);
	sm_in_flush(&in, &out);
	expect("");
}

/* What came before counts as nothing, whenever it is done with. */
static void
test_counting_begins_when_enabled(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		sm_in_received(&in);
	sm_in_handled(&in, 1);
	take("<enable" SM "/>");
	expect("<enabled" SM "/>");
	sm_in_received(&in);
	sm_in_handled(&in, 3);
	clock_advance(clk, 1);
	expect("");
	take("<r" SM "/>");
	expect("<a" SM " h='0'/>");
	sm_in_handled(&in, 4);
	clock_advance(clk, 1);
	expect("<a" SM " h='1'/>");
}

static void
test_past_two_to_the_32(void **state)
{
	(void)state;
	take("<enable" SM "/>");
	expect("<enabled" SM "/>");
	in.received = in.handled = in.told = UINT32_MAX;
	sm_in_received(&in);
	sm_in_received(&in);
	sm_in_handled(&in, 1ull << 32);
	clock_advance(clk, 1);
	expect("<a" SM " h='0'/>");
	sm_in_handled(&in, (1ull << 32) + 1);
	clock_advance(clk, 1);
	expect("<a" SM " h='1'/>");
}

static void
test_misuse(void **state)
{
	(void)state;
	assert_int_equal(take("<resume" SM " h='0' previd='x'/>"), SM_IN_FINE);
	expect("<failed" SM "><feature-not-implemented "
	       "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>");
	assert_int_equal(take("<enable" SM "/>"), SM_IN_FINE);
	assert_int_equal(take("<enable" SM "/>"), SM_IN_TWICE);
	expect("<enabled" SM "/>");
	assert_int_equal(take("<a" SM " h='0'/>"), SM_IN_FINE);
	assert_int_equal(take("<a" SM "/>"), SM_IN_UNKNOWN);
	assert_int_equal(take("<enabled" SM "/>"), SM_IN_UNKNOWN);
	expect("");
	assert_int_equal(take("<a" SM " h='3'/>"), SM_IN_TOO_HIGH);
	expect("<stream:error><undefined-condition "
	       "xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
	       "<handled-count-too-high" SM " h='3' send-count='0'/>"
	       "</stream:error>");
}

/* --- the side that asks -------------------------------------------------- */

static void
on_out(const struct xml_elem *e, void *arg)
{
	(void)arg;
	got = sm_out_take(&sm_out, e, &out);
}

static enum sm_out_verdict
hear(const char *text)
{
	assert_int_equal(stanza_parse(text, strlen(text), on_out, NULL), 1);
	return got;
}

static void
enable(void)
{
	sm_out_enable(&sm_out, &out);
	expect("<enable" SM "/>");
	assert_int_equal(
	    hear("<enabled" SM " resume='true' id='x'/>"), SM_OUT_ENABLED);
	expect("");
}

static void
test_refused_or_unheard(void **state)
{
	(void)state;
	assert_int_equal(hear("<enabled" SM "/>"), SM_OUT_UNKNOWN);
	sm_out_enable(&sm_out, &out);
	sm_out_sent(&sm_out);
	sm_out_ask(&sm_out, &out);
	assert_int_equal(hear("<a" SM " h='1'/>"), SM_OUT_UNKNOWN);
	assert_int_equal(hear("<r" SM "/>"), SM_OUT_UNKNOWN);
	assert_int_equal(hear("<failed" SM "/>"), SM_OUT_FINE);
	sm_out_ask(&sm_out, &out);
	expect("<enable" SM "/>");
	clock_advance(clk, 100000);
	assert_int_equal(silences, 0);
}

/* What is written behind <enable/> counts, and is asked for when it is on. */
static void
test_one_request_at_a_time(void **state)
{
	(void)state;
	sm_out_enable(&sm_out, &out);
	assert_int_equal(sm_out_sent(&sm_out), 1);
	sm_out_ask(&sm_out, &out);
	expect("<enable" SM "/>");
	assert_int_equal(hear("<enabled" SM "/>"), SM_OUT_ENABLED);
	expect("<r" SM "/>");
	for (int i = 0; i < 3; i++) {
		sm_out_sent(&sm_out);
		sm_out_ask(&sm_out, &out);
	}
	expect("");
	assert_int_equal(hear("<a" SM " h='2'/>"), SM_OUT_ACKNOWLEDGED);
	assert_int_equal(sm_out.acked, 2);
	expect("<r" SM "/>");
	assert_int_equal(hear("<a" SM " h='4'/>"), SM_OUT_ACKNOWLEDGED);
	assert_int_equal(hear("<a" SM " h='4'/>"), SM_OUT_ACKNOWLEDGED);
	expect("");
	assert_int_equal(hear("<r" SM "/>"), SM_OUT_FINE);
	expect("<a" SM " h='0'/>");
	assert_int_equal(hear("<a" SM "/>"), SM_OUT_UNKNOWN);
	assert_int_equal(hear("<enabled" SM "/>"), SM_OUT_UNKNOWN);
}

static void
test_silence(void **state)
{
	(void)state;
	enable();
	clock_advance(clk, 100000);
	sm_out_ask(&sm_out, &out);
	clock_advance(clk, 29999);
	assert_int_equal(hear("<a" SM " h='0'/>"), SM_OUT_ACKNOWLEDGED);
	clock_advance(clk, 100000);
	assert_int_equal(silences, 0);
	sm_out_ask(&sm_out, &out);
	clock_advance(clk, 15000);
	/* asking again is no reason to wait for longer */
	sm_out_ask(&sm_out, &out);
	clock_advance(clk, 14999);
	assert_int_equal(silences, 0);
	clock_advance(clk, 1);
	assert_int_equal(silences, 1);
}

static const struct {
	uint64_t sent, acked;
	uint32_t h;
	enum sm_out_verdict verdict;
	uint64_t now;
} counts[] = {
	{ 5, 0, 0, SM_OUT_ACKNOWLEDGED, 0 },
	{ 5, 0, 5, SM_OUT_ACKNOWLEDGED, 5 },
	{ 5, 3, 3, SM_OUT_ACKNOWLEDGED, 3 },
	{ 5, 0, 6, SM_OUT_TOO_HIGH, 0 },
	{ 0, 0, 1, SM_OUT_TOO_HIGH, 0 },
	{ 0, 0, UINT32_MAX, SM_OUT_TOO_HIGH, 0 },
	/* it went back */
	{ 5, 3, 2, SM_OUT_TOO_HIGH, 3 },
	{ 5, 5, 0, SM_OUT_TOO_HIGH, 5 },
	/* past 2^32 */
	{ UINT32_MAX, UINT32_MAX - 1u, UINT32_MAX, SM_OUT_ACKNOWLEDGED,
	    UINT32_MAX },
	{ 1ull << 32, UINT32_MAX, 0, SM_OUT_ACKNOWLEDGED, 1ull << 32 },
	{ (1ull << 32) + 7, UINT32_MAX - 1u, 7, SM_OUT_ACKNOWLEDGED,
	    (1ull << 32) + 7 },
	{ (1ull << 32) + 7, UINT32_MAX - 1u, 8, SM_OUT_TOO_HIGH,
	    UINT32_MAX - 1u },
	{ 5ull << 32, (5ull << 32) - 2, UINT32_MAX, SM_OUT_ACKNOWLEDGED,
	    (5ull << 32) - 1 },
};

static void
test_counts(void **state)
{
	char text[100], error[400];

	(void)state;
	enable();
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		sm_out.sent = counts[i].sent;
		sm_out.acked = counts[i].acked;
		snprintf(text, sizeof(text), "<a" SM " h='%u'/>", counts[i].h);
		assert_int_equal(hear(text), counts[i].verdict);
		assert_int_equal(sm_out.acked, counts[i].now);
		snprintf(error, sizeof(error),
		    "<stream:error><undefined-condition "
		    "xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
		    "<handled-count-too-high" SM
		    " h='%u' send-count='%u'/></stream:error>",
		    counts[i].h, (unsigned)counts[i].sent);
		expect(counts[i].verdict == SM_OUT_TOO_HIGH ? error : "");
	}
}

int
main(void)
{
#define T(x) cmocka_unit_test_setup_teardown(x, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_numbers),
		T(test_before_it_is_enabled),
		T(test_requests_are_answered_with_the_count_reached),
		T(test_one_word_for_a_turn_of_the_loop),
		T(test_counting_begins_when_enabled),
		T(test_past_two_to_the_32),
		T(test_misuse),
		T(test_refused_or_unheard),
		T(test_one_request_at_a_time),
		T(test_silence),
		T(test_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
