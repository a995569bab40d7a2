/* sip_msg, sip_text: the leniencies of the parser beneath are closed, and what
 * has to come back byte for byte is kept so. */
#include "frontend-gateway/sip/sip_msg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/buf.h"
#include "common/err.h"
#include "frontend-gateway/sip/sip_build.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int
parse(struct sip_msg **out, const char *head, const char *body)
{
	return sip_msg_parse(out, (const uint8_t *)head, strlen(head),
	    (const uint8_t *)body, strlen(body));
}

/* --- addresses, parameters, URIs ---------------------------------------- */

static const struct {
	const char *uri;
	int rc;
} uris[] = {
	{ "sip:anna@contoso.example", 0 },
	{ "sips:anna@contoso.example", 0 },
	{ "SIP:anna@contoso.example", 0 },
	{ "sip:contoso.example", 0 },
	{ "sip:contoso.example:5061;transport=tls", 0 },
	{ "sip:anna:secret@contoso.example:5061;a=b?c=d", 0 },
	{ "sip:a%40b@h", 0 },
	{ "sip:anna@[2001:db8::1]:5061", 0 },
	{ "sip:fe01_a.contoso.example", 0 },
	{ "sip:alice@lync.example;opaque=user:epid:ExampleEpid1234AA;gruu", 0 },
	{ "sip:a;b=c@h", 0 },
	{ "tel:+15551234", 0 },
	{ "im:anna@contoso.example", 0 },
	{ "sip:a%00b@h", ERR_MALFORMED },
	{ "sip:a%4@h", ERR_MALFORMED },
	{ "sip:a%zz@h", ERR_MALFORMED },
	{ "sip:a@h;x=%", ERR_MALFORMED },
	{ "sip:a@h;x=%00", ERR_MALFORMED },
	{ "sip:a@b@c", ERR_MALFORMED },
	{ "sip:@h", ERR_MALFORMED },
	{ "sip::pw@h", ERR_MALFORMED },
	{ "sip:a@", ERR_MALFORMED },
	{ "sip:", ERR_MALFORMED },
	{ "sip:a@h:-1", ERR_MALFORMED },
	{ "sip:a@h:0", ERR_MALFORMED },
	{ "sip:a@h:99999", ERR_MALFORMED },
	{ "sip:a@h:65536", ERR_MALFORMED },
	{ "sip:a@h:", ERR_MALFORMED },
	{ "sip:a@h:50 61", ERR_MALFORMED },
	{ "sip:a@h_o/st", ERR_MALFORMED },
	{ "sip:a@.h", ERR_MALFORMED },
	{ "sip:a@[::1", ERR_MALFORMED },
	{ "sip:a@[]", ERR_MALFORMED },
	{ "sip:a@[g::1]", ERR_MALFORMED },
	{ "sip:a b@h", ERR_MALFORMED },
	{ "sip:a<b@h", ERR_MALFORMED },
	{ "sip:\xc3\xa9@h", ERR_MALFORMED },
	{ "anna@contoso.example", ERR_MALFORMED },
	{ "1sip:a@h", ERR_MALFORMED },
	{ "tel:%00", ERR_MALFORMED },
	{ "", ERR_MALFORMED },
};

static void
test_uris(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(uris); i++)
		if (sip_uri_check(uris[i].uri, strlen(uris[i].uri)) !=
		    uris[i].rc)
			fail_msg("%s", uris[i].uri);
}

