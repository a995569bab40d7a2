/* The model: members and their bounds, merging, versions, what refuses a
 * commit and what only warns, and who hears of it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sqlite3.h>

#include "common/err.h"
#include "frontend-gateway/store/setting_store.h"
#include "tests/unit/settings_world.h"

static struct settings_test t;

static int
on_setup(void **state)
{
	(void)state;
	settings_test_init(&t);
	return 0;
}

static int
on_teardown(void **state)
{
	(void)state;
	settings_test_finish(&t);
	return 0;
}

static void
contains(const char *text, const char *words)
{
	if (strstr(text, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", text, words);
}

static const char *
shown(const char *kind, const char *key)
{
	static char text[4096];
	const struct setting *s = settings_view_get(
	    settings_now(t.settings), setting_kind_find(kind), key);
	json_t *j;
	char *dump;

	if (s == NULL)
		return "-";
	j = setting_shown(s);
	dump = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);
	snprintf(text, sizeof(text), "%s", dump);
	free(dump);
	json_decref(j);
	return text;
}

/* --- members -------------------------------------------------------------- */

/* One member of a partner: what is stored of it, or the problem. */
static const struct {
	const char *object, *stored, *problem;
} members[] = {
	{ "{}", "{'Domain':'p.example'}", NULL },
	{ "{'domain':'P.Example.'}", "{'Domain':'p.example'}", NULL },
	{ "{'Identity':'P.EXAMPLE'}", "{'Domain':'p.example'}", NULL },
	{ "{'Domain':'q.example'}", NULL,
	    "/Domain: \"q.example\" is not the key, p.example" },
	{ "{'Identity':'q.example'}", NULL, "/Identity: \"q.example\" is not" },
	{ "{'Domain':7}", NULL, "/Domain: is not a text" },
	{ "{'Domain':'*.example'}", NULL, "there are no wildcards" },
	{ "{'Domain':'p q'}", NULL, "\"p q\" is not a domain name" },
	{ "{'AdditionalDomains':['B.Example','a.example']}",
	    "{'AdditionalDomains':['a.example','b.example'],"
	    "'Domain':'p.example'}",
	    NULL },
	{ "{'AdditionalDomains':'b.example'}",
	    "{'AdditionalDomains':['b.example'],'Domain':'p.example'}", NULL },
	{ "{'AdditionalDomains':['b.example','B.EXAMPLE']}", NULL,
	    "b.example is listed twice" },
	{ "{'AdditionalDomains':['b.example','*.example']}", NULL,
	    "/AdditionalDomains/1: \"*.example\": domains are listed one by "
	    "one" },
	{ "{'AdditionalDomains':['p.example']}", NULL,
	    "p.example is the partner's Domain already" },
	{ "{'AdditionalDomains':{'Add':['b.example']}}", NULL,
	    "/AdditionalDomains: is not a list" },
	{ "{'AdditionalDomains':true}", NULL, "is not a list" },
	{ "{'AdditionalDomains':null}", "{'Domain':'p.example'}", NULL },
	{ "{'ConnectionLimit':0}", "{'ConnectionLimit':0,'Domain':'p.example'}",
	    NULL },
	{ "{'ConnectionLimit':4294967295}",
	    "{'ConnectionLimit':4294967295,'Domain':'p.example'}", NULL },
	{ "{'ConnectionLimit':4294967296}", NULL,
	    "4294967296 is not between 0 and 4294967295" },
	{ "{'ConnectionLimit':-1}", NULL, "-1 is not between" },
	{ "{'ConnectionLimit':1.5}", NULL, "is not a whole number" },
	{ "{'ConnectionLimit':'5'}", NULL, "is not a whole number" },
	{ "{'Description':'a\\nb\\tc'}",
	    "{'Description':'a\\nb\\tc','Domain':'p.example'}", NULL },
	{ "{'Description':'a\\u0007b'}", NULL, "contains a control character" },
	{ "{'Description':[]}", NULL, "/Description: is not a text" },
	{ "{'EnableKeepAlive':false}",
	    "{'Domain':'p.example','EnableKeepAlive':false}", NULL },
	{ "{'EnableKeepAlive':'False'}", NULL, "is neither true nor false" },
	{ "{'PartnerType':'federated'}",
	    "{'Domain':'p.example','PartnerType':'Federated'}", NULL },
	{ "{'PartnerType':'Friend'}", NULL,
	    "\"Friend\" is not one of Federated, PublicVerified, "
	    "PublicUnverified" },
	{ "{'ProxyFqdn':'X.Example'}",
	    "{'Domain':'p.example','ProxyFqdn':'x.example'}", NULL },
	{ "{'ProxyFqdn':''}", "{'Domain':'p.example','ProxyFqdn':''}", NULL },
	{ "{'ProxyFqdn':'-'}", NULL, "is not a domain name" },
	{ "{'Formatting':false}", "{'Domain':'p.example','Formatting':false}",
	    NULL },
	{ "{'Provider':'Nobody'}", NULL,
	    "/Provider: there is no provider \"Nobody\"" },
	{ "{'Colour':'red'}", NULL,
	    "/Colour: a partner has no such parameter" },
	{ "{'Formatting':true,'formatting':true}", NULL,
	    "/formatting: is given twice" },
	{ "{'AdditionalDomains':['contoso.example']}", NULL,
	    "/AdditionalDomains/0: contoso.example is a name of our own" },
	{ "[]", NULL, "is not an object" },
};

