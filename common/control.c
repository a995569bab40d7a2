/*
 * A call lives from accept to the close of its pipe.  It reads until the first
 * newline, hands the request up once, writes the answer, shuts down.  The one
 * timer covers all of that.  While the request is with the owner (asked and not
 * answered) the call must outlive its client: it is freed when both the pipe
 * is closed and the answer has come.
 */
#include "common/control.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/list.h"

/* The children of a daemon that was killed, which hold its socket too, end
 * within moments. */
enum { BIND_TRIES = 20, BIND_STEP_US = 50000 };

struct control {
	uv_pipe_t pipe;
	struct clock *clock;
	control_request_fn *fn;
	void *arg;
	struct list calls;
	unsigned count;
	bool closing, pipe_closed;
	void (*on_closed)(void *arg);
	void *closed_arg;
};

struct control_call {
	struct list link;
	struct control *control; /* NULL once the control is gone */
	uv_pipe_t pipe;
	uv_write_t write;
	struct clock_timer limit;
	struct buf in, out;
	bool asked, answered, closing, closed;
};

/* --- ends -------------------------------------------------------------- */

static void
maybe_free_control(struct control *c)
{
	if (!c->closing || !c->pipe_closed || c->count > 0)
		return;
	if (c->on_closed != NULL)
		c->on_closed(c->closed_arg);
	free(c);
}

static void
maybe_free_call(struct control_call *call)
{
	if (!call->closed || (call->asked && !call->answered))
		return;
	buf_finish(&call->in);
	buf_finish(&call->out);
	free(call);
}

static void
on_call_closed(uv_handle_t *h)
{
	struct control_call *call = h->data;
	struct control *c = call->control;

	call->closed = true;
	list_remove(&call->link);
	call->control = NULL;
	maybe_free_call(call);
	c->count--;
	maybe_free_control(c);
}

static void
end_call(struct control_call *call)
{
	if (call->closing)
		return;
	call->closing = true;
	clock_timer_stop(&call->limit);
	uv_close((uv_handle_t *)&call->pipe, on_call_closed);
}

static void
on_limit(struct clock_timer *t, void *arg)
{
	(void)t;
	end_call(arg);
}

/* --- the answer -------------------------------------------------------- */

static void
on_written(uv_write_t *w, int status)
{
	(void)status; /* the client has gone; so do we */
	end_call(w->data);
}

static void
answer(struct control_call *call, json_t *body)
{
	uv_buf_t b;
	char *text;

	assert(call->asked && !call->answered);
	call->answered = true;
	text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
	json_decref(body);
	if (call->closing) {
		free(text);
		maybe_free_call(call);
		return;
	}
	if (text == NULL || buf_add_str(&call->out, text) < 0 ||
	    buf_add_char(&call->out, '\n') < 0) {
		free(text);
		end_call(call);
		return;
	}
	free(text);
	b = uv_buf_init((char *)call->out.data, (unsigned)call->out.len);
	call->write.data = call;
	if (uv_write(&call->write, (uv_stream_t *)&call->pipe, &b, 1,
		on_written) < 0)
		end_call(call);
}

void
control_reply(struct control_call *call, json_t *body)
{
	if (body != NULL)
		json_object_set_new(body, "ok", json_true());
	answer(call, body);
}

void
control_fail(struct control_call *call, const char *why)
{
	answer(call, json_pack("{s:b, s:s}", "ok", 0, "error", why));
}

/* --- the request ------------------------------------------------------- */

static void
ask(struct control_call *call, size_t len)
{
	json_t *request = json_loadb(
	    (const char *)call->in.data, len, JSON_REJECT_DUPLICATES, NULL);
	const char *verb = json_string_value(json_object_get(request, "verb"));

	call->asked = true;
	if (verb == NULL)
		control_fail(call, "the request is no object with a verb");
	else
		call->control->fn(call, verb, request, call->control->arg);
	json_decref(request);
}

static void
on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *out)
{
	static char chunk[CONTROL_REQUEST_MAX];

	(void)h;
	(void)hint;
	*out = uv_buf_init(chunk, sizeof(chunk));
}

