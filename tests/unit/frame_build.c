#include "tests/unit/frame_build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <string.h>

#include "common/err.h"
#include "proto/frame_info.h"

static unsigned
type_of(const char *name)
{
	unsigned i;

	for (i = 0; i < 256; i++)
		if (frame_info_type(i) != NULL &&
		    strcmp(frame_info_type(i)->name, name) == 0)
			return i;
	fail_msg("no frame type %s", name);
	return 0;
}

static unsigned
tag_of(const char *name)
{
	unsigned i;

	for (i = 0; i < 256; i++)
		if (frame_info_field(i) != NULL &&
		    strcmp(frame_info_field(i)->name, name) == 0)
			return i;
	fail_msg("no field %s", name);
	return 0;
}

static void
put(struct frame_writer *w, unsigned tag, const json_t *value)
{
	const json_t *item;
	size_t i;

	if (json_is_array(value)) {
		json_array_foreach(value, i, item) put(w, tag, item);
	} else if (json_is_integer(value)) {
		frame_put_u64(w, (enum frame_tag)tag,
		    (uint64_t)json_integer_value(value));
	} else if (json_is_true(value)) {
		frame_put_flag(w, (enum frame_tag)tag);
	} else {
		assert_true(json_is_string(value));
		frame_put(w, (enum frame_tag)tag, json_string_value(value),
		    json_string_length(value));
	}
}

void
frame_build(struct buf *out, const char *json)
{
	json_error_t err;
	json_t *o = json_loads(json, JSON_REJECT_DUPLICATES, &err), *value;
	struct frame_writer w;
	const char *key;
	int rc;

	if (o == NULL)
		fail_msg("%s: %s", json, err.text);
	frame_begin(&w, out,
	    (enum frame_type)type_of(
		json_string_value(json_object_get(o, "type"))));
	json_object_foreach(o, key, value) if (strcmp(key, "type") != 0)
	    put(&w, tag_of(key), value);
	rc = frame_end(&w);
	if (rc != 0)
		fail_msg("%s: %s", json, err_str(rc));
	json_decref(o);
}
