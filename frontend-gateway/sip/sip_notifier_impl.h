/*
 * sip_notifier_impl - what the files of the notifier share; for them alone.
 *
 *   sip_notifier.c        states, SUBSCRIBEs, NOTIFYs
 *   sip_notifier_image.c  its life beyond the process
 */
#ifndef FRONTEND_GATEWAY_SIP_SIP_NOTIFIER_IMPL_H
#define FRONTEND_GATEWAY_SIP_SIP_NOTIFIER_IMPL_H

#include "common/clock.h"
#include "frontend-gateway/sip/sip_grant.h"
#include "frontend-gateway/sip/sip_notifier.h"
#include "frontend-gateway/sip/sip_ua.h"

struct sip_notifier_waiting;

enum sip_notifier_state { UNANSWERED, ACTIVE, LAST, OVER };

struct sip_notifier {
	struct sip_ua *ua;
	struct sip_dialog *d;      /* NULL once ua has taken it away */
	struct sip_server_txn *st; /* the SUBSCRIBE to be answered */
	struct sip_ua_call *call;  /* the NOTIFY that is out */
	struct sip_notifier_waiting *waiting;
	const struct sip_notifier_events *events;
	void *arg;
	const char *event;
	char *id; /* of Event; NULL = none */
	struct clock_timer timer;
	struct sip_grant grant;
	uint32_t default_s, min_s, max_s;
	uint32_t label;
	unsigned changes;
	enum sip_notifier_state state;
	uint8_t entered;
	bool gone;
	bool dirty;
};

extern const struct sip_dialog_owner sip_notifier_owner;

/* One in UNANSWERED that has no dialog; NULL = no memory. */
struct sip_notifier *
sip_notifier_new(struct sip_ua *ua, const struct sip_notifier_opts *o);
/* With its dialog, without a word to anybody. */
void sip_notifier_free(struct sip_notifier *n);
/* To ACTIVE, for as long as is granted. */
void sip_notifier_activate(struct sip_notifier *n);

#endif
