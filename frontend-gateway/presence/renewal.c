/*
 * What is renewed every so often (SubscriptionRefreshInterval): subscriptions
 * with the pool, each in its own time (from_half.c), and what is known of
 * contacts, all in one sweep, which goes out as fast as probes may.
 */
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/presence/presence_impl.h"

static uint64_t
now_ms(const struct presence *pr)
{
	return clock_now_ms(pr->opts.clock);
}

static void
ask_contacts(struct presence *pr)
{
	pr->renewed_ms = now_ms(pr);
	sweep_start(&pr->walks[WALK_RENEWAL], sweep_tell, PAIR_ON_RENEWAL);
}

/* The next time, counted from the last one. */
static void
plan(struct presence *pr)
{
	uint64_t due = pr->renewed_ms + 1000 * (uint64_t)pr->subscribe_s;
	uint64_t now = now_ms(pr);

	clock_timer_start(&pr->renewal, due > now ? due - now : 0);
}

static void
on_due(struct clock_timer *timer, void *arg)
{
	struct presence *pr = arg;

	(void)timer;
	ask_contacts(pr);
	plan(pr);
}

void
renewal_init(struct presence *pr)
{
	pr->subscribe_s = pr->opts.conf->presence.subscribe_s;
	pr->renewed_ms = now_ms(pr);
	clock_timer_init(&pr->renewal, pr->opts.clock, on_due, pr);
	plan(pr);
}

void
renewal_stop(struct presence *pr)
{
	clock_timer_stop(&pr->renewal);
}

void
renewal_follow(struct presence *pr, uint32_t interval_s)
{
	bool shorter = interval_s < pr->subscribe_s;

	if (interval_s == pr->subscribe_s)
		return;
	pr->subscribe_s = interval_s;
	from_half_ask_for(pr, interval_s, shorter);
	if (shorter)
		ask_contacts(pr);
	plan(pr);
}
