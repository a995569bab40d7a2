/*
 * No memory left: of each piece of code that takes what comes from outside, the
 * first allocation fails, then in another run the second, and so on until none
 * is left to fail; once with that one alone, once with all behind it.  What has
 * to come of it: an error or the whole result, nothing between, no crash and
 * nothing left behind.
 *
 * The program has an allocator of its own in front of the C library's (or the
 * sanitizer's), which serves libraries as well.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/err.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/jid.h"
#include "common/xml.h"
#include "edge-proxy/admission.h"
#include "edge-proxy/fair_share.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/normalise.h"
#include "edge-proxy/render.h"
#include "edge-proxy/xml_stream.h"
#include "frontend-gateway/settings/settings_draft.h"
#include "frontend-gateway/settings/settings_view_impl.h"
#include "frontend-gateway/settings/settings_writes.h"
#include "frontend-gateway/store/setting_store.h"
#include "proto/channel.h"
#include "proto/frame.h"
#include "tests/unit/frame_build.h"

/* --- the allocator -------------------------------------------------------- */

#ifdef SALLYPORT_SANITIZED
#define REAL(name) __interceptor_##name
#define SANITIZED  1
#else
#define REAL(name) __libc_##name
#define SANITIZED  0
#endif

/* Of the C library or the sanitizer, and of nobody's header. */
void *REAL(malloc)(size_t size);
void *REAL(calloc)(size_t count, size_t size);
void *REAL(realloc)(void *p, size_t size);
void REAL(free)(void *p);

static bool armed, all_behind;
static unsigned long left; /* allocations until one fails */
static unsigned long failed;
static long live; /* the sanitizer has strings of its own, and finds leaks */

static bool
fails(void)
{
	if (!armed)
		return false;
	if (left > 0) {
		left--;
		return false;
	}
	if (failed > 0 && !all_behind)
		return false;
	failed++;
	return true;
}

void *
malloc(size_t size)
{
	void *p = fails() ? NULL : REAL(malloc)(size);

	live += p != NULL;
	return p;
}

void *
calloc(size_t count, size_t size)
{
	void *p = fails() ? NULL : REAL(calloc)(count, size);

	live += p != NULL;
	return p;
}

void *
realloc(void *old, size_t size)
{
	void *p = fails() ? NULL : REAL(realloc)(old, size);

	live += p != NULL && old == NULL;
	return p;
}

void
free(void *p)
{
	live -= p != NULL;
	REAL(free)(p);
}

/* Runs a piece with each of its allocations failing. */
static void
starve(void (*piece)(bool starved))
{
	unsigned long n;
	long before;

	piece(false); /* what libraries keep for good */
	before = live;
	piece(false);
	assert_true(live == before || SANITIZED);
	for (unsigned mode = 0; mode < 2; mode++) {
		for (n = 0;; n++) {
			all_behind = mode == 1;
			left = n;
			failed = 0;
			piece(true);
			armed = false;
			if (live != before && !SANITIZED)
				fail_msg("%ld blocks left when allocation "
					 "%lu failed",
				    live - before, n);
			if (failed == 0)
				break;
		}
		assert_true(n > 0);
	}
}

static void
arm(bool starved)
{
	armed = starved;
}

static void
disarm(void)
{
	armed = false;
}

/* --- the XML of a stream --------------------------------------------------- */

#define HEAD                                                                   \
	"<stream:stream xmlns='jabber:server' xmlns:p='urn:p' "                \
	"xmlns:stream='http://etherx.jabber.org/streams' to='a' "              \
	"version='1.0'>"

struct seen {
	struct xml_stream *xs;
	unsigned elements;
	bool pause, restart;
};

static void
on_header(struct xml_stream *xs, const struct stream_header *h, void *arg)
{
	(void)xs;
	(void)h;
	(void)arg;
}

