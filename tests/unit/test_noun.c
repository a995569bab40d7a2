/* The operator's words for settings: keys, values in and out, the tables. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "common/buf.h"
#include "deploy/noun.h"
#include "deploy/noun_request.h"
#include "deploy/noun_value.h"

static void
keys_take_the_gateways_form(void **state)
{
	static const struct {
		const struct noun *noun;
		const char *text, *key; /* NULL = refused */
	} rows[] = {
		{ &noun_partner, "Fabrikam.Example.", "fabrikam.example" },
		{ &noun_partner,
		    "b\xC3\xBC"
		    "cher.example",
		    "xn--bcher-kva.example" },
		{ &noun_partner, "a b", NULL },
		{ &noun_partner, "", NULL },
		{ &noun_gateway_config, "Global", "global" },
		{ &noun_gateway_config, "other", NULL },
		{ &noun_policy, "Global", "global" },
		{ &noun_policy, "FedPic", "tag:fedpic" },
		{ &noun_policy, "Tag:FedPic", "tag:fedpic" },
		{ &noun_policy, "Site:Redmond", "site:redmond" },
		{ &noun_policy, "site:", NULL },
		{ &noun_policy, "service:x", NULL },
		{ &noun_policy, "", NULL },
		{ &noun_grant, "sip:Anna@Contoso.example",
		    "anna@contoso.example" },
		{ &noun_grant, "sip:o'neil@contoso.example",
		    "o\\27neil@contoso.example" },
		{ &noun_grant, "anna", NULL },
		{ &noun_grant, "a@b.example/r", NULL },
		{ &noun_licence, "sip:Anna@contoso.example PIC USL",
		    "anna@contoso.example PIC USL" },
		{ &noun_licence, "* PIC USL", "* PIC USL" },
		{ &noun_licence, "anna@contoso.example", NULL },
		{ &noun_licence, "anna PIC USL", NULL },
		{ &noun_site, "Berlin", "berlin" },
		{ &noun_site, "Site:B\xC3\x84R", "b\xC3\x84r" },
		{ &noun_site, "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char key[NOUN_KEY_MAX];
		bool ok =
		    noun_key(key, sizeof(key), rows[i].noun, rows[i].text);

		if (ok != (rows[i].key != NULL) ||
		    (ok && strcmp(key, rows[i].key) != 0))
			fail_msg("%s \"%s\": %s", rows[i].noun->name,
			    rows[i].text, ok ? key : "refused");
	}
}

