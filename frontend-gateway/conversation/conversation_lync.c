/*
 * What the Lync user does: invites, writes, types.
 *
 * A message is handed to outward, which answers it when its fate is known;
 * everything else is answered on the spot.
 */
#include "frontend-gateway/conversation/conversation_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "frontend-gateway/conversation/outward.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/sip/sip_sdp.h"
#include "frontend-gateway/sip/sip_ua.h"
#include "frontend-gateway/translate/address.h"
#include "frontend-gateway/translate/body.h"
#include "frontend-gateway/translate/errors.h"
#include "frontend-gateway/translate/typing.h"

static const char *
name_of(const struct sip_msg *m)
{
	const char *id = sip_msg_header(m, "Ms-Conversation-ID", 0);

	return id != NULL && id[0] != '\0' ? id : sip_msg_call_id(m);
}

static void
refuse(
    struct conversation *c, struct sip_server_txn *st, enum errors_cause cause)
{
	struct errors_sip e;
	int rc;

	errors_refusal(&e, cause);
	log_info(&c->log, "refused", "status=%d reason=%s", e.status, e.reason);
	rc = sip_ua_refuse(c->env->ua, st, e.status, e.diagnostics, e.reason);
	if (rc < 0)
		log_warn(&c->log, "not-answered", "error=%s", err_str(rc));
}

static void
answer_ok(struct conversation *c, struct sip_server_txn *st)
{
	struct sip_answer a = { .status = 200 };
	int rc = sip_ua_respond(c->env->ua, st, &a);

	if (rc < 0)
		log_warn(&c->log, "not-answered", "error=%s", err_str(rc));
}

static void
on_outward_done(bool was_delivered, bool bounced, void *arg)
{
	struct conversation *c = arg;

	assert(c->outward > 0);
	c->outward--;
	if (was_delivered)
		policy_remember(c->env->policy, c->user.bare, c->contact.bare);
	/* The device may be the reason. */
	if (bounced) {
		free(c->lock);
		c->lock = NULL;
	}
	conversation_settle(c);
}

/* thread: NULL outside a dialog. */
static void
forward(struct conversation *c, struct sip_server_txn *st,
    const struct sip_msg *req, const struct buf *text, const char *thread)
{
	const char *display = sip_msg_from_display(req);
	char own[IDS_THREAD_SIZE], id[IDS_STANZA_SIZE];
	struct buf nick;
	struct outward_message m = {
		.id = id,
		.from = c->from,
		.to = c->lock != NULL ? c->lock : c->contact.bare,
		.user = c->user.bare,
		.contact = c->contact.bare,
		.local = c->user.ascii,
		.remote = c->contact.ascii,
		.text = (const char *)text->data,
		.text_len = text->len,
		.thread = thread,
		.chat_states = typing_state_wanted(&c->typing),
	};

	if (thread == NULL) {
		ids_thread(own, name_of(req), c->env->secret);
		m.thread = own;
	}
	ids_stanza(id, sip_msg_call_id(req), sip_msg_cseq(req),
	    sip_msg_from_tag(req), c->env->secret);
	/* The name goes with the first message of a thread. */
	buf_init(&nick, CONVERSATION_TEXT_MAX);
	if (display != NULL && strcmp(c->named, m.thread) != 0)
		(void)address_display(&nick, display, strlen(display));
	if (nick.len > 0) {
		m.nick = buf_cstr(&nick);
		snprintf(c->named, sizeof(c->named), "%s", m.thread);
	}
	c->edge = edges_choose(c->env->edges, c->user.ascii, c->user.bare,
	    c->contact.bare, c->edge);
	c->outward++;
	typing_state_lync_wrote(&c->typing);
	conversation_states_text(c);
	conversation_touch(c);
	outwards_start(c->env->outwards, st, &m, c->edge, on_outward_done, c);
	buf_finish(&nick);
}

