/*
 * Rights have changed: which chats may not go on?  All are judged in the same
 * turn of the loop.  To close one takes longer (a BYE, what is queued is
 * returned), so that of thousands only some are closed in a turn; until its turn
 * comes, a chat takes nothing from the pool any more, and what comes from outside
 * is judged by itself.
 */
#include "frontend-gateway/conversation/conversations_impl.h"

#include <string.h>

#include "frontend-gateway/policy/policy.h"
#include "frontend-gateway/translate/errors.h"

enum { AT_A_TIME = 20 };

static bool
is_permitted(const struct conversations *cs, struct policy_refusal *why,
    const struct conversation *c)
{
	const struct policy_outward o = { conversation_user(c),
		conversation_user_domain(c), conversation_contact_domain(c),
		RIGHTS_MESSAGES };

	return policy_judge_outward(cs->opts.policy, why, &o) == 0;
}

/* The entry may be gone when this returns. */
static void
forbid(struct conversations *cs, struct conversations_entry *e,
    const struct policy_refusal *why)
{
	const struct conversation *c = e->conversation;
	char reason[ERRORS_DETAIL_SIZE];
	struct errors_sip refusal;

	errors_refusal(&refusal, why->cause);
	errors_detail(reason, &refusal, why->detail);
	refusal.reason = reason;
	log_info(&cs->log, "forbidden-now",
	    "user=%s contact=%s diagnostics=%u reason=%s policy=%s",
	    conversation_user(c), conversation_contact(c), refusal.diagnostics,
	    reason, why->policy);
	conversation_forbid(e->conversation, &refusal);
}

/* Rights may have come back meanwhile. */
static void
close_some(struct conversations *cs)
{
	for (int n = 0; n < AT_A_TIME && !list_empty(&cs->forbidden); n++) {
		struct conversations_entry *e = list_entry(
		    cs->forbidden.next, struct conversations_entry, forbidden);
		struct policy_refusal why;

		list_remove(&e->forbidden);
		if (!is_permitted(cs, &why, e->conversation))
			forbid(cs, e, &why);
	}
	if (!list_empty(&cs->forbidden))
		clock_timer_start(&cs->closing, 0);
}

static void
on_closing(struct clock_timer *t, void *arg)
{
	(void)t;
	close_some(arg);
}

/* Whose rights are looked at; NULL: everybody's. */
struct look {
	struct conversations *cs;
	const char *user;
};

static void
on_each_judge(struct map_node *n, void *arg)
{
	struct conversations_entry *e =
	    map_entry(n, struct conversations_entry, node);
	const struct look *l = arg;
	struct policy_refusal why;

	if ((l->user == NULL ||
		strcmp(l->user, conversation_user(e->conversation)) == 0) &&
	    list_empty(&e->forbidden) &&
	    !is_permitted(l->cs, &why, e->conversation))
		list_append(&l->cs->forbidden, &e->forbidden);
}

void
conversations_rights_changed(struct conversations *cs, const char *user)
{
	struct look l = { cs, user };

	map_each(&cs->pairs, on_each_judge, &l);
	close_some(cs);
}

bool
conversations_rights_gone(const struct conversations *cs,
    struct policy_refusal *why, const struct conversation *c)
{
	const struct conversations_entry *e;

	if (list_empty(&cs->forbidden))
		return false;
	e = conversations_find_entry(
	    cs, conversation_user(c), conversation_contact(c));
	return e != NULL && !list_empty(&e->forbidden) &&
	       !is_permitted(cs, why, c);
}

void
conversations_rights_init(struct conversations *cs)
{
	list_init(&cs->forbidden);
	clock_timer_init(&cs->closing, cs->opts.clock, on_closing, cs);
}

void
conversations_rights_finish(struct conversations *cs)
{
	clock_timer_stop(&cs->closing);
}
