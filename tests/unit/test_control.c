/* The control socket: one line in, one line out, and nobody hurt. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/control.h"
#include "common/err.h"

struct fixture {
	char dir[64], path[80];
	uv_loop_t loop;
	struct clock *clock;
	struct control *control;
	struct control_call *kept; /* a call whose answer is held back */
	bool closed;
};

static void
on_request(struct control_call *call, const char *verb, const json_t *request,
    void *arg)
{
	struct fixture *f = arg;

	if (strcmp(verb, "echo") == 0)
		control_reply(call, json_pack("{s:O}", "said",
					json_object_get(request, "say")));
	else if (strcmp(verb, "later") == 0)
		f->kept = call;
	else
		control_fail(call, "no such verb");
}

static void
on_closed(void *arg)
{
	((struct fixture *)arg)->closed = true;
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int fd;

	snprintf(f->dir, sizeof(f->dir), "/tmp/control-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/socket", f->dir);
	assert_int_equal(uv_loop_init(&f->loop), 0);
	assert_int_equal(clock_open_manual(&f->clock, 1000, 1700000000000), 0);
	fd = control_bind(f->path);
	assert_true(fd >= 0);
	assert_int_equal(
	    control_open(&f->control, &f->loop, f->clock, fd, on_request, f),
	    0);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	control_close(f->control, on_closed, f);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_true(f->closed);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	clock_close(f->clock);
	unlink(f->path);
	rmdir(f->dir);
	free(f);
	return 0;
}

static int
dial(const struct fixture *f)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(addr.sun_path, f->path, strlen(f->path) + 1);
	assert_int_equal(
	    connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static void
turn(struct fixture *f)
{
	for (int i = 0; i < 20; i++)
		uv_run(&f->loop, UV_RUN_NOWAIT);
}

/* What the daemon sends until it closes; -1 = it has not closed. */
static ssize_t
read_all(struct fixture *f, int fd, char *out, size_t size)
{
	size_t len = 0;
	ssize_t n;

	for (int i = 0; i < 50; i++) {
		turn(f);
		n = recv(fd, out + len, size - 1 - len, MSG_DONTWAIT);
		if (n == 0) {
			out[len] = '\0';
			return (ssize_t)len;
		}
		if (n > 0)
			len += (size_t)n;
		else if (errno != EAGAIN)
			return (ssize_t)len;
	}
	return -1;
}

static void
each_request_gets_one_line(void **state)
{
	static const struct {
		const char *request, *answer;
	} rows[] = {
		{ "{\"verb\":\"echo\",\"say\":\"hi\"}\n",
		    "{\"said\":\"hi\",\"ok\":true}\n" },
		{ "{\"verb\":\"dance\"}\n",
		    "{\"ok\":false,\"error\":\"no such verb\"}\n" },
		{ "[1]\n", "{\"ok\":false,\"error\":\"the request is no object "
			   "with a verb\"}\n" },
		{ "garbage\n",
		    "{\"ok\":false,\"error\":\"the request is no object with a "
		    "verb\"}\n" },
	};
	struct fixture *f = *state;
	char out[512];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = dial(f);

		assert_true(
		    write(fd, rows[i].request, strlen(rows[i].request)) > 0);
		shutdown(fd, SHUT_WR);
		assert_true(read_all(f, fd, out, sizeof(out)) > 0);
		assert_string_equal(out, rows[i].answer);
		close(fd);
	}
}

static void
a_request_may_come_in_pieces(void **state)
{
	struct fixture *f = *state;
	const char *text = "{\"verb\":\"echo\",\"say\":7}\n";
	char out[512];
	int fd = dial(f);

	for (const char *p = text; *p != '\0'; p++) {
		assert_int_equal(write(fd, p, 1), 1);
		turn(f);
	}
	assert_true(read_all(f, fd, out, sizeof(out)) > 0);
	assert_string_equal(out, "{\"said\":7,\"ok\":true}\n");
	close(fd);
}

static void
an_endless_request_ends_the_connection(void **state)
{
	struct fixture *f = *state;
	char chunk[CONTROL_REQUEST_MAX + 1], out[64];
	int fd = dial(f);

	memset(chunk, 'x', sizeof(chunk));
	assert_true(write(fd, chunk, sizeof(chunk)) > 0);
	assert_int_equal(read_all(f, fd, out, sizeof(out)), 0);
	close(fd);
}

static void
a_silent_client_is_dropped(void **state)
{
	struct fixture *f = *state;
	char out[64];
	int fd = dial(f);

	assert_int_equal(read_all(f, fd, out, sizeof(out)), -1);
	clock_advance(f->clock, CONTROL_MS);
	assert_int_equal(read_all(f, fd, out, sizeof(out)), 0);
	close(fd);
}

static void
an_answer_may_come_after_the_client_is_gone(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);

	assert_true(write(fd, "{\"verb\":\"later\"}\n", 17) > 0);
	turn(f);
	assert_non_null(f->kept);
	close(fd);
	clock_advance(f->clock, CONTROL_MS);
	turn(f);
	control_fail(f->kept, "too late");
	turn(f);
}

static void
one_client_too_many_is_turned_away(void **state)
{
	struct fixture *f = *state;
	int fds[CONTROL_CLIENTS + 1];
	char out[64];

	for (size_t i = 0; i <= CONTROL_CLIENTS; i++) {
		fds[i] = dial(f);
		turn(f);
	}
	assert_int_equal(
	    read_all(f, fds[CONTROL_CLIENTS], out, sizeof(out)), 0);
	assert_int_equal(read_all(f, fds[0], out, sizeof(out)), -1);
	for (size_t i = 0; i <= CONTROL_CLIENTS; i++)
		close(fds[i]);
}

static void
the_socket_is_its_owners_alone(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void
a_live_socket_is_kept_and_a_dead_one_replaced(void **state)
{
	struct fixture *f = *state;
	char path[96];
	int fd;

	assert_int_equal(control_bind(f->path), UV_EADDRINUSE);
	snprintf(path, sizeof(path), "%s/dead", f->dir);
	fd = control_bind(path);
	assert_true(fd >= 0);
	close(fd);
	fd = control_bind(path);
	assert_true(fd >= 0);
	close(fd);
	unlink(path);
}

static void
the_child_of_a_dead_daemon_is_outlived(void **state)
{
	struct fixture *f = *state;
	char path[96];
	int fd, status;
	pid_t child;

	snprintf(path, sizeof(path), "%s/orphan", f->dir);
	fd = control_bind(path);
	assert_true(fd >= 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		usleep(200000);
		_exit(0);
	}
	close(fd);
	fd = control_bind(path);
	assert_true(fd >= 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	close(fd);
	unlink(path);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(each_request_gets_one_line),
		TEST(a_request_may_come_in_pieces),
		TEST(an_endless_request_ends_the_connection),
		TEST(a_silent_client_is_dropped),
		TEST(an_answer_may_come_after_the_client_is_gone),
		TEST(one_client_too_many_is_turned_away),
		TEST(the_socket_is_its_owners_alone),
		TEST(a_live_socket_is_kept_and_a_dead_one_replaced),
		TEST(the_child_of_a_dead_daemon_is_outlived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
