#include "common/heap.h"

#include <malloc.h>

/* Unused bytes worth the time that it takes to find them. */
enum { MUCH = 8 * 1024 * 1024 };

size_t
heap_in_use(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

void
heap_trim(void)
{
	if (mallinfo2().fordblks > MUCH)
		malloc_trim(0);
}
