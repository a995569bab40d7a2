/* See the header; all of it is bookkeeping on one list and two indexes. */
#include "proto/channel_journal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "proto/frame_table.h"

enum {
	LENGTH_SIZE = 4,
	HEAD_SIZE = 6, /* length, version, type */
	SEQ_SIZE = CHANNEL_JOURNAL_GROWS,
	SEQ_VALUE = HEAD_SIZE + 6
};

static void
put_be(uint8_t *p, uint64_t v, size_t size)
{
	while (size-- > 0) {
		p[size] = (uint8_t)v;
		v >>= 8;
	}
}

static struct journal_entry *
entry_of(struct list *link)
{
	return list_entry(link, struct journal_entry, link);
}

int
channel_journal_init(
    struct channel_journal *j, size_t frames_max, size_t bytes_max)
{
	int rc;

	memset(j, 0, sizeof(*j));
	list_init(&j->entries);
	j->next = &j->entries;
	j->frames_max = frames_max;
	j->bytes_max = bytes_max;
	j->next_id = 1;
	j->next_seq = 1;
	rc = map_init(&j->ids);
	if (rc < 0)
		return rc;
	rc = map_init(&j->seqs);
	if (rc < 0)
		map_finish(&j->ids);
	return rc;
}

void
channel_journal_finish(struct channel_journal *j)
{
	while (!list_empty(&j->entries))
		channel_journal_drop(j, entry_of(j->entries.next));
	map_finish(&j->ids);
	map_finish(&j->seqs);
}

/* Copies the frame and opens it for FIELD_SEQ right behind its head. */
static struct journal_entry *
entry_new(const uint8_t *data, size_t len)
{
	struct journal_entry *e = calloc(1, sizeof(*e));
	uint8_t *p;

	if (e == NULL)
		return NULL;
	e->len = len + SEQ_SIZE;
	e->data = p = malloc(e->len);
	if (p == NULL) {
		free(e);
		return NULL;
	}
	memcpy(p, data, HEAD_SIZE);
	put_be(p, e->len - LENGTH_SIZE, LENGTH_SIZE);
	put_be(p + HEAD_SIZE, FIELD_SEQ, 2);
	put_be(p + HEAD_SIZE + 2, 8, 4);
	put_be(p + SEQ_VALUE, 0, 8);
	memcpy(p + HEAD_SIZE + SEQ_SIZE, data + HEAD_SIZE, len - HEAD_SIZE);
	list_init(&e->link);
	return e;
}

static void
entry_free(struct journal_entry *e)
{
	free(e->data);
	free(e);
}

int
channel_journal_add(struct channel_journal *j, const uint8_t *data, size_t len,
    void *cookie, uint64_t *id)
{
	struct journal_entry *e;
	int rc;

	assert(len >= HEAD_SIZE);
	if (j->frames >= j->frames_max ||
	    len + SEQ_SIZE > j->bytes_max - j->bytes)
		return ERR_FULL;
	e = entry_new(data, len);
	if (e == NULL)
		return ERR_NOMEM;
	e->id = j->next_id;
	e->cookie = cookie;
	rc = map_put(&j->ids, &e->by_id, &e->id, sizeof(e->id));
	if (rc < 0) {
		entry_free(e);
		return rc;
	}
	j->next_id++;
	list_append(&j->entries, &e->link);
	if (j->next == &j->entries)
		j->next = &e->link;
	j->frames++;
	j->bytes += e->len;
	*id = e->id;
	return 0;
}

void
channel_journal_rewind(struct channel_journal *j)
{
	LIST_FOREACH (it, &j->entries)
		entry_of(it)->out = false;
	j->next = j->entries.next;
	j->sent_bytes = 0;
}

void
channel_journal_renumber(struct channel_journal *j)
{
	struct journal_entry *e;

	LIST_FOREACH (it, &j->entries) {
		e = entry_of(it);
		assert(!e->out);
		map_remove(&j->seqs, &e->by_seq);
		e->seq = 0;
	}
}

struct journal_entry *
channel_journal_next(
    struct channel_journal *j, uint64_t seq_max, uint64_t bytes_max)
{
	struct journal_entry *e;

	if (j->next == &j->entries)
		return NULL;
	e = entry_of(j->next);
	if ((e->seq != 0 ? e->seq : j->next_seq) > seq_max)
		return NULL;
	if (j->sent_bytes > bytes_max || e->len > bytes_max - j->sent_bytes)
		return NULL;
	return e;
}

void
channel_journal_sent(struct channel_journal *j, struct journal_entry *e)
{
	int rc;

	assert(&e->link == j->next && !e->out);
	if (e->seq == 0) {
		e->seq = j->next_seq++;
		put_be(e->data + SEQ_VALUE, e->seq, 8);
		rc = map_put(&j->seqs, &e->by_seq, &e->seq, sizeof(e->seq));
		assert(rc == 0);
	}
	e->out = e->was_out = true;
	j->sent_bytes += e->len;
	j->next = e->link.next;
}

struct journal_entry *
channel_journal_find_seq(const struct channel_journal *j, uint64_t seq)
{
	struct map_node *n = map_get(&j->seqs, &seq, sizeof(seq));

	return n != NULL ? map_entry(n, struct journal_entry, by_seq) : NULL;
}

struct journal_entry *
channel_journal_find_id(const struct channel_journal *j, uint64_t id)
{
	struct map_node *n = map_get(&j->ids, &id, sizeof(id));

	return n != NULL ? map_entry(n, struct journal_entry, by_id) : NULL;
}

void
channel_journal_drop(struct channel_journal *j, struct journal_entry *e)
{
	if (j->next == &e->link)
		j->next = e->link.next;
	list_remove(&e->link);
	map_remove(&j->ids, &e->by_id);
	map_remove(&j->seqs, &e->by_seq);
	assert(j->frames > 0 && j->bytes >= e->len);
	j->frames--;
	j->bytes -= e->len;
	entry_free(e);
}

uint64_t
channel_journal_base(const struct channel_journal *j)
{
	const struct journal_entry *e;

	if (list_empty(&j->entries))
		return j->next_seq;
	e = list_entry(j->entries.next, struct journal_entry, link);
	return e->seq != 0 ? e->seq : j->next_seq;
}

bool
channel_journal_has_room(const struct channel_journal *j)
{
	return j->frames <= j->frames_max - (j->frames_max + 3) / 4 &&
	       j->bytes <= j->bytes_max - j->bytes_max / 4;
}
