#include "frontend-gateway/conversation/typing_state.h"

#include <string.h>

static void
on_lync_silent(struct clock_timer *timer, void *arg)
{
	struct typing_state *t = arg;

	(void)timer;
	t->events->on_state("paused", t->arg);
}

static void
on_repeat(struct clock_timer *timer, void *arg)
{
	struct typing_state *t = arg;
	uint64_t now = clock_now_ms(timer->clock);

	if (now >= t->contact_until_ms) {
		t->contact_typing = false;
		t->events->on_typing(false, t->arg);
		return;
	}
	clock_timer_start(timer, TYPING_REPEAT_MS);
	t->events->on_typing(true, t->arg);
}

void
typing_state_init(struct typing_state *t, struct clock *clock,
    const struct typing_events *events, void *arg)
{
	*t = (struct typing_state){ .events = events, .arg = arg };
	clock_timer_init(&t->lync, clock, on_lync_silent, t);
	clock_timer_init(&t->contact, clock, on_repeat, t);
}

void
typing_state_stop(struct typing_state *t)
{
	clock_timer_stop(&t->lync);
	clock_timer_stop(&t->contact);
	t->contact_typing = false;
}

/* Whether it may be said that somebody begins; then it counts as said. */
static bool
may_begin(bool *began, uint64_t *began_ms, uint64_t now)
{
	if (*began && now - *began_ms < TYPING_GUARD_MS)
		return false;
	*began = true;
	*began_ms = now;
	return true;
}

/* --- the Lync user -------------------------------------------------------- */

void
typing_state_lync_types(struct typing_state *t, uint32_t refresh_s)
{
	bool shown = clock_timer_running(&t->lync);

	if (t->wish == TYPING_UNWANTED)
		return;
	if (!shown && !may_begin(&t->lync_began, &t->lync_began_ms,
			  clock_now_ms(t->lync.clock)))
		return;
	if (refresh_s > TYPING_REFRESH_MAX_S)
		refresh_s = TYPING_REFRESH_MAX_S;
	clock_timer_start(&t->lync,
	    refresh_s > 0 ? refresh_s * (uint64_t)1000 : TYPING_LYNC_MS);
	if (!shown)
		t->events->on_state("composing", t->arg);
}

void
typing_state_lync_idle(struct typing_state *t)
{
	if (!clock_timer_running(&t->lync))
		return;
	clock_timer_stop(&t->lync);
	t->events->on_state("paused", t->arg);
}

void
typing_state_lync_wrote(struct typing_state *t)
{
	clock_timer_stop(&t->lync);
}

/* --- the contact ---------------------------------------------------------- */

static void
contact_types(struct typing_state *t)
{
	uint64_t now = clock_now_ms(t->contact.clock);

	t->contact_until_ms = now + TYPING_LIMIT_MS;
	if (t->contact_typing ||
	    !may_begin(&t->contact_began, &t->contact_began_ms, now))
		return;
	t->contact_typing = true;
	clock_timer_start(&t->contact, TYPING_REPEAT_MS);
	t->events->on_typing(true, t->arg);
}

static void
contact_rests(struct typing_state *t)
{
	if (!t->contact_typing)
		return;
	t->contact_typing = false;
	clock_timer_stop(&t->contact);
	t->events->on_typing(false, t->arg);
}

void
typing_state_contact(struct typing_state *t, const char *state, bool in_dialog)
{
	t->wish = TYPING_WANTED;
	if (!in_dialog)
		return;
	if (strcmp(state, "composing") == 0)
		contact_types(t);
	else
		contact_rests(t);
}

void
typing_state_contact_wrote(struct typing_state *t, bool had_state)
{
	t->wish = had_state ? TYPING_WANTED : TYPING_UNWANTED;
	if (!had_state)
		clock_timer_stop(&t->lync);
	t->contact_typing = false;
	clock_timer_stop(&t->contact);
}

void
typing_state_bounced(struct typing_state *t)
{
	t->wish = TYPING_UNWANTED;
	clock_timer_stop(&t->lync);
}

bool
typing_state_wanted(const struct typing_state *t)
{
	return t->wish != TYPING_UNWANTED;
}

bool
typing_state_known(const struct typing_state *t)
{
	return t->wish == TYPING_WANTED;
}

void
typing_state_dialog_lost(struct typing_state *t)
{
	t->contact_typing = false;
	clock_timer_stop(&t->contact);
}
