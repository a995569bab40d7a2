/*
 * The public providers of the catalogue, and what an administrator lays over
 * it.  What an entry says without him is its built-in object.
 */
#include <string.h>

#include "frontend-gateway/policy/day.h"
#include "frontend-gateway/policy/providers.h"
#include "frontend-gateway/settings/setting.h"
#include "frontend-gateway/settings/setting_kind.h"
#include "frontend-gateway/settings/settings_report.h"

static const char *const routes[] = { "SIP", "XMPP" };

static const struct setting_field fields[] = {
	{ .name = "Enabled",
	    .type = SETTING_BOOL,
	    .number = 1,
	    .words = "Whether its people may be talked to at all, in the time "
		     "of its service" },
	{ .name = "InstantMessaging",
	    .type = SETTING_BOOL,
	    .number = 1,
	    .words = "Whether messages pass" },
	{ .name = "Presence",
	    .type = SETTING_BOOL,
	    .number = 1,
	    .words = "Whether presence passes, and contacts can be added" },
	{ .name = "Audio",
	    .type = SETTING_BOOL,
	    .words = "Whether it had calls; XMPP carries none, so this is told "
		     "and cannot be set" },
	{ .name = "Video", .type = SETTING_BOOL, .words = "The same of video" },
	{ .name = "Route",
	    .type = SETTING_CHOICE,
	    .names = routes,
	    .name_count = 2,
	    .words = "How it was reached; for SIP a user needs "
		     "EnablePublicCloudAccess as well" },
	{ .name = "Licences",
	    .type = SETTING_TEXT,
	    .max = 255,
	    .words = "Licences that a user must hold, all of them, with commas "
		     "between them; empty: none" },
	{ .name = "StartDate",
	    .type = SETTING_DATE,
	    .words = "Its first day of service; empty: it was always there" },
	{ .name = "EndDate",
	    .type = SETTING_DATE,
	    .words = "Its last day of service; empty: it has not ended" },
	{ .name = "Description",
	    .type = SETTING_TEXT,
	    .max = 4096,
	    .lines = true,
	    .words = "A note for people" },
};

static const struct setting_builtin builtins[] = {
#define X(name, id, im, pres, aud, vid, by, lic, from, until, note)            \
	{ id, "{\"InstantMessaging\":" #im ",\"Presence\":" #pres              \
	      ",\"Audio\":" #aud ",\"Video\":" #vid ",\"Route\":\"" by         \
	      "\",\"Licences\":\"" lic "\",\"StartDate\":\"" from              \
	      "\",\"EndDate\":\"" until "\",\"Description\":\"" note "\"}" },
	PROVIDERS_CATALOGUE(X)
#undef X
};

static bool
read_day(int32_t *out, const struct setting_candidate *c, const char *member)
{
	const char *s = setting_text(c->setting, member);

	if (s[0] == '\0')
		return false;
	if (day_parse(out, s))
		return true;
	settings_report_problem(
	    c->report, member, "is not a date such as 2026-11-21");
	return false;
}

static void
check(const struct setting_candidate *c)
{
	static const char *const told[] = { "Audio", "Video" };
	int32_t start = 0, end = 0;
	bool dated;

	/* What was read may be written back. */
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		if (setting_bool(c->setting, told[i]) !=
		    json_is_true(json_object_get(c->setting->builtin, told[i])))
			settings_report_problem(c->report, told[i],
			    "is told, not set: XMPP carries no calls");
	if (providers_read_licences(
		NULL, setting_text(c->setting, "Licences")) < 0)
		settings_report_problem(c->report, "Licences",
		    "are up to %d names of up to %d bytes, with commas between "
		    "them",
		    PROVIDERS_LICENCES_MAX, PROVIDERS_LICENCE_SIZE - 1);
	dated = read_day(&start, c, "StartDate");
	if (read_day(&end, c, "EndDate") && dated && end < start)
		settings_report_problem(
		    c->report, "EndDate", "is before StartDate");
}

const struct setting_kind setting_kind_provider = {
	.name = "provider",
	.plural = "providers",
	.words = "A public instant messaging provider of the catalogue.",
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.builtins = builtins,
	.builtin_count = sizeof(builtins) / sizeof(builtins[0]),
	.closed = true,
	.max = PROVIDERS_COUNT,
	.check = check,
};
