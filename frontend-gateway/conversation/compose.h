/*
 * compose - the text a Lync user sees of an XMPP message (pure).
 *
 * Lync shows plain text; what XMPP says beside the body and a person would
 * miss is put into it: the subject of a single message, the time of one that
 * waited, a link that the body does not contain.
 */
#ifndef GATEWAY_CONVERSATION_COMPOSE_H
#define GATEWAY_CONVERSATION_COMPOSE_H

#include <stddef.h>
#include <stdint.h>

struct buf;
struct frame;

enum { COMPOSE_OLD_MS = 60000 };

enum compose_verdict {
	COMPOSE_TEXT,      /* there is something to show */
	COMPOSE_NOTHING,   /* chat states, receipts ...: taken, not shown */
	COMPOSE_UNREADABLE /* encrypted, without a word for others */
};

/* Appends the text (UTF-8, LF) of a message frame.  0 and *verdict, or
 * ERR_NOMEM, ERR_FULL. */
int compose_text(struct buf *out, enum compose_verdict *verdict,
    const struct frame *f, int64_t wall_ms);

#endif
