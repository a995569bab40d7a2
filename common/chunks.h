/*
 * chunks - a first-in first-out queue of bytes in pieces of fixed size.
 *
 * Nothing ever moves: bytes stay where they were put until they are consumed,
 * so the kernel may read them while more are added behind.  A zeroed struct
 * is an empty queue.
 */
#ifndef COMMON_CHUNKS_H
#define COMMON_CHUNKS_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct chunk;

struct chunks {
	struct chunk *head, *tail;
	size_t len; /* bytes in all pieces */
};

/* One TLS record's worth of plaintext. */
enum { CHUNK_SIZE = 16384 };

/* Adds a copy at the end.  0 or ERR_NOMEM; then nothing was added. */
int chunks_add(struct chunks *q, const void *data, size_t len);
/* The bytes of the first piece: returns their number, 0 when empty. */
size_t chunks_front(const struct chunks *q, const uint8_t **data);
/* Fills at most max buffers from the front; returns how many. */
unsigned chunks_buffers(const struct chunks *q, uv_buf_t *v, unsigned max);
/* Drops len bytes (at most q->len) from the front. */
void chunks_consume(struct chunks *q, size_t len);
/* Empties the queue. */
void chunks_finish(struct chunks *q);

#endif
