/*
 * The normal path: ASKING until the 2xx, AWAITING the first NOTIFY, LIVE; from
 * time to time REFRESHING.  A NOTIFY may come first and make the dialog; the
 * 2xx then leads straight to LIVE.  Asked to end: ENDING until the SUBSCRIBE
 * with Expires 0 is answered; the owner is told and gone then, but the last
 * NOTIFY still deserves its answer, LINGERING.
 *
 *   ASKING -> AWAITING -> LIVE <-> REFRESHING
 *      \_________\__________\_________/
 *                 \                \
 *                  ENDING           OVER
 *                     \-> LINGERING -/
 *
 * Each stimulus (answer, NOTIFY, timer, end of ua) is one function between
 * enter and leave; whatever a callback did to s is looked at after it
 * (s->gone), and memory goes with the last leave.
 *
 * Failures: the first SUBSCRIBE refused, unanswered or lost is the end, unless
 * a NOTIFY has shown that the subscription exists.  A refresh ends it with the
 * statuses of RFC 6665 4.1.2.2 and some that front ends use in their place;
 * after any other failure it is tried again, ever less often, until the time
 * granted is over.
 */
#include "frontend-gateway/sip/sip_subscriber.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/random.h"
#include "frontend-gateway/sip/sip_subscriber_impl.h"

#define BIT(s) (1u << (s))

enum {
	EXPIRES_DEFAULT_S = 28800,
	REFRESH_LEAD_MAX_S = 900,
	TIMER_N_MS = 32000, /* 64 T1, RFC 6665 4.1.2.4 */
	RETRY_MS = 60000,   /* after a refresh that failed; doubled ... */
	RETRY_DOUBLINGS = 3
};

static const struct {
	const char *name;
	unsigned next;
} states[] = {
	[ASKING] = { "asking",
	    BIT(AWAITING) | BIT(LIVE) | BIT(ENDING) | BIT(OVER) },
	[AWAITING] = { "awaiting", BIT(LIVE) | BIT(ENDING) | BIT(OVER) },
	[LIVE] = { "live", BIT(REFRESHING) | BIT(ENDING) | BIT(OVER) },
	[REFRESHING] = { "refreshing", BIT(LIVE) | BIT(ENDING) | BIT(OVER) },
	[ENDING] = { "ending", BIT(LINGERING) | BIT(OVER) },
	[LINGERING] = { "lingering", BIT(OVER) },
	[OVER] = { "over", 0 },
};

static const struct log logger = { .component = "sip_subscriber" };

static sip_ua_result_fn on_result;

const char *
sip_subscriber_cause_str(enum sip_subscriber_cause cause)
{
	static const char *const texts[] = {
#define X(name, text) [name] = (text),
		SIP_SUBSCRIBER_CAUSES(X)
#undef X
	};

	return texts[cause];
}

void
sip_subscriber_set_state(struct sip_subscriber *s, enum sip_subscriber_state to)
{
	assert((states[s->state].next & BIT(to)) != 0);
	log_debug(&logger, "state", "call_id=%s from=%s to=%s",
	    sip_subscriber_call_id(s), states[s->state].name, states[to].name);
	s->state = to;
}

/* --- stimuli ------------------------------------------------------------ */

void
sip_subscriber_free(struct sip_subscriber *s)
{
	clock_timer_stop(&s->timer);
	if (s->call != NULL)
		sip_ua_drop(s->ua, s->call);
	if (s->d != NULL)
		sip_ua_forget(s->ua, s->d);
	free(s);
}

void
sip_subscriber_enter(struct sip_subscriber *s)
{
	s->entered++;
}

bool
sip_subscriber_is_lasting(const struct sip_subscriber *s)
{
	return s->d != NULL && sip_dialog_state(s->d) == SIP_DIALOG_CONFIRMED &&
	       s->grant.given && s->state < ENDING;
}

void
sip_subscriber_leave(struct sip_subscriber *s)
{
	if (!s->gone && s->entered == 1 && sip_subscriber_is_lasting(s)) {
		if (sip_dialog_reserve(s->d) || s->d->changes != s->changes)
			s->dirty = true;
		s->changes = s->d->changes;
		if (s->dirty && s->events->on_changed != NULL) {
			s->dirty = false;
			s->events->on_changed(s, s->arg);
		}
	}
	if (--s->entered == 0 && s->gone)
		sip_subscriber_free(s);
}

/* Tells the owner, for the last time. */
static void
tell_over(struct sip_subscriber *s, enum sip_subscriber_cause cause, int status,
    uint32_t retry_after_s)
{
	const struct sip_subscriber_over over = { cause, status,
		retry_after_s };
	const struct sip_subscriber_events *events = s->events;

	log_info(&logger, "over", "call_id=%s cause=%s status=%d",
	    sip_subscriber_call_id(s), sip_subscriber_cause_str(cause), status);
	s->events = NULL;
	events->on_over(s, &over, s->arg);
}

