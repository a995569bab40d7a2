/*
 * Grant-CsExternalAccessPolicy: which policy of its own a user has.  Without
 * one that of her site holds, or the global one.
 */
#include <string.h>

#include "frontend-gateway/policy/names.h"
#include "frontend-gateway/settings/setting.h"
#include "frontend-gateway/settings/setting_kind.h"
#include "frontend-gateway/settings/settings_report.h"
#include "frontend-gateway/settings/settings_view.h"

enum { GRANTS_MAX = 1000000 };

static const struct setting_field fields[] = {
	{ .name = "PolicyName",
	    .type = SETTING_TEXT,
	    .min = 1,
	    .max = NAMES_SIZE - 1,
	    .required = true,
	    .words = "The policy, with or without \"tag:\"" },
};

static bool
read_key(char out[static SETTING_KEY_SIZE], const char *given, char *why,
    size_t size)
{
	return names_user(out, given, why, size);
}

static void
check(const struct setting_candidate *c)
{
	const struct settings_world *world = settings_view_world(c->view);
	const char *given = setting_text(c->setting, "PolicyName");
	char name[NAMES_SIZE], room[NAMES_DOMAIN_SIZE], why[200];
	const char *domain = names_domain(room, c->setting->key);

	if (!names_policy(name, given, why, sizeof(why)))
		settings_report_problem(c->report, "PolicyName", "%s", why);
	else if (strncmp(name, "tag:", 4) != 0)
		settings_report_problem(c->report, "PolicyName",
		    "%s is not granted to users, it holds by itself", name);
	else if (settings_view_get(c->view, &setting_kind_policy, name) == NULL)
		settings_report_problem(
		    c->report, "PolicyName", "there is no policy %s", name);
	if (!world->hosts(domain, world->arg))
		settings_report_warn(c->report, NULL,
		    "%s is not hosted by this gateway", domain);
}

const struct setting_kind setting_kind_grant = {
	.name = "grant",
	.plural = "grants",
	.words = "A user's own external access policy.",
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.max = GRANTS_MAX,
	.read_key = read_key,
	.check = check,
};
