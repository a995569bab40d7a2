/* Any bytes into app_invite_read(); what declines it is two lines and one of
 * ours, and is no invitation itself. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "frontend-gateway/translate/app_invite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct app_invite in, back;
	struct buf out;
	/* Exactly as long as it is, so that reading past the end shows. */
	uint8_t *copy = malloc(size > 0 ? size : 1);

	if (copy == NULL)
		return 0;
	if (size > 0)
		memcpy(copy, data, size);
	if (app_invite_read(&in, copy, size) == 0 && in.asks) {
		buf_init(&out, 0);
		if (app_invite_decline(&out, &in) < 0 ||
		    app_invite_read(&back, out.data, out.len) < 0 ||
		    back.asks || strcmp(back.cookie, in.cookie) != 0)
			abort();
		buf_finish(&out);
	}
	free(copy);
	return 0;
}
