/*
 * The normal path: UNANSWERED from open to confirm, then ACTIVE with at most
 * one NOTIFY out and one waiting; at the end LAST, as long as the terminated
 * NOTIFY waits or is out.  The owner has left by then.
 *
 *   UNANSWERED -> ACTIVE -> LAST -> OVER
 *        \____________\______________/
 *
 * The end comes by the peer's wish (Expires 0), by its silence (the granted
 * time and GRACE_MS), by an answer to a NOTIFY that only somebody without the
 * subscription gives, by the owner, or with ua.  A NOTIFY that fails in
 * another way leaves all as it is: the owner hears of it and may try again.
 *
 * Stimuli stand between enter() and leave(), as in sip_subscriber.c.
 */
#include "frontend-gateway/sip/sip_notifier.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "frontend-gateway/sip/sip_notifier_impl.h"

#define BIT(s) (1u << (s))

enum {
	EXPIRES_DEFAULT_S = 28800,
	EXPIRES_MIN_S = 1200,
	EXPIRES_MAX_S = 43200,
	GRACE_MS = 32000
};

static const struct {
	const char *name;
	unsigned next;
} states[] = {
	[UNANSWERED] = { "unanswered", BIT(ACTIVE) | BIT(OVER) },
	[ACTIVE] = { "active", BIT(LAST) | BIT(OVER) },
	[LAST] = { "last", BIT(OVER) },
	[OVER] = { "over", 0 },
};

/* What a NOTIFY is to say. */
struct word {
	enum sip_sub_state state;
	enum sip_sub_reason reason;
	uint32_t retry_after_s;
	const char *type; /* NULL = no document */
	const void *body;
	size_t len;
};

/* One that waits, with copies of its texts behind it. */
struct sip_notifier_waiting {
	struct word word;
	char texts[];
};

static const struct log logger = { .component = "sip_notifier" };

static sip_ua_result_fn on_result;

const char *
sip_notifier_why_str(enum sip_notifier_why why)
{
	static const char *const texts[] = {
#define X(name, text) [name] = (text),
		SIP_NOTIFIER_ENDS(X)
#undef X
	};

	return texts[why];
}

static void
set_state(struct sip_notifier *n, enum sip_notifier_state to)
{
	assert((states[n->state].next & BIT(to)) != 0);
	log_debug(&logger, "state", "call_id=%s from=%s to=%s",
	    sip_notifier_call_id(n), states[n->state].name, states[to].name);
	n->state = to;
}

/* Starts, or starts again, to wait for the refresh. */
static void
await_refresh(struct sip_notifier *n)
{
	clock_timer_start(&n->timer, sip_grant_left_ms(&n->grant) + GRACE_MS);
}

void
sip_notifier_activate(struct sip_notifier *n)
{
	set_state(n, ACTIVE);
	await_refresh(n);
}

/* --- stimuli ------------------------------------------------------------ */

void
sip_notifier_free(struct sip_notifier *n)
{
	clock_timer_stop(&n->timer);
	if (n->call != NULL)
		sip_ua_drop(n->ua, n->call);
	if (n->d != NULL)
		sip_ua_forget(n->ua, n->d);
	free(n->waiting);
	free(n->id);
	free(n);
}

static void
enter(struct sip_notifier *n)
{
	n->entered++;
}

static void
leave(struct sip_notifier *n)
{
	if (n->entered == 1 && n->state == ACTIVE && !n->gone) {
		if (sip_dialog_reserve(n->d) || n->d->changes != n->changes)
			n->dirty = true;
		n->changes = n->d->changes;
		if (n->dirty && n->events->on_changed != NULL) {
			n->dirty = false;
			n->events->on_changed(n, n->arg);
		}
	}
	if (--n->entered == 0 && n->gone)
		sip_notifier_free(n);
}

/* No more of it; the owner has been told, or has said so himself. */
static void
go(struct sip_notifier *n)
{
	set_state(n, OVER);
	n->gone = true;
}

static void
tell_end(struct sip_notifier *n, enum sip_notifier_why why)
{
	const struct sip_notifier_events *events = n->events;

	log_info(&logger, "end", "call_id=%s why=%s", sip_notifier_call_id(n),
	    sip_notifier_why_str(why));
	n->events = NULL;
	events->on_end(n, why, n->arg);
}

/* --- time --------------------------------------------------------------- */

