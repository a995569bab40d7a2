/* Stanzas in, frames (in their printed form), answers or refusals out. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "edge-proxy/normalise.h"
#include "edge-proxy/render.h"
#include "tests/unit/stanza_parse.h"

#define FROM_TO "from='bo@partner.example/r' to='anna@contoso.example' "
#define DOMAIN  "from='bo@partner.example/r' to='contoso.example' "
#define ADDR                                                                   \
	"\"from\":\"bo@partner.example/r\",\"to\":\"anna@contoso.example\","   \
	"\"stream\":\"s1\""
#define M(attrs, in) "<message " FROM_TO attrs ">" in "</message>"
#define P(attrs, in) "<presence " FROM_TO attrs ">" in "</presence>"
#define QUESTION     "spp-i0123456789abcdef"
#define MAC          "0123456789abcdef0123456789abcdef"

struct run {
	struct normalised *out;
	int rc;
};

static void
on_stanza(const struct xml_elem *e, void *arg)
{
	struct run *run = arg;
	struct normalise_ctx ctx = { .stream = "s1", .language = "en" };
	struct jid from, to;

	assert_int_equal(
	    jid_parse(&from, xml_attr(e, "from"), strlen(xml_attr(e, "from"))),
	    0);
	assert_int_equal(
	    jid_parse(&to, xml_attr(e, "to"), strlen(xml_attr(e, "to"))), 0);
	ctx.from = &from;
	ctx.to = &to;
	run->rc = normalise_stanza(run->out, e, &ctx);
	jid_finish(&from);
	jid_finish(&to);
}

static int
normalise(struct normalised *out, const char *xml, size_t len)
{
	struct run run = { out, 0 };

	if (stanza_parse(xml, len, on_stanza, &run) != 1)
		fail_msg("not one stanza: %s", xml);
	return run.rc;
}

static void
decode(struct frame *f, const struct buf *b)
{
	assert_int_equal(frame_decode(f, b->data, b->len), 0);
}

/* Everything a frame may carry, and what must not get into one. */
static const struct {
	const char *xml;
	const char *json; /* NULL: dropped */
} frames[] = {
	/* text */
	{ M("id='m1' type='chat'", "<body>Hello</body>"),
	    "{\"type\":\"message\",\"id\":\"m1\"," ADDR ",\"kind\":\"chat\","
	    "\"language\":\"en\",\"body\":\"Hello\"}" },
	{ M("", "<body>a&#13;b&#13;\nc</body>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"normal\","
	    "\"language\":\"en\",\"body\":\"a\\nb\\nc\"}" },
	{ M("type='strange' xml:lang='de'", "<body>&lt;b&gt; 😀</body>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"normal\","
	    "\"language\":\"de\",\"body\":\"<b> 😀\"}" },
	{ M("type='chat'",
	      "<body xml:lang='de'>hallo</body><body>hello</body>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"chat\","
	    "\"language\":\"en\",\"body\":\"hello\"}" },
	{ M("type='chat'", "<body xml:lang='de'>hallo</body>"
			   "<body xml:lang='fr'>salut</body>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"chat\","
	    "\"language\":\"de\",\"body\":\"hallo\"}" },
	{ M("xml:lang='sv'", "<body xml:lang='no tag'>hei</body>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"normal\","
	    "\"language\":\"sv\",\"body\":\"hei\"}" },
	{ M("", "<body/>"), NULL },
	{ M("", ""), NULL },
	{ M("type='chat'", "<body xmlns='urn:x'>no</body>"), NULL },
	{ M("type='headline'",
	      "<subject>S</subject><thread>T</thread><body>b</body>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"headline\","
	    "\"thread\":\"T\",\"language\":\"en\",\"body\":\"b\","
	    "\"subject\":\"S\"}" },
	{ M("type='groupchat'", "<subject>S</subject>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"groupchat\","
	    "\"language\":\"en\",\"subject\":\"S\"}" },
	{ M("type='chat'",
	      "<body>hi</body>"
	      "<html xmlns='http://jabber.org/protocol/xhtml-im'>"
	      "<body xmlns='http://www.w3.org/1999/xhtml'>"
	      "<p style='color:red;position:fixed' onclick='x()'>hi"
	      "<script>alert(1)</script><img src='http://x/' alt='pic'/>"
	      "<a href='javascript:x'>l</a></p></body></html>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"chat\","
	    "\"language\":\"en\",\"body\":\"hi\",\"rich-body\":"
	    "\"<p style='color:red'>hipic<a>l</a></p>\"}" },
	{ M("type='chat'",
	      "<body>*x*</body><unstyled xmlns='urn:xmpp:styling:0'/>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"chat\","
	    "\"language\":\"en\",\"body\":\"*x*\",\"unstyled\":true}" },
	/* states, receipts, markers */
	{ M("type='chat'",
	      "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
	      "<no-store xmlns='urn:xmpp:hints'/>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"chat\","
	    "\"no-store\":true,\"language\":\"en\","
	    "\"chat-state\":\"composing\"}" },
	{ M("id='m1' type='chat'",
	      "<body>x</body><request xmlns='urn:xmpp:receipts'/>"
	      "<markable xmlns='urn:xmpp:chat-markers:0'/>"),
	    "{\"type\":\"message\",\"id\":\"m1\"," ADDR
	    ",\"kind\":\"chat\",\"language\":\"en\",\"body\":\"x\","
	    "\"receipt-request\":true,\"markable\":true}" },
	{ M("type='chat'",
	      "<body>x</body><request xmlns='urn:xmpp:receipts'/>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"chat\","
	    "\"language\":\"en\",\"body\":\"x\"}" },
	{ M("id='k1'", "<received xmlns='urn:xmpp:receipts' id='m1'/>"),
	    "{\"type\":\"message\",\"id\":\"k1\"," ADDR
	    ",\"kind\":\"normal\",\"language\":\"en\","
	    "\"receipt\":\"m1\"}" },
	{ M("", "<displayed xmlns='urn:xmpp:chat-markers:0' id='m1'/>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"normal\","
	    "\"language\":\"en\",\"marker\":\"m1\"}" },
	/* references */
	{ M("", "<body>new</body>"
		"<replace id='m0' xmlns='urn:xmpp:message-correct:0'/>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"normal\","
	    "\"language\":\"en\",\"body\":\"new\",\"corrects\":\"m0\"}" },
	{ M("", "<retract id='m0' xmlns='urn:xmpp:message-retract:1'/>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"normal\","
	    "\"retracts\":\"m0\"}" },
	/* The body only tells old clients about it. */
	{ M("", "<body>A message was retracted.</body>"
		"<retract id='m0' xmlns='urn:xmpp:message-retract:1'/>"
		"<request xmlns='urn:xmpp:receipts'/>"
		"<fallback xmlns='urn:xmpp:fallback:0'/>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"normal\","
	    "\"retracts\":\"m0\"}" },
	{ M("", "<body>A message was retracted.</body>"
		"<apply-to xmlns='urn:xmpp:fasten:0' id='m0'>"
		"<retract xmlns='urn:xmpp:message-retract:0'/></apply-to>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"normal\","
	    "\"retracts\":\"m0\"}" },
	{ M("", "<body>&gt; b\nyes</body>"
		"<reply xmlns='urn:xmpp:reply:0' id='m0'/>"
		"<fallback xmlns='urn:xmpp:feature-fallback:0' "
		"for='urn:xmpp:reply:0'><body start='0' end='4'/></fallback>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"normal\","
	    "\"language\":\"en\",\"body\":\"> b\\nyes\","
	    "\"reply-to\":\"m0\",\"reply-fallback\":\"0-4\"}" },
	{ M("", "<body>&gt; lünch?\nyes</body>"
		"<reply xmlns='urn:xmpp:reply:0' id='m0'/>"
		"<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'>"
		"<body start='0' end='9'/></fallback>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"normal\","
	    "\"language\":\"en\",\"body\":\"> lünch?\\nyes\","
	    "\"reply-to\":\"m0\",\"reply-fallback\":\"0-9\"}" },
	{ M("", "<body>üb</body><reply xmlns='urn:xmpp:reply:0' id='m0'/>"
		"<fallback xmlns='urn:xmpp:fallback:0' "
		"for='urn:xmpp:reply:0'/>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"normal\","
	    "\"language\":\"en\",\"body\":\"üb\",\"reply-to\":\"m0\","
	    "\"reply-fallback\":\"0-2\"}" },
	{ M("", "<body>b</body><reply xmlns='urn:xmpp:reply:0' id='m0'/>"
		"<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'>"
		"<body start='0' end='99'/></fallback>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"normal\","
	    "\"language\":\"en\",\"body\":\"b\",\"reply-to\":\"m0\"}" },
	{ M("", "<reactions id='m0' xmlns='urn:xmpp:reactions:0'>"
		"<reaction>👍</reaction><reaction>🎉</reaction></reactions>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"normal\","
	    "\"reacts-to\":\"m0\",\"reaction\":[\"👍\",\"🎉\"],"
	    "\"language\":\"en\"}" },
	{ M("", "<body>&gt; lunch?\n👍</body>"
		"<reactions id='m0' xmlns='urn:xmpp:reactions:0'>"
		"<reaction>👍</reaction></reactions>"
		"<fallback xmlns='urn:xmpp:fallback:0' "
		"for='urn:xmpp:reactions:0'><body/></fallback>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"normal\","
	    "\"reacts-to\":\"m0\",\"reaction\":[\"👍\"],"
	    "\"language\":\"en\"}" },
	/* links, invitations */
	{ M("", "<x xmlns='jabber:x:oob'><url>https://a.example/1</url></x>"
		"<x xmlns='jabber:x:oob'><url>https://a.example/2</url>"
		"<desc>two</desc></x>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"normal\","
	    "\"language\":\"en\","
	    "\"link\":[\"https://a.example/1\",\"https://a.example/2\"],"
	    "\"link-name\":[\"\",\"two\"],\"link-size\":[0,0]}" },
	{ M("", "<file-sharing xmlns='urn:xmpp:sfs:0'>"
		"<file xmlns='urn:xmpp:file:metadata:0'><name>f.png</name>"
		"</file><sources><url-data target='https://a.example/f' "
		"xmlns='http://jabber.org/protocol/url-data'/></sources>"
		"</file-sharing>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"normal\","
	    "\"language\":\"en\",\"link\":[\"https://a.example/f\"],"
	    "\"link-name\":[\"f.png\"],\"link-size\":[0]}" },
	/* The same file in three ways counts once, with all that is known. */
	{ M("", "<body>https://a.example/f</body>"
		"<x xmlns='jabber:x:oob'><url>https://a.example/f</url></x>"
		"<file-sharing xmlns='urn:xmpp:sfs:0'>"
		"<file xmlns='urn:xmpp:file:metadata:0'><name>f.png</name>"
		"</file><sources><url-data target='https://a.example/f' "
		"xmlns='http://jabber.org/protocol/url-data'/></sources>"
		"</file-sharing>"
		"<reference xmlns='urn:xmpp:reference:0' type='data'>"
		"<media-sharing xmlns='urn:xmpp:sims:1'>"
		"<file xmlns='urn:xmpp:jingle:apps:file-transfer:5'>"
		"<name>other</name><size>3032449</size></file><sources>"
		"<reference xmlns='urn:xmpp:reference:0' type='data' "
		"uri='https://a.example/f'/></sources></media-sharing>"
		"</reference>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"normal\","
	    "\"language\":\"en\",\"body\":\"https://a.example/f\","
	    "\"link\":[\"https://a.example/f\"],\"link-name\":[\"f.png\"],"
	    "\"link-size\":[3032449]}" },
	/* A mention is no file; a size that is no number is none. */
	{ M("", "<body>bo!</body><reference xmlns='urn:xmpp:reference:0' "
		"type='mention' uri='xmpp:bo@partner.example'/>"
		"<file-sharing xmlns='urn:xmpp:sfs:0'>"
		"<file xmlns='urn:xmpp:file:metadata:0'><size>-1</size></file>"
		"<sources><url-data target='https://a.example/f' "
		"xmlns='http://jabber.org/protocol/url-data'/></sources>"
		"</file-sharing>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"normal\","
	    "\"language\":\"en\",\"body\":\"bo!\","
	    "\"link\":[\"https://a.example/f\"],\"link-name\":[\"\"],"
	    "\"link-size\":[0]}" },
	{ M("", "<body>b</body>"
		"<x xmlns='jabber:x:oob'><url>javascript:x()</url></x>"
		"<x xmlns='jabber:x:oob'><url>https://a/ click</url></x>"
		"<x xmlns='jabber:x:oob'><url>HTTPS://a/</url></x>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"normal\","
	    "\"language\":\"en\",\"body\":\"b\","
	    "\"link\":[\"HTTPS://a/\"],\"link-name\":[\"\"],"
	    "\"link-size\":[0]}" },
	{ M("", "<file-sharing xmlns='urn:xmpp:sfs:0'/>"
		"<x xmlns='jabber:x:oob'><desc>no address</desc></x>"),
	    NULL },
	{ M("", "<x xmlns='jabber:x:conference' jid='room@c.example'/>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"normal\","
	    "\"language\":\"en\",\"invitation\":\"room@c.example\"}" },
	{ M("", "<x xmlns='http://jabber.org/protocol/muc#user'>"
		"<invite from='x@y.example'/></x>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"normal\","
	    "\"language\":\"en\",\"invitation\":\"bo@partner.example\","
	    "\"inviter\":\"x@y.example\"}" },
	/* As a room says it to new and old clients at once. */
	{ M("", "<body>x invites you</body>"
		"<x xmlns='jabber:x:conference' jid='other@c.example'/>"
		"<x xmlns='http://jabber.org/protocol/muc#user'>"
		"<invite from='x@y.example/r'/></x>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"normal\","
	    "\"language\":\"en\",\"body\":\"x invites you\","
	    "\"invitation\":\"bo@partner.example\","
	    "\"inviter\":\"x@y.example/r\"}" },
	{ M("", "<x xmlns='http://jabber.org/protocol/muc#user'>"
		"<invite from='not an address@'/></x>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"normal\","
	    "\"language\":\"en\",\"invitation\":\"bo@partner.example\"}" },
	{ M("type='headline'", "<attention xmlns='urn:xmpp:attention:0'/>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"headline\","
	    "\"language\":\"en\",\"attention\":true}" },
	{ M("", "<body>b</body><nick xmlns='http://jabber.org/protocol/nick'>"
		"Bo</nick><delay xmlns='urn:xmpp:delay' "
		"stamp='2026-11-21T08:15:00Z'/>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"normal\","
	    "\"nick\":\"Bo\",\"delay\":1795248900000,\"language\":\"en\","
	    "\"body\":\"b\"}" },
	/* encrypted */
	{ M("id='m1' type='chat'",
	      "<encrypted xmlns='eu.siacs.conversations.axolotl'>"
	      "<payload>x</payload></encrypted><body>fallback</body>"),
	    "{\"type\":\"message\",\"id\":\"m1\"," ADDR
	    ",\"kind\":\"chat\",\"encrypted\":\"omemo\"}" },
	{ M("", "<encrypted xmlns='urn:xmpp:omemo:2'><header/></encrypted>"),
	    NULL },
	{ M("", "<x xmlns='jabber:x:encrypted'>x</x><body>f</body>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"normal\","
	    "\"encrypted\":\"pgp\"}" },
	{ M("", "<openpgp xmlns='urn:xmpp:openpgp:0'>x</openpgp>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"normal\","
	    "\"encrypted\":\"openpgp\"}" },
	{ M("", "<body>?OTRv23?</body>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"normal\","
	    "\"encrypted\":\"otr\"}" },
	{ M("", "<body>f</body><encryption xmlns='urn:xmpp:eme:0' "
		"namespace='urn:unheard-of'/>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"normal\","
	    "\"encrypted\":\"other\"}" },
	{ M("", "<body>aesgcm://up.example/f#00</body>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"normal\","
	    "\"encrypted\":\"aesgcm\"}" },
	{ M("", "<x xmlns='jabber:x:oob'><url>aesgcm://u.example/f</url></x>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"normal\","
	    "\"encrypted\":\"aesgcm\"}" },
	/* nobody speaks for others */
	{ M("", "<received xmlns='urn:xmpp:carbons:2'>"
		"<forwarded xmlns='urn:xmpp:forward:0'>"
		"<message xmlns='jabber:client' from='ceo@contoso.example'>"
		"<body>pay</body></message></forwarded></received>"),
	    NULL },
	{ M("", "<sent xmlns='urn:xmpp:carbons:2'/><body>mine</body>"), NULL },
	{ M("", "<private xmlns='urn:xmpp:carbons:2'/><body>b</body>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"normal\","
	    "\"language\":\"en\",\"body\":\"b\"}" },
	{ M("", "<retract xmlns='urn:xmpp:jingle-message:0' id='c'/>"
		"<store xmlns='urn:xmpp:hints'/>"),
	    NULL },
	/* errors */
	{ M("id='m9' type='error'",
	      "<body>mine</body><error type='cancel' by='partner.example'>"
	      "<gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>xmpp:a@b"
	      "</gone><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>"
	      "moved</text></error>"),
	    "{\"type\":\"message\",\"id\":\"m9\"," ADDR
	    ",\"kind\":\"error\",\"condition\":\"gone\","
	    "\"gone-to\":\"xmpp:a@b\",\"error-type\":\"cancel\","
	    "\"error-by\":\"partner.example\",\"error-text\":\"moved\"}" },
	{ M("type='error'", "<error code='404'>Not found</error>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"error\","
	    "\"condition\":\"item-not-found\",\"error-type\":"
	    "\"cancel\"}" },
	/* A call that is no proposal, or not between two. */
	{ M("type='error'",
	      "<propose xmlns='urn:xmpp:jingle-message:0' id='1'/>"),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"error\","
	    "\"condition\":\"undefined-condition\",\"error-type\":"
	    "\"cancel\"}" },
	{ M("", "<body>hi</body>"
		"<propose xmlns='urn:xmpp:jingle-message:0' id='1'/>"),
	    "{\"type\":\"message\"," ADDR
	    ",\"kind\":\"normal\",\"language\":\"en\",\"body\":\"hi\"}" },
	{ M("type='error'", ""),
	    "{\"type\":\"message\"," ADDR ",\"kind\":\"error\","
	    "\"condition\":\"undefined-condition\",\"error-type\":"
	    "\"cancel\"}" },
	/* presence */
	{ P("", ""),
	    "{\"type\":\"presence\"," ADDR ",\"kind\":\"available\"}" },
	{ P("", "<show>dnd</show><status>busy</status><priority>-3</priority>"
		"<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' "
		"node='https://c.example/' ver='QgayPKawpkPSDYmwT='/>"
		"<x xmlns='vcard-temp:x:update'><photo>"
		"0123456789abcdef0123456789abcdef01234567</photo></x>"
		"<idle xmlns='urn:xmpp:idle:1' "
		"since='2026-11-21T09:15:00.5+01:00'/>"),
	    "{\"type\":\"presence\"," ADDR
	    ",\"kind\":\"available\",\"show\":\"dnd\",\"status-text\":"
	    "\"busy\",\"language\":\"en\",\"priority\":125,"
	    "\"caps\":\"https://c.example/#QgayPKawpkPSDYmwT=\","
	    "\"avatar-hash\":\"0123456789abcdef0123456789abcdef01234567\","
	    "\"idle-since\":1795248900500}" },
	{ P("", "<show>busy</show><priority>128</priority>"
		"<x xmlns='vcard-temp:x:update'><photo/></x>"
		"<idle xmlns='urn:xmpp:idle:1' since='yesterday'/>"),
	    "{\"type\":\"presence\"," ADDR
	    ",\"kind\":\"available\",\"avatar-hash\":\"\"}" },
	{ P("id='s1' type='subscribe'",
	      "<nick xmlns='http://jabber.org/protocol/nick'>Bo</nick>"),
	    "{\"type\":\"presence\",\"id\":\"s1\"," ADDR
	    ",\"kind\":\"subscribe\",\"nick\":\"Bo\"}" },
	{ P("type='unavailable'",
	      "<delay xmlns='urn:xmpp:delay' stamp='1970-01-01T00:00:01Z'/>"),
	    "{\"type\":\"presence\"," ADDR
	    ",\"kind\":\"unavailable\",\"delay\":1000}" },
	{ P("type='error'",
	      "<error type='auth'><forbidden "
	      "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"),
	    "{\"type\":\"presence\"," ADDR
	    ",\"kind\":\"error\",\"condition\":\"forbidden\","
	    "\"error-type\":\"auth\"}" },
	{ P("type='unsubscribe '", ""), "refused" },
	/* iq */
	{ "<iq " FROM_TO "id='q' type='get'><ping xmlns='urn:xmpp:ping'/></iq>",
	    "{\"type\":\"iq\",\"id\":\"q\"," ADDR
	    ",\"kind\":\"get\",\"request\":\"ping\"}" },
	{ "<iq " FROM_TO "id='q' type='get'><query node='n' "
	  "xmlns='http://jabber.org/protocol/disco#info'/></iq>",
	    "{\"type\":\"iq\",\"id\":\"q\"," ADDR
	    ",\"kind\":\"get\",\"request\":\"disco-info\","
	    "\"disco-node\":\"n\"}" },
	{ "<iq " DOMAIN "id='sp1-gw-1.x.example-1f-" MAC "' type='result'/>",
	    "{\"type\":\"iq\",\"id\":\"sp1-gw-1.x.example-1f-" MAC
	    "\",\"from\":\"bo@partner.example/r\","
	    "\"to\":\"contoso.example\",\"stream\":\"s1\","
	    "\"kind\":\"result\",\"request\":\"ping\"}" },
	{ "<iq " DOMAIN "id='sp1-gw1-0-" MAC "' type='error'>"
	  "<ping xmlns='urn:xmpp:ping'/><error type='cancel'>"
	  "<service-unavailable "
	  "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
	    "{\"type\":\"iq\",\"id\":\"sp1-gw1-0-" MAC
	    "\",\"from\":\"bo@partner.example/r\","
	    "\"to\":\"contoso.example\",\"stream\":\"s1\","
	    "\"kind\":\"error\",\"request\":\"ping\","
	    "\"condition\":\"service-unavailable\","
	    "\"error-type\":\"cancel\"}" },
	{ "<iq " FROM_TO "id='" QUESTION "' type='result'><query "
	  "xmlns='jabber:iq:version'><name>P</name><version>1</version>"
	  "<secret>s</secret></query></iq>",
	    "{\"type\":\"iq\",\"id\":\"" QUESTION "\"," ADDR
	    ",\"kind\":\"result\",\"request\":\"version\","
	    "\"answer\":\"{\\\"name\\\":\\\"P\\\","
	    "\\\"version\\\":\\\"1\\\"}\"}" },
	{ "<iq " FROM_TO "id='" QUESTION
	  "' type='result'><vCard xmlns='vcard-temp'>"
	  "<FN> Bo Li </FN><N><FAMILY>Li</FAMILY></N>"
	  "<NICKNAME>bo</NICKNAME><PHOTO><BINVAL>AAAA</BINVAL></PHOTO>"
	  "<EMAIL><USERID>bo@x.example</USERID></EMAIL></vCard></iq>",
	    "{\"type\":\"iq\",\"id\":\"" QUESTION "\"," ADDR
	    ",\"kind\":\"result\",\"request\":\"vcard\","
	    "\"answer\":\"{\\\"fn\\\":\\\"Bo Li\\\","
	    "\\\"nickname\\\":\\\"bo\\\"}\"}" },
	{ "<iq " FROM_TO "id='" QUESTION "' type='error'><error type='cancel'>"
	  "<item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
	  "</error></iq>",
	    "{\"type\":\"iq\",\"id\":\"" QUESTION "\"," ADDR
	    ",\"kind\":\"error\",\"condition\":\"item-not-found\","
	    "\"error-type\":\"cancel\"}" },
	{ "<iq " FROM_TO "id='" QUESTION "' type='result'><query "
	  "xmlns='http://jabber.org/protocol/disco#info' node='n'>"
	  "<identity category='client' type='pc'/><feature var='a'/>"
	  "<x xmlns='jabber:x:data'/></query></iq>",
	    "{\"type\":\"iq\",\"id\":\"" QUESTION "\"," ADDR
	    ",\"kind\":\"result\",\"request\":\"disco-info\","
	    "\"answer\":\"{\\\"identities\\\":[{\\\"category\\\":"
	    "\\\"client\\\",\\\"type\\\":\\\"pc\\\"}],"
	    "\\\"features\\\":[\\\"a\\\"]}\",\"disco-node\":\"n\"}" },
	{ "<iq " FROM_TO "id='" QUESTION "' type='result'><query "
	  "xmlns='http://jabber.org/protocol/disco#items'>"
	  "<item jid='a.example' name='A'/></query></iq>",
	    "{\"type\":\"iq\",\"id\":\"" QUESTION "\"," ADDR
	    ",\"kind\":\"result\",\"request\":\"disco-items\","
	    "\"answer\":\"{\\\"items\\\":[{\\\"jid\\\":"
	    "\\\"a.example\\\",\\\"name\\\":\\\"A\\\"}]}\"}" },
	{ "<iq " FROM_TO "id='" QUESTION
	  "' type='result'><time xmlns='urn:xmpp:time'>"
	  "<tzo>+01:00</tzo><utc>2026-11-21T06:00:00Z</utc></time></iq>",
	    "{\"type\":\"iq\",\"id\":\"" QUESTION "\"," ADDR
	    ",\"kind\":\"result\",\"request\":\"time\","
	    "\"answer\":\"{\\\"tzo\\\":\\\"+01:00\\\",\\\"utc\\\":"
	    "\\\"2026-11-21T06:00:00Z\\\"}\"}" },
	/* A vCard with a name that is none. */
	{ "<iq " FROM_TO "id='" QUESTION "' type='result'><vCard "
	  "xmlns='vcard-temp'><FN> </FN></vCard></iq>",
	    "{\"type\":\"iq\",\"id\":\"" QUESTION "\"," ADDR
	    ",\"kind\":\"result\",\"request\":\"vcard\","
	    "\"answer\":\"{}\"}" },
	{ "<iq " FROM_TO "id='" QUESTION "' type='error'/>",
	    "{\"type\":\"iq\",\"id\":\"" QUESTION "\"," ADDR
	    ",\"kind\":\"error\",\"condition\":\"undefined-condition\",\"error-"
	    "type\":\"cancel\"}" },
	{ "<iq " FROM_TO "id='" QUESTION "' type='result'/>", NULL },
	/* Ids that are none of ours: an answer to nothing we asked. */
	{ "<iq " FROM_TO "id='e' type='error'/>", NULL },
	{ "<iq " FROM_TO "id='" QUESTION "0' type='error'/>", NULL },
	{ "<iq " FROM_TO "id='spp-i0123456789ABCDEF' "
	  "type='error'/>",
	    NULL },
	{ "<iq " FROM_TO "id='v' type='result'><vCard xmlns='vcard-temp'>"
	  "<FN>Bo</FN></vCard></iq>",
	    NULL },
	{ "<iq " FROM_TO "id='" QUESTION
	  "' type='result'><x xmlns='urn:x'/></iq>",
	    NULL },
	{ "<iq " FROM_TO "type='result'/>", NULL },
};

static void
test_frames(void **state)
{
	struct normalised out;
	struct frame f;
	struct buf json;
	size_t i;

	(void)state;
	normalise_init(&out);
	buf_init(&json, 0);
	for (i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		assert_int_equal(
		    normalise(&out, frames[i].xml, strlen(frames[i].xml)), 0);
		if (frames[i].json == NULL ||
		    strcmp(frames[i].json, "refused") == 0) {
			assert_int_equal(out.outcome, frames[i].json == NULL
							  ? NORMALISE_DROP
							  : NORMALISE_REFUSE);
			assert_int_equal(out.frame.len, 0);
			assert_string_not_equal(out.why, "");
			continue;
		}
		if (out.outcome != NORMALISE_FRAME)
			fail_msg("no frame (%s): %s", out.why, frames[i].xml);
		decode(&f, &out.frame);
		buf_clear(&json);
		assert_int_equal(frame_to_json(&json, &f, true), 0);
		assert_string_equal(buf_cstr(&json), frames[i].json);
	}
	buf_finish(&json);
	normalise_finish(&out);
}

/* What comes in and goes out again comes in the same. */
static void
test_round_trip(void **state)
{
	struct normalised out, again;
	struct buf xml;
	struct frame f;
	size_t i, n = 0;

	(void)state;
	normalise_init(&out);
	normalise_init(&again);
	buf_init(&xml, 0);
	for (i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		assert_int_equal(
		    normalise(&out, frames[i].xml, strlen(frames[i].xml)), 0);
		if (out.outcome != NORMALISE_FRAME)
			continue;
		decode(&f, &out.frame);
		/* The fact alone cannot be written. */
		if (frame_has(&f, FIELD_ENCRYPTED))
			continue;
		buf_clear(&xml);
		assert_int_equal(render_frame(&xml, &f), 0);
		assert_int_equal(
		    normalise(&again, (const char *)xml.data, xml.len), 0);
		if (again.outcome != NORMALISE_FRAME ||
		    again.frame.len != out.frame.len ||
		    memcmp(again.frame.data, out.frame.data, out.frame.len) !=
			0)
			fail_msg("changed on the way: %s", buf_cstr(&xml));
		n++;
	}
	assert_true(n > 40);
	buf_finish(&xml);
	normalise_finish(&out);
	normalise_finish(&again);
}

#define BACK        "from='anna@contoso.example' to='bo@partner.example/r'"
#define BACK_DOMAIN "from='contoso.example' to='bo@partner.example/r'"
#define ERR(type, cond)                                                        \
	" type='error'><error type='" type "' by='contoso.example'><" cond     \
	" xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
#define TEXT(s)                                                                \
	"<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>" s   \
	"</text>"

static const struct {
	const char *xml;
	enum normalise_outcome outcome;
	const char *back;
} answers[] = {
	{ "<iq " DOMAIN "id='p&apos;1' type='get'>"
	  "<ping xmlns='urn:xmpp:ping'/></iq>",
	    NORMALISE_ANSWER,
	    "<iq " BACK_DOMAIN " id='p&apos;1' type='result'></iq>" },
	{ "<iq " DOMAIN "id='v' type='get'>"
	  "<query xmlns='jabber:iq:version'/></iq>",
	    NORMALISE_ANSWER,
	    "<iq " BACK_DOMAIN " id='v' type='result'>"
	    "<query xmlns='jabber:iq:version'><name>Sallyport</name>"
	    "<version>" SALLYPORT_VERSION "</version></query></iq>" },
	{ "<iq " DOMAIN "id='d' type='get'>"
	  "<query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
	    NORMALISE_ANSWER,
	    "<iq " BACK_DOMAIN " id='d' type='result'>"
	    "<query xmlns='http://jabber.org/protocol/disco#info'>"
	    "<identity category='server' type='im' name='Sallyport'/>"
	    "<feature var='http://jabber.org/protocol/disco#info'/>"
	    "<feature var='http://jabber.org/protocol/disco#items'/>"
	    "<feature var='urn:xmpp:ping'/>"
	    "<feature var='jabber:iq:version'/></query></iq>" },
	{ "<iq " DOMAIN "id='i' type='get'>"
	  "<query xmlns='http://jabber.org/protocol/disco#items'/></iq>",
	    NORMALISE_ANSWER,
	    "<iq " BACK_DOMAIN " id='i' type='result'>"
	    "<query xmlns='http://jabber.org/protocol/disco#items'/></iq>" },
	{ "<iq " DOMAIN "id='n' type='get'><query node='x' "
	  "xmlns='http://jabber.org/protocol/disco#info'/></iq>",
	    NORMALISE_REFUSE,
	    "<iq " BACK_DOMAIN " id='n' type='error'><error type='cancel'>"
	    "<item-not-found "
	    "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>" },
	{ "<iq " DOMAIN "id='s' type='set'><ping xmlns='urn:xmpp:ping'/></iq>",
	    NORMALISE_REFUSE,
	    "<iq " BACK_DOMAIN " id='s' type='error'><error type='cancel'>"
	    "<service-unavailable "
	    "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>" },
	{ "<iq " FROM_TO "id='u' type='get'><query xmlns='jabber:iq:last'/>"
	  "</iq>",
	    NORMALISE_REFUSE,
	    "<iq " BACK
	    " id='u'" ERR("cancel", "service-unavailable") "</error></iq>" },
	{ "<iq " FROM_TO "id='u' type='set'><vCard xmlns='vcard-temp'/></iq>",
	    NORMALISE_REFUSE,
	    "<iq " BACK
	    " id='u'" ERR("cancel", "service-unavailable") "</error></iq>" },
	{ "<iq " FROM_TO "id='u' type='get'/>", NORMALISE_REFUSE,
	    "<iq " BACK " id='u'" ERR("modify", "bad-request")
		TEXT("a request has exactly one child") "</error></iq>" },
	{ "<iq " FROM_TO "id='u' type='get'><ping xmlns='urn:xmpp:ping'/>"
	  "<ping xmlns='urn:xmpp:ping'/></iq>",
	    NORMALISE_REFUSE,
	    "<iq " BACK " id='u'" ERR("modify", "bad-request")
		TEXT("a request has exactly one child") "</error></iq>" },
	{ "<iq " FROM_TO "type='get'><ping xmlns='urn:xmpp:ping'/></iq>",
	    NORMALISE_REFUSE,
	    "<iq " BACK ERR("modify", "bad-request")
		TEXT("iq without id") "</error></iq>" },
	{ "<iq " FROM_TO "id='u' type='got'/>", NORMALISE_REFUSE,
	    "<iq " BACK " id='u'" ERR("modify", "bad-request")
		TEXT("unknown type of iq") "</error></iq>" },
	{ M("type='chat' id='c'",
	      "<propose xmlns='urn:xmpp:jingle-message:0' id='a&amp;1'>"
	      "<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/>"
	      "</propose><store xmlns='urn:xmpp:hints'/>"),
	    NORMALISE_ANSWER,
	    "<message type='chat' " BACK "><reject "
	    "xmlns='urn:xmpp:jingle-message:0' id='a&amp;1'>"
	    "<reason xmlns='urn:xmpp:jingle:1'><unsupported-applications/>"
	    "</reason></reject><store xmlns='urn:xmpp:hints'/></message>" },
	{ P("type='visible'", ""), NORMALISE_REFUSE,
	    "<presence " BACK ERR("modify", "bad-request")
		TEXT("unknown type of presence") "</error></presence>" },
};

static void
test_answers(void **state)
{
	struct normalised out;
	size_t i;

	(void)state;
	normalise_init(&out);
	for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		assert_int_equal(
		    normalise(&out, answers[i].xml, strlen(answers[i].xml)), 0);
		assert_string_equal(buf_cstr(&out.xml), answers[i].back);
		assert_int_equal(out.outcome, answers[i].outcome);
		assert_int_equal(out.frame.len, 0);
	}
	normalise_finish(&out);
}

/* A stanza of one element whose text is n times the letter a. */
static void
long_stanza(struct buf *b, const char *open, size_t n, const char *close)
{
	uint8_t *p;

	buf_clear(b);
	buf_add_str(b, open);
	p = buf_extend(b, n);
	assert_non_null(p);
	memset(p, 'a', n);
	buf_add_str(b, close);
	assert_false(buf_failed(b));
}

/* Content that does not fit refuses the stanza, ornament is left out. */
static void
test_sizes(void **state)
{
	static const struct {
		const char *open, *close;
		size_t fits;
		enum frame_tag ornament; /* 0: content */
	} rows[] = {
		{ "<message " FROM_TO "><body>", "</body></message>", 131072,
		    0 },
		{ "<message " FROM_TO "><subject>", "</subject></message>",
		    4096, 0 },
		{ "<message " FROM_TO "id='", "'><body>b</body></message>",
		    1024, 0 },
		{ "<message " FROM_TO "><body>b</body><thread>",
		    "</thread></message>", 1024, FIELD_THREAD },
		/* 65536 bytes with the tags of the paragraph. */
		{ "<message " FROM_TO "><body>b</body>"
		  "<html xmlns='http://jabber.org/protocol/xhtml-im'>"
		  "<body xmlns='http://www.w3.org/1999/xhtml'><p>",
		    "</p></body></html></message>", 65529, FIELD_RICH_BODY },
		{ "<presence " FROM_TO "><status>", "</status></presence>",
		    4096, FIELD_STATUS_TEXT },
		{ "<iq " FROM_TO "type='get' id='",
		    "'><ping xmlns='urn:xmpp:ping'/></iq>", 1024, 0 },
	};
	struct normalised out;
	struct frame f;
	struct buf b;
	size_t i;

	(void)state;
	normalise_init(&out);
	buf_init(&b, 0);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		long_stanza(&b, rows[i].open, rows[i].fits, rows[i].close);
		assert_int_equal(
		    normalise(&out, (const char *)b.data, b.len), 0);
		assert_int_equal(out.outcome, NORMALISE_FRAME);
		decode(&f, &out.frame);
		if (rows[i].ornament != 0)
			assert_true(frame_has(&f, rows[i].ornament));
		long_stanza(&b, rows[i].open, rows[i].fits + 1, rows[i].close);
		assert_int_equal(
		    normalise(&out, (const char *)b.data, b.len), 0);
		if (rows[i].ornament == 0) {
			assert_int_equal(out.outcome, NORMALISE_REFUSE);
			assert_int_equal(out.condition, COND_POLICY_VIOLATION);
			assert_true(out.xml.len > 0);
		} else {
			assert_int_equal(out.outcome, NORMALISE_FRAME);
			decode(&f, &out.frame);
			assert_false(frame_has(&f, rows[i].ornament));
		}
	}
	/* An error that is too long to go back is not sent at all. */
	long_stanza(&b, "<message " FROM_TO "id='", 100000, "'/>");
	assert_int_equal(normalise(&out, (const char *)b.data, b.len), 0);
	assert_int_equal(out.outcome, NORMALISE_DROP);
	buf_finish(&b);
	normalise_finish(&out);
}

static void
test_barrier(void **state)
{
	static const struct {
		const char *id, *node;
	} rows[] = {
		{ "sp1-gw1.contoso.example-1f-" MAC, "gw1.contoso.example" },
		{ "sp1-gw-1-0-" MAC, "gw-1" },
		{ "sp1-gw1-0123456789abcdef-" MAC, "gw1" },
		{ "sp1-gw1-00123456789abcdef-" MAC, NULL },
		{ "sp1--0-" MAC, NULL },
		{ "sp1-gw1--" MAC, NULL },
		{ "sp1-gw1-" MAC, NULL },
		{ "sp1-" MAC, NULL },
		{ "sp1-gw1-0-", NULL },
		{ "sp1-gw1-0-" MAC "0", NULL },
		{ "sp1-gw1-0-0123456789ABCDEF0123456789abcdef", NULL },
		{ "sp1-gw1-x-" MAC, NULL },
		{ "sp2-gw1-0-" MAC, NULL },
		{ "sp1-", NULL },
		{ "", NULL },
	};
	char node[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(normalise_barrier_node(node, rows[i].id),
		    rows[i].node != NULL);
		if (rows[i].node != NULL)
			assert_string_equal(node, rows[i].node);
	}
}

/* The answer to a barrier goes to the node that it names. */
static void
test_barrier_node_of_stanza(void **state)
{
	static const char ours[] =
	    "<iq " DOMAIN "id='sp1-gw2-1-" MAC "' type='result'/>";
	static const char other[] = "<message " FROM_TO "><body>b</body>"
				    "</message>";
	struct normalised out;

	(void)state;
	normalise_init(&out);
	assert_int_equal(normalise(&out, ours, strlen(ours)), 0);
	assert_string_equal(out.node, "gw2");
	assert_int_equal(normalise(&out, other, strlen(other)), 0);
	assert_string_equal(out.node, "");
	normalise_finish(&out);
}

static void
test_not_a_stanza(void **state)
{
	static const char *const rows[] = {
		"<msg " FROM_TO "/>",
		"<message xmlns='jabber:client' " FROM_TO "/>",
	};
	struct normalised out;
	size_t i;

	(void)state;
	normalise_init(&out);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
		    normalise(&out, rows[i], strlen(rows[i])), ERR_UNSUPPORTED);
	normalise_finish(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_barrier),
		cmocka_unit_test(test_barrier_node_of_stanza),
		cmocka_unit_test(test_not_a_stanza),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
