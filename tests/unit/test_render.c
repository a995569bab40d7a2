/* Frames in (by their printed form), stanzas out. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/err.h"
#include "common/xmpp_time.h"
#include "edge-proxy/render.h"
#include "proto/rich_body.h"
#include "tests/unit/frame_build.h"

#define A       "\"from\":\"anna@contoso.example\",\"to\":\"bo@partner.example\""
#define X       "from='anna@contoso.example' to='bo@partner.example'"
#define STANZAS "urn:ietf:params:xml:ns:xmpp-stanzas"

static const struct {
	const char *json;
	const char *xml; /* NULL: malformed */
} frames[] = {
	{ "{\"type\":\"message\"," A ",\"id\":\"1\",\"kind\":\"chat\","
	  "\"body\":\"<b> & 'q' \\\"\"}",
	    "<message " X " id='1' type='chat'>"
	    "<body>&lt;b&gt; &amp; 'q' \"</body>"
	    "<origin-id xmlns='urn:xmpp:sid:0' id='1'/></message>" },
	{ "{\"type\":\"message\"," A ",\"id\":\"1\",\"kind\":\"chat\","
	  "\"receipt\":\"m1\"}",
	    "<message " X " id='1' type='chat'>"
	    "<received xmlns='urn:xmpp:receipts' id='m1'/></message>" },
	{ "{\"type\":\"message\"," A ",\"kind\":\"normal\","
	  "\"inviter\":\"c@p.example\",\"declines\":\"<no>\"}",
	    "<message " X "><x xmlns='http://jabber.org/protocol/muc#user'>"
	    "<decline to='c@p.example'><reason>&lt;no&gt;</reason>"
	    "</decline></x></message>" },
	{ "{\"type\":\"message\"," A ",\"kind\":\"chat\","
	  "\"link\":[\"https://a/1\",\"https://a/2\"],"
	  "\"link-name\":[\"\",\"f\"],\"link-size\":[0,7]}",
	    "<message " X " type='chat'>"
	    "<x xmlns='jabber:x:oob'><url>https://a/1</url></x>"
	    "<file-sharing xmlns='urn:xmpp:sfs:0'>"
	    "<file xmlns='urn:xmpp:file:metadata:0'><name>f</name>"
	    "<size>7</size></file><sources>"
	    "<url-data xmlns='http://jabber.org/protocol/url-data' "
	    "target='https://a/2'/></sources></file-sharing></message>" },
	{ "{\"type\":\"message\",\"from\":\"o'm@c.example\","
	  "\"to\":\"b@p.example/a<b\",\"kind\":\"normal\","
	  "\"language\":\"de\",\"body\":\"x\"}",
	    "<message from='o&apos;m@c.example' to='b@p.example/a&lt;b' "
	    "xml:lang='de'><body>x</body></message>" },
	{ "{\"type\":\"message\"," A ",\"kind\":\"chat\","
	  "\"chat-state\":\"paused\",\"no-store\":true}",
	    "<message " X " type='chat'>"
	    "<paused xmlns='http://jabber.org/protocol/chatstates'/>"
	    "<no-store xmlns='urn:xmpp:hints'/></message>" },
	{ "{\"type\":\"message\"," A ",\"kind\":\"chat\","
	  "\"body\":\"*x*\",\"unstyled\":true}",
	    "<message " X " type='chat'><body>*x*</body>"
	    "<unstyled xmlns='urn:xmpp:styling:0'/></message>" },
	{ "{\"type\":\"message\"," A ",\"kind\":\"chat\","
	  "\"chat-state\":\"dancing\"}",
	    "<message " X " type='chat'/>" },
	{ "{\"type\":\"message\"," A ",\"kind\":\"chat\",\"body\":\"b\","
	  "\"rich-body\":\"<p>b</p>\"}",
	    "<message " X " type='chat'><body>b</body>"
	    "<html xmlns='http://jabber.org/protocol/xhtml-im'>"
	    "<body xmlns='http://www.w3.org/1999/xhtml'><p>b</p></body>"
	    "</html></message>" },
	{ "{\"type\":\"message\"," A ",\"kind\":\"chat\",\"body\":\"b\","
	  "\"rich-body\":\"<p>b</p></body></html></message><iq/>\"}",
	    "<message " X " type='chat'><body>b</body></message>" },
	{ "{\"type\":\"message\"," A ",\"kind\":\"chat\",\"body\":\"b\","
	  "\"reply-to\":\"m0\",\"reply-fallback\":\"3-'/\"}",
	    "<message " X " type='chat'><body>b</body>"
	    "<reply xmlns='urn:xmpp:reply:0' to='bo@partner.example' "
	    "id='m0'/></message>" },
	{ "{\"type\":\"message\"," A ",\"kind\":\"chat\",\"body\":\"b\","
	  "\"reply-to\":\"m0\",\"reply-fallback\":\"0--1\"}",
	    "<message " X " type='chat'><body>b</body>"
	    "<reply xmlns='urn:xmpp:reply:0' to='bo@partner.example' "
	    "id='m0'/></message>" },
	{ "{\"type\":\"message\"," A ",\"kind\":\"error\",\"id\":\"1\","
	  "\"body\":\"not told\",\"condition\":\"gone\","
	  "\"gone-to\":\"xmpp:x@y\",\"error-text\":\"t\"}",
	    "<message " X " id='1' type='error'><error type='cancel'>"
	    "<gone xmlns='" STANZAS "'>xmpp:x@y</gone>"
	    "<text xmlns='" STANZAS "'>t</text></error></message>" },
	{ "{\"type\":\"presence\"," A ",\"kind\":\"available\"}",
	    "<presence " X "/>" },
	{ "{\"type\":\"presence\"," A ",\"kind\":\"available\","
	  "\"show\":\"away\",\"status-text\":\"s\",\"priority\":0,"
	  "\"caps\":\"http://c#1#v=\",\"idle-since\":1795248900000}",
	    "<presence " X "><show>away</show><status>s</status>"
	    "<priority>-128</priority>"
	    "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' "
	    "node='http://c#1' ver='v='/><idle xmlns='urn:xmpp:idle:1' "
	    "since='2026-11-21T08:15:00Z'/></presence>" },
	{ "{\"type\":\"presence\"," A ",\"kind\":\"subscribed\"}",
	    "<presence " X " type='subscribed'/>" },
	{ "{\"type\":\"iq\"," A ",\"kind\":\"get\",\"id\":\"sp1\","
	  "\"request\":\"ping\"}",
	    "<iq " X " id='sp1' type='get'><ping xmlns='urn:xmpp:ping'/>"
	    "</iq>" },
	{ "{\"type\":\"iq\"," A ",\"kind\":\"get\",\"id\":\"1\","
	  "\"request\":\"disco-info\",\"disco-node\":\"n'\"}",
	    "<iq " X " id='1' type='get'><query "
	    "xmlns='http://jabber.org/protocol/disco#info' "
	    "node='n&apos;'/></iq>" },
	{ "{\"type\":\"iq\"," A ",\"kind\":\"result\",\"id\":\"1\","
	  "\"request\":\"ping\"}",
	    "<iq " X " id='1' type='result'/>" },
	{ "{\"type\":\"iq\"," A ",\"kind\":\"result\",\"id\":\"1\","
	  "\"request\":\"vcard\",\"answer\":\"{\\\"fn\\\":\\\"<A>\\\","
	  "\\\"photo\\\":\\\"AAAA\\\",\\\"nickname\\\":\\\"\\\\u0001\\\"}\"}",
	    "<iq " X " id='1' type='result'><vCard xmlns='vcard-temp'>"
	    "<FN>&lt;A&gt;</FN><NICKNAME></NICKNAME>"
	    "</vCard></iq>" },
	{ "{\"type\":\"iq\"," A ",\"kind\":\"result\",\"id\":\"1\","
	  "\"request\":\"version\",\"answer\":\"{]}\"}",
	    NULL },
	{ "{\"type\":\"iq\"," A ",\"kind\":\"get\",\"id\":\"1\","
	  "\"request\":\"roster\"}",
	    NULL },
	{ "{\"type\":\"iq\"," A ",\"kind\":\"get\",\"request\":\"ping\"}",
	    NULL },
	{ "{\"type\":\"message\"," A ",\"kind\":\"shout\"}", NULL },
	{ "{\"type\":\"message\"," A "}", NULL },
	{ "{\"type\":\"message\",\"to\":\"a@b\",\"kind\":\"chat\"}", NULL },
	{ "{\"type\":\"ping\"}", NULL },
};

