/*
 * Two nodes, a network that cuts at any byte, restarts, slow answers, full
 * queues, withdrawals; all drawn from a seed.  Whatever happens:
 *
 *   - every frame is answered exactly once at its sender, with the answer that
 *     was given, unless it was withdrawn or the sender restarted;
 *   - a frame is handled at least once if it was answered, and never more
 *     often than the receiver restarted since, plus once;
 *   - frames reach a receiver in the order of sending;
 *   - no honest node ever finds the other breaking the protocol;
 *   - what is owed stays within the window, what waits within the journal;
 *   - when the faults stop, everything comes to an end.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "proto/channel.h"

enum { MESSAGES = 4096, OWED = 64, SIDES = 2 };

enum fate { PENDING, ANSWERED, WITHDRAWN, LOST };

/* One message of one side, from sending to its end. */
struct message {
	enum fate fate;
	uint64_t seq;
	unsigned receiver_boots; /* of the receiver, when it was sent */
	unsigned handled;
};

struct owed {
	uint64_t seq;
	unsigned n;
};

struct sim;

struct side {
	struct sim *sim;
	struct channel *ch;
	unsigned index;
	unsigned boots;
	bool attached;
	bool block_next; /* block in the next on_output */
	struct buf pipe; /* bytes on the way to this side */
	struct message messages[MESSAGES];
	unsigned sent;      /* messages so far */
	unsigned last_seen; /* highest message of the peer, this boot */
	struct owed owed[OWED];
	unsigned owed_count;
	bool want_room; /* a send found no room, and none was told since */
};

struct sim {
	uint64_t rng;
	struct clock *clock;
	struct side sides[SIDES];
	bool connected; /* pipes carry bytes */
	bool greeted;   /* the accepting side has read the hello */
	size_t cut_in;  /* bytes until the connection breaks, 0 = never */
	bool closing;   /* a side wants the connection to end */
	uint64_t window;
	unsigned closes; /* by timeout */
};

static uint32_t
draw(struct sim *s, uint32_t bound)
{
	s->rng ^= s->rng << 13;
	s->rng ^= s->rng >> 7;
	s->rng ^= s->rng << 17;
	return (uint32_t)(s->rng >> 32) % bound;
}

static struct side *
other(struct side *me)
{
	return &me->sim->sides[1 - me->index];
}

/* The answer to message n is a matter of n alone. */
static void
answer_of(struct channel_result *r, unsigned n, char *text, size_t size)
{
	memset(r, 0, sizeof(*r));
	r->delivered = n % 3 != 0;
	if (r->delivered) {
		r->proof = (enum proof)(n % 5);
		return;
	}
	r->condition = (enum condition)(n % COND_COUNT);
	r->error_type = n % 2 ? "wait" : NULL;
	if (n % 4 != 0) {
		snprintf(text, size, "reason %u", n);
		r->text = text;
	}
}

static void
on_output(struct channel *ch, const uint8_t *data, size_t len, void *arg)
{
	struct side *me = arg;
	struct sim *s = me->sim;

	(void)ch;
	if (me->block_next) {
		me->block_next = false;
		channel_block(me->ch, true);
	}
	/* What is said on a connection that is no more goes nowhere. */
	if (!s->connected || (me->index == 1 && !s->greeted))
		return;
	if (s->cut_in > 0 && len >= s->cut_in) {
		len = s->cut_in;
		s->closing = true;
	}
	if (s->cut_in > 0)
		s->cut_in -= len;
	buf_add(&other(me)->pipe, data, len);
	if (s->closing && s->cut_in == 0)
		s->connected = false; /* nothing passes any more */
}

static void
on_up(struct channel *ch, bool resumed, void *arg)
{
	(void)ch;
	(void)resumed;
	(void)arg;
}

static void
give_answer(struct side *me, unsigned i)
{
	struct channel_result r;
	struct owed o = me->owed[i];
	char text[32];

	me->owed[i] = me->owed[--me->owed_count];
	answer_of(&r, o.n, text, sizeof(text));
	channel_answer(me->ch, o.seq, &r);
}

