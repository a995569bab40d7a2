/*
 * What the contact writes: it waits in a queue and goes to the Lync user one
 * message at a time, the first in an INVITE, the others as MESSAGE in the
 * dialog.
 *
 * A message stays at the head of the queue while it is on its way, so its
 * deadline and the dialog's fate find it in one place.
 */
#include "frontend-gateway/conversation/conversation_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/random.h"
#include "frontend-gateway/conversation/said.h"
#include "frontend-gateway/conversation/pool_answer.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/sip/sip_sdp.h"
#include "frontend-gateway/sip/sip_ua.h"
#include "frontend-gateway/translate/address.h"
#include "frontend-gateway/translate/body.h"
#include "frontend-gateway/translate/errors.h"

enum { NOT_ACCEPTABLE_HERE = 488 };

/* --- the queue ---------------------------------------------------------- */

static struct inward *
head(struct conversation *c)
{
	if (list_empty(&c->queue))
		return NULL;
	return list_entry(c->queue.next, struct inward, link);
}

static void
unqueue(struct conversation *c, struct inward *in)
{
	list_remove(&in->link);
	c->queue_count--;
	c->queue_bytes -= in->len + in->html_len;
	if (c->sent == in)
		c->sent = NULL;
}

static void
delivered(struct conversation *c, struct inward *in)
{
	bool is_his = !in->notice;

	log_info(&c->log, "delivered", "id=%s from=%s doubled=%d", in->id,
	    in->from, in->unsure);
	c->env->counts->delivered++;
	if (in->unsure)
		c->env->counts->doubled++;
	unqueue(c, in);
	inward_delivered(in);
	if (is_his)
		conversation_disclaim(c);
	conversation_touch(c);
}

static void
failed(struct conversation *c, struct inward *in, const struct errors_stanza *e)
{
	struct said_name name = { c->user.bare, c->contact.bare, in->id };

	log_info(&c->log, "failed", "id=%s from=%s condition=%s", in->id,
	    in->from, condition_str(e->condition));
	c->env->counts->failed++;
	said_forget(c->env->said, &name);
	unqueue(c, in);
	if (e->gone_to != NULL)
		inward_gone(in, e->text, e->gone_to);
	else
		inward_failed(in, e->condition, e->type, e->text);
}

static void
failed_here(struct conversation *c, struct inward *in, enum condition why)
{
	struct errors_stanza e = { .condition = why };

	failed(c, in, &e);
}

void
conversation_fail_queue(struct conversation *c, enum condition why)
{
	struct inward *in;

	while ((in = head(c)) != NULL)
		failed_here(c, in, why);
}

void
conversation_abandon_queue(struct conversation *c)
{
	struct inward *in;

	while ((in = head(c)) != NULL) {
		unqueue(c, in);
		inward_abandon(in);
	}
}

void
conversation_drop_call(struct conversation *c)
{
	if (c->call != NULL)
		sip_ua_drop(c->env->ua, c->call);
	c->call = NULL;
	c->sent = NULL;
	c->sent_in = NULL;
	c->yielded = false;
	if (c->state == CONVERSATION_INVITING)
		conversation_set_state(c, CONVERSATION_IDLE);
}

void
conversation_yield(struct conversation *c)
{
	assert(c->state == CONVERSATION_INVITING);
	c->yielded = true;
	sip_ua_cancel(c->env->ua, c->call);
}

static void
on_late(struct inward *in, void *arg)
{
	struct conversation *c = arg;

	if (c->sent == in)
		conversation_drop_call(c);
	failed_here(c, in, COND_REMOTE_SERVER_TIMEOUT);
	conversation_settle(c);
}

/* --- what the pool answered ----------------------------------------------- */

static enum errors_next
judge(struct conversation *c, struct errors_stanza *e, const struct inward *in,
    const struct sip_result *r, bool in_dialog)
{
	struct errors_answer a = {
		.status = r->status,
		.transport = r->outcome == SIP_OUTCOME_TRANSPORT,
		.in_dialog = in_dialog,
		.retried = in_dialog ? in->retried : in->renamed,
	};
	enum errors_next next;

	if (r->response != NULL) {
		a.warning = pool_answer_warning(r->response);
		a.diagnostics = pool_answer_diagnostics(r->response);
		/* What only we know (no answer, no connection) says nothing
		 * about a user. */
		a.stranger = policy_conceals(in->standing);
	}
	next = errors_from_sip(e, &a);
	log_info(&c->log, "pool-answered",
	    "id=%s method=%s status=%d diagnostics=%u retry=%d", in->id,
	    in_dialog ? "MESSAGE" : "INVITE", r->status, a.diagnostics,
	    next == ERRORS_RETRY_INVITE || next == ERRORS_RETRY_CONVERSATION);
	if (next == ERRORS_REPORT && e->alarm)
		log_error(&c->log, "pool-demands-credentials", "status=%d",
		    r->status);
	return next;
}

