/* Connections without TLS: life and end, coalescing, back-pressure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "tests/unit/conn_rig.h"

static uint8_t block[1024 * 1024];
static const size_t high = (size_t)256 * 1024; /* the default mark */

/* Writes the pattern's next bytes. */
static int
write_pattern(struct end *e, size_t len)
{
	size_t at = (size_t)conn_bytes_written(e->conn);

	conn_rig_fill(block, at, len);
	return conn_write(e->conn, block, len);
}

static void
close_both(struct rig *r)
{
	if (r->client.conn != NULL)
		conn_close(r->client.conn, CONN_END_LOCAL);
	if (r->server.conn != NULL)
		conn_close(r->server.conn, CONN_END_LOCAL);
	conn_rig_close(r);
}

static void
texts(void **state)
{
	(void)state;
	for (int i = 0; i < CONN_END_COUNT; i++)
		assert_true(strlen(conn_end_str((enum conn_end)i)) > 5);
	assert_string_equal(conn_end_str(CONN_END_PEER), "closed by the peer");
	assert_string_equal(conn_end_str(CONN_END_COUNT), "unknown end");
}

static void
small_writes_of_a_turn_leave_together(void **state)
{
	struct rig r;

	(void)state;
	conn_rig_open(&r);
	conn_rig_pair(&r);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(write_pattern(&r.client, 10), 0);
	assert_int_equal(conn_queued(r.client.conn), 10000);
	assert_int_equal(conn_bytes_written(r.client.conn), 10000);
	assert_int_equal(conn_write(r.client.conn, "", 0), 0);
	conn_rig_until(&r, r.server.len == 10000);
	assert_true(conn_rig_is_pattern(&r.server));
	assert_in_range(r.server.chunks, 1, 2);
	assert_int_equal(conn_queued(r.client.conn), 0);
	close_both(&r);
}

/* Written before it is up, it leaves when it is. */
static void
writes_wait_for_the_connection(void **state)
{
	struct rig r;

	(void)state;
	conn_rig_open(&r);
	conn_rig_connect(&r);
	assert_int_equal(conn_write(r.client.conn, "hello", 5), 0);
	assert_false(conn_rig_acknowledged(r.client.conn));
	conn_rig_until(&r, r.server.len == 5);
	assert_true(conn_rig_has(&r.server, "hello"));
	close_both(&r);
}

/* An end that is written to from another one's deferred callback must not
 * wait for the next event. */
static void
on_data_write_back(struct end *e)
{
	assert_int_equal(conn_write(e->conn, e->chunk, e->chunk_len), 0);
}

static void
no_write_is_left_lying(void **state)
{
	struct rig r;
	uint64_t begin;

	(void)state;
	conn_rig_open(&r);
	r.server.on_data = on_data_write_back;
	r.client.on_data = on_data_write_back;
	conn_rig_pair(&r);
	/* Without this the loop would wake up by itself. */
	assert_int_equal(uv_timer_stop(&r.tick), 0);
	begin = uv_hrtime();
	assert_int_equal(conn_write(r.client.conn, "x", 1), 0);
	while (r.server.len < 500)
		conn_rig_turn(&r);
	assert_true(uv_hrtime() - begin < 5000000000u);
	assert_int_equal(uv_timer_start(&r.tick, r.tick.timer_cb, 2, 2), 0);
	close_both(&r);
}

static void
peers_have_names(void **state)
{
	struct rig r;
	char name[64];

	(void)state;
	conn_rig_open(&r);
	conn_rig_pair(&r);
	(void)snprintf(name, sizeof name, "127.0.0.1:%u",
	    (unsigned)ntohs(r.addr.sin_port));
	assert_string_equal(conn_peer(r.client.conn), name);
	assert_string_equal(conn_peer_ip(r.client.conn), "127.0.0.1");
	assert_string_equal(conn_peer_ip(r.server.conn), "127.0.0.1");
	assert_null(conn_ssl(r.client.conn));
	assert_false(conn_is_secure(r.client.conn));
	close_both(&r);
}

