/*
 * licences - who holds which licence, from when until when.
 *
 * Some public providers took users only who held a client access licence or a
 * subscription by the month.  What is listed here is what the organisation says
 * it has bought: for one user, or for everybody ("*").  Whole days, by UTC.
 *
 * Users are prepared bare JIDs; licences are compared without regard to the
 * case of ASCII letters.  One or two look-ups, whatever there is.
 *
 * Errors   ERR_NOMEM, ERR_TOO_LONG, and nothing has changed.
 */
#ifndef GATEWAY_POLICY_LICENCES_H
#define GATEWAY_POLICY_LICENCES_H

#include <stddef.h>
#include <stdint.h>

struct licences;

enum { LICENCES_NAME_MAX = 63 }; /* bytes of a licence's name */

#define LICENCES_EVERYBODY "*"

/* Ordered: of two the greater one counts. */
enum licences_state {
	LICENCES_MISSING,
	LICENCES_EXPIRED,
	LICENCES_NOT_YET,
	LICENCES_HELD
};

int licences_new(struct licences **out);
void licences_free(struct licences *l);

/* from and until: the first day and the last, or DAY_NEVER_BEGUN and
 * DAY_NEVER_OVER.  Replaces what user had of that licence. */
int licences_set(struct licences *l, const char *user, const char *licence,
    int32_t from, int32_t until);
void licences_remove(struct licences *l, const char *user, const char *licence);

enum licences_state licences_of(const struct licences *l, const char *user,
    const char *licence, int32_t today);

size_t licences_count(const struct licences *l);

#endif