/* A stranger's first message has failed. */
static void
note_miss(
    struct conversation *c, const struct inward *in, const struct sip_result *r)
{
	if (in->standing == POLICY_STRANGER && r->response != NULL &&
	    pool_answer_is_miss(r->status))
		policy_missed(c->env->policy, conversation_contact(c),
		    conversation_contact_domain(c),
		    clock_now_ms(c->env->clock));
}

/* True when the message is to be sent once more. */
static bool
act(struct conversation *c, struct inward *in, const struct sip_result *r,
    bool in_dialog)
{
	struct errors_stanza e;
	struct buf moved;

	switch (judge(c, &e, in, r, in_dialog)) {
	case ERRORS_TAKEN:
	case ERRORS_NOTHING:
		delivered(c, in);
		return false;
	case ERRORS_RETRY_INVITE:
		in->retried = true;
		return true;
	case ERRORS_RETRY_CONVERSATION:
		in->renamed = true;
		in->retried = in->retried || in_dialog;
		return true;
	case ERRORS_REPORT:
		break;
	}
	if (!in_dialog)
		note_miss(c, in, r);
	buf_init(&moved, CONVERSATION_TEXT_MAX);
	if (e.moved)
		e.gone_to = conversation_moved_to(&moved, c, r->response);
	failed(c, in, &e);
	buf_finish(&moved);
	if (in_dialog || pool_answer_is_about_text(r->status))
		return false;
	/* Those behind would meet the same answer, each after an INVITE of
	 * its own. */
	while ((in = head(c)) != NULL &&
	       judge(c, &e, in, r, false) == ERRORS_REPORT)
		failed(c, in, &e);
	return false;
}

/* Whether the endpoint takes less than it said; it gets plain text from now
 * on. */
static bool
refuses_formatting(
    struct conversation *c, struct sip_dialog *d, const struct sip_result *r)
{
	if (r->status != 415 && r->status != 488)
		return false;
	log_info(&c->log, "plain-from-now-on", "status=%d", r->status);
	for (size_t i = 0; i < c->leg_count; i++)
		if (c->legs[i].dialog == d)
			c->legs[i].accepts = SIP_SDP_BIT(SIP_SDP_PLAIN);
	return true;
}

static void
on_message_result(struct sip_ua *ua, struct sip_ua_call *call,
    const struct sip_result *r, void *arg)
{
	struct conversation *c = arg;
	struct inward *in = c->sent;
	struct sip_dialog *d = c->sent_in;

	(void)ua;
	if (!r->final)
		return;
	assert(c->call == call && in != NULL);
	c->call = NULL;
	c->sent = NULL;
	c->sent_in = NULL;
	if (in->formatted && refuses_formatting(c, d, r)) {
		conversation_settle(c);
		return;
	}
	/* To be sent again means that the dialog is lost.  If the user has
	 * begun another meanwhile, the message goes there. */
	if (act(c, in, r, true)) {
		c->env->counts->sent_again++;
		in->unsure = pool_answer_is_lost(r);
		if (d != NULL)
			conversation_drop_through(c, d);
	}
	conversation_settle(c);
}

/* Whether the callee has shown the text of the INVITE; he says so. */
static bool
was_shown(const struct inward *in, const struct sip_result *r)
{
	return in->invited &&
	       sip_msg_lists(r->response, "Supported", "ms-text-format");
}

/* An INVITE that gave way has ended.  If the answer crossed the CANCEL its
 * dialog is one too many, but the text may have been seen; else the text
 * follows in the user's dialog, which settling does. */
static void
on_yielded(
    struct conversation *c, struct inward *in, const struct sip_result *r)
{
	c->yielded = false;
	if (r->dialog == NULL)
		return;
	sip_dialog_set_user(r->dialog, NULL);
	sip_ua_bye(c->env->ua, r->dialog);
	if (was_shown(in, r))
		delivered(c, in);
}

/* The answer is a 200 whose description takes no text (RFC 3264 6). */
static void
on_declined(
    struct conversation *c, struct inward *in, const struct sip_result *r)
{
	struct sip_result declined = *r;