/* What is granted for what a SUBSCRIBE asks for. */
static int
read_expires(
    uint32_t *out, const struct sip_notifier *n, const struct sip_msg *req)
{
	uint32_t asked;
	int rc = sip_event_seconds(&asked, req, "Expires");

	if (rc == ERR_NOT_FOUND)
		asked = n->default_s;
	else if (rc < 0)
		return rc;
	if (asked != 0 && asked < n->min_s)
		asked = n->min_s;
	if (asked > n->max_s)
		asked = n->max_s;
	*out = asked;
	return 0;
}

/* --- notifying ---------------------------------------------------------- */

static int
write_headers(struct buf *event, struct buf *state,
    const struct sip_notifier *n, const struct word *w)
{
	struct sip_sub_info info = { .state = w->state,
		.reason = w->reason,
		.retry_after_s = w->retry_after_s };

	if (w->state != SIP_SUB_TERMINATED) {
		info.expires_known = true;
		info.expires_s =
		    (uint32_t)((sip_grant_left_ms(&n->grant) + 999) / 1000);
		if (info.expires_s == 0)
			info.expires_s = 1;
	}
	buf_add_str(event, n->event);
	if (n->id != NULL)
		buf_addf(event, ";id=%s", n->id);
	sip_event_write_state(state, &info);
	return buf_cstr(event) != NULL && buf_cstr(state) != NULL ? 0
								  : ERR_NOMEM;
}

static int
send_notify(struct sip_notifier *n, const struct word *w)
{
	struct sip_header headers[2] = { { "Event", NULL },
		{ "Subscription-State", NULL } };
	const struct sip_question q = { .method = SIP_NOTIFY,
		.headers = headers,
		.header_count = 2,
		.content_type = w->type,
		.body = w->body,
		.body_len = w->len,
		.on_result = on_result,
		.arg = n };
	struct buf event, state;
	int rc;

	buf_init(&event, 0);
	buf_init(&state, 0);
	rc = write_headers(&event, &state, n, w);
	if (rc == 0) {
		headers[0].value = buf_cstr(&event);
		headers[1].value = buf_cstr(&state);
		rc = sip_ua_ask_in(&n->call, n->ua, n->d, &q);
	}
	buf_finish(&event);
	buf_finish(&state);
	return rc;
}

/* Takes the place of one that waits already. */
static int
let_wait(struct sip_notifier *n, const struct word *w)
{
	size_t type = w->type != NULL ? strlen(w->type) + 1 : 0;
	struct sip_notifier_waiting *new = malloc(sizeof(*new) + type + w->len);

	if (new == NULL)
		return ERR_NOMEM;
	new->word = *w;
	if (type > 0) {
		memcpy(new->texts, w->type, type);
		new->word.type = new->texts;
	}
	if (w->len > 0)
		memcpy(new->texts + type, w->body, w->len);
	new->word.body = new->texts + type;
	free(n->waiting);
	n->waiting = new;
	return 0;
}

static int
say(struct sip_notifier *n, const struct word *w)
{
	return n->call != NULL ? let_wait(n, w) : send_notify(n, w);
}

/* The owner has left; the peer is told.  It learns with its next SUBSCRIBE if
 * that fails. */
static void
say_last(struct sip_notifier *n, const struct word *w)
{
	int rc;

	set_state(n, LAST);
	clock_timer_stop(&n->timer);
	rc = say(n, w);
	if (rc == 0)
		return;
	log_info(&logger, "end-not-told", "call_id=%s error=%s",
	    sip_notifier_call_id(n), err_str(rc));
	go(n);
}

/* --- their SUBSCRIBE ---------------------------------------------------- */

static int
answer_ok(struct sip_notifier *n, struct sip_server_txn *st, uint32_t expires_s)
{
	char expires[16];
	const struct sip_header headers[] = { { "Expires", expires },
		{ "Event", n->event } };
	const struct sip_answer a = { .status = 200,
		.headers = headers,
		.header_count = sizeof(headers) / sizeof(*headers) };

	snprintf(expires, sizeof(expires), "%u", (unsigned)expires_s);
	return sip_ua_respond(n->ua, st, &a);
}

/* Nothing to be done when even that cannot be written: the peer learns by its
 * timer. */
