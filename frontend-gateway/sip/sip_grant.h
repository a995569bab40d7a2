/*
 * sip_grant - for how long a subscription is granted: by the clock while the
 * process lives, by the calendar in an image.
 *
 * Embedded; a zeroed one with a clock says that nothing was granted yet.
 */
#ifndef FRONTEND_GATEWAY_SIP_SIP_GRANT_H
#define FRONTEND_GATEWAY_SIP_SIP_GRANT_H

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct clock;
struct sip_image;

struct sip_grant {
	struct clock *clock; /* borrowed */
	uint64_t until;      /* on it */
	uint32_t seconds;    /* the whole of it */
	bool given;
};

/* From now on. */
void sip_grant_set(struct sip_grant *g, uint32_t seconds);
uint64_t sip_grant_left_ms(const struct sip_grant *g);
/* Its end in ms since 1970; 0 when nothing was granted. */
int64_t sip_grant_end_ms(const struct sip_grant *g);

void sip_grant_save(struct buf *out, const struct sip_grant *g);
/* What is left may be nothing; it is never more than the whole, even when the
 * wall clock was set back.  ERR_MALFORMED for more than max seconds. */
int sip_grant_restore(struct sip_grant *g, struct sip_image *im, uint32_t max);

#endif
