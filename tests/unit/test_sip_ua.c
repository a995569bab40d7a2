/*
 * sip_ua against a scripted front end over loopback TLS.
 *
 * The front end has a listener for the gateway's own connection ("own") and
 * dials the gateway as the pool does ("pool").  Sockets are real, time is
 * not: timers move when a test says so.
 */
#include "frontend-gateway/sip/sip_ua.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/ssl.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/conn.h"
#include "common/err.h"
#include "common/log.h"
#include "common/tls_identity.h"
#include "frontend-gateway/sip/sip_frame.h"
#include "tests/unit/make_cert.h"
#include "tests/unit/torture_messages.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct make_cert ca, gw_cert, fe_cert, stranger_cert;

/* --- the world ---------------------------------------------------------- */

/* A connection of the front end's, and what it has received. */
struct side {
	struct world *w;
	struct conn *conn;
	bool secured, ended;
	struct sip_frame frame;
	char *messages[64];
	size_t count, taken;
	size_t pongs; /* bytes that are no message */
};

struct world {
	uv_loop_t loop;
	uv_timer_t tick;
	struct clock *clock;
	struct tls_identity gw, fe;
	uv_tcp_t listener;
	struct sockaddr_storage gw_addr;
	struct side own, pool;
	struct sip_ua *ua;
	bool ua_closed;
	char journal[4096];
	struct sip_server_txn *st;
	struct sip_dialog *dialog;
	struct sip_ua_call *call;
	char subject[64]; /* of the newest request, for a look at content */
};

