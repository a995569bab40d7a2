/*
 * The image: grant, label, dialog.
 */
#include "frontend-gateway/sip/sip_subscriber.h"

#include "common/buf.h"
#include "common/err.h"
#include "common/random.h"
#include "frontend-gateway/sip/sip_image.h"
#include "frontend-gateway/sip/sip_subscriber_impl.h"

enum { SPREAD_DEFAULT_S = 60 };

int
sip_subscriber_save(struct buf *out, const struct sip_subscriber *s)
{
	int rc;

	if (!sip_subscriber_is_lasting(s) || s->d->reserved_cseq == 0)
		return ERR_BAD_STATE;
	sip_image_begin(out, SIP_IMAGE_SUBSCRIBER);
	sip_grant_save(out, &s->grant);
	sip_image_put(out, s->label, 4);
	rc = sip_dialog_save(out, s->d);
	if (rc == 0 && buf_failed(out))
		rc = ERR_NOMEM;
	return rc;
}

/* What stands before the dialog. */
static int
read_head(struct sip_subscriber *s, struct sip_image *im, const void *data,
    size_t len)
{
	int rc = sip_image_open(im, data, len, SIP_IMAGE_SUBSCRIBER);

	if (rc == 0)
		rc = sip_grant_restore(
		    &s->grant, im, SIP_SUBSCRIBER_GRANT_MAX_S);
	if (rc < 0)
		return rc;
	s->label = (uint32_t)sip_image_get(im, 4);
	if (im->failed)
		return ERR_MALFORMED;
	return sip_grant_left_ms(&s->grant) > 0 ? 0 : ERR_TIMEOUT;
}

/* An overdue refresh waits for a random moment, so that not all go out at
 * once; but not until half of the rest is gone. */
static uint64_t
first_refresh_ms(const struct sip_subscriber *s, uint32_t spread_s)
{
	uint64_t due = sip_subscriber_refresh_ms(s);
	uint64_t half = sip_grant_left_ms(&s->grant) / 2;
	uint64_t spread = spread_s != 0 ? spread_s : SPREAD_DEFAULT_S;

	spread *= 1000;
	if (due >= spread)
		return due;
	if (spread > half)
		spread = half;
	return spread > 0 ? random_below((uint32_t)spread) : 0;
}

int
sip_subscriber_restore(struct sip_subscriber **out, struct sip_ua *ua,
    const struct sip_subscriber_opts *opts, const void *image, size_t len)
{
	struct sip_subscriber *s = sip_subscriber_new(ua, opts);
	struct sip_image im;
	int rc;

	if (s == NULL)
		return ERR_NOMEM;
	rc = read_head(s, &im, image, len);
	if (rc == 0)
		rc = sip_ua_dialog_restore(
		    &s->d, ua, &im, &sip_subscriber_owner, s);
	if (rc == 0 && (!sip_image_is_whole(&im) || !sip_dialog_is_uac(s->d)))
		rc = ERR_MALFORMED;
	if (rc < 0) {
		sip_subscriber_free(s);
		return rc;
	}
	s->notified = true;
	s->changes = s->d->changes;
	s->dirty = sip_dialog_reserve(s->d);
	sip_subscriber_set_state(s, LIVE);
	clock_timer_start(&s->timer, first_refresh_ms(s, opts->spread_s));
	*out = s;
	return 0;
}