static void
each_member_is_checked(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		int rc = settings_test_put(
		    &t, "partner", "p.example", members[i].object);
		json_t *want;
		char *text;

		if (members[i].problem != NULL) {
			assert_int_equal(rc, ERR_CONFIG);
			contains(t.last.problems, members[i].problem);
			contains(t.last.why, "partner p.example");
			continue;
		}
		if (rc != 0)
			fail_msg("%s: %s", members[i].object, t.last.why);
		want = settings_test_json(members[i].stored);
		text = json_dumps(want, JSON_COMPACT | JSON_SORT_KEYS);
		assert_string_equal(shown("partner", "p.example"), text);
		free(text);
		json_decref(want);
	}
}

static void
a_text_is_bounded(void **state)
{
	json_t *o = json_object();
	char text[4098];
	struct settings_change c = { .kind = setting_kind_find("partner"),
		.key = "p.example",
		.action = SETTINGS_PUT,
		.object = o,
		.version = SETTINGS_ANY };

	(void)state;
	memset(text, 'x', sizeof(text));
	text[4097] = '\0';
	json_object_set_new(o, "Description", json_string(text));
	assert_int_equal(settings_test_batch(&t, &c, 1, false), ERR_CONFIG);
	contains(t.last.problems, "has 4097 bytes, 0 to 4096 are possible");
	text[4096] = '\0';
	json_object_set_new(o, "Description", json_string(text));
	assert_int_equal(settings_test_batch(&t, &c, 1, false), 0);
	json_decref(o);
}

static void
keys_are_read(void **state)
{
	(void)state;
	assert_int_equal(
	    settings_test_put(&t, "partner", "no domain", "{}"), ERR_CONFIG);
	contains(t.last.problems, "\"no domain\" is not a domain name");
	assert_int_equal(
	    settings_test_put(&t, "partner", NULL, "{}"), ERR_CONFIG);
	contains(t.last.problems, "a partner needs a name");
	assert_int_equal(settings_test_put(&t, "partner", NULL,
			     "{'Domain':'B\xc3\xbc"
			     "cher.example'}"),
	    0);
	assert_string_not_equal(shown("partner", "xn--bcher-kva.example"), "-");
	assert_int_equal(
	    settings_test_put(&t, "gateway-config", "Redmond", "{}"),
	    ERR_CONFIG);
	contains(t.last.problems, "none can be made");
	assert_int_equal(settings_test_patch(&t, "gateway-config", "Global",
			     "{'ConnectionLimit':5}"),
	    0);
	assert_string_equal(
	    shown("gateway-config", "global"), "{\"ConnectionLimit\":5}");
}

