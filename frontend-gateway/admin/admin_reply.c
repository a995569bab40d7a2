/* Answers: objects, errors, and streams of JSON lines. */
#include "frontend-gateway/admin/admin_impl.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/utf8.h"
#include "frontend-gateway/admin/etag.h"

static const char type_json[] = "application/json";

/* --- objects --------------------------------------------------------------- */

/* Without memory for a text about it. */
static void
answer_bare(struct http_call *call)
{
	http_call_answer(call, &(struct http_answer){ .status = 503,
				   .headers = { { "Retry-After", "1" } } });
}

/* body is taken over. */
static void
answer(struct http_call *call, unsigned status, json_t *body,
    const struct http_header *header)
{
	char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
	struct http_answer a = { .status = status,
		.type = type_json,
		.body = text,
		.len = text != NULL ? strlen(text) : 0 };

	json_decref(body);
	if (header != NULL)
		a.headers[0] = *header;
	if (text != NULL)
		http_call_answer(call, &a);
	else
		answer_bare(call);
}

void
admin_reply(struct admin_request *r, unsigned status, json_t *body)
{
	answer(r->call, status, body, NULL);
}

void
admin_reply_version(
    struct admin_request *r, unsigned status, json_t *body, uint64_t version)
{
	char tag[ETAG_SIZE];
	struct http_header header = { "ETag", tag };

	etag_write(tag, version);
	answer(r->call, status, body, &header);
}

/* --- errors ---------------------------------------------------------------- */

static const char *
code_of(unsigned status)
{
	static const struct {
		unsigned status;
		const char *code;
	} codes[] = {
		{ 400, "malformed" },
		{ 401, "unauthorized" },
		{ 403, "forbidden" },
		{ 404, "not-found" },
		{ 405, "method-not-allowed" },
		{ 409, "conflict" },
		{ 412, "version" },
		{ 413, "too-large" },
		{ 415, "media-type" },
		{ 422, "invalid" },
		{ 429, "too-many" },
		{ 431, "header-too-large" },
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].status == status)
			return codes[i].code;
	return "unavailable";
}

unsigned
admin_status_of(int rc)
{
	switch (rc) {
	case ERR_CONFIG:
		return 422;
	case ERR_NOT_FOUND:
		return 404;
	case ERR_CONFLICT:
	case ERR_EXISTS:
		return 409;
	case ERR_MALFORMED:
	case ERR_TOO_LONG:
	case ERR_UTF8:
	case ERR_JID:
		return 400;
	default:
		return 503;
	}
}

static json_t *
error_json(unsigned status, const char *text)
{
	return json_pack(
	    "{s:{s:s, s:s}}", "error", "code", code_of(status), "text", text);
}

void
admin_reply_refusal(struct http_call *call, unsigned status, const char *text,
    const struct http_header *header)
{
	answer(call, status, error_json(status, text), header);
}

void
admin_fail(struct admin_request *r, unsigned status, const char *fmt, ...)
{
	char text[512];
	size_t len;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* It may have been cut within a character. */
	for (len = strlen(text); len > 0 && !utf8_valid(text, len);)
		text[--len] = '\0';
	answer(r->call, status, error_json(status, text), NULL);
}

void
admin_fail_with(struct admin_request *r, unsigned status, const char *text,
    json_t *problems)
{
	json_t *body = error_json(status, text);

	if (json_object_set_new(
		json_object_get(body, "error"), "problems", problems) < 0) {
		json_decref(body);
		body = NULL;
	}
	answer(r->call, status, body, NULL);
}

/* --- lines ----------------------------------------------------------------- */

/* A line that did not fit into what the client takes at a time. */
struct lines {
	struct admin_lines from;
	char *line; /* with its newline; NULL = take the next */
	size_t len, sent;
};

static int
take_line(struct lines *l)
{
	json_t *object;
	int rc = l->from.next(&object, l->from.arg);

	if (rc < 0)
		return rc;
	l->line = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	if (l->line == NULL)
		return ERR_NOMEM;
	l->len = strlen(l->line);
	l->line[l->len++] = '\n'; /* in place of the NUL */
	l->sent = 0;
	return 0;
}

static ssize_t
on_read(void *arg, char *out, size_t size)
{
	struct lines *l = arg;
	size_t len = 0;

	while (len < size) {
		size_t n;
		int rc = l->line == NULL ? take_line(l) : 0;

		if (rc == ERR_NOT_FOUND)
			return len > 0 ? (ssize_t)len : HTTP_STREAM_END;
		if (rc < 0)
			return HTTP_STREAM_BROKEN;
		n = l->len - l->sent < size - len ? l->len - l->sent
						  : size - len;
		memcpy(out + len, l->line + l->sent, n);
		l->sent += n;
		len += n;
		if (l->sent == l->len) {
			free(l->line);
			l->line = NULL;
		}
	}
	return (ssize_t)len;
}

static void
on_lines_end(void *arg)
{
	struct lines *l = arg;

	l->from.on_end(l->from.arg);
	free(l->line);
	free(l);
}

void
admin_reply_lines(struct admin_request *r, const struct admin_lines *from)
{
	struct lines *l = calloc(1, sizeof(*l));

	if (l == NULL) {
		from->on_end(from->arg);
		answer_bare(r->call);
		return;
	}
	l->from = *from;
	if (http_call_stream(
		r->call, &(struct http_stream){ .type = "application/x-ndjson",
			     .read = on_read,
			     .on_end = on_lines_end,
			     .arg = l }) < 0) {
		on_lines_end(l);
		answer_bare(r->call);
	}
}
