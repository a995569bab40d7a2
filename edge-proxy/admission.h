/*
 * admission - who may come in, before it is known who he is: how many
 * connections there are, in all and from each address, and how many of them
 * have not authenticated yet (are half open).  Pure.
 *
 * An address from which somebody has authenticated is remembered, the last
 * ADMISSION_KNOWN of them.  The limit of all that are half open is for the
 * others: so a partner who comes back finds a place while strangers fight for
 * theirs, and where none is left, one of theirs can be spared for him.
 *
 * Owns     what is counted of each address.
 * Errors   the limit that was reached, in words.
 */
#ifndef EDGE_ADMISSION_H
#define EDGE_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>

#include "common/list.h"

struct admission;
struct admission_address;

enum { ADMISSION_KNOWN = 1024 };

struct admission_limits {
	size_t total;
	size_t half_open;
	size_t address;           /* of one address */
	size_t address_half_open; /* the same */
};

/* One connection; zeroed before it enters. */
struct admission_place {
	struct admission_address *address; /* NULL: it has none */
	struct list half_open;             /* oldest first, until proven */
	bool proven;
};

int admission_new(struct admission **out);
/* Everybody has left. */
void admission_free(struct admission *a);

/* NULL, and it is counted; else which limit keeps it out. */
const char *admission_enter(struct admission *a, struct admission_place *p,
    const char *ip, const struct admission_limits *l);
/* It has authenticated.  Harmless when it has no place. */
void admission_prove(struct admission *a, struct admission_place *p);
void admission_leave(struct admission *a, struct admission_place *p);

/* Whether somebody of that address has authenticated before. */
bool admission_knows(const struct admission *a, const char *ip);
/* The newest that is half open; unless known_too, of an address that is not
 * known.  NULL when there is none. */
struct admission_place *
admission_spare(const struct admission *a, bool known_too);
size_t admission_count(const struct admission *a);
size_t admission_half_open(const struct admission *a);

#endif