static const struct {
	const char *text, *display, *uri, *params;
	int rc;
} addresses[] = {
	{ "<sip:a@h>", NULL, "sip:a@h", "", 0 },
	{ "sip:a@h", NULL, "sip:a@h", "", 0 },
	{ "sip:a@h;tag=1", NULL, "sip:a@h", ";tag=1", 0 },
	{ "<sip:a@h;lr>;tag=1;epid=2", NULL, "sip:a@h;lr", ";tag=1;epid=2", 0 },
	{ "\"Alice\"<sip:a@h>;tag=1", "\"Alice\"", "sip:a@h", ";tag=1", 0 },
	{ "Alice B <sip:a@h> ;tag=1", "Alice B", "sip:a@h", ";tag=1", 0 },
	{ "\"A <x> \\\" ;\" <sip:a@h>", "\"A <x> \\\" ;\"", "sip:a@h", "", 0 },
	{ " sip:a@h ; tag=1", NULL, "sip:a@h", "; tag=1", 0 },
	{ "\"open <sip:a@h>", NULL, NULL, NULL, ERR_MALFORMED },
	{ "<sip:a@h", NULL, NULL, NULL, ERR_MALFORMED },
	{ "<>", NULL, NULL, NULL, ERR_MALFORMED },
	{ "", NULL, NULL, NULL, ERR_MALFORMED },
	{ ";tag=1", NULL, NULL, NULL, ERR_MALFORMED },
	{ "<sip:a@h> tag=1", NULL, NULL, NULL, ERR_MALFORMED },
	{ "<sip:a@h>;a;;b", NULL, NULL, NULL, ERR_MALFORMED },
	{ "<sip:a@h>; ;b", NULL, NULL, NULL, ERR_MALFORMED },
	{ "<sip:a@h>;a;", NULL, "sip:a@h", ";a;", 0 },
	{ "sip:a,b@h", NULL, NULL, NULL, ERR_MALFORMED },
	{ "<sip:a,b@h>", NULL, "sip:a,b@h", "", 0 },
};

static void
assert_part(const char *want, const char *got, size_t len)
{
	if (want == NULL) {
		assert_null(got);
		return;
	}
	assert_int_equal(len, strlen(want));
	assert_memory_equal(got, want, len);
}

static void
test_addresses(void **state)
{
	struct sip_addr a;
	int rc;

	(void)state;
	for (size_t i = 0; i < COUNT(addresses); i++) {
		rc = sip_addr_read(
		    &a, addresses[i].text, strlen(addresses[i].text));
		if (rc != addresses[i].rc)
			fail_msg("%s: %d", addresses[i].text, rc);
		if (rc < 0)
			continue;
		assert_part(addresses[i].display, a.display, a.display_len);
		assert_part(addresses[i].uri, a.uri, a.uri_len);
		assert_part(addresses[i].params, a.params, a.params_len);
	}
}

static void
test_lists(void **state)
{
	static const struct {
		const char *text, *elements;
	} lists[] = {
		{ "a", "[a]" },
		{ " a , b,c ", "[a][b][c]" },
		{ ",, a,,b,", "[a][b]" },
		{ "\"x,y\" <sip:a,b@h>;p=\"1,2\", <sip:c@d>",
		    "[\"x,y\" <sip:a,b@h>;p=\"1,2\"][<sip:c@d>]" },
		{ "\"open, b", "[\"open][b]" },
		{ "", "" },
		{ " , ", "" },
	};
	char out[200];
	const char *at, *element;
	size_t len;

	(void)state;
	for (size_t i = 0; i < COUNT(lists); i++) {
		out[0] = '\0';
		at = lists[i].text;
		while (sip_list_next(&at, &element, &len))
			snprintf(out + strlen(out), sizeof(out) - strlen(out),
			    "[%.*s]", (int)len, element);
		assert_string_equal(out, lists[i].elements);
	}
}

static void
test_params(void **state)
{
	static const struct {
		const char *params, *name, *value;
		int rc;
	} rows[] = {
		{ ";tag=1;epid=2", "epid", "2", 0 },
		{ ";TAG=1", "tag", "1", 0 },
		{ "; tag = \"a b\" ;x", "tag", "a b", 0 },
		{ ";x=\"a;tag=9\";tag=1", "tag", "1", 0 },
		{ ";x=\"a\\\"b\"", "x", "a\"b", 0 },
		{ ";lr;x=1", "lr", "", 0 },
		{ ";lr=on", "lr", "on", 0 },
		{ ";tagx=1", "tag", NULL, ERR_NOT_FOUND },
		{ "", "tag", NULL, ERR_NOT_FOUND },
		{ ";a=12345678", "a", NULL, ERR_TOO_LONG },
	};
	char out[8];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(sip_param_get(out, sizeof(out), rows[i].params,
				     strlen(rows[i].params), rows[i].name),
		    rows[i].rc);
		if (rows[i].value != NULL)
			assert_string_equal(out, rows[i].value);
	}
}

