/* Runs every vector of tests/vectors/translate.json.  A row that cannot be
 * run names its reason in the file and is printed.  The rows that must be
 * there are counted, so that none is lost. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include <cmocka.h>

#include "common/base64.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/jid.h"
#include "common/xml.h"
#include "edge-proxy/render.h"
#include "frontend-gateway/translate/address.h"
#include "frontend-gateway/translate/body.h"
#include "frontend-gateway/translate/html.h"
#include "frontend-gateway/translate/ids.h"
#include "frontend-gateway/translate/styling.h"
#include "proto/frame.h"
#include "proto/rich_body.h"

#define VECTORS "tests/vectors/translate.json"

static const struct body_rules rules = { .limit = BODY_LIMIT };
#include "tests/unit/vectors.inc"

/* Whether the test that is said to show a row is there. */
static void
assert_shown(const json_t *row)
{
	const json_t *where = json_object_get(row, "shown_by");
	const char *path = json_string_value(json_array_get(where, 0));
	const char *name = json_string_value(json_array_get(where, 1));
	FILE *f = fopen(path, "r");
	char line[256];
	bool found = false;

	if (f == NULL)
		fail_msg("%s: no file %s", row_id, path);
	while (!found && fgets(line, sizeof(line), f) != NULL)
		found = strstr(line, name) != NULL;
	fclose(f);
	if (!found)
		fail_msg("%s: no %s in %s", row_id, name, path);
	print_message("shown elsewhere: %s: %s\n", row_id, name);
}

/* Runs fn over the rows of a section. */
static void
each(const char *section, void (*fn)(const json_t *row))
{
	json_t *rows = json_object_get(document, section), *row;
	size_t i, run = 0;

	assert_true(json_array_size(rows) > 0);
	json_array_foreach(rows, i, row)
	{
		row_id = str(row, "id");
		assert_non_null(row_id);
		if (str(row, "not_applicable") != NULL) {
			print_message("not applicable: %s: %s\n", row_id,
			    str(row, "not_applicable"));
			continue;
		}
		if (json_object_get(row, "shown_by") != NULL) {
			assert_shown(row);
			continue;
		}
		fn(row);
		run++;
	}
	print_message("%s: %zu rows run\n", section, run);
}

/* --- addresses ---------------------------------------------------------- */

static void
sip_to_jid(const json_t *row)
{
	const char *uri = str(row, "uri");
	struct jid j;
	int status = address_from_sip(&j, uri, strlen(uri));

	same_int(status, num(row, "status"));
	if (status == 0)
		same_str(j.full, str(row, "jid"));
	jid_finish(&j);
}

/* What came out leads back to the bare JID. */
static void
round_trip(const struct jid *j, const char *uri)
{
	struct jid back;

	same_int(address_from_sip(&back, uri, strlen(uri)), 0);
	same_str(back.bare, j->bare);
	jid_finish(&back);
}

static void
assert_uri(const struct jid *j, unsigned flags, const char *want)
{
	struct buf uri = { 0 };

	same_int(address_to_sip(&uri, j, flags), 0);
	if (want != NULL)
		same_str(buf_cstr(&uri), want);
	round_trip(j, buf_cstr(&uri));
	buf_finish(&uri);
}

static void
jid_to_sip(const json_t *row)
{
	const char *text = str(row, "jid");
	struct buf uri = { 0 };
	struct jid j;

	if (is_set(row, "round_trip"))
		return; /* every row below makes the round trip */
	same_int(jid_parse(&j, text, strlen(text)), 0);
	if (str(row, "error") != NULL) {
		same_str(str(row, "error"), "ERR_NOT_FOUND");
		same_int(address_to_sip(&uri, &j, 0), ERR_NOT_FOUND);
		same_int((int)uri.len, 0);
	} else {
		assert_uri(&j, is_set(row, "gruu") ? ADDRESS_GRUU : 0,
		    str(row, "sip"));
		assert_uri(&j, ADDRESS_CONSERVATIVE, str(row, "conservative"));
	}
	jid_finish(&j);
	buf_finish(&uri);
}

/* --- bodies ------------------------------------------------------------- */

/* The input bytes of a row, from text, hex or repeat. */
static void
input(struct buf *out, const json_t *row, const char *key)
{
	const char *hex = str(row, "hex");
	const json_t *repeat = json_object_get(row, "repeat");
	unsigned byte;

	for (; hex != NULL && *hex != '\0'; hex += 2) {
		assert_int_equal(sscanf(hex, "%2x", &byte), 1);
		buf_add_char(out, (char)byte);
	}
	for (json_int_t n = json_integer_value(json_array_get(repeat, 1));
	     n > 0; n--)
		buf_add_str(out, json_string_value(json_array_get(repeat, 0)));
	if (str(row, key) != NULL)
		buf_add_str(out, str(row, key));
	assert_false(buf_failed(out));
}

