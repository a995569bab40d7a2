/* fair_share - see the header. */
#include "edge-proxy/fair_share.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/map.h"

/* A partner with something under way. */
struct fair_share_party {
	struct map_node node;
	size_t streams; /* that have something under way */
	char domain[256];
};

struct fair_share {
	struct map parties;
	size_t much, total;
};

int
fair_share_new(struct fair_share **out, size_t much)
{
	struct fair_share *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return ERR_NOMEM;
	if (map_init(&f->parties) < 0) {
		free(f);
		return ERR_NOMEM;
	}
	f->much = much;
	*out = f;
	return 0;
}

void
fair_share_free(struct fair_share *f)
{
	if (f == NULL)
		return;
	assert(f->parties.count == 0);
	map_finish(&f->parties);
	free(f);
}

static struct fair_share_party *
find_or_add(struct fair_share *f, const char *domain)
{
	size_t len = strlen(domain);
	struct map_node *n = map_get(&f->parties, domain, len);
	struct fair_share_party *p;

	if (n != NULL)
		return map_entry(n, struct fair_share_party, node);
	assert(len < sizeof(p->domain));
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return NULL;
	memcpy(p->domain, domain, len + 1);
	(void)map_put(&f->parties, &p->node, p->domain, len);
	return p;
}

int
fair_share_add(
    struct fair_share *f, struct fair_share_stream *s, const char *partner)
{
	if (s->count == 0) {
		s->party = find_or_add(f, partner);
		if (s->party == NULL)
			return ERR_NOMEM;
		s->party->streams++;
	}
	s->count++;
	f->total++;
	return 0;
}

void
fair_share_leave(struct fair_share *f, struct fair_share_stream *s)
{
	struct fair_share_party *p = s->party;

	if (s->count == 0)
		return;
	f->total -= s->count;
	s->count = 0;
	s->party = NULL;
	if (--p->streams > 0)
		return;
	map_remove(&f->parties, &p->node);
	free(p);
}

void
fair_share_drop(struct fair_share *f, struct fair_share_stream *s)
{
	assert(s->count > 0);
	if (s->count == 1) {
		fair_share_leave(f, s);
		return;
	}
	s->count--;
	f->total--;
}

size_t
fair_share_of(const struct fair_share *f, const struct fair_share_stream *s)
{
	size_t share;

	if (f->total < f->much)
		return SIZE_MAX;
	share = f->much / (f->parties.count > 0 ? f->parties.count : 1);
	if (s->party != NULL)
		share /= s->party->streams;
	return share > FAIR_SHARE_LEAST ? share : FAIR_SHARE_LEAST;
}
