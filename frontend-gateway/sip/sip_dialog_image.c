/*
 * Dialogs that outlive the process: a number is kept ahead for our CSeq, so
 * that none is used twice.
 */
#include "frontend-gateway/sip/sip_dialog_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "frontend-gateway/sip/sip_image.h"

enum {
	RESERVE_STEP = 64,
	CSEQ_LIMIT = 0x7ffffff0 /* RFC 3261 8.1.1.5: below 2^31 */
};

/* One step stays in hand, so that the image with the next one has time to
 * reach the disk. */
bool
sip_dialog_reserve(struct sip_dialog *d)
{
	if (d->reserved_cseq >= d->local_cseq + RESERVE_STEP)
		return false;
	d->reserved_cseq = d->local_cseq + 2 * RESERVE_STEP;
	return true;
}

int
sip_dialog_save(struct buf *out, const struct sip_dialog *d)
{
	const char *const texts[] = { d->call_id, d->local_tag, d->remote_tag,
		d->local, d->remote, d->target };
	int rc = 0;

	assert(d->state == SIP_DIALOG_CONFIRMED && d->reserved_cseq != 0);
	sip_image_put(out, d->uac, 1);
	sip_image_put(out, d->reserved_cseq, 4);
	sip_image_put(out, d->remote_cseq_known, 1);
	sip_image_put(out, d->remote_cseq, 4);
	for (size_t i = 0; rc == 0 && i < sizeof(texts) / sizeof(*texts); i++)
		rc = sip_image_put_text(out, texts[i]);
	sip_image_put(out, d->route_count, 1);
	for (size_t i = 0; rc == 0 && i < d->route_count; i++)
		rc = sip_image_put_text(out, d->routes[i]);
	return rc;
}

static int
restore_routes(struct sip_dialog *d, struct sip_image *im)
{
	size_t count = (size_t)sip_image_get(im, 1);
	char **routes;

	if (count > SIP_DIALOG_ROUTES_MAX)
		return ERR_MALFORMED;
	if (count == 0)
		return 0;
	routes = calloc(count, sizeof(*routes));
	if (routes == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < count; i++) {
		routes[i] = sip_image_text(im);
		if (routes[i] == NULL) {
			sip_dialog_free_routes(routes, i);
			return im->failed ? ERR_MALFORMED : ERR_NOMEM;
		}
	}
	d->routes = routes;
	d->route_count = count;
	return 0;
}

/* Whether what was read can be put in messages. */
static bool
is_usable(const struct sip_dialog *d)
{
	char tag[SIP_DIALOG_TAG_SIZE];
	struct sip_addr a;

	if (*d->call_id == '\0' || strpbrk(d->call_id, " \t") != NULL ||
	    sip_dialog_tag_of(tag, d->local) < 0 ||
	    strcmp(tag, d->local_tag) != 0 ||
	    sip_addr_read(&a, d->remote, strlen(d->remote)) < 0 ||
	    sip_uri_check(d->target, strlen(d->target)) < 0)
		return false;
	for (size_t i = 0; i < d->route_count; i++)
		if (sip_uri_check(d->routes[i], strlen(d->routes[i])) < 0)
			return false;
	return true;
}

/* Call-ID and both tags. */
static int
restore_id(struct sip_dialog *d, struct sip_image *im)
{
	char *texts[3];
	int rc = 0;

	for (size_t i = 0; i < 3; i++)
		texts[i] = sip_image_text(im);
	if (texts[0] == NULL || texts[1] == NULL || texts[2] == NULL)
		rc = im->failed ? ERR_MALFORMED : ERR_NOMEM;
	else
		rc = sip_dialog_set_id(d, texts[0], texts[1], texts[2]);
	for (size_t i = 0; i < 3; i++)
		free(texts[i]);
	return rc;
}

int
sip_dialog_restore(struct sip_dialog *d, struct sip_image *im)
{
	uint64_t cseq;
	int rc;

	memset(d, 0, sizeof(*d));
	d->state = SIP_DIALOG_CONFIRMED;
	d->uac = sip_image_get(im, 1) != 0;
	cseq = sip_image_get(im, 4);
	d->remote_cseq_known = sip_image_get(im, 1) != 0;
	d->remote_cseq = (uint32_t)sip_image_get(im, 4);
	rc = restore_id(d, im);
	if (rc == 0) {
		d->local = sip_image_text(im);
		d->remote = sip_image_text(im);
		d->target = sip_image_text(im);
		if (d->local == NULL || d->remote == NULL || d->target == NULL)
			rc = im->failed ? ERR_MALFORMED : ERR_NOMEM;
	}
	if (rc == 0)
		rc = restore_routes(d, im);
	if (rc == 0 && (im->failed || cseq >= CSEQ_LIMIT || !is_usable(d)))
		rc = ERR_MALFORMED;
	if (rc < 0) {
		sip_dialog_finish(d);
		return rc;
	}
	d->local_cseq = d->reserved_cseq = (uint32_t)cseq;
	return 0;
}
