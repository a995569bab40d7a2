/*
 * The normal path: accept or connect -> PLAIN -> (start_tls) HANDSHAKE ->
 * SECURE -> DRAINING -> LINGERING -> CLOSING.  Here are the beginning and what
 * the owner asks for; how bytes move is told in conn_io.c, how it ends in
 * conn_end.c.
 */
#include "common/conn.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "common/conn_impl.h"
#include "common/err.h"

enum {
	WRITE_HIGH = 256 * 1024,
	WRITE_LOW = 64 * 1024,
	WRITE_MAX = 4 * 1024 * 1024,
	CONNECT_MS = 10000,
	HANDSHAKE_MS = 20000,
	LINGER_MS = 5000
};

static void
set_defaults(struct conn_opts *o)
{
	if (o->write_max == 0)
		o->write_max = WRITE_MAX;
	if (o->write_high == 0)
		o->write_high = WRITE_HIGH;
	if (o->write_low == 0)
		o->write_low = WRITE_LOW;
	if (o->write_high > o->write_max)
		o->write_high = o->write_max;
	if (o->write_low > o->write_high)
		o->write_low = o->write_high;
	if (o->connect_ms == 0)
		o->connect_ms = CONNECT_MS;
	if (o->handshake_ms == 0)
		o->handshake_ms = HANDSHAKE_MS;
	if (o->linger_ms == 0)
		o->linger_ms = LINGER_MS;
}

static int
new_conn(struct conn **out, const struct conn_opts *opts)
{
	struct conn *c = calloc(1, sizeof *c);
	int rc;

	if (c == NULL)
		return ERR_NOMEM;
	c->opts = *opts;
	set_defaults(&c->opts);
	clock_timer_init(&c->timer, opts->clock, conn_end_on_timer, c);
	rc = uv_tcp_init(opts->loop, &c->tcp);
	if (rc < 0) {
		conn_end_free(c);
		return rc;
	}
	(void)uv_idle_init(opts->loop, &c->turn); /* always 0 */
	c->handles = 2;
	c->tcp.data = c;
	c->turn.data = c;
	*out = c;
	return 0;
}

/* Writes the peer's address down in both forms.  An IPv4 address in IPv6
 * clothes is one and the same peer, so it is undressed. */
static void
name_peer(struct conn *c, const struct sockaddr *addr)
{
	const struct sockaddr_in *v4 = (const void *)addr;
	const struct sockaddr_in6 *v6 = (const void *)addr;
	const uint8_t *bytes = v6->sin6_addr.s6_addr;
	bool is_v4 = addr->sa_family == AF_INET;
	unsigned port = ntohs(is_v4 ? v4->sin_port : v6->sin6_port);

	if (is_v4) {
		bytes = (const uint8_t *)&v4->sin_addr;
	} else if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		bytes += 12;
		is_v4 = true;
	}
	(void)inet_ntop(
	    is_v4 ? AF_INET : AF_INET6, bytes, c->peer_ip, sizeof c->peer_ip);
	(void)snprintf(c->peer, sizeof c->peer, "%s%s%s:%u", is_v4 ? "" : "[",
	    c->peer_ip, is_v4 ? "" : "]", port);
}

/* Asked when it has been silent for half of the time, and then again so often
 * that the end of it is not missed by much. */
static int
set_dead(struct conn *c)
{
	unsigned dead_ms = (unsigned)c->opts.dead_ms;
	int first_s = (int)(dead_ms / 2 + 999) / 1000;
	int again_s = (int)(dead_ms / 8 + 999) / 1000;
	uv_os_fd_t fd;
	int rc;

	rc = uv_tcp_keepalive(&c->tcp, 1, (unsigned)first_s);
	if (rc == 0)
		rc = uv_fileno((const uv_handle_t *)&c->tcp, &fd);
	if (rc == 0 && (setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &again_s,
			    sizeof(again_s)) != 0 ||
			   setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
			       &dead_ms, sizeof(dead_ms)) != 0))
		rc = uv_translate_sys_error(errno);
	return rc;
}

