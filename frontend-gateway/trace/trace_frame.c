#include "frontend-gateway/trace/trace_frame.h"

#include <string.h>

#include "common/buf.h"
#include "common/utf8.h"
#include "proto/channel.h"
#include "proto/frame.h"

/* The value, or the beginning of a long one. */
static json_t *
shortened(json_t *value, bool *cut)
{
	const char *s = json_string_value(value);
	size_t len = TRACE_FRAME_VALUE_MAX;

	if (s == NULL || json_string_length(value) <= len)
		return json_incref(value);
	*cut = true;
	while (len > 0 && !utf8_valid(s, len))
		len--;
	return json_stringn(s, len);
}

/* Arrays are of fields that repeat. */
static json_t *
shortened_all(json_t *value, bool *cut)
{
	json_t *out, *one;
	size_t i;

	if (!json_is_array(value))
		return shortened(value, cut);
	out = json_array();
	json_array_foreach(value, i, one)(void)
	    json_array_append_new(out, shortened(one, cut));
	return out;
}

/* The printed form, as an object. */
static json_t *
fields_json(const struct frame *f, bool bodies, bool *cut)
{
	json_t *all = NULL, *out = json_object(), *value;
	const char *name;
	struct buf text;

	buf_init(&text, 0);
	if (frame_to_json(&text, f, bodies) == 0)
		all = json_loadb((const char *)text.data, text.len, 0, NULL);
	buf_finish(&text);
	json_object_foreach(all, name, value)
	{
		if (strcmp(name, "type") != 0)
			(void)json_object_set_new(
			    out, name, shortened_all(value, cut));
	}
	if (all == NULL) {
		json_decref(out);
		return NULL;
	}
	json_decref(all);
	return out;
}

json_t *
trace_frame_json(const struct frame *f, bool bodies)
{
	bool cut = false;
	json_t *fields = fields_json(f, bodies, &cut);
	json_t *out;

	if (fields == NULL)
		return NULL;
	out = json_pack("{s:s, s:O*, s:O*}", "type", frame_type_str(f->type),
	    "from", json_object_get(fields, "from"), "to",
	    json_object_get(fields, "to"));
	if (json_object_set_new(out, "fields", fields) == 0 && cut)
		(void)json_object_set_new(out, "cut", json_true());
	return out;
}

json_t *
trace_frame_result_json(const struct channel_result *r, uint8_t of)
{
	json_t *out = json_pack("{s:s, s:s, s:s}", "type", "result", "of",
	    frame_type_str(of), "status",
	    r == NULL      ? "withdrawn"
	    : r->delivered ? "delivered"
			   : "failed");

	if (out == NULL || r == NULL)
		return out;
	if (r->delivered && r->proof != PROOF_NONE)
		(void)json_object_set_new(
		    out, "proof", json_string(proof_str(r->proof)));
	if (!r->delivered)
		(void)json_object_set_new(
		    out, "condition", json_string(condition_str(r->condition)));
	/* What is no UTF-8 is left out. */
	if (!r->delivered && r->text != NULL)
		(void)json_object_set_new(out, "text", json_string(r->text));
	return out;
}
