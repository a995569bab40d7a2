/*
 * The partner rows are the configuration's, rights are in rights.h; what is
 * kept here is the set of pairs in which the Lync user wrote: a map for the
 * look-up and a list in the order of last use.  Whom she has added is asked of
 * those who store it.
 */
#include "frontend-gateway/policy/policy_impl.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/policy/day.h"
#include "frontend-gateway/policy/names.h"
#include "frontend-gateway/policy/newcomers.h"

struct pair {
	struct map_node node;
	struct list by_use;
	size_t key_len;
	char key[]; /* user NUL contact NUL */
};

static void
drop(struct policy *p, struct pair *pair)
{
	map_remove(&p->pairs, &pair->node);
	list_remove(&pair->by_use);
	free(pair);
}

static struct newcomers_opts
rate_of(const struct gateway_rate *r)
{
	return (struct newcomers_opts){
		.contact_burst = r->contact_at_once,
		.contact_per_minute = r->contact_per_minute,
		.domain_burst = r->at_once,
		.domain_per_minute = r->per_minute,
	};
}

int
policy_new(
    struct policy **out, const struct gateway_conf *conf, size_t pairs_max)
{
	struct newcomers_opts fresh = rate_of(&conf->presence.newcomers);
	struct newcomers_opts missed = rate_of(&conf->limits.misses);
	struct policy *p = calloc(1, sizeof(*p));
	int rc;

	if (p == NULL)
		return ERR_NOMEM;
	list_init(&p->by_use);
	list_init(&p->listener.link);
	log_init(&p->log, "policy");
	p->conf = conf;
	p->max = pairs_max != 0 ? pairs_max : POLICY_PAIRS_MAX;
	rc = map_init(&p->pairs);
	if (rc == 0)
		rc = rights_init(&p->rights);
	if (rc == 0)
		rc = newcomers_new(&p->newcomers, &fresh);
	if (rc == 0)
		rc = newcomers_new(&p->misses, &missed);
	if (rc < 0) {
		policy_free(p);
		return rc;
	}
	*out = p;
	return 0;
}

void
policy_recheck(struct policy *p)
{
	struct newcomers_opts fresh = rate_of(&p->conf->presence.newcomers);
	struct newcomers_opts missed = rate_of(&p->conf->limits.misses);

	newcomers_set(p->newcomers, &fresh);
	newcomers_set(p->misses, &missed);
}

void
policy_free(struct policy *p)
{
	if (p == NULL)
		return;
	policy_unfollow(p);
	policy_forget_coming(p);
	LIST_FOREACH_SAFE (it, &p->by_use)
		drop(p, list_entry(it, struct pair, by_use));
	map_finish(&p->pairs);
	newcomers_free(p->newcomers);
	newcomers_free(p->misses);
	rights_finish(&p->rights);
	free(p);
}

void
policy_set_ties(struct policy *p, policy_tie_fn *fn, void *arg)
{
	p->tie = fn;
	p->tie_arg = arg;
}

static struct pair *
new_pair(const char *user, const char *contact)
{
	size_t ulen = strlen(user) + 1, clen = strlen(contact) + 1;
	struct pair *pair = malloc(sizeof(*pair) + ulen + clen);

	if (pair == NULL)
		return NULL;
	memset(&pair->node, 0, sizeof(pair->node));
	list_init(&pair->by_use);
	pair->key_len = ulen + clen;
	memcpy(pair->key, user, ulen);
	memcpy(pair->key + ulen, contact, clen);
	return pair;
}

/* The pair as stored, moved to the end of the order; NULL when unknown. */
static struct pair *
use(struct policy *p, const struct pair *like)
{
	struct map_node *n = map_get(&p->pairs, like->key, like->key_len);
	struct pair *pair;

	if (n == NULL)
		return NULL;
	pair = map_entry(n, struct pair, node);
	list_remove(&pair->by_use);
	list_append(&p->by_use, &pair->by_use);
	return pair;
}

void
policy_remember(struct policy *p, const char *user, const char *contact)
{
	struct pair *pair = new_pair(user, contact);

	if (pair == NULL)
		return;
	if (use(p, pair) != NULL ||
	    map_put(&p->pairs, &pair->node, pair->key, pair->key_len) < 0) {
		free(pair);
		return;
	}
	list_append(&p->by_use, &pair->by_use);
	if (p->pairs.count > p->max)
		drop(p, list_entry(p->by_use.next, struct pair, by_use));
}

static bool
remembers(struct policy *p, const char *user, const char *contact)
{
	struct pair *pair = new_pair(user, contact);
	bool known;

	if (pair == NULL)
		return false;
	known = use(p, pair) != NULL;
	free(pair);
	return known;
}

static enum policy_tie
tie_of(struct policy *p, const char *user, const char *contact)
{
	if (remembers(p, user, contact))
		return POLICY_TIE_INVITED;
	return p->tie != NULL ? p->tie(user, contact, p->tie_arg)
			      : POLICY_TIE_NONE;
}

/* --- judgement ---------------------------------------------------------- */

struct rights *
policy_rights(struct policy *p)
{
	return &p->rights;
}

int32_t
policy_today(const struct policy *p)
{
	return p->clock != NULL ? day_of_ms(clock_wall_ms(p->clock)) : 0;
}

/* Whether the user may have to do with the partner's people.  All that follows
 * asks here. */