static void stanza_id(const json_t *row);

/* A row without "rich" has no formatting. */
static void
same_rich(const struct buf *rich, const json_t *row)
{
	char *got =
	    strndup(rich->len > 0 ? (const char *)rich->data : "", rich->len);

	assert_non_null(got);
	assert_true(rich_body_valid(got, rich->len));
	same_str(got, str(row, "rich") != NULL ? str(row, "rich") : "");
	free(got);
}

/* The stanza that the edge makes of it. */
static void
make_stanza(struct buf *xml, const json_t *row, const struct buf *text,
    const struct buf *rich)
{
	struct buf bytes = { 0 };
	char language[BODY_LANGUAGE_SIZE];
	struct frame_writer w;
	struct frame f;

	frame_begin(&w, &bytes, FRAME_MESSAGE);
	frame_put_u64(&w, FIELD_SEQ, 1);
	frame_put_str(&w, FIELD_ID, "m1");
	frame_put_str(&w, FIELD_FROM, "anna@contoso.example/lync");
	frame_put_str(&w, FIELD_TO, "bo@partner.example");
	frame_put_str(&w, FIELD_KIND, "chat");
	if (body_language(language, str(row, "language")))
		frame_put_str(&w, FIELD_LANGUAGE, language);
	frame_put(&w, FIELD_BODY, text->data, text->len);
	if (rich->len > 0)
		frame_put(&w, FIELD_RICH_BODY, rich->data, rich->len);
	if (styling_found((const char *)text->data, text->len))
		frame_put_flag(&w, FIELD_UNSTYLED);
	same_int(frame_end(&w), 0);
	same_int(frame_decode(&f, bytes.data, bytes.len), 0);
	same_int(render_frame(xml, &f), 0);
	buf_finish(&bytes);
}

static void
check_stanza(const json_t *row, const struct buf *text, const struct buf *rich)
{
	struct buf xml = { 0 };

	if (str(row, "stanza") == NULL && num(row, "wire_length") == 0)
		return;
	make_stanza(&xml, row, text, rich);
	if (str(row, "stanza") != NULL)
		same_str(buf_cstr(&xml), str(row, "stanza"));
	if (num(row, "wire_length") != 0)
		same_int((int)xml.len, num(row, "wire_length"));
	buf_finish(&xml);
}

static void
body_of_sip(const json_t *row)
{
	struct buf in = { 0 }, out = { 0 }, rich = { 0 }, wire = { 0 };
	struct body_part part = { 0 };

	if (str(row, "stanza_id") != NULL) {
		stanza_id(row);
		return;
	}
	input(&in, row, "text");
	part.content_type = str(row, "type");
	part.content_encoding = str(row, "encoding");
	part.data = in.data;
	part.len = in.len;
	same_int(body_from_sip(&out, &rich, &part, &rules), num(row, "status"));
	same_rich(&rich, row);
	check_stanza(row, &out, &rich);
	if (num(row, "length") != 0) {
		same_int((int)out.len, num(row, "length"));
	} else {
		const char *want = str(row, "body");

		same_str(buf_cstr(&out), want != NULL ? want : "");
	}
	if (str(row, "wire") != NULL) {
		same_int(xml_escape_text(&wire, (char *)out.data, out.len), 0);
		same_str(buf_cstr(&wire), str(row, "wire"));
	}
	buf_finish(&in);
	buf_finish(&out);
	buf_finish(&rich);
	buf_finish(&wire);
}

static void
html_of_lync(const json_t *row)
{
	struct buf in = { 0 }, out = { 0 }, rich = { 0 };

	for (int i = 0; i < num(row, "count"); i++)
		buf_add_str(&in, str(row, "repeat"));
	buf_add_str(&in, str(row, "html"));
	same_int(html_read(&out, &rich, buf_cstr(&in), in.len), 0);
	same_str(buf_cstr(&out), str(row, "body"));
	same_rich(&rich, row);
	buf_finish(&rich);
	buf_finish(&in);
	buf_finish(&out);
}

