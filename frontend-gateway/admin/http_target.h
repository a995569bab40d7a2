/*
 * http_target - the target of an HTTP request (RFC 9112 3.2.1, RFC 3986):
 * a path in segments and the parameters of its query, decoded.
 *
 * Strict: a segment is not empty (but for one slash at the end, which counts
 * for nothing), what is percent-encoded is UTF-8 without control characters,
 * and no parameter is named twice, so that nobody reads a target in another
 * way than we do.
 *
 * Pure: no I/O.
 */
#ifndef GATEWAY_ADMIN_HTTP_TARGET_H
#define GATEWAY_ADMIN_HTTP_TARGET_H

#include <stddef.h>

enum {
	HTTP_TARGET_MAX = 4096,
	HTTP_TARGET_SEGMENTS = 6,
	HTTP_TARGET_PARAMS = 16
};

/* The texts lead into one block that http_target_finish() frees. */
struct http_target {
	char *block;
	const char *segments[HTTP_TARGET_SEGMENTS];
	size_t segment_count;
	struct {
		const char *name, *value;
	} params[HTTP_TARGET_PARAMS];
	size_t param_count;
};

/* On error *out is zeroed.  ERR_MALFORMED, ERR_UTF8, ERR_TOO_LONG, ERR_FULL
 * (more segments or parameters than fit), ERR_NOMEM. */
int http_target_parse(struct http_target *out, const char *s, size_t len);
void http_target_finish(struct http_target *t);

/* NULL when there is no such parameter. */
const char *http_target_param(const struct http_target *t, const char *name);

#endif
