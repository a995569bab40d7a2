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
#include "edge-proxy/sm_xml.h"
#include "tests/unit/stanza_parse.h"

#define SM " xmlns='urn:xmpp:sm:3'"

static struct clock *clk;
static struct sm_in in;
static struct buf out;
static enum sm_in_verdict verdict;

static void
on_tell(struct clock_timer *t, void *arg)
{
	(void)t;
	(void)arg;
	sm_in_flush(&in, &out);
}

static int
setup(void **state)
{
	(void)state;
	assert_int_equal(clock_open_manual(&clk, 0, 0), 0);
	buf_init(&out, 0);
	sm_in_init(&in, clk, on_tell, NULL);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	sm_in_finish(&in);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