static void
on_stanza(struct channel *ch, uint64_t seq, const struct frame *f, void *arg)
{
	struct side *me = arg;
	struct message *m;
	char id[16];
	unsigned n;

	(void)ch;
	assert_true(frame_copy(f, FIELD_ID, id, sizeof(id)));
	n = (unsigned)atoi(id);
	assert_in_range(n, 1, MESSAGES - 1);
	m = &other(me)->messages[n];
	m->handled++;
	assert_true(m->handled <= 1 + me->boots - m->receiver_boots);
	assert_true(n > me->last_seen);
	me->last_seen = n;
	assert_true(me->owed_count < OWED);
	me->owed[me->owed_count++] = (struct owed){ seq, n };
	assert_true(channel_owed(me->ch) <= me->sim->window);
	if (draw(me->sim, 3) == 0)
		give_answer(me, me->owed_count - 1);
}

static void
on_result(struct channel *ch, uint64_t seq, void *cookie,
    const struct channel_result *r, void *arg)
{
	struct side *me = arg;
	struct message *m = cookie;
	struct channel_result want;
	char text[32];

	(void)ch;
	assert_int_equal(m->fate, PENDING);
	assert_int_equal(m->seq, seq);
	assert_true(m->handled > 0);
	m->fate = ANSWERED;
	answer_of(&want, (unsigned)(m - me->messages), text, sizeof(text));
	assert_int_equal(r->delivered, want.delivered);
	if (want.delivered) {
		assert_int_equal(r->proof, want.proof);
		return;
	}
	assert_int_equal(r->condition, want.condition);
	assert_true((r->text != NULL) == (want.text != NULL));
	if (want.text != NULL)
		assert_string_equal(r->text, want.text);
	assert_true((r->error_type != NULL) == (want.error_type != NULL));
}

static void
on_control(struct channel *ch, const struct frame *f, void *arg)
{
	(void)ch;
	(void)arg;
	assert_int_equal(f->type, FRAME_DRAIN);
}

static void
on_room(struct channel *ch, void *arg)
{
	struct side *me = arg;

	(void)ch;
	assert_true(me->want_room);
	me->want_room = false;
}

static void
on_close(struct channel *ch, int rc, const char *why, void *arg)
{
	struct side *me = arg;

	(void)ch;
	/* Refused: the other side had timed out and said so. */
	if (rc != ERR_TIMEOUT && rc != ERR_DENIED)
		fail_msg("side %u: %s (%s)", me->index, why, err_str(rc));
	if (rc == ERR_DENIED)
		assert_true(strstr(why, "silent") != NULL ||
			    strstr(why, "no welcome in time") != NULL);
	me->attached = false;
	me->sim->closing = true;
	me->sim->closes++;
}

static const struct channel_events events = { on_output, on_up, on_stanza,
	on_result, on_control, on_room, on_close };

static void
side_start(struct side *me, unsigned boot)
{
	struct channel_opts o = { 0 };
	char name[16];

	snprintf(name, sizeof(name), "boot%u", boot);
	o.role = me->index == 0 ? CHANNEL_DIALS : CHANNEL_ACCEPTS;
	o.node =
	    me->index == 0 ? "gw1.contoso.example" : "edge1.contoso.example";
	o.boot = name;
	o.store = "store";
	o.epoch = me->boots;
	o.clock = me->sim->clock;
	o.events = &events;
	o.arg = me;
	o.window_frames = me->sim->window;
	o.journal_frames = 16;
	assert_int_equal(channel_new(&me->ch, &o), 0);
	me->attached = false;
	me->last_seen = 0;
	me->owed_count = 0;
	me->want_room = false;
	me->boots++;
}

static void
on_lost(uint64_t seq, void *cookie, void *arg)
{
	struct message *m = cookie;

	(void)arg;
	assert_int_equal(m->seq, seq);
	assert_int_equal(m->fate, PENDING);
	m->fate = LOST;
}

/* The connection is gone for one side. */
static void
side_detach(struct side *me)
{
	channel_detach(me->ch);
	me->attached = false;
	buf_clear(&me->pipe);
}

static void
disconnect(struct sim *s)
{
	s->connected = false;
	s->closing = false;
	s->greeted = false;
	s->cut_in = 0;
	side_detach(&s->sides[0]);
	/* The accepting side may notice only when the next hello comes. */
	if (draw(s, 2) == 0)
		side_detach(&s->sides[1]);
	buf_clear(&s->sides[1].pipe);
}

/* A new process, or only a new channel in the same one. */
static void
side_restart(struct side *me)
{
	channel_each_unanswered(me->ch, on_lost, me);
	channel_free(me->ch);
	side_start(me, draw(me->sim, 4) == 0 ? me->boots : me->boots + 1);
	disconnect(me->sim);
}