static void
refuse(struct sip_ua *ua, struct sip_server_txn *st, int status,
    const char *reason, const char *allow)
{
	const struct sip_header header = { "Allow-Events", allow };
	const struct sip_answer a = { .status = status,
		.headers = &header,
		.header_count = allow != NULL ? 1 : 0 };
	const struct sip_msg *req = sip_ua_request_of(st);
	int rc;

	log_info(&logger, "refused", "call_id=%s status=%d reason=%s",
	    sip_msg_call_id(req), status, reason);
	rc = sip_ua_respond(ua, st, &a);
	if (rc < 0)
		log_error(&logger, "answer-not-built", "error=%s", err_str(rc));
}

/* Whether a SUBSCRIBE in the dialog is a refresh of this subscription; it has
 * been refused when not. */
static bool
is_refresh(struct sip_notifier *n, struct sip_server_txn *st,
    const struct sip_msg *req)
{
	char id[SIP_EVENT_ID_MAX + 1];

	if (n->state == UNANSWERED) {
		refuse(n->ua, st, 500, "Not confirmed yet", NULL);
		return false;
	}
	if (n->state != ACTIVE) {
		refuse(n->ua, st, 481, "Subscription is over", NULL);
		return false;
	}
	if (sip_event_read(id, req, n->event) < 0 ||
	    strcmp(id, n->id != NULL ? n->id : "") != 0) {
		refuse(n->ua, st, 489, "Another event", n->event);
		return false;
	}
	return true;
}

static void
take_subscribe(struct sip_notifier *n, struct sip_server_txn *st,
    const struct sip_msg *req)
{
	static const struct word last = { .state = SIP_SUB_TERMINATED,
		.reason = SIP_SUB_TIMEOUT };
	uint32_t expires_s;
	int rc;

	if (!is_refresh(n, st, req))
		return;
	rc = read_expires(&expires_s, n, req);
	if (rc == 0)
		rc = answer_ok(n, st, expires_s);
	if (rc < 0) {
		refuse(
		    n->ua, st, rc == ERR_NOMEM ? 500 : 400, err_str(rc), NULL);
		return;
	}
	if (expires_s == 0) {
		say_last(n, &last);
		tell_end(n, SIP_NOTIFIER_UNSUBSCRIBED);
		return;
	}
	sip_grant_set(&n->grant, expires_s);
	await_refresh(n);
	/* on_refresh says that the image has changed. */
	n->changes = n->d->changes;
	n->events->on_refresh(n, req, expires_s, n->arg);
}

/* --- stimuli of ua and clock -------------------------------------------- */

static void
on_request(struct sip_ua *ua, struct sip_server_txn *st,
    const struct sip_msg *req, struct sip_dialog *d)
{
	struct sip_notifier *n = sip_dialog_user(d);

	if (st == NULL)
		return;
	enter(n);
	if (sip_msg_method(req) == SIP_SUBSCRIBE)
		take_subscribe(n, st, req);
	else
		refuse(ua, st, 481, "No subscription of ours", NULL);
	leave(n);
}

static void
on_withdrawn(struct sip_ua *ua, struct sip_server_txn *st, struct sip_dialog *d)
{
	struct sip_notifier *n = sip_dialog_user(d);

	(void)ua;
	(void)st;
	n->st = NULL;
}

static void
on_dialog_end(struct sip_ua *ua, struct sip_dialog *d)
{
	struct sip_notifier *n = sip_dialog_user(d);

	(void)ua;
	enter(n);
	if (n->state != LAST)
		tell_end(n, SIP_NOTIFIER_CLOSED);
	if (n->state != OVER)
		go(n);
	n->d = NULL;
	leave(n);
}

const struct sip_dialog_owner sip_notifier_owner = {
	.on_request = on_request,
	.on_withdrawn = on_withdrawn,
	.on_end = on_dialog_end,
};

/* RFC 6665 4.2.2, save 480: the pool answers it for a moment's trouble. */
static bool
is_lost(const struct sip_result *r)
{
	if (r->outcome != SIP_OUTCOME_RESPONSE)
		return false;
	switch (r->status) {
	case 404:
	case 405:
	case 410:
	case 416:
	case 489:
	case 501:
	case 604:
		return true;
	default:
		return r->status >= 481 && r->status <= 485;
	}
}

