/*
 * Our answers.  A 2xx to an INVITE is repeated after T1, 2 T1, ... T2 until its
 * ACK is in (RFC 3261 13.3.1.4): it travels end to end, where TLS on one hop
 * promises nothing.
 */
#include "frontend-gateway/sip/sip_ua_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

/* --- writing them --------------------------------------------------------- */

/* Writes an answer with the headers that are ours to add. */
static int
write_answer(struct buf *out, struct sip_ua *ua, struct sip_server_txn *st,
    const struct sip_answer *a, const char *contact)
{
	const struct sip_msg *req = sip_server_request(st);
	enum sip_method method = sip_msg_method(req);
	bool success = a->status >= 200 && a->status < 300;
	struct sip_header own[6];
	char limit[SIP_SESSION_VALUE_SIZE];
	const struct ua_dialog *ud;
	struct sip_build_response r = { .request = req,
		.status = a->status,
		.reason = a->reason,
		.to_tag = sip_server_to_tag(st),
		.contact = contact,
		.own = own,
		.headers = a->headers,
		.header_count = a->header_count,
		.content_type = a->content_type,
		.body = a->body,
		.body_len = a->body_len };
	struct buf diagnostics;
	int rc;

	buf_init(&diagnostics, 0);
	own[r.own_count++] =
	    (struct sip_header){ "Server", sip_ua_product(ua) };
	if (a->status == 405 || a->status == 501 ||
	    (success && (method == SIP_INVITE || method == SIP_OPTIONS)))
		own[r.own_count++] = (struct sip_header){ "Allow", ua->allow };
	if (success && (method == SIP_INVITE || method == SIP_UPDATE ||
			   method == SIP_OPTIONS))
		own[r.own_count++] =
		    (struct sip_header){ "Supported", SIP_UA_SUPPORTED };
	ud = success && (method == SIP_INVITE || method == SIP_UPDATE)
		 ? sip_ua_dialog_of_txn(ua, st)
		 : NULL;
	if (ud != NULL && ud->session.interval_s != 0) {
		sip_session_value(limit, &ud->session, true);
		own[r.own_count++] =
		    (struct sip_header){ "Session-Expires", limit };
		if (!ud->session.ours)
			own[r.own_count++] =
			    (struct sip_header){ "Require", "timer" };
	}
	if (a->diagnostics != 0) {
		sip_build_diagnostics(&diagnostics, a->diagnostics,
		    a->diagnostics_reason, ua->fqdn);
		own[r.own_count] = (struct sip_header){ "ms-diagnostics",
			buf_cstr(&diagnostics) };
		if (own[r.own_count].value != NULL)
			r.own_count++;
	}
	rc = sip_build_response(out, &r);
	buf_finish(&diagnostics);
	return rc;
}

/* Writes and sends.  Only an answer that cannot be written is an error. */
static int
answer(struct sip_ua *ua, struct sip_server_txn *st, const struct sip_answer *a,
    const char *contact, struct buf *keep)
{
	struct buf text;
	int rc;

	buf_init(&text, 0);
	rc = write_answer(&text, ua, st, a, contact);
	if (rc < 0) {
		buf_finish(&text);
		return rc;
	}
	if (keep != NULL) {
		buf_finish(keep);
		*keep = text;
	}
	rc = sip_server_respond(st, a->status, text.data, text.len);
	if (rc < 0)
		log_warn(&ua->log, "answer-not-sent", "status=%d error=%s",
		    a->status, err_str(rc));
	if (keep == NULL)
		buf_finish(&text);
	return 0;
}

void
sip_ua_answer_self(struct sip_ua *ua, struct sip_server_txn *st,
    const struct sip_answer *a, const char *contact)
{
	int rc = answer(ua, st, a, contact, NULL);

	if (rc < 0)
		log_error(&ua->log, "answer-not-built", "status=%d error=%s",
		    a->status, err_str(rc));
}

