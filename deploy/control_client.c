/*
 * One connection, one line each way.  The deadline covers all of it: poll()
 * before every read and write gets what is left.
 */
#include "deploy/control_client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/buf.h"

struct call {
	int fd;
	const char *path;
	struct timespec until;
	char *why;
	size_t size;
};

/* --- waiting ------------------------------------------------------------ */

static void
start(struct call *c, const char *path, char *why, size_t size)
{
	*c = (struct call){ .fd = -1, .path = path, .size = size };
	c->why = why;
	(void)clock_gettime(CLOCK_MONOTONIC, &c->until);
	c->until.tv_sec += CONTROL_CLIENT_SECONDS;
}

static int
left_ms(const struct call *c)
{
	struct timespec now;
	long ms;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	ms = (long)(c->until.tv_sec - now.tv_sec) * 1000 +
	     (c->until.tv_nsec - now.tv_nsec) / 1000000;
	return ms > 0 ? (int)ms : 0;
}

static void
note_errno(struct call *c, const char *what)
{
	snprintf(c->why, c->size, "%s: %s: %s", c->path, what, strerror(errno));
}

/* 0 when fd is ready for the event, else -1 with why set. */
static int
wait_for(struct call *c, short event)
{
	struct pollfd p = { .fd = c->fd, .events = event };
	int n;

	do {
		n = poll(&p, 1, left_ms(c));
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		return 0;
	if (n == 0)
		errno = ETIMEDOUT;
	note_errno(c, "no answer");
	return -1;
}

/* --- the two lines ------------------------------------------------------ */

static int
dial(struct call *c)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (strlen(c->path) >= sizeof(addr.sun_path)) {
		errno = ENAMETOOLONG;
		note_errno(c, "cannot connect");
		return -1;
	}
	memcpy(addr.sun_path, c->path, strlen(c->path) + 1);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 ||
	    connect(c->fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0) {
		note_errno(c, "cannot connect");
		return -1;
	}
	return 0;
}

static int
say(struct call *c, const json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);
	size_t len, done = 0;
	int rc = -1;

	if (text == NULL) {
		snprintf(c->why, c->size, "the request cannot be written");
		return -1;
	}
	len = strlen(text);
	text[len++] = '\n'; /* in the place of the NUL */
	while (done < len) {
		ssize_t n;

		if (wait_for(c, POLLOUT) < 0)
			goto done;
		n = send(c->fd, text + done, len - done, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR) {
			note_errno(c, "cannot write");
			goto done;
		}
		done += n > 0 ? (size_t)n : 0;
	}
	rc = 0;

done:
	free(text);
	return rc;
}

/* Until the newline, or the end that follows it. */
static int
hear(struct call *c, struct buf *in)
{
	char chunk[65536];

	for (;;) {
		ssize_t n;

		if (wait_for(c, POLLIN) < 0)
			return -1;
		n = recv(c->fd, chunk, sizeof(chunk), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			note_errno(c, "cannot read");
			return -1;
		}
		if (n == 0) {
			/* The daemon hangs up on strangers without a word. */
			snprintf(c->why, c->size,
			    "%s: the daemon closed the connection without an "
			    "answer (only its own user and root may ask)",
			    c->path);
			return -1;
		}
		if (buf_add(in, chunk, (size_t)n) < 0) {
			snprintf(
			    c->why, c->size, "%s: answer too long", c->path);
			return -1;
		}
		if (memchr(chunk, '\n', (size_t)n) != NULL)
			return 0;
	}
}

static enum control_client_outcome
understand(json_t **answer, struct call *c, const struct buf *in)
{
	json_t *root = json_loadb((const char *)in->data, in->len,
	    JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES, NULL);
	const char *error = json_string_value(json_object_get(root, "error"));

	if (json_is_true(json_object_get(root, "ok"))) {
		*answer = root;
		return CONTROL_CLIENT_YES;
	}
	if (!json_is_object(root)) {
		snprintf(c->why, c->size, "%s: the answer is not understood",
		    c->path);
		json_decref(root);
		return CONTROL_CLIENT_NOBODY;
	}
	snprintf(c->why, c->size, "%s", error != NULL ? error : "refused");
	json_decref(root);
	return CONTROL_CLIENT_NO;
}

enum control_client_outcome
control_client_ask(json_t **answer, const char *path, const json_t *request,
    char *why, size_t size)
{
	enum control_client_outcome outcome = CONTROL_CLIENT_NOBODY;
	struct buf in;
	struct call c;

	start(&c, path, why, size);
	buf_init(&in, CONTROL_CLIENT_ANSWER_MAX);
	if (dial(&c) == 0 && say(&c, request) == 0 && hear(&c, &in) == 0)
		outcome = understand(answer, &c, &in);
	buf_finish(&in);
	if (c.fd >= 0)
		close(c.fd);
	return outcome;
}

enum control_client_outcome
control_client_find(const char **out, const char *path, char *why, size_t size)
{
	bool edge, gateway;

	if (path != NULL) {
		*out = path;
		return CONTROL_CLIENT_YES;
	}
	edge = access(CONTROL_CLIENT_EDGE, F_OK) == 0;
	gateway = access(CONTROL_CLIENT_GATEWAY, F_OK) == 0;
	if (edge && gateway) {
		snprintf(why, size,
		    "both %s and %s are here: choose one with --socket",
		    CONTROL_CLIENT_EDGE, CONTROL_CLIENT_GATEWAY);
		return CONTROL_CLIENT_CHOICE;
	}
	if (!edge && !gateway) {
		snprintf(why, size,
		    "neither %s nor %s is here: no daemon runs on this host, "
		    "its configuration names no \"control\" socket, or this "
		    "user may not look there",
		    CONTROL_CLIENT_EDGE, CONTROL_CLIENT_GATEWAY);
		return CONTROL_CLIENT_NOBODY;
	}
	*out = edge ? CONTROL_CLIENT_EDGE : CONTROL_CLIENT_GATEWAY;
	return CONTROL_CLIENT_YES;
}
