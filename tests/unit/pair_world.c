/*
 * Time is one number, every link a queue in which what was sent arrives in
 * order or, when the link breaks, not at all.  A proof is the contact's
 * server's answer behind the stanza, so it comes after the answers that the
 * server gave to the stanza itself.
 */
#include "tests/unit/pair_world_impl.h"

#include <string.h>

static const int64_t SECOND = 1000, HOUR = 3600000, DAY = 86400000;

/* --- the endpoints ------------------------------------------------------ */

static void
watch(struct pair_world *w, struct pair_endpoint *ep, bool context)
{
	*ep = (struct pair_endpoint){ 0 };
	pair_world_give(w,
	    (struct pair_event){ .kind = PAIR_ON_WATCH, .context = context },
	    ep);
}

static void
refresh(struct pair_world *w, struct pair_endpoint *ep)
{
	if (!ep->dialog)
		return;
	if (!ep->known) /* 481 */
		watch(w, ep, false);
	else
		pair_world_give(
		    w, (struct pair_event){ .kind = PAIR_ON_REFRESH }, ep);
}

static void
leave(struct pair_world *w, struct pair_endpoint *ep)
{
	bool known = ep->known;

	*ep = (struct pair_endpoint){ 0 };
	if (known)
		pair_world_give(
		    w, (struct pair_event){ .kind = PAIR_ON_UNWATCH }, ep);
}

/* --- time --------------------------------------------------------------- */

static void
wake(struct pair_world *w)
{
	int rounds = 0;

	while (!w->crashed && w->due_ms != 0 && w->due_ms <= w->now_ms) {
		pair_world_must(w, ++rounds < 10, "the timer never rests");
		pair_world_give_kind(w, PAIR_ON_DUE);
	}
}

static void
pass(struct pair_world *w, int64_t ms)
{
	int64_t end = w->now_ms + ms;

	while (!w->crashed && w->due_ms != 0 && w->due_ms <= end) {
		if (w->due_ms > w->now_ms)
			w->now_ms = w->due_ms;
		wake(w);
		pair_world_pool_answer(w);
		if (w->local.count > 0)
			break;
	}
	if (w->now_ms < end)
		w->now_ms = w->crashed || w->local.count > 0 ? w->now_ms : end;
}

static void
disk_switch(struct pair_world *w, bool works)
{
	w->disk_works = works;
	if (works && w->dirty) {
		pair_state_save(&w->disk, &w->s);
		w->dirty = false;
	}
}

static void
back_up(struct pair_world *w)
{
	w->backup.taken = true;
	w->backup.disk = w->disk;
	w->backup.document = w->document;
	for (int i = 0; i < PAIR_WORLD_ENDPOINTS; i++)
		w->backup.known[i] = w->endpoints[i].known;
	w->x_backup.taken = true;
	w->x_backup.x = w->x;
}

static void
restore(struct pair_world *w, bool ours)
{
	if (!w->backup.taken)
		return;
	if (!ours) {
		pair_world_note(w, "\n       BO'S SERVER IS RESTORED");
		pair_world_x_break(w);
		w->x = w->x_backup.x;
		return;
	}
	pair_world_note(w, "\n       BACKUP");
	w->disk = w->backup.disk;
	w->document = w->backup.document;
	for (int i = 0; i < PAIR_WORLD_ENDPOINTS; i++)
		w->endpoints[i].known =
		    w->backup.known[i] && w->endpoints[i].dialog;
	w->live = false;
	pair_world_restart(w, false);
}

/* --- what happens ------------------------------------------------------- */

void
pair_world_start(struct pair_world *w, uint64_t seed)
{
	memset(w, 0, sizeof(*w));
	w->seed = seed;
	w->random = (seed + 1) * 0x9e3779b97f4a7c15U;
	w->now_ms = PAIR_WORLD_START_MS;
	w->may_talk = w->may_watch = true;
	w->disk_works = w->pool_up = w->pool_allows = w->link_up = true;
	w->anna = 1;
	w->bo = 1;
	w->accepts = pair_world_dice(w, 4) != 0;
	w->auto_unsubscribed = pair_world_dice(w, 2) == 0;
	w->auto_presence = pair_world_dice(w, 2) == 0;
	w->denies_probes = pair_world_dice(w, 4) != 0;
}

