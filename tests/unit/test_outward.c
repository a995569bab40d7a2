/* Custody outward, with routes played by the test. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/jid.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/iq_asked.h"
#include "edge-proxy/outward.h"
#include "edge-proxy/routes.h"
#include "proto/channel.h"
#include "proto/frame.h"

#define QUESTION "spp-i0123456789abcdef"
#define BARRIER  "sp1-gw1-1f-00112233445566778899aabbccddeeff"

static struct clock *clk;
static struct hosting *hosting;
static struct outward *out;
static struct iq_asked *asked;
static unsigned late;
static struct channel *const the_channel = (struct channel *)&clk;

/* What the routes were given last. */
static struct {
	char local[64], remote[64], xml[1024], barrier[256];
	void *cookie;
	unsigned sent, probed, withdrawn, proofs;
	int rc;
	bool settle_at_once;
} route;

/* What the channel was answered last. */
static struct {
	unsigned answers;
	uint64_t seq;
	struct channel_result r;
} channel;

static int
take(const struct route_stanza *s)
{
	snprintf(route.local, sizeof(route.local), "%s", s->local);
	snprintf(route.remote, sizeof(route.remote), "%s", s->remote);
	snprintf(route.xml, sizeof(route.xml), "%.*s", (int)s->len,
	    s->len > 0 ? (const char *)s->xml : "");
	snprintf(route.barrier, sizeof(route.barrier), "%s",
	    s->barrier != NULL ? s->barrier : "");
	route.cookie = s->cookie;
	if (route.rc == 0 && route.settle_at_once) {
		const struct channel_result full = {
			.condition = COND_RESOURCE_CONSTRAINT
		};

		outward_settled(out, s->cookie, &full);
	}
	return route.rc;
}

int
routes_send(struct routes *r, const struct route_stanza *s)
{
	(void)r;
	route.sent++;
	return take(s);
}

int
routes_probe(struct routes *r, const struct route_stanza *s)
{
	(void)r;
	route.probed++;
	return take(s);
}

void
routes_proof(struct routes *r, const char *barrier)
{
	(void)r;
	assert_string_equal(barrier, BARRIER);
	route.proofs++;
}

bool
routes_withdraw(struct routes *r, void *cookie)
{
	(void)r;
	assert_ptr_equal(cookie, route.cookie);
	route.withdrawn++;
	return true;
}

void
channel_answer(struct channel *ch, uint64_t seq, const struct channel_result *r)
{
	assert_ptr_equal(ch, the_channel);
	channel.answers++;
	channel.seq = seq;
	channel.r = *r;
}

static void
configure(const char *node, const char *store, const char *domain)
{
	struct buf config, confirm;
	struct frame_writer w;
	struct frame f;
	char json[512];

	snprintf(json, sizeof(json),
	    "{\"generation\":{\"store\":\"%s\",\"counter\":1},"
	    "\"hosted\":[{\"domain\":\"%s\"}],"
	    "\"partners\":[{\"Domain\":\"partner.example\"}],"
	    "\"settings\":{\"outward_deadline_ms\":10000}}",
	    store, domain);
	buf_init(&config, 0);
	buf_init(&confirm, 0);
	frame_begin(&w, &config, FRAME_CONFIG);
	frame_put_str(&w, FIELD_JSON, json);
	assert_int_equal(frame_end(&w), 0);
	assert_int_equal(frame_decode(&f, config.data, config.len), 0);
	assert_int_equal(
	    hosting_apply(hosting, node, store, 1, &f, &confirm), 0);
	buf_finish(&config);
	buf_finish(&confirm);
}

static void
on_late(const struct jid *from, const struct jid *to, const char *id, void *arg)
{
	(void)arg;
	assert_string_equal(id, "theirs");
	outward_no_answer(out, from, to, id, COND_REMOTE_SERVER_TIMEOUT);
	late++;
}

