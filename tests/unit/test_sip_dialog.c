/* sip_dialog and sip_sdp. */
#include "frontend-gateway/sip/sip_dialog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/buf.h"
#include "common/err.h"
#include "frontend-gateway/sip/sip_build.h"
#include "frontend-gateway/sip/sip_image.h"
#include "frontend-gateway/sip/sip_sdp.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define ROUTE1                                                                 \
	"sip:pool01.lync.example:5061;transport=tls;ms-fe=fe01.lync.example;"  \
	"opaque=state:F:Ci.R1a2b00;lr;ms-route-sig=ab-_C=="
#define GRUU "sip:alice@lync.example;opaque=user:epid:ExampleEpid1234AA;gruu"

static struct sip_msg *
parse(const char *head)
{
	struct sip_msg *m;

	assert_int_equal(
	    sip_msg_parse(&m, (const uint8_t *)head, strlen(head), NULL, 0), 0);
	assert_int_equal(sip_msg_defect(m, NULL), 0);
	return m;
}

static const char invite[] =
    "INVITE sip:bob@xmpp.example SIP/2.0\r\n"
    "Via: SIP/2.0/TLS 192.0.2.20:50233;branch=z9hG4bK1\r\n"
    "Record-Route: <" ROUTE1 ">;tag=9F0C;ms-rrsig=x\r\n"
    "From: \"Alice\"<sip:alice@lync.example>;tag=0a1b;epid=99aa88bb77\r\n"
    "To: <sip:bob@xmpp.example>;epid=77\r\n"
    "Call-ID: c1\r\n"
    "CSeq: 5 INVITE\r\n"
    "Contact: <" GRUU ">\r\n"
    "Record-Route: <sip:proxy2.lync.example;lr>\r\n"
    "Content-Length: 0\r\n\r\n";

static char *
request(struct sip_dialog *d, enum sip_method method, uint32_t cseq)
{
	struct sip_build_request r = { .sent_by = "gw:5061",
		.branch = "z9hG4bK2" };
	struct buf out;
	char *copy;

	buf_init(&out, 0);
	sip_dialog_fill(d, &r, method, cseq);
	assert_int_equal(sip_build_request(&out, &r), 0);
	copy = strdup(buf_cstr(&out));
	buf_finish(&out);
	return copy;
}

static void
test_uas(void **state)
{
	struct sip_msg *m = parse(invite);
	struct sip_dialog d;
	char *text;

	(void)state;
	assert_int_equal(sip_dialog_init_uas(&d, m, "us"), 0);
	assert_int_equal(d.state, SIP_DIALOG_CONFIRMED);
	text = request(&d, SIP_MESSAGE, 0);
	assert_string_equal(text,
	    "MESSAGE " GRUU " SIP/2.0\r\n"
	    "Via: SIP/2.0/TLS gw:5061;branch=z9hG4bK2\r\n"
	    "Max-Forwards: 70\r\n"
	    "Route: <" ROUTE1 ">\r\n"
	    "Route: <sip:proxy2.lync.example;lr>\r\n"
	    "From: <sip:bob@xmpp.example>;epid=77;tag=us\r\n"
	    "To: \"Alice\"<sip:alice@lync.example>;tag=0a1b;"
	    "epid=99aa88bb77\r\n"
	    "Call-ID: c1\r\n"
	    "CSeq: 1 MESSAGE\r\n"
	    "Content-Length: 0\r\n\r\n");
	free(text);
	text = request(&d, SIP_INFO, 0);
	assert_non_null(strstr(text, "CSeq: 2 INFO\r\n"));
	free(text);
	sip_dialog_finish(&d);
	sip_msg_free(m);
}

