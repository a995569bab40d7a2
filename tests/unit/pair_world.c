/*
 * Time is one number, every link a queue in which what was sent arrives in
 * order or, when the link breaks, not at all.  A proof is the contact's
 * server's answer behind the stanza, so it comes after the answers that the
 * server gave to the stanza itself.
 */
#include "tests/unit/pair_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t START_MS = 1750000000000;
enum { SECOND = 1000, HOUR = 3600 * SECOND, DAY = 24 * HOUR };

/* --- help --------------------------------------------------------------- */

static void __attribute__((format(printf, 2, 3)))
note(struct pair_world *w, const char *fmt, ...)
{
	size_t room = sizeof(w->history) - w->history_len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(w->history + w->history_len, room, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < room)
		w->history_len += (size_t)n;
}

static void __attribute__((noreturn))
breach(struct pair_world *w, const char *what)
{
	fprintf(stderr, "seed %llu: %s\nours %s, his %s\n%s\n",
	    (unsigned long long)w->seed, what,
	    roster_state_str((enum roster_state)w->s.roster),
	    roster_state_str(w->x), w->history);
	abort();
}

static void
must(struct pair_world *w, bool so, const char *what)
{
	if (!so)
		breach(w, what);
}

static unsigned
dice(struct pair_world *w, unsigned sides)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (unsigned)(w->random >> 33) % sides;
}

static void
push(struct pair_world *w, struct pair_queue *q, struct pair_parcel p)
{
	must(w, q->count < PAIR_WORLD_QUEUE, "a queue grows without end");
	q->parcels[q->count++] = p;
}

static struct pair_parcel
pop(struct pair_queue *q)
{
	struct pair_parcel p = q->parcels[0];

	q->count--;
	memmove(q->parcels, q->parcels + 1, q->count * sizeof(p));
	return p;
}

static size_t
dialogs(const struct pair_world *w)
{
	size_t n = 0;

	for (int i = 0; i < PAIR_WORLD_ENDPOINTS; i++)
		n += w->endpoints[i].known;
	return n;
}

/* --- the runtime -------------------------------------------------------- */

static void
local(struct pair_world *w, struct pair_event e, unsigned generation, int value)
{
	push(w, &w->local,
	    (struct pair_parcel){
		.event = e, .generation = generation, .value = value });
}

static void
send_out(struct pair_world *w, const struct pair_action *a)
{
	struct pair_parcel p = {
		.stanza = a->stanza, .proof = a->proof, .serial = a->serial
	};

	if (a->stanza == PAIR_CURRENT)
		p.value = w->document;
	if (w->link_up) {
		push(w, &w->out, p);
	} else if (a->proof) {
		local(w,
		    (struct pair_event){ .kind = PAIR_ON_RESULT,
			.stanza = a->stanza,
			.serial = a->serial,
			.condition = COND_REMOTE_SERVER_TIMEOUT },
		    0, 0);
	}
}

static bool
is_frame(enum pair_event_kind k)
{
	return k <= PAIR_ON_ERROR;
}

/* `unsubscribed` is never said in doubt. */
static void
check_unsubscribed(struct pair_world *w, const struct pair_event *e,
    const struct pair_action *a, enum roster_state before)
{
	bool watches =
	    roster_state_from(before) || roster_state_pending_in(before);
	enum pair_event_kind k =
	    e->kind == PAIR_ON_DISK_FAILED ? e->failed : e->kind;

	if (a->proof) {
		/* A debt: made by a denial, paid now or later. */
		must(w, !roster_state_from((enum roster_state)w->s.roster),
		    "`unsubscribed` to one who is authorized");
		return;
	}
	must(w, k == PAIR_ON_UNSUBSCRIBE || (k == PAIR_ON_PROBE && !watches),
	    "`unsubscribed` without need");
}

