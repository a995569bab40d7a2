/*
 * Stanzas to contacts.
 *
 * A pair's box holds at most one stanza of each sort; a newer one takes the
 * place of the older, so whatever happens while a partner is out of reach, its
 * contacts get the last word only.  A box is emptied in this order: farewell
 * (unavailable before unsubscribed), subscribed, subscribe or unsubscribe,
 * presence, probe, question for the card.
 *
 * Boxes of a partner go out first come, first served, as long as fewer than
 * FLIGHT_MAX of its stanzas are with the edges, one at a time while it cannot
 * be reached.  Pairs with mere questions stand in a second line, which also
 * has a pace.
 *
 * Presence of one pair is damped: after one was told, the next waits DAMP_MS,
 * and only the newest then goes.
 */
#include "frontend-gateway/presence/presence_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/random.h"
#include "frontend-gateway/barrier.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/translate/user_iq.h"
#include "proto/channel.h"
#include "proto/frame.h"

enum {
	FLIGHT_MAX = 256,
	LOST_FLIGHT = 1,
	LOST_RETRY_MS = 5000,
	LOST_DOUBLINGS = 4,
	ID_SIZE = 32
};

static const char id_prefix[] = "spp-";

/* What travels. */
enum sort { SORT_FROM, SORT_TO, SORT_TELL, SORT_PROBE, SORT_VCARD };

/* A stanza with an edge. */
struct parcel {
	struct edges_sender sender;
	struct list link;
	struct presence_partner *partner;
	struct pair *pair; /* NULL: it is gone, nobody waits */
	uint64_t seq;
	uint8_t edge, sort, stanza;
	uint16_t serial;
};

/* --- frames ------------------------------------------------------------- */

enum pair_stanza
outbox_stanza_of(const char *id)
{
	size_t len = sizeof(id_prefix) - 1;

	if (id == NULL || strncmp(id, id_prefix, len) != 0 || id[len] < 'a' ||
	    id[len] > 'a' + (int)PAIR_UNAVAILABLE)
		return PAIR_STANZA_UNKNOWN;
	return (enum pair_stanza)(id[len] - 'a');
}

/* The id tells what it was, should it come back as an error. */
static void
make_id(char id[static ID_SIZE], uint8_t stanza)
{
	char random[17];

	random_hex(random, 8);
	snprintf(id, ID_SIZE, "%s%c%s", id_prefix, 'a' + stanza, random);
}

unsigned
outbox_edge(struct pair *p)
{
	struct edges *e = p->presence->opts.edges;

	p->edge = (uint8_t)edges_choose(
	    e, p->partner->local, pair_user(p), pair_contact(p), p->edge);
	return p->edge;
}

static void
put_presence(struct frame_writer *w, const struct xmpp_presence *x)
{
	const char *show = xmpp_presence_show_str(x->show);
	char caps[USER_IQ_CAPS_SIZE];

	if (!x->available)
		return;
	if (show != NULL)
		frame_put_str(w, FIELD_SHOW, show);
	if (x->status != NULL) {
		frame_put_str(w, FIELD_STATUS_TEXT, x->status);
		frame_put_str(w, FIELD_LANGUAGE, x->language);
	}
	if (x->priority != 0)
		frame_put_u64(w, FIELD_PRIORITY, (uint64_t)(128 + x->priority));
	if (x->idle_since != 0)
		frame_put_u64(w, FIELD_IDLE_SINCE, x->idle_since);
	user_iq_caps(caps);
	frame_put_str(w, FIELD_CAPS, caps);
}

static void
put_barrier(struct frame_writer *w, const struct pair *p, unsigned edge)
{
	const struct presence_opts *o = &p->presence->opts;
	char barrier[BARRIER_ID_SIZE];

	barrier_make(barrier, o->barrier, edge, edges_name(o->edges, edge),
	    p->partner->local, p->partner->remote);
	frame_put_str(w, FIELD_BARRIER, barrier);
}

