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
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "frontend-gateway/gateway_conf.h"

enum {
	FLIGHT_MAX = 256,
	LOST_FLIGHT = 1,
	LOST_RETRY_MS = 5000,
	LOST_DOUBLINGS = 4
};

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
		rc = parcels_post(p, PARCEL_TELL, p->box.tell, 0, &x);
	if (rc == 0) {
		p->told = mark_of(&x);
		p->tell_ms = now + p->presence->opts.conf->presence.damp_ms;
		p->box.tell = 0;
	}
	xmpp_presence_finish(&x);
	return rc;
}

/* --- boxes -------------------------------------------------------------- */

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

void
outbox_put_back(
    struct pair *p, enum parcel_sort sort, uint8_t stanza, uint16_t serial)
{
	struct presence_box *b = &p->box;

	if (sort == PARCEL_FROM && b->from == 0) {
		b->from = stanza;
		b->from_serial = serial;
	} else if (sort == PARCEL_TO && b->to == 0) {
		b->to = stanza;
		b->to_serial = serial;
	} else if (sort == PARCEL_TELL && b->tell == 0) {
		b->tell = stanza;
	} else if (sort == PARCEL_PROBE) {
		b->probe = true;
	}
	join(p);
}

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
		rc =
		    parcels_post(p, PARCEL_FROM, b->from, b->from_serial, NULL);
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
		rc = parcels_post(p, PARCEL_TO, b->to, b->to_serial, NULL);
		b->to = rc == 0 ? 0 : b->to;
	}
	if (rc == 0 && b->tell != 0)
		rc = tell(p);
	if (rc == 0 && b->probe) {
		rc = parcels_post(p, PARCEL_PROBE, PAIR_PROBE, 0, NULL);
		b->probe = rc < 0;
	}
	if (rc == 0 && b->vcard) {
		rc =
		    parcels_post(p, PARCEL_VCARD, PAIR_STANZA_UNKNOWN, 0, NULL);
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
	parcels_forget(p);
}