static void
test_frames(void **state)
{
	struct buf b, xml;
	struct frame f;
	size_t i;
	int rc;

	(void)state;
	buf_init(&b, 0);
	buf_init(&xml, 0);
	for (i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		buf_clear(&b);
		buf_clear(&xml);
		buf_add_str(&xml, "kept");
		frame_build(&b, frames[i].json);
		assert_int_equal(frame_decode(&f, b.data, b.len), 0);
		rc = render_frame(&xml, &f);
		assert_int_equal(rc, frames[i].xml ? 0 : ERR_MALFORMED);
		assert_memory_equal(xml.data, "kept", 4);
		assert_string_equal(
		    buf_cstr(&xml) + 4, frames[i].xml ? frames[i].xml : "");
	}
	buf_finish(&b);
	buf_finish(&xml);
}

/* Out of room: nothing of it stays. */
static void
test_limit(void **state)
{
	struct buf b, xml;
	struct frame f;

	(void)state;
	buf_init(&b, 0);
	buf_init(&xml, 60);
	frame_build(&b, frames[0].json);
	assert_int_equal(frame_decode(&f, b.data, b.len), 0);
	assert_int_equal(render_frame(&xml, &f), ERR_FULL);
	assert_int_equal(xml.len, 0);
	buf_finish(&b);
	buf_finish(&xml);
}

