/*
 * sandbox - see the header.
 *
 * Steps: no_new_privs, then Landlock, then seccomp (which would forbid the
 * other two).  Nothing here needs a privilege, and none of it can be undone.
 *
 * The filter is written for what libuv, OpenSSL, libunbound and the C library
 * do in the processes' loops.  A call outside it gets EPERM: a newer library
 * that probes for something new then takes its fallback.  Calls that start
 * programs, load code into the kernel or reach into other processes end the
 * process instead: only somebody who has taken it over makes them.
 */
#include "edge-proxy/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"

/* linux/sockios.h and asm/ioctls.h, as values that need no header order. */
enum { REQ_FIONREAD = 0x541B, REQ_FIONBIO = 0x5421, REQ_OUTQ = 0x5411 };

/* Rights that later kernels know and the header of ours does not. */
#define FS_TRUNCATE  (1ULL << 14)
#define FS_IOCTL_DEV (1ULL << 15)
#define SCOPE_ALL    3ULL /* abstract unix sockets, signals */

/* struct landlock_ruleset_attr as of ABI 6; older kernels accept it as long
 * as the members they don't know are zero. */
struct ruleset {
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
};

/* What the loops of streams, resolver and fetcher call. */
static const int allowed[] = {
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(close),
	SCMP_SYS(fcntl),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(lseek),
	SCMP_SYS(dup3),
	SCMP_SYS(pipe2),
	SCMP_SYS(eventfd2),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(select),
	SCMP_SYS(pselect6),
	SCMP_SYS(connect),
	SCMP_SYS(bind),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	SCMP_SYS(shutdown),
	SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(recvmmsg),
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(futex),
	SCMP_SYS(rseq),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(getrandom),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_getres),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getppid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(getrusage),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sysinfo),
	SCMP_SYS(uname),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(tgkill),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

static const int allowed_streams[] = {
	SCMP_SYS(listen),
	SCMP_SYS(accept),
	SCMP_SYS(accept4),
};

static const int deadly[] = {
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(fork),
	SCMP_SYS(vfork),
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(kexec_load),
	SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(mount),
	SCMP_SYS(umount2),
	SCMP_SYS(pivot_root),
	SCMP_SYS(unshare),
	SCMP_SYS(setns),
	SCMP_SYS(keyctl),
	SCMP_SYS(add_key),
	SCMP_SYS(request_key),
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int
add_rules(scmp_filter_ctx ctx, uint32_t action, const int *calls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		/* A call this architecture lacks needs no rule. */
		int rc = seccomp_rule_add(ctx, action, calls[i], 0);

		if (rc < 0 && rc != -EDOM)
			return rc;
	}
	return 0;
}

/* Calls that are harmless only with certain arguments. */
static int
add_argument_rules(scmp_filter_ctx ctx)
{
	static const unsigned families[] = { AF_INET, AF_INET6 };
	static const unsigned requests[] = { REQ_FIONREAD, REQ_FIONBIO,
		REQ_OUTQ };
	static const int mappers[] = { SCMP_SYS(mmap), SCMP_SYS(mprotect) };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < COUNT(families); i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
		    SCMP_A0(SCMP_CMP_EQ, families[i]));
	for (size_t i = 0; rc == 0 && i < COUNT(requests); i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
		    SCMP_A1(SCMP_CMP_EQ, requests[i]));
	/* No new executable memory. */
	for (size_t i = 0; rc == 0 && i < COUNT(mappers); i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, mappers[i], 1,
		    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	return rc;
}

static int
load_filter(enum sandbox_role role)
{
	scmp_filter_ctx ctx;
	int rc;

	ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (ctx == NULL)
		return -ENOMEM;
	rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (rc == 0)
		rc = add_rules(ctx, SCMP_ACT_ALLOW, allowed, COUNT(allowed));
	if (rc == 0 && role == SANDBOX_STREAMS)
		rc = add_rules(ctx, SCMP_ACT_ALLOW, allowed_streams,
		    COUNT(allowed_streams));
	if (rc == 0)
		rc = add_argument_rules(ctx);
	if (rc == 0)
		rc = add_rules(
		    ctx, SCMP_ACT_KILL_PROCESS, deadly, COUNT(deadly));
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	return rc;
}

