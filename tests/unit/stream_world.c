/* stream_world - see the header. */
#include "tests/unit/stream_world.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/tls_identity.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/identities.h"
#include "edge-proxy/s2s_in.h"
#include "proto/frame.h"

void
world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	log_set_fd(getenv("TEST_LOG") != NULL ? 2 : -1);
	if (getenv("TEST_LOG") != NULL)
		log_set_level(NULL, LOG_DEBUG);
	assert_int_equal(0, uv_loop_init(&w->loop));
	assert_int_equal(
	    0, clock_open_manual(&w->clock, 1000, (int64_t)time(NULL) * 1000));
	make_cert_new(
	    &w->ca, &(struct make_cert_opts){ .cn = "ca", .ca = true });
	make_cert_new(&w->stranger_ca,
	    &(struct make_cert_opts){ .cn = "stranger", .ca = true });
}

void
world_finish(struct world *w)
{
	clock_close(w->clock);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(0, uv_loop_close(&w->loop));
	make_cert_finish(&w->ca);
	make_cert_finish(&w->stranger_ca);
}

static void
on_tick(uv_timer_t *t)
{
	(void)t; /* only wakes the loop */
}

/* The clock follows real time while the loop runs. */
bool
world_run(struct world *w, const bool *done, unsigned ms)
{
	uint64_t start, last;
	uv_timer_t tick;

	uv_timer_init(&w->loop, &tick);
	uv_timer_start(&tick, on_tick, 2, 2);
	uv_update_time(&w->loop);
	start = last = uv_now(&w->loop);
	while (!*done && uv_now(&w->loop) - start < ms) {
		uv_run(&w->loop, UV_RUN_ONCE);
		clock_advance(w->clock, uv_now(&w->loop) - last);
		last = uv_now(&w->loop);
	}
	uv_close((uv_handle_t *)&tick, NULL);
	uv_run(&w->loop, UV_RUN_NOWAIT);
	return *done;
}

void
world_skip(struct world *w, uint64_t ms)
{
	clock_advance(w->clock, ms);
}

void
world_pass(struct world *w, unsigned ms)
{
	bool never = false;

	world_run(w, &never, ms);
}

/* --- sites --------------------------------------------------------------- */

static void
on_connection(uv_stream_t *listener, int status)
{
	struct site *s = listener->data;
	struct s2s_in *in;
	char id[32];

	assert_int_equal(0, status);
	snprintf(id, sizeof(id), "test.in.%u", ++s->in_count);
	assert_int_equal(0, s2s_in_open(&in, listener,
				&(struct s2s_in_opts){
				    .loop = &s->w->loop,
				    .clock = s->w->clock,
				    .hosting = s->hosting,
				    .identities = s->ids,
				    .direct = s->direct,
				    .resolver = s->resolver,
				    .id = id,
				    .ask = s->ask,
				    .ask_arg = s->ask_arg,
				    .events = s->in_events,
				    .arg = s->in_arg,
				}));
}

static struct tls_identity
make_identity(struct world *w, const struct make_cert *leaf)
{
	struct tls_identity id;
	char why[200];

	if (tls_identity_init(&id,
		&(struct tls_identity_opts){
		    .certificate = leaf->pem,
		    .certificate_len = strlen(leaf->pem),
		    .key = leaf->key_pem,
		    .key_len = strlen(leaf->key_pem),
		    .trust = w->ca.pem,
		    .trust_len = strlen(w->ca.pem),
		    .peer = TLS_PEER_RECORDED,
		    .judge_as_server = true,
		    .min_version = TLS1_2_VERSION,
		},
		why, sizeof(why)) < 0)
		fail_msg("identity: %s", why);
	return id;
}

static void
make_certificates(struct site *s, const struct site_opts *o)
{
	struct make_cert_opts mo = {
		.cn = o->hosted,
		.issuer = o->issuer != NULL ? o->issuer : &s->w->ca,
		.eku = o->eku,
		.from_s = o->from_s,
		.to_s = o->to_s,
	};
	struct tls_identity id;
	struct make_cert leaf;

	memcpy(mo.names, o->names, sizeof(o->names));
	if (mo.names[0].kind == MAKE_CERT_END)
		mo.names[0] =
		    (struct make_cert_name){ MAKE_CERT_DNS, o->hosted, 0 };
	make_cert_new(&leaf, &mo);
	assert_int_equal(0, identities_new(&s->ids));
	id = make_identity(s->w, &leaf);
	assert_int_equal(0, identities_add(s->ids, &id));
	s->raw = malloc(sizeof(*s->raw));
	assert_non_null(s->raw);
	*s->raw = make_identity(s->w, &leaf);
	make_cert_finish(&leaf);
}

