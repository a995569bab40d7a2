/*
 * An entry is found by a digest of id, from, to and body.  Settled entries
 * stand in a list by age; pending ones stand in none, so they cannot be pushed
 * out while somebody holds them.
 */
#include "frontend-gateway/conversation/duplicates.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>

#include "common/err.h"
#include "common/list.h"
#include "common/map.h"

enum { DIGEST_LEN = 32, DEFAULT_MAX = 65536 };

struct duplicate {
	struct map_node node;
	struct list by_age; /* settled only */
	uint8_t digest[DIGEST_LEN];
	char stream[DUPLICATES_STREAM_SIZE];
	bool pending;
	uint64_t settled_ms;
	void *owner;
};

struct duplicates {
	struct map map;
	struct list by_age; /* oldest first */
	size_t max;
};

int
duplicates_new(struct duplicates **out, size_t max)
{
	struct duplicates *d = calloc(1, sizeof(*d));
	int rc;

	if (d == NULL)
		return ERR_NOMEM;
	rc = map_init(&d->map);
	if (rc < 0) {
		free(d);
		return rc;
	}
	list_init(&d->by_age);
	d->max = max != 0 ? max : DEFAULT_MAX;
	*out = d;
	return 0;
}

static void
drop(struct duplicates *d, struct duplicate *e)
{
	map_remove(&d->map, &e->node);
	list_remove(&e->by_age);
	free(e);
}

static void
on_each(struct map_node *n, void *arg)
{
	drop(arg, map_entry(n, struct duplicate, node));
}

void
duplicates_free(struct duplicates *d)
{
	if (d == NULL)
		return;
	map_each(&d->map, on_each, d);
	map_finish(&d->map);
	free(d);
}

/* Each part with its NUL, so that no two rows of parts read the same. */
static bool
digest(uint8_t out[static DIGEST_LEN], const struct duplicates_copy *c)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok;

	ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
	     EVP_DigestUpdate(ctx, c->id, strlen(c->id) + 1) == 1 &&
	     EVP_DigestUpdate(ctx, c->from, strlen(c->from) + 1) == 1 &&
	     EVP_DigestUpdate(ctx, c->to, strlen(c->to) + 1) == 1 &&
	     EVP_DigestUpdate(ctx, c->body, c->body_len) == 1 &&
	     EVP_DigestFinal_ex(ctx, out, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	return ok;
}

static void
forget_old(struct duplicates *d, uint64_t now_ms)
{
	while (!list_empty(&d->by_age)) {
		struct duplicate *e =
		    list_entry(d->by_age.next, struct duplicate, by_age);

		if (now_ms - e->settled_ms < DUPLICATES_AGE_MS &&
		    d->map.count < d->max)
			return;
		drop(d, e);
	}
}

static void
set_stream(struct duplicate *e, const char *stream)
{
	snprintf(e->stream, sizeof(e->stream), "%s", stream);
}

static struct duplicate *
add(struct duplicates *d, const uint8_t *key, const char *stream)
{
	struct duplicate *e;

	if (d->map.count >= d->max)
		return NULL;
	e = calloc(1, sizeof(*e));
	if (e == NULL)
		return NULL;
	memcpy(e->digest, key, DIGEST_LEN);
	set_stream(e, stream);
	list_init(&e->by_age);
	e->pending = true;
	if (map_put(&d->map, &e->node, e->digest, DIGEST_LEN) < 0) {
		free(e);
		return NULL;
	}
	return e;
}

enum duplicates_verdict
duplicates_look(struct duplicates *d, struct duplicate **entry,
    const struct duplicates_copy *copy, uint64_t now_ms,
    duplicates_broken_fn *broken, void *arg)
{
	uint8_t key[DIGEST_LEN];
	struct map_node *n;
	struct duplicate *e;

	*entry = NULL;
	if (copy->id == NULL || copy->id[0] == '\0' || !digest(key, copy))
		return DUPLICATES_NEW;
	forget_old(d, now_ms);
	n = map_get(&d->map, key, sizeof(key));
	if (n == NULL) {
		*entry = add(d, key, copy->stream);
		return DUPLICATES_NEW;
	}
	e = map_entry(n, struct duplicate, node);
	if (!broken(e->stream, arg)) {
		/* A sender who uses an id twice means two messages.  The first
		 * one keeps the entry while it is under way. */
		if (e->pending)
			return DUPLICATES_NEW;
		drop(d, e);
		*entry = add(d, key, copy->stream);
		return DUPLICATES_NEW;
	}
	set_stream(e, copy->stream);
	if (!e->pending)
		return DUPLICATES_DELIVERED;
	*entry = e;
	return DUPLICATES_PENDING;
}

void
duplicates_set_owner(struct duplicate *e, void *owner)
{
	e->owner = owner;
}

void *
duplicates_owner(const struct duplicate *e)
{
	return e->owner;
}

void
duplicates_settle(
    struct duplicates *d, struct duplicate *e, bool delivered, uint64_t now_ms)
{
	if (e == NULL)
		return;
	assert(e->pending);
	if (!delivered) {
		drop(d, e);
		return;
	}
	e->pending = false;
	e->owner = NULL;
	e->settled_ms = now_ms;
	list_append(&d->by_age, &e->by_age);
}