static void note(struct world *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void
note(struct world *w, const char *fmt, ...)
{
	size_t n = strlen(w->journal);
	va_list ap;

	if (n > 0)
		n += (size_t)snprintf(
		    w->journal + n, sizeof(w->journal) - n, " | ");
	va_start(ap, fmt);
	vsnprintf(w->journal + n, sizeof(w->journal) - n, fmt, ap);
	va_end(ap);
}

static void
expect_(struct world *w, const char *want, int line)
{
	if (strcmp(w->journal, want) != 0)
		fail_msg(
		    "line %d: got '%s', want '%s'", line, w->journal, want);
	w->journal[0] = '\0';
}
#define expect(w, want) expect_((w), (want), __LINE__)

static void
on_tick(uv_timer_t *t)
{
	(void)t;
}

static void
turn(struct world *w)
{
	uv_run(&w->loop, UV_RUN_ONCE);
}

#define until(w, cond)                                                         \
	do {                                                                   \
		uint64_t limit_ = uv_hrtime() + 20000000000u;                  \
		while (!(cond)) {                                              \
			if (uv_hrtime() > limit_)                              \
				fail_msg(                                      \
				    "line %d never: %s", __LINE__, #cond);     \
			turn(w);                                               \
		}                                                              \
	} while (0)

/* Some turns in which nothing is expected. */
static void
settle(struct world *w)
{
	uint64_t limit = uv_hrtime() + 30000000u;

	while (uv_hrtime() < limit)
		turn(w);
}

/* --- front end ---------------------------------------------------------- */

static void
on_side_connected(struct conn *c, void *arg)
{
	struct side *s = arg;

	assert_int_equal(conn_start_tls_client(c, s->w->fe.client, 0,
			     "gw1.contoso.example", NULL, 0),
	    0);
}

static void
on_side_secured(struct conn *c, void *arg)
{
	struct side *s = arg;

	(void)c;
	s->secured = true;
}

static void
on_side_data(struct conn *c, const uint8_t *data, size_t len, void *arg)
{
	struct side *s = arg;
	struct sip_frame_item item;
	size_t total;

	(void)c;
	if (len <= 4 && data[0] == '\r') {
		s->pongs += len;
		return;
	}
	assert_int_equal(sip_frame_feed(&s->frame, data, len), 0);
	for (;;) {
		assert_int_equal(sip_frame_next(&s->frame, &item), 0);
		if (item.kind == SIP_FRAME_NONE)
			return;
		assert_int_equal(item.kind, SIP_FRAME_MESSAGE);
		assert_true(s->count < COUNT(s->messages));
		total = item.head_len + item.body_len;
		s->messages[s->count++] =
		    strndup((const char *)item.head, total);
	}
}

static void
on_side_end(
    struct conn *c, enum conn_end why, int rc, const char *detail, void *arg)
{
	struct side *s = arg;

	(void)c;
	(void)why;
	(void)rc;
	(void)detail;
	s->ended = true;
	s->conn = NULL;
}

static const struct conn_events side_events = {
	.on_connected = on_side_connected,
	.on_secured = on_side_secured,
	.on_data = on_side_data,
	.on_end = on_side_end,
};

static void
side_clear(struct side *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->messages[i]);
	sip_frame_finish(&s->frame);
}

static void
side_init(struct side *s, struct world *w)
{
	side_clear(s);
	memset(s, 0, sizeof(*s));
	s->w = w;
	sip_frame_init(&s->frame, NULL);
}

static struct conn_opts
side_opts(struct side *s)
{
	return (struct conn_opts){ .loop = &s->w->loop,
		.clock = s->w->clock,
		.events = &side_events,
		.arg = s };
}

static void
on_own(uv_stream_t *listener, int status)
{
	struct world *w = listener->data;
	struct conn_opts o;

	assert_int_equal(status, 0);
	side_init(&w->own, w);
	o = side_opts(&w->own);
	assert_int_equal(conn_accept(&w->own.conn, listener, &o), 0);
	assert_int_equal(
	    conn_start_tls_server(w->own.conn, w->fe.server, 0), 0);
}

static void
dial_gateway(struct world *w)
{
	struct conn_opts o;

	side_init(&w->pool, w);
	o = side_opts(&w->pool);
	assert_int_equal(
	    conn_connect(&w->pool.conn, (struct sockaddr *)&w->gw_addr, &o), 0);
}

static void
say(struct side *s, const char *text)
{
	assert_int_equal(conn_write(s->conn, text, strlen(text)), 0);
}

/* The next message received; must begin with start.  Of either side, since
 * any connection may carry it, when s is NULL. */
static const char *
hear_(struct world *w, struct side *s, const char *start, int line)
{
	struct side *from;

	until(w, (s != &w->pool && w->own.taken < w->own.count) ||
		     (s != &w->own && w->pool.taken < w->pool.count));
	from =
	    s != &w->pool && w->own.taken < w->own.count ? &w->own : &w->pool;
	if (strncmp(from->messages[from->taken], start, strlen(start)) != 0)
		fail_msg("line %d: want '%s', got '%s'", line, start,
		    from->messages[from->taken]);
	return from->messages[from->taken++];
}
#define hear(w, s, start) hear_((w), (s), (start), __LINE__)

#define contains(text, part)                                                   \
	do {                                                                   \
		if (strstr((text), (part)) == NULL)                            \
			fail_msg("line %d: no '%s' in '%s'", __LINE__, (part), \
			    (text));                                           \
	} while (0)

/* Value of a header line of a message we received. */
static const char *
value_of(const char *text, const char *name)
{
	static char values[8][4096];
	static unsigned turns;
	char *out = values[turns++ % 8];
	char needle[64];
	const char *p;

	snprintf(needle, sizeof(needle), "\r\n%s: ", name);
	p = strstr(text, needle);
	if (p == NULL) {
		fail_msg("no %s in '%s'", name, text);
		return "";
	}
	p += strlen(needle);
	snprintf(out, sizeof(values[0]), "%.*s", (int)strcspn(p, "\r"), p);
	return out;
}

/* Answers a request of the gateway's.  tag: To tag, or "" when it has one. */
static void
reply(struct side *s, const char *request, const char *status, const char *tag,
    const char *more)
{
	char text[8192];

	snprintf(text, sizeof(text),
	    "SIP/2.0 %s\r\nVia: %s\r\nFrom: %s\r\nTo: %s%s%s\r\n"
	    "Call-ID: %s\r\nCSeq: %s\r\n%sContent-Length: 0\r\n\r\n",
	    status, value_of(request, "Via"), value_of(request, "From"),
	    value_of(request, "To"), *tag != '\0' ? ";tag=" : "", tag,
	    value_of(request, "Call-ID"), value_of(request, "CSeq"), more);
	say(s, text);
}

/* --- the owner above ---------------------------------------------------- */

static void
on_request(struct sip_ua *ua, struct sip_server_txn *st,
    const struct sip_msg *req, struct sip_dialog *d, void *arg)
{
	struct world *w = arg;
	const char *subject = sip_msg_header(req, "Subject", 0);

	(void)ua;
	note(w, "%s%s", sip_msg_method_name(req), d != NULL ? " in" : "");
	w->st = st;
	if (d != NULL)
		w->dialog = d;
	snprintf(w->subject, sizeof(w->subject), "%s",
	    subject != NULL ? subject : "");
}

static void
on_withdrawn(struct sip_ua *ua, struct sip_server_txn *st, void *arg)
{
	(void)ua;
	(void)st;
	note(arg, "withdrawn");
}

static void
on_acknowledged(struct sip_ua *ua, struct sip_dialog *d,
    const struct sip_msg *ack, void *arg)
{
	(void)ua;
	(void)d;
	(void)ack;
	note(arg, "acknowledged");
}

static void
on_dialog_end(
    struct sip_ua *ua, struct sip_dialog *d, enum sip_dialog_end why, void *arg)
{
	(void)ua;
	(void)d;
	note(arg, "end: %s", sip_dialog_end_str(why));
}

static void
on_reachable(struct sip_ua *ua, bool reachable, void *arg)
{
	(void)ua;
	note(arg, reachable ? "up" : "down");
}

static void
on_closed(struct sip_ua *ua, void *arg)
{
	struct world *w = arg;

	(void)ua;
	w->ua_closed = true;
}

static const struct sip_ua_events events = {
	.on_request = on_request,
	.on_withdrawn = on_withdrawn,
	.on_acknowledged = on_acknowledged,
	.on_dialog_end = on_dialog_end,
	.on_reachable = on_reachable,
	.on_closed = on_closed,
};

static void
on_result(struct sip_ua *ua, struct sip_ua_call *call,
    const struct sip_result *r, void *arg)
{
	static const char *const names[] = { "response", "timeout",
		"transport" };
	struct world *w = arg;

	(void)ua;
	(void)call;
	note(w, "%s %d%s%s", names[r->outcome], r->status,
	    r->final ? " final" : "", r->dialog != NULL ? " dialog" : "");
	if (r->dialog != NULL)
		w->dialog = r->dialog;
}

/* --- making it ---------------------------------------------------------- */

static void
identity(struct tls_identity *id, const struct make_cert *cert)
{
	char why[200];

	if (tls_identity_init(id,
		&(struct tls_identity_opts){ .certificate = cert->pem,
		    .certificate_len = strlen(cert->pem),
		    .key = cert->key_pem,
		    .key_len = strlen(cert->key_pem),
		    .trust = ca.pem,
		    .trust_len = strlen(ca.pem),
		    .peer = TLS_PEER_REQUIRED,
		    .judge_as_server = true,
		    .min_version = TLS1_2_VERSION },
		why, sizeof(why)) < 0)
		fail_msg("%s", why);
}

/* A port of loopback that is free now. */
static void
free_address(struct world *w, struct sockaddr_storage *out)
{
	uv_tcp_t tcp;
	int size = sizeof(*out);

	memset(out, 0, sizeof(*out));
	uv_ip4_addr("127.0.0.1", 0, (struct sockaddr_in *)out);
	uv_tcp_init(&w->loop, &tcp);
	assert_int_equal(uv_tcp_bind(&tcp, (struct sockaddr *)out, 0), 0);
	assert_int_equal(
	    uv_tcp_getsockname(&tcp, (struct sockaddr *)out, &size), 0);
	uv_close((uv_handle_t *)&tcp, NULL);
	turn(w);
}

static struct sip_ua_opts
default_opts(struct world *w, struct sip_front_end *fe)
{
	int size = sizeof(fe->address);

	fe->name = "fe1.contoso.example";
	uv_tcp_getsockname(
	    &w->listener, (struct sockaddr *)&fe->address, &size);
	return (struct sip_ua_opts){ .loop = &w->loop,
		.clock = w->clock,
		.tls = &w->gw,
		.fqdn = "gw1.contoso.example",
		.listen = &w->gw_addr,
		.listen_count = 1,
		.pool = "pool.contoso.example",
		.front_ends = fe,
		.front_end_count = 1,
		.events = &events,
		.arg = w };
}

static void
world_prepare(struct world *w, const struct make_cert *fe)
{
	struct sockaddr_in any;

	memset(w, 0, sizeof(*w));
	uv_loop_init(&w->loop);
	uv_timer_init(&w->loop, &w->tick);
	uv_timer_start(&w->tick, on_tick, 5, 5);
	assert_int_equal(clock_open_manual(&w->clock, 1000000, 0), 0);
	identity(&w->gw, &gw_cert);
	identity(&w->fe, fe);
	side_init(&w->own, w);
	side_init(&w->pool, w);
	uv_tcp_init(&w->loop, &w->listener);
	w->listener.data = w;
	uv_ip4_addr("127.0.0.1", 0, &any);
	assert_int_equal(
	    uv_tcp_bind(&w->listener, (struct sockaddr *)&any, 0), 0);
	assert_int_equal(uv_listen((uv_stream_t *)&w->listener, 8, on_own), 0);
	free_address(w, &w->gw_addr);
}

/* Gateway and front end, both connections up. */
static void
world_open(struct world *w)
{
	struct sip_front_end fe;
	struct sip_ua_opts o;
	char why[200] = "";

	world_prepare(w, &fe_cert);
	o = default_opts(w, &fe);
	if (sip_ua_open(&w->ua, &o, why, sizeof(why)) < 0)
		fail_msg("%s", why);
	until(w, w->own.secured && sip_ua_reachable(w->ua));
	dial_gateway(w);
	until(w, w->pool.secured);
	expect(w, "up");
}

static void
world_close(struct world *w)
{
	if (w->ua != NULL) {
		sip_ua_close(w->ua);
		until(w, w->ua_closed);
	}
	if (w->own.conn != NULL)
		conn_abort(w->own.conn, CONN_END_LOCAL);
	if (w->pool.conn != NULL)
		conn_abort(w->pool.conn, CONN_END_LOCAL);
	uv_close((uv_handle_t *)&w->listener, NULL);
	until(w, w->own.conn == NULL && w->pool.conn == NULL);
	uv_close((uv_handle_t *)&w->tick, NULL);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	side_clear(&w->own);
	side_clear(&w->pool);
	clock_close(w->clock);
	tls_identity_finish(&w->gw);
	tls_identity_finish(&w->fe);
}

/* --- texts -------------------------------------------------------------- */

#define ROUTE                                                                  \
	"sip:pool.contoso.example:5061;transport=tls;"                         \
	"ms-fe=fe1.contoso.example;opaque=state:F:Ci.R77;lr;ms-route-sig=bX.."
#define GRUU "sip:anna@contoso.example;opaque=user:epid:Example1234AA;gruu"
#define SDP                                                                    \
	"v=0\r\no=- 0 0 IN IP4 198.51.100.7\r\ns=session\r\n"                  \
	"c=IN IP4 198.51.100.7\r\nt=0 0\r\nm=message 5060 sip null\r\n"
#define VIAS(branch)                                                           \
	"Via: SIP/2.0/TLS 192.0.2.20:50233;branch=z9hG4bK" branch              \
	";branched=FALSE;ms-internal-info=\"abCd..\"\r\n"
#define PARTIES(id, to)                                                        \
	"From: \"Anna\"<sip:anna@contoso.example>;tag=0a1b;epid=99aa\r\n"      \
	"To: <sip:bo@partner.example>" to "\r\nCall-ID: " id "\r\n"

/* A request within the dialog of test_f1, or of none. */
static void
say_in(struct side *s, const char *method, unsigned cseq, const char *call_id,
    const char *to_tag, const char *more)
{
	char text[4096];

	snprintf(text, sizeof(text),
	    "%s sip:bo@gw1.contoso.example:5061;transport=tls SIP/2.0\r\n"
	    "Via: SIP/2.0/TLS 192.0.2.20:50233;branch=z9hG4bK%s%u%s\r\n"
	    "From: \"Anna\"<sip:anna@contoso.example>;tag=0a1b;epid=99aa\r\n"
	    "To: <sip:bo@partner.example>%s%s\r\n"
	    "Call-ID: %s\r\nCSeq: %u %s\r\n%sContent-Length: 0\r\n\r\n",
	    method, call_id, cseq, method, *to_tag != '\0' ? ";tag=" : "",
	    to_tag, call_id, cseq, method, more);
	say(s, text);
}

/* INVITE as a front end sends it, headers interleaved; big is put into a
 * single line. */
static char *
invite_text(const char *big)
{
	size_t size = strlen(big) + 4096;
	char *text = malloc(size);

	assert_non_null(text);
	snprintf(text, size,
	    "INVITE sip:bo@partner.example SIP/2.0\r\n"
	    "Record-Route: <" ROUTE ">;tag=9F0C\r\n" VIAS(
		"1") "Max-Forwards: 68\r\n"
		     "Content-Length: %zu\r\n"
		     "Via: SIP/2.0/TLS "
		     "198.51.100.7:52001;ms-received-port=52001;"
		     "ms-received-cid=4C2100\r\n" PARTIES(
			 "c1", "") "CSeq: 1 INVITE\r\n"
				   "Contact: <" GRUU ">\r\n"
				   "Supported: ms-dialog-route-set-update\r\n"
				   "ms-im-format: text/rtf; charset=UTF-8; "
				   "ms-body=%s\r\n"
				   "Supported: timer\r\n"
				   "Ms-Conversation-ID: conv1\r\n"
				   "Subject: toast\r\n"
				   "Content-Type: application/sdp\r\n"
				   "history-info: "
				   "<sip:bo@partner.example>;index=1\r\n"
				   "\r\n" SDP,
	    sizeof(SDP) - 1, big);
	return text;
}

static const struct sip_header accept_headers[] = { { "X-Test", "1" } };
static const struct sip_answer ok_sdp = { .status = 200,
	.headers = accept_headers,
	.header_count = 1,
	.content_type = "application/sdp",
	.body = "v=0\r\n",
	.body_len = 5 };

/* The tag that an answer of ours put on To. */
static void
our_tag(char *out, size_t size, const char *answer)
{
	const char *to = value_of(answer, "To");

	const char *params = strchr(to, ';');

	assert_non_null(params);
	assert_int_equal(
	    sip_param_get(out, size, params, strlen(params), "tag"), 0);
}

/* Lets Anna call Bo and be accepted; tag is ours. */
static void
be_called(struct world *w, char *tag, size_t size)
{
	char *text = invite_text("x");

	say(&w->pool, text);
	free(text);
	until(w, w->st != NULL);
	expect(w, "INVITE");
	assert_int_equal(
	    sip_ua_accept(&w->dialog, w->ua, w->st, &ok_sdp, w), 0);
	our_tag(tag, size, hear(w, &w->pool, "SIP/2.0 200 OK"));
}

static struct sip_question
question(struct world *w, enum sip_method method)
{
	return (struct sip_question){ .method = method,
		.uri = "sip:anna@contoso.example",
		.from_uri = "sip:bo@partner.example",
		.from_display = "Bo \"B\"",
		.content_type = "text/plain;charset=UTF-8",
		.body = "hello",
		.body_len = 5,
		.on_result = on_result,
		.arg = w,
		.user = w };
}

/* --- tests -------------------------------------------------------------- */

/* F13: what comes on a new connection. */
static void
test_new_connection(void **state)
{
	static const struct {
		enum sip_negotiate_reply reply;
		const char *start, *part;
	} rows[] = {
		{ SIP_NEGOTIATE_405, "SIP/2.0 405 ", "\r\nAllow: INVITE, " },
		{ SIP_NEGOTIATE_488, "SIP/2.0 488 ", "" },
		{ SIP_NEGOTIATE_501, "SIP/2.0 501 ", "" },
		{ SIP_NEGOTIATE_200_NONE, "SIP/2.0 200 ",
		    "\r\nCompression: None\r\n" },
	};
	struct sip_front_end fe;
	struct sip_ua_opts o;
	struct world w;
	const char *text;
	char why[200];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		world_prepare(&w, &fe_cert);
		o = default_opts(&w, &fe);
		o.negotiate_reply = rows[i].reply;
		assert_int_equal(sip_ua_open(&w.ua, &o, why, sizeof(why)), 0);
		dial_gateway(&w);
		until(&w, w.pool.secured);
		say(&w.pool, "NEGOTIATE sip:192.0.2.10:5061 SIP/2.0\r\n"
			     "Via: SIP/2.0/TLS 192.0.2.20:50231\r\n"
			     "CSeq: 1 NEGOTIATE\r\n"
			     "Call-ID: 0f3c\r\n"
			     "From: <sip:fe1.contoso.example>;tag=5a11\r\n"
			     "To: <sip:192.0.2.10>\r\n"
			     "Compression: LZ77-8K\r\n"
			     "Max-Forwards: 0\r\n"
			     "Content-Length: 0\r\n\r\n");
		text = hear(&w, &w.pool, rows[i].start);
		contains(text, rows[i].part);
		contains(text, "\r\nVia: SIP/2.0/TLS 192.0.2.20:50231\r\n");
		contains(text, "\r\nCSeq: 1 NEGOTIATE\r\n");
		assert_null(strstr(text, "LZ77"));
		say(&w.pool, "\r\n\r\n");
		until(&w, w.pool.pongs == 2);
		say_in(&w.pool, "OPTIONS", 1, "o1", "", "");
		text = hear(&w, &w.pool, "SIP/2.0 200 OK");
		contains(text, "\r\nAllow: INVITE, ");
		contains(text, "\r\nAccept: application/sdp, text/plain\r\n");
		world_close(&w);
	}
}

