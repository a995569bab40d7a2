/*
 * Names, and the other questions by iq.
 *
 * A contact's name is what he wrote into a stanza, else what his card says,
 * which is asked for once, when the user may see him.  The user's own name and
 * what her resource can do is told to those who may see her; to everybody else
 * she looks like nobody.
 */
#include "frontend-gateway/presence/presence_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/jid.h"
#include "frontend-gateway/presence/roster_state.h"
#include "frontend-gateway/translate/display_name.h"
#include "frontend-gateway/translate/user_iq.h"
#include "proto/channel.h"
#include "proto/frame.h"

enum { ANSWER_MAX = 65536 };

/* --- what they are called ----------------------------------------------- */

void
names_of_contact(struct pair *p, const char *name)
{
	struct display_name_sources from = { .nick = name };
	char fit[DISPLAY_NAME_SIZE];

	if (name == NULL || display_name_pick(fit, &from) < 0 ||
	    fit[0] == '\0' || (p->name != NULL && strcmp(p->name, fit) == 0))
		return;
	if (pairs_set_name(&p->name, fit) == 0)
		pair_row_dirty(p);
}

void
names_of_user(struct pair *p, const char *name)
{
	struct display_name_sources from = { .nick = name };
	char fit[DISPLAY_NAME_SIZE];

	if (name == NULL || display_name_pick(fit, &from) < 0 ||
	    fit[0] == '\0' ||
	    (p->user->name != NULL && strcmp(p->user->name, fit) == 0))
		return;
	if (pairs_set_name(&p->user->name, fit) == 0)
		pair_row_dirty(p);
}

/* --- answers to us ------------------------------------------------------ */

static void
on_card(struct presence *pr, const struct frame *f,
    const struct guard_addresses *who)
{
	struct pair *p = pairs_find(pr, who->to.bare, who->from.bare);
	const struct frame_field *answer = frame_field(f, FIELD_ANSWER);
	char name[DISPLAY_NAME_SIZE];

	/* One that was not asked for changes nothing. */
	if (p == NULL || !p->asked_name || answer == NULL ||
	    !frame_is(f, FIELD_KIND, "result") ||
	    !frame_is(f, FIELD_REQUEST, "vcard") || p->name != NULL)
		return;
	if (display_name_of_answer(
		name, (const char *)answer->data, answer->len) < 0)
		return;
	names_of_contact(p, name);
	if (p->name != NULL)
		to_notify_all(p, (enum pair_show)p->show);
	pair_run_timer(p);
}

/* --- questions to a user ------------------------------------------------ */

static void
refuse(struct presence *pr, struct edges_ticket ticket, enum condition c)
{
	struct channel_result r = { .condition = c };

	edges_answer(pr->opts.edges, ticket, &r);
}

/* The card is the person's, the rest her resource's. */
static bool
is_addressed(const struct guard_addresses *who, const char *request)
{
	const char *resource = who->to.resource;

	if (who->to.local == NULL)
		return false;
	if (resource == NULL)
		return strcmp(request, "vcard") == 0;
	return strcmp(resource, USER_IQ_RESOURCE) == 0;
}

static int
write_answer(struct buf *frame, const struct frame *f,
    const struct guard_addresses *who, const struct buf *answer)
{
	const struct frame_field *id = frame_field(f, FIELD_ID);
	const struct frame_field *request = frame_field(f, FIELD_REQUEST);
	struct frame_writer w;

	frame_begin(&w, frame, FRAME_IQ);
	frame_put(&w, FIELD_ID, id->data, id->len);
	frame_put_str(&w, FIELD_FROM, who->to.full);
	frame_put_str(&w, FIELD_TO, who->from.full);
	frame_put_str(&w, FIELD_KIND, "result");
	frame_put(&w, FIELD_REQUEST, request->data, request->len);
	if (answer->len > 0)
		frame_put(&w, FIELD_ANSWER, answer->data, answer->len);
	return frame_end(&w);
}

static int
ask(struct buf *answer, const struct pair *p, const struct frame *f,
    const char *request)
{
	char *node = frame_dup(f, FIELD_DISCO_NODE);
	struct user_iq q = {
		.request = request,
		.node = node,
		.name = p->user->name,
	};
	int rc = user_iq_answer(answer, &q);

	free(node);
	return rc;
}

static void
on_question(struct presence *pr, struct edges_ticket ticket,
    const struct frame *f, const struct guard_addresses *who)
{
	struct channel_result taken = { .delivered = true,
		.proof = PROOF_GATEWAY };
	struct pair *p = pairs_find(pr, who->to.bare, who->from.bare);
	bool sees = p != NULL &&
		    roster_state_from((enum roster_state)p->state.roster) &&
		    policy_judge_presence(pr->opts.policy, who->to.bare,
			who->from.bare, who->from.ascii)
			.may_watch;
	char request[17] = "";
	struct buf answer, frame;
	uint64_t seq;
	int rc;

	(void)frame_copy(f, FIELD_REQUEST, request, sizeof(request));
	if (!sees || !frame_is(f, FIELD_KIND, "get") ||
	    !frame_has(f, FIELD_ID) || !is_addressed(who, request)) {
		refuse(pr, ticket, COND_SERVICE_UNAVAILABLE);
		return;
	}
	buf_init(&answer, ANSWER_MAX);
	buf_init(&frame, FRAME_MAX);
	rc = ask(&answer, p, f, request);
	if (rc == 0)
		rc = write_answer(&frame, f, who, &answer);
	/* Back to the edge that knows the question. */
	if (rc == 0)
		rc =
		    edges_send(pr->opts.edges, ticket.edge, &frame, NULL, &seq);
	if (rc == 0)
		edges_answer(pr->opts.edges, ticket, &taken);
	else if (rc == ERR_NOT_FOUND)
		refuse(pr, ticket, COND_ITEM_NOT_FOUND);
	else if (rc == ERR_UNSUPPORTED)
		refuse(pr, ticket, COND_SERVICE_UNAVAILABLE);
	else
		refuse(pr, ticket, COND_RESOURCE_CONSTRAINT);
	buf_finish(&answer);
	buf_finish(&frame);
}

void
presence_on_iq(struct presence *pr, struct edges_ticket ticket,
    const struct frame *f, const struct guard_addresses *who)
{
	struct channel_result taken = { .delivered = true,
		.proof = PROOF_GATEWAY };

	if (!frame_is(f, FIELD_KIND, "result") &&
	    !frame_is(f, FIELD_KIND, "error")) {
		on_question(pr, ticket, f, who);
		return;
	}
	edges_answer(pr->opts.edges, ticket, &taken);
	on_card(pr, f, who);
}
