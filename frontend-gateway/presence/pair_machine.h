/*
 * pair_machine - everything that is decided about one pair: a Lync user and
 * an XMPP contact (RFC 6121 as the user's server; RFC 8048; RFC 6665 towards
 * the pool and towards Lync's endpoints).
 *
 * Pure: state, event and time in; new state, list of actions and time of the
 * next look out.  Two halves, neither of which ever touches the other:
 *
 *     from half   the contact watches the user.  We hold one SIP subscription
 *                 to the pool, and it is the pool that permits.
 *     to half     the user watches the contact.  Each of her endpoints has a
 *                 SIP dialog with us; one XMPP subscription serves them all.
 *
 * In doubt the contact is told `unavailable`, never `unsubscribed`: the first
 * heals by itself, the second destroys an entry of somebody's roster.
 *
 * How a step is carried out
 *
 *   The list is in order.  PAIR_STORE is a barrier: what stands before it may
 *   be done at once, what follows waits until step.after is on disk, and only
 *   then does step.after replace the state in memory.  Meanwhile no other
 *   event of this pair may be given to the machine (the runtime lets them
 *   wait, bounded).  If the disk fails, step.after is thrown away with all
 *   that followed, and the event PAIR_ON_DISK_FAILED is given to the *old*
 *   state: its step holds no PAIR_STORE.  Without PAIR_STORE in the list
 *   step.after counts at once.  There is never more than one PAIR_STORE.
 *
 *   After each step step.due_ms replaces the pair's one timer: PAIR_ON_DUE is
 *   to be given at that time (wall clock) or later; 0 = no timer.
 *
 *   A pair for which pair_state_empty() holds is not (or no longer) a row:
 *   PAIR_STORE and PAIR_STORE_LATER then mean "drop the row", and the pair
 *   leaves the memory once no dialog of its to half lives.  A pair that is not
 *   stored starts as an all-zero state, for strangers' events too.
 */
#ifndef GATEWAY_PRESENCE_PAIR_MACHINE_H
#define GATEWAY_PRESENCE_PAIR_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend-gateway/presence/roster_state.h"
#include "proto/condition.h"

/* --- events ------------------------------------------------------------- */

enum pair_event_kind {
	/* Presence frames from the contact.  Each is answered by exactly one
	 * PAIR_TAKE or PAIR_REFUSE (or by the step after a disk failure). */
	PAIR_ON_SUBSCRIBE,
	PAIR_ON_SUBSCRIBED,
	PAIR_ON_UNSUBSCRIBE,
	PAIR_ON_UNSUBSCRIBED,
	PAIR_ON_PROBE,
	/* The runtime has put the stanza into what it knows of the contact's
	 * resources before; without the right to see him (to half not granted)
	 * that knowledge stays unused. */
	PAIR_ON_AVAILABLE,
	PAIR_ON_UNAVAILABLE,
	/* Type error: condition; stanza = what it answers, by the id, or
	 * PAIR_STANZA_UNKNOWN. */
	PAIR_ON_ERROR,

	/* The fate of a PAIR_SEND with proof: stanza, serial as in the action;
	 * delivered, or condition. */
	PAIR_ON_RESULT,
	/* A PAIR_PROBE is with his server, or has been lost on the way there:
	 * a word from him is due. */
	PAIR_ON_PROBED,

	/* Lync's endpoints (to half).  PAIR_ON_WATCH: SUBSCRIBE outside a
	 * dialog, not answered yet; context = it carried <context/>.  Answered
	 * by one PAIR_CONFIRM or PAIR_DECLINE. */
	PAIR_ON_WATCH,
	/* Refresh in a dialog, answered by the notifier. */
	PAIR_ON_REFRESH,
	/* A dialog ended: Expires 0, expiry or lost; dialogs no longer counts
	 * it. */
	PAIR_ON_UNWATCH,
	/* Expires 0 outside a dialog. */
	PAIR_ON_FETCH,

