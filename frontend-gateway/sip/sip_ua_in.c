/*
 * A request passes these gates in order (RFC 3261 8.2, 12.2.2): merged,
 * encoding, Require, Accept, time limit; then within a dialog: known, CSeq,
 * made by INVITE or by SUBSCRIBE; then its method.  What is left is the
 * owner's.
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
	sip_ua_answer_self(ua, st, &a, NULL);
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
	sip_ua_answer_self(ua, st, &a, NULL);
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
	sip_ua_answer_self(ua, st, &a, NULL);
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

	sip_ua_answer_self(ua, st, &a, NULL);
}

/* A subscription where there is none to be had: in the dialog of a chat
 * (RFC 6665 4.5.2), or to something that is not presence (8.3.2). */
static void
refuse_event(struct sip_ua *ua, struct sip_server_txn *st)
{
	static const struct sip_header headers[] = { { "Allow-Events",
	    "presence" } };
	static const struct sip_answer a = { .status = 489,
		.headers = headers,
		.header_count = 1,
		.diagnostics = SIP_UA_DIAG_METHOD,
		.diagnostics_reason = "Event package not supported" };

	sip_ua_answer_self(ua, st, &a, NULL);
}

/* Nobody above wants this method. */
static void
refuse_method(struct sip_ua *ua, struct sip_server_txn *st)
{
	switch (sip_msg_method(sip_server_request(st))) {
	case SIP_UNKNOWN_METHOD:
		sip_ua_answer_refuse(
		    ua, st, 501, SIP_UA_DIAG_METHOD, "Method not known");
		break;
	case SIP_SUBSCRIBE:
		refuse_event(ua, st);
		break;
	case SIP_NOTIFY:
		sip_ua_answer_refuse(ua, st, 481, SIP_UA_DIAG_DIALOG,
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
		sip_ua_answer_refuse(
		    ua, st, 405, SIP_UA_DIAG_METHOD, "Method not supported");
		break;
	}
}

static void
take_bye(struct sip_ua *ua, struct sip_server_txn *st, struct ua_dialog *ud)
{
	static const struct sip_answer a = { .status = 200 };

	sip_ua_answer_self(ua, st, &a, NULL);
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
		sip_ua_answer_refuse(ua, st, rc == ERR_NOMEM ? 500 : 400,
		    SIP_UA_DIAG_MALFORMED, "Record-Route not readable");
		return;
	}
	if (ud->owner == NULL) {
		sip_ua_session_asked(ud, req);
		sip_ua_session_start(ud);
	}
	sip_ua_answer_self(ua, st, &a, ud->contact);
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
		sip_ua_answer_refuse(
		    ua, st, 481, SIP_UA_DIAG_DIALOG, "Dialog holds no session");
	}
}

static void
take_in_dialog(struct sip_ua *ua, struct sip_server_txn *st)
{
	const struct sip_msg *req = sip_server_request(st);
	struct ua_dialog *ud = sip_ua_dialog_of(ua, req);
	enum sip_method method = sip_msg_method(req);

	if (ud == NULL && method == SIP_NOTIFY)
		ud = sip_ua_dialog_notified(ua, req);
	if (ud == NULL || (ud->left && method != SIP_BYE)) {
		if (method == SIP_OPTIONS)
			answer_options(ua, st);
		else
			sip_ua_answer_refuse(ua, st, 481, SIP_UA_DIAG_DIALOG,
			    "Dialog does not exist");
		return;
	}
	if (sip_dialog_accept_cseq(&ud->d, req) != 0) {
		sip_ua_answer_refuse(ua, st, 500, SIP_UA_DIAG_ORDER,
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
		sip_ua_answer_refuse(
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
		sip_ua_answer_refuse(ua, st, 482, SIP_UA_DIAG_MERGED,
		    "Request came by two ways");
		return;
	}
	if (is_encoded(ua, st) || requires_unknown(ua, st) ||
	    is_too_short(ua, st))
		return;
	/* The answer to an INVITE describes a session, or nothing. */
	if (sip_msg_method(sip_server_request(st)) == SIP_INVITE &&
	    !sip_msg_accepts(sip_server_request(st), "application/sdp")) {
		sip_ua_answer_refuse(ua, st, 406, SIP_UA_DIAG_ACCEPT,
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
	struct ua_dialog *ud = sip_ua_dialog_of(ua, m);

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
	sip_ua_answer_self(ua, st, &a, NULL);
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
