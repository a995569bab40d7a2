/*
 * A step is made on a copy of the state: the event goes to the half that it
 * concerns, or to both, and the halves write their actions into one list.  At
 * the end the step finds out by itself whether something changed that belongs
 * on disk, and when the pair wants to be woken.
 *
 * Stanzas that change somebody's roster are debts: of each half at most one is
 * under way, the next one waits until the fate of that one is known.  So the
 * answers that a contact's server makes by itself can be told from the
 * contact's own, and what a broken connection swallowed is said again.
 */
#include "frontend-gateway/presence/pair_machine.h"

#include <assert.h>
#include <string.h>

#include "frontend-gateway/presence/pair_machine_impl.h"

enum {
	DAY_MS = 24 * 3600 * 1000,
	/* With an hour between two attempts that is about a week. */
	DEBT_FAILS_MAX = 170
};

const struct pair_rules pair_rules_default = {
	.ask_again_ms = DAY_MS,
	.ask_context_ms = 60000,
	.ask_most_ms = 32 * (int64_t)DAY_MS,
	.retry_ms = 60000,
	.retry_most_ms = 1800000,
	.gone_retry_ms = 3600000,
	.gone_ms = 7 * (int64_t)DAY_MS,
	.owe_retry_ms = 60000,
	.owe_most_ms = 3600000,
	.grace_ms = 120000,
	.partner_grace_ms = 120000,
	.expires_ms = 28800000,
	.remove_ms = 7 * (int64_t)DAY_MS,
	.refusal_ends = false,
};

/* --- verbs -------------------------------------------------------------- */

struct pair_action *
pair_machine_do(struct pair_machine *m, enum pair_action_kind kind)
{
	struct pair_action *a = &m->out->actions[m->out->count];

	assert(m->out->count < PAIR_ACTIONS_MAX);
	m->out->count++;
	memset(a, 0, sizeof(*a));
	a->kind = kind;
	return a;
}

void
pair_machine_say(struct pair_machine *m, enum pair_stanza stanza)
{
	pair_machine_do(m, PAIR_SEND)->stanza = stanza;
}

void
pair_machine_answer(struct pair_machine *m, enum pair_stanza stanza)
{
	struct pair_action *a = pair_machine_do(m, PAIR_SEND);

	a->stanza = stanza;
	a->answer = true;
}

void
pair_machine_pay(struct pair_machine *m, struct pair_debt *d)
{
	struct pair_action *a;

	if (d->owed == PAIR_STANZA_UNKNOWN || d->flight != 0)
		return;
	d->due_ms = 0;
	if (!m->e->may_talk) /* it waits until policy allows it again */
		return;
	d->flight = d->owed;
	d->serial = ++m->s->serial;
	a = pair_machine_do(m, PAIR_SEND);
	a->stanza = (enum pair_stanza)d->owed;
	a->proof = true;
	a->serial = d->serial;
}

void
pair_machine_owe(
    struct pair_machine *m, struct pair_debt *d, enum pair_stanza stanza)
{
	d->owed = (uint8_t)stanza;
	d->due_ms = 0;
	d->fails = 0;
	pair_machine_pay(m, d);
}

void
pair_machine_put_off(struct pair_machine *m, struct pair_debt *d)
{
	if (d->fails >= DEBT_FAILS_MAX) {
		pair_machine_owe(m, d, PAIR_STANZA_UNKNOWN);
		return;
	}
	d->due_ms = m->now + pair_machine_wait(m->r->owe_retry_ms,
				 m->r->owe_most_ms, d->fails);
	d->fails++;
}

int64_t
pair_machine_wait(int64_t first, int64_t most, unsigned fails)
{
	int64_t ms = first;

	while (fails-- > 0 && ms < most)
		ms *= 2;
	return ms < most ? ms : most;
}

bool
pair_machine_passed(const struct pair_machine *m, int64_t t, int64_t ms)
{
	return t == 0 || t > m->now || m->now - t >= ms;
}

bool
pair_machine_may_watch(const struct pair_machine *m)
{
	return m->e->may_talk &&
	       (m->e->may_watch || pair_machine_has(m, PAIR_INVITED));
}

void
pair_machine_mark(struct pair_machine *m, enum pair_flag f, bool on)
{
	if (on)
		m->s->flags |= (uint16_t)f;
	else
		m->s->flags &= (uint16_t) ~(unsigned)f;
}

