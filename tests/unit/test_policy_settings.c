/* What administrators set, and what follows from it in the same turn: the kinds
 * of access, and policy that listens. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sqlite3.h>

#include "common/clock.h"
#include "common/err.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/policy/access.h"
#include "frontend-gateway/policy/day.h"
#include "frontend-gateway/policy/policy.h"
#include "tests/unit/gateway_sample.h"
#include "tests/unit/settings_world.h"

#define ANNA "anna@contoso.example"
#define OLAF "olaf@contoso.example"
#define BO   "bo@partner.example"

static const uint64_t day_ms = 86400000;

static struct settings_test t;
static struct gateway_conf *conf;
static struct policy *policy;
static char told[512]; /* whom changes concerned */

static void
on_change(const char *user, void *arg)
{
	size_t at = strlen(told);

	(void)arg;
	snprintf(
	    told + at, sizeof(told) - at, "%s;", user != NULL ? user : "all");
}

static int
on_setup(void **state)
{
	(void)state;
	settings_test_init(&t);
	conf = gateway_sample(NULL);
	assert_int_equal(policy_new(&policy, conf, 0), 0);
	assert_int_equal(
	    policy_follow(policy, t.settings, t.clock, on_change, NULL), 0);
	told[0] = '\0';
	return 0;
}

static int
on_teardown(void **state)
{
	(void)state;
	policy_free(policy);
	gateway_conf_free(conf);
	settings_test_finish(&t);
	return 0;
}

