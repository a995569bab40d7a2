/* sip_transaction under a clock that only moves when told. */
#include "frontend-gateway/sip/sip_transaction.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "frontend-gateway/sip/sip_build.h"
#include "frontend-gateway/sip/sip_transport.h"

/* What happened, in words: requests and answers that left ("> MESSAGE",
 * "> 200"), requests taken up, client events. */
struct bench {
	struct clock *clock;
	struct sip_txns *txns;
	char journal[2048];
	struct sip_server_txn *server; /* the newest */
	uint64_t conn;                 /* requests leave on this one */
	int send_rc;
	bool no_way;  /* for answers */
	bool others;  /* there is another front end */
	bool movable; /* what is asked next */
	uint64_t avoided;
	unsigned judged;
	struct sip_transport_outcome outcome; /* the newest */
	char last[4096];                      /* the newest text that left */
};

static void
note(struct bench *b, const char *text)
{
	size_t n = strlen(b->journal);

	snprintf(b->journal + n, sizeof(b->journal) - n, "%s%s",
	    n > 0 ? " | " : "", text);
}

static void
expect_(struct bench *b, const char *want, int line)
{
	if (strcmp(b->journal, want) != 0)
		fail_msg(
		    "line %d: got '%s', want '%s'", line, b->journal, want);
	b->journal[0] = '\0';
}
#define expect(b, want) expect_((b), (want), __LINE__)

static void
leave(struct bench *b, const void *data, size_t len)
{
	char word[32], line[40];

	assert_true(len < sizeof(b->last));
	memcpy(b->last, data, len);
	b->last[len] = '\0';
	if (sscanf(b->last, "SIP/2.0 %20s", word) != 1 &&
	    sscanf(b->last, "%20s", word) != 1)
		fail_msg("'%s'", b->last);
	snprintf(line, sizeof(line), "> %s", word);
	note(b, line);
}

static int
send_request(void *arg, uint64_t *conn, const struct sip_transport_way *way,
    const void *data, size_t len)
{
	struct bench *b = arg;

	b->avoided = way->avoid;
	if (b->send_rc < 0)
		return b->send_rc;
	*conn = b->conn;
	leave(b, data, len);
	return 0;
}

static bool
judge(void *arg, uint64_t conn, const struct sip_transport_outcome *outcome)
{
	struct bench *b = arg;

	(void)conn;
	b->judged++;
	b->outcome = *outcome;
	return b->others && (outcome->broken ||
				(outcome->response != NULL &&
				    sip_msg_status(outcome->response) == 503));
}

static int
send_on(void *arg, uint64_t conn, const void *data, size_t len)
{
	struct bench *b = arg;

	(void)conn;
	if (b->no_way)
		return ERR_CLOSED;
	leave(b, data, len);
	return 0;
}

static void
on_request(void *arg, struct sip_server_txn *t)
{
	struct bench *b = arg;
	char word[64];

	snprintf(word, sizeof(word), "%s%s",
	    sip_msg_method_name(sip_server_request(t)),
	    sip_server_is_merged(t) ? " merged" : "");
	note(b, word);
	b->server = t;
}

static void
respond(struct bench *b, int status)
{
	struct sip_build_response r = { .status = status };
	struct buf text;

	r.request = sip_server_request(b->server);
	r.to_tag = sip_server_to_tag(b->server);
	buf_init(&text, 0);
	assert_int_equal(sip_build_response(&text, &r), 0);
	assert_int_equal(
	    sip_server_respond(b->server, status, text.data, text.len),
	    b->no_way ? ERR_CLOSED : 0);
	buf_finish(&text);
}

static void
on_cancel(void *arg, struct sip_server_txn *t)
{
	struct bench *b = arg;

	note(b, "cancelled");
	b->server = t;
	respond(b, 487);
}

static void
on_client(struct sip_client_txn *t, enum sip_client_event ev,
    const struct sip_msg *m, void *arg)
{
	static const char *const names[] = { "provisional", "final", "again",
		"timeout", "transport", "ended" };
	char word[64];

	(void)t;
	if (m != NULL)
		snprintf(
		    word, sizeof(word), "%s %d", names[ev], sip_msg_status(m));
	else
		snprintf(word, sizeof(word), "%s", names[ev]);
	note(arg, word);
}

