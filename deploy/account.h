/*
 * account - what the user a daemon runs as may do with a file, seen from
 * somebody who may do everything.
 */
#ifndef DEPLOY_ACCOUNT_H
#define DEPLOY_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { ACCOUNT_GROUPS_MAX = 64 };

struct account {
	uid_t uid;
	gid_t groups[ACCOUNT_GROUPS_MAX];
	int group_count;
	char name[64];
};

/* False when there is no such user. */
bool account_find(struct account *out, const char *name);
/* Whether it may reach path and then use it; mask is of R_OK, W_OK, X_OK.
 * False with why; access control lists are not looked at. */
bool account_may(const struct account *a, const char *path, int mask, char *why,
    size_t size);

#endif
