/*
 * sip_subscriber_impl - what the files of the subscriber share; for them
 * alone.
 *
 *   sip_subscriber.c        states, requests, answers, notices
 *   sip_subscriber_image.c  its life beyond the process
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

#endif