/* Every file right the kernel knows. */
static uint64_t
file_rights(int abi)
{
	uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

	if (abi >= 2)
		rights |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		rights |= FS_TRUNCATE;
	if (abi >= 5)
		rights |= FS_IOCTL_DEV;
	return rights;
}

/* Lets the keeper read and start programs everywhere, nothing else. */
static int
allow_reading(int ruleset)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = LANDLOCK_ACCESS_FS_EXECUTE |
				  LANDLOCK_ACCESS_FS_READ_FILE |
				  LANDLOCK_ACCESS_FS_READ_DIR,
	};
	long rc;

	rule.parent_fd = open("/", O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return -errno;
	rc = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH,
	    &rule, 0);
	rc = rc < 0 ? -errno : 0;
	close(rule.parent_fd);
	return (int)rc;
}

/* The ABI in force, 0 when the kernel has no Landlock, or a negative errno. */
static int
restrict_files(enum sandbox_role role)
{
	struct ruleset attr = { 0 };
	int abi, fd, rc = 0;

	abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 0)
		return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -errno;
	attr.fs = file_rights(abi);
	if (abi >= 6 && role != SANDBOX_KEEPER)
		attr.scoped = SCOPE_ALL;
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (fd < 0)
		return -errno;
	if (role == SANDBOX_KEEPER)
		rc = allow_reading(fd);
	if (rc == 0 && syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		rc = -errno;
	close(fd);
	return rc < 0 ? rc : abi;
}

int
sandbox_enter(enum sandbox_role role, bool wanted)
{
	struct log log;
	int abi, rc;

	log_init(&log, "sandbox");
#ifdef SALLYPORT_SANITIZED
	(void)restrict_files;
	(void)load_filter;
	(void)role;
	(void)abi;
	(void)rc;
	log_warn(&log, "sandbox-off", "reason=%s",
	    wanted ? "built with sanitizers" : "configured");
	return 0;
#else
	if (!wanted) {
		log_warn(&log, "sandbox-off", "reason=%s", "configured");
		return 0;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		log_error(
		    &log, "no-new-privs-failed", "error=%s", strerror(errno));
		return ERR_UNSUPPORTED;
	}
	abi = restrict_files(role);
	if (abi < 0) {
		log_error(&log, "landlock-failed", "error=%s", strerror(-abi));
		return ERR_UNSUPPORTED;
	}
	if (abi == 0)
		log_warn(
		    &log, "landlock-missing", "kernel=%s", "has no Landlock");
	/* The keeper starts programs and reads files; no byte from the
	 * network reaches it. */
	if (role != SANDBOX_KEEPER) {
		rc = load_filter(role);
		if (rc < 0) {
			log_error(
			    &log, "seccomp-failed", "error=%s", strerror(-rc));
			return ERR_UNSUPPORTED;
		}
	}
	log_info(&log, "sandbox-on", "landlock=%d seccomp=%s", abi,
	    role == SANDBOX_KEEPER ? "no" : "yes");
	return 0;
#endif
}

int
sandbox_drop_user(const char *name)
{
	struct passwd *pw;

	if (name[0] == '\0' || geteuid() != 0)
		return 0;
	pw = getpwnam(name);
	if (pw == NULL)
		return ERR_NOT_FOUND;
	if (pw->pw_uid == 0)
		return ERR_DENIED;
	if (initgroups(pw->pw_name, pw->pw_gid) < 0 ||
	    setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0)
		return ERR_DENIED;
	/* It must not come back. */
	if (setresuid(0, 0, 0) == 0)
		return ERR_DENIED;
	return 0;
}
