#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include <uv.h>

#include "common/err.h"
#include "edge-proxy/keeper_wire.h"

/* One end of a link, and what it has seen. */
struct end {
	struct keeper_link *link;
	unsigned messages[32];
	size_t bytes;
	unsigned long sum;
	int fd;
	bool ended;
	int rc;
	bool close_at_once;
};

static uv_loop_t loop;
static struct end a, b;

static void
on_message(enum keeper_message type, const struct keeper_blob *blobs, int fd,
    void *arg)
{
	struct end *e = arg;

	e->messages[type]++;
	if (type == KW_EXTERNAL) {
		for (size_t i = 0; i < 2; i++)
			for (size_t k = 0; k < blobs[i].len; k++)
				e->sum += blobs[i].data[k];
		e->bytes += blobs[0].len + blobs[1].len;
	}
	if (fd >= 0)
		e->fd = fd;
	if (e->close_at_once) {
		keeper_link_close(e->link);
		e->link = NULL;
	}
}

static void
on_end(int rc, void *arg)
{
	struct end *e = arg;

	assert_false(e->ended);
	e->ended = true;
	e->rc = rc;
	keeper_link_close(e->link);
	e->link = NULL;
}

static void
open_end(struct end *e, int fd)
{
	const struct keeper_link_opts opts = {
		.loop = &loop,
		.fd = fd,
		.on_message = on_message,
		.on_end = on_end,
		.arg = e,
	};

	*e = (struct end){ .fd = -1 };
	assert_int_equal(keeper_link_open(&e->link, &opts), 0);
}

static int
setup(void **state)
{
	int pair[2];

	(void)state;
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	open_end(&a, pair[0]);
	open_end(&b, pair[1]);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	keeper_link_close(a.link);
	keeper_link_close(b.link);
	if (a.fd >= 0)
		close(a.fd);
	if (b.fd >= 0)
		close(b.fd);
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop);
}

static void
run(void)
{
	for (int i = 0; i < 2000; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
}

static void
test_messages_arrive_whole(void **state)
{
	static uint8_t big[3 * 1024 * 1024];
	struct keeper_blob blobs[2] = { { big, sizeof(big) }, { big, 5 } };
	unsigned long sum = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 7);
	for (size_t i = 0; i < sizeof(big); i++)
		sum += big[i] * (i < 5 ? 2u : 1u);
	assert_int_equal(
	    keeper_link_send(a.link, KW_EXTERNAL, blobs, 2, -1), 0);
	assert_int_equal(keeper_link_send(a.link, KW_APPLY, NULL, 0, -1), 0);
	assert_int_equal(keeper_link_send(b.link, KW_READY, NULL, 0, -1), 0);
	run();
	assert_int_equal(b.messages[KW_EXTERNAL], 1);
	assert_int_equal(b.bytes, sizeof(big) + 5);
	assert_true(b.sum == sum);
	assert_int_equal(b.messages[KW_APPLY], 1);
	assert_int_equal(a.messages[KW_READY], 1);
}

/* The descriptor comes with its message, however much is queued around it. */
static void
test_a_descriptor_arrives(void **state)
{
	static uint8_t much[1024 * 1024];
	struct keeper_blob blob = { much, sizeof(much) };
	int pipes[2];
	char c = 0;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(keeper_link_send(a.link, KW_TRUST, &blob, 1, -1), 0);
	assert_int_equal(
	    keeper_link_send(a.link, KW_RESOLVER, NULL, 0, pipes[1]), 0);
	assert_int_equal(keeper_link_send(a.link, KW_TRUST, &blob, 1, -1), 0);
	run();
	assert_int_equal(b.messages[KW_RESOLVER], 1);
	assert_int_equal(b.messages[KW_TRUST], 2);
	assert_true(b.fd >= 0);
	assert_int_equal(write(b.fd, "x", 1), 1);
	assert_int_equal(read(pipes[0], &c, 1), 1);
	assert_int_equal(c, 'x');
	assert_int_not_equal(fcntl(b.fd, F_GETFD) & FD_CLOEXEC, 0);
	close(pipes[0]);
}

