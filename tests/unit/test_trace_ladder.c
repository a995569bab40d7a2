/* What `sallyport trace` makes of events, and how it cuts them out of bytes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/utf8.h"
#include "deploy/event_reader.h"
#include "deploy/trace_ladder.h"

static const struct {
	const char *event, *data, *lines;
} steps[] = {
	{ "ready",
	    "{'user':'anna@contoso.example','partner':['a.example','b.example']"
	    ","
	    "'bodies':false}",
	    "-- watching anna@contoso.example a.example, b.example; what "
	    "people wrote is not shown\n"
	    "TIME (UTC)    partner  edge     gateway  pool\n" },
	{ "stanza",
	    "{'at_ms':1795299649495,'direction':'inward','edge':"
	    "'edge1.contoso.example','from':'bo@p.example/x','to':'anna@c',"
	    "'name':'message','type':'chat','id':'m1','children':['body',"
	    "'active']}",
	    "22:20:49.495  |------->|        |        |  message chat "
	    "bo@p.example/x -> anna@c id m1 (body, active)\n" },
	{ "frame",
	    "{'at_ms':1795299649496,'direction':'inward','edge':"
	    "'edge1.contoso.example','seq':7,'type':'message','from':'b@p',"
	    "'to':'a@c','fields':{'kind':'chat','id':'m1','body':'(3 bytes)'}}",
	    "22:20:49.496  |        |------->|        |  #7 message chat b@p "
	    "-> a@c id m1\n" },
	{ "sip",
	    "{'at_ms':1795299649497,'direction':'inward','peer':'fe1',"
	    "'method':'INVITE','cseq':'1 INVITE','call_id':'0123456789',"
	    "'from':'b@p','to':'a@c','text':'INVITE'}",
	    "22:20:49.497  |        |        |------->|  INVITE b@p -> a@c, "
	    "call 01234567\n" },
	{ "sip",
	    "{'at_ms':1795299649498,'direction':'outward','peer':'fe2',"
	    "'status':403,'reason':'Forbidden','cseq':'1 INVITE',"
	    "'call_id':'x','diagnostics':61022}",
	    "22:20:49.498  |        |        |<-------|  403 Forbidden, "
	    "ms-diagnostics 61022 to 1 INVITE, call x (fe2)\n" },
	{ "sip", "{'direction':'outward','peer':'fe1','text':'[9 bytes]'}",
	    "--:--:--.---  |        |        |<-------|  unreadable  -> \n" },
	{ "frame",
	    "{'at_ms':1795299649499,'direction':'outward','edge':'edge2',"
	    "'seq':7,'type':'result','of':'message','status':'failed',"
	    "'condition':'gone','text':'why'}",
	    "22:20:49.499  |        |<-------|        |  #7 failed: gone: why "
	    "(edge2)\n" },
	{ "frame",
	    "{'at_ms':1795299649499,'direction':'outward','edge':"
	    "'edge1.contoso.example','seq':8,'type':'result','of':'iq',"
	    "'status':'delivered','proof':'ping'}",
	    "22:20:49.499  |        |<-------|        |  #8 delivered, proof: "
	    "ping\n" },
	{ "stanza",
	    "{'at_ms':1795299649499,'direction':'outward','edge':"
	    "'edge1.contoso.example','from':'a','to':'b','name':'message',"
	    "'type':'error','condition':'gone','children':[]}",
	    "22:20:49.499  |<-------|        |        |  message error a -> b: "
	    "gone\n" },
	{ "stream",
	    "{'at_ms':1795299649499,'direction':'outward','edge':"
	    "'edge1.contoso.example','from':'c.example','to':'p.example',"
	    "'text':'failed: no host'}",
	    "22:20:49.499  |~~~~~~~~|        |        |  stream c.example -> "
	    "p.example: failed: no host\n" },
	{ "missed", "{'count':12,'by':'edge1'}",
	    "-- 12 are missing here: too many for edge1\n" },
	{ "bodies", "{'bodies':true}",
	    "-- from here on what people wrote is shown\n" },
	{ "end", "{'reason':'the time is over'}",
	    "-- the end: the time is over\n" },
	{ "cut", "{'reason':'too slow'}", "-- the end: too slow\n" },
	{ "something-new", "{}", "" },
};

static json_t *
quoted(const char *text)
{
	char *copy = strdup(text);
	json_t *out;

	for (char *c = copy; *c != '\0'; c++)
		if (*c == '\'')
			*c = '"';
	out = json_loads(copy, 0, NULL);
	assert_non_null(out);
	free(copy);
	return out;
}

static void
add(struct trace_ladder *l, struct buf *out, const char *event,
    const char *data)
{
	json_t *o = quoted(data);

	assert_int_equal(trace_ladder_add(l, out, event, o), 0);
	json_decref(o);
}

static void
test_steps(void **state)
{
	struct trace_ladder l;
	struct buf out;

	(void)state;
	trace_ladder_init(&l, 0, false);
	buf_init(&out, 0);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		buf_clear(&out);
		add(&l, &out, steps[i].event, steps[i].data);
		assert_string_equal(buf_cstr(&out), steps[i].lines);
	}
	buf_clear(&out);
	assert_int_equal(trace_ladder_end(&l, &out), 0);
	assert_string_equal(buf_cstr(&out),
	    "-- 2 stanzas, 3 frames, 3 SIP messages; 12 missed\n");
	buf_finish(&out);
}

static void
test_full(void **state)
{
	struct trace_ladder l;
	struct buf out;

	(void)state;
	trace_ladder_init(&l, 0, true);
	buf_init(&out, 0);
	add(&l, &out, "sip",
	    "{'direction':'inward','peer':'fe1','method':'INFO','text':"
	    "'INFO x\\nTo: y\\n\\nbody','cut':true}");
	assert_non_null(strstr(buf_cstr(&out),
	    "\n                INFO x\n                To: y\n"
	    "                \n                body\n"
	    "                ...\n"));
	buf_clear(&out);
	add(&l, &out, "frame",
	    "{'direction':'inward','edge':'e','type':'iq','seq':1,'fields':"
	    "{'kind':'get','seq':1}}");
	assert_non_null(strstr(buf_cstr(&out), "\n                kind: "
					       "\"get\"\n                seq: "
					       "1\n"));
	buf_finish(&out);
}

/* Escapes, line ends, characters that turn the line round: in every place. */
static void
test_terminals_are_safe(void **state)
{
	static const char *const keys[] = { "direction", "edge", "peer", "from",
		"to", "name", "type", "id", "condition", "status", "reason",
		"cseq", "call_id", "method", "of", "proof", "text", "by",
		"user", "contact", "stream" };
	static const char evil[] = "\033[2J\033]0;x\007\r\b\302\233"
				   "31m\342\200\256x\177";
	static const char *const events[] = { "ready", "stanza", "stream",
		"frame", "sip", "missed", "end", "cut" };
	json_t *data = json_object(), *fields = json_object();

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_object_set_new(data, keys[i], json_string(evil));
		json_object_set_new(fields, keys[i], json_string(evil));
	}
	json_object_set_new(fields, "kind", json_string(evil));
	json_object_set_new(data, "fields", fields);
	json_object_set_new(data, "partner", json_pack("[s, s]", evil, "a\nb"));
	json_object_set_new(data, "children", json_pack("[s]", evil));
	for (size_t i = 0; i < 2 * sizeof(events) / sizeof(events[0]); i++) {
		struct trace_ladder l;
		struct buf out;

		trace_ladder_init(&l, 0, true);
		if (i % 2 == 1)
			json_object_del(data, "method");
		buf_init(&out, 0);
		for (int k = 0; k < 2; k++) /* the second names the edge */
			assert_int_equal(
			    trace_ladder_add(&l, &out, events[i / 2], data), 0);
		assert_true(utf8_valid(out.data, out.len));
		for (size_t at = 0; at < out.len; at++)
			if ((out.data[at] < ' ' && out.data[at] != '\n') ||
			    out.data[at] == 0x7f)
				fail_msg(
				    "%s: byte %u", events[i / 2], out.data[at]);
		assert_null(strstr(buf_cstr(&out), "\302\233"));
		assert_null(strstr(buf_cstr(&out), "\342\200\256"));
		buf_finish(&out);
	}
	json_decref(data);
}

