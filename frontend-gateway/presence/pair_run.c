/*
 * An event of a pair: what policy says of the two is added, the machine makes
 * its step, and the actions are carried out in their order.
 *
 * A step with PAIR_STORE in it stops there.  What follows, and the new state
 * itself, wait until the row is on disk; events that come meanwhile stand in a
 * line.  When the disk fails, the machine is told of it on the old state.
 *
 * What an action reports back from within stands in the same line, so a step is
 * never entered twice; p may be freed at its end only.
 */
#include "frontend-gateway/presence/presence_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/log_limit.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/policy/policy.h"
#include "frontend-gateway/sip/sip_notifier.h"
#include "proto/channel.h"

enum { TIMER_MAX_MS = 3600 * 1000, SECOND_MS = 1000 };

/* A step that waits for the disk. */
struct commit {
	struct pair *pair;
	struct happening h;
	struct pair_step step;
	size_t next; /* action behind the barrier */
};

static void run(struct pair *p, struct happening *h);

/* --- timer -------------------------------------------------------------- */

static uint64_t
until(uint64_t due, uint64_t now)
{
	return due > now ? due - now : 0;
}

void
pair_run_timer(struct pair *p)
{
	struct clock *clock = p->presence->opts.clock;
	uint64_t now = clock_now_ms(clock), wait = UINT64_MAX;
	int64_t wall = clock_wall_ms(clock);

	if (p->due_ms != 0)
		wait = p->due_ms > wall ? (uint64_t)(p->due_ms - wall) : 0;
	if (p->tell_due && until(p->tell_ms, now) < wait)
		wait = until(p->tell_ms, now);
	if (p->show_due && until(p->show_ms, now) < wait)
		wait = until(p->show_ms, now);
	if (wait == UINT64_MAX || p->presence->stopping)
		clock_timer_stop(&p->timer);
	else
		/* Not longer, for the wall clock may be set. */
		clock_timer_start(
		    &p->timer, wait < TIMER_MAX_MS ? wait : TIMER_MAX_MS);
}

void
pair_run_on_timer(struct clock_timer *t, void *arg)
{
	struct pair *p = arg;
	struct clock *clock = p->presence->opts.clock;
	uint64_t now = clock_now_ms(clock);

	(void)t;
	if (p->tell_due && p->tell_ms <= now)
		outbox_tell_now(p);
	if (p->show_due && p->show_ms <= now)
		to_notify_now(p);
	if (p->due_ms != 0 && p->due_ms <= clock_wall_ms(clock) && !p->busy) {
		p->due_ms = 0;
		pair_run_kind(p, PAIR_ON_DUE);
		return;
	}
	/* A busy pair's is set when it is done. */
	if (!p->busy)
		pair_run_timer(p);
}

/* --- actions ------------------------------------------------------------ */

static void
answer(struct pair *p, struct happening *h, bool taken, enum condition c)
{
	struct channel_result r = { .delivered = taken,
		.proof = taken ? PROOF_GATEWAY : PROOF_NONE,
		.condition = c };

	if (!h->ticketed)
		return;
	h->ticketed = false;
	edges_answer(p->presence->opts.edges, h->ticket, &r);
}

/* Who asks is told nothing; an administrator is. */
static void
log_denied(const struct pair *p, const struct happening *h)
{
	struct policy_presence may;

	if (!h->ticketed || h->e.kind != PAIR_ON_SUBSCRIBE)
		return;
	may = policy_judge_presence(p->presence->opts.policy, pair_user(p),
	    pair_contact(p), p->partner->remote);
	log_limited_info(&p->presence->log, p->partner->remote, "denied",
	    "from=%s to=%s reason=%s", pair_contact(p), pair_user(p),
	    may.may_watch ? "too-many-new" : may.reason);
}

static void
forget_told(struct pair *p)
{
	free(p->doc);
	p->doc = NULL;
	p->doc_len = 0;
	p->told = 0;
	p->tell_due = false;
	pair_row_dirty(p);
}