	declined.status = NOT_ACCEPTABLE_HERE;
	declined.dialog = NULL;
	sip_dialog_set_user(r->dialog, NULL);
	sip_ua_bye(c->env->ua, r->dialog);
	conversation_set_state(c, CONVERSATION_IDLE);
	if (was_shown(in, r))
		delivered(c, in);
	else
		(void)act(c, in, &declined, false);
	conversation_settle(c);
}

static void
on_invite_result(struct sip_ua *ua, struct sip_ua_call *call,
    const struct sip_result *r, void *arg)
{
	struct conversation *c = arg;
	struct inward *in = c->sent;
	unsigned accepts;

	(void)ua;
	if (!r->final)
		return;
	assert(c->call == call && in != NULL);
	c->call = NULL;
	c->sent = NULL;
	if (c->yielded) {
		on_yielded(c, in, r);
		conversation_settle(c);
		return;
	}
	if (r->dialog == NULL) {
		conversation_set_state(c, CONVERSATION_IDLE);
		(void)act(c, in, r, false);
		conversation_settle(c);
		return;
	}
	accepts = sip_sdp_accepts_of(r->response);
	if ((accepts & SIP_SDP_BIT(SIP_SDP_PLAIN)) == 0) {
		on_declined(c, in, r);
		return;
	}
	conversation_add_leg(c, r->dialog, c->id, accepts);
	conversation_touch(c);
	/* Else it follows as a MESSAGE. */
	if (was_shown(in, r))
		delivered(c, in);
	conversation_settle(c);
}

/* --- asking ---------------------------------------------------------------- */

static void
new_id(struct conversation *c)
{
	uint8_t raw[16];
	struct buf b;

	buf_init(&b, sizeof(c->id) - 1);
	random_bytes(raw, sizeof(raw));
	memset(c->id, 0, sizeof(c->id));
	if (base64_encode(&b, raw, sizeof(raw)) == 0)
		memcpy(c->id, b.data, b.len);
	else
		random_hex(c->id, sizeof(raw));
	buf_finish(&b);
}

static int
ask_invite(struct conversation *c, struct inward *in)
{
	struct sip_header headers[4] = { { "Ms-Conversation-ID", c->id } };
	struct sip_question q = {
		.method = SIP_INVITE,
		.uri = c->user_uri,
		.from_uri = c->contact_uri,
		.headers = headers,
		.header_count = 1,
		.content_type = "application/sdp",
		.on_result = on_invite_result,
		.arg = c,
		.user = c,
	};
	char epid[IDS_EPID_SIZE];
	struct buf sdp, first, html, name;
	int rc;

	new_id(c);
	/* His device keeps its name towards Lync. */
	ids_epid(epid, in->from);
	q.from_epid = epid;
	buf_init(&sdp, CONVERSATION_TEXT_MAX);
	buf_init(&first, CONVERSATION_TEXT_MAX);
	buf_init(&html, CONVERSATION_TEXT_MAX);
	buf_init(&name, CONVERSATION_TEXT_MAX);
	rc = sip_sdp_offer(&sdp, c->env->conf->sip.fqdn, CONVERSATION_SDP_PORT,
	    conversation_accept_types(c));
	/* A text too long for a header field follows as a MESSAGE. */
	in->invited = ids_text_format(&first, in->text, in->len) == 0;
	if (in->invited) {
		headers[1].name = "ms-text-format";
		headers[1].value = buf_cstr(&first);
		q.header_count = 2;
	}
	/* Who shows it chooses between the two. */
	if (in->invited && in->html_len > 0 &&
	    ids_im_format(&html, in->html, in->html_len) == 0 &&
	    buf_cstr(&html) != NULL)
		headers[q.header_count++] =
		    (struct sip_header){ "ms-im-format", buf_cstr(&html) };
	if (in->subject != NULL)
		headers[q.header_count++] =
		    (struct sip_header){ "Subject", in->subject };
	if (in->nick != NULL)
		(void)address_display(&name, in->nick, strlen(in->nick));
	if (name.len == 0)
		(void)address_display_of(&name, &c->contact);
	q.from_display = name.len > 0 ? buf_cstr(&name) : NULL;
	q.body = sdp.data;
	q.body_len = sdp.len;
	if (rc == 0 && in->invited && headers[1].value == NULL)
		rc = ERR_NOMEM;
	if (rc == 0)
		rc = sip_ua_ask(&c->call, c->env->ua, &q);
	buf_finish(&sdp);
	buf_finish(&first);
	buf_finish(&html);
	buf_finish(&name);
	if (rc < 0)
		return rc;
	c->sent = in;
	conversation_set_state(c, CONVERSATION_INVITING);
	return 0;
}

