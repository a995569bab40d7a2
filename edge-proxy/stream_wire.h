/* stream_wire - from stream_xml's buffers to the connection. */
#ifndef EDGE_STREAM_WIRE_H
#define EDGE_STREAM_WIRE_H

struct buf;
struct conn;

/* What direct TLS is told to carry (XEP-0368 3), its length in front, as RFC
 * 7301 3.1 has it; a string, whose NUL is no part of it. */
#define STREAM_WIRE_ALPN "\013xmpp-server"

/* Writes what was gathered in buf and finishes it.  Without memory the
 * connection is dropped: half an element must never be written.  A peer that
 * does not read is the connection's to report. */
void stream_wire_flush(struct conn *c, struct buf *out);
/* The same for one element without parameters. */
void stream_wire_send(struct conn *c, void (*write)(struct buf *out));

#endif
