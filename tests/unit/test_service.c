/* The notify socket, by path and in the abstract space. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "common/service.h"

/* A manager's socket under that name; '@' for abstract. */
static int
listen_as(const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t len = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	memcpy(addr.sun_path, name, len);
	if (name[0] == '@')
		addr.sun_path[0] = '\0';
	assert_int_equal(
	    bind(fd, (const struct sockaddr *)&addr,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
	    0);
	return fd;
}

static void
expect_datagram(int fd, const char *text)
{
	char got[64];
	ssize_t n = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);

	assert_true(n >= 0);
	got[n] = '\0';
	assert_string_equal(got, text);
}

/* What a manager at that name sees of a daemon's life. */
static void
one_life(const char *name)
{
	int fd = listen_as(name);

	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
	assert_int_equal(service_notify_open(), 0);
	assert_null(getenv("NOTIFY_SOCKET"));
	service_notify("READY=1");
	service_notify("STATUS=two streams");
	expect_datagram(fd, "READY=1");
	expect_datagram(fd, "STATUS=two streams");
	service_notify_close();
	service_notify("STOPPING=1");
	assert_true(recv(fd, (char[8]){ 0 }, 8, MSG_DONTWAIT) < 0);
	(void)close(fd);
}

static const struct {
	const char *usec;
	const char *pid; /* NULL = not set, "" = ours */
	uint64_t ms;
} watchdogs[] = {
	{ NULL, NULL, 0 },
	{ "60000000", NULL, 60000 },
	{ "60000000", "", 60000 },
	{ "60000000", "1", 0 }, /* another process is meant */
	{ "soon", NULL, 0 },
	{ "", NULL, 0 },
};

static void
watchdog_and_reload(void **state)
{
	char name[64], pid[16], got[96] = { 0 };
	int fd;

	(void)state;
	(void)snprintf(name, sizeof name, "@sallyport-dog-%d", (int)getpid());
	(void)snprintf(pid, sizeof pid, "%d", (int)getpid());
	fd = listen_as(name);
	for (size_t i = 0; i < sizeof watchdogs / sizeof watchdogs[0]; i++) {
		const char *who = watchdogs[i].pid;

		(void)setenv("NOTIFY_SOCKET", name, 1);
		if (watchdogs[i].usec != NULL)
			(void)setenv("WATCHDOG_USEC", watchdogs[i].usec, 1);
		if (who != NULL)
			(void)setenv(
			    "WATCHDOG_PID", who[0] != '\0' ? who : pid, 1);
		assert_int_equal(service_notify_open(), 0);
		assert_int_equal(service_watchdog_ms(), watchdogs[i].ms);
		assert_null(getenv("WATCHDOG_USEC"));
		assert_null(getenv("WATCHDOG_PID"));
	}
	service_reloading();
	assert_true(recv(fd, got, sizeof got - 1, MSG_DONTWAIT) > 0);
	assert_memory_equal(got, "RELOADING=1\nMONOTONIC_USEC=", 27);
	service_notify_close();
	assert_int_equal(service_watchdog_ms(), 0);
	(void)close(fd);
}

static void
abstract_name(void **state)
{
	char name[64];

	(void)state;
	(void)snprintf(name, sizeof name, "@sallyport-test-%d", (int)getpid());
	one_life(name);
}

static void
path(void **state)
{
	char folder[] = "/tmp/sallyport-test-XXXXXX", name[64];

	(void)state;
	assert_non_null(mkdtemp(folder));
	(void)snprintf(name, sizeof name, "%s/notify", folder);
	one_life(name);
	assert_int_equal(unlink(name), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void
nothing_to_notify(void **state)
{
	(void)state;
	(void)unsetenv("NOTIFY_SOCKET");
	assert_int_equal(service_notify_open(), 0);
	service_notify("READY=1");
	service_notify_close();
	assert_int_equal(setenv("NOTIFY_SOCKET", "", 1), 0);
	assert_int_equal(service_notify_open(), 0);
}

static void
unusable_names(void **state)
{
	static char longest[200];
	const struct {
		const char *name;
		int rc;
	} names[] = {
		{ "relative/path", ERR_UNSUPPORTED },
		{ "vsock:2:1234", ERR_UNSUPPORTED },
		{ "/nonexistent/sallyport/notify", -ENOENT },
		{ longest, ERR_TOO_LONG },
	};

	(void)state;
	memset(longest, '/', sizeof longest - 1);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		assert_int_equal(setenv("NOTIFY_SOCKET", names[i].name, 1), 0);
		assert_int_equal(service_notify_open(), names[i].rc);
		assert_null(getenv("NOTIFY_SOCKET"));
		service_notify("READY=1"); /* harmless */
	}
}

static void
manager_gone(void **state)
{
	char name[64], line[200];
	int fd, log[2];
	ssize_t n;

	(void)state;
	(void)snprintf(name, sizeof name, "@sallyport-gone-%d", (int)getpid());
	fd = listen_as(name);
	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
	assert_int_equal(service_notify_open(), 0);
	(void)close(fd);
	assert_int_equal(pipe2(log, O_CLOEXEC), 0);
	log_set_fd(log[1]);
	service_notify("READY=1");
	log_set_fd(2);
	n = read(log[0], line, sizeof line - 1);
	assert_true(n > 0);
	line[n] = '\0';
	assert_non_null(strstr(line, "service notify-failed error="));
	(void)close(log[0]);
	(void)close(log[1]);
	service_notify_close();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(watchdog_and_reload),
		cmocka_unit_test(abstract_name),
		cmocka_unit_test(path),
		cmocka_unit_test(nothing_to_notify),
		cmocka_unit_test(unusable_names),
		cmocka_unit_test(manager_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
