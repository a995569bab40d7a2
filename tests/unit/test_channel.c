/*
 * One channel and a scripted peer.  What the channel does is written down as
 * lines of text: the frames it sends in printed form, the events as they fire.
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
#include "proto/channel_window.h"
#include "tests/unit/frame_build.h"

struct rig {
	struct clock *clock;
	struct channel *ch;
	struct buf log;
	struct buf bytes; /* scratch */
	bool answer;      /* at once */
	bool free_on_stanza, free_on_close, free_on_output;
	bool detach_on_stanza;
	bool quiet; /* do not log frames */
	unsigned outputs;
};

static void
on_output(struct channel *ch, const uint8_t *data, size_t len, void *arg)
{
	struct rig *r = arg;
	struct frame f;
	size_t size;

	r->outputs++;
	while (len > 0) {
		assert_int_equal(frame_length(&size, data, len), 0);
		assert_int_equal(frame_decode(&f, data, size), 0);
		if (!r->quiet) {
			buf_add_str(&r->log, "> ");
			frame_to_json(&r->log, &f, true);
			buf_add_char(&r->log, '\n');
		}
		data += size;
		len -= size;
	}
	if (r->free_on_output) {
		r->free_on_output = false;
		channel_free(ch);
		r->ch = NULL;
	}
}

static void
on_up(struct channel *ch, bool resumed, void *arg)
{
	struct rig *r = arg;

	buf_addf(&r->log, "up %s %s\n", resumed ? "resumed" : "new",
	    channel_peer_boot(ch));
}

static void
on_stanza(struct channel *ch, uint64_t seq, const struct frame *f, void *arg)
{
	static const struct channel_result done = { .delivered = true };
	struct rig *r = arg;

	buf_addf(&r->log, "stanza %llu %s\n", (unsigned long long)seq,
	    frame_type_str(f->type));
	if (r->answer)
		channel_answer(ch, seq, &done);
	if (r->detach_on_stanza)
		channel_detach(ch);
	if (r->free_on_stanza) {
		channel_free(ch);
		r->ch = NULL;
	}
}

static void
on_result(struct channel *ch, uint64_t seq, void *cookie,
    const struct channel_result *res, void *arg)
{
	struct rig *r = arg;

	(void)ch;
	buf_addf(&r->log, "result %llu %s %s %s\n", (unsigned long long)seq,
	    (const char *)cookie,
	    res->delivered ? proof_str(res->proof)
			   : condition_str(res->condition),
	    res->text != NULL ? res->text : "-");
}

static void
on_control(struct channel *ch, const struct frame *f, void *arg)
{
	struct rig *r = arg;

	(void)ch;
	buf_addf(&r->log, "control %s\n", frame_type_str(f->type));
}

static void
on_room(struct channel *ch, void *arg)
{
	struct rig *r = arg;

	(void)ch;
	buf_add_str(&r->log, "room\n");
}

static void
on_close(struct channel *ch, int rc, const char *why, void *arg)
{
	struct rig *r = arg;

	buf_addf(&r->log, "close %d %s\n", rc, why);
	if (r->free_on_close) {
		channel_free(ch);
		r->ch = NULL;
	}
}

static const struct channel_events events = { on_output, on_up, on_stanza,
	on_result, on_control, on_room, on_close };

static void
rig_open(struct rig *r, enum channel_role role, struct channel_opts *opts)
{
	struct channel_opts o = { 0 };

	memset(r, 0, sizeof(*r));
	if (opts != NULL)
		o = *opts;
	assert_int_equal(clock_open_manual(&r->clock, 1000, 0), 0);
	buf_init(&r->log, 0);
	buf_init(&r->bytes, 0);
	o.role = role;
	o.node = "n1";
	o.boot = "b1";
	o.clock = r->clock;
	o.events = &events;
	o.arg = r;
	if (o.window_frames == 0)
		o.window_frames = 8;
	assert_int_equal(channel_new(&r->ch, &o), 0);
}

static void
rig_close(struct rig *r)
{
	channel_free(r->ch);
	buf_finish(&r->log);
	buf_finish(&r->bytes);
	clock_close(r->clock);
}

static void
expect(struct rig *r, const char *log)
{
	assert_string_equal(buf_cstr(&r->log), log);
	buf_clear(&r->log);
}

static void
feed(struct rig *r, const char *json)
{
	buf_clear(&r->bytes);
	frame_build(&r->bytes, json);
	channel_input(r->ch, r->bytes.data, r->bytes.len);
}

static int
hello(struct rig *r, const char *json, const char **why)
{
	struct frame f;

	buf_clear(&r->bytes);
	frame_build(&r->bytes, json);
	assert_int_equal(frame_decode(&f, r->bytes.data, r->bytes.len), 0);
	*why = "";
	return channel_attach_hello(r->ch, &f, why);
}

#define CREDIT ",\"credit-seq\":1000,\"credit-bytes\":1000000"
#define HELLO                                                                  \
	"{\"type\":\"hello\",\"version\":1,\"node\":\"gw\",\"boot\":\"g.1\","  \
	"\"send-base\":1,\"result-seen\":0" CREDIT ",\"store\":\"s\","         \
	"\"epoch\":3}"
#define WELCOME                                                                \
	"{\"type\":\"welcome\",\"version\":1,\"node\":\"e\",\"boot\":\"e.1\"," \
	"\"send-base\":1,\"result-seen\":0" CREDIT "}"
