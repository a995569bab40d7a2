/* Both ends note what they see; the tests say what they do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/conn_rig.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"

static void
on_connected(struct conn *c, void *arg)
{
	struct end *e = arg;

	assert_ptr_equal(c, e->conn);
	assert_false(e->connected || e->ended);
	e->connected = true;
	if (e->on_up != NULL)
		e->on_up(e);
}

static void
on_secured(struct conn *c, void *arg)
{
	struct end *e = arg;

	assert_ptr_equal(c, e->conn);
	assert_false(e->secured || e->ended);
	assert_true(conn_is_secure(c));
	e->secured = true;
	if (e->on_secured != NULL)
		e->on_secured(e);
}

static void
on_data(struct conn *c, const uint8_t *data, size_t len, void *arg)
{
	struct end *e = arg;

	assert_ptr_equal(c, e->conn);
	assert_false(e->ended);
	assert_true(len > 0);
	if (e->len + len > e->cap) {
		e->cap = 2 * (e->len + len);
		e->data = realloc(e->data, e->cap);
		assert_non_null(e->data);
	}
	memcpy(e->data + e->len, data, len);
	e->len += len;
	e->chunks++;
	e->chunk = data;
	e->chunk_len = len;
	if (e->on_data != NULL)
		e->on_data(e);
}

static void
on_backlog(struct conn *c, void *arg)
{
	struct end *e = arg;

	assert_ptr_equal(c, e->conn);
	assert_true(conn_backlogged(c));
	e->backlogs++;
	if (e->on_backlog != NULL)
		e->on_backlog(e);
}

static void
on_drained(struct conn *c, void *arg)
{
	struct end *e = arg;

	assert_ptr_equal(c, e->conn);
	assert_false(conn_backlogged(c));
	e->drains++;
	if (e->on_drained != NULL)
		e->on_drained(e);
}

static void
on_end(struct conn *c, enum conn_end why, int rc, const char *detail, void *arg)
{
	struct end *e = arg;

	assert_ptr_equal(c, e->conn);
	assert_false(e->ended);
	assert_non_null(detail);
	e->ended = true;
	e->why = why;
	e->rc = rc;
	(void)snprintf(e->detail, sizeof e->detail, "%s", detail);
	e->conn = NULL;
}

static const struct conn_events events = { on_connected, on_secured, on_data,
	on_backlog, on_drained, on_end };

/* Accepts the server's end; whatever comes beyond the first is refused. */
static void
on_connection(uv_stream_t *listener, int status)
{
	struct rig *r = listener->data;

	assert_int_equal(status, 0);
	assert_null(r->server.conn);
	r->server.accept_rc =
	    conn_accept(&r->server.conn, listener, &r->server.opts);
	if (r->server.accept_rc != 0)
		return; /* the client was faster in leaving */
	if (r->server.on_up != NULL)
		r->server.on_up(&r->server);
}

static void
on_tick(uv_timer_t *t)
{
	(void)t;
}

static void
end_init(struct end *e, struct rig *r)
{
	e->rig = r;
	e->opts = (struct conn_opts){
		.loop = &r->loop, .clock = r->clock, .events = &events, .arg = e
	};
}

void
conn_rig_open(struct rig *r)
{
	int len = sizeof r->addr;

	*r = (struct rig){ 0 };
	assert_int_equal(uv_loop_init(&r->loop), 0);
	assert_int_equal(clock_open_manual(&r->clock, 1000, 0), 0);
	r->addr.sin_family = AF_INET;
	r->addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(uv_tcp_init(&r->loop, &r->listener), 0);
	assert_int_equal(
	    uv_tcp_bind(&r->listener, (const struct sockaddr *)&r->addr, 0), 0);
	r->listener.data = r;
	assert_int_equal(
	    uv_listen((uv_stream_t *)&r->listener, 16, on_connection), 0);
	assert_int_equal(
	    uv_tcp_getsockname(&r->listener, (struct sockaddr *)&r->addr, &len),
	    0);
	assert_int_equal(uv_timer_init(&r->loop, &r->tick), 0);
	assert_int_equal(uv_timer_start(&r->tick, on_tick, 2, 2), 0);
	end_init(&r->server, r);
	end_init(&r->client, r);
}

void
conn_rig_close(struct rig *r)
{
	conn_rig_until(r, r->server.conn == NULL && r->client.conn == NULL);
	uv_close((uv_handle_t *)&r->listener, NULL);
	uv_close((uv_handle_t *)&r->tick, NULL);
	clock_close(r->clock);
	(void)uv_run(&r->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&r->loop), 0);
	free(r->server.data);
	free(r->client.data);
}

void
conn_rig_connect(struct rig *r)
{
	assert_int_equal(
	    conn_connect(&r->client.conn, (const struct sockaddr *)&r->addr,
		&r->client.opts),
	    0);
}

void
conn_rig_pair(struct rig *r)
{
	conn_rig_connect(r);
	conn_rig_until(r, r->client.connected && r->server.conn != NULL);
}

int
conn_rig_raw_client(struct rig *r)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int on = 1;

	assert_true(fd >= 0);
	assert_int_equal(
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
	assert_int_equal(
	    connect(fd, (const struct sockaddr *)&r->addr, sizeof r->addr), 0);
	conn_rig_until(r, r->server.conn != NULL);
	return fd;
}

bool
conn_rig_acknowledged(struct conn *c)
{
	return conn_bytes_acknowledged(c) == conn_bytes_written(c);
}

void
conn_rig_turn(struct rig *r)
{
	(void)uv_run(&r->loop, UV_RUN_ONCE);
}

/* The byte that belongs at a place. */
static uint8_t
pattern(size_t at)
{
	return (uint8_t)(at * 31 + (at >> 8) * 7 + (at >> 16));
}

void
conn_rig_fill(uint8_t *out, size_t at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = pattern(at + i);
}

bool
conn_rig_is_pattern(const struct end *e)
{
	for (size_t i = 0; i < e->len; i++)
		if (e->data[i] != pattern(i))
			return false;
	return true;
}

bool
conn_rig_has(const struct end *e, const char *text)
{
	return e->len == strlen(text) && memcmp(e->data, text, e->len) == 0;
}
