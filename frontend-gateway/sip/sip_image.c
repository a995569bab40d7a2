/*
 * An image: 'S', version, kind; then what its writer puts.
 */
#include "frontend-gateway/sip/sip_image.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"

enum { MARK = 'S' };

void
sip_image_begin(struct buf *out, enum sip_image_kind kind)
{
	sip_image_put(out, MARK, 1);
	sip_image_put(out, SIP_IMAGE_VERSION, 1);
	sip_image_put(out, kind, 1);
}

void
sip_image_put(struct buf *out, uint64_t value, unsigned bytes)
{
	uint8_t raw[8];

	assert(bytes <= sizeof(raw));
	for (unsigned i = 0; i < bytes; i++)
		raw[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
	buf_add(out, raw, bytes);
}

int
sip_image_put_text(struct buf *out, const char *text)
{
	size_t len = strlen(text);

	if (len > SIP_IMAGE_TEXT_MAX)
		return ERR_TOO_LONG;
	sip_image_put(out, len, 2);
	buf_add(out, text, len);
	return 0;
}

int
sip_image_open(struct sip_image *im, const void *data, size_t len,
    enum sip_image_kind kind)
{
	uint64_t version;

	*im = (struct sip_image){ .at = data, .left = len };
	if (sip_image_get(im, 1) != MARK)
		return ERR_MALFORMED;
	version = sip_image_get(im, 1);
	if (im->failed)
		return ERR_MALFORMED;
	if (version != SIP_IMAGE_VERSION)
		return ERR_UNSUPPORTED;
	return sip_image_get(im, 1) == (uint64_t)kind ? 0 : ERR_MALFORMED;
}

/* The next len bytes, or NULL. */
static const uint8_t *
take(struct sip_image *im, size_t len)
{
	const uint8_t *at = im->at;

	if (im->failed || len > im->left) {
		im->failed = true;
		return NULL;
	}
	im->at += len;
	im->left -= len;
	return at;
}

uint64_t
sip_image_get(struct sip_image *im, unsigned bytes)
{
	const uint8_t *at = take(im, bytes);
	uint64_t value = 0;

	assert(bytes <= sizeof(value));
	for (unsigned i = 0; at != NULL && i < bytes; i++)
		value = value << 8 | at[i];
	return value;
}

char *
sip_image_text(struct sip_image *im)
{
	size_t len = (size_t)sip_image_get(im, 2);
	const uint8_t *at = NULL;
	char *text;

	if (len > SIP_IMAGE_TEXT_MAX)
		im->failed = true;
	else
		at = take(im, len);
	if (at == NULL)
		return NULL;
	for (size_t i = 0; i < len; i++)
		if ((at[i] < ' ' && at[i] != '\t') || at[i] == 0x7f) {
			im->failed = true;
			return NULL;
		}
	text = malloc(len + 1);
	if (text == NULL)
		return NULL;
	memcpy(text, at, len);
	text[len] = '\0';
	return text;
}

bool
sip_image_is_whole(const struct sip_image *im)
{
	return !im->failed && im->left == 0;
}
