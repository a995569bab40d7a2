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

/* What FIELD_JSON takes (proto/frame_table.h), and what of it the generation's
 * own number may take. */
enum { TEXT_MAX = 262000, NUMBER_MAX = 128 };

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

/* What edges take a member that is not there for (proto/CHANNEL.md); a thousand
 * partners fit a frame because most members are not there. */
static const struct gateway_partner usual = {
	.type = GATEWAY_PUBLIC_UNVERIFIED,
	.tls = NEG_REQUIRED,
	.sasl = NEG_REQUIRED,
	.dialback = true,
	.keep_alive = true,
	.connection_limit = 20,
};

static void
set_partner(json_t *row, const struct gateway_conf *c,
    const struct gateway_partner *p, bool *ok)
{
	uint32_t limit = p->connection_limit != 0
			     ? p->connection_limit
			     : c->limits.partner_connection_limit;

	set(row, "Domain", json_string(p->domain), ok);
	if (p->type != usual.type)
		set(row, "PartnerType",
		    json_string(gateway_partner_type_str(p->type)), ok);
	if (p->tls != usual.tls)
		set(row, "TlsNegotiation", json_string(negotiation_str(p->tls)),
		    ok);
	if (p->sasl != usual.sasl)
		set(row, "SaslNegotiation",
		    json_string(negotiation_str(p->sasl)), ok);
	if (p->dialback != usual.dialback)
		set(row, "SupportDialbackNegotiation",
		    json_boolean(p->dialback), ok);
	if (p->keep_alive != usual.keep_alive)
		set(row, "EnableKeepAlive", json_boolean(p->keep_alive), ok);
	if (p->proxy_fqdn[0] != '\0')
		set(row, "ProxyFqdn", json_string(p->proxy_fqdn), ok);
	if (limit != usual.connection_limit)
		set(row, "ConnectionLimit", json_integer((json_int_t)limit),
		    ok);
}

static json_t *
partner_json(
    const struct gateway_conf *c, const struct gateway_partner *p, bool *ok)
{
	json_t *row = json_object(), *more;

	set_partner(row, c, p, ok);
	if (p->additional_count == 0)
		return row;
	more = json_array();
	for (size_t i = 0; i < p->additional_count; i++)
		append(more, json_string(p->additional[i]), ok);
	set(row, "AdditionalDomains", more, ok);
	return row;
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
	return json_pack(
	    "{s:I,s:I,s:I,s:b,s:b,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:s}",
	    "stream_establishment_ms", (json_int_t)t->stream_establishment_ms,
	    "stream_inactivity_ms", (json_int_t)t->stream_inactivity_ms,
	    "keep_alive_ms", (json_int_t)t->keep_alive_ms, "bidi",
	    (int)c->streams.bidirectional, "bodies", (int)c->log.bodies,
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
generation_draft(struct generation_draft *out, const struct gateway_conf *conf,
    const struct store *store, char *why, size_t size)
{
	const struct store_facts *facts = store_facts(store);
	struct store_facts first;
	struct generation_draft d = { 0 };
	char wanted[STORE_DIALBACK_SIZE] = "";
	char *text = NULL;
	int rc = wanted_secret(wanted, conf, facts);

	/* The first one has no other to make room for. */
	first = *facts;
	if (first.dialback[0] == '\0')
		memcpy(first.dialback, wanted, sizeof(first.dialback));
	if (rc == 0) {
		d.staged = strcmp(wanted, first.dialback) != 0;
		d.content = content_json(conf, &first, wanted);
	}
	if (d.content != NULL)
		text = json_dumps(d.content, JSON_COMPACT | JSON_SORT_KEYS);
	if (text == NULL) {
		snprintf(why, size, "out of memory");
		rc = ERR_NOMEM;
	} else if (strlen(text) > TEXT_MAX - NUMBER_MAX) {
		snprintf(why, size,
		    "the partner table takes %zu bytes, edges take %d",
		    strlen(text), TEXT_MAX - NUMBER_MAX);
		rc = ERR_TOO_LONG;
	} else {
		hash_text(d.hash, text, strlen(text));
		rc = 0;
	}
	OPENSSL_cleanse(wanted, sizeof(wanted));
	OPENSSL_cleanse(&first, sizeof(first));
	free(text);
	if (rc == 0)
		*out = d;
	else
		generation_draft_finish(&d);
	return rc;
}

int
generation_number(struct generation *out, const struct generation_draft *d,
    const struct store *store, uint64_t counter)
{
	struct generation g = { .counter = counter, .staged = d->staged };
	json_t *number = json_pack("{s:s,s:I}", "store", store_facts(store)->id,
	    "counter", (json_int_t)counter);

	if (json_object_set_new(d->content, "generation", number) == 0)
		g.text = json_dumps(d->content, JSON_COMPACT | JSON_SORT_KEYS);
	if (g.text == NULL)
		return ERR_NOMEM;
	g.len = strlen(g.text);
	hash_text(g.hash, g.text, g.len);
	*out = g;
	return 0;
}

void
generation_draft_finish(struct generation_draft *d)
{
	json_decref(d->content);
	d->content = NULL;
}

/* The very first secret is in use from the start. */
static int
use_first_secret(const struct gateway_conf *conf, struct store *store,
    char *why, size_t size)
{
	if (store_facts(store)->dialback[0] != '\0')
		return 0;
	return generation_advance(conf, store, why, size);
}

int
generation_make(struct generation *out, const struct gateway_conf *conf,
    struct store *store, char *why, size_t size)
{
	struct generation_draft d = { 0 };
	uint64_t counter;
	int rc = use_first_secret(conf, store, why, size);

	if (rc == 0)
		rc = generation_draft(&d, conf, store, why, size);
	if (rc == 0)
		rc = store_generation(&counter, store, d.hash, why, size);
	if (rc == 0) {
		rc = generation_number(out, &d, store, counter);
		if (rc < 0)
			snprintf(why, size, "%s", err_str(rc));
	}
	generation_draft_finish(&d);
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
