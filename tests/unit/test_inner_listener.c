/* The inner listener and gateways that dial it, on one loop over loopback. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include <uv.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/conn.h"
#include "common/err.h"
#include "common/tls_identity.h"
#include "edge-proxy/inner_listener.h"
#include "proto/channel.h"
#include "proto/frame.h"
#include "tests/unit/make_cert.h"

#define GW1 "gw1.contoso.example"
#define GW2 "gw2.contoso.example"

/* A gateway: a channel over one connection after another. */
struct dialler {
	struct conn *conn;
	struct channel *channel;
	bool secured, ended, up;
	unsigned ups, results, proofs;
};

static uv_loop_t loop;
static struct clock *clk;
static struct inner_listener *listener;
static struct sockaddr_storage addr;
static struct make_cert ca;
static struct tls_identity edge_id, gw1_id, gw2_id;
static unsigned ups, downs, removed, closed;
static uint64_t stanza_seq;
static unsigned stanzas;

/* --- the edge's side ------------------------------------------------------ */

static void
on_up(struct gateway *g, bool resumed, void *arg)
{
	(void)g;
	(void)resumed;
	(void)arg;
	ups++;
}

static void
on_down(struct gateway *g, void *arg)
{
	(void)g;
	(void)arg;
	downs++;
}

static void
on_stanza(struct gateway *g, uint64_t seq, const struct frame *f, void *arg)
{
	(void)g;
	(void)f;
	(void)arg;
	stanzas++;
	stanza_seq = seq;
}

static void
on_result(struct gateway *g, uint64_t seq, void *cookie,
    const struct channel_result *r, void *arg)
{
	(void)g;
	(void)seq;
	(void)cookie;
	(void)r;
	(void)arg;
}

static void
on_control(struct gateway *g, const struct frame *f, void *arg)
{
	(void)g;
	(void)f;
	(void)arg;
}

static void
on_removed(struct gateway *g, void *arg)
{
	(void)arg;
	assert_string_equal(gateway_node(g), GW1);
	removed++;
}

static const struct inner_events inner_events = { on_up, on_down, on_stanza,
	on_result, on_control, on_removed };

static void
on_closed(void *arg)
{
	(void)arg;
	closed++;
}

/* --- the gateway's side --------------------------------------------------- */

static void
on_output(struct channel *ch, const uint8_t *data, size_t len, void *arg)
{
	struct dialler *d = arg;

	(void)ch;
	if (d->conn != NULL)
		(void)conn_write(d->conn, data, len);
}

static void
on_channel_up(struct channel *ch, bool resumed, void *arg)
{
	(void)ch;
	(void)resumed;
	((struct dialler *)arg)->ups++;
}

static void
on_channel_stanza(
    struct channel *ch, uint64_t seq, const struct frame *f, void *arg)
{
	(void)ch;
	(void)seq;
	(void)f;
	(void)arg;
}

static void
on_channel_result(struct channel *ch, uint64_t seq, void *cookie,
    const struct channel_result *r, void *arg)
{
	(void)ch;
	(void)seq;
	(void)cookie;
	assert_true(r->delivered);
	((struct dialler *)arg)->results++;
}

static void
on_channel_control(struct channel *ch, const struct frame *f, void *arg)
{
	(void)ch;
	(void)f;
	(void)arg;
}

static void
on_channel_room(struct channel *ch, void *arg)
{
	(void)ch;
	(void)arg;
}

static void
on_channel_close(struct channel *ch, int rc, const char *why, void *arg)
{
	struct dialler *d = arg;

	(void)ch;
	(void)rc;
	(void)why;
	if (d->conn != NULL)
		conn_close(d->conn, CONN_END_LOCAL);
}

static const struct channel_events channel_events = { on_output, on_channel_up,
	on_channel_stanza, on_channel_result, on_channel_control,
	on_channel_room, on_channel_close };

static SSL_CTX *dial_ctx;

static void
on_connected(struct conn *c, void *arg)
{
	(void)arg;
	assert_int_equal(
	    conn_start_tls_client(c, dial_ctx, 0, NULL, NULL, 0), 0);
}

