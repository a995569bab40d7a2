/*
 * Streams for both directions (XEP-0288), with what either side announces to
 * bear (XEP-0478): two servers of ours against each other over loopback, each
 * with streams in, routes out and a count of what has come; and scripted ones
 * that do what no server of ours would.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "common/clock.h"
#include "common/jid.h"
#include "common/xml.h"
#include "edge-proxy/dialback_ask.h"
#include "edge-proxy/resolver_client.h"
#include "edge-proxy/routes.h"
#include "edge-proxy/s2s_in.h"
#include "edge-proxy/s2s_in_back.h"
#include "edge-proxy/s2s_out.h"
#include "edge-proxy/s2s_out_back.h"
#include "edge-proxy/stream_limits.h"
#include "edge-proxy/xml_stream.h"
#include "proto/channel.h"
#include "tests/unit/resolver_table.inc"
#include "tests/unit/stream_world.h"

#define OURS   "contoso.example"
#define THEIRS "partner.example"
#define BIDI   "{\"bidi\":true}"
#define SM     " xmlns='urn:xmpp:sm:3'"

enum { STANZAS = 16 };

struct settled {
	unsigned times;
	struct channel_result r;
	char text[200];
};

/* One of two servers. */
struct side {
	struct site site;
	const char *local, *remote;
	struct routes *routes;
	bool routes_closed;
	struct s2s_in *in;   /* the stream that is up, if one is */
	struct s2s_out *out; /* the one that has brought something back */
	unsigned ins, ended;
	unsigned came, returned;
	bool same_cookie; /* one name for all, and settled as often */
	bool handles;     /* counts all that comes as done with */
	struct buf seen;
	struct buf events;
	struct settled s[STANZAS];
	char marks[500 * STANZAS];
	unsigned marked;
	struct dialback_ask *asked;
	unsigned ids;
};

struct fixture {
	struct world w;
	struct side a, b;
	struct script p;
	bool accepted;
};

static struct fixture *now;

static void
resolver_know(struct resolver_query *q, const char *name, enum dns_type type)
{
	const struct side *to = strstr(name, OURS) != NULL ? &now->a : &now->b;

	assert_int_equal(DNS_SRV, type);
	if (strncmp(name, "_xmpp-server", 12) != 0) {
		q->answer.status = DNS_NXDOMAIN;
		return;
	}
	q->answer.count = 1;
	q->srv[0].port =
	    ntohs(((const struct sockaddr_in *)(const void *)&to->site.addr)
		      ->sin_port);
	strcpy(q->srv[0].target, "127.0.0.1");
}

/* --- one side ------------------------------------------------------------- */

static void
on_in_event(struct s2s_in *s, enum stream_event ev,
    const struct stream_info *info, void *arg)
{
	struct side *d = arg;

	if (ev != STREAM_UP)
		return;
	d->in = s;
	d->ins++;
	d->came = 0;
	if (info->bidi)
		routes_add_back(d->routes, s);
}

static void
note(struct side *d, const char *how, const struct xml_elem *e)
{
	const char *id = xml_attr(e, "id");

	buf_addf(&d->seen, "%s%s ", how, id != NULL ? id : "-");
}

static void
on_in_stanza(struct s2s_in *s, const struct xml_elem *e, const struct jid *from,
    const struct jid *to, void *arg)
{
	struct side *d = arg;

	(void)from;
	(void)to;
	note(d, "", e);
	d->came++;
	if (d->handles)
		s2s_in_handled(s, d->came);
}

static void
on_in_end(
    struct s2s_in *s, bool was_up, const struct stream_info *info, void *arg)
{
	struct side *d = arg;

	(void)was_up;
	(void)info;
	d->ended++;
	if (d->in == s)
		d->in = NULL;
}

static const struct s2s_in_events in_events = {
	.on_event = on_in_event,
	.on_stanza = on_in_stanza,
	.on_end = on_in_end,
};

static void
on_returned(void *arg, struct s2s_out *s, void **inlet,
    const struct xml_elem *e, const struct jid *from, const struct jid *to)
{
	struct side *d = arg;

	assert_string_equal(d->remote, from->ascii);
	assert_string_equal(d->local, to->ascii);
	note(d, "back:", e);
	*inlet = d;
	d->out = s;
	d->returned++;
	if (d->handles)
		s2s_out_back_handled(s, d->returned);
}

static void
on_returns_end(void *arg, void *inlet)
{
	struct side *d = arg;

	assert_ptr_equal(d, inlet);
	d->out = NULL;
}

static void
make_id(char *out, void *arg)
{
	struct side *d = arg;

	snprintf(out, STREAM_ID_SIZE, "e.%u", ++d->ids);
}

static void
on_settled(void *arg, void *cookie, const struct channel_result *r)
{
	struct side *d = arg;
	struct settled *s = cookie;

	if (d->same_cookie) {
		d->s[((char *)cookie - d->marks) % STANZAS].times++;
		return;
	}
	s->times++;
	s->r = *r;
	snprintf(s->text, sizeof(s->text), "%s", r->text ? r->text : "");
}

static void
on_event(enum stream_event ev, const struct stream_info *info, void *arg)
{
	struct side *d = arg;

	if (ev == STREAM_UPDATE) /* of proofs, at any time */
		return;
	buf_addf(&d->events, "%s%s ", stream_event_str(ev),
	    info->bidi && ev == STREAM_UP ? "+bidi" : "");
}