static void
test_lines_end_with_the_terminal(void **state)
{
	struct trace_ladder l;
	struct buf out;

	(void)state;
	trace_ladder_init(&l, 60, false);
	buf_init(&out, 0);
	add(&l, &out, "stream",
	    "{'direction':'inward','edge':'e','from':'\303\274\303\274\303\274"
	    "','to':'p.example','text':'a long one'}");
	assert_string_equal(buf_cstr(&out),
	    "--:--:--.---  |~~~~~~~~|        |        |  stream "
	    "\303\274\303\274\303\274 ->...\n");
	buf_finish(&out);
}

/* --- events out of bytes ----------------------------------------------------- */

struct heard {
	struct buf all;
	int left; /* then he wants no more */
};

static bool
on_event(const char *event, const char *data, void *arg)
{
	struct heard *h = arg;

	buf_addf(&h->all, "%s=%s;", event, data);
	return --h->left > 0;
}

static void
test_events(void **state)
{
	static const char text[] = "retry: 2000\n\n:\n\nevent: ready\n"
				   "data: {}\n\nid: 7\nevent:sip\ndata:{\"a\""
				   ":1}\n\ndata: alone\n\nevent: end\ndata: "
				   "x\n\n";

	(void)state;
	for (size_t step = 1; step < sizeof(text); step++) {
		struct heard h = { .left = 100 };
		struct event_reader r;

		event_reader_init(&r, on_event, &h);
		for (size_t at = 0; at < sizeof(text) - 1; at += step) {
			const size_t left = sizeof(text) - 1 - at;

			assert_true(event_reader_feed(
			    &r, text + at, left < step ? left : step));
		}
		assert_string_equal(
		    buf_cstr(&h.all), "ready={};sip={\"a\":1};end=x;");
		event_reader_finish(&r);
		buf_finish(&h.all);
	}
}

static void
test_readers_may_stop(void **state)
{
	struct heard h = { .left = 1 };
	struct event_reader r;
	char *line = malloc(EVENT_READER_LINE_MAX + 1);

	(void)state;
	event_reader_init(&r, on_event, &h);
	assert_false(event_reader_feed(&r, "event: a\n\nevent: b\n\n", 20));
	assert_string_equal(buf_cstr(&h.all), "a=;");
	event_reader_finish(&r);
	buf_finish(&h.all);
	/* A line without an end is none of ours. */
	event_reader_init(&r, on_event, &h);
	memset(line, 'x', EVENT_READER_LINE_MAX + 1);
	assert_false(event_reader_feed(&r, line, EVENT_READER_LINE_MAX + 1));
	event_reader_finish(&r);
	free(line);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_terminals_are_safe),
		cmocka_unit_test(test_lines_end_with_the_terminal),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_readers_may_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