bool
pair_machine_final(enum condition c)
{
	switch (c) {
	case COND_REMOTE_SERVER_NOT_FOUND:
	case COND_REMOTE_SERVER_TIMEOUT:
	case COND_RESOURCE_CONSTRAINT:
	case COND_INTERNAL_SERVER_ERROR:
	case COND_RECIPIENT_UNAVAILABLE:
	case COND_UNDEFINED_CONDITION:
	case COND_UNEXPECTED_REQUEST:
		return false;
	case COND_BAD_REQUEST:
	case COND_CONFLICT:
	case COND_FEATURE_NOT_IMPLEMENTED:
	case COND_FORBIDDEN:
	case COND_GONE:
	case COND_ITEM_NOT_FOUND:
	case COND_JID_MALFORMED:
	case COND_NOT_ACCEPTABLE:
	case COND_NOT_ALLOWED:
	case COND_NOT_AUTHORIZED:
	case COND_POLICY_VIOLATION:
	case COND_REDIRECT:
	case COND_REGISTRATION_REQUIRED:
	case COND_SERVICE_UNAVAILABLE:
	case COND_SUBSCRIPTION_REQUIRED:
	case COND_COUNT:
		break;
	}
	return true;
}

/* --- both halves -------------------------------------------------------- */

static struct pair_debt *
debt_of(struct pair_machine *m, enum pair_stanza stanza)
{
	if (stanza == PAIR_SUBSCRIBE || stanza == PAIR_UNSUBSCRIBE)
		return &m->s->to;
	if (stanza == PAIR_SUBSCRIBED || stanza == PAIR_UNSUBSCRIBED)
		return &m->s->from;
	return NULL;
}

/* The fate of a stanza of ours. */
static void
on_result(struct pair_machine *m)
{
	struct pair_debt *d = debt_of(m, m->e->stanza);
	uint8_t sent;

	if (d == NULL || d->flight != (uint8_t)m->e->stanza ||
	    d->serial != m->e->serial)
		return;
	sent = d->flight;
	d->flight = 0;
	if (d->owed != sent) { /* something else is to be said by now */
		pair_machine_pay(m, d);
	} else if (m->e->delivered) {
		pair_machine_owe(m, d, PAIR_STANZA_UNKNOWN);
	} else if (!pair_machine_final(m->e->condition)) {
		pair_machine_put_off(m, d);
	} else {
		pair_machine_owe(m, d, PAIR_STANZA_UNKNOWN);
		if (sent == PAIR_SUBSCRIBE)
			pair_machine_refused(m);
	}
}

/* An error stanza is about one of ours: it comes before the proof that the
 * server had the stanza, which therefore proves nothing. */
static void
on_error(struct pair_machine *m)
{
	struct pair_debt *d = debt_of(m, m->e->stanza);

	if (d != NULL && d->owed == (uint8_t)m->e->stanza) {
		if (d->flight == d->owed)
			d->flight = 0;
		if (!pair_machine_final(m->e->condition)) {
			if (d->flight == 0 && d->due_ms == 0)
				pair_machine_put_off(m, d);
		} else if (m->e->stanza != PAIR_SUBSCRIBE) {
			/* Nobody is there who could be told. */
			pair_machine_owe(m, d, PAIR_STANZA_UNKNOWN);
		}
	}
	pair_machine_to_error(m);
}

static void
pay_if_due(struct pair_machine *m, struct pair_debt *d)
{
	if (d->due_ms != 0 && d->due_ms <= m->now)
		pair_machine_pay(m, d);
}

/* A removal is a step of its own, for it waits for the disk. */
static void
on_due(struct pair_machine *m)
{
	if (pair_machine_to_removal_due(m)) {
		pair_machine_to_remove(m);
		return;
	}
	pay_if_due(m, &m->s->to);
	pay_if_due(m, &m->s->from);
	pair_machine_from_due(m);
	pair_machine_to_due(m);
}

static void
on_restart(struct pair_machine *m)
{
	pair_machine_pay(m, &m->s->to);
	pair_machine_pay(m, &m->s->from);
	pair_machine_from_restart(m);
	pair_machine_to_restart(m);
}

