/*
 * iq_asked - requests of partners' users to ours that wait for an answer.
 *
 * A request goes to the gateway under an id made here, which nobody can guess;
 * the answer, a frame of its own that comes later, gives the asker his own id
 * back.  An answer must be about a request that waits, from the one who was
 * asked to the one who asked; it is taken once.  Who gets none in time is told
 * by on_late.
 *
 * Owns     its entries and their timers.
 * Borrows  the clock.
 * Errors   0 or a negative code.
 */
#ifndef EDGE_IQ_ASKED_H
#define EDGE_IQ_ASKED_H

#include <stddef.h>

struct clock;
struct iq_asked;
struct jid;

enum {
	IQ_ASKED_ID_SIZE = 33,
	IQ_ASKED_MAX = 4096,
	IQ_ASKED_DOMAIN_MAX = 256, /* of one asking domain */
	IQ_ASKED_TIMEOUT_MS = 30000
};

/* The entry is gone when it fires. */
typedef void iq_asked_late_fn(
    const struct jid *from, const struct jid *to, const char *id, void *arg);

int iq_asked_new(struct iq_asked **out, struct clock *clock,
    iq_asked_late_fn *on_late, void *arg);
void iq_asked_free(struct iq_asked *a);

/* A fresh id. */
void iq_asked_make_id(char out[static IQ_ASKED_ID_SIZE]);
/* Remembers a request of from to to, known to the asker as theirs and to the
 * gateway as ours.  It waits until it is taken or forgotten.  ERR_FULL,
 * ERR_NOMEM. */
int iq_asked_add(struct iq_asked *a, const char *ours, const struct jid *from,
    const struct jid *to, const char *theirs);
/* The gateway has taken it: from now on it has IQ_ASKED_TIMEOUT_MS to answer.
 * Nothing when it has answered already. */
void iq_asked_taken(struct iq_asked *a, const char *ours);
/* It failed, and the asker was told. */
void iq_asked_forget(struct iq_asked *a, const char *ours);
/* An answer with our id: the asker's id, to free(), and the request is over.
 * NULL when none of that id waits between the two. */
char *iq_asked_answer(struct iq_asked *a, const char *ours,
    const struct jid *from, const struct jid *to);

size_t iq_asked_count(const struct iq_asked *a);

#endif
