/*
 * The gateway's side of the world: what happens to a step of the machine, and
 * what no step may ever do.
 */
#include "tests/unit/pair_world_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- help --------------------------------------------------------------- */

void __attribute__((format(printf, 2, 3)))
pair_world_note(struct pair_world *w, const char *fmt, ...)
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

void __attribute__((noreturn))
pair_world_breach(struct pair_world *w, const char *what)
{
	fprintf(stderr, "seed %llu: %s\nours %s, his %s\n%s\n",
	    (unsigned long long)w->seed, what,
	    roster_state_str((enum roster_state)w->s.roster),
	    roster_state_str(w->x), w->history);
	abort();
}

void
pair_world_must(struct pair_world *w, bool so, const char *what)
{
	if (!so)
		pair_world_breach(w, what);
}

unsigned
pair_world_dice(struct pair_world *w, unsigned sides)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (unsigned)(w->random >> 33) % sides;
}

void
pair_world_push(
    struct pair_world *w, struct pair_queue *q, struct pair_parcel p)
{
	pair_world_must(
	    w, q->count < PAIR_WORLD_QUEUE, "a queue grows without end");
	q->parcels[q->count++] = p;
}

struct pair_parcel
pair_world_pop(struct pair_queue *q)
{
	struct pair_parcel p = q->parcels[0];

	q->count--;
	memmove(q->parcels, q->parcels + 1, q->count * sizeof(p));
	return p;
}

size_t
pair_world_dialogs(const struct pair_world *w)
{
	size_t n = 0;

	for (int i = 0; i < PAIR_WORLD_ENDPOINTS; i++)
		n += w->endpoints[i].known;
	return n;
}

/* --- the runtime -------------------------------------------------------- */

void
pair_world_local(
    struct pair_world *w, struct pair_event e, unsigned generation, int value)
{
	pair_world_push(w, &w->local,
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
		pair_world_push(w, &w->out, p);
	} else if (a->proof) {
		pair_world_local(w,
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
		pair_world_must(w,
		    !roster_state_from((enum roster_state)w->s.roster),
		    "`unsubscribed` to one who is authorized");
		return;
	}
	pair_world_must(w,
	    k == PAIR_ON_UNSUBSCRIBE || (k == PAIR_ON_PROBE && !watches) ||
		(k == PAIR_ON_SUBSCRIBE && !watches && !e->may_talk),
	    "`unsubscribed` without need");
}

static void
check_send(struct pair_world *w, const struct pair_event *e,
    const struct pair_action *a, enum roster_state before)
{
	enum roster_state r = (enum roster_state)w->s.roster;

	switch (a->stanza) {
	case PAIR_CURRENT:
		pair_world_must(
		    w, roster_state_from(r), "presence to the unauthorized");
		pair_world_must(w,
		    e->may_talk && (e->may_watch || pair_state_invited(&w->s)),
		    "presence against the policy");
		break;
	case PAIR_UNSUBSCRIBED:
		check_unsubscribed(w, e, a, before);
		break;
	case PAIR_SUBSCRIBED:
		pair_world_must(
		    w, roster_state_from(r), "`subscribed` without a right");
		break;
	case PAIR_SUBSCRIBE:
		/* Or she adds anew whom she may see: he may have forgotten. */
		pair_world_must(w,
		    roster_state_pending_out(r) ||
			(roster_state_to(r) && e->kind == PAIR_ON_WATCH &&
			    e->context),
		    "`subscribe` in vain");
		pair_world_must(w, ++w->asked_in_vain < 400, "he is pestered");
		break;
	case PAIR_UNSUBSCRIBE:
		pair_world_must(w,
		    !roster_state_to(r) && !roster_state_pending_out(r),
		    "`unsubscribe` while she watches");
		break;
	case PAIR_PROBE:
		pair_world_must(
		    w, roster_state_to(r), "a probe without a right");
		break;
	case PAIR_UNAVAILABLE:
		break;
	case PAIR_STANZA_UNKNOWN:
		pair_world_breach(w, "a stanza without a name");
	}
	if (a->proof)
		pair_world_must(
		    w, e->may_talk, "a stanza to one who is no partner");
}

static void
show(struct pair_world *w, struct pair_endpoint *ep, enum pair_show how)
{
	if (how == PAIR_SHOW_CURRENT)
		pair_world_must(w,
		    roster_state_to((enum roster_state)w->s.roster),
		    "presence that she has no right to");
	if (ep != NULL)
		ep->shown = how == PAIR_SHOW_CURRENT ? w->seen : 0;
}

/* The subscription is over, but the machine has not heard of it yet. */
bool
pair_world_ends_soon(const struct pair_world *w)
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

