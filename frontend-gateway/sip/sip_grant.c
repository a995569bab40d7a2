/*
 * What was granted is kept whole beside what is left of it: an image may lie
 * about the time of day, but not grant more than the peer did.
 */
#include "frontend-gateway/sip/sip_grant.h"

#include "common/clock.h"
#include "common/err.h"
#include "frontend-gateway/sip/sip_image.h"

void
sip_grant_set(struct sip_grant *g, uint32_t seconds)
{
	g->given = true;
	g->seconds = seconds;
	g->until = clock_now_ms(g->clock) + (uint64_t)seconds * 1000;
}

uint64_t
sip_grant_left_ms(const struct sip_grant *g)
{
	uint64_t now = clock_now_ms(g->clock);

	return g->until > now ? g->until - now : 0;
}

int64_t
sip_grant_end_ms(const struct sip_grant *g)
{
	if (!g->given)
		return 0;
	return clock_wall_ms(g->clock) + (int64_t)g->until -
	       (int64_t)clock_now_ms(g->clock);
}

void
sip_grant_save(struct buf *out, const struct sip_grant *g)
{
	sip_image_put(out, (uint64_t)sip_grant_end_ms(g), 8);
	sip_image_put(out, g->seconds, 4);
}

int
sip_grant_restore(struct sip_grant *g, struct sip_image *im, uint32_t max)
{
	uint64_t end_ms = sip_image_get(im, 8);
	uint32_t seconds = (uint32_t)sip_image_get(im, 4);
	int64_t left;

	if (im->failed || end_ms > INT64_MAX || seconds > max)
		return ERR_MALFORMED;
	left = (int64_t)end_ms - clock_wall_ms(g->clock);
	if (left < 0)
		left = 0;
	if (left > (int64_t)seconds * 1000)
		left = (int64_t)seconds * 1000;
	g->given = true;
	g->seconds = seconds;
	g->until = clock_now_ms(g->clock) + (uint64_t)left;
	return 0;
}