static const struct {
	const char *json;
	struct channel_result why;
	const char *by;
	const char *xml; /* "": not told */
} errors[] = {
	{ "{\"type\":\"message\"," A ",\"kind\":\"chat\",\"id\":\"'\","
	  "\"body\":\"b\"}",
	    { .condition = COND_REMOTE_SERVER_TIMEOUT, .text = "a & b" },
	    "contoso.example",
	    "<message from='bo@partner.example' to='anna@contoso.example' "
	    "id='&apos;' type='error'><error type='wait' "
	    "by='contoso.example'><remote-server-timeout xmlns='" STANZAS
	    "'/><text xmlns='" STANZAS "' xml:lang='en'>a &amp; b</text>"
	    "</error></message>" },
	{ "{\"type\":\"presence\"," A ",\"kind\":\"subscribe\"}",
	    { .condition = COND_FORBIDDEN, .error_type = "cancel" }, NULL,
	    "<presence from='bo@partner.example' to='anna@contoso.example' "
	    "type='error'><error type='cancel'><forbidden xmlns='" STANZAS
	    "'/></error></presence>" },
	{ "{\"type\":\"iq\"," A ",\"kind\":\"get\",\"id\":\"1\","
	  "\"request\":\"vcard\"}",
	    { .condition = COND_SERVICE_UNAVAILABLE }, NULL,
	    "<iq from='bo@partner.example' to='anna@contoso.example' "
	    "id='1' type='error'><error type='cancel'>"
	    "<service-unavailable xmlns='" STANZAS "'/></error></iq>" },
	{ "{\"type\":\"message\"," A ",\"kind\":\"error\",\"id\":\"1\"}",
	    { .condition = COND_GONE }, NULL, "" },
	{ "{\"type\":\"presence\"," A ",\"kind\":\"unavailable\"}",
	    { .condition = COND_GONE }, NULL, "" },
	{ "{\"type\":\"presence\"," A ",\"kind\":\"probe\"}",
	    { .condition = COND_GONE }, NULL, "" },
	{ "{\"type\":\"presence\"," A ",\"kind\":\"error\"}",
	    { .condition = COND_GONE }, NULL, "" },
	{ "{\"type\":\"iq\"," A ",\"kind\":\"result\",\"id\":\"1\"}",
	    { .condition = COND_GONE }, NULL, "" },
	{ "{\"type\":\"iq\"," A ",\"kind\":\"error\",\"id\":\"1\"}",
	    { .condition = COND_GONE }, NULL, "" },
	{ "{\"type\":\"stats\",\"json\":\"{}\"}", { .condition = COND_GONE },
	    NULL, "" },
};

static void
test_errors(void **state)
{
	struct buf b, xml;
	struct frame f;
	size_t i;

	(void)state;
	buf_init(&b, 0);
	buf_init(&xml, 0);
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		buf_clear(&b);
		buf_clear(&xml);
		frame_build(&b, errors[i].json);
		assert_int_equal(frame_decode(&f, b.data, b.len), 0);
		assert_int_equal(
		    render_may_bounce(&f), errors[i].xml[0] != '\0');
		assert_int_equal(
		    render_error(&xml, &f, &errors[i].why, errors[i].by), 0);
		assert_string_equal(buf_cstr(&xml), errors[i].xml);
	}
	buf_finish(&b);
	buf_finish(&xml);
}

static void
test_ping(void **state)
{
	struct buf xml;

	(void)state;
	buf_init(&xml, 0);
	assert_int_equal(
	    render_ping(&xml, "sp1-'", "a.example", "b.example"), 0);
	assert_string_equal(buf_cstr(&xml),
	    "<iq from='a.example' to='b.example' id='sp1-&apos;' type='get'>"
	    "<ping xmlns='urn:xmpp:ping'/></iq>");
	buf_finish(&xml);
}

