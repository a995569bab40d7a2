/*
 * Chats, with the pool and the edges played by the test.
 *
 * Every function of sip_ua.h and edges.h that conversations use is defined
 * here, so neither is linked in; what they are asked to do is written down in
 * a journal of one line per deed, which each step empties and compares.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/jid.h"
#include "common/log.h"
#include "frontend-gateway/barrier.h"
#include "frontend-gateway/conversation/conversation.h"
#include "frontend-gateway/conversation/conversations.h"
#include "frontend-gateway/conversation/conversations_impl.h"
#include "frontend-gateway/edges.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/guard.h"
#include "frontend-gateway/policy/access.h"
#include "frontend-gateway/policy/policy.h"
#include "frontend-gateway/sip/sip_ua.h"
#include "proto/channel.h"
#include "proto/frame.h"
#include "tests/unit/gateway_sample.h"
#include "tests/unit/policy_sample.h"
#include "tests/unit/settings_world.h"

/* --- the journal ---------------------------------------------------------- */

static char journal[16384];

__attribute__((format(printf, 1, 2))) static void
note(const char *fmt, ...)
{
	size_t len = strlen(journal);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(journal + len, sizeof(journal) - len, fmt, ap);
	va_end(ap);
	len = strlen(journal);
	assert_true(len + 2 < sizeof(journal));
	memcpy(journal + len, "\n", 2);
}

/* What has happened since the last time. */
#define expect(want)                                                           \
	do {                                                                   \
		assert_string_equal(journal, want);                            \
		journal[0] = '\0';                                             \
	} while (0)

/* --- the pool ------------------------------------------------------------- */

struct sip_ua {
	bool unreachable;
};
struct sip_server_txn {
	int number;
};
struct sip_ua_call {
	enum sip_method method;
	sip_ua_result_fn *on_result;
	void *arg;
	bool open;
};

static struct sip_ua ua;
static struct sip_server_txn txns[32];
static size_t txn_count;
static struct sip_ua_call calls[64];
static size_t call_count;
static struct sip_dialog dialogs[32];
static size_t dialog_count;
static char last_epid[32]; /* of the last INVITE for bo */
static char last_id[128];  /* Ms-Conversation-ID of the last INVITE */

static struct sip_dialog *
new_dialog(void *user)
{
	struct sip_dialog *d = &dialogs[dialog_count++];

	assert_true(dialog_count < 32);
	memset(d, 0, sizeof(*d));
	d->call_id = strdup("call");
	d->user = user;
	return d;
}

static int
number_of(const struct sip_dialog *d)
{
	return (int)(d - dialogs);
}

static int
new_call(struct sip_ua_call **out, const struct sip_question *q)
{
	struct sip_ua_call *c = &calls[call_count++];

	assert_true(call_count < 64);
	*c = (struct sip_ua_call){ q->method, q->on_result, q->arg, true };
	*out = c;
	return 0;
}

int
sip_ua_ask(
    struct sip_ua_call **out, struct sip_ua *u, const struct sip_question *q)
{
	const char *first = "-";

	if (u->unreachable)
		return ERR_CLOSED;
	assert_int_equal(q->method, SIP_INVITE);
	for (size_t i = 0; i < q->header_count; i++) {
		if (strcmp(q->headers[i].name, "ms-text-format") == 0)
			first = strstr(q->headers[i].value, "ms-body=");
		else
			snprintf(last_id, sizeof(last_id), "%s",
			    q->headers[i].value);
	}
	/* "bo@partner.example/phone", unless it is a notice of ours. */
	if (strstr(q->from_uri, "bo@") != NULL)
		snprintf(last_epid, sizeof(last_epid), "%s", q->from_epid);
	note("INVITE %s from %s (%s) %s", q->uri, q->from_uri, q->from_display,
	    first);
	return new_call(out, q);
}

int
sip_ua_ask_in(struct sip_ua_call **out, struct sip_ua *u, struct sip_dialog *d,
    const struct sip_question *q)
{
	if (u->unreachable)
		return ERR_CLOSED;
	if (q->method == SIP_INFO)
		note("INFO d%d %s", number_of(d),
		    strstr(q->body, "\"type\"") != NULL ? "type" : "idle");
	else if (q->method == SIP_NOTIFY)
		note("NOTIFY d%d %.26s", number_of(d),
		    strstr(q->body, "<message-id>"));
	else
		note("MESSAGE d%d %.*s", number_of(d), (int)q->body_len,
		    (const char *)q->body);
	return new_call(out, q);
}

void
sip_ua_cancel(struct sip_ua *u, struct sip_ua_call *call)
{
	(void)u;
	assert_true(call->open);
	note("cancel %s", sip_method_name(call->method));
}

void
sip_ua_drop(struct sip_ua *u, struct sip_ua_call *call)
{
	(void)u;
	assert_true(call->open);
	call->open = false;
	note("drop %s", sip_method_name(call->method));
}

void
sip_ua_bye(struct sip_ua *u, struct sip_dialog *d)
{
	(void)u;
	note("BYE d%d", number_of(d));
}

void
sip_ua_bye_because(struct sip_ua *u, struct sip_dialog *d, unsigned diagnostics,
    int status, const char *reason)
{
	(void)u;
	(void)reason;
	note("BYE d%d %u %d", number_of(d), diagnostics, status);
}

void
sip_ua_forget(struct sip_ua *u, struct sip_dialog *d)
{
	(void)u;
	note("forget d%d", number_of(d));
}

int
sip_ua_respond(
    struct sip_ua *u, struct sip_server_txn *st, const struct sip_answer *a)
{
	char more[256] = "";

	(void)u;
	for (size_t i = 0; i < a->header_count; i++)
		snprintf(more + strlen(more), sizeof(more) - strlen(more),
		    " %s", a->headers[i].name);
	note("t%d %d%s%s%s", st->number, a->status,
	    a->diagnostics_reason != NULL ? " " : "",
	    a->diagnostics_reason != NULL ? a->diagnostics_reason : "", more);
	return 0;
}

int
sip_ua_refuse(struct sip_ua *u, struct sip_server_txn *st, int status,
    unsigned diagnostics, const char *reason)
{
	struct sip_answer a = { .status = status,
		.diagnostics = diagnostics,
		.diagnostics_reason = reason };

	return sip_ua_respond(u, st, &a);
}

int
sip_ua_accept(struct sip_dialog **out, struct sip_ua *u,
    struct sip_server_txn *st, const struct sip_answer *a, void *user)
{
	(void)u;
	*out = new_dialog(user);
	note("t%d accepted %d d%d", st->number, a->status, number_of(*out));
	return 0;
}

const char *
sip_dialog_end_str(enum sip_dialog_end why)
{
	(void)why;
	return "ended";
}

static struct sip_msg *
parse(const char *head, const char *body)
{
	struct sip_msg *m;
	char text[4096];
	int len;

	len = snprintf(text, sizeof(text), "%sContent-Length: %zu\r\n\r\n",
	    head, strlen(body));
	assert_true(len > 0 && (size_t)len < sizeof(text));
	assert_int_equal(sip_msg_parse(&m, (const uint8_t *)text, (size_t)len,
			     (const uint8_t *)body, strlen(body)),
	    0);
	return m;
}

/* The final answer to the last call; headers end with CRLF each. */
static void
pool_answers(int status, const char *headers)
{
	struct sip_ua_call *c = &calls[call_count - 1];
	struct sip_result r = {
		.outcome = SIP_OUTCOME_RESPONSE, .final = true, .status = status
	};
	struct sip_msg *m;
	char head[1024];

	assert_true(c->open);
	c->open = false;
	snprintf(head, sizeof(head),
	    "SIP/2.0 %d X\r\nVia: SIP/2.0/TLS gw:5061;branch=z9hG4bKx\r\n"
	    "From: <sip:bo@partner.example>;tag=a\r\n"
	    "To: <sip:anna@contoso.example>;tag=b\r\n"
	    "Call-ID: c\r\nCSeq: 1 %s\r\n%s",
	    status, sip_method_name(c->method), headers);
	m = parse(head, "");
	r.response = m;
	if (c->method == SIP_INVITE && status < 300)
		r.dialog = new_dialog(c->arg);
	c->on_result(&ua, c, &r, c->arg);
	sip_msg_free(m);
}

static void
pool_is_silent(enum sip_outcome outcome, int status)
{
	struct sip_ua_call *c = &calls[call_count - 1];
	struct sip_result r = {
		.outcome = outcome, .final = true, .status = status
	};

	assert_true(c->open);
	c->open = false;
	c->on_result(&ua, c, &r, c->arg);
}

/* --- the edges ------------------------------------------------------------ */

struct edges {
	bool down[2];
	bool full;
};

static struct edges edges;
static struct edges_sender *last_sender;
static uint64_t next_seq;
static char last_stanza[64]; /* id of the last message frame */

