/*
 * sip_subscriber_impl - what the files of the subscriber share; for them
 * alone.
 *
 *   sip_subscriber.c         states, requests, answers
 *   sip_subscriber_notice.c  what the peer sends
 *   sip_subscriber_image.c   its life beyond the process
 */
#ifndef FRONTEND_GATEWAY_SIP_SIP_SUBSCRIBER_IMPL_H
#define FRONTEND_GATEWAY_SIP_SIP_SUBSCRIBER_IMPL_H

#include "common/clock.h"
#include "frontend-gateway/sip/sip_grant.h"
#include "frontend-gateway/sip/sip_subscriber.h"
#include "frontend-gateway/sip/sip_ua.h"

/* A longer grant is refreshed as if it were this long: a subscription that
 * the peer has lost must be noticed. */
enum { SIP_SUBSCRIBER_GRANT_MAX_S = 86400 };

enum sip_subscriber_state {
	ASKING,
	AWAITING,
	LIVE,
	REFRESHING,
	ENDING,
	LINGERING,
	OVER
};

struct sip_subscriber {
	struct sip_ua *ua;
	struct sip_dialog *d;          /* NULL once ua has taken it away */
	struct sip_ua_call *call;      /* the SUBSCRIBE under way */
	struct sip_server_txn *notify; /* the NOTIFY being looked at */
	const struct sip_subscriber_events *events;
	void *arg;
	const char *event, *accept;
	struct clock_timer timer;
	struct sip_grant grant;
	uint32_t asked_s;
	uint32_t label;
	unsigned changes; /* of the dialog, as the owner knows it */
	enum sip_subscriber_state state;
	uint8_t entered; /* depth of stimuli at work */
	uint8_t retries; /* of a refresh */
	bool gone;       /* to be freed, no callback any more */
	bool adjusted;   /* 423 was obeyed */
	bool notified;   /* a NOTIFY came, or a document */
	bool finished;   /* a terminated one, while ending */
	bool leaving;    /* the SUBSCRIBE with Expires 0 is out */
	bool dirty;      /* the image has changed */
};

extern const struct sip_dialog_owner sip_subscriber_owner;

/* One in ASKING that has no dialog and has asked for nothing; NULL = no
 * memory. */
struct sip_subscriber *
sip_subscriber_new(struct sip_ua *ua, const struct sip_subscriber_opts *o);
/* With its dialog, without a word to anybody. */
void sip_subscriber_free(struct sip_subscriber *s);
void sip_subscriber_set_state(
    struct sip_subscriber *s, enum sip_subscriber_state to);
/* Whether there is something that may outlive the process. */
bool sip_subscriber_is_lasting(const struct sip_subscriber *s);
/* Until the refresh is due: 0 when it is overdue. */
uint64_t sip_subscriber_refresh_ms(const struct sip_subscriber *s);

/* Around each stimulus: a callback may do what it likes to s, and memory goes
 * in the last leave(). */
void sip_subscriber_enter(struct sip_subscriber *s);
void sip_subscriber_leave(struct sip_subscriber *s);
/* Tells the owner that it is over. */
void sip_subscriber_end_over(struct sip_subscriber *s,
    enum sip_subscriber_cause cause, int status, uint32_t retry_after_s);
void sip_subscriber_set_expiry(struct sip_subscriber *s, uint32_t granted_s);
void sip_subscriber_go_live(struct sip_subscriber *s);

/* --- sip_subscriber_notice.c -------------------------------------------- */

/* A NOTIFY, BENOTIFY, or a 2xx with a document. */
void
sip_subscriber_take_notice(struct sip_subscriber *s, const struct sip_msg *m);
/* The NOTIFY being looked at, if there is one. */
void sip_subscriber_answer(struct sip_subscriber *s, int status);
void sip_subscriber_on_request(struct sip_ua *ua, struct sip_server_txn *st,
    const struct sip_msg *req, struct sip_dialog *d);
void sip_subscriber_on_withdrawn(
    struct sip_ua *ua, struct sip_server_txn *st, struct sip_dialog *d);

#endif