static void
on_secured(struct conn *c, void *arg)
{
	struct dialler *d = arg;

	(void)c;
	d->secured = true;
	if (d->channel != NULL)
		channel_attach(d->channel);
}

static void
on_data(struct conn *c, const uint8_t *data, size_t len, void *arg)
{
	struct dialler *d = arg;

	(void)c;
	if (d->channel != NULL)
		channel_input(d->channel, data, len);
}

static void
on_end(struct conn *c, enum conn_end why, int rc, const char *detail, void *arg)
{
	struct dialler *d = arg;

	(void)c;
	(void)why;
	(void)rc;
	(void)detail;
	d->conn = NULL;
	d->ended = true;
	if (d->channel != NULL)
		channel_detach(d->channel);
}

static const struct conn_events conn_events = { .on_connected = on_connected,
	.on_secured = on_secured,
	.on_data = on_data,
	.on_end = on_end };

static void
dial(struct dialler *d, const struct tls_identity *id)
{
	const struct conn_opts opts = {
		.loop = &loop, .clock = clk, .events = &conn_events, .arg = d
	};

	d->ended = false;
	dial_ctx = id->client;
	assert_int_equal(
	    conn_connect(&d->conn, (struct sockaddr *)&addr, &opts), 0);
}

static void
new_channel(struct dialler *d, const char *node, const char *boot)
{
	const struct channel_opts opts = { .role = CHANNEL_DIALS,
		.node = node,
		.boot = boot,
		.store = "s",
		.epoch = 1,
		.clock = clk,
		.events = &channel_events,
		.arg = d };

	assert_int_equal(channel_new(&d->channel, &opts), 0);
}

/* --- the rig -------------------------------------------------------------- */

/* One turn of the loop; the clock keeps up with it. */
static void
turn(void)
{
	uint64_t before = uv_now(&loop);

	uv_run(&loop, UV_RUN_NOWAIT);
	usleep(200);
	uv_update_time(&loop);
	clock_advance(clk, uv_now(&loop) - before);
}

static void
spin(const bool *flag, const unsigned *count, unsigned want)
{
	uint64_t begun = uv_now(&loop);

	while ((flag != NULL && !*flag) || (count != NULL && *count < want)) {
		turn();
		if (uv_now(&loop) - begun > 10000)
			fail_msg("it never came");
	}
}

static void
make_identity(struct tls_identity *out, const struct make_cert *issuer,
    const char *name, bool required)
{
	struct make_cert leaf;
	struct tls_identity_opts o = { .judge_as_server = true,
		.min_version = TLS1_3_VERSION,
		.peer = required ? TLS_PEER_REQUIRED : TLS_PEER_RECORDED };
	char why[256];

	make_cert_new(&leaf, &(struct make_cert_opts){ .cn = "x",
				 .issuer = issuer,
				 .names = { { MAKE_CERT_DNS, name, 0 } } });
	o.certificate = leaf.pem;
	o.certificate_len = strlen(leaf.pem);
	o.key = leaf.key_pem;
	o.key_len = strlen(leaf.key_pem);
	o.trust = ca.pem;
	o.trust_len = strlen(ca.pem);
	assert_int_equal(tls_identity_init(out, &o, why, sizeof(why)), 0);
	make_cert_finish(&leaf);
}

static void
pick_address(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr = { htonl(0x7f4d0102) } };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	close(fd);
	memset(&addr, 0, sizeof(addr));
	memcpy(&addr, &sin, sizeof(sin));
}

static const char both[2][256] = { GW1, GW2 };

static int
setup(void **state)
{
	struct inner_listener_opts opts = {
		.loop = &loop,
		.node = "edge1",
		.boot = "e",
		.listen = &addr,
		.listen_count = 1,
		.gateways = both,
		.gateway_count = 2,
		.events = &inner_events,
		.on_closed = on_closed,
	};
	char why[256];

	(void)state;
	ups = downs = removed = closed = stanzas = 0;
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(clock_open_manual(&clk, 1, 0), 0);
	pick_address();
	opts.clock = clk;
	opts.tls = edge_id.server;
	assert_int_equal(
	    inner_listener_open(&listener, &opts, why, sizeof(why)), 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	inner_listener_close(listener);
	spin(NULL, &closed, 1);
	assert_int_equal(closed, 1);
	clock_close(clk);
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop);
}