unsigned
edges_choose(const struct edges *e, const char *local, const char *user,
    const char *contact, unsigned preferred)
{
	(void)local;
	(void)user;
	(void)contact;
	if (preferred < 2 && !e->down[preferred])
		return preferred;
	return e->down[0] && !e->down[1] ? 1 : 0;
}

bool
edges_serves(const struct edges *e, unsigned edge, const char *local)
{
	(void)local;
	return !e->down[edge];
}

const char *
edges_name(const struct edges *e, unsigned edge)
{
	(void)e;
	return edge == 0 ? "edge1" : "edge2";
}

int
edges_send(struct edges *e, unsigned edge, const struct buf *frame,
    struct edges_sender *sender, uint64_t *seq)
{
	char from[256], to[256], body[256], nick[64], chat[32];
	struct frame f;

	if (e->full)
		return ERR_FULL;
	assert_int_equal(frame_decode(&f, frame->data, frame->len), 0);
	assert_true(frame_copy(&f, FIELD_FROM, from, sizeof(from)));
	assert_true(frame_copy(&f, FIELD_TO, to, sizeof(to)));
	assert_true(frame_copy(&f, FIELD_ID, last_stanza, sizeof(last_stanza)));
	/* A chat state alone: nobody waits for it, nobody keeps it. */
	if (!frame_has(&f, FIELD_BODY)) {
		assert_true(
		    frame_copy(&f, FIELD_CHAT_STATE, chat, sizeof(chat)));
		assert_true(frame_has(&f, FIELD_NO_STORE));
		assert_false(frame_has(&f, FIELD_BARRIER));
		assert_null(sender);
		*seq = ++next_seq;
		note("e%u state %s -> %s", edge, chat, to);
		return 0;
	}
	assert_true(frame_copy(&f, FIELD_BODY, body, sizeof(body)));
	/* What the gateway says in her name. */
	if (strncmp(last_stanza, "notice-", 7) == 0) {
		assert_false(frame_has(&f, FIELD_BARRIER));
		assert_null(sender);
		*seq = ++next_seq;
		note("e%u notice -> %s %s", edge, to, body);
		return 0;
	}
	assert_true(frame_has(&f, FIELD_BARRIER));
	assert_true(frame_has(&f, FIELD_THREAD));
	(void)frame_copy(&f, FIELD_NICK, nick, sizeof(nick));
	note("e%u frame %s -> %s (%s) %s", edge, from, to, nick, body);
	last_sender = sender;
	*seq = ++next_seq;
	return 0;
}

void
edges_withdraw(struct edges *e, unsigned edge, uint64_t seq)
{
	(void)e;
	note("e%u withdraw %llu", edge, (unsigned long long)seq);
}

void
edges_answer(
    struct edges *e, struct edges_ticket t, const struct channel_result *r)
{
	(void)e;
	note("e%u answer %llu %s%s%s%s%s", t.edge, (unsigned long long)t.seq,
	    r->delivered ? "delivered" : condition_str(r->condition),
	    r->text != NULL ? " " : "", r->text != NULL ? r->text : "",
	    r->gone_to != NULL ? " " : "",
	    r->gone_to != NULL ? r->gone_to : "");
}

/* Streams whose name begins with x are broken. */
bool
edges_stream_broken(const struct edges *e, const char *id)
{
	(void)e;
	return id[0] == 'x';
}

/* --- the fixture ---------------------------------------------------------- */

static struct clock *wall;
static struct gateway_conf *conf;
static struct policy *policy;
static struct barrier *barrier;
static struct conversations *cs;

static int
on_setup(void **state)
{
	struct conversations_opts o = { .edges = &edges, .ua = &ua };

	(void)state;
	log_set_fd(-1);
	journal[0] = '\0';
	txn_count = call_count = dialog_count = 0;
	next_seq = 0;
	ua = (struct sip_ua){ 0 };
	edges = (struct edges){ 0 };
	conf = gateway_sample("{'limits': {'queue_messages': 4},"
			      "'users': ['anna@contoso.example',"
			      "'carl@contoso.example']}");
	if (clock_open_manual(&wall, 1000, 1795248930000) < 0 ||
	    policy_sample(&policy, conf, 0) < 0 ||
	    barrier_new(&barrier, "gw1", wall) < 0)
		return -1;
	o.conf = conf;
	o.clock = wall;
	o.policy = policy;
	o.barrier = barrier;
	o.secret.data = "test-secret";
	o.secret.len = 11;
	return conversations_new(&cs, &o);
}

static int
on_teardown(void **state)
{
	(void)state;
	conversations_free(cs);
	for (size_t i = 0; i < dialog_count; i++)
		free(dialogs[i].call_id);
	barrier_free(barrier);
	policy_free(policy);
	clock_close(wall);
	gateway_conf_free(conf);
	return 0;
}

/* A message frame, as the guard passes it on. */
struct stanza {
	const char *id, *from, *to, *kind, *body, *condition, *stream, *state;
};

static void
stanza_comes(uint64_t seq, struct stanza s)
{
	static const struct guard_stream guard = { .inbound = true };
	struct edges_stream stream = { .id = s.stream != NULL ? s.stream : "s1",
		.guard = guard };
	struct guard_addresses who;
	struct frame_writer w;
	struct frame f;
	struct buf b;

	if (s.from == NULL)
		s.from = "bo@partner.example/phone";
	if (s.to == NULL)
		s.to = "anna@contoso.example";
	buf_init(&b, FRAME_MAX);
	frame_begin(&w, &b, FRAME_MESSAGE);
	frame_put_str(&w, FIELD_ID, s.id);
	frame_put_str(&w, FIELD_FROM, s.from);
	frame_put_str(&w, FIELD_TO, s.to);
	frame_put_str(&w, FIELD_KIND, s.kind != NULL ? s.kind : "chat");
	frame_put_str(&w, FIELD_BODY, s.body);
	frame_put_str(&w, FIELD_CHAT_STATE, s.state);
	frame_put_str(&w, FIELD_CONDITION, s.condition);
	assert_int_equal(frame_end(&w), 0);
	assert_int_equal(frame_decode(&f, b.data, b.len), 0);
	assert_int_equal(jid_parse(&who.from, s.from, strlen(s.from)), 0);
	assert_int_equal(jid_parse(&who.to, s.to, strlen(s.to)), 0);
	conversations_on_stanza(
	    cs, (struct edges_ticket){ 0, seq }, &f, &who, &stream);
	guard_addresses_finish(&who);
	buf_finish(&b);
}

static void
says(uint64_t seq, const char *body)
{
	stanza_comes(seq, (struct stanza){ .body = body });
}

/* A request from the pool. */
static struct sip_server_txn *
request(const char *method, const char *from, const char *to,
    const char *headers, const char *body, struct sip_dialog *d)
{
	struct sip_server_txn *st = &txns[txn_count];
	struct sip_msg *m;
	char head[2048];

	st->number = (int)txn_count++;
	snprintf(head, sizeof(head),
	    "%s %s SIP/2.0\r\nVia: SIP/2.0/TLS fe1:5061;branch=z9hG4bK%zu\r\n"
	    "From: \"Anna A\" <%s>;tag=t1\r\nTo: <%s>%s\r\n"
	    "Call-ID: %s\r\nCSeq: %zu %s\r\nMax-Forwards: 70\r\n"
	    "Contact: <sip:anna@contoso.example;gruu;opaque=x>\r\n%s",
	    method, to, txn_count, from, to, d != NULL ? ";tag=t2" : "",
	    "call-1", txn_count, method, headers);
	m = parse(head, body);
	conversations_on_request(cs, st, m, d);
	sip_msg_free(m);
	return st;
}

#define ANNA  "sip:anna@contoso.example"
#define BO    "sip:bo@partner.example"
#define IM    "Content-Type: application/sdp\r\n"
#define PLAIN "Content-Type: text/plain; charset=UTF-8\r\n"
static const char im_sdp[] =
    "v=0\r\no=- 0 0 IN IP4 192.0.2.1\r\ns=session\r\nc=IN IP4 192.0.2.1\r\n"
    "t=0 0\r\nm=message 5060 sip null\r\na=accept-types:text/plain\r\n";
static const char audio_sdp[] =
    "v=0\r\no=- 0 0 IN IP4 192.0.2.1\r\ns=session\r\nc=IN IP4 192.0.2.1\r\n"
    "t=0 0\r\nm=audio 5060 RTP/AVP 0\r\n";

static struct sip_dialog *
lync_invites(void)
{
	(void)request("INVITE", ANNA, BO, IM, im_sdp, NULL);
	return &dialogs[dialog_count - 1];
}

static struct sip_server_txn *
lync_says(struct sip_dialog *d, const char *text)
{
	return request("MESSAGE", ANNA, BO, PLAIN, text, d);
}