	/* Our SIP subscription (from half).  Only of the one opened last, and
	 * none after PAIR_SIP_END. */
	PAIR_ON_SIP_GRANTED,    /* 2xx */
	PAIR_ON_SIP_ACTIVE,     /* NOTIFY active; document = it had a body,
	                           which is now the current document */
	PAIR_ON_SIP_PENDING,    /* NOTIFY pending */
	PAIR_ON_SIP_TERMINATED, /* NOTIFY terminated: reason, retry_after_s.
	                           No PAIR_ON_SIP_OVER follows. */
	/* Gone without such a NOTIFY: status of the answer that ended it, 0 =
	 * connection lost, expired, no NOTIFY came; retry_after_s. */
	PAIR_ON_SIP_OVER,

	/* The world. */
	PAIR_ON_POOL_LOST, /* no front end can be reached */
	PAIR_ON_POOL_BACK,
	/* The partner can't be reached: attempts fail.  A stream that merely
	 * closed for want of traffic is not this. */
	PAIR_ON_PARTNER_LOST,
	PAIR_ON_PARTNER_BACK,
	/* Subscriptions have run for as long as they may: who is watched is
	 * asked anew how he is, for a change may have been lost. */
	PAIR_ON_RENEWAL,
	PAIR_ON_DUE,
	/* Once per pair after the program's start, state from
	 * pair_state_load(): restored = a SIP subscription of the from half is
	 * live again; dialogs = those restored. */
	PAIR_ON_RESTART,
	/* may_talk or may_watch may have changed; document = less of the user
	 * may be told than was, and the current document has been cut down to
	 * that.  Where a right goes, the
	 * subscription ends, the contact is told `unavailable` and the user is
	 * shown closed; nobody is unsubscribed, and the row stays until an
	 * admin removes it or the right comes back.  To be given while the
	 * partner can still be written to. */
	PAIR_ON_POLICY,
	/* An admin removes the pair. */
	PAIR_ON_REMOVE,
	/* PAIR_STORE failed: failed = kind of the event whose step it was; the
	 * other members as in that event. */
	PAIR_ON_DISK_FAILED,
	PAIR_EVENT_COUNT
};

enum pair_stanza {
	PAIR_STANZA_UNKNOWN,
	PAIR_SUBSCRIBE,
	PAIR_SUBSCRIBED,
	PAIR_UNSUBSCRIBE,
	PAIR_UNSUBSCRIBED,
	PAIR_PROBE,
	/* The user's presence as this contact may see it: the last document of
	 * this pair's own subscription; unavailable when there is none. */
	PAIR_CURRENT,
	/* Unavailable, whatever the document says.  It counts as told: the
	 * next PAIR_CURRENT differs from it even if the document is the one
	 * told before. */
	PAIR_UNAVAILABLE
};

/* Subscription-State reasons (RFC 6665 4.1.3). */
enum pair_reason {
	PAIR_REASON_NONE, /* absent or unknown */
	PAIR_DEACTIVATED,
	PAIR_PROBATION,
	PAIR_REJECTED,
	PAIR_TIMEOUT,
	PAIR_GIVEUP,
	PAIR_NORESOURCE,
	PAIR_INVARIANT
};
enum pair_reason pair_reason_parse(const char *s, size_t len);

struct pair_event {
	enum pair_event_kind kind;
	int64_t now_ms; /* wall clock; in every event */
	/* In every event: what policy says now (policy_judge_presence()). */
	bool may_talk;  /* partner listed, user permitted */
	bool may_watch; /* and the contact may watch this user */
	bool may_ask;   /* the contact may ask to watch whomever he likes */
	/* In every event: live dialogs of the to half, with the one that
	 * PAIR_ON_WATCH is about. */
	size_t dialogs;
	bool limited;   /* SUBSCRIBE of an address over the rate limit */
	bool context;   /* WATCH */
	bool document;  /* SIP_ACTIVE */
	bool restored;  /* RESTART */
	bool delivered; /* RESULT */
	uint16_t serial;
	enum pair_stanza stanza;
	enum condition condition;
	enum pair_reason reason;
	int status;
	uint32_t retry_after_s; /* 0 = not given */
	enum pair_event_kind failed;
};

/* --- actions ------------------------------------------------------------ */

enum pair_action_kind {
	/* The barrier: write step.after (drop the row when it is empty). */
	PAIR_STORE,
	/* The same, but nobody waits.  If it fails, the row is to be written
	 * again when the disk works again; a restart in between costs the pair
	 * nothing but a repeated stanza or a later date. */
	PAIR_STORE_LATER,