#define CREDIT_FRAME                                                           \
	"{\"type\":\"credit\",\"result-seen\":0,\"credit-seq\":1000,"          \
	"\"credit-bytes\":1000000}"

/* The boot id gets the count of channels made: cut it out of a log. */
static const char *
own_boot(struct rig *r, char *out, size_t size)
{
	const char *s = strstr(buf_cstr(&r->log), "\"boot\":\"");
	size_t n;

	assert_non_null(s);
	s += strlen("\"boot\":\"");
	n = strcspn(s, "\"");
	assert_true(n < size);
	memcpy(out, s, n);
	out[n] = '\0';
	return out;
}

/* An accepting channel that is up, with credit, and a log begun anew. */
static void
rig_up(struct rig *r, struct channel_opts *opts, char *boot, size_t size)
{
	const char *why;

	rig_open(r, CHANNEL_ACCEPTS, opts);
	assert_int_equal(hello(r, HELLO, &why), 0);
	own_boot(r, boot, size);
	feed(r, CREDIT_FRAME);
	assert_true(channel_is_up(r->ch));
	buf_clear(&r->log);
}

static int
send_one(struct rig *r, const char *cookie, uint64_t *seq)
{
	struct buf b;
	int rc;

	buf_init(&b, 0);
	frame_build(&b, "{\"type\":\"message\",\"id\":\"m\"}");
	rc = channel_send(r->ch, &b, (void *)(uintptr_t)cookie, seq);
	buf_finish(&b);
	return rc;
}

/* --- greeting ---------------------------------------------------------- */

static void
test_greeting_dials(void **state)
{
	struct channel_opts o = { .store = "st", .epoch = 9 };
	char boot[80], want[1024];
	struct rig r;
	struct buf b;
	uint64_t seq;

	(void)state;
	rig_open(&r, CHANNEL_DIALS, &o);
	assert_int_equal(send_one(&r, "c1", &seq), 0); /* waits */
	channel_attach(r.ch);
	own_boot(&r, boot, sizeof(boot));
	buf_init(&b, 0);
	buf_addf(&b,
	    "> {\"type\":\"hello\",\"version\":2,\"node\":\"n1\","
	    "\"boot\":\"%s\",\"send-base\":1,\"result-seen\":0,"
	    "\"credit-seq\":8,\"credit-bytes\":33554432,\"store\":\"st\","
	    "\"epoch\":9}\n",
	    boot);
	expect(&r, buf_cstr(&b));
	buf_finish(&b);
	assert_false(channel_is_up(r.ch));
	feed(&r, WELCOME);
	snprintf(want, sizeof(want), "%s",
	    "up new e.1\n"
	    "> {\"type\":\"credit\",\"result-seen\":0,\"credit-seq\":8,"
	    "\"credit-bytes\":33554432}\n"
	    "> {\"type\":\"message\",\"seq\":1,\"id\":\"m\"}\n");
	expect(&r, want);
	assert_string_equal(channel_peer_node(r.ch), "e");
	rig_close(&r);
}

static void
test_greeting_accepts(void **state)
{
	char boot[80];
	const char *why;
	struct rig r;

	(void)state;
	rig_open(&r, CHANNEL_ACCEPTS, NULL);
	assert_int_equal(hello(&r, HELLO, &why), 0);
	own_boot(&r, boot, sizeof(boot));
	assert_string_equal(channel_peer_store(r.ch), "s");
	assert_int_equal(channel_peer_epoch(r.ch), 3);
	assert_non_null(strstr(buf_cstr(&r.log), "up new g.1\n"));
	assert_null(strstr(buf_cstr(&r.log), "peer-boot"));
	/* Known now, and named by its welcome; but it does not know us. */
	buf_clear(&r.log);
	assert_int_equal(hello(&r, HELLO, &why), 0);
	assert_non_null(strstr(buf_cstr(&r.log), "\"peer-boot\":\"g.1\""));
	assert_non_null(strstr(buf_cstr(&r.log), "up new g.1\n"));
	rig_close(&r);
}

