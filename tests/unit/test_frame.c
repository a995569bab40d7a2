/* The codec against the vectors, the table against CHANNEL.md, the writer
 * against its own promises. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "proto/condition.h"
#include "proto/frame.h"
#include "proto/frame_info.h"
#include "tests/unit/frame_build.h"

static json_t *
load(const char *path)
{
	json_error_t err;
	json_t *j = json_load_file(path, JSON_REJECT_DUPLICATES, &err);

	if (j == NULL)
		fail_msg("%s:%d: %s", path, err.line, err.text);
	return j;
}

static void
unhex(struct buf *out, const char *hex)
{
	unsigned v;

	buf_clear(out);
	for (; hex[0] != '\0'; hex += 2) {
		assert_int_equal(sscanf(hex, "%2x", &v), 1);
		buf_add_char(out, (char)v);
	}
}

/* What frame_to_json() prints, as a tree; it must be JSON. */
static json_t *
printed(const struct frame *f, bool bodies)
{
	struct buf b;
	json_t *j;

	buf_init(&b, 0);
	assert_int_equal(frame_to_json(&b, f, bodies), 0);
	assert_null(memchr(b.data, '\n', b.len));
	j = json_loadb(
	    (const char *)b.data, b.len, JSON_REJECT_DUPLICATES, NULL);
	if (j == NULL)
		fail_msg("no JSON: %s", buf_cstr(&b));
	buf_finish(&b);
	return j;
}

static void
check_vectors(const char *path, bool both_ways)
{
	json_t *rows = load(path), *row, *frame, *seen;
	struct buf bytes, again;
	struct frame f;
	size_t i, size;
	char *text;
	int rc;

	buf_init(&bytes, 0);
	buf_init(&again, 0);
	json_array_foreach(rows, i, row)
	{
		const char *what =
		    json_string_value(json_object_get(row, "what"));

		frame = json_object_get(row, "frame");
		unhex(&bytes, json_string_value(json_object_get(row, "hex")));
		assert_int_equal(frame_length(&size, bytes.data, bytes.len), 0);
		assert_int_equal(size, bytes.len);
		rc = frame_decode(&f, bytes.data, bytes.len);
		if (rc != 0)
			fail_msg("%s: %s", what, err_str(rc));
		seen = printed(&f, true);
		if (f.type == FRAME_CONFIG) /* never printed */
			json_object_set(
			    seen, "json", json_object_get(frame, "json"));
		if (!json_equal(seen, frame))
			fail_msg("%s: printed otherwise", what);
		json_decref(seen);
		if (!both_ways)
			continue;
		text = json_dumps(frame, 0);
		buf_clear(&again);
		frame_build(&again, text);
		free(text);
		if (again.len != bytes.len ||
		    memcmp(again.data, bytes.data, bytes.len) != 0)
			fail_msg("%s: written otherwise", what);
	}
	assert_true(i > 0);
	buf_finish(&bytes);
	buf_finish(&again);
	json_decref(rows);
}

static void
test_vectors(void **state)
{
	(void)state;
	check_vectors("proto/vectors/control.json", true);
	check_vectors("proto/vectors/stanza.json", true);
	check_vectors("proto/vectors/newer.json", false);
}

static void
test_invalid(void **state)
{
	static const struct {
		const char *name;
		int rc;
	} codes[] = {
		{ "malformed", ERR_MALFORMED },
		{ "unsupported", ERR_UNSUPPORTED },
		{ "utf8", ERR_UTF8 },
	};
	json_t *rows = load("proto/vectors/invalid.json"), *row;
	const char *error;
	struct buf bytes;
	struct frame f;
	size_t i, n;
	int rc;

	(void)state;
	buf_init(&bytes, 0);
	json_array_foreach(rows, i, row)
	{
		unhex(&bytes, json_string_value(json_object_get(row, "hex")));
		error = json_string_value(json_object_get(row, "error"));
		rc = frame_decode(&f, bytes.data, bytes.len);
		for (n = 0; strcmp(codes[n].name, error) != 0; n++)
			;
		if (rc != codes[n].rc)
			fail_msg("%s: %s",
			    json_string_value(json_object_get(row, "what")),
			    err_str(rc));
	}
	buf_finish(&bytes);
	json_decref(rows);
}