static void
on_element(struct xml_stream *xs, const struct xml_elem *e, void *arg)
{
	struct seen *s = arg;

	assert_non_null(e->name);
	s->elements++;
	if (s->pause)
		xml_stream_pause(xs);
	if (s->restart && strcmp(e->name, "restart") == 0)
		xml_stream_restart(xs, NULL);
}

static void
on_goodbye(struct xml_stream *xs, void *arg)
{
	(void)xs;
	(void)arg;
}

static const struct xml_stream_events xml_events = { on_header, on_element,
	on_goodbye };

/* True while the stream is well; else it is refused for want of memory. */
static bool
feed(struct seen *s, const char *text)
{
	size_t used;
	int rc = xml_stream_feed(s->xs, text, strlen(text), &used);

	if (rc == 0)
		return true;
	disarm();
	/* expat takes one that fails for a prefix that is not there. */
	if (xml_stream_error(s->xs) != STREAM_ERR_RESOURCE_CONSTRAINT &&
	    strcmp(xml_stream_error_text(s->xs), "unbound prefix") != 0)
		fail_msg("%s: %s", stream_error_str(xml_stream_error(s->xs)),
		    xml_stream_error_text(s->xs));
	return false;
}

static bool
all_of_a_stream(struct seen *s)
{
	if (!feed(s, HEAD "<a x='1' p:y='2'>text<b>more</b> of it</a><c") ||
	    !feed(s, " d='&lt;'/> ") || !xml_stream_rest(s->xs) ||
	    !feed(s, "<p:e>&#65;</p:e><restart/>" HEAD "<f/>"))
		return false;
	s->pause = true;
	if (!feed(s, "<g/><h/><i>"))
		return false;
	while (s->elements < 7)
		if (xml_stream_resume(s->xs) < 0)
			return false;
	s->pause = false;
	return xml_stream_resume(s->xs) == 0 && feed(s, "text</i>");
}

static void
an_xml_stream(bool starved)
{
	struct xml_stream_limits limits = xml_stream_limits_open(65536);
	struct seen s = { .restart = true };
	int rc;

	arm(starved);
	rc = xml_stream_open(&s.xs, &limits, &xml_events, &s);
	if (rc < 0) {
		assert_int_equal(rc, ERR_NOMEM);
		return;
	}
	if (all_of_a_stream(&s))
		assert_int_equal(s.elements, 8);
	else
		assert_true(failed > 0);
	xml_stream_close(s.xs);
	disarm();
}

static void
test_xml_stream(void **state)
{
	(void)state;
	starve(an_xml_stream);
}

/* --- stanzas into frames ---------------------------------------------------- */

#define FROM_TO " from='bo@partner.example/r' to='anna@contoso.example' "

static const char *const stanzas[] = {
	"<message" FROM_TO
	"id='1' type='chat' xml:lang='de'><body>hi</body><subject>s</subject>"
	"<body xml:lang='fr'>salut</body><thread>t</thread>"
	"<html xmlns='http://jabber.org/protocol/xhtml-im'>"
	"<body xmlns='http://www.w3.org/1999/xhtml'><p>a <strong>b</strong> "
	"<a href='http://example.com/'>c</a></p></body></html>"
	"<active xmlns='http://jabber.org/protocol/chatstates'/>"
	"<request xmlns='urn:xmpp:receipts'/>"
	"<delay xmlns='urn:xmpp:delay' stamp='2026-01-02T03:04:05Z'/>"
	"</message>",
	"<message" FROM_TO "type='error' id='2'><error type='cancel'>"
	"<gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>xmpp:a@b</gone>"
	"</error></message>",
	"<presence" FROM_TO "><show>away</show><status>out</status>"
	"<priority>5</priority><c xmlns='http://jabber.org/protocol/caps' "
	"hash='sha-1' node='n' ver='v'/></presence>",
	"<presence" FROM_TO "type='subscribe' id='3'/>",
	"<iq" FROM_TO "type='get' id='4'>"
	"<query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
	"<iq from='bo@partner.example/r' to='contoso.example' type='get' "
	"id='5'><ping xmlns='urn:xmpp:ping'/></iq>",
	"<iq" FROM_TO "type='set' id='6'><unheard xmlns='of'/></iq>",
};

