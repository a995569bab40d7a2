/*
 * The library keeps an epoll descriptor of its own.  When that is readable, or
 * the time it named is over, or we have resumed a connection, MHD_run() does
 * what is to be done and calls back into http_listen and http_call.
 *
 * It knows no listening sockets: we accept, so that we can tell who comes and
 * say no before a byte is read.
 */
#include "frontend-gateway/admin/http_server_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

/* Of one connection: header, answer's header, and what is read at a time. */
enum { CONNECTION_MEMORY = 2 * HTTP_HEADER_MAX };

/* --- the library in the loop -------------------------------------------- */

static void
run(struct http_server *s)
{
	unsigned long long ms;

	s->running = true;
	(void)MHD_run(s->daemon);
	s->running = false;
	if (MHD_get_timeout(s->daemon, &ms) == MHD_YES)
		clock_timer_start(&s->turn, ms);
	else
		clock_timer_stop(&s->turn);
}

static void
on_turn(struct clock_timer *t, void *arg)
{
	(void)t;
	run(arg);
}

static void
on_ready(uv_poll_t *p, int status, int events)
{
	(void)status; /* MHD_run() finds out for itself */
	(void)events;
	run(p->data);
}

void
http_server_turn(struct http_server *s)
{
	if (!s->running && !s->closing)
		clock_timer_start(&s->turn, 0);
}

static int
start_library(struct http_server *s)
{
	const union MHD_DaemonInfo *info;
	int rc;

	s->daemon = MHD_start_daemon(
	    MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET,
	    0, NULL, NULL, http_call_on_access, s, MHD_OPTION_CONNECTION_LIMIT,
	    (unsigned)HTTP_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
	    (unsigned)HTTP_STALL_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	    (size_t)CONNECTION_MEMORY, MHD_OPTION_STRICT_FOR_CLIENT, 1,
	    MHD_OPTION_URI_LOG_CALLBACK, http_call_on_target, s,
	    MHD_OPTION_NOTIFY_COMPLETED, http_call_on_completed, s,
	    MHD_OPTION_NOTIFY_CONNECTION, http_listen_on_connection, s,
	    MHD_OPTION_END);
	if (s->daemon == NULL)
		return ERR_NOMEM;
	info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	assert(info != NULL && info->epoll_fd >= 0);
	rc = uv_poll_init(s->opts.loop, &s->poll, info->epoll_fd);
	if (rc < 0)
		return rc;
	s->poll.data = s;
	s->handles++;
	return uv_poll_start(&s->poll, UV_READABLE, on_ready);
}

/* --- life ---------------------------------------------------------------- */

void
http_server_handle_closed(uv_handle_t *h)
{
	struct http_server *s = h->data;

	if (--s->handles > 0)
		return;
	/* Only now: the loop has let go of its epoll descriptor. */
	if (s->daemon != NULL)
		MHD_stop_daemon(s->daemon);
	assert(list_empty(&s->connections));
	clock_timer_stop(&s->turn);
	if (s->on_closed != NULL)
		s->on_closed(s->closed_arg);
	free(s);
}

int
http_server_open(struct http_server **out, const struct http_server_opts *opts,
    char *why, size_t size)
{
	struct http_server *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL) {
		snprintf(why, size, "%s", err_str(ERR_NOMEM));
		return ERR_NOMEM;
	}
	s->opts = *opts;
	log_init(&s->log, "http");
	list_init(&s->connections);
	clock_timer_init(&s->turn, opts->clock, on_turn, s);
	rc = start_library(s);
	if (rc < 0)
		snprintf(why, size, "%s", err_str(rc));
	else
		rc = http_listen_open(s, why, size);
	if (rc < 0) {
		http_server_close(s, NULL, NULL);
		return rc;
	}
	*out = s;
	return 0;
}

void
http_server_close(
    struct http_server *s, void (*on_closed)(void *arg), void *arg)
{
	assert(!s->running);
	s->closing = true;
	s->on_closed = on_closed;
	s->closed_arg = arg;
	clock_timer_stop(&s->turn);
	/* The owner hears of no call after this. */
	LIST_FOREACH (it, &s->connections) {
		struct http_connection *c =
		    list_entry(it, struct http_connection, link);

		if (c->call != NULL)
			http_call_release(c->call);
	}
	http_listen_close(s);
	if (s->poll.data != NULL)
		uv_close((uv_handle_t *)&s->poll, http_server_handle_closed);
	if (s->handles == 0) {
		if (s->daemon != NULL)
			MHD_stop_daemon(s->daemon);
		free(s);
	}
}

size_t
http_server_connections(const struct http_server *s)
{
	return s->count;
}
