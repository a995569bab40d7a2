/*
 * External access policies: New-CsExternalAccessPolicy.  The global one is
 * always there; removing what was set in it brings its defaults back.  A policy
 * that somebody holds is not removed: as the cmdlet asks before it does so, the
 * grants are to be taken away first, or in the same commit.
 */
#include <string.h>

#include "frontend-gateway/policy/names.h"
#include "frontend-gateway/settings/setting.h"
#include "frontend-gateway/settings/setting_kind.h"
#include "frontend-gateway/settings/settings_report.h"
#include "frontend-gateway/settings/settings_view.h"

enum { POLICIES_MAX = 1000 };

static const struct setting_field fields[] = {
	{ .name = "EnableFederationAccess",
	    .type = SETTING_BOOL,
	    .words = "Whether users may talk to federated people at all" },
	{ .name = "EnableXmppAccess",
	    .type = SETTING_BOOL,
	    .words = "Whether they may talk to people of XMPP partners; needs "
		     "EnableFederationAccess" },
	{ .name = "EnablePublicCloudAccess",
	    .type = SETTING_BOOL,
	    .words = "Whether they may talk to people of public providers "
		     "that SIP led to" },
	{ .name = "EnablePublicCloudAudioVideoAccess",
	    .type = SETTING_BOOL,
	    .words = "Whether they may call them; XMPP carries no calls, but "
		     "who tries is told this first" },
	{ .name = "EnableOutsideAccess",
	    .type = SETTING_BOOL,
	    .words = "Whether they may sign in from outside; kept for the "
		     "pool, nothing here depends on it" },
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
	return names_policy(out, given, why, size);
}

static void
check(const struct setting_candidate *c)
{
	const struct setting *s = c->setting;

	if (setting_bool(s, "EnableXmppAccess") &&
	    !setting_bool(s, "EnableFederationAccess"))
		settings_report_warn(c->report, "EnableXmppAccess",
		    "is without effect as long as EnableFederationAccess is "
		    "off");
	if (strncmp(s->key, "site:", 5) == 0 &&
	    settings_view_get(c->view, &setting_kind_site, s->key + 5) == NULL)
		settings_report_warn(c->report, NULL,
		    "there is no site %s: the policy holds for nobody",
		    s->key + 5);
}

/* All grants are looked at: a policy is seldom removed. */
static void
check_removal(const struct setting *s, const struct settings_view *after,
    struct settings_report *report)
{
	size_t n = settings_view_count(after, &setting_kind_grant), holders = 0;
	const char *first = NULL;
	char name[NAMES_SIZE], why[200];

	if (strncmp(s->key, "tag:", 4) != 0)
		return;
	for (size_t i = 0; i < n; i++) {
		const struct setting *g =
		    settings_view_at(after, &setting_kind_grant, i);

		if (!names_policy(name, setting_text(g, "PolicyName"), why,
			sizeof(why)) ||
		    strcmp(name, s->key) != 0)
			continue;
		if (holders++ == 0)
			first = g->key;
	}
	if (holders > 0)
		settings_report_problem(report, NULL,
		    "%s is granted to %zu users, one of them %s", s->key,
		    holders, first);
}

static const struct setting_builtin builtins[] = { { "global", "{}" } };

const struct setting_kind setting_kind_policy = {
	.name = "policy",
	.plural = "policies",
	.words = "An external access policy.",
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.builtins = builtins,
	.builtin_count = 1,
	.max = POLICIES_MAX,
	.read_key = read_key,
	.check = check,
	.check_removal = check_removal,
};
