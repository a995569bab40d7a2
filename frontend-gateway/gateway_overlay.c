/*
 * Settings were checked when they were committed.  What can have changed since
 * is the file: it may claim for ourselves a name that a partner carries.
 */
#include "frontend-gateway/gateway_overlay.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>

#include "common/err.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/settings/setting.h"
#include "frontend-gateway/settings/setting_kind.h"
#include "frontend-gateway/settings/settings_view.h"

static int
read_additional(struct gateway_partner *p, const json_t *list)
{
	size_t n = json_array_size(list);

	if (n == 0)
		return 0;
	p->additional = calloc(n, sizeof(*p->additional));
	if (p->additional == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		p->additional[i] =
		    strdup(json_string_value(json_array_get(list, i)));
		if (p->additional[i] == NULL)
			return ERR_NOMEM;
		p->additional_count++;
	}
	return 0;
}

static int
read_partner(struct gateway_partner *p, const struct setting *s)
{
	snprintf(p->domain, sizeof(p->domain), "%s", s->key);
	p->type = (enum gateway_partner_type)setting_choice(s, "PartnerType");
	p->tls = (enum negotiation)setting_choice(s, "TlsNegotiation");
	p->sasl = (enum negotiation)setting_choice(s, "SaslNegotiation");
	p->dialback = setting_bool(s, "SupportDialbackNegotiation");
	p->keep_alive = setting_bool(s, "EnableKeepAlive");
	p->formatting = setting_bool(s, "Formatting");
	snprintf(p->proxy_fqdn, sizeof(p->proxy_fqdn), "%s",
	    setting_text(s, "ProxyFqdn"));
	snprintf(p->provider, sizeof(p->provider), "%s",
	    setting_text(s, "Provider"));
	p->connection_limit = (uint32_t)setting_integer(s, "ConnectionLimit");
	return read_additional(p, setting_list(s, "AdditionalDomains"));
}

static int
read_partners(struct gateway_overlay *o, const struct settings_view *v)
{
	size_t n = settings_view_count(v, &setting_kind_partner);
	int rc = 0;

	o->partners = calloc(n + 1, sizeof(*o->partners));
	if (o->partners == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		o->partner_count++;
		rc = read_partner(&o->partners[i],
		    settings_view_at(v, &setting_kind_partner, i));
	}
	return rc;
}

static int
by_domain(const void *a, const void *b)
{
	const struct gateway_domain *x = a, *y = b;

	return strcmp(x->domain, y->domain);
}

static int
add_domain(struct gateway_overlay *o, const struct gateway_conf *conf,
    const struct gateway_partner *p, const char *domain, char *why, size_t size)
{
	if (gateway_conf_is_own(conf, domain)) {
		snprintf(why, size,
		    "the partner %s has %s, which is a name of our own: a "
		    "partner that carried it could speak for employees",
		    p->domain, domain);
		return ERR_CONFIG;
	}
	o->domains[o->domain_count++] =
	    (struct gateway_domain){ .domain = domain, .partner = p };
	return 0;
}

static int
index_domains(struct gateway_overlay *o, const struct gateway_conf *conf,
    char *why, size_t size)
{
	size_t n = o->partner_count;
	int rc = 0;

	for (size_t i = 0; i < o->partner_count; i++)
		n += o->partners[i].additional_count;
	o->domains = calloc(n + 1, sizeof(*o->domains));
	if (o->domains == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; rc == 0 && i < o->partner_count; i++) {
		const struct gateway_partner *p = &o->partners[i];

		rc = add_domain(o, conf, p, p->domain, why, size);
		for (size_t k = 0; rc == 0 && k < p->additional_count; k++)
			rc =
			    add_domain(o, conf, p, p->additional[k], why, size);
	}
	if (o->domain_count > 0)
		qsort(o->domains, o->domain_count, sizeof(*o->domains),
		    by_domain);
	return rc;
}

