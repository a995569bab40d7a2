/*
 * The library calls http_call_on_access() several times for a request: with
 * its header, with pieces of its body, at its end, and once more whenever a
 * suspended connection has been resumed.  An answer is kept in the call and
 * given to the library in the next of these turns.
 *
 * A request that is refused by its header is still read, up to DRAIN_MAX bytes:
 * closing with bytes unread would reset the connection, and the client might
 * never see the answer.  One that asks first (Expect: 100-continue) is told at
 * once.
 */
#include "frontend-gateway/admin/http_server_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/err.h"
#include "frontend-gateway/admin/http_target.h"

enum { DRAIN_MAX = 32 * 1024 * 1024, STREAM_BLOCK = 32 * 1024 };

/* A stream outlives its call for as long as the library holds the answer. */
struct body {
	struct http_call *call; /* NULL when that has ended */
	struct http_stream stream;
};

struct http_call {
	struct http_connection *connection;
	char *target;
	char method_name[16];
	enum http_method method;
	bool begun, whole, answered, queued, waiting, suspended;
	struct buf in;
	size_t in_max, drained;
	bool too_long;
	bool last; /* the connection is closed behind the answer */
	struct MHD_Response *response;
	unsigned status;
	struct body *body;
	void (*on_gone)(void *arg);
	void *gone_arg;
	void *data;
	void (*free_data)(void *data);
};

/* --- what the owner asks ------------------------------------------------- */

enum http_method
http_call_method(const struct http_call *call)
{
	return call->method;
}

const char *
http_call_method_str(const struct http_call *call)
{
	return call->method_name;
}

const char *
http_call_target(const struct http_call *call)
{
	return call->target;
}

const char *
http_call_header(const struct http_call *call, const char *name)
{
	return MHD_lookup_connection_value(
	    call->connection->mhd, MHD_HEADER_KIND, name);
}

const struct http_peer *
http_call_peer(const struct http_call *call)
{
	return &call->connection->peer;
}

const void *
http_call_body(const struct http_call *call, size_t *len)
{
	*len = call->in.len;
	return call->in.data;
}

void
http_call_take_body(struct http_call *call, struct buf *out)
{
	*out = call->in;
	buf_init(&call->in, 0);
}

void
http_call_set_data(
    struct http_call *call, void *data, void (*free_data)(void *data))
{
	assert(call->data == NULL);
	call->data = data;
	call->free_data = free_data;
}

void *
http_call_data(const struct http_call *call)
{
	return call->data;
}

void
http_call_wait(struct http_call *call, void (*on_gone)(void *arg), void *arg)
{
	assert(!call->answered && !call->waiting);
	call->waiting = true;
	call->on_gone = on_gone;
	call->gone_arg = arg;
}

void
http_call_end_wait(struct http_call *call)
{
	assert(call->waiting);
	call->waiting = false;
	call->on_gone = NULL;
	call->gone_arg = NULL;
}

/* --- answers -------------------------------------------------------------- */

static void
resume(struct http_call *call)
{
	if (!call->suspended)
		return;
	call->suspended = false;
	MHD_resume_connection(call->connection->mhd);
	http_server_turn(call->connection->server);
}

static bool
add_headers(struct MHD_Response *r, const struct http_header *headers)
{
	static const struct http_header always[] = {
		{ "Cache-Control", "no-store" },
		{ "X-Content-Type-Options", "nosniff" },
	};
	bool ok = true;

	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		ok &= MHD_add_response_header(
			  r, always[i].name, always[i].value) == MHD_YES;
	for (size_t i = 0; i < HTTP_HEADERS_MAX && headers != NULL; i++)
		if (headers[i].name != NULL)
			ok &= MHD_add_response_header(r, headers[i].name,
				  headers[i].value) == MHD_YES;
	return ok;
}

/* r NULL: there was no memory, and the connection has to go. */
static void
keep_answer(struct http_call *call, unsigned status, struct MHD_Response *r)
{
	call->answered = true;
	call->waiting = false;
	call->on_gone = NULL;
	call->status = status;
	call->response = r;
	if (r == NULL)
		http_listen_cut(call->connection);
	resume(call);
}

void
http_call_answer(struct http_call *call, const struct http_answer *a)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(
	    a->len, a->body, MHD_RESPMEM_MUST_FREE);
	bool ok = r != NULL && add_headers(r, a->headers);

	assert(!call->answered);
	if (r == NULL)
		free(a->body);
	if (ok && a->type != NULL)
		ok = MHD_add_response_header(
			 r, MHD_HTTP_HEADER_CONTENT_TYPE, a->type) == MHD_YES;
	call->last |= a->last;
	if (!ok && r != NULL) {
		MHD_destroy_response(r);
		r = NULL;
	}
	keep_answer(call, a->status, r);
}

