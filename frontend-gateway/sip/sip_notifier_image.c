/*
 * The image: grant, label, id of Event, dialog.
 */
#include "frontend-gateway/sip/sip_notifier.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "frontend-gateway/sip/sip_image.h"
#include "frontend-gateway/sip/sip_notifier_impl.h"

enum { GRANT_MAX_S = 31536000 };

int
sip_notifier_save(struct buf *out, const struct sip_notifier *n)
{
	int rc;

	if (n->gone || n->d == NULL || n->state > ACTIVE)
		return ERR_BAD_STATE;
	sip_image_begin(out, SIP_IMAGE_NOTIFIER);
	sip_grant_save(out, &n->grant);
	sip_image_put(out, n->label, 4);
	rc = sip_image_put_text(out, n->id != NULL ? n->id : "");
	if (rc == 0)
		rc = sip_dialog_save(out, n->d);
	if (rc == 0 && buf_failed(out))
		rc = ERR_NOMEM;
	return rc;
}

/* What stands before the dialog. */
static int
read_head(
    struct sip_notifier *n, struct sip_image *im, const void *data, size_t len)
{
	int rc = sip_image_open(im, data, len, SIP_IMAGE_NOTIFIER);

	if (rc == 0)
		rc = sip_grant_restore(&n->grant, im, GRANT_MAX_S);
	if (rc < 0)
		return rc;
	n->label = (uint32_t)sip_image_get(im, 4);
	n->id = sip_image_text(im);
	if (n->id == NULL)
		return im->failed ? ERR_MALFORMED : ERR_NOMEM;
	if (strlen(n->id) > SIP_EVENT_ID_MAX)
		return ERR_MALFORMED;
	if (*n->id == '\0') {
		free(n->id);
		n->id = NULL;
	}
	return 0;
}

int
sip_notifier_restore(struct sip_notifier **out, struct sip_ua *ua,
    const struct sip_notifier_opts *opts, const void *image, size_t len)
{
	struct sip_notifier *n = sip_notifier_new(ua, opts);
	struct sip_image im;
	int rc;

	if (n == NULL)
		return ERR_NOMEM;
	rc = read_head(n, &im, image, len);
	if (rc == 0)
		rc = sip_ua_dialog_restore(
		    &n->d, ua, &im, &sip_notifier_owner, n);
	if (rc == 0 && (!sip_image_is_whole(&im) || sip_dialog_is_uac(n->d)))
		rc = ERR_MALFORMED;
	if (rc < 0) {
		sip_notifier_free(n);
		return rc;
	}
	n->changes = n->d->changes;
	n->dirty = sip_dialog_reserve(n->d);
	sip_notifier_activate(n);
	*out = n;
	return 0;
}