/* The lower of the two is used, and what came later is no frame of it. */
static void
test_versions(void **state)
{
	static const unsigned rows[][2] = { { 1, 1 }, { 2, 2 }, { 9, 2 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool trace = rows[i][1] >= 2;
		char json[512];
		const char *why;
		struct rig r;
		struct buf b;

		rig_open(&r, CHANNEL_ACCEPTS, NULL);
		assert_int_equal(channel_version(r.ch), 0);
		snprintf(json, sizeof(json),
		    "{\"type\":\"hello\",\"version\":%u,\"node\":\"gw\","
		    "\"boot\":\"g.1\",\"send-base\":1,"
		    "\"result-seen\":0" CREDIT "}",
		    rows[i][0]);
		assert_int_equal(hello(&r, json, &why), 0);
		assert_int_equal(channel_version(r.ch), rows[i][1]);
		snprintf(json, sizeof(json), "\"welcome\",\"version\":%u,",
		    rows[i][1]);
		assert_non_null(strstr(buf_cstr(&r.log), json));
		buf_init(&b, 0);
		frame_build(&b, "{\"type\":\"traced\",\"json\":\"{}\"}");
		assert_int_equal(channel_send_control(r.ch, &b),
		    trace ? 0 : ERR_UNSUPPORTED);
		buf_finish(&b);
		buf_clear(&r.log);
		feed(&r, "{\"type\":\"trace\",\"json\":\"{}\"}");
		assert_int_equal(channel_is_up(r.ch), trace);
		assert_int_equal(strstr(buf_cstr(&r.log),
				     "a frame the peer may not send") == NULL,
		    trace);
		rig_close(&r);
	}
}

static void
test_greeting_refused(void **state)
{
	static const struct {
		const char *json, *why;
	} rows[] = {
		{ "{\"type\":\"ping\"}", "the first frame is no hello" },
		{ "{\"type\":\"hello\"}", "no protocol version" },
		{ "{\"type\":\"hello\",\"version\":0}", "no protocol version" },
		{ "{\"type\":\"hello\",\"version\":1}", "no node" },
		{ "{\"type\":\"hello\",\"version\":1,\"node\":\"\"}",
		    "no node" },
		{ "{\"type\":\"hello\",\"version\":1,\"node\":\"gw\"}",
		    "no boot id" },
		{ "{\"type\":\"hello\",\"version\":1,\"node\":\"other\","
		  "\"boot\":\"g.1\",\"send-base\":1" CREDIT "}",
		    "another node than before" },
		{ "{\"type\":\"hello\",\"version\":1,\"node\":\"gw\","
		  "\"boot\":\"g.1\"" CREDIT "}",
		    "result-seen not below send-base" },
		{ "{\"type\":\"hello\",\"version\":1,\"node\":\"gw\","
		  "\"boot\":\"g.1\",\"send-base\":3,\"result-seen\":3" CREDIT
		  "}",
		    "result-seen not below send-base" },
		{ "{\"type\":\"hello\",\"version\":1,\"node\":\"gw\","
		  "\"boot\":\"g.1\",\"send-base\":1}",
		    "no credit" },
		{ "{\"type\":\"hello\",\"version\":1,\"node\":\"gw\","
		  "\"boot\":\"g.1\",\"send-base\":4611686018427387904" CREDIT
		  "}",
		    "send-base out of range" },
	};
	char boot[80];
	const char *why;
	struct rig r;
	struct buf b;
	struct frame f;
	size_t i;

	(void)state;
	rig_up(&r, NULL, boot, sizeof(boot));
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(hello(&r, rows[i].json, &why), ERR_PROTOCOL);
		assert_string_equal(why, rows[i].why);
		/* The connection in force is not touched. */
		assert_true(channel_is_up(r.ch));
	}
	expect(&r, "");
	rig_close(&r);

	buf_init(&b, 0);
	assert_int_equal(channel_refuse(&b, "no such channel"), 0);
	assert_int_equal(frame_decode(&f, b.data, b.len), 0);
	assert_true(frame_is(&f, FIELD_REASON, "no such channel"));
	buf_finish(&b);
}

/* --- custody ----------------------------------------------------------- */

static void
test_results(void **state)
{
	char boot[80];
	struct rig r;
	uint64_t a, b, c;

	(void)state;
	rig_up(&r, NULL, boot, sizeof(boot));
	assert_int_equal(send_one(&r, "a", &a), 0);
	assert_int_equal(send_one(&r, "b", &b), 0);
	assert_int_equal(send_one(&r, "c", &c), 0);
	assert_int_equal(channel_unanswered(r.ch), 3);
	buf_clear(&r.log);
	feed(&r, "{\"type\":\"result\",\"answers\":2,\"status\":\"failed\","
		 "\"condition\":\"forbidden\",\"error-text\":\"no\"}");
	feed(&r, "{\"type\":\"result\",\"answers\":1,\"status\":\"delivered\","
		 "\"proof\":\"ping\"}");
	feed(
	    &r, "{\"type\":\"result\",\"answers\":1,\"status\":\"delivered\"}");
	feed(&r, "{\"type\":\"result\",\"answers\":3,\"status\":\"failed\","
		 "\"condition\":\"unheard-of\"}");
	expect(&r, "result 2 b forbidden no\nresult 1 a ping -\n"
		   "result 3 c undefined-condition -\n");
	assert_int_equal(channel_unanswered(r.ch), 0);
	rig_close(&r);
}

static void
test_withdraw(void **state)
{
	struct channel_opts o = { 0 };
	char boot[80];
	struct rig r;
	uint64_t a, b, oldest;
	void *cookie;

	(void)state;
	rig_up(&r, &o, boot, sizeof(boot));
	assert_false(channel_oldest_unanswered(r.ch, &oldest, &cookie));
	assert_int_equal(send_one(&r, "a", &a), 0);
	channel_block(r.ch, true);
	assert_int_equal(send_one(&r, "b", &b), 0);
	buf_clear(&r.log);
	assert_true(channel_oldest_unanswered(r.ch, &oldest, &cookie));
	assert_int_equal(oldest, a);
	assert_true(channel_withdraw(r.ch, a));
	assert_true(channel_oldest_unanswered(r.ch, &oldest, &cookie));
	assert_int_equal(oldest, b);
	assert_false(channel_withdraw(r.ch, b)); /* never went out */
	assert_false(channel_oldest_unanswered(r.ch, &oldest, &cookie));
	assert_false(channel_withdraw(r.ch, b));
	assert_false(channel_withdraw(r.ch, 99));
	feed(
	    &r, "{\"type\":\"result\",\"answers\":1,\"status\":\"delivered\"}");
	expect(&r, "");
	/* A number that was not used up by b. */
	channel_block(r.ch, false);
	assert_int_equal(send_one(&r, "c", &a), 0);
	expect(&r, "> {\"type\":\"message\",\"seq\":2,\"id\":\"m\"}\n");
	rig_close(&r);
}

