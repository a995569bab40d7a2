#include "frontend-gateway/translate/image.h"

#include <assert.h>
#include <string.h>

#include "common/buf.h"
#include "common/utf8.h"

enum { LENGTH_BYTES = 2, TEXT_MAX = 65535 };

void
image_put(struct buf *out, uint64_t v, unsigned bytes)
{
	assert(bytes >= 1 && bytes <= 8);
	while (bytes-- > 0)
		buf_add_char(out, (char)(v >> 8 * bytes));
}

void
image_put_text(struct buf *out, const char *s)
{
	size_t len = s != NULL ? strlen(s) : 0;

	if (len > TEXT_MAX) {
		out->failed = true;
		return;
	}
	image_put(out, len, LENGTH_BYTES);
	buf_add(out, s, len);
}

struct image
image_of(const void *data, size_t len)
{
	return (struct image){ data, len, true };
}

uint64_t
image_get(struct image *i, unsigned bytes)
{
	uint64_t v = 0;

	assert(bytes >= 1 && bytes <= 8);
	if (!i->ok || i->left < bytes) {
		i->ok = false;
		return 0;
	}
	i->left -= bytes;
	while (bytes-- > 0)
		v = v << 8 | *i->at++;
	return v;
}

void
image_get_text(struct image *i, char *out, size_t size)
{
	size_t len = (size_t)image_get(i, LENGTH_BYTES);

	out[0] = '\0';
	if (!i->ok || len > i->left || len >= size ||
	    !utf8_valid_xml(i->at, len)) {
		i->ok = false;
		return;
	}
	/* With no bytes at may be NULL, which memcpy() must not see. */
	if (len > 0)
		memcpy(out, i->at, len);
	out[len] = '\0';
	i->at += len;
	i->left -= len;
}

bool
image_ended(const struct image *i)
{
	return i->ok && i->left == 0;
}