static void
test_user_of_uri(void **state)
{
	const char *user;
	size_t len;

	(void)state;
	assert_int_equal(sip_uri_user(&user, &len, "sip:a%40b:pw@h"), 0);
	assert_int_equal(len, 5);
	assert_memory_equal(user, "a%40b", 5);
	assert_int_equal(sip_uri_user(&user, &len, "sip:h"), ERR_NOT_FOUND);
	assert_int_equal(sip_uri_user(&user, &len, "sip"), ERR_NOT_FOUND);
}

/* --- defects ------------------------------------------------------------ */

#define LINE  "MESSAGE sip:bo@partner.example SIP/2.0\r\n"
#define VIA   "Via: SIP/2.0/TLS fe1.contoso.example:5061;branch=z9hG4bK1\r\n"
#define FROM  "From: \"Anna\"<sip:anna@contoso.example>;tag=1;epid=2\r\n"
#define TO    "To: <sip:bo@partner.example>\r\n"
#define ID    "Call-ID: abc@h\r\n"
#define CSEQ  "CSeq: 1 MESSAGE\r\n"
#define END   "Content-Length: 0\r\n\r\n"
#define GOOD  LINE VIA FROM TO ID CSEQ
#define REPLY "SIP/2.0 200 OK\r\n" VIA FROM TO ID CSEQ END

