/*
 * The sessions of a chat: what the Lync user's INVITE, UPDATE and ACK say.
 *
 * Whoever is invited answers at once, as nobody has to pick up at the other
 * side.  The device that invited last is the one to be written to; dialogs
 * with others stay until they end by themselves.
 *
 * Offers may come in the INVITE, or be left to us, in the 200; then the answer
 * comes in the ACK, and until it is there no other offer can be made (RFC 3264
 * 4; 491, RFC 3261 14.2).  Nothing that is asked of a session but messages
 * changes it (488), nor does it end it.
 */
#include "frontend-gateway/conversation/conversation_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "frontend-gateway/conversation/refusal.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/sip/sip_sdp.h"
#include "frontend-gateway/sip/sip_ua.h"
#include "frontend-gateway/translate/errors.h"

const char *
conversation_name_of(const struct sip_msg *m)
{
	const char *id = sip_msg_header(m, "Ms-Conversation-ID", 0);

	return id != NULL && id[0] != '\0' ? id : sip_msg_call_id(m);
}

static void
refuse_because(struct conversation *c, struct sip_server_txn *st,
    const struct policy_refusal *why)
{
	struct refusal r;
	int rc;

	refusal_make_because(&r, why, c->env->conf->sip.fqdn);
	log_info(&c->log, "refused", "status=%d reason=%s", r.answer.status,
	    r.answer.diagnostics_reason);
	rc = sip_ua_respond(c->env->ua, st, &r.answer);
	if (rc < 0)
		log_warn(&c->log, "not-answered", "error=%s", err_str(rc));
}

void
conversation_refuse(
    struct conversation *c, struct sip_server_txn *st, enum errors_cause cause)
{
	const struct policy_refusal why = { cause, "", "" };

	refuse_because(c, st, &why);
}

/* What the other side said of itself, and the description that answers it;
 * out is to be finished in any case. */
struct terms {
	struct buf out;
	unsigned accepts;
	bool offered; /* it made no offer: out is one of ours */
};

/* She may lack the right to a call that would not come about anyway. */
static void
blame(struct policy_refusal *why, const struct conversation *c,
    enum errors_cause cause, const struct sip_sdp *offer)
{
	const struct policy_outward o = { c->user.bare, c->user.ascii,
		c->contact.ascii, refusal_use(cause, offer) };

	if (cause != ERRORS_CALL ||
	    policy_judge_outward(c->env->policy, why, &o) == 0)
		*why = (struct policy_refusal){ cause, "", "" };
}

/* 0, or ERR_UNSUPPORTED with the cause for anything but an IM session in plain
 * text. */
static int
answer_sdp(struct conversation *c, struct policy_refusal *why, struct terms *t,
    const struct sip_msg *req)
{
	enum errors_cause cause;
	struct sip_sdp *offer = malloc(sizeof(*offer));
	int rc = ERR_UNSUPPORTED;

	*why = (struct policy_refusal){ ERRORS_INTERNAL, "", "" };
	if (offer == NULL)
		return ERR_NOMEM;
	cause = refusal_of(offer, req);
	if (cause == ERRORS_CAUSE_COUNT) {
		t->accepts = offer->accepts;
		t->offered = offer->media == 0;
		rc = sip_sdp_answer(&t->out, offer, c->env->conf->sip.fqdn,
		    CONVERSATION_SDP_PORT, c->contact_uri,
		    conversation_accept_types(c));
	} else
		blame(why, c, cause, offer);
	free(offer);
	return rc;
}

static struct leg *
leg_of(struct conversation *c, const struct sip_dialog *d)
{
	for (size_t i = 0; i < c->leg_count; i++)
		if (c->legs[i].dialog == d)
			return &c->legs[i];
	return NULL;
}

static void
answer_again(struct conversation *c, struct sip_server_txn *st,
    const struct sip_msg *req, struct leg *leg)
{
	struct sip_answer a = { .status = 200,
		.content_type = "application/sdp" };
	struct terms t = { 0 };
	struct policy_refusal why;
	int rc;

	buf_init(&t.out, CONVERSATION_TEXT_MAX);
	if (answer_sdp(c, &why, &t, req) < 0) {
		refuse_because(c, st, &why);
	} else {
		a.body = t.out.data;
		a.body_len = t.out.len;
		rc = sip_ua_respond(c->env->ua, st, &a);
		if (rc < 0)
			log_warn(
			    &c->log, "not-answered", "error=%s", err_str(rc));
		leg->offered = t.offered;
		if (!t.offered)
			leg->accepts = t.accepts;
	}
	buf_finish(&t.out);
}

void
conversation_reinvited(struct conversation *c, struct sip_server_txn *st,
    const struct sip_msg *req, const struct sip_dialog *d)
{
	struct leg *leg = leg_of(c, d);

	/* Without a leg it is one that an INVITE of ours is about to make. */
	if (leg == NULL || leg->offered)
		conversation_refuse(c, st, ERRORS_PENDING);
	else
		answer_again(c, st, req, leg);
	conversation_settle(c);
}

void
conversation_acknowledged(
    struct conversation *c, struct sip_dialog *d, const struct sip_msg *ack)
{
	struct leg *leg = leg_of(c, d);
	unsigned accepts = sip_sdp_accepts_of(ack);

	if (leg == NULL || !leg->offered)
		return;
	leg->offered = false;
	leg->accepts = accepts;
	if ((accepts & SIP_SDP_BIT(SIP_SDP_PLAIN)) != 0)
		return;
	log_info(&c->log, "offer-declined", "call=%s", sip_dialog_call_id(d));
	conversation_end_dialog(c, d);
	conversation_settle(c);
}

void
conversation_invited(struct conversation *c, struct sip_server_txn *st,
    const struct sip_msg *req)
{
	struct sip_answer a = { .status = 200,
		.content_type = "application/sdp" };
	struct terms t = { 0 };
	char name[256];
	struct policy_refusal why;
	struct sip_dialog *d;
	int rc;

	buf_init(&t.out, CONVERSATION_TEXT_MAX);
	rc = answer_sdp(c, &why, &t, req);
	if (rc < 0) {
		refuse_because(c, st, &why);
		goto done;
	}
	/* Accepting may end the request's life. */
	snprintf(name, sizeof(name), "%s", conversation_name_of(req));
	a.body = t.out.data;
	a.body_len = t.out.len;
	rc = sip_ua_accept(&d, c->env->ua, st, &a, c);
	if (rc < 0) {
		log_warn(&c->log, "not-accepted", "error=%s", err_str(rc));
		conversation_refuse(c, st, ERRORS_INTERNAL);
		goto done;
	}
	log_info(&c->log, "invited", "call=%s", sip_dialog_call_id(d));
	/* Both sides began at once: theirs is the session. */
	if (c->state == CONVERSATION_INVITING)
		conversation_yield(c);
	conversation_add_leg(c, d, name, t.accepts);
	conversation_leg(c)->offered = t.offered;
	conversation_touch(c);
done:
	buf_finish(&t.out);
	conversation_settle(c);
}
