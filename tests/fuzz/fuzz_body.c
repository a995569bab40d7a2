/* A Content-Type up to the first line end, then a body.  Text that is taken
 * must be fit for XML and survive the way to SIP and back. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/utf8.h"
#include "frontend-gateway/translate/body.h"
#include "proto/rich_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct body_rules rules = { .limit = BODY_LIMIT };
static const struct body_rules lenient = { .limit = BODY_LIMIT,
	.replace = true };
static const struct body_rules unlimited = { .limit = SIZE_MAX };

static void
require(int truth)
{
	if (!truth)
		abort();
}

static void
check_text(const struct buf *text)
{
	const char *s = (const char *)text->data;
	struct buf sip = { 0 }, back = { 0 };
	struct body_part part = { .content_type = BODY_CONTENT_TYPE };

	require(text->len <= BODY_TEXT_MAX);
	require(utf8_valid_xml(s, text->len));
	require(memchr(s, '\r', text->len) == NULL);
	require(body_to_sip(&sip, s, text->len, SIZE_MAX) == 0);
	/* One line end is dropped, as is a byte order mark. */
	require(buf_add(&sip, "\r\n", 2) == 0);
	part.data = sip.data;
	part.len = sip.len;
	require(body_from_sip(&back, NULL, &part, &unlimited) == 0);
	if (text->len < 3 || memcmp(s, "\xef\xbb\xbf", 3) != 0)
		require(back.len == text->len &&
			memcmp(back.data, s, back.len) == 0);
	buf_finish(&sip);
	buf_finish(&back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
	struct body_part part = { 0 };
	struct buf text = { 0 }, rich = { 0 };
	char type[512];
	int status;
	size_t n;

	if (end == NULL || (size_t)(end - data) >= sizeof(type))
		return 0;
	n = (size_t)(end - data);
	memcpy(type, data, n);
	type[n] = '\0';
	part.content_type = type;
	part.data = end + 1;
	part.len = size - n - 1;
	status = body_from_sip(&text, &rich, &part, &rules);
	require(status == 0 || text.len + rich.len == 0);
	require(rich.len <= RICH_BODY_MAX);
	require(rich_body_valid((char *)rich.data, rich.len));
	if (text.len > 0)
		check_text(&text);
	buf_clear(&text);
	/* Nothing is malformed in the characters then. */
	if (body_from_sip(&text, NULL, &part, &lenient) == 0 && text.len > 0)
		check_text(&text);
	buf_clear(&text);
	if (body_to_sip(&text, (const char *)part.data, part.len, BODY_LIMIT) <
	    0)
		require(text.len == 0);
	buf_finish(&text);
	buf_finish(&rich);
	return 0;
}
