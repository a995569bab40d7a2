/*
 * What the peer sends in the dialog.  A NOTIFY is looked at by the owner, whose
 * word is its answer; only then does a terminated one end the subscription.
 * He may drop or end it from within.
 */
#include "frontend-gateway/sip/sip_subscriber_impl.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

/* Expires in NOTIFYs counts whole seconds at the peer's clock. */
enum { EXPIRES_SLACK_MS = 10000 };

static const struct log logger = { .component = "sip_subscriber" };

static void
follow_expiry(struct sip_subscriber *s, const struct sip_sub_info *info)
{
	uint64_t new_ms = (uint64_t)info->expires_s * 1000;
	uint64_t left = sip_grant_left_ms(&s->grant);

	if (!info->expires_known || info->expires_s == 0 ||
	    info->state == SIP_SUB_TERMINATED)
		return;
	if (s->grant.given && new_ms < left + EXPIRES_SLACK_MS &&
	    left < new_ms + EXPIRES_SLACK_MS)
		return;
	if (s->grant.seconds == SIP_SUBSCRIBER_GRANT_MAX_S &&
	    info->expires_s > SIP_SUBSCRIBER_GRANT_MAX_S)
		return;
	sip_subscriber_set_expiry(s, info->expires_s);
	if (s->state == LIVE)
		clock_timer_start(&s->timer, sip_subscriber_refresh_ms(s));
	else if (s->state == REFRESHING)
		clock_timer_start(&s->timer, sip_grant_left_ms(&s->grant));
}

/* --- answers to notifications -------------------------------------------- */

static void
refuse(struct sip_subscriber *s, struct sip_server_txn *st, int status,
    const char *reason)
{
	const struct sip_header allow = { "Allow-Events", s->event };
	const struct sip_header accept = { "Accept", s->accept };
	const struct sip_answer a = { .status = status,
		.headers = status == 415 ? &accept : &allow,
		.header_count = status == 489 || status == 415 ? 1 : 0 };
	int rc = sip_ua_respond(s->ua, st, &a);

	log_info(&logger, "refused", "call_id=%s status=%d reason=%s sent=%s",
	    sip_subscriber_call_id(s), status, reason,
	    rc < 0 ? err_str(rc) : "yes");
}

/* A BENOTIFY and a 2xx have nobody who waits. */
void
sip_subscriber_answer(struct sip_subscriber *s, int status)
{
	static const struct sip_answer ok = { .status = 200 };
	struct sip_server_txn *st = s->notify;
	int rc;

	s->notify = NULL;
	if (st == NULL)
		return;
	if (status != 200) {
		refuse(s, st, status, "document");
		return;
	}
	rc = sip_ua_respond(s->ua, st, &ok);
	if (rc < 0)
		refuse(s, st, rc == ERR_NOMEM ? 500 : 400, err_str(rc));
}

/* The owner has left: only the end matters. */
static void
take_last(struct sip_subscriber *s, const struct sip_sub_info *info)
{
	sip_subscriber_answer(s, 200);
	if (info->state != SIP_SUB_TERMINATED)
		return;
	s->finished = true;
	if (s->state == LINGERING) {
		sip_subscriber_set_state(s, OVER);
		s->gone = true;
	}
}

/* A NOTIFY, BENOTIFY, or a 2xx with a document. */
void
sip_subscriber_take_notice(struct sip_subscriber *s, const struct sip_msg *m)
{
	struct sip_sub_info info;
	struct sip_notice notice;

	sip_event_read_state(&info, m);
	if (s->state >= ENDING) {
		take_last(s, &info);
		return;
	}
	s->notified = true;
	follow_expiry(s, &info);
	if (s->state == AWAITING && sip_grant_left_ms(&s->grant) > 0 &&
	    info.state != SIP_SUB_TERMINATED)
		sip_subscriber_go_live(s);
	notice = (struct sip_notice){ .state = info.state,
		.reason = info.reason,
		.retry_after_s = info.retry_after_s,
		.content_type = sip_msg_content_type(m),
		.body = sip_msg_body(m),
		.body_len = sip_msg_body_len(m) };
	sip_subscriber_answer(s, s->events->on_notice(s, &notice, s->arg));
	if (s->gone || info.state != SIP_SUB_TERMINATED)
		return;
	if (s->state == ENDING) {
		s->finished = true;
		return;
	}
	sip_subscriber_end_over(
	    s, SIP_SUBSCRIBER_TERMINATED, 0, info.retry_after_s);
}

static bool
is_ours(const struct sip_subscriber *s, const struct sip_msg *req)
{
	char id[SIP_EVENT_ID_MAX + 1];

	return sip_event_read(id, req, s->event) == 0 && *id == '\0';
}

void
sip_subscriber_on_request(struct sip_ua *ua, struct sip_server_txn *st,
    const struct sip_msg *req, struct sip_dialog *d)
{
	struct sip_subscriber *s = sip_dialog_user(d);

	(void)ua;
	sip_subscriber_enter(s);
	if (sip_msg_method(req) == SIP_SUBSCRIBE) {
		refuse(s, st, 481, "No subscription of the peer's");
	} else if (is_ours(s, req)) {
		s->notify = st;
		sip_subscriber_take_notice(s, req);
	} else if (st != NULL) {
		refuse(s, st, 489, "Event not subscribed to");
	}
	sip_subscriber_leave(s);
}

/* The connection went while the owner was looking at it. */
void
sip_subscriber_on_withdrawn(
    struct sip_ua *ua, struct sip_server_txn *st, struct sip_dialog *d)
{
	struct sip_subscriber *s = sip_dialog_user(d);

	(void)ua;
	if (s->notify == st)
		s->notify = NULL;
}
