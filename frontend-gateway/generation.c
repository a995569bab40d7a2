/*
 * The dialback secret is the file's, or else made from the store's, so that a
 * lone gateway needs none and several can share one.  The store remembers
 * which one is in use: it is not the one that is wanted until every edge has
 * been told of that.
 */
#include "frontend-gateway/generation.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "common/err.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/store/store.h"

/* What FIELD_JSON takes (proto/frame_table.h). */
enum { TEXT_MAX = 262000 };

static void
hex(char *out, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		snprintf(out + 2 * i, 3, "%02x", data[i]);
}

static void
hash_text(char out[static GENERATION_HASH_SIZE], const char *text, size_t len)
{
	uint8_t md[SHA256_DIGEST_LENGTH];

	SHA256((const uint8_t *)text, len, md);
	hex(out, md, sizeof(md));
}

/* Hands item over to the array; a failure shows in *ok. */
static void
append(json_t *array, json_t *item, bool *ok)
{
	if (json_array_append_new(array, item) < 0)
		*ok = false;
}

static void
set(json_t *object, const char *key, json_t *value, bool *ok)
{
	if (json_object_set_new(object, key, value) < 0)
		*ok = false;
}

static json_t *
hosted_json(const struct gateway_conf *c, bool *ok)
{
	json_t *all = json_array();

	for (size_t i = 0; i < c->hosted_count; i++)
		append(all, json_pack("{s:s}", "domain", c->hosted[i]), ok);
	return all;
}

static json_t *
partner_json(
    const struct gateway_conf *c, const struct gateway_partner *p, bool *ok)
{
	uint32_t limit = p->connection_limit != 0
			     ? p->connection_limit
			     : c->limits.partner_connection_limit;
	json_t *more = json_array();

	for (size_t i = 0; i < p->additional_count; i++)
		append(more, json_string(p->additional[i]), ok);
	return json_pack("{s:s,s:o,s:s,s:s,s:s,s:b,s:s,s:I,s:b}", "Domain",
	    p->domain, "AdditionalDomains", more, "PartnerType",
	    gateway_partner_type_str(p->type), "TlsNegotiation",
	    negotiation_str(p->tls), "SaslNegotiation",
	    negotiation_str(p->sasl), "SupportDialbackNegotiation", p->dialback,
	    "ProxyFqdn", p->proxy_fqdn, "ConnectionLimit", (json_int_t)limit,
	    "EnableKeepAlive", p->keep_alive);
}

static json_t *
partners_json(const struct gateway_conf *c, bool *ok)
{
	json_t *all = json_array();

	for (size_t i = 0; i < c->partner_count; i++)
		append(all, partner_json(c, &c->partners[i], ok), ok);
	return all;
}

static json_t *
base_json(const struct gateway_conf *c)
{
	const struct gateway_limits *l = &c->limits;
	const struct gateway_timers *t = &c->timers;

	/* The edge waits a little longer than we do, so that our answer, not
	 * its deadline, decides. */
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:s}",
	    "stream_establishment_ms", (json_int_t)t->stream_establishment_ms,
	    "stream_inactivity_ms", (json_int_t)t->stream_inactivity_ms,
	    "stream_silence_ms", (json_int_t)t->stream_silence_ms,
	    "inward_deadline_ms", (json_int_t)t->inward_ms + 5000,
	    "outward_deadline_ms", (json_int_t)t->outward_ms + 2000,
	    "inward_window", (json_int_t)l->inward_window, "stanza_max",
	    (json_int_t)l->stanza_bytes, "connection_limit",
	    (json_int_t)l->connection_limit, "queue_frames",
	    (json_int_t)l->route_frames, "queue_bytes",
	    (json_int_t)l->route_bytes, "language", c->messages.language);
}

/* What keeps crowds out of the edges. */
static json_t *
crowd_json(const struct gateway_limits *l)
{
	return json_pack("{s:I,s:I,s:I,s:I,s:I}", "half_open_limit",
	    (json_int_t)l->half_open_streams, "address_limit",
	    (json_int_t)l->address_streams, "address_half_open",
	    (json_int_t)l->address_half_open, "stanza_rate",
	    (json_int_t)l->stanzas_per_second, "memory_max",
	    (json_int_t)l->edge_memory_bytes);
}

static json_t *
settings_json(const struct gateway_conf *c)
{
	json_t *o = base_json(c), *crowd = crowd_json(&c->limits);

	if (o == NULL || crowd == NULL || json_object_update(o, crowd) != 0) {
		json_decref(o);
		o = NULL;
	}
	json_decref(crowd);
	return o;
}

