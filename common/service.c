/*
 * One connected datagram socket, opened before the process gives up its view
 * of the file system.  A leading '@' in the name means Linux's abstract space,
 * where the first byte is NUL and the length counts.
 */
#include "common/service.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "common/err.h"
#include "common/log.h"

/* A manager that does not read must not stop the daemon for longer. */
enum { SEND_SECONDS = 1 };

static int notify_fd = -1;

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

int
service_notify_open(void)
{
	const char *name = getenv("NOTIFY_SOCKET");
	int fd;

	service_notify_close();
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