/* Every type and field stands in a vector. */
static void
test_vectors_cover(void **state)
{
	static const char *const paths[] = { "proto/vectors/control.json",
		"proto/vectors/stanza.json" };
	bool types[256] = { false }, tags[256] = { false };
	struct buf bytes;
	struct frame f;
	size_t p, i;
	unsigned n;

	(void)state;
	buf_init(&bytes, 0);
	for (p = 0; p < 2; p++) {
		json_t *rows = load(paths[p]), *row;

		json_array_foreach(rows, i, row)
		{
			unhex(&bytes,
			    json_string_value(json_object_get(row, "hex")));
			assert_int_equal(
			    frame_decode(&f, bytes.data, bytes.len), 0);
			types[f.type] = true;
			for (n = 0; n < f.count; n++)
				tags[f.fields[n].tag] = true;
		}
		json_decref(rows);
	}
	for (n = 0; n < 256; n++) {
		if (frame_info_type(n) != NULL && !types[n])
			fail_msg("no vector: %s", frame_info_type(n)->name);
		if (frame_info_field(n) != NULL && !tags[n])
			fail_msg("no vector: %s", frame_info_field(n)->name);
	}
	buf_finish(&bytes);
}

/* --- CHANNEL.md -------------------------------------------------------- */

static char *
read_text(const char *path)
{
	FILE *file = fopen(path, "r");
	struct buf b;
	char part[4096];
	size_t n;
	char *text;

	assert_non_null(file);
	buf_init(&b, 0);
	while ((n = fread(part, 1, sizeof(part), file)) > 0)
		buf_add(&b, part, n);
	fclose(file);
	text = strdup(buf_cstr(&b));
	buf_finish(&b);
	return text;
}

/* The rows of the tables that begin with a number, in order. */
static const char *
next_row(const char *at)
{
	while ((at = strstr(at, "\n| ")) != NULL) {
		at++;
		if (at[2] >= '0' && at[2] <= '9')
			return at;
	}
	return NULL;
}

static void
expect_row(const char **at, const char *want)
{
	*at = *at != NULL ? next_row(*at) : NULL;
	if (*at == NULL || strncmp(*at, want, strlen(want)) != 0)
		fail_msg("CHANNEL.md lacks: %s", want);
}

static void
test_document(void **state)
{
	static const char *const families[] = { "control", "stanza" };
	static const char *const forms[] = { "u64", "token", "text", "json",
		"flag" };
	static const char *const meanings[] = {
#define X(name, tag, text, form, max, meaning) [tag] = meaning,
		FRAME_FIELDS(X)
#undef X
	};
	char *text = read_text("proto/CHANNEL.md"), want[512];
	const char *at = text;
	unsigned i;

	(void)state;
	for (i = 0; i < 256; i++) {
		const struct frame_type_info *t = frame_info_type(i);

		if (t == NULL)
			continue;
		snprintf(want, sizeof(want), "| %u | `%s` | %s | ", i, t->name,
		    families[t->family]);
		expect_row(&at, want);
	}
	for (i = 0; i < 256; i++) {
		const struct frame_field_info *f = frame_info_field(i);

		if (f == NULL)
			continue;
		snprintf(want, sizeof(want), "| %u | `%s` | %s | %u | %s |\n",
		    i, f->name, forms[f->form], (unsigned)f->max,
		    meanings[i][0] != '\0' ? meanings[i] : f->name);
		expect_row(&at, want);
	}
	assert_null(next_row(at)); /* and none that the code does not have */
	free(text);
}

/* --- writing and reading ----------------------------------------------- */

static void
test_length(void **state)
{
	static const struct {
		uint8_t head[4];
		size_t have;
		int rc;
	} rows[] = {
		{ { 0, 0, 0, 2 }, 0, ERR_INCOMPLETE },
		{ { 0, 0, 0, 2 }, 3, ERR_INCOMPLETE },
		{ { 0, 0, 0, 2 }, 4, ERR_INCOMPLETE },
		{ { 0, 0, 0, 1 }, 4, ERR_MALFORMED },
		{ { 0, 0, 0, 0 }, 4, ERR_MALFORMED },
		{ { 0, 3, 0xff, 0xfc }, 4, ERR_INCOMPLETE },
		{ { 0, 3, 0xff, 0xfd }, 4, ERR_TOO_LONG },
		{ { 0xff, 0xff, 0xff, 0xff }, 4, ERR_TOO_LONG },
	};
	size_t i, size;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
		    frame_length(&size, rows[i].head, rows[i].have),
		    rows[i].rc);
}

