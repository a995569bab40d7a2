/*
 * http_server - HTTP/1.1 (RFC 9110, 9112) for the people who administer a
 * gateway, by libmicrohttpd in the daemon's loop, without a thread.
 *
 * It listens on a Unix socket that only its owner and root may use, and on
 * loopback addresses.  The owner sees each request twice: when its header is
 * there (on_head: may this one send a body, and how much?) and when it is
 * whole (on_request).  He answers during either call, or later; an answer is
 * a text, or a stream that is read as the client takes it.
 *
 * Owns     sockets, connections, calls.
 * Borrows  loop, clock.
 * Bounds   HTTP_CONNECTIONS at once, of which HTTP_CONNECTIONS_TCP by TCP, so
 *          that the Unix socket always has some of its own; a header of
 *          HTTP_HEADER_MAX bytes; HTTP_REQUEST_MS to send a request whole,
 *          HTTP_IDLE_MS between two, HTTP_ANSWER_MS to take an answer, and
 *          HTTP_STALL_S without a byte taken.
 * Ends     http_server_close(): calls that wait for an answer are told by
 *          on_gone; on_closed fires once, after the last close callback.
 */
#ifndef GATEWAY_ADMIN_HTTP_SERVER_H
#define GATEWAY_ADMIN_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <uv.h>

struct buf;
struct clock;
struct http_call;
struct http_server;

enum {
	HTTP_CONNECTIONS = 64,
	HTTP_CONNECTIONS_TCP = 48,
	HTTP_HEADER_MAX = 16 * 1024,
	HTTP_REQUEST_MS = 10000,
	HTTP_IDLE_MS = 30000,
	HTTP_ANSWER_MS = 120000,
	HTTP_STALL_S = 30,
	HTTP_LISTEN_MAX = 8,
	HTTP_PEER_SIZE = 64
};

enum http_method {
	HTTP_GET, /* HEAD as well: the server leaves the body out */
	HTTP_PUT,
	HTTP_PATCH,
	HTTP_POST,
	HTTP_DELETE,
	HTTP_OTHER,
	HTTP_METHOD_COUNT
};

/* Who is at the other end. */
struct http_peer {
	bool local; /* by the Unix socket: uid is his */
	uid_t uid;
	char name[HTTP_PEER_SIZE]; /* "unix", "127.0.0.1" */
};

struct http_server_events {
	/* The header is there.  Returns how many bytes of body are allowed, or
	 * answers the call, after which the body is not read. */
	size_t (*on_head)(struct http_call *call, void *arg);
	/* The server itself can't take it: a header of too many bytes (431), one
	 * that can be read in two ways (400), a body longer than allowed
	 * (413).  To be answered at once. */
	void (*on_refused)(struct http_call *call, unsigned status, void *arg);
	/* The request is whole.  Answer now, or http_call_wait() and answer
	 * later. */
	void (*on_request)(struct http_call *call, void *arg);
};

struct http_server_opts {
	uv_loop_t *loop;
	struct clock *clock;
	const char *socket; /* "" = none */
	const struct sockaddr_storage *listen;
	size_t listen_count;
	const struct http_server_events *events; /* borrowed, static */
	void *arg;
};

/* On error why (size bytes) has a line for an admin, and nothing is left but
 * handles that close in the loop's next turn. */
int http_server_open(struct http_server **out,
    const struct http_server_opts *opts, char *why, size_t size);
/* on_closed may be NULL. */
void http_server_close(
    struct http_server *s, void (*on_closed)(void *arg), void *arg);
size_t http_server_connections(const struct http_server *s);

/* --- a call -------------------------------------------------------------- */

enum http_method http_call_method(const struct http_call *call);
/* The method as it was sent. */
const char *http_call_method_str(const struct http_call *call);
/* The target as it was sent, for http_target_parse(). */
const char *http_call_target(const struct http_call *call);
/* NULL when there is none. */
const char *http_call_header(const struct http_call *call, const char *name);
const struct http_peer *http_call_peer(const struct http_call *call);
/* The body; NULL without one. */
const void *http_call_body(const struct http_call *call, size_t *len);
/* The same, handed over into *out (made anew); the call has none after that. */
void http_call_take_body(struct http_call *call, struct buf *out);
/* Something of the owner's, handed to its free function when the call ends. */
void http_call_set_data(
    struct http_call *call, void *data, void (*free_data)(void *data));
void *http_call_data(const struct http_call *call);

/* The answer comes later.  on_gone tells that it need not: the client or the
 * server is gone, and call no more to be touched. */
void
http_call_wait(struct http_call *call, void (*on_gone)(void *arg), void *arg);

struct http_header {
	const char *name, *value;
};

enum { HTTP_HEADERS_MAX = 4 };

/* The wait is over: from now on the owner is not told any more when the client
 * goes, until he waits again.  To be answered at once, or to be waited for. */
void http_call_end_wait(struct http_call *call);

struct http_answer {
	unsigned status;
	const char *type; /* of the body; NULL without one */
	char *body;       /* from malloc(), taken over */
	size_t len;
	struct http_header headers[HTTP_HEADERS_MAX]; /* as many as named */
	bool last; /* the connection is closed behind it */
};

/* Exactly once for each call, unless on_gone came. */
void http_call_answer(struct http_call *call, const struct http_answer *a);

enum { HTTP_STREAM_END = -1, HTTP_STREAM_BROKEN = -2 };

/* Writes up to size bytes to out and returns how many; 0: nothing is there
 * yet, http_call_wake() will tell; HTTP_STREAM_END; HTTP_STREAM_BROKEN cuts the
 * connection, so that the client sees that something is missing. */
typedef ssize_t http_stream_read_fn(void *arg, char *out, size_t size);

struct http_stream {
	const char *type;
	http_stream_read_fn *read;
	void (*on_end)(void *arg); /* once: arg is of no more use */
	void *arg;
	bool endless; /* may take longer than HTTP_ANSWER_MS */
};

/* Instead of http_call_answer(): status 200 and a body of unknown length.  call
 * stays valid until on_end.  ERR_NOMEM: nothing was taken, and the call is still
 * to be answered. */
int http_call_stream(struct http_call *call, const struct http_stream *stream);
/* There is something to read again. */
void http_call_wake(struct http_call *call);

#endif
