/*
 * presence_document - reads the presence documents that a pool sends.
 *
 * MSRTC (`text/xml+msrtc.pidf`, [MS-SIP] 2.2.1) and PIDF (RFC 3863, with the
 * activities of RFC 4480 and of its draft).  Which of the two it is, the root
 * element tells, not the Content-Type.  Elements are known by their local
 * names, prefixes need not be declared: servers differ.  A document that says
 * UTF-16 and is UTF-8 is read as UTF-8.  DOCTYPE and entities are refused.
 *
 * Only what struct lync_presence names is kept; locations, calendars, phone
 * numbers end here.  Numbers out of range count as absent, texts are cleaned of
 * controls and cut.  Pure; no memory is kept.
 */
#ifndef FRONTEND_GATEWAY_TRANSLATE_PRESENCE_DOCUMENT_H
#define FRONTEND_GATEWAY_TRANSLATE_PRESENCE_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend-gateway/translate/address.h"
#include "frontend-gateway/translate/xmpp_presence.h"

struct jid;

/* In Accept, best first. */
#define PRESENCE_DOCUMENT_ACCEPT      "text/xml+msrtc.pidf, application/pidf+xml"
#define PRESENCE_DOCUMENT_ACCEPT_PIDF "application/pidf+xml"

enum {
	PRESENCE_DOCUMENT_MAX = 65536, /* bytes */
	PRESENCE_DOCUMENT_DEPTH = 32,
	PRESENCE_DOCUMENT_ELEMENTS = 4096,
	PRESENCE_DOCUMENT_ENTITY_SIZE = 1024,
	PRESENCE_DOCUMENT_TOKEN_SIZE = 40
};

enum lync_basic { LYNC_BASIC_NONE, LYNC_BASIC_OPEN, LYNC_BASIC_CLOSED };

struct lync_text {
	char text[XMPP_PRESENCE_STATUS_SIZE]; /* "" = none */
	char language[XMPP_PRESENCE_LANGUAGE_SIZE];
};

/* About 6 KB: for a stack frame, not to be kept. */
struct lync_presence {
	char entity[PRESENCE_DOCUMENT_ENTITY_SIZE]; /* as written; "" = none */
	bool pidf;                                  /* else MSRTC */
	bool known; /* it tells any state at all */

	/* MSRTC; each -1 when absent */
	int number;                 /* state number, 3500 ... */
	int availability, activity; /* aggregates */

	/* PIDF; of several tuples the most available one */
	enum lync_basic basic;
	int priority; /* of its contact, thousandths; -1 = none */

	/* Activity: of the number, or the weightiest of PIDF's. */
	char token[PRESENCE_DOCUMENT_TOKEN_SIZE];
	bool oof;                /* out of office, told by other than a note */
	bool note_oof;           /* note is the out-of-office note */
	struct lync_text note;   /* written by the user */
	struct lync_text custom; /* activity of the user's own wording */
	uint64_t last_active;    /* ms since 1970; 0 = not told */
	char name[ADDRESS_DISPLAY_MAX + 1]; /* display name; "" = none */
};

/* Reads data whole.  Empty data is a document that tells nothing.  On error
 * *out tells nothing either: ERR_TOO_LONG (bytes, depth, elements),
 * ERR_DENIED (DOCTYPE), ERR_UNSUPPORTED (neither kind of document: 415),
 * ERR_MALFORMED, ERR_NOMEM.  All but the third and the last deserve a 400. */
int
presence_document_read(struct lync_presence *out, const void *data, size_t len);

/* Whether the document is about that user (a bare JID); one that names nobody
 * is. */
bool presence_document_is_about(
    const struct lync_presence *p, const struct jid *user);

#endif
