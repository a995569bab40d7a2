/*
 * The gateway's own settings: Set-CsXmppGatewayConfiguration, of which there
 * is one, "global".
 */
#include <stdint.h>

#include "frontend-gateway/settings/setting_kind.h"

enum { DAY_S = 86400, WEEK_S = 7 * DAY_S };

static const struct setting_field fields[] = {
	{ .name = "ConnectionLimit",
	    .type = SETTING_INTEGER,
	    .number = 1000,
	    .min = 1,
	    .max = UINT32_MAX,
	    .words = "Streams that all partners together may open to an edge" },
	{ .name = "PartnerConnectionLimit",
	    .type = SETTING_INTEGER,
	    .number = 20,
	    .min = 1,
	    .max = UINT32_MAX,
	    .words =
		"Streams that one partner may open to an edge; a partner's "
		"own ConnectionLimit comes first" },
	{ .name = "DialbackPassphrase",
	    .type = SETTING_SECRET,
	    .min = 16,
	    .max = 64,
	    .words = "What dialback keys are made with, the same for every "
		     "gateway of a deployment; without it, it is made from "
		     "the store. It is never shown" },
	{ .name = "EnableLoggingAllMessageBodies",
	    .type = SETTING_BOOL,
	    .words = "Whether texts of messages may be written to the log" },
	{ .name = "KeepAliveInterval",
	    .type = SETTING_INTEGER,
	    .number = 300,
	    .min = 1,
	    .max = DAY_S,
	    .words = "Seconds after which a stream of a partner that owes "
		     "keep-alives and has sent nothing is closed" },
	{ .name = "StreamEstablishmentTimeout",
	    .type = SETTING_INTEGER,
	    .number = 60,
	    .min = 1,
	    .max = 3600,
	    .words = "Seconds that establishing a stream may take" },
	{ .name = "StreamInactivityTimeout",
	    .type = SETTING_INTEGER,
	    .number = 600,
	    .min = 10,
	    .max = DAY_S,
	    .words = "Seconds without a stanza after which a stream is "
		     "closed; the next stanza opens one" },
	{ .name = "SubscriptionRefreshInterval",
	    .type = SETTING_INTEGER,
	    .number = 28800,
	    .min = 60,
	    .max = WEEK_S,
	    .words = "Seconds after which subscriptions to presence are "
		     "renewed, and contacts asked how they are" },
};

static const struct setting_builtin builtins[] = { { "global", "{}" } };

const struct setting_kind setting_kind_gateway_config = {
	.name = "gateway-config",
	.plural = "gateway-config",
	.words = "Limits and times that hold for all partners.",
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.builtins = builtins,
	.builtin_count = 1,
	.closed = true,
	.max = 1,
};
