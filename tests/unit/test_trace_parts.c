/* The pure parts of a trace: filters, what is said of stanzas, frames. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "frontend-gateway/trace/trace_filter.h"
#include "frontend-gateway/trace/trace_frame.h"
#include "frontend-gateway/trace/trace_stanza.h"
#include "proto/channel.h"
#include "tests/unit/frame_build.h"

#define ANNA "anna@contoso.example"
#define BO   "bo@partner.example"
#define MARK "Gooseberry"

/* --- filters --------------------------------------------------------------- */

static const struct {
	char kind;             /* u, c, p */
	const char *text, *is; /* is NULL: refused */
} wishes[] = {
	{ 'u', ANNA, ANNA },
	{ 'u', "Anna@CONTOSO.example", ANNA },
	{ 'u', "sip:Anna@contoso.example;transport=tls", ANNA },
	{ 'u', "sip:o%27neil@contoso.example", "o\\27neil@contoso.example" },
	{ 'u', "nobody@nowhere.example", "nobody@nowhere.example" },
	{ 'u', "contoso.example", NULL },
	{ 'u', ANNA "/desk", NULL },
	{ 'u', "", NULL },
	{ 'u', "@contoso.example", NULL },
	{ 'u', "a b@contoso.example", NULL },
	{ 'u', "sip:contoso.example", NULL },
	{ 'u', "sip:", NULL },
	{ 'c', BO, BO },
	{ 'c', "bo@b\303\274cher.example", "bo@b\303\274cher.example" },
	{ 'c', "bo@", NULL },
	{ 'p', "Partner.Example", "partner.example" },
	{ 'p', "b\303\274cher.example", "xn--bcher-kva.example" },
	{ 'p', BO, NULL },
	{ 'p', "", NULL },
	{ 'p', "a b", NULL },
	{ 'p', "*.example", NULL },
};

static void
test_wishes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
		struct trace_filter f = { 0 };
		char why[TRACE_FILTER_WHY_SIZE] = "";
		const char *text = wishes[i].text, *is;
		int rc;

		if (wishes[i].kind == 'u')
			rc = trace_filter_set_user(&f, text, why);
		else if (wishes[i].kind == 'c')
			rc = trace_filter_set_contact(&f, text, why);
		else
			rc = trace_filter_add_domain(&f, text, why);
		if ((rc == 0) != (wishes[i].is != NULL))
			fail_msg("%s: %d, %s", text, rc, why);
		is = wishes[i].kind == 'u'   ? f.user
		     : wishes[i].kind == 'c' ? f.contact
					     : f.domains[0];
		if (rc == 0)
			assert_string_equal(is, wishes[i].is);
		else
			assert_true(why[0] != '\0' && rc == ERR_JID &&
				    trace_filter_is_empty(&f));
		trace_filter_finish(&f);
	}
}

static struct trace_filter
filter(const char *user, const char *contact, const char *partner)
{
	struct trace_filter f = { 0 };
	char why[TRACE_FILTER_WHY_SIZE];

	if (user != NULL)
		assert_int_equal(trace_filter_set_user(&f, user, why), 0);
	if (contact != NULL)
		assert_int_equal(trace_filter_set_contact(&f, contact, why), 0);
	if (partner != NULL)
		assert_int_equal(trace_filter_add_domain(&f, partner, why), 0);
	return f;
}

