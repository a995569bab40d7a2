/*
 * The others: the pool, and the contact with his server, which keeps a roster
 * by the rules and answers for its user where they say so.
 */
#include "tests/unit/pair_world_impl.h"

/* --- the pool ----------------------------------------------------------- */

/* The answer to what the runtime has asked. */
void
pair_world_pool_answer(struct pair_world *w)
{
	static const int passing[] = { 503, 480, 500, 408, 0 };
	struct pair_event over = { .kind = PAIR_ON_SIP_OVER };
	unsigned g = w->generation;

	if (!w->asked)
		return;
	w->asked = false;
	if (!w->pool_up || (w->link_up && pair_world_dice(w, 8) == 0)) {
		over.status = w->pool_up ? passing[pair_world_dice(w, 5)] : 0;
		pair_world_local(w, over, g, 0);
		return;
	}
	if (!w->pool_allows) {
		over.status = pair_world_dice(w, 2) == 0 ? 403 : 404;
		pair_world_local(w, over, g, 0);
		return;
	}
	w->live = true;
	w->pool_has = true;
	w->pool_generation = g;
	if (pair_world_dice(w, 2) == 0)
		pair_world_local(w,
		    (struct pair_event){ .kind = PAIR_ON_SIP_GRANTED }, g, 0);
	pair_world_local(w,
	    (struct pair_event){ .kind = PAIR_ON_SIP_ACTIVE, .document = true },
	    g, w->anna);
}

void
pair_world_pool_notify(struct pair_world *w)
{
	if (!w->pool_up || !w->pool_has)
		return;
	pair_world_local(w,
	    (struct pair_event){ .kind = PAIR_ON_SIP_ACTIVE, .document = true },
	    w->pool_generation, w->anna);
}

void
pair_world_pool_terminate(struct pair_world *w, enum pair_reason why)
{
	if (!w->pool_has)
		return;
	w->pool_has = false;
	pair_world_local(w,
	    (struct pair_event){
		.kind = PAIR_ON_SIP_TERMINATED, .reason = why },
	    w->pool_generation, 0);
}

/* The runtime refreshes its dialog: does the pool still know it? */
void
pair_world_pool_refresh(struct pair_world *w)
{
	if (!w->live || !w->pool_up ||
	    (w->pool_has && w->pool_generation == w->generation) ||
	    pair_world_ends_soon(w))
		return;
	pair_world_local(w,
	    (struct pair_event){ .kind = PAIR_ON_SIP_OVER, .status = 481 },
	    w->generation, 0);
}

void
pair_world_pool_switch(struct pair_world *w, bool up)
{
	if (w->pool_up == up)
		return;
	w->pool_up = up;
	pair_world_give_kind(w, up ? PAIR_ON_POOL_BACK : PAIR_ON_POOL_LOST);
	if (!up && w->pool_has && pair_world_dice(w, 2) == 0) {
		w->pool_has = false;
		pair_world_local(w,
		    (struct pair_event){ .kind = PAIR_ON_SIP_OVER },
		    w->pool_generation, 0);
	}
}

void
pair_world_deliver_local(struct pair_world *w)
{
	struct pair_parcel p = pair_world_pop(&w->local);
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
	pair_world_give(w, p.event, NULL);
}

/* --- the contact's server ----------------------------------------------- */

void
pair_world_x_send(struct pair_world *w, enum pair_event_kind k, int value)
{
	if (w->link_up)
		pair_world_push(w, &w->in,
		    (struct pair_parcel){
			.event = { .kind = k }, .value = value });
}

void
pair_world_x_presence(struct pair_world *w)
{
	pair_world_x_send(
	    w, w->bo != 0 ? PAIR_ON_AVAILABLE : PAIR_ON_UNAVAILABLE, w->bo);
}

enum pair_event_kind
pair_world_x_kind(enum roster_stanza st)
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
void
pair_world_x_says(struct pair_world *w, enum roster_stanza st)
{
	struct roster_step step = roster_state_out(w->x, st);

	pair_world_note(w, "\n       bo: %s", roster_stanza_str(st));
	w->x = step.to;
	if (!roster_state_to(w->x))
		w->x_sees = 0;
	if (!step.pass)
		return;
	pair_world_x_send(w, pair_world_x_kind(st), 0);
	if (st == ROSTER_SUBSCRIBED)
		pair_world_x_presence(w);
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
		pair_world_x_send(w, PAIR_ON_SUBSCRIBED, 0);
		if (w->auto_presence)
			pair_world_x_presence(w);
	} else if (step.reply == ROSTER_REPLY_UNSUBSCRIBED) {
		if (w->auto_unsubscribed)
			pair_world_x_send(w, PAIR_ON_UNSUBSCRIBED, 0);
		if (showed)
			pair_world_x_send(w, PAIR_ON_UNAVAILABLE, 0);
	}
}

void
pair_world_deliver_out(struct pair_world *w)
{
	struct pair_parcel p = pair_world_pop(&w->out);

	pair_world_note(w, "\n       bo's server: %s %d",
	    pair_stanza_str(p.stanza), p.value);
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
		pair_world_push(w, &w->in,
		    (struct pair_parcel){
			.event = { .kind = PAIR_ON_PROBED } });
		if (roster_state_from(w->x))
			pair_world_x_presence(w);
		else if (w->denies_probes)
			pair_world_x_send(w, PAIR_ON_UNSUBSCRIBED, 0);
		break;
	case PAIR_CURRENT:
	case PAIR_UNAVAILABLE:
		if (roster_state_to(w->x))
			w->x_sees = p.value;
		break;
	case PAIR_STANZA_UNKNOWN:
		pair_world_breach(w, "a stanza without a name");
	}
	if (p.proof)
		pair_world_push(w, &w->in,
		    (struct pair_parcel){ .event = { .kind = PAIR_ON_RESULT,
					      .stanza = p.stanza,
					      .serial = p.serial,
					      .delivered = true } });
}

void
pair_world_deliver_in(struct pair_world *w)
{
	struct pair_parcel p = pair_world_pop(&w->in);

	if (p.event.kind == PAIR_ON_AVAILABLE ||
	    p.event.kind == PAIR_ON_UNAVAILABLE)
		w->seen = p.value;
	pair_world_give(w, p.event, NULL);
}

/* The connection breaks: nothing that is under way arrives. */
void
pair_world_x_break(struct pair_world *w)
{
	struct pair_queue *qs[] = { &w->out, &w->in };

	pair_world_note(w, "\n       BREAK");
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
			pair_world_local(w, e, 0, 0);
		}
		qs[q]->count = 0;
	}
}

void
pair_world_x_decide(struct pair_world *w)
{
	if (!roster_state_pending_in(w->x))
		return;
	w->asked_in_vain = 0;
	pair_world_x_says(
	    w, w->accepts ? ROSTER_SUBSCRIBED : ROSTER_UNSUBSCRIBED);
}

void
pair_world_x_online(struct pair_world *w)
{
	w->bo = 1 + (int)pair_world_dice(w, 5);
	if (roster_state_from(w->x))
		pair_world_x_presence(w);
	if (roster_state_to(w->x))
		pair_world_x_send(w, PAIR_ON_PROBE, 0);
}
