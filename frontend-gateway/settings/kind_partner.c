/*
 * A partner: New-CsXmppAllowedPartner.  Its three negotiation settings are
 * judged by the matrix of "Negotiation settings for XMPP federated partners";
 * no domain may belong to two partners, nor to us.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/jid.h"
#include "common/map.h"
#include "frontend-gateway/settings/setting.h"
#include "frontend-gateway/settings/setting_kind.h"
#include "frontend-gateway/settings/settings_report.h"
#include "frontend-gateway/settings/settings_view.h"
#include "proto/negotiation.h"

enum { PARTNERS_MAX = 4096, MORE_MAX = 4096, DOMAINS_MAX = 8192 };

static const char *const types[] = { "Federated", "PublicVerified",
	"PublicUnverified" };
/* In the order of enum negotiation. */
static const char *const negotiations[] = { "Required", "Optional",
	"NotSupported" };

static const struct setting_field fields[] = {
	{ .name = "Domain",
	    .type = SETTING_DOMAIN,
	    .min = 1,
	    .required = true,
	    .words = "The partner's XMPP domain" },
	{ .name = "AdditionalDomains",
	    .type = SETTING_DOMAINS,
	    .max = MORE_MAX,
	    .words = "More domains of the partner, each by its own name: "
		     "subdomains are not implied" },
	{ .name = "ConnectionLimit",
	    .type = SETTING_INTEGER,
	    .max = UINT32_MAX,
	    .words = "Streams the partner may open to an edge; 0: the "
		     "gateway's PartnerConnectionLimit" },
	{ .name = "Description",
	    .type = SETTING_TEXT,
	    .max = 4096,
	    .lines = true,
	    .words = "A note for people" },
	{ .name = "EnableKeepAlive",
	    .type = SETTING_BOOL,
	    .number = 1,
	    .words = "Whether the partner is expected to send keep-alives, "
		     "and is sent them" },
	{ .name = "PartnerType",
	    .type = SETTING_CHOICE,
	    .names = types,
	    .name_count = 3,
	    .number = 2,
	    .words = "What the partner's users may do of their own accord" },
	{ .name = "ProxyFqdn",
	    .type = SETTING_DOMAIN,
	    .words = "The partner's server, where no SRV record names it" },
	{ .name = "SaslNegotiation",
	    .type = SETTING_CHOICE,
	    .names = negotiations,
	    .name_count = 3,
	    .words = "SASL EXTERNAL, which needs TLS" },
	{ .name = "TlsNegotiation",
	    .type = SETTING_CHOICE,
	    .names = negotiations,
	    .name_count = 3,
	    .words = "TLS on the partner's streams" },
	{ .name = "SupportDialbackNegotiation",
	    .type = SETTING_BOOL,
	    .number = 1,
	    .words = "Whether server dialback counts" },
	{ .name = "Formatting",
	    .type = SETTING_BOOL,
	    .number = 1,
	    .words = "Whether formatted text is exchanged; else plain text "
		     "alone passes, both ways" },
	{ .name = "Provider",
	    .type = SETTING_TEXT,
	    .max = 256,
	    .words = "The public provider whose profile holds for the "
		     "partner; empty: none" },
};

static bool
read_key(char out[static SETTING_KEY_SIZE], const char *given, char *why,
    size_t size)
{
	if (jid_domain_ascii(out, 256, given, strlen(given)) == 0)
		return true;
	snprintf(why, size, "\"%.200s\" is not a domain name", given);
	return false;
}

/* --- one partner ---------------------------------------------------------- */

static void
check_negotiation(const struct setting *s, struct settings_report *r)
{
	enum negotiation tls =
	    (enum negotiation)setting_choice(s, "TlsNegotiation");
	enum negotiation sasl =
	    (enum negotiation)setting_choice(s, "SaslNegotiation");
	bool dialback = setting_bool(s, "SupportDialbackNegotiation");
	struct negotiation_verdict v = negotiation_judge(tls, sasl, dialback);

	if (v.methods == 0)
		settings_report_problem(r, "TlsNegotiation",
		    "%s: TlsNegotiation %s, SaslNegotiation %s and "
		    "SupportDialbackNegotiation %s leave no way to "
		    "authenticate",
		    sasl != NEG_NOT_SUPPORTED
			? "SASL cannot run without TLS, and dialback is off"
			: "SASL or dialback must be enabled",
		    negotiation_str(tls), negotiation_str(sasl),
		    dialback ? "true" : "false");
	if (v.warnings & NEG_WARN_SASL_NEEDS_TLS)
		settings_report_warn(r, "SaslNegotiation",
		    "SASL needs TLS: with TlsNegotiation %s the negotiation "
		    "may fail",
		    negotiation_str(tls));
	if (v.warnings & NEG_WARN_DIALBACK_INERT)
		settings_report_warn(r, "SupportDialbackNegotiation",
		    "dialback is never used, for TLS and SASL are both "
		    "required");
}

