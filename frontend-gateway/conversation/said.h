/*
 * said - how the messages of the last hours began, by their ids.
 *
 * XMPP clients refer to messages by id: they react to one, answer it, take it
 * back.  Lync shows no ids, so a person is told what the message said.  What is
 * not kept here any more cannot be named.  In memory only, nothing of it is
 * written anywhere, and a message that asks not to be stored is not kept
 * (XEP-0334).  Pure.
 *
 * Bounds   max messages, of each at most SAID_TEXT_SIZE bytes and
 *          SAID_REACTIONS_SIZE bytes of reactions, for SAID_AGE_MS; the oldest
 *          goes first.
 */
#ifndef GATEWAY_CONVERSATION_SAID_H
#define GATEWAY_CONVERSATION_SAID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend-gateway/translate/excerpt.h"

struct said;

enum {
	SAID_AGE_MS = 24 * 60 * 60 * 1000,
	SAID_TEXT_SIZE = EXCERPT_SIZE,
	SAID_REACTIONS_SIZE = 256
};

/* max 0 = 20000 */
int said_new(struct said **out, size_t max);
void said_free(struct said *s);

/* Whose message it is: both are bare JIDs; id is the stanza's. */
struct said_name {
	const char *user, *contact, *id;
};

/* What is known of a message. */
struct said_message {
	const char *text; /* how it begins, in one line */
	bool by_contact;  /* else by the Lync user */
	/* What the contact has reacted with, each with a NUL behind it. */
	const char *reactions;
	size_t reactions_len;
};

/* Keeps the beginning of a text; under a name that is known it takes the place
 * of the former, reactions stay.  For want of memory it is not kept.  Nothing
 * is kept without an id. */
void said_keep(struct said *s, const struct said_name *name, const char *text,
    size_t len, bool by_contact, uint64_t now_ms);
/* False when it is not known. */
bool said_find(const struct said *s, struct said_message *out,
    const struct said_name *name, uint64_t now_ms);
/* The contact's reactions are these from now on, each with a NUL behind it;
 * too many are kept as far as there is room. */
void said_react(struct said *s, const struct said_name *name,
    const char *reactions, size_t len);
/* It did not arrive, or was taken back. */
void said_forget(struct said *s, const struct said_name *name);

size_t said_count(const struct said *s);

#endif
