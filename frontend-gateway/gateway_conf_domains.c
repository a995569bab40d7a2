/*
 * Whose a domain is.  The partners' domains are put into one sorted table after
 * everything else has been read; a partner with a name of ours is refused
 * there, for he could speak for employees.
 */
#include "frontend-gateway/gateway_conf_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"

void
gateway_conf_read_hosted(struct gateway_conf *c, struct conf_obj *root)
{
	size_t n =
	    gateway_conf_array(root, "hosted", 1, GATEWAY_CONF_HOSTED_MAX);
	char(*hosted)[256];

	hosted = calloc(n + 1, sizeof(*hosted));
	if (hosted == NULL) {
		gateway_conf_no_memory(c);
		return;
	}
	c->hosted = hosted;
	for (size_t i = 0; i < n; i++) {
		struct conf_obj *o = conf_array_object(root, "hosted", i);

		conf_domain(o, "Domain", c->hosted[i], true);
		conf_end_object(o);
		for (size_t k = 0; k < i; k++)
			if (strcmp(c->hosted[k], c->hosted[i]) == 0)
				conf_fail(o, "Domain", "%s is listed twice",
				    c->hosted[i]);
	}
	c->hosted_count = n;
}

static int
by_domain(const void *a, const void *b)
{
	const struct gateway_domain *x = a, *y = b;

	return strcmp(x->domain, y->domain);
}

bool
gateway_conf_hosts(const struct gateway_conf *c, const char *domain)
{
	for (size_t i = 0; i < c->hosted_count; i++)
		if (strcmp(c->hosted[i], domain) == 0)
			return true;
	return false;
}

bool
gateway_conf_is_own(const struct gateway_conf *c, const char *domain)
{
	if (gateway_conf_hosts(c, domain) || strcmp(c->node, domain) == 0 ||
	    strcmp(c->sip.fqdn, domain) == 0 ||
	    strcmp(c->sip.pool, domain) == 0)
		return true;
	for (size_t i = 0; i < c->sip.front_end_count; i++)
		if (strcmp(c->sip.front_ends[i].name, domain) == 0)
			return true;
	for (size_t i = 0; i < c->edge_count; i++)
		if (strcmp(c->edges[i].name, domain) == 0)
			return true;
	return false;
}

const struct gateway_partner *
gateway_conf_partner(const struct gateway_conf *c, const char *domain)
{
	struct gateway_domain key = { .domain = domain };
	const struct gateway_domain *d;

	if (c->domain_count == 0)
		return NULL;
	d = bsearch(
	    &key, c->domains, c->domain_count, sizeof(*c->domains), by_domain);
	return d == NULL ? NULL : d->partner;
}

bool
gateway_conf_formats(const struct gateway_conf *c, const char *domain)
{
	const struct gateway_partner *p = gateway_conf_partner(c, domain);

	return c->messages.formatting && p != NULL && p->formatting;
}

static void
add_domain(struct gateway_conf *c, struct conf_obj *root, size_t row,
    const char *member, const char *domain)
{
	char key[96];

	if (gateway_conf_is_own(c, domain)) {
		snprintf(key, sizeof(key), "partners/%zu/%s", row, member);
		conf_fail(root, key,
		    "%s is a name of our own: a partner that carried it could "
		    "speak for employees",
		    domain);
	}
	c->domains[c->domain_count].domain = domain;
	c->domains[c->domain_count].partner = &c->partners[row];
	c->domain_count++;
}

void
gateway_conf_index_domains(struct gateway_conf *c, struct conf_obj *root)
{
	size_t n = c->partner_count;

	for (size_t i = 0; i < c->partner_count; i++)
		n += c->partners[i].additional_count;
	c->domains = calloc(n + 1, sizeof(*c->domains));
	if (c->domains == NULL) {
		gateway_conf_no_memory(c);
		return;
	}
	for (size_t i = 0; i < c->partner_count; i++) {
		const struct gateway_partner *p = &c->partners[i];
		char member[64];

		add_domain(c, root, i, "Domain", p->domain);
		for (size_t k = 0; k < p->additional_count; k++) {
			snprintf(
			    member, sizeof(member), "AdditionalDomains/%zu", k);
			add_domain(c, root, i, member, p->additional[k]);
		}
	}
	qsort(c->domains, c->domain_count, sizeof(*c->domains), by_domain);
	for (size_t i = 1; i < c->domain_count; i++)
		if (strcmp(c->domains[i - 1].domain, c->domains[i].domain) == 0)
			conf_fail(root, "partners", "%s is listed twice",
			    c->domains[i].domain);
}
