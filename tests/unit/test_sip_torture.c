/* The torture messages through sip_frame and sip_msg: where each is cut, which
 * status it deserves, and what the readable ones read as. */
#include "frontend-gateway/sip/sip_msg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <cmocka.h>

#include "frontend-gateway/sip/sip_frame.h"
#include "tests/unit/torture_messages.h"

enum { RFC_4475 = 49, RFC_5118 = 12, BESIDE = 1 };

static json_t *rows;

static int
load(void **state)
{
	(void)state;
	rows = torture_messages_load();
	return rows != NULL ? 0 : -1;
}

static int
unload(void **state)
{
	(void)state;
	json_decref(rows);
	return 0;
}

/* --- what a message reads as -------------------------------------------- */

static const struct {
	const char *name;
	const char *(*get)(const struct sip_msg *m);
} texts[] = {
	{ "method", sip_msg_method_name },
	{ "uri", sip_msg_uri },
	{ "call_id", sip_msg_call_id },
	{ "from_uri", sip_msg_from_uri },
	{ "to_uri", sip_msg_to_uri },
	{ "from_tag", sip_msg_from_tag },
	{ "to_tag", sip_msg_to_tag },
	{ "from_display", sip_msg_from_display },
	{ "contact_uri", sip_msg_contact_uri },
	{ "branch", sip_msg_branch },
	{ "sent_by", sip_msg_sent_by },
	{ "content_type", sip_msg_content_type },
};

static long
number(const struct sip_msg *m, const char *field)
{
	if (strcmp(field, "cseq") == 0)
		return (long)sip_msg_cseq(m);
	if (strcmp(field, "status") == 0)
		return sip_msg_status(m);
	if (strcmp(field, "body_len") == 0)
		return (long)sip_msg_body_len(m);
	fail_msg("no field %s", field);
	return 0;
}

static void
check_lines(const char *name, const struct sip_msg *m, json_t *lines)
{
	const char *header;
	json_t *want;

	json_object_foreach(lines, header, want)
	{
		json_int_t n = 0;

		while (sip_msg_header(m, header, (size_t)n) != NULL)
			n++;
		if (n != json_integer_value(want))
			fail_msg(
			    "%s: %lld lines of %s", name, (long long)n, header);
	}
}

static const char *
text_of(const struct sip_msg *m, const char *field)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(texts[i].name, field) == 0)
			return texts[i].get(m);
	fail_msg("no field %s", field);
	return NULL;
}

static void
check_fields(const char *name, const struct sip_msg *m, json_t *fields)
{
	const char *field, *got;
	json_t *want;

	json_object_foreach(fields, field, want)
	{
		if (json_is_object(want)) {
			check_lines(name, m, want);
		} else if (json_is_integer(want)) {
			if (number(m, field) != json_integer_value(want))
				fail_msg("%s: %s is %ld", name, field,
				    number(m, field));
		} else {
			got = text_of(m, field);
			if (got == NULL ||
			    strcmp(got, json_string_value(want)) != 0)
				fail_msg("%s: %s is '%s'", name, field, got);
		}
	}
}

static void
check_read(const json_t *row, const struct sip_frame_item *item)
{
	const char *name = torture_messages_name(row);
	const json_t *read = json_object_get(row, "read");
	struct sip_msg *m = NULL;
	const char *what = NULL;
	int rc, defect;

	rc = sip_msg_parse(
	    &m, item->head, item->head_len, item->body, item->body_len);
	if (rc < 0) {
		fail_msg("%s: not readable", name);
		return;
	}
	defect = sip_msg_defect(m, &what);
	if (defect != (int)json_integer_value(read)) /* "ok" is no integer */
		fail_msg("%s: deserves %d, %s", name, defect, what);
	check_fields(name, m, json_object_get(row, "fields"));
	sip_msg_free(m);
}

/* --- the tests ---------------------------------------------------------- */

/* What comes out until more bytes are needed. */
static size_t
drain(const json_t *row, struct sip_frame *f, char *out, size_t size,
    size_t count)
{
	struct sip_frame_item item;

	for (;;) {
		size_t n = strlen(out);

		if (sip_frame_next(f, &item) < 0) {
			snprintf(out + n, size - n, "lost ");
			return count;
		}
		if (item.kind == SIP_FRAME_NONE)
			return count;
		assert_int_equal(item.kind, SIP_FRAME_MESSAGE);
		snprintf(out + n, size - n, "message ");
		if (count++ == 0)
			check_read(row, &item);
	}
}

static void
check_frame(const json_t *row, const uint8_t *data, size_t len, size_t step)
{
	const json_t *frame = json_object_get(row, "frame");
	char got[128] = "", want[128] = "";
	struct sip_frame f;
	size_t count = 0, n;

	sip_frame_init(&f, NULL);
	for (size_t at = 0; at < len && strstr(got, "lost") == NULL;
	     at += step) {
		n = len - at < step ? len - at : step;
		assert_int_equal(sip_frame_feed(&f, data + at, n), 0);
		count = drain(row, &f, got, sizeof(got), count);
	}
	if (got[0] == '\0')
		snprintf(got, sizeof(got), "more ");
	for (size_t i = 0; i < json_array_size(frame); i++) {
		n = strlen(want);
		snprintf(want + n, sizeof(want) - n, "%s ",
		    json_string_value(json_array_get(frame, i)));
	}
	if (strcmp(got, want) != 0)
		fail_msg("%s in steps of %zu: %s, not %s",
		    torture_messages_name(row), step, got, want);
	sip_frame_finish(&f);
}

static void
test_each(void **state)
{
	json_t *row;
	uint8_t *data;
	size_t i, len;

	(void)state;
	json_array_foreach(rows, i, row)
	{
		data = torture_messages_read(&len, row);
		if (data == NULL) {
			fail_msg("%s: no file", torture_messages_name(row));
			return;
		}
		check_frame(row, data, len, len);
		check_frame(row, data, len, 1);
		check_frame(row, data, len, 7);
		free(data);
	}
}

/* None is missing: each section of the two RFCs that has a message. */
static void
test_complete(void **state)
{
	static const struct {
		const char *prefix;
		size_t sections;
	} parts[] = {
		{ "RFC 4475 3.1.1.", 13 },
		{ "RFC 4475 3.1.2.", 19 },
		{ "RFC 4475 3.2.", 1 },
		{ "RFC 4475 3.3.", 15 },
		{ "RFC 4475 3.4.", 1 },
		{ "RFC 5118 4.", 10 },
	};
	char section[64];
	json_t *row;
	size_t i;

	(void)state;
	assert_int_equal(json_array_size(rows), RFC_4475 + RFC_5118 + BESIDE);
	for (size_t p = 0; p < sizeof(parts) / sizeof(parts[0]); p++)
		for (size_t n = 1; n <= parts[p].sections; n++) {
			bool found = false;

			snprintf(section, sizeof(section), "%s%zu",
			    parts[p].prefix, n);
			json_array_foreach(rows, i, row)
			{
				found |=
				    strcmp(json_string_value(
					       json_object_get(row, "section")),
					section) == 0;
			}
			if (!found)
				fail_msg("nothing for %s", section);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_each),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