/* F1: Anna starts a chat, with a first message of 60 KB in a header. */
static void
test_f1(void **state)
{
	static const char message[] =
	    "MESSAGE sip:bo@gw1.contoso.example:5061;transport=tls "
	    "SIP/2.0\r\n" VIAS("m1") PARTIES(
		"c1", ";tag=%s") "CSeq: 2 MESSAGE\r\n"
				 "Content-Type: text/plain; charset=UTF-8\r\n"
				 "Content-Length: 2\r\n\r\nhi";
	enum { BIG = 60 * 1024 };
	char *big = malloc(BIG + 1);
	struct sip_question q;
	struct sip_answer ok = { .status = 200 };
	struct world w;
	const char *text;
	char tag[64], line[2048];
	char *invite;

	(void)state;
	assert_non_null(big);
	memset(big, 'Q', BIG);
	big[BIG] = '\0';
	world_open(&w);
	invite = invite_text(big);
	say(&w.pool, invite);
	until(&w, w.st != NULL);
	expect(&w, "INVITE");
	assert_string_equal(w.subject, "toast");
	assert_int_equal(
	    strlen(sip_msg_header(sip_ua_request_of(w.st), "ms-im-format", 0)),
	    BIG + strlen("text/rtf; charset=UTF-8; ms-body="));
	/* A 100 comes by itself while the owner thinks. */
	clock_advance(w.clock, 200);
	hear(&w, &w.pool, "SIP/2.0 100 Trying");
	assert_int_equal(sip_ua_accept(&w.dialog, w.ua, w.st, &ok_sdp, &w), 0);
	assert_ptr_equal(sip_dialog_user(w.dialog), &w);
	text = hear(&w, &w.pool, "SIP/2.0 200 OK");
	contains(text,
	    "\r\n" VIAS("1") "Via: SIP/2.0/TLS "
			     "198.51.100.7:52001;ms-received-port=52001;"
			     "ms-received-cid=4C2100\r\n"
			     "Record-Route: <" ROUTE ">;tag=9F0C\r\n");
	contains(text,
	    "\r\nContact: <sip:bo@gw1.contoso.example:5061;transport=tls>\r\n");
	contains(text, "\r\nX-Test: 1\r\n");
	contains(text, "\r\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, "
		       "INFO, UPDATE\r\n");
	assert_null(strstr(text, "ms-text-format"));
	our_tag(tag, sizeof(tag), text);
	/* Repeated until the ACK is there. */
	clock_advance(w.clock, 500);
	hear(&w, &w.pool, "SIP/2.0 200 OK");
	clock_advance(w.clock, 1000);
	hear(&w, &w.pool, "SIP/2.0 200 OK");
	say_in(&w.pool, "ACK", 1, "c1", tag, "");
	until(&w, *w.journal != '\0');
	expect(&w, "acknowledged");
	clock_advance(w.clock, 40000);
	settle(&w);
	assert_int_equal(w.pool.taken, w.pool.count);
	/* Her message, held until there is proof; 100 after 3.5 s. */
	snprintf(line, sizeof(line), message, tag);
	say(&w.pool, line);
	until(&w, *w.journal != '\0');
	expect(&w, "MESSAGE in");
	assert_memory_equal(sip_msg_body(sip_ua_request_of(w.st)), "hi", 2);
	clock_advance(w.clock, 3500);
	hear(&w, &w.pool, "SIP/2.0 100 ");
	assert_int_equal(sip_ua_respond(w.ua, w.st, &ok), 0);
	hear(&w, &w.pool, "SIP/2.0 200 OK");
	/* Bo's answer goes out by the gateway's own connection. */
	q = question(&w, SIP_MESSAGE);
	assert_int_equal(sip_ua_ask_in(&w.call, w.ua, w.dialog, &q), 0);
	text = hear(&w, &w.own, "MESSAGE " GRUU " SIP/2.0\r\n");
	contains(text, "\r\nRoute: <" ROUTE ">\r\n");
	contains(text, "\r\nTo: \"Anna\"<sip:anna@contoso.example>;tag=0a1b;"
		       "epid=99aa\r\n");
	contains(text, "\r\nContent-Length: 5\r\n\r\nhello");
	assert_null(strstr(text, "\r\nContact:"));
	reply(&w.own, text, "200 OK", "", "");
	until(&w, *w.journal != '\0');
	expect(&w, "response 200 final");
	/* A route repaired, then used. */
	say_in(&w.pool, "UPDATE", 3, "c1", tag,
	    "Record-Route: <sip:other.contoso.example;lr>\r\n");
	contains(hear(&w, &w.pool, "SIP/2.0 200 OK"), "\r\nContact: <sip:bo@");
	assert_int_equal(sip_ua_ask_in(&w.call, w.ua, w.dialog, &q), 0);
	contains(hear(&w, &w.own, "MESSAGE "),
	    "\r\nRoute: <sip:other.contoso.example;lr>\r\n");
	say_in(&w.pool, "BYE", 4, "c1", tag, "");
	hear(&w, &w.pool, "SIP/2.0 200 OK");
	expect(&w, "end: the peer said BYE");
	say_in(&w.pool, "INFO", 5, "c1", tag, "");
	contains(hear(&w, &w.pool, "SIP/2.0 481 "),
	    "\r\nms-diagnostics: 61001;reason=\"Dialog does not exist\";"
	    "source=\"gw1.contoso.example\"");
	world_close(&w);
	expect(&w, "transport 503 final");
	free(invite);
	free(big);
}