/* A SUBSCRIBE of ours, completed by its 2xx or by a NOTIFY. */
static void
test_half(void **state)
{
	static const char from[] = "<sip:bo@partner.example>;tag=us";
#define OK(tag, contact)                                                       \
	"SIP/2.0 200 OK\r\nVia: SIP/2.0/TLS gw:5061;branch=z9hG4bK2\r\n"       \
	"From: <sip:bo@partner.example>;tag=us\r\n"                            \
	"To: <sip:anna@contoso.example>" tag ";epid=7\r\nCall-ID: c3\r\n"      \
	"CSeq: 1 SUBSCRIBE\r\n" contact                                        \
	"Record-Route: <sip:near.example;lr>,<sip:far.example;lr>\r\n"         \
	"Content-Length: 0\r\n\r\n"
#define NOTIFY(tag, contact)                                                   \
	"NOTIFY sip:gw SIP/2.0\r\n"                                            \
	"Via: SIP/2.0/TLS fe:5061;branch=z9hG4bK3\r\n"                         \
	"From: <sip:anna@contoso.example>" tag ";epid=7\r\n"                   \
	"To: <sip:bo@partner.example>;tag=us\r\nCall-ID: c3\r\n"               \
	"CSeq: 9 NOTIFY\r\n" contact                                           \
	"Record-Route: <sip:far.example;lr>,<sip:near.example;lr>\r\n"         \
	"Content-Length: 0\r\n\r\n"
#define AT_GRUU "Contact: <" GRUU ">\r\n"
	static const struct {
		const char *text;
		int rc;
	} rows[] = {
		{ OK(";tag=them", AT_GRUU), 0 },
		{ NOTIFY(";tag=them", AT_GRUU), 0 },
		{ OK("", AT_GRUU), ERR_MALFORMED },
		{ OK(";tag=them", ""), ERR_MALFORMED },
		{ NOTIFY("", AT_GRUU), ERR_MALFORMED },
		{ NOTIFY(";tag=them", ""), ERR_MALFORMED },
	};
	struct sip_dialog d;
	struct sip_msg *m;
	char *text;

	(void)state;
	assert_int_equal(sip_dialog_init_half(&d, "<sip:bo@partner.example>",
			     "<sip:a@b>", "c3", "sip:a@b"),
	    ERR_MALFORMED);
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(
		    sip_dialog_init_half(&d, from, "<sip:anna@contoso.example>",
			"c3", "sip:anna@contoso.example"),
		    0);
		assert_true(sip_dialog_is_half(&d));
		text = request(&d, SIP_SUBSCRIBE, 0);
		assert_non_null(strstr(text, "CSeq: 1 SUBSCRIBE\r\n"));
		assert_non_null(
		    strstr(text, "\r\nTo: <sip:anna@contoso.example>\r\n"));
		assert_null(strstr(text, "Route: "));
		free(text);
		m = parse(rows[i].text);
		assert_int_equal(sip_dialog_complete(&d, m), rows[i].rc);
		assert_int_equal(sip_dialog_is_half(&d), rows[i].rc != 0);
		text = request(&d, SIP_SUBSCRIBE, 0);
		assert_non_null(strstr(text, "CSeq: 2 SUBSCRIBE\r\n"));
		if (rows[i].rc == 0) {
			assert_non_null(strstr(text,
			    "Route: <sip:far.example;lr>\r\nRoute: <sip:near"));
			assert_memory_equal(text, "SUBSCRIBE " GRUU " ", 40);
			assert_non_null(strstr(text,
			    "\r\nTo: <sip:anna@contoso.example>;tag=them"
			    ";epid=7\r\n"));
			assert_string_equal(d.remote_tag, "them");
		}
		free(text);
		sip_msg_free(m);
		sip_dialog_finish(&d);
	}
}

/* What is saved comes back, with the reserved numbers as used; nothing that
 * cannot be put in a message does. */
