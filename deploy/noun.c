/* The tables, and the forms of keys. */
#include "deploy/noun.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/jid.h"

static const char *const partner_types[] = { "Federated", "PublicVerified",
	"PublicUnverified", NULL };
static const char *const negotiations[] = { "Required", "Optional",
	"NotSupported", NULL };

static const char *const routes[] = { "SIP", "XMPP", NULL };

/* --- keys ------------------------------------------------------------------ */

/* A domain is compared in lower-case A-labels. */
static bool
read_domain(char *out, size_t size, const char *text)
{
	return jid_domain_ascii(out, size, text, strlen(text)) == 0;
}

/* Names of policies and sites are the same in either case; the gateway keeps
 * them in lower case, of which it knows that of ASCII alone. */
static bool
put_lower(char *out, size_t size, const char *scope, const char *name)
{
	int n = snprintf(out, size, "%s%s", scope, name);

	if (name[0] == '\0' || n < 0 || (size_t)n >= size)
		return false;
	for (; *out != '\0'; out++)
		if (*out >= 'A' && *out <= 'Z')
			*out = (char)(*out - 'A' + 'a');
	return true;
}

/* "Global", "Site:Berlin", "Tag:FedPic", or the bare name of the last. */
static bool
read_policy(char *out, size_t size, const char *text)
{
	static const char *const scopes[] = { "site:", "tag:" };

	if (strcasecmp(text, "global") == 0)
		return put_lower(out, size, "", text);
	for (size_t i = 0; i < 2; i++)
		if (strncasecmp(text, scopes[i], strlen(scopes[i])) == 0)
			return put_lower(
			    out, size, scopes[i], text + strlen(scopes[i]));
	return strchr(text, ':') == NULL && put_lower(out, size, "tag:", text);
}

static bool
read_site(char *out, size_t size, const char *text)
{
	if (strncasecmp(text, "site:", 5) == 0)
		text += 5;
	return put_lower(out, size, "", text);
}

/* A SIP address as a JID: what no local part may hold is written as XEP-0106
 * has it.  False when it is too long. */
static bool
escape_local(char *out, size_t size, const char *text)
{
	static const char escaped[] = " \"&'/:<>";
	const char *at = strrchr(text, '@');
	size_t done = 0;

	for (; *text != '\0' && done + 4 < size; text++)
		if (text < at && strchr(escaped, *text) != NULL)
			done += (size_t)sprintf(out + done, "\\%02x",
			    (unsigned)(unsigned char)*text);
		else
			out[done++] = *text;
	out[done] = '\0';
	return *text == '\0';
}

/* A user's address as the pool's tools print it, or without "sip:". */
static bool
read_user(char *out, size_t size, const char *text)
{
	char address[NOUN_KEY_MAX];
	struct jid j;
	bool ok;

	if (strncasecmp(text, "sip:", 4) == 0)
		text += 4;
	if (!escape_local(address, sizeof(address), text) ||
	    jid_parse(&j, address, strlen(address)) < 0)
		return false;
	ok = j.local != NULL && j.resource == NULL && strlen(j.bare) < size;
	if (ok)
		snprintf(out, size, "%s", j.bare);
	jid_finish(&j);
	return ok;
}

/* "USER LICENCE"; "*" is everybody. */
static bool
read_licence(char *out, size_t size, const char *text)
{
	const char *space = strchr(text, ' ');
	char user[NOUN_KEY_MAX], bare[NOUN_KEY_MAX];
	int n;

	if (space == NULL || space[1] == '\0' ||
	    (size_t)(space - text) >= sizeof(user))
		return false;
	memcpy(user, text, (size_t)(space - text));
	user[space - text] = '\0';
	if (strcmp(user, "*") == 0)
		memcpy(bare, user, sizeof("*"));
	else if (!read_user(bare, sizeof(bare), user))
		return false;
	n = snprintf(out, size, "%s%s", bare, space);
	return (size_t)n < size;
}

/* --- tables ---------------------------------------------------------------- */

