/* dialback_ask - see the header. */
#include "edge-proxy/dialback_ask.h"

#include <stddef.h>

void
dialback_ask_cancel(struct dialback_ask *a)
{
	if (a->on_cancel != NULL)
		a->on_cancel(a);
	a->on_cancel = NULL;
}