static void
put_kind(struct frame_writer *w, const struct pair *p, const struct parcel *c,
    const struct xmpp_presence *x)
{
	switch ((enum pair_stanza)c->stanza) {
	case PAIR_SUBSCRIBE:
		frame_put_str(w, FIELD_NICK, p->user->name);
		/* fallthrough */
	case PAIR_SUBSCRIBED:
	case PAIR_UNSUBSCRIBE:
	case PAIR_UNSUBSCRIBED:
		frame_put_str(w, FIELD_KIND,
		    pair_stanza_str((enum pair_stanza)c->stanza));
		put_barrier(w, p, c->edge);
		break;
	case PAIR_PROBE:
		frame_put_str(w, FIELD_KIND, "probe");
		break;
	case PAIR_CURRENT:
	case PAIR_UNAVAILABLE:
		assert(x != NULL);
		frame_put_str(
		    w, FIELD_KIND, x->available ? "available" : "unavailable");
		put_presence(w, x);
		break;
	case PAIR_STANZA_UNKNOWN: /* the card */
		frame_put_str(w, FIELD_KIND, "get");
		frame_put_str(w, FIELD_REQUEST, "vcard");
		break;
	}
}

/* Presence comes from the one resource, all else from the user herself. */
static int
encode(struct buf *frame, const struct pair *p, const struct parcel *c,
    const struct xmpp_presence *x)
{
	char from[JID_MAX + sizeof("/" USER_IQ_RESOURCE)], id[ID_SIZE];
	bool full = c->sort == SORT_TELL || c->sort == SORT_VCARD;
	struct frame_writer w;

	snprintf(from, sizeof(from), "%s%s", pair_user(p),
	    full ? "/" USER_IQ_RESOURCE : "");
	make_id(id, c->stanza);
	frame_begin(
	    &w, frame, c->sort == SORT_VCARD ? FRAME_IQ : FRAME_PRESENCE);
	frame_put_str(&w, FIELD_ID, id);
	frame_put_str(&w, FIELD_FROM, from);
	frame_put_str(&w, FIELD_TO, pair_contact(p));
	put_kind(&w, p, c, x);
	return frame_end(&w);
}

/* --- parcels ------------------------------------------------------------ */

static void
drop_parcel(struct parcel *c)
{
	struct presence *pr = c->partner->presence;

	list_remove(&c->link);
	c->partner->flight--;
	pr->flight--;
	free(c);
}

static bool
is_out_of_reach(enum condition c)
{
	return c == COND_REMOTE_SERVER_NOT_FOUND ||
	       c == COND_REMOTE_SERVER_TIMEOUT;
}

static void
join(struct pair *p)
{
	struct presence_partner *t = p->partner;
	const struct presence_box *b = &p->box;
	bool urgent = b->from != 0 || b->to != 0 || b->tell != 0;

	list_remove(&p->boxed);
	if (urgent)
		list_append(&t->box, &p->boxed);
	else if (b->probe || b->vcard)
		list_append(&t->probes, &p->boxed);
	else
		return;
}

/* The stanza has not gone: unless there is a newer one, it waits again.  Those
 * with proof are the machine's to repeat. */
static void
put_back(const struct parcel *c)
{
	struct presence_box *b = &c->pair->box;

	if (c->sort == SORT_TELL && b->tell == 0)
		b->tell = c->stanza;
	else if (c->sort == SORT_PROBE)
		b->probe = true;
	else
		return;
	join(c->pair);
}

