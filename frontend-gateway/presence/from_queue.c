/*
 * Whose turn it is to subscribe at the pool.
 *
 * Renewals, of pairs the pool knows, go at a common pace, most recently used
 * first.  A watcher whom the pool does not know yet makes the user's client
 * pop up a question, so those go one by one for each user.  Nothing goes while
 * the pool cannot be reached.
 */
#include "frontend-gateway/presence/presence_impl.h"

#include "common/err.h"
#include "frontend-gateway/gateway_conf.h"

static void
on_turn(struct pace_item *item, void *arg)
{
	struct pair *p = map_entry(item, struct pair, pace);

	(void)arg;
	p->queue = QUEUE_NONE;
	from_half_go(p);
}

int
from_queue_init(struct presence *pr)
{
	const struct gateway_presence_conf *c = &pr->opts.conf->presence;

	return pace_new(
	    &pr->pace, pr->opts.clock, c->renew_per_second, on_turn, pr);
}

void
from_queue_finish(struct presence *pr)
{
	pace_free(pr->pace);
	pr->pace = NULL;
}

/* --- one user's line ---------------------------------------------------- */

static void
next_prompt(struct presence_user *u)
{
	struct presence *pr = u->presence;
	uint32_t pause = pr->opts.conf->presence.first_per_user_s;
	struct pair *p;

	if (u->resting || pr->pool_away || list_empty(&u->prompts))
		return;
	p = list_entry(list_first(&u->prompts), struct pair, queued);
	from_queue_remove(p);
	u->resting = true;
	clock_timer_start(&u->turn, 1000 * (uint64_t)pause);
	from_half_go(p);
}

static void
on_rested(struct clock_timer *t, void *arg)
{
	struct presence_user *u = arg;

	(void)t;
	u->resting = false;
	next_prompt(u);
}

void
from_queue_user_init(struct presence_user *u)
{
	list_init(&u->prompts);
	clock_timer_init(&u->turn, u->presence->opts.clock, on_rested, u);
}

void
from_queue_user_finish(struct presence_user *u)
{
	clock_timer_stop(&u->turn);
}

/* --- both --------------------------------------------------------------- */

void
from_queue_put(struct pair *p, enum presence_queue q)
{
	struct presence *pr = p->presence;

	from_queue_remove(p);
	p->queue = (uint8_t)q;
	if (q == QUEUE_PROMPT) {
		list_append(&p->user->prompts, &p->queued);
		pr->prompts++;
		/* Not from within: the pair's step is under way. */
		if (!p->user->resting && !clock_timer_running(&p->user->turn))
			clock_timer_start(&p->user->turn, 0);
	} else if (pace_put(pr->pace, &p->pace, p->state.used_ms) < 0) {
		/* Memory for a pointer is missing: it waits for the next
		 * attempt of the machine. */
		log_error(&pr->log, "not-queued", "user=%s contact=%s",
		    pair_user(p), pair_contact(p));
		p->queue = QUEUE_NONE;
	}
}

void
from_queue_remove(struct pair *p)
{
	if (p->queue == QUEUE_PROMPT) {
		list_remove(&p->queued);
		p->presence->prompts--;
	} else if (p->queue == QUEUE_RENEWAL) {
		pace_remove(p->presence->pace, &p->pace);
	}
	p->queue = QUEUE_NONE;
}

static void
on_each_user(struct map_node *n, void *arg)
{
	struct presence_user *u = map_entry(n, struct presence_user, node);

	(void)arg;
	if (!u->resting && !list_empty(&u->prompts))
		clock_timer_start(&u->turn, 0);
}

void
from_queue_resume(struct presence *pr)
{
	pace_set_rate(pr->pace, pr->opts.conf->presence.renew_per_second);
	pace_hold(pr->pace, pr->pool_away);
	if (!pr->pool_away)
		map_each(&pr->users, on_each_user, NULL);
}