/* In which form the endpoint of that leg gets the message.  Both forms together
 * are held to the limit of one text, for a client has limits as well. */
static enum body_form
form_of(const struct conversation *c, const struct leg *leg,
    const struct inward *in)
{
	if (in->html_len == 0 ||
	    in->len + in->html_len > c->env->conf->limits.body_bytes ||
	    (leg->accepts & SIP_SDP_BIT(SIP_SDP_HTML)) == 0)
		return BODY_PLAIN;
	return (leg->accepts & SIP_SDP_BIT(SIP_SDP_ALTERNATIVE)) != 0
		   ? BODY_ALTERNATIVE
		   : BODY_HTML;
}

static int
ask_message(struct conversation *c, struct inward *in)
{
	struct sip_header language = { "Content-Language", in->language };
	char type[BODY_TYPE_SIZE];
	struct sip_question q = {
		.method = SIP_MESSAGE,
		.content_type = type,
		.headers = &language,
		.header_count = in->language != NULL,
		.on_result = on_message_result,
		.arg = c,
	};
	struct sip_dialog *d = conversation_dialog(c);
	enum body_form form = form_of(c, conversation_leg(c), in);
	struct body_said said = { in->text, in->len, in->html, in->html_len };
	struct buf body;
	int rc;

	buf_init(&body, 0);
	rc = body_in_form(&body, type, form, &said);
	q.body = body.data;
	q.body_len = body.len;
	if (rc == 0)
		rc = sip_ua_ask_in(&c->call, c->env->ua, d, &q);
	buf_finish(&body);
	if (rc < 0)
		return rc;
	in->formatted = form != BODY_PLAIN;
	c->sent = in;
	c->sent_in = d;
	return 0;
}

/* Starts the next message if none is on its way. */
static void
pump(struct conversation *c)
{
	struct inward *in;
	int rc;

	while (c->call == NULL && (in = head(c)) != NULL) {
		rc = c->state == CONVERSATION_OPEN ? ask_message(c, in)
						   : ask_invite(c, in);
		/* No connection with the pool: wait for one, or for the
		 * deadline. */
		if (rc == 0 || rc == ERR_CLOSED)
			return;
		log_warn(&c->log, "not-asked", "id=%s error=%s", in->id,
		    err_str(rc));
		failed_here(c, in, COND_RESOURCE_CONSTRAINT);
	}
}

void
conversation_settle(struct conversation *c)
{
	pump(c);
	if (c->state == CONVERSATION_IDLE && c->call == NULL &&
	    list_empty(&c->queue) && c->outward == 0 &&
	    !conversation_states_busy(c))
		c->env->on_unused(c, c->env->arg);
}

/* A copy of s, or NULL for want of it or of memory. */
static void
take_over(char **to, const char *s)
{
	free(*to);
	*to = s != NULL ? strdup(s) : NULL;
}

int
conversation_take(struct conversation *c, const struct inward_opts *opts)
{
	struct inward_opts o = *opts;
	struct inward *in;
	int rc;

	if (c->queue_count >= c->env->conf->limits.queue_messages ||
	    c->queue_bytes + o.len + o.html_len >
		c->env->conf->limits.queue_bytes)
		return ERR_FULL;
	o.on_late = on_late;
	o.arg = c;
	rc = inward_new(&in, &o);
	if (rc < 0)
		return rc;
	list_append(&c->queue, &in->link);
	c->queue_count++;
	c->queue_bytes += in->len + in->html_len;
	log_body(&c->log, "text-from-xmpp", in->text, in->len);
	if (!o.notice) {
		c->contact_texts++;
		/* The user's answers go to the device that he is written to
		 * from, in its thread. */
		take_over(&c->lock, o.from);
		take_over(&c->their_thread, o.thread);
	}
	c->edge = edges_choose(c->env->edges, c->user.ascii, c->user.bare,
	    c->contact.bare, c->edge);
	conversation_states_text(c);
	conversation_touch(c);
	conversation_settle(c);
	return 0;
}

void
conversation_unlock(struct conversation *c)
{
	free(c->lock);
	c->lock = NULL;
}

void
conversation_heard(struct conversation *c, const char *full)
{
	if (c->lock != NULL && strcmp(c->lock, full) != 0)
		conversation_unlock(c);
}
