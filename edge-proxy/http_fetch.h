/*
 * http_fetch - one document from somewhere on the Internet, by plain HTTP.
 *
 * Plain, because what is fetched is signed: revocation lists and answers about
 * certificates.  Names are resolved by the resolver, addresses have to be
 * public (reach_refusal_public), one redirect is followed, and the whole is
 * bounded in bytes and time.
 *
 * Own code and no libcurl: that brings two dozen libraries into the process,
 * TLS, compression and directories among them, for one request that needs none
 * of it.  What is parsed here is http_reply.h.
 *
 * Owns     its connection and its question to the resolver.
 * Borrows  what opts names, until the end.
 * Ends     on_done fires once, never from within http_fetch_open(), and not
 *          after http_fetch_close(); the fetch is gone when it returns.
 * Errors   of on_done: 0 with the body, else a code and why.
 */
#ifndef EDGE_HTTP_FETCH_H
#define EDGE_HTTP_FETCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

struct buf;
struct clock;
struct http_fetch;
struct prefix;
struct reach;
struct resolver_client;

typedef void
http_fetch_fn(int rc, const char *why, const struct buf *body, void *arg);

/* From where, the same for all. */
struct http_fetch_place {
	uv_loop_t *loop;
	struct clock *clock;
	struct resolver_client *resolver;
	const struct reach *reach;
	/* Private networks that may be reached all the same. */
	const struct prefix *permitted;
	size_t permitted_count;
	/* Source addresses; ss_family 0 = any. */
	struct sockaddr_storage outgoing4, outgoing6;
};

struct http_fetch_opts {
	const struct http_fetch_place *place;
	const char *url;
	/* What is posted; NULL: nothing is.  Copied. */
	const void *post;
	size_t post_len;
	const char *post_type;
	size_t answer_max;
	uint64_t limit_ms; /* for all of it */
	http_fetch_fn *on_done;
	void *arg;
};

/* ERR_UNSUPPORTED or ERR_MALFORMED: no such url; ERR_NOMEM; the resolver's. */
int http_fetch_open(struct http_fetch **out, const struct http_fetch_opts *o);
void http_fetch_close(struct http_fetch *f);

#endif
