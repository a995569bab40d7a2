/*
 * What one half says to the other about a trace: what the edge takes of an ask,
 * and what the gateway takes of what it is told, is bounded and of its form,
 * and reading it again changes nothing.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/utf8.h"
#include "edge-proxy/trace_ask.h"
#include "frontend-gateway/traced.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(int truth)
{
	if (!truth)
		abort();
}

static void
try_ask(const char *json, size_t len)
{
	static const char known[] = "bo@partner.example/home";
	char words[TRACE_ASK_WORDS_SIZE];
	struct trace_ask a;
	struct jid j;

	if (trace_ask_parse(&a, json, len) < 0) {
		require(a.count == 0);
		return;
	}
	require(a.seconds >= 1 && a.seconds <= 300 && a.count <= 16);
	require(trace_ask_equal(&a, &a));
	trace_ask_words(words, sizeof(words), &a);
	require(memchr(words, '\0', sizeof(words)) != NULL);
	require(jid_parse(&j, known, sizeof(known) - 1) == 0);
	require(!trace_ask_concerns(&a, &j, &j) ||
		trace_ask_names_domain(&a, j.ascii));
	for (size_t i = 0; i < a.count; i++) {
		require(a.who[i].resource == NULL);
		require(trace_ask_concerns(&a, &j, &a.who[i]));
	}
	jid_finish(&j);
	trace_ask_finish(&a);
}

static void
require_text(const json_t *what, const char *member, size_t max)
{
	const json_t *v = json_object_get(what, member);

	require(json_is_string(v) && json_string_length(v) <= max);
	require(utf8_valid_xml(json_string_value(v), json_string_length(v)));
}

static void
try_told(const char *json, size_t len)
{
	json_t *what = traced_read(json, len), *again;
	char *text;

	if (what == NULL)
		return;
	require_text(what, "text", TRACED_TEXT_MAX);
	require_text(what, "from", TRACED_ADDRESS_MAX);
	require_text(what, "to", TRACED_ADDRESS_MAX);
	require_text(what, "stream", TRACED_STREAM_MAX);
	require(json_object_size(what) == 9);
	text = json_dumps(what, JSON_COMPACT);
	require(text != NULL);
	again = traced_read(text, strlen(text));
	require(again != NULL && json_equal(what, again));
	free(text);
	json_decref(again);
	json_decref(what);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_ask((const char *)data, size);
	try_told((const char *)data, size);
	return 0;
}