static void
edge_result(bool delivered, enum condition c)
{
	struct channel_result r = {
		.delivered = delivered, .proof = PROOF_PING, .condition = c
	};

	last_sender->on_result(last_sender, &r);
}

#define INVITED(b64)                                                           \
	"INVITE sip:anna@contoso.example from sip:bo@partner.example (bo) "    \
	"ms-body=" b64 "\n"
#define TAKES_FIRST "Supported: timer, ms-text-format\r\n"

/* --- XMPP to Lync --------------------------------------------------------- */

static void
the_first_message_rides_in_the_invite(void **state)
{
	(void)state;
	says(1, "hi");
	expect(INVITED("aGk="));
	assert_string_equal(last_epid, "85092fcec057366a");
	pool_answers(200, TAKES_FIRST);
	expect("e0 answer 1 delivered\n");
	says(2, "again");
	expect("MESSAGE d0 again\n");
	pool_answers(200, "");
	expect("e0 answer 2 delivered\n");
}

static void
or_follows_when_the_callee_did_not_take_it(void **state)
{
	(void)state;
	says(1, "hi");
	expect(INVITED("aGk="));
	pool_answers(200, "Supported: timer\r\n");
	expect("MESSAGE d0 hi\n");
	pool_answers(202, "");
	expect("e0 answer 1 delivered\n");
}

static void
one_message_is_on_its_way_at_a_time(void **state)
{
	(void)state;
	says(1, "one");
	says(2, "two");
	says(3, "three");
	expect(INVITED("b25l"));
	pool_answers(200, TAKES_FIRST);
	expect("e0 answer 1 delivered\nMESSAGE d0 two\n");
	pool_answers(200, "");
	expect("e0 answer 2 delivered\nMESSAGE d0 three\n");
	pool_answers(200, "");
	expect("e0 answer 3 delivered\n");
}

static void
the_queue_is_bounded(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= 5; i++)
		says(i, "x");
	expect(INVITED("eA==") "e0 answer 5 resource-constraint\n");
}

/* What a stranger and a known contact are told of the pool's answers. */
static void
strangers_learn_nothing_of_users(void **state)
{
	static const struct {
		int status;
		const char *known;
	} rows[] = {
		{ 404, "item-not-found" },
		{ 403, "forbidden" },
		{ 480, "recipient-unavailable" },
		{ 603, "not-allowed" },
		{ 413, "policy-violation" },
		{ 500, "internal-server-error" },
		{ 503, "remote-server-timeout" },
		{ 504, "remote-server-timeout" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char want[128];

		stanza_comes(1, (struct stanza){ .body = "hi",
				    .from = "s@partner.example/a" });
		journal[0] = '\0';
		pool_answers(rows[i].status, "");
		/* And no text. */
		expect("e0 answer 1 service-unavailable\n");
		policy_remember(
		    policy, "anna@contoso.example", "bo@partner.example");
		says(2, "hi");
		journal[0] = '\0';
		pool_answers(rows[i].status, "");
		snprintf(want, sizeof(want), "e0 answer 2 %s", rows[i].known);
		assert_memory_equal(journal, want, strlen(want));
		journal[0] = '\0';
		assert_int_equal(conversations_count(cs), 0);
	}
}

/* The new address is told when it is one of ours, and not a host's. */
static void
who_has_moved_is_told_with_the_address(void **state)
{
	static const struct {
		const char *contact, *told;
	} rows[] = {
		{ "Contact: <sip:anna.b@contoso.example>\r\n",
		    " xmpp:anna.b@contoso.example" },
		{ "Contact: <sip:anna@fe2.internal.example:5061>\r\n", "" },
		{ "Contact: <sip:anna@192.0.2.7>\r\n", "" },
		{ "Contact: <sip:anna@contoso.example;gruu>\r\n", "" },
		{ "Contact: <tel:+4930123>\r\n", "" },
		{ "", "" },
	};
	struct sip_dialog *d = lync_invites();
	char want[128];

	(void)state;
	/* So that he is no stranger. */
	lync_says(d, "hello");
	edge_result(true, 0);
	conversations_on_dialog_end(cs, d, SIP_DIALOG_END_BYE);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		says(i + 1, "hi");
		journal[0] = '\0';
		pool_answers(301, rows[i].contact);
		snprintf(want, sizeof(want),
		    "e0 answer %zu gone This user has a new address.%s\n",
		    i + 1, rows[i].told);
		expect(want);
	}
}

static void
a_refused_invite_speaks_for_the_queue(void **state)
{
	(void)state;
	says(1, "one");
	says(2, "two");
	journal[0] = '\0';
	pool_answers(480, "");
	expect("e0 answer 1 service-unavailable\n"
	       "e0 answer 2 service-unavailable\n");
	assert_int_equal(conversations_count(cs), 0);
}

static void
a_lost_dialog_is_replaced_once(void **state)
{
	static const int lost[] = { 481, 408, 430, 480, 504 };

	(void)state;
	for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++) {
		char want[256], id[128];
		int old = (int)dialog_count;

		says(1, "one");
		pool_answers(200, TAKES_FIRST);
		snprintf(id, sizeof(id), "%s", last_id);
		says(2, "two");
		journal[0] = '\0';
		pool_answers(lost[i], "");
		snprintf(
		    want, sizeof(want), "forget d%d\n" INVITED("dHdv"), old);
		expect(want);
		assert_string_not_equal(id, last_id);
		pool_answers(200, "");
		snprintf(want, sizeof(want), "MESSAGE d%d two\n", old + 1);
		expect(want);
		/* A second loss is told. */
		pool_answers(481, "");
		assert_non_null(strstr(journal, "e0 answer 2 "));
		assert_null(strstr(journal, "INVITE"));
		journal[0] = '\0';
		conversations_on_dialog_end(
		    cs, &dialogs[old + 1], SIP_DIALOG_END_BYE);
		assert_int_equal(conversations_count(cs), 0);
	}
}

static void
a_clash_of_ids_is_tried_once_more(void **state)
{
	char id[128];

	(void)state;
	says(1, "hi");
	snprintf(id, sizeof(id), "%s", last_id);
	expect(INVITED("aGk="));
	pool_answers(488, "ms-client-diagnostics: 52035;reason=\"x\"\r\n");
	expect(INVITED("aGk="));
	assert_string_not_equal(id, last_id);
	pool_answers(488, "ms-client-diagnostics: 52035;reason=\"x\"\r\n");
	assert_non_null(strstr(journal, "e0 answer 1 "));
	assert_null(strstr(journal, "INVITE"));
	journal[0] = '\0';
}

/* Each of the two reasons to send anew counts once, wherever it is met. */
static void
a_clash_behind_a_lost_dialog_is_another_matter(void **state)
{
	static const char clash[] =
	    "ms-client-diagnostics: 52035;reason=\"x\"\r\n";

	(void)state;
	(void)lync_invites();
	says(1, "hi");
	expect("t0 accepted 200 d0\nMESSAGE d0 hi\n");
	pool_answers(481, "");
	expect("forget d0\n" INVITED("aGk="));
	pool_answers(488, clash);
	expect(INVITED("aGk="));
	pool_answers(200, "");
	expect("MESSAGE d1 hi\n");
	pool_answers(481, "");
	assert_non_null(strstr(journal, "e0 answer 1 "));
	journal[0] = '\0';
	/* A client that says so of a MESSAGE is not tried for ever. */
	says(2, "ho");
	expect("MESSAGE d1 ho\n");
	pool_answers(488, clash);
	expect("forget d1\n" INVITED("aG8="));
	pool_answers(200, "");
	expect("MESSAGE d2 ho\n");
	pool_answers(488, clash);
	assert_non_null(strstr(journal, "e0 answer 2 "));
	assert_null(strstr(journal, "INVITE"));
	journal[0] = '\0';
}

static void
the_edge_has_its_answer_in_a_minute(void **state)
{
	(void)state;
	says(1, "one");
	clock_advance(wall, 1000);
	says(2, "two");
	expect(INVITED("b25l"));
	clock_advance(wall, 59000);
	expect(
	    "drop INVITE\ne0 answer 1 remote-server-timeout\n" INVITED("dHdv"));
	clock_advance(wall, 1000);
	expect("drop INVITE\ne0 answer 2 remote-server-timeout\n");
	assert_int_equal(conversations_count(cs), 0);
}

static void
a_pool_that_is_away_is_waited_for(void **state)
{
	(void)state;
	ua.unreachable = true;
	says(1, "hi");
	expect("");
	ua.unreachable = false;
	conversations_on_reachable(cs);
	expect(INVITED("aGk="));
	pool_is_silent(SIP_OUTCOME_TRANSPORT, 503);
	assert_non_null(strstr(journal, "remote-server-timeout"));
	journal[0] = '\0';
	ua.unreachable = true;
	says(2, "hi");
	clock_advance(wall, 60000);
	expect("e0 answer 2 remote-server-timeout\n");
}

