/*
 * The to half: a Lync user watches a contact.
 *
 *   her first endpoint's SUBSCRIBE -> 200, closed, `subscribe` -> `subscribed`
 *   -> the contact's presence on every dialog, those that come later included.
 *
 * Lync has no word for "removed from the contact list": the contact is told
 * `unsubscribe` only when no endpoint has watched for longer than any of them
 * could have been granted, and a week more.  Until then a sign-in finds
 * everything as it was.
 *
 * What we knew before a restart or an outage of the partner may be wrong by now:
 * the contact is probed, a second time after half the grace time, and shown
 * closed when that is over without a word from him.  His server has to answer
 * for one who is there (RFC 6121 4.3.2), so it is most likely the truth; the
 * next presence of his shows him again.
 *
 * A contact who refused is left in peace: he is asked again when the user adds
 * him anew, or at a sign-in after a day, then two, four ... at most a month.
 */
#include "frontend-gateway/presence/pair_machine_impl.h"

enum { REFUSALS_MAX = 15 };

/* --- verbs -------------------------------------------------------------- */

static bool
granted(const struct pair_machine *m)
{
	return roster_state_to(pair_machine_roster(m));
}

static bool
asked(const struct pair_machine *m)
{
	return roster_state_pending_out(pair_machine_roster(m));
}

static bool
asking(const struct pair_machine *m)
{
	return m->s->to.owed == PAIR_SUBSCRIBE;
}

/* He has heard us, whatever became of the stanza. */
static void
answered(struct pair_machine *m)
{
	if (m->s->to.flight == PAIR_SUBSCRIBE)
		m->s->to.flight = 0;
	if (asking(m))
		pair_machine_owe(m, &m->s->to, PAIR_STANZA_UNKNOWN);
}

/* What she may see of him now. */
static enum pair_show
view(const struct pair_machine *m)
{
	return granted(m) && m->e->may_talk &&
		       !pair_machine_has(m, PAIR_DARK_TO)
		   ? PAIR_SHOW_CURRENT
		   : PAIR_SHOW_CLOSED;
}

static void
show_one(struct pair_machine *m, enum pair_show show)
{
	pair_machine_do(m, PAIR_SHOW_ONE)->show = show;
}

static void
show_all(struct pair_machine *m)
{
	if (m->e->dialogs > 0)
		pair_machine_do(m, PAIR_SHOW_ALL)->show = view(m);
}

/* He may have changed unseen. */
static void
ask_how_he_is(struct pair_machine *m)
{
	pair_machine_mark(m, PAIR_UNSURE, true);
	pair_machine_mark(m, PAIR_UNSURE_AGAIN, false);
	pair_machine_say(m, PAIR_PROBE);
}

/* He is as we know, or as we have just decided. */
static void
be_sure(struct pair_machine *m)
{
	pair_machine_mark(m, PAIR_UNSURE, false);
	pair_machine_mark(m, PAIR_UNSURE_AGAIN, false);
}

static void
plan_removal(struct pair_machine *m)
{
	m->s->remove_ms = m->now + m->r->expires_ms + m->r->remove_ms;
}

/* Something of this half is worth to be remembered. */
static bool
alive(const struct pair_machine *m)
{
	return granted(m) || asked(m) || m->s->refused_ms != 0;
}

void
pair_machine_to_dismiss(struct pair_machine *m)
{
	if (m->e->dialogs > 0)
		pair_machine_do(m, PAIR_END_ALL);
}

bool
pair_machine_to_end(struct pair_machine *m)
{
	bool told = granted(m) || asked(m);

	if (told)
		m->s->roster = (uint8_t)roster_state_out(
		    pair_machine_roster(m), ROSTER_UNSUBSCRIBE)
				   .to;
	m->s->asked_ms = 0;
	m->s->refused_ms = 0;
	m->s->refusals = 0;
	m->s->remove_ms = 0;
	m->s->grace_to_ms = 0;
	be_sure(m);
	pair_machine_mark(m, PAIR_DARK_TO, false);
	pair_machine_do(m, PAIR_FORGET_SEEN);
	return told;
}