/* The journal is bounded; room is told once, when a quarter is free. */
static void
test_full_and_room(void **state)
{
	struct channel_opts o = { .journal_frames = 4 };
	char boot[80];
	struct rig r;
	uint64_t seq, first;
	unsigned i;

	(void)state;
	rig_up(&r, &o, boot, sizeof(boot));
	assert_int_equal(send_one(&r, "x", &first), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(send_one(&r, "x", &seq), 0);
	assert_int_equal(send_one(&r, "x", &seq), ERR_FULL);
	assert_int_equal(send_one(&r, "x", &seq), ERR_FULL);
	buf_clear(&r.log);
	channel_withdraw(r.ch, first);
	expect(&r, "room\n");
	channel_withdraw(r.ch, seq);
	expect(&r, "");
	rig_close(&r);
}

static void
test_send_refuses(void **state)
{
	static const char *const rows[] = {
		"{\"type\":\"ping\"}",
		"{\"type\":\"message\",\"seq\":1}",
	};
	char boot[80];
	struct rig r;
	struct buf b;
	uint64_t seq;
	size_t i;

	(void)state;
	rig_up(&r, NULL, boot, sizeof(boot));
	buf_init(&b, 0);
	for (i = 0; i < 2; i++) {
		buf_clear(&b);
		frame_build(&b, rows[i]);
		assert_int_equal(
		    channel_send(r.ch, &b, NULL, &seq), ERR_MALFORMED);
	}
	buf_add_char(&b, 'x');
	assert_int_equal(channel_send(r.ch, &b, NULL, &seq), ERR_MALFORMED);
	/* Control frames: those of this side, and only while up. */
	buf_clear(&b);
	frame_build(&b, "{\"type\":\"config\",\"json\":\"{}\"}");
	assert_int_equal(channel_send_control(r.ch, &b), ERR_MALFORMED);
	buf_clear(&b);
	frame_build(&b, "{\"type\":\"stats\",\"json\":\"{}\"}");
	assert_int_equal(channel_send_control(r.ch, &b), 0);
	expect(&r, "> {\"type\":\"stats\",\"json\":\"{}\"}\n");
	channel_detach(r.ch);
	assert_int_equal(channel_send_control(r.ch, &b), ERR_CLOSED);
	buf_finish(&b);
	rig_close(&r);
}

/* The hello of the gateway that rig_up() met. */
static int
resume(struct rig *r, const char *boot, unsigned base, const char **why)
{
	char json[512];

	snprintf(json, sizeof(json),
	    "{\"type\":\"hello\",\"version\":1,\"node\":\"gw\","
	    "\"boot\":\"g.1\",\"peer-boot\":\"%s\",\"send-base\":%u,"
	    "\"result-seen\":%u" CREDIT "}",
	    boot, base, base - 1);
	return hello(r, json, why);
}

/* Replays: owed ones are ignored, answered ones answered from memory. */
static void
test_replay_received(void **state)
{
	struct channel_result no = { .condition = COND_GONE, .text = "t" };
	char boot[80];
	const char *why;
	struct rig r;

	(void)state;
	rig_up(&r, NULL, boot, sizeof(boot));
	feed(&r, "{\"type\":\"message\",\"seq\":1}");
	feed(&r, "{\"type\":\"presence\",\"seq\":2}");
	expect(&r, "stanza 1 message\nstanza 2 presence\n");
	assert_int_equal(channel_owed(r.ch), 2);
	channel_detach(r.ch);
	channel_answer(r.ch, 2, &no);
	expect(&r, "");
	assert_int_equal(resume(&r, boot, 1, &why), 0);
	assert_non_null(strstr(buf_cstr(&r.log), "up resumed g.1\n"));
	buf_clear(&r.log);
	feed(&r, "{\"type\":\"message\",\"seq\":1}");
	feed(&r, "{\"type\":\"presence\",\"seq\":2}");
	expect(&r, "> {\"type\":\"result\",\"answers\":2,\"status\":\"failed\","
		   "\"condition\":\"gone\",\"error-text\":\"t\"}\n");
	channel_answer(r.ch, 1, &no);
	buf_clear(&r.log);
	/* Seen: forgotten, and gone for good. */
	feed(&r, "{\"type\":\"ping\",\"result-seen\":2}");
	buf_clear(&r.log);
	feed(&r, "{\"type\":\"presence\",\"seq\":2}");
	assert_non_null(strstr(buf_cstr(&r.log), "close"));
	assert_non_null(strstr(buf_cstr(&r.log), "seq went back"));
	/* And such a peer may not go back in a hello either. */
	assert_int_equal(resume(&r, boot, 2, &why), ERR_PROTOCOL);
	assert_string_equal(why, "send-base went back");
	assert_int_equal(resume(&r, boot, 5000, &why), ERR_PROTOCOL);
	assert_string_equal(why, "send-base beyond the credit given");
	rig_close(&r);
}

static void
test_replay_sent(void **state)
{
	char boot[80];
	const char *why;
	struct rig r;
	uint64_t a, b;

	(void)state;
	rig_up(&r, NULL, boot, sizeof(boot));
	assert_int_equal(send_one(&r, "a", &a), 0);
	assert_int_equal(send_one(&r, "b", &b), 0);
	channel_withdraw(r.ch, a);
	buf_clear(&r.log);
	assert_int_equal(resume(&r, boot, 1, &why), 0);
	assert_non_null(strstr(buf_cstr(&r.log), "\"send-base\":2"));
	assert_non_null(
	    strstr(buf_cstr(&r.log), "> {\"type\":\"message\",\"seq\":2,"));
	assert_null(strstr(buf_cstr(&r.log), "\"seq\":1,"));
	/* A stranger: the same frame under a new number, once it gives
	 * credit. */
	buf_clear(&r.log);
	assert_int_equal(hello(&r, HELLO, &why), 0);
	assert_non_null(strstr(buf_cstr(&r.log), "\"send-base\":3"));
	assert_null(strstr(buf_cstr(&r.log), "message"));
	buf_clear(&r.log);
	feed(&r, CREDIT_FRAME);
	expect(&r, "> {\"type\":\"message\",\"seq\":3,\"id\":\"m\"}\n");
	feed(
	    &r, "{\"type\":\"result\",\"answers\":3,\"status\":\"delivered\"}");
	expect(&r, "result 2 b  -\n");
	rig_close(&r);
}

/* What is owed to a boot that is gone stays owed by the owner, counts
 * against the window, and goes nowhere. */
static void
test_orphans(void **state)
{
	static const struct channel_result done = { .delivered = true };
	char boot[80];
	const char *why;
	struct rig r;

	(void)state;
	rig_up(&r, NULL, boot, sizeof(boot));
	feed(&r, "{\"type\":\"message\",\"seq\":1}");
	feed(&r, "{\"type\":\"message\",\"seq\":2}");
	assert_int_equal(hello(&r,
			     "{\"type\":\"hello\",\"version\":1,"
			     "\"node\":\"gw\",\"boot\":\"g.2\","
			     "\"send-base\":1,\"result-seen\":0" CREDIT "}",
			     &why),
	    0);
	assert_non_null(strstr(buf_cstr(&r.log), "\"credit-seq\":6,"));
	assert_int_equal(channel_owed(r.ch), 2);
	buf_clear(&r.log);
	feed(&r, "{\"type\":\"message\",\"seq\":1}");
	expect(&r, "stanza 3 message\n");
	channel_answer(r.ch, 1, &done);
	expect(&r, "");
	channel_answer(r.ch, 3, &done);
	expect(&r, "> {\"type\":\"result\",\"answers\":1,"
		   "\"status\":\"delivered\"}\n"
		   "> {\"type\":\"credit\",\"result-seen\":0,\"credit-seq\":8,"
		   "\"credit-bytes\":33554432}\n");
	channel_answer(r.ch, 2, &done);
	assert_int_equal(channel_owed(r.ch), 0);
	rig_close(&r);
}

/* --- credit ------------------------------------------------------------ */

static void
test_credit_is_kept(void **state)
{
	char boot[80];
	const char *why;
	struct rig r;
	uint64_t seq;
	unsigned i;

	(void)state;
	rig_open(&r, CHANNEL_ACCEPTS, NULL);
	assert_int_equal(hello(&r, HELLO, &why), 0);
	own_boot(&r, boot, sizeof(boot));
	buf_clear(&r.log);
	for (i = 0; i < 4; i++)
		assert_int_equal(send_one(&r, "x", &seq), 0);
	expect(&r, "");
	feed(&r, "{\"type\":\"credit\",\"credit-seq\":2,"
		 "\"credit-bytes\":1000}");
	expect(&r, "> {\"type\":\"message\",\"seq\":1,\"id\":\"m\"}\n"
		   "> {\"type\":\"message\",\"seq\":2,\"id\":\"m\"}\n");
	/* It never falls. */
	feed(&r, "{\"type\":\"credit\",\"credit-seq\":1,"
		 "\"credit-bytes\":1}");
	expect(&r, "");
	/* Bytes bind too: each frame has 27. */
	feed(&r, "{\"type\":\"credit\",\"credit-seq\":9,"
		 "\"credit-bytes\":1}");
	expect(&r, "> {\"type\":\"message\",\"seq\":3,\"id\":\"m\"}\n"
		   "> {\"type\":\"message\",\"seq\":4,\"id\":\"m\"}\n");
	channel_detach(r.ch);
	assert_int_equal(hello(&r, HELLO, &why), 0);
	buf_clear(&r.log);
	feed(&r, "{\"type\":\"credit\",\"credit-seq\":99,"
		 "\"credit-bytes\":80}");
	expect(&r, "> {\"type\":\"message\",\"seq\":5,\"id\":\"m\"}\n"
		   "> {\"type\":\"message\",\"seq\":6,\"id\":\"m\"}\n");
	feed(&r, "{\"type\":\"credit\",\"credit-bytes\":81}");
	expect(&r, "> {\"type\":\"message\",\"seq\":7,\"id\":\"m\"}\n");
	rig_close(&r);
}

/* A quarter of the window at a time, not a frame for each stanza. */
static void
test_credit_is_not_chatty(void **state)
{
	struct channel_opts o = { .window_frames = 100 };
	char boot[80], json[64];
	const char *at;
	unsigned i, credits = 0;
	struct rig r;

	(void)state;
	rig_up(&r, &o, boot, sizeof(boot));
	r.answer = true;
	for (i = 1; i <= 1000; i++) {
		snprintf(
		    json, sizeof(json), "{\"type\":\"message\",\"seq\":%u}", i);
		feed(&r, json);
	}
	at = buf_cstr(&r.log);
	while ((at = strstr(at, "\"type\":\"credit\"")) != NULL) {
		credits++;
		at++;
	}
	assert_int_equal(credits, 40);
	rig_close(&r);
}

/* --- breaking the rules ------------------------------------------------ */

static void
test_hostile(void **state)
{
	static const struct {
		const char *json, *why;
	} rows[] = {
		{ HELLO, "a frame the peer may not send" },
		{ "{\"type\":\"traced\",\"json\":\"{}\"}",
		    "a frame the peer may not send" },
		{ WELCOME, "a frame the peer may not send" },
		{ "{\"type\":\"stream\",\"json\":\"{}\"}",
		    "a frame the peer may not send" },
		{ "{\"type\":\"message\"}", "stanza without seq" },
		{ "{\"type\":\"message\",\"seq\":0}", "stanza without seq" },
		{ "{\"type\":\"message\",\"seq\":9}", "seq beyond credit" },
		{ "{\"type\":\"message\",\"seq\":4611686018427387904}",
		    "seq beyond credit" },
		{ "{\"type\":\"result\"}", "result without answers" },
		{ "{\"type\":\"result\",\"answers\":1}",
		    "result without status" },
		{ "{\"type\":\"result\",\"answers\":1,\"status\":\"lost\"}",
		    "result without status" },
		{ "{\"type\":\"result\",\"answers\":1,\"status\":\"failed\"}",
		    "failed without condition" },
		{ "{\"type\":\"result\",\"answers\":1,"
		  "\"status\":\"delivered\"}",
		    "result for a frame never sent" },
		{ "{\"type\":\"ping\",\"result-seen\":4611686018427387904}",
		    "result-seen beyond the credit" },
	};
	char boot[80], want[200];
	struct rig r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rig_up(&r, NULL, boot, sizeof(boot));
		feed(&r, rows[i].json);
		snprintf(want, sizeof(want),
		    "> {\"type\":\"refuse\",\"reason\":\"%s", rows[i].why);
		if (strncmp(buf_cstr(&r.log), want, strlen(want)) != 0)
			fail_msg("%s: %s", rows[i].json, buf_cstr(&r.log));
		snprintf(want, sizeof(want), "close %d %s", ERR_PROTOCOL,
		    rows[i].why);
		assert_non_null(strstr(buf_cstr(&r.log), want));
		assert_false(channel_is_up(r.ch));
		/* Nothing more is read or fires. */
		buf_clear(&r.log);
		feed(&r, "{\"type\":\"message\",\"seq\":1}");
		expect(&r, "");
		rig_close(&r);
	}
}