	/* The frame of the event is answered delivered; or failed with
	 * condition. */
	PAIR_TAKE,
	PAIR_REFUSE,

	/* To the contact's bare JID: stanza.  proof = with a barrier, and the
	 * fate comes back as PAIR_ON_RESULT with serial; else forgotten.
	 * answer = somebody waits for it: at once, even if the same was told
	 * before; else CURRENT and UNAVAILABLE may be damped, and left out when
	 * they would repeat what was told last. */
	PAIR_SEND,

	/* Our SIP subscription.  OPEN: a new one, a former one is dropped
	 * silently; first = the user may be prompted by it (slow limiter), else
	 * a renewal (pacing); plain = Accept only application/pidf+xml.  It may
	 * wait in a queue.  The document kept so far stays current. */
	PAIR_SIP_OPEN,
	PAIR_SIP_REFRESH, /* in the dialog, now: the full state is wanted */
	PAIR_SIP_END,     /* Expires 0, or out of the queue of openings */

	/* Lync's endpoints.  CONFIRM: 200 to the SUBSCRIBE of the event, once
	 * its dialog is stored; if it can't be, it is refused and
	 * PAIR_ON_UNWATCH follows.  DECLINE: status.  SHOW_ONE: NOTIFY on the
	 * dialog of the event (for FETCH the one-time answer, for UNWATCH the
	 * last NOTIFY, terminated;reason=timeout, where the notifier has not
	 * sent it), SHOW_ALL on each: show.  END_ALL: NOTIFY
	 * terminated;reason=rejected on each, and they are gone without
	 * PAIR_ON_UNWATCH. */
	PAIR_CONFIRM,
	PAIR_DECLINE,
	PAIR_SHOW_ONE,
	PAIR_SHOW_ALL,
	PAIR_END_ALL,
	/* What is known of the contact's resources is void. */
	PAIR_FORGET_SEEN,
	/* The user's document as told to the contact is void. */
	PAIR_FORGET_TOLD,
	PAIR_ACTION_COUNT
};

enum pair_show {
	PAIR_SHOW_CURRENT, /* aggregate of his resources; closed if none */
	PAIR_SHOW_CLOSED   /* closed: he may not be seen, or is out of reach */
};

struct pair_action {
	enum pair_action_kind kind;
	enum pair_stanza stanza;  /* SEND */
	bool proof;               /* SEND */
	bool answer;              /* SEND */
	uint16_t serial;          /* SEND with proof */
	enum condition condition; /* REFUSE */
	enum pair_show show;      /* SHOW_ONE, SHOW_ALL */
	bool first, plain;        /* SIP_OPEN */
	int status;               /* DECLINE */
};

/* --- state -------------------------------------------------------------- */

/* Our SIP subscription. */
enum pair_sip {
	PAIR_SIP_NONE,   /* there is none and none is wanted */
	PAIR_SIP_ASKED,  /* opening, or in the queue */
	PAIR_SIP_LIVE,   /* answered */
	PAIR_SIP_RETRY,  /* to be opened at sip_ms */
	PAIR_SIP_STOPPED /* the pool says nothing will change: not renewed */
};

enum pair_flag {
	/* Stored.  The Lync user has added the contact: "invited". */
	PAIR_INVITED = 1 << 0,
	/* Stored.  The pool takes only application/pidf+xml. */
	PAIR_PLAIN = 1 << 1,
	/* Not stored.  The contact was told `unavailable` by us, not by a
	 * document. */
	PAIR_DARK_FROM = 1 << 2,
	/* Not stored.  The user is shown closed because the partner is out of
	 * reach. */
	PAIR_DARK_TO = 1 << 3,
	/* Not stored.  Policy has closed the half. */
	PAIR_BARRED_FROM = 1 << 4,
	PAIR_BARRED_TO = 1 << 5,
	/* Not stored. */
	PAIR_POOL_AWAY = 1 << 6,
	PAIR_PARTNER_AWAY = 1 << 7,
	/* Not stored.  What is known of the contact is from before, and he was
	 * asked how he is; AGAIN: for the second time.  Without a word from
	 * him he is shown closed after partner_grace_ms. */
	PAIR_UNSURE = 1 << 8,
	PAIR_UNSURE_AGAIN = 1 << 9
};

