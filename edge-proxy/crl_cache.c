/*
 * crl_cache - see the header.
 *
 *   wanted ─► fetching ─► held ─► (fetched again at half of its life)
 *                └─────► failed ─► (asked for again after a while)
 *
 * An entry is found by address and issuer's key: two authorities that point to
 * one address do not judge each other's list.
 */
#include "edge-proxy/crl_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/log_limit.h"
#include "edge-proxy/http_fetch.h"
#include "edge-proxy/http_url.h"

enum {
	ENTRIES_MAX = 64,
	FETCHES_MAX = 8,
	LIST_MAX = 8 * 1024 * 1024,
	ALL_MAX = 32 * 1024 * 1024,
	FETCH_MS = 5000,
	SKEW_MS = 5 * 60 * 1000,
	FRESH_MIN_MS = 60 * 1000,
	FRESH_MAX_MS = 4 * 60 * 60 * 1000,
	RETRY_MS = 60 * 1000
};

enum entry_state { WANTED, FETCHING, HELD, FAILED };

static const char *const state_names[] = { "wanted", "fetching", "held",
	"failed" };

struct entry {
	struct list all; /* least recently asked for first */
	struct crl_cache *cache;
	char url[HTTP_URL_MAX + 1];
	unsigned char issuer[EVP_MAX_MD_SIZE]; /* hash of its public key */
	X509 *issuer_cert;
	enum entry_state state;
	struct http_fetch *fetch;
	struct list waiters;
	X509_CRL *list; /* also while a newer one is fetched */
	size_t bytes;
	int64_t until_ms, again_ms; /* since 1970 */
	char why[120];
};

struct crl_cache {
	const struct http_fetch_place *place;
	void (*on_change)(void *arg);
	void *arg;
	struct list entries;
	size_t count, fetches, bytes;
	struct log log;
};

void
crl_waiter_init(struct crl_waiter *w, void (*fn)(struct crl_waiter *w))
{
	list_init(&w->node);
	w->fn = fn;
}

void
crl_waiter_stop(struct crl_waiter *w)
{
	list_remove(&w->node);
}

static int64_t
now_ms(const struct crl_cache *c)
{
	return clock_wall_ms(c->place->clock);
}

/* --- entries ------------------------------------------------------------- */

static void
drop_list(struct entry *e)
{
	if (e->list == NULL)
		return;
	e->cache->bytes -= e->bytes;
	X509_CRL_free(e->list);
	e->list = NULL;
	e->bytes = 0;
}

static void
free_entry(struct entry *e)
{
	http_fetch_close(e->fetch);
	if (e->state == FETCHING)
		e->cache->fetches--;
	LIST_FOREACH_SAFE (it, &e->waiters)
		list_remove(it);
	drop_list(e);
	X509_free(e->issuer_cert);
	list_remove(&e->all);
	e->cache->count--;
	free(e);
}

/* Gives up entries that nobody waits for until there is room. */
static void
make_room(struct crl_cache *c, size_t entries, size_t bytes)
{
	LIST_FOREACH_SAFE (it, &c->entries) {
		struct entry *e = list_entry(it, struct entry, all);

		if (c->count + entries <= ENTRIES_MAX &&
		    c->bytes + bytes <= ALL_MAX)
			return;
		if (e->state == HELD || e->state == FAILED)
			free_entry(e);
	}
}

static bool
hash_key(unsigned char out[static EVP_MAX_MD_SIZE], X509 *issuer)
{
	unsigned len = 0;

	memset(out, 0, EVP_MAX_MD_SIZE);
	return X509_pubkey_digest(issuer, EVP_sha256(), out, &len) == 1;
}

static struct entry *
find(struct crl_cache *c, const char *url, const unsigned char *issuer)
{
	LIST_FOREACH (it, &c->entries) {
		struct entry *e = list_entry(it, struct entry, all);

		if (strcmp(e->url, url) == 0 &&
		    memcmp(e->issuer, issuer, EVP_MAX_MD_SIZE) == 0)
			return e;
	}
	return NULL;
}

