/* Any bytes as one message between keeper and children. */
#include <stdint.h>
#include <stdlib.h>

#include "edge-proxy/keeper_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct keeper_blob blobs[KEEPER_BLOBS_MAX];
	enum keeper_message type;
	size_t length, count;

	if (keeper_wire_length(&length, data, size) < 0 || length > size)
		return 0;
	if (keeper_wire_decode(&type, blobs, &count, data, length) < 0)
		abort();
	for (size_t i = 0; i < count; i++)
		if (blobs[i].data < data ||
		    blobs[i].data + blobs[i].len > data + length)
			abort();
	return 0;
}
