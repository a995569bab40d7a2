/*
 * Order of the checks: guard (done), kind, policy, text, duplicates, room.
 * Nothing a stranger may not know depends on anything behind policy.
 */
#include "frontend-gateway/conversation/conversations_impl.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/jid.h"
#include "common/log_limit.h"
#include "frontend-gateway/conversation/compose.h"
#include "frontend-gateway/conversation/conversation.h"
#include "frontend-gateway/conversation/duplicates.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/translate/body.h"
#include "frontend-gateway/translate/formatting.h"
#include "proto/channel.h"
#include "proto/frame.h"

enum { STATE_SIZE = 17 };

void
conversations_inward_taken(struct conversations *cs, struct edges_ticket ticket)
{
	struct channel_result r = { .delivered = true, .proof = PROOF_GATEWAY };

	edges_answer(cs->opts.edges, ticket, &r);
}

static void
refused(struct conversations *cs, struct edges_ticket ticket, enum condition c,
    const char *text)
{
	struct channel_result r = { .condition = c, .text = text };

	edges_answer(cs->opts.edges, ticket, &r);
}

static bool
on_broken(const char *stream, void *arg)
{
	return edges_stream_broken(arg, stream);
}

/* The text is ready; a conversation takes it unless it is a second copy. */
static void
deliver(struct conversations *cs, const struct frame *f,
    const struct guard_addresses *who, const struct edges_stream *stream,
    struct inward_opts *o)
{
	struct duplicates_copy copy = {
		.id = o->id,
		.from = who->from.full,
		.to = who->to.bare,
		.body = o->text,
		.body_len = o->len,
		.stream = stream->id,
	};
	struct conversation *c;
	char *nick;
	int rc;

	switch (duplicates_look(cs->duplicates, &o->duplicate, &copy,
	    clock_now_ms(cs->opts.clock), on_broken, cs->opts.edges)) {
	case DUPLICATES_DELIVERED:
		log_info(&cs->log, "second-copy", "id=%s from=%s to=%s", o->id,
		    who->from.full, who->to.bare);
		conversations_inward_taken(cs, o->ticket);
		return;
	case DUPLICATES_PENDING:
		log_info(&cs->log, "second-copy", "id=%s from=%s to=%s", o->id,
		    who->from.full, who->to.bare);
		if (inward_join(duplicates_owner(o->duplicate), o->ticket) < 0)
			refused(cs, o->ticket, COND_RESOURCE_CONSTRAINT, NULL);
		return;
	case DUPLICATES_NEW:
		break;
	}
	nick = frame_dup(f, FIELD_NICK);
	o->nick = nick;
	o->env = &cs->env.inward;
	rc = conversations_get(&c, cs, &who->to, &who->from);
	if (rc == 0) {
		rc = conversation_take(c, o);
		if (rc < 0)
			conversation_settle(c);
	}
	free(nick);
	if (rc == 0)
		return;
	log_warn(&cs->log, "not-taken", "id=%s from=%s to=%s error=%s", o->id,
	    who->from.full, who->to.bare, err_str(rc));
	duplicates_settle(
	    cs->duplicates, o->duplicate, false, clock_now_ms(cs->opts.clock));
	refused(cs, o->ticket,
	    rc == ERR_JID ? COND_JID_MALFORMED : COND_RESOURCE_CONSTRAINT,
	    NULL);
}

/* What the Lync user is to read: in SIP form, and as a document when it is
 * formatted. */
struct prepared {
	struct buf text, html;
};

static const char *
bytes_of(const struct frame *f, enum frame_tag tag, size_t *len)
{
	const struct frame_field *field = frame_field(f, tag);

	*len = field != NULL ? field->len : 0;
	return field != NULL ? (const char *)field->data : NULL;
}

/* Without its formatting the text says all the same. */
static void
format(struct conversations *cs, struct buf *html, const struct frame *f,
    const struct guard_addresses *who, const struct buf *plain)
{
	struct formatting_source s = {
		.text = (const char *)plain->data,
		.text_len = plain->len,
		.styling = cs->opts.conf->messages.styling &&
			   !frame_has(f, FIELD_UNSTYLED),
	};
	int rc;

	if (!gateway_conf_formats(cs->opts.conf, who->from.ascii))
		return;
	s.body = bytes_of(f, FIELD_BODY, &s.body_len);
	s.rich = bytes_of(f, FIELD_RICH_BODY, &s.rich_len);
	rc = formatting_html(html, &s);
	if (rc < 0)
		log_warn(&cs->log, "not-formatted", "from=%s to=%s error=%s",
		    who->from.full, who->to.bare, err_str(rc));
}