static void
test_hostile_bytes(void **state)
{
	static const struct {
		uint8_t bytes[8];
		size_t len;
	} rows[] = {
		{ { 0xff, 0xff, 0xff, 0xff }, 4 },
		{ { 0, 0, 0, 0 }, 4 },
		{ { 0, 0, 0, 2, 1, 99 }, 6 },
		{ { 0, 0, 0, 2, 2, 67 }, 6 },
		{ { 0, 0, 0, 3, 1, 67, 0 }, 7 },
		{ "GET / HT", 8 },
	};
	char boot[80];
	struct rig r;
	size_t i, cut;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (cut = 0; cut <= rows[i].len; cut++) {
			rig_up(&r, NULL, boot, sizeof(boot));
			channel_input(r.ch, rows[i].bytes, cut);
			channel_input(
			    r.ch, rows[i].bytes + cut, rows[i].len - cut);
			assert_false(channel_is_up(r.ch));
			assert_non_null(strstr(buf_cstr(&r.log), "close"));
			rig_close(&r);
		}
}

static void
test_before_welcome(void **state)
{
	static const struct {
		const char *json, *want;
	} rows[] = {
		{ "{\"type\":\"ping\"}", "a frame before the welcome" },
		{ "{\"type\":\"refuse\",\"reason\":\"go away\"}",
		    "refused by the peer: go away" },
		{ "{\"type\":\"refuse\"}",
		    "refused by the peer: no reason given" },
		{ "{\"type\":\"welcome\",\"version\":3,\"node\":\"e\","
		  "\"boot\":\"e.1\",\"send-base\":1" CREDIT "}",
		    "protocol version not offered" },
		{ "{\"type\":\"welcome\",\"version\":1,\"node\":\"e\"}",
		    "no boot id" },
	};
	struct rig r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rig_open(&r, CHANNEL_DIALS, NULL);
		channel_attach(r.ch);
		feed(&r, rows[i].json);
		assert_non_null(strstr(buf_cstr(&r.log), rows[i].want));
		assert_non_null(strstr(buf_cstr(&r.log), "close"));
		rig_close(&r);
	}
}