static const struct noun_member partner_members[] = {
	{ "AdditionalDomains", NOUN_NAMES, NULL,
	    "further domains of the same partner; no subdomain is implied",
	    "ADDITIONAL" },
	{ "ConnectionLimit", NOUN_NUMBER, NULL,
	    "connections with this partner; default: what the gateway's\n"
	    "configuration says for each",
	    NULL },
	{ "Description", NOUN_TEXT, NULL, "for people to read", NULL },
	{ "EnableKeepAlive", NOUN_FLAG, NULL,
	    "the partner is cut when it is silent for too long; default "
	    "true",
	    NULL },
	{ "PartnerType", NOUN_WORD, partner_types,
	    "what its users may do; default PublicUnverified", "TYPE" },
	{ "ProxyFqdn", NOUN_DOMAIN, NULL,
	    "host to connect to, instead of what the DNS says", NULL },
	{ "SaslNegotiation", NOUN_WORD, negotiations,
	    "authentication by certificate; default Required", "SASL" },
	{ "SupportDialbackNegotiation", NOUN_FLAG, NULL,
	    "authentication by call back; default true", "DIALBACK" },
	{ "TlsNegotiation", NOUN_WORD, negotiations,
	    "encryption; default Required", "TLS" },
	{ "Formatting", NOUN_FLAG, NULL,
	    "formatted text is exchanged, not plain text alone; default\n"
	    "true",
	    NULL },
	{ "Provider", NOUN_TEXT, NULL,
	    "the public provider that it is, with that one's rules; see\n"
	    "sallyport provider list",
	    NULL },
	{ NULL, NOUN_TEXT, NULL, NULL, NULL },
};

const struct noun noun_partner = {
	.name = "partner",
	.plural = "partners",
	.title = "an XMPP partner",
	.option = "Domain",
	.key_title = "DOMAIN",
	.key_word = "DOMAIN",
	.key_inside = true,
	.members = partner_members,
	.read_key = read_domain,
	.examples =
	    "  sallyport partner new fabrikam.example --PartnerType Federated\n"
	    "  sallyport partner set fabrikam.example \\\n"
	    "      --AdditionalDomains Add=it.fabrikam.example --WhatIf\n"
	    "  sallyport partner get --Filter '*.example'\n"
	    "  sallyport partner remove fabrikam.example\n",
};

static const struct noun_member gateway_members[] = {
	{ "ConnectionLimit", NOUN_NUMBER, NULL,
	    "connections with all partners together; default 1000", NULL },
	{ "PartnerConnectionLimit", NOUN_NUMBER, NULL,
	    "connections with one partner; default 20", NULL },
	{ "DialbackPassphrase", NOUN_SECRET, NULL,
	    "the secret that dialback keys are made of, from @FILE, or from\n"
	    "standard input with @-; is never shown",
	    NULL },
	{ "EnableLoggingAllMessageBodies", NOUN_FLAG, NULL,
	    "logs and traces hold what people write; default false", NULL },
	{ "KeepAliveInterval", NOUN_NUMBER, NULL,
	    "seconds until a silent partner is cut; default 300", NULL },
	{ "StreamEstablishmentTimeout", NOUN_NUMBER, NULL,
	    "seconds for a stream to come up; default 60", NULL },
	{ "StreamInactivityTimeout", NOUN_NUMBER, NULL,
	    "seconds until an idle stream is closed; default 600", NULL },
	{ "SubscriptionRefreshInterval", NOUN_NUMBER, NULL,
	    "seconds until presence subscriptions are refreshed; default\n"
	    "28800",
	    NULL },
	{ NULL, NOUN_TEXT, NULL, NULL, NULL },
};

const struct noun noun_gateway_config = {
	.name = "gateway-config",
	.plural = "gateway-config",
	.title = "the XMPP gateway's configuration",
	.members = gateway_members,
	.examples = "  sallyport gateway-config get\n"
		    "  sallyport gateway-config set --ConnectionLimit 1200\n"
		    "  sallyport gateway-config set --KeepAliveInterval ''\n",
};

static const struct noun_member edge_members[] = {
	{ "AllowFederatedUsers", NOUN_FLAG, NULL,
	    "the master switch: without it nobody speaks to a partner;\n"
	    "default false",
	    NULL },
	{ "EnableArchivingDisclaimer", NOUN_FLAG, NULL,
	    "partners' users are told that chats may be archived; default\n"
	    "false",
	    NULL },
	{ "ArchivingDisclaimer", NOUN_TEXT, NULL, "in which words", NULL },
	{ NULL, NOUN_TEXT, NULL, NULL, NULL },
};

