/*
 * Runs every row of tests/vectors/messages_to_lync.json: stanzas of an XMPP
 * user as they come in at the edge, through normalise and the conversations,
 * to what the Lync user's client is asked to show and what his own server is
 * told.
 *
 * The pool and the edges' channels are played here.  Each step of a row says
 * what happens and, line by line, what follows.  Unless the row is "held", the
 * pool takes everything and the edge delivers everything at once.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "edge-proxy/normalise.h"
#include "edge-proxy/render.h"
#include "frontend-gateway/barrier.h"
#include "frontend-gateway/conversation/conversations.h"
#include "frontend-gateway/edges.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/guard.h"
#include "frontend-gateway/policy/policy.h"
#include "frontend-gateway/sip/sip_ua.h"
#include "frontend-gateway/translate/body.h"
#include "proto/channel.h"
#include "proto/frame.h"
#include "tests/unit/gateway_sample.h"
#include "tests/unit/policy_sample.h"
#include "tests/unit/stanza_parse.h"

#define VECTORS "tests/vectors/messages_to_lync.json"
#define ANNA    "sip:anna@contoso.example"
#define BO      "sip:bo@partner.example"
/* 2026-11-21 08:15:30 UTC */
#define NOW INT64_C(1795248930000)

enum { CALLS_MAX = 256, SENT_MAX = 64 };

static const char *row_id;
static unsigned failures;
static json_t *journal; /* what has followed since the last step */

__attribute__((format(printf, 1, 2))) static void
note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	json_array_append_new(journal, json_vsprintf(fmt, ap));
	va_end(ap);
}

