/* The resolver and its client on one loop, against a real unbound on loopback
 * (skipped where there is none), a server that is silent, and none at all. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <uv.h>

#include "common/clock.h"
#include "common/err.h"
#include "edge-proxy/edge_conf.h"
#include "edge-proxy/resolver.h"
#include "edge-proxy/resolver_client.h"

#define UNBOUND "/usr/sbin/unbound"

struct seen {
	unsigned answers;
	struct dns_answer last;
	struct dns_srv srv;
	struct sockaddr_storage addr;
	bool within; /* answered before resolver_query() returned */
};

static uv_loop_t loop;
static struct clock *clk;
static struct resolver *res;
static struct resolver_client *rc;
static struct edge_conf conf;
static pid_t server;
static char dir[] = "/tmp/test_resolver.XXXXXX";

/* A port nobody listens on at the time of asking. */
static unsigned
free_port(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr = { htonl(0x7f4d0101) } };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	close(fd);
	return ntohs(sin.sin_port);
}

static bool
answers(unsigned port)
{
	static const char query[] =
	    "\1\2\1\0\0\1\0\0\0\0\0\0\1a\7example\0\0\1\0\1";
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr = { htonl(0x7f4d0101) } };
	struct timeval tv = { 0, 100000 };
	char back[512];
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	connect(fd, (struct sockaddr *)&sin, sizeof(sin));
	send(fd, query, sizeof(query) - 1, 0);
	n = recv(fd, back, sizeof(back), 0);
	close(fd);
	if (n < 0)
		usleep(20000);
	return n > 0;
}

