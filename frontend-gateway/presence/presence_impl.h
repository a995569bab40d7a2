/*
 * presence_impl - what the files of the runtime share.  Nobody else includes
 * it.
 *
 * presence.c         facade: what comes from edges, the end
 * pairs.c            the records: pairs, their users and partners
 * pair_run.c         an event of a pair: step, disk, actions, timer
 * pair_row.c         pairs and dialogs as rows
 * outbox.c           stanzas to contacts, while they wait
 * parcels.c          the same, while an edge has them
 * from_half.c        our subscriptions with the pool
 * from_queue.c       whose turn it is to subscribe
 * to_door.c          SUBSCRIBEs of Lync's endpoints
 * to_half.c          their dialogs
 * to_notify.c        what the endpoints are shown
 * outage.c           pool and partners come and go
 * sweep.c            walks over many pairs
 * names.c            names and other questions by iq
 * presence_load.c    the start, from rows
 * presence_status.c  for an operator
 */
#ifndef GATEWAY_PRESENCE_PRESENCE_IMPL_H
#define GATEWAY_PRESENCE_PRESENCE_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "common/map.h"
#include "frontend-gateway/policy/policy.h"
#include "frontend-gateway/presence/pace.h"
#include "frontend-gateway/presence/pair_machine.h"
#include "frontend-gateway/presence/presence.h"
#include "frontend-gateway/translate/errors.h"
#include "frontend-gateway/translate/presence_build.h"
#include "frontend-gateway/translate/resources.h"
#include "frontend-gateway/translate/xmpp_presence.h"

struct jid;
struct pair;
struct presence_partner;
struct presence_sub;
struct sip_notifier;
struct sip_subscriber;

enum {
	PRESENCE_WAITING_MAX = 16,  /* requests of others, of one pair */
	PRESENCE_SWEEP_STEP = 1000, /* pairs in one turn of the loop, at most */
	PRESENCE_NAME_MAX = 255     /* bytes of a user's name in a row */
};

/* A Lync user who has pairs. */
struct presence_user {
	struct map_node node;
	struct presence *presence;
	struct list pairs; /* by_user */
	/* New watchers who wait: the pool asks her about each. */
	struct list prompts; /* queued */
	struct clock_timer turn;
	char *name; /* display name, or NULL */
	size_t count;
	bool resting; /* her time between two of them runs */
	char bare[];
};

/* A walk over all pairs or those of a partner, a bounded number in each turn of
 * the loop; pairs may come and go meanwhile. */
struct presence_sweep {
	struct presence_partner *partner; /* NULL = all pairs */
	struct list *head, *at;           /* at: next; NULL = not under way */
	struct clock_timer timer;
	void (*fn)(struct pair *p, const struct presence_sweep *s);
	enum pair_event_kind event; /* for fn */
};

enum presence_walk {
	WALK_POOL,
	WALK_POLICY,
	WALK_RESTART,
	WALK_ROWS, /* to be written again after disk trouble */
	WALK_RENEWAL,
	WALK_COUNT
};

/* A hosted domain and a partner's domain. */
struct presence_partner {
	struct map_node node;
	struct presence *presence;
	struct list pairs;  /* by_partner */
	struct list box;    /* pairs with stanzas to send */
	struct list probes; /* pairs that have only questions to send */
	struct clock_timer timer;
	struct presence_sweep sweep;
	struct edges_sender canary;
	unsigned canary_edge;
	uint64_t canary_seq;
	size_t count;
	unsigned flight;
	unsigned tries;   /* that failed in a row */
	bool lost;        /* attempts to reach it fail */
	bool canary_sent; /* its result is awaited */
	bool quiet;       /* its last stream ended: to be looked after */
	uint64_t probed_ms;
	const char *remote; /* behind local */
	size_t key_len;
	char local[];
};

/* Stanzas of a pair that wait; the newest of each sort. */
struct presence_box {
	uint8_t from; /* enum pair_stanza: subscribed, unsubscribed */
	uint8_t to;   /* subscribe, unsubscribe */
	uint8_t tell; /* current, unavailable */
	bool probe, vcard;
	uint16_t from_serial, to_serial;
};

