/* The tables of tests/vectors/presence.json: states of Lync users as XMPP
 * presence, resources of XMPP users as documents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <cmocka.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/jid.h"
#include "frontend-gateway/translate/presence_build.h"
#include "frontend-gateway/translate/presence_document.h"
#include "frontend-gateway/translate/presence_to_xmpp.h"
#include "frontend-gateway/translate/resources.h"

#define VECTORS "tests/vectors/presence.json"
#define NOW     ((uint64_t)1795248000000)

#include "tests/unit/vectors.inc"

/* NULL and "" are the same: nothing. */
static void
same_text(const char *got, const char *want)
{
	got = got != NULL ? got : "";
	want = want != NULL ? want : "";
	if (strcmp(got, want) != 0)
		fail_msg("%s: \"%s\" instead of \"%s\"", row_id, got, want);
}

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
		if (str(row, "not_applicable") != NULL)
			continue;
		fn(row);
		run++;
	}
	print_message("%s: %zu rows run\n", section, run);
}

static void
rule(const json_t *row, const char *name, bool *out)
{
	const json_t *v = json_object_get(json_object_get(row, "rules"), name);

	if (v != NULL)
		*out = json_is_true(v);
}

/* --- Lync to XMPP -------------------------------------------------------- */

static void
write_msrtc(struct buf *out, const json_t *row, const json_t *number)
{
	const json_t *sums = json_object_get(row, "aggregates");

	buf_add_str(out, "<presentity uri='anna@contoso.example'>");
	if (sums != NULL)
		buf_addf(out,
		    "<availability aggregate='%d'/><activity aggregate='%d'/>",
		    (int)json_integer_value(json_array_get(sums, 0)),
		    (int)json_integer_value(json_array_get(sums, 1)));
	buf_add_str(out, "<userInfo>");
	if (number != NULL)
		buf_addf(out, "<states><state avail='%d'>%s</state></states>",
		    (int)json_integer_value(number),
		    str(row, "token") != NULL ? str(row, "token") : "");
	if (str(row, "note") != NULL)
		buf_addf(out, "<note type='%s'>%s</note>",
		    str(row, "note_type") != NULL ? str(row, "note_type")
						  : "personal",
		    str(row, "note"));
	buf_add_str(out, "</userInfo>");
	if (str(row, "more") != NULL)
		buf_add_str(out, str(row, "more"));
	if (str(row, "last_active") != NULL)
		buf_addf(out,
		    "<devices><devicePresence lastActive='%s'/></devices>",
		    str(row, "last_active"));
	buf_add_str(out, "</presentity>");
}

static void
write_document(struct buf *out, const json_t *row, const json_t *number)
{
	if (str(row, "document") != NULL)
		buf_add_str(out, str(row, "document"));
	else if (str(row, "pidf") != NULL)
		buf_addf(out,
		    "<presence xmlns='urn:ietf:params:xml:ns:pidf' "
		    "entity='%s'>%s</presence>",
		    str(row, "pidf_of") != NULL ? str(row, "pidf_of")
						: "sip:anna@contoso.example",
		    str(row, "pidf"));
	else
		write_msrtc(out, row, number);
}

static int
error_of(const char *name)
{
	if (name == NULL)
		return 0;
	if (strcmp(name, "ERR_DENIED") == 0)
		return ERR_DENIED;
	assert_string_equal(name, "ERR_MALFORMED");
	return ERR_MALFORMED;
}

static void
check_about(const struct lync_presence *p, const json_t *row)
{
	static const char user[] = "anna@contoso.example";
	struct jid j;

	assert_int_equal(jid_parse(&j, user, strlen(user)), 0);
	same_int(presence_document_is_about(p, &j), !is_set(row, "other"));
	jid_finish(&j);
}