static void
connect_sides(struct sim *s, bool faults)
{
	disconnect(s);
	s->connected = true;
	s->cut_in = faults && draw(s, 2) == 0 ? 1 + draw(s, 4000) : 0;
	s->sides[0].attached = true;
	channel_attach(s->sides[0].ch);
}

/* Hands the first frame of a connection to the accepting side. */
static void
greet(struct sim *s)
{
	struct side *me = &s->sides[1];
	struct frame f;
	const char *why = "";
	uint8_t *copy;
	size_t size;

	if (frame_length(&size, me->pipe.data, me->pipe.len) != 0)
		return;
	copy = malloc(size);
	assert_non_null(copy);
	memcpy(copy, me->pipe.data, size);
	buf_consume(&me->pipe, size);
	assert_int_equal(frame_decode(&f, copy, size), 0);
	s->greeted = true;
	me->attached = true;
	if (channel_attach_hello(me->ch, &f, &why) != 0)
		fail_msg("hello: %s", why);
	free(copy);
}

static void
deliver(struct side *me, size_t most)
{
	struct sim *s = me->sim;
	uint8_t *copy;
	size_t len;

	if (me->index == 1 && !s->greeted) {
		greet(s);
		return;
	}
	len = me->pipe.len < most ? me->pipe.len : most;
	if (len == 0 || !me->attached)
		return;
	copy = malloc(len); /* exactly sized, so that a read beyond shows */
	assert_non_null(copy);
	memcpy(copy, me->pipe.data, len);
	buf_consume(&me->pipe, len);
	channel_input(me->ch, copy, len);
	free(copy);
}

static void
side_send(struct side *me)
{
	struct frame_writer w;
	struct message *m;
	struct buf b;
	char id[16];
	unsigned n = me->sent + 1;
	int rc;

	if (n >= MESSAGES)
		return;
	m = &me->messages[n];
	snprintf(id, sizeof(id), "%u", n);
	buf_init(&b, 0);
	frame_begin(&w, &b, FRAME_MESSAGE);
	frame_put_str(&w, FIELD_ID, id);
	frame_put(&w, FIELD_BODY, "0123456789012345678901234567890123456789",
	    draw(me->sim, 40));
	assert_int_equal(frame_end(&w), 0);
	m->receiver_boots = other(me)->boots;
	m->fate = PENDING;
	rc = channel_send(me->ch, &b, m, &m->seq);
	buf_finish(&b);
	if (rc == ERR_FULL) {
		assert_int_equal(channel_unanswered(me->ch), 16);
		me->want_room = true;
		return;
	}
	assert_int_equal(rc, 0);
	me->sent = n;
	assert_true(channel_unanswered(me->ch) <= 16);
}

static void
side_withdraw(struct side *me)
{
	struct message *m;

	if (me->sent == 0)
		return;
	m = &me->messages[1 + draw(me->sim, me->sent)];
	if (m->fate != PENDING)
		return;
	if (!channel_withdraw(me->ch, m->seq))
		assert_int_equal(m->handled, 0);
	m->fate = WITHDRAWN;
}

static void
side_drain(struct side *me)
{
	struct frame_writer w;
	struct buf b;
	int rc;

	buf_init(&b, 0);
	frame_begin(&w, &b, FRAME_DRAIN);
	assert_int_equal(frame_end(&w), 0);
	rc = channel_send_control(me->ch, &b);
	assert_true(rc == 0 || rc == ERR_CLOSED);
	buf_finish(&b);
}

static void
step(struct sim *s)
{
	struct side *me = &s->sides[draw(s, SIDES)];
	uint32_t what = draw(s, 100);

	if (s->closing && draw(s, 4) == 0)
		disconnect(s);
	if (what < 25)
		side_send(me);
	else if (what < 60)
		deliver(me, 1 + draw(s, 300));
	else if (what < 75 && me->owed_count > 0)
		give_answer(me, draw(s, me->owed_count));
	else if (what < 78)
		side_withdraw(me);
	else if (what < 80)
		channel_block(me->ch, draw(s, 2) == 0);
	else if (what < 82)
		me->block_next = true;
	else if (what < 84)
		side_drain(me);
	else if (what < 88)
		clock_advance(s->clock, draw(s, 4000));
	else if (what < 97 && !s->connected)
		connect_sides(s, true);
	else if (what == 98)
		disconnect(s);
	else if (what == 99 && draw(s, 4) == 0)
		side_restart(me);
}