/* Starts unbound with a few names; waits until it answers. */
static void
start_server(unsigned port)
{
	char path[100];
	FILE *f;

	snprintf(path, sizeof(path), "%s/unbound.conf", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f,
	    "server:\n interface: 127.77.1.1\n port: %u\n"
	    " username: \"\"\n chroot: \"\"\n directory: \"%s\"\n"
	    " pidfile: \"\"\n use-syslog: no\n logfile: \"%s/log\"\n"
	    " access-control: 127.0.0.0/8 allow\n module-config: iterator\n"
	    " local-zone: \".\" always_nxdomain\n"
	    " local-zone: \"example.\" static\n"
	    " local-data: \"a.example. 300 A 192.0.2.1\"\n"
	    " local-data: \"a.example. 300 AAAA 2001:db8::1\"\n"
	    " local-data: \"_xmpp-server._tcp.a.example. 60 SRV 1 2 5269 "
	    "X.a.example.\"\n"
	    "remote-control:\n control-enable: no\n",
	    port, dir, dir);
	fclose(f);
	server = fork();
	if (server == 0) {
		execl(UNBOUND, "unbound", "-d", "-c", path, (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 200; i++)
		if (answers(port))
			return;
	fail_msg("unbound does not answer");
}

static void
stop_server(void)
{
	if (server <= 0)
		return;
	kill(server, SIGTERM);
	waitpid(server, NULL, 0);
	server = 0;
}

static int
setup(void **state)
{
	(void)state;
	memset(&conf, 0, sizeof(conf));
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(clock_open_uv(&clk, &loop), 0);
	return 0;
}

static int
teardown(void **state)
{
	char path[100];

	(void)state;
	resolver_client_close(rc);
	resolver_close(res);
	rc = NULL;
	res = NULL;
	uv_run(&loop, UV_RUN_DEFAULT);
	clock_close(clk);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	stop_server();
	snprintf(path, sizeof(path), "%s/unbound.conf", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/log", dir);
	unlink(path);
	return 0;
}

static void
open_both(unsigned port)
{
	char why[256];
	int pair[2];

	snprintf(
	    conf.servers[0], sizeof(conf.servers[0]), "127.77.1.1@%u", port);
	conf.server_count = 1;
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(
	    resolver_open(&res, &loop, clk, &conf, pair[0], why, sizeof(why)),
	    0);
	assert_int_equal(resolver_client_open(&rc, &loop, clk, pair[1]), 0);
}

static void
on_answer(const struct dns_answer *a, void *arg)
{
	struct seen *s = arg;

	s->answers++;
	s->last = *a;
	if (a->count > 0 && a->type == DNS_SRV)
		s->srv = a->srv[0];
	if (a->count > 0 && (a->type == DNS_A || a->type == DNS_AAAA))
		s->addr = a->addr[0];
}

static void
ask(struct seen *s, const char *name, enum dns_type type, uint64_t ms)
{
	memset(s, 0, sizeof(*s));
	assert_int_equal(
	    resolver_query(NULL, rc, name, type, ms, on_answer, s), 0);
	s->within = s->answers > 0;
}

/* Until the answer is there; how long it took. */
static uint64_t
await(struct seen *s)
{
	uint64_t begun = clock_now_ms(clk);

	while (s->answers == 0)
		uv_run(&loop, UV_RUN_ONCE);
	assert_int_equal(s->answers, 1);
	assert_false(s->within);
	return clock_now_ms(clk) - begun;
}

static void
test_records_of_a_real_server(void **state)
{
	unsigned port = free_port();
	struct seen s;

	(void)state;
	if (access(UNBOUND, X_OK) != 0)
		fail_msg("%s is missing: deploy/install-deps check", UNBOUND);
	start_server(port);
	open_both(port);
	ask(&s, "_xmpp-server._tcp.a.example", DNS_SRV, 5000);
	await(&s);
	assert_int_equal(s.last.status, DNS_OK);
	assert_int_equal(s.last.count, 1);
	assert_string_equal(s.srv.target, "x.a.example");
	assert_int_equal(s.srv.port, 5269);
	assert_false(s.last.secure);
	assert_true(s.last.ttl <= 60);
	ask(&s, "a.example", DNS_A, 5000);
	await(&s);
	assert_int_equal(s.addr.ss_family, AF_INET);
	ask(&s, "a.example", DNS_AAAA, 5000);
	await(&s);
	assert_int_equal(s.addr.ss_family, AF_INET6);
	ask(&s, "a.example", DNS_TLSA, 5000);
	await(&s);
	assert_int_equal(s.last.status, DNS_OK);
	assert_int_equal(s.last.count, 0);
	ask(&s, "none.example", DNS_A, 5000);
	await(&s);
	assert_int_equal(s.last.status, DNS_NXDOMAIN);
	/* From the cache: still not from within the call. */
	ask(&s, "a.example", DNS_A, 5000);
	assert_true(await(&s) < 100);
}

static void
test_many_at_once(void **state)
{
	static struct seen s[300];
	unsigned port = free_port();
	struct resolver_query *q;

	(void)state;
	if (access(UNBOUND, X_OK) != 0)
		fail_msg("%s is missing: deploy/install-deps check", UNBOUND);
	start_server(port);
	open_both(port);
	for (size_t i = 0; i < 300; i++) {
		char name[64];

		snprintf(name, sizeof(name), "n%zu.example", i);
		ask(&s[i], i % 2 != 0 ? "a.example" : name, DNS_A, 10000);
	}
	/* One is given up; its answer must not come. */
	memset(&s[7], 0, sizeof(s[7]));
	assert_int_equal(
	    resolver_query(&q, rc, "b.example", DNS_A, 10000, on_answer, &s[7]),
	    0);
	resolver_cancel(q);
	s[7].answers = 0;
	for (size_t i = 0; i < 300; i++) {
		if (i == 7)
			continue;
		await(&s[i]);
		assert_int_equal(
		    s[i].last.status, i % 2 != 0 ? DNS_OK : DNS_NXDOMAIN);
	}
}

static void
test_a_dead_server_fails_fast_and_is_found_again(void **state)
{
	unsigned port = free_port();
	struct seen s;
	uint64_t ms;

	(void)state;
	if (access(UNBOUND, X_OK) != 0)
		fail_msg("%s is missing: deploy/install-deps check", UNBOUND);
	open_both(port);
	ask(&s, "a.example", DNS_A, 10000);
	ms = await(&s);
	assert_int_equal(s.last.status, DNS_FAILED);
	assert_true(ms < 4000);
	start_server(port);
	/* An error is remembered for a few seconds, by name. */
	ask(&s, "_xmpp-server._tcp.a.example", DNS_SRV, 10000);
	await(&s);
	assert_int_equal(s.last.status, DNS_OK);
}

static void
test_a_silent_server_is_given_up(void **state)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr = { htonl(0x7f4d0101) } };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct seen s;

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	open_both(ntohs(sin.sin_port));
	ask(&s, "a.example", DNS_A, 10000);
	assert_true(await(&s) < 5000);
	assert_int_equal(s.last.status, DNS_FAILED);
	close(fd);
}

/* The asking side's own limit. */
static void
test_the_limit_of_a_query(void **state)
{
	int pair[2];
	struct seen s;
	uint64_t ms;

	(void)state;
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(resolver_client_open(&rc, &loop, clk, pair[1]), 0);
	ask(&s, "a.example", DNS_A, 150);
	ms = await(&s);
	assert_true(ms >= 140 && ms < 1000);
	assert_int_equal(s.last.status, DNS_FAILED);
	/* Garbage costs the line, not us; a new line is asked again. */
	ask(&s, "a.example", DNS_A, 300);
	assert_int_equal(write(pair[0], "garbage", 7), 7);
	await(&s);
	close(pair[0]);
}

/* A resolver that dies leaves its questions to the next one. */
static void
test_questions_survive_a_resolver(void **state)
{
	uint8_t question[512];
	int first[2], second[2];
	ssize_t n;
	struct seen s;

	(void)state;
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, first), 0);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, second), 0);
	assert_int_equal(resolver_client_open(&rc, &loop, clk, first[1]), 0);
	ask(&s, "a.example", DNS_A, 2000);
	for (int i = 0; i < 10; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
	assert_true(recv(first[0], question, sizeof(question), 0) > 6);
	close(first[0]);
	for (int i = 0; i < 10; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(s.answers, 0);
	assert_int_equal(resolver_client_attach(rc, second[1]), 0);
	for (int i = 0; i < 10; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
	n = recv(second[0], question, sizeof(question), MSG_DONTWAIT);
	assert_true(n > 6);
	/* An answer: its id and type, NXDOMAIN, nothing else. */
	memcpy(question + 6, "\1\0\0\0\0\0\0\0", 8);
	assert_int_equal(send(second[0], question, 14, 0), 14);
	await(&s);
	assert_int_equal(s.last.status, DNS_NXDOMAIN);
	close(second[0]);
}

static void
test_closing_answers_what_is_open(void **state)
{
	struct seen s[3];
	int pair[2];

	(void)state;
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(resolver_client_open(&rc, &loop, clk, pair[1]), 0);
	for (size_t i = 0; i < 3; i++)
		ask(&s[i], "a.example", DNS_A, 60000);
	assert_int_equal(
	    resolver_query(NULL, rc, "a b", DNS_A, 10, on_answer, &s[0]),
	    ERR_MALFORMED);
	resolver_client_close(rc);
	rc = NULL;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(s[i].answers, 1);
		assert_int_equal(s[i].last.status, DNS_FAILED);
	}
	close(pair[0]);
}

static void
test_a_setting_libunbound_refuses(void **state)
{
	char anchor[] = "not a record at all", why[256];
	int pair[2];

	(void)state;
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	snprintf(conf.servers[0], sizeof(conf.servers[0]), "127.77.1.1@53");
	conf.server_count = 1;
	conf.anchors[0] = anchor;
	conf.anchor_count = 1;
	assert_int_equal(
	    resolver_open(&res, &loop, clk, &conf, pair[0], why, sizeof(why)),
	    ERR_CONFIG);
	assert_null(res);
	assert_true(strlen(why) > 0);
	close(pair[1]);
}

int
main(void)
{
#define T(x) cmocka_unit_test_setup_teardown(x, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_records_of_a_real_server),
		T(test_many_at_once),
		T(test_a_dead_server_fails_fast_and_is_found_again),
		T(test_a_silent_server_is_given_up),
		T(test_the_limit_of_a_query),
		T(test_questions_survive_a_resolver),
		T(test_closing_answers_what_is_open),
		T(test_a_setting_libunbound_refuses),
	};
	int rcode;

	if (mkdtemp(dir) == NULL)
		return 1;
	rcode = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(dir);
	return rcode;
}
