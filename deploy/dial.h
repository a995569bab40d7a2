/* dial - TCP from this host: whether somebody answers, and who is here. */
#ifndef DEPLOY_DIAL_H
#define DEPLOY_DIAL_H

#include <stddef.h>
#include <sys/socket.h>

/* A connected, non-blocking descriptor, or -1 with why. */
int dial_tcp(
    const struct sockaddr_storage *to, int limit_ms, char *why, size_t size);

enum dial_listening {
	DIAL_LISTENING,  /* somebody listens at the address */
	DIAL_FREE,       /* nobody does */
	DIAL_NO_ADDRESS, /* the address is none of this host's */
	DIAL_UNKNOWN     /* not possible to tell; why */
};
/* Asks the kernel, without a connection. */
enum dial_listening
dial_local(const struct sockaddr_storage *at, char *why, size_t size);

#endif
