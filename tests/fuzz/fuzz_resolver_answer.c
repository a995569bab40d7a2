/* Any bytes as an answer of a resolver that was taken over, and as a question
 * of streams that were. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "edge-proxy/resolver_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct resolver_records records;
	struct resolver_question q;
	struct dns_answer a;
	uint32_t id;

	if (resolver_wire_get_answer(&id, &a, &records, data, size) == 0) {
		if (a.count > DNS_RECORDS_MAX)
			abort();
		for (size_t i = 0; a.type == DNS_SRV && i < a.count; i++)
			if (strlen(a.srv[i].target) == 0)
				abort();
	}
	if (resolver_wire_get_question(&q, data, size) == 0 &&
	    strlen(q.name) != size - 6)
		abort();
	return 0;
}