/* A subscription of one of Lync's endpoints. */
struct presence_watch {
	struct list link; /* of its pair */
	struct pair *pair;
	struct sip_notifier *notifier; /* NULL once it has ended */
	uint64_t row;                  /* 0 = not stored */
	uint64_t shown;                /* mark of what was shown last */
	unsigned holders;              /* happenings and writes that name it */
	uint8_t format;                /* enum presence_format */
	bool confirmed;
	bool due; /* wants to be shown the state, once it can be */
};

/* Where a pair stands in a queue of subscriptions to open. */
enum presence_queue { QUEUE_NONE, QUEUE_PROMPT, QUEUE_RENEWAL };

struct pair {
	struct map_node node;
	struct presence *presence;
	struct presence_user *user;
	struct presence_partner *partner;
	struct list all, by_user, by_partner;
	struct list boxed;   /* in its partner's box or probes */
	struct list queued;  /* in its user's prompts */
	struct list dirty;   /* documents to be written */
	struct list waiting; /* happenings */
	struct pace_item pace;
	struct clock_timer timer;
	struct pair_state state;
	int64_t due_ms; /* the machine's, wall clock */
	uint64_t serial;
	uint8_t edge;
	uint8_t queue;   /* enum presence_queue */
	uint8_t holders; /* who name it and must outlive it not */
	bool busy;       /* a step waits for the disk */
	bool running;    /* a step is being carried out */
	bool restored;   /* PAIR_ON_RESTART is still to be given */
	bool refresh;    /* QUEUE_RENEWAL: refresh, not open */
	bool plain;
	bool noteless;   /* the document was converted without notes */
	bool asked_name; /* the contact's card was asked for */
	uint16_t waits;  /* happenings of others that wait */

	/* from half */
	struct presence_sub *sub;
	uint64_t sub_row;
	uint8_t *doc; /* image of the user's last document, as converted */
	uint32_t doc_len;
	int why;          /* status the pool gave last, 0 = none */
	uint64_t told;    /* mark of what this process told last, 0 = nothing */
	uint64_t tell_ms; /* then the newest may be told; monotonic */
	bool tell_due;    /* something waits for that */

	/* to half */
	bool show_due;
	uint8_t show; /* enum pair_show */
	uint64_t show_ms;
	struct list watches;
	struct resources seen;
	char *name; /* the contact's, or NULL */

	struct presence_box box;
	uint32_t key_len;
	char key[]; /* user NUL contact NUL */
};

/* An event with what goes along with it. */
struct happening {
	struct pair_event e;
	bool ticketed;
	struct edges_ticket ticket;   /* of a frame */
	struct presence_watch *watch; /* held */
	struct sip_server_txn *st;    /* FETCH */
	struct list link;
};

struct presence {
	struct presence_opts opts;
	struct log log;
	struct pair_rules rules;
	struct presence_build_rules build;
	struct map pairs, users, partners;
	struct list all;      /* pairs by serial */
	struct list dirty;    /* pairs, oldest first */
	uint32_t subscribe_s; /* what subscriptions ask for */
	uint64_t renewed_ms;  /* contacts were asked anew */
	struct clock_timer renewal;
	struct list parcels;
	uint64_t last_serial;
	uint64_t last_row;
	struct clock_timer flush;
	/* Pool. */
	struct pace *pace;
	bool pool_away, pool_told;
	struct clock_timer pool_timer; /* the first connection takes a while */
	struct presence_sweep walks[WALK_COUNT];
	bool well;
	bool stopping;
	size_t subs, dialogs, watched, prompts, flight;
	uint64_t ignored_documents;
};

const char *pair_user(const struct pair *p);
const char *pair_contact(const struct pair *p);

/* --- renewal.c ---------------------------------------------------------- */

void renewal_init(struct presence *pr);
void renewal_stop(struct presence *pr);
/* Another interval holds: both for what we ask of the pool and of partners. */
void renewal_follow(struct presence *pr, uint32_t interval_s);

/* --- pairs.c ------------------------------------------------------------ */

int pairs_init(struct presence *pr);
void pairs_finish(struct presence *pr);
struct pair *
pairs_find(const struct presence *pr, const char *user, const char *contact);
/* Prepared bare JIDs and their domains in comparable form. */
struct pair_names {
	const char *user, *contact, *local, *remote;
};
/* A new one of strangers.  ERR_FULL, ERR_NOMEM. */
int pairs_add(
    struct pair **out, struct presence *pr, const struct pair_names *names);
