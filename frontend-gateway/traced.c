/*
 * Who holds the edge may have made up all of it.  What is handed on is made anew
 * of the members that are known, so that nothing else goes further; what they
 * say is not believed here or later, only shown.
 */
#include "frontend-gateway/traced.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/utf8.h"

/* At most that many bytes, of characters that a document may have. */
static bool
is_text(const json_t *v, size_t max)
{
	return json_is_string(v) && json_string_length(v) <= max &&
	       utf8_valid_xml(json_string_value(v), json_string_length(v));
}

static bool
is_one_of(const json_t *v, const char *a, const char *b)
{
	const char *s = json_string_value(v);

	return s != NULL && (strcmp(s, a) == 0 || strcmp(s, b) == 0);
}

static bool
is_within(const json_t *v, json_int_t max)
{
	return json_is_integer(v) && json_integer_value(v) >= 0 &&
	       json_integer_value(v) <= max;
}

static bool
is_of_its_form(const json_t *in)
{
	const json_t *cut = json_object_get(in, "cut");

	return is_within(json_object_get(in, "at"), INT64_MAX) &&
	       is_one_of(json_object_get(in, "kind"), "stanza", "stream") &&
	       is_one_of(json_object_get(in, "direction"), "in", "out") &&
	       is_text(json_object_get(in, "stream"), TRACED_STREAM_MAX) &&
	       is_text(json_object_get(in, "from"), TRACED_ADDRESS_MAX) &&
	       is_text(json_object_get(in, "to"), TRACED_ADDRESS_MAX) &&
	       is_text(json_object_get(in, "text"), TRACED_TEXT_MAX) &&
	       is_within(json_object_get(in, "missed"), TRACED_MISSED_MAX) &&
	       (cut == NULL || json_is_boolean(cut));
}

json_t *
traced_read(const char *json, size_t len)
{
	static const char *const members[] = { "at", "kind", "direction",
		"stream", "from", "to", "text", "missed" };
	json_t *in = NULL, *out = NULL;
	bool cut;
	int rc;

	if (len <= TRACED_JSON_MAX)
		in = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL);
	if (is_of_its_form(in))
		out = json_object();
	if (out == NULL) {
		json_decref(in);
		return NULL;
	}
	cut = json_is_true(json_object_get(in, "cut"));
	rc = json_object_set_new(out, "cut", json_boolean(cut));
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		rc |= json_object_set(
		    out, members[i], json_object_get(in, members[i]));
	json_decref(in);
	if (rc == 0)
		return out;
	json_decref(out);
	return NULL;
}
