/*
 * presence_to_xmpp - a Lync user's state as his contact sees it.
 *
 * The state number decides about <show/>; the aggregates of MSRTC where they
 * say less available or there is no number, PIDF's basic and activities where
 * there is neither.  What <show/> can't tell is put in words ("In a call"),
 * unless the user wrote a note.  Nothing else of a document leaves: struct
 * xmpp_presence is the allow-list.  Pure.
 */
#ifndef FRONTEND_GATEWAY_TRANSLATE_PRESENCE_TO_XMPP_H
#define FRONTEND_GATEWAY_TRANSLATE_PRESENCE_TO_XMPP_H

#include <stdbool.h>

struct lync_presence;
struct xmpp_presence;

/* What a contact may see and how. */
struct presence_to_xmpp_rules {
	const char *language;      /* of generated texts (activity.h) */
	bool generated_status;     /* words for what <show/> can't tell */
	bool notes;                /* the partner's type lets notes through */
	bool busy_idle_is_away;    /* 7500 to 8999: away instead of dnd */
	bool unknown_is_available; /* 0 to 2999 */
	bool priority; /* the pool is none of Lync's: RFC 8048 priorities */
};
/* Texts in English, notes allowed, all else off. */
struct presence_to_xmpp_rules presence_to_xmpp_default(void);

/* told: what the contact was told last, or NULL if nothing.  *out is
 * replaced (it must be valid: zeroed is).  Returns 0; ERR_NOT_FOUND when the
 * document tells nothing and the contact was told nothing yet: send nothing,
 * *out is unchanged; ERR_NOMEM, likewise unchanged. */
int presence_to_xmpp_convert(struct xmpp_presence *out,
    const struct lync_presence *in, const struct xmpp_presence *told,
    const struct presence_to_xmpp_rules *rules);

/* RFC 8048 table 2: thousandths of a PIDF contact priority (0 to 1000). */
int presence_to_xmpp_priority(int thousandths);

#endif
