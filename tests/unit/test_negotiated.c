/*
 * The negotiation matrix on the wire: two sites of ours, each with a row about
 * the other, and what comes of a stanza in either direction.  What comes of
 * it is the best that both rows permit, or nothing.
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
#include "edge-proxy/hosting.h"
#include "edge-proxy/resolver_client.h"
#include "edge-proxy/routes.h"
#include "edge-proxy/s2s_in.h"
#include "proto/channel.h"
#include "tests/unit/stream_world.h"
#include "tests/unit/resolver_table.inc"

/* --- the resolver: two domains, each at its site's port ------------------- */

static struct site *sites[2];

static void
resolver_know(struct resolver_query *q, const char *name, enum dns_type type)
{
	assert_int_equal(DNS_SRV, type);
	q->answer.status = DNS_NXDOMAIN;
	for (int i = 0; i < 2; i++) {
		if (strcmp(name + strlen("_xmpp-server._tcp."),
			sites[i]->hosted) != 0)
			continue;
		q->answer.status = DNS_OK;
		q->answer.count = 1;
		q->srv[0].port = ntohs(
		    ((struct sockaddr_in *)(void *)&sites[i]->addr)->sin_port);
		strcpy(q->srv[0].target, "127.0.0.1");
	}
}

/* --- two ends ------------------------------------------------------------ */

struct end {
	struct site site;
	struct routes *routes;
	bool settled, delivered, closed;
	unsigned stanzas;
	unsigned asked;       /* questions about keys */
	char in[40], out[40]; /* how a stream came up: "external tls" */
	char reason[200];
	unsigned ids;
};

struct fixture {
	struct world w;
	struct end a, b;
};

static void
note(char *into, const struct stream_info *info)
{
	assert_int_equal(1, info->pair_count);
	assert_true(info->pairs[0].method != 0);
	snprintf(into, 40, "%s %s", info->auth,
	    strcmp(info->tls, "-") == 0 ? "-" : "tls");
}

static void
on_in_event(struct s2s_in *s, enum stream_event ev,
    const struct stream_info *info, void *arg)
{
	struct end *e = arg;

	(void)s;
	if (ev != STREAM_UP)
		return;
	note(e->in, info);
}

static void
on_in_stanza(struct s2s_in *s, const struct xml_elem *x, const struct jid *from,
    const struct jid *to, void *arg)
{
	(void)x;
	(void)from;
	(void)to;
	/* one stanza a stream; it is done with */
	((struct end *)arg)->stanzas++;
	s2s_in_handled(s, 1);
}

static void
on_in_end(
    struct s2s_in *s, bool was_up, const struct stream_info *info, void *arg)
{
	(void)s;
	(void)was_up;
	(void)info;
	(void)arg;
}

static const struct s2s_in_events in_events = {
	.on_event = on_in_event,
	.on_stanza = on_in_stanza,
	.on_end = on_in_end,
};

static int
ask(struct dialback_ask *a, void *arg)
{
	struct end *e = arg;

	e->asked++;
	return routes_verify(e->routes, a);
}

static void
make_id(char *out, void *arg)
{
	snprintf(out, STREAM_ID_SIZE, "e.%u", ++((struct end *)arg)->ids);
}

static void
on_settled(void *arg, void *cookie, const struct channel_result *r)
{
	struct end *e = arg;

	(void)cookie;
	e->settled = true;
	e->delivered = r->delivered;
	snprintf(e->reason, sizeof(e->reason), "%s", r->text ? r->text : "");
}

static void
on_out_event(enum stream_event ev, const struct stream_info *info, void *arg)
{
	if (ev == STREAM_UP)
		note(((struct end *)arg)->out, info);
}

static void
on_closed(void *arg)
{
	((struct end *)arg)->closed = true;
}