static void
begin(struct bench *b, size_t max)
{
	struct sip_txns_opts o = { .max = max,
		.send_request = send_request,
		.send_on = send_on,
		.judge = judge,
		.on_request = on_request,
		.on_cancel = on_cancel,
		.arg = b };

	memset(b, 0, sizeof(*b));
	b->conn = 7;
	assert_int_equal(clock_open_manual(&b->clock, 1000, 0), 0);
	o.clock = b->clock;
	sip_timers_complete(&o.timers);
	assert_int_equal(sip_txns_open(&b->txns, &o), 0);
}

static void
end(struct bench *b)
{
	sip_txns_close(b->txns);
	clock_close(b->clock);
}

static int
come(struct bench *b, const char *text)
{
	struct sip_msg *m;
	int rc;

	assert_int_equal(
	    sip_msg_parse(&m, (const uint8_t *)text, strlen(text), NULL, 0), 0);
	assert_int_equal(sip_msg_defect(m, NULL), 0);
	rc = sip_txns_receive(b->txns, m, 3);
	sip_msg_free(m);
	return rc;
}

/* --- server ------------------------------------------------------------- */

static const char *
request(const char *method, const char *branch, const char *more)
{
	static char text[1024];

	snprintf(text, sizeof(text),
	    "%s sip:bo@partner.example SIP/2.0\r\n"
	    "Via: SIP/2.0/TLS fe1.contoso.example:5061%s%s\r\n"
	    "From: <sip:anna@contoso.example>;tag=1\r\n"
	    "To: <sip:bo@partner.example>%s\r\n"
	    "Call-ID: c%s\r\nCSeq: 1 %s\r\nContent-Length: 0\r\n\r\n",
	    method, *branch != '\0' ? ";branch=" : "", branch, more, branch,
	    method);
	return text;
}

static void
test_server_other(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, 100);
	assert_int_equal(come(&b, request("MESSAGE", "z9hG4bKa", "")), 0);
	expect(&b, "MESSAGE");
	/* Repeated while nothing was said: absorbed. */
	assert_int_equal(come(&b, request("MESSAGE", "z9hG4bKa", "")), 0);
	clock_advance(b.clock, 3499);
	expect(&b, "");
	clock_advance(b.clock, 1);
	expect(&b, "> 100");
	assert_int_equal(come(&b, request("MESSAGE", "z9hG4bKa", "")), 0);
	expect(&b, "> 100");
	clock_advance(b.clock, 24000);
	respond(&b, 200);
	expect(&b, "> 200");
	assert_int_equal(come(&b, request("MESSAGE", "z9hG4bKa", "")), 0);
	expect(&b, "> 200");
	clock_advance(b.clock, 5000);
	assert_int_equal(sip_txns_server_count(b.txns), 0);
	/* Forgotten: a new one. */
	assert_int_equal(come(&b, request("MESSAGE", "z9hG4bKa", "")), 0);
	expect(&b, "MESSAGE");
	/* A prompt answer needs no 100. */
	respond(&b, 404);
	clock_advance(b.clock, 10000);
	expect(&b, "> 404");
	end(&b);
}

static void
test_server_keys(void **state)
{
	static const char other_host[] =
	    "MESSAGE sip:bo@partner.example SIP/2.0\r\n"
	    "Via: SIP/2.0/TLS fe2.contoso.example:5061;branch=z9hG4bKa\r\n"
	    "From: <sip:anna@contoso.example>;tag=2\r\n"
	    "To: <sip:bo@partner.example>\r\n"
	    "Call-ID: other\r\nCSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n";
	struct bench b;

	(void)state;
	begin(&b, 100);
	come(&b, request("MESSAGE", "z9hG4bKa", ""));
	come(&b, request("INFO", "z9hG4bKa", ""));
	come(&b, other_host);
	expect(&b, "MESSAGE | INFO | MESSAGE");
	/* RFC 2543: no branch, or one without the magic. */
	come(&b, request("OPTIONS", "", ""));
	come(&b, request("OPTIONS", "", ""));
	come(&b, request("OPTIONS", "1", ""));
	come(&b, request("OPTIONS", "1", ""));
	expect(&b, "OPTIONS | OPTIONS");
	end(&b);
}

