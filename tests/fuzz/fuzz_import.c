/*
 * fuzz_import - a file that is said to come from PowerShell, in any encoding.
 * What becomes a setting has a key and an object; what does not is told.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/buf.h"
#include "deploy/import_read.h"
#include "deploy/import_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct import im;
	struct buf b;

	buf_init(&b, 1 << 20);
	if (import_init(&im) < 0 || buf_add(&b, data, size) < 0)
		abort();
	if (import_text_decode(&b) == 0 &&
	    import_read(&im, "f", (const char *)b.data, b.len) < 0)
		abort();
	for (size_t i = 0; i < im.count; i++)
		if (im.settings[i].noun == NULL ||
		    im.settings[i].key[0] == '\0' ||
		    !json_is_object(im.settings[i].object))
			abort();
	import_finish(&im);
	buf_finish(&b);
	return 0;
}