static void
on_message(struct conversation *c, struct sip_server_txn *st,
    const struct sip_msg *req, const char *thread)
{
	struct body_part part = {
		.content_type = sip_msg_header(req, "Content-Type", 0),
		.content_encoding = sip_msg_header(req, "Content-Encoding", 0),
		.data = sip_msg_body(req),
		.len = sip_msg_body_len(req),
	};
	struct sip_header accept = { "Accept", BODY_ACCEPT };
	struct errors_sip e;
	struct sip_answer a;
	struct buf text;
	int status, rc;

	buf_init(&text, BODY_TEXT_MAX);
	status =
	    body_from_sip(&text, NULL, &part, c->env->conf->limits.body_bytes);
	if (status == 0 && text.len > 0) {
		forward(c, st, req, &text, thread);
		buf_finish(&text);
		return;
	}
	buf_finish(&text);
	if (status == 0) {
		answer_ok(c, st); /* There is nothing to say. */
		conversation_settle(c);
		return;
	}
	errors_refusal(&e, errors_body_cause(status));
	a = (struct sip_answer){ .status = e.status,
		.headers = &accept,
		.header_count = e.status == 415 ? 1 : 0,
		.diagnostics = e.diagnostics,
		.diagnostics_reason = e.reason };
	log_info(&c->log, "refused", "status=%d type=%s bytes=%zu", e.status,
	    sip_msg_content_type(req), sip_msg_body_len(req));
	rc = sip_ua_respond(c->env->ua, st, &a);
	if (rc < 0)
		log_warn(&c->log, "not-answered", "error=%s", err_str(rc));
	conversation_settle(c);
}

/* Somebody types, or says in XML what is of no use to the other side: then its
 * sender only wants to know that it was understood. */
static void
on_typing(struct conversation *c, struct sip_server_txn *st,
    const struct sip_msg *req)
{
	struct typing_notice notice;
	int rc = typing_read(&notice, sip_msg_body(req), sip_msg_body_len(req));

	if (rc == ERR_MALFORMED) {
		refuse(c, st, ERRORS_BODY_MALFORMED);
	} else {
		answer_ok(c, st);
		if (rc == 0 && notice.active)
			typing_state_lync_types(&c->typing, notice.refresh_s);
		else if (rc == 0)
			typing_state_lync_idle(&c->typing);
	}
	conversation_settle(c);
}

static void
on_info(struct conversation *c, struct sip_server_txn *st,
    const struct sip_msg *req)
{
	const char *type = sip_msg_content_type(req);

	if (strcmp(type, TYPING_INFO_TYPE) == 0) {
		on_typing(c, st, req);
		return;
	}
	if (type[0] == '\0' ||
	    strcmp(type, "application/xml+conversationinfo") == 0)
		answer_ok(c, st);
	else
		refuse(c, st, ERRORS_BODY_TYPE);
	conversation_settle(c);
}

/* The answer to an offer.  0, or ERR_UNSUPPORTED for anything but an IM
 * session in plain text. */
static int
answer_sdp(struct conversation *c, struct buf *out, const struct sip_msg *req)
{
	struct sip_sdp *offer = malloc(sizeof(*offer));
	int rc;

	if (offer == NULL)
		return ERR_NOMEM;
	rc = ERR_UNSUPPORTED;
	if (strcmp(sip_msg_content_type(req), "application/sdp") == 0 &&
	    sip_sdp_parse(offer, sip_msg_body(req), sip_msg_body_len(req)) ==
		0 &&
	    offer->kind != SIP_SDP_OTHER &&
	    (offer->accepts & SIP_SDP_BIT(SIP_SDP_PLAIN)) != 0)
		rc = sip_sdp_answer(out, offer, c->env->conf->sip.fqdn,
		    CONVERSATION_SDP_PORT, c->contact_uri, BODY_ACCEPT_TYPES);
	free(offer);
	return rc;
}

