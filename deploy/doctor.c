/*
 * The order is that of the header; what comes later is looked at even when
 * something before failed, unless it cannot be.
 */
#include "deploy/doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "deploy/control_client.h"
#include "deploy/text.h"

enum {
	CHECK_MS = 30000,
	OUTPUT_SIZE = 1024,
	NFS_MAGIC = 0x6969,
	SPACE_MIN_MB = 100
};

/* Kinds of file systems that are no local disk; int is too small for them. */
static const long smb_magics[] = { 0x517B, 0xFE534D42L, 0xFF534D42L };

json_t *
doctor_conf(const struct doctor *d, const char *path)
{
	json_t *at = d->conf;
	char part[64];

	while (at != NULL && *path != '\0') {
		size_t len = strcspn(path, "/");

		snprintf(part, sizeof(part), "%.*s", (int)len, path);
		at = json_object_get(at, part);
		path += len + (path[len] == '/' ? 1 : 0);
	}
	return at;
}

const char *
doctor_conf_text(const struct doctor *d, const char *path)
{
	return json_string_value(doctor_conf(d, path));
}

static const char *
daemon_name(const struct doctor *d)
{
	return d->edge ? "sallyport-edge" : "sallyport-gateway";
}

/* --- configuration ---------------------------------------------------------- */

/* Beside this program, then where packages put it. */
static bool
find_program(char out[PATH_MAX], const struct doctor *d)
{
	static const char *const places[] = { "/usr/sbin", "/usr/local/sbin" };
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *folder;

	self[n > 0 ? n : 0] = '\0';
	folder = dirname(self);
	for (size_t i = 0; i < 4; i++) {
		int len = snprintf(out, PATH_MAX, "%s%s/%s",
		    i < 2 ? folder : places[i - 2], i == 1 ? "/../sbin" : "",
		    daemon_name(d));

		if (len > 0 && len < PATH_MAX && access(out, X_OK) == 0)
			return true;
	}
	return false;
}

/* What the child says, until it ends; it is killed when it takes too long. */
static void
collect(int fd, pid_t pid, char *text, size_t size)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t done = 0;

	for (;;) {
		char more[256];
		int n = poll(&p, 1, CHECK_MS);
		ssize_t len;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			(void)kill(pid, SIGKILL);
			break;
		}
		len = read(fd, more, sizeof(more));
		if (len <= 0)
			break;
		for (ssize_t i = 0; i < len && done + 1 < size; i++)
			text[done++] = more[i];
	}
	while (done > 0 && text[done - 1] == '\n')
		done--;
	text[done] = '\0';
}

/* The exit status of `program --config FILE --check`, or -1. */
static int
run_check(const char *program, const char *path, char *text, size_t size)
{
	char *argv[] = { strdup(program), strdup("--config"), strdup(path),
		strdup("--check"), NULL };
	posix_spawn_file_actions_t actions;
	int fds[2], status = -1;
	pid_t pid;

	text[0] = '\0';
	if (pipe2(fds, O_CLOEXEC) < 0)
		goto done;
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
	(void)posix_spawn_file_actions_adddup2(&actions, fds[1], 2);
	if (posix_spawn(&pid, program, &actions, NULL, argv, environ) == 0) {
		close(fds[1]);
		fds[1] = -1;
		collect(fds[0], pid, text, size);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	}
	(void)posix_spawn_file_actions_destroy(&actions);
	close(fds[0]);
	if (fds[1] >= 0)
		close(fds[1]);
done:
	for (size_t i = 0; i < 4; i++)
		free(argv[i]);
	return status;
}

static void
look_at_configuration(struct doctor *d)
{
	char program[PATH_MAX], text[OUTPUT_SIZE];
	json_error_t error;
	int status;

	d->conf = json_load_file(d->path, JSON_REJECT_DUPLICATES, &error);
	if (!find_program(program, d)) {
		report_add(&d->r, REPORT_FAILURE, "configuration",
		    "%s is not installed", daemon_name(d));
		report_next(&d->r,
		    "install the package %s, or run this on "
		    "the host where it is",
		    daemon_name(d));
		return;
	}
	status = run_check(program, d->path, text, sizeof(text));
	if (status == 0) {
		report_add(&d->r, REPORT_OK, "configuration", "%s", text);
		return;
	}
	report_add(&d->r, REPORT_FAILURE, "configuration", "%s",
	    text[0] != '\0' ? text : "the program that checks it crashed");
	report_next(&d->r, "correct it, then: %s --config %s --check",
	    daemon_name(d), d->path);
}

/* --- clock ---------------------------------------------------------------------- */

static void
look_at_clock(struct doctor *d)
{
	struct timex t = { 0 };
	int state = adjtimex(&t);

	if (state < 0) {
		report_add(&d->r, REPORT_SKIPPED, "clock",
		    "the kernel does not tell: %s", strerror(errno));
	} else if (state == TIME_ERROR || (t.status & STA_UNSYNC) != 0) {
		report_add(&d->r, REPORT_WARNING, "clock",
		    "not synchronised: certificates and logs depend on it");
		report_next(&d->r,
		    "timedatectl set-ntp true, or install chrony; UDP 123 to "
		    "the time server must be open");
	} else {
		report_add(&d->r, REPORT_OK, "clock", "synchronised");
	}
}

/* --- the daemon ----------------------------------------------------------------- */

static void
take_domains(struct doctor *d)
{
	const json_t *gateways = json_object_get(d->status, "gateways");

	for (size_t i = 0; i < json_array_size(gateways); i++) {
		const json_t *list =
		    json_object_get(json_array_get(gateways, i), "domains");

		for (size_t k = 0; k < json_array_size(list); k++) {
			const char *s =
			    json_string_value(json_array_get(list, k));

			if (s != NULL)
				(void)args_names_add(&d->domains, "doctor", s);
		}
	}
}