static void
act(struct pair *p, struct happening *h, const struct pair_action *a)
{
	switch (a->kind) {
	case PAIR_TAKE:
		answer(p, h, true, COND_UNDEFINED_CONDITION);
		break;
	case PAIR_REFUSE:
		log_denied(p, h);
		answer(p, h, false, a->condition);
		break;
	case PAIR_SEND:
		outbox_send(p, a);
		break;
	case PAIR_SIP_OPEN:
		from_half_open(p, a->first, a->plain);
		break;
	case PAIR_SIP_REFRESH:
		from_half_refresh(p);
		break;
	case PAIR_SIP_END:
		from_half_end(p);
		break;
	case PAIR_CONFIRM:
		to_half_confirm(p, h);
		break;
	case PAIR_DECLINE:
		to_half_decline(p, h, a->status);
		break;
	case PAIR_SHOW_ONE:
		to_notify_one(p, h, a->show);
		break;
	case PAIR_SHOW_ALL:
		to_notify_all(p, a->show);
		break;
	case PAIR_END_ALL:
		to_half_end_all(p);
		break;
	case PAIR_FORGET_SEEN:
		resources_clear(&p->seen);
		pair_row_dirty(p);
		break;
	case PAIR_FORGET_TOLD:
		forget_told(p);
		break;
	case PAIR_STORE:
	case PAIR_STORE_LATER:
	case PAIR_ACTION_COUNT:
		assert(false);
		break;
	}
}

/* --- steps -------------------------------------------------------------- */

static void
drop_happening(struct happening *h)
{
	if (h->watch != NULL)
		to_half_unhold(h->watch);
	h->watch = NULL;
}

/* The machine answers whatever asks; this keeps the promise of the door. */
static void
close_happening(struct pair *p, struct happening *h)
{
	assert(!h->ticketed);
	(void)p;
	drop_happening(h);
}

static void
finish_step(struct pair *p, struct happening *h, const struct pair_step *step)
{
	p->state = step->after;
	p->due_ms = step->due_ms;
	close_happening(p, h);
}

static void on_stored(int rc, void *arg);

/* Actions from number i on.  True when the step is done. */
static bool
carry_out(
    struct pair *p, struct happening *h, const struct pair_step *step, size_t i)
{
	struct commit *c;
	int rc;

	for (; i < step->count; i++) {
		const struct pair_action *a = &step->actions[i];

		if (a->kind == PAIR_STORE_LATER) {
			rc = pair_row_put(p, &step->after, NULL, NULL);
			if (rc < 0)
				log_warn(&p->presence->log, "row-not-written",
				    "user=%s contact=%s error=%s", pair_user(p),
				    pair_contact(p), err_str(rc));
			continue;
		}
		if (a->kind != PAIR_STORE) {
			act(p, h, a);
			continue;
		}
		c = malloc(sizeof(*c));
		rc = ERR_NOMEM;
		if (c != NULL) {
			*c = (struct commit){ p, *h, *step, i + 1 };
			rc = pair_row_put(p, &step->after, on_stored, c);
		}
		if (rc == 0) {
			p->busy = true;
			return false;
		}
		free(c);
		log_warn(&p->presence->log, "row-not-written",
		    "user=%s contact=%s error=%s", pair_user(p),
		    pair_contact(p), err_str(rc));
		h->e.failed = h->e.kind;
		h->e.kind = PAIR_ON_DISK_FAILED;
		run(p, h);
		return false;
	}
	return true;
}

static bool
waits(const struct pair_step *step)
{
	for (size_t i = 0; i < step->count; i++)
		if (step->actions[i].kind == PAIR_STORE)
			return true;
	return false;
}

/* What the machine is told with every event. */
static void
complete(const struct pair *p, struct pair_event *e)
{
	const struct presence *pr = p->presence;
	struct policy_presence may;

	e->now_ms = clock_wall_ms(pr->opts.clock);
	e->restored = p->sub != NULL;
	e->dialogs = to_half_count(p);
	may = policy_judge_presence(
	    pr->opts.policy, pair_user(p), pair_contact(p), p->partner->remote);
	e->may_talk = may.may_talk;
	e->may_watch = may.may_watch;
	e->may_ask = may.may_ask;
}

static void
log_step(const struct pair *p, const struct happening *h,
    const struct pair_step *step)
{
	if (!log_enabled(&p->presence->log, LOG_DEBUG))
		return;
	log_debug(&p->presence->log, "step",
	    "user=%s contact=%s event=%s from=%s to=%s sip=%s actions=%zu",
	    pair_user(p), pair_contact(p), pair_event_str(h->e.kind),
	    roster_state_str((enum roster_state)p->state.roster),
	    roster_state_str((enum roster_state)step->after.roster),
	    pair_sip_str((enum pair_sip)step->after.sip), step->count);
}

/* One event, on a pair that is not busy. */
static void
run(struct pair *p, struct happening *h)
{
	struct pair_step step = { 0 };

	p->running = true;
	complete(p, &h->e);
	if (h->e.may_ask && !h->e.may_talk)
		log_denied(p, h);
	pair_machine_step(&step, &p->state, &h->e, &p->presence->rules);
	log_step(p, h, &step);
	if (!waits(&step))
		p->state = step.after;
	if (carry_out(p, h, &step, 0))
		finish_step(p, h, &step);
	p->running = false;
}