static void
on_result(struct edges_sender *s, const struct channel_result *r)
{
	struct parcel *c = list_entry(s, struct parcel, sender);
	struct presence_partner *t = c->partner;
	struct happening h = { .e = { .kind = PAIR_ON_RESULT,
				   .delivered = r->delivered,
				   .condition = r->condition,
				   .serial = c->serial,
				   .stanza = (enum pair_stanza)c->stanza } };
	struct pair *p = c->pair;
	bool proof = c->sort == SORT_FROM || c->sort == SORT_TO;
	bool lost = !r->delivered && is_out_of_reach(r->condition);

	/* Its place in flight is kept until the end: so t lives. */
	list_remove(&c->link);
	if (lost && p != NULL)
		put_back(c);
	if (p != NULL && !r->delivered && c->sort == SORT_VCARD)
		p->asked_name = false;
	if (lost)
		outage_partner_lost(t);
	else if (r->delivered && r->proof != PROOF_NONE)
		outage_partner_back(t);
	if (p != NULL && proof)
		pair_run(p, &h);
	else if (p != NULL && c->sort == SORT_PROBE && !lost)
		pair_run_kind(p, PAIR_ON_PROBED);
	else if (p != NULL)
		pairs_release(p);
	drop_parcel(c);
	if (!pairs_partner_release(t))
		outbox_pump(t);
}

/* ERR_FULL: the channel has no room now. */
static int
post(struct pair *p, enum sort sort, uint8_t stanza, uint16_t serial,
    const struct xmpp_presence *x)
{
	struct presence *pr = p->presence;
	struct parcel *c = calloc(1, sizeof(*c));
	struct buf frame;
	int rc;

	if (c == NULL)
		return ERR_NOMEM;
	c->sender.on_result = on_result;
	c->partner = p->partner;
	c->pair = p;
	c->sort = (uint8_t)sort;
	c->stanza = stanza;
	c->serial = serial;
	c->edge = (uint8_t)outbox_edge(p);
	buf_init(&frame, FRAME_MAX);
	rc = encode(&frame, p, c, x);
	if (rc == 0)
		rc = edges_send(
		    pr->opts.edges, c->edge, &frame, &c->sender, &c->seq);
	buf_finish(&frame);
	if (rc < 0) {
		free(c);
		return rc;
	}
	list_append(&pr->parcels, &c->link);
	c->partner->flight++;
	pr->flight++;
	return 0;
}

/* --- presence ----------------------------------------------------------- */

/* Never 0, which stands for nothing. */
static uint64_t
mark_of(const struct xmpp_presence *x)
{
	static const uint8_t key[16] = "presence as told";
	struct buf image;
	uint64_t mark = 1;

	buf_init(&image, 0);
	if (xmpp_presence_save(&image, x) == 0)
		mark = map_hash(key, image.data, image.len) | 1;
	buf_finish(&image);
	return mark;
}

int
outbox_restore_told(struct pair *p)
{
	struct xmpp_presence x = { 0 };
	int rc;

	if (p->doc == NULL)
		return 0;
	rc = from_half_current(&x, p);
	if (rc == 0)
		p->told = mark_of(&x);
	xmpp_presence_finish(&x);
	return rc;
}

static int
read_tell(struct xmpp_presence *out, const struct pair *p, uint8_t stanza)
{
	if (stanza == PAIR_UNAVAILABLE)
		return 0;
	return from_half_current(out, p);
}

static int
tell(struct pair *p)
{
	uint64_t now = clock_now_ms(p->presence->opts.clock);
	struct xmpp_presence x = { 0 };
	int rc = read_tell(&x, p, p->box.tell);

	if (rc == 0)
		rc = post(p, SORT_TELL, p->box.tell, 0, &x);
	if (rc == 0) {
		p->told = mark_of(&x);
		p->tell_ms = now + p->presence->opts.conf->presence.damp_ms;
		p->box.tell = 0;
	}
	xmpp_presence_finish(&x);
	return rc;
}

/* --- boxes -------------------------------------------------------------- */

static int
send_from(struct pair *p)
{
	struct presence_box *b = &p->box;
	int rc = 0;

	if (b->from == 0)
		return 0;
	if (b->from == PAIR_UNSUBSCRIBED && b->tell != 0)
		rc = tell(p);
	if (rc == 0)
		rc = post(p, SORT_FROM, b->from, b->from_serial, NULL);
	if (rc == 0)
		b->from = 0;
	return rc;
}