static void
on_closed(void *arg)
{
	((struct side *)arg)->routes_closed = true;
}

static int
take_ask(struct dialback_ask *a, void *arg)
{
	((struct side *)arg)->asked = a;
	return 0;
}

/* Whoever is asked about a key vouches for it. */
static void
answer(struct side *d)
{
	struct dialback_ask *a = d->asked;

	d->asked = NULL;
	if (a != NULL)
		a->on_answer(a, DIALBACK_VALID, COND_UNDEFINED_CONDITION);
}

static void
open_side(struct side *d, struct fixture *f, const char *local,
    const char *remote, struct site_opts o)
{
	d->local = o.hosted = local;
	d->remote = o.partner = remote;
	d->handles = true;
	o.ask = take_ask;
	o.ask_arg = o.in_arg = d;
	buf_init(&d->seen, 0);
	buf_init(&d->events, 0);
	buf_add_str(&d->seen, "");
	site_init(&d->site, &f->w, &o);
	assert_int_equal(0,
	    routes_open(&d->routes, &(struct routes_opts){ .loop = &f->w.loop,
					.clock = f->w.clock,
					.hosting = d->site.hosting,
					.identities = d->site.ids,
					.make_id = make_id,
					.on_settled = on_settled,
					.on_event = on_event,
					.on_returned = on_returned,
					.on_returns_end = on_returns_end,
					.on_closed = on_closed,
					.arg = d }));
}

/* stranger: their certificate is of an authority that nobody here believes. */
static void
begin_certified(struct fixture *f, const char *ours, const char *theirs,
    const char *row, bool stranger)
{
	memset(f, 0, sizeof(*f));
	now = f;
	world_init(&f->w);
	resolver_clock = f->w.clock;
	open_side(&f->a, f, OURS, THEIRS,
	    (struct site_opts){
		.settings = ours, .row = row, .in_events = &in_events });
	open_side(&f->b, f, THEIRS, OURS,
	    (struct site_opts){ .settings = theirs,
		.row = row,
		.issuer = stranger ? &f->w.stranger_ca : NULL,
		.in_events = &in_events });
}

static void
begin_rows(
    struct fixture *f, const char *ours, const char *theirs, const char *row)
{
	begin_certified(f, ours, theirs, row, false);
}

static void
begin(struct fixture *f)
{
	begin_rows(f, BIDI, BIDI, NULL);
}

static void
pass(struct fixture *f)
{
	world_pass(&f->w, 2);
	answer(&f->a);
	answer(&f->b);
}

static void
close_side(struct side *d, struct fixture *f)
{
	routes_close(d->routes);
	if (d->in != NULL) {
		if (d->came > 0)
			s2s_in_handled(d->in, d->came);
		s2s_in_close(d->in, STREAM_ERR_NONE, NULL);
	}
	for (int i = 0; i < 5000 && (!d->routes_closed || d->in != NULL); i++)
		pass(f);
	assert_true(d->routes_closed);
	assert_null(d->in);
}

static void
free_side(struct side *d)
{
	site_free(&d->site);
	buf_finish(&d->seen);
	buf_finish(&d->events);
}

static void
finish(struct fixture *f)
{
	if (f->accepted)
		script_close(&f->p);
	close_side(&f->a, f);
	close_side(&f->b, f);
	site_close(&f->a.site);
	site_close(&f->b.site);
	world_finish(&f->w);
	free_side(&f->a);
	free_side(&f->b);
}

static void *
cookie_of(struct side *d, unsigned n)
{
	if (!d->same_cookie)
		return &d->s[n];
	assert_true(d->marked < sizeof(d->marks) / STANZAS);
	return &d->marks[STANZAS * d->marked++ + n];
}

/* A message of so many bytes, at least. */
static void
send_long(struct side *d, unsigned n, const char *barrier, size_t bytes)
{
	struct buf xml;

	buf_init(&xml, 0);
	buf_addf(&xml, "<message from='x@%s' to='y@%s' id='m%u'>", d->local,
	    d->remote, n);
	while (xml.len + strlen("</message>") < bytes)
		buf_add_char(&xml, ' ');
	buf_add_str(&xml, "</message>");
	assert_int_equal(
	    0, routes_send(d->routes, &(struct route_stanza){ .local = d->local,
					  .remote = d->remote,
					  .xml = xml.data,
					  .len = xml.len,
					  .barrier = barrier,
					  .cookie = cookie_of(d, n) }));
	buf_finish(&xml);
}

static void
send_one(struct side *d, unsigned n, const char *barrier)
{
	send_long(d, n, barrier, 0);
}

static void
until_settled(struct fixture *f, const struct settled *s)
{
	for (int i = 0; i < 1500 && s->times == 0; i++)
		pass(f);
	assert_int_equal(1, s->times);
}

static void
until_seen(struct fixture *f, struct side *d, const char *what)
{
	for (int i = 0; i < 1500; i++) {
		if (strstr(buf_cstr(&d->seen), what) != NULL)
			return;
		pass(f);
	}
	fail_msg(
	    "%s did not see %s, but %s", d->local, what, buf_cstr(&d->seen));
}

/* --- two of us ------------------------------------------------------------ */

#define DIALBACK                                                               \
	",\"SaslNegotiation\":\"NotSupported\",\"SupportDialbackNegotiation\"" \
	":true"

/* Whoever dials first, the other one's stanzas go back on that connection; what
 * is missing on either side leaves two connections, as ever. */
