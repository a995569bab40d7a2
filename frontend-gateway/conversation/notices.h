/*
 * notices - tells a Lync user of a message that failed behind its 200.
 *
 * SIP has no report for that in a chat of two.  Three forms:
 *
 * chat  a line in the chat that quotes how the message began; one for a pair
 *       in NOTICES_PAUSE_MS, those that fail meanwhile are counted and told
 *       together at its end.
 * imdn  a disposition notification of the kind that Lync's IM MCU sends
 *       ([MS-CONFIM] 2.2.2, 3.3.2.5): the message was answered 202 with a
 *       Message-Id, which a NOTIFY in the dialog names again.  Endpoints that
 *       do not list its type, or refuse it, get the line.
 * off   nobody is told; it is logged and counted.
 *
 * Nothing in a notice comes from outside: its reason is our own.
 *
 * Owns     pauses and notifications under way.
 * Borrows  clock, ua, configuration.
 */
#ifndef GATEWAY_CONVERSATION_NOTICES_H
#define GATEWAY_CONVERSATION_NOTICES_H

#include <stddef.h>
#include <stdint.h>

#include "frontend-gateway/gateway_conf.h"

struct clock;
struct errors_sip;
struct notices;
struct sip_dialog;
struct sip_ua;

#define NOTICES_IMDN_TYPE "application/ms-imdn+xml"

enum {
	NOTICES_PAUSE_MS = 10000,
	NOTICES_QUOTE_CHARACTERS = 40,
	/* So many characters, an ellipsis, NUL. */
	NOTICES_QUOTE_SIZE = NOTICES_QUOTE_CHARACTERS * 4 + 3 + 1
};

struct notices_opts {
	struct clock *clock;
	struct sip_ua *ua;
	const struct gateway_conf *conf;
	/* A line for the chat of that pair (bare JIDs). */
	void (*on_line)(
	    const char *user, const char *contact, const char *line, void *arg);
	void *arg;
};

int notices_new(struct notices **out, const struct notices_opts *opts);
void notices_free(struct notices *ns);

/* A message of user's to contact that came to nothing. */
struct notice {
	const char *user, *contact;     /* bare JIDs */
	const char *quote;              /* by notices_quote() */
	const struct errors_sip *error; /* what its answer would have been */
	uint32_t message_id;            /* Message-Id it was given; 0 = none */
	const char *contact_uri;        /* "sip:bo@partner.example" */
	struct sip_dialog *dialog; /* takes notifications; NULL = none does */
};
void notices_tell(struct notices *ns, const struct notice *n);
/* Told so far. */
uint64_t notices_count(const struct notices *ns);

/* How a text begins, on one line. */
void notices_quote(
    char out[static NOTICES_QUOTE_SIZE], const char *text, size_t len);

#endif