struct turning {
	bool starved;
	int rc;
};

static int
parse_ends(struct jid *from, struct jid *to, const struct xml_elem *e)
{
	const char *f = xml_attr(e, "from"), *t = xml_attr(e, "to");
	int rc = jid_parse(from, f, strlen(f));

	if (rc < 0)
		return rc;
	rc = jid_parse(to, t, strlen(t));
	if (rc < 0)
		jid_finish(from);
	return rc;
}

static void
on_stanza(struct xml_stream *xs, const struct xml_elem *e, void *arg)
{
	struct normalise_ctx ctx = { .stream = "s1", .language = "en" };
	struct turning *t = arg;
	struct normalised n;
	struct jid from, to;

	(void)xs;
	arm(t->starved);
	normalise_init(&n);
	t->rc = parse_ends(&from, &to, e);
	if (t->rc == 0) {
		ctx.from = &from;
		ctx.to = &to;
		t->rc = normalise_stanza(&n, e, &ctx);
		jid_finish(&from);
		jid_finish(&to);
	}
	disarm();
	if (t->rc == 0 && n.outcome == NORMALISE_FRAME)
		assert_true(n.frame.len > 0);
	normalise_finish(&n);
}

static const char *stanza;

static void
a_stanza(bool starved)
{
	static const struct xml_stream_events events = { on_header, on_stanza,
		on_goodbye };
	struct xml_stream_limits limits = xml_stream_limits_open(65536);
	struct turning t = { starved, 1 };
	struct seen s = { 0 };

	assert_int_equal(xml_stream_open(&s.xs, &limits, &events, &t), 0);
	assert_true(feed(&s, HEAD));
	assert_true(feed(&s, stanza));
	if (t.rc != 0) {
		assert_int_equal(t.rc, ERR_NOMEM);
		assert_true(failed > 0);
	}
	xml_stream_close(s.xs);
}

static void
test_normalise(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(stanzas) / sizeof(stanzas[0]); i++) {
		stanza = stanzas[i];
		starve(a_stanza);
	}
}

/* --- frames into stanzas ---------------------------------------------------- */

#define ADDR "'from':'anna@contoso.example','to':'bo@partner.example',"

static const char *const frames[] = {
	"{'type':'message'," ADDR "'kind':'chat','id':'1','body':'hi & <you>',"
	"'subject':'s','thread':'t','chat-state':'active',"
	"'rich-body':'<p>a <strong>b</strong></p>'}",
	"{'type':'presence'," ADDR "'kind':'available','show':'away',"
	"'status':'out'}",
	"{'type':'iq'," ADDR "'kind':'get','request':'ping','id':'2'}",
};

static struct buf encoded;

static void
a_frame(bool starved)
{
	const struct channel_result why = { .condition = COND_GONE,
		.text = "<gone>",
		.gone_to = "new@partner.example" };
	struct frame f;
	struct buf out;
	int rc, rc_error;

	assert_int_equal(frame_decode(&f, encoded.data, encoded.len), 0);
	buf_init(&out, 0);
	arm(starved);
	rc = render_frame(&out, &f);
	buf_clear(&out);
	rc_error = render_error(&out, &f, &why, "partner.example");
	disarm();
	if (rc != 0 || rc_error != 0)
		assert_true(failed > 0);
	assert_true(rc == 0 || rc == ERR_NOMEM);
	assert_true(rc_error == 0 || rc_error == ERR_NOMEM);
	buf_finish(&out);
}

static void
test_render(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		char text[512];

		snprintf(text, sizeof(text), "%s", frames[i]);
		for (char *c = text; *c != '\0'; c++)
			*c = (char)(*c == '\'' ? '"' : *c);
		buf_init(&encoded, 0);
		frame_build(&encoded, text);
		starve(a_frame);
		buf_finish(&encoded);
	}
}

