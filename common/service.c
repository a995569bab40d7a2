/*
 * One connected datagram socket, opened before the process gives up its view
 * of the file system.  A leading '@' in the name means Linux's abstract space,
 * where the first byte is NUL and the length counts.
 */
#include "common/service.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "common/err.h"
#include "common/log.h"

/* A manager that does not read must not stop the daemon for longer. */
enum { SEND_SECONDS = 1 };

static int notify_fd = -1;
static uint64_t watchdog_ms;

/* Connects a new socket to the name; the descriptor or a negative code. */
static int
open_socket(const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const struct timeval limit = { .tv_sec = SEND_SECONDS };
	size_t len = strlen(name);
	socklen_t addr_len;
	int fd, rc;

	if (name[0] != '/' && name[0] != '@')
		return ERR_UNSUPPORTED;
	if (len >= sizeof addr.sun_path)
		return ERR_TOO_LONG;
	memcpy(addr.sun_path, name, len);
	if (name[0] == '@')
		addr.sun_path[0] = '\0';
	addr_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return uv_translate_sys_error(errno);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) ==
		0 &&
	    connect(fd, (const struct sockaddr *)&addr, addr_len) == 0)
		return fd;
	rc = uv_translate_sys_error(errno);
	(void)close(fd);
	return rc;
}

/* $WATCHDOG_PID, when set, names the one process that is meant. */
static void
read_watchdog(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid;
	char *end = NULL;
	unsigned long long value = 0;

	watchdog_ms = 0;
	pid = getenv("WATCHDOG_PID");
	if (usec != NULL)
		value = strtoull(usec, &end, 10);
	if (usec != NULL && end != usec && *end == '\0' &&
	    (pid == NULL || strtol(pid, NULL, 10) == (long)getpid()))
		watchdog_ms = value / 1000;
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
}

int
service_notify_open(void)
{
	const char *name = getenv("NOTIFY_SOCKET");
	int fd;

	service_notify_close();
	read_watchdog();
	if (name == NULL || name[0] == '\0')
		return 0;
	fd = open_socket(name);
	(void)unsetenv("NOTIFY_SOCKET"); /* not for our children */
	if (fd < 0)
		return fd;
	notify_fd = fd;
	return 0;
}

void
service_notify(const char *state)
{
	struct log log;

	if (notify_fd < 0)
		return;
	if (send(notify_fd, state, strlen(state), MSG_NOSIGNAL) >= 0)
		return;
	log_init(&log, "service");
	log_warn(&log, "notify-failed", "error=%s",
	    err_str(uv_translate_sys_error(errno)));
}

void
service_notify_close(void)
{
	if (notify_fd >= 0)
		(void)close(notify_fd);
	notify_fd = -1;
}

void
service_reloading(void)
{
	char text[80];
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
	    (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
	service_notify(text);
}

uint64_t
service_watchdog_ms(void)
{
	return notify_fd >= 0 ? watchdog_ms : 0;
}
