/* HTTP in the loop: what is answered, what is refused, and who is cut. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "frontend-gateway/admin/http_server.h"
#include "frontend-gateway/admin/http_target.h"
#include "tests/unit/http_client.h"

enum { BODY_MAX = 1000, TEXT_MAX = 400000 };

#define turn(f)             http_client_turn(&(f)->c)
#define dial(f)             http_client_dial(&(f)->c)
#define dial_tcp(f)         http_client_dial_tcp(&(f)->c)
#define say(f, fd, s, n)    http_client_say(&(f)->c, fd, s, n)
#define hear(f, fd, closed) http_client_hear(&(f)->c, fd, closed)
#define status_of(text)     http_client_status(text)

struct fixture {
	char dir[64], path[80];
	uv_loop_t loop;
	struct clock *clock;
	struct http_server *server;
	struct http_client c;
	struct http_call *kept; /* answered later */
	unsigned gone, ended, freed, requests;
	size_t to_stream; /* bytes that the stream still has */
	bool dry, closed;
};

static void
answer(struct http_call *call, unsigned status, const char *text)
{
	http_call_answer(call, &(struct http_answer){ .status = status,
				   .type = "text/plain",
				   .body = strdup(text),
				   .len = strlen(text),
				   .headers = { { "ETag", "\"7\"" } } });
}

static size_t
on_head(struct http_call *call, void *arg)
{
	(void)arg;
	if (strcmp(http_call_target(call), "/no") == 0)
		answer(call, 403, "refused");
	return BODY_MAX;
}

static void
on_refused(struct http_call *call, unsigned status, void *arg)
{
	(void)arg;
	answer(call, status, "refused");
}

static void
on_gone(void *arg)
{
	struct fixture *f = arg;

	f->gone++;
	f->kept = NULL;
}

static ssize_t
on_read(void *arg, char *out, size_t size)
{
	struct fixture *f = arg;
	size_t n = f->to_stream < size ? f->to_stream : size;

	if (n == 0)
		return f->dry ? 0 : HTTP_STREAM_END;
	memset(out, 's', n);
	f->to_stream -= n;
	return (ssize_t)n;
}

static void
on_end(void *arg)
{
	((struct fixture *)arg)->ended++;
}

static void
on_data_freed(void *data)
{
	((struct fixture *)data)->freed++;
}

static void
on_request(struct http_call *call, void *arg)
{
	struct fixture *f = arg;
	const char *target = http_call_target(call);
	char text[2 * BODY_MAX];
	const char *body;
	size_t len;

	f->requests++;
	http_call_set_data(call, f, on_data_freed);
	body = http_call_body(call, &len);
	if (strcmp(target, "/later") == 0) {
		http_call_wait(call, on_gone, f);
		f->kept = call;
	} else if (strcmp(target, "/at-once") == 0) {
		http_call_wait(call, on_gone, f);
		answer(call, 200, "at once");
	} else if (strcmp(target, "/stream") == 0) {
		f->kept = call;
		http_call_stream(call,
		    &(struct http_stream){
			.type = "text/plain", on_read, on_end, f, f->dry });
	} else {
		snprintf(text, sizeof(text), "%s %s %s[%.*s] %s",
		    http_call_method_str(call), target,
		    http_call_peer(call)->name, (int)len, body ? body : "",
		    http_call_header(call, "If-Match")
			? http_call_header(call, "If-Match")
			: "-");
		answer(call, 200, text);
	}
}

static void
on_closed(void *arg)
{
	((struct fixture *)arg)->closed = true;
}

static int
setup(void **state)
{
	static const struct http_server_events events = { on_head, on_refused,
		on_request };
	struct fixture *f = calloc(1, sizeof(*f));
	struct sockaddr_storage ss = { 0 };
	char why[200];

	log_set_fd(-1);
	snprintf(f->dir, sizeof(f->dir), "/tmp/http-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/socket", f->dir);
	http_client_address(&f->c.tcp);
	memcpy(&ss, &f->c.tcp, sizeof(f->c.tcp));
	assert_int_equal(uv_loop_init(&f->loop), 0);
	assert_int_equal(clock_open_manual(&f->clock, 1000, 1700000000000), 0);
	f->c.loop = &f->loop;
	f->c.clock = f->clock;
	f->c.path = f->path;
	assert_int_equal(http_server_open(&f->server,
			     &(struct http_server_opts){ .loop = &f->loop,
				 .clock = f->clock,
				 .socket = f->path,
				 .listen = &ss,
				 .listen_count = 1,
				 .events = &events,
				 .arg = f },
			     why, sizeof(why)),
	    0);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	http_server_close(f->server, on_closed, f);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_true(f->closed);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	clock_close(f->clock);
	unlink(f->path);
	rmdir(f->dir);
	free(f);
	return 0;
}