static struct rights_answer
rights_of(const struct policy *p, const char *user, const char *user_domain,
    const struct gateway_partner *partner, enum rights_use use)
{
	const struct rights_question q = {
		.user = user,
		.domain = user_domain,
		.provider = providers_find(partner->provider),
		.use = use,
		.today = policy_today(p),
	};

	if (p->broken)
		return (struct rights_answer){ RIGHTS_MASTER, "", "", "" };
	return rights_judge(&p->rights, &q);
}

static enum rights_lack
lack_of(const struct policy *p, const char *user,
    const struct gateway_partner *partner, enum rights_use use)
{
	char room[NAMES_DOMAIN_SIZE];

	return rights_of(p, user, names_domain(room, user), partner, use).lack;
}

/* The partner's users may turn to Lync users of their own accord. */
static bool
may_start(enum gateway_partner_type type)
{
	switch (type) {
	case GATEWAY_FEDERATED:
	case GATEWAY_PUBLIC_VERIFIED:
		return true;
	case GATEWAY_PUBLIC_UNVERIFIED:
		break;
	}
	return false;
}

static const char not_listed[] = "domain-not-a-partner";

static struct policy_inward
denied(const char *reason)
{
	return (struct policy_inward){ POLICY_DENIED, reason };
}

/* What comes of the right she has. */
static struct policy_inward
judge_permitted(struct policy *p, const char *user, const char *contact,
    const struct gateway_partner *partner)
{
	enum policy_tie tie = tie_of(p, user, contact);

	if (tie != POLICY_TIE_INVITED && tie != POLICY_TIE_BOTH &&
	    !may_start(partner->type))
		return denied("partner-type-may-not-start");
	if (tie != POLICY_TIE_NONE)
		return (struct policy_inward){ POLICY_KNOWN, "known" };
	return (struct policy_inward){ POLICY_STRANGER, "partner-type" };
}

struct policy_inward
policy_judge_inward(struct policy *p, const char *user, const char *contact,
    const char *contact_domain)
{
	const struct gateway_partner *partner =
	    gateway_conf_partner(p->conf, contact_domain);
	enum rights_lack lack;

	if (partner == NULL)
		return denied(not_listed);
	lack = lack_of(p, user, partner, RIGHTS_MESSAGES);
	if (lack != RIGHTS_NOTHING)
		return denied(rights_lack_str(lack));
	return judge_permitted(p, user, contact, partner);
}

struct policy_inward
policy_judge_first(struct policy *p, const char *user, const char *contact,
    const char *contact_domain, uint64_t now_ms)
{
	struct policy_inward in =
	    policy_judge_inward(p, user, contact, contact_domain);

	if (in.standing == POLICY_KNOWN)
		return in;
	if (!newcomers_may(p->misses, contact, contact_domain, now_ms))
		return denied("too-many-in-vain");
	if (in.standing == POLICY_DENIED)
		newcomers_miss(p->misses, contact, contact_domain, now_ms);
	return in;
}

void
policy_missed(struct policy *p, const char *contact, const char *contact_domain,
    uint64_t now_ms)
{
	newcomers_miss(p->misses, contact, contact_domain, now_ms);
}

struct policy_presence
policy_judge_presence(struct policy *p, const char *user, const char *contact,
    const char *contact_domain)
{
	const struct gateway_partner *partner =
	    gateway_conf_partner(p->conf, contact_domain);
	struct policy_presence out = { .reason = not_listed };
	struct policy_inward in;
	enum rights_lack lack;

	if (partner == NULL)
		return out;
	out.may_ask = may_start(partner->type);
	lack = lack_of(p, user, partner, RIGHTS_PRESENCE);
	out.reason = rights_lack_str(lack);
	if (lack != RIGHTS_NOTHING)
		return out;
	in = judge_permitted(p, user, contact, partner);
	out.reason = in.reason;
	out.may_talk = true;
	out.may_watch = in.standing != POLICY_DENIED;
	out.may_note = out.may_watch && partner->type == GATEWAY_FEDERATED;
	return out;
}

bool
policy_admit(struct policy *p, const char *contact, const char *contact_domain,
    uint64_t now_ms)
{
	return newcomers_admit(p->newcomers, contact, contact_domain, now_ms);
}

bool
policy_watches(const struct policy *p, const char *user, const char *contact)
{
	enum policy_tie tie = p->tie != NULL ? p->tie(user, contact, p->tie_arg)
					     : POLICY_TIE_NONE;

	return tie == POLICY_TIE_WATCHES || tie == POLICY_TIE_BOTH;
}

bool
policy_conceals(enum policy_standing standing)
{
	return standing != POLICY_KNOWN;
}

/* The name that tells most about what is missing. */
static const char *
detail_of(const struct rights_answer *a)
{
	return a->licence[0] != '\0' ? a->licence : a->provider;
}

int
policy_judge_outward(const struct policy *p, struct policy_refusal *why,
    const struct policy_outward *o)
{
	const struct gateway_partner *partner =
	    gateway_conf_partner(p->conf, o->contact_domain);
	struct rights_answer a;

	*why = (struct policy_refusal){ .detail = "", .policy = "" };
	if (!gateway_conf_hosts(p->conf, o->user_domain)) {
		why->cause = ERRORS_USER_FOREIGN;
		return ERR_DENIED;
	}
	if (partner == NULL) {
		why->cause = ERRORS_PARTNER_UNKNOWN;
		return ERR_DENIED;
	}
	a = rights_of(p, o->user, o->user_domain, partner, o->use);
	if (a.lack == RIGHTS_NOTHING)
		return 0;
	why->cause = rights_cause(a.lack);
	why->detail = detail_of(&a);
	why->policy = a.policy;
	return ERR_DENIED;
}
