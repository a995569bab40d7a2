/* The partner, his resolver, and what is heard of a route to him. */
#include "tests/unit/route_rig.h"

#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>

#include "common/clock.h"
#include "common/tls_accept.h"
#include "common/tls_identity.h"
#include "common/xml.h"
#include "tests/unit/resolver_table.inc"

/* --- the resolver -------------------------------------------------------- */

struct route_record route_zone[12];
size_t route_zone_count;
char route_asked[1000];

static void
resolver_know(struct resolver_query *q, const char *name, enum dns_type type)
{
	const struct route_record *r = NULL;

	snprintf(route_asked + strlen(route_asked),
	    sizeof(route_asked) - strlen(route_asked), "%s/%d ", name,
	    (int)type);
	for (size_t i = 0; i < route_zone_count; i++) {
		if (route_zone[i].type == type &&
		    strcmp(route_zone[i].name, name) == 0)
			r = &route_zone[i];
	}
	if (r == NULL)
		return;
	q->answer.status = r->status;
	q->late_ms = r->late_ms;
	q->answer.count = r->count;
	memcpy(q->srv, r->srv, sizeof(q->srv));
	if (r->addr != NULL) {
		q->answer.count = 1;
		uv_ip4_addr(r->addr, 0, (struct sockaddr_in *)&q->addr);
	}
}

/* --- the fixture --------------------------------------------------------- */

static void
on_in_event(struct s2s_in *s, enum stream_event ev,
    const struct stream_info *info, void *arg)
{
	struct route_rig *f = arg;

	(void)info;
	if (ev == STREAM_UP)
		f->in_up = true;
	f->in = s;
	if (f->pause_in)
		s2s_in_pause(s);
}

static void
on_in_stanza(struct s2s_in *s, const struct xml_elem *e, const struct jid *from,
    const struct jid *to, void *arg)
{
	struct route_rig *f = arg;

	(void)s;
	(void)from;
	(void)to;
	f->stanzas++;
	if (xml_child(e, "urn:xmpp:delay", "delay") != NULL)
		buf_add_str(&f->seen, "late:");
	if (xml_child(e, "urn:xmpp:ping", "ping") != NULL)
		buf_addf(&f->seen, "ping:%s ", xml_attr(e, "id"));
	else
		buf_addf(&f->seen, "%s ", xml_attr(e, "id"));
	if (f->handles)
		s2s_in_handled(s, f->stanzas);
}

static void
on_in_end(
    struct s2s_in *s, bool was_up, const struct stream_info *info, void *arg)
{
	struct route_rig *f = arg;

	(void)was_up;
	(void)info;
	if (f->in == s) {
		f->in_ended = true;
		f->in = NULL;
	}
}

const struct s2s_in_events route_in_events = {
	.on_event = on_in_event,
	.on_stanza = on_in_stanza,
	.on_end = on_in_end,
};

static void
make_id(char *out, void *arg)
{
	struct route_rig *f = arg;

	snprintf(out, STREAM_ID_SIZE, "edge1.0.%u", ++f->ids);
}

static void
on_settled(void *arg, void *cookie, const struct channel_result *r)
{
	struct route_rig *f = arg;
	struct route_settled *s = cookie;

	s->times++;
	s->r = *r;
	snprintf(s->text, sizeof(s->text), "%s", r->text ? r->text : "");
	f->settled++;
	f->something = true;
}

