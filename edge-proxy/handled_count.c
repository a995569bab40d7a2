#include "edge-proxy/handled_count.h"

#include <assert.h>
#include <stdlib.h>

#include "common/err.h"

int
handled_count_init(struct handled_count *c, size_t window)
{
	size_t size = 64;

	assert(window > 0 && window <= SIZE_MAX / 4);
	while (size < window)
		size *= 2;
	*c = (struct handled_count){ .window = window, .size = size };
	c->finished = calloc(size, 1);
	return c->finished != NULL ? 0 : ERR_NOMEM;
}

void
handled_count_finish(struct handled_count *c)
{
	free(c->finished);
	c->finished = NULL;
}

static uint8_t *
flag(const struct handled_count *c, uint64_t number)
{
	return &c->finished[number & (c->size - 1)];
}

int
handled_count_begin(struct handled_count *c, uint64_t *number)
{
	if (c->next - c->base >= c->window)
		return ERR_FULL;
	*flag(c, c->next) = 0;
	*number = c->next++;
	return 0;
}

bool
handled_count_end(struct handled_count *c, uint64_t number)
{
	uint64_t before = c->base;

	assert(number >= c->base && number < c->next);
	assert(*flag(c, number) == 0);
	*flag(c, number) = 1;
	while (c->base < c->next && *flag(c, c->base) != 0)
		c->base++;
	return c->base != before;
}

uint32_t
handled_count_value(const struct handled_count *c)
{
	return (uint32_t)c->base;
}

size_t
handled_count_ahead(const struct handled_count *c)
{
	return (size_t)(c->next - c->base);
}