static void
check_send(struct pair_world *w, const struct pair_event *e,
    const struct pair_action *a, enum roster_state before)
{
	enum roster_state r = (enum roster_state)w->s.roster;

	switch (a->stanza) {
	case PAIR_CURRENT:
		must(w, roster_state_from(r), "presence to the unauthorized");
		must(w,
		    e->may_talk && (e->may_watch || pair_state_invited(&w->s)),
		    "presence against the policy");
		break;
	case PAIR_UNSUBSCRIBED:
		check_unsubscribed(w, e, a, before);
		break;
	case PAIR_SUBSCRIBED:
		must(w, roster_state_from(r), "`subscribed` without a right");
		break;
	case PAIR_SUBSCRIBE:
		must(w, roster_state_pending_out(r), "`subscribe` in vain");
		must(w, ++w->asked_in_vain < 400, "he is pestered");
		break;
	case PAIR_UNSUBSCRIBE:
		must(w, !roster_state_to(r) && !roster_state_pending_out(r),
		    "`unsubscribe` while she watches");
		break;
	case PAIR_PROBE:
		must(w, roster_state_to(r), "a probe without a right");
		break;
	case PAIR_UNAVAILABLE:
		break;
	case PAIR_STANZA_UNKNOWN:
		breach(w, "a stanza without a name");
	}
	if (a->proof)
		must(w, e->may_talk, "a stanza to one who is no partner");
}

static void
show(struct pair_world *w, struct pair_endpoint *ep, enum pair_show how)
{
	if (how == PAIR_SHOW_CURRENT)
		must(w, roster_state_to((enum roster_state)w->s.roster),
		    "presence that she has no right to");
	if (ep != NULL)
		ep->shown = how == PAIR_SHOW_CURRENT ? w->seen : 0;
}

/* The subscription is over, but the machine has not heard of it yet. */
static bool
ends_soon(const struct pair_world *w)
{
	for (size_t i = 0; i < w->local.count; i++) {
		const struct pair_parcel *p = &w->local.parcels[i];

		if (p->generation == w->generation &&
		    (p->event.kind == PAIR_ON_SIP_OVER ||
			p->event.kind == PAIR_ON_SIP_TERMINATED))
			return true;
	}
	return false;
}

static void
open_sip(struct pair_world *w, const struct pair_event *e)
{
	enum roster_state r = (enum roster_state)w->s.roster;

	must(w, roster_state_from(r) || roster_state_pending_in(r),
	    "SUBSCRIBE for nobody");
	must(w, e->may_talk && (e->may_watch || pair_state_invited(&w->s)),
	    "SIP against the policy");
	w->generation++;
	w->asked = true;
	w->live = false;
}

/* One action; which says about which endpoint the event was. */
static void
act(struct pair_world *w, const struct pair_event *e,
    const struct pair_action *a, enum roster_state before,
    struct pair_endpoint *ep)
{
	enum pair_event_kind k =
	    e->kind == PAIR_ON_DISK_FAILED ? e->failed : e->kind;

	note(w, " %s%s%s", pair_action_str(a->kind),
	    a->kind == PAIR_SEND ? ":" : "",
	    a->kind == PAIR_SEND ? pair_stanza_str(a->stanza) : "");
	switch (a->kind) {
	case PAIR_STORE:
		breach(w, "a barrier is not an action");
	case PAIR_STORE_LATER:
		w->dirty = !w->disk_works;
		if (w->disk_works)
			pair_state_save(&w->disk, &w->s);
		break;
	case PAIR_TAKE:
	case PAIR_REFUSE:
		must(w, is_frame(k), "an answer to no frame");
		break;
	case PAIR_SEND:
		check_send(w, e, a, before);
		send_out(w, a);
		break;
	case PAIR_SIP_OPEN:
		open_sip(w, e);
		break;
	case PAIR_SIP_REFRESH:
		must(w, w->live || ends_soon(w), "a refresh of no dialog");
		break;
	case PAIR_SIP_END:
		must(w, w->live || w->asked || ends_soon(w),
		    "the end of no dialog");
		if (w->pool_has && w->pool_generation == w->generation)
			w->pool_has = false;
		w->live = w->asked = false;
		w->generation++;
		break;
	case PAIR_CONFIRM:
		must(w, k == PAIR_ON_WATCH && ep != NULL, "200 to nobody");
		ep->dialog = ep->known = true;
		break;
	case PAIR_DECLINE:
		must(w, k == PAIR_ON_WATCH, "a refusal to nobody");
		break;
	case PAIR_SHOW_ONE:
		must(w,
		    k == PAIR_ON_WATCH || k == PAIR_ON_REFRESH ||
			k == PAIR_ON_UNWATCH || k == PAIR_ON_FETCH,
		    "NOTIFY without a dialog");
		show(w, ep, a->show);
		break;
	case PAIR_SHOW_ALL:
	case PAIR_END_ALL:
		must(w, dialogs(w) > 0, "NOTIFY to nobody");
		for (int i = 0; i < PAIR_WORLD_ENDPOINTS; i++) {
			if (!w->endpoints[i].known)
				continue;
			if (a->kind == PAIR_SHOW_ALL)
				show(w, &w->endpoints[i], a->show);
			else
				w->endpoints[i] = (struct pair_endpoint){ 0 };
		}
		break;
	case PAIR_FORGET_SEEN:
		w->seen = 0;
		break;
	case PAIR_FORGET_TOLD:
		w->document = 0;
		break;
	case PAIR_ACTION_COUNT:
		breach(w, "no action");
	}
}

