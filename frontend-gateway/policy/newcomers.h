/*
 * newcomers - how often contacts may turn to addresses that are new to them.
 *
 * A directory is harvested by trying names.  Each first attempt of a contact
 * towards a user takes a token from two buckets, the contact's own and his
 * domain's; with one of them empty it has to wait, whether the address exists
 * or not.  Pairs that have something to do with each other take none.
 *
 * Bounded: NEWCOMERS_MAX buckets of each kind.  A full bucket need not be
 * kept; beyond that a contact's bucket unused for longest goes first (his
 * domain's still holds him), and a further domain is refused.
 *
 * Errors   ERR_NOMEM.
 */
#ifndef GATEWAY_POLICY_NEWCOMERS_H
#define GATEWAY_POLICY_NEWCOMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct newcomers;

enum { NEWCOMERS_MAX = 10000 };

/* Zero = the default in brackets. */
struct newcomers_opts {
	uint32_t contact_burst;      /* at once (20) */
	uint32_t contact_per_minute; /* afterwards (2) */
	uint32_t domain_burst;       /* (500) */
	uint32_t domain_per_minute;  /* (120) */
	size_t max;                  /* NEWCOMERS_MAX */
};

/* opts may be NULL. */
int newcomers_new(struct newcomers **out, const struct newcomers_opts *opts);
void newcomers_free(struct newcomers *n);

/* May contact (bare JID, of domain) turn to one more address?  Takes the
 * tokens if so.  Want of memory is a refusal.  now_ms is monotonic. */
bool newcomers_admit(struct newcomers *n, const char *contact,
    const char *domain, uint64_t now_ms);

#endif