static void
the_denied_reach_nobody(void **state)
{
	static const struct stanza rows[] = {
		{ .to = "olaf@contoso.example", .body = "hi" },
		{ .to = "nobody@contoso.example", .body = "hi" },
		{ .from = "p@public.example/a", .body = "hi" },
		{ .to = "contoso.example", .body = "hi" },
		{ .from = "partner.example", .body = "hi" },
		{ .kind = "groupchat", .body = "hi" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		stanza_comes(7, rows[i]);
		expect("e0 answer 7 service-unavailable\n");
	}
	/* What is no message of a person is taken, whoever it is for. */
	stanza_comes(8, (struct stanza){ .to = "olaf@contoso.example" });
	expect("e0 answer 8 delivered\n");
	stanza_comes(9, (struct stanza){ .kind = "headline", .body = "new" });
	expect("e0 answer 9 delivered\n");
	assert_int_equal(conversations_count(cs), 0);
}

/* Names are guessed: after twenty the pool is not asked any more, nor for her
 * who is there.  Chats that came about, and failures that say nothing about a
 * user, cost nothing. */
/* Her client hears why, he that she has left, what waits is refused; and it is
 * nobody else's concern. */
static void
a_right_that_goes_ends_the_chat(void **state)
{
	struct access *access = policy_rights(policy)->access;

	(void)state;
	stanza_comes(1, (struct stanza){ .body = "hi", .state = "active" });
	pool_answers(200, TAKES_FIRST);
	stanza_comes(2, (struct stanza){ .body = "two", .state = "active" });
	stanza_comes(3, (struct stanza){ .body = "three", .state = "active" });
	journal[0] = '\0';
	access_ungrant(access, "anna@contoso.example");
	conversations_rights_changed(cs, "carl@contoso.example");
	expect("");
	conversations_rights_changed(cs, "anna@contoso.example");
	expect("drop MESSAGE\n"
	       "e0 answer 2 service-unavailable\n"
	       "e0 answer 3 service-unavailable\n"
	       "BYE d0 61021 403\n");
	says(4, "are you there?");
	expect("e0 answer 4 service-unavailable\n");
	clock_advance(wall, 2000);
	expect("e0 state gone -> bo@partner.example/phone\n");
	assert_int_equal(conversations_count(cs), 0);
}

/* Chats of hers, with nothing going on. */
static void
has_chats(const char *owner, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		char name[64];
		struct jid user, contact;
		struct conversation *c;

		assert_int_equal(jid_parse(&user, owner, strlen(owner)), 0);
		snprintf(name, sizeof(name), "c%u@partner.example", i);
		assert_int_equal(jid_parse(&contact, name, strlen(name)), 0);
		assert_int_equal(conversations_get(&c, cs, &user, &contact), 0);
		jid_finish(&user);
		jid_finish(&contact);
	}
}

/* A thousand lose their right: some are closed in a turn, but none of the rest
 * takes anything from the pool; and who has it back by then stays. */
static void
of_thousands_some_are_closed_in_a_turn(void **state)
{
	enum { CHATS = 2000, IN_A_TURN = 50 };
	struct access *access = policy_rights(policy)->access;
	struct sip_dialog *d = lync_invites();
	bool waits;

	(void)state;
	has_chats("carl@contoso.example", CHATS);
	journal[0] = '\0';
	access_ungrant(access, "anna@contoso.example");
	access_ungrant(access, "carl@contoso.example");
	conversations_rights_changed(cs, NULL);
	assert_int_equal(conversations_count(cs), CHATS + 1 - IN_A_TURN);
	/* Hers may be one of the first, seldom as that is. */
	waits = strstr(journal, "BYE d0") == NULL;
	if (waits) {
		lync_says(d, "still there?");
		assert_non_null(strstr(journal, "t1 403 "));
		assert_null(strstr(journal, "message"));
		assert_null(strstr(journal, "BYE d0"));
	}
	assert_int_equal(
	    access_grant(access, "carl@contoso.example", "tag:chat"), 0);
	access_set_policy(access, "tag:chat", ACCESS_FEDERATION | ACCESS_XMPP);
	clock_advance(wall, 0);
	assert_non_null(strstr(journal, "BYE d0 61021 403\n"));
	assert_int_equal(
	    conversations_count(cs), CHATS - IN_A_TURN + (waits ? 0 : 1));
	/* The next change finds what is left. */
	access_ungrant(access, "carl@contoso.example");
	conversations_rights_changed(cs, "carl@contoso.example");
	assert_int_not_equal(conversations_count(cs), 0);
	clock_advance(wall, 0);
	assert_int_equal(conversations_count(cs), 0);
}

static void
on_rights(const char *user, void *arg)
{
	(void)user;
	(void)arg;
}

/* Once in a conversation, whoever begins it, and only if that is set. */
static void
the_contact_is_told_of_the_archive(void **state)
{
	struct settings_test t;

	(void)state;
	settings_test_init(&t);
	assert_int_equal(
	    policy_follow(policy, t.settings, wall, on_rights, NULL), 0);
	assert_int_equal(
	    settings_test_put(&t, "policy", "global",
		"{'EnableFederationAccess':true,'EnableXmppAccess':true}"),
	    0);
	assert_int_equal(settings_test_put(&t, "access-edge", "global",
			     "{'AllowFederatedUsers':true,"
			     "'EnableArchivingDisclaimer':true,"
			     "'ArchivingDisclaimer':'It is kept.'}"),
	    0);
	says(1, "hi");
	journal[0] = '\0';
	pool_answers(200, TAKES_FIRST);
	expect("e0 answer 1 delivered\n"
	       "e0 notice -> bo@partner.example/phone It is kept.\n");
	says(2, "again");
	pool_answers(200, "");
	expect("MESSAGE d0 again\ne0 answer 2 delivered\n");
	lync_says(&dialogs[0], "yes");
	expect("e0 frame anna@contoso.example/lync -> bo@partner.example/phone "
	       "(Anna A) yes\n");
	edge_result(true, 0);
	clock_advance(wall, 3600000);
	journal[0] = '\0';
	lync_says(NULL, "anew");
	expect("e0 notice -> bo@partner.example It is kept.\n"
	       "e0 frame anna@contoso.example/lync -> bo@partner.example "
	       "(Anna A) anew\n");
	policy_unfollow(policy);
	settings_test_finish(&t);
}

static void
who_guesses_names_is_stopped(void **state)
{
	static const int innocent[] = { 408, 413, 488, 500, 503, 504 };
	static const struct stanza guess = { .body = "hi",
		.from = "s@partner.example/a" };
	uint64_t seq = 0;

	(void)state;
	for (size_t i = 0; i < 5 * sizeof(innocent) / sizeof(innocent[0]);
	     i++) {
		stanza_comes(++seq, guess);
		pool_answers(innocent[i % 6], "");
	}
	for (int i = 0; i < 20; i++) {
		stanza_comes(++seq, guess);
		assert_int_equal(calls[call_count - 1].open, true);
		pool_answers(i % 2 == 0 ? 404 : 480, "");
		assert_int_equal(conversations_count(cs), 0);
	}
	journal[0] = '\0';
	stanza_comes(900, guess);
	expect("e0 answer 900 service-unavailable\n");
	stanza_comes(901, (struct stanza){ .body = "hi",
			      .from = "s@partner.example/b",
			      .to = "nobody@contoso.example" });
	expect("e0 answer 901 service-unavailable\n");
	/* Another of his server may, and half a minute later he may. */
	says(902, "hi");
	pool_answers(200, TAKES_FIRST);
	clock_advance(wall, 30000);
	stanza_comes(903, guess);
	pool_answers(200, TAKES_FIRST);
	journal[0] = '\0';
	/* His chat goes on, whatever else he tries. */
	stanza_comes(904, (struct stanza){ .body = "hi",
			      .from = "s@partner.example/b",
			      .to = "carl@contoso.example" });
	pool_answers(404, "");
	journal[0] = '\0';
	stanza_comes(905, guess);
	assert_non_null(strstr(journal, "MESSAGE"));
	pool_answers(200, "");
}

static void
too_long_a_text_is_refused_whole(void **state)
{
	char *body = malloc(70001);

	(void)state;
	assert_non_null(body);
	memset(body, 'x', 70000);
	body[70000] = '\0';
	says(1, body);
	free(body);
	assert_non_null(strstr(journal, "e0 answer 1 policy-violation "));
	assert_non_null(strstr(journal, "65536"));
}

static void
a_second_copy_is_shown_once(void **state)
{
	struct stanza first = { .id = "m1", .body = "hi", .stream = "x1" };
	struct stanza again = { .id = "m1", .body = "hi", .stream = "s2" };

	(void)state;
	stanza_comes(1, first);
	expect(INVITED("aGk="));
	stanza_comes(2, again);
	expect("");
	pool_answers(200, TAKES_FIRST);
	expect("e0 answer 1 delivered\ne0 answer 2 delivered\n");
	/* On a stream that lives the same words are said again. */
	stanza_comes(3, again);
	expect("MESSAGE d0 hi\n");
	pool_answers(200, "");
	expect("e0 answer 3 delivered\n");
}