static ssize_t
on_read(void *arg, uint64_t at, char *out, size_t size)
{
	struct body *b = arg;
	ssize_t n;

	(void)at;
	if (b->call == NULL)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	n = b->stream.read(b->stream.arg, out, size);
	if (n > 0)
		return n;
	if (n == HTTP_STREAM_END)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (n < 0)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	b->call->suspended = true;
	MHD_suspend_connection(b->call->connection->mhd);
	return 0;
}

static void
on_body_done(void *arg)
{
	struct body *b = arg;

	if (b->call != NULL)
		b->call->body = NULL;
	free(b);
}

int
http_call_stream(struct http_call *call, const struct http_stream *stream)
{
	struct MHD_Response *r;
	struct body *b = calloc(1, sizeof(*b));

	assert(!call->answered);
	if (b == NULL)
		return ERR_NOMEM;
	r = MHD_create_response_from_callback(
	    MHD_SIZE_UNKNOWN, STREAM_BLOCK, on_read, b, on_body_done);
	if (r == NULL) {
		free(b);
		return ERR_NOMEM;
	}
	if (!add_headers(r, NULL) ||
	    MHD_add_response_header(
		r, MHD_HTTP_HEADER_CONTENT_TYPE, stream->type) == MHD_NO) {
		MHD_destroy_response(r);
		return ERR_NOMEM;
	}
	b->call = call;
	b->stream = *stream;
	call->body = b;
	keep_answer(call, MHD_HTTP_OK, r);
	return 0;
}

void
http_call_wake(struct http_call *call)
{
	if (call->queued)
		resume(call);
}

/* --- a request comes in -------------------------------------------------- */

static enum http_method
method_of(const char *name)
{
	static const struct {
		const char *name;
		enum http_method method;
	} known[] = { { "GET", HTTP_GET }, { "HEAD", HTTP_GET },
		{ "PUT", HTTP_PUT }, { "PATCH", HTTP_PATCH },
		{ "POST", HTTP_POST }, { "DELETE", HTTP_DELETE } };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].name, name) == 0)
			return known[i].method;
	return HTTP_OTHER;
}

void *
http_call_on_target(void *arg, const char *uri, struct MHD_Connection *mhd)
{
	struct http_connection *c = http_listen_connection(mhd);
	struct http_call *call;

	(void)arg;
	if (c == NULL || c->server->closing)
		return NULL;
	call = calloc(1, sizeof(*call));
	if (call == NULL)
		return NULL;
	call->target = strdup(uri);
	if (call->target == NULL) {
		free(call);
		return NULL;
	}
	call->connection = c;
	buf_init(&call->in, 0);
	c->call = call;
	http_listen_limit(c, "request", true, HTTP_REQUEST_MS);
	return call;
}

struct header_count {
	size_t bytes;
	uint64_t length; /* of the body */
	unsigned hosts, tokens, lengths, codings, types, matches;
	bool asks;  /* before it sends its body */
	bool coded; /* in another way than chunked, which alone we read */
};

static enum MHD_Result
on_header(
    void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct header_count *n = arg;

	(void)kind;
	n->bytes += strlen(name) + (value != NULL ? strlen(value) : 0) + 4;
	n->hosts += strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0;
	n->tokens += strcasecmp(name, MHD_HTTP_HEADER_AUTHORIZATION) == 0;
	if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
		n->lengths++;
		n->length = value != NULL ? strtoull(value, NULL, 10) : 0;
	}
	if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
		n->codings++;
		n->coded |= value == NULL || strcasecmp(value, "chunked") != 0;
	}
	n->asks |= strcasecmp(name, MHD_HTTP_HEADER_EXPECT) == 0;
	n->types += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_TYPE) == 0;
	n->matches += strcasecmp(name, MHD_HTTP_HEADER_IF_MATCH) == 0;
	return MHD_YES;
}

/* What a proxy before us may read in another way than we do. */
static bool
is_ambiguous(const struct header_count *n)
{
	return n->hosts > 1 || n->tokens > 1 || n->lengths > 1 ||
	       n->codings > 1 || n->coded || n->types > 1 || n->matches > 1 ||
	       (n->codings == 1 && n->lengths == 1);
}

