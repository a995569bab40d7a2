/* stream_wire - see the header. */
#include "edge-proxy/stream_wire.h"

#include "common/buf.h"
#include "common/conn.h"

void
stream_wire_flush(struct conn *c, struct buf *out)
{
	if (buf_failed(out))
		conn_abort(c, CONN_END_NOMEM);
	else if (out->len > 0)
		conn_write(c, out->data, out->len);
	buf_finish(out);
}

void
stream_wire_send(struct conn *c, void (*write)(struct buf *out))
{
	struct buf out;

	buf_init(&out, 0);
	write(&out);
	stream_wire_flush(c, &out);
}
