/*
 * xml_stream - the restricted XML of RFC 6120 11, as a stream: a header, then
 * whole first-level elements, then the end.
 *
 * Refuses comments, processing instructions, document types, entities other
 * than the five predefined ones, encodings other than UTF-8, XML other than
 * 1.0, text between elements; bounds bytes, depth, attributes, children and
 * names.  A refusal is the stream error to send, in xml_stream_error().
 * Namespaces count, prefixes do not: both styles of RFC 6120 4.8.2 are read.
 *
 * Owns     the parser and the tree of the element in progress.
 * Ends     xml_stream_close(), also from within an event.
 * Errors   0 or a negative code.
 */
#ifndef EDGE_XML_STREAM_H
#define EDGE_XML_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "edge-proxy/stream_error.h"

#define XML_NS_STREAMS          "http://etherx.jabber.org/streams"
#define XML_NS_SERVER           "jabber:server"
#define XML_NS_DIALBACK         "jabber:server:dialback"
#define XML_NS_DIALBACK_FEATURE "urn:xmpp:features:dialback"
#define XML_NS_TLS              "urn:ietf:params:xml:ns:xmpp-tls"
#define XML_NS_SASL             "urn:ietf:params:xml:ns:xmpp-sasl"
#define XML_NS_BIDI             "urn:xmpp:bidi"
#define XML_NS_BIDI_FEATURE     "urn:xmpp:features:bidi"
#define XML_NS_STREAM_ERRORS    "urn:ietf:params:xml:ns:xmpp-streams"

struct xml_stream;
struct xml_elem;

/* Attributes of the opening tag; NULL when absent. */
struct stream_header {
	const char *to;
	const char *from;
	const char *id;
	const char *lang;
	const char *version;
	bool dialback; /* xmlns:db was declared */
};

struct xml_stream_limits {
	size_t header_max;     /* bytes up to the end of the opening tag */
	size_t element_max;    /* bytes of a first-level element */
	unsigned depth_max;    /* levels of an element, itself included */
	unsigned attrs_max;    /* attributes of one element */
	unsigned ns_max;       /* namespace declarations of one element */
	unsigned children_max; /* child elements of one element */
	unsigned elements_max; /* elements below a first-level element */
	unsigned name_max;     /* bytes of a local name */
	unsigned uri_max;      /* bytes of a namespace name */
};

/* Before the peer is authenticated, and (with the stanza limit) after. */
struct xml_stream_limits xml_stream_limits_strict(void);
struct xml_stream_limits xml_stream_limits_open(size_t stanza_max);

/* What an event is given is valid during the call only. */
struct xml_stream_events {
	void (*on_header)(
	    struct xml_stream *xs, const struct stream_header *h, void *arg);
	void (*on_element)(
	    struct xml_stream *xs, const struct xml_elem *e, void *arg);
	/* The closing tag.  What follows it is ignored. */
	void (*on_goodbye)(struct xml_stream *xs, void *arg);
};

int
xml_stream_open(struct xml_stream **out, const struct xml_stream_limits *limits,
    const struct xml_stream_events *events, void *arg);
void xml_stream_close(struct xml_stream *xs);

/* Parses bytes cut anywhere.  *consumed is len, or less when an event called
 * xml_stream_stop().  ERR_PROTOCOL once the stream is refused. */
int xml_stream_feed(
    struct xml_stream *xs, const void *data, size_t len, size_t *consumed);

/* From within on_element: read no further (STARTTLS follows).  What was fed
 * behind that element stays unconsumed; only a restart goes on. */
void xml_stream_stop(struct xml_stream *xs);
/* A new stream begins: with the next byte, or, from within on_element, with
 * the one behind that element.  White space in front of it is skipped.  The
 * limits change when they are given. */
void xml_stream_restart(
    struct xml_stream *xs, const struct xml_stream_limits *limits);

/* The peer has authenticated without a restart (dialback): wider limits from
 * now on, none of them below its old one.  Also from within an event. */
void
xml_stream_widen(struct xml_stream *xs, const struct xml_stream_limits *limits);

/* No event between pause and resume, even when more elements were fed; feeding
 * while paused keeps the bytes.  xml_stream_resume() works off what is left
 * and answers as xml_stream_feed() does.  No restart while elements are left
 * from before a pause. */
void xml_stream_pause(struct xml_stream *xs);
int xml_stream_resume(struct xml_stream *xs);

/* The peer has been silent for a while: frees the parser and its buffers until
 * more bytes come.  False when the stream stands where it cannot rest. */
bool xml_stream_rest(struct xml_stream *xs);
/* Nothing will be fed any more: frees all that can be freed, which from within
 * an event is nothing.  xml_stream_close() is still due. */
void xml_stream_shed(struct xml_stream *xs);
/* Bytes held of an element that is not whole, or not handed out. */
size_t xml_stream_partial(const struct xml_stream *xs);

/* Why the stream is refused; STREAM_ERR_NONE while it is not. */
enum stream_error xml_stream_error(const struct xml_stream *xs);
/* In words, for the log; never NULL. */
const char *xml_stream_error_text(const struct xml_stream *xs);
/* Bytes of the element that on_element is given. */
size_t xml_stream_element_size(const struct xml_stream *xs);

#endif
