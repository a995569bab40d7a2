/*
 * A singly linked list of pieces.  Bytes enter at the tail's end and leave at
 * the head's beginning; an emptied piece is freed at once, so that an idle
 * connection holds no buffer.
 */
#include "common/chunks.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

struct chunk {
	struct chunk *next;
	size_t begin, end;
	uint8_t data[CHUNK_SIZE];
};

/* Frees a list of pieces. */
static void
free_list(struct chunk *k)
{
	struct chunk *next;

	for (; k != NULL; k = next) {
		next = k->next;
		free(k);
	}
}

/* A list of empty pieces with room for len bytes, or NULL. */
static struct chunk *
new_list(size_t len)
{
	struct chunk *list = NULL, *k;
	size_t room;

	for (room = 0; room < len; room += CHUNK_SIZE) {
		k = malloc(sizeof *k);
		if (k == NULL) {
			free_list(list);
			return NULL;
		}
		k->begin = k->end = 0;
		k->next = list;
		list = k;
	}
	return list;
}

/* Copies what fits behind the bytes of one piece. */
static size_t
fill(struct chunk *k, const uint8_t *data, size_t len)
{
	size_t n;

	assert(k != NULL);
	n = CHUNK_SIZE - k->end;
	if (n > len)
		n = len;
	memcpy(k->data + k->end, data, n);
	k->end += n;
	return n;
}

/* Hangs a list behind the tail.  Returns the piece that takes the next byte. */
static struct chunk *
append(struct chunks *q, struct chunk *list)
{
	if (q->tail == NULL) {
		q->head = list;
		return list;
	}
	q->tail->next = list;
	return q->tail;
}

int
chunks_add(struct chunks *q, const void *data, size_t len)
{
	size_t room = q->tail == NULL ? 0 : CHUNK_SIZE - q->tail->end;
	struct chunk *more = NULL, *k;
	const uint8_t *from = data;
	size_t left = len, n;

	if (len == 0)
		return 0;
	/* All memory first: then nothing below can fail half-way. */
	if (len > room) {
		more = new_list(len - room);
		if (more == NULL)
			return ERR_NOMEM;
	}
	for (k = append(q, more); left > 0; k = k->next) {
		n = fill(k, from, left);
		from += n;
		left -= n;
		q->tail = k;
	}
	q->len += len;
	return 0;
}

size_t
chunks_front(const struct chunks *q, const uint8_t **data)
{
	if (q->head == NULL)
		return 0;
	*data = q->head->data + q->head->begin;
	return q->head->end - q->head->begin;
}

unsigned
chunks_buffers(const struct chunks *q, uv_buf_t *v, unsigned max)
{
	unsigned n = 0;

	for (struct chunk *k = q->head; k != NULL && n < max; k = k->next)
		v[n++] = uv_buf_init(
		    (char *)k->data + k->begin, (unsigned)(k->end - k->begin));
	return n;
}

void
chunks_consume(struct chunks *q, size_t len)
{
	assert(len <= q->len);
	q->len -= len;
	while (len > 0) {
		struct chunk *k = q->head;
		size_t n;

		assert(k != NULL);
		n = k->end - k->begin;
		if (n > len) {
			k->begin += len;
			return;
		}
		len -= n;
		q->head = k->next;
		if (q->head == NULL)
			q->tail = NULL;
		free(k);
	}
}

void
chunks_finish(struct chunks *q)
{
	free_list(q->head);
	*q = (struct chunks){ 0 };
}
