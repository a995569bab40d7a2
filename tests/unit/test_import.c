/* What a pool exported: every sample of tests/vectors/import against what it
 * has to become, and files that are not what they should be. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "common/buf.h"
#include "common/err.h"
#include "deploy/import_plan.h"
#include "deploy/import_read.h"
#include "deploy/import_text.h"
#include "deploy/noun.h"

#define FOLDER "tests/vectors/import/"
#define OBJS(s)                                                                \
	"<Objs Version='1.1.0.1' xmlns='http://schemas.microsoft.com/"         \
	"powershell/2004/04'>" s "</Objs>"
#define PARTNER "\"TlsNegotiation\":\"Required\",\"Domain\":\"a.example\""

static void
read_file(struct import *im, const char *name)
{
	char path[256], chunk[4096];
	struct buf b;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), FOLDER "%s", name);
	f = fopen(path, "rb");
	assert_non_null(f);
	buf_init(&b, IMPORT_FILE_MAX);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		assert_int_equal(buf_add(&b, chunk, n), 0);
	fclose(f);
	assert_int_equal(import_text_decode(&b), 0);
	assert_int_equal(import_read(im, name, (const char *)b.data, b.len), 0);
	buf_finish(&b);
}

/* {"kind key": object} */
static json_t *
settings_of(const struct import *im)
{
	json_t *all = json_object();
	char id[512];

	for (size_t i = 0; i < im->count; i++) {
		snprintf(id, sizeof(id), "%s %s", im->settings[i].noun->name,
		    im->settings[i].key);
		json_object_set(all, id, im->settings[i].object);
	}
	return all;
}

static void
same(const char *name, const json_t *got, const json_t *want)
{
	char *text;

	if (json_equal(got, want))
		return;
	text = json_dumps(got, JSON_INDENT(1));
	print_error("%s became %s\n", name, text);
	free(text);
	fail();
}

static void
every_sample_becomes_what_it_should(void **state)
{
	static const char *const endings[] = { "xml", "json" };
	json_t *expected = json_load_file(FOLDER "expected.json", 0, NULL);
	const char *stem;
	json_t *want;

	(void)state;
	assert_int_equal(json_object_size(expected), 5);
	json_object_foreach(expected, stem, want)
	{
		for (size_t i = 0; i < 2; i++) {
			struct import im;
			char name[64];
			json_t *got;

			snprintf(name, sizeof(name), "%s.%s", stem, endings[i]);
			assert_int_equal(import_init(&im), 0);
			read_file(&im, name);
			assert_int_equal(im.problem_count, 0);
			got = settings_of(&im);
			same(name, got, want);
			json_decref(got);
			import_finish(&im);
		}
	}
	json_decref(expected);
}