static void
test_saved(void **state)
{
	static const char *const spoilt[] = { "sip:a b", "<sip:bo@partner",
		"sip:x\r\nEvil: y", "" };
	struct sip_msg *m = parse(invite);
	struct sip_dialog d, again;
	struct sip_image im;
	struct buf out;
	char *before, *after, *kept;

	(void)state;
	buf_init(&out, 0);
	assert_int_equal(sip_dialog_init_uas(&d, m, "us"), 0);
	assert_true(sip_dialog_reserve(&d));
	assert_false(sip_dialog_reserve(&d));
	assert_int_equal(sip_dialog_save(&out, &d), 0);
	im = (struct sip_image){ .at = out.data, .left = out.len };
	assert_int_equal(sip_dialog_restore(&again, &im), 0);
	assert_true(sip_image_is_whole(&im));
	d.local_cseq = 128;
	before = request(&d, SIP_NOTIFY, 0);
	after = request(&again, SIP_NOTIFY, 0);
	assert_string_equal(before, after);
	assert_non_null(strstr(after, "CSeq: 129 NOTIFY"));
	free(before);
	free(after);
	assert_int_equal(d.id_len, again.id_len);
	assert_memory_equal(d.id, again.id, d.id_len);
	/* An older request than the last one saved is refused. */
	again.remote_cseq = 6;
	assert_int_equal(sip_dialog_accept_cseq(&again, m), 500);
	sip_dialog_finish(&again);
	kept = d.target;
	for (size_t i = 0; i < COUNT(spoilt); i++) {
		buf_clear(&out);
		d.target = strdup(spoilt[i]);
		assert_int_equal(sip_dialog_save(&out, &d), 0);
		free(d.target);
		im = (struct sip_image){ .at = out.data, .left = out.len };
		assert_int_equal(
		    sip_dialog_restore(&again, &im), ERR_MALFORMED);
	}
	d.target = kept;
	/* The tag of our own address is another one than the key's. */
	kept = strstr(d.local, "tag=us");
	assert_non_null(kept);
	kept[4] = 'x';
	buf_clear(&out);
	assert_int_equal(sip_dialog_save(&out, &d), 0);
	im = (struct sip_image){ .at = out.data, .left = out.len };
	assert_int_equal(sip_dialog_restore(&again, &im), ERR_MALFORMED);
	sip_dialog_finish(&d);
	buf_finish(&out);
	sip_msg_free(m);
}

#define RESPONSE(status, to, more)                                             \
	"SIP/2.0 " status "\r\n"                                               \
	"Via: SIP/2.0/TLS gw:5061;branch=z9hG4bK2\r\n"                         \
	"From: \"Bo\" <sip:bob@xmpp.example>;tag=us\r\n"                       \
	"To: <sip:alice@lync.example>" to "\r\n"                               \
	"Call-ID: c2\r\nCSeq: 1 INVITE\r\n" more "Content-Length: 0\r\n\r\n"

static void
test_uac(void **state)
{
	static const char from[] = "\"Bo\" <sip:bob@xmpp.example>;tag=us";
	struct sip_msg *ringing = parse(RESPONSE("180 Ringing",
	    ";tag=them;epid=e1", "Record-Route: <sip:early.example;lr>\r\n"));
	struct sip_msg *ok = parse(RESPONSE("200 OK", ";tag=them;epid=e1",
	    "Record-Route: <sip:near.example;lr>,<sip:far.example;lr>\r\n"
	    "Contact: <" GRUU ">\r\n"));
	struct sip_msg *bare = parse(RESPONSE("200 OK", ";tag=them", ""));
	struct sip_msg *untagged =
	    parse(RESPONSE("200 OK", "", "Contact: <" GRUU ">\r\n"));
	struct sip_dialog d;
	char *text;

	(void)state;
	assert_int_equal(
	    sip_dialog_init_uac(&d, bare, from, "sip:a@b"), ERR_MALFORMED);
	assert_int_equal(
	    sip_dialog_init_uac(&d, untagged, from, "sip:a@b"), ERR_MALFORMED);
	assert_int_equal(
	    sip_dialog_init_uac(&d, ringing, from, "sip:alice@lync.example"),
	    0);
	assert_int_equal(d.state, SIP_DIALOG_EARLY);
	assert_string_equal(d.target, "sip:alice@lync.example");
	assert_int_equal(sip_dialog_confirm(&d, bare), ERR_MALFORMED);
	assert_int_equal(sip_dialog_confirm(&d, ok), 0);
	assert_int_equal(d.state, SIP_DIALOG_CONFIRMED);
	text = request(&d, SIP_ACK, 1);
	assert_string_equal(text,
	    "ACK " GRUU " SIP/2.0\r\n"
	    "Via: SIP/2.0/TLS gw:5061;branch=z9hG4bK2\r\n"
	    "Max-Forwards: 70\r\n"
	    "Route: <sip:far.example;lr>\r\n"
	    "Route: <sip:near.example;lr>\r\n"
	    "From: \"Bo\" <sip:bob@xmpp.example>;tag=us\r\n"
	    "To: <sip:alice@lync.example>;tag=them;epid=e1\r\n"
	    "Call-ID: c2\r\n"
	    "CSeq: 1 ACK\r\n"
	    "Content-Length: 0\r\n\r\n");
	free(text);
	text = request(&d, SIP_MESSAGE, 0);
	assert_non_null(strstr(text, "CSeq: 2 MESSAGE\r\n"));
	free(text);
	sip_dialog_finish(&d);
	sip_msg_free(ringing);
	sip_msg_free(ok);
	sip_msg_free(bare);
	sip_msg_free(untagged);
}

