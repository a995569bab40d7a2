/*
 * trace_stanza - what kind of stanza an edge tells of, read from its text for
 * a line of a ladder.  It takes the text for what it may be: cut, or made up.
 * Pure.
 */
#ifndef GATEWAY_TRACE_TRACE_STANZA_H
#define GATEWAY_TRACE_TRACE_STANZA_H

#include <stddef.h>
#include <jansson.h>

/* Adds to out, as far as it finds them: "name", "type" and "id" of the stanza,
 * "children" (names), "condition" of an error. */
void trace_stanza_describe(json_t *out, const char *text, size_t len);

#endif
