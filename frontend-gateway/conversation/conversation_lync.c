/*
 * What the Lync user says: texts, and that he types.
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
#include "frontend-gateway/conversation/said.h"
#include "frontend-gateway/conversation/refusal.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/sip/sip_ua.h"
#include "frontend-gateway/translate/address.h"
#include "frontend-gateway/translate/app_invite.h"
#include "frontend-gateway/translate/body.h"
#include "frontend-gateway/translate/errors.h"
#include "frontend-gateway/translate/styling.h"
#include "frontend-gateway/translate/typing.h"
#include "proto/rich_body.h"

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
	if (bounced)
		conversation_unlock(c);
	conversation_settle(c);
}

/* What a MESSAGE says. */
struct spoken {
	struct buf text, rich;
};

/* thread: NULL outside a dialog. */
static void
forward(struct conversation *c, struct sip_server_txn *st,
    const struct sip_msg *req, const struct spoken *said, const char *thread)
{
	const char *display = sip_msg_from_display(req);
	char own[IDS_THREAD_SIZE], id[IDS_STANZA_SIZE];
	char language[BODY_LANGUAGE_SIZE];
	struct buf nick;
	struct outward_message m = {
		.id = id,
		.from = c->from,
		.to = c->lock != NULL ? c->lock : c->contact.bare,
		.user = c->user.bare,
		.contact = c->contact.bare,
		.local = c->user.ascii,
		.remote = c->contact.ascii,
		.text = (const char *)said->text.data,
		.text_len = said->text.len,
		.rich = (const char *)said->rich.data,
		.rich_len = said->rich.len,
		.thread = thread,
		.chat_states = typing_state_wanted(&c->typing),
	};

	/* Lync knows no message styling. */
	m.unstyled =
	    c->env->conf->messages.styling && styling_found(m.text, m.text_len);
	if (body_language(language, sip_msg_header(req, "Content-Language", 0)))
		m.language = language;
	if (thread == NULL) {
		ids_thread(own, conversation_name_of(req), c->env->secret);
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
	log_body(&c->log, "text-from-lync", m.text, m.text_len);
	conversation_disclaim(c);
	m.thread = conversation_thread(c, m.thread);
	said_keep(c->env->said,
	    &(struct said_name){ c->user.bare, c->contact.bare, id }, m.text,
	    m.text_len, false, clock_now_ms(c->env->clock));
	c->outward++;
	c->user_texts++;
	typing_state_lync_wrote(&c->typing);
	conversation_states_text(c);
	conversation_touch(c);
	outwards_start(c->env->outwards, st, &m, c->edge, on_outward_done, c);
	buf_finish(&nick);
}

static void
spoken_finish(struct spoken *said)
{
	buf_finish(&said->text);
	buf_finish(&said->rich);
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
	struct body_rules rules = {
		.limit = c->env->conf->limits.body_bytes,
		.replace = c->env->conf->messages.replace_bad_text,
	};
	struct spoken said;
	int status;

	buf_init(&said.text, BODY_TEXT_MAX);
	buf_init(&said.rich, RICH_BODY_MAX);
	status = body_from_sip(&said.text,
	    conversation_formats(c) ? &said.rich : NULL, &part, &rules);
	if (status == 0 && said.text.len > 0) {
		forward(c, st, req, &said, thread);
		spoken_finish(&said);
		return;
	}
	spoken_finish(&said);
	if (status == 0) {
		answer_ok(c, st); /* There is nothing to say. */
		conversation_settle(c);
		return;
	}
	log_info(&c->log, "not-read", "type=%s bytes=%zu",
	    sip_msg_content_type(req), sip_msg_body_len(req));
	conversation_refuse(c, st, errors_body_cause(status));
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
		conversation_refuse(c, st, ERRORS_BODY_MALFORMED);
	} else {
		answer_ok(c, st);
		if (rc == 0 && notice.active)
			typing_state_lync_types(&c->typing, notice.refresh_s);
		else if (rc == 0)
			typing_state_lync_idle(&c->typing);
	}
	conversation_settle(c);
}

/* A file, or an application to share, in the form of older clients. */
static void
on_offer(struct conversation *c, struct sip_server_txn *st,
    const struct sip_msg *req, struct sip_dialog *d)
{
	enum errors_cause cause = conversation_files_offered(c, st, req, d);

	if (cause != ERRORS_CAUSE_COUNT)
		conversation_refuse(c, st, cause);
	conversation_settle(c);
}

static void
on_info(struct conversation *c, struct sip_server_txn *st,
    const struct sip_msg *req)
{
	enum errors_cause cause = refusal_of(NULL, req);

	if (strcmp(sip_msg_content_type(req), TYPING_INFO_TYPE) == 0) {
		on_typing(c, st, req);
		return;
	}
	if (cause == ERRORS_CAUSE_COUNT)
		answer_ok(c, st);
	else
		conversation_refuse(c, st, cause);
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
	} else if (method == SIP_MESSAGE &&
		   strcmp(sip_msg_content_type(req), APP_INVITE_TYPE) == 0) {
		on_offer(c, st, req, d);
	} else if (method == SIP_MESSAGE) {
		on_message(c, st, req, thread);
	} else if (method == SIP_INFO) {
		on_info(c, st, req);
	} else if (method == SIP_INVITE || method == SIP_UPDATE) {
		conversation_reinvited(c, st, req, d);
	} else {
		/* The user agent hands up no other method. */
		conversation_refuse(c, st, ERRORS_INTERNAL);
		conversation_settle(c);
	}
}