static void
test_strict_route(void **state)
{
	struct sip_msg *m = parse(
	    "INVITE sip:bob@xmpp.example SIP/2.0\r\n"
	    "Via: SIP/2.0/TLS 192.0.2.20:50233;branch=z9hG4bK1\r\n"
	    "Record-Route: <sip:strict.example;x=lr>, <sip:b.example;lr>\r\n"
	    "From: <sip:alice@lync.example>;tag=1\r\n"
	    "To: <sip:bob@xmpp.example>\r\n"
	    "Call-ID: c1\r\nCSeq: 5 INVITE\r\nContact: <sip:al@ice.example>\r\n"
	    "Content-Length: 0\r\n\r\n");
	struct sip_dialog d;
	char *text;

	(void)state;
	assert_int_equal(sip_dialog_init_uas(&d, m, "us"), 0);
	for (int i = 0; i < 2; i++) {
		text = request(&d, SIP_INFO, 0);
		assert_memory_equal(
		    text, "INFO sip:strict.example;x=lr SIP", 32);
		assert_non_null(
		    strstr(text, "Route: <sip:b.example;lr>\r\n"
				 "Route: <sip:al@ice.example>\r\nFrom"));
		free(text);
	}
	sip_dialog_finish(&d);
	sip_msg_free(m);
}

#define IN_DIALOG(cseq, more)                                                  \
	"UPDATE sip:bob@gw SIP/2.0\r\n"                                        \
	"Via: SIP/2.0/TLS 192.0.2.20:50233;branch=z9hG4bK" cseq "\r\n"         \
	"From: <sip:alice@lync.example>;tag=0a1b\r\n"                          \
	"To: <sip:bob@xmpp.example>;tag=us\r\n"                                \
	"Call-ID: c1\r\nCSeq: " cseq " UPDATE\r\n" more                        \
	"Content-Length: 0\r\n\r\n"

static void
test_refresh_and_order(void **state)
{
	static const struct {
		const char *head;
		int refused;
	} rows[] = {
		{ IN_DIALOG("6", ""), 0 },
		{ IN_DIALOG("5", ""), 500 },
		{ IN_DIALOG("9", ""), 0 },
		{ IN_DIALOG("8", ""), 500 },
	};
	struct sip_msg *m = parse(invite);
	struct sip_msg *update = parse(
	    IN_DIALOG("20", "Record-Route: <sip:pool02.lync.example;lr>\r\n"
			    "Contact: <sip:new@lync.example;gruu>\r\n"));
	struct sip_dialog d;

	(void)state;
	assert_int_equal(sip_dialog_init_uas(&d, m, "us"), 0);
	sip_msg_free(m);
	for (size_t i = 0; i < COUNT(rows); i++) {
		m = parse(rows[i].head);
		assert_int_equal(
		    sip_dialog_accept_cseq(&d, m), rows[i].refused);
		assert_int_equal(sip_dialog_refresh(&d, m), 0);
		assert_int_equal(d.route_count, 2);
		assert_string_equal(d.target, GRUU);
		sip_msg_free(m);
	}
	assert_int_equal(sip_dialog_refresh(&d, update), 0);
	assert_int_equal(d.route_count, 1);
	assert_string_equal(d.routes[0], "sip:pool02.lync.example;lr");
	assert_string_equal(d.target, "sip:new@lync.example;gruu");
	sip_msg_free(update);
	sip_dialog_finish(&d);
}

