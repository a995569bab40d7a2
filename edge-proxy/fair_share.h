/*
 * fair_share - how much of what all may have under way one stream may have.
 * Pure.
 *
 * As long as all together have little, each may have what it likes.  Beyond
 * that all is divided among the partners that have something under way, and
 * a partner's share among his streams: who opens many streams gets no more
 * than who has one.
 *
 * Owns     what is counted of each partner.
 * Errors   ERR_NOMEM.
 */
#ifndef EDGE_FAIR_SHARE_H
#define EDGE_FAIR_SHARE_H

#include <stddef.h>

struct fair_share;
struct fair_share_party;

/* Of one stream; zeroed at first. */
struct fair_share_stream {
	struct fair_share_party *party; /* while it has something under way */
	size_t count;
};

enum { FAIR_SHARE_LEAST = 4 };

/* much: what all may have before they have to share. */
int fair_share_new(struct fair_share **out, size_t much);
void fair_share_free(struct fair_share *f);

/* One more is under way.  A stream of several domains counts for the one whose
 * stanza came when it had none. */
int fair_share_add(
    struct fair_share *f, struct fair_share_stream *s, const char *partner);
/* One less. */
void fair_share_drop(struct fair_share *f, struct fair_share_stream *s);
/* The stream is gone, and all it had. */
void fair_share_leave(struct fair_share *f, struct fair_share_stream *s);

/* What the stream may have now; SIZE_MAX while nobody has to share. */
size_t
fair_share_of(const struct fair_share *f, const struct fair_share_stream *s);

#endif