static size_t
count_of(const struct pair_step *st, enum pair_action_kind a,
    enum pair_action_kind b)
{
	size_t n = 0;

	for (size_t i = 0; i < st->count; i++)
		n += st->actions[i].kind == a || st->actions[i].kind == b;
	return n;
}

static void
take_over(struct pair_world *w, const struct pair_step *st)
{
	w->s = st->after;
	w->due_ms = st->due_ms;
}

/* A right comes and goes for a reason only. */
static void
check_rights(struct pair_world *w, const struct pair_event *e,
    const struct pair_state *after)
{
	enum roster_state a = (enum roster_state)w->s.roster;
	enum roster_state b = (enum roster_state)after->roster;
	enum pair_event_kind k = e->kind;
	bool removed =
	    k == PAIR_ON_REMOVE ||
	    (k == PAIR_ON_SIP_OVER && w->s.gone_ms != 0 &&
		w->now_ms - w->s.gone_ms >= pair_rules_default.gone_ms);
	bool denied =
	    k == PAIR_ON_SIP_TERMINATED &&
	    (e->reason == PAIR_REJECTED || e->reason == PAIR_NORESOURCE);

	if (!roster_state_from(a) && roster_state_from(b))
		must(w, k == PAIR_ON_SIP_ACTIVE, "he sees her: why?");
	if (roster_state_from(a) && !roster_state_from(b))
		must(w, k == PAIR_ON_UNSUBSCRIBE || denied || removed,
		    "he sees her no more: why?");
	if (!roster_state_to(a) && roster_state_to(b))
		must(w, k == PAIR_ON_SUBSCRIBED, "she sees him: why?");
	if (roster_state_to(a) && !roster_state_to(b))
		must(w,
		    k == PAIR_ON_UNSUBSCRIBED || removed ||
			(k == PAIR_ON_DUE && dialogs(w) == 0),
		    "she sees him no more: why?");
	if (roster_state_pending_in(a) && !roster_state_pending_in(b) &&
	    !roster_state_from(b))
		must(w,
		    k == PAIR_ON_UNSUBSCRIBE || denied || removed ||
			(k == PAIR_ON_SIP_OVER &&
			    (e->status == 403 || e->status == 404)),
		    "what he asked for is lost: why?");
}

/* Gives an event to the machine and carries the step out. */
static void
give(struct pair_world *w, struct pair_event e, struct pair_endpoint *ep)
{
	enum roster_state before = (enum roster_state)w->s.roster;
	struct pair_step st;
	size_t i = 0;

	e.now_ms = w->now_ms;
	e.may_talk = w->may_talk;
	e.may_watch = w->may_talk && w->may_watch;
	e.dialogs = dialogs(w) + (e.kind == PAIR_ON_WATCH);
	note(w, "\n%6lld %s", (long long)((w->now_ms - START_MS) / SECOND),
	    pair_event_str(e.kind));
	pair_machine_step(&st, &w->s, &e, &pair_rules_default);
	must(w, count_of(&st, PAIR_STORE, PAIR_STORE) <= 1, "two barriers");
	check_rights(w, &e, &st.after);
	for (; i < st.count && st.actions[i].kind != PAIR_STORE; i++) {
		if (i == 0 && count_of(&st, PAIR_STORE, PAIR_STORE) == 0)
			take_over(w, &st);
		act(w, &e, &st.actions[i], before, ep);
	}
	if (i < st.count && !w->disk_works) {
		note(w, " | no disk:");
		e.failed = e.kind;
		e.kind = PAIR_ON_DISK_FAILED;
		pair_machine_step(&st, &w->s, &e, &pair_rules_default);
		must(w, count_of(&st, PAIR_STORE, PAIR_STORE) == 0,
		    "a barrier after the disk failed");
		i = (size_t)-1;
	} else if (i < st.count) {
		pair_state_save(&w->disk, &st.after);
		w->dirty = false;
		if (!w->calm &&
		    dice(w, 60) == 0) { /* the lights go out right here */
			note(w, " CRASH");
			w->crashed = true;
			return;
		}
	}
	take_over(w, &st);
	if (i < st.count || i == (size_t)-1) {
		for (i++; i < st.count; i++)
			act(w, &e, &st.actions[i], before, ep);
	}
	if (is_frame(e.kind == PAIR_ON_DISK_FAILED ? e.failed : e.kind))
		must(w, count_of(&st, PAIR_TAKE, PAIR_REFUSE) == 1,
		    "a frame is answered once");
	if ((e.kind == PAIR_ON_DISK_FAILED ? e.failed : e.kind) ==
	    PAIR_ON_WATCH)
		must(w, count_of(&st, PAIR_CONFIRM, PAIR_DECLINE) == 1,
		    "a SUBSCRIBE is answered once");
	must(w, w->due_ms >= 0, "a time before time");
}

