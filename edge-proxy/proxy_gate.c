/*
 * proxy_gate - see the header.
 *
 * A connection is accepted, looked at (does it come from a load balancer?) and
 * then read by hand, never beyond its header: what follows belongs to the
 * stream, which gets the descriptor.  libuv does not let go of a descriptor
 * that one of its handles has, so it is a copy of the accepted one that waits
 * here.
 */
#include "edge-proxy/proxy_gate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/list.h"
#include "common/log.h"
#include "common/log_limit.h"
#include "common/prefix.h"
#include "edge-proxy/proxy_header.h"

enum {
	HEADER_MS = 5000,
	WAITING_MAX = 512 /* connections without a header */
};

struct proxy_gate {
	uv_loop_t *loop;
	struct clock *clock;
	proxy_gate_fn *fn;
	void *arg;
	struct prefix *from;
	size_t count;
	struct list waiting;
	size_t waiting_count;
	struct log log;
};

/* A connection that owes its header. */
struct waiting {
	struct list all;
	struct proxy_gate *gate;
	uv_poll_t poll;
	int fd; /* -1: given away */
	bool direct;
	struct clock_timer limit;
	struct sockaddr_storage peer;
	char ip[64];
	size_t len, need;
	uint8_t data[PROXY_HEADER_MAX];
};

static void
on_poll_closed(uv_handle_t *h)
{
	struct waiting *w = h->data;

	free(w);
}

/* Ends the waiting; the descriptor is closed unless it was given away. */
static void
let_go(struct waiting *w)
{
	clock_timer_stop(&w->limit);
	list_remove(&w->all);
	w->gate->waiting_count--;
	uv_close((uv_handle_t *)&w->poll, on_poll_closed);
	if (w->fd >= 0)
		close(w->fd);
}

static void
refuse(struct proxy_gate *g, const char *ip, const char *why)
{
	log_limited_warn(
	    &g->log, ip, "proxy-refused", "peer=%s reason=%s", ip, why);
}

static void
on_limit(struct clock_timer *t, void *arg)
{
	struct waiting *w = arg;

	(void)t;
	refuse(w->gate, w->ip, "no whole header in time");
	let_go(w);
}

static void
hand_on(struct waiting *w, const struct proxy_header *h)
{
	struct proxy_gate *g = w->gate;
	struct sockaddr_storage peer = h->local ? w->peer : h->source;
	bool direct = w->direct;
	int fd = w->fd;

	w->fd = -1;
	let_go(w);
	g->fn(fd, &peer, direct, g->arg);
}

