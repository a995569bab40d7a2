/* Routes: several targets at once, back-off, bounds.  See route_rig.h. */
#include "tests/unit/route_rig.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>

#include "common/clock.h"

/* An address where SYNs are left unanswered: a listener that takes none, its
 * queue full. */
struct hole {
	int listener, fill[4];
	uint16_t port;
};

static void
hole_open(struct hole *h)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	uv_ip4_addr("127.0.0.1", 0, &a);
	h->listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(
	    0, bind(h->listener, (struct sockaddr *)&a, sizeof(a)));
	assert_int_equal(0, listen(h->listener, 0));
	assert_int_equal(
	    0, getsockname(h->listener, (struct sockaddr *)&a, &len));
	h->port = ntohs(a.sin_port);
	for (int i = 0; i < 4; i++) {
		h->fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(h->fill[i], (struct sockaddr *)&a, sizeof(a));
	}
}

static void
hole_close(struct hole *h)
{
	close(h->listener);
	for (int i = 0; i < 4; i++)
		close(h->fill[i]);
}

/* Two dead targets cost a quarter of
 * a second each, and one stream comes of it. */
static void
test_side_by_side(void **state)
{
	struct route_rig f;
	struct hole hole;
	uint64_t begun;

	(void)state;
	route_begin(&f);
	hole_open(&hole);
	route_zone[0].count = 0;
	route_zone_target(&route_zone[0], 1, hole.port);
	route_zone_target(&route_zone[0], 2, hole.port);
	route_zone_target(&route_zone[0], 3, route_port_of(&f.partner));
	begun = clock_now_ms(f.w.clock);
	route_send_one(&f, 0, NULL);
	route_until_settled(&f, 1);
	route_assert_delivered(&f.s[0], PROOF_TCP);
	assert_in_range(clock_now_ms(f.w.clock) - begun, 500, 999);
	route_until_seen(&f, "m0");
	assert_string_equal("up ", buf_cstr(&f.events));
	assert_int_equal(1, f.partner.in_count);
	hole_close(&hole);
	route_finish(&f);
}

/* The one that leads fails: those that were let go are tried again. */
static void
test_again_after_the_leader(void **state)
{
	struct route_rig f;
	struct hole hole;

	(void)state;
	route_begin_scripted(&f);
	hole_open(&hole);
	route_zone[0].count = 0;
	route_zone_target(&route_zone[0], 1, hole.port);
	route_zone_target(&route_zone[0], 2, route_port_of(&f.partner));
	route_send_one(&f, 0, NULL);
	assert_true(world_run(&f.w, &f.accepted, 3000));
	script_send(&f.p, "</stream:stream>");
	world_pass(&f.w, 100);
	assert_int_equal(0, f.settled);
	/* it does not answer this time either */
	world_skip(&f.w, 8000);
	route_until_settled(&f, 1);
	route_assert_failed(&f.s[0], COND_REMOTE_SERVER_TIMEOUT, NULL);
	/* the story is that of the one that got furthest */
	if (strstr(f.s[0].text, "connecting timed out") != NULL)
		fail_msg("says %s", f.s[0].text);
	hole_close(&hole);
	route_finish(&f);
}

static void
test_cancelled_while_racing(void **state)
{
	struct route_rig f;
	struct hole hole;

	(void)state;
	route_begin(&f);
	hole_open(&hole);
	route_zone[0].count = 0;
	for (uint16_t i = 1; i <= 8; i++)
		route_zone_target(&route_zone[0], i, hole.port);
	route_send_one(&f, 0, NULL);
	world_pass(&f.w, 700);
	assert_int_equal(0, f.settled);
	route_finish(&f);
	assert_int_equal(1, f.s[0].times);
	hole_close(&hole);
}

/* Many stanzas of one pair, before, while and after it connects: one stream. */
static void
test_one_stream_for_a_pair(void **state)
{
	struct route_rig f;

	(void)state;
	route_begin(&f);
	for (unsigned i = 0; i < 20; i++)
		route_send_one(&f, i, NULL);
	while (!f.in_up) {
		world_pass(&f.w, 1);
		route_send_one(&f, 20 + f.ids, NULL);
		f.ids++;
	}
	route_until_seen(&f, "m21 ");
	world_pass(&f.w, 100);
	assert_int_equal(1, f.partner.in_count);
	assert_string_equal("up ", buf_cstr(&f.events));
	route_finish(&f);
}

static void
test_backoff(void **state)
{
	struct route_rig f;
	struct route_record *r;
	unsigned tries = 0;

	(void)state;
	route_begin(&f);
	r = &route_zone[0];
	r->status = DNS_FAILED;
	/* the first span is 1 to 11 s */
	route_send_one(&f, 0, NULL);
	route_until_settled(&f, 1);
	world_skip(&f.w, 999);
	route_send_one(&f, 1, NULL);
	assert_int_equal(2, f.settled);
	world_skip(&f.w, 10001);
	route_send_one(&f, 2, NULL);
	assert_int_equal(2, f.settled);
	route_until_settled(&f, 3);
	/* failures make it longer, up to 301 s */
	for (unsigned i = 3; i < 10; i++) {
		world_skip(&f.w, 301000);
		route_send_one(&f, i, NULL);
		route_until_settled(&f, i + 1);
		tries++;
	}
	r->status = DNS_OK;
	world_skip(&f.w, 301000);
	route_send_one(&f, 20, NULL);
	route_until_seen(&f, "m20");
	assert_int_equal(7, tries);
	route_finish(&f);
}

