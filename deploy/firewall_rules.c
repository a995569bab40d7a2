/* Each row that the site wants becomes one rule for each address family that
 * both of its ends have, and one more for each pinned partner, since partners
 * may have ports of their own. */
#include "deploy/firewall_rules.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

static const int families[] = { AF_INET, AF_INET6 };

/* Which partner a rule is for; NULL = not for one alone. */
struct pick {
	int family;
	const char *partner;
	uint16_t partner_port;
};

/* --- making --------------------------------------------------------------- */

static int
ends_add(struct firewall_ends *ends, const struct firewall_end *e)
{
	const struct firewall_end **grown =
	    realloc(ends->list, (ends->count + 1) * sizeof(*grown));

	if (grown == NULL)
		return ERR_NOMEM;
	ends->list = grown;
	ends->list[ends->count++] = e;
	return 0;
}

/* A load balancer that keeps sources hands on the partners' own. */
static enum port_role
effective(const struct firewall_site *s, enum port_role role)
{
	return role == PORT_LOAD_BALANCER && !firewall_site_has(s, role)
		   ? PORT_PARTNERS
		   : role;
}

/* Any address: not a known one, and not one inside. */
static bool
is_any(const struct firewall_site *s, enum port_role role)
{
	return role == PORT_INTERNET ||
	       ((role == PORT_PARTNERS || role == PORT_RESOLVERS) &&
		   !firewall_site_has(s, role));
}

/* 1 = filled, 0 = nobody of this family. */
static int
fill(struct firewall_ends *ends, const struct firewall_site *s,
    enum port_role role, const struct pick *pick)
{
	if (is_any(s, role))
		return 1;
	for (size_t i = 0; i < s->count; i++) {
		const struct firewall_end *e = &s->ends[i];

		if (e->role != role || e->prefix.family != pick->family)
			continue;
		if (role == PORT_PARTNERS &&
		    (pick->partner == NULL ||
			strcmp(e->name, pick->partner) != 0))
			continue;
		if (ends_add(ends, e) < 0)
			return ERR_NOMEM;
	}
	return ends->count > 0;
}

static void
ends_finish(struct firewall_ends *ends)
{
	free(ends->list);
	*ends = (struct firewall_ends){ 0 };
}

static struct firewall_rule *
add_rule(struct firewall_plan *p)
{
	if (p->count == p->room) {
		size_t room = p->room > 0 ? p->room * 2 : 32;
		struct firewall_rule *grown =
		    realloc(p->rules, room * sizeof(*grown));

		if (grown == NULL)
			return NULL;
		p->rules = grown;
		p->room = room;
	}
	p->rules[p->count] = (struct firewall_rule){ 0 };
	return &p->rules[p->count++];
}

/* Names of rules are names of objects on devices: letters, digits and "-", at
 * most 55 of them.  r is the newest of p. */
static void
name_rule(const struct firewall_plan *p, struct firewall_rule *r,
    const char *id, const struct pick *pick)
{
	const char *partner = pick->partner != NULL ? pick->partner : "";
	const char *family = pick->family == AF_INET6 ? "-v6" : "";
	char base[52];
	unsigned n = 1;

	snprintf(base, sizeof(base), "sp-%.28s%s%s", id,
	    partner[0] != '\0' ? "-" : "", partner);
	for (char *c = base; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c))
			*c = '-';
	snprintf(r->name, sizeof(r->name), "%s%s", base, family);
	for (size_t i = 0; i + 1 < p->count; i++) {
		if (strcmp(p->rules[i].name, r->name) != 0)
			continue;
		snprintf(
		    r->name, sizeof(r->name), "%.44s-%u%s", base, ++n, family);
		i = (size_t)-1; /* from the start */
	}
}

/* One rule of a row, unless an end has nobody of the family. */
static int
make_rule(struct firewall_plan *p, const struct port_row *row,
    enum port_role from, enum port_role to, const struct pick *pick)
{
	struct firewall_ends a = { 0 }, b = { 0 };
	struct firewall_rule *r;
	int rc = fill(&a, p->site, from, pick);

	if (rc == 1)
		rc = fill(&b, p->site, to, pick);
	r = rc == 1 ? add_rule(p) : NULL;
	if (r == NULL) {
		ends_finish(&a);
		ends_finish(&b);
		return rc == 0 ? 0 : ERR_NOMEM;
	}
	r->allow = true;
	r->row = row;
	r->family = pick->family;
	r->transport = row->transport;
	r->first = row->first;
	r->last = row->last;
	if (row->setting >= 0)
		r->first = r->last = p->site->ports[row->setting];
	if (row->setting == PORT_SET_PARTNER && pick->partner != NULL)
		r->first = r->last = pick->partner_port;
	r->from = a;
	r->to = b;
	name_rule(p, r, row->id, pick);
	snprintf(r->reason, sizeof(r->reason), "%s%s%s%s", row->purpose,
	    pick->partner != NULL ? " (" : "",
	    pick->partner != NULL ? pick->partner : "",
	    pick->partner != NULL ? ")" : "");
	/* It will stand between quotes, in one line. */
	for (char *c = r->reason; *c != '\0'; c++)
		if (*c == '"' || *c == '\\' || iscntrl((unsigned char)*c))
			*c = ' ';
	return 0;
}

