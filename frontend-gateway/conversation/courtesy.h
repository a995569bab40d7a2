/*
 * courtesy - what an XMPP user is told without the Lync user's doing: that a
 * message has reached her (XEP-0184), that she cannot come to a room (XEP-0045
 * 7.8.2).  Frames to be sent; nobody waits for what becomes of them.  Pure.
 */
#ifndef GATEWAY_CONVERSATION_COURTESY_H
#define GATEWAY_CONVERSATION_COURTESY_H

struct buf;
struct frame;

/* Appends the receipt for a message, from the user (bare JID) to whom it came
 * from.  Nothing when none was asked for, or there must be none: for what has
 * no id, for errors and for rooms.  0, ERR_NOMEM. */
int courtesy_receipt(struct buf *out, const struct frame *f, const char *user);

/* Appends the refusal of an invitation that came through a room; nothing for
 * one that can only be ignored.  0, ERR_NOMEM. */
int courtesy_decline(struct buf *out, const struct frame *f, const char *user);

#endif