void
site_add_certificate(struct site *s, const char *name)
{
	struct tls_identity id;
	struct make_cert leaf;

	make_cert_new(&leaf, &(struct make_cert_opts){ .cn = name,
				 .issuer = &s->w->ca,
				 .names = { { MAKE_CERT_DNS, name, 0 } } });
	id = make_identity(s->w, &leaf);
	assert_int_equal(0, identities_add(s->ids, &id));
	make_cert_finish(&leaf);
}

void
site_permit(struct site *s, const char *partner, const char *settings)
{
	static unsigned counter;
	struct frame_writer fw;
	struct buf out, json, confirm;
	struct frame f;

	buf_init(&json, 0);
	buf_init(&out, 0);
	buf_init(&confirm, 0);
	buf_addf(&json,
	    "{\"generation\":{\"store\":\"s\",\"counter\":%u},"
	    "\"hosted\":[{\"domain\":\"%s\"}],\"partners\":[",
	    ++counter, s->hosted);
	if (partner != NULL)
		buf_addf(&json,
		    "{\"Domain\":\"%s\",\"PartnerType\":\"Federated\"%s}",
		    partner, s->row != NULL ? s->row : "");
	buf_addf(&json,
	    "],\"dialback\":{\"current\":"
	    "\"00112233445566778899aabbccddeeff\"},\"settings\":%s}",
	    settings != NULL ? settings : "{}");
	frame_begin(&fw, &out, FRAME_CONFIG);
	frame_put(&fw, FIELD_JSON, json.data, json.len);
	assert_int_equal(0, frame_end(&fw));
	assert_int_equal(0, frame_decode(&f, out.data, out.len));
	assert_int_equal(
	    0, hosting_apply(s->hosting, "gw1", "s", 1, &f, &confirm));
	assert_true(hosting_serves(s->hosting, s->hosted));
	buf_finish(&json);
	buf_finish(&out);
	buf_finish(&confirm);
}

void
site_init(struct site *s, struct world *w, const struct site_opts *o)
{
	struct sockaddr_in any;
	int len = sizeof(s->addr);

	memset(s, 0, sizeof(*s));
	s->w = w;
	s->hosted = o->hosted;
	s->partner = o->partner;
	s->row = o->row;
	s->ask = o->ask;
	s->ask_arg = o->ask_arg;
	s->in_events = o->in_events;
	s->in_arg = o->in_arg;
	s->direct = o->direct;
	s->resolver = o->resolver;
	make_certificates(s, o);
	assert_int_equal(0, hosting_new(&s->hosting));
	site_permit(s, o->partner, o->settings);
	uv_ip4_addr("127.0.0.1", 0, &any);
	assert_int_equal(0, uv_tcp_init(&w->loop, &s->listener));
	s->listener.data = s;
	assert_int_equal(
	    0, uv_tcp_bind(&s->listener, (struct sockaddr *)&any, 0));
	if (o->in_events != NULL)
		assert_int_equal(0,
		    uv_listen((uv_stream_t *)&s->listener, 16, on_connection));
	uv_tcp_getsockname(&s->listener, (struct sockaddr *)&s->addr, &len);
}

void
site_close(struct site *s)
{
	uv_close((uv_handle_t *)&s->listener, NULL);
}

void
site_free(struct site *s)
{
	hosting_free(s->hosting);
	identities_free(s->ids);
	tls_identity_finish(s->raw);
	free(s->raw);
}

/* --- scripted peers ------------------------------------------------------ */

static void
on_connected(struct conn *c, void *arg)
{
	struct script *p = arg;

	(void)c;
	p->connected = true;
}

static void
on_secured(struct conn *c, void *arg)
{
	struct script *p = arg;

	(void)c;
	p->secured = true;
}

