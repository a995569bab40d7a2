/*
 * render - a stanza frame as the XML that goes to a partner's server.  Pure.
 *
 * Output is for a stream whose default namespace is jabber:server, which is
 * not declared again.  Frames come over the channel, so text is known to be
 * valid UTF-8 of XML characters; everything is escaped, and a rich body that
 * is not of the allow-list is left out.  Appends to out; on error out is as
 * it was.
 *
 * Errors  ERR_MALFORMED (the frame lacks what its type needs), ERR_NOMEM,
 *         ERR_FULL (limit of out).
 */
#ifndef EDGE_RENDER_H
#define EDGE_RENDER_H

#include <stdbool.h>

#include "proto/channel.h"
#include "proto/condition.h"
#include "proto/frame.h"

struct buf;

/* message, presence or iq. */
int render_frame(struct buf *out, const struct frame *f);
/* The same with that id in place of the frame's own; NULL = its own. */
int render_frame_as(struct buf *out, const struct frame *f, const char *id);

/* May a failure of this stanza be told to its sender at all?  Not when it is
 * an error itself, an iq result, or presence unavailable or probe. */
bool render_may_bounce(const struct frame *original);
/* The error stanza for an original that failed, addressed back to its sender
 * with the same id.  by: who made the error, or NULL.  Writes nothing when
 * render_may_bounce() is false. */
int render_error(struct buf *out, const struct frame *original,
    const struct channel_result *why, const char *by);

/* An error stanza from its parts; from and to as they stand in it. */
struct render_stanza_error {
	const char *name; /* "message", "presence", "iq" */
	const char *from, *to;
	const char *id; /* or NULL */
	enum condition condition;
	const char *type;    /* NULL = the condition's own */
	const char *text;    /* or NULL */
	const char *by;      /* or NULL */
	const char *gone_to; /* with COND_GONE: the new address, or NULL */
};
int render_stanza_error(struct buf *out, const struct render_stanza_error *e);

/* XEP-0199 ping. */
int
render_ping(struct buf *out, const char *id, const char *from, const char *to);

#endif
