/*
 * failures - why partners were not reached, or did not get in: the latest
 * failure of each pair of domains and direction, for an operator to read.
 *
 * Bounds   FAILURES_MAX pairs; the one not heard of for longest goes first.
 */
#ifndef COMMON_FAILURES_H
#define COMMON_FAILURES_H

#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

struct failures;

enum { FAILURES_MAX = 128 };

struct failure {
	const char *direction; /* "in": they came to us; "out" */
	const char *local, *remote;
	const char *peer;   /* "192.0.2.1:5269"; "" when unknown */
	const char *reason; /* in words */
};

int failures_new(struct failures **out);
void failures_free(struct failures *f);
/* Copies it.  The same reason as before only counts. */
void
failures_note(struct failures *f, const struct failure *what, uint64_t now_ms);
/* The pair works: what kept it from that is of no interest any more. */
void failures_clear(struct failures *f, const char *direction,
    const char *local, const char *remote);
/* Array of {direction, local, remote, peer, reason, count, ago_s}, the latest
 * first; NULL without memory. */
json_t *failures_json(const struct failures *f, uint64_t now_ms);

#endif