static void
check_seen(const struct xmpp_presence *p, const json_t *row)
{
	same_int(p->available, !is_set(row, "unavailable"));
	same_text(xmpp_presence_show_str(p->show), str(row, "show"));
	same_text(p->status, str(row, "status"));
	if (str(row, "language") != NULL)
		same_text(p->language, str(row, "language"));
	same_int((int64_t)p->idle_since,
	    json_integer_value(json_object_get(row, "idle")));
}

static void
convert_one(const json_t *row, const json_t *number)
{
	struct presence_to_xmpp_rules rules = presence_to_xmpp_default();
	struct xmpp_presence told = { .available = true }, out = { 0 };
	struct lync_presence p;
	struct buf doc = { 0 };
	int rc;

	rule(row, "generated_status", &rules.generated_status);
	rule(row, "notes", &rules.notes);
	rule(row, "busy_idle_is_away", &rules.busy_idle_is_away);
	rule(row, "unknown_is_available", &rules.unknown_is_available);
	write_document(&doc, row, number);
	assert_false(buf_failed(&doc));
	rc = presence_document_read(&p, doc.data, doc.len);
	same_int(rc, error_of(str(row, "error")));
	if (rc == 0) {
		check_about(&p, row);
		rc = presence_to_xmpp_convert(
		    &out, &p, is_set(row, "told") ? &told : NULL, &rules);
		same_int(rc, is_set(row, "nothing") ? ERR_NOT_FOUND : 0);
		if (rc == 0)
			check_seen(&out, row);
	} else {
		assert_false(p.known);
	}
	xmpp_presence_finish(&out);
	buf_finish(&doc);
}

static void
to_xmpp(const json_t *row)
{
	const json_t *numbers = json_object_get(row, "number"), *number;
	size_t i;

	if (numbers == NULL)
		convert_one(row, NULL);
	json_array_foreach(numbers, i, number) convert_one(row, number);
}

/* --- XMPP to Lync -------------------------------------------------------- */

static void
repeat(struct buf *out, const json_t *what)
{
	for (json_int_t n = json_integer_value(json_array_get(what, 1)); n > 0;
	     n--)
		buf_add_str(out, json_string_value(json_array_get(what, 0)));
}

static void
apply(struct resources *r, const json_t *step, uint64_t at)
{
	const json_t *idle = json_object_get(step, "idle_minutes");
	struct buf status = { 0 };
	struct resource u = { .at = at };

	if (is_set(step, "gone")) {
		assert_true(resources_remove(r, str(step, "name")));
		return;
	}
	u.name = str(step, "name");
	u.show = xmpp_presence_show_parse(str(step, "show"));
	u.priority =
	    (int8_t)json_integer_value(json_object_get(step, "priority"));
	u.status = str(step, "status");
	u.language = str(step, "language");
	if (idle != NULL)
		u.idle_since = NOW - (uint64_t)json_integer_value(idle) * 60000;
	if (json_object_get(step, "status_of") != NULL) {
		repeat(&status, json_object_get(step, "status_of"));
		u.status = buf_cstr(&status);
	}
	assert_int_equal(resources_set(r, &u, NULL), 0);
	buf_finish(&status);
}

static void
check_texts(struct buf *doc, const json_t *row)
{
	const json_t *s;
	size_t i;

	json_array_foreach(json_object_get(row, "holds"), i, s)
	{
		if (strstr(buf_cstr(doc), json_string_value(s)) == NULL)
			fail_msg("%s: no %s in %s", row_id,
			    json_string_value(s), buf_cstr(doc));
	}
	json_array_foreach(json_object_get(row, "lacks"), i, s)
	    assert_null(strstr(buf_cstr(doc), json_string_value(s)));
}

/* What is built, read again. */
static void
check_document(const json_t *row, const struct presence_build *in,
    enum presence_format format, const struct presence_build_rules *rules)
{
	struct buf doc = { 0 }, note = { 0 };
	struct lync_presence p;
	bool open = strcmp(str(row, "basic"), "open") == 0;

