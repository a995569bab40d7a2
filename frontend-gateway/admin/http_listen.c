/*
 * A connection is accepted, told apart (Unix or TCP; a stranger's user is
 * turned away), counted and given to the library, whose it is from then on.
 * Each has a limit of time, which is renewed as it goes on: to send a request,
 * to take the answer, to think of the next request.  Past it the socket is shut
 * down, and the library closes what it finds broken.
 */
#include "frontend-gateway/admin/http_server_impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/control.h"
#include "common/err.h"
#include "common/log_limit.h"

enum { ACCEPT_AT_ONCE = 16, PAUSE_MS = 200, SWEEP_MS = 1000, BACKLOG = 64 };

static const char full[] = "HTTP/1.1 503 Service Unavailable\r\n"
			   "Connection: close\r\nRetry-After: 1\r\n"
			   "Content-Length: 0\r\n\r\n";

/* --- a connection -------------------------------------------------------- */

/* A client that sends the half of a request and goes at once: the library reads
 * the half, and is not told again of the end that came along with it. */
static void
on_sweep(struct clock_timer *t, void *arg)
{
	struct http_server *s = arg;

	LIST_FOREACH (it, &s->connections) {
		struct http_connection *c =
		    list_entry(it, struct http_connection, link);
		struct pollfd p = { .fd = c->fd, .events = POLLRDHUP };

		if (c->asking && poll(&p, 1, 0) > 0)
			http_listen_cut(c);
	}
	if (s->count > 0)
		clock_timer_start(t, SWEEP_MS);
}

static void
on_limit(struct clock_timer *t, void *arg)
{
	struct http_connection *c = arg;

	(void)t;
	log_limited_info(&c->server->log, c->peer.name, "too-slow",
	    "peer=%s what=%s", c->peer.name, c->limit_is_for);
	http_listen_cut(c);
}

void
http_listen_limit(
    struct http_connection *c, const char *what, bool asking, uint64_t ms)
{
	c->limit_is_for = what;
	c->asking = asking;
	if (ms > 0)
		clock_timer_start(&c->limit, ms);
	else
		clock_timer_stop(&c->limit);
}

void
http_listen_cut(struct http_connection *c)
{
	(void)shutdown(c->fd, SHUT_RDWR);
	http_server_turn(c->server);
}

struct http_connection *
http_listen_connection(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info != NULL ? info->socket_context : NULL;
}

static bool
identify(struct http_peer *out, int fd)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);
	struct ucred who;

	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return false;
	if (ss.ss_family == AF_UNIX) {
		len = sizeof(who);
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
			return false;
		*out = (struct http_peer){ .local = true, .uid = who.uid };
		snprintf(out->name, sizeof(out->name), "unix");
		return who.uid == 0 || who.uid == geteuid();
	}
	len = sizeof(ss);
	if (getpeername(fd, (struct sockaddr *)&ss, &len) < 0)
		return false;
	*out = (struct http_peer){ 0 };
	return getnameinfo((struct sockaddr *)&ss, len, out->name,
		   sizeof(out->name), NULL, 0, NI_NUMERICHOST) == 0;
}

static void
begin(struct http_server *s, struct MHD_Connection *mhd, void **context)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct http_connection *c = calloc(1, sizeof(*c));

	if (c == NULL || !identify(&c->peer, info->connect_fd)) {
		free(c); /* the first request will find no context */
		return;
	}
	c->server = s;
	c->mhd = mhd;
	c->fd = info->connect_fd;
	clock_timer_init(&c->limit, s->opts.clock, on_limit, c);
	http_listen_limit(c, "request", true, HTTP_REQUEST_MS);
	list_append(&s->connections, &c->link);
	if (s->count == 0)
		clock_timer_start(&s->sweep, SWEEP_MS);
	s->count++;
	s->tcp_count += !c->peer.local;
	*context = c;
}

static void
end(struct http_connection *c)
{
	clock_timer_stop(&c->limit);
	list_remove(&c->link);
	c->server->count--;
	c->server->tcp_count -= !c->peer.local;
	free(c);
}

void
http_listen_on_connection(void *arg, struct MHD_Connection *mhd, void **context,
    enum MHD_ConnectionNotificationCode what)
{
	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		begin(arg, mhd, context);
	else if (*context != NULL)
		end(*context);
}

/* --- accepting ----------------------------------------------------------- */

static bool
has_room(const struct http_listener *l)
{
	const struct http_server *s = l->server;

	return s->count < HTTP_CONNECTIONS &&
	       (l->local || s->tcp_count < HTTP_CONNECTIONS_TCP);
}

