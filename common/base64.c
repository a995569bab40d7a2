/* Four digits at a time.  A quad is decoded whole and only then looked at for
 * bits that should be zero, so each text has exactly one accepted form. */
#include "common/base64.h"

#include "common/buf.h"
#include "common/err.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int
base64_encode(struct buf *out, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (; len >= 3; p += 3, len -= 3) {
		const char quad[4] = {
			alphabet[p[0] >> 2],
			alphabet[(p[0] & 3) << 4 | p[1] >> 4],
			alphabet[(p[1] & 15) << 2 | p[2] >> 6],
			alphabet[p[2] & 63],
		};
		buf_add(out, quad, 4);
	}
	if (len == 1) {
		const char quad[4] = { alphabet[p[0] >> 2],
			alphabet[(p[0] & 3) << 4], '=', '=' };
		buf_add(out, quad, 4);
	} else if (len == 2) {
		const char quad[4] = { alphabet[p[0] >> 2],
			alphabet[(p[0] & 3) << 4 | p[1] >> 4],
			alphabet[(p[1] & 15) << 2], '=' };
		buf_add(out, quad, 4);
	}
	return buf_failed(out) ? ERR_FULL : 0;
}

/* The value of a digit, or -1. */
static int
digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	if (c == '/')
		return 63;
	return -1;
}

/* Decodes four digits, of which the last pad are '=', into 3 - pad bytes. */
static int
decode_quad(uint8_t out[3], const char *s, int pad)
{
	uint32_t v = 0;

	for (int i = 0; i < 4; i++) {
		int d = i < 4 - pad ? digit(s[i]) : 0;

		if (d < 0)
			return ERR_MALFORMED;
		v = v << 6 | (uint32_t)d;
	}
	if ((pad == 1 && (v & 0xff) != 0) || (pad == 2 && (v & 0xffff) != 0))
		return ERR_MALFORMED;
	out[0] = (uint8_t)(v >> 16);
	out[1] = (uint8_t)(v >> 8);
	out[2] = (uint8_t)v;
	return 0;
}

int
base64_decode(struct buf *out, const char *s, size_t len)
{
	size_t before = out->len;
	int rc;

	if (len % 4 != 0)
		return ERR_MALFORMED;
	for (size_t i = 0; i < len; i += 4) {
		uint8_t bytes[3];
		int pad = 0;

		if (i + 4 == len && s[i + 3] == '=')
			pad = s[i + 2] == '=' ? 2 : 1;
		rc = decode_quad(bytes, s + i, pad);
		if (rc == 0)
			rc = buf_add(out, bytes, (size_t)(3 - pad));
		if (rc < 0) {
			out->len = before;
			return rc;
		}
	}
	return 0;
}
