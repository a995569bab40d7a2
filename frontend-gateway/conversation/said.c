#include "frontend-gateway/conversation/said.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/jid.h"
#include "common/list.h"
#include "common/map.h"

enum { MAX_DEFAULT = 20000, ID_MAX = 1024 };

/* Names with their NULs: user, contact, id. */
struct key {
	char bytes[2 * (JID_MAX + 1) + ID_MAX + 1];
	size_t len;
};

struct entry {
	struct map_node node;
	struct list by_age;
	uint64_t until_ms;
	bool by_contact;
	char *text;
	char *reactions; /* NULL = none */
	size_t reactions_len;
	char key[];
};

struct said {
	struct map entries;
	struct list by_age;
	size_t max;
};

int
said_new(struct said **out, size_t max)
{
	struct said *s = calloc(1, sizeof(*s));

	if (s == NULL || map_init(&s->entries) < 0) {
		free(s);
		return ERR_NOMEM;
	}
	list_init(&s->by_age);
	s->max = max != 0 ? max : MAX_DEFAULT;
	*out = s;
	return 0;
}

static void
drop(struct said *s, struct entry *e)
{
	map_remove(&s->entries, &e->node);
	list_remove(&e->by_age);
	free(e->text);
	free(e->reactions);
	free(e);
}

void
said_free(struct said *s)
{
	if (s == NULL)
		return;
	LIST_FOREACH_SAFE (it, &s->by_age)
		drop(s, list_entry(it, struct entry, by_age));
	map_finish(&s->entries);
	free(s);
}

/* False when there is nothing to call it by. */
static bool
make_key(struct key *k, const struct said_name *name)
{
	const char *const parts[] = { name->user, name->contact, name->id };

	k->len = 0;
	if (name->id == NULL || name->id[0] == '\0')
		return false;
	for (size_t i = 0; i < 3; i++) {
		size_t len = strlen(parts[i]) + 1;

		if (len > sizeof(k->bytes) - k->len)
			return false;
		memcpy(k->bytes + k->len, parts[i], len);
		k->len += len;
	}
	return true;
}

static struct entry *
find(const struct said *s, const struct said_name *name)
{
	struct map_node *n = NULL;
	struct key key;

	if (make_key(&key, name))
		n = map_get(&s->entries, key.bytes, key.len);
	return n != NULL ? map_entry(n, struct entry, node) : NULL;
}

static struct entry *
add(struct said *s, const struct said_name *name)
{
	struct entry *e;
	struct key key;

	if (!make_key(&key, name))
		return NULL;
	e = calloc(1, sizeof(*e) + key.len);
	if (e == NULL)
		return NULL;
	memcpy(e->key, key.bytes, key.len);
	list_init(&e->by_age);
	if (map_put(&s->entries, &e->node, e->key, key.len) < 0) {
		free(e);
		return NULL;
	}
	list_append(&s->by_age, &e->by_age);
	return e;
}

static void
make_room(struct said *s, uint64_t now_ms)
{
	LIST_FOREACH_SAFE (it, &s->by_age) {
		struct entry *e = list_entry(it, struct entry, by_age);

		if (s->entries.count <= s->max && e->until_ms > now_ms)
			return;
		drop(s, e);
	}
}

void
said_keep(struct said *s, const struct said_name *name, const char *text,
    size_t len, bool by_contact, uint64_t now_ms)
{
	char beginning[EXCERPT_SIZE];
	struct entry *e = find(s, name);
	char *copy;

	excerpt_of(beginning, text, len, EXCERPT_CHARS);
	copy = strdup(beginning);
	if (copy == NULL)
		return;
	if (e == NULL)
		e = add(s, name);
	if (e == NULL) {
		free(copy);
		return;
	}
	free(e->text);
	e->text = copy;
	e->by_contact = by_contact;
	e->until_ms = now_ms + SAID_AGE_MS;
	list_remove(&e->by_age);
	list_append(&s->by_age, &e->by_age);
	make_room(s, now_ms);
}

bool
said_find(const struct said *s, struct said_message *out,
    const struct said_name *name, uint64_t now_ms)
{
	const struct entry *e = find(s, name);

	if (e == NULL || e->until_ms <= now_ms)
		return false;
	*out = (struct said_message){
		.text = e->text,
		.by_contact = e->by_contact,
		.reactions = e->reactions,
		.reactions_len = e->reactions_len,
	};
	return true;
}

void
said_react(struct said *s, const struct said_name *name, const char *reactions,
    size_t len)
{
	struct entry *e = find(s, name);
	char *copy = NULL;

	if (e == NULL)
		return;
	/* Whole ones only. */
	if (len > SAID_REACTIONS_SIZE)
		len = SAID_REACTIONS_SIZE;
	while (len > 0 && reactions[len - 1] != '\0')
		len--;
	if (len > 0 && (copy = malloc(len)) != NULL)
		memcpy(copy, reactions, len);
	free(e->reactions);
	e->reactions = copy;
	e->reactions_len = copy != NULL ? len : 0;
}

void
said_forget(struct said *s, const struct said_name *name)
{
	struct entry *e = find(s, name);

	if (e != NULL)
		drop(s, e);
}

size_t
said_count(const struct said *s)
{
	return s->entries.count;
}
