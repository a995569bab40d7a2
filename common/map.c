/* Separate chaining; the table doubles when it holds as many nodes as slots.
 * SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF"). */
#include "common/map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/random.h"

enum { FIRST_SLOTS = 16 };

static struct {
	uint8_t bytes[16];
	bool drawn;
} process_key;

static uint64_t
load_le64(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 7; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

static uint64_t
rotl(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static void
sip_rounds(uint64_t v[4], int n)
{
	while (n-- > 0) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotl(v[1], 13) ^ v[0];
		v[3] = rotl(v[3], 16) ^ v[2];
		v[0] = rotl(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotl(v[1], 17) ^ v[2];
		v[3] = rotl(v[3], 21) ^ v[0];
		v[2] = rotl(v[2], 32);
	}
}

uint64_t
map_hash(const uint8_t key[16], const void *data, size_t len)
{
	const uint64_t k0 = load_le64(key), k1 = load_le64(key + 8);
	uint64_t v[4] = {
		k0 ^ 0x736f6d6570736575u,
		k1 ^ 0x646f72616e646f6du,
		k0 ^ 0x6c7967656e657261u,
		k1 ^ 0x7465646279746573u,
	};
	uint8_t last[8] = { 0 };
	const uint8_t *p = data;
	uint64_t m;

	last[7] = (uint8_t)len;
	for (; len >= 8; p += 8, len -= 8) {
		m = load_le64(p);
		v[3] ^= m;
		sip_rounds(v, 2);
		v[0] ^= m;
	}
	if (len > 0)
		memcpy(last, p, len);
	m = load_le64(last);
	v[3] ^= m;
	sip_rounds(v, 2);
	v[0] ^= m;
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

int
map_init(struct map *m)
{
	if (!process_key.drawn) {
		random_bytes(process_key.bytes, sizeof(process_key.bytes));
		process_key.drawn = true;
	}
	*m = (struct map){ 0 };
	m->slots = calloc(FIRST_SLOTS, sizeof(*m->slots));
	if (m->slots == NULL)
		return ERR_NOMEM;
	m->slot_count = FIRST_SLOTS;
	return 0;
}

void
map_finish(struct map *m)
{
	free(m->slots);
	*m = (struct map){ 0 };
}

static struct map_node **
slot_of(const struct map *m, uint64_t hash)
{
	return &m->slots[hash & (m->slot_count - 1)];
}

/* Doubles the table.  Without memory the chains just get longer. */
static void
grow(struct map *m)
{
	struct map bigger = { .slot_count = m->slot_count * 2,
		.count = m->count };

	bigger.slots = calloc(bigger.slot_count, sizeof(*bigger.slots));
	if (bigger.slots == NULL)
		return;
	for (size_t i = 0; i < m->slot_count; i++) {
		for (struct map_node *n = m->slots[i], *next; n; n = next) {
			struct map_node **slot = slot_of(&bigger, n->hash);

			next = n->next;
			n->next = *slot;
			*slot = n;
		}
	}
	free(m->slots);
	*m = bigger;
}

static struct map_node *
find(const struct map *m, uint64_t hash, const void *key, size_t len)
{
	if (m->slot_count == 0)
		return NULL;
	for (struct map_node *n = *slot_of(m, hash); n != NULL; n = n->next)
		if (n->hash == hash && n->key_len == len &&
		    (len == 0 || memcmp(n->key, key, len) == 0))
			return n;
	return NULL;
}

int
map_put(struct map *m, struct map_node *n, const void *key, size_t len)
{
	uint64_t hash = map_hash(process_key.bytes, key, len);
	struct map_node **slot;

	assert(m->slot_count > 0 && !n->in);
	if (find(m, hash, key, len) != NULL)
		return ERR_EXISTS;
	if (m->count >= m->slot_count)
		grow(m);
	slot = slot_of(m, hash);
	*n = (struct map_node){ .next = *slot,
		.key = key,
		.key_len = len,
		.hash = hash,
		.in = true };
	*slot = n;
	m->count++;
	return 0;
}

struct map_node *
map_get(const struct map *m, const void *key, size_t len)
{
	return find(m, map_hash(process_key.bytes, key, len), key, len);
}

struct map_node *
map_any(const struct map *m)
{
	for (size_t i = 0; m->count > 0 && i < m->slot_count; i++)
		if (m->slots[i] != NULL)
			return m->slots[i];
	return NULL;
}

void
map_remove(struct map *m, struct map_node *n)
{
	struct map_node **at;

	if (!n->in)
		return;
	at = slot_of(m, n->hash);
	while (*at != n) {
		assert(*at != NULL);
		at = &(*at)->next;
	}
	*at = n->next;
	n->next = NULL;
	n->in = false;
	m->count--;
}

void
map_each(struct map *m, map_each_fn *fn, void *arg)
{
	for (size_t i = 0; i < m->slot_count; i++)
		for (struct map_node *n = m->slots[i], *next; n; n = next) {
			next = n->next;
			fn(n, arg);
		}
}