/* --- life -------------------------------------------------------------- */

static void
test_life(void **state)
{
	char boot[80];
	struct rig r;

	(void)state;
	rig_up(&r, NULL, boot, sizeof(boot));
	clock_advance(r.clock, 4999);
	expect(&r, "");
	clock_advance(r.clock, 1);
	expect(&r, "> {\"type\":\"ping\",\"result-seen\":0,\"credit-seq\":8,"
		   "\"credit-bytes\":33554432}\n");
	feed(&r, "{\"type\":\"pong\"}");
	clock_advance(r.clock, 4999);
	expect(&r, "");
	feed(&r, "{\"type\":\"ping\"}");
	expect(&r, "> {\"type\":\"pong\",\"result-seen\":0,\"credit-seq\":8,"
		   "\"credit-bytes\":33554432}\n");
	r.quiet = true;
	clock_advance(r.clock, 14999);
	assert_true(channel_is_up(r.ch));
	clock_advance(r.clock, 1);
	assert_non_null(strstr(buf_cstr(&r.log), "the peer fell silent"));
	assert_false(channel_is_up(r.ch));
	rig_close(&r);

	rig_open(&r, CHANNEL_DIALS, NULL);
	channel_attach(r.ch);
	buf_clear(&r.log);
	clock_advance(r.clock, 14999);
	expect(&r, "");
	clock_advance(r.clock, 1);
	assert_non_null(strstr(buf_cstr(&r.log), "no welcome in time"));
	rig_close(&r);
}