/* rc of the parse, then the status it deserves. */
static const struct {
	const char *head;
	int rc, defect;
} heads[] = {
	{ GOOD END, 0, 0 },
	{ GOOD "Max-Forwards: 0\r\n" END, 0, 0 },
	{ REPLY, 0, 0 },
	/* Start line. */
	{ "MESSAGE sip:bo@partner.example SIP/3.0\r\n" VIA FROM TO ID CSEQ END,
	    0, 505 },
	{ "MESSAGE sip:bo@partner.example HTTP/1.1\r\n" VIA FROM TO ID CSEQ END,
	    0, 505 },
	{ "MESSAGE  sip:bo@partner.example SIP/2.0\r\n" VIA FROM TO ID CSEQ END,
	    0, 400 },
	{ "MESSAGE sip:bo@partner.example SIP/2.0 \r\n" VIA FROM TO ID CSEQ END,
	    0, 400 },
	{ "MESSAGE sip:bo@partner.example\r\n" VIA FROM TO ID CSEQ END, 0,
	    400 },
	{ "MES@SAGE sip:bo@partner.example SIP/2.0\r\n" VIA FROM TO ID CSEQ END,
	    0, 400 },
	{ "MESSAGE sip:a%00b@h SIP/2.0\r\n" VIA FROM TO ID CSEQ END, 0, 400 },
	{ "MESSAGE sip:a@b@c SIP/2.0\r\n" VIA FROM TO ID CSEQ END, 0, 400 },
	{ "MESSAGE <sip:a@b> SIP/2.0\r\n" VIA FROM TO ID CSEQ END, 0, 400 },
	{ "MESSAGE sip:a@b:99999 SIP/2.0\r\n" VIA FROM TO ID CSEQ END, 0, 400 },
	{ "MESSAGE sip:a@b?X=y SIP/2.0\r\n" VIA FROM TO ID CSEQ END, 0, 400 },
	{ "MESSAGE sip:b?X=y SIP/2.0\r\n" VIA FROM TO ID CSEQ END, 0, 400 },
	{ "MESSAGE sip:a?X@b SIP/2.0\r\n" VIA FROM TO ID CSEQ END, 0, 0 },
	{ "MESSAGE tel:+1555 SIP/2.0\r\n" VIA FROM TO ID CSEQ END, 0, 416 },
	{ "MESSAGE im:bo@partner.example SIP/2.0\r\n" VIA FROM TO ID CSEQ END,
	    0, 416 },
	{ "message sip:bo@partner.example SIP/2.0\r\n" VIA FROM TO ID CSEQ END,
	    0, 400 }, /* CSeq names another method */
	{ "SIP/2.0 099 Odd\r\n" VIA FROM TO ID CSEQ END, 0, 400 },
	{ "SIP/2.0 700 Odd\r\n" VIA FROM TO ID CSEQ END, 0, 400 },
	{ "SIP/2.0 20 OK\r\n" VIA FROM TO ID CSEQ END, 0, 400 },
	{ "SIP/2.0 2000 OK\r\n" VIA FROM TO ID CSEQ END, 0, 400 },
	{ "SIP/3.0 200 OK\r\n" VIA FROM TO ID CSEQ END, 0, 505 },
	/* Missing and double. */
	{ LINE FROM TO ID CSEQ END, ERR_MALFORMED, 0 },
	{ LINE VIA TO ID CSEQ END, 0, 400 },
	{ LINE VIA FROM ID CSEQ END, 0, 400 },
	{ LINE VIA FROM TO CSEQ END, 0, 400 },
	{ LINE VIA FROM TO ID END, 0, 400 },
	{ GOOD FROM END, 0, 400 },
	{ GOOD TO END, 0, 400 },
	{ GOOD ID END, 0, 400 },
	{ GOOD CSEQ END, 0, 400 },
	{ GOOD "Max-Forwards: 70\r\nMax-Forwards: 70\r\n" END, 0, 400 },
	{ LINE VIA FROM TO "Call-ID: \r\n" CSEQ END, 0, 400 },
	{ LINE VIA FROM TO "Call-ID: a b\r\n" CSEQ END, 0, 400 },
	/* CSeq. */
	{ LINE VIA FROM TO ID "CSeq: 1 INVITE\r\n" END, 0, 400 },
	{ LINE VIA FROM TO ID "CSeq: 1 message\r\n" END, 0, 400 },
	{ LINE VIA FROM TO ID "CSeq: x MESSAGE\r\n" END, 0, 400 },
	{ LINE VIA FROM TO ID "CSeq: -1 MESSAGE\r\n" END, 0, 400 },
	{ LINE VIA FROM TO ID "CSeq: 2147483648 MESSAGE\r\n" END, 0, 400 },
	{ LINE VIA FROM TO ID "CSeq: 99999999999 MESSAGE\r\n" END, 0, 400 },
	{ LINE VIA FROM TO ID "CSeq: 1\r\n" END, 0, 400 },
	{ LINE VIA FROM TO ID "CSeq: 2147483647 MESSAGE\r\n" END, 0, 0 },
	/* Parties. */
	{ LINE VIA "From: <sip:a%zz@h>;tag=1\r\n" TO ID CSEQ END, 0, 400 },
	{ LINE VIA "From: <sip:a@h\r\n" TO ID CSEQ END, 0, 400 },
	{ LINE VIA "From: <>;tag=1\r\n" TO ID CSEQ END, 0, 400 },
	{ LINE VIA "From: A, B <sip:a@h>;tag=1\r\n" TO ID CSEQ END, 0, 400 },
	{ LINE VIA "From: \"A, B\" <sip:a@h>;tag=1\r\n" TO ID CSEQ END, 0, 0 },
	{ LINE VIA "From: A \xc3\xa4 <sip:a@h>;tag=1\r\n" TO ID CSEQ END, 0,
	    400 },
	{ LINE VIA "From: <sip:a@h>;tag=a b\r\n" TO ID CSEQ END, 0, 400 },
	{ LINE VIA "From: <sip:fe01.lync.example>\r\n" TO ID CSEQ END, 0, 0 },
	{ LINE VIA FROM "To: sip:bo@partner.example\r\n" ID CSEQ END, 0, 0 },
	{ LINE VIA FROM "To: <tel:+1555>\r\n" ID CSEQ END, 0, 0 },
	/* Via. */
	{ LINE
	    "Via: SIP/2.0/TLS fe1.contoso.example:5061\r\n" FROM TO ID CSEQ END,
	    0, 0 },
	{ LINE "Via: SIP/1.0/TLS fe1;branch=z9hG4bK1\r\n" FROM TO ID CSEQ END,
	    0, 400 },
	{ LINE "Via: nonsense\r\n" FROM TO ID CSEQ END, 0, 400 },
	{ LINE "Via: SIP/2.0/TLS fe1;;branch=z9hG4bK1\r\n" FROM TO ID CSEQ END,
	    0, 400 },
	{ "SIP/2.0 200 OK\r\n" VIA VIA FROM TO ID CSEQ END, 0, 400 },
	{ "SIP/2.0 200 OK\r\n"
	  "Via: SIP/2.0/TLS a;branch=z9hG4bK1, SIP/2.0/TLS b\r\n" FROM TO ID
		CSEQ END,
	    0, 400 },
	{ GOOD VIA END, 0, 0 },
	{ LINE "Via:\r\n" FROM TO ID CSEQ END, ERR_MALFORMED, 0 },
	/* Other headers. */
	{ GOOD "Max-Forwards: x\r\n" END, 0, 400 },
	{ GOOD "Max-Forwards: 1000\r\n" END, 0, 400 },
	{ GOOD "Contact: <sip:a@b@c>\r\n" END, 0, 400 },
	{ GOOD "Contact: *\r\n" END, 0, 0 },
	{ GOOD "Content-Type: nonsense\r\n" END, 0, 400 },
	{ GOOD "Bad Name: x\r\n" END, 0, 400 },
	{ GOOD ": x\r\n" END, 0, 400 },
	{ GOOD "no colon\r\n" END, 0, 400 },
	{ GOOD "Max-Forwards: 00068\r\n" END, 0, 0 },
	{ GOOD "Max-Forwards: 255\r\n" END, 0, 0 },
	{ GOOD "Max-Forwards: 256\r\n" END, 0, 400 },
	{ GOOD "Contact: <sip:a@h>;;x\r\n" END, 0, 400 },
	{ GOOD "Contact: <sip:a@h>;x=\";;\";y\r\n" END, 0, 0 },
	{ GOOD "Contact: sip:a@h?x=y\r\n" END, 0, 400 },
	{ GOOD "Contact: <sip:a@h?x=y>\r\n" END, 0, 0 },
	/* Seen in the wild, and fine. */
	{ GOOD "Supported:\r\n" END, 0, 0 },
	{ GOOD "ms-diagnostics: 1;reason =\"x\"\r\n" END, 0, 0 },
	{ GOOD "EndPoints: <sip:a@b>, <sip:c@d>\r\nRoster-Manager: sip:a@b\r\n"
	       "history-info: <sip:bob@xmpp.example>;index=1\r\n"
	       "ms-keep-alive: UAC;hop-hop=yes\r\n" END,
	    0, 0 },
	{ GOOD "Subject: Gr\xc3\xbc\xc3\x9f"
	       "e\r\n" END,
	    0, 0 },
	{ LINE VIA
	    "From: \"J\xc3\xb6rg\"<sip:anna@contoso.example>;tag=1\r\n" TO ID
		CSEQ END,
	    0, 0 },
	{ GOOD "P-Asserted-Identity: \"A\"<sip:a@b>,<tel:+1>\r\n" END, 0, 0 },
};

