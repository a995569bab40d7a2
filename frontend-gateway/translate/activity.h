/*
 * activity - the words in which presence documents say what somebody does:
 * tokens of Lync, activities of RPID (RFC 4480 3.2) and its draft, <show/>
 * (RFC 8048 4.2); and what Sallyport says itself.  Pure.
 */
#ifndef FRONTEND_GATEWAY_TRANSLATE_ACTIVITY_H
#define FRONTEND_GATEWAY_TRANSLATE_ACTIVITY_H

#include <stdbool.h>

#include "frontend-gateway/translate/xmpp_presence.h"

/* Texts that stand in for what <show/> can't tell. */
enum activity_word {
	ACTIVITY_WORD_NONE,
	ACTIVITY_INACTIVE,
	ACTIVITY_BUSY,
	ACTIVITY_CALL,
	ACTIVITY_CONFERENCE,
	ACTIVITY_MEETING,
	ACTIVITY_DND,
	ACTIVITY_URGENT,
	ACTIVITY_PRESENTING,
	ACTIVITY_BRB,
	ACTIVITY_AWAY,
	ACTIVITY_OFF_WORK,
	ACTIVITY_OOF,
	ACTIVITY_WORD_COUNT
};

struct activity {
	const char *token;
	enum xmpp_show show;
	enum activity_word word;
	bool oof; /* says out of office, whatever the state */
};

/* Tokens are compared as they are written.  NULL when unknown. */
const struct activity *activity_find(const char *token);

/* Static; language is a tag (BCP 47) of which the first part counts, English
 * for one that is not known. */
const char *activity_word(enum activity_word word, const char *language);
/* The tag that the texts for language are in: "de" for "de-AT", or "en". */
const char *activity_language(const char *language);
/* Whether there are texts in it. */
bool activity_has_language(const char *language);

#endif
