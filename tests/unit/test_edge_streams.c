/* Reports of streams: what is kept, what is refused, what is forgotten. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "frontend-gateway/edge_streams.h"

#define UP(id, dir)                                                            \
	"{\"id\":\"" id "\",\"event\":\"up\",\"direction\":\"" dir             \
	"\",\"pairs\":[[\"contoso.example\",\"partner.example\"]],"            \
	"\"peer\":\"192.0.2.1:5269\",\"auth\":\"external\"}"
#define EVENT(id, event) "{\"id\":\"" id "\",\"event\":\"" event "\"}"

static int
report(struct edge_streams *s, struct edge_streams_report *r, const char *json,
    uint64_t now)
{
	return edge_streams_report(s, r, json, strlen(json), now);
}

static const struct edges_stream *
find(struct edge_streams *s, const char *id)
{
	return edge_streams_find(s, id, strlen(id));
}

static void
a_stream_comes_changes_and_goes(void **state)
{
	struct edge_streams_report r;
	const struct edges_stream *st;
	struct edge_streams *s;

	(void)state;
	assert_int_equal(edge_streams_new(&s), 0);
	assert_int_equal(report(s, &r, UP("e.1", "in"), 0), 0);
	assert_int_equal(r.event, EDGE_STREAMS_UP);
	assert_string_equal(r.local, "contoso.example");
	assert_string_equal(r.remote, "partner.example");
	st = find(s, "e.1");
	assert_non_null(st);
	assert_true(st->guard.inbound);
	assert_int_equal(st->guard.pair_count, 1);
	assert_int_equal(st->fresh, 0);
	assert_string_equal(st->auth, "external");
	assert_true(edge_streams_live(s, "e.1"));

	assert_int_equal(
	    report(s, &r,
		"{\"id\":\"e.1\",\"event\":\"update\",\"proofs\":[\"ping\","
		"\"tcp\"],\"pairs\":[[\"contoso.example\","
		"\"partner.example\"],[\"contoso.example\","
		"\"more.example\"]]}",
		1),
	    0);
	assert_int_equal(r.event, EDGE_STREAMS_UPDATE);
	assert_string_equal(r.proofs, "ping,tcp");
	assert_int_equal(find(s, "e.1")->guard.pair_count, 2);
	/* one that was known, and then one that is new, in whatever order */
	assert_int_equal(find(s, "e.1")->fresh, 1);
	assert_int_equal(report(s, &r,
			     "{\"id\":\"e.1\",\"event\":\"update\",\"pairs\":[["
			     "\"fabrikam.example\",\"partner.example\"],["
			     "\"contoso.example\",\"more.example\"]]}",
			     1),
	    0);
	assert_int_equal(st->guard.pair_count, 2);
	assert_int_equal(st->fresh, 1);
	assert_string_equal(st->guard.pairs[1].local, "fabrikam.example");
	assert_int_equal(report(s, &r, EVENT("e.1", "update"), 1), 0);
	assert_int_equal(st->fresh, 2);
	assert_true(find(s, "e.1")->guard.inbound);

	assert_int_equal(report(s, &r, EVENT("e.1", "down"), 2), 0);
	assert_int_equal(r.event, EDGE_STREAMS_DOWN);
	assert_false(edge_streams_live(s, "e.1"));
	/* Stanzas may still be on their way. */
	assert_non_null(find(s, "e.1"));
	/* Until the time is up and another comes. */
	assert_int_equal(
	    report(s, &r, UP("e.2", "out"), EDGES_ENDED_MS + 2), 0);
	assert_null(find(s, "e.1"));
	assert_false(find(s, "e.2")->guard.inbound);
	edge_streams_free(s);
}