static bool
ends_with(const char *text, const char *end)
{
	return strlen(text) >= strlen(end) &&
	       strcmp(text + strlen(text) - strlen(end), end) == 0;
}

/* --- requests ------------------------------------------------------------ */

#define HEAD(line) line " HTTP/1.1\r\nHost: x\r\n"

static const struct {
	const char *sent;
	unsigned status;
	const char *end; /* of the answer */
	bool closed;
} requests[] = {
	{ HEAD("GET /a?b=%20c") "\r\n", 200, "GET /a?b=%20c unix[] -", false },
	{ HEAD("HEAD /a") "\r\n", 200, "\r\n\r\n", false },
	{ HEAD("PUT /a") "If-Match: \"3\"\r\nContent-Length: 5\r\n\r\nhello",
	    200, "PUT /a unix[hello] \"3\"", false },
	{ HEAD("PATCH /a") "Content-Length: 0\r\n\r\n", 200,
	    "PATCH /a unix[] -", false },
	{ HEAD("PUT /a") "Transfer-Encoding: chunked\r\n\r\n"
			 "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
	    200, "unix[hello] -", false },
	{ HEAD("DELETE /at-once") "\r\n", 200, "at once", false },
	/* Refused by its header: the body is read nevertheless. */
	{ HEAD("PUT /no") "Content-Length: 5\r\n\r\nhello", 403, "refused",
	    false },
	{ HEAD("PATCH /no") "Transfer-Encoding: chunked\r\n\r\n"
			    "5\r\nhello\r\n0\r\n\r\n",
	    403, "refused", false },
	{ HEAD("PUT /no") "Content-Length: 99999999\r\n\r\n", 403, "refused",
	    true },
	{ HEAD("PATCH /no") "Content-Length: 99999999\r\n\r\n", 403, "refused",
	    true },
	{ HEAD("PATCH /a") "Content-Length: 99999999999999999999\r\n\r\n", 413,
	    NULL, true },
	{ HEAD("PUT /a") "Content-Length: 1001\r\n"
			 "Expect: 100-continue\r\n\r\n",
	    413, "refused", true },
	/* Two ways to read it. */
	{ "GET /a HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400, "refused",
	    true },
	{ HEAD("GET /a") "Authorization: a\r\nauthorization: b\r\n\r\n", 400,
	    "refused", true },
	{ HEAD("PUT /a") "Content-Length: 5\r\nContent-Length: 3\r\n\r\nhello",
	    400, NULL, true },
	/* What it is sent in nobody here can read: where does it end? */
	{ HEAD("PUT /a") "Transfer-Encoding: xchunked\r\n\r\n", 400, "refused",
	    true },
	{ HEAD("PUT /a") "Transfer-Encoding: gzip, chunked\r\n\r\n"
			 "0\r\n\r\n",
	    400, "refused", true },
	{ HEAD("PUT /a") "Transfer-Encoding: chunked\r\n"
			 "Content-Length: 5\r\n\r\n0\r\n\r\n",
	    400, "refused", true },
	{ HEAD("PUT /a") "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", 200,
	    "PUT /a unix[] -", false },
	{ "GET /a HTTP/1.1\r\n\r\n", 400, NULL, true },
	{ "GET\r\n\r\n", 0, NULL, true },
	{ "\x16\x03\x01\x02\xfc\x03\x03\r\n\r\n", 0, NULL, true },
	{ "GET /a HTTP/1.0\r\nHost: x\r\n\r\n", 200, "GET /a unix[] -", true },
};

static void
test_requests(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		bool closed;
		int fd = dial(f);
		const char *text;

		say(f, fd, requests[i].sent, strlen(requests[i].sent));
		text = hear(f, fd, &closed);
		if ((requests[i].status != 0 &&
			status_of(text) != requests[i].status) ||
		    (requests[i].end != NULL &&
			!ends_with(text, requests[i].end)) ||
		    closed != requests[i].closed)
			fail_msg("%s: %s (closed: %d)", requests[i].sent, text,
			    closed);
		close(fd);
		turn(f);
		assert_int_equal(http_server_connections(f->server), 0);
	}
	assert_int_equal(f->freed, f->requests);
}

