/* Connecting within a time, and looking whether an address is taken. */
#include "deploy/dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static socklen_t
size_of(const struct sockaddr_storage *a)
{
	return a->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					: sizeof(struct sockaddr_in);
}

static long
now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000L + now.tv_nsec / 1000000;
}

/* 0 or the error the connection ended with. */
static int
await(int fd, int limit_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	long until = now_ms() + limit_ms, left;
	socklen_t size = sizeof(int);
	int n, error = 0;

	do {
		left = until - now_ms();
		n = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return ETIMEDOUT;
	if (n < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		return errno;
	return error;
}

int
dial_tcp(
    const struct sockaddr_storage *to, int limit_ms, char *why, size_t size)
{
	int fd = socket(
	    to->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error = 0;

	if (fd < 0)
		error = errno;
	else if (connect(fd, (const struct sockaddr *)to, size_of(to)) < 0)
		error = errno == EINPROGRESS ? await(fd, limit_ms) : errno;
	if (error == 0)
		return fd;
	snprintf(why, size, "connect: %s", strerror(error));
	if (fd >= 0)
		close(fd);
	return -1;
}

enum dial_listening
dial_local(const struct sockaddr_storage *at, char *why, size_t size)
{
	enum dial_listening found = DIAL_FREE;
	int fd = socket(at->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;

	/* With SO_REUSEADDR only a listener is in the way of bind(); and the
	 * address stays free for a daemon that starts this very moment. */
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0) {
		found = DIAL_UNKNOWN;
	} else if (bind(fd, (const struct sockaddr *)at, size_of(at)) < 0) {
		found = errno == EADDRINUSE      ? DIAL_LISTENING
			: errno == EADDRNOTAVAIL ? DIAL_NO_ADDRESS
						 : DIAL_UNKNOWN;
	}
	if (found == DIAL_UNKNOWN)
		snprintf(why, size, "%s", strerror(errno));
	if (fd >= 0)
		close(fd);
	return found;
}