/* --- asking ------------------------------------------------------------- */

static bool
ask_is_due(const struct pair_machine *m, bool anew)
{
	const struct pair_state *s = m->s;
	int64_t wait;

	if (granted(m) || !m->e->may_talk || asking(m))
		return false;
	if (anew)
		return pair_machine_passed(
		    m, s->asked_ms, m->r->ask_context_ms);
	if (asked(m))
		return pair_machine_passed(m, s->asked_ms, m->r->ask_again_ms);
	if (s->refused_ms == 0)
		return true;
	wait = pair_machine_wait(m->r->ask_again_ms, m->r->ask_most_ms,
	    s->refusals > 0 ? s->refusals - 1U : 0);
	return pair_machine_passed(m, s->refused_ms, wait);
}

static void
ask(struct pair_machine *m, bool anew)
{
	m->s->roster =
	    (uint8_t)roster_state_out(pair_machine_roster(m), ROSTER_SUBSCRIBE)
		.to;
	m->s->asked_ms = m->now;
	m->s->refused_ms = 0;
	if (anew)
		m->s->refusals = 0;
	pair_machine_owe(m, &m->s->to, PAIR_SUBSCRIBE);
}

/* The contact does not want, or does not exist. */
static void
close_half(struct pair_machine *m)
{
	m->s->roster = (uint8_t)roster_state_in(
	    pair_machine_roster(m), ROSTER_UNSUBSCRIBED)
			   .to;
	m->s->refused_ms = m->now;
	if (m->s->refusals < REFUSALS_MAX)
		m->s->refusals++;
	m->s->grace_to_ms = 0;
	be_sure(m);
	pair_machine_mark(m, PAIR_DARK_TO, false);
	answered(m);
	pair_machine_do(m, PAIR_FORGET_SEEN);
	if (m->r->refusal_ends && m->e->dialogs > 0) {
		pair_machine_do(m, PAIR_END_ALL);
		plan_removal(m);
		return;
	}
	show_all(m);
	if (m->e->dialogs == 0 && m->s->remove_ms == 0)
		plan_removal(m);
}

void
pair_machine_refused(struct pair_machine *m)
{
	if (!asked(m))
		return;
	pair_machine_do(m, PAIR_STORE);
	close_half(m);
}

/* --- stanzas ------------------------------------------------------------ */

void
pair_machine_subscribed(struct pair_machine *m)
{
	struct roster_step st =
	    roster_state_in(pair_machine_roster(m), ROSTER_SUBSCRIBED);

	if (!st.pass) { /* nobody asked */
		pair_machine_do(m, PAIR_TAKE);
		return;
	}
	pair_machine_do(m, PAIR_STORE);
	pair_machine_do(m, PAIR_TAKE);
	m->s->roster = (uint8_t)st.to;
	m->s->refused_ms = 0;
	m->s->refusals = 0;
	answered(m);
	/* Not every server sends presence along when it answers for a contact
	 * who had agreed before. */
	if (m->e->dialogs > 0 && m->e->may_talk)
		pair_machine_say(m, PAIR_PROBE);
	show_all(m);
}

void
pair_machine_unsubscribed(struct pair_machine *m)
{
	struct roster_step st =
	    roster_state_in(pair_machine_roster(m), ROSTER_UNSUBSCRIBED);
	/* His server's answer to the `unsubscribe` before the `subscribe` that
	 * waits to be sent. */
	bool echo = m->s->to.flight == PAIR_UNSUBSCRIBE &&
		    m->s->to.owed == PAIR_SUBSCRIBE;

	if (!st.pass || echo) {
		pair_machine_do(m, PAIR_TAKE);
		return;
	}
	pair_machine_do(m, PAIR_STORE);
	pair_machine_do(m, PAIR_TAKE);
	close_half(m);
}