/* What every connection of ours has, once it exists. */
static int
set_options(struct conn *c)
{
	int rc = uv_tcp_nodelay(&c->tcp, 1);

	return rc < 0 || c->opts.dead_ms == 0 ? rc : set_dead(c);
}

/* An incoming connection is there. */
static void
begin_accepted(struct conn *c, const struct sockaddr *peer)
{
	name_peer(c, peer);
	conn_end_move(c, CONN_PLAIN);
	conn_io_update_reading(c);
}

int
conn_adopt(struct conn **out, int fd, const struct sockaddr *peer,
    const struct conn_opts *opts)
{
	struct conn *c;
	int rc;

	rc = new_conn(&c, opts);
	if (rc < 0)
		return rc;
	/* Once the handle has it, it goes with the handle. */
	rc = uv_tcp_open(&c->tcp, fd);
	if (rc < 0) {
		c->silent = true;
		conn_end_close(c);
		return rc;
	}
	begin_accepted(c, peer);
	rc = set_options(c);
	*out = c;
	if (rc < 0)
		conn_end_now(c, CONN_END_IO, rc, NULL);
	return 0;
}

int
conn_accept(
    struct conn **out, uv_stream_t *listener, const struct conn_opts *opts)
{
	struct sockaddr_storage addr;
	int len = sizeof addr;
	struct conn *c;
	int rc;

	rc = new_conn(&c, opts);
	if (rc < 0)
		return rc;
	rc = uv_accept(listener, conn_stream(c));
	if (rc == 0)
		rc = set_options(c);
	if (rc == 0)
		rc =
		    uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&addr, &len);
	if (rc < 0) {
		c->silent = true;
		conn_end_close(c);
		return rc;
	}
	begin_accepted(c, (const struct sockaddr *)&addr);
	*out = c;
	return 0;
}

static void
on_connected(uv_connect_t *req, int status)
{
	struct conn *c = req->data;

	if (c->state == CONN_CLOSING)
		return;
	if (status == 0)
		status = set_options(c);
	if (status < 0) {
		conn_end_now(c, CONN_END_CONNECT, status, NULL);
		return;
	}
	conn_end_move(c, CONN_PLAIN);
	conn_io_kick(c);
	conn_io_update_reading(c);
	if (c->opts.events->on_connected != NULL && conn_is_open(c))
		c->opts.events->on_connected(c, c->opts.arg);
}

int
conn_connect(struct conn **out, const struct sockaddr *addr,
    const struct conn_opts *opts)
{
	struct conn *c;
	int rc;

	rc = new_conn(&c, opts);
	if (rc < 0)
		return rc;
	name_peer(c, addr);
	*out = c;
	if (opts->bind != NULL)
		rc = uv_tcp_bind(&c->tcp, opts->bind, 0);
	c->opts.bind = NULL; /* lives no longer than this call */
	c->connect_req.data = c;
	if (rc == 0)
		rc = uv_tcp_connect(
		    &c->connect_req, &c->tcp, addr, on_connected);
	if (rc < 0)
		conn_end_now(c, CONN_END_CONNECT, rc, NULL);
	else
		clock_timer_start(&c->timer, c->opts.connect_ms);
	return 0;
}

/* Common to both roles. */
static int
start_tls(struct conn *c, SSL_CTX *ctx, size_t leftover, enum tls_role role)
{
	if (!conn_is_open(c))
		return ERR_CLOSED;
	if (c->state != CONN_PLAIN)
		return ERR_BAD_STATE;
	if (leftover > 0) {
		conn_end_now(c, CONN_END_PLAINTEXT, ERR_PROTOCOL, NULL);
		return ERR_PROTOCOL;
	}
	return tls_engine_init(&c->tls, ctx, role);
}

static void
begin_handshake(struct conn *c)
{
	conn_end_move(c, CONN_HANDSHAKE);
	clock_timer_start(&c->timer, c->opts.handshake_ms);
	conn_io_update_reading(c);
	conn_io_kick(c);
}

int
conn_start_tls_server(struct conn *c, SSL_CTX *ctx, size_t leftover)
{
	int rc = start_tls(c, ctx, leftover, TLS_SERVER);

	if (rc == 0)
		begin_handshake(c);
	return rc;
}