/* Only exactly what the reduction writes is let through. */
static void
test_reduced(void **state)
{
	static const struct {
		const char *s;
		bool ok;
	} rows[] = {
		{ "", true },
		{ "text &amp; &lt;&gt;&apos;&quot;", true },
		{ "<p>a<br/>b</p><ul><li/></ul>", true },
		{ "<a href='https://x/?a&amp;b' style='color:red'>l</a>",
		    true },
		{ "<a href='HTTP://x'>l</a>", true },
		{ "<span style='color:#fff;font-size:1.5em'>s</span>", true },
		{ "<p>", false },
		{ "</p>", false },
		{ "<p></em>", false },
		{ "<b>x</b>", false },
		{ "<P>x</P>", false },
		{ "<p >x</p>", false },
		{ "<br>", false },
		{ "<br></br>", false },
		{ "<p onclick='x'>x</p>", false },
		{ "<p href='https://x'>x</p>", false },
		{ "<a href='javascript:x'>l</a>", false },
		{ "<a href='https:'>l</a>", false },
		{ "<a href=\"https://x\">l</a>", false },
		{ "<a href='https://x' href='https://y'>l</a>", false },
		{ "<a href='https://x y'>l</a>", false },
		{ "<a href='https://x<y'>l</a>", false },
		{ "<a href='https://x", false },
		{ "<p style='background:url(x)'>x</p>", false },
		{ "<p style='color:expression(x)'>x</p>", false },
		{ "<p style='color:red;'>x</p>", false },
		{ "<p style=''>x</p>", false },
		{ "a > b", false },
		{ "a & b", false },
		{ "&nbsp;", false },
		{ "&#1;", false },
		{ "<!-- -->", false },
		{ "<![CDATA[x]]>", false },
		{ "<?x?>", false },
		{ "<", false },
		{ "</", false },
		{ "\x01", false },
		{ "\xff", false },
	};
	char deep[33 * 3 + 33 * 4 + 1] = "";
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rich_body_valid(rows[i].s, strlen(rows[i].s)) != rows[i].ok)
			fail_msg("%s", rows[i].s);
	for (i = 0; i < 33; i++)
		strcat(deep, "<p>");
	for (i = 0; i < 33; i++)
		strcat(deep, "</p>");
	assert_false(rich_body_valid(deep, strlen(deep)));
	assert_true(rich_body_valid(deep + 3, strlen(deep) - 7));
}

static void
test_time(void **state)
{
	static const struct {
		const char *s;
		uint64_t ms;
		bool ok;
		bool same; /* formats back to s */
	} rows[] = {
		{ "1970-01-01T00:00:00Z", 0, true, true },
		{ "2000-02-29T12:00:00.001Z", 951825600001, true, true },
		{ "2026-11-21T08:15:00Z", 1795248900000, true, true },
		{ "2026-11-21T09:15:00+01:00", 1795248900000, true, false },
		{ "2026-11-21T07:45:00-00:30", 1795248900000, true, false },
		{ "2026-11-21T08:15:00.123456Z", 1795248900123, true, false },
		{ "9999-12-31T23:59:59.999Z", 253402300799999, true, true },
		{ "1969-12-31T23:59:59Z", 0, false, false },
		{ "2001-02-29T00:00:00Z", 0, false, false },
		{ "2026-13-01T00:00:00Z", 0, false, false },
		{ "2026-00-01T00:00:00Z", 0, false, false },
		{ "2026-11-31T00:00:00Z", 0, false, false },
		{ "2026-11-21T24:00:00Z", 0, false, false },
		{ "2026-11-21T08:15:00", 0, false, false },
		{ "2026-11-21T08:15:00.Z", 0, false, false },
		{ "2026-11-21T08:15:00Zx", 0, false, false },
		{ "2026-11-21T08:15:00+15:00", 0, false, false },
		{ "2026-11-21", 0, false, false },
		{ "20261121T08:15:00", 0, false, false },
		{ "", 0, false, false },
	};
	char out[XMPP_TIME_SIZE];
	uint64_t ms;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(xmpp_time_parse(&ms, rows[i].s), rows[i].ok);
		if (!rows[i].ok)
			continue;
		assert_int_equal(ms, rows[i].ms);
		xmpp_time_format(out, ms);
		if (rows[i].same)
			assert_string_equal(out, rows[i].s);
		assert_true(xmpp_time_parse(&ms, out));
		assert_int_equal(ms, rows[i].ms);
	}
	xmpp_time_format(out, UINT64_MAX);
	assert_string_equal(out, "9999-12-31T23:59:59.999Z");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_ping),
		cmocka_unit_test(test_reduced),
		cmocka_unit_test(test_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
