/* Any bytes as the beginning of a connection behind a load balancer.  Cut
 * anywhere they mean the same, and nothing is read beyond what was asked for. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "edge-proxy/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header whole = { 0 }, piece = { 0 };
	size_t need = 0, len = 0, wanted = PROXY_HEADER_FIRST;
	const char *why = NULL;
	int rc, prc;

	rc = proxy_header_read(&whole, &need, data, size, &why);
	if (rc < 0 && rc != ERR_INCOMPLETE && why == NULL)
		abort();
	do {
		uint8_t *copy;

		len = wanted < size ? wanted : size;
		copy = malloc(len + 1);
		if (copy == NULL)
			return 0;
		memcpy(copy, data, len);
		prc = proxy_header_read(&piece, &wanted, copy, len, &why);
		free(copy);
		if (wanted > PROXY_HEADER_MAX)
			abort();
	} while (prc == ERR_INCOMPLETE && len < size);
	if (prc != rc ||
	    (rc == 0 && memcmp(&whole, &piece, sizeof(whole)) != 0))
		abort();
	return 0;
}
