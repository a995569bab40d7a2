/*
 * sm_out - see the header.
 *
 * The partner's count is modulo 2^32, ours is not: what it has grown by since
 * its last word, modulo 2^32, may not be more than what is out.  A count that
 * goes back looks like one that has grown by nearly 2^32 and is refused with
 * it.
 */
#include "edge-proxy/sm_out.h"

#include <string.h>

#include "common/buf.h"
#include "common/xml.h"
#include "edge-proxy/sm_xml.h"

void
sm_out_init(
    struct sm_out *m, struct clock *clock, clock_timer_fn *silent, void *arg)
{
	*m = (struct sm_out){ 0 };
	clock_timer_init(&m->answer, clock, silent, arg);
}

void
sm_out_finish(struct sm_out *m)
{
	clock_timer_stop(&m->answer);
}

void
sm_out_enable(struct sm_out *m, struct buf *out)
{
	if (m->state != SM_OUT_OFF)
		return;
	m->state = SM_OUT_ASKED;
	m->base = m->acked = m->sent;
	sm_xml_enable(out);
}

bool
sm_out_covers(const struct sm_out *m)
{
	return m->acked > m->base || m->base == 0;
}

uint64_t
sm_out_sent(struct sm_out *m)
{
	return ++m->sent;
}

static void
put_request(struct sm_out *m, struct buf *out)
{
	m->wanted = false;
	sm_xml_request(out);
	clock_timer_start(&m->answer, SM_OUT_ANSWER_MS);
}

void
sm_out_promised(struct sm_out *m, struct buf *out)
{
	m->state = SM_OUT_ON;
	m->base = m->acked = m->sent;
	if (m->wanted)
		put_request(m, out);
}

void
sm_out_ask(struct sm_out *m, struct buf *out)
{
	if (m->state == SM_OUT_ON && !clock_timer_running(&m->answer))
		put_request(m, out);
	else
		m->wanted = true;
}

static enum sm_out_verdict
take_ack(struct sm_out *m, const struct xml_elem *a, struct buf *out)
{
	uint32_t h, growth;

	if (!sm_xml_read_h(&h, a))
		return SM_OUT_UNKNOWN;
	growth = h - (uint32_t)(m->acked - m->base);
	if (growth > m->sent - m->acked) {
		sm_xml_too_high(out, h, (uint32_t)(m->sent - m->base));
		return SM_OUT_TOO_HIGH;
	}
	m->acked += growth;
	clock_timer_stop(&m->answer);
	if (m->wanted)
		put_request(m, out);
	return SM_OUT_ACKNOWLEDGED;
}

enum sm_out_verdict
sm_out_take(struct sm_out *m, const struct xml_elem *e, struct buf *out)
{
	if (m->state == SM_OUT_ASKED && strcmp(e->name, "enabled") == 0) {
		m->state = SM_OUT_ON;
		if (m->wanted)
			put_request(m, out);
		return SM_OUT_ENABLED;
	}
	if (m->state == SM_OUT_ASKED && strcmp(e->name, "failed") == 0) {
		m->state = SM_OUT_OFF;
		return SM_OUT_FINE;
	}
	if (m->state == SM_OUT_ON && strcmp(e->name, "a") == 0)
		return take_ack(m, e, out);
	/* Nobody sends us stanzas on a stream that we opened. */
	if (m->state == SM_OUT_ON && strcmp(e->name, "r") == 0) {
		sm_xml_ack(out, 0);
		return SM_OUT_FINE;
	}
	return SM_OUT_UNKNOWN;
}