static bool
is_asked(const struct happening *h)
{
	return h->ticketed || h->e.kind == PAIR_ON_WATCH ||
	       h->e.kind == PAIR_ON_FETCH;
}

/* The events that stood in line, until one waits for the disk again. */
static void
go_on(struct pair *p)
{
	struct list *n;

	while (!p->busy && (n = list_first(&p->waiting)) != NULL) {
		struct happening *h = list_entry(n, struct happening, link);

		list_remove(&h->link);
		if (is_asked(h))
			p->waits--;
		run(p, h);
		free(h);
	}
	if (p->busy)
		return;
	pair_run_timer(p);
	pairs_release(p);
}

static void
on_stored(int rc, void *arg)
{
	struct commit *c = arg;
	struct pair *p = c->pair;

	p->busy = false;
	if (p->presence->stopping) {
		drop_happening(&c->h);
		free(c);
		return;
	}
	if (rc == 0) {
		p->running = true;
		p->state = c->step.after;
		if (carry_out(p, &c->h, &c->step, c->next))
			finish_step(p, &c->h, &c->step);
		p->running = false;
	} else {
		c->h.e.failed = c->h.e.kind;
		c->h.e.kind = PAIR_ON_DISK_FAILED;
		run(p, &c->h);
	}
	free(c);
	go_on(p);
}

/* --- the line ----------------------------------------------------------- */

/* There is no room: as when the disk fails, nothing is acknowledged. */
static void
turn_away(struct pair *p, struct happening *h)
{
	if (h->ticketed)
		answer(p, h, false, COND_RESOURCE_CONSTRAINT);
	else if (is_asked(h))
		to_half_decline(p, h, 500);
	drop_happening(h);
}

static void
stand_in_line(struct pair *p, struct happening *h)
{
	struct happening *copy;

	if (is_asked(h) && p->waits >= PRESENCE_WAITING_MAX) {
		turn_away(p, h);
		return;
	}
	copy = malloc(sizeof(*copy));
	if (copy == NULL) {
		log_error(&p->presence->log, "event-lost",
		    "user=%s contact=%s event=%s", pair_user(p),
		    pair_contact(p), pair_event_str(h->e.kind));
		turn_away(p, h);
		return;
	}
	*copy = *h;
	if (is_asked(h))
		p->waits++;
	list_append(&p->waiting, &copy->link);
}

void
pair_run_restart(struct pair *p)
{
	p->restored = false;
	/* The pool's first word was still to come: it is asked for. */
	if (p->doc == NULL)
		from_half_refresh(p);
	pair_run_kind(p, PAIR_ON_RESTART);
}

void
pair_run(struct pair *p, const struct happening *given)
{
	struct happening h = *given;

	if (h.watch != NULL)
		to_half_hold(h.watch);
	if (p->restored)
		pair_run_restart(p);
	if (p->busy || p->running || !list_empty(&p->waiting)) {
		stand_in_line(p, &h);
		return;
	}
	run(p, &h);
	go_on(p);
}

void
pair_run_kind(struct pair *p, enum pair_event_kind kind)
{
	struct happening h = { .e.kind = kind };

	pair_run(p, &h);
}

void
pair_run_drop(struct pair *p)
{
	LIST_FOREACH_SAFE (it, &p->waiting) {
		struct happening *h = list_entry(it, struct happening, link);

		list_remove(&h->link);
		drop_happening(h);
		free(h);
	}
}

void
pair_run_rules(struct presence *pr)
{
	const struct gateway_presence_conf *c = &pr->opts.conf->presence;
	struct pair_rules *r = &pr->rules;

	*r = pair_rules_default;
	r->ask_again_ms = (int64_t)c->pending_repeat_hours * 3600 * SECOND_MS;
	r->ask_context_ms = (int64_t)c->added_repeat_s * SECOND_MS;
	r->retry_ms = (int64_t)c->retry_s * SECOND_MS;
	r->retry_most_ms = (int64_t)c->retry_max_s * SECOND_MS;
	r->grace_ms = (int64_t)c->grace_s * SECOND_MS;
	r->partner_grace_ms = r->grace_ms;
	r->expires_ms = (int64_t)c->expires_max_s * SECOND_MS;
	r->remove_ms = (int64_t)c->removal_days * 24 * 3600 * SECOND_MS;
	r->refusal_ends = c->refusal_ends;
}
