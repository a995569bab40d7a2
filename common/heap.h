/*
 * heap - how much of the heap is in use: what stands still while nothing
 * leaks.  The resident size, which the kernel knows, does not.
 */
#ifndef COMMON_HEAP_H
#define COMMON_HEAP_H

#include <stddef.h>

/* Bytes in blocks that were allocated and not freed; 0 where the allocator
 * does not tell (a sanitizer's). */
size_t heap_in_use(void);
/* Gives unused memory back to the system when there is much of it; what is in
 * use stays where it is. */
void heap_trim(void);

#endif
