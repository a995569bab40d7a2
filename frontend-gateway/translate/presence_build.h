/*
 * presence_build - a contact's presence as a document for a watcher in SIP.
 *
 * Three forms: PIDF as Lync clients read it (one tuple; activities inside
 * status, in the namespace of RPID's draft), PIDF by RFC 8048 for other
 * watchers (a tuple for each resource), and MSRTC ([MS-SIP] 2.2.1), which
 * carries state numbers.  Pure.
 */
#ifndef FRONTEND_GATEWAY_TRANSLATE_PRESENCE_BUILD_H
#define FRONTEND_GATEWAY_TRANSLATE_PRESENCE_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct resources;

enum presence_format {
	PRESENCE_FORMAT_NONE, /* the watcher takes none of them: 406 */
	PRESENCE_FORMAT_PIDF, /* for Lync; the value to presume */
	PRESENCE_FORMAT_MSRTC,
	PRESENCE_FORMAT_STANDARD /* RFC 8048 */
};

/* In the Accept of a 406. */
#define PRESENCE_BUILD_ACCEPT "application/pidf+xml, text/xml+msrtc.pidf"

struct presence_build_rules {
	bool msrtc;    /* prefer MSRTC where it is accepted */
	bool standard; /* RFC 8048's form for watchers who accept no form of
			 * Microsoft's */
	bool notes;    /* statuses are shown */
	bool dnd_is_do_not_disturb;  /* else busy */
	bool xa_is_off_work;         /* else away */
	bool short_away_is_inactive; /* idle less than 15 minutes */
	bool chat_text;              /* chat: "Free to chat", as if written */
};
/* standard and notes on, all else off. */
struct presence_build_rules presence_build_default(void);

/* What to send to a watcher with that Accept (values joined by commas; NULL
 * or "" = absent: PIDF).  One that can take category lists gets PIDF. */
enum presence_format presence_build_choose(
    const char *accept, const struct presence_build_rules *rules);
/* Content-Type; NULL for PRESENCE_FORMAT_NONE.  Static. */
const char *presence_build_type(enum presence_format format);

struct presence_build {
	const char *entity; /* the contact's SIP URI, "sip:bo@p.example" */
	const char *name;   /* display name, or NULL */
	/* NULL or empty = closed: unavailable, unknown, or not granted */
	const struct resources *resources;
	uint64_t now; /* ms since 1970 */
};
/* Appends the document.  ERR_UNSUPPORTED for PRESENCE_FORMAT_NONE,
 * ERR_NOMEM, ERR_FULL; out is then as before. */
int presence_build_document(struct buf *out, enum presence_format format,
    const struct presence_build *in, const struct presence_build_rules *rules);

/* The state number that a Lync user sees for the contact, 18500 for an empty
 * one: for listings and tests. */
int presence_build_number(const struct resources *r, uint64_t now,
    const struct presence_build_rules *rules);

/* RFC 8048 table 1: thousandths for an XMPP priority of 0 to 127. */
int presence_build_priority(int priority);

#endif
