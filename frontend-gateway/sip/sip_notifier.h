/*
 * sip_notifier - one dialog in which we notify a subscriber of the pool (RFC
 * 6665 4.2, [MS-PRES]).  Knows no XMPP and no documents.
 *
 * A SUBSCRIBE outside a dialog comes to the owner through sip_ua's
 * on_request.  The owner asks sip_notifier_admit(), decides, and opens one;
 * stores its image; confirms it (the 200) and notifies at once, as RFC 6665
 * 4.2.1.2 wants it.  Refreshes are answered here and told; the owner then
 * notifies again.  One NOTIFY is outstanding at a time; the newest waits and
 * replaces an older waiting one.  Only NOTIFY is sent, never BENOTIFY, which
 * nobody is bound to understand.
 *
 * Owns     the dialog, the unanswered SUBSCRIBE between open and confirm, the
 *          waiting notification.
 * Borrows  ua, clock, the event table, event: all outlive it.
 * Ends     on_end comes once, as the last callback: n is gone when it
 *          returns.  Or sip_notifier_end(), _refuse(), _drop(), after which
 *          nothing comes.
 * Errors   0 or a negative code.  A failed call has no effect and causes no
 *          callback.  No callback comes from within a call made here.
 *
 * All calls are allowed from within the callbacks.
 */
#ifndef FRONTEND_GATEWAY_SIP_SIP_NOTIFIER_H
#define FRONTEND_GATEWAY_SIP_SIP_NOTIFIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend-gateway/sip/sip_event.h"

struct buf;
struct clock;
struct sip_msg;
struct sip_notifier;
struct sip_server_txn;
struct sip_ua;

#define SIP_NOTIFIER_ENDS(X)                                                     \
	/* SUBSCRIBE with Expires 0; answered, last NOTIFY sent. */              \
	X(SIP_NOTIFIER_UNSUBSCRIBED, "unsubscribed")                             \
	/* No refresh came; last NOTIFY sent. */                                 \
	X(SIP_NOTIFIER_EXPIRED, "expired")                                       \
	/* A NOTIFY was answered as only somebody who does not know the        \
	 * subscription answers (481 and the like). */ \
	X(SIP_NOTIFIER_LOST, "lost")                                             \
	/* ua closes; the subscription lives on at the peer's. */                \
	X(SIP_NOTIFIER_CLOSED, "closed")

enum sip_notifier_why {
#define X(name, text) name,
	SIP_NOTIFIER_ENDS(X)
#undef X
	    SIP_NOTIFIER_WHY_COUNT
};
const char *sip_notifier_why_str(enum sip_notifier_why why);

struct sip_notifier_events {
	/* A refresh came and was answered 200 with expires_s.  A NOTIFY with
	 * the whole state is due; the image has changed.  req (its Accept, its
	 * body) is valid during the call. */
	void (*on_refresh)(struct sip_notifier *n, const struct sip_msg *req,
	    uint32_t expires_s, void *arg);
	/* What sip_notifier_save() writes has changed by something else: the
	 * route, or the next numbers were reserved.  May be NULL. */
	void (*on_changed)(struct sip_notifier *n, void *arg);
	/* The last NOTIFY has its answer and none waits: 2xx, or a status that
	 * leaves the dialog alone but means that the peer does not have the
	 * newest state (408 no answer, 503 no connection, 430, 480, 504 ...).
	 * May be NULL. */
	void (*on_answer)(struct sip_notifier *n, int status, void *arg);
	void (*on_end)(
	    struct sip_notifier *n, enum sip_notifier_why why, void *arg);
};

struct sip_notifier_opts {
	struct clock *clock;
	const char *event; /* borrowed; NULL = "presence" */
	/* Asked for without Expires: the default; else adjusted to min .. max.
	 * Seconds; 0 = 28800, 1200, 43200. */
	uint32_t expires_default_s, expires_min_s, expires_max_s;
	/* The owner's number, kept in the image. */
	uint32_t label;
	const struct sip_notifier_events *events; /* borrowed, static */
	void *arg;
};