static void
give_kind(struct pair_world *w, enum pair_event_kind k)
{
	give(w, (struct pair_event){ .kind = k }, NULL);
}

static void
restart(struct pair_world *w, bool sip_restored)
{
	struct pair_queue *qs[] = { &w->in, &w->local };
	int rc;

	w->crashed = w->dirty = false;
	note(w, "\n       RESTART");
	rc = pair_state_load(&w->s, &w->disk);
	must(w, rc == 0, "the row can't be read");
	w->due_ms = 0;
	/* Nobody waits for results of a former life any more. */
	for (size_t i = 0; i < w->out.count; i++)
		w->out.parcels[i].proof = false;
	for (size_t q = 0; q < 2; q++) {
		size_t kept = 0;

		for (size_t i = 0; i < qs[q]->count; i++) {
			if (is_frame(qs[q]->parcels[i].event.kind))
				qs[q]->parcels[kept++] = qs[q]->parcels[i];
		}
		qs[q]->count = kept;
	}
	w->asked = false;
	w->live = w->live && sip_restored;
	if (!w->live)
		w->generation++;
	give(w,
	    (struct pair_event){ .kind = PAIR_ON_RESTART, .restored = w->live },
	    NULL);
	if (!w->crashed && !w->pool_up)
		give_kind(w, PAIR_ON_POOL_LOST);
}

/* --- the pool ----------------------------------------------------------- */

/* The answer to what the runtime has asked. */
static void
pool_answer(struct pair_world *w)
{
	static const int passing[] = { 503, 480, 500, 408, 0 };
	struct pair_event over = { .kind = PAIR_ON_SIP_OVER };
	unsigned g = w->generation;

	if (!w->asked)
		return;
	w->asked = false;
	if (!w->pool_up || (w->link_up && dice(w, 8) == 0)) {
		over.status = w->pool_up ? passing[dice(w, 5)] : 0;
		local(w, over, g, 0);
		return;
	}
	if (!w->pool_allows) {
		over.status = dice(w, 2) == 0 ? 403 : 404;
		local(w, over, g, 0);
		return;
	}
	w->live = true;
	w->pool_has = true;
	w->pool_generation = g;
	if (dice(w, 2) == 0)
		local(w, (struct pair_event){ .kind = PAIR_ON_SIP_GRANTED }, g,
		    0);
	local(w,
	    (struct pair_event){ .kind = PAIR_ON_SIP_ACTIVE, .document = true },
	    g, w->anna);
}

static void
pool_notify(struct pair_world *w)
{
	if (!w->pool_up || !w->pool_has)
		return;
	local(w,
	    (struct pair_event){ .kind = PAIR_ON_SIP_ACTIVE, .document = true },
	    w->pool_generation, w->anna);
}

static void
pool_terminate(struct pair_world *w, enum pair_reason why)
{
	if (!w->pool_has)
		return;
	w->pool_has = false;
	local(w,
	    (struct pair_event){
		.kind = PAIR_ON_SIP_TERMINATED, .reason = why },
	    w->pool_generation, 0);
}

