/* Who may write to whom, and what is kept from whom. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/policy/policy.h"
#include "tests/unit/gateway_sample.h"
#include "tests/unit/policy_sample.h"

#define ANNA "anna@contoso.example"
#define OLAF "olaf@contoso.example"

static const struct {
	const char *user, *contact, *domain;
	bool written; /* the user wrote to the contact before */
	enum policy_standing standing;
	const char *reason;
} inward[] = {
	{ ANNA, "bo@partner.example", "partner.example", false, POLICY_STRANGER,
	    "partner-type" },
	{ ANNA, "bo@partner.example", "partner.example", true, POLICY_KNOWN,
	    "known" },
	{ ANNA, "c@more.example", "more.example", false, POLICY_STRANGER,
	    "partner-type" },
	{ ANNA, "v@verified.example", "verified.example", false,
	    POLICY_STRANGER, "partner-type" },
	{ ANNA, "v@verified.example", "verified.example", true, POLICY_KNOWN,
	    "known" },
	{ ANNA, "p@public.example", "public.example", false, POLICY_DENIED,
	    "partner-type-may-not-start" },
	{ ANNA, "p@public.example", "public.example", true, POLICY_KNOWN,
	    "known" },
	{ OLAF, "bo@partner.example", "partner.example", false, POLICY_DENIED,
	    "user-not-permitted" },
	/* A permission that was withdrawn counts more than what was. */
	{ OLAF, "bo@partner.example", "partner.example", true, POLICY_DENIED,
	    "user-not-permitted" },
	{ ANNA, "e@stranger.example", "stranger.example", true, POLICY_DENIED,
	    "domain-not-a-partner" },
};

static void
inward_rights_follow_the_partner_type(void **state)
{
	struct gateway_conf *conf = gateway_sample(NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(inward) / sizeof(inward[0]); i++) {
		struct policy_inward v;
		struct policy *p;

		assert_int_equal(policy_sample(&p, conf, 0), 0);
		if (inward[i].written)
			policy_remember(p, inward[i].user, inward[i].contact);
		v = policy_judge_inward(
		    p, inward[i].user, inward[i].contact, inward[i].domain);
		if (v.standing != inward[i].standing)
			fail_msg("row %zu: standing %d (%s)", i, v.standing,
			    v.reason);
		assert_string_equal(v.reason, inward[i].reason);
		/* The other way round, or another contact, is another pair. */
		v = policy_judge_inward(
		    p, inward[i].user, "x@public.example", "public.example");
		assert_int_equal(v.standing, POLICY_DENIED);
		policy_free(p);
	}
	gateway_conf_free(conf);
}

static const struct {
	const char *user, *user_domain, *contact_domain;
	int rc;
	enum errors_cause cause;
} outward[] = {
	{ ANNA, "contoso.example", "partner.example", 0, 0 },
	{ ANNA, "contoso.example", "public.example", 0, 0 },
	{ ANNA, "contoso.example", "stranger.example", ERR_DENIED,
	    ERRORS_PARTNER_UNKNOWN },
	{ ANNA, "contoso.example", "contoso.example", ERR_DENIED,
	    ERRORS_PARTNER_UNKNOWN },
	{ OLAF, "contoso.example", "partner.example", ERR_DENIED,
	    ERRORS_USER_NOT_PERMITTED },
	{ "a@other.example", "other.example", "partner.example", ERR_DENIED,
	    ERRORS_USER_FOREIGN },
	{ "b@partner.example", "partner.example", "partner.example", ERR_DENIED,
	    ERRORS_USER_FOREIGN },
};