/* One connection serves several requests, each of them cut anywhere. */
static void
test_cut_anywhere(void **state)
{
	static const char text[] =
	    HEAD("PUT /a") "Content-Length: 5\r\n\r\nhello";
	struct fixture *f = *state;
	int fd = dial_tcp(f);
	bool closed;

	for (size_t cut = 1; cut < sizeof(text) - 1; cut++) {
		say(f, fd, text, cut);
		turn(f);
		say(f, fd, text + cut, sizeof(text) - 1 - cut);
		assert_true(ends_with(hear(f, fd, &closed), "[hello] -"));
		assert_false(closed);
	}
	close(fd);
	/* And none of them whole. */
	for (size_t cut = 1; cut < sizeof(text) - 1; cut++) {
		fd = dial(f);
		say(f, fd, text, cut);
		close(fd);
		turn(f);
	}
	turn(f);
	assert_int_equal(http_server_connections(f->server), 0);
	/* Half of it and the end, at once. */
	for (size_t cut = 1; cut < sizeof(text) - 1; cut += 9) {
		fd = http_client_dial_tcp(&f->c);
		assert_true(send(fd, text, cut, 0) > 0);
		close(fd);
	}
	turn(f);
	clock_advance(f->clock, 1000);
	turn(f);
	assert_int_equal(http_server_connections(f->server), 0);
}

static void
test_too_much(void **state)
{
	struct fixture *f = *state;
	char *text = calloc(1, TEXT_MAX);
	static char piece[10000];
	bool closed;
	int fd;

	/* A header past the limit, then one past the library's memory. */
	for (size_t size = HTTP_HEADER_MAX; size <= 4 * HTTP_HEADER_MAX;
	     size *= 4) {
		fd = dial(f);
		snprintf(text, TEXT_MAX, HEAD("GET /a") "X: %0*d\r\n\r\n",
		    (int)size, 0);
		say(f, fd, text, strlen(text));
		assert_true(status_of(hear(f, fd, &closed)) == 431 ||
			    (size > HTTP_HEADER_MAX && closed));
		close(fd);
	}
	/* A chunked body past the limit is read and refused; an endless one
	 * is cut. */
	fd = dial(f);
	say(f, fd, HEAD("PUT /a") "Transfer-Encoding: chunked\r\n\r\n",
	    strlen(HEAD("PUT /a") "Transfer-Encoding: chunked\r\n\r\n"));
	memset(piece, 'x', sizeof(piece));
	for (int i = 0; i < 2; i++) {
		say(f, fd, "2710\r\n", 6);
		say(f, fd, piece, sizeof(piece));
		say(f, fd, "\r\n", 2);
	}
	say(f, fd, "0\r\n\r\n", 5);
	assert_int_equal(status_of(hear(f, fd, &closed)), 413);
	assert_false(closed);
	say(f, fd, HEAD("PUT /a") "Transfer-Encoding: chunked\r\n\r\n",
	    strlen(HEAD("PUT /a") "Transfer-Encoding: chunked\r\n\r\n"));
	for (int i = 0; i < 3400; i++) {
		say(f, fd, "2710\r\n", 6);
		say(f, fd, piece, sizeof(piece));
		say(f, fd, "\r\n", 2);
	}
	(void)hear(f, fd, &closed);
	assert_true(closed);
	close(fd);
	assert_int_equal(f->requests, 0);
	free(text);
}

/* --- answers --------------------------------------------------------------- */

static void
test_later(void **state)
{
	struct fixture *f = *state;
	static const char ask[] = HEAD("GET /later") "\r\n";
	bool closed;
	int fd = dial(f), other = dial_tcp(f);

	say(f, fd, ask, sizeof(ask) - 1);
	assert_string_equal(hear(f, fd, &closed), "");
	assert_non_null(f->kept);
	say(f, other, HEAD("GET /a") "\r\n", strlen(HEAD("GET /a") "\r\n"));
	assert_int_equal(status_of(hear(f, other, &closed)), 200);
	/* However long it takes, the client is not cut. */
	clock_advance(f->clock, 1000000);
	turn(f);
	answer(f->kept, 200, "late");
	assert_true(ends_with(hear(f, fd, &closed), "late"));
	assert_false(closed);
	/* He goes before his answer. */
	say(f, fd, ask, sizeof(ask) - 1);
	turn(f);
	close(fd);
	turn(f);
	answer(f->kept, 200, "in vain");
	turn(f);
	assert_int_equal(f->gone, 0);
	close(other);
	/* The server goes before the answer. */
	fd = dial(f);
	say(f, fd, ask, sizeof(ask) - 1);
	http_server_close(f->server, on_closed, f);
	assert_int_equal(f->gone, 1);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_true(f->closed);
	close(fd);
	unlink(f->path);
	uv_loop_close(&f->loop);
	clock_close(f->clock);
	rmdir(f->dir);
	free(f);
	*state = NULL;
	setup(state);
}