/* A stanza of one half that has not been proven to have arrived. */
struct pair_debt {
	uint8_t owed;   /* enum pair_stanza; stored */
	uint8_t flight; /* sent, fate unknown; not stored */
	uint8_t fails;
	uint16_t serial; /* of the one in flight */
	int64_t due_ms;  /* to be sent (again) then; 0 = waits for its fate */
};

/* All-zero = a pair of strangers.  Only the machine writes it. */
struct pair_state {
	uint8_t roster; /* enum roster_state */
	uint8_t sip;    /* enum pair_sip */
	uint16_t flags;
	uint8_t sip_fails;
	uint8_t refusals; /* in a row; stored */
	uint16_t serial;
	struct pair_debt to, from;
	/* Wall clock; 0 = never, none. */
	int64_t asked_ms;      /* contact asked last */
	int64_t refused_ms;    /* he refused */
	int64_t remove_ms;     /* planned `unsubscribe` */
	int64_t used_ms;       /* last sign of life, to the day */
	int64_t gone_ms;       /* pool says 404 since */
	int64_t sip_ms;        /* RETRY: open then, 0 = when the pool is back.
	                          LIVE: refresh then, 0 = of itself */
	int64_t renew_ms;      /* LIVE: refreshed then, whatever happens before;
	                          0 = no need to */
	int64_t opened_ms;     /* last PAIR_SIP_OPEN */
	int64_t grace_from_ms; /* then the contact is told `unavailable` */
	int64_t grace_to_ms;   /* then the user is shown closed */
};

/* What of it is stored: the columns of a pair row. */
struct pair_saved {
	uint32_t roster, flags;
	int64_t asked_ms, refused_ms, remove_ms, used_ms;
};
void pair_state_save(struct pair_saved *out, const struct pair_state *s);
/* ERR_MALFORMED when the row can't be one of ours; *out is untouched. */
int pair_state_load(struct pair_state *out, const struct pair_saved *saved);
/* Nothing that would be worth a row. */
bool pair_state_empty(const struct pair_state *s);
/* The Lync user has added this contact. */
bool pair_state_invited(const struct pair_state *s);

/* --- the step ----------------------------------------------------------- */

/* Times and choices; pair_rules_default() gives those in brackets. */
struct pair_rules {
	int64_t ask_again_ms;   /* `subscribe` repeated, at sign-in (24 h) */
	int64_t ask_context_ms; /* the same when the user adds anew (60 s) */
	int64_t ask_most_ms;    /* longest wait after refusals (32 d) */
	int64_t retry_ms;       /* first wait before a SUBSCRIBE anew (60 s) */
	int64_t retry_most_ms;  /* longest (30 min) */
	int64_t gone_retry_ms;  /* wait after 403 and 404 (1 h) */
	int64_t gone_ms;        /* 404 for so long: user deleted (7 d) */
	int64_t owe_retry_ms;   /* first wait before a stanza anew (60 s) */
	int64_t owe_most_ms;    /* longest (1 h) */
	int64_t grace_ms;       /* pool out of reach (120 s) */
	int64_t partner_grace_ms; /* partner out of reach (120 s) */
	int64_t expires_ms;       /* longest Expires we grant (28800 s) */
	int64_t remove_ms;        /* no dialog for that and expires_ms (7 d) */
	bool refusal_ends;        /* `unsubscribed` ends Lync's dialogs (false:
	                        they are shown closed) */
};
extern const struct pair_rules pair_rules_default;

enum { PAIR_ACTIONS_MAX = 12 };

struct pair_step {
	struct pair_state after;
	struct pair_action actions[PAIR_ACTIONS_MAX];
	size_t count;
	int64_t due_ms;
};

void pair_machine_step(struct pair_step *out, const struct pair_state *s,
    const struct pair_event *e, const struct pair_rules *rules);

const char *pair_event_str(enum pair_event_kind k);
const char *pair_action_str(enum pair_action_kind k);
const char *pair_stanza_str(enum pair_stanza st);
const char *pair_sip_str(enum pair_sip sip);

#endif