static void
test_server_merged(void **state)
{
	static const char second[] =
	    "MESSAGE sip:bo@partner.example SIP/2.0\r\n"
	    "Via: SIP/2.0/TLS fe1.contoso.example:5061;branch=z9hG4bKother\r\n"
	    "From: <sip:anna@contoso.example>;tag=1\r\n"
	    "To: <sip:bo@partner.example>\r\n"
	    "Call-ID: cz9hG4bKa\r\nCSeq: 1 MESSAGE\r\n"
	    "Content-Length: 0\r\n\r\n";
	struct bench b;

	(void)state;
	begin(&b, 100);
	come(&b, request("MESSAGE", "z9hG4bKa", ""));
	come(&b, second);
	expect(&b, "MESSAGE | MESSAGE merged");
	respond(&b, 482);
	end(&b);
}

static void
test_server_invite_refused(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, 100);
	come(&b, request("INVITE", "z9hG4bKi", ""));
	clock_advance(b.clock, 199);
	expect(&b, "INVITE");
	clock_advance(b.clock, 1);
	expect(&b, "> 100");
	respond(&b, 180);
	come(&b, request("INVITE", "z9hG4bKi", ""));
	expect(&b, "> 180 | > 180");
	respond(&b, 480);
	/* Over TLS nothing is repeated by itself. */
	clock_advance(b.clock, 20000);
	expect(&b, "> 480");
	come(&b, request("INVITE", "z9hG4bKi", ""));
	expect(&b, "> 480");
	assert_int_equal(come(&b, request("ACK", "z9hG4bKi", ";tag=x")), 0);
	assert_int_equal(sip_txns_server_count(b.txns), 0);
	/* Without ACK: gone after timer H. */
	come(&b, request("INVITE", "z9hG4bKj", ""));
	respond(&b, 480);
	expect(&b, "INVITE | > 480");
	clock_advance(b.clock, 31999);
	assert_int_equal(sip_txns_server_count(b.txns), 1);
	clock_advance(b.clock, 1);
	assert_int_equal(sip_txns_server_count(b.txns), 0);
	end(&b);
}

static void
test_server_invite_accepted(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, 100);
	come(&b, request("INVITE", "z9hG4bKi", ""));
	respond(&b, 200);
	expect(&b, "INVITE | > 200");
	/* The repetition is absorbed; the 2xx is the owner's to repeat. */
	come(&b, request("INVITE", "z9hG4bKi", ""));
	expect(&b, "");
	/* The ACK to a 2xx is the dialog's, even with the same branch. */
	assert_int_equal(
	    come(&b, request("ACK", "z9hG4bKi", ";tag=x")), ERR_NOT_FOUND);
	assert_int_equal(
	    come(&b, request("ACK", "z9hG4bKnew", ";tag=x")), ERR_NOT_FOUND);
	clock_advance(b.clock, 32000);
	assert_int_equal(sip_txns_server_count(b.txns), 0);
	end(&b);
}

static void
test_server_cancel(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, 100);
	come(&b, request("INVITE", "z9hG4bKi", ""));
	come(&b, request("CANCEL", "z9hG4bKi", ""));
	expect(&b, "INVITE | > 200 | cancelled | > 487");
	come(&b, request("CANCEL", "z9hG4bKi", ""));
	expect(&b, "> 200");
	come(&b, request("CANCEL", "z9hG4bKnone", ""));
	expect(&b, "> 481");
	/* Too late: answered, and nothing else. */
	come(&b, request("INVITE", "z9hG4bKl", ""));
	respond(&b, 200);
	come(&b, request("CANCEL", "z9hG4bKl", ""));
	expect(&b, "INVITE | > 200 | > 200");
	/* Without a branch. */
	come(&b, request("INVITE", "", ""));
	come(&b, request("CANCEL", "", ""));
	expect(&b, "INVITE | > 200 | cancelled | > 487");
	end(&b);
}

/* An answer that finds no connection leaves as soon as there is one, for as
 * long as the peer may wait for it. */
