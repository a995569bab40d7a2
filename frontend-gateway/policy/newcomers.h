/*
 * newcomers - how often contacts may turn to addresses that are new to them.
 *
 * A directory is harvested by trying names.  Attempts are paid for from two
 * buckets, the contact's own and his domain's; with one of them empty he has
 * to wait, whether the address exists or not.  Pairs that have something to do
 * with each other pay nothing.
 *
 * What is worth a token is the caller's to say.  newcomers_admit() takes one
 * for each attempt.  Or only failures are paid for: newcomers_may() looks and
 * newcomers_miss() takes; attempts under way when a bucket runs dry are paid
 * for all the same, so it goes into debt, at most an hour's worth.
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

enum { NEWCOMERS_MAX = 10000, NEWCOMERS_DEBT_MINUTES = 60 };

/* Zero = the default in brackets. */
struct newcomers_opts {
	uint32_t contact_burst;      /* at once (20) */
	uint32_t contact_per_minute; /* afterwards (2) */
	uint32_t domain_burst;       /* (500) */
	uint32_t domain_per_minute;  /* (120) */
	size_t max;                  /* NEWCOMERS_MAX; newcomers_new() only */
};

/* opts may be NULL. */
int newcomers_new(struct newcomers **out, const struct newcomers_opts *opts);
void newcomers_free(struct newcomers *n);
/* Other rates from now on; what was taken stays taken. */
void newcomers_set(struct newcomers *n, const struct newcomers_opts *opts);

/* May contact (bare JID, of domain) turn to one more address?  Takes the
 * tokens if so.  Want of memory is a refusal.  now_ms is monotonic. */
bool newcomers_admit(struct newcomers *n, const char *contact,
    const char *domain, uint64_t now_ms);

/* The same without taking anything; want of memory is none here. */
bool newcomers_may(struct newcomers *n, const char *contact, const char *domain,
    uint64_t now_ms);
/* He has tried in vain. */
void newcomers_miss(struct newcomers *n, const char *contact,
    const char *domain, uint64_t now_ms);

#endif
