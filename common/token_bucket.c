/* What is kept is what was spent, so that nothing is to be set up; a
 * millisecond pays back as many thousandths as there are tokens a second. */
#include "common/token_bucket.h"

enum { SOME_MS = 50, WHOLE = 1000 };

/* What has come back since. */
static void
pay_back(struct token_bucket *b, uint32_t per_second, uint64_t now_ms)
{
	uint64_t passed = now_ms > b->at_ms ? now_ms - b->at_ms : 0;
	uint64_t back = UINT64_MAX;

	if (passed < UINT64_MAX / ((uint64_t)per_second + 1))
		back = passed * per_second;
	b->spent = back < b->spent ? b->spent - back : 0;
	b->at_ms = now_ms;
}

uint64_t
token_bucket_take(struct token_bucket *b, uint32_t per_second, uint32_t at_once,
    uint64_t now_ms)
{
	uint64_t size = (uint64_t)at_once * WHOLE;

	pay_back(b, per_second, now_ms);
	b->spent += WHOLE;
	if (b->spent <= size || per_second == 0)
		return 0;
	return (b->spent - size + per_second - 1) / per_second + SOME_MS;
}

bool
token_bucket_try(struct token_bucket *b, uint32_t per_second, uint32_t at_once,
    uint32_t count, uint64_t now_ms)
{
	uint64_t size = (uint64_t)at_once * WHOLE;
	uint64_t want = (uint64_t)count * WHOLE;

	pay_back(b, per_second, now_ms);
	if (b->spent > size || want > size - b->spent)
		return false;
	b->spent += want;
	return true;
}

void
token_bucket_spend(struct token_bucket *b, uint32_t per_second, uint32_t count,
    uint64_t now_ms)
{
	pay_back(b, per_second, now_ms);
	b->spent += (uint64_t)count * WHOLE;
}
