/*
 * A place in inward is taken with the first stanza that comes back on a stream,
 * and given up with the stream; a window of its own and a count of its own are
 * what goes with it.
 */
#include "edge-proxy/edge_returns.h"

#include <stdlib.h>

#include "common/err.h"
#include "common/jid.h"
#include "common/log_limit.h"
#include "edge-proxy/edge_impl.h"
#include "edge-proxy/edge_trace.h"
#include "edge-proxy/inward.h"
#include "edge-proxy/s2s_out.h"
#include "edge-proxy/s2s_out_back.h"

struct inlet {
	struct s2s_out *s2s;
	struct inward_stream *inward;
};

static void
on_window_full(void *stream, void *arg)
{
	struct inlet *i = stream;

	(void)arg;
	s2s_out_back_pause(i->s2s);
}

static void
on_window_open(void *stream, void *arg)
{
	struct inlet *i = stream;
	struct edge *e = arg;

	if (e->stage == RUNNING || e->stage == DRAINING)
		s2s_out_back_resume(i->s2s);
}

static void
on_handled(void *stream, uint64_t count, void *arg)
{
	struct inlet *i = stream;

	(void)arg;
	s2s_out_back_handled(i->s2s, count);
}

static const struct inward_stream_ops flow_ops = {
	.pause = on_window_full,
	.resume = on_window_open,
	.handled = on_handled,
};

static int
open_inlet(void **out, struct edge *e, struct s2s_out *s)
{
	struct inlet *i = calloc(1, sizeof(*i));
	int rc;

	if (i == NULL)
		return ERR_NOMEM;
	i->s2s = s;
	rc = inward_stream_open(
	    &i->inward, e->inward, s2s_out_id(s), &flow_ops, i);
	if (rc < 0) {
		free(i);
		return rc;
	}
	*out = i;
	return 0;
}

void
edge_returns_stanza(void *arg, struct s2s_out *s, void **inlet,
    const struct xml_elem *elem, const struct jid *from, const struct jid *to)
{
	struct edge *e = arg;
	struct inlet *i;
	int rc = *inlet != NULL ? 0 : open_inlet(inlet, e, s);

	edge_trace_inward(e->trace, s2s_out_id(s), elem, from, to);
	i = *inlet;
	if (rc == 0)
		rc = inward_take(
		    i->inward, elem, from, to, s2s_out_back_language(s));
	if (rc == 0)
		return;
	log_limited_warn(&e->log, from->ascii, "stanza-not-taken",
	    "stream=%s error=%s", s2s_out_id(s), err_str(rc));
	s2s_out_close(s,
	    rc == ERR_UNSUPPORTED ? STREAM_ERR_UNSUPPORTED_STANZA_TYPE
				  : STREAM_ERR_RESOURCE_CONSTRAINT,
	    NULL);
}

void
edge_returns_end(void *arg, void *inlet)
{
	struct inlet *i = inlet;

	(void)arg;
	inward_stream_close(i->inward);
	free(i);
}
