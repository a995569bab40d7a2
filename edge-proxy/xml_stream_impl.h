/*
 * xml_stream_impl - what the parts of the parser of streams share.
 *
 *   xml_stream.c         bytes in: life, feeding, holding, resting
 *   xml_stream_events.c  what expat tells: headers, elements, refusals
 */
#ifndef EDGE_XML_STREAM_IMPL_H
#define EDGE_XML_STREAM_IMPL_H

#include "edge-proxy/xml_stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XML_DTD 1 /* expat.h hides the protections otherwise */
#include <expat.h>

#include "common/buf.h"
#include "edge-proxy/xml_build.h"

enum xml_state {
	XS_RUNNING,
	XS_STOPPED, /* by xml_stream_stop() */
	XS_ENDED,   /* closing tag seen */
	XS_FAILED
};

struct xml_stream {
	XML_Parser parser; /* NULL while it rests */
	struct xml_build build;
	struct xml_stream_limits limits;
	const struct xml_stream_events *events;
	void *arg;

	enum xml_state state;
	enum stream_error error;
	const char *error_text;

	/* requests made by events, carried out when expat has returned */
	bool restart;
	bool paused;
	bool dead;
	bool suspended; /* expat holds bytes for a resume */
	unsigned busy;  /* depth of feed/resume calls */

	/* the first bytes of a stream */
	unsigned first_bytes; /* 0: none, 1: '<', 2: checked */
	bool skip_space;
	size_t skipped;

	/* offsets in bytes since the parser was made */
	uint64_t received;
	uint64_t fed;
	uint64_t base;
	uint64_t stop_at; /* end of the element that stopped us */
	size_t element_size;
	struct buf opening; /* up to the end of the stream's opening tag */
	struct buf held;    /* cannot complete the tag in progress */
	struct buf later;   /* fed while paused */
	uint64_t reread;

	bool in_stream; /* the opening tag was seen */
	unsigned ns_declared;
	bool default_ns_wrong;
	bool dialback;
};

/* White space of XML, all of it. */
bool xml_stream_is_space(const char *s, size_t len);
/* The stream is over, for that reason; the first one counts. */
void
xml_stream_refuse(struct xml_stream *xs, enum stream_error e, const char *text);
/* For what expat itself objects to. */
void xml_stream_refuse_expat(struct xml_stream *xs);
/* For a limit that was passed, or memory that was not to be had. */
void xml_stream_too_much(struct xml_stream *xs, const char *text);
/* What the parser tells goes to the stream from now on. */
void xml_stream_listen(struct xml_stream *xs, XML_Parser p);

#endif