static void
test_server_answer_without_connection(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, 100);
	come(&b, request("MESSAGE", "z9hG4bKa", ""));
	b.no_way = true;
	respond(&b, 200);
	clock_advance(b.clock, 20000);
	expect(&b, "MESSAGE");
	b.no_way = false;
	clock_advance(b.clock, 4000);
	expect(&b, "> 200");
	clock_advance(b.clock, 7999);
	expect(&b, "");
	assert_int_equal(sip_txns_server_count(b.txns), 1);
	clock_advance(b.clock, 1);
	assert_int_equal(sip_txns_server_count(b.txns), 0);
	/* Half a second after it is back; asked for, it need not be sent. */
	come(&b, request("MESSAGE", "z9hG4bKb", ""));
	b.no_way = true;
	respond(&b, 200);
	come(&b, request("MESSAGE", "z9hG4bKb", ""));
	b.no_way = false;
	clock_advance(b.clock, 500);
	expect(&b, "MESSAGE | > 200");
	come(&b, request("MESSAGE", "z9hG4bKc", ""));
	b.no_way = true;
	respond(&b, 404);
	b.no_way = false;
	come(&b, request("MESSAGE", "z9hG4bKc", ""));
	expect(&b, "MESSAGE | > 404");
	clock_advance(b.clock, 40000);
	expect(&b, "");
	/* Refused INVITEs alike; accepted ones are their owner's. */
	come(&b, request("INVITE", "z9hG4bKi", ""));
	b.no_way = true;
	respond(&b, 480);
	come(&b, request("INVITE", "z9hG4bKj", ""));
	respond(&b, 200);
	b.no_way = false;
	clock_advance(b.clock, 40000);
	expect(&b, "INVITE | INVITE | > 480");
	assert_int_equal(sip_txns_server_count(b.txns), 0);
	end(&b);
}

/* What went out on a connection that broke a moment later may not have arrived.
 * Requests come over connection 3. */
static void
test_server_answer_on_a_connection_that_broke(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, 100);
	come(&b, request("MESSAGE", "z9hG4bKa", ""));
	sip_txns_conn_down(b.txns, 3);
	respond(&b, 200);
	sip_txns_conn_down(b.txns, 4);
	expect(&b, "MESSAGE | > 200");
	sip_txns_conn_down(b.txns, 3);
	expect(&b, "> 200");
	clock_advance(b.clock, 5000);
	assert_int_equal(sip_txns_server_count(b.txns), 0);
	come(&b, request("MESSAGE", "z9hG4bKb", ""));
	respond(&b, 200);
	b.no_way = true;
	sip_txns_conn_down(b.txns, 3);
	expect(&b, "MESSAGE | > 200");
	clock_advance(b.clock, 10000);
	b.no_way = false;
	clock_advance(b.clock, 4000);
	expect(&b, "> 200");
	end(&b);
}

static void
test_server_full(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, 2);
	come(&b, request("MESSAGE", "z9hG4bKa", ""));
	come(&b, request("MESSAGE", "z9hG4bKb", ""));
	assert_int_equal(
	    come(&b, request("MESSAGE", "z9hG4bKc", "")), ERR_FULL);
	expect(&b, "MESSAGE | MESSAGE");
	end(&b);
}

/* --- client ------------------------------------------------------------- */

static struct sip_client_txn *
start(struct bench *b, enum sip_method method, const char *branch, int want)
{
	struct sip_build_request r = { .uri = "sip:anna@contoso.example",
		.sent_by = "gw1.contoso.example:5061",
		.from = "<sip:bo@partner.example>;tag=us",
		.to = "<sip:anna@contoso.example>",
		.call_id = "ours",
		.cseq = 4,
		.content_type = "text/plain",
		.body = "hi",
		.body_len = 2 };
	struct sip_client_opts o = { .method = method,
		.branch = branch,
		.call_id = "ours",
		.movable = b->movable,
		.fn = on_client,
		.arg = b };
	static char route[] = "sip:pool.contoso.example;lr";
	static char *const routes[] = { route };
	struct sip_client_txn *t = NULL;
	struct buf text;

	r.method = sip_method_name(method);
	r.branch = branch;
	r.routes = routes;
	r.route_count = 1;
	buf_init(&text, 0);
	assert_int_equal(sip_build_request(&text, &r), 0);
	o.text = text.data;
	o.len = text.len;
	assert_int_equal(sip_client_start(&t, b->txns, &o), want);
	buf_finish(&text);
	return t;
}

static const char *
response(int status, const char *method, const char *branch)
{
	static char text[1024];

	snprintf(text, sizeof(text),
	    "SIP/2.0 %d x\r\n"
	    "Via: SIP/2.0/TLS gw1.contoso.example:5061;branch=%s\r\n"
	    "From: <sip:bo@partner.example>;tag=us\r\n"
	    "To: <sip:anna@contoso.example>;tag=them\r\n"
	    "Call-ID: ours\r\nCSeq: 4 %s\r\nContent-Length: 0\r\n\r\n",
	    status, branch, method);
	return text;
}