static void
samples_go_together_and_twice(void **state)
{
	static const char *const names[] = { "partners.xml", "partners.json",
		"users.json", "users.xml", "policies.xml", "gateway.xml",
		"access-edge.json" };
	struct import im;

	(void)state;
	assert_int_equal(import_init(&im), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		read_file(&im, names[i]);
	assert_int_equal(im.problem_count, 0);
	assert_int_equal(im.count, 12);
	assert_int_equal(im.skipped, 4);
	assert_true(im.numbers);
	assert_string_equal(
	    json_string_value(json_array_get(
		json_object_get(im.left_out, "gateway-config"), 0)),
	    "DialbackPassphrase");
	import_finish(&im);
}

/* The first problem; "" for none. */
static const struct {
	const char *text, *problem;
} rows[] = {
	/* Who had none of a kind, and exported that. */
	{ "null\r\n", "" },
	{ OBJS("<Nil />"), "" },
	{ OBJS(""), "" },
	{ "[]", "" },
	{ "", "f: is empty: nothing was exported into it; leave it out" },
	{ " \r\n", "f: is empty" },
	{ "nullx",
	    "f:1: neither what Export-Clixml nor what ConvertTo-Json writes" },
	{ "Identity : x", "f:1: neither what Export-Clixml" },
	{ "{", "f:1:1: string or '}' expected near end of file" },
	{ "{\"a\":1}", "f: object 1: none of partner, gateway" },
	{ "[1]", "f: object 1: not an object" },
	{ "[]", "" },
	{ "{" PARTNER "}", "" },
	{ "[{" PARTNER "},{" PARTNER "}]", "" },
	{ "[{" PARTNER "},{" PARTNER ",\"Description\":\"x\"}]",
	    "f: object 2: partner a.example is there twice, differently" },
	{ "{\"TlsNegotiation\":0}", "f: object 1: Domain: missing" },
	{ "{\"TlsNegotiation\":0,\"Domain\":\"-\"}",
	    "f: object 1: Domain: \"-\" is none" },
	{ "{" PARTNER ",\"SaslNegotiation\":3}",
	    "f: object 1: SaslNegotiation: 3 is no number from 0 to 2" },
	{ "{" PARTNER ",\"SaslNegotiation\":-1}", "f: object 1: Sasl" },
	{ "{" PARTNER ",\"SaslNegotiation\":\"Sometimes\"}",
	    "f: object 1: SaslNegotiation: \"Sometimes\" is none of "
	    "Required, Optional, NotSupported" },
	{ "{" PARTNER ",\"saslnegotiation\":\"OPTIONAL\"}", "" },
	{ "{" PARTNER ",\"ConnectionLimit\":4294967295}", "" },
	{ "{" PARTNER ",\"ConnectionLimit\":4294967296}",
	    "f: object 1: ConnectionLimit: \"4294967296\" is no number" },
	{ "{" PARTNER ",\"ConnectionLimit\":[1]}",
	    "f: object 1: ConnectionLimit: a single value is wanted" },
	{ "{" PARTNER ",\"EnableKeepAlive\":\"perhaps\"}",
	    "f: object 1: EnableKeepAlive: \"perhaps\" is neither" },
	{ "{" PARTNER ",\"EnableKeepAlive\":\"True\"}", "" },
	{ "{" PARTNER ",\"AdditionalDomains\":\"b.example\"}", "" },
	{ "{" PARTNER ",\"AdditionalDomains\":null}", "" },
	{ "{" PARTNER ",\"AdditionalDomains\":{}}", "" },
	{ "{" PARTNER ",\"AdditionalDomains\":[1]}",
	    "f: object 1: AdditionalDomains: not a list of domain names" },
	{ "{" PARTNER ",\"AdditionalDomains\":[\"a b\"]}",
	    "f: object 1: AdditionalDomains: not a list" },
	{ "{" PARTNER ",\"AdditionalDomains\":7}", "f: object 1: Addit" },
	{ "{\"SipAddress\":\"nobody\",\"ExternalAccessPolicy\":\"P\"}",
	    "f: object 1: SipAddress: \"nobody\" is no address" },
	{ "{\"SipAddress\":\"sip:a@b.example\",\"ExternalAccessPolicy\":7}",
	    "" },
	{ "{\"EnableXmppAccess\":true}", "f: object 1: Identity: missing" },
	{ "{\"EnableXmppAccess\":true,\"Identity\":\"Site:\"}",
	    "f: object 1: Identity: \"Site:\" is none" },
	/* Clixml */
	{ "<Objs>", "f:1: " },
	{ "<a/>", "f:1: not what Export-Clixml writes" },
	{ "<!DOCTYPE Objs [<!ENTITY a 'b'>]>" OBJS(""),
	    "f:1: a document type has no place here" },
	{ OBJS(""), "" },
	{ OBJS("<S>x</S>"), "f:1: <S> is not known here" },
	{ OBJS("<Obj RefId='0'><I32>1</I32></Obj>"),
	    "f:1: not an object with properties" },
	{ OBJS("<Obj>\n<Props>\n<S N='Domain'>a.example</S>\n"
	       "<S N='TlsNegotiation'>No</S></Props></Obj>"),
	    "f:4: TlsNegotiation: \"No\" is none of" },
	{ OBJS("\n<Obj><Props><S N='TlsNegotiation'>Required</S></Props>"
	       "</Obj>"),
	    "f:2: Domain: missing" },
	{ OBJS("<Obj><Props><S>x</S></Props></Obj>"),
	    "f:1: a property without a name" },
	{ OBJS("<Obj><Props><B N='x'>yes</B></Props></Obj>"),
	    "f:1: \"yes\" is neither true nor false" },
	{ OBJS("<Obj><Props><U32 N='x'>9e9</U32></Props></Obj>"),
	    "f:1: \"9e9\" is no number" },
	{ OBJS("<Obj><Props><Thing/></Props></Obj>"),
	    "f:1: <Thing> is not known here" },
	{ OBJS("<Obj><LST><En/></LST></Obj>"), "f:1: <En> is not known here" },
	/* A circle, and a reference to nothing, say nothing. */
	{ OBJS("<Obj RefId='1'><Props><S N='Domain'>a.example</S>"
	       "<S N='TlsNegotiation'>Required</S>"
	       "<Obj N='Description' RefId='2'><LST><Ref RefId='2'/></LST>"
	       "</Obj></Props></Obj>"),
	    "f:1: Description: a single value is wanted" },
	{ OBJS("<Obj RefId='1'><Props><S N='Domain'>a.example</S>"
	       "<S N='TlsNegotiation'>Required</S>"
	       "<Ref N='Description' RefId='9'/></Props></Obj>"),
	    "" },
	{ OBJS("<Obj><Props><S N='Domain'>a.example</S>"
	       "<S N='TlsNegotiation'>Required</S><Obj N='AdditionalDomains'>"
	       "<DCT><En><S N='Key'>value</S><Obj N='Value'><LST>"
	       "<S>b.example</S></LST></Obj></En></DCT></Obj></Props></Obj>"),
	    "" },
};

static void
what_does_not_fit_is_told_with_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct import im;
		const char *got;

		assert_int_equal(import_init(&im), 0);
		assert_int_equal(
		    import_read(&im, "f", rows[i].text, strlen(rows[i].text)),
		    0);
		got = json_string_value(json_array_get(im.problems, 0));
		got = got != NULL ? got : "";
		if (rows[i].problem[0] == '\0'
			? got[0] != '\0'
			: strncmp(got, rows[i].problem,
			      strlen(rows[i].problem)) != 0)
			fail_msg("%s\nis told as \"%s\"", rows[i].text, got);
		import_finish(&im);
	}
}