/* As much as goes.  On error the rest stays in the box. */
static int
empty_box(struct pair *p)
{
	struct presence_box *b = &p->box;
	int rc = send_from(p);

	if (rc == 0 && b->to != 0) {
		rc = post(p, SORT_TO, b->to, b->to_serial, NULL);
		b->to = rc == 0 ? 0 : b->to;
	}
	if (rc == 0 && b->tell != 0)
		rc = tell(p);
	if (rc == 0 && b->probe) {
		rc = post(p, SORT_PROBE, PAIR_PROBE, 0, NULL);
		b->probe = rc < 0;
	}
	if (rc == 0 && b->vcard) {
		rc = post(p, SORT_VCARD, PAIR_STANZA_UNKNOWN, 0, NULL);
		b->vcard = rc < 0;
	}
	return rc;
}

static bool
has_room(const struct presence_partner *t)
{
	return t->flight < (t->lost ? LOST_FLIGHT : FLIGHT_MAX);
}

static uint64_t
probe_gap_ms(const struct presence_partner *t)
{
	uint32_t rate = t->presence->opts.conf->presence.probes_per_second;

	return rate >= 1000 ? 1 : 1000 / rate;
}

/* One pair of a line; false when nothing goes now. */
static bool
send_first(struct presence_partner *t, struct list *line)
{
	struct pair *p = list_entry(list_first(line), struct pair, boxed);
	int rc;

	list_remove(&p->boxed);
	rc = empty_box(p);
	if (rc == 0)
		return true;
	/* To the end: a frame that cannot be written must not block others. */
	join(p);
	if (rc != ERR_FULL)
		log_warn(&t->presence->log, "not-sent",
		    "user=%s contact=%s error=%s", pair_user(p),
		    pair_contact(p), err_str(rc));
	return false;
}

void
outbox_pump(struct presence_partner *t)
{
	uint64_t now = clock_now_ms(t->presence->opts.clock);
	uint64_t wait = UINT64_MAX;

	if (t->presence->stopping)
		return;
	while (has_room(t) && !list_empty(&t->box))
		if (!send_first(t, &t->box)) {
			wait = 1000;
			break;
		}
	while (has_room(t) && !list_empty(&t->probes) && wait == UINT64_MAX) {
		if (now < t->probed_ms) {
			wait = t->probed_ms - now;
			break;
		}
		t->probed_ms = now + probe_gap_ms(t);
		if (!send_first(t, &t->probes))
			wait = 1000;
	}
	/* One that is out of reach is tried in any case. */
	if (t->lost && wait == UINT64_MAX)
		wait =
		    (uint64_t)LOST_RETRY_MS
		    << (t->tries < LOST_DOUBLINGS ? t->tries : LOST_DOUBLINGS);
	else if (list_empty(&t->box) && list_empty(&t->probes))
		return;
	if (wait != UINT64_MAX)
		clock_timer_start(&t->timer, wait);
}

/* --- what is to be sent ------------------------------------------------- */

static void
put_in(struct pair *p)
{
	join(p);
	/* A partner out of reach is tried by its timer. */
	if (!p->partner->lost || !clock_timer_running(&p->partner->timer))
		outbox_pump(p->partner);
}

void
outbox_tell_now(struct pair *p)
{
	p->tell_due = false;
	p->box.tell = PAIR_CURRENT;
	put_in(p);
}

/* Whether it would only repeat what was told last. */
static bool
repeats(const struct pair *p, uint8_t stanza)
{
	struct xmpp_presence x = { 0 };
	bool same = false;

	if (p->box.tell == 0 && p->told != 0 && read_tell(&x, p, stanza) == 0)
		same = mark_of(&x) == p->told;
	xmpp_presence_finish(&x);
	return same;
}