/* Reads what is there and wanted.  ERR_INCOMPLETE: that was not all. */
static int
read_some(struct waiting *w, struct proxy_header *h, const char **why)
{
	int rc = ERR_INCOMPLETE;

	while (rc == ERR_INCOMPLETE) {
		ssize_t n = recv(
		    w->fd, w->data + w->len, w->need - w->len, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return ERR_INCOMPLETE;
		if (n <= 0) {
			*why = n == 0 ? "closed before the header was whole"
				      : strerror(errno);
			return ERR_CLOSED;
		}
		w->len += (size_t)n;
		rc = proxy_header_read(h, &w->need, w->data, w->len, why);
	}
	return rc;
}

static void
on_poll(uv_poll_t *p, int status, int events)
{
	struct waiting *w = p->data;
	struct proxy_header h;
	const char *why = "";
	int rc = status;

	(void)events;
	if (rc < 0)
		why = err_str(rc);
	else
		rc = read_some(w, &h, &why);
	if (rc == ERR_INCOMPLETE)
		return;
	if (rc == 0) {
		hand_on(w, &h);
		return;
	}
	refuse(w->gate, w->ip, why);
	let_go(w);
}

static void
on_accepted_closed(uv_handle_t *h)
{
	free(h);
}

/* Accepts; the connection's descriptor, or a negative code. */
static int
take_descriptor(uv_stream_t *listener, struct sockaddr_storage *peer)
{
	uv_tcp_t *tcp = calloc(1, sizeof(*tcp));
	int size = sizeof(*peer);
	uv_os_fd_t fd = -1;
	int rc;

	if (tcp == NULL)
		return ERR_NOMEM;
	rc = uv_tcp_init(listener->loop, tcp);
	if (rc < 0) {
		free(tcp);
		return rc;
	}
	rc = uv_accept(listener, (uv_stream_t *)tcp);
	if (rc == 0)
		rc = uv_tcp_getpeername(tcp, (struct sockaddr *)peer, &size);
	if (rc == 0)
		rc = uv_fileno((const uv_handle_t *)tcp, &fd);
	if (rc == 0) {
		rc = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (rc < 0)
			rc = uv_translate_sys_error(errno);
	}
	uv_close((uv_handle_t *)tcp, on_accepted_closed);
	return rc;
}

static bool
is_load_balancer(
    const struct proxy_gate *g, const struct sockaddr_storage *peer)
{
	static const struct prefix mapped = { AF_INET6,
		{ [10] = 0xff, [11] = 0xff }, 96 };
	struct prefix p;

	if (prefix_of_sockaddr(&p, peer) < 0)
		return false;
	/* IPv4 on a listener for both (RFC 4291 2.5.5.2). */
	if (prefix_contains(&mapped, &p)) {
		memmove(p.bytes, p.bytes + 12, 4);
		memset(p.bytes + 4, 0, 12);
		p.family = AF_INET;
		p.bits = 32;
	}
	for (size_t i = 0; i < g->count; i++)
		if (prefix_contains(&g->from[i], &p))
			return true;
	return false;
}

/* fd is taken over in any case. */
static int
wait_for_header(struct proxy_gate *g, int fd,
    const struct sockaddr_storage *peer, const char *ip, bool direct)
{
	struct waiting *w = calloc(1, sizeof(*w));
	int rc = ERR_NOMEM;

	if (w == NULL)
		goto fail;
	rc = uv_poll_init(g->loop, &w->poll, fd);
	if (rc < 0)
		goto fail;
	w->gate = g;
	w->poll.data = w;
	w->fd = fd;
	w->direct = direct;
	w->peer = *peer;
	w->need = PROXY_HEADER_FIRST;
	memcpy(w->ip, ip, sizeof(w->ip));
	clock_timer_init(&w->limit, g->clock, on_limit, w);
	list_append(&g->waiting, &w->all);
	g->waiting_count++;
	rc = uv_poll_start(&w->poll, UV_READABLE, on_poll);
	if (rc < 0) {
		let_go(w);
		return rc;
	}
	clock_timer_start(&w->limit, HEADER_MS);
	return 0;

fail:
	free(w);
	close(fd);
	return rc;
}

void
proxy_gate_accept(struct proxy_gate *g, uv_stream_t *listener, bool direct)
{
	struct sockaddr_storage peer = { 0 };
	char ip[64] = "?";
	int fd = take_descriptor(listener, &peer);
	int rc = fd;

	if (fd >= 0) {
		uv_ip_name((const struct sockaddr *)&peer, ip, sizeof(ip));
		if (!is_load_balancer(g, &peer)) {
			refuse(g, ip, "it is not in external.proxy_protocol");
			close(fd);
			return;
		}
		if (g->waiting_count >= WAITING_MAX) {
			refuse(g, ip, "too many wait for their header");
			close(fd);
			return;
		}
		rc = wait_for_header(g, fd, &peer, ip, direct);
	}
	if (rc < 0)
		log_limited_error(
		    &g->log, NULL, "accept-failed", "error=%s", err_str(rc));
}

int
proxy_gate_new(struct proxy_gate **out, uv_loop_t *loop, struct clock *clock,
    proxy_gate_fn *fn, void *arg)
{
	struct proxy_gate *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return ERR_NOMEM;
	g->loop = loop;
	g->clock = clock;
	g->fn = fn;
	g->arg = arg;
	list_init(&g->waiting);
	log_init(&g->log, "proxy_gate");
	*out = g;
	return 0;
}

void
proxy_gate_free(struct proxy_gate *g)
{
	if (g == NULL)
		return;
	LIST_FOREACH_SAFE (it, &g->waiting)
		let_go(list_entry(it, struct waiting, all));
	free(g->from);
	free(g);
}

int
proxy_gate_set(struct proxy_gate *g, const struct prefix *from, size_t count)
{
	struct prefix *copy = NULL;

	if (count > 0) {
		copy = malloc(count * sizeof(*copy));
		if (copy == NULL)
			return ERR_NOMEM;
		memcpy(copy, from, count * sizeof(*copy));
	}
	free(g->from);
	g->from = copy;
	g->count = count;
	return 0;
}

bool
proxy_gate_is_set(const struct proxy_gate *g)
{
	return g->count > 0;
}