void
pair_machine_presence(struct pair_machine *m)
{
	pair_machine_do(m, PAIR_TAKE);
	if (granted(m)) {
		m->s->grace_to_ms = 0;
		be_sure(m);
		pair_machine_mark(m, PAIR_DARK_TO, false);
		show_all(m);
		return;
	}
	pair_machine_do(m, PAIR_FORGET_SEEN);
	/* He shows himself though we wait for his word: it may have been lost.
	 * His server repeats it when asked. */
	if (m->e->kind == PAIR_ON_AVAILABLE && asked(m) && !asking(m) &&
	    m->e->may_talk &&
	    pair_machine_passed(m, m->s->asked_ms, m->r->ask_context_ms))
		ask(m, false);
}

void
pair_machine_to_error(struct pair_machine *m)
{
	enum pair_stanza st = m->e->stanza;
	bool final = pair_machine_final(m->e->condition);
	bool about_ask = st == PAIR_SUBSCRIBE || st == PAIR_STANZA_UNKNOWN;
	bool about_him = about_ask || st == PAIR_PROBE;

	if (asked(m) && about_ask && final) {
		pair_machine_do(m, PAIR_STORE);
		pair_machine_do(m, PAIR_TAKE);
		close_half(m);
		return;
	}
	pair_machine_do(m, PAIR_TAKE);
	if (asked(m) && st == PAIR_SUBSCRIBE) {
		if (!asking(m)) { /* proven too early */
			m->s->to.owed = PAIR_SUBSCRIBE;
			pair_machine_put_off(m, &m->s->to);
		}
	} else if (granted(m) && about_him && final) {
		be_sure(m);
		m->s->grace_to_ms = 0;
		pair_machine_do(m, PAIR_FORGET_SEEN);
		show_all(m);
	} else if (granted(m) && about_him && m->s->grace_to_ms == 0 &&
		   !pair_machine_has(m, PAIR_DARK_TO)) {
		m->s->grace_to_ms = m->now + m->r->partner_grace_ms;
	}
}

/* --- Lync's endpoints --------------------------------------------------- */

/* By what we know he agreed.  Somebody who adds him anew may see that he is
 * not there: his server may have forgotten him or her, and some answer no
 * probe then.  One that has not answers `subscribe` by itself, unseen by him
 * (RFC 6121 A.3.1). */
static void
confirm_grant(struct pair_machine *m)
{
	if (m->e->context &&
	    pair_machine_passed(m, m->s->asked_ms, m->r->ask_context_ms)) {
		m->s->asked_ms = m->now;
		pair_machine_say(m, PAIR_SUBSCRIBE);
	}
	if (m->e->dialogs <= 1)
		pair_machine_say(m, PAIR_PROBE);
}

void
pair_machine_watch(struct pair_machine *m)
{
	bool due;

	if (!m->e->may_talk) {
		pair_machine_do(m, PAIR_DECLINE)->status = 403;
		return;
	}
	due = ask_is_due(m, m->e->context);
	if (due)
		pair_machine_do(m, PAIR_STORE);
	pair_machine_do(m, PAIR_CONFIRM);
	show_one(m, view(m));
	m->s->remove_ms = 0;
	pair_machine_mark(m, PAIR_INVITED, true);
	if (due)
		ask(m, m->e->context);
	else if (granted(m))
		confirm_grant(m);
	/* Added by her, he may watch whatever his partner's type. */
	pair_machine_from_policy(m);
}

void
pair_machine_refresh(struct pair_machine *m)
{
	bool due = ask_is_due(m, false);

	show_one(m, view(m));
	if (!m->e->may_talk)
		return;
	if (due)
		pair_machine_do(m, PAIR_STORE);
	m->s->remove_ms = 0;
	if (due)
		ask(m, false);
}

void
pair_machine_unwatch(struct pair_machine *m)
{
	show_one(m, PAIR_SHOW_CLOSED);
	if (m->e->dialogs == 0 && alive(m))
		plan_removal(m);
}

void
pair_machine_fetch(struct pair_machine *m)
{
	show_one(m, view(m));
	if (granted(m) && m->e->may_talk && m->e->dialogs == 0)
		pair_machine_say(m, PAIR_PROBE);
}

/* --- the world ---------------------------------------------------------- */