static void
test_client_other(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, 100);
	start(&b, SIP_MESSAGE, "z9hG4bK1", 0);
	clock_advance(b.clock, 10000); /* over TLS nothing is repeated */
	assert_int_equal(come(&b, response(100, "MESSAGE", "z9hG4bK1")), 0);
	/* Of another method or branch: nobody's. */
	assert_int_equal(
	    come(&b, response(200, "INFO", "z9hG4bK1")), ERR_NOT_FOUND);
	assert_int_equal(
	    come(&b, response(200, "MESSAGE", "z9hG4bK9")), ERR_NOT_FOUND);
	assert_int_equal(come(&b, response(202, "MESSAGE", "z9hG4bK1")), 0);
	expect(&b, "> MESSAGE | provisional 100 | final 202 | ended");
	assert_int_equal(
	    come(&b, response(200, "MESSAGE", "z9hG4bK1")), ERR_NOT_FOUND);
	/* Timer F is not moved by a 100. */
	start(&b, SIP_INFO, "z9hG4bK2", 0);
	clock_advance(b.clock, 20000);
	come(&b, response(100, "INFO", "z9hG4bK2"));
	clock_advance(b.clock, 11999);
	expect(&b, "> INFO | provisional 100");
	clock_advance(b.clock, 1);
	expect(&b, "timeout | ended");
	assert_int_equal(sip_txns_client_count(b.txns), 0);
	end(&b);
}

static void
test_client_invite(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, 100);
	start(&b, SIP_INVITE, "z9hG4bK1", 0);
	clock_advance(b.clock, 31000);
	come(&b, response(101, "INVITE", "z9hG4bK1"));
	clock_advance(b.clock, 89000);
	come(&b, response(180, "INVITE", "z9hG4bK1"));
	clock_advance(b.clock, 89000);
	come(&b, response(200, "INVITE", "z9hG4bK1"));
	expect(&b, "> INVITE | provisional 101 | provisional 180 | final 200");
	come(&b, response(200, "INVITE", "z9hG4bK1"));
	expect(&b, "again 200");
	clock_advance(b.clock, 32000);
	expect(&b, "ended");
	end(&b);
}

static void
test_client_invite_refused(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, 100);
	start(&b, SIP_INVITE, "z9hG4bK1", 0);
	come(&b, response(486, "INVITE", "z9hG4bK1"));
	expect(&b, "> INVITE | > ACK | final 486 | ended");
	assert_string_equal(b.last,
	    "ACK sip:anna@contoso.example SIP/2.0\r\n"
	    "Via: SIP/2.0/TLS gw1.contoso.example:5061;branch=z9hG4bK1\r\n"
	    "Max-Forwards: 70\r\n"
	    "Route: <sip:pool.contoso.example;lr>\r\n"
	    "From: <sip:bo@partner.example>;tag=us\r\n"
	    "To: <sip:anna@contoso.example>;tag=them\r\n"
	    "Call-ID: ours\r\n"
	    "CSeq: 4 ACK\r\n"
	    "Content-Length: 0\r\n\r\n");
	end(&b);
}

static void
test_client_invite_timeouts(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, 100);
	/* Never answered at all. */
	start(&b, SIP_INVITE, "z9hG4bK1", 0);
	clock_advance(b.clock, 31999);
	expect(&b, "> INVITE");
	clock_advance(b.clock, 1);
	expect(&b, "timeout | ended");
	/* Rings for too long: cancelled, and the 487 acknowledged. */
	start(&b, SIP_INVITE, "z9hG4bK2", 0);
	come(&b, response(180, "INVITE", "z9hG4bK2"));
	clock_advance(b.clock, 90000);
	expect(&b, "> INVITE | provisional 180 | > CANCEL | timeout");
	come(&b, response(200, "CANCEL", "z9hG4bK2"));
	come(&b, response(487, "INVITE", "z9hG4bK2"));
	expect(&b, "> ACK | final 487 | ended");
	assert_int_equal(sip_txns_client_count(b.txns), 0);
	end(&b);
}

