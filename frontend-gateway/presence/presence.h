/*
 * presence - contacts and their presence, both ways: the runtime around the
 * pairs' machine (pair_machine.h).
 *
 * A pair is a Lync user and an XMPP contact.  What comes in from either side,
 * from our SIP subscriptions, from the clock and from the disk becomes an event
 * of a pair; the machine's actions are carried out here.  Of what passes, the
 * newest counts: nothing but the last state waits anywhere, once per pair.
 *
 * Custody  A stanza that changes a pair is answered `delivered`, and a SUBSCRIBE
 *          200, once the row is on disk.  Without a disk nothing new is
 *          acknowledged; what is known is served on.
 * Owns     pairs, subscriptions of both roles, what waits for partners.
 * Borrows  everything in its options.
 * Bounds   presence.pairs pairs, presence.pair_endpoints dialogs each.
 * Ends     presence_stop(), while ua and edges live; presence_free(), when the
 *          pair store is closed.
 */
#ifndef GATEWAY_PRESENCE_PRESENCE_H
#define GATEWAY_PRESENCE_PRESENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "frontend-gateway/edges.h"

struct barrier;
struct clock;
struct frame;
struct gateway_conf;
struct pair_store;
struct policy;
struct presence;
struct sip_msg;
struct sip_server_txn;
struct sip_ua;

struct presence_opts {
	const struct gateway_conf *conf;
	struct clock *clock;
	struct edges *edges;
	struct sip_ua *ua;
	struct policy *policy;
	struct barrier *barrier;
	struct pair_store *store;
	uint64_t epoch; /* starts counted: makes numbers that are not given
			   twice */
};

int presence_new(struct presence **out, const struct presence_opts *opts);
/* Reads the store; before anything else happens.  why (size bytes) is for an
 * admin. */
int presence_load(struct presence *p, char *why, size_t size);
/* Puts down what is not written yet, and all timers; nobody is told. */
void presence_stop(struct presence *p);
void presence_free(struct presence *p);

/* --- from the edges ----------------------------------------------------- */

/* A presence frame that the guard let pass.  Answered here or later. */
void presence_on_stanza(struct presence *p, struct edges_ticket ticket,
    const struct frame *f, const struct guard_addresses *who);
/* An iq frame, no answer to a ping, that the guard let pass.  Likewise. */
void presence_on_iq(struct presence *p, struct edges_ticket ticket,
    const struct frame *f, const struct guard_addresses *who);
/* The events of struct edges_events. */
void presence_on_stream(
    struct presence *p, unsigned edge, const struct edges_stream *s);
void presence_on_partner(struct presence *p, unsigned edge, const char *local,
    const char *remote, bool failed);
void presence_on_lost(struct presence *p, unsigned edge);
/* The edge is another boot now. */
void presence_on_renewed(struct presence *p, unsigned edge);

/* --- from the pool ------------------------------------------------------ */

/* A SUBSCRIBE outside a dialog.  Answered here or later. */
void presence_on_request(
    struct presence *p, struct sip_server_txn *st, const struct sip_msg *req);
void presence_on_reachable(struct presence *p, bool reachable);

/* --- from the disk ------------------------------------------------------ */

void presence_on_health(struct presence *p, bool well);

/* --- the rest ----------------------------------------------------------- */

/* The configuration has changed. */
void presence_recheck(struct presence *p);
/* The rights of user (NULL: of anybody) may have changed. */
void presence_rights_changed(struct presence *p, const char *user);
/* The user has added the contact; prepared bare JIDs. */
bool presence_invited(
    const struct presence *p, const char *user, const char *contact);

/* Numbers for an operator (member "presence" of `status`), or NULL without
 * memory:
 *
 *   {"pairs": 2, "watching": 1, "watched": 2, "dialogs": 3, "queued": 0,
 *    "prompts": 0, "outbox": 0, "flight": 0, "partners_away": 0,
 *    "pool_away": false, "store": "well" | "writing fails", "store_queue": 0,
 *    "ignored_documents": 0}
 *
 * watching: subscriptions of ours with the pool; watched: pairs with dialogs
 * of Lync's endpoints; queued, prompts: subscriptions that wait for their turn;
 * outbox, flight: pairs with stanzas for a partner that wait, stanzas on their
 * way. */
json_t *presence_status(const struct presence *p);

/* Verb "contacts".  request may have "user" and "contact" (bare JIDs) to
 * choose, "limit" (pairs in the answer; 1 to 500, 100 without) and "after", the
 * "next" of the page before.
 *
 *   {"daemon": "gateway", "total": 2, "next": "17",
 *    "contacts": [
 *     {"user": "anna@contoso.example", "contact": "bo@partner.example",
 *      "roster": "both", "invited": true, "name": "Bo", "used": 1763712000000,
 *      "to": {"dialogs": 2, "expires": 1763712000000, "shown": "away",
 *             "resources": 1, "asked": 1763712000000, "refused": 0,
 *             "remove": 0, "owed": "", "next": 0, "fails": 0},
 *      "from": {"phase": "live", "expires": 1763712000000, "told": "dnd",
 *               "queued": "", "owed": "", "next": 0, "fails": 0,
 *               "why": ""}}]}
 *
 * "next" of the page is absent behind the last one.  Times are ms since 1970, 0
 * = never, not planned.  to: the user watches the contact; from: the contact
 * watches the user.  "roster" is one of "none", "none+out", "none+in",
 * "none+out+in", "to", "to+in", "from", "from+out", "both".  "shown" and "told"
 * are what the watcher sees: "available", "chat", "away", "xa", "dnd",
 * "unavailable", or "" for nothing yet.  "phase" is one of "none", "asked",
 * "live", "retry", "stopped"; "queued" is "", "prompt" (one new watcher per
 * user at a time) or "renewal".  "owed" is the stanza that the contact has not
 * provably got, "next" when it (from: or the SUBSCRIBE) is sent again, "fails"
 * how often that failed, "why" what the pool said last.
 *
 * Returns the answer, or NULL with *error (static) set. */
json_t *presence_list(
    const struct presence *p, const json_t *request, const char **error);

#endif
