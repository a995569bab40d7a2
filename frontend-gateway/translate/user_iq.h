/*
 * user_iq - what a Lync user's one resource answers to XMPP requests.
 *
 * All endpoints of a user appear as one resource.  Its features (XEP-0030)
 * and the verification string in its presence (XEP-0115) come from one list.
 * The time of day is not served: where the user is, nobody knows here.
 * Whether the asker may know anything at all is not decided here.  Pure.
 */
#ifndef FRONTEND_GATEWAY_TRANSLATE_USER_IQ_H
#define FRONTEND_GATEWAY_TRANSLATE_USER_IQ_H

#include <stddef.h>

struct buf;

/* The resource that presence, messages and typing of a Lync user come from. */
#define USER_IQ_RESOURCE "lync"

enum { USER_IQ_CAPS_SIZE = 128 };

/* "node#ver" for FIELD_CAPS of available presence. */
void user_iq_caps(char out[static USER_IQ_CAPS_SIZE]);

struct user_iq {
	const char *request; /* FIELD_REQUEST */
	const char *node;    /* FIELD_DISCO_NODE, or NULL */
	const char *name;    /* of the user, for vcard; NULL or "" = none */
};
/* Appends the JSON for FIELD_ANSWER (nothing for ping: leave the field out).
 * ERR_NOT_FOUND: item-not-found (a node that does not exist, no name known);
 * ERR_UNSUPPORTED: service-unavailable; ERR_NOMEM. */
int user_iq_answer(struct buf *out, const struct user_iq *in);

#endif
