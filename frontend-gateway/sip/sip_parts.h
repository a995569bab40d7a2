/*
 * sip_parts - the parts of a body (RFC 2046 5.1, RFC 5621).  Pure.
 *
 * A body of one part is its only part; multiparts within multiparts are walked
 * through.  This is for telling what a request is about; it does not decode,
 * and takes no notice of parts beyond its bounds.
 *
 * Bounds   SIP_PARTS_MAX parts, SIP_PARTS_DEPTH levels.
 */
#ifndef FRONTEND_GATEWAY_SIP_SIP_PARTS_H
#define FRONTEND_GATEWAY_SIP_SIP_PARTS_H

#include <stdbool.h>
#include <stddef.h>

enum { SIP_PARTS_MAX = 16, SIP_PARTS_DEPTH = 3, SIP_PARTS_TYPE_MAX = 96 };

struct sip_part {
	/* "type/subtype" in lower case; "" when absent or too long. */
	char type[SIP_PARTS_TYPE_MAX];
	const char *data; /* views of the body */
	size_t len;
};

struct sip_parts {
	size_t count;
	struct sip_part part[SIP_PARTS_MAX];
};

/* content_type is the value of the header field, or NULL. */
void sip_parts_read(struct sip_parts *out, const char *content_type,
    const void *body, size_t len);
/* The first part of that type, or NULL. */
const struct sip_part *
sip_parts_find(const struct sip_parts *ps, const char *type);

#endif