static void
on_event(enum stream_event ev, const struct stream_info *info, void *arg)
{
	struct route_rig *f = arg;

	assert_int_equal(STREAM_OUT, info->direction);
	assert_int_equal(1, info->pair_count);
	assert_string_equal(LOCAL, info->pairs[0].local);
	assert_string_equal(REMOTE, info->pairs[0].remote);
	assert_true(info->id[0] != '\0');
	if (ev == STREAM_UP) {
		assert_string_equal("external", info->auth);
		assert_string_equal("TLSv1.3", info->tls);
		assert_null(info->reason);
	}
	if (ev == STREAM_FAILED) {
		assert_non_null(info->condition);
		assert_non_null(info->reason);
	}
	f->proofs = info->proofs;
	/* which comes first is not ours to say */
	if (ev == STREAM_UPDATE && (info->proofs & 1u << PROOF_ACK) != 0)
		return;
	buf_addf(&f->events, "%s", stream_event_str(ev));
	if (ev == STREAM_UPDATE)
		buf_addf(&f->events, ":%u", info->proofs);
	if (info->condition != NULL)
		buf_addf(&f->events, ":%s", info->condition);
	buf_add_char(&f->events, ' ');
	f->something = true;
}

static bool
is_here(void *arg, const char *remote)
{
	assert_string_equal(REMOTE, remote);
	return ((struct route_rig *)arg)->here;
}

static void
on_closed(void *arg)
{
	((struct route_rig *)arg)->routes_closed = true;
}

struct route_record *
route_zone_add(const char *name, enum dns_type type, enum dns_status status)
{
	struct route_record *r = &route_zone[route_zone_count++];

	*r = (struct route_record){
		.name = name, .type = type, .status = status
	};
	return r;
}

uint16_t
route_port_of(const struct site *s)
{
	return ntohs(((const struct sockaddr_in *)&s->addr)->sin_port);
}

/* SRV of the partner to that port of loopback. */
void
route_zone_target(struct route_record *srv, uint16_t priority, uint16_t port)
{
	struct dns_srv *v = &srv->srv[srv->count++];

	*v = (struct dns_srv){ .priority = priority, .port = port };
	snprintf(v->target, sizeof(v->target), "xmpp.partner.example");
}

static void
zone_of_partner(struct route_rig *f)
{
	route_zone_count = 0;
	route_zone_target(route_zone_add("_xmpp-server._tcp.partner.example",
			      DNS_SRV, DNS_OK),
	    1, route_port_of(&f->partner));
	route_zone_add("xmpp.partner.example", DNS_A, DNS_OK)->addr =
	    "127.0.0.1";
}

static void
begin_with(
    struct route_rig *f, const struct site_opts *partner, const char *settings)
{
	memset(f, 0, sizeof(*f));
	buf_init(&f->seen, 0);
	buf_init(&f->events, 0);
	world_init(&f->w);
	resolver_clock = f->w.clock;
	route_asked[0] = '\0';
	site_init(&f->edge, &f->w,
	    &(struct site_opts){
		.hosted = LOCAL, .partner = REMOTE, .settings = settings });
	site_init(&f->partner, &f->w, partner);
	zone_of_partner(f);
	assert_int_equal(0,
	    routes_open(&f->routes, &(struct routes_opts){ .loop = &f->w.loop,
					.clock = f->w.clock,
					.hosting = f->edge.hosting,
					.identities = f->edge.ids,
					.make_id = make_id,
					.on_settled = on_settled,
					.on_event = on_event,
					.is_here = is_here,
					.on_closed = on_closed,
					.arg = f }));
}

/* in_arg cannot be named in a compound literal of the caller */
void
route_begin_opts(struct route_rig *f, struct site_opts o, const char *settings)
{
	o.hosted = REMOTE;
	if (o.partner == NULL)
		o.partner = LOCAL;
	o.in_events = &route_in_events;
	o.in_arg = f;
	begin_with(f, &o, settings);
}

void
route_begin(struct route_rig *f)
{
	route_begin_opts(f, (struct site_opts){ 0 }, NULL);
}

void
route_on_connection(uv_stream_t *listener, int status)
{
	struct route_rig *f = ((struct site *)listener->data)->in_arg;

	assert_int_equal(0, status);
	script_accept(&f->p, &f->w, listener);
	f->accepted = true;
	if (f->at_once == NULL)
		return;
	assert_int_equal(
	    0, conn_start_tls_server(f->p.conn, f->partner.raw->server, 0));
	assert_int_equal(0, tls_accept_set(conn_ssl(f->p.conn), f->at_once));
}