static void
our_own_names_are_no_partners(void **state)
{
	(void)state;
	assert_int_equal(
	    settings_test_put(&t, "partner", "pool.contoso.example", "{}"),
	    ERR_CONFIG);
	contains(t.last.problems, "could speak for employees");
}

/* --- the negotiation matrix ----------------------------------------------- */

static void
the_matrix_refuses_warns_and_explains(void **state)
{
	static const char *const levels[] = { "Required", "Optional",
		"NotSupported" };
	/* Rows TLS, columns SASL, each with dialback and without:
	 * v valid, d dialback inert, s SASL needs TLS, x invalid without
	 * TLS, n nothing enabled. */
	static const char *const want[3] = { "dvvvvn", "ssssvn", "sxsxvn" };

	(void)state;
	for (size_t i = 0; i < 18; i++) {
		const char verdict = want[i / 6][i % 6];
		char object[256];
		int rc;

		snprintf(object, sizeof(object),
		    "{'TlsNegotiation':'%s','SaslNegotiation':'%s',"
		    "'SupportDialbackNegotiation':%s}",
		    levels[i / 6], levels[i % 6 / 2],
		    i % 2 == 0 ? "true" : "false");
		rc = settings_test_put(&t, "partner", "p.example", object);
		assert_int_equal(
		    rc, verdict == 'x' || verdict == 'n' ? ERR_CONFIG : 0);
		if (verdict == 'v')
			assert_string_equal(t.last.warnings, "");
		else if (verdict == 'd')
			contains(t.last.warnings,
			    "/SupportDialbackNegotiation: dialback is never "
			    "used");
		else if (verdict == 's')
			contains(t.last.warnings,
			    "/SaslNegotiation: SASL needs TLS");
		else if (verdict == 'x')
			contains(t.last.problems,
			    "/TlsNegotiation: SASL cannot run without TLS, "
			    "and dialback is off");
		else
			contains(t.last.problems,
			    "/TlsNegotiation: SASL or dialback must be "
			    "enabled");
	}
}

/* --- several settings ----------------------------------------------------- */

static void
a_domain_belongs_to_one_partner(void **state)
{
	(void)state;
	assert_int_equal(settings_test_put(&t, "partner", "a.example",
			     "{'AdditionalDomains':['more.example']}"),
	    0);
	assert_int_equal(
	    settings_test_put(&t, "partner", "more.example", "{}"), ERR_CONFIG);
	contains(t.last.problems,
	    "/Domain: more.example belongs to the partner a.example already");
	assert_int_equal(
	    settings_test_put(&t, "partner", "0.example",
		"{'AdditionalDomains':['a.example','more.example']}"),
	    ERR_CONFIG);
	contains(t.last.problems,
	    "/AdditionalDomains: a.example belongs to the partner a.example");
	contains(t.last.problems,
	    "/AdditionalDomains: more.example belongs to the partner");
	assert_string_equal(shown("partner", "more.example"), "-");
}

static void
lists_take_additions_and_removals(void **state)
{
	static const struct {
		const char *patch, *want, *warning;
	} table[] = {
		{ "{'AdditionalDomains':{'Add':['c.example','B.example']}}",
		    "['b.example','c.example']", "" },
		{ "{'AdditionalDomains':{'Add':'c.example'}}",
		    "['b.example','c.example']", "" },
		{ "{'AdditionalDomains':{'Remove':['b.example','x.example'],"
		  "'Add':['a.example']}}",
		    "['a.example','c.example']",
		    "/AdditionalDomains: x.example was not listed;" },
		{ "{'AdditionalDomains':{'Replace':['z.example']}}",
		    "['z.example']", "" },
		{ "{'Description':'kept'}", "['z.example']", "" },
		{ "{'AdditionalDomains':['y.example']}", "['y.example']", "" },
		{ "{'AdditionalDomains':null}", NULL, "" },
	};
	const struct setting_kind *kind = setting_kind_find("partner");

	(void)state;
	assert_int_equal(
	    settings_test_put(&t, "partner", "p.example",
		"{'PartnerType':'Federated','SupportDialbackNegotiation':"
		"false}"),
	    0);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct setting *s;
		json_t *want;

		if (settings_test_patch(
			&t, "partner", "p.example", table[i].patch) != 0)
			fail_msg("%s: %s", table[i].patch, t.last.why);
		assert_string_equal(t.last.warnings, table[i].warning);
		s = settings_view_get(
		    settings_now(t.settings), kind, "p.example");
		assert_int_equal(setting_choice(s, "PartnerType"), 0);
		want = table[i].want != NULL ? settings_test_json(table[i].want)
					     : NULL;
		assert_true(
		    json_equal(setting_list(s, "AdditionalDomains"), want) ||
		    (want == NULL &&
			setting_list(s, "AdditionalDomains") == NULL));
		json_decref(want);
	}
	assert_int_equal(settings_test_patch(&t, "partner", "p.example",
			     "{'AdditionalDomains':{'Insert':['b.example']}}"),
	    ERR_CONFIG);
	contains(t.last.problems, "\"Insert\" is none of Add, Remove");
}

