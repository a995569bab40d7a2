/*
 * A licence that a user holds, or everybody: "anna@contoso.example PIC USL",
 * "* Standard CAL".
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/utf8.h"
#include "frontend-gateway/policy/day.h"
#include "frontend-gateway/policy/licences.h"
#include "frontend-gateway/policy/names.h"
#include "frontend-gateway/settings/setting.h"
#include "frontend-gateway/settings/setting_kind.h"
#include "frontend-gateway/settings/settings_report.h"
#include "frontend-gateway/settings/settings_view.h"

enum { ALL_MAX = 1000000 };

static const struct setting_field fields[] = {
	{ .name = "From",
	    .type = SETTING_DATE,
	    .words = "The first day; empty: since ever" },
	{ .name = "Until",
	    .type = SETTING_DATE,
	    .words = "The last day; empty: for good" },
};

/* Those that the product had are spelled as it spelled them. */
static const char *
spelled(const char *name)
{
	static const char *const known[] = { "Standard CAL", "PIC USL" };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcasecmp(name, known[i]) == 0)
			return known[i];
	return name;
}

static bool
is_name(const char *s)
{
	size_t len = strlen(s);

	if (len == 0 || len > LICENCES_NAME_MAX || !utf8_valid(s, len) ||
	    s[0] == ' ' || s[len - 1] == ' ')
		return false;
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == ',' || *s == '/')
			return false;
	return true;
}

static bool
read_key(char out[static SETTING_KEY_SIZE], const char *given, char *why,
    size_t size)
{
	const char *blank = strchr(given, ' ');
	char who[NAMES_USER_SIZE], user[NAMES_USER_SIZE];

	if (blank == NULL || (size_t)(blank - given) >= sizeof(who) ||
	    !is_name(blank + 1)) {
		snprintf(why, size,
		    "a licence is named by a user's address (or *), a blank, "
		    "and a name of up to %d bytes without comma or slash",
		    LICENCES_NAME_MAX);
		return false;
	}
	snprintf(who, sizeof(who), "%.*s", (int)(blank - given), given);
	if (strcmp(who, LICENCES_EVERYBODY) == 0)
		memcpy(user, who, sizeof(LICENCES_EVERYBODY));
	else if (!names_user(user, who, why, size))
		return false;
	snprintf(out, SETTING_KEY_SIZE, "%s %s", user, spelled(blank + 1));
	return true;
}

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
	int32_t from = 0, until = 0;
	bool dated = read_day(&from, c, "From");

	if (read_day(&until, c, "Until") && dated && until < from)
		settings_report_problem(c->report, "Until", "is before From");
}

const struct setting_kind setting_kind_licence = {
	.name = "licence",
	.plural = "licences",
	.words = "A licence that a user holds, or everybody (*).",
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.max = ALL_MAX,
	.read_key = read_key,
	.check = check,
};
