/*
 * hosting_parse - see the header.
 *
 * Straight down through the document; the first mistake ends it.  Two things
 * are refused that are well-formed and dangerous: a partner who carries the
 * name of a hosted domain, and a domain that is listed twice with settings
 * that could differ.
 */
#include "edge-proxy/hosting_parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/sha.h>

#include "common/conf.h"
#include "common/err.h"
#include "common/jid.h"

static const char *const types[] = { "Federated", "PublicVerified",
	"PublicUnverified" };
static const char *const negotiations[] = { "Required", "Optional",
	"NotSupported" };

/* Below it there is nothing to divide. */
enum { MEMORY_MAX_LEAST = 32 << 20 };

void
hosting_default_settings(struct hosting_settings *out)
{
	*out = (struct hosting_settings){
		.stream_establishment_ms = 60000,
		.stream_inactivity_ms = 600000,
		.stream_silence_ms = 60000,
		.keep_alive_ms = 300000,
		.inward_deadline_ms = 65000,
		.outward_deadline_ms = 30000,
		.inward_window = 500,
		.stanza_max = 262144,
		.connection_limit = 1000,
		.half_open_limit = 512,
		.address_limit = 500,
		.address_half_open = 64,
		.stanza_rate = 1000,
		.memory_max = (uint64_t)256 << 20,
		.queue_frames = 1000,
		.queue_bytes = 4 * 1024 * 1024,
	};
}

static void
read_generation(struct hosting_generation *g, struct conf_obj *root)
{
	struct conf_obj *o = conf_object(root, "generation", true);
	const char *store = conf_string(o, "store", NULL);
	size_t len = strlen(store);

	if (o == NULL)
		return;
	if (len == 0 || len >= sizeof(g->store))
		conf_fail(o, "store", "must have 1 to 64 characters");
	else
		for (size_t i = 0; i < len; i++)
			if (store[i] <= ' ' || store[i] >= 0x7f)
				conf_fail(o, "store", "is not printable");
	snprintf(g->store, sizeof(g->store), "%s", store);
	g->counter = (uint64_t)conf_int(o, "counter", -1, 0, INT64_MAX);
	if (g->counter == (uint64_t)-1)
		conf_fail(o, "counter", "is missing");
}

static bool
hosts(const struct hosting_generation *g, const char *domain)
{
	for (size_t i = 0; i < g->hosted_count; i++)
		if (strcmp(g->hosted[i], domain) == 0)
			return true;
	return false;
}

static int
read_hosted(struct hosting_generation *g, struct conf_obj *root)
{
	size_t n = conf_array(root, "hosted", true);

	if (n > HOSTING_DOMAINS_MAX) {
		conf_fail(root, "hosted",
		    "%zu domains, at most %d are possible", n,
		    HOSTING_DOMAINS_MAX);
		return 0;
	}
	if (n == 0)
		return 0;
	g->hosted = calloc(n, sizeof(*g->hosted));
	if (g->hosted == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		struct conf_obj *o = conf_array_object(root, "hosted", i);

		conf_domain(o, "domain", g->hosted[i], true);
		if (hosts(g, g->hosted[i]))
			conf_fail(o, "domain", "is listed twice");
		g->hosted_count = i + 1;
	}
	return 0;
}

/* A row whose domain is already filled in joins the table. */
static void
add_row(struct hosting_generation *g, struct hosting_partner_row *row,
    struct conf_obj *o, const char *key)
{
	if (hosts(g, row->partner.domain))
		conf_fail(o, key, "%s is a hosted domain", row->partner.domain);
	else if (map_put(&g->by_domain, &row->node, row->partner.domain,
		     strlen(row->partner.domain)) == ERR_EXISTS)
		conf_fail(o, key, "%s is listed twice", row->partner.domain);
	g->partner_count++;
}

