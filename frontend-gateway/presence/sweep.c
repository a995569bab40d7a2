#include "frontend-gateway/presence/presence_impl.h"

/* What comes of the news takes a pair long, or nothing at all: a step ends by
 * the clock as well. */
enum { STEP_MS = 1, WORK_MS = 5, LOOK_EACH = 8, NS_OF_MS = 1000000 };

static struct pair *
pair_at(const struct presence_sweep *s)
{
	return s->partner != NULL ? list_entry(s->at, struct pair, by_partner)
				  : list_entry(s->at, struct pair, all);
}

static bool
is_over(int done, uint64_t end_ns)
{
	return done >= PRESENCE_SWEEP_STEP ||
	       (done > 0 && done % LOOK_EACH == 0 && uv_hrtime() >= end_ns);
}

static void
walk(struct presence_sweep *s)
{
	const uint64_t end = uv_hrtime() + (uint64_t)WORK_MS * NS_OF_MS;

	for (int i = 0; !is_over(i, end) && s->at != s->head; i++) {
		struct pair *p = pair_at(s);

		s->at = s->at->next;
		s->fn(p, s);
	}
	if (s->at == s->head)
		s->at = NULL;
	else
		clock_timer_start(&s->timer, STEP_MS);
}

static void
on_timer(struct clock_timer *timer, void *arg)
{
	struct presence_sweep *s = arg;
	struct presence_partner *t = s->partner;

	(void)timer;
	if (s->at == NULL)
		return;
	if (t == NULL) {
		walk(s);
		return;
	}
	/* Its last pair may leave on the way. */
	t->count++;
	walk(s);
	t->count--;
	(void)pairs_partner_release(t);
}

void
sweep_init(struct presence_sweep *s, struct clock *clock, struct list *head,
    struct presence_partner *partner)
{
	s->head = head;
	s->partner = partner;
	clock_timer_init(&s->timer, clock, on_timer, s);
}

void
sweep_start(struct presence_sweep *s,
    void (*fn)(struct pair *p, const struct presence_sweep *s),
    enum pair_event_kind event)
{
	s->fn = fn;
	s->event = event;
	s->at = s->head->next;
	clock_timer_start(&s->timer, STEP_MS);
}

void
sweep_tell(struct pair *p, const struct presence_sweep *s)
{
	pair_run_kind(p, s->event);
}

void
sweep_stop(struct presence_sweep *s)
{
	s->at = NULL;
	clock_timer_stop(&s->timer);
}

void
sweep_leave(struct pair *p)
{
	struct presence_sweep *s = &p->partner->sweep;

	if (s->at == &p->by_partner)
		s->at = s->at->next;
	for (int i = 0; i < WALK_COUNT; i++) {
		s = &p->presence->walks[i];
		if (s->at == &p->all)
			s->at = s->at->next;
	}
}
