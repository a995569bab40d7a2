#include "frontend-gateway/settings/settings_slice.h"

#include <uv.h>

enum { NS_OF_MS = 1000000 };

void
settings_slice_begin(struct settings_slice *s)
{
	s->end_ns = uv_hrtime() + (uint64_t)SETTINGS_SLICE_MS * NS_OF_MS;
	s->left = SETTINGS_SLICE_STEPS;
}

bool
settings_slice_has_room(struct settings_slice *s)
{
	if (s->left == 0 ||
	    (s->left < SETTINGS_SLICE_STEPS && uv_hrtime() >= s->end_ns))
		return false;
	s->left--;
	return true;
}