static void
contains(const char *text, const char *words)
{
	if (strstr(text, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", text, words);
}

static void
put(const char *kind, const char *key, const char *object)
{
	if (settings_test_put(&t, kind, key, object) != 0)
		fail_msg(
		    "%s %s: %s %s", kind, key, t.last.why, t.last.problems);
}

static void
take_away(const char *kind, const char *key)
{
	if (settings_test_commit(
		&t, kind, key, SETTINGS_REMOVE, NULL, SETTINGS_ANY) != 0)
		fail_msg(
		    "%s %s: %s %s", kind, key, t.last.why, t.last.problems);
}

static void
refused(
    const char *kind, const char *key, const char *object, const char *problem)
{
	assert_int_equal(settings_test_put(&t, kind, key, object), ERR_CONFIG);
	contains(t.last.problems, problem);
}

/* The cause that a user's message is refused with; ERRORS_CAUSE_COUNT: it is
 * not. */
static enum errors_cause
cause_of(const char *user, enum rights_use use)
{
	const struct policy_outward o = { user, "contoso.example",
		"partner.example", use };
	struct policy_refusal why;

	return policy_judge_outward(policy, &why, &o) == 0 ? ERRORS_CAUSE_COUNT
							   : why.cause;
}

/* Both ways at once. */
static void
judged(const char *user, enum errors_cause cause)
{
	struct policy_inward in =
	    policy_judge_inward(policy, user, BO, "partner.example");
	struct policy_presence may =
	    policy_judge_presence(policy, user, BO, "partner.example");
	bool permitted = cause == ERRORS_CAUSE_COUNT;

	assert_int_equal(cause_of(user, RIGHTS_MESSAGES), cause);
	assert_int_equal(in.standing != POLICY_DENIED, permitted);
	assert_int_equal(may.may_talk, permitted);
	assert_int_equal(may.may_watch, permitted);
	assert_true(may.may_ask);
}

static void
permit_all(void)
{
	put("access-edge", "global", "{'AllowFederatedUsers':true}");
	put("policy", "global",
	    "{'EnableFederationAccess':true,'EnableXmppAccess':true}");
	told[0] = '\0';
}

/* --- rights, live --------------------------------------------------------- */

static void
each_switch_counts_at_once(void **state)
{
	(void)state;
	/* The users of the file count no more. */
	judged(ANNA, ERRORS_FEDERATION_OFF);
	put("access-edge", "Global", "{'allowfederatedusers':true}");
	judged(ANNA, ERRORS_USER_NOT_PERMITTED);
	put("policy", "Global", "{'EnableXmppAccess':true}");
	contains(t.last.warnings, "as long as EnableFederationAccess is off");
	judged(ANNA, ERRORS_NO_FEDERATION_ACCESS);
	put("policy", "global", "{'EnableFederationAccess':true}");
	judged(ANNA, ERRORS_NO_XMPP_ACCESS);
	assert_int_equal(settings_test_patch(&t, "policy", "global",
			     "{'EnableXmppAccess':true}"),
	    0);
	judged(ANNA, ERRORS_CAUSE_COUNT);
	assert_string_equal(told, "all;all;all;all;");
	take_away("policy", "global");
	judged(ANNA, ERRORS_USER_NOT_PERMITTED);
	permit_all();
	judged(ANNA, ERRORS_CAUSE_COUNT);
	take_away("access-edge", "global");
	judged(ANNA, ERRORS_FEDERATION_OFF);
}

static void
her_own_policy_comes_first(void **state)
{
	json_t *j;

	(void)state;
	permit_all();
	put("policy", "Tag:None", "{}");
	put("policy", "site:Home", "{'EnableXmppAccess':true}");
	contains(t.last.warnings, "there is no site home");
	told[0] = '\0';
	put("grant", "SIP:Anna@Contoso.example", "{'PolicyName':'none'}");
	assert_string_equal(told, ANNA ";");
	judged(ANNA, ERRORS_USER_NOT_PERMITTED);
	judged(OLAF, ERRORS_CAUSE_COUNT);
	put("site", "HOME", "{'SipDomains':['contoso.example']}");
	judged(ANNA, ERRORS_USER_NOT_PERMITTED);
	judged(OLAF, ERRORS_NO_FEDERATION_ACCESS);
	j = policy_explain(policy, OLAF);
	assert_string_equal(
	    json_string_value(json_object_get(j, "scope")), "site");
	assert_string_equal(
	    json_string_value(json_object_get(j, "policy")), "site:home");
	assert_string_equal(json_string_value(json_object_get(j, "missing")),
	    "EnableFederationAccess-off");
	json_decref(j);
	take_away("grant", ANNA);
	judged(ANNA, ERRORS_NO_FEDERATION_ACCESS);
	take_away("site", "home");
	contains(t.last.warnings, "site:home holds for nobody");
	judged(ANNA, ERRORS_CAUSE_COUNT);
	j = policy_explain(policy, ANNA);
	assert_true(json_is_true(json_object_get(j, "xmpp")));
	assert_string_equal(
	    json_string_value(json_object_get(j, "missing")), "");
	json_decref(j);
}

static void
a_policy_that_is_held_stays(void **state)
{
	const struct setting_kind *grant = setting_kind_find("grant");
	const struct setting_kind *kind = setting_kind_find("policies");
	const struct settings_change both[] = {
		{ kind, "held", SETTINGS_REMOVE, NULL, SETTINGS_ANY },
		{ grant, ANNA, SETTINGS_REMOVE, NULL, SETTINGS_ANY },
		{ grant, OLAF, SETTINGS_REMOVE, NULL, SETTINGS_ANY },
	};

	(void)state;
	refused("grant", ANNA, "{'PolicyName':'Held'}",
	    "/PolicyName: there is no policy tag:held");
	put("policy", "held", "{}");
	put("grant", ANNA, "{'PolicyName':'Held'}");
	put("grant", OLAF, "{'PolicyName':'Tag:HELD'}");
	assert_int_equal(settings_test_commit(&t, "policy", "held",
			     SETTINGS_REMOVE, NULL, SETTINGS_ANY),
	    ERR_CONFIG);
	contains(t.last.problems,
	    "tag:held is granted to 2 users, one of them " ANNA);
	told[0] = '\0';
	assert_int_equal(settings_test_batch(&t, both, 3, false), 0);
	assert_string_equal(told, "all;");
	assert_int_equal(
	    settings_view_count(settings_now(t.settings), grant), 0);
}

static void
many_grants_are_told_at_once(void **state)
{
	enum { MANY = 65 };
	static char users[MANY][64];
	struct settings_change changes[MANY];
	json_t *object = settings_test_json("{'PolicyName':'p'}");

	(void)state;
	put("policy", "p", "{}");
	for (int i = 0; i < MANY; i++) {
		snprintf(users[i], sizeof(users[i]), "u%d@contoso.example", i);
		changes[i] =
		    (struct settings_change){ setting_kind_find("grant"),
			    users[i], SETTINGS_PUT, object, SETTINGS_ANY };
	}
	told[0] = '\0';
	assert_int_equal(settings_test_batch(&t, changes, MANY, false), 0);
	assert_string_equal(told, "all;");
	json_decref(object);
}

/* A commit that has nothing to do with rights, or does nothing. */
static void
what_changes_no_right_is_not_told(void **state)
{
	(void)state;
	put("partner", "p.example", "{}");
	put("gateway-config", "global", "{'ConnectionLimit':5}");
	assert_string_equal(told, "");
}

static void
what_was_set_is_there_after_a_restart(void **state)
{
	(void)state;
	permit_all();
	put("policy", "none", "{}");
	put("grant", OLAF, "{'PolicyName':'none'}");
	policy_free(policy);
	settings_test_restart(&t);
	assert_int_equal(policy_new(&policy, conf, 0), 0);
	assert_int_equal(
	    policy_follow(policy, t.settings, t.clock, on_change, NULL), 0);
	judged(ANNA, ERRORS_CAUSE_COUNT);
	judged(OLAF, ERRORS_USER_NOT_PERMITTED);
	policy_recheck(policy);
	judged(OLAF, ERRORS_USER_NOT_PERMITTED);
}

static void
run_sql(const char *statement)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(t.path, &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(db, statement, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* Somebody else wrote it: nobody keeps a right by that, and the next change
 * mends it. */
static void
what_cannot_be_read_takes_all_rights(void **state)
{
	(void)state;
	permit_all();
	put("policy", "p", "{}");
	put("grant", OLAF, "{'PolicyName':'p'}");
	policy_free(policy);
	settings_test_stop(&t);
	run_sql("UPDATE setting SET object = '{\"PolicyName\":\"a:b\"}' "
		"WHERE kind = 'grant'");
	settings_test_start(&t);
	assert_int_equal(policy_new(&policy, conf, 0), 0);
	assert_int_equal(
	    policy_follow(policy, t.settings, t.clock, on_change, NULL), 0);
	judged(ANNA, ERRORS_FEDERATION_OFF);
	told[0] = '\0';
	put("grant", OLAF, "{'PolicyName':'p'}");
	assert_string_equal(told, "all;");
	judged(ANNA, ERRORS_CAUSE_COUNT);
	judged(OLAF, ERRORS_USER_NOT_PERMITTED);
}

/* --- keys and members ----------------------------------------------------- */

static void
what_is_none_is_refused(void **state)
{
	static const struct {
		const char *kind, *key, *object, *problem;
	} rows[] = {
		{ "policy", "tag:", "{}", "a name has 1 to 128 bytes" },
		{ "policy", "a/b", "{}", "is not a name" },
		{ "policy", "a:b", "{}", "is not a name" },
		{ "policy", "a*", "{}", "is not a name" },
		{ "policy", " a", "{}", "is not a name" },
		{ "policy", "p", "{'EnableAcsFederationAccess':true}",
		    "has no such parameter" },
		{ "policy", "p", "{'EnableXmppAccess':'yes'}",
		    "/EnableXmppAccess: is neither true nor false" },
		{ "access-edge", "other", "{}", "none can be made" },
		{ "site", "a", "{'SipDomains':['*.contoso.example']}",
		    "domains are listed one by one" },
		{ "grant", "nobody", "{'PolicyName':'p'}",
		    "is not a user's SIP address" },
		{ "grant", "contoso.example", "{'PolicyName':'p'}",
		    "is not a user's SIP address" },
		{ "grant", ANNA, "{}", "/PolicyName: is needed" },
		{ "grant", ANNA, "{'PolicyName':'global'}",
		    "global is not granted to users" },
		{ "grant", ANNA, "{'PolicyName':'site:x'}",
		    "site:x is not granted to users" },
		{ "grant", ANNA, "{'PolicyName':'a*'}", "is not a name" },
		{ "provider", "ICQ", "{}", "none can be made" },
		{ "provider", "Skype", "{'Audio':false,'Video':false}",
		    "/Audio: is told, not set" },
		{ "provider", "Skype", "{'EndDate':'soon'}",
		    "/EndDate: is not a date" },
		{ "provider", "Skype", "{'EndDate':'2013-04-30'}",
		    "/EndDate: is before StartDate" },
		{ "provider", "Skype", "{'Licences':'A,,B'}",
		    "/Licences: are up to 4 names" },
		{ "provider", "Skype", "{'Route':'H.323'}",
		    "is not one of SIP, XMPP" },
		{ "licence", ANNA, "{}", "a licence is named by" },
		{ "licence", "anna PIC USL", "{}",
		    "is not a user's SIP address" },
		{ "licence", "* ", "{}", "a licence is named by" },
		{ "licence", "* a,b", "{}", "a licence is named by" },
		{ "licence", "* PIC USL",
		    "{'From':'2014-02-01','Until':'2014-01-31'}",
		    "/Until: is before From" },
		{ "licence", "* PIC USL", "{'From':'2014-02-30'}",
		    "/From: is not a date" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		refused(
		    rows[i].kind, rows[i].key, rows[i].object, rows[i].problem);
	assert_string_equal(told, "");
}

static void
what_is_strange_is_warned_of(void **state)
{
	(void)state;
	put("policy", "p", "{}");
	put("provider", "Skype", "{'Audio':true,'Video':false}");
	assert_string_equal(t.last.warnings, "");
	put("grant", "x@elsewhere.example", "{'PolicyName':'p'}");
	contains(t.last.warnings, "elsewhere.example is not hosted");
	put("site", "a", "{'SipDomains':['elsewhere.example']}");
	contains(
	    t.last.warnings, "/SipDomains/0: elsewhere.example is not hosted");
	refused("site", "b", "{'SipDomains':['elsewhere.example']}",
	    "/SipDomains: elsewhere.example belongs to the site a already");
}

/* --- providers and days --------------------------------------------------- */

static void
wall(const char *date)
{
	int64_t now = clock_wall_ms(t.clock);
	int32_t day;

	assert_true(day_parse(&day, date));
	assert_true(day * (int64_t)day_ms >= now);
	clock_advance(t.clock, (uint64_t)(day * (int64_t)day_ms - now) + 20);
}

static void
belong_to(const char *provider)
{
	snprintf(conf->partners[0].provider, sizeof(conf->partners[0].provider),
	    "%s", provider);
}

/* From the beginning of Skype to its end, and past it, as an administrator
 * would have lived it. */
static void
a_provider_has_its_time(void **state)
{
	(void)state;
	permit_all();
	belong_to("Skype");
	judged(ANNA, ERRORS_PROVIDER_NOT_BEGUN);
	assert_string_equal(
	    policy_provider_state(policy, "skype"), "not begun");
	assert_string_equal(
	    policy_provider_state(policy, "Yahoo!"), "in service");
	assert_string_equal(policy_provider_state(policy, "ICQ"), "");
	wall("2013-04-30");
	told[0] = '\0';
	wall("2013-05-01");
	/* Each midnight may be somebody's last. */
	assert_string_equal(told, "all;");
	judged(ANNA, ERRORS_NO_PUBLIC_CLOUD_ACCESS);
	assert_int_equal(settings_test_patch(&t, "policy", "global",
			     "{'EnablePublicCloudAccess':true}"),
	    0);
	judged(ANNA, ERRORS_LICENCE_MISSING);
	put("licence", "Anna@contoso.example standard cal",
	    "{'From':'2013-05-02','Until':'2013-05-03'}");
	judged(ANNA, ERRORS_LICENCE_NOT_BEGUN);
	wall("2013-05-02");
	judged(ANNA, ERRORS_CAUSE_COUNT);
	judged(OLAF, ERRORS_LICENCE_MISSING);
	clock_advance(t.clock, 2 * day_ms - 21);
	judged(ANNA, ERRORS_CAUSE_COUNT);
	clock_advance(t.clock, 1);
	judged(ANNA, ERRORS_LICENCE_EXPIRED);
	told[0] = '\0';
	put("licence", "* Standard CAL", "{}");
	assert_string_equal(told, "all;");
	judged(ANNA, ERRORS_CAUSE_COUNT);
	judged(OLAF, ERRORS_CAUSE_COUNT);
	wall("2025-05-06");
	judged(ANNA, ERRORS_PROVIDER_ENDED);
	assert_string_equal(policy_provider_state(policy, "Skype"), "ended");
	put("provider", "Skype", "{'EndDate':''}");
	judged(ANNA, ERRORS_CAUSE_COUNT);
	put("provider", "Skype", "{'EndDate':'','Presence':false}");
	assert_int_equal(
	    cause_of(ANNA, RIGHTS_PRESENCE), ERRORS_PROVIDER_NO_PRESENCE);
	assert_int_equal(cause_of(ANNA, RIGHTS_MESSAGES), ERRORS_CAUSE_COUNT);
	assert_false(policy_judge_presence(policy, ANNA, BO, "partner.example")
			 .may_talk);
	put("provider", "Skype", "{'Enabled':false}");
	judged(ANNA, ERRORS_PROVIDER_DISABLED);
	take_away("provider", "Skype");
	judged(ANNA, ERRORS_PROVIDER_ENDED);
	belong_to("");
	judged(ANNA, ERRORS_CAUSE_COUNT);
}

static void
a_refusal_names_what_is_missing(void **state)
{
	const struct policy_outward o = { ANNA, "contoso.example",
		"partner.example", RIGHTS_MESSAGES };
	struct policy_refusal why;

	(void)state;
	permit_all();
	put("policy", "pic",
	    "{'EnableFederationAccess':true,'EnableXmppAccess':true,"
	    "'EnablePublicCloudAccess':true}");
	put("grant", ANNA, "{'PolicyName':'pic'}");
	put("provider", "yahoo!", "{'EndDate':''}");
	belong_to("Yahoo!");
	assert_int_equal(policy_judge_outward(policy, &why, &o), ERR_DENIED);
	assert_int_equal(why.cause, ERRORS_LICENCE_MISSING);
	assert_string_equal(why.detail, "PIC USL");
	assert_string_equal(why.policy, "tag:pic");
	put("provider", "Yahoo!", "{'Enabled':false}");
	assert_int_equal(policy_judge_outward(policy, &why, &o), ERR_DENIED);
	assert_string_equal(why.detail, "Yahoo!");
	put("provider", "Yahoo!",
	    "{'EndDate':'','Licences':'','Route':"
	    "'XMPP'}");
	assert_int_equal(policy_judge_outward(policy, &why, &o), 0);
}

/* The wall clock is looked at now and then: somebody may have set it. */
static void
a_day_without_news_is_quiet(void **state)
{
	(void)state;
	told[0] = '\0';
	clock_advance(t.clock, day_ms - 2000);
	assert_string_equal(told, "");
	clock_advance(t.clock, 2000);
	assert_string_equal(told, "all;");
	policy_unfollow(policy);
	clock_advance(t.clock, 3 * day_ms);
	put("policy", "global", "{'EnableXmppAccess':true}");
	assert_string_equal(told, "all;");
}

static void
the_disclaimer_is_what_was_set(void **state)
{
	(void)state;
	assert_null(policy_disclaimer(policy));
	put("access-edge", "global", "{'EnableArchivingDisclaimer':true}");
	contains(policy_disclaimer(policy), "archived");
	put("access-edge", "global",
	    "{'EnableArchivingDisclaimer':true,"
	    "'ArchivingDisclaimer':'We keep it.'}");
	assert_string_equal(policy_disclaimer(policy), "We keep it.");
	put("access-edge", "global", "{'ArchivingDisclaimer':'We keep it.'}");
	assert_null(policy_disclaimer(policy));
}

/* --- many at once --------------------------------------------------------- */

enum { CROWD = 3000 };

/* One commit: everybody of a crowd gets a policy, or loses it, and tag:Sales
 * changes what it permits. */
static int
move_crowd(const char *policy_name, const char *sales)
{
	struct settings_change *v = calloc(CROWD + 1, sizeof(*v));
	json_t *grant = json_pack("{s:s*}", "PolicyName", policy_name);
	json_t *rights = settings_test_json(sales);
	int rc;

	assert_non_null(v);
	for (size_t i = 0; i < CROWD; i++) {
		char *key;

		assert_true(asprintf(&key, "u%zu@contoso.example", i) > 0);
		v[i] = (struct settings_change){ .kind = &setting_kind_grant,
			.key = key,
			.action = policy_name != NULL ? SETTINGS_PUT
						      : SETTINGS_REMOVE,
			.object = policy_name != NULL ? grant : NULL,
			.version = SETTINGS_ANY };
	}
	v[CROWD] = (struct settings_change){ .kind = &setting_kind_policy,
		.key = "tag:Sales",
		.action = SETTINGS_PUT,
		.object = rights,
		.version = SETTINGS_ANY };
	rc = settings_test_batch(&t, v, CROWD + 1, false);
	for (size_t i = 0; i < CROWD; i++)
		free((void *)(uintptr_t)v[i].key);
	free(v);
	json_decref(grant);
	json_decref(rights);
	return rc;
}

static void
a_crowd_moves_as_one(void **state)
{
	static const char both[] = "{'EnableFederationAccess':true,"
				   "'EnableXmppAccess':true}";
	const struct rights *r = policy_rights(policy);
	const struct access *before;

	(void)state;
	put("access-edge", "global", "{'AllowFederatedUsers':true}");
	put("policy", "tag:Sales", "{}");
	put("policy", "tag:Lab", "{}");
	put("grant", ANNA, "{'PolicyName':'Sales'}");
	put("grant", OLAF, "{'PolicyName':'Lab'}");
	told[0] = '\0';
	before = r->access;
	assert_int_equal(move_crowd("Sales", both), 0);
	/* Made anew and exchanged, not changed one by one. */
	assert_ptr_not_equal(r->access, before);
	assert_string_equal(told, "all;");
	assert_int_equal(access_grants(r->access), CROWD + 2);
	assert_int_equal(access_granted(r->access, "tag:Sales"), CROWD + 1);
	assert_int_equal(cause_of("u2999@contoso.example", RIGHTS_MESSAGES),
	    ERRORS_CAUSE_COUNT);
	assert_int_equal(cause_of(ANNA, RIGHTS_MESSAGES), ERRORS_CAUSE_COUNT);
	assert_int_equal(
	    cause_of(OLAF, RIGHTS_MESSAGES), ERRORS_USER_NOT_PERMITTED);
	/* A few are changed where they are. */
	before = r->access;
	put("grant", OLAF, "{'PolicyName':'Sales'}");
	assert_ptr_equal(r->access, before);
	assert_int_equal(move_crowd(NULL, "{}"), 0);
	assert_ptr_not_equal(r->access, before);
	assert_int_equal(access_grants(r->access), 2);
	assert_int_equal(
	    cause_of(ANNA, RIGHTS_MESSAGES), ERRORS_USER_NOT_PERMITTED);
}

/* Nobody has anything of it unless it was written. */
static void
what_was_prepared_in_vain_is_forgotten(void **state)
{
	const struct rights *r = policy_rights(policy);
	const struct access *before = r->access;
	sqlite3 *db;

	(void)state;
	policy_unfollow(policy);
	settings_test_stop(&t);
	assert_int_equal(sqlite3_open(t.path, &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(db,
		"CREATE TRIGGER no_room BEFORE INSERT ON setting WHEN"
		" NEW.key = 'u2999@contoso.example'"
		" BEGIN SELECT RAISE(ABORT, 'no room'); END",
		NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(db);
	settings_test_start(&t);
	assert_int_equal(
	    policy_follow(policy, t.settings, t.clock, on_change, NULL), 0);
	before = r->access;
	assert_int_equal(move_crowd("Sales", "{}"), ERR_STORE);
	assert_ptr_equal(r->access, before);
	assert_int_equal(access_grants(r->access), 0);
	put("policy", "tag:Sales", "{}");
	put("grant", ANNA, "{'PolicyName':'Sales'}");
	assert_int_equal(access_grants(r->access), 1);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, on_setup, on_teardown)
	const struct CMUnitTest tests[] = {
		TEST(each_switch_counts_at_once),
		TEST(her_own_policy_comes_first),
		TEST(a_policy_that_is_held_stays),
		TEST(many_grants_are_told_at_once),
		TEST(what_changes_no_right_is_not_told),
		TEST(what_was_set_is_there_after_a_restart),
		TEST(what_cannot_be_read_takes_all_rights),
		TEST(what_is_none_is_refused),
		TEST(what_is_strange_is_warned_of),
		TEST(a_provider_has_its_time),
		TEST(a_refusal_names_what_is_missing),
		TEST(a_day_without_news_is_quiet),
		TEST(the_disclaimer_is_what_was_set),
		TEST(a_crowd_moves_as_one),
		TEST(what_was_prepared_in_vain_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