/* A partner who comes to us ends his back-off, but not that of others, and only
 * once in the time of each. */
static void
test_backoff_ends_when_the_partner_comes(void **state)
{
	struct route_rig f;
	struct route_record *r;

	(void)state;
	route_begin(&f);
	r = &route_zone[0];
	r->status = DNS_FAILED;
	routes_heard(f.routes, REMOTE);
	route_send_one(&f, 0, NULL);
	route_until_settled(&f, 1);
	/* He had come before: that says nothing of the failure. */
	route_send_one(&f, 1, NULL);
	assert_int_equal(2, f.settled);
	routes_heard(f.routes, "other.example");
	route_send_one(&f, 2, NULL);
	assert_int_equal(3, f.settled);
	/* He comes, and cannot be reached all the same. */
	routes_heard(f.routes, REMOTE);
	route_send_one(&f, 3, NULL);
	assert_int_equal(3, f.settled);
	route_until_settled(&f, 4);
	routes_heard(f.routes, REMOTE);
	route_send_one(&f, 4, NULL);
	assert_int_equal(5, f.settled);
	/* The first back-off would be over: once more. */
	world_skip(&f.w, 11001);
	r->status = DNS_OK;
	routes_heard(f.routes, REMOTE);
	route_send_one(&f, 5, NULL);
	route_until_seen(&f, "m5");
	route_finish(&f);
}

static void
test_queue_bounds(void **state)
{
	struct route_rig f;
	char *big = malloc(60000);

	(void)state;
	memset(big, ' ', 60000);
	route_begin_opts(&f, (struct site_opts){ 0 },
	    "{\"queue_frames\":3,\"queue_bytes\":65536}");
	for (unsigned i = 0; i < 4; i++)
		route_send_one(&f, i, NULL);
	route_assert_failed(&f.s[3], COND_RESOURCE_CONSTRAINT, NULL);
	assert_int_equal(1, f.settled);
	route_until_settled(&f, 4);
	route_finish(&f);
	/* bytes */
	route_begin_opts(&f, (struct site_opts){ 0 },
	    "{\"queue_frames\":30,\"queue_bytes\":65536}");
	for (unsigned i = 0; i < 2; i++)
		routes_send(f.routes, &(struct route_stanza){ .local = LOCAL,
					  .remote = REMOTE,
					  .xml = big,
					  .len = 60000,
					  .cookie = &f.s[i] });
	assert_int_equal(0, f.s[0].times);
	route_assert_failed(&f.s[1], COND_RESOURCE_CONSTRAINT, NULL);
	route_finish(&f);
	free(big);
}

/* A partner that stops reading: the connection fills, then the queue, then
 * stanzas bounce; in the end the stream is given up. */
static void
test_partner_does_not_read(void **state)
{
	struct route_rig f;
	char *big = malloc(200001);
	unsigned i, bounced = 0;

	(void)state;
	memset(big, ' ', 200000);
	route_begin_opts(&f, (struct site_opts){ 0 },
	    "{\"queue_frames\":10,\"queue_bytes\":10000000}");
	f.pause_in = true;
	route_send_one(&f, 0, NULL);
	assert_true(world_run(&f.w, &f.in_up, 3000));
	route_until_settled(&f, 1);
	for (i = 1; i < 300 && bounced == 0; i++) {
		routes_send(f.routes, &(struct route_stanza){ .local = LOCAL,
					  .remote = REMOTE,
					  .xml = big,
					  .len = 200000,
					  .cookie = &f.s[i] });
		world_pass(&f.w, 1);
		if (f.s[i].times > 0 && !f.s[i].r.delivered)
			bounced++;
	}
	assert_int_equal(1, bounced);
	route_assert_failed(&f.s[i - 1], COND_RESOURCE_CONSTRAINT, NULL);
	assert_int_equal(10, routes_unsettled(f.routes));
	f.pause_in = false;
	world_skip(&f.w, 30001);
	assert_non_null(strstr(buf_cstr(&f.events), "down"));
	route_finish(&f);
	for (unsigned k = 0; k < i; k++)
		assert_int_equal(1, f.s[k].times);
	free(big);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_side_by_side),
		cmocka_unit_test(test_again_after_the_leader),
		cmocka_unit_test(test_cancelled_while_racing),
		cmocka_unit_test(test_one_stream_for_a_pair),
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_backoff_ends_when_the_partner_comes),
		cmocka_unit_test(test_queue_bounds),
		cmocka_unit_test(test_partner_does_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
