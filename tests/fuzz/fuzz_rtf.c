/* RTF as a client of the pool might send it: what comes out is fit for XML,
 * or nothing. */
#include <stdint.h>
#include <stdlib.h>

#include "common/buf.h"
#include "common/utf8.h"
#include "frontend-gateway/translate/rtf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf text = { 0 };
	int rc = rtf_read(&text, (const char *)data, size);

	if (!utf8_valid_xml(text.data, text.len) || (rc < 0 && text.len > 0))
		abort();
	buf_finish(&text);
	return 0;
}