	pair_world_must(w, roster_state_from(r) || roster_state_pending_in(r),
	    "SUBSCRIBE for nobody");
	pair_world_must(w,
	    e->may_talk && (e->may_watch || pair_state_invited(&w->s)),
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

	pair_world_note(w, " %s%s%s", pair_action_str(a->kind),
	    a->kind == PAIR_SEND ? ":" : "",
	    a->kind == PAIR_SEND ? pair_stanza_str(a->stanza) : "");
	switch (a->kind) {
	case PAIR_STORE:
		pair_world_breach(w, "a barrier is not an action");
	case PAIR_STORE_LATER:
		w->dirty = !w->disk_works;
		if (w->disk_works)
			pair_state_save(&w->disk, &w->s);
		break;
	case PAIR_TAKE:
	case PAIR_REFUSE:
		pair_world_must(w, is_frame(k), "an answer to no frame");
		break;
	case PAIR_SEND:
		check_send(w, e, a, before);
		send_out(w, a);
		break;
	case PAIR_SIP_OPEN:
		open_sip(w, e);
		break;
	case PAIR_SIP_REFRESH:
		pair_world_must(w, w->live || pair_world_ends_soon(w),
		    "a refresh of no dialog");
		break;
	case PAIR_SIP_END:
		pair_world_must(w,
		    w->live || w->asked || pair_world_ends_soon(w),
		    "the end of no dialog");
		if (w->pool_has && w->pool_generation == w->generation)
			w->pool_has = false;
		w->live = w->asked = false;
		w->generation++;
		break;
	case PAIR_CONFIRM:
		pair_world_must(
		    w, k == PAIR_ON_WATCH && ep != NULL, "200 to nobody");
		ep->dialog = ep->known = true;
		break;
	case PAIR_DECLINE:
		pair_world_must(w, k == PAIR_ON_WATCH, "a refusal to nobody");
		break;
	case PAIR_SHOW_ONE:
		pair_world_must(w,
		    k == PAIR_ON_WATCH || k == PAIR_ON_REFRESH ||
			k == PAIR_ON_UNWATCH || k == PAIR_ON_FETCH,
		    "NOTIFY without a dialog");
		show(w, ep, a->show);
		break;
	case PAIR_SHOW_ALL:
	case PAIR_END_ALL:
		pair_world_must(
		    w, pair_world_dialogs(w) > 0, "NOTIFY to nobody");
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
		pair_world_breach(w, "no action");
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
		pair_world_must(
		    w, k == PAIR_ON_SIP_ACTIVE, "he sees her: why?");
	if (roster_state_from(a) && !roster_state_from(b))
		pair_world_must(w,
		    k == PAIR_ON_UNSUBSCRIBE || denied || removed,
		    "he sees her no more: why?");
	if (!roster_state_to(a) && roster_state_to(b))
		pair_world_must(
		    w, k == PAIR_ON_SUBSCRIBED, "she sees him: why?");
	if (roster_state_to(a) && !roster_state_to(b))
		pair_world_must(w,
		    k == PAIR_ON_UNSUBSCRIBED || removed ||
			(k == PAIR_ON_DUE && pair_world_dialogs(w) == 0),
		    "she sees him no more: why?");
	if (roster_state_pending_in(a) && !roster_state_pending_in(b) &&
	    !roster_state_from(b))
		pair_world_must(w,
		    k == PAIR_ON_UNSUBSCRIBE || denied || removed ||
			(k == PAIR_ON_SIP_OVER &&
			    (e->status == 403 || e->status == 404)),
		    "what he asked for is lost: why?");
}

/* Gives an event to the machine and carries the step out. */
void
pair_world_give(
    struct pair_world *w, struct pair_event e, struct pair_endpoint *ep)
{
	enum roster_state before = (enum roster_state)w->s.roster;
	struct pair_step st;
	size_t i = 0;

	e.now_ms = w->now_ms;
	e.may_talk = w->may_talk;
	e.may_watch = w->may_talk && w->may_watch;
	e.may_ask = w->may_watch;
	e.dialogs = pair_world_dialogs(w) + (e.kind == PAIR_ON_WATCH);
	pair_world_note(w, "\n%6lld %s",
	    (long long)((w->now_ms - PAIR_WORLD_START_MS) / 1000),
	    pair_event_str(e.kind));
	pair_machine_step(&st, &w->s, &e, &pair_rules_default);
	pair_world_must(
	    w, count_of(&st, PAIR_STORE, PAIR_STORE) <= 1, "two barriers");
	check_rights(w, &e, &st.after);
	for (; i < st.count && st.actions[i].kind != PAIR_STORE; i++) {
		if (i == 0 && count_of(&st, PAIR_STORE, PAIR_STORE) == 0)
			take_over(w, &st);
		act(w, &e, &st.actions[i], before, ep);
	}
	if (i < st.count && !w->disk_works) {
		pair_world_note(w, " | no disk:");
		e.failed = e.kind;
		e.kind = PAIR_ON_DISK_FAILED;
		pair_machine_step(&st, &w->s, &e, &pair_rules_default);
		pair_world_must(w, count_of(&st, PAIR_STORE, PAIR_STORE) == 0,
		    "a barrier after the disk failed");
		i = (size_t)-1;
	} else if (i < st.count) {
		pair_state_save(&w->disk, &st.after);
		w->dirty = false;
		if (!w->calm && pair_world_dice(w, 60) ==
				    0) { /* the lights go out right here */
			pair_world_note(w, " CRASH");
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
		pair_world_must(w, count_of(&st, PAIR_TAKE, PAIR_REFUSE) == 1,
		    "a frame is answered once");
	if ((e.kind == PAIR_ON_DISK_FAILED ? e.failed : e.kind) ==
	    PAIR_ON_WATCH)
		pair_world_must(w,
		    count_of(&st, PAIR_CONFIRM, PAIR_DECLINE) == 1,
		    "a SUBSCRIBE is answered once");
	pair_world_must(w, w->due_ms >= 0, "a time before time");
}

void
pair_world_give_kind(struct pair_world *w, enum pair_event_kind k)
{
	pair_world_give(w, (struct pair_event){ .kind = k }, NULL);
}

void
pair_world_restart(struct pair_world *w, bool sip_restored)
{
	struct pair_queue *qs[] = { &w->in, &w->local };
	int rc;

	w->crashed = w->dirty = false;
	pair_world_note(w, "\n       RESTART");
	rc = pair_state_load(&w->s, &w->disk);
	pair_world_must(w, rc == 0, "the row can't be read");
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
	pair_world_give(w,
	    (struct pair_event){ .kind = PAIR_ON_RESTART, .restored = w->live },
	    NULL);
	if (!w->crashed && !w->pool_up)
		pair_world_give_kind(w, PAIR_ON_POOL_LOST);
}