/* The runtime refreshes its dialog: does the pool still know it? */
static void
pool_refresh(struct pair_world *w)
{
	if (!w->live || !w->pool_up ||
	    (w->pool_has && w->pool_generation == w->generation) ||
	    ends_soon(w))
		return;
	local(w, (struct pair_event){ .kind = PAIR_ON_SIP_OVER, .status = 481 },
	    w->generation, 0);
}

static void
pool_switch(struct pair_world *w, bool up)
{
	if (w->pool_up == up)
		return;
	w->pool_up = up;
	give_kind(w, up ? PAIR_ON_POOL_BACK : PAIR_ON_POOL_LOST);
	if (!up && w->pool_has && dice(w, 2) == 0) {
		w->pool_has = false;
		local(w, (struct pair_event){ .kind = PAIR_ON_SIP_OVER },
		    w->pool_generation, 0);
	}
}

static void
deliver_local(struct pair_world *w)
{
	struct pair_parcel p = pop(&w->local);
	enum pair_event_kind k = p.event.kind;

	if (k >= PAIR_ON_SIP_GRANTED && k <= PAIR_ON_SIP_OVER) {
		if (p.generation != w->generation || !w->live) {
			if (p.generation != w->generation ||
			    (k != PAIR_ON_SIP_OVER &&
				k != PAIR_ON_SIP_TERMINATED))
				return;
		}
		if (k == PAIR_ON_SIP_ACTIVE)
			w->document = p.value;
		if (k == PAIR_ON_SIP_OVER || k == PAIR_ON_SIP_TERMINATED)
			w->live = false;
	}
	give(w, p.event, NULL);
}

/* --- the contact's server ----------------------------------------------- */

static void
x_send(struct pair_world *w, enum pair_event_kind k, int value)
{
	if (w->link_up)
		push(w, &w->in,
		    (struct pair_parcel){
			.event = { .kind = k }, .value = value });
}

static void
x_presence(struct pair_world *w)
{
	x_send(w, w->bo != 0 ? PAIR_ON_AVAILABLE : PAIR_ON_UNAVAILABLE, w->bo);
}

static enum pair_event_kind
kind_of(enum roster_stanza st)
{
	static const enum pair_event_kind kinds[] = {
		[ROSTER_SUBSCRIBE] = PAIR_ON_SUBSCRIBE,
		[ROSTER_SUBSCRIBED] = PAIR_ON_SUBSCRIBED,
		[ROSTER_UNSUBSCRIBE] = PAIR_ON_UNSUBSCRIBE,
		[ROSTER_UNSUBSCRIBED] = PAIR_ON_UNSUBSCRIBED,
	};

	return kinds[st];
}

/* The contact's client says st. */
static void
x_says(struct pair_world *w, enum roster_stanza st)
{
	struct roster_step step = roster_state_out(w->x, st);

	note(w, "\n       bo: %s", roster_stanza_str(st));
	w->x = step.to;
	if (!roster_state_to(w->x))
		w->x_sees = 0;
	if (!step.pass)
		return;
	x_send(w, kind_of(st), 0);
	if (st == ROSTER_SUBSCRIBED)
		x_presence(w);
}

static void
x_roster(struct pair_world *w, enum roster_stanza st)
{
	struct roster_step step = roster_state_in(w->x, st);
	bool showed = roster_state_from(w->x);

	w->x = step.to;
	if (!roster_state_to(w->x))
		w->x_sees = 0;
	if (step.reply == ROSTER_REPLY_SUBSCRIBED) {
		x_send(w, PAIR_ON_SUBSCRIBED, 0);
		if (w->auto_presence)
			x_presence(w);
	} else if (step.reply == ROSTER_REPLY_UNSUBSCRIBED) {
		if (w->auto_unsubscribed)
			x_send(w, PAIR_ON_UNSUBSCRIBED, 0);
		if (showed)
			x_send(w, PAIR_ON_UNAVAILABLE, 0);
	}
}

