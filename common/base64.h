/* base64 - RFC 4648 section 4, strict: no white space, padding required and
 * zero padding bits, as RFC 6120 13.9.1 demands of SASL. */
#ifndef COMMON_BASE64_H
#define COMMON_BASE64_H

#include <stddef.h>
#include <stdint.h>

struct buf;

/* Appends.  0, ERR_FULL, ERR_NOMEM; decode also ERR_MALFORMED (out is then as
 * before). */
int base64_encode(struct buf *out, const void *data, size_t len);
int base64_decode(struct buf *out, const char *s, size_t len);

#endif
