/*
 * A message that an operator sends in a user's name, to see what becomes of it:
 * it goes the way of hers, policy first, but no pool waits for it and no chat
 * comes of it.
 */
#include "frontend-gateway/conversation/conversations_impl.h"

#include <string.h>

#include "common/jid.h"
#include "common/random.h"
#include "frontend-gateway/conversation/outward.h"
#include "frontend-gateway/edges.h"
#include "frontend-gateway/policy/policy.h"
#include "frontend-gateway/translate/errors.h"

static void
tell_denied(const struct policy_refusal *why, outward_tell_fn *fn, void *arg)
{
	char reason[ERRORS_DETAIL_SIZE];
	struct outward_told told = { .edge = "" };
	struct errors_sip e;

	errors_refusal(&e, why->cause);
	errors_detail(reason, &e, why->detail);
	e.reason = reason;
	told.error = &e;
	fn(&told, arg);
}

int
conversations_try(struct conversations *cs, const struct conversations_trial *t,
    outward_tell_fn *fn, void *arg)
{
	const struct policy_outward who = { t->user->bare, t->user->ascii,
		t->contact->ascii, RIGHTS_MESSAGES };
	char id[33], thread[33];
	struct outward_message m = { .id = id,
		.from = t->user->bare,
		.to = t->contact->full,
		.user = t->user->bare,
		.contact = t->contact->bare,
		.local = t->user->ascii,
		.remote = t->contact->ascii,
		.text = t->text,
		.text_len = strlen(t->text),
		.thread = thread };
	struct policy_refusal why = { .detail = "", .policy = "" };

	if (policy_judge_outward(cs->opts.policy, &why, &who) < 0) {
		tell_denied(&why, fn, arg);
		return 0;
	}
	random_hex(id, 16);
	random_hex(thread, 16);
	return outwards_try(cs->outwards, &m,
	    edges_choose(
		cs->opts.edges, m.local, m.user, m.contact, EDGES_NONE),
	    fn, arg);
}
