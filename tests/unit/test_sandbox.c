/*
 * sandbox: what somebody who has taken a process over can still do, tried in a
 * process that has entered it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "edge-proxy/sandbox.h"

#define FILE_OF_OURS "/tmp/sallyport-sandbox-test"

/* What came of an attempt, as the status a child ends with. */
enum outcome { DONE, DENIED, KILLED, ODD };

/* Whether it was done, or refused for lack of a right. */
static enum outcome
judge(long rc)
{
	if (rc >= 0)
		return DONE;
	return errno == EPERM || errno == EACCES ? DENIED : ODD;
}

static enum outcome
read_a_file(void)
{
	return judge(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static enum outcome
write_a_file(void)
{
	return judge(open(FILE_OF_OURS, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static enum outcome
list_a_folder(void)
{
	return judge(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static enum outcome
remove_a_file(void)
{
	return judge(unlink("/tmp/sallyport-no-such-file"));
}

static enum outcome
run_a_program(void)
{
	char name[] = "true";
	char *argv[] = { name, NULL }, *envp[] = { NULL };

	return judge(execve("/bin/true", argv, envp));
}

static enum outcome
fork_a_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return judge(pid);
}

static enum outcome
fork_by_its_own_call(void)
{
	long pid = syscall(SYS_fork);

	if (pid == 0)
		_exit(0);
	return judge(pid);
}

static enum outcome
trace_the_parent(void)
{
	return judge(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}

static enum outcome
read_the_parents_memory(void)
{
	char byte;
	struct iovec here = { &byte, 1 }, there = { &byte, 1 };

	return judge(process_vm_readv(getppid(), &here, 1, &there, 1, 0));
}

static enum outcome
signal_the_parent(void)
{
	return judge(kill(getppid(), 0));
}

static enum outcome
map_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return judge(p == MAP_FAILED ? -1 : 0);
}

static enum outcome
make_data_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? ODD : judge(mprotect(p, 4096, PROT_EXEC));
}

static enum outcome
open_a_local_socket(void)
{
	return judge(socket(AF_UNIX, SOCK_STREAM, 0));
}

static enum outcome
open_a_netlink_socket(void)
{
	return judge(socket(AF_NETLINK, SOCK_RAW, 0));
}

static enum outcome
open_a_packet_socket(void)
{
	return judge(socket(AF_PACKET, SOCK_RAW, 0));
}

static enum outcome
change_its_user(void)
{
	return judge(setuid(getuid()));
}

static enum outcome
enter_a_namespace(void)
{
	return judge(syscall(SYS_unshare, 0x10000000));
}

static enum outcome
load_a_module(void)
{
	return judge(syscall(SYS_init_module, NULL, 0, ""));
}

static enum outcome
listen_for_others(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 ? ODD : judge(listen(fd, 1));
}

static enum outcome
open_a_connection(void)
{
	return judge(socket(AF_INET6, SOCK_STREAM, 0));
}

static enum outcome
use_memory(void)
{
	char *p = malloc(1 << 20);

	if (p == NULL)
		return ODD;
	memset(p, 1, 1 << 20);
	free(p);
	return DONE;
}

static enum outcome
gain_privileges(void)
{
	/* Whether a program it could start would still lend it its owner. */
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 ? DONE : DENIED;
}

static const struct {
	const char *name;
	enum outcome (*attempt)(void);
	enum outcome keeper, streams, resolver; /* as fetcher */
} rows[] = {
#define ROW(f, k, s, r)                                                        \
	{                                                                      \
#f, f, k, s, r                                                 \
	}
	/* What each of them has to do. */
	ROW(use_memory, DONE, DONE, DONE),
	ROW(open_a_connection, DONE, DONE, DONE),
	ROW(listen_for_others, DONE, DONE, DENIED),
	/* What the keeper is there for: reading files, starting the others. */
	ROW(read_a_file, DONE, DENIED, DENIED),
	ROW(list_a_folder, DONE, DENIED, DENIED),
	ROW(run_a_program, DONE, KILLED, KILLED),
	ROW(fork_a_process, DONE, DENIED, DENIED),
	ROW(fork_by_its_own_call, DONE, KILLED, KILLED),
	/* What none of them may. */
	ROW(write_a_file, DENIED, DENIED, DENIED),
	ROW(trace_the_parent, ODD, KILLED, KILLED),
	ROW(read_the_parents_memory, ODD, KILLED, KILLED),
	ROW(signal_the_parent, DONE, DENIED, DENIED),
	ROW(remove_a_file, ODD, DENIED, DENIED),
	ROW(map_code, DONE, DENIED, DENIED),
	ROW(make_data_code, DONE, DENIED, DENIED),
	ROW(open_a_local_socket, DONE, DENIED, DENIED),
	ROW(open_a_netlink_socket, DONE, DENIED, DENIED),
	ROW(open_a_packet_socket, ODD, DENIED, DENIED),
	ROW(change_its_user, DONE, DENIED, DENIED),
	ROW(enter_a_namespace, ODD, KILLED, KILLED),
	ROW(load_a_module, ODD, KILLED, KILLED),
	ROW(gain_privileges, DENIED, DENIED, DENIED),
};

static enum outcome
try_in(enum sandbox_role role, enum outcome (*attempt)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		/* Nothing of what it prints is wanted. */
		close(STDERR_FILENO);
		if (sandbox_enter(role, true) < 0)
			_exit(ODD);
		_exit((int)attempt());
	}
	assert_int_equal(pid, waitpid(pid, &status, 0));
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSYS ? KILLED : ODD;
	return (enum outcome)WEXITSTATUS(status);
}

static void
expect(const char *name, const char *who, enum outcome wanted, enum outcome got)
{
	static const char *const words[] = { "done", "denied", "killed",
		"odd" };

	/* What the keeper may not as any process may not is the kernel's and
	 * the user's affair. */
	if (wanted != ODD && got != wanted)
		fail_msg("%s as %s: %s, not %s", name, who, words[got],
		    words[wanted]);
}

static void
each_role_can_do_its_work_and_no_more(void **state)
{
	(void)state;
#ifdef SALLYPORT_SANITIZED
	skip();
#endif
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		expect(rows[i].name, "keeper", rows[i].keeper,
		    try_in(SANDBOX_KEEPER, rows[i].attempt));
		expect(rows[i].name, "streams", rows[i].streams,
		    try_in(SANDBOX_STREAMS, rows[i].attempt));
		expect(rows[i].name, "resolver", rows[i].resolver,
		    try_in(SANDBOX_RESOLVER, rows[i].attempt));
		expect(rows[i].name, "fetcher", rows[i].resolver,
		    try_in(SANDBOX_FETCHER, rows[i].attempt));
	}
	assert_int_equal(-1, access(FILE_OF_OURS, F_OK));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_role_can_do_its_work_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