static void
outward_needs_a_permitted_user_and_a_partner(void **state)
{
	struct gateway_conf *conf = gateway_sample(NULL);
	struct policy *p;

	(void)state;
	assert_int_equal(policy_sample(&p, conf, 0), 0);
	for (size_t i = 0; i < sizeof(outward) / sizeof(outward[0]); i++) {
		struct policy_refusal why;
		int rc = policy_judge_outward(p, &why,
		    &(struct policy_outward){ outward[i].user,
			outward[i].user_domain, outward[i].contact_domain,
			RIGHTS_MESSAGES });

		assert_int_equal(rc, outward[i].rc);
		if (rc < 0)
			assert_int_equal(why.cause, outward[i].cause);
	}
	policy_free(p);
	gateway_conf_free(conf);
}

static void
only_the_known_are_told_why(void **state)
{
	(void)state;
	assert_false(policy_conceals(POLICY_KNOWN));
	assert_true(policy_conceals(POLICY_STRANGER));
	assert_true(policy_conceals(POLICY_DENIED));
}

static bool
knows(struct policy *p, int i)
{
	char contact[64];

	snprintf(contact, sizeof(contact), "c%d@public.example", i);
	return policy_judge_inward(p, ANNA, contact, "public.example")
		   .standing == POLICY_KNOWN;
}

static void
the_pair_unused_longest_is_forgotten(void **state)
{
	struct gateway_conf *conf = gateway_sample(NULL);
	char contact[64];
	struct policy *p;

	(void)state;
	assert_int_equal(policy_sample(&p, conf, 3), 0);
	for (int i = 0; i < 3; i++) {
		snprintf(contact, sizeof(contact), "c%d@public.example", i);
		policy_remember(p, ANNA, contact);
	}
	assert_true(knows(p, 0)); /* Used: 1 is the oldest now. */
	policy_remember(p, ANNA, "c3@public.example");
	assert_true(knows(p, 0));
	assert_false(knows(p, 1));
	assert_true(knows(p, 2));
	assert_true(knows(p, 3));
	policy_remember(p, ANNA, "c3@public.example");
	assert_true(knows(p, 0));
	policy_free(p);
	gateway_conf_free(conf);
}

/* --- presence ----------------------------------------------------------- */

static const struct {
	const char *user, *contact, *domain;
	enum policy_tie tie;
	bool written;
	bool talk, watch, note;
	enum policy_standing standing;
	const char *reason;
} rights[] = {
	{ ANNA, "bo@partner.example", "partner.example", POLICY_TIE_NONE, false,
	    true, true, true, POLICY_STRANGER, "partner-type" },
	{ ANNA, "bo@partner.example", "partner.example", POLICY_TIE_WATCHES,
	    false, true, true, true, POLICY_KNOWN, "known" },
	{ ANNA, "bo@partner.example", "partner.example", POLICY_TIE_INVITED,
	    false, true, true, true, POLICY_KNOWN, "known" },
	{ ANNA, "v@verified.example", "verified.example", POLICY_TIE_NONE,
	    false, true, true, false, POLICY_STRANGER, "partner-type" },
	{ ANNA, "v@verified.example", "verified.example", POLICY_TIE_INVITED,
	    false, true, true, false, POLICY_KNOWN, "known" },
	/* The gate: nothing before she has invited him. */
	{ ANNA, "p@public.example", "public.example", POLICY_TIE_NONE, false,
	    true, false, false, POLICY_DENIED, "partner-type-may-not-start" },
	{ ANNA, "p@public.example", "public.example", POLICY_TIE_INVITED, false,
	    true, true, false, POLICY_KNOWN, "known" },
	{ ANNA, "p@public.example", "public.example", POLICY_TIE_NONE, true,
	    true, true, false, POLICY_KNOWN, "known" },
	/* He watches her from the time when his partner was federated. */
	{ ANNA, "p@public.example", "public.example", POLICY_TIE_WATCHES, false,
	    true, false, false, POLICY_DENIED, "partner-type-may-not-start" },
	{ OLAF, "bo@partner.example", "partner.example", POLICY_TIE_INVITED,
	    true, false, false, false, POLICY_DENIED, "user-not-permitted" },
	{ ANNA, "e@stranger.example", "stranger.example", POLICY_TIE_INVITED,
	    true, false, false, false, POLICY_DENIED, "domain-not-a-partner" },
};

