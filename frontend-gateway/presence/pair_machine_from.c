/*
 * The from half: a contact watches a Lync user.
 *
 *   `subscribe` -> SUBSCRIBE to the pool -> NOTIFY active -> `subscribed` and
 *   presence -> NOTIFY ... -> presence ...  until the contact unsubscribes or
 *   the pool rejects.
 *
 * A subscription that is lost is opened anew without a word to the contact; if
 * that takes longer than the grace time, he sees the user go offline.  Only an
 * answer that denies the contact for good takes his authorization away; once
 * it was granted, "forbidden" and "not found" too are held to be passing
 * troubles of the pool for a week.
 */
#include "frontend-gateway/presence/pair_machine_impl.h"

enum {
	GIVEUP_MS = 3600000,
	RETRY_AFTER_MOST_MS = 24 * 3600 * 1000,
	/* A NOTIFY the pool could not get rid of in 64*T1 (RFC 3261). */
	NOTIFY_LOST_MS = 32000,
	NOTIFY_SPARE_MS = 3000,
	SETTLE_MS = 24 * 3600 * 1000
};

/* --- verbs -------------------------------------------------------------- */

static bool
wanted(const struct pair_machine *m)
{
	enum roster_state r = pair_machine_roster(m);

	return roster_state_from(r) || roster_state_pending_in(r);
}

static bool
authorized(const struct pair_machine *m)
{
	return roster_state_from(pair_machine_roster(m));
}

/* There is to be a subscription.  The rights are looked at each time: an event
 * may be quicker than the news that they have changed. */
static bool
served(const struct pair_machine *m)
{
	return wanted(m) && pair_machine_may_watch(m) &&
	       !pair_machine_has(m, PAIR_BARRED_FROM);
}

static void
open_sip(struct pair_machine *m)
{
	struct pair_action *a = pair_machine_do(m, PAIR_SIP_OPEN);

	a->first = !authorized(m);
	a->plain = pair_machine_has(m, PAIR_PLAIN);
	m->s->sip = PAIR_SIP_ASKED;
	m->s->sip_ms = 0;
	m->s->renew_ms = 0;
	m->s->opened_ms = m->now;
}

static void
retry_sip(struct pair_machine *m, int64_t wait_ms)
{
	m->s->sip = PAIR_SIP_RETRY;
	m->s->sip_ms = m->now + wait_ms;
}

/* A NOTIFY that found nobody here ends the subscription when the pool has
 * waited long enough for its answer (RFC 6665 4.2.2): up to that long after we
 * are back, and though it was refreshed meanwhile.  Nobody says so; the refresh
 * behind that time finds it out. */
static void
renew_later(struct pair_machine *m)
{
	m->s->renew_ms = m->now + NOTIFY_LOST_MS + NOTIFY_SPARE_MS;
}

/* After a failure, later each time, and not before the pool wishes. */
static void
back_off(struct pair_machine *m)
{
	int64_t wait = pair_machine_wait(
	    m->r->retry_ms, m->r->retry_most_ms, m->s->sip_fails);
	int64_t asked = (int64_t)m->e->retry_after_s * 1000;

	if (asked > RETRY_AFTER_MOST_MS)
		asked = RETRY_AFTER_MOST_MS;
	if (m->s->sip_fails < UINT8_MAX)
		m->s->sip_fails++;
	retry_sip(m, wait > asked ? wait : asked);
}

/* Lost without fault: at once, unless that was tried a moment ago. */
static void
open_again(struct pair_machine *m)
{
	if (pair_machine_passed(m, m->s->opened_ms, m->r->retry_ms))
		open_sip(m);
	else
		back_off(m);
}

static void
start_grace(struct pair_machine *m)
{
	if (authorized(m) && !pair_machine_has(m, PAIR_DARK_FROM) &&
	    m->s->grace_from_ms == 0)
		m->s->grace_from_ms = m->now + m->r->grace_ms;
}