static void
test_defects(void **state)
{
	struct sip_msg *m;
	const char *what;
	int rc, defect;

	(void)state;
	for (size_t i = 0; i < COUNT(heads); i++) {
		rc = parse(&m, heads[i].head, "");
		if (rc != heads[i].rc)
			fail_msg("row %zu '%s': %d", i, heads[i].head, rc);
		if (rc < 0)
			continue;
		defect = sip_msg_defect(m, &what);
		if (defect != heads[i].defect)
			fail_msg("row %zu '%s': %d %s", i, heads[i].head,
			    defect, what);
		sip_msg_free(m);
	}
}

/* --- a real shape ------------------------------------------------------- */

static const char invite[] =
    "INVITE sip:bob@xmpp.example SIP/2.0\r\n"
    "Record-Route: <sip:pool01.lync.example:5061;transport=tls;ms-fe=fe01"
    ".lync.example;opaque=state:F:Ci.R77;lr;ms-route-sig=bX..>;tag=9F0C\r\n"
    "Via: SIP/2.0/TLS 192.0.2.20:50233;branch=z9hG4bK1111AAAA.2222BBBB;"
    "branched=FALSE;ms-internal-info=\"abCd..\"\r\n"
    "Max-Forwards: 68\r\n"
    "Content-Length: 5\r\n"
    "Via: SIP/2.0/TLS 198.51.100.7:52001;ms-received-port=52001;"
    "ms-received-cid=4C2100\r\n"
    "From: \"Al \\\"ice\"<sip:alice@lync.example>;tag=0a1b;epid=99aa88bb77\r\n"
    "t: <sip:bob@xmpp.example>;epid=77\r\n"
    "i: 5d2c90e1b7aa4c0f\r\n"
    "record-route: <sip:a;lr>,\r\n <sip:b;lr>\r\n"
    "CSeq: 1 INVITE\r\n"
    "Contact: <sip:alice@lync.example;opaque=user:epid:Example1234AA;gruu>\r\n"
    "Supported: ms-dialog-route-set-update\r\n"
    "ms-text-format: text/plain; charset=UTF-8; ms-body=SGVsbG8NCg==\r\n"
    "Supported: timer, Ms-Sender\r\n"
    "Ms-Conversation-ID:   AdExampleConvKey0123456789==  \r\n"
    "Content-Type: Application/SDP;call-type=im\r\n"
    "\r\n";