static void
on_policy(struct pair_machine *m)
{
	pair_machine_from_policy(m);
	if (m->e->document)
		pair_machine_from_reworded(m);
	pair_machine_to_policy(m);
	if (m->e->may_talk && m->s->to.due_ms == 0)
		pair_machine_pay(m, &m->s->to);
	if (m->e->may_talk && m->s->from.due_ms == 0)
		pair_machine_pay(m, &m->s->from);
}

static void
on_partner_back(struct pair_machine *m)
{
	pair_machine_pay(m, &m->s->to);
	pair_machine_pay(m, &m->s->from);
	pair_machine_partner_back(m);
}

static void
on_remove(struct pair_machine *m)
{
	enum roster_state was = pair_machine_roster(m);
	bool seen = roster_state_from(was) || roster_state_pending_in(was);
	bool told;

	pair_machine_do(m, PAIR_STORE);
	pair_machine_from_end(m);
	pair_machine_to_dismiss(m);
	told = pair_machine_to_end(m);
	m->s->used_ms = 0;
	m->s->flags &= PAIR_POOL_AWAY | PAIR_PARTNER_AWAY;
	/* A partner that is none any more is not written to. */
	pair_machine_owe(m, &m->s->to,
	    told && m->e->may_talk ? PAIR_UNSUBSCRIBE : PAIR_STANZA_UNKNOWN);
	pair_machine_owe(m, &m->s->from,
	    seen && m->e->may_talk ? PAIR_UNSUBSCRIBED : PAIR_STANZA_UNKNOWN);
}

/* The old state is back; what came can't be kept. */
static void
on_disk_failed(struct pair_machine *m)
{
	struct pair_debt *d;

	switch (m->e->failed) {
	case PAIR_ON_SUBSCRIBE:
	case PAIR_ON_SUBSCRIBED:
	case PAIR_ON_UNSUBSCRIBE:
	case PAIR_ON_UNSUBSCRIBED:
	case PAIR_ON_PROBE:
	case PAIR_ON_AVAILABLE:
	case PAIR_ON_UNAVAILABLE:
	case PAIR_ON_ERROR:
		pair_machine_do(m, PAIR_REFUSE)->condition =
		    COND_RESOURCE_CONSTRAINT;
		break;
	case PAIR_ON_WATCH:
		pair_machine_do(m, PAIR_DECLINE)->status = 500;
		break;
	case PAIR_ON_RESULT:
		d = debt_of(m, m->e->stanza);
		if (d != NULL && d->flight == (uint8_t)m->e->stanza &&
		    d->serial == m->e->serial) {
			d->flight = 0;
			pair_machine_put_off(m, d);
		}
		break;
	case PAIR_ON_SIP_GRANTED:
	case PAIR_ON_SIP_ACTIVE:
	case PAIR_ON_SIP_PENDING:
	case PAIR_ON_SIP_TERMINATED:
	case PAIR_ON_SIP_OVER:
		pair_machine_from_disk_failed(m);
		break;
	case PAIR_ON_DUE:
		if (pair_machine_to_removal_due(m))
			m->s->remove_ms = m->now + m->r->retry_ms;
		break;
	case PAIR_ON_PROBED:
	case PAIR_ON_REFRESH:
	case PAIR_ON_UNWATCH:
	case PAIR_ON_FETCH:
	case PAIR_ON_POOL_LOST:
	case PAIR_ON_POOL_BACK:
	case PAIR_ON_PARTNER_LOST:
	case PAIR_ON_PARTNER_BACK:
	case PAIR_ON_RENEWAL:
	case PAIR_ON_RESTART:
	case PAIR_ON_POLICY:
	case PAIR_ON_REMOVE:
	case PAIR_ON_DISK_FAILED:
	case PAIR_EVENT_COUNT:
		break;
	}
}

/* --- the step ----------------------------------------------------------- */

typedef void handler_fn(struct pair_machine *m);

