/*
 * firewall_site - a site as its administrator describes it: which host has
 * which addresses, and how the edges are reached.
 *
 * What the description holds becomes one list of ends; an end is a host or a
 * network in one role of the port table.
 *
 * Owns     its document and ends; strings live until firewall_site_free().
 * Errors   told by conf: "site.json: /edges/0/external/0: ...".
 */
#ifndef DEPLOY_FIREWALL_SITE_H
#define DEPLOY_FIREWALL_SITE_H

#include "deploy/port_table.h"
#include "common/prefix.h"

struct firewall_end {
	enum port_role role;
	const char *name; /* of the host, network or partner domain */
	struct prefix prefix;
	/* What the world sees instead, where addresses are translated. */
	struct prefix public;
	bool translated;
	uint16_t port; /* a partner's own; else 0 */
};

struct firewall_site {
	struct conf *conf;
	const char *name;
	enum port_topology topology;
	const char *features[32];
	size_t feature_count;
	uint16_t ports[PORT_SET_COUNT];
	struct firewall_end *ends;
	size_t count, room;
};

/* 0 or an error, told in why. */
int firewall_site_load(struct firewall_site **out, const char *path,
    const struct port_table *table, char *why, size_t size);
int firewall_site_parse(struct firewall_site **out, const char *name,
    const char *text, const struct port_table *table, char *why, size_t size);
void firewall_site_free(struct firewall_site *s);

bool
firewall_site_wants(const struct firewall_site *s, const struct port_row *r);
/* One that it asks for, or has by default. */
bool
firewall_site_has_feature(const struct firewall_site *s, const char *feature);
/* True if the site has an end in this role. */
bool firewall_site_has(const struct firewall_site *s, enum port_role role);
/* Roles that stand inside, and those of the perimeter's hosts. */
bool firewall_site_is_inside(enum port_role role);
bool firewall_site_is_perimeter(enum port_role role);
bool firewall_site_is_nat(const struct firewall_site *s);

#endif
