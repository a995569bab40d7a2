#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/buf.h"
#include "common/err.h"
#include "frontend-gateway/admin/metrics.h"

/* The lines that are no comment and begin with name. */
static const char *
samples(const char *text, const char *name)
{
	static char out[8192];
	size_t len = 0;

	for (const char *line = text; *line != '\0';) {
		size_t n = strcspn(line, "\n") + 1;

		if (strncmp(line, name, strlen(name)) == 0 &&
		    strchr("{ _", line[strlen(name)]) != NULL) {
			assert_true(len + n < sizeof(out));
			memcpy(out + len, line, n);
			len += n;
		}
		line += n;
	}
	out[len] = '\0';
	return out;
}

static const char *
written(struct buf *b, const char *status)
{
	json_t *j = json_loads(status, 0, NULL);

	assert_non_null(j);
	buf_init(b, 0);
	assert_int_equal(metrics_write(b, j), 0);
	json_decref(j);
	return buf_cstr(b);
}

static void
test_samples(void **state)
{
	static const struct {
		const char *status, *name, *want;
	} rows[] = {
		{ "{\"conversations\": 7}", "sallyport_conversations",
		    "sallyport_conversations 7\n" },
		{ "{}", "sallyport_conversations", "" },
		{ "{\"state\": \"running\"}", "sallyport_running",
		    "sallyport_running 1\n" },
		{ "{\"state\": \"settling\"}", "sallyport_running",
		    "sallyport_running 0\n" },
		{ "{\"pool\": {\"reachable\": true}}",
		    "sallyport_pool_reachable",
		    "sallyport_pool_reachable 1\n" },
		{ "{\"turns\": {\"longest_us\": 1015986}}",
		    "sallyport_longest_turn_seconds",
		    "sallyport_longest_turn_seconds 1.015986\n" },
		{ "{\"messages\": {\"inward\": {\"denied\": 3},"
		  " \"outward\": {\"failed\": 4}}}",
		    "sallyport_messages_total",
		    "sallyport_messages_total{direction=\"inward\","
		    "outcome=\"denied\"} 3\n"
		    "sallyport_messages_total{direction=\"outward\","
		    "outcome=\"failed\"} 4\n" },
		{ "{\"edges\": [{\"name\": \"a\", \"up\": true},"
		  " {\"name\": \"b\\\"\\\\\\nc\", \"up\": false}]}",
		    "sallyport_edge_up",
		    "sallyport_edge_up{edge=\"a\"} 1\n"
		    "sallyport_edge_up{edge=\"b\\\"\\\\\\nc\"} 0\n" },
		/* An edge's word is nobody else's line. */
		{ "{\"edges\": [{\"name\": \"a\", \"stats\": {\"streams\":"
		  " {\"in_failed\": \"1\\nfoo 2\", \"out_failed\": 9}}}]}",
		    "sallyport_edge_failed_stream_establishes_total",
		    "sallyport_edge_failed_stream_establishes_total{"
		    "edge=\"a\",direction=\"outbound\"} 9\n" },
		{ "{\"edges\": [{\"name\": \"a\", \"stats\": {\"streams\":"
		  " {\"in_failed\": -1, \"out_failed\": 1.5}}}]}",
		    "sallyport_edge_failed_stream_establishes_total", "" },
		{ "{\"edges\": [{\"name\": \"a\", \"stats\": [1]}]}",
		    "sallyport_edge_failed_stream_establishes_total", "" },
		{ "{\"pool\": {\"transactions\": [{\"direction\": \"to_pool\","
		  " \"method\": \"MESSAGE\", \"answers\": {\"2xx\": 5}}]}}",
		    "sallyport_sip_answers_total",
		    "sallyport_sip_answers_total{direction=\"to_pool\","
		    "method=\"MESSAGE\",code=\"2xx\"} 5\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct buf b;

		assert_string_equal(
		    samples(written(&b, rows[i].status), rows[i].name),
		    rows[i].want);
		buf_finish(&b);
	}
}

static void
test_histogram(void **state)
{
	struct buf b;
	const char *got;

	(void)state;
	got = samples(
	    written(&b,
		"{\"edges\": [{\"name\": \"a\", \"custody\": {\"outward\":"
		" {\"delivered\": {\"n\": [1,0,2,0,0,0,0,0,0,0,0,0,0,4],"
		" \"ms\": 90250}}}}]}"),
	    "sallyport_custody_seconds");
	assert_non_null(strstr(got,
	    "_bucket{edge=\"a\",direction=\"outward\",outcome=\"delivered\","
	    "le=\"0.001\"} 1\n"));
	assert_non_null(strstr(got, "le=\"0.005\"} 1\n"));
	assert_non_null(strstr(got, "le=\"0.01\"} 3\n"));
	assert_non_null(strstr(got, "le=\"30\"} 3\n"));
	assert_non_null(strstr(got, "le=\"+Inf\"} 7\n"));
	assert_non_null(strstr(got,
	    "_sum{edge=\"a\",direction=\"outward\",outcome=\"delivered\"} "
	    "90.25\n"));
	assert_non_null(strstr(got,
	    "_count{edge=\"a\",direction=\"outward\",outcome=\"delivered\"} "
	    "7\n"));
	buf_finish(&b);
}

/* Each name has one head, above all of its samples. */
static void
test_heads(void **state)
{
	char seen[200][128];
	size_t count = 0;
	struct buf b;

	(void)state;
	for (const char *at = written(&b, "{}");
	     (at = strstr(at, "# TYPE ")) != NULL; at++) {
		size_t len = strcspn(at + 7, " ");

		assert_true(len < sizeof(seen[0]) && count < 200);
		memcpy(seen[count], at + 7, len);
		seen[count][len] = '\0';
		for (size_t i = 0; i < count; i++)
			assert_string_not_equal(seen[i], seen[count]);
		if (strstr(at, "counter") == at + 7 + len + 1)
			assert_non_null(strstr(seen[count], "_total"));
		count++;
	}
	assert_true(count > 40);
	buf_finish(&b);
}

static void
test_full(void **state)
{
	json_t *j = json_object();
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	assert_int_equal(metrics_write(&b, j), ERR_NOMEM);
	buf_finish(&b);
	json_decref(j);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_histogram),
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