/* F2: Bo starts a chat with Anna, who has two endpoints. */
static void
test_f2(void **state)
{
	static const char *const rung[][3] = {
		{ "100 Trying", "", "" },
		{ "101 Progress Report", "fork",
		    "ms-diagnostics: 13004;reason=\"Request was proxied to one "
		    "or more registered endpoints\";Count=\"2\"\r\n" },
		{ "180 Ringing", "A", "" },
		{ "180 Ringing", "B", "" },
	};
	static const char ok_b[] =
	    "Record-Route: <" ROUTE ">;tag=1\r\n"
	    "Supported: ms-text-format\r\nContact: <" GRUU ">\r\n";
	struct sip_answer ok = { .status = 200 };
	struct sip_question q;
	struct world w;
	char invite[8192];
	const char *text;
	char early[4096];

	(void)state;
	world_open(&w);
	q = question(&w, SIP_INVITE);
	assert_int_equal(sip_ua_ask(&w.call, w.ua, &q), 0);
	text = hear(&w, &w.own, "INVITE sip:anna@contoso.example SIP/2.0\r\n");
	snprintf(invite, sizeof(invite), "%s", text);
	contains(text, "\r\nFrom: \"Bo \\\"B\\\"\" <sip:bo@partner.example>;"
		       "tag=");
	contains(text, "\r\nMax-Forwards: 70\r\n");
	contains(text,
	    "\r\nContact: <sip:bo@gw1.contoso.example:5061;transport=tls>\r\n");
	contains(text, "\r\nVia: SIP/2.0/TLS gw1.contoso.example:5061;branch="
		       "z9hG4bK");
	assert_null(strstr(text, "\r\nRequire:"));
	for (size_t i = 0; i < COUNT(rung); i++)
		reply(&w.own, invite, rung[i][0], rung[i][1], rung[i][2]);
	until(&w, strstr(w.journal, "180 | response 180") != NULL);
	expect(&w, "response 101 | response 180 | response 180");
	/* Ten seconds and more until somebody accepts. */
	clock_advance(w.clock, 60000);
	/* B's request overtakes its 200 on another connection. */
	snprintf(early, sizeof(early),
	    "INFO sip:bo@gw1.contoso.example:5061 SIP/2.0\r\n" VIAS(
		"e") "From: <sip:anna@contoso.example>;tag=B\r\nTo: %s\r\n"
		     "Call-ID: %s\r\nCSeq: 1 INFO\r\nContent-Length: 0\r\n\r\n",
	    value_of(invite, "From"), value_of(invite, "Call-ID"));
	say(&w.pool, early);
	until(&w, *w.journal != '\0');
	expect(&w, "INFO in");
	assert_ptr_equal(sip_dialog_user(w.dialog), &w);
	assert_int_equal(sip_ua_respond(w.ua, w.st, &ok), 0);
	hear(&w, &w.pool, "SIP/2.0 200 OK");
	reply(&w.own, invite, "200 OK", "B", ok_b);
	text = hear(&w, &w.own, "ACK " GRUU " SIP/2.0\r\n");
	contains(text, "\r\nRoute: <" ROUTE ">\r\n");
	contains(text, "\r\nCSeq: 1 ACK\r\n");
	expect(&w, "response 200 final dialog");
	/* The 200 again: the ACK again.  Another endpoint's: ACK and BYE. */
	reply(&w.own, invite, "200 OK", "B", ok_b);
	assert_string_equal(hear(&w, &w.own, "ACK "), text);
	reply(&w.own, invite, "200 OK", "A",
	    "Contact: <sip:a@contoso.example>\r\n");
	hear(&w, &w.own, "ACK sip:a@contoso.example ");
	text = hear(&w, &w.own, "BYE sip:a@contoso.example ");
	contains(text, "\r\nCSeq: 2 BYE\r\n");
	reply(&w.own, text, "200 OK", "", "");
	q = question(&w, SIP_MESSAGE);
	assert_int_equal(sip_ua_ask_in(&w.call, w.ua, w.dialog, &q), 0);
	text = hear(&w, &w.own, "MESSAGE " GRUU);
	contains(text, "\r\nCSeq: 2 MESSAGE\r\n");
	reply(&w.own, text, "430 Flow Failed", "", "");
	until(&w, *w.journal != '\0');
	expect(&w, "response 430 final");
	sip_ua_bye_because(w.ua, w.dialog, 61025, 403, "no \"right\"");
	text = hear(&w, &w.own, "BYE " GRUU);
	contains(
	    text, "\r\nReason: SIP;cause=403;text=\"no \\\"right\\\"\"\r\n");
	contains(text, "\r\nms-diagnostics: 61025;reason=\"no ");
	reply(&w.own, text, "200 OK", "", "");
	settle(&w);
	world_close(&w);
	expect(&w, "");
}