static void
turn_of_bo(struct pair_world *w)
{
	switch (pair_world_dice(w, 9)) {
	case 0:
	case 1:
		pair_world_x_says(w, ROSTER_SUBSCRIBE);
		break;
	case 2:
		pair_world_x_says(w, (enum roster_stanza)pair_world_dice(
					 w, ROSTER_STANZA_COUNT));
		break;
	case 3: /* whatever the rules of his server say */
		pair_world_x_send(w,
		    pair_world_x_kind(
			(enum roster_stanza)pair_world_dice(w, 4)),
		    0);
		break;
	case 4:
		pair_world_x_send(w, PAIR_ON_PROBE, 0);
		break;
	case 5:
		w->bo = (int)pair_world_dice(w, 4);
		if (roster_state_from(w->x) || pair_world_dice(w, 4) == 0)
			pair_world_x_presence(w);
		break;
	case 6:
		pair_world_x_online(w);
		break;
	default:
		pair_world_x_decide(w);
		break;
	}
}

static void
turn_of_anna(struct pair_world *w)
{
	struct pair_endpoint *ep =
	    &w->endpoints[pair_world_dice(w, PAIR_WORLD_ENDPOINTS)];

	switch (pair_world_dice(w, 6)) {
	case 0:
	case 1:
		watch(w, ep, pair_world_dice(w, 3) == 0);
		break;
	case 2:
		refresh(w, ep);
		break;
	case 3:
		leave(w, ep);
		break;
	case 4:
		pair_world_give(
		    w, (struct pair_event){ .kind = PAIR_ON_FETCH }, NULL);
		break;
	default:
		w->anna = (int)pair_world_dice(w, 5);
		pair_world_pool_notify(w);
		break;
	}
}

static void
turn_of_the_world(struct pair_world *w)
{
	switch (pair_world_dice(w, 12)) {
	case 0:
		disk_switch(w, pair_world_dice(w, 3) != 0);
		break;
	case 1:
		pair_world_pool_switch(w, pair_world_dice(w, 2) == 0);
		break;
	case 2:
		if (pair_world_dice(w, 4) == 0) {
			w->pool_allows = pair_world_dice(w, 3) != 0;
			if (!w->pool_allows)
				pair_world_pool_terminate(w, PAIR_REJECTED);
		}
		break;
	case 3:
		pair_world_pool_terminate(
		    w, (enum pair_reason)pair_world_dice(w, PAIR_INVARIANT));
		break;
	case 4:
		pair_world_x_break(w);
		break;
	case 5:
		w->link_up = pair_world_dice(w, 2) == 0;
		if (!w->link_up)
			pair_world_x_break(w);
		pair_world_give_kind(w,
		    w->link_up ? PAIR_ON_PARTNER_BACK : PAIR_ON_PARTNER_LOST);
		break;
	case 6:
		pair_world_restart(w, pair_world_dice(w, 4) != 0);
		break;
	case 7:
		if (pair_world_dice(w, 3) == 0)
			back_up(w);
		break;
	case 8:
		if (pair_world_dice(w, 8) == 0)
			restore(w, pair_world_dice(w, 2) == 0);
		break;
	case 9:
		w->may_talk = pair_world_dice(w, 3) != 0;
		w->may_watch = pair_world_dice(w, 3) != 0;
		pair_world_give_kind(w, PAIR_ON_POLICY);
		break;
	case 10:
		if (pair_world_dice(w, 10) == 0)
			pair_world_give_kind(w, PAIR_ON_REMOVE);
		break;
	default:
		pair_world_x_send(w, PAIR_ON_ERROR, 0);
		break;
	}
}

static void
mend(struct pair_world *w)
{
	while (w->crashed)
		pair_world_restart(w, pair_world_dice(w, 4) != 0);
}

void
pair_world_turn(struct pair_world *w)
{
	const int64_t steps[] = { 0, SECOND, 40 * SECOND, 130 * SECOND, HOUR,
		DAY };

	switch (pair_world_dice(w, 10)) {
	case 0:
	case 1:
		turn_of_bo(w);
		break;
	case 2:
	case 3:
		turn_of_anna(w);
		break;
	case 4:
		turn_of_the_world(w);
		break;
	case 5:
		pass(w, steps[pair_world_dice(w, 6)]);
		break;
	case 6:
		pair_world_pool_answer(w);
		pair_world_pool_refresh(w);
		break;
	default:
		if (w->out.count > 0)
			pair_world_deliver_out(w);
		else if (w->in.count > 0)
			pair_world_deliver_in(w);
		break;
	}
	mend(w);
	if (w->in.count > 0 && pair_world_dice(w, 2) == 0)
		pair_world_deliver_in(w);
	mend(w);
	if (w->local.count > 0 && pair_world_dice(w, 2) == 0)
		pair_world_deliver_local(w);
	mend(w);
	pair_world_must(w, w->history_len < sizeof(w->history), "a long story");
}

/* --- the end ------------------------------------------------------------ */