static void
test_the_end_is_told_after_the_last_message(void **state)
{
	struct keeper_blob why = { (const uint8_t *)"no", 2 };

	(void)state;
	assert_int_equal(keeper_link_send(a.link, KW_REFUSED, &why, 1, -1), 0);
	keeper_link_close(a.link);
	a.link = NULL;
	run();
	assert_int_equal(b.messages[KW_REFUSED], 1);
	assert_true(b.ended);
	assert_int_equal(b.rc, 0);
	assert_false(a.ended);
}

static void
test_a_close_from_within_a_message(void **state)
{
	(void)state;
	b.close_at_once = true;
	keeper_link_send(a.link, KW_APPLY, NULL, 0, -1);
	keeper_link_send(a.link, KW_STOP, NULL, 0, -1);
	run();
	assert_int_equal(b.messages[KW_APPLY], 1);
	assert_int_equal(b.messages[KW_STOP], 0);
	assert_false(b.ended);
	assert_true(a.ended);
}

static void
test_bounds(void **state)
{
	static uint8_t huge[KEEPER_BLOB_MAX + 1];
	struct keeper_blob blob = { huge, sizeof(huge) };
	int rc = 0, n = 0;

	(void)state;
	assert_int_equal(
	    keeper_link_send(a.link, KW_TRUST, &blob, 1, -1), ERR_TOO_LONG);
	blob.len = KEEPER_BLOB_MAX;
	while (n < 100 && rc == 0) {
		rc = keeper_link_send(a.link, KW_TRUST, &blob, 1, -1);
		n++;
	}
	assert_int_equal(rc, ERR_FULL);
	assert_true(n <= KEEPER_QUEUE_MAX / KEEPER_BLOB_MAX + 1);
}

static const struct {
	const char *bytes;
	size_t len;
	int rc;
} wires[] = {
	{ "", 0, ERR_INCOMPLETE },
	{ "\5\0\0", 3, ERR_INCOMPLETE },
	{ "\5\0\0\0", 4, 0 },
	{ "\5\1\0\0\0\0\0\0", 8, ERR_MALFORMED },   /* apply has no blob */
	{ "\3\1\0\0\0\0\0", 7, ERR_INCOMPLETE },    /* length cut */
	{ "\3\1\0\0\0\0\0\0", 8, 0 },               /* empty blob */
	{ "\3\1\0\1\0\0\0\0", 8, ERR_MALFORMED },   /* reserved bytes */
	{ "\3\1\0\0\377\0\0\0", 8, ERR_MALFORMED }, /* too long */
	{ "\0\0\0\0", 4, ERR_MALFORMED },           /* no such type */
	{ "\377\0\0\0", 4, ERR_MALFORMED },
};

static void
test_the_format(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wires) / sizeof(wires[0]); i++) {
		size_t size = 0;

		assert_int_equal(
		    keeper_wire_length(
			&size, (const uint8_t *)wires[i].bytes, wires[i].len),
		    wires[i].rc);
		if (wires[i].rc == 0)
			assert_int_equal(size, wires[i].len);
	}
}

/* Whoever breaks the format is cut off. */
static void
test_garbage_ends_the_link(void **state)
{
	int pair[2];

	(void)state;
	keeper_link_close(a.link);
	keeper_link_close(b.link);
	run();
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	open_end(&b, pair[1]);
	a.link = NULL;
	assert_int_equal(write(pair[0], "GET / HTTP", 10), 10);
	run();
	assert_true(b.ended);
	assert_int_equal(b.rc, ERR_PROTOCOL);
	close(pair[0]);
}

/* A message that has to bring a descriptor and does not. */
static void
test_a_missing_descriptor_ends_the_link(void **state)
{
	int pair[2];

	(void)state;
	keeper_link_close(a.link);
	keeper_link_close(b.link);
	run();
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	open_end(&b, pair[1]);
	a.link = NULL;
	assert_int_equal(write(pair[0], "\6\0\0\0", 4), 4);
	run();
	assert_true(b.ended);
	assert_int_equal(b.rc, ERR_PROTOCOL);
	close(pair[0]);
}

int
main(void)
{
#define T(x) cmocka_unit_test_setup_teardown(x, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_messages_arrive_whole),
		T(test_a_descriptor_arrives),
		T(test_the_end_is_told_after_the_last_message),
		T(test_a_close_from_within_a_message),
		T(test_bounds),
		cmocka_unit_test(test_the_format),
		T(test_garbage_ends_the_link),
		T(test_a_missing_descriptor_ends_the_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