static void
test_invite_refused_and_dropped(void **state)
{
	struct sip_question q;
	struct world w;
	char invite[8192];
	const char *text;

	(void)state;
	world_open(&w);
	q = question(&w, SIP_INVITE);
	assert_int_equal(sip_ua_ask(&w.call, w.ua, &q), 0);
	text = hear(&w, &w.own, "INVITE ");
	reply(&w.own, text, "180 Ringing", "A", "");
	reply(&w.own, text, "480 Temporarily Unavailable", "A", "");
	hear(&w, &w.own, "ACK sip:anna@contoso.example ");
	expect(&w, "response 180 | response 480 final");
	/* A 200 that makes no dialog. */
	assert_int_equal(sip_ua_ask(&w.call, w.ua, &q), 0);
	reply(&w.own, hear(&w, &w.own, "INVITE "), "200 OK", "A", "");
	until(&w, *w.journal != '\0');
	expect(&w, "response 502 final");
	/* Dropped while it rings: CANCEL, and nothing is told. */
	assert_int_equal(sip_ua_ask(&w.call, w.ua, &q), 0);
	snprintf(invite, sizeof(invite), "%s", hear(&w, &w.own, "INVITE "));
	reply(&w.own, invite, "180 Ringing", "A", "");
	until(&w, *w.journal != '\0');
	expect(&w, "response 180");
	sip_ua_drop(w.ua, w.call);
	text = hear(&w, &w.own, "CANCEL sip:anna@contoso.example ");
	assert_string_equal(value_of(text, "Via"), value_of(invite, "Via"));
	/* A 200 crosses: it is ended. */
	reply(&w.own, invite, "200 OK", "A", "Contact: <" GRUU ">\r\n");
	hear(&w, &w.own, "ACK " GRUU);
	hear(&w, &w.own, "BYE " GRUU);
	/* An address that cannot be one. */
	q.uri = "sip:a b@h";
	assert_int_equal(sip_ua_ask(&w.call, w.ua, &q), ERR_MALFORMED);
	world_close(&w);
	expect(&w, "");
}

static void
test_cancelled_by_peer(void **state)
{
	struct world w;
	char *text = invite_text("x");

	(void)state;
	world_open(&w);
	say(&w.pool, text);
	until(&w, w.st != NULL);
	say(&w.pool,
	    "CANCEL sip:bo@partner.example SIP/2.0\r\n" VIAS("1") PARTIES(
		"c1", "") "CSeq: 1 CANCEL\r\nContent-Length: 0\r\n\r\n");
	hear(&w, &w.pool, "SIP/2.0 200 OK");
	hear(&w, &w.pool, "SIP/2.0 487 ");
	expect(&w, "INVITE | withdrawn");
	world_close(&w);
	free(text);
}