/* Frees it when nothing holds it: no row, no dialog, nothing under way. */
void pairs_release(struct pair *p);
void pairs_free(struct pair *p);
struct presence_user *pairs_user(const struct presence *pr, const char *bare);
struct presence_partner *
pairs_partner(const struct presence *pr, const char *local, const char *remote);
/* Frees it when it has no pair and nothing under way: true. */
bool pairs_partner_release(struct presence_partner *t);
/* Replaces a name; ERR_NOMEM leaves the former one. */
int pairs_set_name(char **slot, const char *name);

/* --- pair_run.c --------------------------------------------------------- */

/* An event; now, or when those before it are done.  h is copied; its watch is
 * held meanwhile.  p may be gone when this returns. */
void pair_run(struct pair *p, const struct happening *h);
/* The same for one that only has a kind. */
void pair_run_kind(struct pair *p, enum pair_event_kind kind);
/* PAIR_ON_RESTART, of a pair that was loaded. */
void pair_run_restart(struct pair *p);
/* Starts the timer anew. */
void pair_run_timer(struct pair *p);
void pair_run_on_timer(struct clock_timer *t, void *arg);
/* Gives up what waits, without answers. */
void pair_run_drop(struct pair *p);
void pair_run_rules(struct presence *pr);

/* --- pair_row.c --------------------------------------------------------- */

uint64_t pair_row_number(struct presence *pr);
/* The row as of that state; dropped when it is empty. */
int pair_row_put(struct pair *p, const struct pair_state *s,
    void (*done)(int rc, void *arg), void *arg);
/* Documents have changed: the row is written within some seconds. */
void pair_row_dirty(struct pair *p);
void pair_row_on_flush(struct clock_timer *t, void *arg);
void pair_row_flush(struct presence *pr);
/* The dialogs' rows; a dialog without image has none. */
void pair_row_put_sub(struct pair *p);
void pair_row_drop_sub(struct pair *p);
int pair_row_put_watch(
    struct presence_watch *w, void (*done)(int rc, void *arg), void *arg);
void pair_row_drop_watch(struct presence_watch *w);
/* All of a pair, again. */
void pair_row_put_all(struct pair *p);

/* --- outbox.c ----------------------------------------------------------- */

/* What travels. */
enum parcel_sort {
	PARCEL_FROM,
	PARCEL_TO,
	PARCEL_TELL,
	PARCEL_PROBE,
	PARCEL_VCARD
};

void outbox_send(struct pair *p, const struct pair_action *a);
/* Asks for the contact's card. */
void outbox_ask_name(struct pair *p);
void outbox_pump(struct presence_partner *t);
/* The stanza has not gone: unless there is a newer one, it waits again. */
void outbox_put_back(
    struct pair *p, enum parcel_sort sort, uint8_t stanza, uint16_t serial);
/* Out of the box: nothing more is sent for p. */
void outbox_forget(struct pair *p);
/* The damper's time has come. */
void outbox_tell_now(struct pair *p);

/* --- parcels.c ---------------------------------------------------------- */

/* x: of a PARCEL_TELL.  ERR_FULL: the channel has no room now. */
int parcels_post(struct pair *p, enum parcel_sort sort, uint8_t stanza,
    uint16_t serial, const struct xmpp_presence *x);
/* Nobody waits for p's any more. */
void parcels_forget(const struct pair *p);
void parcels_lost(struct presence *pr, unsigned edge);
/* The same edge is another boot: what waits for a proof goes anew, with a new
 * barrier. */
void parcels_renewed(struct presence *pr, unsigned edge);
void parcels_drop_all(struct presence *pr);
/* enum pair_stanza of an id that we gave. */
enum pair_stanza parcels_stanza_of(const char *id);
/* The edge that serves the pair. */
unsigned parcels_edge(struct pair *p);

/* --- from_half.c -------------------------------------------------------- */

void from_half_open(struct pair *p, bool first, bool plain);
void from_half_refresh(struct pair *p);
/* Policy may have changed: what of a document may be told, too.  The pair may be
 * gone afterwards. */
void from_half_follow_policy(struct pair *p);
/* Subscriptions ask for another time; now: all are refreshed, at the pace of
 * renewals. */