/* --- from within events ------------------------------------------------ */

static void
feed_two(struct rig *r)
{
	buf_clear(&r->bytes);
	frame_build(&r->bytes, "{\"type\":\"message\",\"seq\":1}");
	frame_build(&r->bytes, "{\"type\":\"message\",\"seq\":2}");
	channel_input(r->ch, r->bytes.data, r->bytes.len);
}

static void
test_within_events(void **state)
{
	char boot[80];
	struct rig r;

	(void)state;
	/* Detached in the middle of input: the rest is not read. */
	rig_up(&r, NULL, boot, sizeof(boot));
	r.detach_on_stanza = true;
	feed_two(&r);
	expect(&r, "stanza 1 message\n");
	rig_close(&r);

	rig_up(&r, NULL, boot, sizeof(boot));
	r.answer = r.free_on_stanza = true;
	feed_two(&r);
	expect(&r, "stanza 1 message\n");
	assert_null(r.ch);
	rig_close(&r);

	rig_up(&r, NULL, boot, sizeof(boot));
	r.answer = r.free_on_output = true;
	feed_two(&r);
	assert_null(r.ch);
	rig_close(&r);

	rig_up(&r, NULL, boot, sizeof(boot));
	r.free_on_close = true;
	feed(&r, HELLO);
	assert_null(r.ch);
	rig_close(&r);

	rig_up(&r, NULL, boot, sizeof(boot));
	r.free_on_close = true;
	clock_advance(r.clock, 60000);
	assert_null(r.ch);
	rig_close(&r);
}

/* A batch of input makes one output. */
static void
test_batches(void **state)
{
	char boot[80];
	struct rig r;

	(void)state;
	rig_up(&r, NULL, boot, sizeof(boot));
	r.answer = true;
	buf_clear(&r.bytes);
	frame_build(&r.bytes, "{\"type\":\"message\",\"seq\":1}");
	frame_build(&r.bytes, "{\"type\":\"message\",\"seq\":2}");
	frame_build(&r.bytes, "{\"type\":\"message\",\"seq\":3}");
	r.outputs = 0;
	channel_input(r.ch, r.bytes.data, r.bytes.len);
	assert_int_equal(r.outputs, 1);
	rig_close(&r);
}

/* A text that no frame can hold does not keep the result from going. */
static void
test_odd_texts(void **state)
{
	struct channel_result res = { .condition = COND_GONE };
	char boot[80], big[1026];
	struct rig r;

	(void)state;
	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	rig_up(&r, NULL, boot, sizeof(boot));
	feed(&r, "{\"type\":\"message\",\"seq\":1}");
	feed(&r, "{\"type\":\"message\",\"seq\":2}");
	feed(&r, "{\"type\":\"message\",\"seq\":3}");
	buf_clear(&r.log);
	r.quiet = false;
	res.text = big;
	channel_answer(r.ch, 1, &res);
	res.text = "\x07\xff";
	channel_answer(r.ch, 2, &res);
	res.text = big + 1;
	res.error_type = "no-such-type";
	channel_answer(r.ch, 3, &res);
	assert_non_null(strstr(buf_cstr(&r.log),
	    "\"answers\":1,\"status\":\"failed\",\"condition\":\"gone\"}"));
	assert_non_null(strstr(buf_cstr(&r.log),
	    "\"answers\":2,\"status\":\"failed\",\"condition\":\"gone\"}"));
	assert_non_null(strstr(buf_cstr(&r.log),
	    "\"answers\":3,\"status\":\"failed\",\"condition\":\"gone\","
	    "\"error-text\":\"aaa"));
	rig_close(&r);
}

/* --- the window by itself ---------------------------------------------- */

static enum window_take
take(struct channel_window *w, uint64_t seq, uint64_t *id)
{
	const char *why = "";

	return channel_window_take(w, seq, 100, id, &why);
}

static void
tell(struct channel_window *w)
{
	uint64_t seq, bytes;

	channel_window_credit(w, &seq, &bytes);
	channel_window_told(w, seq, bytes);
}

/* One answer is missing for long: memory stops at its bound, the credit with
 * it, and both go on when it comes. */