/* What is refused here, without the owner. */
static void
test_refusals(void **state)
{
	static const struct {
		const char *method, *to_tag, *more, *start, *part;
	} rows[] = {
		{ "REFER", "", "", "SIP/2.0 405 ", "\r\nAllow: INVITE" },
		{ "SERVICE", "", "", "SIP/2.0 405 ", "\r\nAllow: INVITE" },
		{ "PUBLISH", "", "", "SIP/2.0 405 ", "\r\nAllow: INVITE" },
		{ "REGISTER", "", "", "SIP/2.0 405 ", "\r\nAllow: INVITE" },
		{ "SUBSCRIBE", "", "", "SIP/2.0 489 ", "ms-diagnostics: 610" },
		{ "SUBSCRIBE", "", "", "SIP/2.0 489 ",
		    "Allow-Events: presence\r\n" },
		{ "NOTIFY", "", "", "SIP/2.0 481 ", "ms-diagnostics: 61001;" },
		{ "BYE", "", "", "SIP/2.0 481 ", "ms-diagnostics: 61001;" },
		{ "INFO", "", "", "SIP/2.0 481 ", "ms-diagnostics: 61001;" },
		{ "UPDATE", "", "", "SIP/2.0 481 ", "" },
		{ "PRACK", "", "", "SIP/2.0 481 ", "" },
		{ "FOO", "", "", "SIP/2.0 501 ", "\r\nAllow: INVITE" },
		{ "message", "", "", "SIP/2.0 501 ", "" },
		{ "MESSAGE", "lost", "", "SIP/2.0 481 ",
		    "ms-diagnostics: 61001;" },
		{ "BYE", "lost", "", "SIP/2.0 481 ", "61001" },
		{ "INVITE", "lost", "", "SIP/2.0 481 ", "61001" },
		{ "REFER", "lost", "", "SIP/2.0 481 ", "61001" },
		{ "OPTIONS", "lost", "", "SIP/2.0 200 ", "" },
		{ "MESSAGE", "",
		    "Require: com.microsoft.rtc-multiparty, "
		    "ms-dialog-route-set-update\r\n",
		    "SIP/2.0 420 ",
		    "\r\nUnsupported: com.microsoft.rtc-multiparty\r\n" },
		{ "MESSAGE", "", "Content-Encoding: gzip\r\n", "SIP/2.0 415 ",
		    "\r\nAccept-Encoding: identity\r\n" },
		{ "MESSAGE", "", "Max-Forwards: x\r\n", "SIP/2.0 400 ",
		    "reason=\"Max-Forwards\"" },
		{ "MESSAGE", "", "CSeq: 1 MESSAGE\r\n", "SIP/2.0 400 ",
		    "reason=\"CSeq\"" },
	};
	struct world w;
	const char *text;
	char id[16];

	(void)state;
	world_open(&w);
	for (size_t i = 0; i < COUNT(rows); i++) {
		snprintf(id, sizeof(id), "r%zu", i);
		say_in(&w.pool, rows[i].method, 1, id, rows[i].to_tag,
		    rows[i].more);
		text = hear(&w, &w.pool, rows[i].start);
		contains(text, rows[i].part);
		contains(text, "\r\nTo: <sip:bo@partner.example>;tag=");
		if (strncmp(rows[i].method, "INVITE", 6) == 0)
			say_in(&w.pool, "ACK", 1, id, "lost", "");
	}
	/* These are never answered, however wrong they are. */
	say_in(&w.pool, "BENOTIFY", 1, "b1", "lost", "");
	say_in(&w.pool, "BENOTIFY", 1, "b2", "", "Max-Forwards: x\r\n");
	say_in(&w.pool, "ACK", 1, "a1", "lost", "");
	say_in(&w.pool, "ACK", 1, "a2", "", "Max-Forwards: x\r\n");
	settle(&w);
	assert_int_equal(w.pool.taken, w.pool.count);
	expect(&w, "");
	world_close(&w);
}

/* The statuses that went back to the pool's connection since it was dialled,
 * "405 481 ". */
static void
statuses(char *out, size_t size, const struct side *s)
{
	out[0] = '\0';
	for (size_t i = 0; i < s->count; i++)
		snprintf(out + strlen(out), size - strlen(out), "%.3s ",
		    s->messages[i] + strlen("SIP/2.0 "));
}

/* What a torture message has to come back as. */
static void
wanted(char *out, size_t size, const json_t *row)
{
	const json_t *answer = json_object_get(row, "answer");
	const char *by = json_string_value(json_object_get(row, "by"));

	out[0] = '\0';
	if (by == NULL || strcmp(by, "stack") != 0)
		return;
	if (json_is_integer(answer))
		snprintf(out, size, "%d ", (int)json_integer_value(answer));
	for (size_t i = 0; i < json_array_size(answer); i++)
		snprintf(out + strlen(out), size - strlen(out), "%d ",
		    (int)json_integer_value(json_array_get(answer, i)));
}

/* One torture message on a connection of its own: refused here, handed up,
 * passed over, or the end of the connection. */
static void
torture(struct world *w, const json_t *row)
{
	const char *name = torture_messages_name(row);
	const json_t *by = json_object_get(row, "by");
	bool lost = strcmp(json_string_value(json_array_get(
			       json_object_get(row, "frame"), 0)),
			"lost") == 0;
	char want[64], got[64];
	uint8_t *data;
	size_t len;

	data = torture_messages_read(&len, row);
	assert_non_null(data);
	dial_gateway(w);
	until(w, w->pool.secured);
	w->st = NULL;
	assert_int_equal(conn_write(w->pool.conn, data, len), 0);
	free(data);
	wanted(want, sizeof(want), row);
	if (lost) {
		until(w, w->pool.ended);
	} else if (by != NULL && strcmp(json_string_value(by), "stack") != 0) {
		until(w, w->st != NULL);
		assert_int_equal(
		    sip_ua_refuse(w->ua, w->st, 480, 61000, "enough"), 0);
		snprintf(want, sizeof(want), "480 ");
	}
	until(w, w->pool.count >= strlen(want) / 4);
	settle(w);
	statuses(got, sizeof(got), &w->pool);
	if (strcmp(got, want) != 0)
		fail_msg("%s: got '%s', want '%s'", name, got, want);
	if (!lost) {
		conn_close(w->pool.conn, CONN_END_LOCAL);
		until(w, w->pool.ended);
	}
	w->journal[0] = '\0';
}

static void
test_torture(void **state)
{
	json_t *rows = torture_messages_load();
	struct world w;
	json_t *row;
	size_t i;

	(void)state;
	assert_non_null(rows);
	world_open(&w);
	conn_close(w.pool.conn, CONN_END_LOCAL);
	until(&w, w.pool.ended);
	json_array_foreach(rows, i, row)
	{
		torture(&w, row);
	}
	json_decref(rows);
	/* And a well-behaved message gets its answer. */
	dial_gateway(&w);
	until(&w, w.pool.secured);
	say_in(&w.pool, "OPTIONS", 1, "well", "", "");
	(void)hear(&w, &w.pool, "SIP/2.0 200 OK");
	world_close(&w);
}

/* One oversized message is refused; the connection goes on.  Broken framing
 * ends it. */
static void
test_sizes_and_framing(void **state)
{
	enum { BODY = 300 * 1024 };
	char *body = malloc(BODY + 1);
	struct world w;

	(void)state;
	assert_non_null(body);
	memset(body, 'x', BODY);
	body[BODY] = '\0';
	world_open(&w);
	say(&w.pool,
	    "MESSAGE sip:bo@partner.example SIP/2.0\r\n" VIAS("big") PARTIES(
		"big", "") "CSeq: 1 MESSAGE\r\nContent-Type: text/plain\r\n"
			   "Content-Length: 307200\r\n\r\n");
	say(&w.pool, body);
	hear(&w, &w.pool, "SIP/2.0 413 ");
	say_in(&w.pool, "OPTIONS", 1, "o1", "", "");
	hear(&w, &w.pool, "SIP/2.0 200 ");
	say(&w.pool, "OPTIONS sip:a SIP/2.0\nbare: LF\n\n");
	until(&w, w.pool.ended);
	/* The other connection is not touched. */
	assert_true(sip_ua_reachable(w.ua));
	expect(&w, "");
	world_close(&w);
	free(body);
}

static void
test_no_ack(void **state)
{
	struct world w;
	size_t answers = 0;
	char tag[64];
	const char *text;

	(void)state;
	world_open(&w);
	be_called(&w, tag, sizeof(tag));
	for (int i = 0; i < 320; i++) {
		clock_advance(w.clock, 100);
		turn(&w);
	}
	until(&w, *w.journal != '\0');
	expect(&w, "end: the peer did not acknowledge the 200");
	text = hear(&w, &w.own, "BYE " GRUU);
	reply(&w.own, text, "200 OK", "", "");
	settle(&w);
	while (w.pool.taken < w.pool.count) {
		hear(&w, &w.pool, "SIP/2.0 200 OK");
		answers++;
	}
	/* At 0.5, 1.5, 3.5, 7.5 ... 31.5 s. */
	assert_int_equal(answers, 10);
	world_close(&w);
}

