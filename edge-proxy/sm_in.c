/*
 * sm_in - see the header.
 *
 * What came before it was enabled is not counted, but may be done with later:
 * until all of it is, the count that the partner sees stays 0.
 */
#include "edge-proxy/sm_in.h"

#include <assert.h>
#include <string.h>

#include "common/buf.h"
#include "common/xml.h"
#include "edge-proxy/sm_xml.h"

void
sm_in_init(
    struct sm_in *m, struct clock *clock, clock_timer_fn *tell, void *arg)
{
	*m = (struct sm_in){ 0 };
	clock_timer_init(&m->tell, clock, tell, arg);
}

void
sm_in_finish(struct sm_in *m)
{
	clock_timer_stop(&m->tell);
}

static void
put_ack(struct sm_in *m, struct buf *out)
{
	uint64_t h = m->handled > m->start ? m->handled - m->start : 0;

	sm_xml_ack(out, (uint32_t)h);
	m->told = m->handled;
	clock_timer_stop(&m->tell);
}

void
sm_in_enable(struct sm_in *m)
{
	m->enabled = true;
	m->start = m->received;
	m->told = m->handled;
}

static enum sm_in_verdict
take_enable(struct sm_in *m, struct buf *out)
{
	if (m->enabled)
		return SM_IN_TWICE;
	sm_in_enable(m);
	sm_xml_enabled(out);
	return SM_IN_FINE;
}

/* We send no stanzas on his stream; where we do (XEP-0288), it does not come
 * here. */
static enum sm_in_verdict
take_ack(const struct xml_elem *a, struct buf *out)
{
	uint32_t h;

	if (!sm_xml_read_h(&h, a))
		return SM_IN_UNKNOWN;
	if (h == 0)
		return SM_IN_FINE;
	sm_xml_too_high(out, h, 0);
	return SM_IN_TOO_HIGH;
}

enum sm_in_verdict
sm_in_take(struct sm_in *m, const struct xml_elem *e, struct buf *out)
{
	if (strcmp(e->name, "enable") == 0)
		return take_enable(m, out);
	if (strcmp(e->name, "resume") == 0) {
		sm_xml_failed(out, "feature-not-implemented");
		return SM_IN_FINE;
	}
	if (!m->enabled)
		return SM_IN_UNKNOWN;
	if (strcmp(e->name, "a") == 0)
		return take_ack(e, out);
	if (strcmp(e->name, "r") != 0)
		return SM_IN_UNKNOWN;
	put_ack(m, out);
	return SM_IN_FINE;
}

void
sm_in_received(struct sm_in *m)
{
	m->received++;
}

void
sm_in_handled(struct sm_in *m, uint64_t count)
{
	assert(count >= m->handled && count <= m->received);
	m->handled = count;
	if (m->enabled && count > m->start && !clock_timer_running(&m->tell))
		clock_timer_start(&m->tell, 0);
}

void
sm_in_flush(struct sm_in *m, struct buf *out)
{
	if (m->enabled && m->handled > m->start && m->handled > m->told)
		put_ack(m, out);
}

bool
sm_in_owes(const struct sm_in *m)
{
	return m->enabled && m->handled < m->received;
}