/* We no longer know how the user is: the contact sees her offline. */
static void
go_dark(struct pair_machine *m)
{
	m->s->grace_from_ms = 0;
	if (!authorized(m) || pair_machine_has(m, PAIR_DARK_FROM))
		return;
	pair_machine_mark(m, PAIR_DARK_FROM, true);
	pair_machine_say(m, PAIR_UNAVAILABLE);
}

static void
end_sip(struct pair_machine *m)
{
	if (m->s->sip == PAIR_SIP_ASKED || m->s->sip == PAIR_SIP_LIVE)
		pair_machine_do(m, PAIR_SIP_END);
	m->s->sip = PAIR_SIP_NONE;
	m->s->sip_ms = 0;
	m->s->renew_ms = 0;
	m->s->sip_fails = 0;
}

/* The contact has no part in this half any more. */
static void
clear_half(struct pair_machine *m, enum roster_state to)
{
	m->s->roster = (uint8_t)to;
	m->s->gone_ms = 0;
	m->s->grace_from_ms = 0;
	m->s->opened_ms = 0;
	pair_machine_mark(m, PAIR_PLAIN, false);
	pair_machine_mark(m, PAIR_DARK_FROM, false);
	pair_machine_mark(m, PAIR_BARRED_FROM, false);
	pair_machine_do(m, PAIR_FORGET_TOLD);
}

void
pair_machine_from_end(struct pair_machine *m)
{
	end_sip(m);
	clear_half(m,
	    roster_state_out(pair_machine_roster(m), ROSTER_UNSUBSCRIBED).to);
}

/* The pool has said no, for good. */
static void
reject(struct pair_machine *m)
{
	pair_machine_do(m, PAIR_STORE);
	m->s->sip = PAIR_SIP_NONE; /* gone already */
	pair_machine_from_end(m);
	pair_machine_owe(m, &m->s->from, PAIR_UNSUBSCRIBED);
}

/* --- stanzas ------------------------------------------------------------ */

/* The user has not the right that this contact has.  He who may ask for
 * anybody hears what he would hear of a user whom the pool does not know; he
 * who asked before, nothing new. */
static void
turn_away(struct pair_machine *m)
{
	bool was_there = authorized(m);

	pair_machine_do(m, PAIR_TAKE);
	if (was_there)
		pair_machine_answer(m, PAIR_SUBSCRIBED);
	if (was_there)
		pair_machine_answer(m, PAIR_UNAVAILABLE);
	else if (!wanted(m))
		pair_machine_answer(m, PAIR_UNSUBSCRIBED);
}

void
pair_machine_subscribe(struct pair_machine *m)
{
	struct roster_step st =
	    roster_state_in(pair_machine_roster(m), ROSTER_SUBSCRIBE);
	bool barred = m->e->may_ask && !m->e->may_talk;

	if (!barred && !pair_machine_may_watch(m)) {
		pair_machine_do(m, PAIR_REFUSE)->condition =
		    COND_SERVICE_UNAVAILABLE;
		return;
	}
	if (m->e->limited && !wanted(m)) {
		pair_machine_do(m, PAIR_REFUSE)->condition =
		    COND_RESOURCE_CONSTRAINT;
		return;
	}
	if (barred) {
		turn_away(m);
		return;
	}
	if (st.pass)
		pair_machine_do(m, PAIR_STORE);
	pair_machine_do(m, PAIR_TAKE);
	m->s->roster = (uint8_t)st.to;
	if (st.reply == ROSTER_REPLY_SUBSCRIBED) {
		pair_machine_owe(m, &m->s->from, PAIR_SUBSCRIBED);
		pair_machine_answer(m, pair_machine_has(m, PAIR_DARK_FROM)
					   ? PAIR_UNAVAILABLE
					   : PAIR_CURRENT);
		return;
	}
	/* An old `unsubscribed` not yet sent would end the new request. */
	if (m->s->from.owed == PAIR_UNSUBSCRIBED)
		pair_machine_owe(m, &m->s->from, PAIR_STANZA_UNKNOWN);
	if (m->s->sip == PAIR_SIP_NONE ||
	    (m->s->sip == PAIR_SIP_STOPPED &&
		pair_machine_passed(m, m->s->opened_ms, m->r->retry_ms)))
		open_sip(m);
}

