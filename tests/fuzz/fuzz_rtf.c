/* RTF as a client of the pool might send it: the text is fit for XML, the
 * formatted form passes the channel, both are bounded by the input, and the text
 * is the same whether or not the other was asked for. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/utf8.h"
#include "frontend-gateway/translate/rtf.h"
#include "proto/rich_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(int truth)
{
	if (!truth)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf text = { 0 }, rich = { 0 }, alone = { 0 };
	int rc = rtf_read(&text, &rich, (const char *)data, size);

	require(rtf_read(&alone, NULL, (const char *)data, size) == rc);
	require(alone.len == text.len);
	require(text.len == 0 || memcmp(alone.data, text.data, text.len) == 0);
	require(utf8_valid_xml(text.data, text.len));
	require(rich_body_valid((const char *)rich.data, rich.len));
	require(rc == 0 || text.len + rich.len == 0);
	/* Each word can close and open all elements of a look. */
	require(text.len <= 8 * size && rich.len <= 200 * size + 200);
	buf_finish(&text);
	buf_finish(&rich);
	buf_finish(&alone);
	return 0;
}