void
sip_subscriber_end_over(struct sip_subscriber *s,
    enum sip_subscriber_cause cause, int status, uint32_t retry_after_s)
{
	sip_subscriber_set_state(s, OVER);
	tell_over(s, cause, status, retry_after_s);
	s->gone = true;
}

/* --- asking ------------------------------------------------------------- */

static int
send_subscribe(struct sip_subscriber *s, uint32_t expires_s)
{
	char expires[16];
	struct sip_header headers[] = { { "Event", s->event },
		{ "Accept", s->accept }, { "Expires", expires } };
	const struct sip_question q = { .method = SIP_SUBSCRIBE,
		.headers = headers,
		.header_count = sizeof(headers) / sizeof(*headers),
		.on_result = on_result,
		.arg = s };
	struct buf text;

	buf_init(&text, 0);
	buf_addf(&text, "%u", (unsigned)expires_s);
	if (buf_cstr(&text) == NULL)
		return ERR_NOMEM;
	memcpy(expires, text.data, text.len + 1);
	buf_finish(&text);
	return sip_ua_ask_in(&s->call, s->ua, s->d, &q);
}

/* --- time --------------------------------------------------------------- */

uint64_t
sip_subscriber_refresh_ms(const struct sip_subscriber *s)
{
	uint64_t lead = (uint64_t)s->grant.seconds * 100; /* 10 % */
	uint64_t left = sip_grant_left_ms(&s->grant);

	if (lead > REFRESH_LEAD_MAX_S * UINT64_C(1000))
		lead = REFRESH_LEAD_MAX_S * UINT64_C(1000);
	return left > lead ? left - lead : 0;
}

void
sip_subscriber_set_expiry(struct sip_subscriber *s, uint32_t granted_s)
{
	if (granted_s > SIP_SUBSCRIBER_GRANT_MAX_S)
		granted_s = SIP_SUBSCRIBER_GRANT_MAX_S;
	sip_grant_set(&s->grant, granted_s);
	s->dirty = true;
}

void
sip_subscriber_go_live(struct sip_subscriber *s)
{
	if (s->state != LIVE)
		sip_subscriber_set_state(s, LIVE);
	clock_timer_start(&s->timer, sip_subscriber_refresh_ms(s));
}

/* A refresh came to nothing, but the subscription lives. */
static void
retry_later(struct sip_subscriber *s, uint32_t retry_after_s)
{
	uint64_t wait = (uint64_t)RETRY_MS << s->retries;
	uint64_t left = sip_grant_left_ms(&s->grant);

	if (s->retries < RETRY_DOUBLINGS)
		s->retries++;
	wait += random_below((uint32_t)wait / 4);
	if (wait < (uint64_t)retry_after_s * 1000)
		wait = (uint64_t)retry_after_s * 1000;
	if (s->state != LIVE)
		sip_subscriber_set_state(s, LIVE);
	clock_timer_start(&s->timer, wait < left ? wait : left);
}

static int
start_refresh(struct sip_subscriber *s)
{
	int rc = send_subscribe(s, s->asked_s);

	if (rc < 0)
		return rc;
	sip_subscriber_set_state(s, REFRESHING);
	clock_timer_start(&s->timer, sip_grant_left_ms(&s->grant));
	return 0;
}

void
sip_subscriber_ask_for(struct sip_subscriber *s, uint32_t expires_s)
{
	s->asked_s = expires_s != 0 ? expires_s : EXPIRES_DEFAULT_S;
	s->adjusted = false;
}

/* --- the end of ua ------------------------------------------------------ */

static void
on_dialog_end(struct sip_ua *ua, struct sip_dialog *d)
{
	struct sip_subscriber *s = sip_dialog_user(d);

	(void)ua;
	sip_subscriber_enter(s);
	if (s->state == LINGERING) {
		sip_subscriber_set_state(s, OVER);
		s->gone = true;
	} else {
		sip_subscriber_end_over(s, SIP_SUBSCRIBER_CLOSED, 0, 0);
	}
	s->d = NULL;
	sip_subscriber_leave(s);
}

const struct sip_dialog_owner sip_subscriber_owner = {
	.on_request = sip_subscriber_on_request,
	.on_withdrawn = sip_subscriber_on_withdrawn,
	.on_end = on_dialog_end,
};

/* --- answers ------------------------------------------------------------ */

/* RFC 6665 4.1.2.2; 403 and 603 as RFC 8048 5 reads them; 430 ([MS-SIPRE])
 * and 504 from a front end that has lost the route of the dialog. */
