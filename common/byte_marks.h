/*
 * byte_marks - from positions in one stream of bytes to positions in the stream
 * that it was turned into (plaintext into TLS records).  Pure.
 *
 * A mark says: when `wire` bytes have arrived, so have `app` bytes.  There is
 * room for a few marks only; when it is used up the newest one is moved on,
 * which makes the answer later, never wrong.
 */
#ifndef COMMON_BYTE_MARKS_H
#define COMMON_BYTE_MARKS_H

#include <stddef.h>
#include <stdint.h>

enum { BYTE_MARKS_MAX = 64 };

struct byte_mark {
	uint64_t app, wire;
};

/* Empty when zeroed. */
struct byte_marks {
	struct byte_mark ring[BYTE_MARKS_MAX];
	size_t first, count;
	uint64_t reached; /* app of the last mark that was passed */
};

/* Both positions are at least those of the mark before. */
void byte_marks_add(struct byte_marks *m, uint64_t app, uint64_t wire);
/* How much of app has arrived when wire has; drops the marks passed. */
uint64_t byte_marks_reached(struct byte_marks *m, uint64_t wire);

#endif