static void
read_partner(struct hosting_generation *g, struct conf_obj *o)
{
	struct hosting_partner_row *row = &g->partners[g->partner_count];
	struct partner p = { 0 };
	size_t n;

	conf_domain(o, "Domain", p.domain, true);
	memcpy(p.primary, p.domain, sizeof(p.primary));
	p.type = (enum partner_type)conf_enum(
	    o, "PartnerType", types, 3, PARTNER_PUBLIC_UNVERIFIED);
	p.tls = (enum negotiation)conf_enum(
	    o, "TlsNegotiation", negotiations, 3, NEG_REQUIRED);
	p.sasl = (enum negotiation)conf_enum(
	    o, "SaslNegotiation", negotiations, 3, NEG_REQUIRED);
	p.dialback = conf_bool(o, "SupportDialbackNegotiation", true);
	p.keep_alive = conf_bool(o, "EnableKeepAlive", true);
	if (conf_string(o, "ProxyFqdn", "")[0] != '\0')
		conf_domain(o, "ProxyFqdn", p.proxy_fqdn, true);
	p.connection_limit =
	    (uint32_t)conf_int(o, "ConnectionLimit", 20, 1, UINT32_MAX);
	p.methods = negotiation_judge(p.tls, p.sasl, p.dialback).methods;
	g->methods |= p.methods;
	if (p.methods == 0)
		conf_fail(o, NULL, "permits no way to authenticate");
	row->partner = p;
	add_row(g, row, o, "Domain");
	n = conf_array(o, "AdditionalDomains", false);
	for (size_t i = 0; i < n && g->partner_count < HOSTING_PARTNERS_MAX;
	     i++) {
		const char *s = conf_array_string(o, "AdditionalDomains", i);
		char key[48];

		snprintf(key, sizeof(key), "AdditionalDomains/%zu", i);
		row = &g->partners[g->partner_count];
		row->partner = p;
		if (jid_domain_ascii(row->partner.domain,
			sizeof(row->partner.domain), s, strlen(s)) < 0)
			conf_fail(o, key, "\"%.200s\" is not a domain name", s);
		add_row(g, row, o, key);
	}
}

/* How many rows the partners make; the table is allocated once, since the map
 * holds on to its rows. */
static size_t
count_rows(struct conf_obj *root, size_t n)
{
	size_t rows = n;

	for (size_t i = 0; i < n; i++)
		rows += conf_array(conf_array_object(root, "partners", i),
		    "AdditionalDomains", false);
	return rows;
}

static int
read_partners(struct hosting_generation *g, struct conf_obj *root)
{
	size_t n = conf_array(root, "partners", true);
	size_t rows;

	if (n == 0 || n > HOSTING_PARTNERS_MAX)
		rows = n;
	else
		rows = count_rows(root, n);
	if (rows > HOSTING_PARTNERS_MAX) {
		conf_fail(root, "partners",
		    "%zu domains, at most %d are possible", rows,
		    HOSTING_PARTNERS_MAX);
		return 0;
	}
	if (rows == 0)
		return 0;
	g->partners = calloc(rows, sizeof(*g->partners));
	if (g->partners == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		struct conf_obj *o = conf_array_object(root, "partners", i);

		if (o == NULL)
			break;
		read_partner(g, o);
	}
	return 0;
}

/* A secret is an even number of hex digits. */
static void
read_secret(char *out, struct conf_obj *o, const char *key, bool required)
{
	const char *s =
	    required ? conf_string(o, key, NULL) : conf_string(o, key, "");
	size_t len = strlen(s);

	if (o == NULL || (len == 0 && !required))
		return;
	if (len < 32 || len > HOSTING_SECRET_MAX || len % 2 != 0 ||
	    strspn(s, "0123456789abcdefABCDEF") != len) {
		conf_fail(
		    o, key, "must be 32 to %d hex digits", HOSTING_SECRET_MAX);
		return;
	}
	memcpy(out, s, len + 1);
}

/* What keeps crowds out. */
static void
read_crowd_settings(struct hosting_settings *s, struct conf_obj *o)
{
	s->half_open_limit = (uint32_t)conf_int(
	    o, "half_open_limit", s->half_open_limit, 1, UINT32_MAX);
	s->address_limit = (uint32_t)conf_int(
	    o, "address_limit", s->address_limit, 1, UINT32_MAX);
	s->address_half_open = (uint32_t)conf_int(
	    o, "address_half_open", s->address_half_open, 1, UINT32_MAX);
	s->stanza_rate =
	    (uint32_t)conf_int(o, "stanza_rate", s->stanza_rate, 0, 1000000);
	s->memory_max = (uint64_t)conf_int(o, "memory_max",
	    (int64_t)s->memory_max, MEMORY_MAX_LEAST, INT64_C(1) << 40);
}