static void
test_fits(void **state)
{
	static const struct {
		const char *user, *contact, *partner;
		unsigned fits; /* bits: anna-bo, anna-cleo, dora-bo, a domain */
	} rows[] = {
		{ ANNA, NULL, NULL, 3 },
		{ NULL, BO, NULL, 5 },
		{ BO, NULL, NULL, 5 },
		{ ANNA, BO, NULL, 1 },
		{ BO, ANNA, NULL, 1 },
		{ NULL, NULL, "partner.example", 13 },
		{ ANNA, NULL, "partner.example", 1 },
		{ ANNA, NULL, "other.example", 2 },
		{ "zoe@contoso.example", NULL, NULL, 0 },
		{ ANNA, NULL, "elsewhere.example", 0 },
	};
	static const struct trace_party pairs[][2] = {
		{ { ANNA, "contoso.example" }, { BO, "partner.example" } },
		{ { ANNA, "contoso.example" },
		    { "cleo@other.example", "other.example" } },
		{ { BO, "partner.example" },
		    { "dora@contoso.example", "contoso.example" } },
		{ { "contoso.example", "contoso.example" },
		    { NULL, "partner.example" } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct trace_filter f =
		    filter(rows[i].user, rows[i].contact, rows[i].partner);

		for (size_t k = 0; k < 4; k++)
			if (trace_filter_fits(&f, pairs[k], 2) !=
			    (rows[i].fits >> k & 1))
				fail_msg("row %zu, pair %zu", i, k);
		assert_false(trace_filter_fits(&f, NULL, 0));
		trace_filter_finish(&f);
	}
}

static void
test_who(void **state)
{
	json_t *who = json_array(), *is;
	struct trace_filter f;
	char name[64];

	(void)state;
	for (int i = 0; i < 40; i++) {
		size_t before = json_array_size(who);
		char why[TRACE_FILTER_WHY_SIZE];

		snprintf(name, sizeof(name), "d%d.example", i / 2);
		f = filter(NULL, NULL, name);
		assert_int_equal(
		    trace_filter_add_domain(&f, "more.example", why), 0);
		if (trace_filter_add_who(&f, who) < 0)
			assert_int_equal(json_array_size(who), before);
		trace_filter_finish(&f);
	}
	assert_int_equal(json_array_size(who), TRACE_FILTER_WHO_MAX);
	json_array_clear(who);
	f = filter(ANNA, BO, "partner.example");
	assert_int_equal(trace_filter_add_who(&f, who), 0);
	is = json_pack("[{s:s}]", "address", BO);
	assert_true(json_equal(who, is));
	json_decref(is);
	trace_filter_finish(&f);
	json_decref(who);
}

/* --- stanzas and frames ------------------------------------------------------- */

static const struct {
	const char *text, *is;
} stanzas[] = {
	{ "<message type='chat' id='m1'><body>[3 bytes]</body><active "
	  "xmlns='x'/></message>",
	    "{'name':'message','type':'chat','id':'m1','children':['body',"
	    "'active']}" },
	{ "<message id='a&gt;b' to='x' type=\"error\"><error type='cancel'>"
	  "<gone xmlns='u'/><text>[1 bytes]</text></error></message>",
	    "{'name':'message','type':'error','id':'a&gt;b','children':["
	    "'error'],'condition':'gone'}" },
	{ "<presence/>", "{'name':'presence','children':[]}" },
	{ "<presence xid='no' id='><'/><x/>",
	    "{'name':'presence','id':'><','children':[]}" },
	{ "<message><body>cut of", "{'name':'message','children':['body']}" },
	{ "<message id='cut", "{'children':[]}" },
	{ "text", "{'children':[]}" },
	{ "", "{'children':[]}" },
	{ "</a></b><c>", "{'children':[]}" },
	{ "<><a>", "{'children':[]}" },
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
test_stanzas(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(stanzas) / sizeof(stanzas[0]); i++) {
		json_t *out = json_object(), *is = quoted(stanzas[i].is);

		/* Held in a block of its own length, for the sanitizer. */
		const size_t len = strlen(stanzas[i].text);
		char *text = malloc(len + 1);

		memcpy(text, stanzas[i].text, len + 1);
		trace_stanza_describe(out, text, len);
		if (!json_equal(out, is))
			fail_msg("%s: %s", text, json_dumps(out, 0));
		free(text);
		json_decref(out);
		json_decref(is);
	}
}

/* Everything that somebody may have written. */
static const char message[] =
    "{'type':'message','from':'" BO "/home','to':'" ANNA "','id':'m1',"
    "'kind':'chat','body':'" MARK "','rich-body':'<b>" MARK "</b>',"
    "'subject':'" MARK "','reaction':['" MARK "'],'link':['http://x/" MARK
    "'],'link-name':['" MARK "'],'declines':'" MARK "','nick':'" MARK
    "','error-text':'" MARK "'}";
static const char presence[] =
    "{'type':'presence','from':'" BO "','to':'" ANNA
    "','show':'away','status-text':'" MARK "','nick':'" MARK "'}";
static struct frame
build(struct buf *b, const char *text)
{
	json_t *json = quoted(text);
	char *plain = json_dumps(json, 0);
	struct frame f;

	buf_clear(b);
	frame_build(b, plain);
	assert_int_equal(frame_decode(&f, b->data, b->len), 0);
	free(plain);
	json_decref(json);
	return f;
}

static void
test_frames(void **state)
{
	const char *const all[] = { message, presence };
	struct channel_result r = { .condition = COND_GONE, .text = "why" };
	struct buf b, big;
	struct frame f;
	json_t *json;
	char *text;

	(void)state;
	buf_init(&b, 0);
	for (size_t i = 0; i < 2; i++) {
		f = build(&b, all[i]);
		for (int bodies = 0; bodies < 2; bodies++) {
			json = trace_frame_json(&f, bodies);
			text = json_dumps(json, 0);
			assert_int_equal(strstr(text, MARK) != NULL, bodies);
			assert_non_null(strstr(text, ANNA));
			assert_null(json_object_get(json, "cut"));
			free(text);
			json_decref(json);
		}
	}
	/* A long text is cut, with bodies or without. */
	buf_init(&big, 0);
	buf_add_str(&big, "{'type':'message','from':'a@b','to':'c@d','body':'");
	for (int i = 0; i < 30000; i++)
		buf_add_str(&big, "\303\274");
	buf_add_str(&big, "'}");
	f = build(&b, buf_cstr(&big));
	json = trace_frame_json(&f, true);
	assert_true(json_is_true(json_object_get(json, "cut")));
	assert_true(
	    json_string_length(json_object_get(json_object_get(json, "fields"),
		"body")) <= TRACE_FRAME_VALUE_MAX);
	json_decref(json);
	buf_finish(&big);
	buf_finish(&b);
	json = trace_frame_result_json(&r, FRAME_MESSAGE);
	text = json_dumps(json, JSON_COMPACT);
	assert_string_equal(text,
	    "{\"type\":\"result\",\"of\":\"message\",\"status\":\"failed\","
	    "\"condition\":\"gone\",\"text\":\"why\"}");
	free(text);
	json_decref(json);
}

static void
test_answers_to_iq_are_private(void **state)
{
	struct frame_writer w;
	struct buf b;
	struct frame f;
	json_t *json;
	char *text;

	(void)state;
	buf_init(&b, 0);
	frame_begin(&w, &b, FRAME_IQ);
	frame_put_str(&w, FIELD_FROM, BO);
	frame_put_str(&w, FIELD_TO, ANNA);
	frame_put_str(&w, FIELD_KIND, "result");
	frame_put_str(&w, FIELD_ANSWER, "{\"x\":\"" MARK "\"}");
	assert_int_equal(frame_end(&w), 0);
	assert_int_equal(frame_decode(&f, b.data, b.len), 0);
	json = trace_frame_json(&f, false);
	text = json_dumps(json, 0);
	assert_null(strstr(text, MARK));
	free(text);
	json_decref(json);
	buf_finish(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wishes),
		cmocka_unit_test(test_fits),
		cmocka_unit_test(test_who),
		cmocka_unit_test(test_stanzas),
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_answers_to_iq_are_private),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