static void
addresses_of_all_kinds(void **state)
{
	static const struct {
		const char *addr, *peer, *ip;
	} names[] = {
		{ "2001:db8::1", "[2001:db8::1]:9", "2001:db8::1" },
		{ "::ffff:192.0.2.7", "192.0.2.7:9", "192.0.2.7" },
		{ "::1", "[::1]:9", "::1" },
	};
	struct rig r;

	(void)state;
	conn_rig_open(&r);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct sockaddr_in6 addr;

		assert_int_equal(uv_ip6_addr(names[i].addr, 9, &addr), 0);
		r.client.ended = false;
		assert_int_equal(
		    conn_connect(&r.client.conn, (const struct sockaddr *)&addr,
			&r.client.opts),
		    0);
		assert_string_equal(conn_peer(r.client.conn), names[i].peer);
		assert_string_equal(conn_peer_ip(r.client.conn), names[i].ip);
		conn_abort(r.client.conn, CONN_END_LOCAL);
		conn_rig_until(&r, r.client.ended);
	}
	conn_rig_close(&r);
}

/* Whether Nagle's algorithm is off on a descriptor; -1 when it is no
 * connection. */
static int
no_delay(int fd)
{
	struct sockaddr_in peer = { 0 };
	socklen_t len = sizeof peer, size = sizeof(int);
	int on = 0;

	if (getpeername(fd, (struct sockaddr *)&peer, &len) != 0 ||
	    peer.sin_family != AF_INET)
		return -1;
	assert_int_equal(
	    getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &size), 0);
	return on;
}

static void
nagle_is_off(void **state)
{
	int found = 0;
	struct rig r;

	(void)state;
	conn_rig_open(&r);
	conn_rig_pair(&r);
	/* The descriptors are the conns' own: look at all there are. */
	for (int fd = 3; fd < 64; fd++) {
		int on = no_delay(fd);

		assert_int_not_equal(on, 0);
		found += on == 1;
	}
	assert_int_equal(found, 2);
	close_both(&r);
}

/* ---- ends ----------------------------------------------------------- */

static void
close_sends_what_is_queued(void **state)
{
	struct rig r;

	(void)state;
	conn_rig_open(&r);
	conn_rig_pair(&r);
	for (int i = 0; i < 3; i++)
		assert_int_equal(write_pattern(&r.client, sizeof block), 0);
	conn_close(r.client.conn, CONN_END_LOCAL);
	conn_close(r.client.conn, CONN_END_NOMEM); /* the first one counts */
	assert_int_equal(conn_write(r.client.conn, "x", 1), ERR_CLOSED);
	assert_false(r.client.ended);
	conn_rig_until(&r, r.client.ended && r.server.ended);
	assert_int_equal(r.server.len, 3 * sizeof block);
	assert_true(conn_rig_is_pattern(&r.server));
	assert_int_equal(r.client.why, CONN_END_LOCAL);
	assert_int_equal(r.client.rc, 0);
	assert_string_equal(r.client.detail, "closed by us");
	assert_int_equal(r.server.why, CONN_END_PEER);
	conn_rig_close(&r);
}

/* A peer that half-closes gets the rest of ours. */
static void
half_closed_peer_is_served(void **state)
{
	struct rig r;
	char got[16];
	int fd;

	(void)state;
	conn_rig_open(&r);
	fd = conn_rig_raw_client(&r);
	assert_int_equal(conn_write(r.server.conn, "the rest", 8), 0);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	conn_rig_until(&r, r.server.ended);
	assert_int_equal(r.server.why, CONN_END_PEER);
	assert_int_equal(recv(fd, got, sizeof got, 0), 8);
	assert_int_equal(recv(fd, got, sizeof got, 0), 0);
	(void)close(fd);
	conn_rig_close(&r);
}

