#include "edge-proxy/handled_count.h"

#include <assert.h>
#include <stdlib.h>

#include "common/err.h"

static size_t
ring_size(size_t window)
{
	size_t size = 64;

	assert(window > 0 && window <= SIZE_MAX / 4);
	while (size < window)
		size *= 2;
	return size;
}

int
handled_count_init(struct handled_count *c, size_t window)
{
	size_t size = ring_size(window);

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
handled_count_resize(struct handled_count *c, size_t window)
{
	struct handled_count larger = *c;

	larger.size = ring_size(window);
	if (larger.size > c->size) {
		larger.finished = calloc(larger.size, 1);
		if (larger.finished == NULL)
			return ERR_NOMEM;
		for (uint64_t n = c->base; n < c->next; n++)
			*flag(&larger, n) = *flag(c, n);
		free(c->finished);
		c->finished = larger.finished;
		c->size = larger.size;
	}
	c->window = window;
	return 0;
}

/* Gives those that got no number theirs, as far as there is room. */
static void
take_in(struct handled_count *c)
{
	while (c->past > 0 && c->next - c->base < c->window) {
		*flag(c, c->next++) = 1;
		c->past--;
	}
}

/* The count passes all that is finished. */
static bool
advance(struct handled_count *c)
{
	uint64_t before = c->base;

	while (c->base < c->next && *flag(c, c->base) != 0)
		c->base++;
	if (c->base == c->next) {
		c->base = c->next += c->past;
		c->past = 0;
	}
	return c->base != before;
}

int
handled_count_begin(struct handled_count *c, uint64_t *number)
{
	take_in(c);
	if (c->next - c->base >= c->window)
		return ERR_FULL;
	*flag(c, c->next) = 0;
	*number = c->next++;
	return 0;
}

bool
handled_count_pass(struct handled_count *c)
{
	c->past++;
	return advance(c);
}

bool
handled_count_end(struct handled_count *c, uint64_t number)
{
	assert(number >= c->base && number < c->next);
	assert(*flag(c, number) == 0);
	*flag(c, number) = 1;
	return advance(c);
}

uint64_t
handled_count_value(const struct handled_count *c)
{
	return c->base;
}

bool
handled_count_full(const struct handled_count *c)
{
	return handled_count_ahead(c) >= c->window;
}

size_t
handled_count_ahead(const struct handled_count *c)
{
	return (size_t)(c->next - c->base + c->past);
}