/* What the edge could not find out, and what it could not staple. */
static void
look_at_revocation(struct doctor *d)
{
	const json_t *all = json_object_get(d->status, "revocation");
	const json_t *lists = json_object_get(all, "lists");
	const json_t *staples = json_object_get(all, "staples");
	size_t held = 0, i;
	const json_t *o;

	if (all == NULL)
		return;
	json_array_foreach(lists, i, o)
	{
		if (text_of(o, "why")[0] == '\0') {
			held++;
			continue;
		}
		report_add(&d->r, REPORT_WARNING, "revocation", "%s: %s",
		    text_of(o, "url"), text_of(o, "why"));
		report_next(&d->r, "let the edge reach it, or add it to "
				   "external.revocation.lists");
	}
	json_array_foreach(staples, i, o)
	{
		/* Most certificates name no responder any more. */
		if (json_is_true(json_object_get(o, "stapled")) ||
		    strstr(text_of(o, "why"), "no responder") != NULL)
			continue;
		report_add(&d->r, REPORT_WARNING, "staple", "%s: %s",
		    text_of(o, "certificate"),
		    text_of(o, "why")[0] != '\0' ? text_of(o, "why")
						 : "not fetched yet");
	}
	if (held == json_array_size(lists))
		report_add(&d->r, REPORT_OK, "revocation",
		    "%zu lists in force, %" PRId64 " chains revoked", held,
		    text_number(all, "revoked"));
}

static void
ask_daemon(struct doctor *d)
{
	json_t *request = json_pack("{s:s}", "verb", "status");
	const char *path =
	    d->socket != NULL ? d->socket : doctor_conf_text(d, "control");
	char why[OUTPUT_SIZE] = "", up[32];

	if (path == NULL || path[0] == '\0') {
		report_add(&d->r, REPORT_WARNING, "daemon",
		    "the configuration names no \"control\" socket: nobody "
		    "can be asked");
		report_next(&d->r, "add \"control\": \"%s\"",
		    d->edge ? CONTROL_CLIENT_EDGE : CONTROL_CLIENT_GATEWAY);
	} else if (control_client_ask(&d->status, path, request, why,
		       sizeof(why)) == CONTROL_CLIENT_YES) {
		text_duration(
		    up, sizeof(up), text_number(d->status, "uptime_s"));
		report_add(&d->r, REPORT_OK, "daemon", "version %s, %s, up %s",
		    text_of(d->status, "version"), text_of(d->status, "state"),
		    up);
		take_domains(d);
		look_at_revocation(d);
	} else {
		d->status = NULL;
		report_add(&d->r, REPORT_FAILURE, "daemon", "%s", why);
		report_next(&d->r, "systemctl start %s; journalctl -u %s",
		    daemon_name(d), daemon_name(d));
	}
	json_decref(request);
}

/* --- the store -------------------------------------------------------------------- */

static bool
may(struct doctor *d, const char *path, int mask, char *why, size_t size)
{
	if (d->has_account)
		return account_may(&d->account, path, mask, why, size);
	if (access(path, mask) == 0)
		return true;
	snprintf(why, size, "%s: %s", path, strerror(errno));
	return false;
}

static bool
is_remote(const char *folder)
{
	struct statfs fs;
	long type;

	if (statfs(folder, &fs) < 0)
		return false;
	type = (long)fs.f_type;
	for (size_t i = 0; i < sizeof(smb_magics) / sizeof(smb_magics[0]); i++)
		if (type == smb_magics[i])
			return true;
	return type == NFS_MAGIC;
}

static void
look_at_store(struct doctor *d)
{
	const char *path = doctor_conf_text(d, "store");
	char folder[PATH_MAX], copy[PATH_MAX], why[600];
	struct statvfs vfs;

	if (path == NULL)
		return;
	snprintf(copy, sizeof(copy), "%s", path);
	snprintf(folder, sizeof(folder), "%s", dirname(copy));
	if (!may(d, folder, R_OK | W_OK, why, sizeof(why)) ||
	    (access(path, F_OK) == 0 &&
		!may(d, path, R_OK | W_OK, why, sizeof(why)))) {
		report_add(&d->r, REPORT_FAILURE, "store", "%s", why);
		report_next(&d->r,
		    "the folder belongs to the user the gateway runs as: "
		    "install -d -m 700 -o %s %s",
		    d->has_account ? d->account.name : "sallyport", folder);
		return;
	}
	if (is_remote(folder)) {
		report_add(&d->r, REPORT_FAILURE, "store",
		    "%s is on a network file system, where the store's "
		    "locking does not work",
		    folder);
		report_next(&d->r, "move it to a local disk");
		return;
	}
	if (statvfs(folder, &vfs) == 0 &&
	    vfs.f_bavail * vfs.f_frsize / 1048576 < SPACE_MIN_MB) {
		report_add(&d->r, REPORT_FAILURE, "store",
		    "%s: less than %d MB are free", folder, SPACE_MIN_MB);
		report_next(&d->r, "make room");
		return;
	}
	report_add(&d->r, REPORT_OK, "store", "%s: can be written", path);
}

void
doctor_run(struct doctor *d)
{
	report_init(&d->r);
	look_at_configuration(d);
	look_at_clock(d);
	if (d->conf == NULL) {
		report_add(&d->r, REPORT_SKIPPED, "rest",
		    "without a configuration there is nothing to look at");
		return;
	}
	ask_daemon(d);
	doctor_certificates(d);
	doctor_network(d);
	if (!d->edge)
		look_at_store(d);
}
