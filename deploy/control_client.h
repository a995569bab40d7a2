/*
 * control_client - one question to a daemon's control socket
 * (common/control.h), as the operator's command asks it.
 *
 * Blocking, with a limit of CONTROL_CLIENT_SECONDS for the whole of it.
 */
#ifndef DEPLOY_CONTROL_CLIENT_H
#define DEPLOY_CONTROL_CLIENT_H

#include <stddef.h>
#include <jansson.h>

enum { CONTROL_CLIENT_SECONDS = 15, CONTROL_CLIENT_ANSWER_MAX = 16777216 };

/* Where the daemons' sockets are when nobody says otherwise. */
#define CONTROL_CLIENT_EDGE    "/run/sallyport/edge.sock"
#define CONTROL_CLIENT_GATEWAY "/run/sallyport/gateway.sock"

enum control_client_outcome {
	CONTROL_CLIENT_YES,    /* *answer is the daemon's answer */
	CONTROL_CLIENT_NO,     /* the daemon refused; why has its words */
	CONTROL_CLIENT_NOBODY, /* no daemon, or no answer; why tells */
	CONTROL_CLIENT_CHOICE  /* both default sockets are there */
};

/* The socket to use: path itself, or for NULL the one default socket that
 * exists.  CONTROL_CLIENT_YES, _NOBODY or _CHOICE with why set. */
enum control_client_outcome
control_client_find(const char **out, const char *path, char *why, size_t size);

/* Sends request (borrowed) and waits.  The caller owns *answer, which is only
 * written with CONTROL_CLIENT_YES. */
enum control_client_outcome control_client_ask(json_t **answer,
    const char *path, const json_t *request, char *why, size_t size);

#endif