static void
read_config(struct gateway_overlay *o, const struct settings_view *v)
{
	const struct setting *s =
	    settings_view_get(v, &setting_kind_gateway_config, "global");
	const char *secret = setting_secret(s, "DialbackPassphrase");

	o->connection_limit = (uint32_t)setting_integer(s, "ConnectionLimit");
	o->partner_connection_limit =
	    (uint32_t)setting_integer(s, "PartnerConnectionLimit");
	o->stream_establishment_ms =
	    1000 * (uint64_t)setting_integer(s, "StreamEstablishmentTimeout");
	o->stream_inactivity_ms =
	    1000 * (uint64_t)setting_integer(s, "StreamInactivityTimeout");
	o->keep_alive_ms =
	    1000 * (uint64_t)setting_integer(s, "KeepAliveInterval");
	o->subscribe_s =
	    (uint32_t)setting_integer(s, "SubscriptionRefreshInterval");
	o->bodies = setting_bool(s, "EnableLoggingAllMessageBodies");
	if (secret != NULL && strlen(secret) <= sizeof(o->dialback_secret)) {
		o->dialback_secret_len = strlen(secret);
		memcpy(o->dialback_secret, secret, o->dialback_secret_len);
	}
}

int
gateway_overlay_make(struct gateway_overlay *out, const struct settings_view *v,
    const struct gateway_conf *conf, char *why, size_t size)
{
	struct gateway_overlay o = { 0 };
	int rc;

	snprintf(why, size, "out of memory");
	read_config(&o, v);
	rc = read_partners(&o, v);
	if (rc == 0)
		rc = index_domains(&o, conf, why, size);
	if (rc == 0)
		*out = o;
	else
		gateway_overlay_finish(&o);
	return rc;
}

#define SWAP(a, b)                                                             \
	do {                                                                   \
		__typeof__(a) swapped = (a);                                   \
		(a) = (b);                                                     \
		(b) = swapped;                                                 \
	} while (0)

static void
swap_secret(struct gateway_overlay *o, struct gateway_conf *c)
{
	uint8_t secret[sizeof(o->dialback_secret)];

	static_assert(sizeof(o->dialback_secret) == sizeof(c->dialback_secret));
	memcpy(secret, o->dialback_secret, sizeof(secret));
	memcpy(o->dialback_secret, c->dialback_secret, sizeof(secret));
	memcpy(c->dialback_secret, secret, sizeof(secret));
	OPENSSL_cleanse(secret, sizeof(secret));
	SWAP(o->dialback_secret_len, c->dialback_secret_len);
}

void
gateway_overlay_swap(struct gateway_overlay *o, struct gateway_conf *c)
{
	SWAP(o->partners, c->partners);
	SWAP(o->partner_count, c->partner_count);
	SWAP(o->domains, c->domains);
	SWAP(o->domain_count, c->domain_count);
	SWAP(o->connection_limit, c->limits.connection_limit);
	SWAP(o->partner_connection_limit, c->limits.partner_connection_limit);
	SWAP(o->stream_establishment_ms, c->timers.stream_establishment_ms);
	SWAP(o->stream_inactivity_ms, c->timers.stream_inactivity_ms);
	SWAP(o->keep_alive_ms, c->timers.keep_alive_ms);
	SWAP(o->subscribe_s, c->presence.subscribe_s);
	SWAP(o->bodies, c->log.bodies);
	swap_secret(o, c);
}

void
gateway_overlay_finish(struct gateway_overlay *o)
{
	for (size_t i = 0; i < o->partner_count; i++) {
		struct gateway_partner *p = &o->partners[i];

		for (size_t k = 0; k < p->additional_count; k++)
			free(p->additional[k]);
		free(p->additional);
	}
	free(o->partners);
	free(o->domains);
	OPENSSL_cleanse(o->dialback_secret, sizeof(o->dialback_secret));
	*o = (struct gateway_overlay){ 0 };
}
