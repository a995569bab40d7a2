/* Any bytes as the JSON of a config frame. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "edge-proxy/hosting_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hosting_generation *g = NULL;
	char why[512] = "";

	if (hosting_parse(&g, data, size, why, sizeof(why)) < 0) {
		if (g != NULL || why[0] == '\0')
			abort();
		return 0;
	}
	for (size_t i = 0; i < g->partner_count; i++)
		for (size_t k = 0; k < g->hosted_count; k++)
			if (strcmp(g->partners[i].partner.domain,
				g->hosted[k]) == 0)
				abort();
	hosting_generation_free(g);
	return 0;
}