/* --- the channel -------------------------------------------------------------- */

/* One end, and what it has written and the other has not read. */
struct end {
	struct channel *ch;
	uint8_t out[65536];
	size_t len;
	bool gone; /* its connection is to be closed */
	unsigned stanzas, results;
	uint64_t owed[8];
};

static struct end gateway, edge;

static void
on_output(struct channel *ch, const uint8_t *data, size_t len, void *arg)
{
	struct end *e = arg;

	(void)ch;
	assert_true(len <= sizeof(e->out) - e->len);
	memcpy(e->out + e->len, data, len);
	e->len += len;
}

static void
on_up(struct channel *ch, bool resumed, void *arg)
{
	(void)ch;
	(void)resumed;
	(void)arg;
}

static void
on_frame(struct channel *ch, uint64_t seq, const struct frame *f, void *arg)
{
	struct end *e = arg;

	(void)ch;
	(void)f;
	assert_true(e->stanzas < 8);
	e->owed[e->stanzas++] = seq;
}

static void
on_result(struct channel *ch, uint64_t seq, void *cookie,
    const struct channel_result *r, void *arg)
{
	struct end *e = arg;

	(void)ch;
	(void)seq;
	(void)r;
	assert_ptr_equal(cookie, e);
	e->results++;
}

static void
on_control(struct channel *ch, const struct frame *f, void *arg)
{
	(void)ch;
	(void)f;
	(void)arg;
}

static void
on_room(struct channel *ch, void *arg)
{
	(void)ch;
	(void)arg;
}

static void
on_close(struct channel *ch, int rc, const char *why, void *arg)
{
	struct end *e = arg;

	(void)ch;
	(void)rc;
	assert_non_null(why);
	e->gone = true;
}

static const struct channel_events channel_events = { on_output, on_up,
	on_frame, on_result, on_control, on_room, on_close };

static bool
move(struct end *from, struct end *to)
{
	uint8_t bytes[sizeof(from->out)];
	size_t len = from->len;

	if (len == 0 || to->gone)
		return false;
	memcpy(bytes, from->out, len);
	from->len = 0;
	channel_input(to->ch, bytes, len);
	return true;
}

/* A new connection; false when it did not come to be. */
static bool
connect_ends(void)
{
	struct frame hello;
	const char *why;
	size_t size;

	gateway.len = edge.len = 0;
	gateway.gone = edge.gone = false;
	channel_attach(gateway.ch);
	if (gateway.len == 0 || gateway.gone)
		return false;
	assert_int_equal(frame_length(&size, gateway.out, gateway.len), 0);
	assert_int_equal(frame_decode(&hello, gateway.out, size), 0);
	assert_int_equal(size, gateway.len);
	gateway.len = 0;
	return channel_attach_hello(edge.ch, &hello, &why) == 0;
}

static void
pump(void)
{
	while (!gateway.gone && !edge.gone &&
	       (move(&gateway, &edge) || move(&edge, &gateway)))
		;
}

static void
disconnect_ends(void)
{
	channel_detach(gateway.ch);
	channel_detach(edge.ch);
}

/* Three stanzas, one of them withdrawn, over two connections. */
static void
talk(void)
{
	static const struct channel_result done = { .delivered = true },
					   no = { .condition = COND_GONE,
						   .text = "a text to keep" };
	unsigned sent = 0, withdrawn = 0;
	uint64_t seq;

	if (connect_ends())
		pump();
	for (unsigned i = 0; i < 3; i++) {
		int rc = channel_send(edge.ch, &encoded, &edge, &seq);

		assert_true(rc == 0 || rc == ERR_NOMEM);
		sent += rc == 0;
		if (rc == 0 && i == 1) {
			(void)channel_withdraw(edge.ch, seq);
			withdrawn++;
		}
	}
	pump();
	if (gateway.stanzas > 0)
		channel_answer(gateway.ch, gateway.owed[0], &no);
	pump();
	disconnect_ends();
	if (connect_ends())
		pump();
	for (unsigned i = 1; i < gateway.stanzas; i++)
		channel_answer(gateway.ch, gateway.owed[i], &done);
	pump();
	/* Each is answered, or still in custody. */
	assert_int_equal(
	    sent - withdrawn, edge.results + channel_unanswered(edge.ch));
	disconnect_ends();
}