static void
refuse_media(struct conversation *c, struct sip_server_txn *st)
{
	char warning[320];
	struct sip_header h = { "Warning", warning };
	struct errors_sip e;
	struct sip_answer a;
	int rc;

	snprintf(warning, sizeof(warning),
	    "304 %s \"Media type not available\"", c->env->conf->sip.fqdn);
	errors_refusal(&e, ERRORS_MEDIA);
	a = (struct sip_answer){ .status = e.status,
		.headers = &h,
		.header_count = 1,
		.diagnostics = e.diagnostics,
		.diagnostics_reason = e.reason };
	log_info(&c->log, "refused", "status=%d reason=%s", e.status, e.reason);
	rc = sip_ua_respond(c->env->ua, st, &a);
	if (rc < 0)
		log_warn(&c->log, "not-answered", "error=%s", err_str(rc));
}

/* An INVITE within a dialog: the session stays as it is. */
static void
on_reinvite(struct conversation *c, struct sip_server_txn *st,
    const struct sip_msg *req)
{
	struct sip_answer a = { .status = 200,
		.content_type = "application/sdp" };
	struct buf sdp;
	int rc;

	buf_init(&sdp, CONVERSATION_TEXT_MAX);
	if (answer_sdp(c, &sdp, req) < 0) {
		refuse_media(c, st);
	} else {
		a.body = sdp.data;
		a.body_len = sdp.len;
		rc = sip_ua_respond(c->env->ua, st, &a);
		if (rc < 0)
			log_warn(
			    &c->log, "not-answered", "error=%s", err_str(rc));
	}
	buf_finish(&sdp);
	conversation_settle(c);
}

void
conversation_invited(struct conversation *c, struct sip_server_txn *st,
    const struct sip_msg *req)
{
	struct sip_answer a = { .status = 200,
		.content_type = "application/sdp" };
	char name[256];
	unsigned accepts = sip_sdp_accepts_of(req);
	struct sip_dialog *d;
	struct buf sdp;
	int rc;

	buf_init(&sdp, CONVERSATION_TEXT_MAX);
	rc = answer_sdp(c, &sdp, req);
	if (rc < 0) {
		refuse_media(c, st);
		goto done;
	}
	/* Accepting may end the request's life. */
	snprintf(name, sizeof(name), "%s", name_of(req));
	a.body = sdp.data;
	a.body_len = sdp.len;
	rc = sip_ua_accept(&d, c->env->ua, st, &a, c);
	if (rc < 0) {
		log_warn(&c->log, "not-accepted", "error=%s", err_str(rc));
		refuse(c, st, ERRORS_INTERNAL);
		goto done;
	}
	log_info(&c->log, "invited", "call=%s", sip_dialog_call_id(d));
	/* Both sides began at once: theirs is the session. */
	if (c->state == CONVERSATION_INVITING)
		conversation_yield(c);
	conversation_add_leg(c, d, name, accepts);
	conversation_touch(c);
done:
	buf_finish(&sdp);
	conversation_settle(c);
}

void
conversation_requested(struct conversation *c, struct sip_server_txn *st,
    const struct sip_msg *req, struct sip_dialog *d)
{
	const char *thread = NULL;
	enum sip_method method = sip_msg_method(req);

	for (size_t i = 0; d != NULL && i < c->leg_count; i++)
		if (c->legs[i].dialog == d)
			thread = c->legs[i].thread;
	if (method == SIP_MESSAGE &&
	    strcmp(sip_msg_content_type(req), TYPING_COMPOSING_TYPE) == 0) {
		on_typing(c, st, req);
	} else if (method == SIP_MESSAGE) {
		on_message(c, st, req, thread);
	} else if (method == SIP_INFO) {
		on_info(c, st, req);
	} else if (method == SIP_INVITE) {
		on_reinvite(c, st, req);
	} else {
		/* The user agent hands up no other method. */
		refuse(c, st, ERRORS_INTERNAL);
		conversation_settle(c);
	}
}
