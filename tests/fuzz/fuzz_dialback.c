/*
 * fuzz_dialback - what a peer writes in the dialback namespace, on a stream it
 * opened and on one we opened, byte by byte the same.
 *
 * No pair is let in without an answer of its domain, and no more questions are
 * under way than may be; on our stream nothing is settled that was not asked.
 * The first byte says what the domain answers.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/log.h"
#include "edge-proxy/dialback_in.h"
#include "edge-proxy/dialback_out.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/pair_set.h"
#include "edge-proxy/xml_stream.h"
#include "proto/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ASKED_MAX = DIALBACK_IN_PENDING_MAX };

struct target {
	struct pair_set pairs;
	struct dialback_in in;
	struct dialback_out out;
	struct dialback_pair pair;
	struct dialback_ask ask;
	struct dialback_ask *asked[ASKED_MAX];
	size_t asked_count;
	bool vouching, closed;
	unsigned settled;
	uint8_t answer;
};

static struct hosting *hosting;

static void
make_hosting(void)
{
	static const char json[] =
	    "{\"generation\":{\"store\":\"s\",\"counter\":1},"
	    "\"hosted\":[{\"domain\":\"c.example\"}],"
	    "\"partners\":[{\"Domain\":\"p.example\","
	    "\"TlsNegotiation\":\"Optional\"},"
	    "{\"Domain\":\"s.example\"}],\"dialback\":{\"current\":"
	    "\"00112233445566778899aabbccddeeff\"}}";
	struct frame_writer w;
	struct buf out, confirm;
	struct frame f;

	log_set_fd(-1);
	buf_init(&out, 0);
	buf_init(&confirm, 0);
	frame_begin(&w, &out, FRAME_CONFIG);
	frame_put(&w, FIELD_JSON, json, strlen(json));
	if (frame_end(&w) < 0 || frame_decode(&f, out.data, out.len) < 0 ||
	    hosting_new(&hosting) < 0 ||
	    hosting_apply(hosting, "gw", "s", 1, &f, &confirm) < 0)
		abort();
	buf_finish(&out);
	buf_finish(&confirm);
}

static int
take_ask(struct dialback_ask *a, void *arg)
{
	struct target *t = arg;

	if (t->asked_count == ASKED_MAX || strlen(a->key) > DIALBACK_KEY_MAX ||
	    a->key[0] == '\0' || strcmp(a->local, "c.example") != 0 ||
	    strcmp(a->remote, "p.example") != 0)
		abort();
	t->asked[t->asked_count++] = a;
	return 0;
}

static bool
on_proves(const char *domain, void *arg)
{
	(void)domain;
	(void)arg;
	return false;
}

static void
on_send(struct buf *out, void *arg)
{
	(void)arg;
	if (buf_failed(out))
		abort();
	buf_finish(out);
}

static bool
on_valid(const char *local, const char *remote, unsigned method, void *arg)
{
	struct target *t = arg;

	if (!t->vouching || t->closed)
		abort();
	return pair_set_add(&t->pairs, local, remote, method) == 0;
}

static void
on_close(enum stream_error e, const char *why, void *arg)
{
	struct target *t = arg;

	(void)e;
	(void)why;
	if (t->closed)
		abort();
	t->closed = true;
	dialback_in_finish(&t->in);
	t->asked_count = 0;
}

static const struct dialback_in_events events = { on_proves, on_send, on_valid,
	on_close };

static void
on_verdict(struct dialback_pair *p, enum dialback_type v, enum condition c,
    const char *reason)
{
	(void)v;
	(void)c;
	(void)reason;
	list_entry(p, struct target, pair)->settled++;
}

static void
on_answer(struct dialback_ask *a, enum dialback_type v, enum condition c)
{
	(void)v;
	(void)c;
	list_entry(a, struct target, ask)->settled++;
}

static void
on_header(struct xml_stream *xs, const struct stream_header *h, void *arg)
{
	(void)xs;
	(void)h;
	(void)arg;
}

/* Answers what is under way, as the input wants it. */
static void
answer_one(struct target *t)
{
	struct dialback_ask *a;

	if (t->asked_count == 0 || (t->answer & 4) != 0)
		return;
	a = t->asked[--t->asked_count];
	t->vouching = t->answer % 3 == 0;
	a->on_answer(a, (enum dialback_type)(DIALBACK_VALID + t->answer % 3),
	    COND_REMOTE_SERVER_TIMEOUT);
	t->vouching = false;
}

static void
on_element(struct xml_stream *xs, const struct xml_elem *e, void *arg)
{
	struct target *t = arg;

	(void)xs;
	dialback_out_take(&t->out, e);
	if (t->closed)
		return;
	dialback_in_take(&t->in, e);
	answer_one(t);
}

static void
on_goodbye(struct xml_stream *xs, void *arg)
{
	(void)xs;
	(void)arg;
}

static const struct xml_stream_events xml_events = { on_header, on_element,
	on_goodbye };

static void
begin(struct target *t, uint8_t answer)
{
	struct buf out;

	memset(t, 0, sizeof(*t));
	t->answer = answer;
	dialback_in_init(&t->in, &(struct dialback_in_opts){ .hosting = hosting,
				     .pairs = &t->pairs,
				     .ask = take_ask,
				     .ask_arg = t,
				     .events = &events,
				     .arg = t });
	dialback_in_begin(&t->in, "id1", (answer & 8) != 0);
	dialback_out_init(&t->out, hosting);
	dialback_out_header(&t->out, &(struct stream_header){ .id = "id2" });
	t->pair = (struct dialback_pair){ .local = "c.example",
		.remote = "p.example",
		.on_verdict = on_verdict };
	t->ask = (struct dialback_ask){ .local = "c.example",
		.remote = "p.example",
		.local_text = "c.example",
		.remote_text = "p.example",
		.id = "id1",
		.key = "k",
		.on_answer = on_answer };
	buf_init(&out, 0);
	if (dialback_out_request(&t->out, &t->pair, &out) < 0 ||
	    dialback_out_ask(&t->out, &t->ask, &out) < 0)
		abort();
	buf_finish(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char header[] =
	    "<s:stream xmlns='jabber:server' "
	    "xmlns:s='http://etherx.jabber.org/streams' "
	    "xmlns:db='jabber:server:dialback'>";
	struct xml_stream_limits limits = xml_stream_limits_strict();
	struct xml_stream *xs;
	struct target t;
	size_t used;

	if (hosting == NULL)
		make_hosting();
	if (size == 0)
		return 0;
	begin(&t, data[0]);
	if (xml_stream_open(&xs, &limits, &xml_events, &t) < 0)
		abort();
	if (xml_stream_feed(xs, header, strlen(header), &used) == 0)
		(void)xml_stream_feed(xs, data + 1, size - 1, &used);
	xml_stream_close(xs);
	dialback_in_finish(&t.in);
	dialback_out_fail(&t.out, COND_REMOTE_SERVER_TIMEOUT, "over");
	if (t.settled != 2)
		abort();
	pair_set_finish(&t.pairs);
	return 0;
}
