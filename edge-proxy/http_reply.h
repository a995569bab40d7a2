/*
 * http_reply - the answer to one HTTP/1.1 request (RFC 9112), read as its bytes
 * come in.  Pure.
 *
 * As little as fetching a document takes: status, length in all three forms
 * (Content-Length, chunks, until the end), and where a redirect leads.
 * Everything is bounded, and what is ambiguous is refused.
 *
 * Owns     the body.
 * Errors   ERR_MALFORMED, ERR_TOO_LONG (a line, the head or the body beyond its
 *          bound), ERR_UNSUPPORTED (another coding), ERR_NOMEM.
 */
#ifndef EDGE_HTTP_REPLY_H
#define EDGE_HTTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

enum {
	HTTP_REPLY_LINE_MAX = 4096,
	HTTP_REPLY_HEAD_MAX = 16 * 1024,
	HTTP_REPLY_LOCATION_SIZE = 1025
};

enum http_reply_state {
	HTTP_REPLY_STATUS,
	HTTP_REPLY_FIELDS,
	HTTP_REPLY_LENGTH,    /* a body of known length */
	HTTP_REPLY_UNTIL_END, /* a body of unknown length */
	HTTP_REPLY_CHUNK_SIZE,
	HTTP_REPLY_CHUNK,
	HTTP_REPLY_CHUNK_END,
	HTTP_REPLY_TRAILER,
	HTTP_REPLY_DONE
};

struct http_reply {
	enum http_reply_state state;
	int status;                              /* 200 ... */
	char location[HTTP_REPLY_LOCATION_SIZE]; /* or "" */
	struct buf body;
	size_t body_max;
	/* Of the reader alone: */
	char line[HTTP_REPLY_LINE_MAX];
	size_t line_len, head_len;
	bool has_length, chunked;
	uint64_t left; /* of the body or of a chunk */
};

void http_reply_init(struct http_reply *r, size_t body_max);
void http_reply_finish(struct http_reply *r);
/* Takes what came; bytes behind the end are not looked at.  The first error is
 * the last: nothing may be fed after it. */
int http_reply_feed(struct http_reply *r, const uint8_t *data, size_t len);
/* The other side has closed: 0 when that was all, else ERR_INCOMPLETE. */
int http_reply_end(struct http_reply *r);

#endif