static void
test_no_contact(void **state)
{
	struct sip_msg *m =
	    parse("INVITE sip:bob@xmpp.example SIP/2.0\r\n"
		  "Via: SIP/2.0/TLS 192.0.2.20:50233;branch=z9hG4bK1\r\n"
		  "From: <sip:alice@lync.example>;tag=1\r\n"
		  "To: <sip:bob@xmpp.example>\r\n"
		  "Call-ID: c1\r\nCSeq: 5 INVITE\r\n"
		  "Content-Length: 0\r\n\r\n");
	struct sip_dialog d;

	(void)state;
	assert_int_equal(sip_dialog_init_uas(&d, m, "us"), ERR_MALFORMED);
	sip_msg_free(m);
}

/* --- SDP ---------------------------------------------------------------- */

#define V      "v=0\r\no=- 0 0 IN IP4 192.0.2.1\r\ns=session\r\n"
#define OTHER  SIP_SDP_OTHER
#define MSG    SIP_SDP_MESSAGE
#define OLDMSG SIP_SDP_X_MESSAGE
#define PLAIN  SIP_SDP_BIT(SIP_SDP_PLAIN)
#define HTML   SIP_SDP_BIT(SIP_SDP_HTML)
#define RTF    SIP_SDP_BIT(SIP_SDP_RTF)
#define ALT    SIP_SDP_BIT(SIP_SDP_ALTERNATIVE)
#define IMDN   SIP_SDP_BIT(SIP_SDP_IMDN)
#define EVERY  (PLAIN | HTML | RTF | ALT | IMDN)

static const struct {
	const char *text;
	int rc;
	enum sip_sdp_kind kind;
	size_t media, others;
	unsigned accepts;
	const char *accept;
} sdps[] = {
	{ V "m=message 5060 sip null\r\na=accept-types:text/plain "
	    "multipart/alternative image/gif Text/RTF \r\n",
	    0, MSG, 1, 0, PLAIN | RTF | ALT,
	    "text/plain multipart/alternative image/gif text/rtf" },
	{ V "m=message 5060 sip null", 0, MSG, 1, 0, PLAIN, "" },
	{ V "m=message 5060 sip sip:a@b\r\n", 0, MSG, 1, 0, PLAIN, "" },
	{ "v=0\nm=x-ms-message 5060 sip null\na=accept-types:text/html\n", 0,
	    OLDMSG, 1, 0, HTML, "text/html" },
	{ V "m=message 5060 sip null\r\na=accept-types:*\r\n", 0, MSG, 1, 0,
	    EVERY, "*" },
	{ V "m=audio 50000 RTP/AVP 0 8\r\nm=message 5060 sip null\r\n", 0, MSG,
	    2, 1, PLAIN, "" },
	{ V "m=audio 0 RTP/AVP 0\r\nm=message 5060 sip null\r\n", 0, MSG, 2, 0,
	    PLAIN, "" },
	{ V "m=audio 50000/2 RTP/SAVP 0\r\n", 0, OTHER, 1, 1, PLAIN, "" },
	{ V "m=message 2855 TCP/MSRP *\r\n", 0, OTHER, 1, 1, PLAIN, "" },
	{ V "a=accept-types:text/html\r\nm=message 5060 sip null\r\n", 0, MSG,
	    1, 0, PLAIN, "" },
	{ V "m=message 1 sip null\r\nm=video 2 RTP/AVP 0\r\n"
	    "a=accept-types:text/html\r\n",
	    0, MSG, 2, 1, PLAIN, "" },
	{ V "m=message 1 sip null\r\na=accept-types:text/* multipart/*\r\n", 0,
	    MSG, 1, 0, PLAIN | HTML | RTF | ALT, "text/* multipart/*" },
	{ V "m=message 1 sip null\r\na=accept-types:image/gif\r\n", 0, MSG, 1,
	    0, 0, "image/gif" },
	{ V "m=message 1 sip null\r\n"
	    "a=accept-types:application/ms-imdn+xml\r\n",
	    0, MSG, 1, 0, IMDN, "application/ms-imdn+xml" },
	{ V "m=aud\x01io 1 RTP/AVP 0\r\n", ERR_MALFORMED, 0, 0, 0, 0, NULL },
	{ V, ERR_MALFORMED, 0, 0, 0, 0, NULL },
	{ "", ERR_MALFORMED, 0, 0, 0, 0, NULL },
	{ "v=", ERR_MALFORMED, 0, 0, 0, 0, NULL },
	{ "m=message 5060 sip null\r\n", ERR_MALFORMED, 0, 0, 0, 0, NULL },
	{ V "m=\r\n", ERR_MALFORMED, 0, 0, 0, 0, NULL },
	{ V "m=message\r\n", ERR_MALFORMED, 0, 0, 0, 0, NULL },
	{ V "m=message x sip null\r\n", ERR_MALFORMED, 0, 0, 0, 0, NULL },
	{ V "nonsense\r\nm=message 1 sip null\r\n", ERR_MALFORMED, 0, 0, 0, 0,
	    NULL },
};