/* Brings the message into SIP form; false when it was answered already. */
static bool
prepare(struct conversations *cs, struct prepared *out, const struct frame *f,
    const struct guard_addresses *who, struct edges_ticket ticket)
{
	size_t limit = cs->opts.conf->limits.body_bytes;
	enum compose_verdict verdict;
	struct buf plain;
	char why[160];
	int rc;

	buf_init(&plain, FRAME_MAX);
	rc = compose_text(&plain, &verdict, f, clock_wall_ms(cs->opts.clock));
	if (rc == 0 && verdict == COMPOSE_TEXT)
		rc = body_to_sip(
		    &out->text, (const char *)plain.data, plain.len, limit);
	if (rc == 0 && verdict == COMPOSE_TEXT)
		format(cs, &out->html, f, who, &plain);
	buf_finish(&plain);
	if (rc == ERR_TOO_LONG) {
		body_limit_text(why, sizeof(why), limit);
		refused(cs, ticket, COND_POLICY_VIOLATION, why);
		return false;
	}
	if (rc < 0) {
		refused(cs, ticket, COND_RESOURCE_CONSTRAINT, NULL);
		return false;
	}
	switch (verdict) {
	case COMPOSE_TEXT:
		return true;
	case COMPOSE_NOTHING:
		conversations_inward_taken(cs, ticket);
		return false;
	case COMPOSE_UNREADABLE:
		break;
	}
	refused(cs, ticket, COND_NOT_ACCEPTABLE,
	    "Encrypted messages cannot be read here.");
	return false;
}

static bool
has_text(const struct frame *f)
{
	return frame_has(f, FIELD_BODY) || frame_has(f, FIELD_LINK) ||
	       frame_has(f, FIELD_ENCRYPTED);
}

/* A chat state alone; it is of interest to a conversation that exists. */
static void
on_state(struct conversations *cs, const struct frame *f,
    const struct guard_addresses *who)
{
	char state[STATE_SIZE];
	struct conversation *c =
	    conversations_find(cs, who->to.bare, who->from.bare);

	if (c == NULL ||
	    !frame_copy(f, FIELD_CHAT_STATE, state, sizeof(state)) ||
	    policy_judge_inward(
		cs->opts.policy, who->to.bare, who->from.bare, who->from.ascii)
		    .standing == POLICY_DENIED)
		return;
	conversation_state(c, state);
}

/* A text was taken, by a conversation that may be over already. */
static void
wrote(struct conversations *cs, const struct frame *f,
    const struct guard_addresses *who)
{
	struct conversation *c =
	    conversations_find(cs, who->to.bare, who->from.bare);

	if (c != NULL)
		conversation_wrote(c, frame_has(f, FIELD_CHAT_STATE));
}

/* A chat that lives has been permitted when it began. */
static struct policy_inward
judge(struct conversations *cs, const struct guard_addresses *who)
{
	if (conversations_find(cs, who->to.bare, who->from.bare) != NULL)
		return policy_judge_inward(cs->opts.policy, who->to.bare,
		    who->from.bare, who->from.ascii);
	return policy_judge_first(cs->opts.policy, who->to.bare, who->from.bare,
	    who->from.ascii, clock_now_ms(cs->opts.clock));
}

void
conversations_inward_message(struct conversations *cs,
    struct edges_ticket ticket, const struct frame *f,
    const struct guard_addresses *who, const struct edges_stream *stream)
{
	struct inward_opts o = { .ticket = ticket, .from = who->from.full };
	struct policy_inward p;
	struct prepared made;
	char *id, *language;

	/* Chat states, receipts and markers are never answered with an error,
	 * and news for everybody are not for a pool. */
	if (!has_text(f) || frame_is(f, FIELD_KIND, "headline")) {
		on_state(cs, f, who);
		conversations_inward_taken(cs, ticket);
		return;
	}
	/* A room is not a person, nor is a server. */
	if (frame_is(f, FIELD_KIND, "groupchat") || who->from.local == NULL ||
	    who->to.local == NULL) {
		refused(cs, ticket, COND_SERVICE_UNAVAILABLE, NULL);
		return;
	}
	p = judge(cs, who);
	if (p.standing == POLICY_DENIED) {
		log_limited_info(&cs->log, who->from.ascii, "denied",
		    "from=%s to=%s reason=%s", who->from.full, who->to.bare,
		    p.reason);
		refused(cs, ticket, COND_SERVICE_UNAVAILABLE, NULL);
		return;
	}
	buf_init(&made.text, FRAME_MAX);
	buf_init(&made.html, FRAME_MAX);
	id = frame_dup(f, FIELD_ID);
	language = frame_dup(f, FIELD_LANGUAGE);
	if (prepare(cs, &made, f, who, ticket)) {
		o.standing = p.standing;
		o.id = id;
		o.language = language;
		o.text = (const char *)made.text.data;
		o.len = made.text.len;
		o.html = (const char *)made.html.data;
		o.html_len = made.html.len;
		deliver(cs, f, who, stream, &o);
		wrote(cs, f, who);
	}
	free(id);
	free(language);
	buf_finish(&made.text);
	buf_finish(&made.html);
}