static void
test_both_ways(void **state)
{
	static const struct {
		const char *ours, *theirs, *row;
		bool one;
	} rows[] = {
		{ BIDI, BIDI, NULL, true },
		{ BIDI, BIDI, DIALBACK, true },
		{ NULL, BIDI, NULL, false },
		{ BIDI, NULL, NULL, false },
		{ NULL, BIDI, DIALBACK, false },
		{ BIDI, NULL, DIALBACK, false },
		/* never in the clear */
		{ BIDI, BIDI,
		    ",\"TlsNegotiation\":\"NotSupported\",\"SaslNegotiation\":"
		    "\"NotSupported\"",
		    false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;

		begin_rows(&f, rows[i].ours, rows[i].theirs, rows[i].row);
		send_one(&f.a, 0, NULL);
		until_settled(&f, &f.a.s[0]);
		until_seen(&f, &f.b, "m0");
		send_one(&f.b, 1, NULL);
		until_settled(&f, &f.b.s[1]);
		until_seen(&f, &f.a, rows[i].one ? "back:m1" : "m1");
		assert_true(f.a.s[0].r.delivered && f.b.s[1].r.delivered);
		assert_int_equal(1, f.b.ins);
		assert_int_equal(rows[i].one ? 0 : 1, f.a.ins);
		assert_int_equal(rows[i].one ? 1 : 0, f.a.returned);
		assert_string_equal(
		    rows[i].one ? "up+bidi " : "up ", buf_cstr(&f.a.events));
		assert_string_equal(rows[i].one ? "" : "up ",
		    f.b.events.len > 0 ? buf_cstr(&f.b.events) : "");
		/* and once more, in order */
		send_one(&f.b, 2, NULL);
		send_one(&f.a, 3, NULL);
		until_seen(&f, &f.a, "m2");
		until_seen(&f, &f.b, "m3");
		finish(&f);
	}
}

/* Where EXTERNAL is permitted, only he is answered on his stream whose certificate
 * proves him, though dialback has let him in. */
static void
test_unproven(void **state)
{
	static const struct {
		const char *row;
		bool one;
	} rows[] = {
		{ ",\"SaslNegotiation\":\"Optional\","
		  "\"SupportDialbackNegotiation\":true",
		    false },
		{ DIALBACK, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;

		begin_certified(&f, BIDI, BIDI, rows[i].row, true);
		send_one(&f.b, 0, NULL);
		until_seen(&f, &f.a, "m0");
		assert_int_equal(1, f.a.ins);
		assert_true(s2s_in_back_is_open(f.a.in));
		send_one(&f.a, 1, NULL);
		until_seen(&f, &f.b, rows[i].one ? "back:m1" : "m1");
		assert_int_equal(rows[i].one ? 0 : 1, f.b.ins);
		assert_int_equal(rows[i].one ? 1 : 0, f.b.returned);
		finish(&f);
	}
}

/* Both directions have the same proofs: the ping where it is answered, else the
 * count, which begins for the way back when the other side enables it. */
static void
test_proofs(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	send_one(&f.a, 0, "sp1-gw1-1-a");
	until_seen(&f, &f.b, "sp1-gw1-1-a");
	send_one(&f.b, 1, "sp1-gw2-1-b");
	until_seen(&f, &f.a, "back:m1 back:sp1-gw2-1-b");
	routes_proof(f.b.routes, "sp1-gw2-1-b");
	until_settled(&f, &f.b.s[1]);
	assert_int_equal(PROOF_PING, f.b.s[1].r.proof);
	/* no answer to the others: what is counted is delivered */
	for (int i = 0; i < 6; i++, pass(&f))
		world_skip(&f.w, 2000);
	until_settled(&f, &f.a.s[0]);
	assert_int_equal(PROOF_ACK, f.a.s[0].r.proof);
	send_one(&f.b, 2, "sp1-gw2-2-b");
	for (int i = 0; i < 2; i++, pass(&f))
		world_skip(&f.w, 10000);
	until_settled(&f, &f.b.s[2]);
	assert_int_equal(PROOF_ACK, f.b.s[2].r.proof);
	assert_int_equal(0, f.a.ins);
	finish(&f);
}

/* Nobody counts what he has not taken over: with the connection goes what was
 * not proven, and its sender is told; what comes later has a stream again. */
static void
test_lost(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	f.a.handles = false;
	send_one(&f.a, 0, NULL);
	until_seen(&f, &f.b, "m0");
	send_one(&f.b, 1, "sp1-gw2-1-b");
	until_seen(&f, &f.a, "back:m1");
	assert_int_equal(0, f.b.s[1].times);
	s2s_in_close(f.b.in, STREAM_ERR_INTERNAL_SERVER_ERROR, NULL);
	until_settled(&f, &f.b.s[1]);
	assert_false(f.b.s[1].r.delivered);
	assert_int_equal(COND_REMOTE_SERVER_TIMEOUT, f.b.s[1].r.condition);
	f.a.handles = true;
	f.a.came = 0;
	send_one(&f.b, 2, NULL);
	until_seen(&f, &f.a, "m2");
	assert_int_equal(1, f.a.ins);
	finish(&f);
}

/* Before we say goodbye he is told what has become of what he sent. */
static void
test_settled_first(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	f.a.handles = false;
	send_one(&f.a, 0, NULL);
	until_seen(&f, &f.b, "m0");
	for (int i = 0; i < 20; i++)
		pass(&f); /* he counts */
	send_one(&f.b, 1, "sp1-gw2-1-b");
	until_seen(&f, &f.a, "back:sp1-gw2-1-b");
	s2s_out_close(f.a.out, STREAM_ERR_NONE, NULL);
	for (int i = 0; i < 30; i++)
		pass(&f);
	assert_int_equal(0, f.b.s[1].times);
	assert_non_null(f.b.in);
	s2s_out_back_handled(f.a.out, f.a.returned);
	until_settled(&f, &f.b.s[1]);
	assert_true(f.b.s[1].r.delivered);
	assert_int_equal(PROOF_ACK, f.b.s[1].r.proof);
	for (int i = 0; i < 1500 && f.b.in != NULL; i++)
		pass(&f);
	assert_null(f.b.in);
	finish(&f);
	/* but not for ever */
	begin(&f);
	f.a.handles = false;
	send_one(&f.a, 0, NULL);
	until_seen(&f, &f.b, "m0");
	send_one(&f.b, 1, "sp1-gw2-1-b");
	until_seen(&f, &f.a, "back:sp1-gw2-1-b");
	s2s_out_close(f.a.out, STREAM_ERR_NONE, NULL);
	world_skip(&f.w, 5000);
	until_settled(&f, &f.b.s[1]);
	assert_false(f.b.s[1].r.delivered);
	finish(&f);
	/* he says goodbye: what is out is waited for */
	begin(&f);
	f.a.handles = false;
	send_one(&f.a, 0, NULL);
	until_seen(&f, &f.b, "m0");
	send_one(&f.b, 1, "sp1-gw2-1-b");
	until_seen(&f, &f.a, "back:sp1-gw2-1-b");
	s2s_in_close(f.b.in, STREAM_ERR_NONE, NULL);
	for (int i = 0; i < 30; i++)
		pass(&f);
	assert_non_null(f.a.out);
	s2s_out_back_handled(f.a.out, f.a.returned);
	for (int i = 0; i < 1500 && f.a.out != NULL; i++)
		pass(&f);
	assert_null(f.a.out);
	finish(&f);
}

/* A full window holds the partner back, and nothing of ours. */
static void
test_paused(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	send_one(&f.a, 0, NULL);
	until_seen(&f, &f.b, "m0");
	send_one(&f.b, 1, NULL);
	until_seen(&f, &f.a, "back:m1");
	s2s_out_back_pause(f.a.out);
	send_one(&f.b, 2, NULL);
	send_one(&f.a, 3, NULL);
	until_seen(&f, &f.b, "m3");
	for (int i = 0; i < 20; i++)
		pass(&f);
	assert_null(strstr(buf_cstr(&f.a.seen), "m2"));
	/* nobody is blamed for what is not read */
	world_skip(&f.w, 31000);
	assert_non_null(f.b.in);
	s2s_out_back_resume(f.a.out);
	until_seen(&f, &f.a, "back:m2");
	finish(&f);
}

/* Much both ways at the same time: nobody waits for the other for ever. */
static void
test_floods(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	send_one(&f.a, 0, NULL);
	until_seen(&f, &f.b, "m0");
	f.a.same_cookie = f.b.same_cookie = true;
	for (int i = 0; i < 400; i++) {
		send_long(&f.a, 1, NULL, 5000);
		send_long(&f.b, 2, NULL, 5000);
	}
	for (int i = 0;
	     i < 4000 && (f.a.s[1].times < 400 || f.b.s[2].times < 400); i++)
		pass(&f);
	assert_int_equal(400, f.a.s[1].times);
	assert_int_equal(400, f.b.s[2].times);
	for (int i = 0; i < 1500 && f.a.returned < 400; i++)
		pass(&f);
	assert_int_equal(400, f.a.returned);
	assert_int_equal(0, f.a.ins);
	finish(&f);
}

/* What is permitted no more goes on a stream of its own, or not at all. */
static void
test_recheck(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	send_one(&f.a, 0, NULL);
	until_seen(&f, &f.b, "m0");
	send_one(&f.b, 1, NULL);
	until_seen(&f, &f.a, "back:m1");
	site_permit(&f.b.site, OURS, "{\"bidi\":false}");
	s2s_in_recheck(f.b.in);
	routes_recheck(f.b.routes);
	send_one(&f.b, 2, NULL);
	until_seen(&f, &f.a, " m2");
	assert_int_equal(1, f.a.ins);
	/* and the one who opened it lets go of a stream that he may not use so */
	site_permit(&f.a.site, THEIRS, "{\"bidi\":false}");
	routes_recheck(f.a.routes);
	for (int i = 0; i < 1500 && f.a.out != NULL; i++)
		pass(&f);
	assert_null(f.a.out);
	send_one(&f.a, 3, NULL);
	until_seen(&f, &f.b, "m3");
	assert_string_equal("up+bidi down up ", buf_cstr(&f.a.events));
	finish(&f);
}

/* Both dial at once: two connections, each used by who opened it. */
static void
test_at_once(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	send_one(&f.a, 0, NULL);
	send_one(&f.b, 1, NULL);
	until_seen(&f, &f.a, "m1");
	until_seen(&f, &f.b, "m0");
	assert_int_equal(1, f.a.ins);
	assert_int_equal(1, f.b.ins);
	for (unsigned n = 2; n < 8; n++)
		send_one(n % 2 ? &f.a : &f.b, n, NULL);
	until_seen(&f, &f.a, "m6");
	until_seen(&f, &f.b, "m7");
	assert_int_equal(0, f.a.returned + f.b.returned);
	finish(&f);
}

/* --- limits ---------------------------------------------------------------- */

/* What the other one has said that he does not take is not sent to him, on
 * whichever way; what follows is. */
static void
test_limits(void **state)
{
	static const struct {
		const char *ours, *theirs;
		bool ours_refused, theirs_refused;
	} rows[] = {
		{ BIDI, BIDI, false, false },
		{ BIDI, "{\"bidi\":true,\"stanza_max\":10000}", true, false },
		{ "{\"bidi\":true,\"stanza_max\":10000}", BIDI, false, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;

		begin_rows(&f, rows[i].ours, rows[i].theirs, NULL);
		send_long(&f.a, 0, NULL, 10000);
		send_long(&f.a, 1, NULL, 10001);
		send_one(&f.a, 2, NULL);
		until_seen(&f, &f.b, "m2");
		until_settled(&f, &f.a.s[1]);
		assert_int_equal(!rows[i].ours_refused, f.a.s[1].r.delivered);
		send_long(&f.b, 3, NULL, 10000);
		send_long(&f.b, 4, NULL, 10001);
		send_one(&f.b, 5, NULL);
		until_seen(&f, &f.a, "back:m5");
		until_settled(&f, &f.b.s[4]);
		assert_int_equal(!rows[i].theirs_refused, f.b.s[4].r.delivered);
		if (rows[i].ours_refused) {
			assert_int_equal(
			    COND_POLICY_VIOLATION, f.a.s[1].r.condition);
			assert_string_equal("modify", f.a.s[1].r.error_type);
			assert_string_equal("the partner's server takes 10000 "
					    "bytes in one stanza, this one has "
					    "10001",
			    f.a.s[1].text);
		}
		assert_int_equal(1, f.b.ins);
		assert_int_equal(0, f.a.ins);
		finish(&f);
	}
}

/* What either side calls idle is known to the other, who sends a space in time
 * or, where the row forbids that, says goodbye in time. */
static void
test_quiet(void **state)
{
	struct fixture f;

	(void)state;
	begin_rows(&f, "{\"bidi\":true,\"stream_inactivity_ms\":86400000}",
	    "{\"bidi\":true,\"stream_inactivity_ms\":40000}", NULL);
	send_one(&f.a, 0, NULL);
	until_seen(&f, &f.b, "m0");
	for (int i = 0; i < 6; i++) {
		world_skip(&f.w, 30000);
		for (int k = 0; k < 10; k++)
			pass(&f);
		assert_non_null(f.b.in);
	}
	finish(&f);
	begin_rows(&f, "{\"bidi\":true,\"stream_inactivity_ms\":86400000}",
	    "{\"bidi\":true,\"stream_inactivity_ms\":40000}",
	    ",\"EnableKeepAlive\":false");
	send_one(&f.a, 0, NULL);
	until_seen(&f, &f.b, "m0");
	/* The clock runs beside that. */
	world_skip(&f.w, 20000);
	pass(&f);
	assert_string_equal("up+bidi ", buf_cstr(&f.a.events));
	world_skip(&f.w, 10200);
	pass(&f);
	assert_string_equal("up+bidi down ", buf_cstr(&f.a.events));
	finish(&f);
}

/* --- scripted servers ------------------------------------------------------ */

#define STREAM(from, to)                                                       \
	"<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx."    \
	"jabber.org/streams' xmlns:db='jabber:server:dialback' from='" from    \
	"' to='" to "' version='1.0'"
#define HEADER      STREAM(THEIRS, OURS) " id='1'>"
#define STARTTLS    "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
#define PROCEED     "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
#define SASL        "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"
#define FEATURES(f) "<stream:features>" f "</stream:features>"
#define EXTERNAL                                                               \
	"<mechanisms " SASL "><mechanism>EXTERNAL</mechanism></mechanisms>"
#define OFFER "<bidi xmlns='urn:xmpp:features:bidi'/>"
#define MESSAGE(from, to)                                                      \
	"<message from='bo@" from "' to='anna@" to "' id='x'/>"
#define GOOD MESSAGE(THEIRS, OURS)

static void
on_connection(uv_stream_t *listener, int status)
{
	struct fixture *f = now;

	assert_int_equal(0, status);
	script_accept(&f->p, &f->w, listener);
	f->accepted = true;
}

/* The partner is a script, and has got as far as the features behind TLS. */
static void
begin_scripted(struct fixture *f, const char *ours, const char *row)
{
	memset(f, 0, sizeof(*f));
	now = f;
	world_init(&f->w);
	resolver_clock = f->w.clock;
	open_side(&f->a, f, OURS, THEIRS,
	    (struct site_opts){
		.settings = ours, .row = row, .in_events = &in_events });
	open_side(&f->b, f, THEIRS, OURS, (struct site_opts){ 0 });
	assert_int_equal(
	    0, uv_listen((uv_stream_t *)&f->b.site.listener, 4, on_connection));
	send_one(&f->a, 0, NULL);
	assert_true(world_run(&f->w, &f->accepted, 3000));
	script_expect(&f->p, ">");
	script_expect(&f->p, ">");
	script_send(&f->p, HEADER FEATURES(STARTTLS));
	script_expect(&f->p, "<starttls ");
	script_send(&f->p, PROCEED);
	script_tls_server(&f->p, &f->b.site);
	script_expect(&f->p, "from='contoso.example'");
}

static void
go_open(struct fixture *f)
{
	script_send(&f->p, HEADER FEATURES(EXTERNAL OFFER));
	script_expect(&f->p, "<bidi xmlns='urn:xmpp:bidi'><limits");
	script_expect(&f->p, "</bidi><auth ");
	script_expect(&f->p, "</auth>");
	script_send(&f->p, "<success " SASL "/>");
	script_expect(&f->p, "<stream:stream ");
	script_send(&f->p, HEADER FEATURES(""));
	script_expect(&f->p, "id='m0'");
}

/* What a server may not send on the stream that we opened. */
static void
test_forbidden_returns(void **state)
{
	static const struct {
		const char *stanza, *condition;
	} rows[] = {
		{ MESSAGE("other.example", OURS), "<invalid-from" },
		{ MESSAGE("sub." THEIRS, OURS), "<invalid-from" },
		{ MESSAGE(OURS, THEIRS), "<invalid-from" },
		{ MESSAGE(THEIRS, "other.example"), "<host-unknown" },
		{ "<message from='bo@" THEIRS "'/>", "<improper-addressing" },
		{ "<iq type='get'/>", "<improper-addressing" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;

		begin_scripted(&f, BIDI, NULL);
		go_open(&f);
		script_send(&f.p, GOOD);
		until_seen(&f, &f.a, "back:x");
		script_send(&f.p, rows[i].stanza);
		assert_true(script_ended_with(&f.p, rows[i].condition));
		assert_int_equal(1, f.a.returned);
		finish(&f);
	}
}

/* Nothing comes back before we are let in, and nothing where it was not asked
 * for. */
static void
test_too_early(void **state)
{
	struct fixture f;

	(void)state;
	begin_scripted(&f, BIDI, NULL);
	script_send(&f.p, HEADER FEATURES(EXTERNAL OFFER) GOOD);
	assert_true(script_ended_with(&f.p, "<not-authorized"));
	assert_int_equal(0, f.a.returned);
	finish(&f);
	begin_scripted(&f, BIDI, DIALBACK);
	script_send(&f.p,
	    HEADER FEATURES(
		"<dialback xmlns='urn:xmpp:features:dialback'/>" OFFER) GOOD);
	assert_true(script_ended_with(&f.p, "<not-authorized"));
	assert_int_equal(0, f.a.returned);
	finish(&f);
	/* it is switched off here */
	begin_scripted(&f, NULL, NULL);
	script_send(&f.p, HEADER FEATURES(EXTERNAL OFFER));
	script_expect(&f.p, "<auth ");
	assert_false(script_has(&f.p, "bidi"));
	script_expect(&f.p, "</auth>");
	script_send(&f.p, "<success " SASL "/>");
	script_expect(&f.p, "<stream:stream ");
	script_send(&f.p, HEADER FEATURES("") GOOD);
	script_expect(&f.p, "id='m0'");
	world_pass(&f.w, 30);
	assert_int_equal(0, f.a.returned);
	assert_false(f.p.ended);
	finish(&f);
}

/* Questions about our keys are answered on it; who wants a further pair of his
 * let in is told to connect; answers that nobody asked for change nothing. */
static void
test_dialback_on_it(void **state)
{
	struct fixture f;

	(void)state;
	begin_scripted(&f, BIDI, NULL);
	go_open(&f);
	script_send(&f.p,
	    "<db:verify from='" THEIRS "' to='" OURS "' id='9'>no</db:verify>");
	script_expect(
	    &f.p, "from='" OURS "' to='" THEIRS "' id='9' type='invalid'/>");
	script_send(&f.p,
	    "<db:result from='sub." THEIRS "' to='" OURS "'>k</db:result>");
	script_expect(
	    &f.p, "from='" OURS "' to='sub." THEIRS "' type='error'>");
	script_expect(&f.p, "<resource-constraint");
	script_send(&f.p,
	    "<db:result from='sub." THEIRS "' to='" OURS "' type='valid'/>");
	script_send(&f.p, MESSAGE("sub." THEIRS, OURS));
	assert_true(script_ended_with(&f.p, "<invalid-from"));
	assert_int_equal(0, f.a.returned);
	finish(&f);
}

/* He sends more than he may in a second. */
static void
test_slowed(void **state)
{
	struct fixture f;

	(void)state;
	begin_scripted(&f, "{\"bidi\":true,\"stanza_rate\":2}", NULL);
	go_open(&f);
	for (int i = 0; i < 40; i++)
		script_send(&f.p, GOOD);
	for (int i = 0; i < 50; i++)
		pass(&f);
	assert_in_range(f.a.returned, 15, 25);
	for (int i = 0; i < 20; i++, pass(&f))
		world_skip(&f.w, 1000);
	assert_int_equal(40, f.a.returned);
	finish(&f);
}

/* He asks how many of his stanzas are done with. */
static void
test_his_count(void **state)
{
	struct fixture f;

	(void)state;
	begin_scripted(&f, BIDI, NULL);
	f.a.handles = false;
	script_send(&f.p, HEADER FEATURES(EXTERNAL OFFER));
	script_expect(&f.p, "</auth>");
	script_send(&f.p, "<success " SASL "/>");
	script_expect(&f.p, "<stream:stream ");
	/* what comes in front of <enabled/> is not in the count */
	script_send(&f.p, HEADER FEATURES("<sm" SM "/>") GOOD);
	script_expect(&f.p, "<enable" SM "/>");
	script_send(&f.p, "<enabled" SM "/>" GOOD GOOD "<r" SM "/>");
	script_expect(&f.p, "<a" SM " h='0'/>");
	until_seen(&f, &f.a, "back:x back:x back:x");
	s2s_out_back_handled(f.a.out, 2);
	script_expect(&f.p, "<a" SM " h='1'/>");
	s2s_out_back_handled(f.a.out, 3);
	script_expect(&f.p, "<a" SM " h='2'/>");
	finish(&f);
}

/* --- scripted clients ------------------------------------------------------ */

#define DIALLER STREAM(THEIRS, OURS) ">"
#define AUTH    "<auth " SASL " mechanism='EXTERNAL'>=</auth>"
#define REQUEST "<bidi xmlns='urn:xmpp:bidi'/>"

/* A partner who dials, up to our features behind TLS. */
static void
begin_dialled(struct fixture *f, const char *ours)
{
	memset(f, 0, sizeof(*f));
	now = f;
	world_init(&f->w);
	resolver_clock = f->w.clock;
	open_side(&f->a, f, OURS, THEIRS,
	    (struct site_opts){ .settings = ours, .in_events = &in_events });
	open_side(&f->b, f, THEIRS, OURS, (struct site_opts){ 0 });
	script_connect(&f->p, &f->a.site);
	f->accepted = true;
	script_send(&f->p, DIALLER);
	script_expect(&f->p, "</stream:features>");
	assert_false(script_has(&f->p, "bidi"));
	script_send(&f->p, STARTTLS);
	script_expect(&f->p, PROCEED);
	script_tls_client(&f->p, &f->b.site);
	script_send(&f->p, DIALLER);
}

static void
authenticate(struct fixture *f)
{
	script_send(&f->p, AUTH);
	script_expect(&f->p, "<success ");
	script_send(&f->p, DIALLER);
	script_expect(&f->p, "</stream:features>");
}

/* The offer, the request in its place, and what takes no effect. */
static void
test_request(void **state)
{
	static const struct {
		const char *request;
		bool open;
	} rows[] = {
		{ REQUEST, true },
		{ REQUEST REQUEST, true },
		{ OFFER, false }, /* in the namespace of the offer */
		{ "", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;

		begin_dialled(&f, BIDI);
		script_expect(&f.p, OFFER "<limits");
		script_expect(&f.p, "</stream:features>");
		script_send(&f.p, rows[i].request);
		/* nothing goes back before he is who he says */
		send_one(&f.a, 0, NULL);
		assert_false(script_has(&f.p, "m0"));
		authenticate(&f);
		script_send(&f.p, GOOD);
		until_seen(&f, &f.a, "x");
		assert_int_equal(rows[i].open, s2s_in_back_is_open(f.a.in));
		assert_int_equal(
		    rows[i].open, s2s_in_back_carries(f.a.in, OURS, THEIRS));
		assert_false(s2s_in_back_carries(f.a.in, OURS, "sub." THEIRS));
		assert_false(
		    s2s_in_back_carries(f.a.in, "other.example", THEIRS));
		/* too late, and no news */
		script_send(&f.p, REQUEST GOOD);
		until_seen(&f, &f.a, "x x");
		assert_int_equal(rows[i].open, s2s_in_back_is_open(f.a.in));
		finish(&f);
	}
}

/* He reads nothing of what we send: he is heard all the same, until it is known
 * that he never will. */
static void
test_not_held_back(void **state)
{
	struct fixture f;

	(void)state;
	begin_dialled(&f, "{\"bidi\":true,\"queue_bytes\":33554432}");
	script_expect(&f.p, "</stream:features>");
	script_send(&f.p, REQUEST);
	authenticate(&f);
	conn_pause(f.p.conn);
	f.a.same_cookie = true;
	for (int i = 0; i < 160; i++)
		send_long(&f.a, 0, NULL, 100000);
	for (int i = 0; i < 100; i++)
		pass(&f);
	assert_in_range(f.a.s[0].times, 1, 159);
	script_send(&f.p, GOOD);
	until_seen(&f, &f.a, "x");
	world_skip(&f.w, 30000);
	pass(&f);
	world_skip(&f.w, 6000);
	for (int i = 0; i < 1000 && f.a.in != NULL; i++)
		pass(&f);
	assert_null(f.a.in);
	conn_resume(f.p.conn);
	finish(&f);
}

/* A partner who could not be reached is answered as soon as he has come, and
 * what was written is proven on his stream or not at all. */
static void
test_he_has_come(void **state)
{
	struct fixture f;

	(void)state;
	begin_dialled(&f, BIDI);
	site_close(&f.b.site); /* nobody listens there */
	script_expect(&f.p, "</stream:features>");
	send_one(&f.a, 0, NULL);
	until_settled(&f, &f.a.s[0]);
	assert_int_equal(COND_REMOTE_SERVER_TIMEOUT, f.a.s[0].r.condition);
	script_send(&f.p, REQUEST);
	authenticate(&f);
	for (int i = 0; i < 1500 && f.a.in == NULL; i++)
		pass(&f);
	routes_heard(f.a.routes, THEIRS);
	send_one(&f.a, 1, NULL);
	script_expect(&f.p, "id='m1'");
	/* our count begins with his <enable/>; the first two are in front */
	send_one(&f.a, 2, "sp1-gw1-1-a");
	script_expect(&f.p, "id='m2'></message><iq type='get'");
	script_send(&f.p, "<enable" SM "/>");
	script_expect(&f.p, "<enabled" SM "/><r" SM "/>");
	script_send(&f.p, "<a" SM " h='0'/>");
	world_pass(&f.w, 20);
	for (int i = 0; i < 6; i++)
		world_skip(&f.w, 2000);
	assert_int_equal(0, f.a.s[2].times);
	send_one(&f.a, 3, "sp1-gw1-2-a");
	script_expect(&f.p, "id='m3'");
	script_expect(&f.p, "<r" SM "/>");
	/* the ping was sent four more times before the third */
	script_send(&f.p, "<a" SM " h='4'/>");
	until_settled(&f, &f.a.s[2]);
	assert_int_equal(0, f.a.s[3].times);
	script_send(&f.p, "<a" SM " h='5'/>");
	until_settled(&f, &f.a.s[3]);
	assert_int_equal(PROOF_ACK, f.a.s[2].r.proof);
	/* more than there was */
	script_send(&f.p, "<a" SM " h='9'/>");
	assert_true(script_ended_with(&f.p, "<handled-count-too-high"));
	script_close(&f.p);
	f.accepted = false;
	for (int i = 0; i < 1500 && f.a.in != NULL; i++)
		pass(&f);
	close_side(&f.a, &f);
	close_side(&f.b, &f);
	site_close(&f.a.site);
	world_finish(&f.w);
	free_side(&f.a);
	free_side(&f.b);
}

/* --- the element of XEP-0478 ----------------------------------------------- */

static const struct {
	const char *xml;
	uint32_t max_bytes, idle_s;
} elements[] = {
	{ "<max-bytes>262144</max-bytes><idle-seconds>360</idle-seconds>",
	    262144, 360 },
	{ "<idle-seconds>60</idle-seconds>", 0, 60 },
	{ "<max-bytes>9999</max-bytes>", 10000, 0 },
	{ "<max-bytes>1</max-bytes>", 10000, 0 },
	{ "<max-bytes>0</max-bytes><idle-seconds>0</idle-seconds>", 0, 0 },
	{ "<max-bytes>-5</max-bytes><idle-seconds>1.5</idle-seconds>", 0, 0 },
	{ "<max-bytes>many</max-bytes>", 0, 0 },
	{ "<max-bytes/>", 0, 0 },
	{ "<max-bytes>4294967295</max-bytes>", 4294967295, 0 },
	{ "<max-bytes>4294967296</max-bytes>", 0, 0 },
	{ "<max-bytes>99999999999999999999999999</max-bytes>", 0, 0 },
	{ "", 0, 0 },
};

static struct stream_limits read_limits;

static void
on_header(struct xml_stream *xs, const struct stream_header *h, void *arg)
{
	(void)xs;
	(void)h;
	(void)arg;
}

static void
on_features(struct xml_stream *xs, const struct xml_elem *e, void *arg)
{
	(void)xs;
	(void)arg;
	read_limits = stream_limits_read(e);
}

static void
on_goodbye(struct xml_stream *xs, void *arg)
{
	(void)xs;
	(void)arg;
}

static void
test_elements(void **state)
{
	static const struct xml_stream_events events = { on_header, on_features,
		on_goodbye };
	struct xml_stream_limits limits = xml_stream_limits_strict();

	(void)state;
	for (size_t i = 0; i < sizeof(elements) / sizeof(elements[0]); i++) {
		struct xml_stream *xs;
		struct buf text;
		size_t used;

		buf_init(&text, 0);
		buf_addf(&text,
		    HEADER FEATURES("<limits xmlns='urn:xmpp:stream-limits:0'>"
				    "%s</limits>"),
		    elements[i].xml);
		assert_int_equal(
		    0, xml_stream_open(&xs, &limits, &events, NULL));
		assert_int_equal(
		    0, xml_stream_feed(xs, text.data, text.len, &used));
		assert_int_equal(elements[i].max_bytes, read_limits.max_bytes);
		assert_int_equal(elements[i].idle_s, read_limits.idle_s);
		xml_stream_close(xs);
		buf_finish(&text);
	}
	read_limits = (struct stream_limits){ 0 };
	assert_true(stream_limits_fits(&read_limits, SIZE_MAX));
	assert_int_equal(0, stream_limits_quiet_ms(&read_limits));
	read_limits = (struct stream_limits){ 10000, 1 };
	assert_true(stream_limits_fits(&read_limits, 10000));
	assert_false(stream_limits_fits(&read_limits, 10001));
	assert_int_equal(5000, stream_limits_quiet_ms(&read_limits));
	read_limits.idle_s = 60;
	assert_int_equal(45000, stream_limits_quiet_ms(&read_limits));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_unproven),
		cmocka_unit_test(test_proofs),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_settled_first),
		cmocka_unit_test(test_paused),
		cmocka_unit_test(test_floods),
		cmocka_unit_test(test_slowed),
		cmocka_unit_test(test_recheck),
		cmocka_unit_test(test_at_once),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_quiet),
		cmocka_unit_test(test_forbidden_returns),
		cmocka_unit_test(test_too_early),
		cmocka_unit_test(test_dialback_on_it),
		cmocka_unit_test(test_his_count),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_not_held_back),
		cmocka_unit_test(test_he_has_come),
		cmocka_unit_test(test_elements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
