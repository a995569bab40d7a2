/*
 * The pool and the edges, as the tests of chats play them: nothing is sent,
 * everything is written down.
 */
#include "tests/unit/chat_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "frontend-gateway/guard.h"
#include "proto/frame.h"
#include "tests/unit/gateway_sample.h"
#include "tests/unit/policy_sample.h"

struct chat_rig chat;

void
chat_note(const char *fmt, ...)
{
	size_t len = strlen(chat.journal);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(chat.journal + len, sizeof(chat.journal) - len, fmt, ap);
	va_end(ap);
	len = strlen(chat.journal);
	assert_true(len + 2 < sizeof(chat.journal));
	memcpy(chat.journal + len, "\n", 2);
}

/* --- the pool ------------------------------------------------------------- */

static struct sip_dialog *
new_dialog(void *user)
{
	struct sip_dialog *d = &chat.dialogs[chat.dialog_count++];

	assert_true(chat.dialog_count < CHAT_DIALOGS);
	memset(d, 0, sizeof(*d));
	d->call_id = strdup("call");
	d->user = user;
	return d;
}

static int
number_of(const struct sip_dialog *d)
{
	return (int)(d - chat.dialogs);
}

static int
new_call(struct sip_ua_call **out, const struct sip_question *q)
{
	struct sip_ua_call *c = &chat.calls[chat.call_count++];

	assert_true(chat.call_count < CHAT_CALLS);
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
			snprintf(chat.last_id, sizeof(chat.last_id), "%s",
			    q->headers[i].value);
	}
	/* "bo@partner.example/phone", unless it is a notice of ours. */
	if (strstr(q->from_uri, "bo@") != NULL)
		snprintf(
		    chat.last_epid, sizeof(chat.last_epid), "%s", q->from_epid);
	chat_note("INVITE %s from %s (%s) %s", q->uri, q->from_uri,
	    q->from_display, first);
	return new_call(out, q);
}

int
sip_ua_ask_in(struct sip_ua_call **out, struct sip_ua *u, struct sip_dialog *d,
    const struct sip_question *q)
{
	if (u->unreachable)
		return ERR_CLOSED;
	if (q->method == SIP_INFO)
		chat_note("INFO d%d %s", number_of(d),
		    strstr(q->body, "\"type\"") != NULL ? "type" : "idle");
	else if (q->method == SIP_NOTIFY)
		chat_note("NOTIFY d%d %.26s", number_of(d),
		    strstr(q->body, "<message-id>"));
	else
		chat_note("MESSAGE d%d %.*s", number_of(d), (int)q->body_len,
		    (const char *)q->body);
	return new_call(out, q);
}

void
sip_ua_cancel(struct sip_ua *u, struct sip_ua_call *call)
{
	(void)u;
	assert_true(call->open);
	chat_note("cancel %s", sip_method_name(call->method));
}

void
sip_ua_drop(struct sip_ua *u, struct sip_ua_call *call)
{
	(void)u;
	assert_true(call->open);
	call->open = false;
	chat_note("drop %s", sip_method_name(call->method));
}

void
sip_ua_bye(struct sip_ua *u, struct sip_dialog *d)
{
	(void)u;
	chat_note("BYE d%d", number_of(d));
}

void
sip_ua_bye_because(struct sip_ua *u, struct sip_dialog *d, unsigned diagnostics,
    int status, const char *reason)
{
	(void)u;
	(void)reason;
	chat_note("BYE d%d %u %d", number_of(d), diagnostics, status);
}

void
sip_ua_forget(struct sip_ua *u, struct sip_dialog *d)
{
	(void)u;
	chat_note("forget d%d", number_of(d));
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
	chat_note("t%d %d%s%s%s", st->number, a->status,
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
	chat_note(
	    "t%d accepted %d d%d", st->number, a->status, number_of(*out));
	return 0;
}

const char *
sip_dialog_end_str(enum sip_dialog_end why)
{
	(void)why;
	return "ended";
}

struct sip_msg *
chat_parse(const char *head, const char *body)
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
void
chat_pool_answers(int status, const char *headers)
{
	struct sip_ua_call *c = &chat.calls[chat.call_count - 1];
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
	m = chat_parse(head, "");
	r.response = m;
	if (c->method == SIP_INVITE && status < 300)
		r.dialog = new_dialog(c->arg);
	c->on_result(&chat.ua, c, &r, c->arg);
	sip_msg_free(m);
}

void
chat_pool_is_silent(enum sip_outcome outcome, int status)
{
	struct sip_ua_call *c = &chat.calls[chat.call_count - 1];
	struct sip_result r = {
		.outcome = outcome, .final = true, .status = status
	};

	assert_true(c->open);
	c->open = false;
	c->on_result(&chat.ua, c, &r, c->arg);
}

/* --- the edges ------------------------------------------------------------ */

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
	char from[256], to[256], body[256], nick[64], state[32];
	struct frame f;

	if (e->full)
		return ERR_FULL;
	assert_int_equal(frame_decode(&f, frame->data, frame->len), 0);
	assert_true(frame_copy(&f, FIELD_FROM, from, sizeof(from)));
	assert_true(frame_copy(&f, FIELD_TO, to, sizeof(to)));
	assert_true(frame_copy(
	    &f, FIELD_ID, chat.last_stanza, sizeof(chat.last_stanza)));
	/* A chat state alone: nobody waits for it, nobody keeps it. */
	if (!frame_has(&f, FIELD_BODY)) {
		assert_true(
		    frame_copy(&f, FIELD_CHAT_STATE, state, sizeof(state)));
		assert_true(frame_has(&f, FIELD_NO_STORE));
		assert_false(frame_has(&f, FIELD_BARRIER));
		assert_null(sender);
		*seq = ++chat.next_seq;
		chat_note("e%u state %s -> %s", edge, state, to);
		return 0;
	}
	assert_true(frame_copy(&f, FIELD_BODY, body, sizeof(body)));
	/* What the gateway says in her name. */
	if (strncmp(chat.last_stanza, "notice-", 7) == 0) {
		assert_false(frame_has(&f, FIELD_BARRIER));
		assert_null(sender);
		*seq = ++chat.next_seq;
		chat_note("e%u notice -> %s %s", edge, to, body);
		return 0;
	}
	assert_true(frame_has(&f, FIELD_BARRIER));
	assert_true(frame_has(&f, FIELD_THREAD));
	(void)frame_copy(&f, FIELD_NICK, nick, sizeof(nick));
	chat_note("e%u frame %s -> %s (%s) %s", edge, from, to, nick, body);
	chat.last_sender = sender;
	*seq = ++chat.next_seq;
	return 0;
}

