/*
 * A channel and a peer that sends any bytes, after a greeting that is sound
 * (or is not, when the first byte says so).  The owner answers now and then,
 * sends, withdraws, lets time pass, as the input tells.
 *
 * Input: a byte of flags, then the bytes of the peer in chunks of a length
 * byte each; what the owner does between two chunks comes from that byte too.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "proto/channel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OWED = 64, WINDOW = 16 };

struct owner {
	struct channel *ch;
	uint64_t owed[OWED];
	size_t owed_count;
	size_t answers_due; /* frames of ours without result */
	uint64_t last_sent;
	bool closed;
};

static void
require(int truth)
{
	if (!truth)
		abort();
}

static void
on_output(struct channel *ch, const uint8_t *data, size_t len, void *arg)
{
	struct frame f;
	size_t size;

	(void)ch;
	(void)arg;
	for (; len > 0; data += size, len -= size) {
		require(frame_length(&size, data, len) == 0);
		require(frame_decode(&f, data, size) == 0);
	}
}

static void
on_up(struct channel *ch, bool resumed, void *arg)
{
	(void)ch;
	(void)resumed;
	(void)arg;
}

static void
on_stanza(struct channel *ch, uint64_t seq, const struct frame *f, void *arg)
{
	struct owner *o = arg;

	(void)ch;
	(void)f;
	require(o->owed_count < WINDOW);
	o->owed[o->owed_count++] = seq;
}

static void
on_result(struct channel *ch, uint64_t seq, void *cookie,
    const struct channel_result *r, void *arg)
{
	struct owner *o = arg;

	(void)ch;
	(void)seq;
	require(cookie == o && o->answers_due > 0);
	require(r->delivered || (unsigned)r->condition < COND_COUNT);
	o->answers_due--;
}

static void
on_control(struct channel *ch, const struct frame *f, void *arg)
{
	(void)ch;
	(void)arg;
	require(!frame_is_stanza(f->type));
}

static void
on_room(struct channel *ch, void *arg)
{
	(void)ch;
	(void)arg;
}

static void
on_close(struct channel *ch, int rc, const char *why, void *arg)
{
	struct owner *o = arg;

	(void)ch;
	require(rc < 0 && why[0] != '\0');
	o->closed = true;
}

static const struct channel_events events = { on_output, on_up, on_stanza,
	on_result, on_control, on_room, on_close };

static void
greeting(struct buf *b, enum frame_type type)
{
	struct frame_writer w;

	frame_begin(&w, b, type);
	frame_put_u64(&w, FIELD_VERSION, 1);
	frame_put_str(&w, FIELD_NODE, "peer");
	frame_put_str(&w, FIELD_BOOT, "p.1");
	frame_put_u64(&w, FIELD_SEND_BASE, 1);
	frame_put_u64(&w, FIELD_CREDIT_SEQ, 100);
	frame_put_u64(&w, FIELD_CREDIT_BYTES, 4096);
	require(frame_end(&w) == 0);
}

static void
connect_peer(struct owner *o, bool dials)
{
	const char *why;
	struct frame f;
	struct buf b;

	buf_init(&b, 0);
	if (dials) {
		channel_attach(o->ch);
		greeting(&b, FRAME_WELCOME);
		channel_input(o->ch, b.data, b.len);
	} else {
		greeting(&b, FRAME_HELLO);
		require(frame_decode(&f, b.data, b.len) == 0);
		/* After a fuzzed frame it may be no longer acceptable. */
		(void)channel_attach_hello(o->ch, &f, &why);
	}
	buf_finish(&b);
}

static void
send_one(struct owner *o)
{
	struct frame_writer w;
	struct buf b;

	buf_init(&b, 0);
	frame_begin(&w, &b, FRAME_PRESENCE);
	require(frame_end(&w) == 0);
	if (channel_send(o->ch, &b, o, &o->last_sent) == 0)
		o->answers_due++;
	buf_finish(&b);
}

static void
act(struct owner *o, uint8_t what, struct clock *clock)
{
	struct channel_result r = { .delivered = (what & 1) != 0,
		.condition = COND_GONE,
		.text = "gone" };
	size_t before;

	if ((what & 2) != 0 && o->owed_count > 0)
		channel_answer(o->ch, o->owed[--o->owed_count], &r);
	if ((what & 4) != 0)
		send_one(o);
	if ((what & 8) != 0 && o->answers_due > 0) {
		before = channel_unanswered(o->ch);
		channel_withdraw(o->ch, o->last_sent);
		o->answers_due -= before - channel_unanswered(o->ch);
	}
	if ((what & 0x30) == 0x30)
		clock_advance(clock, 3000);
	if ((what & 0x3f) == 0x3f)
		channel_detach(o->ch);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct channel_opts opts = { .node = "n",
		.boot = "b",
		.events = &events,
		.window_frames = WINDOW,
		.journal_frames = 8 };
	struct owner o = { 0 };
	struct frame f;
	const char *why;
	size_t n;
	bool dials;

	if (size < 1)
		return 0;
	dials = (data[0] & 1) != 0;
	opts.role = dials ? CHANNEL_DIALS : CHANNEL_ACCEPTS;
	opts.arg = &o;
	require(clock_open_manual(&opts.clock, 1000, 0) == 0);
	require(channel_new(&o.ch, &opts) == 0);
	if ((data[0] & 2) == 0)
		connect_peer(&o, dials);
	else if (dials)
		channel_attach(o.ch);
	else if (frame_decode(&f, data + 1, size - 1) == 0)
		(void)channel_attach_hello(o.ch, &f, &why);
	data++;
	size--;
	while (size > 1) {
		n = data[0] < size - 1 ? data[0] : size - 1;
		act(&o, data[0], opts.clock);
		channel_input(o.ch, data + 1, n);
		require(channel_unanswered(o.ch) == o.answers_due);
		require(channel_owed(o.ch) == o.owed_count);
		if (!channel_is_up(o.ch) && (data[0] & 0x40) != 0)
			connect_peer(&o, dials);
		data += n + 1;
		size -= n + 1;
	}
	channel_free(o.ch);
	clock_close(opts.clock);
	return 0;
}
