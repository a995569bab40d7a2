/*
 * What partners' servers send back.  An error is never answered with one
 * (RFC 6120 8.3.1): it is taken, and then it ends the transaction of the
 * message it names, or, when that has its answer, becomes a notice.
 */
#include "frontend-gateway/conversation/conversations_impl.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/jid.h"
#include "frontend-gateway/conversation/notices.h"
#include "frontend-gateway/conversation/outward.h"
#include "frontend-gateway/guard.h"
#include "frontend-gateway/policy/policy.h"
#include "frontend-gateway/translate/errors.h"
#include "proto/frame.h"

static int
put_line(struct conversations *cs, const struct jid *user,
    const struct jid *contact, const char *line)
{
	struct inward_opts o = { .notice = true,
		.env = &cs->env.inward,
		.from = contact->bare,
		.text = line,
		.len = strlen(line) };
	struct policy_inward p = policy_judge_inward(
	    cs->opts.policy, user->bare, contact->bare, contact->ascii);
	struct conversation *c;
	int rc;

	if (p.standing == POLICY_DENIED)
		return ERR_DENIED;
	o.standing = p.standing;
	rc = conversations_get(&c, cs, user, contact);
	if (rc < 0)
		return rc;
	rc = conversation_take(c, &o);
	if (rc < 0)
		conversation_settle(c);
	return rc;
}

void
conversations_bounces_line(
    const char *user, const char *contact, const char *line, void *arg)
{
	struct conversations *cs = arg;
	struct jid u = { 0 }, c = { 0 };
	int rc;

	if (cs->stopping)
		return;
	rc = jid_parse(&u, user, strlen(user));
	if (rc == 0)
		rc = jid_parse(&c, contact, strlen(contact));
	if (rc == 0)
		rc = put_line(cs, &u, &c, line);
	jid_finish(&u);
	jid_finish(&c);
	if (rc < 0)
		log_warn(&cs->log, "bounce-not-told", "from=%s to=%s error=%s",
		    contact, user, err_str(rc));
}

/* The 200 said too much. */
static void
tell(struct conversations *cs, const struct outward_bounce *b,
    const struct outward_late *late)
{
	const struct conversation *c =
	    conversations_find(cs, b->user, b->contact);
	struct errors_sip e;
	struct notice n = { .user = b->user,
		.contact = b->contact,
		.quote = late->quote,
		.error = &e,
		.message_id = late->message_id };

	errors_to_sip(&e, b->condition, b->text);
	if (c != NULL)
		n.dialog = conversation_notifiable(c, &n.contact_uri);
	notices_tell(cs->notices, &n);
}

/* Chat states are not welcome. */
static void
state_bounced(struct conversations *cs, const struct guard_addresses *who)
{
	struct conversation *c =
	    conversations_find(cs, who->to.bare, who->from.bare);

	if (c != NULL)
		conversation_state_bounced(c);
}

void
conversations_bounces_take(struct conversations *cs, struct edges_ticket ticket,
    const struct frame *f, const struct guard_addresses *who)
{
	char *id = frame_dup(f, FIELD_ID);
	char *condition = frame_dup(f, FIELD_CONDITION);
	char *text = frame_dup(f, FIELD_ERROR_TEXT);
	struct outward_bounce b = { .id = id,
		.from = who->from.full,
		.contact = who->from.bare,
		.user = who->to.bare,
		.condition = condition,
		.text = text };
	struct outward_late late;

	conversations_inward_taken(cs, ticket);
	if (id != NULL && conversation_is_state_id(id))
		state_bounced(cs, who);
	if (id != NULL && outwards_bounced(cs->outwards, &late, &b) &&
	    !cs->stopping)
		tell(cs, &b, &late);
	free(id);
	free(condition);
	free(text);
}
