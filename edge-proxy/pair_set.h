/*
 * pair_set - the pairs (hosted domain, partner domain) a stream may carry.
 * Bounded: a partner cannot make it grow without end.
 */
#ifndef EDGE_PAIR_SET_H
#define EDGE_PAIR_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "edge-proxy/stream_info.h"

enum { PAIR_SET_MAX = 64 };

/* Zeroed is valid and empty. */
struct pair_set {
	struct stream_pair *v;
	size_t count;
	size_t cap;
};

void pair_set_finish(struct pair_set *set);
/* Proven by that method (AUTH_).  0 (also when it is in already), ERR_FULL,
 * ERR_NOMEM.  Strings are copied. */
int pair_set_add(struct pair_set *set, const char *local, const char *remote,
    unsigned method);
bool
pair_set_has(const struct pair_set *set, const char *local, const char *remote);
/* Some pair has that hosted (or that partner) domain. */
bool pair_set_has_local(const struct pair_set *set, const char *local);
bool pair_set_has_remote(const struct pair_set *set, const char *remote);
void pair_set_remove(struct pair_set *set, size_t i);

#endif