static bool
at_rest(const struct sim *s)
{
	unsigned i;

	for (i = 0; i < SIDES; i++)
		if (channel_unanswered(s->sides[i].ch) > 0 ||
		    channel_owed(s->sides[i].ch) > 0 ||
		    s->sides[i].pipe.len > 0)
			return false;
	return true;
}

/* No more faults: everything must come to an end. */
static void
finish(struct sim *s)
{
	unsigned round, i;

	connect_sides(s, false);
	for (round = 0; round < 20000 && !at_rest(s); round++) {
		for (i = 0; i < SIDES; i++) {
			struct side *me = &s->sides[i];

			me->block_next = false;
			channel_block(me->ch, false);
			deliver(me, 1 + draw(s, 2000));
			if (me->owed_count > 0)
				give_answer(me, draw(s, me->owed_count));
		}
		if (round % 64 == 63)
			clock_advance(s->clock, 1000);
	}
	assert_true(at_rest(s));
}

static void
check_fates(const struct sim *s)
{
	unsigned i, n;

	for (i = 0; i < SIDES; i++) {
		assert_false(s->sides[i].want_room);
		for (n = 1; n <= s->sides[i].sent; n++) {
			assert_int_not_equal(
			    s->sides[i].messages[n].fate, PENDING);
			if (s->sides[i].messages[n].fate == ANSWERED)
				assert_true(
				    s->sides[i].messages[n].handled > 0);
		}
	}
}

static void
sim_start(struct sim *s, uint64_t seed)
{
	unsigned i;

	memset(s, 0, sizeof(*s));
	s->rng = seed * 0x9e3779b97f4a7c15u + 1;
	s->window = 1 + draw(s, 12);
	assert_int_equal(clock_open_manual(&s->clock, 1000, 0), 0);
	for (i = 0; i < SIDES; i++) {
		s->sides[i].sim = s;
		s->sides[i].index = i;
		buf_init(&s->sides[i].pipe, 0);
		side_start(&s->sides[i], 1);
	}
}

static void
sim_end(struct sim *s)
{
	unsigned i;

	for (i = 0; i < SIDES; i++) {
		channel_free(s->sides[i].ch);
		buf_finish(&s->sides[i].pipe);
	}
	clock_close(s->clock);
}

static void
run(struct sim *s, uint64_t seed, unsigned steps)
{
	unsigned i;

	sim_start(s, seed);
	for (i = 0; i < steps; i++)
		step(s);
	finish(s);
	check_fates(s);
	sim_end(s);
}

static void
test_many_seeds(void **state)
{
	static struct sim s;
	unsigned answered = 0, withdrawn = 0, lost = 0, again = 0;
	uint64_t seed;
	unsigned i, n;

	(void)state;
	for (seed = 1; seed <= 3000; seed++) {
		run(&s, seed, 100 + (unsigned)(seed % 900));
		for (i = 0; i < SIDES; i++)
			for (n = 1; n <= s.sides[i].sent; n++) {
				const struct message *m =
				    &s.sides[i].messages[n];

				answered += m->fate == ANSWERED;
				withdrawn += m->fate == WITHDRAWN;
				lost += m->fate == LOST;
				again += m->handled > 1;
			}
	}
	/* The runs must have met what they are about. */
	assert_true(answered > 10000 && withdrawn > 1000);
	assert_true(lost > 1000 && again > 100);
}

/* Far more frames than are remembered, on one connection and across many: it
 * only goes on when memory is trimmed. */
static void
test_long_life(void **state)
{
	static struct sim s;
	unsigned round;

	(void)state;
	sim_start(&s, 77);
	s.window = 4;
	connect_sides(&s, false);
	for (round = 0; round < 60000; round++) {
		struct side *me = &s.sides[round & 1];

		side_send(me);
		deliver(me, 4000);
		if (me->owed_count > 0)
			give_answer(me, 0);
		if (round % 5000 == 4999)
			connect_sides(&s, false);
		if (round % 100 == 99)
			clock_advance(s.clock, 100);
	}
	finish(&s);
	check_fates(&s);
	assert_int_equal(s.sides[0].sent, MESSAGES - 1);
	assert_int_equal(s.sides[1].sent, MESSAGES - 1);
	assert_int_equal(s.closes, 0);
	sim_end(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_seeds),
		cmocka_unit_test(test_long_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