/* We leave before the ACK: BYE waits for it (RFC 3261 15). */
static void
test_bye_before_ack(void **state)
{
	struct world w;
	char tag[64];

	(void)state;
	world_open(&w);
	be_called(&w, tag, sizeof(tag));
	sip_ua_bye(w.ua, w.dialog);
	say_in(&w.pool, "INFO", 2, "c1", tag, "");
	hear(&w, &w.pool, "SIP/2.0 481 ");
	assert_int_equal(w.own.taken, w.own.count);
	say_in(&w.pool, "ACK", 1, "c1", tag, "");
	hear(&w, &w.own, "BYE " GRUU);
	expect(&w, "");
	world_close(&w);
}

static void
test_reinvite(void **state)
{
	struct world w;
	char tag[64];
	char text[2048];

	(void)state;
	world_open(&w);
	be_called(&w, tag, sizeof(tag));
	say_in(&w.pool, "ACK", 1, "c1", tag, "");
	until(&w, *w.journal != '\0');
	expect(&w, "acknowledged");
	snprintf(text, sizeof(text),
	    "INVITE sip:bo@gw1.contoso.example:5061 SIP/2.0\r\n" VIAS("re")
		PARTIES("c1",
		    ";tag=%s") "CSeq: 2 INVITE\r\n"
			       "Contact: <sip:anna2@contoso.example;gruu>\r\n"
			       "Content-Length: 0\r\n\r\n",
	    tag);
	say(&w.pool, text);
	until(&w, *w.journal != '\0');
	expect(&w, "INVITE in");
	assert_int_equal(sip_ua_respond(w.ua, w.st, &ok_sdp), 0);
	contains(hear(&w, &w.pool, "SIP/2.0 200 OK"), "\r\nContact: <sip:bo@");
	clock_advance(w.clock, 500);
	hear(&w, &w.pool, "SIP/2.0 200 OK");
	say_in(&w.pool, "ACK", 2, "c1", tag, "");
	until(&w, *w.journal != '\0');
	expect(&w, "acknowledged");
	sip_ua_bye(w.ua, w.dialog);
	hear(&w, &w.own, "BYE sip:anna2@contoso.example;gruu ");
	world_close(&w);
}

/* The connection with calls under way breaks. */
static void
test_connection_lost(void **state)
{
	struct sip_question q;
	struct world w;

	(void)state;
	world_open(&w);
	conn_abort(w.pool.conn, CONN_END_LOCAL);
	until(&w, w.pool.ended);
	q = question(&w, SIP_MESSAGE);
	assert_int_equal(sip_ua_ask(&w.call, w.ua, &q), 0);
	hear(&w, &w.own, "MESSAGE ");
	conn_abort(w.own.conn, CONN_END_LOCAL);
	until(&w, strstr(w.journal, "down") != NULL);
	expect(&w, "transport 503 final | down");
	assert_int_equal(sip_ua_ask(&w.call, w.ua, &q), ERR_CLOSED);
	/* Again at once. */
	until(&w, w.own.ended);
	clock_advance(w.clock, 99);
	settle(&w);
	assert_false(sip_ua_reachable(w.ua));
	clock_advance(w.clock, 1);
	until(&w, sip_ua_reachable(w.ua));
	expect(&w, "up");
	assert_int_equal(sip_ua_ask(&w.call, w.ua, &q), 0);
	reply(&w.own, hear(&w, &w.own, "MESSAGE "), "200 OK", "t", "");
	until(&w, *w.journal != '\0');
	expect(&w, "response 200 final");
	world_close(&w);
}

/* The front end ends our connection, and hears of us after wait_ms. */
static void
hang_up(struct world *w, uint64_t wait_ms, int line)
{
	conn_abort(w->own.conn, CONN_END_LOCAL);
	until(w, w->own.ended && !sip_ua_reachable(w->ua));
	clock_advance(w->clock, wait_ms - 1);
	settle(w);
	if (w->own.conn != NULL)
		fail_msg("line %d: before %llu ms", line,
		    (unsigned long long)wait_ms);
	clock_advance(w->clock, 1);
	until(w, sip_ua_reachable(w->ua) && w->own.secured);
}

static void
world_open_own(struct world *w)
{
	world_open(w);
	conn_abort(w->pool.conn, CONN_END_LOCAL);
	until(w, w->pool.ended);
	settle(w);
}

/* Who accepts and hangs up at once is called less and less; who has been there
 * for a while is called at once. */
static void
test_called_again(void **state)
{
	static const unsigned waits[] = { 100, 1000, 2000, 5000, 10000, 30000,
		30000 };
	struct world w;

	(void)state;
	world_open_own(&w);
	for (size_t i = 0; i < COUNT(waits); i++)
		hang_up(&w, waits[i], __LINE__);
	clock_advance(w.clock, 9999);
	hang_up(&w, 30000, __LINE__);
	clock_advance(w.clock, 10000);
	hang_up(&w, 100, __LINE__);
	clock_advance(w.clock, 10000);
	hang_up(&w, 100, __LINE__);
	hang_up(&w, 100, __LINE__);
	hang_up(&w, 1000, __LINE__);
	world_close(&w);
}

/* A front end that was away for long and is restarted soon after it came back:
 * what its absence had cost is forgotten. */
static void
test_restarted_again(void **state)
{
	static const unsigned waits[] = { 100, 1000, 2000, 5000, 10000, 30000 };
	struct sockaddr_storage address;
	int size = sizeof(address);
	struct world w;

	(void)state;
	world_open_own(&w);
	clock_advance(w.clock, 10000);
	uv_tcp_getsockname(&w.listener, (struct sockaddr *)&address, &size);
	uv_close((uv_handle_t *)&w.listener, NULL);
	conn_abort(w.own.conn, CONN_END_LOCAL);
	until(&w, w.own.ended && !sip_ua_reachable(w.ua));
	for (size_t i = 0; i < COUNT(waits); i++) {
		if (i + 1 == COUNT(waits)) {
			uv_tcp_init(&w.loop, &w.listener);
			w.listener.data = &w;
			assert_int_equal(uv_tcp_bind(&w.listener,
					     (struct sockaddr *)&address, 0),
			    0);
			assert_int_equal(
			    uv_listen((uv_stream_t *)&w.listener, 8, on_own),
			    0);
		}
		clock_advance(w.clock, waits[i]);
		settle(&w);
	}
	until(&w, sip_ua_reachable(w.ua) && w.own.secured);
	clock_advance(w.clock, 3000);
	hang_up(&w, 100, __LINE__);
	world_close(&w);
}

/* An answer finds another connection to the same front end. */
static void
test_answer_on_another_connection(void **state)
{
	struct sip_answer ok = { .status = 200 };
	struct world w;

	(void)state;
	world_open(&w);
	say_in(&w.pool, "MESSAGE", 1, "m1", "", "");
	until(&w, w.st != NULL);
	conn_abort(w.pool.conn, CONN_END_LOCAL);
	until(&w, w.pool.ended);
	settle(&w);
	assert_int_equal(sip_ua_respond(w.ua, w.st, &ok), 0);
	hear(&w, &w.own, "SIP/2.0 200 OK");
	expect(&w, "MESSAGE");
	world_close(&w);
}

