/*
 * etag - conditions of a request (RFC 9110 13.1): If-Match and If-None-Match.
 *
 * Our tags are versions in quotes; other tags are well-formed and match
 * nothing.  Pure.
 */
#ifndef GATEWAY_ADMIN_ETAG_H
#define GATEWAY_ADMIN_ETAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ETAG_MAX = 8, ETAG_SIZE = 24 };

struct etag_list {
	bool any; /* "*" */
	uint64_t versions[ETAG_MAX];
	size_t count;
};

/* strong: a weak tag matches nothing (If-Match).  ERR_MALFORMED, ERR_FULL. */
int etag_parse(struct etag_list *out, const char *s, bool strong);
bool etag_has(const struct etag_list *l, uint64_t version);
/* "\"12\"" */
void etag_write(char out[static ETAG_SIZE], uint64_t version);

#endif
