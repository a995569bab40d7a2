/*
 * channel_journal - stanza frames this node has sent or is about to send, kept
 * until their result is in.
 *
 * One list in the order of sending: first the frames that have gone out on
 * the present connection, then those that have not (after a new attach that
 * is all of them).  An entry gets its number on the wire when it goes
 * out for the first time and keeps it when it is replayed to the same boot of
 * the peer.  For a peer that knows nothing of us all entries are numbered
 * anew, so that numbers it sees rise without holes except where a frame was
 * withdrawn.
 *
 * Owns     the frames' bytes.
 * Borrows  the cookies.
 * Errors   ERR_FULL, ERR_NOMEM.
 */
#ifndef PROTO_CHANNEL_JOURNAL_H
#define PROTO_CHANNEL_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/list.h"
#include "common/map.h"

/* A frame grows by its FIELD_SEQ. */
enum { CHANNEL_JOURNAL_GROWS = 14 };

struct journal_entry {
	struct list link;
	struct map_node by_id, by_seq;
	uint64_t id;       /* names the frame towards the owner */
	uint64_t seq;      /* on the wire; 0 before it first went out */
	bool out;          /* has gone out on the present connection */
	bool was_out;      /* has gone out on any */
	uint64_t since_ms; /* the owner's: when he handed it over */
	void *cookie;
	size_t len;
	uint8_t *data; /* whole frame with FIELD_SEQ */
};

struct channel_journal {
	struct list entries;
	struct list *next; /* first entry not out, or the head */
	struct map ids, seqs;
	size_t frames, bytes;
	size_t frames_max, bytes_max;
	uint64_t next_id, next_seq;
	uint64_t sent_bytes; /* on the present connection */
};

int channel_journal_init(
    struct channel_journal *j, size_t frames_max, size_t bytes_max);
void channel_journal_finish(struct channel_journal *j);

/* data: one whole stanza frame without FIELD_SEQ. */
int channel_journal_add(struct channel_journal *j, const uint8_t *data,
    size_t len, void *cookie, uint64_t *id);
/* A new connection begins: everything is to be sent again. */
void channel_journal_rewind(struct channel_journal *j);
/* The peer is not the one our numbers were meant for. */
void channel_journal_renumber(struct channel_journal *j);
/* The entry to send next if its number is at most seq_max and the bytes sent on
 * this connection stay within bytes_max; NULL when there is none. */
struct journal_entry *channel_journal_next(
    struct channel_journal *j, uint64_t seq_max, uint64_t bytes_max);
/* That entry goes out now: it has its number from here on. */
void channel_journal_sent(struct channel_journal *j, struct journal_entry *e);
/* NULL when no unanswered frame has that number. */
struct journal_entry *
channel_journal_find_seq(const struct channel_journal *j, uint64_t seq);
struct journal_entry *
channel_journal_find_id(const struct channel_journal *j, uint64_t id);
/* Takes the entry out and frees it. */
void channel_journal_drop(struct channel_journal *j, struct journal_entry *e);

/* Lowest number not yet answered, or the next one. */
uint64_t channel_journal_base(const struct channel_journal *j);
/* A quarter of both limits is free again. */
bool channel_journal_has_room(const struct channel_journal *j);

#endif