const struct noun noun_access_edge = {
	.name = "access-edge",
	.plural = "access-edge",
	.title = "what holds for all federation",
	.members = edge_members,
	.examples = "  sallyport access-edge get\n"
		    "  sallyport access-edge set --AllowFederatedUsers true\n",
};

static const struct noun_member site_members[] = {
	{ "SipDomains", NOUN_NAMES, NULL,
	    "users of these hosted domains belong to the site", "DOMAINS" },
	{ "Description", NOUN_TEXT, NULL, "for people to read", NULL },
	{ NULL, NOUN_TEXT, NULL, NULL, NULL },
};

const struct noun noun_site = {
	.name = "site",
	.plural = "sites",
	.title = "a site, for policies of sites",
	.option = "Identity",
	.key_title = "SITE",
	.key_word = "NAME",
	.members = site_members,
	.read_key = read_site,
	.examples = "  sallyport site new Berlin --SipDomains contoso.example\n"
		    "  sallyport site set Berlin --SipDomains "
		    "Add=fabrikam.example\n",
};

static const struct noun_member policy_members[] = {
	{ "Description", NOUN_TEXT, NULL, "for people to read", NULL },
	{ "EnableFederationAccess", NOUN_FLAG, NULL,
	    "users may speak to other organisations at all; default false",
	    "FEDERATION" },
	{ "EnableXmppAccess", NOUN_FLAG, NULL,
	    "users may speak to XMPP partners, too; default false", "XMPP" },
	{ "EnablePublicCloudAccess", NOUN_FLAG, NULL,
	    "users may speak to public providers; default false", "PUBLIC" },
	{ "EnablePublicCloudAudioVideoAccess", NOUN_FLAG, NULL,
	    "with sound and picture; default false", "AUDIO/VIDEO" },
	{ "EnableOutsideAccess", NOUN_FLAG, NULL,
	    "kept for the pool's sake: users may sign in from outside;\n"
	    "default false",
	    NULL },
	{ NULL, NOUN_TEXT, NULL, NULL, NULL },
};

const struct noun noun_policy = {
	.name = "policy",
	.plural = "policies",
	.title = "an external access policy",
	.option = "Identity",
	.key_title = "POLICY",
	.key_word = "global|site:NAME|NAME",
	.members = policy_members,
	.read_key = read_policy,
	.examples =
	    "  sallyport policy set global --EnableFederationAccess true \\\n"
	    "      --EnableXmppAccess true\n"
	    "  sallyport policy new FedXmpp --EnableFederationAccess true \\\n"
	    "      --EnableXmppAccess true\n"
	    "  sallyport policy grant anna@contoso.example \\\n"
	    "      --PolicyName FedXmpp\n",
};

static const struct noun_member grant_members[] = {
	{ "PolicyName", NOUN_TEXT, NULL,
	    "the policy that holds for the user, whatever that of the site\n"
	    "or the global one says; '' takes it back",
	    "POLICY" },
	{ NULL, NOUN_TEXT, NULL, NULL, NULL },
};

const struct noun noun_grant = {
	.name = "grant",
	.plural = "grants",
	.title = "a policy granted to a user",
	.option = "Identity",
	.key_title = "USER",
	.key_word = "USER",
	.members = grant_members,
	.read_key = read_user,
	.examples = "  sallyport policy grant anna@contoso.example \\\n"
		    "      --PolicyName FedXmpp\n"
		    "  sallyport policy grants --Filter '*@contoso.example'\n",
};

static const struct noun_member provider_members[] = {
	{ "Enabled", NOUN_FLAG, NULL,
	    "its users may be spoken to, in the time of its service",
	    "ENABLED" },
	{ "InstantMessaging", NOUN_FLAG, NULL, "messages pass", "IM" },
	{ "Presence", NOUN_FLAG, NULL, "presence passes", "PRESENCE" },
	{ "Audio", NOUN_TOLD, NULL, "it had calls", "AUDIO" },
	{ "Video", NOUN_TOLD, NULL, "it had video", "VIDEO" },
	{ "Route", NOUN_WORD, routes,
	    "how it was reached; SIP takes EnablePublicCloudAccess", "BY" },
	{ "Licences", NOUN_TEXT, NULL,
	    "those that a user must hold, with commas between them",
	    "LICENCES" },
	{ "StartDate", NOUN_TEXT, NULL,
	    "first day of its service, as 2026-11-21; '' = always", NULL },
	{ "EndDate", NOUN_TEXT, NULL, "last day; '' = no end", "UNTIL" },
	{ "Description", NOUN_TEXT, NULL, "for people to read", NULL },
	{ NULL, NOUN_TEXT, NULL, NULL, NULL },
};