static void
test_client_cancel(void **state)
{
	struct sip_client_txn *t;
	struct bench b;

	(void)state;
	begin(&b, 100);
	/* Not before a provisional answer (RFC 3261 9.1). */
	t = start(&b, SIP_INVITE, "z9hG4bK1", 0);
	sip_client_cancel(t);
	sip_client_cancel(t);
	expect(&b, "> INVITE");
	come(&b, response(100, "INVITE", "z9hG4bK1"));
	expect(&b, "> CANCEL | provisional 100");
	assert_non_null(strstr(b.last, ";branch=z9hG4bK1\r\n"));
	assert_non_null(strstr(b.last, "CSeq: 4 CANCEL\r\n"));
	/* The 200 crosses. */
	come(&b, response(200, "INVITE", "z9hG4bK1"));
	expect(&b, "final 200");
	clock_advance(b.clock, 32000);
	expect(&b, "ended");
	/* After a provisional at once; nobody ever answers. */
	t = start(&b, SIP_INVITE, "z9hG4bK2", 0);
	come(&b, response(180, "INVITE", "z9hG4bK2"));
	sip_client_cancel(t);
	expect(&b, "> INVITE | provisional 180 | > CANCEL");
	clock_advance(b.clock, 32000);
	expect(&b, "timeout | ended");
	assert_int_equal(sip_txns_client_count(b.txns), 0);
	end(&b);
}

#define LONG "z9hG4bK0123456789abcdef"

/* The branch of what left last. */
static const char *
last_branch(const struct bench *b)
{
	static char branch[64];
	const char *p = strstr(b->last, ";branch=");

	assert_non_null(p);
	snprintf(
	    branch, sizeof(branch), "%.*s", (int)strcspn(p + 8, "\r"), p + 8);
	return branch;
}

/* 503 from one front end: the next one gets the request, the owner hears
 * nothing of it. */
static void
test_client_moved(void **state)
{
	struct bench b;
	char branch[64];

	(void)state;
	begin(&b, 100);
	b.others = b.movable = true;
	start(&b, SIP_INVITE, LONG, 0);
	come(&b, response(180, "INVITE", LONG));
	b.conn = 8;
	come(&b, response(503, "INVITE", LONG));
	expect(&b, "> INVITE | provisional 180 | > ACK | > INVITE");
	assert_int_equal(b.avoided, 7);
	assert_string_equal(strstr(b.last, "\r\n\r\n"), "\r\n\r\nhi");
	assert_non_null(strstr(b.last, "\r\nCSeq: 4 INVITE\r\n"));
	snprintf(branch, sizeof(branch), "%s", last_branch(&b));
	assert_string_not_equal(branch, LONG);
	assert_int_equal(strlen(branch), strlen(LONG));
	/* The first one has no more to say. */
	assert_int_equal(
	    come(&b, response(503, "INVITE", LONG)), ERR_NOT_FOUND);
	come(&b, response(200, "INVITE", branch));
	expect(&b, "final 200");
	clock_advance(b.clock, 32000);
	expect(&b, "ended");
	assert_int_equal(b.judged, 2);
	assert_int_equal(sip_txns_client_count(b.txns), 0);
	end(&b);
}

/* It goes round three times and no more, and not at all when that makes no
 * sense. */
static void
test_client_not_moved(void **state)
{
	struct sip_client_txn *t;
	struct bench b;
	char branch[64];

	(void)state;
	begin(&b, 100);
	b.others = b.movable = true;
	start(&b, SIP_SUBSCRIBE, LONG, 0);
	for (int i = 0; i < 3; i++) {
		snprintf(branch, sizeof(branch), "%s", last_branch(&b));
		come(&b, response(503, "SUBSCRIBE", branch));
	}
	expect(&b, "> SUBSCRIBE | > SUBSCRIBE | > SUBSCRIBE | > SUBSCRIBE");
	snprintf(branch, sizeof(branch), "%s", last_branch(&b));
	come(&b, response(503, "SUBSCRIBE", branch));
	expect(&b, "final 503 | ended");
	/* Nobody can take it. */
	start(&b, SIP_INVITE, LONG, 0);
	b.send_rc = ERR_CLOSED;
	come(&b, response(503, "INVITE", LONG));
	expect(&b, "> INVITE | > ACK | final 503 | ended");
	b.send_rc = 0;
	/* Cancelled meanwhile. */
	t = start(&b, SIP_INVITE, LONG, 0);
	sip_client_cancel(t);
	come(&b, response(503, "INVITE", LONG));
	expect(&b, "> INVITE | > ACK | final 503 | ended");
	/* Another answer is nobody's fault. */
	start(&b, SIP_SUBSCRIBE, LONG, 0);
	come(&b, response(500, "SUBSCRIBE", LONG));
	expect(&b, "> SUBSCRIBE | final 500 | ended");
	/* Within a dialog. */
	b.movable = false;
	start(&b, SIP_MESSAGE, LONG, 0);
	come(&b, response(503, "MESSAGE", LONG));
	expect(&b, "> MESSAGE | final 503 | ended");
	assert_int_equal(sip_txns_client_count(b.txns), 0);
	end(&b);
}