static bool
ends_subscription(int status)
{
	switch (status) {
	case 403:
	case 404:
	case 405:
	case 410:
	case 416:
	case 430:
	case 489:
	case 501:
	case 504:
	case 603:
	case 604:
		return true;
	default:
		return status >= 480 && status <= 485;
	}
}

static uint32_t
retry_after(const struct sip_result *r)
{
	uint32_t seconds;

	if (r->response == NULL ||
	    sip_event_seconds(&seconds, r->response, "Retry-After") < 0)
		return 0;
	return seconds;
}

/* The 2xx to the first SUBSCRIBE or a refresh.  One that grants nothing is
 * followed by a NOTIFY that ends it. */
static void
take_grant(struct sip_subscriber *s, const struct sip_msg *m)
{
	uint32_t granted;

	if (sip_event_seconds(&granted, m, "Expires") < 0)
		granted = s->asked_s;
	sip_subscriber_set_expiry(s, granted);
	s->retries = 0;
	s->adjusted = false;
	if (s->state == REFRESHING || (granted > 0 && s->notified)) {
		sip_subscriber_go_live(s);
	} else {
		sip_subscriber_set_state(s, AWAITING);
		clock_timer_start(&s->timer, TIMER_N_MS);
	}
	if (s->events->on_granted != NULL)
		s->events->on_granted(s, granted, s->arg);
	if (!s->gone && sip_msg_body_len(m) > 0)
		sip_subscriber_take_notice(s, m);
}

/* 423: asks again, once, for as long as the peer wants it. */
static bool
ask_longer(struct sip_subscriber *s, const struct sip_result *r)
{
	uint32_t least;

	if (r->status != 423 || s->adjusted ||
	    sip_event_seconds(&least, r->response, "Min-Expires") < 0 ||
	    least <= s->asked_s)
		return false;
	s->adjusted = true;
	s->asked_s = least;
	return send_subscribe(s, least) == 0;
}

static void
take_first(struct sip_subscriber *s, const struct sip_result *r)
{
	if (r->status < 300) {
		take_grant(s, r->response);
	} else if (ask_longer(s, r)) {
		return;
	} else if (r->outcome == SIP_OUTCOME_RESPONSE) {
		sip_subscriber_end_over(
		    s, SIP_SUBSCRIBER_REFUSED, r->status, retry_after(r));
	} else if (s->notified) {
		/* The answer was lost; the NOTIFY proves that it was a 2xx. */
		if (!s->grant.given)
			sip_subscriber_set_expiry(s, s->asked_s);
		sip_subscriber_go_live(s);
	} else {
		sip_subscriber_end_over(s,
		    r->outcome == SIP_OUTCOME_TIMEOUT
			? SIP_SUBSCRIBER_UNANSWERED
			: SIP_SUBSCRIBER_TRANSPORT,
		    r->status, 0);
	}
}

static void
take_refreshed(struct sip_subscriber *s, const struct sip_result *r)
{
	if (r->status < 300) {
		take_grant(s, r->response);
	} else if (ask_longer(s, r)) {
		return;
	} else if (r->outcome == SIP_OUTCOME_RESPONSE &&
		   ends_subscription(r->status)) {
		sip_subscriber_end_over(
		    s, SIP_SUBSCRIBER_LOST, r->status, retry_after(r));
	} else {
		log_info(&logger, "refresh-failed", "call_id=%s status=%d",
		    sip_subscriber_call_id(s), r->status);
		retry_later(s, retry_after(r));
	}
}

/* --- the end ------------------------------------------------------------ */

/* Sends the SUBSCRIBE with Expires 0.  Whatever hinders it, the end comes with
 * the next turn of the clock: never from within a call of the owner's. */
static void
send_last(struct sip_subscriber *s)
{
	uint64_t wait = 0;
	int rc = ERR_BAD_STATE;

	if (sip_dialog_state(s->d) == SIP_DIALOG_CONFIRMED)
		rc = send_subscribe(s, 0);
	if (rc == 0) {
		s->leaving = true;
		wait = TIMER_N_MS;
	} else {
		log_info(&logger, "end-not-sent", "call_id=%s error=%s",
		    sip_subscriber_call_id(s), err_str(rc));
	}
	clock_timer_start(&s->timer, wait);
}

/* The answer to the last SUBSCRIBE, or to the first when the end was wished
 * for before it came. */
static void
take_ending(struct sip_subscriber *s, const struct sip_result *r)
{
	if (!s->leaving && !s->finished && r->status < 300) {
		send_last(s);
		return;
	}
	if (r->status >= 300 || s->finished) {
		sip_subscriber_end_over(s, SIP_SUBSCRIBER_ENDED, 0, 0);
		return;
	}
	sip_subscriber_set_state(s, LINGERING);
	clock_timer_start(&s->timer, TIMER_N_MS);
	tell_over(s, SIP_SUBSCRIBER_ENDED, 0, 0);
}