static void
finish(struct dialler *d)
{
	if (d->conn != NULL)
		conn_abort(d->conn, CONN_END_LOCAL);
	while (d->conn != NULL)
		turn();
	channel_free(d->channel);
	d->channel = NULL;
}

/* --- tests ---------------------------------------------------------------- */

static void
send_stanza(struct dialler *d)
{
	struct frame_writer w;
	struct buf b;
	uint64_t seq;

	buf_init(&b, 0);
	frame_begin(&w, &b, FRAME_MESSAGE);
	frame_put_str(&w, FIELD_FROM, "a@contoso.example");
	frame_put_str(&w, FIELD_TO, "b@partner.example");
	assert_int_equal(frame_end(&w), 0);
	assert_int_equal(channel_send(d->channel, &b, NULL, &seq), 0);
	buf_finish(&b);
}

static void
test_custody_outlives_a_connection(void **state)
{
	const struct channel_result done = { .delivered = true,
		.proof = PROOF_PING };
	struct dialler d = { 0 };
	struct gateway *g;

	(void)state;
	new_channel(&d, GW1, "b1");
	dial(&d, &gw1_id);
	spin(NULL, &d.ups, 1);
	assert_int_equal(ups, 1);
	assert_int_equal(inner_listener_up(listener), 1);
	send_stanza(&d);
	spin(NULL, &stanzas, 1);
	conn_abort(d.conn, CONN_END_LOCAL);
	spin(&d.ended, &downs, 1);
	assert_int_equal(inner_listener_up(listener), 0);
	/* Answered while nobody is there: it waits for the next connection. */
	g = inner_listener_find(listener, GW1);
	channel_answer(gateway_channel(g), stanza_seq, &done);
	dial(&d, &gw1_id);
	spin(NULL, &d.results, 1);
	assert_int_equal(stanzas, 1);
	assert_int_equal(ups, 2);
	finish(&d);
}

static void
test_a_newer_connection_replaces_the_older(void **state)
{
	struct dialler one = { 0 }, two = { 0 };

	(void)state;
	new_channel(&one, GW1, "b1");
	new_channel(&two, GW1, "b1");
	dial(&one, &gw1_id);
	spin(NULL, &one.ups, 1);
	dial(&two, &gw1_id);
	spin(&one.ended, &two.ups, 1);
	assert_int_equal(downs, 0);
	assert_int_equal(ups, 2);
	assert_int_equal(inner_listener_up(listener), 1);
	send_stanza(&two);
	spin(NULL, &stanzas, 1);
	finish(&one);
	finish(&two);
}

static void
test_a_name_that_is_not_in_the_certificate(void **state)
{
	struct dialler good = { 0 }, bad = { 0 };

	(void)state;
	new_channel(&good, GW1, "b1");
	dial(&good, &gw1_id);
	spin(NULL, &good.ups, 1);
	/* The other gateway's certificate does not make it this one. */
	new_channel(&bad, GW1, "b2");
	dial(&bad, &gw2_id);
	spin(&bad.ended, NULL, 0);
	assert_int_equal(bad.ups, 0);
	assert_int_equal(ups, 1);
	assert_false(good.ended);
	finish(&good);
	finish(&bad);
}

static void
test_a_node_that_is_taken_off_the_list(void **state)
{
	static const char one[1][256] = { GW2 };
	struct dialler d = { 0 };

	(void)state;
	new_channel(&d, GW1, "b1");
	dial(&d, &gw1_id);
	spin(NULL, &d.ups, 1);
	assert_int_equal(
	    inner_listener_reload(listener, edge_id.server, one, 1), 0);
	assert_int_equal(removed, 1);
	assert_null(inner_listener_find(listener, GW1));
	assert_non_null(inner_listener_find(listener, GW2));
	spin(&d.ended, NULL, 0);
	dial(&d, &gw1_id);
	spin(&d.ended, NULL, 0);
	assert_int_equal(ups, 1);
	finish(&d);
}