static void
test_invite(void **state)
{
	struct sip_msg *m;

	(void)state;
	assert_int_equal(parse(&m, invite, "v=0\r\n"), 0);
	assert_int_equal(sip_msg_defect(m, NULL), 0);
	assert_true(sip_msg_is_request(m));
	assert_int_equal(sip_msg_method(m), SIP_INVITE);
	assert_string_equal(sip_msg_uri(m), "sip:bob@xmpp.example");
	assert_string_equal(sip_msg_branch(m), "z9hG4bK1111AAAA.2222BBBB");
	assert_string_equal(sip_msg_sent_by(m), "192.0.2.20:50233");
	assert_string_equal(sip_msg_from_uri(m), "sip:alice@lync.example");
	assert_string_equal(sip_msg_from_tag(m), "0a1b");
	assert_string_equal(sip_msg_from_epid(m), "99aa88bb77");
	assert_string_equal(sip_msg_from_display(m), "Al \"ice");
	assert_string_equal(sip_msg_to_uri(m), "sip:bob@xmpp.example");
	assert_string_equal(sip_msg_to_tag(m), "");
	assert_string_equal(sip_msg_to_epid(m), "77");
	assert_string_equal(sip_msg_call_id(m), "5d2c90e1b7aa4c0f");
	assert_int_equal(sip_msg_cseq(m), 1);
	assert_string_equal(sip_msg_contact_uri(m),
	    "sip:alice@lync.example;opaque=user:epid:Example1234AA;gruu");
	assert_string_equal(sip_msg_content_type(m), "application/sdp");
	assert_int_equal(sip_msg_body_len(m), 5);
	assert_memory_equal(sip_msg_body(m), "v=0\r\n", 5);
	assert_string_equal(sip_msg_header(m, "ms-conversation-id", 0),
	    "AdExampleConvKey0123456789==");
	assert_string_equal(sip_msg_header(m, "Content-Length", 0), "5");
	assert_string_equal(
	    sip_msg_header(m, "c", 0), "Application/SDP;call-type=im");
	assert_string_equal(
	    sip_msg_header(m, "Record-Route", 1), "<sip:a;lr>,   <sip:b;lr>");
	assert_null(sip_msg_header(m, "Via", 2));
	assert_true(sip_msg_lists(m, "supported", "ms-sender"));
	assert_true(
	    sip_msg_lists(m, "Supported", "ms-dialog-route-set-update"));
	assert_false(sip_msg_lists(m, "Supported", "time"));
	sip_msg_free(m);
}

