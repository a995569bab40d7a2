/*
 * http_url - the address of a document, as certificates name their lists and
 * responders: http only, and nothing that a request could be hidden in.  Pure.
 */
#ifndef EDGE_HTTP_URL_H
#define EDGE_HTTP_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum { HTTP_URL_MAX = 1024 };

struct http_url {
	char host[256]; /* a name in lower case, or an address */
	bool literal;   /* host is an address */
	struct sockaddr_storage address; /* if literal; with the port */
	uint16_t port;
	char authority[272];     /* as a request's Host has it */
	char path[HTTP_URL_MAX]; /* with the query, without a fragment */
};

/* ERR_UNSUPPORTED when it is not http, ERR_MALFORMED. */
int http_url_parse(struct http_url *out, const char *text, size_t len);
/* Where a redirect leads: an address of its own, or a path on the same host.
 * Codes as above. */
int http_url_follow(
    struct http_url *out, const struct http_url *base, const char *location);

#endif
