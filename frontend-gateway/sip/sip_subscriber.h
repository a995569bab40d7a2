/*
 * sip_subscriber - one subscription of ours at somebody of the pool: we
 * SUBSCRIBE and are notified (RFC 6665 4.1, RFC 3856, [MS-PRES], [MS-SIP] 3).
 * Knows no XMPP and no documents.
 *
 * The dialog is made by the 2xx or by a NOTIFY that overtakes it.  The
 * granted Expires is always obeyed; the refresh goes out min(15 min, 10 %)
 * before its end.  423 is retried once with its Min-Expires.  Without a NOTIFY
 * (or a document in the 2xx) within 64 T1 the subscription has failed.  A
 * refresh that fails without ending the subscription is tried again until
 * the subscription expires.  A NOTIFY is answered as its owner judges it, from
 * within on_notice; one he refuses ends nothing.  BENOTIFYs are not answered.
 *
 * Owns     its dialog and the requests in it.
 * Borrows  ua, clock, the event table, event, accept: all outlive it.
 * Ends     on_over comes once, as the last callback: s is gone when it
 *          returns.  Or sip_subscriber_drop(), after which nothing comes.
 * Errors   0 or a negative code.  A failed call has no effect and causes no
 *          callback.  No callback comes from within a call made here.
 *
 * All calls are allowed from within the callbacks, drop and end included.
 */
#ifndef FRONTEND_GATEWAY_SIP_SIP_SUBSCRIBER_H
#define FRONTEND_GATEWAY_SIP_SIP_SUBSCRIBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend-gateway/sip/sip_event.h"

struct buf;
struct clock;
struct sip_subscriber;
struct sip_ua;

/* What a notification says. */
struct sip_notice {
	enum sip_sub_state state;
	enum sip_sub_reason reason; /* terminated */
	uint32_t retry_after_s;     /* terminated; 0 = not given */
	/* Lower case, without parameters; "" without a document. */
	const char *content_type;
	const uint8_t *body; /* valid during the call */
	size_t body_len;
};

/* Why a subscription is over. */
#define SIP_SUBSCRIBER_CAUSES(X)                                                \
	/* The first SUBSCRIBE was refused: status, retry-after. */             \
	X(SIP_SUBSCRIBER_REFUSED, "refused")                                    \
	/* No answer to the first SUBSCRIBE: 408. */                            \
	X(SIP_SUBSCRIBER_UNANSWERED, "unanswered")                              \
	/* The first SUBSCRIBE was lost with its connection: 503. */            \
	X(SIP_SUBSCRIBER_TRANSPORT, "transport")                                \
	/* Accepted, but no NOTIFY came. */                                     \
	X(SIP_SUBSCRIBER_SILENT, "silent")                                      \
	/* A refresh was answered with a code that ends the subscription      \
	 * (RFC 6665 4.1.2.2; 430 and 504 of a front end that lost the        \
	 * route): status, retry-after. */ \
	X(SIP_SUBSCRIBER_LOST, "lost")                                          \
	/* No refresh went through in time. */                                  \
	X(SIP_SUBSCRIBER_EXPIRED, "expired")                                    \
	/* A terminated notice, told just before: retry-after. */               \
	X(SIP_SUBSCRIBER_TERMINATED, "terminated")                              \
	/* sip_subscriber_end() has done its work. */                           \
	X(SIP_SUBSCRIBER_ENDED, "ended")                                        \
	/* ua closes; the subscription lives on at the peer's. */               \
	X(SIP_SUBSCRIBER_CLOSED, "closed")

enum sip_subscriber_cause {
#define X(name, text) name,
	SIP_SUBSCRIBER_CAUSES(X)
#undef X
	    SIP_SUBSCRIBER_CAUSE_COUNT
};
const char *sip_subscriber_cause_str(enum sip_subscriber_cause cause);

struct sip_subscriber_over {
	enum sip_subscriber_cause cause;
	int status;             /* of the refusal; 0 = there is none */
	uint32_t retry_after_s; /* 0 = not given */
};