static void
a_batch_is_done_as_a_whole(void **state)
{
	json_t *o = json_object();
	const struct setting_kind *partner = setting_kind_find("partner");
	struct settings_change c[] = {
		{ partner, "a.example", SETTINGS_PUT, o, SETTINGS_ANY },
		{ partner, "b.example", SETTINGS_PUT, o, SETTINGS_ANY },
		{ partner, "contoso.example", SETTINGS_PUT, o, SETTINGS_ANY },
		{ partner, "A.example", SETTINGS_PUT, o, SETTINGS_ANY },
	};

	(void)state;
	assert_int_equal(settings_test_batch(&t, c, 3, false), ERR_CONFIG);
	assert_string_equal(shown("partner", "a.example"), "-");
	c[2] = c[3];
	assert_int_equal(settings_test_batch(&t, c, 3, false), ERR_CONFIG);
	contains(t.last.problems, "is changed twice in one commit");
	assert_int_equal(settings_test_batch(&t, c, 2, true), 0);
	assert_int_equal(t.last.changed, 2);
	assert_int_equal(t.last.version, 0);
	assert_string_equal(shown("partner", "a.example"), "-");
	assert_int_equal(settings_test_batch(&t, c, 2, false), 0);
	assert_int_equal(t.last.version, 1);
	/* The second time nothing changes, which costs nothing. */
	assert_int_equal(settings_test_batch(&t, c, 2, false), 0);
	assert_int_equal(t.last.changed, 0);
	assert_int_equal(t.last.version, 0);
	/* A domain moves from one partner to another in one commit. */
	json_decref(o);
	o = settings_test_json("{'AdditionalDomains':['b.example']}");
	c[0].object = o;
	c[1] = (struct settings_change){ partner, "b.example", SETTINGS_REMOVE,
		NULL, SETTINGS_ANY };
	assert_int_equal(settings_test_batch(&t, c, 2, false), 0);
	assert_int_equal(t.last.version, 2);
	json_decref(o);
}