static void
nothing_is_heard_after_close(void **state)
{
	struct rig r;

	(void)state;
	conn_rig_open(&r);
	conn_rig_pair(&r);
	conn_close(r.server.conn, CONN_END_LOCAL);
	assert_int_equal(write_pattern(&r.client, 100000), 0);
	conn_rig_until(&r, r.server.ended && r.client.ended);
	assert_int_equal(r.server.len, 0);
	assert_int_equal(r.server.why, CONN_END_LOCAL);
	assert_int_equal(r.client.why, CONN_END_PEER);
	conn_rig_close(&r);
}

/* The peer neither reads nor closes: the time to linger ends it. */
static void
silent_peer_is_not_waited_for(void **state)
{
	struct rig r;
	int fd;

	(void)state;
	for (int queued = 0; queued < 2; queued++) {
		conn_rig_open(&r);
		fd = conn_rig_raw_client(&r);
		for (int i = 0; queued != 0 && conn_queued(r.server.conn) == 0;
		     i++) {
			assert_true(i < 100);
			assert_int_equal(
			    write_pattern(&r.server, sizeof block), 0);
			conn_rig_turn(&r);
		}
		conn_close(r.server.conn, CONN_END_LOCAL);
		for (int i = 0; i < 5; i++)
			conn_rig_turn(&r);
		clock_advance(r.clock, 4999);
		for (int i = 0; i < 5; i++)
			conn_rig_turn(&r);
		assert_false(r.server.ended);
		clock_advance(r.clock, 1);
		conn_rig_until(&r, r.server.ended);
		assert_int_equal(r.server.why, CONN_END_LOCAL);
		(void)close(fd);
		conn_rig_close(&r);
	}
}

/* Dropping what is queued must not look like an orderly end. */
static void
abort_with_a_queue_resets(void **state)
{
	struct rig r;
	char got[16];
	int fd;

	(void)state;
	conn_rig_open(&r);
	fd = conn_rig_raw_client(&r);
	assert_int_equal(conn_write(r.server.conn, "lost", 4), 0);
	conn_abort(r.server.conn, CONN_END_LOCAL);
	conn_abort(r.server.conn, CONN_END_LOCAL);
	conn_close(r.server.conn, CONN_END_LOCAL);
	conn_rig_until(&r, r.server.ended);
	assert_int_equal(recv(fd, got, sizeof got, 0), -1);
	(void)close(fd);
	conn_rig_close(&r);
}