static struct entry *
add(struct crl_cache *c, const char *url, const unsigned char *key,
    X509 *issuer)
{
	struct entry *e;

	make_room(c, 1, 0);
	if (c->count >= ENTRIES_MAX)
		return NULL;
	e = calloc(1, sizeof(*e));
	if (e == NULL)
		return NULL;
	e->cache = c;
	snprintf(e->url, sizeof(e->url), "%s", url);
	memcpy(e->issuer, key, sizeof(e->issuer));
	X509_up_ref(issuer);
	e->issuer_cert = issuer;
	e->state = FAILED; /* for no time: it is fetched at once */
	list_init(&e->waiters);
	list_append(&c->entries, &e->all);
	c->count++;
	return e;
}

/* --- judging what came --------------------------------------------------- */

static bool
read_time(int64_t *ms, const ASN1_TIME *t)
{
	struct tm tm;

	if (t == NULL || ASN1_TIME_to_tm(t, &tm) != 1)
		return false;
	*ms = (int64_t)timegm(&tm) * 1000;
	return true;
}

/* Why a list does not count; NULL when it does, with its times. */
static const char *
refusal(const struct entry *e, X509_CRL *list, int64_t *from, int64_t *until)
{
	int64_t now = now_ms(e->cache);
	EVP_PKEY *key = X509_get0_pubkey(e->issuer_cert);

	if (X509_NAME_cmp(X509_CRL_get_issuer(list),
		X509_get_subject_name(e->issuer_cert)) != 0)
		return "the list is another authority's";
	if (key == NULL || X509_CRL_verify(list, key) != 1)
		return "the list is not signed by the authority";
	if (!read_time(from, X509_CRL_get0_lastUpdate(list)) ||
	    !read_time(until, X509_CRL_get0_nextUpdate(list)))
		return "the list does not say until when it is in force";
	if (*from > now + SKEW_MS)
		return "the list is not yet in force";
	if (*until <= now)
		return "the list is out of date";
	return NULL;
}

/* When to ask for a newer one. */
static int64_t
again_at(int64_t now, int64_t from, int64_t until)
{
	int64_t ms = from + (until - from) / 2 - now;

	if (ms > FRESH_MAX_MS)
		ms = FRESH_MAX_MS;
	if (ms < FRESH_MIN_MS)
		ms = FRESH_MIN_MS;
	return now + ms;
}

/* NULL, or why what came is of no use. */
static const char *
take_list(struct entry *e, const struct buf *body)
{
	const unsigned char *p = body->data;
	X509_CRL *list = d2i_X509_CRL(NULL, &p, (long)body->len);
	int64_t from, until;
	const char *why = "it is no revocation list";

	if (list != NULL && p == body->data + body->len)
		why = refusal(e, list, &from, &until);
	ERR_clear_error();
	if (why != NULL) {
		X509_CRL_free(list);
		return why;
	}
	drop_list(e);
	make_room(e->cache, 0, body->len);
	e->list = list;
	e->bytes = body->len;
	e->cache->bytes += e->bytes;
	e->until_ms = until;
	e->again_ms = again_at(now_ms(e->cache), from, until);
	return NULL;
}

/* --- fetching ------------------------------------------------------------ */

static void start_wanted(struct crl_cache *c);

/* The entry may go meanwhile: one of them asks for another, which wants its
 * room.  One may also stop another. */
static void
call_waiters(struct entry *e)
{
	struct list ready, *n;

	list_init(&ready);
	LIST_FOREACH_SAFE (it, &e->waiters) {
		list_remove(it);
		list_append(&ready, it);
	}
	while ((n = list_first(&ready)) != NULL) {
		struct crl_waiter *w = list_entry(n, struct crl_waiter, node);

		list_remove(&w->node);
		w->fn(w);
	}
}

static void
on_fetched(int rc, const char *why, const struct buf *body, void *arg)
{
	struct entry *e = arg;
	struct crl_cache *c = e->cache;

	e->fetch = NULL;
	c->fetches--;
	/* Not as fetching: that one's room is not given up. */
	if (rc == 0)
		why = take_list(e, body);
	if (rc == 0 && why == NULL) {
		e->state = HELD;
		e->why[0] = '\0';
		log_info(&c->log, "list-fetched", "url=%s bytes=%zu", e->url,
		    e->bytes);
	} else {
		e->state = e->list != NULL ? HELD : FAILED;
		e->again_ms = now_ms(c) + RETRY_MS;
		snprintf(e->why, sizeof(e->why), "%s", why);
		log_limited_warn(&c->log, NULL, "list-not-fetched",
		    "url=%s reason=%s", e->url, e->why);
	}
	call_waiters(e);
	start_wanted(c);
	if (c->on_change != NULL)
		c->on_change(c->arg);
}

