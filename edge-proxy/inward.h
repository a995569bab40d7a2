/*
 * inward - custody of stanzas on their way from a partner to a gateway.
 *
 * A stanza is normalised and given to the channel of the gateway that owns
 * its domain.  It stays ours until the gateway's result: delivered, or failed,
 * and then the sender gets the stanza error, over the route to his domain.
 * A stanza without a result in time is withdrawn and bounced
 * (remote-server-timeout).
 *
 * The end of custody, with the result or with the error handed to the route,
 * counts a stanza as handled (XEP-0198).  The count is cumulative, and a stream
 * may run ahead of it by a window of stanzas.  Past it the stream is paused; after 5 s with a gateway at the other end it is read again
 * and what is beyond the window is refused (resource-constraint).  Without a
 * gateway it stays paused.
 *
 * Owns     what is under way, its timers.
 * Borrows  clock, hosting, the table of operations, the requests that wait.
 * Errors   0 or a negative code.
 */
#ifndef EDGE_INWARD_H
#define EDGE_INWARD_H

#include <stddef.h>
#include <stdint.h>

struct buf;
struct channel;
struct channel_result;
struct clock;
struct hosting;
struct inward;
struct inward_stream;
struct iq_asked;
struct jid;
struct xml_elem;

struct inward_ops {
	/* The channel of a node, NULL when there is none of that name. */
	struct channel *(*channel)(const char *node, void *arg);
	/* Sends a stanza back to a partner. */
	void (*reply)(const char *local, const char *remote,
	    const struct buf *xml, void *arg);
};

/* What a stream can be told; arg is inward's. */
struct inward_stream_ops {
	void (*pause)(void *stream, void *arg);
	void (*resume)(void *stream, void *arg);
	/* The first count stanzas of the stream are done with; the count has
	 * grown.  May fire from within inward_take(). */
	void (*handled)(void *stream, uint64_t count, void *arg);
};

struct inward_counters {
	uint64_t stanzas; /* taken from streams */
	uint64_t sent;    /* given to a channel */
	uint64_t delivered;
	uint64_t failed; /* by the gateway's answer */
	uint64_t timed_out;
	uint64_t refused;  /* here, with an error */
	uint64_t answered; /* here, with a result */
	uint64_t dropped;  /* not to be answered */
	uint64_t paused;   /* how often a stream was */
};

struct inward_opts {
	struct clock *clock;
	const struct hosting *hosting;
	const struct inward_ops *ops; /* borrowed, static */
	struct iq_asked *asked;       /* requests that wait for an answer */
	void *arg;
};

int inward_new(struct inward **out, const struct inward_opts *opts);
/* What is under way is forgotten; the channels must be gone, or go without
 * reporting it. */
void inward_free(struct inward *in);

/* ops is borrowed, static. */
int inward_stream_open(struct inward_stream **out, struct inward *in,
    const char *id, const struct inward_stream_ops *ops, void *stream);
/* The stream is gone; what came on it stays under way. */
void inward_stream_close(struct inward_stream *s);

/* Takes one stanza of an authorised pair; language is that of its stream's
 * header, or NULL.  0, ERR_NOMEM (not handled), or ERR_UNSUPPORTED (no stanza at
 * all). */
int inward_take(struct inward_stream *s, const struct xml_elem *e,
    const struct jid *from, const struct jid *to, const char *language);

/* From now on no stream may have more stanzas under way than that, whatever is
 * configured; 0: than is configured. */
void inward_limit_window(struct inward *in, size_t stanzas);

/* From the channel's events: cookie is one of ours. */
void
inward_result(struct inward *in, void *cookie, const struct channel_result *r);
/* A channel came up or went down: paused streams count their 5 s anew. */
void inward_channels_changed(struct inward *in);
/* The channel is about to be freed: what it has of ours is bounced. */
void inward_forget(struct inward *in, const struct channel *ch);

/* Stanzas that came on it and have no result yet. */
size_t inward_stream_pending(const struct inward_stream *s);
size_t inward_under_way(const struct inward *in);
const struct inward_counters *inward_counters(const struct inward *in);

#endif