void
pair_machine_unsubscribe(struct pair_machine *m)
{
	struct roster_step st =
	    roster_state_in(pair_machine_roster(m), ROSTER_UNSUBSCRIBE);

	if (!st.pass) {
		pair_machine_do(m, PAIR_TAKE);
		return;
	}
	pair_machine_do(m, PAIR_STORE);
	pair_machine_do(m, PAIR_TAKE);
	end_sip(m);
	clear_half(m, st.to);
	/* His server knows already; the answer is a courtesy. */
	pair_machine_owe(m, &m->s->from, PAIR_STANZA_UNKNOWN);
	pair_machine_answer(m, PAIR_UNSUBSCRIBED);
}

/* RFC 6121 4.3.2.  One who asked and waits is told that she is offline:
 * `unsubscribed` would end what he asked for. */
void
pair_machine_probe(struct pair_machine *m)
{
	pair_machine_do(m, PAIR_TAKE);
	if (!wanted(m))
		pair_machine_answer(m, PAIR_UNSUBSCRIBED);
	else if (!authorized(m) || !pair_machine_may_watch(m) ||
		 pair_machine_has(m, PAIR_DARK_FROM))
		pair_machine_answer(m, PAIR_UNAVAILABLE);
	else
		pair_machine_answer(m, PAIR_CURRENT);
}

/* --- the subscription --------------------------------------------------- */

/* Nothing may reach us for a contact without a right to it. */
static bool
unwanted(struct pair_machine *m)
{
	if (served(m))
		return false;
	m->s->sip = PAIR_SIP_LIVE;
	pair_machine_from_policy(m);
	end_sip(m);
	return true;
}

void
pair_machine_sip_granted(struct pair_machine *m)
{
	/* It proves nothing: the NOTIFY decides (RFC 3856 6.7). */
	if (!unwanted(m))
		m->s->sip = PAIR_SIP_LIVE;
}

void
pair_machine_sip_active(struct pair_machine *m)
{
	bool grant = roster_state_pending_in(pair_machine_roster(m));

	if (unwanted(m))
		return;
	if (grant)
		pair_machine_do(m, PAIR_STORE);
	m->s->sip = PAIR_SIP_LIVE;
	m->s->sip_ms = 0;
	m->s->sip_fails = 0;
	m->s->gone_ms = 0;
	m->s->grace_from_ms = 0;
	if (m->e->document)
		pair_machine_mark(m, PAIR_DARK_FROM, false);
	if (grant) {
		m->s->roster = (uint8_t)roster_state_out(
		    pair_machine_roster(m), ROSTER_SUBSCRIBED)
				   .to;
		pair_machine_owe(m, &m->s->from, PAIR_SUBSCRIBED);
	}
	if (grant || m->e->document)
		pair_machine_say(m, PAIR_CURRENT);
}

void
pair_machine_sip_pending(struct pair_machine *m)
{
	if (unwanted(m))
		return;
	m->s->sip = PAIR_SIP_LIVE;
	m->s->sip_ms = 0;
	m->s->sip_fails = 0;
	/* What was granted once is being thought over. */
	go_dark(m);
}