/* --- Lync to XMPP --------------------------------------------------------- */

static void
a_message_is_answered_when_it_is_proven(void **state)
{
	struct sip_dialog *d = lync_invites();

	(void)state;
	expect("t0 accepted 200 d0\n");
	lync_says(d, "hello\r\n");
	expect("e0 frame anna@contoso.example/lync -> bo@partner.example "
	       "(Anna A) hello\n");
	edge_result(true, 0);
	expect("t1 200\n");
	/* The name is told once a thread. */
	lync_says(d, "more");
	expect("e0 frame anna@contoso.example/lync -> bo@partner.example () "
	       "more\n");
	edge_result(true, 0);
	expect("t2 200\n");
	/* The contact has been written to: he is no stranger. */
	assert_int_equal(policy_judge_inward(policy, "anna@contoso.example",
			     "bo@partner.example", "partner.example")
			     .standing,
	    POLICY_KNOWN);
}

static void
answers_go_to_the_device_that_wrote(void **state)
{
	struct sip_dialog *d;

	(void)state;
	says(1, "hi");
	pool_answers(200, TAKES_FIRST);
	d = &dialogs[0];
	journal[0] = '\0';
	lync_says(d, "yes");
	expect("e0 frame anna@contoso.example/lync -> "
	       "bo@partner.example/phone (Anna A) yes\n");
	/* It bounces: the next one goes to the bare address. */
	stanza_comes(2, (struct stanza){ .id = last_stanza,
			    .kind = "error",
			    .condition = "service-unavailable" });
	assert_non_null(strstr(journal, "t0 480 "));
	journal[0] = '\0';
	lync_says(d, "really");
	expect("e0 frame anna@contoso.example/lync -> bo@partner.example () "
	       "really\n");
}

static void
failures_reach_the_sender(void **state)
{
	static const struct {
		enum condition c;
		int status;
	} rows[] = {
		{ COND_ITEM_NOT_FOUND, 404 },
		{ COND_REMOTE_SERVER_NOT_FOUND, 404 },
		{ COND_REMOTE_SERVER_TIMEOUT, 504 },
		{ COND_SERVICE_UNAVAILABLE, 480 },
		{ COND_FORBIDDEN, 403 },
		{ COND_RESOURCE_CONSTRAINT, 500 },
	};
	struct sip_dialog *d = lync_invites();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sip_server_txn *st = lync_says(d, "hello");
		char want[64];

		journal[0] = '\0';
		edge_result(false, rows[i].c);
		snprintf(
		    want, sizeof(want), "t%d %d ", st->number, rows[i].status);
		assert_memory_equal(journal, want, strlen(want));
		journal[0] = '\0';
	}
}

static void
a_bounce_decides_before_the_proof(void **state)
{
	struct sip_dialog *d = lync_invites();

	(void)state;
	lync_says(d, "hello");
	journal[0] = '\0';
	/* Somebody else's words do not count. */
	stanza_comes(1, (struct stanza){ .id = last_stanza,
			    .from = "eve@partner.example/x",
			    .kind = "error",
			    .condition = "item-not-found" });
	stanza_comes(2, (struct stanza){ .id = "another",
			    .kind = "error",
			    .condition = "item-not-found" });
	expect("e0 answer 1 delivered\ne0 answer 2 delivered\n");
	/* The contact's server may speak for him. */
	stanza_comes(3, (struct stanza){ .id = last_stanza,
			    .from = "partner.example",
			    .kind = "error",
			    .condition = "item-not-found" });
	assert_non_null(strstr(journal, "e0 answer 3 delivered\n"));
	assert_non_null(strstr(journal, "t1 404 "));
	assert_non_null(strstr(journal, "e0 withdraw 1\n"));
	journal[0] = '\0';
}

static void
a_bounce_behind_the_proof_is_told_in_the_chat(void **state)
{
	struct stanza bounce = { .kind = "error",
		.condition = "item-not-found" };
	struct sip_dialog *d = lync_invites();

	(void)state;
	lync_says(d, "hello");
	edge_result(true, 0);
	bounce.id = last_stanza;
	journal[0] = '\0';
	/* Somebody else's words do not count. */
	bounce.from = "eve@partner.example/x";
	stanza_comes(1, bounce);
	expect("e0 answer 1 delivered\n");
	bounce.from = NULL;
	stanza_comes(2, bounce);
	expect("e0 answer 2 delivered\n"
	       "MESSAGE d0 [Not delivered: \"hello\". "
	       "XMPP address does not exist.]\n");
	pool_answers(200, "");
	/* Once, and whatever the pool answers is the end of it. */
	stanza_comes(3, bounce);
	expect("e0 answer 3 delivered\n");
}

/* hello is delivered, and comes back. */
static void
late_bounce(struct sip_dialog *d, const char *text)
{
	struct stanza bounce = { .kind = "error", .condition = "forbidden" };

	lync_says(d, text);
	edge_result(true, 0);
	bounce.id = last_stanza;
	stanza_comes(1, bounce);
}

static void
a_late_bounce_is_told_in_the_form_that_is_set(void **state)
{
	static const char imdn_sdp[] =
	    "v=0\r\nm=message 5060 sip null\r\n"
	    "a=accept-types:text/plain application/ms-imdn+xml\r\n";
	struct sip_dialog *plain = lync_invites(), *d;

	(void)state;
	conf->notices = GATEWAY_NOTICES_OFF;
	conversations_recheck(cs);
	journal[0] = '\0';
	late_bounce(plain, "one");
	expect("e0 frame anna@contoso.example/lync -> bo@partner.example "
	       "(Anna A) one\n"
	       "t1 200\ne0 answer 1 delivered\n");
	conf->notices = GATEWAY_NOTICES_IMDN;
	conversations_recheck(cs);
	late_bounce(plain, "two");
	expect("e0 frame anna@contoso.example/lync -> bo@partner.example "
	       "() two\n"
	       "t2 202 Message-Id\ne0 answer 1 delivered\n"
	       "MESSAGE d0 [Not delivered: \"two\". XMPP server: "
	       "forbidden.]\n");
	pool_answers(200, "");
	(void)request("INVITE", ANNA, BO, IM, imdn_sdp, NULL);
	d = &dialogs[dialog_count - 1];
	journal[0] = '\0';
	late_bounce(d, "three");
	expect("e0 frame anna@contoso.example/lync -> bo@partner.example "
	       "() three\n"
	       "t4 202 Message-Id\ne0 answer 1 delivered\n"
	       "NOTIFY d1 <message-id>2</message-id>\n");
}

static void
silence_is_told_as_a_failure(void **state)
{
	struct sip_dialog *d = lync_invites();

	(void)state;
	lync_says(d, "hello");
	journal[0] = '\0';
	clock_advance(wall, 27999);
	expect("");
	clock_advance(wall, 1);
	expect("t1 504 XMPP server did not confirm the message in time\n"
	       "e0 withdraw 1\n");
	edges.down[0] = edges.down[1] = true;
	lync_says(d, "hello");
	journal[0] = '\0';
	clock_advance(wall, 28000);
	expect("t2 504 No edge server is connected\ne0 withdraw 2\n");
}

static void
an_edge_that_is_lost_hands_over(void **state)
{
	struct sip_dialog *d = lync_invites();

	(void)state;
	lync_says(d, "one");
	lync_says(d, "two");
	journal[0] = '\0';
	edges.down[0] = true;
	conversations_on_lost(cs, 0);
	expect("e0 withdraw 1\n"
	       "e1 frame anna@contoso.example/lync -> bo@partner.example "
	       "(Anna A) one\n"
	       "e0 withdraw 2\n"
	       "e1 frame anna@contoso.example/lync -> bo@partner.example () "
	       "two\n");
	edge_result(true, 0);
	expect("t2 200\n");
}

/* As another boot: the answers to the former barriers may be used up. */
static void
an_edge_that_is_new_gets_new_frames(void **state)
{
	struct sip_dialog *d = lync_invites();

	(void)state;
	lync_says(d, "one");
	lync_says(d, "two");
	journal[0] = '\0';
	conversations_on_renewed(cs, 1);
	expect("");
	conversations_on_renewed(cs, 0);
	expect("e0 withdraw 1\n"
	       "e0 frame anna@contoso.example/lync -> bo@partner.example "
	       "(Anna A) one\n"
	       "e0 withdraw 2\n"
	       "e0 frame anna@contoso.example/lync -> bo@partner.example () "
	       "two\n");
	edge_result(true, 0);
	expect("t2 200\n");
}

