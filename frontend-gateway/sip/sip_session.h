/*
 * sip_session - the time limit of a session: who refreshes it and how often
 * (RFC 4028).  Pure.
 *
 * We ask for no limit; a peer or a proxy may.  A limit that we would have to
 * keep alive is agreed to only with a peer that takes UPDATE, as the gateway
 * sends no re-INVITE.
 */
#ifndef FRONTEND_GATEWAY_SIP_SIP_SESSION_H
#define FRONTEND_GATEWAY_SIP_SIP_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "frontend-gateway/sip/sip_msg.h"

enum {
	SIP_SESSION_MIN_S = 90, /* RFC 4028 4: none is shorter */
	SIP_SESSION_MAX_S = 7 * 24 * 3600,
	SIP_SESSION_VALUE_SIZE = 40
};

struct sip_session {
	uint32_t interval_s; /* 0: no limit */
	bool ours;           /* the refreshes are ours to send */
};

/* As answerer of an INVITE or UPDATE that brings about or refreshes a session
 * which so far has the terms *s; these are replaced.  updates: the peer takes
 * UPDATE.  0, or 422 (then *s stays): the limit is below SIP_SESSION_MIN_S,
 * and the asker understands that answer. */
int sip_session_answer(
    struct sip_session *s, const struct sip_msg *request, bool updates);
/* As asker: what a 2xx to an INVITE or UPDATE of ours says. */
void sip_session_answered(
    struct sip_session *s, const struct sip_msg *response, bool updates);
/* The limit that a 422 to an UPDATE of ours asks for at least; 0: none that
 * could be kept. */
uint32_t sip_session_min_of(const struct sip_msg *response);

/* The value of Session-Expires for our request or answer.  In an answer who
 * refreshes is named from the asker's side. */
void sip_session_value(char out[SIP_SESSION_VALUE_SIZE],
    const struct sip_session *s, bool in_answer);

/* When, counted from the last refresh, the next one is due, and when the
 * session is given up, which is before the other side does. */
uint64_t sip_session_refresh_ms(const struct sip_session *s);
uint64_t sip_session_end_ms(const struct sip_session *s);

#endif