static void
send_tell(struct pair *p, const struct pair_action *a)
{
	uint64_t now = clock_now_ms(p->presence->opts.clock);

	if (!a->answer) {
		if (repeats(p, (uint8_t)a->stanza)) {
			p->tell_due = false;
			return;
		}
		if (a->stanza == PAIR_CURRENT && p->tell_ms > now) {
			p->tell_due = true;
			return;
		}
	}
	p->tell_due = false;
	p->box.tell = (uint8_t)a->stanza;
	put_in(p);
}

void
outbox_send(struct pair *p, const struct pair_action *a)
{
	struct presence_box *b = &p->box;

	switch (a->stanza) {
	case PAIR_SUBSCRIBE:
	case PAIR_UNSUBSCRIBE:
		b->to = (uint8_t)a->stanza;
		b->to_serial = a->serial;
		break;
	case PAIR_SUBSCRIBED:
	case PAIR_UNSUBSCRIBED:
		b->from = (uint8_t)a->stanza;
		b->from_serial = a->serial;
		break;
	case PAIR_CURRENT:
	case PAIR_UNAVAILABLE:
		send_tell(p, a);
		return;
	case PAIR_PROBE:
		b->probe = true;
		break;
	case PAIR_STANZA_UNKNOWN:
		assert(false);
		return;
	}
	put_in(p);
}

void
outbox_ask_name(struct pair *p)
{
	if (p->asked_name)
		return;
	p->asked_name = true;
	p->box.vcard = true;
	put_in(p);
}

void
outbox_forget(struct pair *p)
{
	list_remove(&p->boxed);
	memset(&p->box, 0, sizeof(p->box));
	LIST_FOREACH (it, &p->presence->parcels) {
		struct parcel *c = list_entry(it, struct parcel, link);

		if (c->pair == p)
			c->pair = NULL;
	}
}

/* --- edges -------------------------------------------------------------- */

/* Back into the box, and out again through whichever edge it is now. */
static void
send_anew(struct presence *pr, struct parcel *c)
{
	struct pair *p = c->pair;

	edges_withdraw(pr->opts.edges, c->edge, c->seq);
	if (p != NULL) {
		struct presence_box *b = &p->box;

		if (c->sort == SORT_FROM && b->from == 0) {
			b->from = c->stanza;
			b->from_serial = c->serial;
		} else if (c->sort == SORT_TO && b->to == 0) {
			b->to = c->stanza;
			b->to_serial = c->serial;
		}
		put_back(c);
		join(p);
	}
	drop_parcel(c);
	if (p != NULL)
		outbox_pump(p->partner);
}

/* What an edge holds goes through another, or waits for the machine. */
void
outbox_lost(struct presence *pr, unsigned edge)
{
	LIST_FOREACH_SAFE (it, &pr->parcels) {
		struct parcel *c = list_entry(it, struct parcel, link);
		struct pair *p = c->pair;

		if (c->edge == edge &&
		    (p == NULL ||
			edges_choose(pr->opts.edges, p->partner->local,
			    pair_user(p), pair_contact(p), EDGES_NONE) != edge))
			send_anew(pr, c);
	}
}

void
outbox_renewed(struct presence *pr, unsigned edge)
{
	struct list old;

	/* What is sent meanwhile is new. */
	list_init(&old);
	LIST_FOREACH_SAFE (it, &pr->parcels) {
		struct parcel *c = list_entry(it, struct parcel, link);

		if (c->edge != edge || c->pair == NULL ||
		    (c->sort != SORT_FROM && c->sort != SORT_TO))
			continue;
		list_remove(&c->link);
		list_append(&old, &c->link);
	}
	while (!list_empty(&old)) {
		struct parcel *c =
		    list_entry(list_first(&old), struct parcel, link);

		list_remove(&c->link);
		list_append(&pr->parcels, &c->link);
		send_anew(pr, c);
	}
}

void
outbox_drop_all(struct presence *pr)
{
	LIST_FOREACH_SAFE (it, &pr->parcels) {
		struct parcel *c = list_entry(it, struct parcel, link);

		edges_withdraw(pr->opts.edges, c->edge, c->seq);
		drop_parcel(c);
	}
}
