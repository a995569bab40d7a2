/*
 * outlet - a stream that our stanzas may be written on, whoever opened it: the
 * one side of s2s_out and of s2s_in_back that their user, the carrier, sees.
 *
 * Borrows  the stream; it may be used until that one says that it is down.
 */
#ifndef EDGE_OUTLET_H
#define EDGE_OUTLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edge-proxy/barrier_stream.h"
#include "edge-proxy/stream_error.h"

struct s2s_in;
struct s2s_out;
struct stream_limits;

/* One of the two; both NULL: none. */
struct outlet {
	struct s2s_out *out;
	struct s2s_in *back;
};

/* Name of the stream. */
const char *outlet_id(const struct outlet *o);
bool outlet_is_open(const struct outlet *o);
bool outlet_has_room(const struct outlet *o);
/* As their namesakes of s2s_out.h. */
int outlet_write(const struct outlet *o, const void *xml, size_t len);
void outlet_request_ack(const struct outlet *o);
uint64_t outlet_bytes_acknowledged(const struct outlet *o);
const struct stream_limits *outlet_limits(const struct outlet *o);
/* Where the stanza written last ends. */
struct barrier_place outlet_place(const struct outlet *o);
void
outlet_close(const struct outlet *o, enum stream_error e, const char *text);

#endif