/* life: somebody uses this pair. */
static const struct {
	handler_fn *fn;
	bool life;
} handlers[PAIR_EVENT_COUNT] = {
	[PAIR_ON_SUBSCRIBE] = { pair_machine_subscribe, true },
	[PAIR_ON_SUBSCRIBED] = { pair_machine_subscribed, true },
	[PAIR_ON_UNSUBSCRIBE] = { pair_machine_unsubscribe, true },
	[PAIR_ON_UNSUBSCRIBED] = { pair_machine_unsubscribed, true },
	[PAIR_ON_PROBE] = { pair_machine_probe, true },
	[PAIR_ON_AVAILABLE] = { pair_machine_presence, true },
	[PAIR_ON_UNAVAILABLE] = { pair_machine_presence, true },
	[PAIR_ON_ERROR] = { on_error, false },
	[PAIR_ON_RESULT] = { on_result, false },
	[PAIR_ON_PROBED] = { pair_machine_probed, false },
	[PAIR_ON_WATCH] = { pair_machine_watch, true },
	[PAIR_ON_REFRESH] = { pair_machine_refresh, true },
	[PAIR_ON_UNWATCH] = { pair_machine_unwatch, false },
	[PAIR_ON_FETCH] = { pair_machine_fetch, true },
	[PAIR_ON_SIP_GRANTED] = { pair_machine_sip_granted, false },
	[PAIR_ON_SIP_ACTIVE] = { pair_machine_sip_active, false },
	[PAIR_ON_SIP_PENDING] = { pair_machine_sip_pending, false },
	[PAIR_ON_SIP_TERMINATED] = { pair_machine_sip_terminated, false },
	[PAIR_ON_SIP_OVER] = { pair_machine_sip_over, false },
	[PAIR_ON_POOL_LOST] = { pair_machine_pool_lost, false },
	[PAIR_ON_POOL_BACK] = { pair_machine_pool_back, false },
	[PAIR_ON_PARTNER_LOST] = { pair_machine_partner_lost, false },
	[PAIR_ON_PARTNER_BACK] = { on_partner_back, false },
	[PAIR_ON_RENEWAL] = { pair_machine_renewal, false },
	[PAIR_ON_DUE] = { on_due, false },
	[PAIR_ON_RESTART] = { on_restart, false },
	[PAIR_ON_POLICY] = { on_policy, false },
	[PAIR_ON_REMOVE] = { on_remove, false },
	[PAIR_ON_DISK_FAILED] = { on_disk_failed, false },
};

static void
earlier(int64_t *due, int64_t t)
{
	if (t != 0 && (*due == 0 || t < *due))
		*due = t;
}

static int64_t
due_of(const struct pair_state *s)
{
	int64_t due = 0;

	earlier(&due, s->to.due_ms);
	earlier(&due, s->from.due_ms);
	earlier(&due, s->sip_ms);
	earlier(&due, s->renew_ms);
	earlier(&due, s->grace_from_ms);
	earlier(&due, s->grace_to_ms);
	earlier(&due, s->remove_ms);
	return due;
}

/* Nothing of a row that is none may be left for the next one. */
static void
clear_empty(struct pair_state *s)
{
	uint16_t serial = s->serial;
	uint16_t world = s->flags & (PAIR_POOL_AWAY | PAIR_PARTNER_AWAY);

	*s = (struct pair_state){ .serial = serial, .flags = world };
}

static bool
stores(const struct pair_step *out)
{
	for (size_t i = 0; i < out->count; i++) {
		if (out->actions[i].kind == PAIR_STORE)
			return true;
	}
	return false;
}

/* Field by field: the memory between them is anybody's. */
static bool
same_row(const struct pair_saved *a, const struct pair_saved *b)
{
	return a->roster == b->roster && a->flags == b->flags &&
	       a->asked_ms == b->asked_ms && a->refused_ms == b->refused_ms &&
	       a->remove_ms == b->remove_ms && a->used_ms == b->used_ms;
}

void
pair_machine_step(struct pair_step *out, const struct pair_state *s,
    const struct pair_event *e, const struct pair_rules *rules)
{
	struct pair_machine m = { out, &out->after, e, rules, e->now_ms };
	struct pair_saved before, after;

	assert(e->kind < PAIR_EVENT_COUNT);
	out->count = 0;
	out->after = *s;
	handlers[e->kind].fn(&m);
	if (pair_state_empty(&out->after))
		clear_empty(&out->after);
	else if (handlers[e->kind].life || out->after.used_ms == 0) {
		if (pair_machine_passed(&m, out->after.used_ms, DAY_MS))
			out->after.used_ms = m.now;
	}
	pair_state_save(&before, s);
	pair_state_save(&after, &out->after);
	if (!stores(out) && !same_row(&before, &after))
		pair_machine_do(&m, PAIR_STORE_LATER);
	out->due_ms = due_of(&out->after);
}
