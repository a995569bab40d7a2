/*
 * What Set-CsAccessEdgeConfiguration has to say about XMPP: the switch above
 * all policies, and the notice about archiving.
 */
#include "frontend-gateway/settings/setting.h"
#include "frontend-gateway/settings/setting_kind.h"
#include "frontend-gateway/settings/settings_report.h"

static const struct setting_field fields[] = {
	{ .name = "AllowFederatedUsers",
	    .type = SETTING_BOOL,
	    .words = "Whether there is any federation; without it nobody's "
		     "policy counts" },
	{ .name = "EnableArchivingDisclaimer",
	    .type = SETTING_BOOL,
	    .words = "Whether a contact is told, at the beginning of each "
		     "conversation, that it may be archived" },
	{ .name = "ArchivingDisclaimer",
	    .type = SETTING_TEXT,
	    .max = 1000,
	    .lines = true,
	    .words = "What he is told; empty: a sentence of the gateway's" },
};

static const struct setting_builtin builtins[] = { { "global", "{}" } };

const struct setting_kind setting_kind_access_edge = {
	.name = "access-edge",
	.plural = "access-edge",
	.words = "The organisation's switch for federation.",
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.builtins = builtins,
	.builtin_count = 1,
	.closed = true,
	.max = 1,
};