/* Once for each pinned partner, or once. */
static int
make_rules(struct firewall_plan *p, const struct port_row *row, int family)
{
	enum port_role from = effective(p->site, row->from);
	enum port_role to = effective(p->site, row->to);
	bool each = firewall_site_has(p->site, PORT_PARTNERS) &&
		    (from == PORT_PARTNERS || to == PORT_PARTNERS);
	struct pick pick = { .family = family };
	int rc = 0;

	if (!each)
		return make_rule(p, row, from, to, &pick);
	for (size_t i = 0; i < p->site->count && rc == 0; i++) {
		const struct firewall_end *e = &p->site->ends[i];

		/* Ends of one partner stand together. */
		if (e->role != PORT_PARTNERS ||
		    (i > 0 && strcmp(e[-1].name, e->name) == 0))
			continue;
		pick.partner = e->name;
		pick.partner_port = e->port;
		rc = make_rule(p, row, from, to, &pick);
	}
	return rc;
}

static bool
names_any(const struct firewall_plan *p, const struct port_row *row)
{
	return is_any(p->site, effective(p->site, row->from)) ||
	       is_any(p->site, effective(p->site, row->to));
}

static int
make_pass(struct firewall_plan *p, int side, bool any)
{
	for (size_t i = 0; i < p->table->count; i++) {
		const struct port_row *row = &p->table->rows[i];

		if (!firewall_site_wants(p->site, row) ||
		    names_any(p, row) != any ||
		    (side >= 0 && side != (int)row->side))
			continue;
		for (size_t k = 0; k < 2; k++)
			if (make_rules(p, row, families[k]) < 0)
				return ERR_NOMEM;
	}
	return 0;
}

static int
fill_side(struct firewall_ends *ends, const struct firewall_site *s, int family,
    bool inside)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct firewall_end *e = &s->ends[i];
		bool fits = inside ? e->role == PORT_INSIDE
				   : firewall_site_is_perimeter(e->role);

		if (fits && e->prefix.family == family && ends_add(ends, e) < 0)
			return ERR_NOMEM;
	}
	return 0;
}

static int
make_refusal(struct firewall_plan *p, int family, bool inward)
{
	struct pick pick = { .family = family };
	struct firewall_ends from = { 0 }, to = { 0 };
	struct firewall_rule *r = NULL;
	int rc = fill_side(&from, p->site, family, !inward);

	if (rc == 0)
		rc = fill_side(&to, p->site, family, inward);
	if (rc == 0 && from.count > 0 && to.count > 0) {
		r = add_rule(p);
		rc = r != NULL ? 0 : ERR_NOMEM;
	}
	if (r == NULL) {
		ends_finish(&from);
		ends_finish(&to);
		return rc;
	}
	r->family = family;
	r->from = from;
	r->to = to;
	name_rule(p, r, inward ? "nothing-inside" : "nothing-outward", &pick);
	snprintf(r->reason, sizeof(r->reason), "%s",
	    inward ? "nothing else leads from the perimeter's hosts inside"
		   : "nothing else leads from inside to the perimeter's hosts");
	return 0;
}

int
firewall_rules_make(struct firewall_plan **out, const struct port_table *table,
    const struct firewall_site *site, int side)
{
	struct firewall_plan *p = calloc(1, sizeof(*p));
	int rc;

	if (p == NULL)
		return ERR_NOMEM;
	p->site = site;
	p->table = table;
	rc = make_pass(p, side, false);
	for (size_t k = 0; k < 2 && rc == 0; k++) {
		rc = make_refusal(p, families[k], true);
		if (rc == 0)
			rc = make_refusal(p, families[k], false);
	}
	if (rc == 0)
		rc = make_pass(p, side, true);
	if (rc < 0) {
		firewall_rules_free(p);
		return rc;
	}
	*out = p;
	return 0;
}

void
firewall_rules_free(struct firewall_plan *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->count; i++) {
		ends_finish(&p->rules[i].from);
		ends_finish(&p->rules[i].to);
	}
	free(p->rules);
	free(p);
}

/* --- asking --------------------------------------------------------------- */

static bool
holds(const struct firewall_ends *ends, const struct prefix *p)
{
	if (ends->count == 0)
		return true;
	if (p == NULL)
		return false;
	for (size_t i = 0; i < ends->count; i++)
		if (prefix_contains(&ends->list[i]->prefix, p))
			return true;
	return false;
}

const struct firewall_rule *
firewall_rules_decide(const struct firewall_plan *p, const struct prefix *from,
    const struct prefix *to, enum port_transport transport, uint16_t port)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct firewall_rule *r = &p->rules[i];

		if ((from != NULL && r->family != from->family) ||
		    r->family != to->family)
			continue;
		if (r->allow && (r->transport != transport || port < r->first ||
				    port > r->last))
			continue;
		if (holds(&r->from, from) && holds(&r->to, to))
			return r;
	}
	return NULL;
}

void
firewall_rules_sources(char *out, size_t size, const struct firewall_plan *p,
    const struct firewall_rule *r)
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; r->row != NULL && i < r->row->document_count; i++) {
		if (len >= size)
			break;
		len += (size_t)snprintf(out + len, size - len, "%s%s",
		    i > 0 ? "; " : "",
		    port_table_document(p->table, r->row->documents[i]));
	}
}