static void
test_window_bound(void **state)
{
	const struct channel_result failed = { .condition = COND_GONE,
		.text = "some text" };
	struct channel_window w;
	uint64_t id, seq = 1, first;

	(void)state;
	assert_int_equal(channel_window_init(&w, 10, 1 << 20, 64), 0);
	channel_window_begin(&w);
	assert_null(channel_window_check(&w, 1, false));
	assert_int_equal(channel_window_meet(&w, 1, false), 0);
	tell(&w);
	assert_int_equal(take(&w, seq++, &first), WINDOW_NEW);
	for (;; seq++) {
		tell(&w);
		if (seq > w.told_seq)
			break;
		assert_int_equal(take(&w, seq, &id), WINDOW_NEW);
		assert_int_equal(channel_window_answer(&w, id, &failed), seq);
	}
	assert_int_equal(seq, 65);
	assert_true(w.cap <= 64);
	assert_int_equal(w.text_bytes, 63 * 10);
	/* All seen but the first: texts go, the span stays. */
	assert_int_equal(channel_window_seen(&w, 64), 0);
	assert_int_equal(w.text_bytes, 0);
	assert_int_equal(w.top - w.base, 64);
	assert_int_equal(channel_window_answer(&w, first, &failed), 0);
	assert_int_equal(w.top - w.base, 0);
	tell(&w);
	assert_int_equal(w.told_seq, 74);
	channel_window_finish(&w);
}

/* Holes are withdrawn frames: they take no memory but a slot, and their
 * numbers never come. */
static void
test_window_holes(void **state)
{
	const struct channel_result done = { .delivered = true };
	struct channel_result r;
	struct channel_window w;
	uint64_t a, b, id;

	(void)state;
	assert_int_equal(channel_window_init(&w, 100, 1 << 20, 4096), 0);
	channel_window_begin(&w);
	assert_int_equal(channel_window_meet(&w, 1000, false), 0);
	tell(&w);
	assert_int_equal(w.told_seq, 1099);
	assert_int_equal(take(&w, 999, &id), WINDOW_WRONG);
	assert_int_equal(take(&w, 1, &id), WINDOW_WRONG);
	assert_int_equal(take(&w, 1005, &a), WINDOW_NEW);
	assert_int_equal(take(&w, 1090, &b), WINDOW_NEW);
	assert_int_equal(take(&w, 1050, &id), WINDOW_WRONG);
	assert_int_equal(take(&w, 1100, &id), WINDOW_WRONG);
	assert_int_equal(take(&w, 1005, &id), WINDOW_OWED);
	assert_int_equal(id, a);
	assert_int_equal(channel_window_answer(&w, a, &done), 1005);
	assert_int_equal(take(&w, 1005, &id), WINDOW_ANSWERED);
	channel_window_recall(&w, id, &r);
	assert_true(r.delivered);
	/* Resumed beyond what came: the rest was withdrawn. */
	channel_window_begin(&w);
	assert_null(channel_window_check(&w, 1096, true));
	assert_int_equal(channel_window_meet(&w, 1096, true), 0);
	tell(&w);
	assert_int_equal(channel_window_answer(&w, b, &done), 0);
	assert_int_equal(take(&w, 1095, &id), WINDOW_WRONG);
	assert_int_equal(take(&w, 1096, &id), WINDOW_NEW);
	assert_int_equal(channel_window_answer(&w, id, &done), 1096);
	/* Larger and smaller as it is needed. */
	assert_int_equal(channel_window_seen(&w, 1096), 0);
	assert_int_equal(w.base, w.top);
	channel_window_finish(&w);
}

/* A stranger of whom nothing came yet may put its numbers where it likes,
 * however far, without costing memory. */
static void
test_window_begins_anywhere(void **state)
{
	struct channel_window w;
	uint64_t id;

	(void)state;
	assert_int_equal(channel_window_init(&w, 10, 1 << 20, 64), 0);
	channel_window_begin(&w);
	assert_int_equal(channel_window_meet(&w, 5, false), 0);
	tell(&w);
	assert_int_equal(take(&w, 5, &id), WINDOW_NEW); /* owed for ever */
	channel_window_begin(&w);
	assert_int_equal(channel_window_meet(&w, 7, false), 0);
	tell(&w);
	assert_int_equal(channel_window_seen(&w, (uint64_t)1 << 60), 0);
	assert_int_equal(w.top - w.base, 1);
	tell(&w);
	assert_int_equal(take(&w, ((uint64_t)1 << 60) + 1, &id), WINDOW_NEW);
	assert_int_equal(
	    channel_window_seen(&w, ((uint64_t)1 << 60) + 99), ERR_PROTOCOL);
	assert_int_equal(channel_window_seen(&w, UINT64_MAX), ERR_PROTOCOL);
	assert_int_equal(channel_window_seen(&w, 3), 0); /* old news */
	channel_window_finish(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_greeting_dials),
		cmocka_unit_test(test_greeting_accepts),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_greeting_refused),
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_withdraw),
		cmocka_unit_test(test_full_and_room),
		cmocka_unit_test(test_send_refuses),
		cmocka_unit_test(test_replay_received),
		cmocka_unit_test(test_replay_sent),
		cmocka_unit_test(test_orphans),
		cmocka_unit_test(test_credit_is_kept),
		cmocka_unit_test(test_credit_is_not_chatty),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_hostile_bytes),
		cmocka_unit_test(test_before_welcome),
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_within_events),
		cmocka_unit_test(test_batches),
		cmocka_unit_test(test_odd_texts),
		cmocka_unit_test(test_window_bound),
		cmocka_unit_test(test_window_holes),
		cmocka_unit_test(test_window_begins_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
