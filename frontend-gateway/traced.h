/*
 * traced - what an edge tells of traffic: the content of a traced frame
 * (proto/CHANNEL.md), held to its form.  Pure.
 */
#ifndef GATEWAY_TRACED_H
#define GATEWAY_TRACED_H

#include <stddef.h>
#include <jansson.h>

enum {
	TRACED_TEXT_MAX = 16384,
	TRACED_ADDRESS_MAX = 3071,
	TRACED_STREAM_MAX = 64,
	/* The text with its quotes escaped, the addresses, the rest. */
	TRACED_JSON_MAX = 2 * TRACED_TEXT_MAX + 4 * TRACED_ADDRESS_MAX + 1024,
	TRACED_MISSED_MAX = 1000000000
};

/* The members "at", "kind", "direction", "stream", "from", "to", "text", "cut"
 * (always there) and "missed", and no others; to be let go.  NULL when one is
 * missing, longer or of another form, or without memory. */
json_t *traced_read(const char *json, size_t len);

#endif
