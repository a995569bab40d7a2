/*
 * firewall_rules - what a site's firewalls have to let through, in the order
 * they have to ask.
 *
 * First what is allowed between known addresses, then two refusals that hold
 * for everything behind them (no edge reaches an internal network, no internal
 * network an edge), then what is allowed to or from any address.  What no rule
 * allows is refused.  A rule is of one address family.
 *
 * Borrows  the table and the site, which outlive the plan.
 */
#ifndef DEPLOY_FIREWALL_RULES_H
#define DEPLOY_FIREWALL_RULES_H

#include "deploy/firewall_site.h"

enum { FIREWALL_NAME = 96, FIREWALL_REASON = 300 };

struct firewall_ends {
	const struct firewall_end **list;
	size_t count; /* 0 = any address outside */
};

struct firewall_rule {
	char name[FIREWALL_NAME]; /* letters, digits and "-", unlike others */
	char reason[FIREWALL_REASON];
	bool allow;
	const struct port_row *row; /* NULL for a refusal */
	int family;
	enum port_transport transport; /* of what is allowed */
	uint16_t first, last;
	struct firewall_ends from, to;
};

struct firewall_plan {
	const struct firewall_site *site;
	const struct port_table *table;
	struct firewall_rule *rules;
	size_t count, room;
};

/* side -1 = both firewalls, else an enum port_side.  0 or ERR_NOMEM. */
int firewall_rules_make(struct firewall_plan **out,
    const struct port_table *table, const struct firewall_site *site, int side);
void firewall_rules_free(struct firewall_plan *p);

/* The first rule that decides about a new connection; NULL when none does, so
 * that it is refused.  from NULL = an address outside that is not listed. */
const struct firewall_rule *
firewall_rules_decide(const struct firewall_plan *p, const struct prefix *from,
    const struct prefix *to, enum port_transport transport, uint16_t port);
/* Where a rule comes from: the documents' names, joined by "; ". */
void firewall_rules_sources(char *out, size_t size,
    const struct firewall_plan *p, const struct firewall_rule *r);

#endif
