/*
 * errors - SIP statuses and stanza errors as each side's people are told
 * (RFC 7247 7; RFC 4320 for 408, which becomes 504).
 *
 * Towards SIP there is never a 503, which would take the gateway out of use,
 * nor a 401 or 407, which would ask for credentials.  Each failure carries an
 * ms-diagnostics id from the range for applications' errors (61000 to 61999)
 * and a reason for the administrator ([MS-OCER]).  Pure.
 */
#ifndef FRONTEND_GATEWAY_TRANSLATE_ERRORS_H
#define FRONTEND_GATEWAY_TRANSLATE_ERRORS_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/condition.h"

/* --- to SIP ------------------------------------------------------------- */

/* The header field that goes with a refusal. */
enum errors_header {
	ERRORS_BARE,
	ERRORS_RETRY_AFTER,
	ERRORS_ACCEPT_TEXT,    /* Accept: what a MESSAGE may bring */
	ERRORS_ACCEPT_SESSION, /* ... an INVITE */
	ERRORS_ACCEPT_NOTICE,  /* ... an INFO */
	ERRORS_WARNING_MEDIA,  /* Warning: 304 */
	ERRORS_WARNING_FORMAT  /* Warning: 305 */
};

struct errors_sip {
	int status;
	unsigned diagnostics; /* ms-diagnostics id */
	const char *reason;   /* its reason; static */
	enum errors_header header;
	unsigned retry_after; /* seconds, with ERRORS_RETRY_AFTER */
};

/* The status for a message whose stanza failed.  condition is its name (NULL
 * or unknown: undefined-condition); text may be NULL. */
void
errors_to_sip(struct errors_sip *out, const char *condition, const char *text);

/* The reason with the words of the edge or of the partner's server behind it:
 * for inside eyes, on one line, without quotes, cut when long.  text may be
 * NULL. */
enum { ERRORS_DETAIL_SIZE = 320 };
void errors_detail(char out[static ERRORS_DETAIL_SIZE],
    const struct errors_sip *e, const char *text);

/* X(constant, status, diagnostics, header, reason): what the gateway itself
 * refuses.  The manual page tells what to do about each. */
