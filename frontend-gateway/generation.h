/*
 * generation - the configuration as the edges are told it (proto/CHANNEL.md).
 *
 * Two texts of one configuration: its content, whose hash decides whether it
 * has changed since the last start, and the text that is sent, which carries
 * the number of the generation as well.  Pure but for allocation.
 *
 * A dialback secret that is new comes into use in two generations
 * (proto/CHANNEL.md, config): the first has it as the second secret, which
 * edges verify with; generation_advance() makes the other one possible, once
 * every edge has confirmed the first.
 */
#ifndef GATEWAY_GENERATION_H
#define GATEWAY_GENERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

struct gateway_conf;
struct store;

enum { GENERATION_HASH_SIZE = 65 };

struct generation {
	char *text; /* JSON, for FIELD_JSON */
	size_t len;
	uint64_t counter;
	bool staged; /* a new dialback secret waits for generation_advance() */
	char hash[GENERATION_HASH_SIZE]; /* of the text, hex of SHA-256 */
};

/* One that has no number yet. */
struct generation_draft {
	json_t *content;
	bool staged;
	char hash[GENERATION_HASH_SIZE]; /* of the content */
};

/* In two steps, for whoever has the store number it by himself (the hash is
 * what it counts by).  Errors as below. */
int
generation_draft(struct generation_draft *out, const struct gateway_conf *conf,
    const struct store *store, char *why, size_t size);
/* ERR_NOMEM. */
int generation_number(struct generation *out, const struct generation_draft *d,
    const struct store *store, uint64_t counter);
void generation_draft_finish(struct generation_draft *d);

/* Numbers the configuration in the store and writes its text.  Errors:
 * ERR_STORE, ERR_NOMEM, ERR_TOO_LONG (more than a frame takes), with words
 * for an admin in why. */
int generation_make(struct generation *out, const struct gateway_conf *conf,
    struct store *store, char *why, size_t size);
/* Every edge knows the secret that was staged: keys are made with it from the
 * next generation_make() on.  ERR_STORE, ERR_NOMEM. */
int generation_advance(const struct gateway_conf *conf, struct store *store,
    char *why, size_t size);
void generation_finish(struct generation *g);

#endif