/* Requests may leave by the pool's connection when there is no own one. */
static void
test_request_on_inbound(void **state)
{
	struct sip_question q;
	struct world w;

	(void)state;
	world_open(&w);
	conn_abort(w.own.conn, CONN_END_LOCAL);
	until(&w, w.own.ended);
	settle(&w);
	q = question(&w, SIP_MESSAGE);
	assert_int_equal(sip_ua_ask(&w.call, w.ua, &q), 0);
	reply(&w.pool, hear(&w, &w.pool, "MESSAGE "), "404 Not Found", "t", "");
	until(&w, *w.journal != '\0');
	expect(&w, "response 404 final");
	world_close(&w);
}

static void
test_keep_alive(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	clock_advance(w.clock, 119999);
	settle(&w);
	assert_int_equal(w.own.pongs, 0);
	clock_advance(w.clock, 1);
	until(&w, w.own.pongs == 4);
	assert_int_equal(w.pool.pongs, 0);
	world_close(&w);
}

/* A certificate that names neither pool nor front end, both directions. */
static void
test_strangers(void **state)
{
	struct sip_front_end fe;
	struct sip_ua_opts o;
	struct world w;
	char why[200];

	(void)state;
	world_prepare(&w, &stranger_cert);
	o = default_opts(&w, &fe);
	assert_int_equal(sip_ua_open(&w.ua, &o, why, sizeof(why)), 0);
	until(&w, w.own.ended);
	dial_gateway(&w);
	until(&w, w.pool.ended);
	assert_false(sip_ua_reachable(w.ua));
	expect(&w, "");
	world_close(&w);
}

/* The fifth connection of a front end replaces the one silent for longest. */
static void
test_five_connections(void **state)
{
	struct side sides[5];
	struct sip_ua_stats stats;
	struct conn_opts o;
	struct world w;

	(void)state;
	world_open(&w);
	conn_abort(w.pool.conn, CONN_END_LOCAL);
	until(&w, w.pool.ended);
	memset(sides, 0, sizeof(sides));
	for (size_t i = 0; i < COUNT(sides); i++) {
		clock_advance(w.clock, 10);
		side_init(&sides[i], &w);
		o = side_opts(&sides[i]);
		assert_int_equal(conn_connect(&sides[i].conn,
				     (struct sockaddr *)&w.gw_addr, &o),
		    0);
		until(&w, sides[i].secured);
		settle(&w);
	}
	until(&w, sides[0].ended);
	sip_ua_get_stats(w.ua, &stats);
	assert_int_equal(stats.connections, 5); /* 4 and our own */
	for (size_t i = 1; i < COUNT(sides); i++) {
		assert_false(sides[i].ended);
		conn_abort(sides[i].conn, CONN_END_LOCAL);
		until(&w, sides[i].ended);
	}
	for (size_t i = 0; i < COUNT(sides); i++)
		side_clear(&sides[i]);
	world_close(&w);
}

/* Everything open when it closes: all is told, nothing leaks. */
static void
test_close_amid_work(void **state)
{
	struct sip_question q;
	struct world w;
	char tag[64];

	(void)state;
	world_open(&w);
	be_called(&w, tag, sizeof(tag));
	say_in(&w.pool, "MESSAGE", 2, "c1", tag, "");
	until(&w, *w.journal != '\0');
	expect(&w, "MESSAGE in");
	q = question(&w, SIP_INVITE);
	assert_int_equal(sip_ua_ask(&w.call, w.ua, &q), 0);
	reply(&w.own, hear(&w, &w.own, "INVITE "), "180 Ringing", "A", "");
	until(&w, *w.journal != '\0');
	expect(&w, "response 180");
	world_close(&w);
	expect(&w, "transport 503 final | withdrawn | end: the gateway stops");
}

static void
test_overload(void **state)
{
	struct sip_front_end fe;
	struct sip_ua_opts o;
	struct world w;
	char why[200];

	(void)state;
	world_prepare(&w, &fe_cert);
	o = default_opts(&w, &fe);
	o.calls_max = 1;
	assert_int_equal(sip_ua_open(&w.ua, &o, why, sizeof(why)), 0);
	until(&w, sip_ua_reachable(w.ua));
	dial_gateway(&w);
	until(&w, w.pool.secured);
	say_in(&w.pool, "MESSAGE", 1, "m1", "", "");
	say_in(&w.pool, "MESSAGE", 1, "m2", "", "");
	contains(hear(&w, &w.pool, "SIP/2.0 503 "), "\r\nRetry-After: 5\r\n");
	expect(&w, "up | MESSAGE");
	/* An address that is taken. */
	assert_true(sip_ua_open(&w.ua, &o, why, sizeof(why)) < 0);
	contains(why, "cannot listen");
	turn(&w);
	world_close(&w);
}

static int
make_certs(void **state)
{
	(void)state;
	log_set_fd(getenv("SHOW_LOG") != NULL ? 2 : -1);
	make_cert_new(
	    &ca, &(struct make_cert_opts){ .cn = "root", .ca = true });
	make_cert_new(&gw_cert,
	    &(struct make_cert_opts){ .cn = "gw",
		.issuer = &ca,
		.eku = MAKE_CERT_EKU_BOTH,
		.names = { { MAKE_CERT_DNS, "gw1.contoso.example", 0 } } });
	make_cert_new(&fe_cert,
	    &(struct make_cert_opts){ .cn = "fe",
		.issuer = &ca,
		.eku = MAKE_CERT_EKU_BOTH,
		.names = { { MAKE_CERT_DNS, "pool.contoso.example", 0 },
		    { MAKE_CERT_DNS, "fe1.contoso.example", 0 } } });
	make_cert_new(&stranger_cert,
	    &(struct make_cert_opts){ .cn = "fe1.contoso.example",
		.issuer = &ca,
		.eku = MAKE_CERT_EKU_BOTH,
		.names = { { MAKE_CERT_DNS, "fe9.contoso.example", 0 } } });
	return 0;
}

static int
free_certs(void **state)
{
	(void)state;
	make_cert_finish(&ca);
	make_cert_finish(&gw_cert);
	make_cert_finish(&fe_cert);
	make_cert_finish(&stranger_cert);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_connection),
		cmocka_unit_test(test_f1),
		cmocka_unit_test(test_f2),
		cmocka_unit_test(test_invite_refused_and_dropped),
		cmocka_unit_test(test_cancelled_by_peer),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_torture),
		cmocka_unit_test(test_sizes_and_framing),
		cmocka_unit_test(test_no_ack),
		cmocka_unit_test(test_bye_before_ack),
		cmocka_unit_test(test_reinvite),
		cmocka_unit_test(test_connection_lost),
		cmocka_unit_test(test_called_again),
		cmocka_unit_test(test_restarted_again),
		cmocka_unit_test(test_answer_on_another_connection),
		cmocka_unit_test(test_request_on_inbound),
		cmocka_unit_test(test_keep_alive),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_five_connections),
		cmocka_unit_test(test_close_amid_work),
		cmocka_unit_test(test_overload),
	};

	return cmocka_run_group_tests(tests, make_certs, free_certs);
}
