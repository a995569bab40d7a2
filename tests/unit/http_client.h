/*
 * http_client - a client of an HTTP server in the same loop, byte by byte.
 * For unit tests.
 */
#ifndef TESTS_HTTP_CLIENT_H
#define TESTS_HTTP_CLIENT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct clock;

struct http_client {
	uv_loop_t *loop;
	struct clock *clock; /* a manual one */
	const char *path;
	struct sockaddr_in tcp;
};

/* An address of 127.64/10 that is this process's alone. */
void http_client_address(struct sockaddr_in *out);
void http_client_turn(const struct http_client *c);
int http_client_dial(const struct http_client *c);
int http_client_dial_tcp(const struct http_client *c);
void http_client_say(
    const struct http_client *c, int fd, const char *text, size_t len);
/* What has come so far, valid until the next call; *closed when there will be
 * no more. */
const char *http_client_hear(const struct http_client *c, int fd, bool *closed);
/* One whole answer to a request of that method, chunks put together; valid
 * until the next call.  NULL when the connection was closed; without one for
 * some seconds the test fails. */
const char *
http_client_answer(const struct http_client *c, int fd, const char *method);
unsigned http_client_status(const char *answer);
/* The body of an answer. */
const char *http_client_body(const char *answer);

#endif
