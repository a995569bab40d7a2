/*
 * Parcels: stanzas that an edge has.
 *
 * Each is made into a frame when it leaves its box, goes to the edge that
 * serves the pair, and is looked after until that edge says what became of it.
 * What an edge takes along when it goes is put back, to leave by another.
 */
#include "frontend-gateway/presence/presence_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/jid.h"
#include "common/random.h"
#include "frontend-gateway/barrier.h"
#include "frontend-gateway/translate/user_iq.h"
#include "proto/channel.h"
#include "proto/frame.h"

enum { ID_SIZE = 32 };

static const char id_prefix[] = "spp-";

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
parcels_stanza_of(const char *id)
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
parcels_edge(struct pair *p)
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
	bool full = c->sort == PARCEL_TELL || c->sort == PARCEL_VCARD;
	struct frame_writer w;

	snprintf(from, sizeof(from), "%s%s", pair_user(p),
	    full ? "/" USER_IQ_RESOURCE : "");
	make_id(id, c->stanza);
	frame_begin(
	    &w, frame, c->sort == PARCEL_VCARD ? FRAME_IQ : FRAME_PRESENCE);
	frame_put_str(&w, FIELD_ID, id);
	frame_put_str(&w, FIELD_FROM, from);
	frame_put_str(&w, FIELD_TO, pair_contact(p));
	put_kind(&w, p, c, x);
	return frame_end(&w);
}

/* --- their fate ------------------------------------------------------------ */

static void
drop(struct parcel *c)
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
	bool proof = c->sort == PARCEL_FROM || c->sort == PARCEL_TO;
	bool lost = !r->delivered && is_out_of_reach(r->condition);

	/* Its place in flight is kept until the end: so t lives. */
	list_remove(&c->link);
	/* Those with proof are the machine's to repeat. */
	if (lost && p != NULL && !proof)
		outbox_put_back(
		    p, (enum parcel_sort)c->sort, c->stanza, c->serial);
	if (p != NULL && !r->delivered && c->sort == PARCEL_VCARD)
		p->asked_name = false;
	if (lost)
		outage_partner_lost(t);
	else if (r->delivered && r->proof != PROOF_NONE)
		outage_partner_back(t);
	if (p != NULL && proof)
		pair_run(p, &h);
	else if (p != NULL && c->sort == PARCEL_PROBE && !lost)
		pair_run_kind(p, PAIR_ON_PROBED);
	else if (p != NULL)
		pairs_release(p);
	drop(c);
	if (!pairs_partner_release(t))
		outbox_pump(t);
}

/* ERR_FULL: the channel has no room now. */
int
parcels_post(struct pair *p, enum parcel_sort sort, uint8_t stanza,
    uint16_t serial, const struct xmpp_presence *x)
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
	c->edge = (uint8_t)parcels_edge(p);
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

/* --- edges -------------------------------------------------------------- */

/* Back into the box, and out again through whichever edge it is now. */
static void
send_anew(struct presence *pr, struct parcel *c)
{
	struct pair *p = c->pair;

	edges_withdraw(pr->opts.edges, c->edge, c->seq);
	if (p != NULL)
		outbox_put_back(
		    p, (enum parcel_sort)c->sort, c->stanza, c->serial);
	drop(c);
	if (p != NULL)
		outbox_pump(p->partner);
}

/* What an edge holds goes through another, or waits for the machine. */
void
parcels_lost(struct presence *pr, unsigned edge)
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
parcels_renewed(struct presence *pr, unsigned edge)
{
	struct list old;

	/* What is sent meanwhile is new. */
	list_init(&old);
	LIST_FOREACH_SAFE (it, &pr->parcels) {
		struct parcel *c = list_entry(it, struct parcel, link);

		if (c->edge != edge || c->pair == NULL ||
		    (c->sort != PARCEL_FROM && c->sort != PARCEL_TO))
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
parcels_drop_all(struct presence *pr)
{
	LIST_FOREACH_SAFE (it, &pr->parcels) {
		struct parcel *c = list_entry(it, struct parcel, link);

		edges_withdraw(pr->opts.edges, c->edge, c->seq);
		drop(c);
	}
}

void
parcels_forget(const struct pair *p)
{
	LIST_FOREACH (it, &p->presence->parcels) {
		struct parcel *c = list_entry(it, struct parcel, link);

		if (c->pair == p)
			c->pair = NULL;
	}
}