void
sip_ua_answer_refuse(struct sip_ua *ua, struct sip_server_txn *st, int status,
    unsigned diagnostics, const char *reason)
{
	const struct sip_answer a = { .status = status,
		.diagnostics = diagnostics,
		.diagnostics_reason = reason };

	log_info(&ua->log, "refused",
	    "method=%s status=%d reason=%s call_id=%s",
	    sip_msg_method_name(sip_server_request(st)), status, reason,
	    sip_msg_call_id(sip_server_request(st)));
	sip_ua_answer_self(ua, st, &a, NULL);
}

/* --- 2xx and ACK -------------------------------------------------------- */

/* A 2xx to an INVITE went out; now the ACK is due. */
static void
await_ack(struct ua_dialog *ud, uint64_t conn, uint32_t cseq)
{
	const struct sip_timers *t = &ud->ua->timers;

	ud->waiting = true;
	ud->conn = conn;
	ud->cseq = cseq;
	ud->interval = t->t1;
	ud->give_up_ms = clock_now_ms(ud->ua->opts.clock) + t->acknowledge;
	clock_timer_start(&ud->repeat, ud->interval);
}

static void
stop_waiting(struct ua_dialog *ud)
{
	ud->waiting = false;
	clock_timer_stop(&ud->repeat);
	buf_finish(&ud->answer);
}

void
sip_ua_answer_repeat(struct ua_dialog *ud)
{
	struct sip_ua *ua = ud->ua;
	uint64_t now = clock_now_ms(ua->opts.clock);
	uint64_t left;
	int rc;

	if (now >= ud->give_up_ms) {
		log_info(&ua->log, "no-ack", "call_id=%s", ud->d.call_id);
		stop_waiting(ud);
		sip_ua_out_bye(ud, NULL, 0);
		sip_ua_dialog_over(ud, SIP_DIALOG_END_NO_ACK);
		return;
	}
	rc = sip_transport_send_on(
	    ua->transport, ud->conn, ud->answer.data, ud->answer.len);
	if (rc < 0)
		log_debug(&ua->log, "answer-not-repeated",
		    "call_id=%s error=%s", ud->d.call_id, err_str(rc));
	ud->interval *= 2;
	if (ud->interval > ua->timers.t2)
		ud->interval = ua->timers.t2;
	left = ud->give_up_ms - now;
	clock_timer_start(
	    &ud->repeat, ud->interval < left ? ud->interval : left);
}

void
sip_ua_answer_acknowledged(struct sip_ua *ua, const struct sip_msg *ack)
{
	struct ua_dialog *ud = sip_ua_dialog_of(ua, ack);

	if (ud == NULL || !ud->waiting || sip_msg_cseq(ack) != ud->cseq) {
		log_debug(
		    &ua->log, "stray-ack", "call_id=%s", sip_msg_call_id(ack));
		return;
	}
	stop_waiting(ud);
	if (ud->left) {
		sip_ua_out_bye(ud, NULL, 0);
		sip_ua_dialog_free(ud);
	} else if (ua->opts.events->on_acknowledged != NULL) {
		ua->opts.events->on_acknowledged(ua, &ud->d, ack, ua->opts.arg);
	}
}

/* --- for the owner ------------------------------------------------------ */

const struct sip_msg *
sip_ua_request_of(const struct sip_server_txn *st)
{
	return sip_server_request(st);
}

/* A 2xx to a re-INVITE: refreshes the dialog and waits for an ACK again. */
static int
accept_again(
    struct sip_ua *ua, struct sip_server_txn *st, const struct sip_answer *a)
{
	const struct sip_msg *req = sip_server_request(st);
	struct ua_dialog *ud = sip_ua_dialog_of(ua, req);
	uint64_t conn = sip_server_conn(st);
	uint32_t cseq = sip_msg_cseq(req);
	int rc;

	if (ud == NULL || ud->left) {
		sip_ua_answer_refuse(
		    ua, st, 481, SIP_UA_DIAG_DIALOG, "Dialog ended meanwhile");
		return 0;
	}
	rc = sip_dialog_refresh(&ud->d, req);
	if (rc == 0) {
		sip_ua_session_asked(ud, req);
		rc = answer(ua, st, a, ud->contact, &ud->answer);
	}
	if (rc == 0) {
		sip_ua_session_start(ud);
		await_ack(ud, conn, cseq);
	}
	return rc;
}

