/* Memory doubles as the content grows and is given back only by
 * buf_finish() and buf_trim(): most buffers live as long as a connection and reach the same
 * size again and again. */
#include "common/buf.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

enum { FIRST_CAP = 128 };

void
buf_init(struct buf *b, size_t limit)
{
	*b = (struct buf){ .limit = limit };
}

void
buf_finish(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ .limit = b->limit };
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
}

void
buf_trim(struct buf *b)
{
	uint8_t *data;

	if (b->len == 0) {
		free(b->data);
		b->data = NULL;
		b->cap = 0;
		return;
	}
	data = realloc(b->data, b->len);
	if (data == NULL)
		return;
	b->data = data;
	b->cap = b->len;
}

bool
buf_failed(const struct buf *b)
{
	return b->failed;
}

/* Makes the memory at least need bytes large; the limit is not asked. */
static int
reserve(struct buf *b, size_t need)
{
	size_t cap = b->cap;
	uint8_t *data;

	if (need <= cap)
		return 0;
	if (cap < FIRST_CAP)
		cap = FIRST_CAP;
	while (cap < need) {
		if (cap > SIZE_MAX / 2)
			return ERR_NOMEM;
		cap *= 2;
	}
	data = realloc(b->data, cap);
	if (data == NULL)
		return ERR_NOMEM;
	b->data = data;
	b->cap = cap;
	return 0;
}

/* Makes room for len more bytes, or marks the buffer failed. */
static int
make_room(struct buf *b, size_t len)
{
	int rc = 0;

	if (b->failed)
		return ERR_FULL;
	if (len > SIZE_MAX - b->len ||
	    (b->limit != 0 && len > b->limit - b->len))
		rc = ERR_FULL;
	else
		rc = reserve(b, b->len + len);
	if (rc < 0)
		b->failed = true;
	return rc;
}

int
buf_add(struct buf *b, const void *data, size_t len)
{
	int rc = make_room(b, len);

	if (rc < 0)
		return rc;
	if (len > 0)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	return 0;
}

int
buf_add_str(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

int
buf_add_char(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

int
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = buf_vaddf(b, fmt, ap);
	va_end(ap);
	return rc;
}

int
buf_vaddf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n, rc;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	assert(n >= 0);
	rc = make_room(b, (size_t)n);
	if (rc == 0)
		rc = reserve(b, b->len + (size_t)n + 1);
	if (rc < 0) {
		b->failed = true;
		return rc;
	}
	vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, ap);
	b->len += (size_t)n;
	return 0;
}

uint8_t *
buf_extend(struct buf *b, size_t len)
{
	uint8_t *at;

	/* The caller gets a pointer even for nothing. */
	if (make_room(b, len) < 0 || reserve(b, b->len + len + 1) < 0) {
		b->failed = true;
		return NULL;
	}
	at = b->data + b->len;
	b->len += len;
	return at;
}

void
buf_consume(struct buf *b, size_t len)
{
	assert(len <= b->len);
	b->len -= len;
	if (len > 0 && b->len > 0)
		memmove(b->data, b->data + len, b->len);
}

const char *
buf_cstr(struct buf *b)
{
	if (reserve(b, b->len + 1) < 0)
		return NULL;
	b->data[b->len] = '\0';
	return (const char *)b->data;
}