#define ERRORS_CAUSES(X)                                                       \
	X(ERRORS_DIALOG_UNKNOWN, 481, 61001, BARE,                             \
	    "Dialog unknown after restart")                                    \
	X(ERRORS_ADDRESS_MALFORMED, 400, 61010, BARE,                          \
	    "SIP address is malformed")                                        \
	X(ERRORS_ADDRESS_UNKNOWN, 404, 61011, BARE,                            \
	    "Address cannot belong to an XMPP user")                           \
	X(ERRORS_ADDRESS_SCHEME, 416, 61012, BARE,                             \
	    "URI scheme has no XMPP side")                                     \
	X(ERRORS_ADDRESS_INCOMPLETE, 484, 61013, BARE,                         \
	    "SIP address has no user")                                         \
	X(ERRORS_ADDRESS_TOO_LONG, 414, 61014, BARE,                           \
	    "SIP address is too long")                                         \
	X(ERRORS_PARTNER_UNKNOWN, 404, 61020, BARE,                            \
	    "Domain is not among the allowed XMPP partners")                   \
	X(ERRORS_USER_NOT_PERMITTED, 403, 61021, BARE,                         \
	    "User is not permitted to talk to XMPP partners")                  \
	X(ERRORS_USER_FOREIGN, 403, 61022, BARE,                               \
	    "Sender is not in a domain that this gateway serves")              \
	X(ERRORS_FEDERATION_OFF, 403, 61023, BARE,                             \
	    "AllowFederatedUsers is off: there is no federation")              \
	X(ERRORS_NO_FEDERATION_ACCESS, 403, 61024, BARE,                       \
	    "EnableFederationAccess is off in the user's policy")              \
	X(ERRORS_NO_XMPP_ACCESS, 403, 61025, BARE,                             \
	    "EnableXmppAccess is off in the user's policy")                    \
	X(ERRORS_NO_PUBLIC_CLOUD_ACCESS, 403, 61026, BARE,                     \
	    "EnablePublicCloudAccess is off in the user's policy")             \
	X(ERRORS_NO_PUBLIC_CLOUD_CALLS, 403, 61027, BARE,                      \
	    "EnablePublicCloudAudioVideoAccess is off in the user's policy")   \
	X(ERRORS_BODY_MALFORMED, 400, 61030, BARE,                             \
	    "Message body is malformed")                                       \
	X(ERRORS_BODY_TOO_LARGE, 413, 61031, BARE,                             \
	    "Message body is too large")                                       \
	X(ERRORS_BODY_TYPE, 415, 61032, ACCEPT_TEXT,                           \
	    "Message body is of a type not taken")                             \
	X(ERRORS_CONFERENCE, 415, 61040, ACCEPT_SESSION,                       \
	    "Group chat is not supported")                                     \
	X(ERRORS_MEDIA, 488, 61041, WARNING_MEDIA,                             \
	    "Only instant messages are supported")                             \
	X(ERRORS_CALL, 488, 61042, WARNING_MEDIA,                              \
	    "Audio and video are not supported")                               \
	X(ERRORS_SHARING, 488, 61043, WARNING_MEDIA,                           \
	    "Application sharing is not supported")                            \
	X(ERRORS_FILE, 488, 61044, WARNING_MEDIA,                              \
	    "File transfer is not supported")                                  \
	X(ERRORS_SESSION_TYPE, 415, 61045, ACCEPT_SESSION,                     \
	    "Invitation is of a type not taken")                               \
	X(ERRORS_SESSION_FORMAT, 488, 61046, WARNING_FORMAT,                   \
	    "Chat without plain text is not supported")                        \
	X(ERRORS_NOTICE_TYPE, 415, 61047, ACCEPT_NOTICE,                       \
	    "Notice is of a type not taken")                                   \
	X(ERRORS_PENDING, 491, 61048, BARE,                                    \
	    "An offer is still to be answered")                                \
	X(ERRORS_OVERLOAD, 480, 61050, BARE,                                   \
	    "Too many messages wait for delivery")                             \
	X(ERRORS_NO_EDGE, 504, 61051, BARE, "No edge server is connected")     \
	X(ERRORS_DEADLINE, 504, 61052, BARE,                                   \
	    "XMPP server did not confirm the message in time")                 \
	/* 503 speaks for the whole gateway, and that is what is meant. */     \
	X(ERRORS_STOPPING, 503, 61053, RETRY_AFTER, "Gateway is stopping")     \
	X(ERRORS_NO_DISK, 500, 61054, RETRY_AFTER,                             \
	    "Gateway cannot store contacts now")                               \
	X(ERRORS_DOCUMENT_TYPE, 406, 61055, BARE,                              \
	    "No form of presence that the client takes")                       \
	X(ERRORS_PROVIDER_DISABLED, 403, 61070, BARE,                          \
	    "Public provider is disabled")                                     \
	X(ERRORS_PROVIDER_NOT_BEGUN, 403, 61071, BARE,                         \
	    "Public provider is not in service yet")                           \
	X(ERRORS_PROVIDER_ENDED, 403, 61072, BARE,                             \
	    "Public provider has ended its service")                           \
	X(ERRORS_PROVIDER_NO_MESSAGES, 403, 61073, BARE,                       \
	    "Public provider has no instant messages")                         \
	X(ERRORS_PROVIDER_NO_PRESENCE, 403, 61074, BARE,                       \
	    "Public provider has no presence")                                 \
	X(ERRORS_LICENCE_MISSING, 403, 61075, BARE,                            \
	    "User has no licence for the public provider")                     \
	X(ERRORS_LICENCE_NOT_BEGUN, 403, 61076, BARE,                          \
	    "User's licence for the public provider is not valid yet")         \
	X(ERRORS_LICENCE_EXPIRED, 403, 61077, BARE,                            \
	    "User's licence for the public provider has expired")              \
	X(ERRORS_PROVIDER_NO_AUDIO, 488, 61078, WARNING_MEDIA,                 \
	    "Public provider has no audio")                                    \
	X(ERRORS_PROVIDER_NO_VIDEO, 488, 61079, WARNING_MEDIA,                 \
	    "Public provider has no video")                                    \
	X(ERRORS_INTERNAL, 500, 61090, RETRY_AFTER, "Gateway failed")

enum errors_cause {
#define X(name, status, diagnostics, header, reason) name,
	ERRORS_CAUSES(X)
#undef X
	    ERRORS_CAUSE_COUNT
};

void errors_refusal(struct errors_sip *out, enum errors_cause cause);
/* For a status that address_from_sip() or body_from_sip() gave. */
enum errors_cause errors_address_cause(int status);
enum errors_cause errors_body_cause(int status);

/* --- from SIP ----------------------------------------------------------- */

/* The end of an INVITE or MESSAGE of ours for one stanza. */
struct errors_answer {
	int status;           /* final; 408 for no answer in time */
	unsigned warning;     /* code of a Warning field, or 0 */
	unsigned diagnostics; /* id of an ms-diagnostics field, or 0 */
	bool transport;       /* the connection broke: status is ours */
	bool in_dialog;       /* the request was sent in a dialog */
	bool retried;         /* this stanza was sent anew once already */
	bool notification;    /* typing and the like: failure is nobody's */
	bool stranger;        /* the sender has no right to know why */
};

enum errors_next {
	ERRORS_TAKEN,              /* delivered */
	ERRORS_NOTHING,            /* failed, nobody is told */
	ERRORS_RETRY_INVITE,       /* dialog lost: send it in a new INVITE */
	ERRORS_RETRY_CONVERSATION, /* the same with a new Ms-Conversation-ID */
	ERRORS_REPORT,             /* failed: the stanza error is in *out */
};

struct errors_stanza {
	enum condition condition;
	const char *type;    /* "cancel" ... */
	const char *text;    /* English, static; NULL = none */
	bool moved;          /* gone: the Contact's JID is the new address */
	const char *gone_to; /* that address, by who knows it; NULL = untold */
	bool alarm; /* the pool demands credentials: tell the operator */
};

/* *out is written only with ERRORS_REPORT. */
enum errors_next
errors_from_sip(struct errors_stanza *out, const struct errors_answer *in);

#endif