static void
deliver_out(struct pair_world *w)
{
	struct pair_parcel p = pop(&w->out);

	note(w, "\n       bo's server: %s %d", pair_stanza_str(p.stanza),
	    p.value);
	switch (p.stanza) {
	case PAIR_SUBSCRIBE:
		x_roster(w, ROSTER_SUBSCRIBE);
		break;
	case PAIR_SUBSCRIBED:
		x_roster(w, ROSTER_SUBSCRIBED);
		break;
	case PAIR_UNSUBSCRIBE:
		x_roster(w, ROSTER_UNSUBSCRIBE);
		break;
	case PAIR_UNSUBSCRIBED:
		x_roster(w, ROSTER_UNSUBSCRIBED);
		break;
	case PAIR_PROBE:
		if (roster_state_from(w->x))
			x_presence(w);
		else
			x_send(w, PAIR_ON_UNSUBSCRIBED, 0);
		break;
	case PAIR_CURRENT:
	case PAIR_UNAVAILABLE:
		if (roster_state_to(w->x))
			w->x_sees = p.value;
		break;
	case PAIR_STANZA_UNKNOWN:
		breach(w, "a stanza without a name");
	}
	if (p.proof)
		push(w, &w->in,
		    (struct pair_parcel){ .event = { .kind = PAIR_ON_RESULT,
					      .stanza = p.stanza,
					      .serial = p.serial,
					      .delivered = true } });
}

static void
deliver_in(struct pair_world *w)
{
	struct pair_parcel p = pop(&w->in);

	if (p.event.kind == PAIR_ON_AVAILABLE ||
	    p.event.kind == PAIR_ON_UNAVAILABLE)
		w->seen = p.value;
	give(w, p.event, NULL);
}

/* The connection breaks: nothing that is under way arrives. */
static void
x_break(struct pair_world *w)
{
	struct pair_queue *qs[] = { &w->out, &w->in };

	note(w, "\n       BREAK");
	for (size_t q = 0; q < 2; q++) {
		for (size_t i = 0; i < qs[q]->count; i++) {
			struct pair_parcel *p = &qs[q]->parcels[i];
			struct pair_event e = p->event;

			if (q == 0 && p->proof)
				e = (struct pair_event){ .kind = PAIR_ON_RESULT,
					.stanza = p->stanza,
					.serial = p->serial };
			else if (q == 0 || e.kind != PAIR_ON_RESULT)
				continue;
			e.delivered = false;
			e.condition = COND_REMOTE_SERVER_TIMEOUT;
			local(w, e, 0, 0);
		}
		qs[q]->count = 0;
	}
}

static void
x_decide(struct pair_world *w)
{
	if (!roster_state_pending_in(w->x))
		return;
	w->asked_in_vain = 0;
	x_says(w, w->accepts ? ROSTER_SUBSCRIBED : ROSTER_UNSUBSCRIBED);
}

static void
x_online(struct pair_world *w)
{
	w->bo = 1 + (int)dice(w, 5);
	if (roster_state_from(w->x))
		x_presence(w);
	if (roster_state_to(w->x))
		x_send(w, PAIR_ON_PROBE, 0);
}

/* --- the endpoints ------------------------------------------------------ */

