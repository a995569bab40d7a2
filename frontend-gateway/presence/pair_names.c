/* The words for events, actions and the rest, for logs and for operators. */
#include <assert.h>
#include <string.h>
#include <strings.h>

#include "frontend-gateway/presence/pair_machine.h"

const char *
pair_event_str(enum pair_event_kind k)
{
	static const char *const names[PAIR_EVENT_COUNT] = {
		[PAIR_ON_SUBSCRIBE] = "subscribe",
		[PAIR_ON_SUBSCRIBED] = "subscribed",
		[PAIR_ON_UNSUBSCRIBE] = "unsubscribe",
		[PAIR_ON_UNSUBSCRIBED] = "unsubscribed",
		[PAIR_ON_PROBE] = "probe",
		[PAIR_ON_AVAILABLE] = "available",
		[PAIR_ON_UNAVAILABLE] = "unavailable",
		[PAIR_ON_ERROR] = "error",
		[PAIR_ON_RESULT] = "result",
		[PAIR_ON_WATCH] = "watch",
		[PAIR_ON_REFRESH] = "refresh",
		[PAIR_ON_UNWATCH] = "unwatch",
		[PAIR_ON_FETCH] = "fetch",
		[PAIR_ON_SIP_GRANTED] = "sip-granted",
		[PAIR_ON_SIP_ACTIVE] = "sip-active",
		[PAIR_ON_SIP_PENDING] = "sip-pending",
		[PAIR_ON_SIP_TERMINATED] = "sip-terminated",
		[PAIR_ON_SIP_OVER] = "sip-over",
		[PAIR_ON_POOL_LOST] = "pool-lost",
		[PAIR_ON_POOL_BACK] = "pool-back",
		[PAIR_ON_PROBED] = "probed",
		[PAIR_ON_PARTNER_LOST] = "partner-lost",
		[PAIR_ON_PARTNER_BACK] = "partner-back",
		[PAIR_ON_RENEWAL] = "renewal",
		[PAIR_ON_DUE] = "due",
		[PAIR_ON_RESTART] = "restart",
		[PAIR_ON_POLICY] = "policy",
		[PAIR_ON_REMOVE] = "remove",
		[PAIR_ON_DISK_FAILED] = "disk-failed",
	};

	assert(k < PAIR_EVENT_COUNT);
	return names[k];
}

const char *
pair_action_str(enum pair_action_kind k)
{
	static const char *const names[PAIR_ACTION_COUNT] = {
		[PAIR_STORE] = "store",
		[PAIR_STORE_LATER] = "store-later",
		[PAIR_TAKE] = "take",
		[PAIR_REFUSE] = "refuse",
		[PAIR_SEND] = "send",
		[PAIR_SIP_OPEN] = "sip-open",
		[PAIR_SIP_REFRESH] = "sip-refresh",
		[PAIR_SIP_END] = "sip-end",
		[PAIR_CONFIRM] = "confirm",
		[PAIR_DECLINE] = "decline",
		[PAIR_SHOW_ONE] = "show-one",
		[PAIR_SHOW_ALL] = "show-all",
		[PAIR_END_ALL] = "end-all",
		[PAIR_FORGET_SEEN] = "forget-seen",
		[PAIR_FORGET_TOLD] = "forget-told",
	};

	assert(k < PAIR_ACTION_COUNT);
	return names[k];
}

const char *
pair_stanza_str(enum pair_stanza st)
{
	static const char *const names[] = {
		[PAIR_STANZA_UNKNOWN] = "none",
		[PAIR_SUBSCRIBE] = "subscribe",
		[PAIR_SUBSCRIBED] = "subscribed",
		[PAIR_UNSUBSCRIBE] = "unsubscribe",
		[PAIR_UNSUBSCRIBED] = "unsubscribed",
		[PAIR_PROBE] = "probe",
		[PAIR_CURRENT] = "current",
		[PAIR_UNAVAILABLE] = "unavailable",
	};

	assert((size_t)st < sizeof(names) / sizeof(names[0]));
	return names[st];
}

const char *
pair_sip_str(enum pair_sip sip)
{
	static const char *const names[] = {
		[PAIR_SIP_NONE] = "none",
		[PAIR_SIP_ASKED] = "asked",
		[PAIR_SIP_LIVE] = "live",
		[PAIR_SIP_RETRY] = "retry",
		[PAIR_SIP_STOPPED] = "stopped",
	};

	assert((size_t)sip < sizeof(names) / sizeof(names[0]));
	return names[sip];
}

enum pair_reason
pair_reason_parse(const char *s, size_t len)
{
	static const struct {
		const char *name;
		enum pair_reason reason;
	} reasons[] = {
		{ "deactivated", PAIR_DEACTIVATED },
		{ "probation", PAIR_PROBATION },
		{ "rejected", PAIR_REJECTED },
		{ "timeout", PAIR_TIMEOUT },
		{ "giveup", PAIR_GIVEUP },
		{ "noresource", PAIR_NORESOURCE },
		{ "invariant", PAIR_INVARIANT },
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (strlen(reasons[i].name) == len &&
		    strncasecmp(reasons[i].name, s, len) == 0)
			return reasons[i].reason;
	}
	return PAIR_REASON_NONE;
}
