/*
 * The rows of "partners".  A row that leaves no way to authenticate is refused;
 * one that promises what cannot be had draws a warning.
 */
#include "frontend-gateway/gateway_conf_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"
#include "common/jid.h"

/* In the order of enum negotiation. */
static const char *const negotiations[] = { "Required", "Optional",
	"NotSupported" };
static const char *const partner_types[] = { "Federated", "PublicVerified",
	"PublicUnverified" };

const char *
gateway_partner_type_str(enum gateway_partner_type t)
{
	return partner_types[t];
}

static void
check_negotiation(struct gateway_conf *c, struct conf_obj *o, size_t row,
    const struct gateway_partner *p)
{
	struct negotiation_verdict v;

	v = negotiation_judge(p->tls, p->sasl, p->dialback);
	if (v.methods == 0)
		conf_fail(o, NULL,
		    "TlsNegotiation %s, SaslNegotiation %s and "
		    "SupportDialbackNegotiation %s leave no way to "
		    "authenticate",
		    negotiation_str(p->tls), negotiation_str(p->sasl),
		    p->dialback ? "true" : "false");
	if (v.warnings & NEG_WARN_SASL_NEEDS_TLS)
		gateway_conf_warn(c,
		    "/partners/%zu: SASL needs TLS: with TlsNegotiation %s "
		    "the negotiation may fail",
		    row, negotiation_str(p->tls));
	if (v.warnings & NEG_WARN_DIALBACK_INERT)
		gateway_conf_warn(c,
		    "/partners/%zu: dialback is never used, for TLS and SASL "
		    "are both required",
		    row);
}

static void
read_additional(
    struct gateway_conf *c, struct conf_obj *o, struct gateway_partner *p)
{
	size_t n = gateway_conf_array(
	    o, "AdditionalDomains", 0, GATEWAY_CONF_PARTNERS_MAX);

	if (n == 0)
		return;
	p->additional = calloc(n, sizeof(*p->additional));
	if (p->additional == NULL) {
		gateway_conf_no_memory(c);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const char *s = conf_array_string(o, "AdditionalDomains", i);
		char ascii[256], key[64];

		if (conf_failed(c->doc))
			return;
		if (jid_domain_ascii(ascii, sizeof(ascii), s, strlen(s)) < 0) {
			snprintf(key, sizeof(key), "AdditionalDomains/%zu", i);
			conf_fail(o, key, "\"%.200s\" is not a domain name", s);
			return;
		}
		p->additional[i] = strdup(ascii);
		if (p->additional[i] == NULL) {
			gateway_conf_no_memory(c);
			return;
		}
		p->additional_count = i + 1;
	}
}

static void
read_partner(struct gateway_conf *c, struct conf_obj *o, size_t row)
{
	struct gateway_partner *p = &c->partners[row];
	const char *identity = conf_string_opt(o, "Identity");
	const char *domain = conf_string_opt(o, "Domain");

	if (identity != NULL && domain != NULL)
		conf_fail(
		    o, "Identity", "Identity and Domain exclude each other");
	conf_domain(
	    o, identity != NULL ? "Identity" : "Domain", p->domain, true);
	read_additional(c, o, p);
	p->description = conf_string_opt(o, "Description");
	p->type = (enum gateway_partner_type)gateway_conf_choice(
	    o, "PartnerType", partner_types, 3, GATEWAY_PUBLIC_UNVERIFIED);
	p->tls = (enum negotiation)gateway_conf_choice(
	    o, "TlsNegotiation", negotiations, 3, NEG_REQUIRED);
	p->sasl = (enum negotiation)gateway_conf_choice(
	    o, "SaslNegotiation", negotiations, 3, NEG_REQUIRED);
	p->dialback = conf_bool(o, "SupportDialbackNegotiation", true);
	p->keep_alive = conf_bool(o, "EnableKeepAlive", true);
	p->formatting = conf_bool(o, "formatting", true);
	p->connection_limit =
	    (uint32_t)conf_int(o, "ConnectionLimit", 0, 0, UINT32_MAX);
	/* An empty name is the same as none. */
	if (conf_string(o, "ProxyFqdn", "")[0] != '\0')
		conf_domain(o, "ProxyFqdn", p->proxy_fqdn, true);
	if (!conf_failed(c->doc))
		check_negotiation(c, o, row, p);
	conf_end_object(o);
}

void
gateway_conf_read_partners(struct gateway_conf *c, struct conf_obj *root)
{
	size_t n =
	    gateway_conf_array(root, "partners", 0, GATEWAY_CONF_PARTNERS_MAX);

	c->partners = calloc(n + 1, sizeof(*c->partners));
	if (c->partners == NULL) {
		gateway_conf_no_memory(c);
		return;
	}
	c->partner_count = n;
	for (size_t i = 0; i < n && !conf_failed(c->doc); i++)
		read_partner(c, conf_array_object(root, "partners", i), i);
}
