/*
 * trace_filter - whose traffic somebody wants to see: a user's, a contact's, a
 * partner's, or what passes between two of them.
 *
 * A user or contact is a prepared bare JID and is looked for at either end; a
 * partner is one or more domains in comparable form.  Nobody of them has to
 * exist: what does not work is what is traced.  Pure.
 *
 * Owns     its texts.
 * Ends     trace_filter_finish().
 */
#ifndef GATEWAY_TRACE_TRACE_FILTER_H
#define GATEWAY_TRACE_TRACE_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>

struct jid;

enum {
	TRACE_FILTER_DOMAINS_MAX = 16,
	TRACE_FILTER_WHO_MAX = 16, /* that an edge follows at once */
	TRACE_FILTER_WHY_SIZE = 256
};

/* NULL: anybody. */
struct trace_filter {
	char *user, *contact;
	char *domains[TRACE_FILTER_DOMAINS_MAX];
	size_t domain_count;
};

/* One end of what passes. */
struct trace_party {
	const char *bare;  /* NULL when it is not known */
	const char *ascii; /* its domain */
};

void trace_filter_finish(struct trace_filter *f);
bool trace_filter_is_empty(const struct trace_filter *f);

/* Each takes what somebody wrote: an address, a SIP URI too; a domain.  On
 * error, ERR_JID or ERR_NOMEM, why tells what is wrong with it. */
int trace_filter_set_user(struct trace_filter *f, const char *text,
    char why[static TRACE_FILTER_WHY_SIZE]);
int trace_filter_set_contact(struct trace_filter *f, const char *text,
    char why[static TRACE_FILTER_WHY_SIZE]);
int trace_filter_add_domain(struct trace_filter *f, const char *text,
    char why[static TRACE_FILTER_WHY_SIZE]);

/* Whether something between these parties is meant. */
bool trace_filter_fits(const struct trace_filter *f,
    const struct trace_party *parties, size_t count);
/* Adds whom the edges have to follow for this filter, as in a trace frame's
 * "who", unless it is there already.  ERR_FULL when that is more than they can
 * (TRACE_FILTER_WHO_MAX), ERR_NOMEM; who is as before then. */
int trace_filter_add_who(const struct trace_filter *f, json_t *who);

#endif