static void
values_are_what_they_say(void **state)
{
	static const struct {
		const struct noun *noun;
		const char *member, *texts[3], *json; /* NULL = refused */
	} rows[] = {
		{ &noun_partner, "EnableKeepAlive", { "true" }, "true" },
		{ &noun_partner, "EnableKeepAlive", { "$True" }, "true" },
		{ &noun_partner, "EnableKeepAlive", { "0" }, "false" },
		{ &noun_partner, "EnableKeepAlive", { "True", "$false" },
		    "false" },
		{ &noun_partner, "EnableKeepAlive", { "no" }, NULL },
		{ &noun_partner, "EnableKeepAlive", { "" }, "null" },
		{ &noun_partner, "EnableKeepAlive", { "$Null" }, "null" },
		{ &noun_partner, "ConnectionLimit", { "4294967295" },
		    "4294967295" },
		{ &noun_partner, "ConnectionLimit", { "4294967296" }, NULL },
		{ &noun_partner, "ConnectionLimit", { "-1" }, NULL },
		{ &noun_partner, "ConnectionLimit", { "1x" }, NULL },
		{ &noun_partner, "ConnectionLimit", { "" }, "null" },
		{ &noun_partner, "PartnerType", { "publicverified" },
		    "\"PublicVerified\"" },
		{ &noun_partner, "PartnerType", { "Friend" }, NULL },
		{ &noun_partner, "Description", { "" }, "\"\"" },
		{ &noun_partner, "Description", { "a \xFF" }, NULL },
		{ &noun_partner, "ProxyFqdn", { "XMPP.example" },
		    "\"xmpp.example\"" },
		{ &noun_partner, "ProxyFqdn", { "" }, "\"\"" },
		{ &noun_partner, "ProxyFqdn", { "a b" }, NULL },
		{ &noun_partner, "AdditionalDomains", { "a,b" },
		    "[\"a\",\"b\"]" },
		{ &noun_partner, "AdditionalDomains", { "a", "b" },
		    "[\"a\",\"b\"]" },
		{ &noun_partner, "AdditionalDomains", { "" }, "[]" },
		{ &noun_partner, "AdditionalDomains", { "$Null" }, "[]" },
		{ &noun_partner, "AdditionalDomains", { "Add=a,b" },
		    "{\"Add\":[\"a\",\"b\"]}" },
		{ &noun_partner, "AdditionalDomains", { "add=a;REMOVE=b" },
		    "{\"Add\":[\"a\"],\"Remove\":[\"b\"]}" },
		{ &noun_partner, "AdditionalDomains",
		    { "@{Add=\"a\",\"b\"; Remove='c'}" }, NULL },
		{ &noun_partner, "AdditionalDomains",
		    { "@{Add=\"a\",\"b\";Remove='c'}" },
		    "{\"Add\":[\"a\",\"b\"],\"Remove\":[\"c\"]}" },
		{ &noun_partner, "AdditionalDomains",
		    { "Add=a", "Remove=b", "Add=c" },
		    "{\"Add\":[\"a\",\"c\"],\"Remove\":[\"b\"]}" },
		{ &noun_partner, "AdditionalDomains", { "Replace=a" },
		    "[\"a\"]" },
		{ &noun_partner, "AdditionalDomains", { "a", "Add=b" },
		    "[\"a\",\"b\"]" },
		{ &noun_partner, "AdditionalDomains", { "Drop=a" }, NULL },
		{ &noun_partner, "AdditionalDomains", { "a,,b" }, NULL },
		{ &noun_gateway_config, "DialbackPassphrase",
		    { "seen-by-everybody" }, NULL },
		{ &noun_gateway_config, "DialbackPassphrase",
		    { "@/nowhere/at/all" }, NULL },
		{ &noun_gateway_config, "DialbackPassphrase",
		    { "@tests/vectors/import/gateway.json" }, "*" },
		{ &noun_gateway_config, "DialbackPassphrase", { "" }, "null" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct noun_member *m =
		    noun_member(rows[i].noun, rows[i].member);
		json_t *value = NULL;
		char why[NOUN_VALUE_WHY], *text;
		bool ok = true;

		for (size_t k = 0; k < 3 && ok && rows[i].texts[k] != NULL; k++)
			ok = noun_value_read(&value, m, rows[i].texts[k], why);
		text = ok ? json_dumps(value,
				JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS)
			  : NULL;
		if (ok != (rows[i].json != NULL) ||
		    (ok && strcmp(rows[i].json, "*") != 0 &&
			strcmp(text, rows[i].json) != 0))
			fail_msg("%s %s: %s", rows[i].member, rows[i].texts[0],
			    ok ? text : why);
		free(text);
		json_decref(value);
	}
}

static void
what_is_new_has_nothing_to_remove(void **state)
{
	json_t *v = json_pack("{s:[s]}", "Add", "a");

	(void)state;
	assert_true(noun_value_settle(&v));
	assert_true(json_is_array(v) && json_array_size(v) == 1);
	assert_true(noun_value_settle(&v));
	json_decref(v);
	v = json_pack("{s:[s], s:[s]}", "Add", "a", "Remove", "b");
	assert_false(noun_value_settle(&v));
	json_decref(v);
}

static void
values_are_shown_as_powershell_does(void **state)
{
	static const struct {
		const char *json, *line;
	} rows[] = {
		{ "true", "True" },
		{ "false", "False" },
		{ "null", "" },
		{ "20", "20" },
		{ "\"x\"", "x" },
		{ "[]", "{}" },
		{ "[\"a\",\"b\"]", "{a, b}" },
		{ "\"a\\u001b[31mb\\u202ec\"", "a?[31mb?c" },
		{ "{\"a\":1}", "{\"a\": 1}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *v = json_loads(rows[i].json, JSON_DECODE_ANY, NULL);
		char *line = noun_value_line(v);

		assert_string_equal(line, rows[i].line);
		free(line);
		json_decref(v);
	}
}

static void
tables_are_whole(void **state)
{
	static const char *const names[] = { "partner", "gateway-config",
		"access-edge", "site", "policy", "grant", "provider", "licence",
		"token" };

	(void)state;
	assert_null(noun_find("nothing"));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct noun *n = noun_find(names[i]);
		size_t count = 0;

		assert_non_null(n);
		assert_non_null(n->examples);
		for (const struct noun_member *m = n->members; m->name != NULL;
		     m++, count++) {
			assert_non_null(m->what);
			assert_int_equal(
			    m->type == NOUN_WORD, m->words != NULL);
			assert_ptr_equal(noun_member(n, m->name), m);
		}
		assert_in_range(count, 1, NOUN_REQUEST_MEMBERS);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_take_the_gateways_form),
		cmocka_unit_test(values_are_what_they_say),
		cmocka_unit_test(what_is_new_has_nothing_to_remove),
		cmocka_unit_test(values_are_shown_as_powershell_does),
		cmocka_unit_test(tables_are_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