/* A NOTIFY has its answer: the next. */
static void
take_answer(struct sip_notifier *n, const struct sip_result *r)
{
	struct sip_notifier_waiting *next = n->waiting;
	int status = r->status;
	int rc;

	if (is_lost(r)) {
		if (n->state == ACTIVE)
			tell_end(n, SIP_NOTIFIER_LOST);
		go(n);
		return;
	}
	if (next != NULL) {
		n->waiting = NULL;
		rc = send_notify(n, &next->word);
		free(next);
		if (rc == 0)
			return;
		log_info(&logger, "notify-not-sent", "call_id=%s error=%s",
		    sip_notifier_call_id(n), err_str(rc));
		status = 503;
	}
	if (n->state == LAST)
		go(n);
	else if (n->events->on_answer != NULL)
		n->events->on_answer(n, status, n->arg);
}

static void
on_result(struct sip_ua *ua, struct sip_ua_call *call,
    const struct sip_result *r, void *arg)
{
	struct sip_notifier *n = arg;

	(void)ua;
	(void)call;
	if (!r->final)
		return;
	enter(n);
	n->call = NULL;
	take_answer(n, r);
	leave(n);
}

/* The subscriber has been silent for too long. */
static void
on_timer(struct clock_timer *timer, void *arg)
{
	static const struct word last = { .state = SIP_SUB_TERMINATED,
		.reason = SIP_SUB_TIMEOUT };
	struct sip_notifier *n = arg;

	(void)timer;
	enter(n);
	say_last(n, &last);
	tell_end(n, SIP_NOTIFIER_EXPIRED);
	leave(n);
}

/* --- for the owner ------------------------------------------------------ */

bool
sip_notifier_admit(
    struct sip_ua *ua, struct sip_server_txn *st, const char *event)
{
	const struct sip_msg *req = sip_ua_request_of(st);
	uint32_t expires_s;
	int rc = sip_event_read(NULL, req, event);

	if (rc == ERR_NOT_FOUND) {
		refuse(ua, st, 489, "Event not supported", event);
		return false;
	}
	if (rc == 0)
		rc = sip_event_seconds(&expires_s, req, "Expires");
	if ((rc < 0 && rc != ERR_NOT_FOUND) ||
	    sip_msg_contact_uri(req) == NULL) {
		refuse(ua, st, 400, "Event, Expires or Contact", NULL);
		return false;
	}
	return true;
}

bool
sip_notifier_is_fetch(const struct sip_msg *req)
{
	uint32_t expires_s;

	return sip_event_seconds(&expires_s, req, "Expires") == 0 &&
	       expires_s == 0;
}

struct sip_notifier *
sip_notifier_new(struct sip_ua *ua, const struct sip_notifier_opts *o)
{
	struct sip_notifier *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return NULL;
	n->ua = ua;
	n->events = o->events;
	n->arg = o->arg;
	n->event = o->event != NULL ? o->event : "presence";
	n->grant.clock = o->clock;
	n->default_s = o->expires_default_s != 0 ? o->expires_default_s
						 : EXPIRES_DEFAULT_S;
	n->min_s = o->expires_min_s != 0 ? o->expires_min_s : EXPIRES_MIN_S;
	n->max_s = o->expires_max_s != 0 ? o->expires_max_s : EXPIRES_MAX_S;
	n->label = o->label;
	clock_timer_init(&n->timer, o->clock, on_timer, n);
	return n;
}

/* Event id and Expires of the SUBSCRIBE. */
static int
read_request(struct sip_notifier *n, const struct sip_msg *req)
{
	char id[SIP_EVENT_ID_MAX + 1];
	uint32_t expires_s = 0;
	int rc = sip_event_read(id, req, n->event);

	if (rc == 0)
		rc = read_expires(&expires_s, n, req);
	if (rc < 0)
		return ERR_MALFORMED;
	sip_grant_set(&n->grant, expires_s);
	if (*id == '\0')
		return 0;
	n->id = strdup(id);
	return n->id != NULL ? 0 : ERR_NOMEM;
}

int
sip_notifier_open(struct sip_notifier **out, struct sip_ua *ua,
    struct sip_server_txn *st, const struct sip_notifier_opts *opts)
{
	struct sip_notifier *n = sip_notifier_new(ua, opts);
	int rc;

	if (n == NULL)
		return ERR_NOMEM;
	rc = read_request(n, sip_ua_request_of(st));
	if (rc == 0)
		rc = sip_ua_dialog_take(&n->d, ua, st, &sip_notifier_owner, n);
	if (rc < 0) {
		sip_notifier_free(n);
		return rc;
	}
	n->st = st;
	(void)sip_dialog_reserve(n->d);
	n->changes = n->d->changes;
	*out = n;
	return 0;
}

