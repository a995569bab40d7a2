/*
 * Order of the checks: guard (done), kind, policy, duplicates, text, room.
 * Nothing a stranger may not know depends on anything behind policy.
 *
 * A second copy is told from a new message by what its sender wrote; the text
 * that is made of it depends on what was said before, and on the time.
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
#include "frontend-gateway/conversation/courtesy.h"
#include "frontend-gateway/conversation/duplicates.h"
#include "frontend-gateway/conversation/said.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/translate/body.h"
#include "frontend-gateway/translate/excerpt.h"
#include "frontend-gateway/translate/formatting.h"
#include "frontend-gateway/translate/words.h"
#include "proto/channel.h"
#include "proto/frame.h"

enum { STATE_SIZE = 17, SUBJECT_CHARS = 100 };

/* A message on its way through this file. */
struct arrival {
	struct conversations *cs;
	struct edges_ticket ticket;
	const struct frame *f;
	const struct guard_addresses *who;
	const struct edges_stream *stream;
	enum policy_standing standing;
	struct duplicate *entry; /* pending, or NULL */
	char *id;                /* NULL = none */
	char *target;            /* id of what it refers to; NULL = nothing */
	bool replaces;           /* ... and that has not been sent yet */
	struct compose_result made;
	struct buf text, html; /* in SIP form; as a document */
	struct buf receipt;
};

/* --- answers -------------------------------------------------------------- */

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

static void
settle(struct arrival *a, bool delivered)
{
	duplicates_settle(a->cs->duplicates, a->entry, delivered,
	    clock_now_ms(a->cs->opts.clock));
	a->entry = NULL;
}

/* There is nothing to be shown. */
static void
end(struct arrival *a)
{
	settle(a, true);
	conversations_inward_taken(a->cs, a->ticket);
}

static void
fail(struct arrival *a, enum condition c, const char *text)
{
	settle(a, false);
	refused(a->cs, a->ticket, c, text);
}

/* --- second copies -------------------------------------------------------- */

static bool
on_broken(const char *stream, void *arg)
{
	return edges_stream_broken(arg, stream);
}

static bool
is_content(uint16_t tag)
{
	static const enum frame_tag tags[] = { FIELD_BODY, FIELD_SUBJECT,
		FIELD_CORRECTS, FIELD_RETRACTS, FIELD_REPLY_TO, FIELD_REACTS_TO,
		FIELD_REACTION, FIELD_LINK, FIELD_ATTENTION };

	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
		if (tags[i] == tag)
			return true;
	return false;
}

/* All that its sender wrote, each part with its name. */
static void
put_content(struct buf *out, const struct frame *f)
{
	for (uint16_t i = 0; i < f->count; i++) {
		const struct frame_field *field = &f->fields[i];

		if (!is_content(field->tag))
			continue;
		buf_addf(
		    out, "%u:%u:", (unsigned)field->tag, (unsigned)field->len);
		buf_add(out, field->data, field->len);
	}
}

/* True when the message is to be handled; else it was, or will be with its
 * first copy. */
static bool
is_first(struct arrival *a)
{
	struct conversations *cs = a->cs;
	struct buf content;
	struct duplicates_copy copy = {
		.id = a->id,
		.from = a->who->from.full,
		.to = a->who->to.bare,
		.stream = a->stream->id,
	};
	enum duplicates_verdict v;

	buf_init(&content, 0);
	put_content(&content, a->f);
	if (buf_failed(&content)) {
		buf_finish(&content);
		refused(cs, a->ticket, COND_RESOURCE_CONSTRAINT, NULL);
		return false;
	}
	copy.body = content.data;
	copy.body_len = content.len;
	v = duplicates_look(cs->duplicates, &a->entry, &copy,
	    clock_now_ms(cs->opts.clock), on_broken, cs->opts.edges);
	buf_finish(&content);
	if (v == DUPLICATES_NEW)
		return true;
	log_info(&cs->log, "second-copy", "id=%s from=%s to=%s", a->id,
	    a->who->from.full, a->who->to.bare);
	if (v == DUPLICATES_DELIVERED)
		conversations_inward_taken(cs, a->ticket);
	else if (inward_join(duplicates_owner(a->entry), a->ticket) < 0)
		refused(cs, a->ticket, COND_RESOURCE_CONSTRAINT, NULL);
	return false;
}

/* --- the text ------------------------------------------------------------- */

