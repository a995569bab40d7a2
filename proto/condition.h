/*
 * condition - the stanza error conditions of RFC 6120 8.3.3, each with the
 * type that section associates with it.  They are the vocabulary in which the
 * two halves tell each other what went wrong.
 */
#ifndef PROTO_CONDITION_H
#define PROTO_CONDITION_H

#include <stddef.h>

#define CONDITIONS(X)                                                          \
	X(COND_BAD_REQUEST, "bad-request", "modify")                           \
	X(COND_CONFLICT, "conflict", "cancel")                                 \
	X(COND_FEATURE_NOT_IMPLEMENTED, "feature-not-implemented", "cancel")   \
	X(COND_FORBIDDEN, "forbidden", "auth")                                 \
	X(COND_GONE, "gone", "cancel")                                         \
	X(COND_INTERNAL_SERVER_ERROR, "internal-server-error", "cancel")       \
	X(COND_ITEM_NOT_FOUND, "item-not-found", "cancel")                     \
	X(COND_JID_MALFORMED, "jid-malformed", "modify")                       \
	X(COND_NOT_ACCEPTABLE, "not-acceptable", "modify")                     \
	X(COND_NOT_ALLOWED, "not-allowed", "cancel")                           \
	X(COND_NOT_AUTHORIZED, "not-authorized", "auth")                       \
	X(COND_POLICY_VIOLATION, "policy-violation", "modify")                 \
	X(COND_RECIPIENT_UNAVAILABLE, "recipient-unavailable", "wait")         \
	X(COND_REDIRECT, "redirect", "modify")                                 \
	X(COND_REGISTRATION_REQUIRED, "registration-required", "auth")         \
	X(COND_REMOTE_SERVER_NOT_FOUND, "remote-server-not-found", "cancel")   \
	X(COND_REMOTE_SERVER_TIMEOUT, "remote-server-timeout", "wait")         \
	X(COND_RESOURCE_CONSTRAINT, "resource-constraint", "wait")             \
	X(COND_SERVICE_UNAVAILABLE, "service-unavailable", "cancel")           \
	X(COND_SUBSCRIPTION_REQUIRED, "subscription-required", "auth")         \
	X(COND_UNDEFINED_CONDITION, "undefined-condition", "cancel")           \
	X(COND_UNEXPECTED_REQUEST, "unexpected-request", "wait")

enum condition {
#define X(name, text, type) name,
	CONDITIONS(X)
#undef X
	    COND_COUNT
};

const char *condition_str(enum condition c);
/* "cancel", "modify", "wait", "auth". */
const char *condition_type(enum condition c);
/* COND_UNDEFINED_CONDITION when the name is unknown. */
enum condition condition_parse(const char *name, size_t len);

#endif