int
sip_ua_respond(
    struct sip_ua *ua, struct sip_server_txn *st, const struct sip_answer *a)
{
	const struct sip_msg *req = sip_server_request(st);
	struct ua_dialog *ud;
	const char *contact = NULL;
	void *user = sip_server_user(st);
	bool success = a->status >= 200 && a->status < 300;
	int rc = 0;

	if (ua->closing)
		return ERR_BAD_STATE;
	if (a->status >= 200)
		sip_server_set_user(st, NULL);
	if (sip_msg_method(req) == SIP_INVITE && success) {
		assert(*sip_msg_to_tag(req) != '\0');
		rc = accept_again(ua, st, a);
	} else {
		ud = sip_ua_refreshes(sip_msg_method(req))
			 ? sip_ua_dialog_of_txn(ua, st)
			 : NULL;
		if (ud != NULL && success) {
			rc = sip_dialog_refresh(&ud->d, req);
			contact = ud->contact;
		}
		if (rc == 0 && ud != NULL && ud->owner == NULL && success) {
			sip_ua_session_asked(ud, req);
			sip_ua_session_start(ud);
		}
		if (rc == 0)
			rc = answer(ua, st, a, contact, NULL);
	}
	if (rc < 0)
		sip_server_set_user(st, user);
	return rc;
}

int
sip_ua_refuse(struct sip_ua *ua, struct sip_server_txn *st, int status,
    unsigned diagnostics, const char *reason)
{
	const struct sip_answer a = { .status = status,
		.diagnostics = diagnostics,
		.diagnostics_reason = reason };

	assert(status >= 300);
	return sip_ua_respond(ua, st, &a);
}

/* The dialog that an INVITE and its 2xx make, in the table. */
static int
make_dialog(
    struct ua_dialog **out, struct sip_ua *ua, const struct sip_server_txn *st)
{
	const struct sip_msg *req = sip_server_request(st);
	struct ua_dialog *ud;
	struct buf contact;
	int rc;

	buf_init(&contact, 0);
	rc = sip_ua_contact(&contact, ua, sip_msg_to_uri(req));
	if (rc == 0 && buf_cstr(&contact) == NULL)
		rc = ERR_NOMEM;
	if (rc == 0)
		rc = sip_ua_dialog_new(&ud, ua, buf_cstr(&contact));
	buf_finish(&contact);
	if (rc != 0)
		return rc;
	rc = sip_dialog_init_uas(&ud->d, req, sip_server_to_tag(st));
	if (rc == 0)
		rc = sip_ua_dialog_add(ud);
	if (rc != 0) {
		sip_ua_dialog_free(ud);
		return rc;
	}
	*out = ud;
	return 0;
}

int
sip_ua_accept(struct sip_dialog **out, struct sip_ua *ua,
    struct sip_server_txn *st, const struct sip_answer *a, void *user)
{
	const struct sip_msg *req = sip_server_request(st);
	uint64_t conn = sip_server_conn(st);
	uint32_t cseq = sip_msg_cseq(req);
	struct ua_dialog *ud;
	int rc;

	assert(sip_msg_method(req) == SIP_INVITE);
	assert(*sip_msg_to_tag(req) == '\0');
	assert(a->status >= 200 && a->status < 300);
	if (ua->closing)
		return ERR_BAD_STATE;
	rc = make_dialog(&ud, ua, st);
	if (rc != 0)
		return rc;
	sip_ua_session_asked(ud, req);
	rc = answer(ua, st, a, ud->contact, &ud->answer);
	if (rc != 0) {
		sip_ua_dialog_free(ud);
		return rc;
	}
	sip_server_set_user(st, NULL);
	sip_ua_session_start(ud);
	ud->shown = true;
	ud->d.user = user;
	await_ack(ud, conn, cseq);
	*out = &ud->d;
	return 0;
}