static void
test_sdp(void **state)
{
	struct sip_sdp sdp;
	int rc;

	(void)state;
	for (size_t i = 0; i < COUNT(sdps); i++) {
		rc = sip_sdp_parse(
		    &sdp, (const uint8_t *)sdps[i].text, strlen(sdps[i].text));
		if (rc != sdps[i].rc)
			fail_msg("row %zu: %d", i, rc);
		if (rc < 0)
			continue;
		assert_int_equal(sdp.kind, sdps[i].kind);
		assert_int_equal(sdp.media, sdps[i].media);
		assert_int_equal(sdp.others, sdps[i].others);
		assert_int_equal(sdp.accepts, sdps[i].accepts);
		assert_string_equal(sdp.accept_types, sdps[i].accept);
	}
}

static void
test_sdp_bounds(void **state)
{
	static char long_list[4096];
	struct sip_sdp sdp;
	size_t n;

	(void)state;
	n = (size_t)snprintf(long_list, sizeof(long_list),
	    "v=0\r\nm=message 1 sip null\r\na=accept-types:");
	memset(long_list + n, 'x', sizeof(long_list) - n);
	assert_int_equal(
	    sip_sdp_parse(&sdp, (const uint8_t *)long_list, sizeof(long_list)),
	    ERR_TOO_LONG);
	assert_int_equal(
	    sip_sdp_parse(&sdp, (const uint8_t *)"v=0", SIP_SDP_MAX + 1),
	    ERR_TOO_LONG);
	n = (size_t)snprintf(long_list, sizeof(long_list), "v=0\r\n");
	while (n + 24 < sizeof(long_list))
		n += (size_t)snprintf(long_list + n, sizeof(long_list) - n,
		    "m=audio 1 RTP/AVP 0\r\n");
	assert_int_equal(
	    sip_sdp_parse(&sdp, (const uint8_t *)long_list, n), ERR_TOO_LONG);
}