static void
a_channel(bool starved)
{
	struct channel_opts opts = { .events = &channel_events,
		.boot = "boot1" };
	struct clock *clock;

	assert_int_equal(clock_open_manual(&clock, 1000, 0), 0);
	opts.clock = clock;
	memset(&gateway, 0, sizeof(gateway));
	memset(&edge, 0, sizeof(edge));
	arm(starved);
	opts.role = CHANNEL_DIALS;
	opts.node = "gw1";
	opts.store = "s1";
	opts.arg = &gateway;
	if (channel_new(&gateway.ch, &opts) == 0) {
		opts.role = CHANNEL_ACCEPTS;
		opts.node = "edge1";
		opts.arg = &edge;
		if (channel_new(&edge.ch, &opts) == 0) {
			talk();
			channel_free(edge.ch);
		}
		channel_free(gateway.ch);
	}
	disarm();
	if (failed == 0) {
		assert_int_equal(edge.results, 2);
		assert_int_equal(gateway.stanzas, 3);
	}
	clock_close(clock);
}

static void
test_channel(void **state)
{
	(void)state;
	buf_init(&encoded, 0);
	frame_build(&encoded,
	    "{\"type\":\"message\",\"from\":\"a@partner.example\","
	    "\"to\":\"b@contoso.example\",\"kind\":\"chat\",\"stream\":\"s\","
	    "\"body\":\"hello\"}");
	starve(a_channel);
	buf_finish(&encoded);
}

/* --- what the edge knows and counts ------------------------------------------ */

static void
a_configuration(bool starved)
{
	struct buf confirm;
	struct hosting *h;
	struct frame f;
	bool serves;
	int rc;

	assert_int_equal(frame_decode(&f, encoded.data, encoded.len), 0);
	buf_init(&confirm, 0);
	arm(starved);
	if (hosting_new(&h) == 0) {
		rc = hosting_apply(h, "gw1", "s1", 1, &f, &confirm);
		disarm();
		/* A reader without memory may take it for the text's mistake.
		 * But it is in force in whole or not at all. */
		assert_true(rc == 0 || rc == ERR_NOMEM || rc == ERR_CONFIG);
		serves = hosting_serves(h, "contoso.example");
		assert_int_equal(serves,
		    hosting_partner(h, "contoso.example", "b.example") != NULL);
		assert_true(rc == 0 ? serves : failed > 0);
		assert_false(rc == ERR_CONFIG && serves);
		hosting_free(h);
	}
	disarm();
	buf_finish(&confirm);
}

static void
test_hosting(void **state)
{
	struct frame_writer w;

	(void)state;
	buf_init(&encoded, 0);
	frame_begin(&w, &encoded, FRAME_CONFIG);
	frame_put_str(&w, FIELD_JSON,
	    "{\"generation\":{\"store\":\"s1\",\"counter\":1},"
	    "\"hosted\":[{\"domain\":\"contoso.example\"}],"
	    "\"partners\":[{\"Domain\":\"a.example\","
	    "\"AdditionalDomains\":[\"b.example\"]}],"
	    "\"settings\":{\"inward_window\":7}}");
	assert_int_equal(frame_end(&w), 0);
	ERR_clear_error(); /* has a place for errors from now on */
	starve(a_configuration);
	buf_finish(&encoded);
}