static void
end_init(struct fixture *f, struct end *e, const char *hosted,
    const char *partner, const struct make_cert *issuer)
{
	const struct site_opts opts = {
		.hosted = hosted,
		.partner = partner,
		.issuer = issuer,
		.ask = ask,
		.ask_arg = e,
		.in_events = &in_events,
		.in_arg = e,
	};

	site_init(&e->site, &f->w, &opts);
}

static void
begin(struct fixture *f, bool trusted)
{
	memset(f, 0, sizeof(*f));
	world_init(&f->w);
	resolver_clock = f->w.clock;
	end_init(f, &f->a, "contoso.example", "partner.example",
	    trusted ? NULL : &f->w.stranger_ca);
	end_init(f, &f->b, "partner.example", "contoso.example", NULL);
	sites[0] = &f->a.site;
	sites[1] = &f->b.site;
}

static void
finish(struct fixture *f)
{
	site_close(&f->a.site);
	site_close(&f->b.site);
	world_finish(&f->w);
	site_free(&f->a.site);
	site_free(&f->b.site);
}

static void
end_open(struct fixture *f, struct end *e, const char *row)
{
	const struct routes_opts opts = {
		.loop = &f->w.loop,
		.clock = f->w.clock,
		.hosting = e->site.hosting,
		.identities = e->site.ids,
		.make_id = make_id,
		.on_settled = on_settled,
		.on_event = on_out_event,
		.on_closed = on_closed,
		.arg = e,
	};

	e->site.row = row;
	site_permit(&e->site, e->site.partner, NULL);
	e->settled = e->delivered = e->closed = false;
	e->stanzas = e->asked = 0;
	strcpy(e->in, "none");
	strcpy(e->out, "none");
	e->reason[0] = '\0';
	assert_int_equal(0, routes_open(&e->routes, &opts));
}

/* A stanza from one end to the other. */
static void
send_one(struct fixture *f, struct end *from, struct end *to)
{
	char xml[200];
	const struct route_stanza s = {
		.local = from->site.hosted,
		.remote = to->site.hosted,
		.xml = xml,
		.len = (size_t)snprintf(xml, sizeof(xml),
		    "<message from='a@%s' to='b@%s'/>", from->site.hosted,
		    to->site.hosted),
		.cookie = from,
	};

	assert_int_equal(0, routes_send(from->routes, &s));
	assert_true(world_run(&f->w, &from->settled, 5000));
	for (int i = 0; from->delivered && to->stanzas == 0 && i < 500; i++)
		world_pass(&f->w, 2);
}

static void
ends_close(struct fixture *f)
{
	routes_close(f->a.routes);
	routes_close(f->b.routes);
	assert_true(world_run(&f->w, &f->a.closed, 10000));
	assert_true(world_run(&f->w, &f->b.closed, 10000));
}

/* --- the matrix ---------------------------------------------------------- */

#define ROW(tls, sasl, dialback)                                               \
	",\"TlsNegotiation\":\"" tls "\",\"SaslNegotiation\":\"" sasl          \
	"\",\"SupportDialbackNegotiation\":" dialback
#define R "Required"
#define O "Optional"
#define N "NotSupported"

/* What the other side permits, from EXTERNAL alone to all there is. */
static const struct {
	char permits; /* as below */
	const char *row;
} others[] = {
	{ 'e', ROW(R, R, "false") },
	{ 'd', ROW(R, N, "true") },
	{ 'p', ROW(N, N, "true") },
	{ '*', ROW(O, O, "true") },
};

/* e EXTERNAL over TLS, d dialback over TLS, p dialback without; "" no valid
 * row, which the configuration refuses. */
static const struct {
	const char *row, *permits;
} rows[18] = {
	{ ROW(R, R, "true"), "e" },
	{ ROW(R, R, "false"), "e" },
	{ ROW(O, R, "true"), "edp" },
	{ ROW(O, R, "false"), "e" },
	{ ROW(N, R, "true"), "p" },
	{ ROW(N, R, "false"), "" },
	{ ROW(R, O, "true"), "ed" },
	{ ROW(R, O, "false"), "e" },
	{ ROW(O, O, "true"), "edp" },
	{ ROW(O, O, "false"), "e" },
	{ ROW(N, O, "true"), "p" },
	{ ROW(N, O, "false"), "" },
	{ ROW(R, N, "true"), "d" },
	{ ROW(R, N, "false"), "" },
	{ ROW(O, N, "true"), "dp" },
	{ ROW(O, N, "false"), "" },
	{ ROW(N, N, "true"), "p" },
	{ ROW(N, N, "false"), "" },
};

