/*
 * token_bucket - so many at once, then so many a second.  Pure: the time is the
 * caller's.
 *
 * A zeroed bucket is full.  Rate and size may change from call to call.
 */
#ifndef COMMON_TOKEN_BUCKET_H
#define COMMON_TOKEN_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct token_bucket {
	uint64_t spent; /* thousandths of a token */
	uint64_t at_ms; /* when it was so */
};

/* Takes one, which there need not be.  0 when the next may follow at once; else
 * in how many milliseconds: then there are enough for some in a row. */
uint64_t token_bucket_take(struct token_bucket *b, uint32_t per_second,
    uint32_t at_once, uint64_t now_ms);
/* Takes as many as count if they are there; else none, and false. */
bool token_bucket_try(struct token_bucket *b, uint32_t per_second,
    uint32_t at_once, uint32_t count, uint64_t now_ms);
/* Takes so many, which there need not be: others wait until they are paid
 * back. */
void token_bucket_spend(struct token_bucket *b, uint32_t per_second,
    uint32_t count, uint64_t now_ms);

#endif