/* The secret that keys are to be made with, in hex. */
static int
wanted_secret(char text[static STORE_DIALBACK_SIZE],
    const struct gateway_conf *c, const struct store_facts *facts)
{
	static const char label[] = "sallyport dialback";
	uint8_t md[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	static_assert(2 * sizeof(c->dialback_secret) < STORE_DIALBACK_SIZE);
	if (c->dialback_secret_len > 0) {
		hex(text, c->dialback_secret, c->dialback_secret_len);
		return 0;
	}
	if (HMAC(EVP_sha256(), facts->secret, STORE_SECRET_LEN,
		(const uint8_t *)label, sizeof(label) - 1, md, &len) == NULL)
		return ERR_NOMEM;
	hex(text, md, len);
	OPENSSL_cleanse(md, sizeof(md));
	return 0;
}

/* The secret in use and one that verifies as well: a new one before it is
 * used, else the one before. */
static json_t *
dialback_json(const struct store_facts *facts, const char *wanted)
{
	const char *second = strcmp(wanted, facts->dialback) != 0
				 ? wanted
				 : facts->dialback_before;

	if (second[0] == '\0')
		return json_pack("{s:s}", "current", facts->dialback);
	return json_pack(
	    "{s:s,s:s}", "current", facts->dialback, "previous", second);
}

/* NULL when there is no memory. */
static json_t *
content_json(const struct gateway_conf *c, const struct store_facts *facts,
    const char *wanted)
{
	json_t *root = json_object();
	bool ok = root != NULL;

	set(root, "hosted", hosted_json(c, &ok), &ok);
	set(root, "partners", partners_json(c, &ok), &ok);
	set(root, "dialback", dialback_json(facts, wanted), &ok);
	set(root, "settings", settings_json(c), &ok);
	if (ok)
		return root;
	json_decref(root);
	return NULL;
}

int
generation_make(struct generation *out, const struct gateway_conf *conf,
    struct store *store, char *why, size_t size)
{
	const struct store_facts *facts = store_facts(store);
	struct generation g = { 0 };
	char wanted[STORE_DIALBACK_SIZE] = "";
	json_t *root = NULL, *number;
	bool ok = true;
	int rc = wanted_secret(wanted, conf, facts);

	/* The first one has no other to make room for. */
	if (rc == 0 && facts->dialback[0] == '\0')
		rc = store_use_dialback(store, wanted, why, size);
	if (rc < 0)
		goto done;
	g.staged = strcmp(wanted, facts->dialback) != 0;
	rc = ERR_NOMEM;
	root = content_json(conf, facts, wanted);
	if (root != NULL)
		g.text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);
	if (g.text == NULL)
		goto done;
	hash_text(g.hash, g.text, strlen(g.text));
	free(g.text);
	g.text = NULL;
	rc = store_generation(&g.counter, store, g.hash, why, size);
	if (rc < 0)
		goto done;
	number = json_pack(
	    "{s:s,s:I}", "store", facts->id, "counter", (json_int_t)g.counter);
	set(root, "generation", number, &ok);
	if (ok)
		g.text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);
	rc = ERR_NOMEM;
	if (g.text == NULL)
		goto done;
	g.len = strlen(g.text);
	rc = ERR_TOO_LONG;
	if (g.len > TEXT_MAX)
		goto done;
	hash_text(g.hash, g.text, g.len);
	rc = 0;
	*out = g;
	g.text = NULL;

done:
	if (rc == ERR_TOO_LONG)
		snprintf(why, size,
		    "the partner table takes %zu bytes, edges take %d", g.len,
		    TEXT_MAX);
	else if (rc == ERR_NOMEM)
		snprintf(why, size, "out of memory");
	OPENSSL_cleanse(wanted, sizeof(wanted));
	free(g.text);
	json_decref(root);
	return rc;
}

int
generation_advance(const struct gateway_conf *conf, struct store *store,
    char *why, size_t size)
{
	char wanted[STORE_DIALBACK_SIZE];
	int rc = wanted_secret(wanted, conf, store_facts(store));

	if (rc == 0)
		rc = store_use_dialback(store, wanted, why, size);
	else
		snprintf(why, size, "%s", err_str(rc));
	OPENSSL_cleanse(wanted, sizeof(wanted));
	return rc;
}

void
generation_finish(struct generation *g)
{
	free(g->text);
	g->text = NULL;
}