static void
on_result(struct sip_ua *ua, struct sip_ua_call *call,
    const struct sip_result *r, void *arg)
{
	struct sip_subscriber *s = arg;

	(void)ua;
	(void)call;
	if (!r->final)
		return;
	sip_subscriber_enter(s);
	s->call = NULL;
	if (s->state == ASKING)
		take_first(s, r);
	else if (s->state == REFRESHING)
		take_refreshed(s, r);
	else if (s->state == ENDING)
		take_ending(s, r);
	sip_subscriber_leave(s);
}

static void
on_timer(struct clock_timer *timer, void *arg)
{
	struct sip_subscriber *s = arg;

	(void)timer;
	sip_subscriber_enter(s);
	switch (s->state) {
	case AWAITING:
		sip_subscriber_end_over(s, SIP_SUBSCRIBER_SILENT, 0, 0);
		break;
	case LIVE:
		if (sip_grant_left_ms(&s->grant) == 0)
			sip_subscriber_end_over(
			    s, SIP_SUBSCRIBER_EXPIRED, 0, 0);
		else if (start_refresh(s) < 0)
			retry_later(s, 0);
		break;
	case REFRESHING:
		sip_subscriber_end_over(s, SIP_SUBSCRIBER_EXPIRED, 0, 0);
		break;
	case ENDING:
		sip_subscriber_end_over(s, SIP_SUBSCRIBER_ENDED, 0, 0);
		break;
	case LINGERING:
		sip_subscriber_set_state(s, OVER);
		s->gone = true;
		break;
	case ASKING: /* its transaction has a limit of its own */
	case OVER:
		break;
	}
	sip_subscriber_leave(s);
}

/* --- for the owner ------------------------------------------------------ */

struct sip_subscriber *
sip_subscriber_new(struct sip_ua *ua, const struct sip_subscriber_opts *o)
{
	struct sip_subscriber *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->ua = ua;
	s->events = o->events;
	s->arg = o->arg;
	s->event = o->event != NULL ? o->event : "presence";
	s->accept = o->accept;
	s->grant.clock = o->clock;
	s->asked_s = o->expires_s != 0 ? o->expires_s : EXPIRES_DEFAULT_S;
	s->label = o->label;
	clock_timer_init(&s->timer, o->clock, on_timer, s);
	return s;
}

int
sip_subscriber_open(struct sip_subscriber **out, struct sip_ua *ua,
    const struct sip_subscriber_opts *opts)
{
	const struct sip_question who = { .uri = opts->uri,
		.from_uri = opts->from_uri,
		.from_display = opts->from_display,
		.from_epid = opts->from_epid };
	struct sip_subscriber *s = sip_subscriber_new(ua, opts);
	int rc;

	if (s == NULL)
		return ERR_NOMEM;
	rc = sip_ua_dialog_prepare(&s->d, ua, &who, &sip_subscriber_owner, s);
	if (rc == 0)
		rc = send_subscribe(s, s->asked_s);
	if (rc < 0) {
		sip_subscriber_free(s);
		return rc;
	}
	*out = s;
	return 0;
}

void
sip_subscriber_end(struct sip_subscriber *s)
{
	bool first = s->state == ASKING && s->call != NULL &&
		     sip_dialog_state(s->d) != SIP_DIALOG_CONFIRMED;

	if (s->gone || s->state >= ENDING)
		return;
	/* From within on_notice: its answer goes first. */
	sip_subscriber_answer(s, 200);
	sip_subscriber_set_state(s, ENDING);
	clock_timer_stop(&s->timer);
	/* As long as there is no dialog to end, its answer decides. */
	if (first)
		return;
	if (s->call != NULL)
		sip_ua_drop(s->ua, s->call);
	s->call = NULL;
	send_last(s);
}

void
sip_subscriber_drop(struct sip_subscriber *s)
{
	/* From within on_over: it is over already. */
	if (s->events == NULL)
		return;
	s->gone = true;
	if (s->entered == 0)
		sip_subscriber_free(s);
}

int
sip_subscriber_refresh(struct sip_subscriber *s)
{
	return !s->gone && s->state == LIVE ? start_refresh(s) : ERR_BAD_STATE;
}

void *
sip_subscriber_arg(const struct sip_subscriber *s)
{
	return s->arg;
}

uint32_t
sip_subscriber_label(const struct sip_subscriber *s)
{
	return s->label;
}

int64_t
sip_subscriber_expires_ms(const struct sip_subscriber *s)
{
	return sip_grant_end_ms(&s->grant);
}

const char *
sip_subscriber_call_id(const struct sip_subscriber *s)
{
	return s->d != NULL ? sip_dialog_call_id(s->d) : "";
}