static const char *
text_of(const json_t *object, const char *member)
{
	const char *s = json_string_value(json_object_get(object, member));

	return s != NULL ? s : "";
}

/* Dates are in an order as texts; the last day belongs to the service. */
static const char *
provider_today(const json_t *object, const char *date)
{
	const char *end = text_of(object, "EndDate");

	if (json_is_false(json_object_get(object, "Enabled")))
		return "disabled";
	if (strcmp(date, text_of(object, "StartDate")) < 0)
		return "not begun";
	return end[0] != '\0' && strcmp(date, end) > 0 ? "ended" : "in service";
}

const struct noun noun_provider = {
	.name = "provider",
	.plural = "providers",
	.title = "a public IM provider",
	.option = "Identity",
	.key_title = "PROVIDER",
	.key_word = "NAME",
	.members = provider_members,
	.examples = "  sallyport provider list\n"
		    "  sallyport provider set 'Google Talk' --Enabled false\n"
		    "  sallyport provider set Skype --EndDate ''\n",
	.today = provider_today,
};

static const struct noun_member licence_members[] = {
	{ "From", NOUN_TEXT, NULL,
	    "first day, as 2026-11-21; '' = since always", "FROM" },
	{ "Until", NOUN_TEXT, NULL, "last day; '' = no end", "UNTIL" },
	{ NULL, NOUN_TEXT, NULL, NULL, NULL },
};

const struct noun noun_licence = {
	.name = "licence",
	.plural = "licences",
	.title = "a licence that a user holds",
	.option = "Identity",
	.key_title = "USER AND LICENCE",
	.key_word = "'USER LICENCE'",
	.members = licence_members,
	.read_key = read_licence,
	.examples =
	    "  sallyport licence new 'anna@contoso.example PIC USL' \\\n"
	    "      --From 2026-01-01 --Until 2026-12-31\n"
	    "  sallyport licence get --Filter '* PIC USL'\n",
};

static const char *const rights[] = { "read", "write", NULL };

static const struct noun_member token_members[] = {
	{ "Name", NOUN_TEXT, NULL, "who uses it, for the audit trail", "NAME" },
	{ "Rights", NOUN_WORD, rights, "what may be done with it", "RIGHTS" },
	{ "Expires", NOUN_TEXT, NULL,
	    "its last day, as 2026-11-21; '' = no end", "EXPIRES" },
	{ "Created", NOUN_TOLD, NULL, "when it was made", "CREATED" },
	{ NULL, NOUN_TEXT, NULL, NULL, NULL },
};

const struct noun noun_token = {
	.name = "token",
	.plural = "tokens",
	.title = "a token for the administration over HTTP",
	.option = "Identity",
	.key_title = "TOKEN",
	.key_word = "ID",
	.members = token_members,
	.examples = "  sallyport token new --Name grafana --Rights read \\\n"
		    "      --out /etc/grafana/sallyport.token\n"
		    "  sallyport token list\n"
		    "  sallyport token remove 0123456789ab\n",
};

/* --- looking up -------------------------------------------------------------- */

const struct noun *
noun_find(const char *name)
{
	static const struct noun *const nouns[] = { &noun_partner,
		&noun_gateway_config, &noun_access_edge, &noun_site,
		&noun_policy, &noun_grant, &noun_provider, &noun_licence,
		&noun_token };

	for (size_t i = 0; i < sizeof(nouns) / sizeof(nouns[0]); i++)
		if (strcmp(nouns[i]->name, name) == 0)
			return nouns[i];
	return NULL;
}

const struct noun_member *
noun_member(const struct noun *n, const char *name)
{
	for (const struct noun_member *m = n->members; m->name != NULL; m++)
		if (strcasecmp(m->name, name) == 0)
			return m;
	return NULL;
}

bool
noun_key(char *out, size_t size, const struct noun *n, const char *text)
{
	int len;

	if (n->option == NULL) {
		snprintf(out, size, "global");
		return strcasecmp(text, "global") == 0;
	}
	if (n->read_key != NULL)
		return n->read_key(out, size, text);
	len = snprintf(out, size, "%s", text);
	return text[0] != '\0' && (size_t)len < size;
}