/* A frame that cannot be written leaves what was there before. */
static void
test_writer_refuses(void **state)
{
	struct frame_writer w;
	struct buf b;
	char *big = calloc(1, 131072);
	unsigned i;

	(void)state;
	assert_non_null(big);
	memset(big, 'a', 131072);
	buf_init(&b, 0);
	buf_add_str(&b, "kept");

	frame_begin(&w, &b, FRAME_MESSAGE);
	frame_put_str(&w, FIELD_KIND, "not a token");
	frame_put_str(&w, FIELD_BODY, "x");
	assert_int_equal(frame_end(&w), ERR_MALFORMED);

	frame_begin(&w, &b, FRAME_MESSAGE);
	frame_put_str(&w, FIELD_BODY, "\xff");
	assert_int_equal(frame_end(&w), ERR_UTF8);

	frame_begin(&w, &b, FRAME_MESSAGE);
	frame_put_str(&w, FIELD_KIND, "chat");
	frame_put_str(&w, FIELD_KIND, "chat");
	assert_int_equal(frame_end(&w), ERR_MALFORMED);

	frame_begin(&w, &b, FRAME_MESSAGE);
	frame_put(&w, FIELD_BODY, big, 131072);
	frame_put(&w, FIELD_RICH_BODY, big, 131072);
	assert_int_equal(frame_end(&w), ERR_TOO_LONG);

	frame_begin(&w, &b, FRAME_MESSAGE);
	for (i = 0; i < FRAME_FIELDS_LIMIT + 1; i++)
		frame_put_str(&w, FIELD_REACTION, "a");
	assert_int_equal(frame_end(&w), ERR_MALFORMED);

	assert_int_equal(b.len, 4);
	assert_memory_equal(b.data, "kept", 4);
	buf_finish(&b);

	buf_init(&b, 40); /* a buffer that is full */
	frame_begin(&w, &b, FRAME_MESSAGE);
	frame_put(&w, FIELD_BODY, big, 100);
	assert_int_equal(frame_end(&w), ERR_NOMEM);
	assert_int_equal(b.len, 0);
	buf_finish(&b);
	free(big);
}

/* A stanza frame of the largest size still takes its number. */
static void
test_room_for_seq(void **state)
{
	struct frame_writer w;
	struct buf b;
	char *big = calloc(1, 131072);
	size_t rest;

	(void)state;
	assert_non_null(big);
	memset(big, 'a', 131072);
	rest = FRAME_MAX - 6 - 14 - 3 * 6 - 131072 - 4096;
	assert_true(rest < 131072);
	buf_init(&b, 0);
	frame_begin(&w, &b, FRAME_MESSAGE);
	frame_put(&w, FIELD_BODY, big, 131072);
	frame_put(&w, FIELD_SUBJECT, big, 4096);
	frame_put(&w, FIELD_RICH_BODY, big, rest);
	assert_int_equal(frame_end(&w), 0);
	assert_int_equal(b.len, FRAME_MAX - 14);
	buf_clear(&b);
	frame_begin(&w, &b, FRAME_MESSAGE);
	frame_put(&w, FIELD_BODY, big, 131072);
	frame_put(&w, FIELD_SUBJECT, big, 4096);
	frame_put(&w, FIELD_RICH_BODY, big, rest + 1);
	assert_int_equal(frame_end(&w), ERR_TOO_LONG);
	buf_finish(&b);
	free(big);
}