void from_half_ask_for(struct presence *pr, uint32_t expires_s, bool now);
void from_half_end(struct pair *p);
/* It is p's turn. */
void from_half_go(struct pair *p);
int
from_half_restore(struct pair *p, uint64_t row, const void *image, size_t len);
/* Drops the subscription without a word. */
void from_half_drop(struct pair *p);
/* NULL without subscription. */
const struct sip_subscriber *from_half_sip(const struct pair *p);
/* The user's presence for this contact; *out is finished by the caller. */
int from_half_current(struct xmpp_presence *out, const struct pair *p);

/* --- from_queue.c ------------------------------------------------------- */

int from_queue_init(struct presence *pr);
void from_queue_finish(struct presence *pr);
void from_queue_put(struct pair *p, enum presence_queue q);
void from_queue_remove(struct pair *p);
void from_queue_user_init(struct presence_user *u);
void from_queue_user_finish(struct presence_user *u);
/* The pool can be reached, or the pace has changed. */
void from_queue_resume(struct presence *pr);

/* --- to_half.c ---------------------------------------------------------- */

/* A dialog for a SUBSCRIBE, and the pair's event.  ERR_FULL, ERR_NOMEM,
 * ERR_MALFORMED: st is still to be answered. */
int to_half_open(
    struct pair *p, struct sip_server_txn *st, uint8_t format, bool context);
void to_half_refuse(
    struct presence *pr, struct sip_server_txn *st, enum errors_cause cause);
void to_half_refuse_because(struct presence *pr, struct sip_server_txn *st,
    const struct policy_refusal *why);
/* enum presence_format by Accept. */
uint8_t to_half_format(const struct presence *pr, const struct sip_msg *req);
void to_half_confirm(struct pair *p, struct happening *h);
void to_half_decline(struct pair *p, struct happening *h, int status);
void to_half_end_all(struct pair *p);
int
to_half_restore(struct pair *p, uint64_t row, const void *image, size_t len);
void to_half_drop_all(struct pair *p);
size_t to_half_count(const struct pair *p);
void to_half_hold(struct presence_watch *w);
void to_half_unhold(struct presence_watch *w);

/* --- to_notify.c -------------------------------------------------------- */

void to_notify_one(struct pair *p, struct happening *h, enum pair_show show);
void to_notify_all(struct pair *p, enum pair_show show);
/* To w, as things stand. */
void to_notify_watch(struct presence_watch *w);
/* Whom it may concern: dialogs that have not seen the last state. */
void to_notify_now(struct pair *p);
/* What a watcher sees: "away". */
const char *to_notify_word(const struct pair *p);

/* --- outage.c ----------------------------------------------------------- */

void outage_init(struct presence *pr);
void outage_stop(struct presence *pr);
void outage_partner_init(struct presence_partner *t);
void outage_partner_stop(struct presence_partner *t);
/* The configuration has changed. */
void outage_recheck(struct presence *pr);
/* Something of ours reached the partner, or something of his us; or not. */
/* Pings that an edge holds go once more, with barriers of their own: through that
 * edge, which came back as another boot, or through another one. */
void outage_edge_renewed(struct presence *pr, unsigned edge);
void outage_edge_lost(struct presence *pr, unsigned edge);
void outage_partner_back(struct presence_partner *t);
void outage_partner_lost(struct presence_partner *t);
/* No edge is connected: no partner can be reached. */
void outage_no_edge(struct presence *pr);
/* The state of the world for a pair that is new in memory. */
void outage_tell_new(struct pair *p);

/* --- sweep.c ------------------------------------------------------------ */

void sweep_init(struct presence_sweep *s, struct clock *clock,
    struct list *head, struct presence_partner *partner);
/* From the first pair on, also when under way. */
void sweep_start(struct presence_sweep *s,
    void (*fn)(struct pair *p, const struct presence_sweep *s),
    enum pair_event_kind event);
/* fn for sweep_start(): gives the pair the event. */
void sweep_tell(struct pair *p, const struct presence_sweep *s);
void sweep_stop(struct presence_sweep *s);
/* The pair leaves: no walk stands on it any more. */
void sweep_leave(struct pair *p);

/* --- names.c ------------------------------------------------------------ */

/* What a contact calls himself, by a stanza or a card. */
void names_of_contact(struct pair *p, const char *name);
void names_of_user(struct pair *p, const char *name);

#endif