static void
reset_by_the_peer_is_an_io_error(void **state)
{
	const struct linger hard = { 1, 0 };
	struct rig r;
	int fd;

	(void)state;
	conn_rig_open(&r);
	fd = conn_rig_raw_client(&r);
	assert_int_equal(
	    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
	(void)close(fd);
	conn_rig_until(&r, r.server.ended);
	assert_int_equal(r.server.why, CONN_END_IO);
	assert_int_equal(r.server.rc, UV_ECONNRESET);
	assert_string_equal(r.server.detail, "connection reset by peer");
	conn_rig_close(&r);
}

static void
refused(void **state)
{
	struct rig r;
	struct sockaddr_in addr;

	(void)state;
	conn_rig_open(&r);
	addr = r.addr;
	addr.sin_addr.s_addr = htonl(0x7f0f0e0d); /* nobody listens there */
	assert_int_equal(conn_connect(&r.client.conn,
			     (const struct sockaddr *)&addr, &r.client.opts),
	    0);
	conn_rig_until(&r, r.client.ended);
	assert_false(r.client.connected);
	assert_int_equal(r.client.why, CONN_END_CONNECT);
	assert_int_equal(r.client.rc, UV_ECONNREFUSED);
	assert_string_equal(r.client.detail, "connection refused");
	conn_rig_close(&r);
}

/* Refused by the kernel before a packet leaves. */
static void
unusable_local_address(void **state)
{
	struct sockaddr_in local = { .sin_family = AF_INET };
	struct rig r;

	(void)state;
	conn_rig_open(&r);
	local.sin_addr.s_addr = htonl(0xc0000201); /* 192.0.2.1 */
	r.client.opts.bind = (const struct sockaddr *)&local;
	conn_rig_connect(&r);
	assert_false(r.client.ended);
	conn_rig_until(&r, r.client.ended);
	assert_int_equal(r.client.why, CONN_END_CONNECT);
	assert_int_equal(r.client.rc, UV_EADDRNOTAVAIL);
	conn_rig_close(&r);
}

static void
local_address_is_used(void **state)
{
	struct sockaddr_in local = { .sin_family = AF_INET };
	struct rig r;

	(void)state;
	conn_rig_open(&r);
	local.sin_addr.s_addr = htonl(0x7f010203);
	r.client.opts.bind = (const struct sockaddr *)&local;
	conn_rig_pair(&r);
	assert_string_equal(conn_peer_ip(r.server.conn), "127.1.2.3");
	close_both(&r);
}

/* A listener whose queue is full does not answer. */
static void
connecting_takes_too_long(void **state)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof addr;
	int listener, fill[8];
	struct rig r;

	(void)state;
	conn_rig_open(&r);
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(listen(listener, 0), 0);
	assert_int_equal(
	    getsockname(listener, (struct sockaddr *)&addr, &len), 0);
	for (int i = 0; i < 8; i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(fill[i], (struct sockaddr *)&addr, len);
	}
	assert_int_equal(conn_connect(&r.client.conn,
			     (const struct sockaddr *)&addr, &r.client.opts),
	    0);
	for (int i = 0; i < 5; i++)
		conn_rig_turn(&r);
	clock_advance(r.clock, 9999);
	conn_rig_turn(&r);
	assert_non_null(r.client.conn);
	assert_false(r.client.connected);
	clock_advance(r.clock, 1);
	conn_rig_until(&r, r.client.ended);
	assert_int_equal(r.client.why, CONN_END_CONNECT_TIMEOUT);
	for (int i = 0; i < 8; i++)
		(void)close(fill[i]);
	(void)close(listener);
	conn_rig_close(&r);
}

static void
on_any_close(struct end *e)
{
	conn_close(e->conn, CONN_END_LOCAL);
}

static void
on_any_abort(struct end *e)
{
	conn_abort(e->conn, CONN_END_LOCAL);
}

/* The callbacks, by where the hook for each is kept. */
static const struct {
	const char *name;
	bool client;
	size_t hook;
} callbacks[] = {
	{ "accepted", false, offsetof(struct end, on_up) },
	{ "connected", true, offsetof(struct end, on_up) },
	{ "data", false, offsetof(struct end, on_data) },
	{ "backlog", false, offsetof(struct end, on_backlog) },
	{ "drained", false, offsetof(struct end, on_drained) },
};

/* Closing from within each callback: the end follows, and nothing else. */
static void
close_from(size_t i, conn_rig_hook_fn *way)
{
	struct end *closer;
	struct rig r;

	conn_rig_open(&r);
	r.server.opts.write_high = 1000;
	r.server.opts.write_low = 10;
	closer = callbacks[i].client ? &r.client : &r.server;
	*(conn_rig_hook_fn **)(void *)((char *)closer + callbacks[i].hook) =
	    way;
	conn_rig_connect(&r);
	assert_int_equal(conn_write(r.client.conn, "ping", 4), 0);
	/* More than the kernel takes, so that there is a backlog. */
	for (int k = 0; i >= 3 && r.server.backlogs == 0; k++) {
		assert_true(k < 1000);
		if (r.server.conn != NULL)
			(void)write_pattern(&r.server, sizeof block);
		else
			conn_rig_turn(&r);
	}
	conn_rig_until(&r, closer->ended);
	assert_int_equal(closer->why, CONN_END_LOCAL);
	assert_in_range(closer->chunks, 0, 1);
	conn_rig_close(&r);
}

static void
close_from_every_callback(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof callbacks / sizeof callbacks[0]; i++) {
		close_from(i, on_any_close);
		close_from(i, on_any_abort);
	}
}

