/* route_shared - see the header. */
#include "edge-proxy/route_shared.h"

#include <assert.h>

void
route_shared_drop(struct route_shared *r)
{
	assert(r->live > 0);
	if (--r->live == 0 && r->closing)
		clock_timer_start(&r->closed, 0);
}
