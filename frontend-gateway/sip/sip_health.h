/*
 * sip_health - what we know of one front end from our own dealings with it.
 * Pure: events and time in, state out.
 *
 *   away      no connection of ours is up
 *   serving   connected, and nothing is known against it
 *   resting   it said 503, and for how long it wants to be left alone
 *             (RFC 3261 21.5.4, RFC 3263 4.3)
 *   silent    connected, and it does not answer
 *
 * A user's problem is no front end's: a 503 counts as its own only when it
 * answers INVITE or OPTIONS or names a time, and no ms-diagnostics says that
 * it came from somebody behind it ([MS-OCER]: source=).
 *
 * A front end that was silent stays so through a new connection, until it
 * has answered something: TLS may work where SIP hangs.
 */
#ifndef FRONTEND_GATEWAY_SIP_SIP_HEALTH_H
#define FRONTEND_GATEWAY_SIP_SIP_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sip_msg;

#define SIP_HEALTH_STATES(X)                                                   \
	X(SIP_HEALTH_AWAY, "away")                                             \
	X(SIP_HEALTH_SERVING, "serving")                                       \
	X(SIP_HEALTH_RESTING, "resting")                                       \
	X(SIP_HEALTH_SILENT, "silent")

enum sip_health_state {
#define X(name, text) name,
	SIP_HEALTH_STATES(X)
#undef X
	    SIP_HEALTH_STATE_COUNT
};
const char *sip_health_str(enum sip_health_state s);

enum {
	/* How long a 503 counts that names no time, and at most. */
	SIP_HEALTH_REST_MS = 30000,
	SIP_HEALTH_REST_MAX_MS = 300000
};

struct sip_health {
	enum sip_health_state state;
	bool suspect; /* has been silent, and has answered nothing since */
	uint64_t since_ms;
	uint64_t rest_until_ms; /* while resting */
	/* Requests of ours; their final answers; those that came to nothing
	 * and answers that tell of a fault (5xx). */
	uint64_t requests, answers, failures;
	char failure[128]; /* the newest, in words; "" = none yet */
	uint64_t failure_ms;
};

void sip_health_init(struct sip_health *h, uint64_t now_ms);
/* The first connection of ours is up; the last is gone, and why. */
void sip_health_up(struct sip_health *h, uint64_t now_ms);
void sip_health_down(struct sip_health *h, uint64_t now_ms, const char *why);
/* An attempt to connect came to nothing. */
void sip_health_failed(struct sip_health *h, uint64_t now_ms, const char *why);

void sip_health_sent(struct sip_health *h);
/* A final answer to a request of ours came from there.  name and pool: whose
 * ms-diagnostics are its own. */
void sip_health_answered(struct sip_health *h, uint64_t now_ms,
    const struct sip_msg *response, const char *name, const char *pool);
/* A request got no final answer, and why that is held against it. */
void
sip_health_unanswered(struct sip_health *h, uint64_t now_ms, const char *why);
/* It did not even answer a question about itself. */
void sip_health_silent(struct sip_health *h, uint64_t now_ms, const char *why);
/* Ends a rest that is over. */
void sip_health_tick(struct sip_health *h, uint64_t now_ms);
/* What is left of a rest; 0 when it is over, or none. */
uint64_t sip_health_rest_ms(const struct sip_health *h, uint64_t now_ms);

/* Whether a new dialog may begin there: nothing is known against it. */
bool sip_health_is_fit(const struct sip_health *h);

#endif
