/* The kernel's check of mode bits, done for another user. */
#include "deploy/account.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool
account_find(struct account *out, const char *name)
{
	const struct passwd *pw = getpwnam(name);

	*out = (struct account){ 0 };
	if (pw == NULL)
		return false;
	out->uid = pw->pw_uid;
	snprintf(out->name, sizeof(out->name), "%s", name);
	out->group_count = ACCOUNT_GROUPS_MAX;
	if (getgrouplist(name, pw->pw_gid, out->groups, &out->group_count) < 0)
		out->group_count = ACCOUNT_GROUPS_MAX;
	return true;
}

static bool
is_member(const struct account *a, gid_t gid)
{
	for (int i = 0; i < a->group_count; i++)
		if (a->groups[i] == gid)
			return true;
	return false;
}

static bool
mode_allows(const struct account *a, const struct stat *st, int mask)
{
	mode_t bits = st->st_mode;

	if (a->uid == 0)
		return true;
	if (a->uid == st->st_uid)
		bits >>= 6;
	else if (is_member(a, st->st_gid))
		bits >>= 3;
	return ((int)bits & mask) == mask;
}

static bool
part_allows(
    const struct account *a, const char *part, int mask, char *why, size_t size)
{
	struct stat st;

	if (stat(part, &st) < 0) {
		snprintf(why, size, "%s: %s", part, strerror(errno));
		return false;
	}
	if (mode_allows(a, &st, mask))
		return true;
	snprintf(why, size, "%s: the user %s may not %s it", part, a->name,
	    (mask & X_OK) != 0   ? "enter"
	    : (mask & W_OK) != 0 ? "write"
				 : "read");
	return false;
}

bool
account_may(
    const struct account *a, const char *path, int mask, char *why, size_t size)
{
	char *real = realpath(path, NULL);
	bool ok = true;

	if (real == NULL) {
		snprintf(why, size, "%s: %s", path, strerror(errno));
		return false;
	}
	for (char *slash = strchr(real + 1, '/'); ok && slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		ok = part_allows(a, real, X_OK, why, size);
		*slash = '/';
	}
	ok = ok && part_allows(a, real, mask, why, size);
	free(real);
	return ok;
}
