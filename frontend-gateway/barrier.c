/*
 * Ids are numbered; what has to be remembered of each (which edge, when) lies
 * in a ring at its number, so the oldest is forgotten by being overwritten.
 * Everything else an answer must agree with is in the HMAC.
 */
#include "frontend-gateway/barrier.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/random.h"

enum { KEY_LEN = 32, MAC_LEN = 16, MAC_HEX = 2 * MAC_LEN };

static const char prefix[] = "sp1-";

struct slot {
	uint64_t counter; /* 0 = free; numbers begin at 1 */
	uint64_t made_ms;
	unsigned edge;
};

struct barrier {
	char node[BARRIER_NODE_MAX + 1];
	struct clock *clock;
	uint8_t key[KEY_LEN];
	uint64_t last;
	struct slot ring[BARRIER_OUTSTANDING];
};

int
barrier_new(struct barrier **out, const char *node, struct clock *clock)
{
	struct barrier *b;
	size_t len = strlen(node);

	if (len > BARRIER_NODE_MAX)
		return ERR_TOO_LONG;
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		return ERR_NOMEM;
	memcpy(b->node, node, len + 1);
	b->clock = clock;
	random_bytes(b->key, sizeof(b->key));
	*out = b;
	return 0;
}

void
barrier_free(struct barrier *b)
{
	if (b == NULL)
		return;
	OPENSSL_cleanse(b->key, sizeof(b->key));
	free(b);
}

/* The parts are joined by NUL, which none of them can hold. */
static void
mac(char out[static MAC_HEX + 1], const struct barrier *b, uint64_t counter,
    const char *edge_node, const char *local, const char *remote)
{
	char text[4 * 256 + 32];
	uint8_t md[EVP_MAX_MD_SIZE];
	unsigned md_len = 0;
	int len;

	len = snprintf(text, sizeof(text), "%" PRIx64 "%c%s%c%s%c%s", counter,
	    0, edge_node, 0, local, 0, remote);
	assert(len > 0 && (size_t)len < sizeof(text));
	if (HMAC(EVP_sha256(), b->key, KEY_LEN, (const uint8_t *)text,
		(size_t)len, md, &md_len) == NULL)
		abort();
	assert(md_len >= MAC_LEN);
	for (size_t i = 0; i < MAC_LEN; i++)
		snprintf(out + 2 * i, 3, "%02x", md[i]);
}

void
barrier_make(char out[static BARRIER_ID_SIZE], struct barrier *b, unsigned edge,
    const char *edge_node, const char *local, const char *remote)
{
	char hex[MAC_HEX + 1];
	struct slot *slot;
	int len;

	b->last++;
	slot = &b->ring[b->last % BARRIER_OUTSTANDING];
	slot->counter = b->last;
	slot->made_ms = clock_now_ms(b->clock);
	slot->edge = edge;
	mac(hex, b, b->last, edge_node, local, remote);
	len = snprintf(out, BARRIER_ID_SIZE, "%s%s-%" PRIx64 "-%s", prefix,
	    b->node, b->last, hex);
	assert(len > 0 && len < BARRIER_ID_SIZE);
}

/* Lower-case hex as barrier_make() writes it, without leading zeros. */
static bool
parse_counter(uint64_t *out, const char *s, size_t len)
{
	uint64_t v = 0;

	if (len == 0 || len > 16 || s[0] == '0')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (s[i] >= '0' && s[i] <= '9')
			v = v << 4 | (uint64_t)(s[i] - '0');
		else if (s[i] >= 'a' && s[i] <= 'f')
			v = v << 4 | (uint64_t)(s[i] - 'a' + 10);
		else
			return false;
	}
	*out = v;
	return true;
}

/* Cuts an id into counter and HMAC.  Node names may hold hyphens, so it is
 * read from its end. */
static int
parse(uint64_t *counter, const char **hex, const struct barrier *b,
    const char *id)
{
	size_t len = strlen(id), plen = sizeof(prefix) - 1;
	size_t nlen = strlen(b->node), cpos;

	if (len >= BARRIER_ID_SIZE || strncmp(id, prefix, plen) != 0)
		return ERR_MALFORMED;
	if (len < plen + MAC_HEX + 3 || id[len - MAC_HEX - 1] != '-')
		return ERR_MALFORMED;
	if (strncmp(id + plen, b->node, nlen) != 0 || id[plen + nlen] != '-')
		return ERR_NOT_FOUND;
	cpos = plen + nlen + 1;
	if (cpos >= len - MAC_HEX - 1)
		return ERR_MALFORMED;
	if (!parse_counter(counter, id + cpos, len - MAC_HEX - 1 - cpos))
		return ERR_MALFORMED;
	*hex = id + len - MAC_HEX;
	return 0;
}

int
barrier_verify(unsigned *edge, struct barrier *b, const char *id,
    const char *local, const char *remote, barrier_edge_fn *name, void *arg)
{
	char want[MAC_HEX + 1];
	const char *got, *edge_node;
	struct slot *slot;
	uint64_t counter;
	int rc;

	if (strlen(local) > 255 || strlen(remote) > 255)
		return ERR_MALFORMED;
	rc = parse(&counter, &got, b, id);
	if (rc < 0)
		return rc;
	slot = &b->ring[counter % BARRIER_OUTSTANDING];
	if (counter == 0 || slot->counter != counter)
		return ERR_NOT_FOUND;
	edge_node = name(slot->edge, arg);
	mac(want, b, counter, edge_node, local, remote);
	if (CRYPTO_memcmp(want, got, MAC_HEX) != 0)
		return ERR_DENIED;
	/* Only the true answer uses the id up. */
	slot->counter = 0;
	if (clock_now_ms(b->clock) - slot->made_ms > BARRIER_MAX_AGE_MS)
		return ERR_NOT_FOUND;
	*edge = slot->edge;
	return 0;
}