static void
check_own(const struct settings_world *world, const char *member,
    const char *domain, struct settings_report *r)
{
	if (world->is_own(domain, world->arg))
		settings_report_problem(r, member,
		    "%s is a name of our own: a partner that carried it could "
		    "speak for employees",
		    domain);
}

static void
check_provider(const struct setting_candidate *c)
{
	const char *name = setting_text(c->setting, "Provider");
	const struct setting_kind *kind = setting_kind_find("provider");

	if (name[0] != '\0' &&
	    (kind == NULL || settings_view_get(c->view, kind, name) == NULL))
		settings_report_problem(c->report, "Provider",
		    "there is no provider \"%.100s\"", name);
}

static void
check(const struct setting_candidate *c)
{
	const struct settings_world *world = settings_view_world(c->view);
	const json_t *more = setting_list(c->setting, "AdditionalDomains");

	check_own(world, "Domain", c->setting->key, c->report);
	for (size_t i = 0; i < json_array_size(more); i++) {
		const char *domain = json_string_value(json_array_get(more, i));
		char member[64];

		snprintf(member, sizeof(member), "AdditionalDomains/%zu", i);
		check_own(world, member, domain, c->report);
		if (strcmp(domain, c->setting->key) == 0)
			settings_report_problem(c->report, member,
			    "%s is the partner's Domain already", domain);
	}
	check_negotiation(c->setting, c->report);
	check_provider(c);
}

/* --- all partners --------------------------------------------------------- */

struct row {
	struct map_node node;
	const struct setting *owner;
};

struct table {
	struct map map;
	struct row *rows;
	size_t count;
	struct settings_report *report;
};

static size_t
count_domains(const struct settings_view *v)
{
	size_t n = settings_view_count(v, &setting_kind_partner), all = n;

	for (size_t i = 0; i < n; i++)
		all += json_array_size(
		    setting_list(settings_view_at(v, &setting_kind_partner, i),
			"AdditionalDomains"));
	return all;
}

/* The one that has just been changed is told. */
static void
tell_double(struct table *t, const struct setting *a, const struct setting *b,
    const char *domain)
{
	bool first = a->version > b->version;

	if (a == b)
		return;
	t->report->key = first ? a->key : b->key;
	settings_report_problem(t->report,
	    strcmp(domain, t->report->key) == 0 ? "Domain"
						: "AdditionalDomains",
	    "%s belongs to the partner %s already", domain,
	    first ? b->key : a->key);
}

static void
enter(struct table *t, const struct setting *owner, const char *domain)
{
	struct row *row = &t->rows[t->count];
	struct map_node *n = map_get(&t->map, domain, strlen(domain));

	if (n != NULL) {
		tell_double(
		    t, map_entry(n, struct row, node)->owner, owner, domain);
		return;
	}
	row->owner = owner;
	(void)map_put(&t->map, &row->node, domain, strlen(domain));
	t->count++;
}

static void
enter_all(struct table *t, const struct settings_view *v)
{
	for (size_t i = 0; i < settings_view_count(v, &setting_kind_partner);
	     i++) {
		const struct setting *s =
		    settings_view_at(v, &setting_kind_partner, i);
		const json_t *more = setting_list(s, "AdditionalDomains");

		enter(t, s, s->key);
		for (size_t k = 0; k < json_array_size(more); k++)
			enter(t, s, json_string_value(json_array_get(more, k)));
	}
}

static void
check_all(const struct settings_view *after, struct settings_report *report)
{
	struct table t = { .report = report };
	size_t n = count_domains(after);

	if (n > DOMAINS_MAX) {
		settings_report_problem(report, NULL,
		    "all partners together have %zu domains, at most %d are "
		    "possible",
		    n, DOMAINS_MAX);
		return;
	}
	t.rows = calloc(n + 1, sizeof(*t.rows));
	if (t.rows == NULL || map_init(&t.map) < 0) {
		settings_report_problem(report, NULL, "out of memory");
		free(t.rows);
		return;
	}
	enter_all(&t, after);
	map_finish(&t.map);
	free(t.rows);
}

const struct setting_kind setting_kind_partner = {
	.name = "partner",
	.plural = "partners",
	.words = "An XMPP domain that may be talked to.",
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.key_member = "Domain",
	.max = PARTNERS_MAX,
	.read_key = read_key,
	.check = check,
	.check_all = check_all,
};