static void
watch(struct pair_world *w, struct pair_endpoint *ep, bool context)
{
	*ep = (struct pair_endpoint){ 0 };
	give(w,
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
		give(w, (struct pair_event){ .kind = PAIR_ON_REFRESH }, ep);
}

static void
leave(struct pair_world *w, struct pair_endpoint *ep)
{
	bool known = ep->known;

	*ep = (struct pair_endpoint){ 0 };
	if (known)
		give(w, (struct pair_event){ .kind = PAIR_ON_UNWATCH }, ep);
}

/* --- time --------------------------------------------------------------- */

static void
wake(struct pair_world *w)
{
	int rounds = 0;

	while (!w->crashed && w->due_ms != 0 && w->due_ms <= w->now_ms) {
		must(w, ++rounds < 10, "the timer never rests");
		give_kind(w, PAIR_ON_DUE);
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
		pool_answer(w);
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
	w->divided = true;
	if (!ours) {
		note(w, "\n       BO'S SERVER IS RESTORED");
		x_break(w);
		w->x = w->x_backup.x;
		return;
	}
	note(w, "\n       BACKUP");
	w->disk = w->backup.disk;
	w->document = w->backup.document;
	for (int i = 0; i < PAIR_WORLD_ENDPOINTS; i++)
		w->endpoints[i].known =
		    w->backup.known[i] && w->endpoints[i].dialog;
	w->live = false;
	restart(w, false);
}

/* --- what happens ------------------------------------------------------- */

void
pair_world_start(struct pair_world *w, uint64_t seed)
{
	memset(w, 0, sizeof(*w));
	w->seed = seed;
	w->random = (seed + 1) * 0x9e3779b97f4a7c15U;
	w->now_ms = START_MS;
	w->may_talk = w->may_watch = true;
	w->disk_works = w->pool_up = w->pool_allows = w->link_up = true;
	w->anna = 1;
	w->bo = 1;
	w->accepts = dice(w, 4) != 0;
	w->auto_unsubscribed = dice(w, 2) == 0;
	w->auto_presence = dice(w, 2) == 0;
}

static void
turn_of_bo(struct pair_world *w)
{
	switch (dice(w, 9)) {
	case 0:
	case 1:
		x_says(w, ROSTER_SUBSCRIBE);
		break;
	case 2:
		x_says(w, (enum roster_stanza)dice(w, ROSTER_STANZA_COUNT));
		break;
	case 3: /* whatever the rules of his server say */
		x_send(w, kind_of((enum roster_stanza)dice(w, 4)), 0);
		break;
	case 4:
		x_send(w, PAIR_ON_PROBE, 0);
		break;
	case 5:
		w->bo = (int)dice(w, 4);
		if (roster_state_from(w->x) || dice(w, 4) == 0)
			x_presence(w);
		break;
	case 6:
		x_online(w);
		break;
	default:
		x_decide(w);
		break;
	}
}

static void
turn_of_anna(struct pair_world *w)
{
	struct pair_endpoint *ep = &w->endpoints[dice(w, PAIR_WORLD_ENDPOINTS)];

	switch (dice(w, 6)) {
	case 0:
	case 1:
		watch(w, ep, dice(w, 3) == 0);
		break;
	case 2:
		refresh(w, ep);
		break;
	case 3:
		leave(w, ep);
		break;
	case 4:
		give(w, (struct pair_event){ .kind = PAIR_ON_FETCH }, NULL);
		break;
	default:
		w->anna = (int)dice(w, 5);
		pool_notify(w);
		break;
	}
}

static void
turn_of_the_world(struct pair_world *w)
{
	switch (dice(w, 12)) {
	case 0:
		disk_switch(w, dice(w, 3) != 0);
		break;
	case 1:
		pool_switch(w, dice(w, 2) == 0);
		break;
	case 2:
		if (dice(w, 4) == 0) {
			w->pool_allows = dice(w, 3) != 0;
			if (!w->pool_allows)
				pool_terminate(w, PAIR_REJECTED);
		}
		break;
	case 3:
		pool_terminate(w, (enum pair_reason)dice(w, PAIR_INVARIANT));
		break;
	case 4:
		x_break(w);
		break;
	case 5:
		w->link_up = dice(w, 2) == 0;
		if (!w->link_up)
			x_break(w);
		give_kind(w,
		    w->link_up ? PAIR_ON_PARTNER_BACK : PAIR_ON_PARTNER_LOST);
		break;
	case 6:
		restart(w, dice(w, 4) != 0);
		break;
	case 7:
		if (dice(w, 3) == 0)
			back_up(w);
		break;
	case 8:
		if (dice(w, 8) == 0)
			restore(w, dice(w, 2) == 0);
		break;
	case 9:
		w->may_talk = dice(w, 3) != 0;
		w->may_watch = dice(w, 3) != 0;
		give_kind(w, PAIR_ON_POLICY);
		break;
	case 10:
		if (dice(w, 10) == 0)
			give_kind(w, PAIR_ON_REMOVE);
		break;
	default:
		x_send(w, PAIR_ON_ERROR, 0);
		break;
	}
}

static void
mend(struct pair_world *w)
{
	while (w->crashed)
		restart(w, dice(w, 4) != 0);
}

void
pair_world_turn(struct pair_world *w)
{
	static const int64_t steps[] = { 0, SECOND, 40 * SECOND, 130 * SECOND,
		HOUR, DAY };

	switch (dice(w, 10)) {
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
		pass(w, steps[dice(w, 6)]);
		break;
	case 6:
		pool_answer(w);
		pool_refresh(w);
		break;
	default:
		if (w->out.count > 0)
			deliver_out(w);
		else if (w->in.count > 0)
			deliver_in(w);
		break;
	}
	mend(w);
	if (w->in.count > 0 && dice(w, 2) == 0)
		deliver_in(w);
	mend(w);
	if (w->local.count > 0 && dice(w, 2) == 0)
		deliver_local(w);
	mend(w);
	must(w, w->history_len < sizeof(w->history), "a long story");
}

/* --- the end ------------------------------------------------------------ */

/* Everything under way arrives, for so long. */
static void
rest(struct pair_world *w, int64_t ms)
{
	int64_t end = w->now_ms + ms;
	int rounds = 0;

	for (;;) {
		must(w, ++rounds < 100000, "it never comes to rest");
		mend(w);
		pool_answer(w);
		if (w->local.count > 0)
			deliver_local(w);
		else if (w->out.count > 0)
			deliver_out(w);
		else if (w->in.count > 0)
			deliver_in(w);
		else if (w->due_ms != 0 && w->due_ms <= end)
			pass(w,
			    w->due_ms > w->now_ms ? w->due_ms - w->now_ms : 0);
		else
			break;
		x_decide(w);
	}
	w->now_ms = end;
}

void
pair_world_settle(struct pair_world *w)
{
	bool she_wants = dice(w, 2) == 0;

	w->calm = true;

	w->wants = dice(w, 2) == 0;
	note(w, "\n       SETTLE she %d he %d accepts %d", she_wants, w->wants,
	    w->accepts);
	disk_switch(w, true);
	w->link_up = w->may_talk = w->may_watch = true;
	give_kind(w, PAIR_ON_POLICY);
	mend(w);
	give_kind(w, PAIR_ON_PARTNER_BACK);
	mend(w);
	pool_switch(w, true);
	rest(w, 2 * HOUR);
	pool_refresh(w);
	rest(w, 2 * HOUR);
	/* Each says once more what he wants. */
	x_says(w, w->wants ? ROSTER_SUBSCRIBE : ROSTER_UNSUBSCRIBE);
	if (!w->accepts)
		x_says(w, ROSTER_UNSUBSCRIBED);
	rest(w, 2 * HOUR);
	for (int i = 0; i < PAIR_WORLD_ENDPOINTS; i++) {
		watch(w, &w->endpoints[i], true);
		rest(w, 2 * 60 * SECOND);
	}
	x_online(w);
	w->anna = 1 + (int)dice(w, 4);
	pool_notify(w);
	rest(w, 2 * HOUR);
	if (!she_wants) {
		for (int i = 0; i < PAIR_WORLD_ENDPOINTS; i++) {
			leave(w, &w->endpoints[i]);
			mend(w);
		}
		rest(w, 10 * (int64_t)DAY);
	}
	/* And looks how the other is. */
	x_online(w);
	w->anna = 1 + (int)dice(w, 4);
	pool_notify(w);
	rest(w, 2 * HOUR);
	w->divided = she_wants; /* what follows needs to know */
}

void
pair_world_check(struct pair_world *w)
{
	enum roster_state r = (enum roster_state)w->s.roster;
	bool she_wants = w->divided;
	bool from = roster_state_from(r), to = roster_state_to(r);
	struct pair_saved row;

	must(w, from == roster_state_to(w->x), "who sees her: no agreement");
	must(w, to == roster_state_from(w->x), "who sees him: no agreement");
	must(w, !roster_state_pending_in(r) && !roster_state_pending_out(r),
	    "something is left open");
	if (!w->wants)
		must(w, !from, "he does not want to see her");
	else if (w->pool_allows)
		must(w, from, "he wants to see her");
	must(w, to == (she_wants && w->accepts), "what she wants");
	must(w, w->s.to.owed == 0 && w->s.from.owed == 0, "a debt is left");
	must(w, w->s.to.flight == 0 && w->s.from.flight == 0, "in flight");
	must(w, w->x_sees == (from && w->pool_allows ? w->anna : 0),
	    "he sees her as she is");
	must(w, w->live == (from && w->pool_allows), "our subscription");
	must(w, (w->pool_has && w->pool_generation == w->generation) == w->live,
	    "the pool's subscription");
	for (int i = 0; i < PAIR_WORLD_ENDPOINTS; i++)
		must(w, w->endpoints[i].shown == (to ? w->bo : 0),
		    "she sees him as he is");
	pair_state_save(&row, &w->s);
	must(w,
	    row.roster == w->disk.roster && row.flags == w->disk.flags &&
		row.asked_ms == w->disk.asked_ms &&
		row.refused_ms == w->disk.refused_ms &&
		row.remove_ms == w->disk.remove_ms &&
		row.used_ms == w->disk.used_ms,
	    "the disk knows what we know");
	if (!she_wants && !from)
		must(w, pair_state_empty(&w->s), "nothing is left behind");
}