/* RFC 6665 4.1.3. */
void
pair_machine_sip_terminated(struct pair_machine *m)
{
	if (!served(m)) {
		m->s->sip = PAIR_SIP_NONE;
		return;
	}
	switch (m->e->reason) {
	case PAIR_DEACTIVATED:
	case PAIR_TIMEOUT:
		open_again(m);
		if (m->s->sip == PAIR_SIP_RETRY)
			start_grace(m);
		return;
	case PAIR_REJECTED:
	case PAIR_NORESOURCE:
		reject(m);
		return;
	case PAIR_PROBATION:
		back_off(m);
		go_dark(m);
		return;
	case PAIR_GIVEUP:
		if (m->e->retry_after_s != 0)
			back_off(m);
		else
			retry_sip(m, GIVEUP_MS);
		start_grace(m);
		return;
	case PAIR_INVARIANT:
		m->s->sip = PAIR_SIP_STOPPED;
		m->s->sip_ms = 0;
		return;
	case PAIR_REASON_NONE:
		break;
	}
	back_off(m);
	start_grace(m);
}

enum verdict {
	VERDICT_PASSING, /* again after a while */
	VERDICT_AGAIN,   /* at once, a new dialog */
	VERDICT_PLAIN,   /* at once, asking for less */
	VERDICT_AWAY,    /* there is no such user, it seems */
	VERDICT_BARRED,  /* not for this contact, it seems */
	VERDICT_NEVER
};

static enum verdict
verdict_of(const struct pair_machine *m)
{
	bool plain = pair_machine_has(m, PAIR_PLAIN);

	switch (m->e->status) {
	case 481:
		return VERDICT_AGAIN;
	case 406:
	case 415:
		return plain ? VERDICT_PASSING : VERDICT_PLAIN;
	case 489:
		return plain ? VERDICT_BARRED : VERDICT_PLAIN;
	case 404:
	case 410:
	case 604:
		return VERDICT_AWAY;
	case 403:
	case 416:
	case 484:
	case 485:
		return VERDICT_BARRED;
	case 603:
		return VERDICT_NEVER;
	default:
		return VERDICT_PASSING;
	}
}

/* The user is unknown for a week by now: both halves have lost their sense. */
static void
bury(struct pair_machine *m)
{
	bool told;

	reject(m);
	pair_machine_to_dismiss(m);
	told = pair_machine_to_end(m);
	if (told)
		pair_machine_owe(m, &m->s->to, PAIR_UNSUBSCRIBE);
}

static void
on_denied(struct pair_machine *m, enum verdict v)
{
	if (!authorized(m) || v == VERDICT_NEVER) {
		reject(m);
		return;
	}
	if (v == VERDICT_AWAY && m->s->gone_ms != 0 &&
	    m->now - m->s->gone_ms >= m->r->gone_ms) {
		bury(m);
		return;
	}
	if (v != VERDICT_AWAY)
		m->s->gone_ms = 0;
	else if (m->s->gone_ms == 0 || m->s->gone_ms > m->now)
		m->s->gone_ms = m->now;
	retry_sip(m, m->r->gone_retry_ms);
	go_dark(m);
}

void
pair_machine_sip_over(struct pair_machine *m)
{
	enum verdict v = verdict_of(m);

	if (!served(m)) {
		m->s->sip = PAIR_SIP_NONE;
		return;
	}
	switch (v) {
	case VERDICT_AGAIN:
		open_again(m);
		break;
	case VERDICT_PLAIN:
		pair_machine_mark(m, PAIR_PLAIN, true);
		open_sip(m);
		break;
	case VERDICT_AWAY:
	case VERDICT_BARRED:
	case VERDICT_NEVER:
		on_denied(m, v);
		return;
	case VERDICT_PASSING:
		back_off(m);
		if (m->e->status == 0 && pair_machine_has(m, PAIR_POOL_AWAY))
			m->s->sip_ms = 0;
		break;
	}
	if (m->s->sip == PAIR_SIP_RETRY)
		start_grace(m);
}

/* --- the world ---------------------------------------------------------- */

void
pair_machine_pool_lost(struct pair_machine *m)
{
	pair_machine_mark(m, PAIR_POOL_AWAY, true);
	start_grace(m);
}

