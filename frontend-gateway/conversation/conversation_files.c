/*
 * Files and shared applications that an older client offers within the chat.
 *
 * The MESSAGE with the offer is taken with 200; what declines it goes back in a
 * MESSAGE of ours, as from a client whose user has said no.  It is no text:
 * it waits for no other one, and nobody is told when it fails, since the offer
 * then ends by the client's own time limit.
 */
#include "frontend-gateway/conversation/conversation_impl.h"

#include "common/buf.h"
#include "common/err.h"
#include "frontend-gateway/sip/sip_ua.h"
#include "frontend-gateway/translate/app_invite.h"

static void
on_declined(struct sip_ua *ua, struct sip_ua_call *call,
    const struct sip_result *r, void *arg)
{
	(void)ua;
	(void)call;
	(void)r;
	(void)arg;
}

static int
decline(struct conversation *c, struct sip_dialog *d,
    const struct app_invite *invite)
{
	struct sip_question q = { .method = SIP_MESSAGE,
		.content_type = APP_INVITE_CONTENT_TYPE,
		.on_result = on_declined };
	struct sip_ua_call *call;
	struct buf body;
	int rc;

	buf_init(&body, CONVERSATION_TEXT_MAX);
	rc = app_invite_decline(&body, invite);
	if (rc == 0) {
		q.body = body.data;
		q.body_len = body.len;
		rc = sip_ua_ask_in(&call, c->env->ua, d, &q);
	}
	buf_finish(&body);
	return rc;
}

enum errors_cause
conversation_files_offered(struct conversation *c, struct sip_server_txn *st,
    const struct sip_msg *req, struct sip_dialog *d)
{
	const struct sip_answer ok = { .status = 200 };
	struct app_invite invite;
	int rc;

	/* Without a dialog there is no way to decline it but this. */
	if (d == NULL)
		return ERRORS_BODY_TYPE;
	if (app_invite_read(&invite, sip_msg_body(req), sip_msg_body_len(req)) <
	    0)
		return ERRORS_BODY_MALFORMED;
	rc = sip_ua_respond(c->env->ua, st, &ok);
	if (rc < 0)
		log_warn(&c->log, "not-answered", "error=%s", err_str(rc));
	if (!invite.asks)
		return ERRORS_CAUSE_COUNT;
	rc = decline(c, d, &invite);
	log_info(&c->log, "offer-declined", "type=%s%s%s", APP_INVITE_TYPE,
	    rc < 0 ? " error=" : "", rc < 0 ? err_str(rc) : "");
	return ERRORS_CAUSE_COUNT;
}