static void
a_crowd(bool starved)
{
	const struct admission_limits limits = { 9, 9, 9, 9 };
	struct admission_place places[3] = { 0 };
	struct fair_share_stream streams[3] = { { 0 } };
	static const char *const names[] = { "192.0.2.1", "192.0.2.2",
		"192.0.2.1" };
	struct fair_share *f = NULL;
	struct admission *a = NULL;

	arm(starved);
	if (admission_new(&a) < 0 || fair_share_new(&f, 1) < 0)
		goto done;
	for (size_t i = 0; i < 3; i++) {
		if (admission_enter(a, &places[i], names[i], &limits) == NULL)
			admission_prove(a, &places[i]);
		(void)fair_share_add(f, &streams[i], names[i]);
	}
	for (size_t i = 0; i < 3; i++) {
		admission_leave(a, &places[i]);
		fair_share_leave(f, &streams[i]);
	}

done:
	disarm();
	admission_free(a);
	fair_share_free(f);
}

static void
test_crowd(void **state)
{
	(void)state;
	starve(a_crowd);
}

/* --- a commit of settings ------------------------------------------------- */

static bool
of_nobody(const char *domain, void *arg)
{
	(void)domain;
	(void)arg;
	return false;
}

static struct settings_view *no_settings;
static struct settings_change changes[3];

static void
rows_of(const struct settings_draft *d)
{
	const struct setting_store_commit commit = {
		.who = "anna", .via = "test", .generation_hash = "00"
	};
	struct setting_store_rows *rows = NULL;
	int rc = setting_store_begin(&rows, &commit, d->count);

	for (size_t i = 0; rc == 0 && i < d->count; i++)
		rc = settings_writes_add(rows, &d->deltas[i], SETTINGS_PUT);
	disarm();
	assert_true(rc == 0 || (rc == ERR_NOMEM && failed > 0));
	setting_store_drop(rows);
}

static void
a_commit(bool starved)
{
	struct settings_draft *d = NULL;
	size_t count = sizeof(changes) / sizeof(changes[0]);
	int rc;

	arm(starved);
	rc = settings_draft_begin(&d, no_settings, changes, count, false, 1);
	if (rc == 0)
		while ((rc = settings_draft_step(d)) > 0)
			;
	if (rc == 0 && d->rc == 0) {
		for (size_t i = 0; i < count; i++)
			assert_non_null(settings_view_get(
			    d->after, changes[i].kind, d->deltas[i].key));
		rows_of(d);
	}
	disarm();
	/* A name that could not be read may seem to be none. */
	assert_true((rc == 0 && d->rc == 0) || failed > 0);
	settings_draft_free(d);
}

static void
test_commit(void **state)
{
	static const struct settings_world world = { of_nobody, of_nobody,
		NULL };
	static const struct {
		const struct setting_kind *kind;
		const char *key, *object;
	} table[] = {
		{ &setting_kind_partner, "a.example",
		    "{\"AdditionalDomains\":[\"b.example\",\"c.example\"]}" },
		{ &setting_kind_policy, "tag:Sales",
		    "{\"EnableXmppAccess\":true}" },
		{ &setting_kind_grant, "anna@contoso.example",
		    "{\"PolicyName\":\"tag:Sales\"}" },
	};

	(void)state;
	assert_int_equal(settings_view_new(&no_settings, &world), 0);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		changes[i] = (struct settings_change){ .kind = table[i].kind,
			.key = table[i].key,
			.action = SETTINGS_PUT,
			.object = json_loads(table[i].object, 0, NULL),
			.version = SETTINGS_ANY };
	starve(a_commit);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		json_decref((json_t *)(uintptr_t)changes[i].object);
	settings_view_unref(no_settings);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_xml_stream),
		cmocka_unit_test(test_normalise),
		cmocka_unit_test(test_render),
		cmocka_unit_test(test_channel),
		cmocka_unit_test(test_hosting),
		cmocka_unit_test(test_crowd),
		cmocka_unit_test(test_commit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