static enum MHD_Result
queue(struct http_call *call)
{
	struct http_connection *c = call->connection;
	const bool endless = call->body != NULL && call->body->stream.endless;
	enum MHD_Result rc;

	if (call->response == NULL)
		return MHD_NO; /* there was no memory */
	if (call->last)
		(void)MHD_add_response_header(
		    call->response, MHD_HTTP_HEADER_CONNECTION, "close");
	http_listen_limit(c, "answer", false, endless ? 0 : HTTP_ANSWER_MS);
	call->queued = true;
	rc = MHD_queue_response(c->mhd, call->status, call->response);
	MHD_destroy_response(call->response);
	return rc;
}

static enum MHD_Result
begin(struct http_call *call, const char *method)
{
	struct http_server *s = call->connection->server;
	struct header_count n = { 0 };

	call->begun = true;
	if (strlen(method) < sizeof(call->method_name))
		memcpy(call->method_name, method, strlen(method) + 1);
	call->method = method_of(call->method_name);
	(void)MHD_get_connection_values(
	    call->connection->mhd, MHD_HEADER_KIND, on_header, &n);
	n.bytes += strlen(call->target);
	call->last = is_ambiguous(&n);
	if (n.bytes > HTTP_HEADER_MAX || call->last)
		s->opts.events->on_refused(
		    call, call->last ? 400 : 431, s->opts.arg);
	else
		call->in_max = s->opts.events->on_head(call, s->opts.arg);
	if (!call->answered && n.length > call->in_max)
		s->opts.events->on_refused(call, 413, s->opts.arg);
	/* Of one that can be read in two ways nobody knows where it ends. */
	if (!call->answered ||
	    (!call->last && n.length <= DRAIN_MAX && !n.asks))
		return MHD_YES;
	call->last = true;
	return queue(call);
}

/* A piece of the body. */
static enum MHD_Result
take(struct http_call *call, const char *data, size_t *size)
{
	if (!call->answered && !call->too_long &&
	    call->in.len + *size <= call->in_max) {
		if (buf_add(&call->in, data, *size) < 0)
			return MHD_NO;
		*size = 0;
		return MHD_YES;
	}
	call->too_long = true;
	buf_finish(&call->in);
	call->drained += *size;
	*size = 0;
	return call->drained > DRAIN_MAX ? MHD_NO : MHD_YES;
}

static enum MHD_Result
go_on(struct http_call *call)
{
	struct http_server *s = call->connection->server;

	if (call->queued)
		return MHD_YES;
	if (!call->whole) {
		call->whole = true;
		http_listen_limit(call->connection, "nothing", false, 0);
		if (!call->answered && call->too_long)
			s->opts.events->on_refused(call, 413, s->opts.arg);
		else if (!call->answered)
			s->opts.events->on_request(call, s->opts.arg);
		assert(call->answered || call->waiting);
	}
	if (call->answered)
		return queue(call);
	if (!call->waiting)
		return MHD_NO; /* at the end */
	call->suspended = true;
	MHD_suspend_connection(call->connection->mhd);
	return MHD_YES;
}

enum MHD_Result
http_call_on_access(void *arg, struct MHD_Connection *mhd, const char *url,
    const char *method, const char *version, const char *data, size_t *size,
    void **context)
{
	struct http_call *call = *context;

	(void)arg;
	(void)mhd;
	(void)url;
	(void)version;
	if (call == NULL || call->connection->server->closing)
		return MHD_NO;
	if (!call->begun)
		return begin(call, method);
	if (*size > 0)
		return take(call, data, size);
	return go_on(call);
}

/* --- the end -------------------------------------------------------------- */

/* The owner has nothing to do with it any more. */
static void
let_go(struct http_call *call)
{
	struct body *b = call->body;

	if (call->on_gone != NULL)
		call->on_gone(call->gone_arg);
	call->on_gone = NULL;
	call->waiting = false;
	call->body = NULL;
	if (b != NULL) {
		b->call = NULL;
		b->stream.on_end(b->stream.arg);
	}
	if (call->free_data != NULL)
		call->free_data(call->data);
	call->free_data = NULL;
	call->data = NULL;
}

void
http_call_release(struct http_call *call)
{
	let_go(call);
	if (call->suspended)
		MHD_resume_connection(call->connection->mhd);
	call->suspended = false;
}

void
http_call_on_completed(void *arg, struct MHD_Connection *mhd, void **context,
    enum MHD_RequestTerminationCode why)
{
	struct http_call *call = *context;

	(void)arg;
	(void)mhd;
	(void)why;
	if (call == NULL)
		return;
	*context = NULL;
	let_go(call);
	if (call->response != NULL && !call->queued)
		MHD_destroy_response(call->response);
	call->connection->call = NULL;
	http_listen_limit(call->connection, "next request", true, HTTP_IDLE_MS);
	buf_finish(&call->in);
	free(call->target);
	free(call);
}