static void
a_full_edge_is_overload(void **state)
{
	struct sip_dialog *d = lync_invites();

	(void)state;
	edges.full = true;
	journal[0] = '\0';
	lync_says(d, "one");
	expect("t1 480 Too many messages wait for delivery\n");
}

static void
a_transaction_that_is_gone_takes_its_message_along(void **state)
{
	struct sip_dialog *d = lync_invites();
	struct sip_server_txn *st;

	(void)state;
	st = lync_says(d, "one");
	journal[0] = '\0';
	conversations_on_withdrawn(cs, st);
	expect("e0 withdraw 1\n");
}

static void
refusals_by_content_and_policy(void **state)
{
	static const struct {
		const char *method, *from, *to, *headers, *body, *want;
	} rows[] = {
		{ "INVITE", ANNA, BO,
		    "Content-Type: application/ms-conf-invite+xml\r\n",
		    "<Conferencing/>",
		    "415 Group chat is not supported Accept" },
		{ "INVITE", ANNA, BO, IM "TriggeredInvite: TRUE\r\n", im_sdp,
		    "415 Group chat is not supported Accept" },
		{ "INVITE", ANNA, BO,
		    IM "EndPoints: <sip:a@contoso.example>, "
		       "<sip:b@contoso.example>, <sip:c@contoso.example>\r\n",
		    im_sdp, "415 Group chat is not supported Accept" },
		{ "INVITE", ANNA, BO, IM, audio_sdp,
		    "488 Audio and video are not supported Warning" },
		{ "INVITE", ANNA, BO, IM, "v=0\r\n",
		    "488 Only instant messages are supported Warning" },
		{ "INVITE", ANNA, "sip:x@stranger.example", IM, im_sdp,
		    "404 Domain is not among the allowed XMPP partners" },
		{ "INVITE", "sip:olaf@contoso.example", BO, IM, im_sdp,
		    "403 User is not permitted to talk to XMPP partners" },
		{ "INVITE", "sip:a@other.example", BO, IM, im_sdp,
		    "403 Sender is not in a domain that this gateway "
		    "serves" },
		{ "MESSAGE", ANNA, "sip:x@stranger.example", PLAIN, "hi",
		    "404 Domain is not among the allowed XMPP partners" },
		{ "MESSAGE", ANNA, BO, "Content-Type: image/gif\r\n", "GIF",
		    "415 Message body is of a type not taken Accept" },
		{ "INFO", ANNA, BO, "Content-Type: application/xml\r\n",
		    "<KeyboardActivity/>", "481 Dialog unknown after restart" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sip_server_txn *st;
		char want[256];

		st = request(rows[i].method, rows[i].from, rows[i].to,
		    rows[i].headers, rows[i].body, NULL);
		snprintf(
		    want, sizeof(want), "t%d %s\n", st->number, rows[i].want);
		expect(want);
		assert_int_equal(conversations_count(cs), 0);
	}
}

static void
small_talk_in_a_dialog_is_answered(void **state)
{
	struct sip_dialog *d = lync_invites();

	(void)state;
	journal[0] = '\0';
	request("INFO", ANNA, BO, "Content-Type: application/xml\r\n",
	    "<ConversationInfo/>", d);
	expect("t1 200\n");
	request("INFO", ANNA, BO, "Content-Type: application/csta+xml\r\n",
	    "<x/>", d);
	expect("t2 415 Notice is of a type not taken Accept\n");
	request("INVITE", ANNA, BO, IM, im_sdp, d);
	expect("t3 200\n");
	lync_says(d, "\r\n");
	expect("t4 200\n");
	request("UPDATE", ANNA, BO, IM, im_sdp, d);
	expect("t5 200\n");
}

#define OFFER "Content-Type: text/x-msmsgsinvite; charset=UTF-8\r\n"

/* The client of the person who offers reads that the other one said no. */
static void
a_file_of_an_older_client_is_declined(void **state)
{
	static const char offer[] = "Application-Name: File Transfer\r\n"
				    "Invitation-Command: INVITE\r\n"
				    "Invitation-Cookie: 829604\r\n"
				    "Application-File: plan.doc\r\n";
	struct sip_dialog *d = lync_invites();

	(void)state;
	journal[0] = '\0';
	request("MESSAGE", ANNA, BO, OFFER, offer, d);
	expect("t1 200\n"
	       "MESSAGE d0 Invitation-Command: CANCEL\r\n"
	       "Invitation-Cookie: 829604\r\nCancel-Code: REJECT\r\n\n");
	request("MESSAGE", ANNA, BO, OFFER,
	    "Invitation-Command: CANCEL\r\nInvitation-Cookie: 829604\r\n", d);
	expect("t2 200\n");
	request("MESSAGE", ANNA, BO, OFFER, "Invitation-Command: INVITE", d);
	expect("t3 400 Message body is malformed\n");
	request("MESSAGE", ANNA, BO, OFFER, offer, NULL);
	expect("t4 415 Message body is of a type not taken Accept\n");
}

/* What the user asks for beyond the chat is refused; the chat goes on. */
static void
more_than_a_chat_is_refused_within_it(void **state)
{
	static const struct {
		const char *method, *headers, *body, *want;
	} rows[] = {
		{ "INVITE", IM, audio_sdp,
		    "488 Audio and video are not supported Warning" },
		{ "UPDATE", IM, audio_sdp,
		    "488 Audio and video are not supported Warning" },
		{ "INVITE", "Content-Type: application/ms-conf-invite+xml\r\n",
		    "<Conferencing/>",
		    "415 Group chat is not supported Accept" },
		{ "INFO", "Content-Type: application/ms-filetransfer+xml\r\n",
		    "<request/>",
		    "488 File transfer is not supported Warning" },
	};
	struct sip_dialog *d = lync_invites();

	(void)state;
	journal[0] = '\0';
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sip_server_txn *st = request(
		    rows[i].method, ANNA, BO, rows[i].headers, rows[i].body, d);
		char want[256];

		snprintf(
		    want, sizeof(want), "t%d %s\n", st->number, rows[i].want);
		expect(want);
	}
	says(1, "still here");
	expect("MESSAGE d0 still here\n");
}

/* --- chat states ----------------------------------------------------------- */

static struct sip_server_txn *
lync_types(struct sip_dialog *d, const char *status)
{
	char body[128];

	snprintf(body, sizeof(body),
	    "<KeyboardActivity><status status=\"%s\"/></KeyboardActivity>",
	    status);
	return request(
	    "INFO", ANNA, BO, "Content-Type: application/xml\r\n", body, d);
}

static void
contact_state(uint64_t seq, const char *chat_state, const char *body)
{
	stanza_comes(seq, (struct stanza){ .state = chat_state, .body = body });
}

static void
the_contact_sees_the_user_type(void **state)
{
	struct sip_dialog *d = lync_invites();

	(void)state;
	journal[0] = '\0';
	lync_types(d, "type");
	expect("t1 200\ne0 state composing -> bo@partner.example\n");
	lync_types(d, "type");
	expect("t2 200\n");
	clock_advance(wall, 8000);
	expect("e0 state paused -> bo@partner.example\n");
	request("INFO", ANNA, BO, "Content-Type: application/xml\r\n", "<x", d);
	expect("t3 400 Message body is malformed\n");
	request("MESSAGE", ANNA, BO,
	    "Content-Type: application/im-iscomposing+xml\r\n",
	    "<isComposing><state>active</state></isComposing>", d);
	expect("t4 200\ne0 state composing -> bo@partner.example\n");
	/* Errors to what was never asked for end it. */
	stanza_comes(9, (struct stanza){ .id = last_stanza,
			    .kind = "error",
			    .condition = "service-unavailable" });
	expect("e0 answer 9 delivered\n");
	clock_advance(wall, 9000);
	lync_types(d, "type");
	expect("t5 200\n");
}

static void
the_user_sees_the_contact_type(void **state)
{
	(void)state;
	/* It opens nothing. */
	contact_state(1, "composing", NULL);
	expect("e0 answer 1 delivered\n");
	assert_int_equal(conversations_count(cs), 0);
	lync_invites();
	journal[0] = '\0';
	contact_state(2, "composing", NULL);
	expect("INFO d0 type\ne0 answer 2 delivered\n");
	pool_answers(200, "");
	clock_advance(wall, 5000);
	expect("INFO d0 type\n");
	pool_answers(200, "");
	contact_state(3, "paused", NULL);
	expect("INFO d0 idle\ne0 answer 3 delivered\n");
	/* The dialog is dead: the next text begins anew. */
	pool_answers(481, "");
	expect("forget d0\n");
	assert_int_equal(conversations_count(cs), 0);
}