static int
setup(void **state)
{
	struct outward_opts opts = { 0 };

	(void)state;
	memset(&route, 0, sizeof(route));
	memset(&channel, 0, sizeof(channel));
	assert_int_equal(clock_open_manual(&clk, 1000, 1000), 0);
	assert_int_equal(hosting_new(&hosting), 0);
	configure("gw1", "s1", "contoso.example");
	configure("gw2", "s2", "other.example");
	opts.clock = clk;
	opts.hosting = hosting;
	late = 0;
	assert_int_equal(iq_asked_new(&asked, clk, on_late, NULL), 0);
	opts.asked = asked;
	assert_int_equal(outward_new(&out, &opts), 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	outward_free(out);
	iq_asked_free(asked);
	hosting_free(hosting);
	clock_close(clk);
	return 0;
}

struct sample {
	enum frame_type type;
	const char *from, *to, *kind, *request, *id, *barrier, *body;
};

static void
give(const struct sample *s)
{
	struct frame_writer w;
	struct frame f;
	struct buf b;

	buf_init(&b, 0);
	frame_begin(&w, &b, s->type);
	frame_put_str(&w, FIELD_FROM, s->from);
	frame_put_str(&w, FIELD_TO, s->to);
	frame_put_str(&w, FIELD_KIND, s->kind);
	frame_put_str(&w, FIELD_REQUEST, s->request);
	frame_put_str(&w, FIELD_ID, s->id);
	frame_put_str(&w, FIELD_BARRIER, s->barrier);
	frame_put_str(&w, FIELD_BODY, s->body);
	assert_int_equal(frame_end(&w), 0);
	assert_int_equal(frame_decode(&f, b.data, b.len), 0);
	outward_stanza(out, "gw1", the_channel, 42, &f);
	buf_finish(&b);
}

static const struct sample message = { FRAME_MESSAGE, "anna@contoso.example",
	"bo@partner.example", "chat", NULL, "m1", BARRIER, "hello" };

static void
test_delivered(void **state)
{
	const struct channel_result r = { .delivered = true,
		.proof = PROOF_PING };

	(void)state;
	give(&message);
	assert_int_equal(route.sent, 1);
	assert_string_equal(route.local, "contoso.example");
	assert_string_equal(route.remote, "partner.example");
	assert_string_equal(route.barrier, BARRIER);
	assert_non_null(strstr(route.xml, "<body>hello</body>"));
	assert_int_equal(channel.answers, 0);
	outward_settled(out, route.cookie, &r);
	assert_int_equal(channel.answers, 1);
	assert_int_equal(channel.seq, 42);
	assert_true(channel.r.delivered);
	assert_int_equal(channel.r.proof, PROOF_PING);
	assert_int_equal(outward_under_way(out), 0);
	clock_advance(clk, 20000);
	assert_int_equal(channel.answers, 1);
}

static void
test_settled_within_the_call(void **state)
{
	(void)state;
	route.settle_at_once = true;
	give(&message);
	assert_int_equal(channel.answers, 1);
	assert_int_equal(channel.r.condition, COND_RESOURCE_CONSTRAINT);
	assert_int_equal(outward_under_way(out), 0);
}

static void
test_no_proof_in_time(void **state)
{
	(void)state;
	give(&message);
	clock_advance(clk, 9999);
	assert_int_equal(channel.answers, 0);
	clock_advance(clk, 1);
	assert_int_equal(route.withdrawn, 1);
	assert_int_equal(channel.answers, 1);
	assert_false(channel.r.delivered);
	assert_int_equal(channel.r.condition, COND_REMOTE_SERVER_TIMEOUT);
}

static void
test_a_probe_is_a_ping_of_its_own(void **state)
{
	struct sample s = { FRAME_IQ, "contoso.example", "partner.example",
		"get", "ping", BARRIER, BARRIER, NULL };

	(void)state;
	give(&s);
	assert_int_equal(route.probed, 1);
	assert_int_equal(route.sent, 0);
	/* A user's ping is a stanza like any other. */
	s.from = "anna@contoso.example";
	s.id = QUESTION;
	give(&s);
	assert_int_equal(route.probed, 1);
	assert_int_equal(route.sent, 1);
}

/* Bo's request to Anna's client, under an id of the edge's. */
static void
ask(char id[static IQ_ASKED_ID_SIZE])
{
	static const char bo[] = "bo@partner.example/r",
			  anna[] = "anna@contoso.example/lync";
	struct jid from, to;

	assert_int_equal(jid_parse(&from, bo, strlen(bo)), 0);
	assert_int_equal(jid_parse(&to, anna, strlen(anna)), 0);
	iq_asked_make_id(id);
	assert_int_equal(iq_asked_add(asked, id, &from, &to, "theirs"), 0);
	jid_finish(&from);
	jid_finish(&to);
}

static void
test_an_answer_goes_out_once_under_the_askers_id(void **state)
{
	char id[IQ_ASKED_ID_SIZE];
	struct sample s = { FRAME_IQ, "anna@contoso.example/lync",
		"bo@partner.example/r", "result", "ping", id, NULL, NULL };

	(void)state;
	ask(id);
	/* Not to another, not from another, not with another id. */
	s.to = "carl@partner.example/r";
	give(&s);
	s.to = "bo@partner.example/r";
	s.from = "anna@contoso.example";
	give(&s);
	s.from = "anna@contoso.example/lync";
	s.id = "theirs";
	give(&s);
	assert_int_equal(route.sent, 0);
	assert_int_equal(channel.answers, 3);
	assert_int_equal(channel.r.condition, COND_ITEM_NOT_FOUND);
	s.id = id;
	give(&s);
	assert_int_equal(route.sent, 1);
	assert_string_equal(route.xml,
	    "<iq from='anna@contoso.example/lync' to='bo@partner.example/r' "
	    "id='theirs' type='result'/>");
	give(&s);
	assert_int_equal(route.sent, 1);
	assert_int_equal(channel.answers, 4);
	assert_int_equal(iq_asked_count(asked), 0);
}

/* What the gateway made of the answer is no answer: he is told so. */
static void
test_an_answer_that_is_none(void **state)
{
	char id[IQ_ASKED_ID_SIZE];
	struct sample s = { FRAME_IQ, "anna@contoso.example/lync",
		"bo@partner.example/r", "result", "ping", id, NULL, NULL };

	(void)state;
	ask(id);
	s.kind = "error";
	give(&s);
	assert_non_null(strstr(route.xml, "undefined-condition"));
	ask(id);
	s.kind = "result";
	s.body = "x"; /* ignored */
	route.rc = ERR_FULL;
	give(&s);
	assert_int_equal(channel.r.condition, COND_RESOURCE_CONSTRAINT);
	assert_non_null(strstr(route.xml, "service-unavailable"));
	assert_non_null(strstr(route.xml, "id='theirs'"));
	assert_int_equal(iq_asked_count(asked), 0);
}

static void
test_a_request_is_not_waited_for_forever(void **state)
{
	char id[IQ_ASKED_ID_SIZE];

	(void)state;
	ask(id);
	clock_advance(clk, 100000);
	assert_int_equal(late, 0); /* the frame's own deadline holds */
	iq_asked_taken(asked, id);
	clock_advance(clk, IQ_ASKED_TIMEOUT_MS - 1);
	assert_int_equal(late, 0);
	clock_advance(clk, 1);
	assert_int_equal(late, 1);
	assert_int_equal(route.sent, 1);
	assert_non_null(strstr(route.xml, "remote-server-timeout"));
	assert_int_equal(iq_asked_count(asked), 0);
	iq_asked_taken(asked, id);
	iq_asked_forget(asked, id);
}

static void
test_requests_are_bounded(void **state)
{
	static const char anna[] = "anna@contoso.example";
	char id[IQ_ASKED_ID_SIZE], text[64];
	struct jid from, to;
	int taken = 0, rc = 0;

	(void)state;
	assert_int_equal(jid_parse(&to, anna, strlen(anna)), 0);
	/* One domain leaves room for others. */
	for (int i = 0; i < IQ_ASKED_MAX + IQ_ASKED_DOMAIN_MAX; i++) {
		snprintf(text, sizeof(text), "bo@p%d.example",
		    i / (IQ_ASKED_DOMAIN_MAX + 8));
		assert_int_equal(jid_parse(&from, text, strlen(text)), 0);
		iq_asked_make_id(id);
		rc = iq_asked_add(asked, id, &from, &to, "theirs");
		assert_true(rc == 0 || rc == ERR_FULL);
		if (rc == 0)
			taken++;
		if (i == IQ_ASKED_DOMAIN_MAX)
			assert_int_equal(rc, ERR_FULL);
		jid_finish(&from);
	}
	assert_int_equal(rc, ERR_FULL);
	assert_int_equal(taken, IQ_ASKED_MAX);
	assert_int_equal(iq_asked_count(asked), IQ_ASKED_MAX);
	jid_finish(&to);
}

static const struct {
	struct sample s;
	enum condition condition;
} refused[] = {
	/* Requests under ids by which no answer would be known. */
	{ { FRAME_IQ, "anna@contoso.example", "bo@partner.example", "get",
	      "vcard", "v1", NULL, NULL },
	    COND_BAD_REQUEST },
	{ { FRAME_IQ, "anna@contoso.example", "bo@partner.example", "get",
	      "vcard", BARRIER, NULL, NULL },
	    COND_BAD_REQUEST },
	{ { FRAME_IQ, "anna@contoso.example", "bo@partner.example", "result",
	      "ping", "x", NULL, NULL },
	    COND_ITEM_NOT_FOUND },
	{ { FRAME_MESSAGE, NULL, "bo@partner.example", "chat", NULL, "m", NULL,
	      "x" },
	    COND_JID_MALFORMED },
	{ { FRAME_MESSAGE, "@contoso.example", "bo@partner.example", "chat",
	      NULL, "m", NULL, "x" },
	    COND_JID_MALFORMED },
	/* Hosted by another gateway, by nobody, below a hosted one. */
	{ { FRAME_MESSAGE, "a@other.example", "bo@partner.example", "chat",
	      NULL, "m", NULL, "x" },
	    COND_NOT_ALLOWED },
	{ { FRAME_MESSAGE, "a@none.example", "bo@partner.example", "chat", NULL,
	      "m", NULL, "x" },
	    COND_NOT_ALLOWED },
	{ { FRAME_MESSAGE, "a@sub.contoso.example", "bo@partner.example",
	      "chat", NULL, "m", NULL, "x" },
	    COND_NOT_ALLOWED },
	/* No partner, not even ourselves. */
	{ { FRAME_MESSAGE, "anna@contoso.example", "x@stranger.example", "chat",
	      NULL, "m", NULL, "x" },
	    COND_NOT_ALLOWED },
	{ { FRAME_MESSAGE, "anna@contoso.example", "x@contoso.example", "chat",
	      NULL, "m", NULL, "x" },
	    COND_NOT_ALLOWED },
	/* A barrier of another node, and one of no form. */
	{ { FRAME_MESSAGE, "anna@contoso.example", "bo@partner.example", "chat",
	      NULL, "m", "sp1-gw2-1f-00112233445566778899aabbccddeeff", "x" },
	    COND_BAD_REQUEST },
	{ { FRAME_MESSAGE, "anna@contoso.example", "bo@partner.example", "chat",
	      NULL, "m", "ping1", "x" },
	    COND_BAD_REQUEST },
};

static void
test_what_does_not_go_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		give(&refused[i].s);
		assert_int_equal(channel.answers, i + 1);
		assert_false(channel.r.delivered);
		assert_int_equal(channel.r.condition, refused[i].condition);
	}
	assert_int_equal(route.sent, 0);
	assert_int_equal(outward_under_way(out), 0);
}