/* Everything under way arrives, for so long. */
static void
rest(struct pair_world *w, int64_t ms)
{
	int64_t end = w->now_ms + ms;
	int rounds = 0;

	for (;;) {
		pair_world_must(w, ++rounds < 100000, "it never comes to rest");
		mend(w);
		pair_world_pool_answer(w);
		if (w->local.count > 0)
			pair_world_deliver_local(w);
		else if (w->out.count > 0)
			pair_world_deliver_out(w);
		else if (w->in.count > 0)
			pair_world_deliver_in(w);
		else if (w->due_ms != 0 && w->due_ms <= end)
			pass(w,
			    w->due_ms > w->now_ms ? w->due_ms - w->now_ms : 0);
		else
			break;
		pair_world_x_decide(w);
	}
	w->now_ms = end;
}

void
pair_world_settle(struct pair_world *w)
{
	w->calm = true;
	w->she_wants = pair_world_dice(w, 2) == 0;

	w->wants = pair_world_dice(w, 2) == 0;
	pair_world_note(w, "\n       SETTLE she %d he %d accepts %d",
	    w->she_wants, w->wants, w->accepts);
	disk_switch(w, true);
	w->link_up = w->may_talk = w->may_watch = true;
	pair_world_give_kind(w, PAIR_ON_POLICY);
	mend(w);
	pair_world_give_kind(w, PAIR_ON_PARTNER_BACK);
	mend(w);
	pair_world_pool_switch(w, true);
	rest(w, 2 * HOUR);
	pair_world_pool_refresh(w);
	rest(w, 2 * HOUR);
	/* Each says once more what he wants. */
	pair_world_x_says(w, w->wants ? ROSTER_SUBSCRIBE : ROSTER_UNSUBSCRIBE);
	if (!w->accepts)
		pair_world_x_says(w, ROSTER_UNSUBSCRIBED);
	rest(w, 2 * HOUR);
	for (int i = 0; i < PAIR_WORLD_ENDPOINTS; i++) {
		watch(w, &w->endpoints[i], true);
		rest(w, 2 * 60 * SECOND);
	}
	pair_world_x_online(w);
	w->anna = 1 + (int)pair_world_dice(w, 4);
	pair_world_pool_notify(w);
	rest(w, 2 * HOUR);
	if (!w->she_wants) {
		for (int i = 0; i < PAIR_WORLD_ENDPOINTS; i++) {
			leave(w, &w->endpoints[i]);
			mend(w);
		}
		rest(w, 10 * DAY);
	}
	/* And looks how the other is. */
	pair_world_x_online(w);
	w->anna = 1 + (int)pair_world_dice(w, 4);
	pair_world_pool_notify(w);
	rest(w, 2 * HOUR);
}

void
pair_world_check(struct pair_world *w)
{
	enum roster_state r = (enum roster_state)w->s.roster;
	bool she_wants = w->she_wants;
	bool from = roster_state_from(r), to = roster_state_to(r);
	struct pair_saved row;

	pair_world_must(
	    w, from == roster_state_to(w->x), "who sees her: no agreement");
	pair_world_must(
	    w, to == roster_state_from(w->x), "who sees him: no agreement");
	pair_world_must(w,
	    !roster_state_pending_in(r) && !roster_state_pending_out(r),
	    "something is left open");
	if (!w->wants)
		pair_world_must(w, !from, "he does not want to see her");
	else if (w->pool_allows)
		pair_world_must(w, from, "he wants to see her");
	pair_world_must(w, to == (she_wants && w->accepts), "what she wants");
	pair_world_must(
	    w, w->s.to.owed == 0 && w->s.from.owed == 0, "a debt is left");
	pair_world_must(
	    w, w->s.to.flight == 0 && w->s.from.flight == 0, "in flight");
	pair_world_must(w, w->x_sees == (from && w->pool_allows ? w->anna : 0),
	    "he sees her as she is");
	pair_world_must(
	    w, w->live == (from && w->pool_allows), "our subscription");
	pair_world_must(w,
	    (w->pool_has && w->pool_generation == w->generation) == w->live,
	    "the pool's subscription");
	for (int i = 0; i < PAIR_WORLD_ENDPOINTS; i++)
		pair_world_must(w, w->endpoints[i].shown == (to ? w->bo : 0),
		    "she sees him as he is");
	pair_state_save(&row, &w->s);
	pair_world_must(w,
	    row.roster == w->disk.roster && row.flags == w->disk.flags &&
		row.asked_ms == w->disk.asked_ms &&
		row.refused_ms == w->disk.refused_ms &&
		row.remove_ms == w->disk.remove_ms &&
		row.used_ms == w->disk.used_ms,
	    "the disk knows what we know");
	if (!she_wants && !from)
		pair_world_must(
		    w, pair_state_empty(&w->s), "nothing is left behind");
}
