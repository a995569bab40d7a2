/*
 * channel_impl - the inside of a channel, for the files that make it up:
 *
 *   channel.c           what the owner calls
 *   channel_greeting.c  connections begin: hello, welcome
 *   channel_receive.c   what the peer sends
 *   channel_turn.c      states, life signs; one turn: what is to be sent is
 *                       gathered, written, failures told
 */
#ifndef PROTO_CHANNEL_IMPL_H
#define PROTO_CHANNEL_IMPL_H

#include "common/buf.h"
#include "common/clock.h"
#include "proto/channel.h"
#include "proto/channel_journal.h"
#include "proto/channel_window.h"

/* Results are reported to the peer at the latest after this many. */
enum { CHANNEL_REPORT_AFTER = 1024 };

enum channel_state { CH_DOWN, CH_GREETING, CH_UP, CH_ENDING, CH_STATES };

struct channel {
	enum channel_role role;
	enum channel_state state;
	char node[256], boot[65], store[65];
	uint64_t epoch;
	struct clock *clock;
	struct clock_timer timer;
	const struct channel_events *events;
	void *arg;
	uint64_t ping_ms, dead_ms;

	char peer_node[256], peer_boot[65], peer_store[65];
	uint64_t peer_epoch;
	unsigned version; /* that is used; 0 before the first greeting */

	struct channel_journal journal;
	struct channel_window window;
	uint64_t credit_seq, credit_bytes; /* what the peer gave us */
	uint64_t reported;                 /* result-seen as last sent */
	struct channel_delays delays;

	/* The present connection. */
	unsigned generation; /* counts attaches and detaches */
	bool blocked;
	struct buf in;      /* the beginning of a frame */
	struct buf out;     /* frames to be written */
	struct buf writing; /* frames being written */
	uint64_t attach_ms, input_ms, ping_sent_ms;
	int fail_rc;
	char why[256];

	unsigned depth; /* of channel_turn_enter() */
	bool want_room;
	bool doomed; /* channel_free() within a callback */
};

static inline void
channel_observe(const struct channel *ch, struct channel_delay *d,
    bool delivered, uint64_t since_ms)
{
	histogram_observe(delivered ? &d->delivered : &d->failed,
	    clock_now_ms(ch->clock) - since_ms);
}

/* Every entry point runs between the two.  The outermost leave sends what has
 * become possible, writes it out, tells of room and of a failure, and frees a
 * channel that channel_free() was called for meanwhile. */
void channel_turn_enter(struct channel *ch);
void channel_turn_leave(struct channel *ch);
/* The only writer of ch->state. */
void channel_turn_state(struct channel *ch, enum channel_state to);
/* Ends the connection as soon as what is in progress has returned. */
void channel_turn_fail(struct channel *ch, int rc, const char *why);
/* A frame was finished with rc; without memory the connection has to go, so
 * that nothing is missing in what the peer gets. */
void channel_turn_written(struct channel *ch, int rc);
/* At once, without an event. */
void channel_turn_disconnect(struct channel *ch);
void channel_turn_destroy(struct channel *ch);
/* credit, ping, pong: our account of the other direction. */
void channel_turn_report(struct channel *ch, enum frame_type type);
void channel_turn_put_report(struct channel *ch, struct frame_writer *w);
/* Life signs: (re)starts the timer, whose callback is channel_turn_on_timer. */
void channel_turn_start_timer(struct channel *ch);
void channel_turn_on_timer(struct clock_timer *t, void *arg);

/* The frame that answers our hello. */
void channel_greeting_welcome(struct channel *ch, const struct frame *f);
/* Takes over the credit of a frame. */
void channel_greeting_credit(struct channel *ch, const struct frame *f);

/* May a side send this control frame by channel_send_control()? */
bool channel_receive_allowed(enum channel_role role, uint8_t type);
/* The first protocol version that knows it. */
unsigned channel_receive_since(uint8_t type);

static inline uint64_t
channel_later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

#endif
