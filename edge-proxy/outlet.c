/* outlet - see the header. */
#include "edge-proxy/outlet.h"

#include "edge-proxy/s2s_in.h"
#include "edge-proxy/s2s_in_back.h"
#include "edge-proxy/s2s_out.h"

const char *
outlet_id(const struct outlet *o)
{
	return o->back != NULL ? s2s_in_id(o->back) : s2s_out_id(o->out);
}

bool
outlet_is_open(const struct outlet *o)
{
	if (o->back != NULL)
		return s2s_in_back_is_open(o->back);
	return o->out != NULL && s2s_out_is_up(o->out);
}

bool
outlet_has_room(const struct outlet *o)
{
	if (!outlet_is_open(o))
		return false;
	return o->back != NULL ? !s2s_in_back_backlogged(o->back)
			       : !s2s_out_backlogged(o->out);
}

int
outlet_write(const struct outlet *o, const void *xml, size_t len)
{
	return o->back != NULL ? s2s_in_back_write(o->back, xml, len)
			       : s2s_out_write(o->out, xml, len);
}

void
outlet_request_ack(const struct outlet *o)
{
	if (o->back != NULL)
		s2s_in_back_request_ack(o->back);
	else
		s2s_out_request_ack(o->out);
}

uint64_t
outlet_bytes_acknowledged(const struct outlet *o)
{
	return o->back != NULL ? s2s_in_back_bytes_acknowledged(o->back)
			       : s2s_out_bytes_acknowledged(o->out);
}

const struct stream_limits *
outlet_limits(const struct outlet *o)
{
	return o->back != NULL ? s2s_in_back_limits(o->back)
			       : s2s_out_limits(o->out);
}

struct barrier_place
outlet_place(const struct outlet *o)
{
	if (o->back != NULL)
		return (struct barrier_place){
			.stanza = s2s_in_back_stanzas(o->back),
			.bytes = s2s_in_back_bytes(o->back),
		};
	return (struct barrier_place){
		.stanza = s2s_out_stanzas(o->out),
		.bytes = s2s_out_bytes(o->out),
	};
}

void
outlet_close(const struct outlet *o, enum stream_error e, const char *text)
{
	if (o->back != NULL)
		s2s_in_close(o->back, e, text);
	else
		s2s_out_close(o->out, e, text);
}
