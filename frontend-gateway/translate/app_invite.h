/*
 * app_invite - invitations to files and other applications as clients before
 * Lync 2010 send them: lines "Name: value" in a MESSAGE of the chat.  Pure.
 *
 *   Application-Name: File Transfer
 *   Invitation-Command: INVITE
 *   Invitation-Cookie: 829604
 *
 * They are declined the way such a client's user would decline them: with the
 * same cookie and the code REJECT, for which its peer has friendlier words
 * than for an error.
 */
#ifndef FRONTEND_GATEWAY_TRANSLATE_APP_INVITE_H
#define FRONTEND_GATEWAY_TRANSLATE_APP_INVITE_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

#define APP_INVITE_TYPE         "text/x-msmsgsinvite"
#define APP_INVITE_CONTENT_TYPE APP_INVITE_TYPE "; charset=UTF-8"

enum { APP_INVITE_MAX = 8192, APP_INVITE_COOKIE_SIZE = 64 };

struct app_invite {
	bool asks; /* the command is INVITE; no other waits for an answer */
	char cookie[APP_INVITE_COOKIE_SIZE];
};

/* ERR_MALFORMED: no command, or an INVITE without cookie; ERR_TOO_LONG. */
int app_invite_read(struct app_invite *out, const void *body, size_t len);
/* Appends the body that declines it. */
int app_invite_decline(struct buf *out, const struct app_invite *in);

#endif