static void
test_stream(void **state)
{
	struct fixture *f = *state;
	static const char ask[] = HEAD("GET /stream") "\r\n";
	bool closed;
	int fd = dial(f);
	const char *text;

	f->to_stream = 100000;
	say(f, fd, ask, sizeof(ask) - 1);
	text = hear(f, fd, &closed);
	assert_int_equal(status_of(text), 200);
	assert_true(strlen(text) > 100000);
	assert_true(ends_with(text, "0\r\n\r\n"));
	assert_int_equal(f->ended, 1);
	/* One that has nothing for a while. */
	f->dry = true;
	say(f, fd, ask, sizeof(ask) - 1);
	(void)hear(f, fd, &closed);
	clock_advance(f->clock, 1000000);
	for (int i = 0; i < 3; i++) {
		f->to_stream = 3;
		http_call_wake(f->kept);
		assert_string_equal(hear(f, fd, &closed), "3\r\nsss\r\n");
		assert_false(closed);
	}
	/* The client goes; the next word finds it out. */
	close(fd);
	f->to_stream = 10;
	http_call_wake(f->kept);
	turn(f);
	turn(f);
	assert_int_equal(f->ended, 2);
	/* HEAD of a stream reads nothing. */
	fd = dial(f);
	f->dry = false;
	f->to_stream = 10;
	say(f, fd, HEAD("HEAD /stream") "\r\n",
	    strlen(HEAD("HEAD /stream") "\r\n"));
	assert_int_equal(status_of(hear(f, fd, &closed)), 200);
	assert_int_equal(f->to_stream, 10);
	assert_int_equal(f->ended, 3);
	/* One that waits when the server goes: teardown. */
	f->dry = true;
	f->to_stream = 0;
	say(f, fd, ask, sizeof(ask) - 1);
	turn(f);
	close(fd);
}

/* --- time and number ------------------------------------------------------ */

static void
test_slow_clients(void **state)
{
	struct fixture *f = *state;
	static const char head[] = HEAD("PUT /a") "Content-Length: 5\r\n\r\n";
	bool closed;
	int silent = dial(f), half = dial_tcp(f), drip = dial(f),
	    idle = dial(f);

	say(f, half, head, 20);
	say(f, idle, HEAD("GET /a") "\r\n", strlen(HEAD("GET /a") "\r\n"));
	assert_int_equal(status_of(hear(f, idle, &closed)), 200);
	for (size_t i = 0; i + 2 < sizeof(head); i++) {
		clock_advance(f->clock, HTTP_REQUEST_MS / (sizeof(head) - 2));
		say(f, drip, head + i, 1);
	}
	clock_advance(f->clock, HTTP_REQUEST_MS);
	(void)hear(f, silent, &closed);
	assert_true(closed);
	(void)hear(f, half, &closed);
	assert_true(closed);
	(void)hear(f, drip, &closed);
	assert_true(closed);
	(void)hear(f, idle, &closed);
	assert_false(closed);
	clock_advance(f->clock, HTTP_IDLE_MS);
	(void)hear(f, idle, &closed);
	assert_true(closed);
	assert_int_equal(http_server_connections(f->server), 0);
	/* Who does not take his answer. */
	idle = dial(f);
	f->to_stream = 100 * 1024 * 1024;
	say(f, idle, HEAD("GET /stream") "\r\n",
	    strlen(HEAD("GET /stream") "\r\n"));
	turn(f);
	clock_advance(f->clock, HTTP_ANSWER_MS);
	turn(f);
	assert_int_equal(http_server_connections(f->server), 0);
	assert_int_equal(f->ended, 1);
	close(silent);
	close(half);
	close(drip);
	close(idle);
}

