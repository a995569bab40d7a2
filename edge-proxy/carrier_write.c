/*
 * What a rider that is aboard writes, and learns of what it has written.
 */
#include "edge-proxy/carrier_impl.h"

#include "common/buf.h"
#include "edge-proxy/routes.h"
#include "edge-proxy/s2s_in_back.h"
#include "edge-proxy/stream_xml.h"

enum { STALL_MS = 30000 }; /* a partner that does not read */

uint32_t
carrier_bytes_max(const struct rider *r)
{
	return outlet_limits(&r->carrier->way)->max_bytes;
}

bool
carrier_can_write(const struct rider *r)
{
	return r->state == RIDER_ABOARD && outlet_has_room(&r->carrier->way);
}

static int
write_out(const struct rider *r, const void *xml, size_t len)
{
	const struct routes_opts *o = r->shared->opts;
	const struct outlet *way = &r->carrier->way;
	int rc = outlet_write(way, xml, len);

	if (rc == 0 && o->on_written != NULL)
		o->on_written(
		    o->arg, outlet_id(way), r->local, r->remote, xml, len);
	return rc;
}

int
carrier_write(struct rider *r, const void *xml, size_t len)
{
	int rc = write_out(r, xml, len);

	r->carrier->written += rc == 0 ? 1 : 0;
	return rc;
}

void
carrier_ping(struct rider *r, const char *id)
{
	struct buf out;

	buf_init(&out, 0);
	stream_xml_ping(&out, r->local, r->remote, id);
	/* A stream that cannot take it is ending; that settles the rest. */
	if (!buf_failed(&out))
		(void)write_out(r, out.data, out.len);
	buf_finish(&out);
}

struct barrier_place
carrier_place(const struct rider *r)
{
	return outlet_place(&r->carrier->way);
}

uint64_t
carrier_bytes_acknowledged(const struct rider *r)
{
	return outlet_bytes_acknowledged(&r->carrier->way);
}

void
carrier_request_ack(struct rider *r)
{
	outlet_request_ack(&r->carrier->way);
}

void
carrier_await_room(struct rider *r)
{
	if (!clock_timer_running(&r->carrier->stall))
		clock_timer_start(&r->carrier->stall, STALL_MS);
}

void
carrier_add_proof(struct rider *r, enum proof by)
{
	struct carrier *c = r->carrier;

	if (c->way.back != NULL) {
		s2s_in_back_add_proof(c->way.back, by);
		return;
	}
	s2s_out_add_proof(c->way.out, by);
	carrier_report(c, STREAM_UPDATE);
}