static void
body_for_sip(const json_t *row)
{
	struct buf in = { 0 }, out = { 0 }, format = { 0 };
	char text[100], limit[20];

	input(&in, row, "body");
	same_int(body_to_sip(&out, buf_cstr(&in), in.len, BODY_LIMIT),
	    str(row, "error") != NULL ? ERR_TOO_LONG : 0);
	if (str(row, "error") != NULL) {
		same_str(str(row, "error"), "ERR_TOO_LONG");
		body_limit_text(text, sizeof(text), BODY_LIMIT);
		snprintf(limit, sizeof(limit), "%d", BODY_LIMIT);
		assert_non_null(strstr(text, limit));
		same_int((int)out.len, 0);
	}
	if (str(row, "sip") != NULL)
		same_str(buf_cstr(&out), str(row, "sip"));
	if (num(row, "length") != 0)
		same_int((int)out.len, num(row, "length"));
	if (str(row, "text_format") != NULL) {
		same_int(ids_text_format(&format, buf_cstr(&out), out.len), 0);
		same_str(buf_cstr(&format), str(row, "text_format"));
	}
	buf_finish(&in);
	buf_finish(&out);
	buf_finish(&format);
}

/* --- fixed values ------------------------------------------------------- */

static struct ids_secret
secret_of(const json_t *row)
{
	const char *s = str(row, "secret");

	assert_non_null(s);
	return (struct ids_secret){ s, strlen(s) };
}

static void
stanza_id(const json_t *row)
{
	char id[IDS_STANZA_SIZE];

	ids_stanza(id, str(row, "call_id"), (uint32_t)num(row, "cseq"),
	    str(row, "from_tag"), secret_of(row));
	same_str(id, str(row, "stanza_id"));
}

static void
fixed(const json_t *row)
{
	char thread[IDS_THREAD_SIZE], epid[IDS_EPID_SIZE];
	struct buf out = { 0 };
	const json_t *pair;
	size_t i;

	if (str(row, "stanza_id") != NULL)
		stanza_id(row);
	if (str(row, "thread") != NULL) {
		ids_thread(thread, str(row, "conversation"), secret_of(row));
		same_str(thread, str(row, "thread"));
	}
	if (str(row, "epid") != NULL) {
		ids_epid(epid, str(row, "full_jid"));
		same_str(epid, str(row, "epid"));
	}
	json_array_foreach(json_object_get(row, "ms_body"), i, pair)
	{
		const char *text = json_string_value(json_array_get(pair, 0));

		buf_clear(&out);
		same_int(ids_text_format(&out, text, strlen(text)), 0);
		same_str(strstr(buf_cstr(&out), "ms-body=") + 8,
		    json_string_value(json_array_get(pair, 1)));
	}
	buf_finish(&out);
}

/* --- the tests ---------------------------------------------------------- */

static void
test_sip_to_jid(void **state)
{
	(void)state;
	each("sip_to_jid", sip_to_jid);
}

static void
test_jid_to_sip(void **state)
{
	(void)state;
	each("jid_to_sip", jid_to_sip);
}

static void
test_body_from_sip(void **state)
{
	(void)state;
	each("body_from_sip", body_of_sip);
}

static void
test_html_to_text(void **state)
{
	(void)state;
	each("html_to_text", html_of_lync);
}

static void
test_body_to_sip(void **state)
{
	(void)state;
	each("body_to_sip", body_for_sip);
}

static void
test_fixed(void **state)
{
	(void)state;
	each("fixed", fixed);
}

static size_t
count_id(const json_t *rows, const char *id)
{
	size_t i, count = 0;
	const json_t *row;

	json_array_foreach(rows, i, row) count +=
	    strcmp(str(row, "id"), id) == 0;
	return count;
}

static void
test_none_is_missing(void **state)
{
	static const struct {
		const char *section, *letter;
		int last;
	} want[] = {
		{ "sip_to_jid", "A", 32 },
		{ "jid_to_sip", "B", 23 },
		{ "body_from_sip", "C", 34 },
		{ "html_to_text", "H", 15 },
		{ "body_to_sip", "D", 29 },
		{ "fixed", "V", 5 },
	};
	char id[16];

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++)
		for (int n = 1; n <= want[i].last; n++) {
			snprintf(id, sizeof(id), "%s%d", want[i].letter, n);
			row_id = id;
			same_int(
			    (int)count_id(
				json_object_get(document, want[i].section), id),
			    1);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none_is_missing),
		cmocka_unit_test(test_sip_to_jid),
		cmocka_unit_test(test_jid_to_sip),
		cmocka_unit_test(test_body_from_sip),
		cmocka_unit_test(test_html_to_text),
		cmocka_unit_test(test_body_to_sip),
		cmocka_unit_test(test_fixed),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
