/*
 * compose - the text a Lync user sees of an XMPP message (pure).
 *
 * Lync shows plain text.  What XMPP says beside the body and a person would
 * miss is told in words: what the message answers, that it corrects another
 * or takes it back, a reaction, the subject of a single message, the time of
 * one that waited, a file with its name and size, a call for attention.
 */
#ifndef GATEWAY_CONVERSATION_COMPOSE_H
#define GATEWAY_CONVERSATION_COMPOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct frame;
struct frame_field;
struct gateway_messages_conf;
struct said_message;

enum { COMPOSE_OLD_MS = 60000 };

enum compose_verdict {
	COMPOSE_TEXT,       /* there is something to show */
	COMPOSE_NOTHING,    /* chat states, receipts ...: taken, not shown */
	COMPOSE_UNREADABLE, /* encrypted: to be refused */
	COMPOSE_INVITED     /* to a room: to be declined */
};

struct compose_opts {
	const struct gateway_messages_conf *rules;
	/* The message it refers to (compose_target()); NULL = not known. */
	const struct said_message *target;
	int64_t wall_ms;
	bool known;    /* the contact may call for attention */
	bool replaces; /* the message that it corrects will not be seen */
};

struct compose_result {
	enum compose_verdict verdict;
	/* What its writer says, to name the message by: a part of the frame;
	 * length 0 = nothing of his own. */
	const char *said;
	size_t said_len;
};

/* Appends the text (UTF-8, LF) of a message frame.  0 and *result, or
 * ERR_NOMEM, ERR_FULL. */
int compose_text(struct buf *out, struct compose_result *result,
    const struct frame *f, const struct compose_opts *opts);

/* The id of the message that this one corrects, reacts to, takes back or
 * answers, the first of these; NULL = none. */
const struct frame_field *compose_target(const struct frame *f);
/* Appends all reactions of the frame, each with a NUL behind it, in the form
 * they are compared in. */
void compose_reactions(struct buf *out, const struct frame *f);

#endif