static void
depth_and_counts_are_bounded(void **state)
{
	static const char open[] = "<Obj><LST>";
	struct import im;
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	buf_add_str(&b, "<Objs><Obj><Props><Obj N='x'><LST>");
	for (int i = 0; i < 100000; i++)
		buf_add_str(&b, open);
	assert_int_equal(import_init(&im), 0);
	assert_int_equal(import_read(&im, "f", (const char *)b.data, b.len), 0);
	assert_string_equal(json_string_value(json_array_get(im.problems, 0)),
	    "f:1: nested more than 48 deep");
	buf_clear(&b);
	buf_add_str(&b, "<Objs><Obj><Props>");
	for (int i = 0; i < 600; i++)
		buf_addf(&b, "<S N='a%d'>x</S>", i);
	assert_int_equal(import_read(&im, "f", (const char *)b.data, b.len), 0);
	assert_string_equal(json_string_value(json_array_get(im.problems, 1)),
	    "f:1: more than 512 properties");
	for (int i = 0; i < 100; i++)
		assert_int_equal(import_read(&im, "f", "[1]", 3), 0);
	assert_int_equal(im.problem_count, 102);
	assert_int_equal(json_array_size(im.problems), IMPORT_PROBLEMS_MAX);
	import_finish(&im);
	buf_finish(&b);
}

#define BYTES(s) (s), sizeof(s) - 1

static void
texts_are_read_by_their_first_bytes(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *out; /* NULL = refused */
	} texts[] = {
		{ BYTES("a\xC3\xA4"), "a\xC3\xA4" },
		{ BYTES("\xEF\xBB\xBF"
			"a"),
		    "a" },
		{ BYTES("\xFF\xFE"
			"a\0\xE4\0"),
		    "a\xC3\xA4" },
		{ BYTES("\xFE\xFF\0a\0\xE4"), "a\xC3\xA4" },
		{ BYTES("\xFF\xFE\x3D\xD8\x00\xDE"), "\xF0\x9F\x98\x80" },
		{ BYTES("\xFF\xFE"), "" },
		{ BYTES("\xFF\xFE"
			"a"),
		    NULL },
		{ BYTES("\xFF\xFE\x3D\xD8"), NULL },
		{ BYTES("\xFF\xFE\x3D\xD8"
			"a\0"),
		    NULL },
		{ BYTES("\xFF\xFE\x00\xDE"), NULL },
		{ BYTES("\xFF\xFE\0\0"), NULL },
		{ BYTES("a\xE4"), NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct buf b;
		int rc;

		buf_init(&b, 1000);
		buf_add(&b, texts[i].in, texts[i].len);
		rc = import_text_decode(&b);
		assert_int_equal(rc, texts[i].out != NULL ? 0 : ERR_UTF8);
		if (rc == 0)
			assert_string_equal(buf_cstr(&b), texts[i].out);
		buf_finish(&b);
	}
}

static void
only_what_differs_is_changed(void **state)
{
	static const struct {
		const char *object, *held, *difference; /* NULL = none */
	} cases[] = {
		{ "{\"a\":1}", "{\"a\":1,\"b\":2}", NULL },
		{ "{\"a\":1,\"b\":3}", "{\"a\":1,\"b\":2}", "{\"b\":3}" },
		{ "{\"a\":[1,2]}", "{\"a\":[2,1]}", NULL },
		{ "{\"a\":[1]}", "{\"a\":[2,1]}", "{\"a\":[1]}" },
		{ "{\"a\":[1,1]}", "{\"a\":[2,1]}", "{\"a\":[1,1]}" },
		{ "{\"a\":true}", "{}", "{\"a\":true}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *object = json_loads(cases[i].object, 0, NULL);
		json_t *held = json_pack(
		    "{s:o}", "object", json_loads(cases[i].held, 0, NULL));
		json_t *got = import_plan_difference(object, held);
		json_t *want = cases[i].difference != NULL
				   ? json_loads(cases[i].difference, 0, NULL)
				   : NULL;

		assert_true(want == NULL ? got == NULL : json_equal(got, want));
		json_decref(object);
		json_decref(held);
		json_decref(got);
		json_decref(want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_sample_becomes_what_it_should),
		cmocka_unit_test(samples_go_together_and_twice),
		cmocka_unit_test(what_does_not_fit_is_told_with_its_place),
		cmocka_unit_test(depth_and_counts_are_bounded),
		cmocka_unit_test(texts_are_read_by_their_first_bytes),
		cmocka_unit_test(only_what_differs_is_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