static const char *
bytes_of(const struct frame *f, enum frame_tag tag, size_t *len)
{
	const struct frame_field *field = frame_field(f, tag);

	*len = field != NULL ? field->len : 0;
	return field != NULL ? (const char *)field->data : NULL;
}

/* Without its formatting the text says all the same. */
static void
format(struct arrival *a, const struct buf *plain)
{
	struct conversations *cs = a->cs;
	struct formatting_source s = {
		.text = (const char *)plain->data,
		.text_len = plain->len,
		.styling = cs->opts.conf->messages.styling &&
			   !frame_has(a->f, FIELD_UNSTYLED),
	};
	int rc;

	if (!gateway_conf_formats(cs->opts.conf, a->who->from.ascii))
		return;
	s.body = bytes_of(a->f, FIELD_BODY, &s.body_len);
	s.rich = bytes_of(a->f, FIELD_RICH_BODY, &s.rich_len);
	rc = formatting_html(&a->html, &s);
	if (rc < 0)
		log_warn(&cs->log, "not-formatted", "from=%s to=%s error=%s",
		    a->who->from.full, a->who->to.bare, err_str(rc));
}

static struct said_name
name_of(const struct arrival *a, const char *id)
{
	return (struct said_name){ a->who->to.bare, a->who->from.bare, id };
}

/* Whether it corrects something that has not been sent yet. */
static bool
corrects_in_time(const struct arrival *a)
{
	const struct conversation *c =
	    conversations_find(a->cs, a->who->to.bare, a->who->from.bare);

	return c != NULL && a->target != NULL &&
	       frame_is(a->f, FIELD_CORRECTS, a->target) &&
	       conversation_waits(c, a->target);
}

/* Makes the text, in SIP form.  0, ERR_TOO_LONG, or another error. */
static int
prepare(struct arrival *a)
{
	struct conversations *cs = a->cs;
	struct said_name name = name_of(a, a->target);
	struct said_message target;
	struct compose_opts o = {
		.rules = &cs->opts.conf->messages,
		.wall_ms = clock_wall_ms(cs->opts.clock),
		.known = !policy_conceals(a->standing),
	};
	struct buf plain;
	int rc;

	a->replaces = corrects_in_time(a);
	o.replaces = a->replaces;
	if (said_find(cs->said, &target, &name, clock_now_ms(cs->opts.clock)))
		o.target = &target;
	buf_init(&plain, FRAME_MAX);
	rc = compose_text(&plain, &a->made, a->f, &o);
	if (rc == 0 && a->made.verdict == COMPOSE_TEXT)
		rc = body_to_sip(&a->text, (const char *)plain.data, plain.len,
		    cs->opts.conf->limits.body_bytes);
	if (rc == 0 && a->made.verdict == COMPOSE_TEXT)
		format(a, &plain);
	buf_finish(&plain);
	return rc;
}

/* --- to the conversation -------------------------------------------------- */

static void
make_receipt(struct arrival *a)
{
	struct conversations *cs = a->cs;
	const char *user = a->who->to.bare;

	if (!cs->opts.conf->messages.receipts ||
	    !policy_watches(cs->opts.policy, user, a->who->from.bare))
		return;
	if (courtesy_receipt(&a->receipt, a->f, user) < 0)
		log_warn(&cs->log, "no-receipt", "id=%s from=%s", a->id,
		    a->who->from.full);
}

static void
keep_under(struct arrival *a, const char *id)
{
	struct said_name name = name_of(a, id);

	if (id != NULL)
		said_keep(a->cs->said, &name, a->made.said, a->made.said_len,
		    true, clock_now_ms(a->cs->opts.clock));
}

static void
remember_reactions(struct arrival *a)
{
	struct said_name target = name_of(a, a->target);
	struct buf all;

	if (!frame_has(a->f, FIELD_REACTS_TO))
		return;
	buf_init(&all, 0);
	compose_reactions(&all, a->f);
	said_react(a->cs->said, &target, (const char *)all.data, all.len);
	buf_finish(&all);
}

/* What later messages may refer to. */
static void
remember(struct arrival *a)
{
	struct said_name target = name_of(a, a->target);

	if (frame_has(a->f, FIELD_RETRACTS))
		said_forget(a->cs->said, &target);
	if (a->made.said_len > 0 && !frame_has(a->f, FIELD_NO_STORE)) {
		keep_under(a, a->id);
		/* A message is called by its first id for ever. */
		if (frame_has(a->f, FIELD_CORRECTS))
			keep_under(a, a->target);
	}
	remember_reactions(a);
}

