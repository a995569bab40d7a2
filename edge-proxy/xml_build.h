/*
 * xml_build - the tree of one first-level element, made from expat's events
 * inside bounds.  Part of xml_stream.
 *
 * Owns     its arena; the tree in it lasts until xml_build_clear().
 * Errors   functions that add answer NULL, or what bound was passed, in words.
 */
#ifndef EDGE_XML_BUILD_H
#define EDGE_XML_BUILD_H

#include <stddef.h>

#include "edge-proxy/xml_stream.h"

struct xml_arena;

enum {
	XML_BUILD_SEPARATOR = 1, /* never in input, raw or as reference */
	XML_BUILD_DEPTH = 128,   /* limits stay below */
	XML_BUILD_URI = 1024
};

struct xml_build {
	struct xml_arena *arena;
	struct xml_elem *current;
	unsigned depth; /* open elements */
	unsigned elements;
	unsigned children[XML_BUILD_DEPTH]; /* by depth of the parent */
};

/* ERR_NOMEM. */
int xml_build_init(struct xml_build *b, const struct xml_stream_limits *l);
void xml_build_finish(struct xml_build *b);
/* Wider limits from now on. */
void xml_build_widen(struct xml_build *b, const struct xml_stream_limits *l);
/* For the next element. */
void xml_build_clear(struct xml_build *b);

/* name and attributes as expat gives them, "uri SEPARATOR local". */
const char *xml_build_start(struct xml_build *b,
    const struct xml_stream_limits *l, const char *name, const char **attrs);
const char *xml_build_text(struct xml_build *b, const char *s, size_t len);
/* Closes the innermost element; returns the tree when it is whole. */
struct xml_elem *xml_build_end(struct xml_build *b);

#endif
