/*
 * words - what the gateway itself says to people, in one place.
 *
 * To Lync users it speaks the language of its configuration; to XMPP users, in
 * the texts of errors, English, which is what their xml:lang says.  Pure.
 */
#ifndef FRONTEND_GATEWAY_TRANSLATE_WORDS_H
#define FRONTEND_GATEWAY_TRANSLATE_WORDS_H

#include <stdbool.h>

struct buf;

/* To Lync users.  Where a text has %s, something is put in. */
enum words {
	WORDS_SENT,      /* %s: "2026-11-21 08:15 UTC" */
	WORDS_CORRECTED, /* before the new text */
	WORDS_REACTED,   /* %s: the reactions; %s: what was said */
	WORDS_WITHDRAWN, /* %s: what was said */
	WORDS_WITHDRAWN_UNKNOWN,
	WORDS_ATTENTION,
	WORDS_COUNT
};

/* For a message to an admin: "en, de". */
extern const char words_languages[];
bool words_speak(const char *language);
/* Appends the text, English when the language is not spoken; inserted takes
 * the place of its first %s, more that of the second; NULL when it has none. */
void words_put(struct buf *out, const char *language, enum words id,
    const char *inserted, const char *more);

/* To XMPP users. */
#define WORDS_ENCRYPTED                                                        \
	"This recipient cannot read encrypted messages. Please send it "       \
	"without encryption."
#define WORDS_NO_ROOMS "This contact cannot take part in group chats."

#endif
