/*
 * providers - the public instant messaging providers: what each could do, which
 * licence it took, from when until when.
 *
 * The catalogue is history, as the product's documentation and the providers
 * told it.  An administrator may lay other terms over an entry, for there may
 * be a successor that takes the provider's place.  XMPP carries messages and
 * presence; that a provider also had audio and video is told and no more.
 *
 * Which of a user's rights counts depends on how the provider was reached:
 * EnablePublicCloudAccess is about those of SIP.
 *
 * Pure, but for the memory of a provider's terms.
 */
#ifndef GATEWAY_POLICY_PROVIDERS_H
#define GATEWAY_POLICY_PROVIDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(constant, Identity, messages, presence, audio, video, Route, Licences,
 * StartDate, EndDate, Description); truth as JSON has it, dates "" when not
 * known. */
#define PROVIDERS_CATALOGUE(X)                                                 \
	X(PROVIDERS_AOL, "America Online", true, true, false, false, "SIP",    \
	    "Standard CAL", "", "2014-06-30",                                  \
	    "AOL Instant Messenger; closed on 15 December 2017")               \
	X(PROVIDERS_WINDOWS_LIVE, "Windows Live", true, true, true, true,      \
	    "SIP", "Standard CAL", "", "2013-03-15",                           \
	    "Messenger; its users were moved to Skype")                        \
	X(PROVIDERS_YAHOO, "Yahoo!", true, true, false, false, "SIP",          \
	    "PIC USL, Standard CAL", "", "2014-06-30",                         \
	    "Yahoo! Messenger; closed in July 2018")                           \
	X(PROVIDERS_SKYPE, "Skype", true, true, true, false, "SIP",            \
	    "Standard CAL", "2013-05-01", "2025-05-05", "Skype for consumers") \
	X(PROVIDERS_GOOGLE_TALK, "Google Talk", true, true, false, false,      \
	    "XMPP", "", "", "2017-06-26",                                      \
	    "Reached by XMPP, TCP dialback alone; partner gmail.com")

enum providers_name {
#define X(name, id, im, pres, audio, video, route, lic, start, end, words) name,
	PROVIDERS_CATALOGUE(X)
#undef X
	    PROVIDERS_COUNT
};

enum { PROVIDERS_LICENCES_MAX = 4, PROVIDERS_LICENCE_SIZE = 64 };

/* What holds for a provider. */
struct provider {
	const char *identity; /* static */
	bool enabled;
	bool messages, presence, audio, video;
	bool by_sip;        /* EnablePublicCloudAccess is needed */
	int32_t start, end; /* the first day and the last */
	/* All of them are needed. */
	char licences[PROVIDERS_LICENCES_MAX][PROVIDERS_LICENCE_SIZE];
	size_t licence_count;
};

struct providers {
	struct provider rows[PROVIDERS_COUNT];
};

/* The terms of an entry as JSON members have them. */
struct providers_terms {
	bool enabled, messages, presence, audio, video;
	const char *route, *licences, *start, *end;
};

/* The catalogue as it is. */
void providers_init(struct providers *p);
/* ERR_MALFORMED and those of providers_read_licences(): nothing has changed. */
int providers_set(struct providers *p, enum providers_name which,
    const struct providers_terms *t);

/* By Identity, without regard to case; PROVIDERS_COUNT when there is none. */
enum providers_name providers_find(const char *identity);
const char *providers_identity(enum providers_name which);

/* "PIC USL, Standard CAL"; 0, or ERR_MALFORMED (an empty name), ERR_TOO_LONG,
 * ERR_FULL.  out may be NULL. */
int providers_read_licences(struct provider *out, const char *text);

enum providers_state {
	PROVIDERS_IN_SERVICE,
	PROVIDERS_DISABLED,
	PROVIDERS_NOT_BEGUN,
	PROVIDERS_ENDED
};
enum providers_state
providers_state_of(const struct provider *p, int32_t today);
/* "in service", "disabled", "not begun", "ended". */
const char *providers_state_str(enum providers_state s);

#endif