static void
the_contact_hears_that_the_user_has_left(void **state)
{
	struct sip_dialog *d = lync_invites();

	(void)state;
	contact_state(1, "active", NULL);
	journal[0] = '\0';
	conversations_on_dialog_end(cs, d, SIP_DIALOG_END_BYE);
	assert_int_equal(conversations_count(cs), 1);
	clock_advance(wall, 1000);
	/* Another device goes on. */
	d = lync_invites();
	clock_advance(wall, 5000);
	expect("t1 accepted 200 d1\n");
	conversations_on_dialog_end(cs, d, SIP_DIALOG_END_BYE);
	clock_advance(wall, 2000);
	expect("e0 state gone -> bo@partner.example\n");
	assert_int_equal(conversations_count(cs), 0);
}

static void
a_contact_who_has_left_is_believed_after_a_while(void **state)
{
	(void)state;
	lync_invites();
	journal[0] = '\0';
	contact_state(1, "gone", NULL);
	clock_advance(wall, 59000);
	contact_state(2, "active", NULL);
	clock_advance(wall, 59000);
	expect("e0 answer 1 delivered\ne0 answer 2 delivered\n");
	contact_state(3, "gone", NULL);
	clock_advance(wall, 60000);
	expect("e0 answer 3 delivered\nBYE d0\n");
	assert_int_equal(conversations_count(cs), 0);
}

static void
a_message_needs_no_dialog(void **state)
{
	(void)state;
	lync_says(NULL, "page");
	expect("e0 frame anna@contoso.example/lync -> bo@partner.example "
	       "(Anna A) page\n");
	edge_result(true, 0);
	expect("t0 200\n");
	assert_int_equal(conversations_count(cs), 0);
}

/* --- sessions -------------------------------------------------------------- */

/* The ACK of a dialog that the user began. */
static void
lync_acknowledges(struct sip_dialog *d, const char *headers, const char *body)
{
	struct sip_msg *m;
	char head[512];

	snprintf(head, sizeof(head),
	    "ACK %s SIP/2.0\r\nVia: SIP/2.0/TLS fe1:5061;branch=z9hG4bKa\r\n"
	    "From: <%s>;tag=t1\r\nTo: <%s>;tag=t2\r\nCall-ID: call-1\r\n"
	    "CSeq: 1 ACK\r\nMax-Forwards: 70\r\n%s",
	    BO, ANNA, BO, headers);
	m = parse(head, body);
	conversations_on_acknowledged(cs, d, m);
	sip_msg_free(m);
}

static void
an_invite_without_an_offer_gets_ours(void **state)
{
	static const struct {
		const char *headers, *body, *want;
	} acks[] = {
		{ IM, im_sdp, "" },
		{ "", "", "" }, /* to be forgiven: there is no media */
		{ IM, audio_sdp, "BYE d0\n" },
		{ IM,
		    "v=0\r\no=- 0 0 IN IP4 192.0.2.1\r\ns=-\r\n"
		    "m=message 0 sip null\r\n",
		    "BYE d0\n" },
	};
	struct sip_dialog *d;

	for (size_t i = 0; i < sizeof(acks) / sizeof(acks[0]); i++) {
		if (i > 0) {
			on_teardown(state);
			assert_int_equal(on_setup(state), 0);
		}
		(void)request("INVITE", ANNA, BO, "", "", NULL);
		expect("t0 accepted 200 d0\n");
		d = &dialogs[0];
		/* Until our offer is answered there is no other. */
		(void)request("INVITE", ANNA, BO, IM, im_sdp, d);
		expect("t1 491 An offer is still to be answered\n");
		(void)request("UPDATE", ANNA, BO, IM, im_sdp, d);
		expect("t2 491 An offer is still to be answered\n");
		lync_acknowledges(d, acks[i].headers, acks[i].body);
		expect(acks[i].want);
		if (acks[i].want[0] != '\0')
			continue;
		(void)request("UPDATE", ANNA, BO, IM, im_sdp, d);
		expect("t3 200\n");
		(void)request("INVITE", ANNA, BO, "", "", d);
		expect("t4 200\n");
		(void)request("INVITE", ANNA, BO, IM, im_sdp, d);
		expect("t5 491 An offer is still to be answered\n");
		/* An ACK that answers nothing of ours says nothing. */
		lync_acknowledges(d, IM, im_sdp);
		lync_acknowledges(d, IM, audio_sdp);
		expect("");
	}
}

static void
a_message_meets_a_dead_dialog_while_another_lives(void **state)
{
	(void)state;
	(void)lync_invites();
	expect("t0 accepted 200 d0\n");
	says(1, "hi");
	expect("MESSAGE d0 hi\n");
	/* Anna goes on at another device. */
	(void)lync_invites();
	expect("t1 accepted 200 d1\n");
	pool_answers(481, "");
	expect("forget d0\nMESSAGE d1 hi\n");
	pool_answers(200, "");
	expect("e0 answer 1 delivered\n");
	assert_int_equal(conversations_counts(cs)->sent_again, 1);
	assert_int_equal(conversations_counts(cs)->doubled, 0);
	/* The same, and the dead one said so itself. */
	says(2, "ho");
	expect("MESSAGE d1 ho\n");
	(void)lync_invites();
	expect("t2 accepted 200 d2\n");
	conversations_on_dialog_end(cs, &dialogs[1], SIP_DIALOG_END_BYE);
	pool_answers(481, "");
	expect("MESSAGE d2 ho\n");
	pool_answers(200, "");
	expect("e0 answer 2 delivered\n");
}

/* Which answers leave open whether the text was seen. */
static void
what_may_be_seen_twice_is_counted(void **state)
{
	static const struct {
		int status; /* 0: none in time; -1: the connection broke */
		uint64_t doubled;
	} rows[] = {
		{ 481, 0 },
		{ 430, 0 },
		{ 480, 0 },
		{ 487, 0 },
		{ 408, 1 },
		{ 504, 1 },
		{ 0, 1 },
		{ -1, 1 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (i > 0) {
			on_teardown(state);
			assert_int_equal(on_setup(state), 0);
		}
		(void)lync_invites();
		says(1, "hi");
		expect("t0 accepted 200 d0\nMESSAGE d0 hi\n");
		if (rows[i].status > 0)
			pool_answers(rows[i].status, "");
		else
			pool_is_silent(rows[i].status == 0
					   ? SIP_OUTCOME_TIMEOUT
					   : SIP_OUTCOME_TRANSPORT,
			    rows[i].status == 0 ? 408 : 503);
		expect("forget d0\n" INVITED("aGk="));
		assert_int_equal(conversations_counts(cs)->sent_again, 1);
		assert_int_equal(conversations_counts(cs)->doubled, 0);
		pool_answers(200, TAKES_FIRST);
		expect("e0 answer 1 delivered\n");
		if (conversations_counts(cs)->doubled != rows[i].doubled)
			fail_msg("row %zu", i);
	}
}

static void
when_both_begin_theirs_is_the_session(void **state)
{
	(void)state;
	says(1, "mine");
	expect(INVITED("bWluZQ=="));
	lync_invites();
	expect("t0 accepted 200 d0\ncancel INVITE\n");
	pool_answers(487, "");
	expect("MESSAGE d0 mine\n");
	pool_answers(200, "");
	expect("e0 answer 1 delivered\n");
}

/* The callee's 200 and our CANCEL cross: what he has seen is not said twice,
 * and of two sessions the user's remains. */
static void
when_both_begin_a_text_that_was_shown_is_not_sent_again(void **state)
{
	(void)state;
	says(1, "mine");
	lync_invites();
	journal[0] = '\0';
	says(2, "more");
	pool_answers(200, TAKES_FIRST);
	expect("BYE d1\ne0 answer 1 delivered\nMESSAGE d0 more\n");
	pool_answers(200, "");
	expect("e0 answer 2 delivered\n");
}

static void
when_both_begin_a_text_that_was_not_shown_follows(void **state)
{
	(void)state;
	says(1, "mine");
	lync_invites();
	journal[0] = '\0';
	pool_answers(200, "");
	expect("BYE d1\nMESSAGE d0 mine\n");
	pool_answers(200, "");
	expect("e0 answer 1 delivered\n");
}

/* The user hangs up while our INVITE is being cancelled. */
static void
when_both_begin_and_theirs_ends_at_once_the_text_begins_anew(void **state)
{
	(void)state;
	says(1, "mine");
	lync_invites();
	conversations_on_dialog_end(cs, &dialogs[0], SIP_DIALOG_END_BYE);
	journal[0] = '\0';
	pool_answers(487, "");
	expect(INVITED("bWluZQ=="));
	pool_answers(200, TAKES_FIRST);
	expect("e0 answer 1 delivered\n");
}

static void
when_both_begin_a_late_text_drops_its_invite(void **state)
{
	(void)state;
	says(1, "mine");
	lync_invites();
	journal[0] = '\0';
	clock_advance(wall, 60000);
	expect("drop INVITE\ne0 answer 1 remote-server-timeout\n");
	says(2, "more");
	expect("MESSAGE d0 more\n");
	pool_answers(200, "");
}

static void
the_device_invited_last_is_written_to(void **state)
{
	(void)state;
	lync_invites();
	lync_invites();
	journal[0] = '\0';
	says(1, "hi");
	expect("MESSAGE d1 hi\n");
	pool_answers(200, "");
	conversations_on_dialog_end(cs, &dialogs[1], SIP_DIALOG_END_BYE);
	journal[0] = '\0';
	says(2, "ho");
	expect("MESSAGE d0 ho\n");
	pool_answers(200, "");
}

static void
after_a_bye_the_next_message_begins_anew(void **state)
{
	char id[128];

	(void)state;
	says(1, "hi");
	pool_answers(200, TAKES_FIRST);
	snprintf(id, sizeof(id), "%s", last_id);
	conversations_on_dialog_end(cs, &dialogs[0], SIP_DIALOG_END_BYE);
	assert_int_equal(conversations_count(cs), 0);
	journal[0] = '\0';
	says(2, "ho");
	expect(INVITED("aG8="));
	assert_string_not_equal(id, last_id);
}

static void
an_idle_chat_is_ended(void **state)
{
	(void)state;
	says(1, "hi");
	pool_answers(200, TAKES_FIRST);
	journal[0] = '\0';
	clock_advance(wall, 1799999);
	expect("");
	clock_advance(wall, 1);
	expect("BYE d0\n");
	assert_int_equal(conversations_count(cs), 0);
}

static void
the_end_answers_lync_and_leaves_the_rest_to_the_edge(void **state)
{
	struct sip_dialog *d = lync_invites();

	(void)state;
	lync_says(d, "one");
	says(1, "two");
	journal[0] = '\0';
	assert_int_equal(conversations_stop(cs), 1);
	says(2, "three");
	expect("");
	lync_says(d, "four");
	expect("t2 503 Gateway is stopping Retry-After\n");
	conversations_hang_up(cs);
	expect("t1 504 XMPP server did not confirm the message in time\n"
	       "e0 withdraw 1\nBYE d0\n");
	conversations_free(cs);
	cs = NULL;
	expect("drop MESSAGE\n");
}

/* --- lists ---------------------------------------------------------------- */

static bool
begins_with(const char *pattern, const char *text)
{
	return strncmp(pattern, text, strlen(pattern)) == 0;
}

/* Follows the pages; the number of items, each behind the one before. */
static size_t
walk(struct conversations_query q)
{
	char last[128] = "";
	size_t n = 0;

	for (;;) {
		json_t *page = conversations_list(cs, &q), *item;
		const char *next;
		size_t i;

		assert_non_null(page);
		json_array_foreach(json_object_get(page, "items"), i, item)
		{
			const char *key =
			    json_string_value(json_object_get(item, "key"));

			assert_true(strcmp(key, last) > 0);
			snprintf(last, sizeof(last), "%s", key);
			n++;
		}
		next = json_string_value(json_object_get(page, "next"));
		if (next != NULL)
			assert_string_equal(next, last);
		q.after = last;
		json_decref(page);
		if (next == NULL)
			return n;
	}
}

/* What the sanitizers take is on top. */
#ifdef SALLYPORT_SANITIZED
enum { LIST_MS = 5000 };
#else
enum { LIST_MS = 500 };
#endif

static double
work_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return 1e3 * (double)ts.tv_sec + (double)ts.tv_nsec / 1e6;
}