static void
two_admins_do_not_overwrite_each_other(void **state)
{
	static const struct {
		enum settings_action action;
		const char *object;
		uint64_t version;
		int rc;
	} table[] = {
		{ SETTINGS_PATCH, "{}", SETTINGS_ANY, ERR_NOT_FOUND },
		{ SETTINGS_REMOVE, NULL, SETTINGS_ANY, ERR_NOT_FOUND },
		{ SETTINGS_PUT, "{}", 7, ERR_CONFLICT },
		{ SETTINGS_PUT, "{}", SETTINGS_ABSENT, 0 },
		{ SETTINGS_PUT, "{}", SETTINGS_ABSENT, ERR_EXISTS },
		{ SETTINGS_PATCH, "{'ConnectionLimit':3}", 1, 0 },
		{ SETTINGS_PATCH, "{'ConnectionLimit':4}", 1, ERR_CONFLICT },
		{ SETTINGS_REMOVE, NULL, 1, ERR_CONFLICT },
		{ SETTINGS_REMOVE, NULL, 2, 0 },
		{ SETTINGS_PUT, "{}", 2, ERR_CONFLICT },
		{ SETTINGS_PUT, "{}", SETTINGS_ABSENT, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		int rc = settings_test_commit(&t, "partner", "p.example",
		    table[i].action, table[i].object, table[i].version);

		if (rc != table[i].rc)
			fail_msg("%zu: %s", i, t.last.why);
		if (rc == ERR_CONFLICT)
			contains(t.last.why, "was changed meanwhile");
	}
	assert_int_equal(t.last.version, 4);
}

static void
a_built_in_entry_comes_back(void **state)
{
	(void)state;
	assert_int_equal(settings_test_put(&t, "gateway-config", NULL,
			     "{'PartnerConnectionLimit':7}"),
	    0);
	contains(t.last.after, "\"PartnerConnectionLimit\":7");
	contains(t.last.after, "\"KeepAliveInterval\":300");
	contains(t.last.after, "\"SubscriptionRefreshInterval\":28800");
	assert_string_equal(t.last.set, "[\"PartnerConnectionLimit\"]");
	settings_test_restart(&t);
	assert_string_equal(shown("gateway-config", "global"),
	    "{\"PartnerConnectionLimit\":7}");
	assert_int_equal(settings_test_commit(&t, "gateway-config", NULL,
			     SETTINGS_REMOVE, NULL, SETTINGS_ANY),
	    0);
	contains(t.last.after, "\"PartnerConnectionLimit\":20");
	assert_string_equal(shown("gateway-config", "global"), "{}");
	assert_int_equal(settings_view_count(settings_now(t.settings),
			     setting_kind_find("gateway-config")),
	    1);
}

/* --- secrets -------------------------------------------------------------- */

struct trail {
	size_t done;
	char text[8192];
};

static void
on_audit(int rc, const char *why, const struct audit_row *rows, size_t count,
    void *arg)
{
	struct trail *trail = arg;

	(void)why;
	assert_int_equal(rc, 0);
	trail->done++;
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(trail->text);

		snprintf(trail->text + len, sizeof(trail->text) - len, "%s>%s;",
		    rows[i].before != NULL ? rows[i].before : "-",
		    rows[i].after != NULL ? rows[i].after : "-");
	}
}

static const char *
secret(void)
{
	const char *s =
	    setting_secret(settings_view_get(settings_now(t.settings),
			       setting_kind_find("gateway-config"), "global"),
		"DialbackPassphrase");

	return s != NULL ? s : "-";
}

static void
a_secret_never_comes_out(void **state)
{
	static struct trail trail;

	(void)state;
	assert_int_equal(settings_test_patch(&t, "gateway-config", NULL,
			     "{'DialbackPassphrase':'too short'}"),
	    ERR_CONFIG);
	contains(t.last.problems, "has 9 bytes, 16 to 64 are possible");
	assert_null(strstr(t.last.problems, "too short"));
	assert_int_equal(settings_test_patch(&t, "gateway-config", NULL,
			     "{'DialbackPassphrase':'one-one-one-one-one'}"),
	    0);
	assert_null(strstr(t.last.after, "one-one"));
	assert_string_equal(t.last.set, "[\"DialbackPassphrase\"]");
	assert_string_equal(secret(), "one-one-one-one-one");
	/* It cannot be sent back, so leaving it out keeps it. */
	assert_int_equal(settings_test_put(&t, "gateway-config", NULL,
			     "{'ConnectionLimit':9}"),
	    0);
	settings_test_restart(&t);
	assert_string_equal(secret(), "one-one-one-one-one");
	assert_int_equal(settings_test_patch(&t, "gateway-config", NULL,
			     "{'DialbackPassphrase':'two-two-two-two-two'}"),
	    0);
	assert_int_equal(t.last.changed, 1);
	assert_int_equal(settings_test_patch(&t, "gateway-config", NULL,
			     "{'DialbackPassphrase':null}"),
	    0);
	assert_string_equal(secret(), "-");
	assert_int_equal(setting_store_audit(
			     t.setting_store, 0, 100, false, on_audit, &trail),
	    0);
	while (trail.done == 0)
		uv_run(&t.loop, UV_RUN_ONCE);
	assert_string_equal(trail.text,
	    "->{\"DialbackPassphrase\":\"set\"};"
	    "{\"DialbackPassphrase\":\"set\"}>"
	    "{\"ConnectionLimit\":9,\"DialbackPassphrase\":\"set\"};"
	    "{\"ConnectionLimit\":9,\"DialbackPassphrase\":\"set\"}>"
	    "{\"ConnectionLimit\":9,\"DialbackPassphrase\":\"changed\"};"
	    "{\"ConnectionLimit\":9,\"DialbackPassphrase\":\"set\"}>"
	    "{\"ConnectionLimit\":9};");
}