static void
test_reading(void **state)
{
	struct frame f;
	struct buf b;
	char text[8], *dup;

	(void)state;
	buf_init(&b, 0);
	frame_build(&b, "{\"type\":\"message\",\"seq\":258,\"body\":\"hello\","
			"\"kind\":\"chat\",\"reaction\":[\"a\",\"b\"],"
			"\"attention\":true}");
	assert_int_equal(frame_decode(&f, b.data, b.len), 0);
	assert_true(frame_is_stanza(f.type));
	assert_string_equal(frame_type_str(f.type), "message");
	assert_string_equal(frame_type_str(200), "unknown");
	assert_int_equal(frame_u64(&f, FIELD_SEQ, 9), 258);
	assert_int_equal(frame_u64(&f, FIELD_DELAY, 9), 9);
	assert_true(frame_is(&f, FIELD_KIND, "chat"));
	assert_false(frame_is(&f, FIELD_KIND, "cha"));
	assert_false(frame_is(&f, FIELD_ID, ""));
	assert_true(frame_has(&f, FIELD_ATTENTION));
	assert_false(frame_has(&f, FIELD_MARKABLE));
	assert_true(frame_copy(&f, FIELD_BODY, text, 6));
	assert_string_equal(text, "hello");
	assert_false(frame_copy(&f, FIELD_BODY, text, 5));
	assert_string_equal(text, "");
	assert_false(frame_copy(&f, FIELD_ID, text, 5));
	dup = frame_dup(&f, FIELD_BODY);
	assert_string_equal(dup, "hello");
	free(dup);
	assert_null(frame_dup(&f, FIELD_ID));
	assert_memory_equal(frame_field_n(&f, FIELD_REACTION, 1)->data, "b", 1);
	assert_null(frame_field_n(&f, FIELD_REACTION, 2));
	buf_finish(&b);
}

/* What a log may show, and what not. */
static void
test_trace(void **state)
{
	static const struct {
		const char *json, *quiet, *full;
	} rows[] = {
		{ "{\"type\":\"message\",\"id\":\"\\\"\\u007f\","
		  "\"body\":\"secret\",\"subject\":\"s\"}",
		    "{\"type\":\"message\",\"id\":\"\\\"\\u007f\","
		    "\"body\":\"(6 bytes)\",\"subject\":\"(1 bytes)\"}",
		    "{\"type\":\"message\",\"id\":\"\\\"\\u007f\","
		    "\"body\":\"secret\",\"subject\":\"s\"}" },
		{ "{\"type\":\"config\",\"json\":\"{\\\"a\\\":1}\"}",
		    "{\"type\":\"config\",\"json\":\"(7 bytes)\"}",
		    "{\"type\":\"config\",\"json\":\"(7 bytes)\"}" },
		{ "{\"type\":\"stream\",\"json\":\"{}\"}",
		    "{\"type\":\"stream\",\"json\":\"{}\"}",
		    "{\"type\":\"stream\",\"json\":\"{}\"}" },
		{ "{\"type\":\"message\",\"reaction\":[\"x\"]}",
		    "{\"type\":\"message\",\"reaction\":[\"(1 bytes)\"]}",
		    "{\"type\":\"message\",\"reaction\":[\"x\"]}" },
	};
	struct buf b, out;
	struct frame f;
	size_t i;

	(void)state;
	buf_init(&b, 0);
	buf_init(&out, 0);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_clear(&b);
		frame_build(&b, rows[i].json);
		assert_int_equal(frame_decode(&f, b.data, b.len), 0);
		buf_clear(&out);
		assert_int_equal(frame_to_json(&out, &f, false), 0);
		assert_string_equal(buf_cstr(&out), rows[i].quiet);
		buf_clear(&out);
		assert_int_equal(frame_to_json(&out, &f, true), 0);
		assert_string_equal(buf_cstr(&out), rows[i].full);
	}
	buf_finish(&out);
	buf_init(&out, 10);
	assert_int_equal(frame_to_json(&out, &f, true), ERR_NOMEM);
	assert_int_equal(out.len, 0);
	buf_finish(&out);
	buf_finish(&b);
}

static void
test_conditions(void **state)
{
	unsigned c;

	(void)state;
	for (c = 0; c < COND_COUNT; c++) {
		const char *s = condition_str((enum condition)c);

		assert_int_equal(condition_parse(s, strlen(s)), c);
		assert_int_equal(condition_parse(s, strlen(s) - 1),
		    COND_UNDEFINED_CONDITION);
	}
	assert_string_equal(condition_type(COND_BAD_REQUEST), "modify");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_invalid),
		cmocka_unit_test(test_vectors_cover),
		cmocka_unit_test(test_document),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_writer_refuses),
		cmocka_unit_test(test_room_for_seq),
		cmocka_unit_test(test_reading),
		cmocka_unit_test(test_trace),
		cmocka_unit_test(test_conditions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
