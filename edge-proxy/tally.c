#include "edge-proxy/tally.h"

#include <stdlib.h>
#include <string.h>

struct entry {
	struct map_node node;
	size_t count;
	char name[];
};

int
tally_init(struct tally *t)
{
	return map_init(&t->names);
}

static void
free_entry(struct map_node *n, void *arg)
{
	map_remove(arg, n);
	free(map_entry(n, struct entry, node));
}

void
tally_finish(struct tally *t)
{
	map_each(&t->names, free_entry, &t->names);
	map_finish(&t->names);
}

size_t
tally_add(struct tally *t, const char *name)
{
	size_t len = strlen(name);
	struct map_node *n = map_get(&t->names, name, len);
	struct entry *e;

	if (n != NULL)
		return ++map_entry(n, struct entry, node)->count;
	e = calloc(1, sizeof(*e) + len + 1);
	if (e == NULL)
		return 1;
	e->count = 1;
	memcpy(e->name, name, len);
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the map has it. */
	(void)map_put(&t->names, &e->node, e->name, len);
	return 1;
}
