/*
 * sandbox - what each process gives up before it meets the world.
 *
 * no_new_privs for all; Landlock (no file at all for streams, resolver and
 * fetcher, reading only for the keeper); a seccomp filter for those three that
 * allows what they need, answers EPERM to what they don't, and kills the
 * process for calls that only an intruder makes.  No privilege is needed.
 *
 * Comes after everything that opens a file: configuration, certificates,
 * OpenSSL's own settings, libunbound's anchors.  Builds with sanitizers run
 * without it.
 */
#ifndef EDGE_SANDBOX_H
#define EDGE_SANDBOX_H

#include <stdbool.h>

enum sandbox_role {
	SANDBOX_KEEPER,
	SANDBOX_STREAMS,
	SANDBOX_RESOLVER,
	SANDBOX_FETCHER
};

/* Enters, or with wanted false only says in the log that it did not.  A
 * kernel without Landlock is noted; a filter that cannot be loaded is an
 * error (ERR_UNSUPPORTED), and the process must not go on. */
int sandbox_enter(enum sandbox_role role, bool wanted);

/* Becomes that user, with his groups, for good.  Nothing happens when we are
 * not root or name is "".  ERR_NOT_FOUND, ERR_DENIED. */
int sandbox_drop_user(const char *name);

#endif