/* What an answer copies comes back byte for byte, in its order. */
static void
test_answer_copies(void **state)
{
	static const char want[] =
	    "SIP/2.0 200 OK\r\n"
	    "Via: SIP/2.0/TLS 192.0.2.20:50233;branch=z9hG4bK1111AAAA."
	    "2222BBBB;branched=FALSE;ms-internal-info=\"abCd..\"\r\n"
	    "Via: SIP/2.0/TLS 198.51.100.7:52001;ms-received-port=52001;"
	    "ms-received-cid=4C2100\r\n"
	    "Record-Route: <sip:pool01.lync.example:5061;transport=tls;"
	    "ms-fe=fe01.lync.example;opaque=state:F:Ci.R77;lr;"
	    "ms-route-sig=bX..>;tag=9F0C\r\n"
	    "Record-Route: <sip:a;lr>,   <sip:b;lr>\r\n"
	    "From: \"Al \\\"ice\"<sip:alice@lync.example>;tag=0a1b;"
	    "epid=99aa88bb77\r\n"
	    "To: <sip:bob@xmpp.example>;epid=77;tag=us\r\n"
	    "Call-ID: 5d2c90e1b7aa4c0f\r\n"
	    "CSeq: 1 INVITE\r\n"
	    "Contact: <sip:bob@gw>\r\n"
	    "X-Own: 1\r\n"
	    "X-More: 2\r\n"
	    "Content-Type: text/plain\r\n"
	    "Content-Length: 3\r\n"
	    "\r\nabc";
	static const struct sip_header own = { "X-Own", "1" };
	static const struct sip_header more = { "X-More", "2" };
	struct sip_build_response r = { .status = 200,
		.to_tag = "us",
		.contact = "<sip:bob@gw>",
		.own = &own,
		.own_count = 1,
		.headers = &more,
		.header_count = 1,
		.content_type = "text/plain",
		.body = "abc",
		.body_len = 3 };
	struct sip_msg *m;
	struct buf out;

	(void)state;
	assert_int_equal(parse(&m, invite, "v=0\r\n"), 0);
	r.request = m;
	buf_init(&out, 0);
	assert_int_equal(sip_build_response(&out, &r), 0);
	assert_string_equal(buf_cstr(&out), want);
	/* A 100 and an error carry no route, and a 100 no tag. */
	buf_clear(&out);
	r = (struct sip_build_response){
		.request = m, .status = 100, .to_tag = "us"
	};
	assert_int_equal(sip_build_response(&out, &r), 0);
	assert_null(strstr(buf_cstr(&out), "Record-Route"));
	assert_null(strstr(buf_cstr(&out), "tag=us"));
	assert_non_null(strstr(buf_cstr(&out), "100 Trying\r\n"));
	buf_clear(&out);
	r.status = 404;
	assert_int_equal(sip_build_response(&out, &r), 0);
	assert_null(strstr(buf_cstr(&out), "Record-Route"));
	assert_non_null(strstr(buf_cstr(&out), ";epid=77;tag=us\r\n"));
	buf_finish(&out);
	sip_msg_free(m);
}

