/*
 * A site.  In the product's topology users belong to one by their pool; here
 * they do by the SIP domain of their address.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/map.h"
#include "frontend-gateway/policy/names.h"
#include "frontend-gateway/settings/setting.h"
#include "frontend-gateway/settings/setting_kind.h"
#include "frontend-gateway/settings/settings_report.h"
#include "frontend-gateway/settings/settings_view.h"

enum { SITES_MAX = 1000, DOMAINS_MAX = 1000 };

static const struct setting_field fields[] = {
	{ .name = "SipDomains",
	    .type = SETTING_DOMAINS,
	    .max = DOMAINS_MAX,
	    .words = "Hosted domains whose users belong to the site" },
	{ .name = "Description",
	    .type = SETTING_TEXT,
	    .max = 4096,
	    .lines = true,
	    .words = "A note for people" },
};

static bool
read_key(char out[static SETTING_KEY_SIZE], const char *given, char *why,
    size_t size)
{
	return names_site(out, given, why, size);
}

static void
check(const struct setting_candidate *c)
{
	const struct settings_world *world = settings_view_world(c->view);
	const json_t *domains = setting_list(c->setting, "SipDomains");

	for (size_t i = 0; i < json_array_size(domains); i++) {
		const char *d = json_string_value(json_array_get(domains, i));
		char member[64];

		if (world->hosts(d, world->arg))
			continue;
		snprintf(member, sizeof(member), "SipDomains/%zu", i);
		settings_report_warn(
		    c->report, member, "%s is not hosted by this gateway", d);
	}
}

static void
check_removal(const struct setting *s, const struct settings_view *after,
    struct settings_report *report)
{
	char policy[NAMES_SIZE];

	snprintf(policy, sizeof(policy), "site:%s", s->key);
	if (settings_view_get(after, &setting_kind_policy, policy) != NULL)
		settings_report_warn(report, NULL,
		    "the policy %s holds for nobody any more", policy);
}

/* --- all sites ------------------------------------------------------------ */

struct claim {
	struct map_node node;
	const struct setting *site;
};

struct claims {
	struct map map;
	struct claim *rows;
	size_t count;
	struct settings_report *report;
};

static size_t
count_domains(const struct settings_view *v)
{
	size_t all = 0;

	for (size_t i = 0; i < settings_view_count(v, &setting_kind_site); i++)
		all += json_array_size(setting_list(
		    settings_view_at(v, &setting_kind_site, i), "SipDomains"));
	return all;
}

/* The one that has just been changed is told. */
static void
tell_double(struct claims *all, const struct setting *a,
    const struct setting *b, const char *domain)
{
	bool first = a->version > b->version;

	all->report->key = first ? a->key : b->key;
	settings_report_problem(all->report, "SipDomains",
	    "%s belongs to the site %s already", domain,
	    first ? b->key : a->key);
}

static void
claim(struct claims *all, const struct setting *site, const char *domain)
{
	struct map_node *n = map_get(&all->map, domain, strlen(domain));
	struct claim *row = &all->rows[all->count];

	if (n != NULL) {
		tell_double(
		    all, map_entry(n, struct claim, node)->site, site, domain);
		return;
	}
	row->site = site;
	if (map_put(&all->map, &row->node, domain, strlen(domain)) == 0)
		all->count++;
}

static void
check_all(const struct settings_view *after, struct settings_report *report)
{
	struct claims all = { .report = report };
	size_t n = count_domains(after);

	all.rows = calloc(n + 1, sizeof(*all.rows));
	if (all.rows == NULL || map_init(&all.map) < 0) {
		settings_report_problem(report, NULL, "out of memory");
		free(all.rows);
		return;
	}
	for (size_t i = 0; i < settings_view_count(after, &setting_kind_site);
	     i++) {
		const struct setting *site =
		    settings_view_at(after, &setting_kind_site, i);
		const json_t *list = setting_list(site, "SipDomains");

		for (size_t d = 0; d < json_array_size(list); d++)
			claim(&all, site,
			    json_string_value(json_array_get(list, d)));
	}
	map_finish(&all.map);
	free(all.rows);
}

const struct setting_kind setting_kind_site = {
	.name = "site",
	.plural = "sites",
	.words = "A site, for which there may be a policy.",
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.max = SITES_MAX,
	.read_key = read_key,
	.check = check,
	.check_removal = check_removal,
	.check_all = check_all,
};
