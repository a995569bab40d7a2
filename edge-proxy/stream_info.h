/*
 * stream_info - what is told about a partner stream to whoever watches: the
 * facts behind the channel's stream frames (proto/CHANNEL.md).
 *
 * A view: every pointer is valid only while the call that brought it lasts,
 * or until the stream next reports something.
 */
#ifndef EDGE_STREAM_INFO_H
#define EDGE_STREAM_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	STREAM_ID_SIZE = 65, /* name of a stream, with its NUL */
	STREAM_PEER_SIZE = 64
};

enum stream_direction { STREAM_IN, STREAM_OUT };

enum stream_event {
	STREAM_UP,     /* authenticated; stanzas may follow */
	STREAM_UPDATE, /* pairs or proofs changed */
	STREAM_DOWN,   /* was up and is gone */
	STREAM_FAILED  /* never came up */
};

/* Who may speak to whom on a stream: a hosted domain and a partner's, both in
 * comparable form. */
struct stream_pair {
	const char *local;
	const char *remote;
	unsigned method; /* the AUTH_ bit by which it was proven; 0: not yet */
};

struct stream_info {
	const char *id;
	enum stream_direction direction;
	const struct stream_pair *pairs; /* failed: those that were wanted */
	size_t pair_count;
	const char *peer; /* "192.0.2.1:5269"; "" before an address is known */
	/* "external", "dialback", both also with the partner proven by TLSA
	 * records: "dane", "dialback+dane"; "" before */
	const char *auth;
	const char *tls;    /* "TLSv1.3", "-" for none; "" before */
	const char *cipher; /* "" before */
	bool bidi;          /* stanzas go both ways on it (XEP-0288) */
	unsigned proofs;    /* bit 1u << enum proof for each that was seen */
	const char *reason; /* down, failed: for an admin; else NULL */
	/* down: the stream error, failed: the stanza error that senders get;
	 * NULL when there is none. */
	const char *condition;
	/* For lists of what is up; 0 elsewhere. */
	uint64_t up_ms; /* by the clock, when it came up */
	uint64_t stanzas_in, stanzas_out;
	size_t unanswered; /* stanzas whose fate is not known yet */
};

/* "in" "out"; "up" "update" "down" "failed". */
const char *stream_direction_str(enum stream_direction d);
const char *stream_event_str(enum stream_event e);

typedef void stream_event_fn(
    enum stream_event ev, const struct stream_info *info, void *arg);

#endif
