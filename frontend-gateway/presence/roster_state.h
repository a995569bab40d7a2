/*
 * roster_state - the nine states of a presence subscription between a user of
 * ours and a contact, as the user's server keeps them, and what each of the
 * four subscription stanzas does to them (RFC 6121, appendix A).
 *
 * Pure tables.  "Out" is what the user asked for, "in" what the contact did:
 *
 *     pending out    we asked to see the contact, no answer yet
 *     pending in     the contact asked to see our user, no answer yet
 *     to             our user sees the contact
 *     from           the contact sees our user
 *
 * The numbers are stored: they never change their meaning.
 */
#ifndef GATEWAY_PRESENCE_ROSTER_STATE_H
#define GATEWAY_PRESENCE_ROSTER_STATE_H

#include <stdbool.h>
#include <stddef.h>

enum roster_state {
	ROSTER_N = 0,   /* none */
	ROSTER_NO = 1,  /* none, pending out */
	ROSTER_NI = 2,  /* none, pending in */
	ROSTER_NOI = 3, /* none, pending out and in */
	ROSTER_T = 4,   /* to */
	ROSTER_TI = 5,  /* to, pending in */
	ROSTER_F = 6,   /* from */
	ROSTER_FO = 7,  /* from, pending out */
	ROSTER_B = 8,   /* both */
	ROSTER_STATE_COUNT
};

enum roster_stanza {
	ROSTER_SUBSCRIBE,
	ROSTER_SUBSCRIBED,
	ROSTER_UNSUBSCRIBE,
	ROSTER_UNSUBSCRIBED,
	ROSTER_STANZA_COUNT
};

enum roster_reply {
	ROSTER_NO_REPLY,
	ROSTER_REPLY_SUBSCRIBED,  /* the server answers by itself */
	ROSTER_REPLY_UNSUBSCRIBED /* likewise */
};

struct roster_step {
	enum roster_state to;
	/* Outbound: the stanza is sent to the contact.  Inbound: it tells the
	 * user something new. */
	bool pass;
	enum roster_reply reply; /* inbound only */
};

/* The user sends stanza to the contact (A.2).  A `subscribed` nobody asked for
 * would be a pre-approval (3.4), which is not offered: it changes nothing. */
struct roster_step
roster_state_out(enum roster_state s, enum roster_stanza stanza);
/* The contact's stanza arrives (A.3). */
struct roster_step
roster_state_in(enum roster_state s, enum roster_stanza stanza);

/* The contact is permitted to see the user (from, both). */
bool roster_state_from(enum roster_state s);
/* The user is permitted to see the contact (to, both). */
bool roster_state_to(enum roster_state s);
bool roster_state_pending_in(enum roster_state s);
bool roster_state_pending_out(enum roster_state s);

/* "none", "none+out", "none+in", "none+out+in", "to", "to+in", "from",
 * "from+out", "both". */
const char *roster_state_str(enum roster_state s);
/* "subscribe", ... */
const char *roster_stanza_str(enum roster_stanza stanza);

#endif