/* The partner is a script. */
void
route_begin_scripted(struct route_rig *f)
{
	begin_with(
	    f, &(struct site_opts){ .hosted = REMOTE, .partner = LOCAL }, NULL);
	f->partner.in_arg = f;
	assert_int_equal(0, uv_listen((uv_stream_t *)&f->partner.listener, 4,
				route_on_connection));
}

void
route_finish(struct route_rig *f)
{
	routes_close(f->routes);
	if (f->in != NULL) /* who holds nothing back has no reason to wait */
		s2s_in_handled(f->in, f->stanzas);
	if (f->accepted)
		script_close(&f->p);
	assert_true(world_run(&f->w, &f->routes_closed, 10000));
	if (f->in != NULL) {
		s2s_in_resume(f->in);
		assert_true(world_run(&f->w, &f->in_ended, 10000));
	}
	site_close(&f->edge);
	site_close(&f->partner);
	world_finish(&f->w);
	site_free(&f->edge);
	site_free(&f->partner);
	buf_finish(&f->seen);
	buf_finish(&f->events);
}

int
route_send_one(struct route_rig *f, unsigned n, const char *barrier)
{
	char xml[200];

	snprintf(xml, sizeof(xml),
	    "<message from='anna@contoso.example' to='bo@partner.example' "
	    "id='m%u'/>",
	    n);
	return routes_send(f->routes, &(struct route_stanza){ .local = LOCAL,
					  .remote = REMOTE,
					  .xml = xml,
					  .len = strlen(xml),
					  .barrier = barrier,
					  .cookie = &f->s[n] });
}

/* Runs until n stanzas in all are settled. */
void
route_until_settled(struct route_rig *f, unsigned n)
{
	for (int i = 0; i < 3000 && f->settled < n; i++)
		world_pass(&f->w, 2);
	if (f->settled < n)
		fail_msg("%u settled, not %u; events: %s", f->settled, n,
		    buf_cstr(&f->events));
}

void
route_until_seen(struct route_rig *f, const char *what)
{
	for (int i = 0; i < 1500; i++) {
		if (strstr(buf_cstr(&f->seen), what) != NULL)
			return;
		world_pass(&f->w, 2);
	}
	fail_msg("%s not seen, but %s", what, buf_cstr(&f->seen));
}

void
route_assert_failed(
    const struct route_settled *s, enum condition c, const char *type)
{
	assert_int_equal(1, s->times);
	assert_false(s->r.delivered);
	assert_string_equal(condition_str(c), condition_str(s->r.condition));
	if (type == NULL)
		assert_null(s->r.error_type);
	else
		assert_string_equal(type, s->r.error_type);
	assert_true(s->text[0] != '\0');
}

void
route_assert_delivered(const struct route_settled *s, enum proof by)
{
	assert_int_equal(1, s->times);
	assert_true(s->r.delivered);
	assert_int_equal(by, s->r.proof);
}

/* One attempt that must fail, its condition, and back-off behind it. */
void
route_expect_failure(struct route_rig *f, enum condition c, const char *type)
{
	route_send_one(f, 0, "sp1-gw1-0-a");
	route_send_one(f, 1, NULL);
	route_until_settled(f, 2);
	route_assert_failed(&f->s[0], c, type);
	route_assert_failed(&f->s[1], c, type);
	assert_int_equal(0, f->stanzas);
	route_send_one(f, 2, NULL);
	route_assert_failed(&f->s[2], c, type);
	assert_string_equal(c == COND_REMOTE_SERVER_NOT_FOUND
				? "failed:remote-server-not-found "
				: "failed:remote-server-timeout ",
	    buf_cstr(&f->events));
}