/* The conversation takes the message, or it is refused. */
static void
hand_over(struct arrival *a, struct inward_opts *o)
{
	struct conversations *cs = a->cs;
	struct conversation *c;
	int rc;

	rc = conversations_get(&c, cs, &a->who->to, &a->who->from);
	if (rc == 0 && a->replaces)
		rc = conversation_correct(c, a->target, o);
	else if (rc == 0)
		rc = conversation_take(c, o);
	if (rc == 0) {
		a->entry = NULL; /* the conversation's */
		remember(a);
		return;
	}
	c = conversations_find(cs, a->who->to.bare, a->who->from.bare);
	if (c != NULL)
		conversation_settle(c);
	log_warn(&cs->log, "not-taken", "id=%s from=%s to=%s error=%s",
	    a->id != NULL ? a->id : "", a->who->from.full, a->who->to.bare,
	    err_str(rc));
	fail(a, rc == ERR_JID ? COND_JID_MALFORMED : COND_RESOURCE_CONSTRAINT,
	    NULL);
}

static void
deliver(struct arrival *a)
{
	const struct frame_field *title = frame_field(a->f, FIELD_SUBJECT);
	char *nick = frame_dup(a->f, FIELD_NICK);
	char *language = frame_dup(a->f, FIELD_LANGUAGE);
	char *thread = frame_dup(a->f, FIELD_THREAD);
	char subject[EXCERPT_SIZE] = "";
	struct inward_opts o = {
		.env = &a->cs->env.inward,
		.ticket = a->ticket,
		.duplicate = a->entry,
		.standing = a->standing,
		.id = a->id,
		.from = a->who->from.full,
		.nick = nick,
		.language = language,
		.thread = thread,
		.receipt = &a->receipt,
		.text = (const char *)a->text.data,
		.len = a->text.len,
		.html = (const char *)a->html.data,
		.html_len = a->html.len,
	};

	if (title != NULL)
		excerpt_of(subject, (const char *)title->data, title->len,
		    SUBJECT_CHARS);
	if (subject[0] != '\0')
		o.subject = subject;
	make_receipt(a);
	hand_over(a, &o);
	free(nick);
	free(language);
	free(thread);
}

/* --- what is no text ------------------------------------------------------ */

/* Something may have to be shown, or answered with an error. */
static bool
says_something(const struct frame *f)
{
	static const enum frame_tag tags[] = { FIELD_BODY, FIELD_LINK,
		FIELD_ENCRYPTED, FIELD_RETRACTS, FIELD_REACTS_TO,
		FIELD_INVITATION, FIELD_ATTENTION };

	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
		if (frame_has(f, tags[i]))
			return true;
	return false;
}

/* News for everybody are not for a pool, unless it is wished; a headline that
 * calls for attention is none (XEP-0224 4). */
static bool
is_news(const struct conversations *cs, const struct frame *f)
{
	return frame_is(f, FIELD_KIND, "headline") &&
	       !frame_has(f, FIELD_ATTENTION) &&
	       !cs->opts.conf->messages.headlines;
}

/* A chat state alone; it is of interest to a conversation that exists. */
static void
on_state(struct conversations *cs, const struct frame *f,
    const struct guard_addresses *who)
{
	char state[STATE_SIZE];
	struct conversation *c =
	    conversations_find(cs, who->to.bare, who->from.bare);

	if (c == NULL || policy_judge_inward(cs->opts.policy, who->to.bare,
			     who->from.bare, who->from.ascii)
				 .standing == POLICY_DENIED)
		return;
	/* What his server says for him tells nothing of his devices. */
	if (who->from.resource != NULL)
		conversation_heard(c, who->from.full);
	if (frame_copy(f, FIELD_CHAT_STATE, state, sizeof(state)))
		conversation_state(c, state);
}

/* A text was taken, by a conversation that may be over already. */
static void
wrote(struct arrival *a)
{
	struct conversation *c =
	    conversations_find(a->cs, a->who->to.bare, a->who->from.bare);

	if (c != NULL)
		conversation_wrote(c, frame_has(a->f, FIELD_CHAT_STATE));
}

/* A Lync user cannot come to a room.  Through a room the person who invites is
 * told so; who invites directly has an error for it. */