/* --- who is asked and told ------------------------------------------------ */

static struct heard {
	char text[512];
	bool refuse;
} heard;

static void
hear(const char *what)
{
	size_t len = strlen(heard.text);

	snprintf(heard.text + len, sizeof(heard.text) - len, "%s;", what);
}

static void
on_proposed(const struct settings_view *after,
    const struct settings_delta *deltas, size_t count, bool dry_run,
    struct settings_report *report, const char **hash, void *arg)
{
	(void)deltas;
	(void)arg;
	assert_int_equal(count, 1);
	assert_int_equal(
	    settings_view_count(after, setting_kind_find("partner")), 1);
	hear(dry_run ? "dry" : "proposed");
	*hash = "aa";
	if (heard.refuse)
		settings_report_problem(report, NULL, "the gate says no");
}

static uint64_t
on_in_force(uint64_t generation, void *arg)
{
	(void)arg;
	assert_int_equal(generation, 1);
	hear("in-force");
	return 10 + generation;
}

static void
on_dropped(void *arg)
{
	(void)arg;
	hear("dropped");
}

static void
on_change(const struct settings_view *now, const struct settings_delta *deltas,
    size_t count, void *arg)
{
	(void)arg;
	assert_int_equal(count, 1);
	assert_ptr_equal(now, settings_now(t.settings));
	assert_null(deltas[0].before);
	assert_string_equal(deltas[0].key, "p.example");
	hear("changed");
}

static void
gate_and_listeners_hear_in_order(void **state)
{
	static const struct settings_gate gate = { on_proposed, on_in_force,
		on_dropped, NULL };
	struct settings_listener l = { .on_change = on_change };
	json_t *o = json_object();
	struct settings_change c = { setting_kind_find("partner"), "p.example",
		SETTINGS_PUT, o, SETTINGS_ANY };

	(void)state;
	memset(&heard, 0, sizeof(heard));
	settings_set_gate(t.settings, &gate);
	settings_listen(t.settings, &l);
	assert_int_equal(settings_test_batch(&t, &c, 1, true), 0);
	heard.refuse = true;
	assert_int_equal(settings_test_batch(&t, &c, 1, false), ERR_CONFIG);
	contains(t.last.why, "the gate says no");
	heard.refuse = false;
	assert_int_equal(settings_test_batch(&t, &c, 1, false), 0);
	assert_int_equal(t.last.generation, 11);
	assert_string_equal(heard.text,
	    "dry;dropped;proposed;dropped;proposed;in-force;changed;");
	settings_unlisten(&l);
	json_decref(o);
}

/* --- the store ------------------------------------------------------------ */

static void
a_row_that_cannot_be_is_refused(void **state)
{
	static const struct {
		const char *row, *words;
	} table[] = {
		{ "'colour', 'red', 1, '{}'", "there is no such kind" },
		{ "'partner', 'x.example', 1, '{'",
		    "x.example cannot be used:  is not an object" },
		{ "'partner', 'x.example', 1, '{\"Domain\":\"x.example\","
		  "\"ConnectionLimit\":-1}'",
		    "/ConnectionLimit -1 is not between" },
	};
	char text[512];
	sqlite3 *db;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		settings_test_stop(&t);
		assert_int_equal(sqlite3_open(t.path, &db), SQLITE_OK);
		snprintf(text, sizeof(text),
		    "DELETE FROM setting; INSERT INTO setting VALUES (%s)",
		    table[i].row);
		assert_int_equal(
		    sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
		sqlite3_close(db);
		assert_int_equal(
		    settings_test_try(&t, text, sizeof(text)), ERR_STORE);
		contains(text, table[i].words);
		assert_int_equal(sqlite3_open(t.path, &db), SQLITE_OK);
		assert_int_equal(
		    sqlite3_exec(db, "DELETE FROM setting", NULL, NULL, NULL),
		    SQLITE_OK);
		sqlite3_close(db);
		settings_test_start(&t);
	}
}

