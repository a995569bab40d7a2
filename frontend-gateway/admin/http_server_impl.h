/*
 * http_server_impl - what the files of the HTTP server share.  Nobody else
 * includes it.
 *
 * http_server.c  the library in the loop, life
 * http_listen.c  sockets and connections
 * http_call.c    requests and answers
 */
#ifndef GATEWAY_ADMIN_HTTP_SERVER_IMPL_H
#define GATEWAY_ADMIN_HTTP_SERVER_IMPL_H

#include <microhttpd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "frontend-gateway/admin/http_server.h"

struct http_listener {
	struct http_server *server;
	uv_poll_t poll;
	int fd;
	bool local;
};

struct http_server {
	struct http_server_opts opts;
	struct log log;
	struct MHD_Daemon *daemon;
	uv_poll_t poll; /* the library's epoll descriptor */
	struct clock_timer turn;
	struct clock_timer pause; /* of accepting */
	struct clock_timer sweep; /* for those who have gone */
	struct http_listener listeners[HTTP_LISTEN_MAX + 1];
	size_t listener_count;
	struct list connections;
	size_t count, tcp_count;
	unsigned handles;
	bool running; /* within the library's MHD_run() */
	bool closing;
	void (*on_closed)(void *arg);
	void *closed_arg;
};

struct http_connection {
	struct list link;
	struct http_server *server;
	struct MHD_Connection *mhd;
	struct http_peer peer;
	struct http_call *call; /* under way; NULL between two */
	struct clock_timer limit;
	const char *limit_is_for;
	bool asking; /* he has not sent his request whole */
	int fd;      /* the library's */
};

/* --- http_server.c ------------------------------------------------------ */

/* The library has something to do that no descriptor tells of. */
void http_server_turn(struct http_server *s);

/* --- http_listen.c ------------------------------------------------------ */

int http_listen_open(struct http_server *s, char *why, size_t size);
/* Closes the sockets; http_server_handle_closed() for each. */
void http_listen_close(struct http_server *s);
void http_server_handle_closed(uv_handle_t *h);
/* The library's events of a connection. */
void http_listen_on_connection(void *arg, struct MHD_Connection *mhd,
    void **context, enum MHD_ConnectionNotificationCode what);
struct http_connection *http_listen_connection(struct MHD_Connection *mhd);
/* The connection is cut if that takes longer; what is for the log.  asking: it
 * is the client's turn, and there is no point in it when he is gone. */
void http_listen_limit(
    struct http_connection *c, const char *what, bool asking, uint64_t ms);
/* As if the client had gone. */
void http_listen_cut(struct http_connection *c);

/* --- http_call.c -------------------------------------------------------- */

/* The library's events of a request. */
void *
http_call_on_target(void *arg, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result http_call_on_access(void *arg, struct MHD_Connection *mhd,
    const char *url, const char *method, const char *version, const char *data,
    size_t *size, void **context);
void http_call_on_completed(void *arg, struct MHD_Connection *mhd,
    void **context, enum MHD_RequestTerminationCode why);
/* The server ends: the library wants none suspended. */
void http_call_release(struct http_call *call);

#endif
