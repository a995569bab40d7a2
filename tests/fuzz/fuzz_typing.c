/* Notices of typing: what is taken holds a bounded time. */
#include <stdint.h>
#include <stdlib.h>

#include "common/err.h"
#include "frontend-gateway/translate/typing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct typing_notice n = { 0 };
	int rc = typing_read(&n, data, size);

	if (rc != 0 && rc != ERR_MALFORMED && rc != ERR_UNSUPPORTED &&
	    rc != ERR_NOMEM)
		abort();
	if (rc != 0 && (n.active || n.refresh_s != 0))
		abort();
	return 0;
}