static void
test_a_route_that_takes_nothing(void **state)
{
	(void)state;
	route.rc = ERR_NOMEM;
	give(&message);
	assert_int_equal(channel.answers, 1);
	assert_int_equal(channel.r.condition, COND_RESOURCE_CONSTRAINT);
	assert_int_equal(outward_under_way(out), 0);
}

static void
test_replies_are_nobodys(void **state)
{
	const struct channel_result lost = { .condition =
						 COND_REMOTE_SERVER_TIMEOUT };
	struct buf xml;

	(void)state;
	buf_init(&xml, 0);
	buf_add_str(&xml, "<message/>");
	outward_reply(out, "contoso.example", "partner.example", &xml);
	assert_int_equal(route.sent, 1);
	assert_string_equal(route.barrier, "");
	outward_settled(out, route.cookie, &lost);
	assert_int_equal(outward_counters(out)->replies_lost, 1);
	outward_reply(out, "contoso.example", "partner.example", &xml);
	clock_advance(clk, 10000);
	assert_int_equal(route.withdrawn, 1);
	assert_int_equal(outward_counters(out)->replies_lost, 2);
	assert_int_equal(channel.answers, 0);
	assert_int_equal(outward_under_way(out), 0);
	buf_finish(&xml);
}

static void
test_a_channel_that_goes(void **state)
{
	(void)state;
	give(&message);
	outward_forget(out, the_channel);
	assert_int_equal(route.withdrawn, 1);
	assert_int_equal(outward_under_way(out), 0);
	clock_advance(clk, 20000);
	assert_int_equal(channel.answers, 0);
}

static void
test_a_node_vouches_for_its_own_pings(void **state)
{
	struct frame_writer w;
	struct frame f;
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	frame_begin(&w, &b, FRAME_PROOF);
	frame_put_str(&w, FIELD_BARRIER, BARRIER);
	assert_int_equal(frame_end(&w), 0);
	assert_int_equal(frame_decode(&f, b.data, b.len), 0);
	outward_proof(out, "gw2", &f);
	assert_int_equal(route.proofs, 0);
	outward_proof(out, "gw1", &f);
	assert_int_equal(route.proofs, 1);
	buf_finish(&b);
}

int
main(void)
{
#define T(x) cmocka_unit_test_setup_teardown(x, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_an_answer_goes_out_once_under_the_askers_id),
		T(test_an_answer_that_is_none),
		T(test_a_request_is_not_waited_for_forever),
		T(test_requests_are_bounded),
		T(test_delivered),
		T(test_settled_within_the_call),
		T(test_no_proof_in_time),
		T(test_a_probe_is_a_ping_of_its_own),
		T(test_what_does_not_go_out),
		T(test_a_route_that_takes_nothing),
		T(test_replies_are_nobodys),
		T(test_a_channel_that_goes),
		T(test_a_node_vouches_for_its_own_pings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
