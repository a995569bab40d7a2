/*
 * sip_event - the headers of event notification (RFC 6665 8.2): Event,
 * Subscription-State, Expires.  Pure.
 *
 * Reading is lenient where front ends are loose: header names come in any
 * case, and a NOTIFY without Subscription-State is an active one, or a
 * terminated one when it says "Expires: 0" ([MS-SIP] 3.3).  A state nobody
 * knows is told as such: it grants nothing and takes nothing away.
 */
#ifndef FRONTEND_GATEWAY_SIP_SIP_EVENT_H
#define FRONTEND_GATEWAY_SIP_SIP_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct sip_msg;

enum sip_sub_state {
	SIP_SUB_PENDING,
	SIP_SUB_ACTIVE,
	SIP_SUB_TERMINATED,
	SIP_SUB_STRANGE /* read only: a word of somebody's own, or garbled */
};
const char *sip_sub_state_str(enum sip_sub_state state);

/* RFC 6665 4.1.3; NONE = no reason given, OTHER = one nobody knows. */
#define SIP_SUB_REASONS(X)                                                     \
	X(SIP_SUB_NONE, "")                                                    \
	X(SIP_SUB_DEACTIVATED, "deactivated")                                  \
	X(SIP_SUB_PROBATION, "probation")                                      \
	X(SIP_SUB_REJECTED, "rejected")                                        \
	X(SIP_SUB_TIMEOUT, "timeout")                                          \
	X(SIP_SUB_GIVEUP, "giveup")                                            \
	X(SIP_SUB_NORESOURCE, "noresource")                                    \
	X(SIP_SUB_INVARIANT, "invariant")                                      \
	X(SIP_SUB_OTHER, "other")

enum sip_sub_reason {
#define X(name, text) name,
	SIP_SUB_REASONS(X)
#undef X
	    SIP_SUB_REASON_COUNT
};
const char *sip_sub_reason_str(enum sip_sub_reason reason);

struct sip_sub_info {
	enum sip_sub_state state;
	enum sip_sub_reason reason; /* of a terminated one */
	bool expires_known;
	uint32_t expires_s;
	uint32_t retry_after_s; /* 0 = not given */
};
/* Of a NOTIFY or BENOTIFY, or of a 2xx that carries a document. */
void sip_event_read_state(struct sip_sub_info *out, const struct sip_msg *m);
/* Appends a value of Subscription-State: state, its expires or its reason and
 * retry-after (0 = none). */
int sip_event_write_state(struct buf *out, const struct sip_sub_info *info);

enum { SIP_EVENT_ID_MAX = 128 };

/* Whether Event names that package; id (SIP_EVENT_ID_MAX + 1 bytes, may be
 * NULL) gets its id parameter, "" when absent.  ERR_NOT_FOUND for another
 * package or none, ERR_TOO_LONG, ERR_MALFORMED for an id that is no token. */
int sip_event_read(char *id, const struct sip_msg *m, const char *package);

/* A header with seconds (Expires, Min-Expires, Retry-After; what follows the
 * number is not read).  ERR_NOT_FOUND, ERR_MALFORMED; a number beyond 32 bits
 * reads as the largest. */
int
sip_event_seconds(uint32_t *out, const struct sip_msg *m, const char *header);

#endif