/* Closing at once after each beginning, before the loop has run. */
static void
close_at_once(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct rig r;

		conn_rig_open(&r);
		conn_rig_connect(&r);
		if (i >= 2)
			assert_int_equal(conn_write(r.client.conn, "x", 1), 0);
		if (i % 2 == 0)
			conn_close(r.client.conn, CONN_END_LOCAL);
		else
			conn_abort(r.client.conn, CONN_END_LOCAL);
		assert_int_equal(conn_write(r.client.conn, "x", 1), ERR_CLOSED);
		conn_rig_until(&r, r.client.ended);
		assert_false(r.client.connected);
		/* The kernel may have connected all the same. */
		for (int k = 0; k < 10; k++)
			conn_rig_turn(&r);
		conn_rig_close(&r);
	}
}

/* ---- back-pressure -------------------------------------------------- */

static void
slow_reader_fills_and_drains(void **state)
{
	struct rig r;
	size_t total;

	(void)state;
	conn_rig_open(&r);
	conn_rig_pair(&r);
	conn_pause(r.server.conn);
	while (r.client.backlogs == 0) {
		assert_int_equal(write_pattern(&r.client, 65536), 0);
		conn_rig_turn(&r);
	}
	assert_true(conn_backlogged(r.client.conn));
	assert_true(conn_queued(r.client.conn) > high);
	assert_true(conn_queued(r.client.conn) <= high + 65536);
	assert_false(conn_rig_acknowledged(r.client.conn));
	for (int i = 0; i < 20; i++)
		conn_rig_turn(&r);
	assert_int_equal(r.server.len, 0);
	assert_int_equal(r.client.drains, 0);
	total = (size_t)conn_bytes_written(r.client.conn);

	conn_resume(r.server.conn);
	conn_rig_until(&r, r.client.drains == 1);
	conn_rig_until(&r, r.server.len == total);
	assert_true(conn_rig_is_pattern(&r.server));
	assert_int_equal(r.client.backlogs, 1);
	assert_int_equal(conn_queued(r.client.conn), 0);
	conn_rig_until(&r, conn_rig_acknowledged(r.client.conn));
	close_both(&r);
}

static void
reader_that_never_reads_is_cut_off(void **state)
{
	struct rig r;
	int rc = 0;

	(void)state;
	conn_rig_open(&r);
	conn_rig_pair(&r);
	conn_pause(r.server.conn);
	for (int i = 0; rc == 0 && i < 1000; i++) {
		rc = write_pattern(&r.client, 65536);
		conn_rig_turn(&r);
	}
	assert_int_equal(rc, ERR_FULL);
	conn_rig_until(&r, r.client.ended);
	assert_int_equal(r.client.why, CONN_END_WRITE_FULL);
	assert_int_equal(r.client.backlogs, 1);
	conn_resume(r.server.conn);
	conn_rig_until(&r, r.server.ended);
	assert_int_equal(r.server.why, CONN_END_IO); /* not an orderly end */
	conn_rig_close(&r);
}

/* A reader that has taken some: as much counts, in whole and in part. */
static void
acknowledged_by_position(void **state)
{
	struct rig r;
	uint64_t before, now;

	(void)state;
	conn_rig_open(&r);
	conn_rig_pair(&r);
	assert_int_equal(conn_bytes_acknowledged(r.client.conn), 0);
	assert_int_equal(conn_write(r.client.conn, "abc", 3), 0);
	conn_rig_until(&r, conn_bytes_acknowledged(r.client.conn) == 3);
	conn_pause(r.server.conn);
	while (r.client.backlogs == 0) {
		assert_int_equal(write_pattern(&r.client, 65536), 0);
		conn_rig_turn(&r);
	}
	for (int i = 0; i < 20; i++)
		conn_rig_turn(&r);
	before = conn_bytes_acknowledged(r.client.conn);
	assert_true(before > 3);
	assert_true(before < conn_bytes_written(r.client.conn));
	conn_resume(r.server.conn);
	while (conn_bytes_acknowledged(r.client.conn) <
	       conn_bytes_written(r.client.conn)) {
		conn_rig_turn(&r);
		now = conn_bytes_acknowledged(r.client.conn);
		assert_true(now >= before);
		before = now;
	}
	close_both(&r);
}

