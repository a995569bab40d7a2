/*
 * A request passes these gates in order (RFC 3261 8.2, 12.2.2): merged,
 * encoding, Require, Accept; then within a dialog: known, CSeq, made by INVITE or by
 * SUBSCRIBE; then its method.  What is left is the owner's.
 *
 * A 2xx to an INVITE is repeated after T1, 2 T1, ... T2 until its ACK is in
 * (13.3.1.4): it travels end to end, where TLS on one hop promises nothing.
 */
#include "frontend-gateway/sip/sip_ua_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/err.h"

static bool
has_method(unsigned set, enum sip_method m)
{
	return (set & SIP_METHOD_BIT(m)) != 0;
}

/* --- answers ------------------------------------------------------------ */

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
	own[r.own_count++] = (struct sip_header){ "Server", SIP_UA_PRODUCT };
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

/* An answer of our own making.  With constant texts it can fail only for want
 * of memory; the peer then learns by its timer. */
static void
answer_self(struct sip_ua *ua, struct sip_server_txn *st,
    const struct sip_answer *a, const char *contact)
{
	int rc = answer(ua, st, a, contact, NULL);

	if (rc < 0)
		log_error(&ua->log, "answer-not-built", "status=%d error=%s",
		    a->status, err_str(rc));
}

static void
refuse(struct sip_ua *ua, struct sip_server_txn *st, int status,
    unsigned diagnostics, const char *reason)
{
	const struct sip_answer a = { .status = status,
		.diagnostics = diagnostics,
		.diagnostics_reason = reason };

	log_info(&ua->log, "refused",
	    "method=%s status=%d reason=%s call_id=%s",
	    sip_msg_method_name(sip_server_request(st)), status, reason,
	    sip_msg_call_id(sip_server_request(st)));
	answer_self(ua, st, &a, NULL);
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
sip_ua_in_repeat(struct ua_dialog *ud)
{
	struct sip_ua *ua = ud->ua;
	uint64_t now = clock_now_ms(ua->opts.clock);
	uint64_t left;
	int rc;

	if (now >= ud->give_up_ms) {
		log_info(&ua->log, "no-ack", "call_id=%s", ud->d.call_id);
		stop_waiting(ud);
		sip_ua_out_bye(ud);
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

static struct ua_dialog *
dialog_of(struct sip_ua *ua, const struct sip_msg *req)
{
	struct ua_dialog *ud = sip_ua_dialog_find(ua, sip_msg_call_id(req),
	    sip_msg_to_tag(req), sip_msg_from_tag(req));

	return ud != NULL && !sip_dialog_is_half(&ud->d) ? ud : NULL;
}

void
sip_ua_in_ack(struct sip_ua *ua, const struct sip_msg *ack)
{
	struct ua_dialog *ud = dialog_of(ua, ack);

	if (ud == NULL || !ud->waiting || sip_msg_cseq(ack) != ud->cseq) {
		log_debug(
		    &ua->log, "stray-ack", "call_id=%s", sip_msg_call_id(ack));
		return;
	}
	stop_waiting(ud);
	if (ud->left) {
		sip_ua_out_bye(ud);
		sip_ua_dialog_free(ud);
	} else if (ua->opts.events->on_acknowledged != NULL) {
		ua->opts.events->on_acknowledged(ua, &ud->d, ack, ua->opts.arg);
	}
}

/* --- gates -------------------------------------------------------------- */

static bool
is_supported(const char *tag, size_t len)
{
	const char *at = SIP_UA_SUPPORTED, *element;
	size_t n;

	while (sip_list_next(&at, &element, &n))
		if (n == len && strncasecmp(element, tag, len) == 0)
			return true;
	return false;
}

/* RFC 3261 8.2.2.3. */
static bool
requires_unknown(struct sip_ua *ua, struct sip_server_txn *st)
{
	const struct sip_msg *req = sip_server_request(st);
	struct sip_header unsupported = { "Unsupported", NULL };
	struct sip_answer a = { .status = 420,
		.headers = &unsupported,
		.header_count = 1,
		.diagnostics = SIP_UA_DIAG_EXTENSION,
		.diagnostics_reason = "Required extension not supported" };
	const char *at, *element;
	struct buf list;
	size_t len;

	buf_init(&list, 0);
	for (size_t i = 0; (at = sip_msg_header(req, "Require", i)) != NULL;
	     i++)
		while (sip_list_next(&at, &element, &len))
			if (!is_supported(element, len))
				buf_addf(&list, "%s%.*s",
				    list.len > 0 ? ", " : "", (int)len,
				    element);
	if (list.len == 0 && !buf_failed(&list))
		return false;
	unsupported.value = buf_cstr(&list);
	answer_self(ua, st, &a, NULL);
	buf_finish(&list);
	return true;
}

static bool
is_encoded(struct sip_ua *ua, struct sip_server_txn *st)
{
	static const struct sip_header accept[] = { { "Accept-Encoding",
	    "identity" } };
	static const struct sip_answer a = { .status = 415,
		.headers = accept,
		.header_count = 1,
		.diagnostics = SIP_UA_DIAG_ENCODING,
		.diagnostics_reason = "Content-Encoding not supported" };
	const char *value =
	    sip_msg_header(sip_server_request(st), "Content-Encoding", 0);

	if (value == NULL || strcasecmp(value, "identity") == 0)
		return false;
	answer_self(ua, st, &a, NULL);
	return true;
}

/* RFC 4028 9: a session shorter than any may be. */
static bool
is_too_short(struct sip_ua *ua, struct sip_server_txn *st)
{
	const struct sip_msg *req = sip_server_request(st);
	enum sip_method method = sip_msg_method(req);
	struct sip_session terms = { 0 };
	char least[16];
	const struct sip_header header = { "Min-SE", least };
	const struct sip_answer a = { .status = 422,
		.headers = &header,
		.header_count = 1,
		.diagnostics = SIP_UA_DIAG_INTERVAL,
		.diagnostics_reason = "Session interval too small" };

	if ((method != SIP_INVITE && method != SIP_UPDATE) ||
	    sip_session_answer(&terms, req, true) != 422)
		return false;
	snprintf(least, sizeof(least), "%d", (int)SIP_SESSION_MIN_S);
	answer_self(ua, st, &a, NULL);
	return true;
}

/* --- methods ------------------------------------------------------------ */

/* To the owner, who answers now or later. */
static void
hand_up(struct sip_ua *ua, struct sip_server_txn *st, struct ua_dialog *ud)
{
	sip_server_set_user(st, ua);
	if (ud != NULL)
		ud->shown = true;
	ua->opts.events->on_request(ua, st, sip_server_request(st),
	    ud != NULL ? &ud->d : NULL, ua->opts.arg);
}

static void
answer_options(struct sip_ua *ua, struct sip_server_txn *st)
{
	static const struct sip_header headers[] = { { "Accept",
	    "application/sdp, text/plain" } };
	static const struct sip_answer a = {
		.status = 200, .headers = headers, .header_count = 1
	};

	answer_self(ua, st, &a, NULL);
}

/* Nobody above wants this method. */
static void
refuse_method(struct sip_ua *ua, struct sip_server_txn *st)
{
	switch (sip_msg_method(sip_server_request(st))) {
	case SIP_UNKNOWN_METHOD:
		refuse(ua, st, 501, SIP_UA_DIAG_METHOD, "Method not known");
		break;
	case SIP_SUBSCRIBE:
		refuse(ua, st, 489, SIP_UA_DIAG_METHOD,
		    "Event package not supported");
		break;
	case SIP_NOTIFY:
		refuse(ua, st, 481, SIP_UA_DIAG_DIALOG,
		    "Subscription does not exist");
		break;
	case SIP_INVITE:
	case SIP_ACK:
	case SIP_BYE:
	case SIP_CANCEL:
	case SIP_OPTIONS:
	case SIP_MESSAGE:
	case SIP_INFO:
	case SIP_UPDATE:
	case SIP_BENOTIFY:
	case SIP_REFER:
	case SIP_SERVICE:
	case SIP_PUBLISH:
	case SIP_REGISTER:
	case SIP_PRACK:
	case SIP_NEGOTIATE:
	case SIP_METHOD_COUNT:
	default:
		refuse(ua, st, 405, SIP_UA_DIAG_METHOD, "Method not supported");
		break;
	}
}

static void
take_bye(struct sip_ua *ua, struct sip_server_txn *st, struct ua_dialog *ud)
{
	static const struct sip_answer a = { .status = 200 };

	answer_self(ua, st, &a, NULL);
	sip_ua_dialog_over(ud, SIP_DIALOG_END_BYE);
}

/* The peer repairs its route ([MS-SIPRE] 3.7) or refreshes its target. */
static void
take_update(struct sip_ua *ua, struct sip_server_txn *st, struct ua_dialog *ud)
{
	static const struct sip_answer a = { .status = 200 };
	const struct sip_msg *req = sip_server_request(st);
	int rc = sip_dialog_refresh(&ud->d, req);

	if (rc < 0) {
		refuse(ua, st, rc == ERR_NOMEM ? 500 : 400,
		    SIP_UA_DIAG_MALFORMED, "Record-Route not readable");
		return;
	}
	if (ud->owner == NULL) {
		sip_ua_session_asked(ud, req);
		sip_ua_session_start(ud);
	}
	answer_self(ua, st, &a, ud->contact);
}

/* The dialog of an INVITE: no subscription shares it. */
static void
take_in_session(
    struct sip_ua *ua, struct sip_server_txn *st, struct ua_dialog *ud)
{
	const struct sip_msg *req = sip_server_request(st);
	enum sip_method method = sip_msg_method(req);

	if (method == SIP_BYE)
		take_bye(ua, st, ud);
	else if (method == SIP_UPDATE && sip_msg_body_len(req) == 0)
		take_update(ua, st, ud);
	else if (method == SIP_UPDATE ||
		 (has_method(ua->methods, method) && method != SIP_SUBSCRIBE &&
		     method != SIP_NOTIFY))
		hand_up(ua, st, ud);
	else
		refuse_method(ua, st);
}

/* The dialog of a SUBSCRIBE: no session shares it (RFC 6665 4.5.2). */
static void
take_in_subscription(
    struct sip_ua *ua, struct sip_server_txn *st, struct ua_dialog *ud)
{
	const struct sip_msg *req = sip_server_request(st);
	enum sip_method method = sip_msg_method(req);

	if (method == SIP_UPDATE && sip_msg_body_len(req) == 0) {
		take_update(ua, st, ud);
	} else if (method == SIP_SUBSCRIBE || method == SIP_NOTIFY) {
		sip_server_set_user(st, ua);
		ud->owner->on_request(ua, st, req, &ud->d);
	} else {
		refuse(
		    ua, st, 481, SIP_UA_DIAG_DIALOG, "Dialog holds no session");
	}
}

static void
take_in_dialog(struct sip_ua *ua, struct sip_server_txn *st)
{
	const struct sip_msg *req = sip_server_request(st);
	struct ua_dialog *ud = dialog_of(ua, req);
	enum sip_method method = sip_msg_method(req);

	if (ud == NULL && method == SIP_NOTIFY)
		ud = sip_ua_dialog_notified(ua, req);
	if (ud == NULL || (ud->left && method != SIP_BYE)) {
		if (method == SIP_OPTIONS)
			answer_options(ua, st);
		else
			refuse(ua, st, 481, SIP_UA_DIAG_DIALOG,
			    "Dialog does not exist");
		return;
	}
	if (sip_dialog_accept_cseq(&ud->d, req) != 0) {
		refuse(ua, st, 500, SIP_UA_DIAG_ORDER,
		    "CSeq lower than one seen before");
		return;
	}
	if (method == SIP_OPTIONS)
		answer_options(ua, st);
	else if (ud->owner != NULL)
		take_in_subscription(ua, st, ud);
	else
		take_in_session(ua, st, ud);
}

static void
take_out_of_dialog(struct sip_ua *ua, struct sip_server_txn *st)
{
	enum sip_method method = sip_msg_method(sip_server_request(st));

	if (method == SIP_OPTIONS)
		answer_options(ua, st);
	else if (method == SIP_BYE || method == SIP_UPDATE ||
		 method == SIP_INFO || method == SIP_PRACK)
		refuse(
		    ua, st, 481, SIP_UA_DIAG_DIALOG, "Dialog does not exist");
	else if (has_method(ua->methods, method) && method != SIP_NOTIFY)
		hand_up(ua, st, NULL);
	else
		refuse_method(ua, st);
}

void
sip_ua_in_request(struct sip_ua *ua, struct sip_server_txn *st)
{
	if (sip_server_is_merged(st)) {
		refuse(ua, st, 482, SIP_UA_DIAG_MERGED,
		    "Request came by two ways");
		return;
	}
	if (is_encoded(ua, st) || requires_unknown(ua, st) ||
	    is_too_short(ua, st))
		return;
	/* The answer to an INVITE describes a session, or nothing. */
	if (sip_msg_method(sip_server_request(st)) == SIP_INVITE &&
	    !sip_msg_accepts(sip_server_request(st), "application/sdp")) {
		refuse(ua, st, 406, SIP_UA_DIAG_ACCEPT,
		    "Accept leaves out application/sdp");
		return;
	}
	if (*sip_msg_to_tag(sip_server_request(st)) != '\0')
		take_in_dialog(ua, st);
	else
		take_out_of_dialog(ua, st);
}

/* CSeq is not looked at: the order of these is that of the version in their
 * content ([MS-SIP] 3.3.5.1). */
void
sip_ua_in_benotify(struct sip_ua *ua, const struct sip_msg *m)
{
	struct ua_dialog *ud = dialog_of(ua, m);

	if (ud == NULL)
		ud = sip_ua_dialog_notified(ua, m);
	if (ud == NULL || ud->left || ud->owner == NULL)
		return;
	ud->owner->on_request(ua, NULL, m, &ud->d);
}

void
sip_ua_in_cancel(struct sip_ua *ua, struct sip_server_txn *st)
{
	static const struct sip_answer a = { .status = 487 };

	if (sip_server_user(st) != NULL) {
		sip_server_set_user(st, NULL);
		ua->opts.events->on_withdrawn(ua, st, ua->opts.arg);
	}
	answer_self(ua, st, &a, NULL);
}

static void
withdraw(struct sip_server_txn *st, void *arg)
{
	struct sip_ua *ua = arg;
	struct ua_dialog *ud = sip_ua_dialog_of_txn(ua, st);

	if (sip_server_user(st) == NULL)
		return;
	sip_server_set_user(st, NULL);
	if (ud != NULL && ud->owner != NULL)
		ud->owner->on_withdrawn(ua, st, &ud->d);
	else
		ua->opts.events->on_withdrawn(ua, st, ua->opts.arg);
}

void
sip_ua_in_close(struct sip_ua *ua)
{
	sip_txns_each_open(ua->txns, withdraw, ua);
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
	struct ua_dialog *ud = dialog_of(ua, req);
	uint64_t conn = sip_server_conn(st);
	uint32_t cseq = sip_msg_cseq(req);
	int rc;

	if (ud == NULL || ud->left) {
		refuse(
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