struct sip_subscriber_events {
	/* The first SUBSCRIBE was accepted, or a refresh.  A notice may have
	 * come before.  May be NULL. */
	void (*on_granted)(
	    struct sip_subscriber *s, uint32_t expires_s, void *arg);
	/* NOTIFY, BENOTIFY, or the document in a 2xx.  The pair (state
	 * terminated, then on_over) ends the subscription.  Not called any
	 * more after sip_subscriber_end().  Returns the status of the answer:
	 * 200, or that of a refusal of the document (400, 415 ...); the state
	 * of the subscription counts all the same. */
	int (*on_notice)(struct sip_subscriber *s,
	    const struct sip_notice *notice, void *arg);
	/* What sip_subscriber_save() writes has changed: dialog made, refresh
	 * granted, route changed, next numbers reserved; not every NOTIFY.
	 * May be NULL. */
	void (*on_changed)(struct sip_subscriber *s, void *arg);
	void (*on_over)(struct sip_subscriber *s,
	    const struct sip_subscriber_over *over, void *arg);
};

struct sip_subscriber_opts {
	struct clock *clock;
	/* Open only; copied. */
	const char *uri;          /* whom: "sip:anna@contoso.example" */
	const char *from_uri;     /* "sip:bo@partner.example" */
	const char *from_display; /* UTF-8; may be NULL */
	const char *from_epid;    /* may be NULL */
	/* Open and restore: */
	const char *event;  /* borrowed; NULL = "presence" */
	const char *accept; /* borrowed; value of Accept */
	/* To ask for, at open and at refreshes; 0 = 28800. */
	uint32_t expires_s;
	/* A restored one whose refresh is overdue refreshes at a random moment
	 * within so many seconds; 0 = 60. */
	uint32_t spread_s;
	/* The owner's number, kept in the image. */
	uint32_t label;
	const struct sip_subscriber_events *events; /* borrowed, static */
	void *arg;
};

/* Sends the first SUBSCRIBE.  ERR_CLOSED when the pool cannot be reached,
 * ERR_FULL at a limit of ua, ERR_MALFORMED for an address that is none. */
int sip_subscriber_open(struct sip_subscriber **out, struct sip_ua *ua,
    const struct sip_subscriber_opts *opts);
/* Ends it: SUBSCRIBE with Expires 0, then, with its answer, on_over (ENDED),
 * 64 T1 later at most (twice that when the first answer is still out).  Harmless when ending already. */
void sip_subscriber_end(struct sip_subscriber *s);
/* Forgets it without a word; s is gone at once. */
void sip_subscriber_drop(struct sip_subscriber *s);
/* Asks for that time from the next SUBSCRIBE on; 0 = the default. */
void sip_subscriber_ask_for(struct sip_subscriber *s, uint32_t expires_s);
/* Refreshes now instead of when due.  ERR_BAD_STATE while the first SUBSCRIBE
 * or a refresh is under way, or s is ending; ERR_CLOSED. */
int sip_subscriber_refresh(struct sip_subscriber *s);

void *sip_subscriber_arg(const struct sip_subscriber *s);
uint32_t sip_subscriber_label(const struct sip_subscriber *s);
/* End of what was granted, ms since 1970; 0 before the grant. */
int64_t sip_subscriber_expires_ms(const struct sip_subscriber *s);
/* "" before the dialog is made. */
const char *sip_subscriber_call_id(const struct sip_subscriber *s);

/* Appends the image that sip_subscriber_restore() reads.  ERR_BAD_STATE before
 * the first on_changed and while ending: there is nothing to keep. */
int sip_subscriber_save(struct buf *out, const struct sip_subscriber *s);
/* A subscription of a process before: takes NOTIFYs at once and refreshes when
 * due.  New request numbers are reserved: save it again soon; on_changed says
 * so at the next occasion.
 * ERR_MALFORMED for an image that is none, ERR_UNSUPPORTED for one of another
 * version, ERR_TIMEOUT for one that has expired, ERR_EXISTS for a dialog that
 * is there already, ERR_FULL at a limit of ua. */
int sip_subscriber_restore(struct sip_subscriber **out, struct sip_ua *ua,
    const struct sip_subscriber_opts *opts, const void *image, size_t len);

#endif