/* Whether a SUBSCRIBE outside a dialog is for us to decide on.  When not, it
 * has been answered: 489 with Allow-Events for another package, 400 for an
 * Event or Expires that cannot be read or a missing Contact. */
bool sip_notifier_admit(
    struct sip_ua *ua, struct sip_server_txn *st, const char *event);
/* Whether it asks for the state once (Expires 0). */
bool sip_notifier_is_fetch(const struct sip_msg *req);

/* Makes the dialog of an admitted SUBSCRIBE without answering it; st is n's
 * from now on.  On error st is still the caller's: ERR_FULL at a limit of ua,
 * ERR_MALFORMED. */
int sip_notifier_open(struct sip_notifier **out, struct sip_ua *ua,
    struct sip_server_txn *st, const struct sip_notifier_opts *opts);
/* Answers 200 and starts the time; expires_s 0 = what sip_notifier_expires() says, else that is
 * granted (the image then changes with it).  Once. */
int sip_notifier_confirm(struct sip_notifier *n, uint32_t expires_s);
/* Answers with a refusal instead (300 .., 500 with Retry-After); n is gone. */
void sip_notifier_refuse(struct sip_notifier *n, int status,
    unsigned diagnostics, const char *reason);
/* Answers a fetch 200 and sends the one NOTIFY (terminated;reason=timeout);
 * type NULL = no document.  st is answered when this returns 0. */
int sip_notifier_fetch(struct sip_ua *ua, struct sip_server_txn *st,
    const struct sip_notifier_opts *opts, const char *type, const void *body,
    size_t len);

/* Sends a NOTIFY, state pending or active, or lets it wait for the answer to
 * the one before; type NULL = no document.  ERR_BAD_STATE before confirm,
 * ERR_CLOSED when the pool cannot be reached: nothing waits then, notify
 * again when it can be. */
int sip_notifier_notify(struct sip_notifier *n, enum sip_sub_state state,
    const char *type, const void *body, size_t len);
/* The last NOTIFY (terminated, retry_after_s 0 = none); n is gone for the
 * owner at once.  When it cannot be sent, that is logged, and the peer
 * learns with its next refresh. */
void sip_notifier_end(struct sip_notifier *n, enum sip_sub_reason reason,
    uint32_t retry_after_s, const char *type, const void *body, size_t len);
/* Forgets the dialog without a word (an unanswered SUBSCRIBE gets 500). */
void sip_notifier_drop(struct sip_notifier *n);

void *sip_notifier_arg(const struct sip_notifier *n);
uint32_t sip_notifier_label(const struct sip_notifier *n);
void sip_notifier_set_label(struct sip_notifier *n, uint32_t label);
/* Seconds granted last, or about to be by confirm. */
uint32_t sip_notifier_expires(const struct sip_notifier *n);
/* End of what was granted, ms since 1970. */
int64_t sip_notifier_expires_ms(const struct sip_notifier *n);
const char *sip_notifier_call_id(const struct sip_notifier *n);

/* Appends the image that sip_notifier_restore() reads; from open on.
 * ERR_BAD_STATE when there is nothing left to keep. */
int sip_notifier_save(struct buf *out, const struct sip_notifier *n);
/* A dialog of a process before, confirmed: takes refreshes and may be
 * notified in at once.  One that expired meanwhile ends as usual, 32 s from
 * now, unless a refresh comes.  New request numbers are reserved: save it
 * again soon; on_changed says so at the next occasion.  ERR_MALFORMED,
 * ERR_UNSUPPORTED (version), ERR_EXISTS, ERR_FULL. */
int sip_notifier_restore(struct sip_notifier **out, struct sip_ua *ua,
    const struct sip_notifier_opts *opts, const void *image, size_t len);

#endif