static void
decline(struct arrival *a)
{
	struct conversations *cs = a->cs;
	const char *user = a->who->to.bare;
	struct buf frame;
	uint64_t seq;
	int rc;

	log_info(&cs->log, "room-declined", "from=%s to=%s", a->who->from.full,
	    user);
	if (!frame_has(a->f, FIELD_INVITER)) {
		refused(cs, a->ticket, COND_NOT_ACCEPTABLE, WORDS_NO_ROOMS);
		return;
	}
	buf_init(&frame, FRAME_MAX);
	rc = courtesy_decline(&frame, a->f, user);
	if (rc == 0)
		rc = edges_send(
		    cs->opts.edges, a->ticket.edge, &frame, NULL, &seq);
	if (rc < 0)
		log_warn(&cs->log, "not-declined", "from=%s to=%s error=%s",
		    a->who->from.full, user, err_str(rc));
	buf_finish(&frame);
	conversations_inward_taken(cs, a->ticket);
}

/* --- the way of a message ------------------------------------------------- */

/* A message that takes back one which still waits: both are gone. */
static bool
vanishes(struct arrival *a)
{
	struct conversation *c =
	    conversations_find(a->cs, a->who->to.bare, a->who->from.bare);

	if (c == NULL || a->target == NULL ||
	    !frame_has(a->f, FIELD_RETRACTS) ||
	    !conversation_withdraw(c, a->target))
		return false;
	remember(a);
	return true;
}

static void
handle(struct arrival *a)
{
	size_t limit = a->cs->opts.conf->limits.body_bytes;
	char why[160];
	int rc;

	if (vanishes(a)) {
		end(a);
		return;
	}
	rc = prepare(a);
	if (rc == ERR_TOO_LONG) {
		body_limit_text(why, sizeof(why), limit);
		fail(a, COND_POLICY_VIOLATION, why);
	} else if (rc < 0) {
		fail(a, COND_RESOURCE_CONSTRAINT, NULL);
	} else if (a->made.verdict == COMPOSE_TEXT) {
		deliver(a);
		wrote(a);
	} else {
		remember_reactions(a); /* one may be taken away */
		end(a);
	}
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

static void
permitted(struct arrival *a)
{
	const struct frame_field *target = compose_target(a->f);

	if (frame_has(a->f, FIELD_INVITATION)) {
		decline(a);
		return;
	}
	if (frame_has(a->f, FIELD_ENCRYPTED)) {
		refused(a->cs, a->ticket, COND_NOT_ACCEPTABLE, WORDS_ENCRYPTED);
		return;
	}
	a->id = frame_dup(a->f, FIELD_ID);
	if (target != NULL)
		a->target = strndup((const char *)target->data, target->len);
	buf_init(&a->text, FRAME_MAX);
	buf_init(&a->html, FRAME_MAX);
	buf_init(&a->receipt, FRAME_MAX);
	if (is_first(a))
		handle(a);
	buf_finish(&a->text);
	buf_finish(&a->html);
	buf_finish(&a->receipt);
	free(a->id);
	free(a->target);
}

void
conversations_inward_message(struct conversations *cs,
    struct edges_ticket ticket, const struct frame *f,
    const struct guard_addresses *who, const struct edges_stream *stream)
{
	struct arrival a = {
		.cs = cs, .ticket = ticket, .f = f, .who = who, .stream = stream
	};
	struct policy_inward p;

	/* Whatever is in it: a room goes on until it is told. */
	if (frame_is(f, FIELD_KIND, "groupchat")) {
		refused(cs, ticket, COND_SERVICE_UNAVAILABLE, NULL);
		return;
	}
	/* Chat states, receipts and markers are never answered with an
	 * error. */
	if (!says_something(f) || is_news(cs, f)) {
		on_state(cs, f, who);
		conversations_inward_taken(cs, ticket);
		return;
	}
	/* A server is no person. */
	if (who->from.local == NULL || who->to.local == NULL) {
		refused(cs, ticket, COND_SERVICE_UNAVAILABLE, NULL);
		return;
	}
	p = judge(cs, who);
	if (p.standing == POLICY_DENIED) {
		log_limited_info(&cs->log, who->from.ascii, "denied",
		    "from=%s to=%s reason=%s", who->from.full, who->to.bare,
		    p.reason);
		cs->counts.denied++;
		refused(cs, ticket, COND_SERVICE_UNAVAILABLE, NULL);
		return;
	}
	a.standing = p.standing;
	permitted(&a);
}