static void
start(struct entry *e)
{
	const struct http_fetch_opts opts = {
		.place = e->cache->place,
		.url = e->url,
		.answer_max = LIST_MAX,
		.limit_ms = FETCH_MS,
		.on_done = on_fetched,
		.arg = e,
	};
	int rc = http_fetch_open(&e->fetch, &opts);

	if (rc == 0) {
		e->state = FETCHING;
		e->cache->fetches++;
		return;
	}
	/* Only without memory: the address was parsed before. */
	e->state = e->list != NULL ? HELD : FAILED;
	e->again_ms = now_ms(e->cache) + RETRY_MS;
	snprintf(e->why, sizeof(e->why), "%s", err_str(rc));
}

static void
start_wanted(struct crl_cache *c)
{
	LIST_FOREACH (it, &c->entries) {
		struct entry *e = list_entry(it, struct entry, all);

		if (c->fetches >= FETCHES_MAX)
			return;
		if (e->state == WANTED)
			start(e);
	}
}

enum crl_cache_answer
crl_cache_get(struct crl_cache *c, struct crl_cache_got *got, const char *url,
    X509 *issuer, struct crl_waiter *w)
{
	unsigned char key[EVP_MAX_MD_SIZE];
	struct entry *e = NULL;

	*got = (struct crl_cache_got){ .why = "no room for it" };
	if (!hash_key(key, issuer))
		return CRL_CACHE_FAILED;
	e = find(c, url, key);
	if (e == NULL)
		e = add(c, url, key, issuer);
	if (e == NULL)
		return CRL_CACHE_FAILED;
	list_remove(&e->all);
	list_append(&c->entries, &e->all);
	if (e->list != NULL && e->until_ms <= now_ms(c))
		drop_list(e);
	if ((e->state == HELD || e->state == FAILED) &&
	    e->again_ms <= now_ms(c)) {
		e->state = WANTED;
		start_wanted(c);
	}
	if (e->state == WANTED || e->state == FETCHING) {
		list_append(&e->waiters, &w->node);
		return CRL_CACHE_COMING;
	}
	got->why = e->why;
	if (e->list == NULL)
		return CRL_CACHE_FAILED;
	got->list = e->list;
	got->fresh_s = (uint32_t)((e->again_ms - now_ms(c)) / 1000 + 1);
	return CRL_CACHE_HELD;
}

/* --- life ---------------------------------------------------------------- */

int
crl_cache_new(struct crl_cache **out, const struct http_fetch_place *place,
    void (*on_change)(void *arg), void *arg)
{
	struct crl_cache *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return ERR_NOMEM;
	c->place = place;
	c->on_change = on_change;
	c->arg = arg;
	list_init(&c->entries);
	log_init(&c->log, "crl_cache");
	*out = c;
	return 0;
}

void
crl_cache_free(struct crl_cache *c)
{
	if (c == NULL)
		return;
	LIST_FOREACH_SAFE (it, &c->entries)
		free_entry(list_entry(it, struct entry, all));
	free(c);
}

json_t *
crl_cache_describe(const struct crl_cache *c)
{
	json_t *all = json_array();

	LIST_FOREACH (it, &c->entries) {
		const struct entry *e = list_entry(it, struct entry, all);
		const STACK_OF(X509_REVOKED) *revoked =
		    e->list != NULL ? X509_CRL_get_REVOKED(e->list) : NULL;

		(void)json_array_append_new(all,
		    json_pack("{s:s, s:s, s:I, s:I, s:i, s:s}", "url", e->url,
			"state", state_names[e->state], "until_s",
			(json_int_t)(e->list != NULL ? e->until_ms / 1000 : 0),
			"bytes", (json_int_t)e->bytes, "revoked",
			revoked != NULL ? sk_X509_REVOKED_num(revoked) : 0,
			"why", e->why));
	}
	return all;
}