static void
a_resumed_channel_reports_anew(void **state)
{
	struct edge_streams_report r;
	struct edge_streams *s;

	(void)state;
	assert_int_equal(edge_streams_new(&s), 0);
	assert_int_equal(report(s, &r, UP("e.1", "in"), 0), 0);
	assert_int_equal(report(s, &r, UP("e.2", "out"), 0), 0);
	edge_streams_resume(s, 10);
	assert_false(edge_streams_live(s, "e.1"));
	assert_int_equal(report(s, &r, UP("e.2", "out"), 11), 0);
	/* Known: it is not to be probed once more. */
	assert_int_equal(r.event, EDGE_STREAMS_UPDATE);
	assert_true(edge_streams_live(s, "e.2"));
	assert_false(edge_streams_live(s, "e.1"));
	edge_streams_forget(s);
	assert_null(find(s, "e.1"));
	assert_null(find(s, "e.2"));
	edge_streams_free(s);
}

static void
failed_attempts_leave_no_trace(void **state)
{
	struct edge_streams_report r;
	struct edge_streams *s;

	(void)state;
	assert_int_equal(edge_streams_new(&s), 0);
	assert_int_equal(
	    report(s, &r,
		"{\"event\":\"failed\",\"direction\":\"out\",\"pairs\":"
		"[[\"contoso.example\",\"absent.example\"]],"
		"\"reason\":\"no target\",\"condition\":"
		"\"remote-server-not-found\"}",
		0),
	    0);
	assert_int_equal(r.event, EDGE_STREAMS_FAILED);
	assert_string_equal(r.remote, "absent.example");
	assert_string_equal(r.reason, "no target");
	assert_null(r.stream);
	edge_streams_free(s);
}

static void
malformed_reports_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{",
		"{}",
		"{\"id\":\"e.1\"}",
		"{\"id\":5,\"event\":\"up\"}",
		"{\"id\":\"\",\"event\":\"up\",\"pairs\":[]}",
		EVENT("e.1", "sideways"),
		EVENT("e.1", "up"), /* no pairs */
		"{\"id\":\"e.1\",\"event\":\"up\",\"pairs\":{}}",
		"{\"id\":\"e.1\",\"event\":\"up\",\"pairs\":[[\"a\"]]}",
		"{\"id\":\"e.1\",\"event\":\"up\",\"pairs\":[[\"a\",5]]}",
		"{\"id\":\"e.1\",\"event\":\"up\",\"pairs\":[[\"a\",\"\"]]}",
		"{\"id\":\"012345678901234567890123456789012345678901234567"
		"89012345678901234\",\"event\":\"up\",\"pairs\":[]}",
	};
	struct edge_streams_report r;
	struct edge_streams *s;

	(void)state;
	assert_int_equal(edge_streams_new(&s), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (report(s, &r, bad[i], 0) == 0)
			fail_msg("accepted: %s", bad[i]);
	assert_null(find(s, "e.1"));
	/* A bad update leaves what is known. */
	assert_int_equal(report(s, &r, UP("e.1", "in"), 0), 0);
	assert_int_equal(
	    report(s, &r,
		"{\"id\":\"e.1\",\"event\":\"update\",\"pairs\":[[\"a\"]]}", 0),
	    ERR_MALFORMED);
	assert_int_equal(find(s, "e.1")->guard.pair_count, 1);
	edge_streams_free(s);
}

static void
the_table_has_an_end(void **state)
{
	struct edge_streams_report r;
	struct edge_streams *s;
	char json[256];

	(void)state;
	assert_int_equal(edge_streams_new(&s), 0);
	for (int i = 0; i < EDGES_STREAMS_MAX; i++) {
		snprintf(json, sizeof(json),
		    "{\"id\":\"e.%d\",\"event\":\"up\",\"direction\":\"in\","
		    "\"pairs\":[]}",
		    i);
		assert_int_equal(report(s, &r, json, 0), 0);
	}
	assert_int_equal(report(s, &r, UP("one-more", "in"), 0), ERR_FULL);
	/* An ended one makes room before its time. */
	assert_int_equal(report(s, &r, EVENT("e.7", "down"), 1), 0);
	assert_int_equal(report(s, &r, UP("one-more", "in"), 2), 0);
	assert_null(find(s, "e.7"));
	edge_streams_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stream_comes_changes_and_goes),
		cmocka_unit_test(a_resumed_channel_reports_anew),
		cmocka_unit_test(failed_attempts_leave_no_trace),
		cmocka_unit_test(malformed_reports_are_refused),
		cmocka_unit_test(the_table_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