int
sip_notifier_confirm(struct sip_notifier *n, uint32_t expires_s)
{
	int rc = ERR_BAD_STATE;

	if (expires_s == 0)
		expires_s = n->grant.seconds;
	if (n->state == UNANSWERED && n->st != NULL)
		rc = answer_ok(n, n->st, expires_s);
	if (rc < 0)
		return rc;
	n->st = NULL;
	sip_grant_set(&n->grant, expires_s);
	sip_notifier_activate(n);
	return 0;
}

void
sip_notifier_refuse(struct sip_notifier *n, int status, unsigned diagnostics,
    const char *reason)
{
	/* 500 says nothing of later; without it the endpoint may give up. */
	static const struct sip_header later = { "Retry-After", "30" };
	struct sip_answer answer = { .status = status,
		.headers = &later,
		.header_count = status == 500 ? 1 : 0,
		.diagnostics = diagnostics,
		.diagnostics_reason = reason };
	int rc = ERR_BAD_STATE;

	if (n->st != NULL)
		rc = sip_ua_respond(n->ua, n->st, &answer);
	if (rc < 0)
		log_error(&logger, "answer-not-built", "status=%d error=%s",
		    status, err_str(rc));
	n->st = NULL;
	sip_notifier_drop(n);
}

int
sip_notifier_fetch(struct sip_ua *ua, struct sip_server_txn *st,
    const struct sip_notifier_opts *opts, const char *type, const void *body,
    size_t len)
{
	const struct word last = { .state = SIP_SUB_TERMINATED,
		.reason = SIP_SUB_TIMEOUT,
		.type = type,
		.body = body,
		.len = len };
	struct sip_notifier *n;
	int rc = sip_notifier_open(&n, ua, st, opts);

	if (rc < 0)
		return rc;
	n->events = NULL;
	rc = answer_ok(n, st, 0);
	n->st = NULL;
	if (rc < 0) {
		sip_notifier_free(n);
		return rc;
	}
	set_state(n, ACTIVE);
	enter(n);
	say_last(n, &last);
	leave(n);
	return 0;
}

int
sip_notifier_notify(struct sip_notifier *n, enum sip_sub_state state,
    const char *type, const void *body, size_t len)
{
	const struct word w = {
		.state = state, .type = type, .body = body, .len = len
	};

	assert(state != SIP_SUB_TERMINATED);
	if (n->state != ACTIVE || n->gone || n->events == NULL)
		return ERR_BAD_STATE;
	return say(n, &w);
}

void
sip_notifier_end(struct sip_notifier *n, enum sip_sub_reason reason,
    uint32_t retry_after_s, const char *type, const void *body, size_t len)
{
	const struct word last = { .state = SIP_SUB_TERMINATED,
		.reason = reason,
		.retry_after_s = retry_after_s,
		.type = type,
		.body = body,
		.len = len };

	if (n->events == NULL || n->gone)
		return;
	if (n->state == UNANSWERED) {
		sip_notifier_refuse(n, 480, 0, NULL);
		return;
	}
	enter(n);
	n->events = NULL;
	say_last(n, &last);
	leave(n);
}

void
sip_notifier_drop(struct sip_notifier *n)
{
	/* From within on_end: it is over already. */
	if (n->events == NULL)
		return;
	if (n->st != NULL)
		refuse(n->ua, n->st, 500, "Dropped", NULL);
	n->st = NULL;
	n->gone = true;
	if (n->entered == 0)
		sip_notifier_free(n);
}

void *
sip_notifier_arg(const struct sip_notifier *n)
{
	return n->arg;
}

uint32_t
sip_notifier_label(const struct sip_notifier *n)
{
	return n->label;
}

void
sip_notifier_set_label(struct sip_notifier *n, uint32_t label)
{
	n->label = label;
}

uint32_t
sip_notifier_expires(const struct sip_notifier *n)
{
	return n->grant.seconds;
}

int64_t
sip_notifier_expires_ms(const struct sip_notifier *n)
{
	return sip_grant_end_ms(&n->grant);
}

const char *
sip_notifier_call_id(const struct sip_notifier *n)
{
	return n->d != NULL ? sip_dialog_call_id(n->d) : "";
}