static const char *
str(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

/* --- the pool ------------------------------------------------------------- */

struct sip_ua {
	int unused;
};
struct sip_server_txn {
	int unused;
};
struct sip_ua_call {
	enum sip_method method;
	sip_ua_result_fn *on_result;
	void *arg;
	bool open;
};

static struct sip_ua ua;
static struct sip_server_txn txn;
static struct sip_ua_call calls[CALLS_MAX];
static size_t call_count;
static struct sip_dialog dialogs[CALLS_MAX];
static size_t dialog_count;
static unsigned requests;

static struct sip_dialog *
new_dialog(void *user)
{
	struct sip_dialog *d = &dialogs[dialog_count++];

	assert_true(dialog_count < CALLS_MAX);
	memset(d, 0, sizeof(*d));
	d->call_id = strdup("call");
	d->user = user;
	return d;
}

static const char *accepts; /* accept-types of the pool's 200, or NULL */

/* Appends the text of a header field that carries a first message. */
static void
add_first(struct buf *out, const char *value)
{
	const char *b64 = strstr(value, "ms-body=") + strlen("ms-body=");

	assert_int_equal(base64_decode(out, b64, strlen(b64)), 0);
}

/* The body of a message; one of several parts with B for its boundary. */
static void
add_body(struct buf *out, const struct sip_question *q)
{
	const char *boundary = strchr(q->content_type, '"');
	const char *at = q->body, *end = at + q->body_len, *hit;
	size_t n = boundary != NULL ? strcspn(boundary + 1, "\"") : 0;

	if (strcmp(q->content_type, BODY_CONTENT_TYPE) != 0)
		buf_addf(out, "%.*s: ", (int)strcspn(q->content_type, ";"),
		    q->content_type);
	while (n > 0 && (hit = memmem(at, (size_t)(end - at), boundary + 1,
			     n)) != NULL) {
		buf_add(out, at, (size_t)(hit - at));
		buf_add_char(out, 'B');
		at = hit + n;
	}
	buf_add(out, at, (size_t)(end - at));
}

static int
new_call(struct sip_ua_call **out, const struct sip_question *q)
{
	struct sip_ua_call *c = &calls[call_count++];

	assert_true(call_count < CALLS_MAX);
	*c = (struct sip_ua_call){ q->method, q->on_result, q->arg, true };
	*out = c;
	return 0;
}

int
sip_ua_ask(
    struct sip_ua_call **out, struct sip_ua *u, const struct sip_question *q)
{
	const char *subject = NULL;
	struct buf first, html;

	(void)u;
	buf_init(&first, 0);
	buf_init(&html, 0);
	for (size_t i = 0; i < q->header_count; i++) {
		const struct sip_header *h = &q->headers[i];

		if (strcmp(h->name, "Subject") == 0)
			subject = h->value;
		if (strcmp(h->name, "ms-text-format") == 0)
			add_first(&first, h->value);
		if (strcmp(h->name, "ms-im-format") == 0)
			add_first(&html, h->value);
	}
	note("INVITE%s%s %s%s%s", subject != NULL ? " subject " : "",
	    subject != NULL ? subject : "", buf_cstr(&first),
	    html.len > 0 ? " or " : "", buf_cstr(&html));
	buf_finish(&first);
	buf_finish(&html);
	return new_call(out, q);
}

int
sip_ua_ask_in(struct sip_ua_call **out, struct sip_ua *u, struct sip_dialog *d,
    const struct sip_question *q)
{
	const char *language = NULL;
	struct buf body;

	(void)u;
	(void)d;
	for (size_t i = 0; i < q->header_count; i++)
		if (strcmp(q->headers[i].name, "Content-Language") == 0)
			language = q->headers[i].value;
	buf_init(&body, 0);
	if (q->method == SIP_MESSAGE) {
		add_body(&body, q);
		note("MESSAGE %s%s%s", language != NULL ? language : "",
		    language != NULL ? ": " : "", buf_cstr(&body));
	}
	buf_finish(&body);
	return new_call(out, q);
}

void
sip_ua_cancel(struct sip_ua *u, struct sip_ua_call *call)
{
	(void)u;
	assert_true(call->open);
}

void
sip_ua_drop(struct sip_ua *u, struct sip_ua_call *call)
{
	(void)u;
	call->open = false;
}

void
sip_ua_bye(struct sip_ua *u, struct sip_dialog *d)
{
	(void)u;
	(void)d;
	note("BYE");
}

void
sip_ua_bye_because(struct sip_ua *u, struct sip_dialog *d, unsigned diagnostics,
    int status, const char *reason)
{
	(void)diagnostics;
	(void)status;
	(void)reason;
	sip_ua_bye(u, d);
}

void
sip_ua_forget(struct sip_ua *u, struct sip_dialog *d)
{
	(void)u;
	(void)d;
}

int
sip_ua_respond(
    struct sip_ua *u, struct sip_server_txn *st, const struct sip_answer *a)
{
	(void)u;
	(void)st;
	note("lync %d", a->status);
	return 0;
}

int
sip_ua_refuse(struct sip_ua *u, struct sip_server_txn *st, int status,
    unsigned diagnostics, const char *reason)
{
	struct sip_answer a = { .status = status };

	(void)diagnostics;
	(void)reason;
	return sip_ua_respond(u, st, &a);
}

int
sip_ua_accept(struct sip_dialog **out, struct sip_ua *u,
    struct sip_server_txn *st, const struct sip_answer *a, void *user)
{
	(void)u;
	(void)st;
	(void)a;
	*out = new_dialog(user);
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
	int len = snprintf(text, sizeof(text), "%sContent-Length: %zu\r\n\r\n",
	    head, strlen(body));

	assert_true(len > 0 && (size_t)len < sizeof(text));
	assert_int_equal(sip_msg_parse(&m, (const uint8_t *)text, (size_t)len,
			     (const uint8_t *)body, strlen(body)),
	    0);
	return m;
}

/* The final answer to the oldest call; false when there is none. */
static bool
pool_answers(int status)
{
	struct sip_result r = {
		.outcome = SIP_OUTCOME_RESPONSE, .final = true, .status = status
	};
	struct sip_ua_call *c = calls;
	struct sip_msg *m;
	char head[512], sdp[256] = "";

	while (c < calls + call_count && !c->open)
		c++;
	if (c == calls + call_count)
		return false;
	c->open = false;
	snprintf(head, sizeof(head),
	    "SIP/2.0 %d X\r\nVia: SIP/2.0/TLS gw:5061;branch=z9hG4bKx\r\n"
	    "From: <" BO ">;tag=a\r\nTo: <" ANNA ">;tag=b\r\n"
	    "Call-ID: c\r\nCSeq: 1 %s\r\nSupported: ms-text-format\r\n"
	    "Content-Type: application/sdp\r\n",
	    status, sip_method_name(c->method));
	if (accepts != NULL)
		snprintf(sdp, sizeof(sdp),
		    "v=0\r\nm=message 5060 sip null\r\n"
		    "a=accept-types:%s\r\n",
		    accepts);
	m = parse(head, sdp);
	r.response = m;
	if (c->method == SIP_INVITE && status < 300)
		r.dialog = new_dialog(c->arg);
	c->on_result(&ua, c, &r, c->arg);
	sip_msg_free(m);
	return true;
}

/* --- the edges ------------------------------------------------------------ */

struct edges {
	struct edges_sender *waiting[SENT_MAX];
	size_t count;
	uint64_t seq;
};

static struct edges edges;

unsigned
edges_choose(const struct edges *e, const char *local, const char *user,
    const char *contact, unsigned preferred)
{
	(void)e;
	(void)local;
	(void)user;
	(void)contact;
	(void)preferred;
	return 0;
}

bool
edges_serves(const struct edges *e, unsigned edge, const char *local)
{
	(void)e;
	(void)edge;
	(void)local;
	return true;
}

const char *
edges_name(const struct edges *e, unsigned edge)
{
	(void)e;
	(void)edge;
	return "edge1";
}

/* What the Lync user says; a thread of our making is told as that. */
static void
note_words(const struct frame *f)
{
	char to[256], thread[64], body[256];

	assert_true(frame_copy(f, FIELD_TO, to, sizeof(to)));
	assert_true(frame_copy(f, FIELD_THREAD, thread, sizeof(thread)));
	assert_true(frame_copy(f, FIELD_BODY, body, sizeof(body)));
	note("say %s in %s: %s", to, strlen(thread) == 36 ? "own" : thread,
	    body);
}

/* What is said without her; a random id is told as its kind. */
static void
note_stanza(const struct frame *f)
{
	char id[256];
	struct buf xml;

	assert_true(frame_copy(f, FIELD_ID, id, sizeof(id)));
	*strchr(id, '-') = '\0';
	buf_init(&xml, 0);
	assert_int_equal(render_frame_as(&xml, f, id), 0);
	note("out %s", buf_cstr(&xml));
	buf_finish(&xml);
}

int
edges_send(struct edges *e, unsigned edge, const struct buf *frame,
    struct edges_sender *sender, uint64_t *seq)
{
	struct frame f;

	(void)edge;
	assert_int_equal(frame_decode(&f, frame->data, frame->len), 0);
	if (frame_has(&f, FIELD_BODY))
		note_words(&f);
	else
		note_stanza(&f);
	if (sender != NULL) {
		assert_true(e->count < SENT_MAX);
		e->waiting[e->count++] = sender;
	}
	*seq = ++e->seq;
	return 0;
}

void
edges_withdraw(struct edges *e, unsigned edge, uint64_t seq)
{
	(void)e;
	(void)edge;
	(void)seq;
}

void
edges_answer(
    struct edges *e, struct edges_ticket t, const struct channel_result *r)
{
	(void)e;
	(void)t;
	if (r->delivered)
		note("delivered");
	else
		note("error %s %s%s%s",
		    r->error_type != NULL ? r->error_type
					  : condition_type(r->condition),
		    condition_str(r->condition), r->text != NULL ? ": " : "",
		    r->text != NULL ? r->text : "");
}

/* Streams whose name begins with x are broken. */
bool
edges_stream_broken(const struct edges *e, const char *id)
{
	(void)e;
	return id[0] == 'x';
}

/* --- a row ---------------------------------------------------------------- */

static struct clock *wall;
static struct gateway_conf *conf;
static struct policy *policy;
static struct barrier *barrier;
static struct conversations *cs;
static bool held, watches;

static enum policy_tie
on_tie(const char *user, const char *contact, void *arg)
{
	(void)user;
	(void)contact;
	(void)arg;
	return watches ? POLICY_TIE_WATCHES : POLICY_TIE_NONE;
}

/* Everybody does what is asked of him. */
static void
let_go(void)
{
	struct channel_result r = { .delivered = true, .proof = PROOF_PING };
	bool more = true;

	while (more) {
		more = pool_answers(200);
		while (edges.count > 0) {
			struct edges_sender *s = edges.waiting[--edges.count];

			s->on_result(s, &r);
			more = true;
		}
	}
}

struct incoming {
	const char *from, *to, *stream;
};

static void
to_the_gateway(const struct normalised *n, const struct incoming *in)
{
	static const struct guard_stream guard = { .inbound = true };
	struct edges_stream stream = { .id = in->stream, .guard = guard };
	struct guard_addresses who;
	struct frame f;

	assert_int_equal(frame_decode(&f, n->frame.data, n->frame.len), 0);
	assert_int_equal(jid_parse(&who.from, in->from, strlen(in->from)), 0);
	assert_int_equal(jid_parse(&who.to, in->to, strlen(in->to)), 0);
	if (f.type == FRAME_PRESENCE)
		conversations_on_presence(cs, &f, &who);
	else
		conversations_on_stanza(
		    cs, (struct edges_ticket){ 0, 1 }, &f, &who, &stream);
	guard_addresses_finish(&who);
}

static void
on_stanza(const struct xml_elem *e, void *arg)
{
	const struct incoming *in = arg;
	struct normalise_ctx ctx = { .stream = in->stream,
		.prefer = conf->messages.language };
	struct normalised n;
	struct jid from, to;

	assert_int_equal(jid_parse(&from, in->from, strlen(in->from)), 0);
	assert_int_equal(jid_parse(&to, in->to, strlen(in->to)), 0);
	ctx.from = &from;
	ctx.to = &to;
	normalise_init(&n);
	assert_int_equal(normalise_stanza(&n, e, &ctx), 0);
	if (n.outcome == NORMALISE_FRAME)
		to_the_gateway(&n, in);
	else
		note("%s at the edge",
		    n.outcome == NORMALISE_DROP ? "dropped" : "refused");
	normalise_finish(&n);
	jid_finish(&from);
	jid_finish(&to);
}

/* {"stanza": "<message id='m1'>...", "from", "to", "stream"}; "repeat"
 * replaces @ in it by so many letters. */
static void
stanza(const json_t *step)
{
	const char *xml = str(step, "stanza"), *end = strpbrk(xml, " />"), *at;
	struct incoming in = { str(step, "from"), str(step, "to"),
		str(step, "stream") };
	struct buf text;

	if (in.from == NULL)
		in.from = "bo@partner.example/phone";
	if (in.to == NULL)
		in.to = "anna@contoso.example";
	if (in.stream == NULL)
		in.stream = "s1";
	buf_init(&text, 0);
	buf_add(&text, xml, (size_t)(end - xml));
	buf_addf(&text, " from='%s' to='%s'", in.from, in.to);
	at = json_object_get(step, "repeat") != NULL ? strchr(end, '@') : NULL;
	if (at != NULL) {
		buf_add(&text, end, (size_t)(at - end));
		for (json_int_t i = 0;
		     i < json_integer_value(json_object_get(step, "repeat"));
		     i++)
			buf_add_char(&text, 'x');
		end = at + 1;
	}
	buf_add_str(&text, end);
	if (stanza_parse((const char *)text.data, text.len, on_stanza, &in) !=
	    1)
		fail_msg("%s: not one stanza: %s", row_id, xml);
	buf_finish(&text);
}

static void
lync(const char *method, const char *headers, const char *body,
    struct sip_dialog *d)
{
	struct sip_msg *m;
	char head[2048];

	requests++;
	snprintf(head, sizeof(head),
	    "%s " BO " SIP/2.0\r\n"
	    "Via: SIP/2.0/TLS fe1:5061;branch=z9hG4bK%u\r\n"
	    "From: <" ANNA ">;tag=t1\r\nTo: <" BO ">%s\r\n"
	    "Call-ID: call-1\r\nCSeq: %u %s\r\nMax-Forwards: 70\r\n"
	    "Contact: <sip:anna@contoso.example;gruu;opaque=x>\r\n%s",
	    method, requests, d != NULL ? ";tag=t2" : "", requests, method,
	    headers);
	m = parse(head, body);
	conversations_on_request(cs, &txn, m, d);
	sip_msg_free(m);
}

/* The Lync user writes, in a dialog of her own if there is none. */
static void
lync_says(const char *text)
{
	if (dialog_count == 0)
		lync("INVITE", "Content-Type: application/sdp\r\n",
		    "v=0\r\no=- 0 0 IN IP4 192.0.2.1\r\ns=session\r\n"
		    "c=IN IP4 192.0.2.1\r\nt=0 0\r\n"
		    "m=message 5060 sip null\r\n"
		    "a=accept-types:text/plain\r\n",
		    NULL);
	lync("MESSAGE", "Content-Type: text/plain; charset=UTF-8\r\n", text,
	    &dialogs[dialog_count - 1]);
}

static void
act(const json_t *step)
{
	if (str(step, "stanza") != NULL)
		stanza(step);
	else if (str(step, "lync") != NULL)
		lync_says(str(step, "lync"));
	else if (json_object_get(step, "wait") != NULL)
		clock_advance(wall, (uint64_t)json_integer_value(
					json_object_get(step, "wait")));
	else if (json_object_get(step, "pool") != NULL)
		assert_true(pool_answers(
		    (int)json_integer_value(json_object_get(step, "pool"))));
	else
		fail_msg("%s: a step of no kind", row_id);
	if (!held)
		let_go();
}

static void
begin(const json_t *row)
{
	json_t *patch = json_object_get(row, "conf"), *now;
	struct conversations_opts o = { .edges = &edges, .ua = &ua };
	char *text = json_dumps(
	    patch != NULL ? patch : json_object_get(row, "none"), JSON_COMPACT);

	now = json_object_get(row, "now");
	call_count = dialog_count = 0;
	requests = 0;
	edges = (struct edges){ 0 };
	held = json_is_true(json_object_get(row, "held"));
	watches = json_is_true(json_object_get(row, "watches"));
	accepts = str(row, "accepts");
	conf = gateway_sample(text);
	free(text);
	assert_int_equal(clock_open_manual(&wall, 1000,
			     now != NULL ? json_integer_value(now) : NOW),
	    0);
	assert_int_equal(policy_sample(&policy, conf, 0), 0);
	policy_set_ties(policy, on_tie, NULL);
	assert_int_equal(barrier_new(&barrier, "gw1", wall), 0);
	o.conf = conf;
	o.clock = wall;
	o.policy = policy;
	o.barrier = barrier;
	o.secret.data = "test-secret";
	o.secret.len = 11;
	assert_int_equal(conversations_new(&cs, &o), 0);
}

static void
finish(void)
{
	conversations_free(cs);
	for (size_t i = 0; i < dialog_count; i++)
		free(dialogs[i].call_id);
	barrier_free(barrier);
	policy_free(policy);
	clock_close(wall);
	gateway_conf_free(conf);
}

static void
run(const json_t *row)
{
	json_t *steps = json_object_get(row, "steps"), *step, *want;
	char *got;
	size_t i;

	begin(row);
	json_array_foreach(steps, i, step)
	{
		json_array_clear(journal);
		act(step);
		want = json_object_get(step, "then");
		if (json_equal(journal, want) ||
		    (want == NULL && json_array_size(journal) == 0))
			continue;
		got = json_dumps(journal, JSON_INDENT(1));
		print_error("%s, step %zu: %s\n", row_id, i + 1, got);
		free(got);
		failures++;
		break;
	}
	finish();
}

static void
every_row_holds(void **state)
{
	json_t *document, *row;
	json_error_t where;
	size_t i;

	(void)state;
	log_set_fd(-1);
	journal = json_array();
	document = json_load_file(VECTORS, JSON_REJECT_DUPLICATES, &where);
	if (document == NULL)
		fail_msg("%s:%d: %s", VECTORS, where.line, where.text);
	json_array_foreach(json_object_get(document, "rows"), i, row)
	{
		row_id = str(row, "id");
		assert_non_null(row_id);
		run(row);
	}
	print_message("%zu rows run\n", i);
	assert_true(i >= 90);
	assert_int_equal(failures, 0);
	json_decref(document);
	json_decref(journal);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