static enum policy_tie
tie_of_row(const char *user, const char *contact, void *arg)
{
	const size_t *row = arg;

	return strcmp(user, rights[*row].user) == 0 &&
		       strcmp(contact, rights[*row].contact) == 0
		   ? rights[*row].tie
		   : POLICY_TIE_NONE;
}

static enum policy_tie
on_any_tie(const char *user, const char *contact, void *arg)
{
	(void)user;
	(void)contact;
	return *(const enum policy_tie *)arg;
}

/* Whoever sees her may know that a message has reached her; to be invited is
 * not enough, nor to have been written to. */
static void
who_sees_her_is_known_by_the_stored_contacts(void **state)
{
	static const struct {
		enum policy_tie tie;
		bool watches;
		enum policy_standing standing; /* at a partner that may start */
		enum policy_standing closed;   /* at one that may not */
	} rows[] = {
		{ POLICY_TIE_NONE, false, POLICY_STRANGER, POLICY_DENIED },
		{ POLICY_TIE_WATCHES, true, POLICY_KNOWN, POLICY_DENIED },
		{ POLICY_TIE_INVITED, false, POLICY_KNOWN, POLICY_KNOWN },
		{ POLICY_TIE_BOTH, true, POLICY_KNOWN, POLICY_KNOWN },
	};
	struct gateway_conf *conf = gateway_sample(NULL);
	enum policy_tie tie = POLICY_TIE_NONE;
	struct policy *p;

	(void)state;
	assert_int_equal(policy_sample(&p, conf, 0), 0);
	assert_false(policy_watches(p, ANNA, "bo@partner.example"));
	policy_set_ties(p, on_any_tie, &tie);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		tie = rows[i].tie;
		assert_int_equal(policy_watches(p, ANNA, "bo@partner.example"),
		    rows[i].watches);
		assert_int_equal(policy_judge_inward(p, ANNA,
				     "bo@partner.example", "partner.example")
				     .standing,
		    rows[i].standing);
		assert_int_equal(policy_judge_inward(p, ANNA,
				     "p@public.example", "public.example")
				     .standing,
		    rows[i].closed);
	}
	tie = POLICY_TIE_NONE;
	policy_remember(p, ANNA, "bo@partner.example");
	assert_false(policy_watches(p, ANNA, "bo@partner.example"));
	policy_free(p);
	gateway_conf_free(conf);
}

static void
presence_rights_follow_the_partner_type(void **state)
{
	struct gateway_conf *conf = gateway_sample(NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
		struct policy_presence v;
		struct policy_inward in;
		struct policy *p;

		assert_int_equal(policy_sample(&p, conf, 0), 0);
		policy_set_ties(p, tie_of_row, &i);
		if (rights[i].written)
			policy_remember(p, rights[i].user, rights[i].contact);
		v = policy_judge_presence(
		    p, rights[i].user, rights[i].contact, rights[i].domain);
		if (v.may_talk != rights[i].talk ||
		    v.may_watch != rights[i].watch ||
		    v.may_note != rights[i].note)
			fail_msg("row %zu: talk=%d watch=%d note=%d", i,
			    v.may_talk, v.may_watch, v.may_note);
		assert_string_equal(v.reason, rights[i].reason);
		in = policy_judge_inward(
		    p, rights[i].user, rights[i].contact, rights[i].domain);
		assert_int_equal(in.standing, rights[i].standing);
		/* Nobody else profits. */
		v = policy_judge_presence(
		    p, ANNA, "x@public.example", "public.example");
		assert_false(v.may_watch);
		policy_free(p);
	}
	gateway_conf_free(conf);
}

/* What a stranger of an unverified partner learns about a user who exists, one
 * who is not permitted and one who does not exist is the same. */
