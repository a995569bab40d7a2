/* A message's way through policy is no slower for a thousand partners and fifty
 * thousand users with policies of their own.  Prints what a decision takes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/buf.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/policy/access.h"
#include "frontend-gateway/policy/policy.h"
#include "tests/unit/gateway_sample.h"

enum { PARTNERS = 1000, GRANTS = 50000, ASKED = 512, ROUNDS = 40 };

/* Look-ups that are hashed or halved cost a few cache misses more among so many;
 * one that goes through them all costs hundreds of times as much. */
enum { SLOWER_MOST = 10 };

struct crowd {
	size_t partners, grants;
	struct gateway_conf *conf;
	struct policy *policy;
};

static void
open_crowd(struct crowd *c, size_t partner_count, size_t grants)
{
	struct access *access;
	struct buf b;

	*c = (struct crowd){ .partners = partner_count, .grants = grants };
	buf_init(&b, 0);
	(void)buf_add_str(&b, "{'partners':[");
	for (size_t i = 0; i < partner_count; i++)
		(void)buf_addf(&b,
		    "%s{'Domain':'p%zu.example','PartnerType':'Federated',"
		    "'AdditionalDomains':['chat.p%zu.example']}",
		    i > 0 ? "," : "", i, i);
	(void)buf_add_str(&b, "],'users':[]}");
	c->conf = gateway_sample(buf_cstr(&b));
	buf_finish(&b);
	assert_int_equal(policy_new(&c->policy, c->conf, 0), 0);
	access = policy_rights(c->policy)->access;
	access_set_master(access, true);
	assert_int_equal(access_set_policy(access, "tag:Chat",
			     ACCESS_FEDERATION | ACCESS_XMPP),
	    0);
	for (size_t i = 0; i < grants; i++) {
		char user[64];

		snprintf(user, sizeof(user), "u%zu@contoso.example", i);
		assert_int_equal(access_grant(access, user, "tag:Chat"), 0);
	}
}

static void
close_crowd(struct crowd *c)
{
	policy_free(c->policy);
	gateway_conf_free(c->conf);
}

/* Who is asked about, from all over the crowd. */
struct asked {
	char user[64], contact[64], domain[64];
};

static void
choose(struct asked *a, const struct crowd *c, size_t i)
{
	const size_t p = i * 7919 % c->partners;

	snprintf(a->user, sizeof(a->user), "u%zu@contoso.example",
	    i * 104729 % c->grants);
	snprintf(a->domain, sizeof(a->domain), "%sp%zu.example",
	    i % 2 != 0 ? "chat." : "", p);
	snprintf(a->contact, sizeof(a->contact), "bo@%s", a->domain);
}

static double
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return 1e9 * (double)ts.tv_sec + (double)ts.tv_nsec;
}

/* Of one decision, both ways; the best of several rounds. */
static double
cost(const struct crowd *c)
{
	static struct asked v[ASKED];
	struct policy_refusal why;
	double best = 0;

	for (size_t i = 0; i < ASKED; i++)
		choose(&v[i], c, i);
	for (int r = 0; r < ROUNDS; r++) {
		const double begun = now_ns();
		double took;

		for (size_t i = 0; i < ASKED; i++) {
			const struct policy_outward o = { v[i].user,
				"contoso.example", v[i].domain,
				RIGHTS_MESSAGES };

			assert_int_equal(
			    policy_judge_outward(c->policy, &why, &o), 0);
			assert_int_equal(
			    policy_judge_inward(
				c->policy, v[i].user, v[i].contact, v[i].domain)
				.standing,
			    POLICY_STRANGER);
		}
		took = (now_ns() - begun) / (2 * ASKED);
		if (best == 0 || took < best)
			best = took;
	}
	return best;
}

static void
a_crowd_makes_no_decision_slow(void **state)
{
	static const struct {
		size_t partners, grants;
	} table[] = { { 1, 1 }, { PARTNERS, 1 }, { 1, GRANTS },
		{ PARTNERS, GRANTS } };
	double alone = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct crowd c;
		double ns;

		open_crowd(&c, table[i].partners, table[i].grants);
		ns = cost(&c);
		close_crowd(&c);
		if (i == 0)
			alone = ns;
		printf("decision of policy, %4zu partners, %5zu grants"
		       "      %.0f ns\n",
		    table[i].partners, table[i].grants, ns);
		assert_true(ns < SLOWER_MOST * alone);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_crowd_makes_no_decision_slow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