	assert_int_equal(presence_build_document(&doc, format, in, rules), 0);
	same_int(presence_document_read(&p, doc.data, doc.len), 0);
	assert_true(p.known);
	same_text(p.name, "Bo B. \"<&>\"");
	if (format != PRESENCE_FORMAT_MSRTC) {
		same_int(p.basic, open ? LYNC_BASIC_OPEN : LYNC_BASIC_CLOSED);
		if (format == PRESENCE_FORMAT_PIDF)
			same_text(p.token, str(row, "activity"));
		check_texts(&doc, row);
	} else {
		same_int(p.availability, open ? 300 : 0);
		same_text(p.token, str(row, "token"));
		if (json_object_get(row, "number") != NULL)
			same_int(p.number,
			    json_integer_value(json_object_get(row, "number")));
	}
	if (json_object_get(row, "note_of") != NULL)
		repeat(&note, json_object_get(row, "note_of"));
	else if (str(row, "note") != NULL)
		buf_add_str(&note, str(row, "note"));
	same_text(p.note.text, buf_cstr(&note));
	if (str(row, "language") != NULL)
		same_text(p.note.language, str(row, "language"));
	buf_finish(&doc);
	buf_finish(&note);
}

static void
pairs_of(const json_t *pairs, int (*fn)(int))
{
	const json_t *pair;
	size_t i;

	json_array_foreach(pairs, i, pair)
	    same_int(fn((int)json_integer_value(json_array_get(pair, 0))),
		json_integer_value(json_array_get(pair, 1)));
}

static void
to_lync(const json_t *row)
{
	struct presence_build_rules rules = presence_build_default();
	struct resources r = { 0 };
	struct presence_build in = { "sip:bo@partner.example",
		" Bo\tB. \"<&>\"", &r, NOW };
	const json_t *step;
	size_t i;

	pairs_of(json_object_get(row, "priorities"), presence_build_priority);
	pairs_of(json_object_get(row, "back"), presence_to_xmpp_priority);
	if (json_object_get(row, "resources") == NULL)
		return;
	rule(row, "notes", &rules.notes);
	rule(row, "dnd_is_do_not_disturb", &rules.dnd_is_do_not_disturb);
	rule(row, "xa_is_off_work", &rules.xa_is_off_work);
	rule(row, "short_away_is_inactive", &rules.short_away_is_inactive);
	rule(row, "chat_text", &rules.chat_text);
	json_array_foreach(json_object_get(row, "resources"), i, step)
	    apply(&r, step, NOW - 1000 + i);
	if (is_set(row, "standard")) {
		check_document(row, &in, PRESENCE_FORMAT_STANDARD, &rules);
	} else {
		check_document(row, &in, PRESENCE_FORMAT_PIDF, &rules);
		check_document(row, &in, PRESENCE_FORMAT_MSRTC, &rules);
		same_int(presence_build_number(&r, NOW, &rules),
		    json_integer_value(json_object_get(row, "number")));
	}
	resources_clear(&r);
}

/* --- the tests ----------------------------------------------------------- */

static void
test_to_xmpp(void **state)
{
	(void)state;
	each("to_xmpp", to_xmpp);
}

static void
test_to_lync(void **state)
{
	(void)state;
	each("to_lync", to_lync);
}

static size_t
count_id(const char *section, const char *id)
{
	const json_t *row;
	size_t i, count = 0;

	json_array_foreach(json_object_get(document, section), i, row) count +=
	    strcmp(str(row, "id"), id) == 0;
	return count;
}

static void
test_none_is_missing(void **state)
{
	char id[16];

	(void)state;
	for (int n = 1; n <= 32; n++) {
		snprintf(id, sizeof(id), "P%d", n);
		assert_true(count_id("to_xmpp", id) > 0);
	}
	for (int n = 1; n <= 20; n++) {
		snprintf(id, sizeof(id), "Q%d", n);
		assert_true(count_id("to_lync", id) > 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none_is_missing),
		cmocka_unit_test(test_to_xmpp),
		cmocka_unit_test(test_to_lync),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