/* Connections that say nothing are bounded in number. */
static void
test_strangers_are_few(void **state)
{
	static struct dialler crowd[80];
	struct dialler good = { 0 };
	unsigned turned_away = 0, admitted = 0;

	(void)state;
	memset(crowd, 0, sizeof(crowd));
	for (size_t i = 0; i < 80; i++)
		dial(&crowd[i], &gw1_id);
	/* Until each has got its answer, one way or the other. */
	for (int i = 0; i < 50000 && turned_away + admitted < 80; i++) {
		turn();
		turned_away = admitted = 0;
		for (size_t k = 0; k < 80; k++) {
			turned_away += crowd[k].ended;
			admitted += crowd[k].secured && !crowd[k].ended;
		}
	}
	assert_true(turned_away >= 16 && turned_away < 80);
	for (size_t i = 0; i < 80; i++)
		finish(&crowd[i]);
	for (int i = 0; i < 500; i++)
		turn();
	new_channel(&good, GW1, "b1");
	dial(&good, &gw1_id);
	spin(NULL, &good.ups, 1);
	finish(&good);
}

static void
test_an_address_that_is_taken(void **state)
{
	struct inner_listener_opts opts = {
		.loop = &loop,
		.clock = clk,
		.node = "edge1",
		.boot = "e",
		.tls = edge_id.server,
		.listen = &addr,
		.listen_count = 1,
		.gateways = both,
		.gateway_count = 2,
		.events = &inner_events,
		.on_closed = on_closed,
	};
	struct inner_listener *second = NULL;
	char why[256] = "";

	(void)state;
	assert_int_equal(inner_listener_open(&second, &opts, why, sizeof(why)),
	    UV_EADDRINUSE);
	assert_null(second);
	assert_non_null(strstr(why, "cannot listen on 127.77.1.2 port "));
	assert_int_equal(closed, 0);
}

/* Without a descriptor the door closes for a while instead of taking all the
 * time there is; who is in is served, and later the door is open again. */
static void
test_no_descriptor_is_left(void **state)
{
	struct dialler good = { 0 }, late = { 0 };
	struct rlimit before, none;
	int caller = socket(AF_INET, SOCK_STREAM, 0), turns;

	(void)state;
	new_channel(&good, GW1, "b1");
	dial(&good, &gw1_id);
	spin(NULL, &good.ups, 1);
	/* As in the sandbox: libuv has none in reserve. */
	close(loop.emfile_fd);
	loop.emfile_fd = -1;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 3;
	assert_int_equal(
	    connect(caller, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	for (turns = 0; turns < 20; turns++)
		uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	close(caller);
	assert_false(good.ended);
	/* Nobody listens. */
	new_channel(&late, GW2, "b2");
	dial(&late, &gw2_id);
	spin(&late.ended, NULL, 0);
	assert_false(late.secured);
	clock_advance(clk, 5000);
	dial(&late, &gw2_id);
	spin(NULL, &late.ups, 1);
	assert_int_equal(good.ups, 1);
	finish(&good);
	finish(&late);
}

int
main(void)
{
#define T(x) cmocka_unit_test_setup_teardown(x, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_custody_outlives_a_connection),
		T(test_a_newer_connection_replaces_the_older),
		T(test_a_name_that_is_not_in_the_certificate),
		T(test_a_node_that_is_taken_off_the_list),
		T(test_strangers_are_few),
		T(test_an_address_that_is_taken),
		T(test_no_descriptor_is_left),
	};
	int rc;

	make_cert_new(&ca, &(struct make_cert_opts){ .cn = "ca", .ca = true });
	make_identity(&edge_id, &ca, "edge1.contoso.example", true);
	make_identity(&gw1_id, &ca, GW1, true);
	make_identity(&gw2_id, &ca, GW2, true);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	tls_identity_finish(&edge_id);
	tls_identity_finish(&gw1_id);
	tls_identity_finish(&gw2_id);
	make_cert_finish(&ca);
	return rc;
}
