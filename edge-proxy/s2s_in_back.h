/*
 * s2s_in_back - the way back on a stream that a partner opened: our stanzas to
 * him on his own connection (XEP-0288).
 *
 * It is offered after TLS, where the gateway of the domain wants it, and begins
 * when the partner has asked for it and has authenticated.  What may go back is
 * what has come to be the other way round: the stream's pairs.  A pair for which
 * EXTERNAL is permitted goes back only to him whose certificate proves the
 * partner's domain, as it would on a stream of our own.
 *
 * There is one user of the way back at a time, the carrier (edge-proxy/carrier.h),
 * as the other outbound streams have.
 */
#ifndef EDGE_S2S_IN_BACK_H
#define EDGE_S2S_IN_BACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edge-proxy/stream_limits.h"

struct s2s_in;

struct s2s_in_back_events {
	/* The backlog has gone: there is room again. */
	void (*on_drained)(void *arg);
	/* The partner counts our stanzas (XEP-0198) ... */
	void (*on_managed)(void *arg);
	/* ... and has taken over the first so many, by s2s_in_back_stanzas(). */
	void (*on_acknowledged)(uint64_t count, void *arg);
	/* The stream takes no more; why, for an admin.  The last event. */
	void (*on_down)(const char *reason, void *arg);
};

/* Whether the stream is up and goes both ways. */
bool s2s_in_back_is_open(const struct s2s_in *s);
/* Whether stanzas of that pair may be written on it. */
bool s2s_in_back_carries(
    const struct s2s_in *s, const char *local, const char *remote);
/* Who is told; NULL: nobody any more. */
void s2s_in_back_set_user(
    struct s2s_in *s, const struct s2s_in_back_events *events, void *arg);

/* As their namesakes of s2s_out.h. */
int s2s_in_back_write(struct s2s_in *s, const void *xml, size_t len);
bool s2s_in_back_backlogged(const struct s2s_in *s);
void s2s_in_back_request_ack(struct s2s_in *s);
uint64_t s2s_in_back_stanzas(const struct s2s_in *s);
uint64_t s2s_in_back_bytes(const struct s2s_in *s);
uint64_t s2s_in_back_bytes_acknowledged(const struct s2s_in *s);
const struct stream_limits *s2s_in_back_limits(const struct s2s_in *s);
/* Tells it as STREAM_UPDATE. */
void s2s_in_back_add_proof(struct s2s_in *s, unsigned proof);

#endif
