#include "edge-proxy/iq_asked.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/jid.h"
#include "common/map.h"
#include "common/random.h"

struct entry {
	struct map_node node;
	struct iq_asked *asked;
	char ours[IQ_ASKED_ID_SIZE];
	char *theirs;
	struct jid from, to;
	struct clock_timer timer;
};

struct iq_asked {
	struct clock *clock;
	struct map entries;
	iq_asked_late_fn *on_late;
	void *arg;
};

int
iq_asked_new(struct iq_asked **out, struct clock *clock,
    iq_asked_late_fn *on_late, void *arg)
{
	struct iq_asked *a = calloc(1, sizeof(*a));
	int rc = a != NULL ? map_init(&a->entries) : ERR_NOMEM;

	if (rc < 0) {
		free(a);
		return rc;
	}
	a->clock = clock;
	a->on_late = on_late;
	a->arg = arg;
	*out = a;
	return 0;
}

/* Accepts one that is half made. */
static void
free_entry(struct entry *e)
{
	clock_timer_stop(&e->timer);
	map_remove(&e->asked->entries, &e->node);
	jid_finish(&e->from);
	jid_finish(&e->to);
	free(e->theirs);
	free(e);
}

static void
free_node(struct map_node *n, void *arg)
{
	(void)arg;
	free_entry(map_entry(n, struct entry, node));
}

void
iq_asked_free(struct iq_asked *a)
{
	if (a == NULL)
		return;
	map_each(&a->entries, free_node, NULL);
	map_finish(&a->entries);
	free(a);
}

void
iq_asked_make_id(char out[static IQ_ASKED_ID_SIZE])
{
	random_hex(out, (IQ_ASKED_ID_SIZE - 1) / 2);
}

size_t
iq_asked_count(const struct iq_asked *a)
{
	return a->entries.count;
}

/* --- bounds -------------------------------------------------------------- */

struct tally {
	const char *domain;
	size_t count;
};

static void
tally_one(struct map_node *n, void *arg)
{
	struct tally *t = arg;

	if (strcmp(map_entry(n, struct entry, node)->from.ascii, t->domain) ==
	    0)
		t->count++;
}

/* The count of a domain is only looked for when it could be too high. */
static bool
is_full(struct iq_asked *a, const char *domain)
{
	struct tally t = { .domain = domain };

	if (a->entries.count < IQ_ASKED_DOMAIN_MAX)
		return false;
	if (a->entries.count >= IQ_ASKED_MAX)
		return true;
	map_each(&a->entries, tally_one, &t);
	return t.count >= IQ_ASKED_DOMAIN_MAX;
}

/* --- one request --------------------------------------------------------- */

static struct entry *
find(const struct iq_asked *a, const char *ours)
{
	struct map_node *n = map_get(&a->entries, ours, strlen(ours));

	return n != NULL ? map_entry(n, struct entry, node) : NULL;
}

static void
on_timeout(struct clock_timer *t, void *arg)
{
	struct entry *e = arg;
	struct iq_asked *a = e->asked;

	(void)t;
	map_remove(&a->entries, &e->node);
	a->on_late(&e->from, &e->to, e->theirs, a->arg);
	free_entry(e);
}

int
iq_asked_add(struct iq_asked *a, const char *ours, const struct jid *from,
    const struct jid *to, const char *theirs)
{
	struct entry *e;
	int rc = ERR_NOMEM;

	if (is_full(a, from->ascii))
		return ERR_FULL;
	if (strlen(ours) != IQ_ASKED_ID_SIZE - 1)
		return ERR_MALFORMED;
	e = calloc(1, sizeof(*e));
	if (e == NULL)
		return ERR_NOMEM;
	e->asked = a;
	memcpy(e->ours, ours, IQ_ASKED_ID_SIZE);
	clock_timer_init(&e->timer, a->clock, on_timeout, e);
	e->theirs = strdup(theirs);
	if (e->theirs == NULL || jid_copy(&e->from, from) < 0 ||
	    jid_copy(&e->to, to) < 0)
		goto fail;
	rc = map_put(&a->entries, &e->node, e->ours, IQ_ASKED_ID_SIZE - 1);
	if (rc == 0)
		return 0;

fail:
	free_entry(e);
	return rc;
}

void
iq_asked_taken(struct iq_asked *a, const char *ours)
{
	struct entry *e = find(a, ours);

	if (e != NULL)
		clock_timer_start(&e->timer, IQ_ASKED_TIMEOUT_MS);
}

void
iq_asked_forget(struct iq_asked *a, const char *ours)
{
	struct entry *e = find(a, ours);

	if (e != NULL)
		free_entry(e);
}

char *
iq_asked_answer(struct iq_asked *a, const char *ours, const struct jid *from,
    const struct jid *to)
{
	struct entry *e = find(a, ours);
	char *theirs;

	if (e == NULL || !jid_equal(&e->to, from) || !jid_equal(&e->from, to))
		return NULL;
	theirs = e->theirs;
	e->theirs = NULL;
	free_entry(e);
	return theirs;
}
