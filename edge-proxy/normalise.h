/*
 * normalise - one stanza from a partner's server, as a frame.  Pure.
 *
 * The caller has parsed the stanza, prepared both addresses and checked that
 * the stream may speak for the pair.  What the frame vocabulary names passes;
 * everything else of the stanza is left behind here (RFC 6120 8, RFC 6121 5,
 * proto/CHANNEL.md).  Four outcomes:
 *
 * FRAME   one encoded stanza frame without FIELD_SEQ, for the gateway node
 *         in node, or for the owner of the to-domain when node is "".
 * ANSWER  a request answered here: xml goes back to the sender's domain.
 * REFUSE  not acceptable: xml is the error stanza that goes back, condition
 *         and why are for the log.
 * DROP    taken and done with: nothing in it passes, or it is not to be
 *         answered (an error about an error, a stray iq result).
 *
 * After ANSWER, REFUSE and DROP the stanza counts as handled.
 */
#ifndef EDGE_NORMALISE_H
#define EDGE_NORMALISE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/jid.h"
#include "common/xml.h"
#include "proto/condition.h"

enum normalise_outcome {
	NORMALISE_FRAME,
	NORMALISE_ANSWER,
	NORMALISE_REFUSE,
	NORMALISE_DROP
};

struct normalise_ctx {
	const struct jid *from; /* prepared and authorised */
	const struct jid *to;   /* prepared; a domain we host */
	const char *stream;     /* stream id for FIELD_STREAM */
	const char *language;   /* xml:lang of the stream header, or NULL */
	const char *prefer;     /* of texts in several languages, or NULL */
	/* FIELD_ID of a request that passes, in place of the asker's; NULL =
	 * his own */
	const char *request_id;
};

struct normalised {
	enum normalise_outcome outcome;
	struct buf frame;
	struct buf xml; /* jabber:server is the default namespace around it */
	char node[256];
	bool request; /* the frame is a request, under ctx's request_id */
	enum condition condition;
	const char *why; /* static; "" when there is nothing to say */
};

void normalise_init(struct normalised *n);
void normalise_finish(struct normalised *n);

/* e is message, presence or iq.  Each call begins anew in out and keeps its
 * memory.  0, or ERR_NOMEM: nothing was decided, the stanza is not handled.
 * ERR_UNSUPPORTED when e is none of the three (the caller's stream error). */
int normalise_stanza(struct normalised *out, const struct xml_elem *e,
    const struct normalise_ctx *ctx);

/* Whether id has the form of those under which the gateway asks: "spp-", a
 * letter, 16 hexadecimal digits.  An answer with any other is to nothing we asked. */
bool normalise_question_id(const char *id);

/* The node named in a barrier id "sp1-<node>-<hex counter>-<32 hex>"; false
 * when id is not of that form.  out holds 256 bytes. */
bool normalise_barrier_node(char *out, const char *id);

#endif