void
edges_withdraw(struct edges *e, unsigned edge, uint64_t seq)
{
	(void)e;
	chat_note("e%u withdraw %llu", edge, (unsigned long long)seq);
}

void
edges_answer(
    struct edges *e, struct edges_ticket t, const struct channel_result *r)
{
	(void)e;
	chat_note("e%u answer %llu %s%s%s%s%s", t.edge,
	    (unsigned long long)t.seq,
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

int
chat_rig_setup(void **state)
{
	struct conversations_opts o = { .edges = &chat.edges, .ua = &chat.ua };

	(void)state;
	log_set_fd(-1);
	chat.journal[0] = '\0';
	chat.txn_count = chat.call_count = chat.dialog_count = 0;
	chat.next_seq = 0;
	chat.ua = (struct sip_ua){ 0 };
	chat.edges = (struct edges){ 0 };
	chat.conf = gateway_sample("{'limits': {'queue_messages': 4},"
				   "'users': ['anna@contoso.example',"
				   "'carl@contoso.example']}");
	if (clock_open_manual(&chat.wall, 1000, 1795248930000) < 0 ||
	    policy_sample(&chat.policy, chat.conf, 0) < 0 ||
	    barrier_new(&chat.barrier, "gw1", chat.wall) < 0)
		return -1;
	o.conf = chat.conf;
	o.clock = chat.wall;
	o.policy = chat.policy;
	o.barrier = chat.barrier;
	o.secret.data = "test-secret";
	o.secret.len = 11;
	return conversations_new(&chat.cs, &o);
}

int
chat_rig_teardown(void **state)
{
	(void)state;
	conversations_free(chat.cs);
	for (size_t i = 0; i < chat.dialog_count; i++)
		free(chat.dialogs[i].call_id);
	barrier_free(chat.barrier);
	policy_free(chat.policy);
	clock_close(chat.wall);
	gateway_conf_free(chat.conf);
	return 0;
}

void
chat_stanza_comes(uint64_t seq, struct chat_stanza s)
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
	    chat.cs, (struct edges_ticket){ 0, seq }, &f, &who, &stream);
	guard_addresses_finish(&who);
	buf_finish(&b);
}

void
chat_says(uint64_t seq, const char *body)
{
	chat_stanza_comes(seq, (struct chat_stanza){ .body = body });
}

/* A request from the pool. */
struct sip_server_txn *
chat_request(const char *method, const char *from, const char *to,
    const char *headers, const char *body, struct sip_dialog *d)
{
	struct sip_server_txn *st = &chat.txns[chat.txn_count];
	struct sip_msg *m;
	char head[2048];

	st->number = (int)chat.txn_count++;
	snprintf(head, sizeof(head),
	    "%s %s SIP/2.0\r\nVia: SIP/2.0/TLS fe1:5061;branch=z9hG4bK%zu\r\n"
	    "From: \"Anna A\" <%s>;tag=t1\r\nTo: <%s>%s\r\n"
	    "Call-ID: %s\r\nCSeq: %zu %s\r\nMax-Forwards: 70\r\n"
	    "Contact: <sip:anna@contoso.example;gruu;opaque=x>\r\n%s",
	    method, to, chat.txn_count, from, to, d != NULL ? ";tag=t2" : "",
	    "call-1", chat.txn_count, method, headers);
	m = chat_parse(head, body);
	conversations_on_request(chat.cs, st, m, d);
	sip_msg_free(m);
	return st;
}

const char chat_im_sdp[] =
    "v=0\r\no=- 0 0 IN IP4 192.0.2.1\r\ns=session\r\nc=IN IP4 192.0.2.1\r\n"
    "t=0 0\r\nm=message 5060 sip null\r\na=accept-types:text/plain\r\n";
const char chat_audio_sdp[] =
    "v=0\r\no=- 0 0 IN IP4 192.0.2.1\r\ns=session\r\nc=IN IP4 192.0.2.1\r\n"
    "t=0 0\r\nm=audio 5060 RTP/AVP 0\r\n";

struct sip_dialog *
chat_lync_invites(void)
{
	(void)chat_request("INVITE", ANNA, BO, IM, chat_im_sdp, NULL);
	return &chat.dialogs[chat.dialog_count - 1];
}

struct sip_server_txn *
chat_lync_says(struct sip_dialog *d, const char *text)
{
	return chat_request("MESSAGE", ANNA, BO, PLAIN, text, d);
}

void
chat_edge_result(bool delivered, enum condition c)
{
	struct channel_result r = {
		.delivered = delivered, .proof = PROOF_PING, .condition = c
	};

	chat.last_sender->on_result(chat.last_sender, &r);
}