static void
take(struct http_listener *l, int fd, const struct sockaddr_storage *from,
    socklen_t len)
{
	struct http_server *s = l->server;
	struct http_peer who;

	if (!identify(&who, fd)) {
		close(fd);
		return;
	}
	if (!has_room(l)) {
		log_limited_warn(&s->log, who.name, "too-many-connections",
		    "peer=%s connections=%zu", who.name, s->count);
		(void)send(
		    fd, full, sizeof(full) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		close(fd);
		return;
	}
	/* The library closes what it does not take. */
	(void)MHD_add_connection(
	    s->daemon, fd, (const struct sockaddr *)from, len);
	http_server_turn(s);
}

static void on_pause_over(struct clock_timer *t, void *arg);

static void
on_acceptable(uv_poll_t *p, int status, int events)
{
	struct http_listener *l = p->data;

	(void)events;
	for (int i = 0; status == 0 && i < ACCEPT_AT_ONCE; i++) {
		struct sockaddr_storage from = { .ss_family = AF_UNIX };
		socklen_t len = sizeof(from);
		int fd = accept4(l->fd, (struct sockaddr *)&from, &len,
		    SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			/* An unnamed Unix socket has less than a family. */
			take(l, fd, &from,
			    len < sizeof(sa_family_t) ? sizeof(sa_family_t)
						      : len);
		} else if (errno == EMFILE || errno == ENFILE ||
			   errno == ENOBUFS || errno == ENOMEM) {
			log_limited_error(&l->server->log, NULL,
			    "accept-failed", "error=%s", strerror(errno));
			(void)uv_poll_stop(p);
			clock_timer_start(&l->server->pause, PAUSE_MS);
			return;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			return;
		}
	}
}

static void
on_pause_over(struct clock_timer *t, void *arg)
{
	struct http_server *s = arg;

	(void)t;
	for (size_t i = 0; i < s->listener_count; i++)
		(void)uv_poll_start(
		    &s->listeners[i].poll, UV_READABLE, on_acceptable);
}

/* --- sockets ------------------------------------------------------------- */

static int
bind_tcp(const struct sockaddr_storage *a)
{
	const socklen_t len = a->ss_family == AF_INET6
				  ? sizeof(struct sockaddr_in6)
				  : sizeof(struct sockaddr_in);
	const int on = 1;
	int fd, rc;

	fd =
	    socket(a->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)a, len) < 0 ||
	    listen(fd, BACKLOG) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

/* Takes over fd. */
static int
listen_on(struct http_server *s, int fd, bool local)
{
	struct http_listener *l = &s->listeners[s->listener_count];
	int rc = uv_poll_init(s->opts.loop, &l->poll, fd);

	if (rc < 0) {
		close(fd);
		return rc;
	}
	l->server = s;
	l->fd = fd;
	l->local = local;
	l->poll.data = l;
	s->listener_count++;
	s->handles++;
	return uv_poll_start(&l->poll, UV_READABLE, on_acceptable);
}

int
http_listen_open(struct http_server *s, char *why, size_t size)
{
	const char *path = s->opts.socket;
	int rc = 0;

	clock_timer_init(&s->pause, s->opts.clock, on_pause_over, s);
	clock_timer_init(&s->sweep, s->opts.clock, on_sweep, s);
	if (path[0] != '\0') {
		rc = control_bind(path);
		if (rc >= 0)
			rc = listen_on(s, rc, true);
		if (rc < 0) {
			snprintf(
			    why, size, "socket: %s: %s", path, err_str(rc));
			return rc;
		}
	}
	for (size_t i = 0; i < s->opts.listen_count; i++) {
		rc = bind_tcp(&s->opts.listen[i]);
		if (rc >= 0)
			rc = listen_on(s, rc, false);
		if (rc < 0) {
			snprintf(why, size, "listen/%zu: %s", i, err_str(rc));
			return rc;
		}
	}
	return 0;
}

static void
on_listener_closed(uv_handle_t *h)
{
	struct http_listener *l = h->data;

	close(l->fd);
	h->data = l->server;
	http_server_handle_closed(h);
}

void
http_listen_close(struct http_server *s)
{
	if (s->pause.clock != NULL)
		clock_timer_stop(&s->pause);
	if (s->sweep.clock != NULL)
		clock_timer_stop(&s->sweep);
	for (size_t i = 0; i < s->listener_count; i++)
		uv_close(
		    (uv_handle_t *)&s->listeners[i].poll, on_listener_closed);
}
