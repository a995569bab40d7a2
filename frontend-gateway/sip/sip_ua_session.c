/*
 * Sessions with a time limit (RFC 4028), in dialogs made by INVITE.
 *
 * One timer a dialog: while the refreshes are ours it first goes off for the
 * next one, an UPDATE without content; then, as when they are the peer's, for
 * the end, which comes some time before the other side would see it.  A
 * refresh that fails for a passing reason is tried again until then; 491, when
 * the peer is asking at the same time, after the times of RFC 3261 14.1.
 */
#include "frontend-gateway/sip/sip_ua_impl.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/random.h"

enum { RETRY_MS = 5000, GLARE_STEP_MS = 10 };

static void
give_up(struct ua_dialog *ud, enum sip_dialog_end why, bool bye)
{
	log_info(&ud->ua->log, "session-ends", "call_id=%s why=%s",
	    ud->d.call_id, sip_dialog_end_str(why));
	sip_ua_session_stop(ud);
	if (bye)
		sip_ua_out_bye(ud, NULL, 0);
	sip_ua_dialog_over(ud, why);
}

/* Goes off in that time, or at the end of the session if that is sooner. */
static void
wake_in(struct ua_dialog *ud, uint64_t ms)
{
	uint64_t now = clock_now_ms(ud->ua->opts.clock);
	uint64_t end = ud->refreshed_ms + sip_session_end_ms(&ud->session);
	uint64_t left = end > now ? end - now : 0;

	clock_timer_start(&ud->limit, ms < left ? ms : left);
}

/* RFC 3261 14.1: who made the Call-ID waits longer. */
static uint64_t
glare_ms(const struct ua_dialog *ud)
{
	uint8_t byte[2];
	unsigned n;

	random_bytes(byte, sizeof(byte));
	n = (unsigned)byte[0] << 8 | byte[1];
	return ud->d.uac ? 2100 + (uint64_t)(n % 191) * GLARE_STEP_MS
			 : (uint64_t)(n % 201) * GLARE_STEP_MS;
}

static uint64_t
retry_ms(const struct ua_dialog *ud, const struct sip_result *r)
{
	const char *after;
	long seconds;

	if (r->status == 491)
		return glare_ms(ud);
	after = r->response != NULL
		    ? sip_msg_header(r->response, "Retry-After", 0)
		    : NULL;
	seconds = after != NULL ? strtol(after, NULL, 10) : 0;
	return seconds > 0 && seconds < SIP_SESSION_MAX_S
		   ? (uint64_t)seconds * 1000
		   : RETRY_MS;
}

static void refresh(struct ua_dialog *ud);

/* The peer wants refreshes less often. */
static bool
widen(struct ua_dialog *ud, const struct sip_msg *m)
{
	uint32_t least = sip_session_min_of(m);

	if (least <= ud->session.interval_s)
		return false;
	ud->session.interval_s = least;
	return true;
}

static void
on_refreshed(struct sip_ua *ua, struct sip_ua_call *call,
    const struct sip_result *r, void *arg)
{
	struct ua_dialog *ud = arg;

	(void)ua;
	(void)call;
	if (!r->final)
		return;
	ud->refresh = NULL;
	if (r->status < 300) {
		sip_session_answered(&ud->session, r->response, ud->updates);
		sip_ua_session_start(ud);
		return;
	}
	log_info(&ud->ua->log, "not-refreshed", "call_id=%s status=%d",
	    ud->d.call_id, r->status);
	if (r->status == 481 || r->status == 430)
		give_up(ud, SIP_DIALOG_END_LOST, false);
	else if (r->status == 408)
		give_up(ud, SIP_DIALOG_END_EXPIRED, true);
	else if (r->status == 422 && widen(ud, r->response))
		refresh(ud);
	else
		wake_in(ud, retry_ms(ud, r));
}

static void
refresh(struct ua_dialog *ud)
{
	char value[SIP_SESSION_VALUE_SIZE], least[SIP_SESSION_VALUE_SIZE];
	const struct sip_header headers[] = {
		{ "Supported", SIP_UA_SUPPORTED },
		{ "Session-Expires", value },
		{ "Min-SE", least },
	};
	struct sip_question q = { .method = SIP_UPDATE,
		.headers = headers,
		.header_count = 3,
		.on_result = on_refreshed,
		.arg = ud };
	int rc;

	sip_session_value(value, &ud->session, false);
	snprintf(least, sizeof(least), "%d", (int)SIP_SESSION_MIN_S);
	rc = sip_ua_ask_in(&ud->refresh, ud->ua, &ud->d, &q);
	if (rc < 0)
		log_info(&ud->ua->log, "not-refreshed", "call_id=%s error=%s",
		    ud->d.call_id, err_str(rc));
	wake_in(ud, rc < 0 ? RETRY_MS : UINT64_MAX);
}

static void
on_limit(struct clock_timer *t, void *arg)
{
	struct ua_dialog *ud = arg;
	uint64_t end = ud->refreshed_ms + sip_session_end_ms(&ud->session);

	(void)t;
	if (clock_now_ms(ud->ua->opts.clock) >= end)
		give_up(ud, SIP_DIALOG_END_EXPIRED, true);
	else
		refresh(ud);
}

/* --- for the other files ------------------------------------------------ */

void
sip_ua_session_init(struct ua_dialog *ud)
{
	clock_timer_init(&ud->limit, ud->ua->opts.clock, on_limit, ud);
}

void
sip_ua_session_stop(struct ua_dialog *ud)
{
	clock_timer_stop(&ud->limit);
	if (ud->refresh != NULL)
		sip_ua_drop(ud->ua, ud->refresh);
	ud->refresh = NULL;
}

void
sip_ua_session_start(struct ua_dialog *ud)
{
	sip_ua_session_stop(ud);
	if (ud->session.interval_s == 0 || ud->left)
		return;
	ud->refreshed_ms = clock_now_ms(ud->ua->opts.clock);
	wake_in(ud, ud->session.ours ? sip_session_refresh_ms(&ud->session)
				     : UINT64_MAX);
}

/* A peer that says nothing of methods takes what it took before. */
static void
note_methods(struct ua_dialog *ud, const struct sip_msg *m)
{
	if (sip_msg_header(m, "Allow", 0) != NULL)
		ud->updates = sip_msg_lists(m, "Allow", "UPDATE");
	else if (sip_msg_is_request(m) && sip_msg_method(m) == SIP_UPDATE)
		ud->updates = true;
}

void
sip_ua_session_asked(struct ua_dialog *ud, const struct sip_msg *request)
{
	note_methods(ud, request);
	/* What is too short was refused before it came here. */
	(void)sip_session_answer(&ud->session, request, ud->updates);
}

void
sip_ua_session_answered(struct ua_dialog *ud, const struct sip_msg *response)
{
	note_methods(ud, response);
	sip_session_answered(&ud->session, response, ud->updates);
	sip_ua_session_start(ud);
}