/* No text can end its line and begin another. */
static void
test_no_injection(void **state)
{
	static const struct sip_header bad[] = {
		{ "X", "a\r\nVia: b" },
		{ "X\n", "a" },
		{ "X", "a\rb" },
	};
	struct sip_build_response r = { .status = 200, .header_count = 1 };
	struct sip_build_request q = { .method = "MESSAGE",
		.uri = "sip:a@b",
		.sent_by = "gw:5061",
		.branch = "z9hG4bK1",
		.from = "<sip:a@b>;tag=1",
		.to = "<sip:a@b>",
		.call_id = "x",
		.cseq = 1,
		.header_count = 1 };
	struct sip_msg *m;
	struct buf out;

	(void)state;
	assert_int_equal(parse(&m, GOOD END, ""), 0);
	r.request = m;
	buf_init(&out, 0);
	for (size_t i = 0; i < COUNT(bad); i++) {
		r.headers = q.headers = &bad[i];
		assert_int_equal(sip_build_response(&out, &r), ERR_MALFORMED);
		assert_int_equal(sip_build_request(&out, &q), ERR_MALFORMED);
	}
	r.header_count = q.header_count = 0;
	r.reason = "O\r\nK";
	q.uri = "sip:a@b\r\n";
	assert_int_equal(sip_build_response(&out, &r), ERR_MALFORMED);
	assert_int_equal(sip_build_request(&out, &q), ERR_MALFORMED);
	buf_finish(&out);
	sip_msg_free(m);
}

/* NEGOTIATE as a front end sends it. */
static void
test_negotiate(void **state)
{
	static const char text[] = "NEGOTIATE sip:192.0.2.10:5061 SIP/2.0\r\n"
				   "Via: SIP/2.0/TLS 192.0.2.20:50231\r\n"
				   "CSeq: 1 NEGOTIATE\r\n"
				   "Call-ID: 0f3c\r\n"
				   "From: <sip:fe01.lync.example>;tag=5a11\r\n"
				   "To: <sip:192.0.2.10>\r\n"
				   "Compression: LZ77-8K\r\n"
				   "Max-Forwards: 0\r\n"
				   "Content-Length: 0\r\n\r\n";
	struct sip_msg *m;

	(void)state;
	assert_int_equal(parse(&m, text, ""), 0);
	assert_int_equal(sip_msg_defect(m, NULL), 0);
	assert_int_equal(sip_msg_method(m), SIP_NEGOTIATE);
	assert_string_equal(sip_msg_branch(m), "");
	sip_msg_free(m);
}

static void
test_quoting(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 0);
	assert_int_equal(sip_build_address(&out, "B\"o\\ \r\n\xc3\xb6",
			     "sip:bo@p", "t1", "1a2b"),
	    0);
	assert_string_equal(buf_cstr(&out),
	    "\"B\\\"o\\\\   \xc3\xb6\" <sip:bo@p>;tag=t1;epid=1a2b");
	buf_clear(&out);
	assert_int_equal(
	    sip_build_address(&out, NULL, "sip:bo@p", NULL, NULL), 0);
	assert_string_equal(buf_cstr(&out), "<sip:bo@p>");
	assert_int_equal(sip_build_address(
			     &out, NULL, "sip:bo@p", NULL, "12345678901234567"),
	    ERR_MALFORMED);
	assert_int_equal(sip_build_address(&out, NULL, "sip:bo@p", NULL, "a;b"),
	    ERR_MALFORMED);
	buf_clear(&out);
	sip_build_diagnostics(&out, 61001, "gone", "gw.example");
	assert_string_equal(buf_cstr(&out),
	    "61001;reason=\"gone\";source=\"gw.example\";"
	    "component=\"xmpp-gateway\"");
	buf_clear(&out);
	sip_build_methods(
	    &out, SIP_METHOD_BIT(SIP_INVITE) | SIP_METHOD_BIT(SIP_MESSAGE));
	assert_string_equal(buf_cstr(&out), "INVITE, MESSAGE");
	buf_finish(&out);
	assert_string_equal(
	    sip_build_reason(481), "Call/Transaction Does Not Exist");
	assert_string_equal(sip_build_reason(299), "Unknown");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uris),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_params),
		cmocka_unit_test(test_user_of_uri),
		cmocka_unit_test(test_defects),
		cmocka_unit_test(test_invite),
		cmocka_unit_test(test_answer_copies),
		cmocka_unit_test(test_no_injection),
		cmocka_unit_test(test_negotiate),
		cmocka_unit_test(test_quoting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