static void
pauses_are_counted(void **state)
{
	struct rig r;

	(void)state;
	conn_rig_open(&r);
	conn_rig_pair(&r);
	conn_pause(r.server.conn);
	conn_pause(r.server.conn);
	assert_int_equal(conn_write(r.client.conn, "abc", 3), 0);
	conn_rig_until(&r, conn_rig_acknowledged(r.client.conn));
	conn_resume(r.server.conn);
	for (int i = 0; i < 10; i++)
		conn_rig_turn(&r);
	assert_int_equal(r.server.len, 0);
	conn_resume(r.server.conn);
	conn_rig_until(&r, r.server.len == 3);
	close_both(&r);
}

/* Sends more whenever something was taken: there is always more to read. */
static void
on_data_more(struct end *e)
{
	int fd = *(int *)e->rig->test;

	(void)send(fd, block, sizeof block, MSG_DONTWAIT);
}

/* A flood takes no more than its share of a turn. */
static void
reads_are_bounded_per_turn(void **state)
{
	size_t before, most = 0;
	struct rig r;
	int fd;

	(void)state;
	conn_rig_open(&r);
	fd = conn_rig_raw_client(&r);
	r.test = &fd;
	r.server.on_data = on_data_more;
	(void)send(fd, block, sizeof block, MSG_DONTWAIT);
	while (r.server.len < 16 * sizeof block) {
		before = r.server.len;
		conn_rig_turn(&r);
		if (r.server.len - before > most)
			most = r.server.len - before;
	}
	assert_in_range(most, 65536, high + 65536);
	(void)close(fd);
	conn_rig_close(&r);
}

/* ---- many ----------------------------------------------------------- */

enum { MANY = 1000, AT_ONCE = 50 };

static void
thousand_connections_leave_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < MANY / AT_ONCE; i++) {
		struct rig r[AT_ONCE];

		for (int k = 0; k < AT_ONCE; k++) {
			conn_rig_open(&r[k]);
			conn_rig_pair(&r[k]);
			assert_int_equal(
			    conn_write(r[k].client.conn, "hello", 5), 0);
		}
		for (int k = 0; k < AT_ONCE; k++) {
			struct end *e =
			    k % 3 == 0 ? &r[k].server : &r[k].client;

			conn_rig_until(&r[k], r[k].server.len == 5);
			if (k % 2 == 0)
				conn_close(e->conn, CONN_END_LOCAL);
			else
				conn_abort(e->conn, CONN_END_LOCAL);
		}
		for (int k = 0; k < AT_ONCE; k++)
			conn_rig_close(&r[k]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts),
		cmocka_unit_test(small_writes_of_a_turn_leave_together),
		cmocka_unit_test(writes_wait_for_the_connection),
		cmocka_unit_test(no_write_is_left_lying),
		cmocka_unit_test(peers_have_names),
		cmocka_unit_test(addresses_of_all_kinds),
		cmocka_unit_test(nagle_is_off),
		cmocka_unit_test(close_sends_what_is_queued),
		cmocka_unit_test(half_closed_peer_is_served),
		cmocka_unit_test(nothing_is_heard_after_close),
		cmocka_unit_test(silent_peer_is_not_waited_for),
		cmocka_unit_test(abort_with_a_queue_resets),
		cmocka_unit_test(reset_by_the_peer_is_an_io_error),
		cmocka_unit_test(refused),
		cmocka_unit_test(unusable_local_address),
		cmocka_unit_test(local_address_is_used),
		cmocka_unit_test(connecting_takes_too_long),
		cmocka_unit_test(close_from_every_callback),
		cmocka_unit_test(close_at_once),
		cmocka_unit_test(slow_reader_fills_and_drains),
		cmocka_unit_test(reader_that_never_reads_is_cut_off),
		cmocka_unit_test(acknowledged_by_position),
		cmocka_unit_test(pauses_are_counted),
		cmocka_unit_test(reads_are_bounded_per_turn),
		cmocka_unit_test(thousand_connections_leave_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
