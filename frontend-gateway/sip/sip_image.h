/*
 * sip_image - pieces of the images in which subscriptions outlive the
 * process: numbers big-endian, texts with their length before them.  Pure.
 *
 * An image comes from our own store, but a disk can lie: reading is bounded,
 * a failure is sticky, and whoever reads checks once, at the end.
 */
#ifndef FRONTEND_GATEWAY_SIP_SIP_IMAGE_H
#define FRONTEND_GATEWAY_SIP_SIP_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

enum { SIP_IMAGE_VERSION = 1, SIP_IMAGE_TEXT_MAX = 8192 };

/* What an image is of. */
enum sip_image_kind { SIP_IMAGE_SUBSCRIBER = 1, SIP_IMAGE_NOTIFIER = 2 };

/* Failures are the buffer's (buf_failed()). */
void sip_image_begin(struct buf *out, enum sip_image_kind kind);
void sip_image_put(struct buf *out, uint64_t value, unsigned bytes);
/* ERR_TOO_LONG past SIP_IMAGE_TEXT_MAX; nothing is written then. */
int sip_image_put_text(struct buf *out, const char *text);

struct sip_image {
	const uint8_t *at;
	size_t left;
	bool failed;
};
/* ERR_MALFORMED, ERR_UNSUPPORTED (another version). */
int sip_image_open(struct sip_image *im, const void *data, size_t len,
    enum sip_image_kind kind);
/* 0 once the image has failed. */
uint64_t sip_image_get(struct sip_image *im, unsigned bytes);
/* A copy to free(), without control characters; NULL when the image has failed
 * or there is no memory. */
char *sip_image_text(struct sip_image *im);
/* Whether all was read and nothing failed. */
bool sip_image_is_whole(const struct sip_image *im);

#endif
