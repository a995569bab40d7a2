/* Data of DNS records, as the operator's command takes it apart: the first
 * byte chooses the type. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "deploy/ask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int types[] = { ASK_A, ASK_AAAA, ASK_SRV, ASK_TLSA };
	struct ask_record r;

	if (size == 0)
		return 0;
	if (!ask_read_record(&r, types[data[0] % 4], data + 1, size - 1))
		return 0;
	if (memchr(r.text, '\0', sizeof(r.text)) == NULL)
		abort();
	for (const char *s = r.text; *s != '\0'; s++)
		if (*s < '!' || *s > '~')
			abort();
	return 0;
}
