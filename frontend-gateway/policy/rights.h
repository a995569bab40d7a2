/*
 * rights - whether a Lync user may have anything to do with a partner's people,
 * and if not, what is missing.
 *
 * In the order in which an administrator would put it right: the master switch,
 * the user's external access policy, the provider whose users they are, her
 * licences for it, what the provider could do.  Partners that are no public
 * provider's need the first two alone.
 *
 * Owns     policies, grants, licences, providers.
 * Errors   those of access.h and licences.h.
 */
#ifndef GATEWAY_POLICY_RIGHTS_H
#define GATEWAY_POLICY_RIGHTS_H

#include <stdint.h>

#include "frontend-gateway/policy/providers.h"
#include "frontend-gateway/translate/errors.h"

struct access;
struct licences;

struct rights {
	struct access *access;
	struct licences *licences;
	struct providers providers;
};

int rights_init(struct rights *r);
void rights_finish(struct rights *r);

/* X(constant, word for the log, cause towards the user's client) */
#define RIGHTS_LACKS(X)                                                        \
	X(RIGHTS_MASTER, "AllowFederatedUsers-off", ERRORS_FEDERATION_OFF)     \
	X(RIGHTS_USER, "user-not-permitted", ERRORS_USER_NOT_PERMITTED)        \
	X(RIGHTS_FEDERATION, "EnableFederationAccess-off",                     \
	    ERRORS_NO_FEDERATION_ACCESS)                                       \
	X(RIGHTS_XMPP, "EnableXmppAccess-off", ERRORS_NO_XMPP_ACCESS)          \
	X(RIGHTS_PROVIDER_DISABLED, "provider-disabled",                       \
	    ERRORS_PROVIDER_DISABLED)                                          \
	X(RIGHTS_PROVIDER_NOT_BEGUN, "provider-not-begun",                     \
	    ERRORS_PROVIDER_NOT_BEGUN)                                         \
	X(RIGHTS_PROVIDER_ENDED, "provider-ended", ERRORS_PROVIDER_ENDED)      \
	X(RIGHTS_PUBLIC_CLOUD, "EnablePublicCloudAccess-off",                  \
	    ERRORS_NO_PUBLIC_CLOUD_ACCESS)                                     \
	X(RIGHTS_PUBLIC_CLOUD_CALLS, "EnablePublicCloudAudioVideoAccess-off",  \
	    ERRORS_NO_PUBLIC_CLOUD_CALLS)                                      \
	X(RIGHTS_LICENCE_MISSING, "licence-missing", ERRORS_LICENCE_MISSING)   \
	X(RIGHTS_LICENCE_NOT_BEGUN, "licence-not-begun",                       \
	    ERRORS_LICENCE_NOT_BEGUN)                                          \
	X(RIGHTS_LICENCE_EXPIRED, "licence-expired", ERRORS_LICENCE_EXPIRED)   \
	X(RIGHTS_NO_MESSAGES, "provider-without-messages",                     \
	    ERRORS_PROVIDER_NO_MESSAGES)                                       \
	X(RIGHTS_NO_PRESENCE, "provider-without-presence",                     \
	    ERRORS_PROVIDER_NO_PRESENCE)                                       \
	X(RIGHTS_NO_AUDIO, "provider-without-audio", ERRORS_PROVIDER_NO_AUDIO) \
	X(RIGHTS_NO_VIDEO, "provider-without-video", ERRORS_PROVIDER_NO_VIDEO)

enum rights_lack {
	RIGHTS_NOTHING, /* is missing */
#define X(name, word, cause) name,
	RIGHTS_LACKS(X)
#undef X
	    RIGHTS_LACK_COUNT
};

const char *rights_lack_str(enum rights_lack lack);
/* ERRORS_CAUSE_COUNT for RIGHTS_NOTHING. */
enum errors_cause rights_cause(enum rights_lack lack);

/* What for; with video there is audio as well. */
enum rights_use {
	RIGHTS_MESSAGES,
	RIGHTS_PRESENCE,
	RIGHTS_AUDIO,
	RIGHTS_VIDEO
};

struct rights_question {
	const char *user, *domain;    /* of hers */
	enum providers_name provider; /* PROVIDERS_COUNT = none */
	enum rights_use use;
	int32_t today;
};
struct rights_answer {
	enum rights_lack lack;
	/* For people who look for the cause; valid until the next change, ""
	 * when it has no part in it. */
	const char *policy, *provider, *licence;
};
struct rights_answer
rights_judge(const struct rights *r, const struct rights_question *q);

#endif
