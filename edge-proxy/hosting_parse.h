/*
 * hosting_parse - the JSON of a config frame, checked and turned into what
 * hosting keeps.  Pure.
 *
 * Members that are not known are passed over, so that a gateway may be
 * upgraded first; what is known is checked strictly for form and range.
 */
#ifndef EDGE_HOSTING_PARSE_H
#define EDGE_HOSTING_PARSE_H

#include <stddef.h>
#include <stdint.h>

#include "common/map.h"
#include "edge-proxy/hosting.h"

enum {
	HOSTING_DOMAINS_MAX = 1024,
	HOSTING_PARTNERS_MAX = 8192, /* additional domains counted */
	HOSTING_SECRET_MAX = 256     /* hex digits */
};

struct hosting_partner_row {
	struct map_node node; /* by partner.domain */
	struct partner partner;
};

/* One generation of one gateway. */
struct hosting_generation {
	char store[65];
	uint64_t counter;
	char hash[65]; /* SHA-256 of the text, hex */
	char (*hosted)[256];
	size_t hosted_count;
	struct hosting_partner_row *partners;
	size_t partner_count;
	struct map by_domain;
	unsigned methods; /* of all partners together */
	char dialback_current[HOSTING_SECRET_MAX + 1];
	char dialback_previous[HOSTING_SECRET_MAX + 1];
	struct hosting_settings settings;
};

/* why tells an admin what is wrong: "config: /partners/0/Domain: ...".
 * ERR_CONFIG, ERR_NOMEM; *out is untouched then. */
int hosting_parse(struct hosting_generation **out, const void *json, size_t len,
    char *why, size_t size);
void hosting_generation_free(struct hosting_generation *g);

void hosting_default_settings(struct hosting_settings *out);

#endif
