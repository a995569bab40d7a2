/* byte_marks - see the header. */
#include "common/byte_marks.h"

#include <assert.h>

static struct byte_mark *
at(struct byte_marks *m, size_t i)
{
	return &m->ring[(m->first + i) % BYTE_MARKS_MAX];
}

void
byte_marks_add(struct byte_marks *m, uint64_t app, uint64_t wire)
{
	struct byte_mark *last = m->count > 0 ? at(m, m->count - 1) : NULL;

	assert(app >= (last != NULL ? last->app : m->reached));
	assert(last == NULL || wire >= last->wire);
	if (last == NULL || m->count < BYTE_MARKS_MAX)
		last = at(m, m->count++);
	*last = (struct byte_mark){ app, wire };
}

uint64_t
byte_marks_reached(struct byte_marks *m, uint64_t wire)
{
	while (m->count > 0 && at(m, 0)->wire <= wire) {
		m->reached = at(m, 0)->app;
		m->first = (m->first + 1) % BYTE_MARKS_MAX;
		m->count--;
	}
	return m->reached;
}