static void
ten_thousand_chats_are_listed_at_once(void **state)
{
	enum { USERS = 100, CONTACTS = 100 };
	struct conversations_query q = { .limit = 1000, .fits = begins_with };
	double begin;

	(void)state;
	for (unsigned i = 0; i < USERS * CONTACTS; i++) {
		char name[64];
		struct jid user, contact;
		struct conversation *c;

		/* Users of whom one's name begins the other's. */
		snprintf(name, sizeof(name), "u%u@contoso.example", i % USERS);
		assert_int_equal(jid_parse(&user, name, strlen(name)), 0);
		snprintf(name, sizeof(name), "c%u@partner.example", i / USERS);
		assert_int_equal(jid_parse(&contact, name, strlen(name)), 0);
		assert_int_equal(conversations_get(&c, cs, &user, &contact), 0);
		jid_finish(&user);
		jid_finish(&contact);
	}
	begin = work_ms();
	assert_int_equal(walk(q), USERS * CONTACTS);
	/* A second is for all of it, by the clock and with the way to the
	 * client; the processor's time is the same on a busy machine. */
	assert_true(work_ms() - begin < LIST_MS);
	q.limit = 7;
	q.user = "u7@";
	assert_int_equal(walk(q), CONTACTS);
	q.contact = "c9";
	assert_int_equal(walk(q), 11);
	q.state = "idle";
	assert_int_equal(walk(q), 11);
	q.state = "open";
	assert_int_equal(walk(q), 0);
}

static void
a_chat_is_listed_without_what_was_said(void **state)
{
	struct conversations_query q = { .limit = 10 };
	json_t *page, *one;
	char *text;

	(void)state;
	stanza_comes(1, (struct stanza){ .body = "very secret" });
	page = conversations_list(cs, &q);
	one = json_array_get(json_object_get(page, "items"), 0);
	text = json_dumps(page, JSON_COMPACT);
	assert_null(strstr(text, "secret"));
	free(text);
	assert_string_equal(
	    json_string_value(json_object_get(one, "state")), "inviting");
	assert_string_equal(json_string_value(json_object_get(one, "since")),
	    "2026-11-21T08:15:30Z");
	assert_int_equal(
	    json_integer_value(json_object_get(one, "from_contact")), 1);
	assert_int_equal(
	    json_integer_value(json_object_get(one, "from_user")), 0);
	assert_int_equal(json_integer_value(json_object_get(one, "queued")), 1);
	json_decref(page);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, on_setup, on_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_first_message_rides_in_the_invite),
		TEST(or_follows_when_the_callee_did_not_take_it),
		TEST(one_message_is_on_its_way_at_a_time),
		TEST(the_queue_is_bounded),
		TEST(strangers_learn_nothing_of_users),
		TEST(a_refused_invite_speaks_for_the_queue),
		TEST(who_has_moved_is_told_with_the_address),
		TEST(a_lost_dialog_is_replaced_once),
		TEST(a_clash_of_ids_is_tried_once_more),
		TEST(a_clash_behind_a_lost_dialog_is_another_matter),
		TEST(the_edge_has_its_answer_in_a_minute),
		TEST(a_pool_that_is_away_is_waited_for),
		TEST(the_denied_reach_nobody),
		TEST(a_right_that_goes_ends_the_chat),
		TEST(of_thousands_some_are_closed_in_a_turn),
		TEST(the_contact_is_told_of_the_archive),
		TEST(who_guesses_names_is_stopped),
		TEST(too_long_a_text_is_refused_whole),
		TEST(a_second_copy_is_shown_once),
		TEST(a_message_is_answered_when_it_is_proven),
		TEST(answers_go_to_the_device_that_wrote),
		TEST(failures_reach_the_sender),
		TEST(a_bounce_decides_before_the_proof),
		TEST(a_bounce_behind_the_proof_is_told_in_the_chat),
		TEST(a_late_bounce_is_told_in_the_form_that_is_set),
		TEST(silence_is_told_as_a_failure),
		TEST(an_edge_that_is_lost_hands_over),
		TEST(an_edge_that_is_new_gets_new_frames),
		TEST(a_full_edge_is_overload),
		TEST(a_transaction_that_is_gone_takes_its_message_along),
		TEST(refusals_by_content_and_policy),
		TEST(small_talk_in_a_dialog_is_answered),
		TEST(more_than_a_chat_is_refused_within_it),
		TEST(a_file_of_an_older_client_is_declined),
		TEST(the_contact_sees_the_user_type),
		TEST(the_user_sees_the_contact_type),
		TEST(the_contact_hears_that_the_user_has_left),
		TEST(a_contact_who_has_left_is_believed_after_a_while),
		TEST(a_message_needs_no_dialog),
		TEST(an_invite_without_an_offer_gets_ours),
		TEST(a_message_meets_a_dead_dialog_while_another_lives),
		TEST(what_may_be_seen_twice_is_counted),
		TEST(when_both_begin_theirs_is_the_session),
		TEST(when_both_begin_a_text_that_was_shown_is_not_sent_again),
		TEST(when_both_begin_a_text_that_was_not_shown_follows),
		TEST(
		    when_both_begin_and_theirs_ends_at_once_the_text_begins_anew),
		TEST(when_both_begin_a_late_text_drops_its_invite),
		TEST(the_device_invited_last_is_written_to),
		TEST(after_a_bye_the_next_message_begins_anew),
		TEST(an_idle_chat_is_ended),
		TEST(ten_thousand_chats_are_listed_at_once),
		TEST(a_chat_is_listed_without_what_was_said),
		TEST(the_end_answers_lync_and_leaves_the_rest_to_the_edge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