/* A connection that breaks: what has shown nothing yet goes elsewhere. */
static void
test_client_moved_when_broken(void **state)
{
	struct bench b;
	char branch[64];

	(void)state;
	begin(&b, 100);
	b.others = b.movable = true;
	start(&b, SIP_INVITE, "z9hG4bK0123456789abcd-1", 0);
	come(&b, response(100, "INVITE", "z9hG4bK0123456789abcd-1"));
	start(&b, SIP_INVITE, "z9hG4bK0123456789abcd-2", 0);
	come(&b, response(180, "INVITE", "z9hG4bK0123456789abcd-2"));
	start(&b, SIP_MESSAGE, "z9hG4bK0123456789abcd-3", 0);
	expect(&b, "> INVITE | provisional 100 | > INVITE | provisional 180 | "
		   "> MESSAGE");
	b.conn = 8;
	sip_txns_conn_down(b.txns, 7);
	expect(&b, "> INVITE | transport | ended | transport | ended");
	assert_true(b.outcome.broken);
	snprintf(branch, sizeof(branch), "%s", last_branch(&b));
	sip_txns_conn_down(b.txns, 7); /* it is not there any more */
	expect(&b, "");
	come(&b, response(486, "INVITE", branch));
	expect(&b, "> ACK | final 486 | ended");
	/* In time, without a word: told as silent. */
	start(&b, SIP_INVITE, LONG, 0);
	clock_advance(b.clock, 32000);
	expect(&b, "> INVITE | timeout | ended");
	assert_true(b.outcome.silent && !b.outcome.broken);
	assert_null(b.outcome.response);
	end(&b);
}

static void
test_client_connection(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, 100);
	start(&b, SIP_MESSAGE, "z9hG4bK1", 0);
	start(&b, SIP_INVITE, "z9hG4bK2", 0);
	start(&b, SIP_INVITE, "z9hG4bK3", 0);
	come(&b, response(200, "INVITE", "z9hG4bK3"));
	b.conn = 8;
	start(&b, SIP_MESSAGE, "z9hG4bK4", 0);
	expect(&b, "> MESSAGE | > INVITE | > INVITE | final 200 | > MESSAGE");
	/* All that wait on it, at once; not those answered or elsewhere. */
	sip_txns_conn_down(b.txns, 7);
	expect(&b, "transport | ended | transport | ended");
	come(&b, response(200, "MESSAGE", "z9hG4bK4"));
	expect(&b, "final 200 | ended");
	/* No connection, no transaction, no event. */
	b.send_rc = ERR_CLOSED;
	start(&b, SIP_MESSAGE, "z9hG4bK5", ERR_CLOSED);
	start(&b, SIP_INVITE, "z9hG4bK6", ERR_CLOSED);
	expect(&b, "");
	assert_int_equal(sip_txns_client_count(b.txns), 1);
	end(&b);
	expect(&b, "ended");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_server_other),
		cmocka_unit_test(test_server_keys),
		cmocka_unit_test(test_server_merged),
		cmocka_unit_test(test_server_invite_refused),
		cmocka_unit_test(test_server_invite_accepted),
		cmocka_unit_test(test_server_cancel),
		cmocka_unit_test(test_server_answer_without_connection),
		cmocka_unit_test(test_server_answer_on_a_connection_that_broke),
		cmocka_unit_test(test_server_full),
		cmocka_unit_test(test_client_other),
		cmocka_unit_test(test_client_invite),
		cmocka_unit_test(test_client_invite_refused),
		cmocka_unit_test(test_client_invite_timeouts),
		cmocka_unit_test(test_client_cancel),
		cmocka_unit_test(test_client_moved),
		cmocka_unit_test(test_client_not_moved),
		cmocka_unit_test(test_client_moved_when_broken),
		cmocka_unit_test(test_client_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