/* Reading stops with the newline: a client that closes its half then is one
 * that waits for the answer. */
static void
on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
	struct control_call *call = s->data;
	const uint8_t *end;

	if (n == 0)
		return;
	if (n < 0 || buf_add(&call->in, b->base, (size_t)n) < 0) {
		end_call(call);
		return;
	}
	end = memchr(call->in.data, '\n', call->in.len);
	if (end == NULL)
		return;
	uv_read_stop(s);
	ask(call, (size_t)(end - call->in.data));
}

/* Only the user the daemon runs as, and root. */
static bool
may_ask(uv_pipe_t *pipe)
{
	struct ucred who;
	socklen_t len = sizeof(who);
	int fd;

	if (uv_fileno((uv_handle_t *)pipe, &fd) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
		return false;
	return who.uid == 0 || who.uid == geteuid();
}

static void
on_connection(uv_stream_t *s, int status)
{
	struct control *c = s->data;
	struct control_call *call;

	if (status < 0)
		return;
	call = calloc(1, sizeof(*call));
	if (call == NULL)
		return;
	if (uv_pipe_init(s->loop, &call->pipe, 0) < 0) {
		free(call);
		return;
	}
	call->pipe.data = call;
	call->control = c;
	c->count++;
	list_append(&c->calls, &call->link);
	buf_init(&call->in, CONTROL_REQUEST_MAX);
	buf_init(&call->out, 0);
	clock_timer_init(&call->limit, c->clock, on_limit, call);
	if (uv_accept(s, (uv_stream_t *)&call->pipe) < 0 ||
	    c->count > CONTROL_CLIENTS || !may_ask(&call->pipe) ||
	    uv_read_start((uv_stream_t *)&call->pipe, on_alloc, on_read) < 0) {
		end_call(call);
		return;
	}
	clock_timer_start(&call->limit, CONTROL_MS);
}

/* --- the socket -------------------------------------------------------- */

static bool
answers(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool yes;

	if (fd < 0)
		return true; /* can't tell: leave it alone */
	/* EAGAIN: somebody listens, and does not come to accepting. */
	yes = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 ||
	      errno == EAGAIN;
	close(fd);
	return yes;
}

int
control_bind(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	mode_t mask;
	int fd, rc;

	if (strlen(path) >= sizeof(addr.sun_path))
		return ERR_TOO_LONG;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	for (int i = 0; answers(&addr); i++) {
		if (i == BIND_TRIES)
			return UV_EADDRINUSE;
		usleep(BIND_STEP_US);
	}
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* From the first moment on nobody else may connect. */
	mask = umask(0177);
	rc = bind(fd, (const struct sockaddr *)&addr, sizeof(addr));
	umask(mask);
	if (rc < 0 || listen(fd, CONTROL_CLIENTS) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

static void
on_pipe_closed(uv_handle_t *h)
{
	struct control *c = h->data;

	c->pipe_closed = true;
	maybe_free_control(c);
}

int
control_open(struct control **out, uv_loop_t *loop, struct clock *clock, int fd,
    control_request_fn *fn, void *arg)
{
	struct control *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL)
		return ERR_NOMEM;
	c->clock = clock;
	c->fn = fn;
	c->arg = arg;
	list_init(&c->calls);
	rc = uv_pipe_init(loop, &c->pipe, 0);
	if (rc < 0) {
		free(c);
		return rc;
	}
	c->pipe.data = c;
	rc = uv_pipe_open(&c->pipe, fd);
	if (rc == 0)
		rc = uv_listen(
		    (uv_stream_t *)&c->pipe, CONTROL_CLIENTS, on_connection);
	if (rc < 0) {
		control_close(c, NULL, NULL);
		return rc;
	}
	*out = c;
	return 0;
}

void
control_close(struct control *c, void (*on_closed)(void *arg), void *arg)
{
	c->closing = true;
	c->on_closed = on_closed;
	c->closed_arg = arg;
	LIST_FOREACH_SAFE (it, &c->calls)
		end_call(list_entry(it, struct control_call, link));
	uv_close((uv_handle_t *)&c->pipe, on_pipe_closed);
}