static const char *
expected(const char *permits, char other, bool trusted)
{
	static const struct {
		char letter;
		const char *how;
	} preference[] = { { 'e', "external tls" }, { 'd', "dialback tls" },
		{ 'p', "dialback -" } };

	for (size_t i = 0; i < 3; i++) {
		char c = preference[i].letter;

		if (c == 'e' && !trusted)
			continue;
		if (strchr(permits, c) != NULL && (other == '*' || other == c))
			return preference[i].how;
	}
	return "none";
}

static void
assert_came(const struct end *from, const struct end *to, const char *how,
    const char *row, char other)
{
	bool ok = strcmp(how, "none") != 0;

	if (strcmp(from->out, how) != 0 || strcmp(to->in, how) != 0 ||
	    from->delivered != ok || to->stanzas != ok ||
	    /* no key is handed out where dialback is not to be */
	    (how[0] != 'd' && to->asked > 0))
		fail_msg("row %s with %c, from %s: wanted %s, out %s, in %s, "
			 "delivered %d, seen %u: %s",
		    row, other, from->site.hosted, how, from->out, to->in,
		    from->delivered, to->stanzas, from->reason);
}

/* An end with a good certificate and, a, one that may not be trusted. */
static void
walk_the_matrix(bool trusted)
{
	struct fixture f;

	begin(&f, trusted);
	for (size_t i = 0; i < 18; i++) {
		for (size_t k = 0; k < 4 && rows[i].permits[0] != '\0'; k++) {
			const char *how = expected(
			    rows[i].permits, others[k].permits, trusted);

			/* either end has the row once, and dials once */
			for (int turn = 0; turn < 4; turn++) {
				struct end *x = turn & 1 ? &f.a : &f.b;
				struct end *y = turn & 1 ? &f.b : &f.a;

				end_open(&f, x, rows[i].row);
				end_open(&f, y, others[k].row);
				if (turn & 2) {
					struct end *z = x;

					x = y;
					y = z;
				}
				send_one(&f, x, y);
				assert_came(
				    x, y, how, rows[i].row, others[k].permits);
				ends_close(&f);
			}
		}
	}
	finish(&f);
}

static void
the_best_that_both_permit(void **state)
{
	(void)state;
	walk_the_matrix(true);
}

/* Of a certificate from nowhere nothing is believed, in either direction. */
static void
without_a_trusted_certificate(void **state)
{
	(void)state;
	walk_the_matrix(false);
}

/* The row becomes stricter: what it no longer permits ends, the next stanza
 * goes as it has to. */
static void
a_stricter_row_ends_weaker_streams(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, true);
	end_open(&f, &f.a, ROW(N, N, "true"));
	end_open(&f, &f.b, ROW(O, O, "true"));
	send_one(&f, &f.a, &f.b);
	assert_string_equal("dialback -", f.b.in);
	f.a.site.row = ROW(R, R, "true");
	site_permit(&f.a.site, f.a.site.partner, NULL);
	routes_recheck(f.a.routes);
	world_pass(&f.w, 50);
	f.a.settled = false;
	f.b.stanzas = 0;
	send_one(&f, &f.a, &f.b);
	assert_string_equal("external tls", f.a.out);
	assert_string_equal("external tls", f.b.in);
	assert_int_equal(1, f.b.stanzas);
	ends_close(&f);
	finish(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_best_that_both_permit),
		cmocka_unit_test(without_a_trusted_certificate),
		cmocka_unit_test(a_stricter_row_ends_weaker_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