int
conn_start_tls_client(struct conn *c, SSL_CTX *ctx, size_t leftover,
    const char *sni, const uint8_t *alpn, size_t alpn_len)
{
	int rc = start_tls(c, ctx, leftover, TLS_CLIENT);

	if (rc < 0)
		return rc;
	rc = tls_engine_offer(&c->tls, sni, alpn, alpn_len);
	if (rc < 0) {
		tls_engine_finish(&c->tls);
		return rc;
	}
	begin_handshake(c);
	conn_io_shake_hands(c); /* says hello */
	return 0;
}

int
conn_write(struct conn *c, const void *data, size_t len)
{
	size_t queued = conn_queued(c);
	int rc;

	if (!conn_is_open(c))
		return ERR_CLOSED;
	if (queued > c->opts.write_max || len > c->opts.write_max - queued) {
		conn_end_now(c, CONN_END_WRITE_FULL, ERR_FULL, NULL);
		return ERR_FULL;
	}
	rc = c->tls.ssl != NULL ? chunks_add(&c->plain, data, len)
				: conn_io_wire(c, data, len, c->written + len);
	if (rc < 0) {
		conn_end_now(c, CONN_END_NOMEM, rc, NULL);
		return rc;
	}
	c->written += len;
	conn_io_kick(c);
	if (c->backlogged || queued + len <= c->opts.write_high)
		return 0;
	conn_io_flush(c);
	if (conn_is_open(c) && conn_queued(c) > c->opts.write_high) {
		c->backlogged = true;
		if (c->opts.events->on_backlog != NULL)
			c->opts.events->on_backlog(c, c->opts.arg);
	}
	return conn_is_open(c) ? 0 : ERR_CLOSED;
}

/* ---- the owner's other wishes and questions ------------------------- */

void
conn_pause(struct conn *c)
{
	c->pauses++;
	conn_io_update_reading(c);
}

void
conn_resume(struct conn *c)
{
	assert(c->pauses > 0);
	if (--c->pauses == 0)
		conn_io_kick(c);
}

void
conn_close(struct conn *c, enum conn_end why)
{
	conn_end_orderly(c, why, 0, NULL);
}

void
conn_abort(struct conn *c, enum conn_end why)
{
	conn_end_now(c, why, 0, NULL);
}

void
conn_set_write_bounds(struct conn *c, size_t high, size_t low, size_t max)
{
	c->opts.write_high = high;
	c->opts.write_low = low;
	c->opts.write_max = max;
	set_defaults(&c->opts);
}

size_t
conn_queued(const struct conn *c)
{
	size_t held =
	    uv_stream_get_write_queue_size((const uv_stream_t *)&c->tcp);

	return c->plain.len + c->wire.len - c->in_write + held;
}

bool
conn_backlogged(const struct conn *c)
{
	return c->backlogged;
}

uint64_t
conn_bytes_written(const struct conn *c)
{
	return c->written;
}

uint64_t
conn_bytes_acknowledged(struct conn *c)
{
	size_t held =
	    uv_stream_get_write_queue_size((const uv_stream_t *)&c->tcp);
	uint64_t taken = c->wired - (c->wire.len - c->in_write + held);
	struct tcp_info info;
	socklen_t size = sizeof(info);
	uv_os_fd_t fd;
	int under_way;

	/* A reset connection has thrown away what it had under way. */
	if (!conn_is_open(c) ||
	    uv_fileno((const uv_handle_t *)&c->tcp, &fd) != 0 ||
	    ioctl(fd, SIOCOUTQ, &under_way) != 0 ||
	    getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
	    info.tcpi_state == TCP_CLOSE || (uint64_t)under_way > taken)
		return c->marks.reached;
	return byte_marks_reached(&c->marks, taken - (uint64_t)under_way);
}

SSL *
conn_ssl(const struct conn *c)
{
	return c->tls.ssl;
}

bool
conn_is_secure(const struct conn *c)
{
	return c->secure;
}

const char *
conn_peer(const struct conn *c)
{
	return c->peer;
}

const char *
conn_peer_ip(const struct conn *c)
{
	return c->peer_ip;
}
