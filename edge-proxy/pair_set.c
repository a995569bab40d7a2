/* pair_set - a small array; a handful of pairs is the rule, one the norm. */
#include "edge-proxy/pair_set.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

void
pair_set_finish(struct pair_set *set)
{
	while (set->count > 0)
		pair_set_remove(set, set->count - 1);
	free(set->v);
	memset(set, 0, sizeof(*set));
}

/* Both strings live in one block that begins with local. */
static int
pair_init(struct stream_pair *out, const char *local, const char *remote)
{
	size_t l = strlen(local) + 1, r = strlen(remote) + 1;
	char *block = malloc(l + r);

	if (block == NULL)
		return ERR_NOMEM;
	memcpy(block, local, l);
	memcpy(block + l, remote, r);
	out->local = block;
	out->remote = block + l;
	return 0;
}

int
pair_set_add(struct pair_set *set, const char *local, const char *remote,
    unsigned method)
{
	if (pair_set_has(set, local, remote))
		return 0;
	if (set->count == PAIR_SET_MAX)
		return ERR_FULL;
	if (set->count == set->cap) {
		size_t cap = set->cap == 0 ? 1 : 2 * set->cap;
		struct stream_pair *v = realloc(set->v, cap * sizeof(*v));

		if (v == NULL)
			return ERR_NOMEM;
		set->v = v;
		set->cap = cap;
	}
	if (pair_init(&set->v[set->count], local, remote) < 0)
		return ERR_NOMEM;
	set->v[set->count++].method = method;
	return 0;
}

bool
pair_set_has(const struct pair_set *set, const char *local, const char *remote)
{
	for (size_t i = 0; i < set->count; i++) {
		if (strcmp(set->v[i].local, local) == 0 &&
		    strcmp(set->v[i].remote, remote) == 0)
			return true;
	}
	return false;
}

bool
pair_set_has_local(const struct pair_set *set, const char *local)
{
	for (size_t i = 0; i < set->count; i++) {
		if (strcmp(set->v[i].local, local) == 0)
			return true;
	}
	return false;
}

bool
pair_set_has_remote(const struct pair_set *set, const char *remote)
{
	for (size_t i = 0; i < set->count; i++) {
		if (strcmp(set->v[i].remote, remote) == 0)
			return true;
	}
	return false;
}

void
pair_set_remove(struct pair_set *set, size_t i)
{
	free((void *)(uintptr_t)set->v[i].local);
	set->v[i] = set->v[--set->count];
}