static void
look(struct script *p)
{
	const char *s = buf_cstr(&p->seen), *at;

	at = p->want != NULL && s != NULL ? strstr(s, p->want) : NULL;
	if (at == NULL)
		return;
	buf_consume(&p->seen, (size_t)(at - s) + strlen(p->want));
	p->want = NULL;
	p->found = true;
}

static void
on_data(struct conn *c, const uint8_t *data, size_t len, void *arg)
{
	struct script *p = arg;

	(void)c;
	buf_add(&p->seen, data, len);
	look(p);
}

static void
on_end(struct conn *c, enum conn_end why, int rc, const char *detail, void *arg)
{
	struct script *p = arg;

	(void)c;
	(void)rc;
	(void)detail;
	p->why = why;
	p->ended = true;
	p->conn = NULL;
}

static const struct conn_events events = {
	.on_connected = on_connected,
	.on_secured = on_secured,
	.on_data = on_data,
	.on_end = on_end,
};

static void
script_init(struct script *p, struct world *w)
{
	memset(p, 0, sizeof(*p));
	p->w = w;
	buf_init(&p->seen, 0);
}

void
script_connect(struct script *p, struct site *to)
{
	script_init(p, to->w);
	assert_int_equal(0, conn_connect(&p->conn, (struct sockaddr *)&to->addr,
				&(struct conn_opts){ .loop = &p->w->loop,
				    .clock = p->w->clock,
				    .events = &events,
				    .arg = p }));
	assert_true(world_run(p->w, &p->connected, 3000));
}

void
script_accept(struct script *p, struct world *w, uv_stream_t *listener)
{
	script_init(p, w);
	assert_int_equal(0, conn_accept(&p->conn, listener,
				&(struct conn_opts){ .loop = &w->loop,
				    .clock = w->clock,
				    .events = &events,
				    .arg = p }));
	p->connected = true;
}

void
script_send(struct script *p, const char *text)
{
	assert_non_null(p->conn);
	assert_int_equal(0, conn_write(p->conn, text, strlen(text)));
}

void
script_expect(struct script *p, const char *text)
{
	p->found = false;
	p->want = text;
	look(p);
	if (!p->found && !p->ended)
		world_run(p->w, &p->found, 3000);
	if (!p->found)
		fail_msg("expected %s, saw %s (%s)", text, buf_cstr(&p->seen),
		    p->ended ? conn_end_str(p->why) : "open");
}

bool
script_has(struct script *p, const char *text)
{
	world_pass(p->w, 20);
	return buf_cstr(&p->seen) != NULL &&
	       strstr(buf_cstr(&p->seen), text) != NULL;
}

bool
script_ended_with(struct script *p, const char *text)
{
	if (!p->ended)
		world_run(p->w, &p->ended, 3000);
	if (!p->ended)
		fail_msg("still open, saw %s", buf_cstr(&p->seen));
	return strstr(buf_cstr(&p->seen), text) != NULL;
}

void
script_tls_client(struct script *p, struct site *as)
{
	buf_clear(&p->seen);
	assert_int_equal(0,
	    conn_start_tls_client(p->conn, as->raw->client, 0, NULL, NULL, 0));
	assert_true(world_run(p->w, &p->secured, 3000));
}

bool
script_tls_offer(
    struct script *p, struct site *as, const char *sni, const char *alpn)
{
	buf_clear(&p->seen);
	assert_int_equal(
	    0, conn_start_tls_client(p->conn, as->raw->client, 0, sni,
		   (const uint8_t *)alpn, alpn != NULL ? strlen(alpn) : 0));
	for (int i = 0; i < 1500 && !p->secured && !p->ended; i++)
		world_pass(p->w, 2);
	return p->secured;
}

void
script_tls_server(struct script *p, struct site *as)
{
	buf_clear(&p->seen);
	assert_int_equal(0, conn_start_tls_server(p->conn, as->raw->server, 0));
	assert_true(world_run(p->w, &p->secured, 3000));
}

void
script_close(struct script *p)
{
	if (p->conn != NULL) {
		conn_abort(p->conn, CONN_END_LOCAL);
		world_run(p->w, &p->ended, 3000);
	}
	buf_finish(&p->seen);
}