static void
whom_strangers_may_not_see_look_alike(void **state)
{
	static const char *const users[] = { ANNA, OLAF,
		"nobody@contoso.example" };
	struct gateway_conf *conf = gateway_sample(NULL);
	struct policy *p;

	(void)state;
	assert_int_equal(policy_sample(&p, conf, 0), 0);
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
		struct policy_presence v = policy_judge_presence(
		    p, users[i], "p@public.example", "public.example");

		assert_false(v.may_watch);
		assert_false(v.may_note);
		assert_true(policy_conceals(policy_judge_inward(
		    p, users[i], "p@public.example", "public.example")
						.standing));
	}
	policy_free(p);
	gateway_conf_free(conf);
}

static enum policy_standing
first(struct policy *p, const char *user, const char *contact, uint64_t now_ms)
{
	return policy_judge_first(
	    p, user, contact, strchr(contact, '@') + 1, now_ms)
	    .standing;
}

/* He who has guessed too often hears the same of everybody; who is somebody's
 * contact goes on with her. */
static void
guessing_is_limited_and_talking_is_not(void **state)
{
	struct gateway_conf *conf =
	    gateway_sample("{'limits': {'misses_per_minute': 1,"
			   "'misses_at_once': 6,"
			   "'misses_contact_per_minute': 1,"
			   "'misses_contact_at_once': 2}}");
	struct policy *p;

	(void)state;
	assert_int_equal(policy_sample(&p, conf, 0), 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(
		    first(p, ANNA, "bo@partner.example", 1), POLICY_STRANGER);
	/* One who is not permitted is a miss like one whom the pool denies. */
	assert_int_equal(
	    first(p, OLAF, "bo@partner.example", 1), POLICY_DENIED);
	assert_int_equal(
	    first(p, ANNA, "bo@partner.example", 1), POLICY_STRANGER);
	policy_missed(p, "bo@partner.example", "partner.example", 1);
	assert_int_equal(
	    first(p, ANNA, "bo@partner.example", 1), POLICY_DENIED);
	assert_int_equal(
	    first(p, OLAF, "bo@partner.example", 1), POLICY_DENIED);
	/* What was refused so has cost nothing more. */
	assert_int_equal(
	    first(p, ANNA, "bo@partner.example", 60001), POLICY_STRANGER);
	policy_missed(p, "bo@partner.example", "partner.example", 60001);
	policy_remember(p, ANNA, "bo@partner.example");
	assert_int_equal(
	    first(p, ANNA, "bo@partner.example", 60001), POLICY_KNOWN);
	/* Of many contacts of one domain together. */
	for (int i = 0; i < 4; i++) {
		char guess[64];

		snprintf(guess, sizeof(guess), "c%d@partner.example", i);
		assert_int_equal(first(p, ANNA, guess, 60001), POLICY_STRANGER);
		policy_missed(p, guess, "partner.example", 60001);
	}
	assert_int_equal(
	    first(p, ANNA, "c9@partner.example", 60001), POLICY_DENIED);
	assert_int_equal(
	    first(p, ANNA, "v@verified.example", 60001), POLICY_STRANGER);
	conf->limits.misses.per_minute = 1000;
	policy_recheck(p);
	assert_int_equal(
	    first(p, ANNA, "c9@partner.example", 61001), POLICY_STRANGER);
	policy_free(p);
	gateway_conf_free(conf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_sees_her_is_known_by_the_stored_contacts),
		cmocka_unit_test(presence_rights_follow_the_partner_type),
		cmocka_unit_test(whom_strangers_may_not_see_look_alike),
		cmocka_unit_test(inward_rights_follow_the_partner_type),
		cmocka_unit_test(outward_needs_a_permitted_user_and_a_partner),
		cmocka_unit_test(only_the_known_are_told_why),
		cmocka_unit_test(the_pair_unused_longest_is_forgotten),
		cmocka_unit_test(guessing_is_limited_and_talking_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