void
pair_machine_pool_back(struct pair_machine *m)
{
	bool dark = pair_machine_has(m, PAIR_DARK_FROM);
	int64_t lost_ms = m->s->grace_from_ms - m->r->grace_ms;
	bool away = pair_machine_has(m, PAIR_POOL_AWAY);

	pair_machine_mark(m, PAIR_POOL_AWAY, false);
	if (!away || !served(m))
		return;
	if (m->s->sip == PAIR_SIP_RETRY && m->s->sip_ms == 0) {
		m->s->sip_fails = 0;
		open_sip(m);
		return;
	}
	if (m->s->sip != PAIR_SIP_LIVE)
		return;
	/* The dialog outlived the outage; what it would have told may not. */
	if (dark || m->s->grace_from_ms == 0 ||
	    m->now - lost_ms >= NOTIFY_LOST_MS)
		pair_machine_do(m, PAIR_SIP_REFRESH);
	renew_later(m);
	m->s->grace_from_ms = 0;
}

/* Whether that time has come; there is none then any more. */
static bool
passed(int64_t *at_ms, int64_t now_ms)
{
	if (*at_ms == 0 || *at_ms > now_ms)
		return false;
	*at_ms = 0;
	return true;
}

void
pair_machine_from_due(struct pair_machine *m)
{
	struct pair_state *s = m->s;
	bool renew = passed(&s->renew_ms, m->now);
	bool due = passed(&s->sip_ms, m->now);

	if (s->grace_from_ms != 0 && s->grace_from_ms <= m->now)
		go_dark(m);
	if (!renew && !due)
		return;
	if (pair_machine_has(m, PAIR_POOL_AWAY) || !served(m))
		return;
	if (s->sip == PAIR_SIP_RETRY && due)
		open_sip(m);
	else if (s->sip == PAIR_SIP_LIVE)
		pair_machine_do(m, PAIR_SIP_REFRESH);
}

void
pair_machine_from_restart(struct pair_machine *m)
{
	m->s->sip = m->e->restored ? PAIR_SIP_LIVE : PAIR_SIP_NONE;
	/* An old "gone since" may be that of a restored backup: the pool gets
	 * a day to deny it. */
	if (m->s->gone_ms != 0 &&
	    m->s->gone_ms < m->now - m->r->gone_ms + SETTLE_MS)
		m->s->gone_ms = m->now - m->r->gone_ms + SETTLE_MS;
	if (!wanted(m)) {
		end_sip(m);
		return;
	}
	if (!pair_machine_may_watch(m)) {
		pair_machine_from_policy(m);
		return;
	}
	if (m->e->restored) {
		/* What the pool said meanwhile found nobody here: it may have
		 * given the subscription up, or the user have gone. */
		pair_machine_do(m, PAIR_SIP_REFRESH);
		renew_later(m);
		return;
	}
	open_sip(m);
	start_grace(m);
}

void
pair_machine_from_policy(struct pair_machine *m)
{
	bool barred = wanted(m) && !pair_machine_may_watch(m);

	if (barred == pair_machine_has(m, PAIR_BARRED_FROM))
		return;
	pair_machine_mark(m, PAIR_BARRED_FROM, barred);
	if (barred) {
		end_sip(m);
		go_dark(m);
	} else if (wanted(m)) {
		open_sip(m);
	}
}

/* What the subscription said could not be kept, so it has to say it again. */
void
pair_machine_from_disk_failed(struct pair_machine *m)
{
	if (m->e->failed == PAIR_ON_SIP_TERMINATED ||
	    m->e->failed == PAIR_ON_SIP_OVER) {
		retry_sip(m, m->r->retry_ms);
		go_dark(m);
		return;
	}
	m->s->sip = PAIR_SIP_LIVE;
	m->s->sip_ms = m->now + m->r->retry_ms;
}

void
pair_machine_from_reworded(struct pair_machine *m)
{
	if (wanted(m) && authorized(m) && pair_machine_may_watch(m) &&
	    !pair_machine_has(m, PAIR_DARK_FROM))
		pair_machine_say(m, PAIR_CURRENT);
}