/* --- size ----------------------------------------------------------------- */

static double
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
a_thousand_partners_are_no_burden(void **state)
{
	enum { COUNT = 1000 };
	static struct settings_change c[COUNT];
	static char keys[COUNT][32];
	json_t *o = json_object();
	double begin;

	(void)state;
	for (int i = 0; i < COUNT; i++) {
		snprintf(keys[i], sizeof(keys[i]), "p%04d.example", i);
		c[i] = (struct settings_change){ setting_kind_find("partner"),
			keys[i], SETTINGS_PUT, o, SETTINGS_ABSENT };
	}
	begin = now_s();
	assert_int_equal(settings_test_batch(&t, c, COUNT, false), 0);
	assert_true(now_s() - begin < 5);
	begin = now_s();
	assert_int_equal(settings_test_patch(&t, "partner", "p0500.example",
			     "{'ConnectionLimit':5}"),
	    0);
	assert_true(now_s() - begin < 1);
	settings_test_restart(&t);
	assert_int_equal(settings_view_count(settings_now(t.settings),
			     setting_kind_find("partner")),
	    COUNT);
	json_decref(o);
}

static void
lists_are_filtered_and_paged(void **state)
{
	static const char *const names[] = { "a.example", "b.example",
		"c.test" };
	static const struct {
		const char *pattern, *text;
		bool fits;
	} patterns[] = {
		{ NULL, "x", true },
		{ "", "x", true },
		{ "*", "", true },
		{ "*.example", "a.example", true },
		{ "*.EXAMPLE", "a.example", true },
		{ "?.example", "a.example", true },
		{ "?.example", "aa.example", false },
		{ "a*e", "a.example", true },
		{ "a*m", "a.example", false },
		{ "**a**", "bab", true },
		{ "*ab*abc*", "ababab-abc", true },
		{ "a.example", "a.example.org", false },
		{ "*a*a*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		    false },
	};
	const struct setting_kind *kind = setting_kind_find("partner");
	const struct settings_view *v;

	(void)state;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		assert_int_equal(
		    settings_view_fits(patterns[i].pattern, patterns[i].text),
		    patterns[i].fits);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(
		    settings_test_put(&t, "partner", names[2 - i], "{}"), 0);
	v = settings_now(t.settings);
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(
		    settings_view_at(v, kind, i)->key, names[i]);
		assert_int_equal(
		    settings_view_behind(v, kind, names[i]), i + 1);
	}
	assert_int_equal(settings_view_behind(v, kind, NULL), 0);
	assert_int_equal(settings_view_behind(v, kind, "a.examplf"), 1);
	assert_int_equal(settings_view_behind(v, kind, "zzz"), 3);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, on_setup, on_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_member_is_checked),
		TEST(a_text_is_bounded),
		TEST(keys_are_read),
		TEST(our_own_names_are_no_partners),
		TEST(the_matrix_refuses_warns_and_explains),
		TEST(a_domain_belongs_to_one_partner),
		TEST(lists_take_additions_and_removals),
		TEST(a_batch_is_done_as_a_whole),
		TEST(two_admins_do_not_overwrite_each_other),
		TEST(a_built_in_entry_comes_back),
		TEST(a_secret_never_comes_out),
		TEST(gate_and_listeners_hear_in_order),
		TEST(a_row_that_cannot_be_is_refused),
		TEST(a_thousand_partners_are_no_burden),
		TEST(lists_are_filtered_and_paged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