/* Every line of an offer has its own in the answer (RFC 3264 6). */
static void
test_sdp_beside_messages(void **state)
{
	static const char text[] =
	    V "m=audio 50000 RTP/SAVP 117 0 101\r\n"
	      "a=rtpmap:0 PCMU/8000\r\n"
	      "m=message 5060 sip null\r\n"
	      "m=applicationsharing 4 TCP/RTP/AVP 127\r\n"
	      "m=data 5 RTP/AVP\r\n"
	      "m=video 0 RTP/AVP 34\r\n"
	      "m=message 5062 sip null\r\n";
	static const char want[] = "t=0 0\r\n"
				   "m=audio 0 RTP/SAVP 117\r\n"
				   "m=message 5061 sip null\r\n"
				   "a=accept-types:text/plain\r\n"
				   "m=applicationsharing 0 TCP/RTP/AVP 127\r\n"
				   "m=data 0 RTP/AVP 0\r\n"
				   "m=video 0 RTP/AVP 34\r\n"
				   "m=message 0 sip null\r\n";
	static const struct {
		const char *line;
		unsigned offered;
	} lines[] = {
		{ "m=audio 1 RTP/AVP 0", SIP_SDP_AUDIO },
		{ "m=Video 1 RTP/AVP 0", SIP_SDP_VIDEO },
		{ "m=data 1 RTP/AVP 0", SIP_SDP_DATA },
		{ "m=image 1 udptl t38", SIP_SDP_UNKNOWN },
		{ "m=audio 0 RTP/AVP 0", 0 },
	};
	char one[256];
	struct sip_sdp offer;
	struct buf out;

	(void)state;
	assert_int_equal(
	    sip_sdp_parse(&offer, (const uint8_t *)text, sizeof(text) - 1), 0);
	assert_int_equal(
	    offer.offered, SIP_SDP_AUDIO | SIP_SDP_SHARING | SIP_SDP_DATA);
	buf_init(&out, 0);
	assert_int_equal(sip_sdp_answer(&out, &offer, "gw.example", 5061, NULL,
			     "text/plain"),
	    0);
	assert_string_equal(strstr(buf_cstr(&out), "t=0 0\r\n"), want);
	buf_finish(&out);
	for (size_t i = 0; i < COUNT(lines); i++) {
		snprintf(one, sizeof(one), V "%s\r\n", lines[i].line);
		assert_int_equal(
		    sip_sdp_parse(&offer, (const uint8_t *)one, strlen(one)),
		    0);
		assert_int_equal(offer.offered, lines[i].offered);
	}
}

static void
test_sdp_write(void **state)
{
	static const char want[] = "v=0\r\n"
				   "o=- 0 0 IN IP4 gw.example\r\n"
				   "s=session\r\n"
				   "c=IN IP4 gw.example\r\n"
				   "t=0 0\r\n"
				   "m=message 5061 sip sip:bo@p\r\n"
				   "a=accept-types:text/plain\r\n";
	struct sip_sdp offer = { .kind = SIP_SDP_MESSAGE }, again;
	struct buf out;

	(void)state;
	buf_init(&out, 0);
	assert_int_equal(sip_sdp_answer(&out, &offer, "gw.example", 5061,
			     "sip:bo@p", "text/plain"),
	    0);
	assert_string_equal(buf_cstr(&out), want);
	buf_clear(&out);
	offer.kind = SIP_SDP_X_MESSAGE;
	sip_sdp_answer(&out, &offer, "2001:db8::1", 5061, NULL, "text/plain");
	assert_non_null(strstr(buf_cstr(&out), "c=IN IP6 2001:db8::1\r\n"));
	assert_non_null(
	    strstr(buf_cstr(&out), "m=x-ms-message 5061 sip null\r\n"));
	buf_clear(&out);
	sip_sdp_offer(&out, "gw.example", 5061, "text/plain");
	assert_int_equal(sip_sdp_parse(&again, out.data, out.len), 0);
	assert_int_equal(again.kind, SIP_SDP_MESSAGE);
	assert_int_equal(again.accepts, PLAIN);
	buf_finish(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uas),
		cmocka_unit_test(test_uac),
		cmocka_unit_test(test_half),
		cmocka_unit_test(test_saved),
		cmocka_unit_test(test_strict_route),
		cmocka_unit_test(test_refresh_and_order),
		cmocka_unit_test(test_no_contact),
		cmocka_unit_test(test_sdp),
		cmocka_unit_test(test_sdp_bounds),
		cmocka_unit_test(test_sdp_beside_messages),
		cmocka_unit_test(test_sdp_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