static void
read_settings(struct hosting_settings *s, struct conf_obj *root)
{
	struct conf_obj *o = conf_object(root, "settings", false);
	const char *language;

	hosting_default_settings(s);
	if (o == NULL)
		return;
	s->stream_establishment_ms =
	    (uint64_t)conf_int(o, "stream_establishment_ms",
		(int64_t)s->stream_establishment_ms, 1000, 3600000);
	s->stream_inactivity_ms = (uint64_t)conf_int(o, "stream_inactivity_ms",
	    (int64_t)s->stream_inactivity_ms, 10000, 86400000);
	s->stream_silence_ms = (uint64_t)conf_int(o, "stream_silence_ms",
	    (int64_t)s->stream_silence_ms, 1000, 3600000);
	s->keep_alive_ms = (uint64_t)conf_int(
	    o, "keep_alive_ms", (int64_t)s->keep_alive_ms, 1000, 86400000);
	/* A gateway that does not say so takes no stanzas of such streams. */
	s->bidi = conf_bool(o, "bidi", false);
	s->bodies = conf_bool(o, "bodies", false);
	s->inward_deadline_ms = (uint64_t)conf_int(o, "inward_deadline_ms",
	    (int64_t)s->inward_deadline_ms, 1000, 600000);
	s->outward_deadline_ms = (uint64_t)conf_int(o, "outward_deadline_ms",
	    (int64_t)s->outward_deadline_ms, 500, 600000);
	s->inward_window =
	    (uint32_t)conf_int(o, "inward_window", s->inward_window, 1, 10000);
	s->stanza_max =
	    (uint32_t)conf_int(o, "stanza_max", s->stanza_max, 10000, 1048576);
	s->connection_limit = (uint32_t)conf_int(
	    o, "connection_limit", s->connection_limit, 1, UINT32_MAX);
	read_crowd_settings(s, o);
	s->queue_frames =
	    (uint32_t)conf_int(o, "queue_frames", s->queue_frames, 1, 100000);
	s->queue_bytes = (uint32_t)conf_int(
	    o, "queue_bytes", s->queue_bytes, 65536, 268435456);
	language = conf_string(o, "language", "");
	if (strlen(language) < sizeof(s->language))
		memcpy(s->language, language, strlen(language) + 1);
	else
		conf_fail(o, "language", "longer than %zu characters",
		    sizeof(s->language) - 1);
}

/* SHA-256 of the text as it was sent. */
static int
hash_text(char out[65], const void *json, size_t len)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];

	if (SHA256(json, len, digest) == NULL) {
		ERR_clear_error();
		return ERR_NOMEM;
	}
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

int
hosting_parse(struct hosting_generation **out, const void *json, size_t len,
    char *why, size_t size)
{
	struct hosting_generation *g = calloc(1, sizeof(*g));
	struct conf *doc = conf_parse("config", json, len);
	struct conf_obj *root, *o;
	int rc = ERR_NOMEM;

	snprintf(why, size, "%s", err_str(rc));
	if (g == NULL || doc == NULL || map_init(&g->by_domain) < 0)
		goto fail;
	root = conf_root(doc);
	rc = hash_text(g->hash, json, len);
	if (rc < 0)
		goto fail;
	read_generation(g, root);
	rc = read_hosted(g, root);
	if (rc == 0)
		rc = read_partners(g, root);
	if (rc < 0)
		goto fail;
	o = conf_object(root, "dialback", false);
	if (o != NULL) {
		read_secret(g->dialback_current, o, "current", true);
		read_secret(g->dialback_previous, o, "previous", false);
	}
	read_settings(&g->settings, root);
	if (conf_failed(doc)) {
		snprintf(why, size, "%s", conf_error(doc));
		rc = ERR_CONFIG;
		goto fail;
	}
	conf_finish(doc);
	*out = g;
	return 0;

fail:
	conf_finish(doc);
	hosting_generation_free(g);
	return rc;
}

void
hosting_generation_free(struct hosting_generation *g)
{
	if (g == NULL)
		return;
	map_finish(&g->by_domain);
	free(g->hosted);
	free(g->partners);
	OPENSSL_cleanse(g, sizeof(*g));
	free(g);
}