void
pair_machine_partner_lost(struct pair_machine *m)
{
	bool unsure = pair_machine_has(m, PAIR_UNSURE);

	pair_machine_mark(m, PAIR_PARTNER_AWAY, true);
	be_sure(m);
	if (granted(m) && (m->s->grace_to_ms == 0 || unsure) &&
	    !pair_machine_has(m, PAIR_DARK_TO))
		m->s->grace_to_ms = m->now + m->r->partner_grace_ms;
}

void
pair_machine_partner_back(struct pair_machine *m)
{
	pair_machine_mark(m, PAIR_PARTNER_AWAY, false);
	m->s->grace_to_ms = 0;
	if (granted(m) && m->e->dialogs > 0 && m->e->may_talk)
		ask_how_he_is(m);
}

void
pair_machine_probed(struct pair_machine *m)
{
	if (pair_machine_has(m, PAIR_UNSURE) && m->s->grace_to_ms == 0)
		m->s->grace_to_ms = m->now + m->r->partner_grace_ms / 2;
}

/* As we know him until he says otherwise: silence is no news. */
void
pair_machine_renewal(struct pair_machine *m)
{
	if (granted(m) && m->e->dialogs > 0 && m->e->may_talk &&
	    !pair_machine_has(m, PAIR_PARTNER_AWAY))
		pair_machine_say(m, PAIR_PROBE);
}

static void
grace_is_over(struct pair_machine *m)
{
	m->s->grace_to_ms = 0;
	if (!granted(m))
		return;
	/* The first question, or its answer, may have died with a stream. */
	if (pair_machine_has(m, PAIR_UNSURE) &&
	    !pair_machine_has(m, PAIR_UNSURE_AGAIN) && m->e->may_talk) {
		pair_machine_mark(m, PAIR_UNSURE_AGAIN, true);
		pair_machine_say(m, PAIR_PROBE);
		return;
	}
	be_sure(m);
	pair_machine_mark(m, PAIR_DARK_TO, true);
	pair_machine_do(m, PAIR_FORGET_SEEN);
	show_all(m);
}

void
pair_machine_to_due(struct pair_machine *m)
{
	if (m->s->grace_to_ms != 0 && m->s->grace_to_ms <= m->now)
		grace_is_over(m);
	/* A plan that can't be carried out now. */
	if (m->s->remove_ms != 0 && m->s->remove_ms <= m->now) {
		if (m->e->dialogs > 0)
			m->s->remove_ms = 0;
		else
			plan_removal(m);
	}
}

/* Who is barred keeps what she has: a permission may come back. */
bool
pair_machine_to_removal_due(const struct pair_machine *m)
{
	return m->s->remove_ms != 0 && m->s->remove_ms <= m->now &&
	       m->e->dialogs == 0 && m->e->may_talk;
}

void
pair_machine_to_remove(struct pair_machine *m)
{
	bool told;

	pair_machine_do(m, PAIR_STORE);
	told = pair_machine_to_end(m);
	if (told)
		pair_machine_owe(m, &m->s->to, PAIR_UNSUBSCRIBE);
}

void
pair_machine_to_restart(struct pair_machine *m)
{
	int64_t soonest = m->now + m->r->expires_ms + m->r->grace_ms;

	pair_machine_mark(m, PAIR_BARRED_TO, !m->e->may_talk);
	if (m->e->dialogs > 0) {
		m->s->remove_ms = 0;
		if (granted(m) && m->e->may_talk)
			ask_how_he_is(m);
		else
			show_all(m);
	} else if (m->s->remove_ms == 0 && alive(m)) {
		plan_removal(m);
	} else if (m->s->remove_ms != 0 && m->s->remove_ms < soonest) {
		/* The plan may be that of a restored backup, or have come due
		 * while nobody could sign in here. */
		m->s->remove_ms = soonest;
	}
}

void
pair_machine_to_policy(struct pair_machine *m)
{
	bool barred = !m->e->may_talk;

	if (barred == pair_machine_has(m, PAIR_BARRED_TO))
		return;
	pair_machine_mark(m, PAIR_BARRED_TO, barred);
	show_all(m);
	if (!barred && granted(m) && m->e->dialogs > 0)
		ask_how_he_is(m);
}