static void
test_many_connections(void **state)
{
	struct fixture *f = *state;
	int fds[HTTP_CONNECTIONS + 20];
	bool closed;

	for (int i = 0; i < HTTP_CONNECTIONS_TCP; i++)
		fds[i] = dial_tcp(f);
	assert_int_equal(
	    http_server_connections(f->server), HTTP_CONNECTIONS_TCP);
	for (int i = HTTP_CONNECTIONS_TCP; i < HTTP_CONNECTIONS + 20; i++) {
		fds[i] = dial_tcp(f);
		assert_int_equal(status_of(hear(f, fds[i], &closed)), 503);
		assert_true(closed);
		close(fds[i]);
	}
	/* The Unix socket has room of its own. */
	for (int i = HTTP_CONNECTIONS_TCP; i < HTTP_CONNECTIONS; i++) {
		fds[i] = dial(f);
		say(f, fds[i], HEAD("GET /a") "\r\n",
		    strlen(HEAD("GET /a") "\r\n"));
		assert_int_equal(status_of(hear(f, fds[i], &closed)), 200);
	}
	fds[HTTP_CONNECTIONS] = dial(f);
	assert_int_equal(
	    status_of(hear(f, fds[HTTP_CONNECTIONS], &closed)), 503);
	close(fds[HTTP_CONNECTIONS]);
	for (int i = 0; i < HTTP_CONNECTIONS; i++)
		close(fds[i]);
	turn(f);
	turn(f);
	assert_int_equal(http_server_connections(f->server), 0);
}

static void
test_socket_is_private(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

/* --- targets --------------------------------------------------------------- */

static const struct {
	const char *target;
	int rc;
	const char *want; /* segments joined by '|', parameters by '&' */
} targets[] = {
	{ "/v1/partners", 0, "v1|partners" },
	{ "/v1/partners/", 0, "v1|partners" },
	{ "/", 0, "" },
	{ "/v1/a%2Fb/c", 0, "v1|a/b|c" },
	{ "/v1/licences/anna%40x%20Lync+y", 0, "v1|licences|anna@x Lync+y" },
	{ "/v1?filter=*.example&after=&x", 0, "v1&filter=*.example&after=&x=" },
	{ "/v1?a=b+c%2Bd%26e", 0, "v1&a=b c+d&e" },
	{ "/v1?", 0, "v1" },
	{ "", ERR_MALFORMED, NULL },
	{ "v1", ERR_MALFORMED, NULL },
	{ "*", ERR_MALFORMED, NULL },
	{ "http://x/v1", ERR_MALFORMED, NULL },
	{ "//v1", ERR_MALFORMED, NULL },
	{ "/v1//x", ERR_MALFORMED, NULL },
	{ "/v1/%", ERR_MALFORMED, NULL },
	{ "/v1/%4", ERR_MALFORMED, NULL },
	{ "/v1/%zz", ERR_MALFORMED, NULL },
	{ "/v1/%00", ERR_MALFORMED, NULL },
	{ "/v1/%0a", ERR_MALFORMED, NULL },
	{ "/v1/%c3%28", ERR_UTF8, NULL },
	{ "/v1/\x7f", ERR_MALFORMED, NULL },
	{ "/v1#x", ERR_MALFORMED, NULL },
	{ "/v1?a=1&a=2", ERR_MALFORMED, NULL },
	{ "/v1?=1", ERR_MALFORMED, NULL },
	{ "/v1?a=1&&b=2", ERR_MALFORMED, NULL },
	{ "/1/2/3/4/5/6", 0, "1|2|3|4|5|6" },
	{ "/1/2/3/4/5/6/7", ERR_FULL, NULL },
	{ "/v1?a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q", ERR_FULL, NULL },
};

static void
test_targets(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		struct http_target t;
		char got[400] = "";
		size_t n = 0;
		int rc = http_target_parse(
		    &t, targets[i].target, strlen(targets[i].target));

		if (rc != targets[i].rc)
			fail_msg("%s: %d", targets[i].target, rc);
		for (size_t k = 0; k < t.segment_count; k++)
			n += (size_t)snprintf(got + n, sizeof(got) - n, "%s%s",
			    k > 0 ? "|" : "", t.segments[k]);
		for (size_t k = 0; k < t.param_count; k++)
			n += (size_t)snprintf(got + n, sizeof(got) - n,
			    "&%s=%s", t.params[k].name, t.params[k].value);
		if (rc == 0)
			assert_string_equal(got, targets[i].want);
		http_target_finish(&t);
	}
	assert_null(http_target_param(&(struct http_target){ 0 }, "a"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_cut_anywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_much, setup, teardown),
		cmocka_unit_test_setup_teardown(test_later, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stream, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_slow_clients, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_many_connections, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_socket_is_private, setup, teardown),
		cmocka_unit_test(test_targets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
