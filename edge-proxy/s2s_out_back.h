/*
 * s2s_out_back - what comes back on a stream that we opened: the partner's
 * stanzas on our own connection (XEP-0288).
 *
 * It is asked for after TLS and before we authenticate, where the gateway of the
 * domain wants it.  What may come is what may go, the other way round: the
 * stream's pairs, each from the moment on when it is let in.  A stanza before
 * that, of another pair, or without valid addresses ends the stream and is never
 * seen by the owner, as on an inbound stream; the partner is told in the same
 * way how many of his stanzas are done with (XEP-0198).
 *
 * Over this way partners also ask us about our dialback keys.  Pairs that want
 * to be let in by it are refused; they get streams of their own.
 */
#ifndef EDGE_S2S_OUT_BACK_H
#define EDGE_S2S_OUT_BACK_H

#include <stdbool.h>
#include <stdint.h>

struct s2s_out;

/* Whether the stream is up and goes both ways. */
bool s2s_out_back_is_open(const struct s2s_out *s);
/* Whether a pair of that hosted domain may be on the stream, as far as its two
 * directions matter. */
bool s2s_out_back_permits(const struct s2s_out *s, const char *local);

/* As their namesakes of s2s_in.h.  While it is paused nothing of the partner's
 * is read, his acknowledgements neither. */
void s2s_out_back_pause(struct s2s_out *s);
void s2s_out_back_resume(struct s2s_out *s);
void s2s_out_back_handled(struct s2s_out *s, uint64_t count);
const char *s2s_out_back_language(const struct s2s_out *s);
/* The partner's stanzas that have come. */
uint64_t s2s_out_back_stanzas(const struct s2s_out *s);

#endif
