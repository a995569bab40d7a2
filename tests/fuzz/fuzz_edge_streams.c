/* Reports of streams, as a captured edge might write them: each line of the
 * input is one report to the same table. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "frontend-gateway/edge_streams.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct edge_streams_report r;
	struct edge_streams *s;
	uint64_t now = 0;

	if (edge_streams_new(&s) < 0)
		abort();
	while (size > 0) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t len = end != NULL ? (size_t)(end - data) : size;

		now += EDGES_ENDED_MS / 3;
		if (edge_streams_report(s, &r, (const char *)data, len, now) ==
			0 &&
		    r.stream != NULL &&
		    edge_streams_find(s, r.id, strlen(r.id)) != r.stream)
			abort();
		size -= end != NULL ? len + 1 : len;
		data += end != NULL ? len + 1 : len;
	}
	edge_streams_free(s);
	return 0;
}
