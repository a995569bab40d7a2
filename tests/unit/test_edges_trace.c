/*
 * Traces at the gateway: what the edges are asked and when, and what is taken of
 * what they tell.  The links are of this test: a channel each, whose other end
 * plays the edge.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "frontend-gateway/edge_link.h"
#include "frontend-gateway/edges.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/generation.h"
#include "frontend-gateway/traced.h"
#include "proto/channel.h"
#include "proto/frame.h"

/* --- links ---------------------------------------------------------------- */

struct edge_link {
	struct edge_link_opts opts;
	char name[256];
	struct channel *ours, *theirs;
	struct buf to_us, to_them;
	unsigned version; /* that the edge speaks */
	json_t *asked;    /* what was in the trace frames it got */
};

static struct clock *clk;
static struct edge_link *links[2];
static size_t link_count;

static void
on_output(struct channel *ch, const uint8_t *data, size_t len, void *arg)
{
	struct edge_link *l = arg;

	buf_add(ch == l->ours ? &l->to_them : &l->to_us, data, len);
}

static void
on_channel_up(struct channel *ch, bool resumed, void *arg)
{
	struct edge_link *l = arg;

	if (ch == l->ours)
		l->opts.events->on_up(l, resumed, l->opts.arg);
}

static void
on_stanza(struct channel *ch, uint64_t seq, const struct frame *f, void *arg)
{
	(void)ch;
	(void)seq;
	(void)f;
	(void)arg;
}

static void
on_result(struct channel *ch, uint64_t seq, void *cookie,
    const struct channel_result *r, void *arg)
{
	(void)ch;
	(void)seq;
	(void)cookie;
	(void)r;
	(void)arg;
}

static void
on_control(struct channel *ch, const struct frame *f, void *arg)
{
	struct edge_link *l = arg;
	const struct frame_field *json;

	if (ch == l->ours) {
		l->opts.events->on_control(l, f, l->opts.arg);
		return;
	}
	if (f->type != FRAME_TRACE)
		return;
	json = frame_field(f, FIELD_JSON);
	json_array_append_new(
	    l->asked, json_loadb((const char *)json->data, json->len, 0, NULL));
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
	(void)ch;
	(void)rc;
	(void)arg;
	fail_msg("%s", why);
}

static const struct channel_events channel_events = { on_output, on_channel_up,
	on_stanza, on_result, on_control, on_room, on_close };

int
edge_link_open(struct edge_link **out, const struct edge_link_opts *opts)
{
	struct edge_link *l = calloc(1, sizeof(*l));
	struct channel_opts ch = {
		.role = CHANNEL_DIALS,
		.node = opts->node,
		.boot = opts->boot,
		.clock = clk,
		.events = &channel_events,
	};

	ch.arg = l;
	l->opts = *opts;
	snprintf(l->name, sizeof(l->name), "%s", opts->name);
	l->version = CHANNEL_VERSION;
	l->asked = json_array();
	buf_init(&l->to_us, 0);
	buf_init(&l->to_them, 0);
	assert_int_equal(channel_new(&l->ours, &ch), 0);
	ch.role = CHANNEL_ACCEPTS;
	ch.node = l->name;
	ch.boot = "e.1";
	assert_int_equal(channel_new(&l->theirs, &ch), 0);
	links[link_count++] = l;
	*out = l;
	return 0;
}

void
edge_link_close(struct edge_link *l)
{
	channel_free(l->ours);
	channel_free(l->theirs);
	buf_finish(&l->to_us);
	buf_finish(&l->to_them);
	json_decref(l->asked);
	l->opts.events->on_closed(l, l->opts.arg);
	free(l);
}

struct channel *
edge_link_channel(struct edge_link *l)
{
	return l->ours;
}

const char *
edge_link_name(const struct edge_link *l)
{
	return l->name;
}

const char *
edge_link_failure(const struct edge_link *l)
{
	(void)l;
	return "";
}

void
edge_link_move(struct edge_link *l, const struct sockaddr_storage *to)
{
	(void)l;
	(void)to;
}

bool
edge_link_is_at(
    const struct edge_link *l, const struct sockaddr_storage *address)
{
	(void)l;
	(void)address;
	return true;
}

void
edge_link_set_tls(struct edge_link *l, SSL_CTX *tls)
{
	(void)l;
	(void)tls;
}

static void
pump(struct edge_link *l)
{
	while (l->to_us.len > 0 || l->to_them.len > 0) {
		struct buf us = l->to_us, them = l->to_them;

		buf_init(&l->to_us, 0);
		buf_init(&l->to_them, 0);
		if (them.len > 0)
			channel_input(l->theirs, them.data, them.len);
		if (us.len > 0)
			channel_input(l->ours, us.data, us.len);
		buf_finish(&us);
		buf_finish(&them);
	}
}

/* An older edge: its welcome names the version that it speaks. */
static void
set_version(struct buf *welcome, unsigned version)
{
	static const uint8_t field[] = { 0, FIELD_VERSION, 0, 0, 0, 8 };
	uint8_t *at = memmem(welcome->data, welcome->len, field, sizeof(field));

	assert_non_null(at);
	at[sizeof(field) + 7] = (uint8_t)version;
}

static void
attach(struct edge_link *l)
{
	struct frame hello;
	const char *why;
	size_t size;
	struct buf first;

	channel_attach(l->ours);
	first = l->to_them;
	buf_init(&l->to_them, 0);
	assert_int_equal(frame_length(&size, first.data, first.len), 0);
	assert_int_equal(frame_decode(&hello, first.data, size), 0);
	assert_int_equal(channel_attach_hello(l->theirs, &hello, &why), 0);
	buf_finish(&first);
	set_version(&l->to_us, l->version);
	pump(l);
}

static void
detach(struct edge_link *l)
{
	channel_detach(l->ours);
	channel_detach(l->theirs);
	l->opts.events->on_down(l, l->opts.arg);
}

/* --- the table of edges --------------------------------------------------- */

static struct gateway_conf conf;
static struct generation generation;
static struct edges *edges;
static json_t *told;
static unsigned teller;
static bool closed;

static void
on_traced(struct edges *e, unsigned edge, const json_t *what, void *arg)
{
	(void)e;
	(void)arg;
	teller = edge;
	json_array_append_new(told, json_deep_copy(what));
}

static void
on_closed(struct edges *e, void *arg)
{
	(void)e;
	(void)arg;
	closed = true;
}

static void
on_about_edge(struct edges *e, unsigned edge, void *arg)
{
	(void)e;
	(void)edge;
	(void)arg;
}

static const struct edges_events edges_events = {
	.on_traced = on_traced,
	.on_renewed = on_about_edge,
	.on_lost = on_about_edge,
	.on_closed = on_closed,
};

static int
setup(void **state)
{
	struct edges_opts opts = {
		.conf = &conf,
		.generation = &generation,
		.boot = "g.1",
		.store = "s",
		.epoch = 1,
		.events = &edges_events,
	};

	(void)state;
	link_count = 0;
	closed = false;
	told = json_array();
	assert_int_equal(clock_open_manual(&clk, 1000000, 1767225600000), 0);
	memset(&conf, 0, sizeof(conf));
	snprintf(conf.node, sizeof(conf.node), "gw1.contoso.example");
	snprintf(conf.edges[0].name, sizeof(conf.edges[0].name), "edge1");
	snprintf(conf.edges[1].name, sizeof(conf.edges[1].name), "edge2");
	conf.edge_count = 2;
	generation.text = (char *)(uintptr_t) "{}";
	generation.len = 2;
	opts.clock = clk;
	assert_int_equal(edges_open(&edges, &opts), 0);
	assert_int_equal(link_count, 2);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	edges_close(edges);
	assert_true(closed);
	clock_close(clk);
	json_decref(told);
	return 0;
}

static int
ask(const char *what)
{
	json_t *json = json_loads(what, 0, NULL);
	int rc = edges_trace(edges, json);

	json_decref(json);
	for (size_t i = 0; i < link_count; i++)
		pump(links[i]);
	return rc;
}

/* In steps, for the two to hear of each other. */
static void
let_pass(uint64_t ms)
{
	while (ms > 0) {
		uint64_t step = ms < 1000 ? ms : 1000;

		clock_advance(clk, step);
		ms -= step;
		for (size_t i = 0; i < link_count; i++)
			pump(links[i]);
	}
}

#define BO   "{\"bodies\":false,\"who\":[{\"address\":\"bo@partner.example\"}]}"
#define KIM  "{\"bodies\":true,\"who\":[{\"domain\":\"fabrikam.example\"}]}"
#define NONE "{\"who\":[]}"

/* The only trace frame the edge has got since the last look. */
static void
assert_asked(struct edge_link *l, const char *what)
{
	json_t *want = what != NULL ? json_loads(what, 0, NULL) : NULL;

	assert_int_equal(json_array_size(l->asked), want != NULL ? 1 : 0);
	if (want != NULL) {
		json_object_set_new(want, "seconds", json_integer(120));
		assert_true(json_equal(json_array_get(l->asked, 0), want));
	}
	json_decref(want);
	json_array_clear(l->asked);
}

static void
test_every_edge_is_asked_at_once(void **state)
{
	(void)state;
	attach(links[0]);
	assert_asked(links[0], NULL);
	assert_int_equal(ask(BO), 0);
	assert_asked(links[0], BO);
	/* The other is asked when it is there. */
	attach(links[1]);
	assert_asked(links[1], BO);
	assert_int_equal(ask(KIM), 0);
	assert_asked(links[0], KIM);
	assert_asked(links[1], KIM);
	assert_int_equal(ask(NONE), 0);
	assert_asked(links[0], NONE);
	assert_asked(links[1], NONE);
	/* Nothing is over already. */
	assert_int_equal(ask(NONE), 0);
	assert_int_equal(edges_trace(edges, NULL), 0);
	assert_asked(links[0], NULL);
}

static void
test_null_is_nobody(void **state)
{
	(void)state;
	attach(links[0]);
	assert_int_equal(ask(BO), 0);
	assert_asked(links[0], BO);
	assert_int_equal(edges_trace(edges, NULL), 0);
	pump(links[0]);
	assert_asked(links[0], NONE);
	detach(links[0]);
	attach(links[0]);
	assert_asked(links[0], NULL);
}

static void
test_it_is_asked_again_in_time(void **state)
{
	(void)state;
	attach(links[0]);
	assert_int_equal(ask(BO), 0);
	assert_asked(links[0], BO);
	for (int i = 0; i < 3; i++) {
		let_pass(59999);
		assert_asked(links[0], NULL);
		let_pass(1);
		assert_asked(links[0], BO);
	}
	detach(links[0]);
	attach(links[0]);
	assert_asked(links[0], BO);
	assert_int_equal(ask(NONE), 0);
	assert_asked(links[0], NONE);
	let_pass(200000);
	assert_asked(links[0], NULL);
}

static void
test_what_cannot_be_asked(void **state)
{
	struct buf b = { 0 };

	(void)state;
	attach(links[0]);
	assert_int_equal(ask(BO), 0);
	assert_asked(links[0], BO);
	assert_int_equal(ask("{}"), ERR_MALFORMED);
	assert_int_equal(ask("{\"who\":7}"), ERR_MALFORMED);
	buf_add_str(&b, "{\"who\":[7");
	for (int i = 0; i < 16; i++)
		buf_add_str(&b, ",7");
	buf_add_str(&b, "]}");
	assert_int_equal(ask(buf_cstr(&b)), ERR_MALFORMED);
	buf_finish(&b);
	assert_asked(links[0], NULL);
	let_pass(60000);
	assert_asked(links[0], BO);
}

/* It would take the frame for a breach of the protocol. */
static void
test_an_old_edge_is_not_asked(void **state)
{
	(void)state;
	links[0]->version = 1;
	assert_int_equal(ask(BO), 0);
	attach(links[0]);
	assert_int_equal(channel_version(links[0]->ours), 1);
	attach(links[1]);
	assert_asked(links[0], NULL);
	assert_asked(links[1], BO);
	/* Upgraded meanwhile. */
	detach(links[0]);
	links[0]->version = CHANNEL_VERSION;
	attach(links[0]);
	assert_asked(links[0], BO);
}

/* --- what the edges tell ------------------------------------------------- */

static void
tell(struct edge_link *l, const char *json)
{
	struct frame_writer w;
	struct buf b;

	buf_init(&b, FRAME_MAX);
	frame_begin(&w, &b, FRAME_TRACED);
	frame_put_str(&w, FIELD_JSON, json);
	assert_int_equal(frame_end(&w), 0);
	assert_int_equal(channel_send_control(l->theirs, &b), 0);
	buf_finish(&b);
	pump(l);
}

#define TRACED(more)                                                           \
	"{\"at\":5,\"kind\":\"stanza\",\"direction\":\"in\","                  \
	"\"stream\":\"edge1.b.1\",\"from\":\"bo@partner.example\","            \
	"\"to\":\"anna@contoso.example\",\"text\":\"<message/>\"," more "}"

static json_int_t
missed(size_t i)
{
	return json_integer_value(
	    json_object_get(json_array_get(told, i), "missed"));
}

static void
test_what_an_edge_tells_is_handed_on(void **state)
{
	json_t *want =
	    json_loads(TRACED("\"missed\":3,\"cut\":false"), 0, NULL);

	(void)state;
	attach(links[0]);
	attach(links[1]);
	tell(links[1], TRACED("\"missed\":9")); /* unasked */
	assert_int_equal(json_array_size(told), 0);
	assert_int_equal(ask(BO), 0);
	tell(links[1], TRACED("\"missed\":3,\"more\":\"unknown\""));
	assert_int_equal(json_array_size(told), 1);
	assert_true(json_equal(json_array_get(told, 0), want));
	assert_string_equal(edges_name(edges, teller), "edge2");
	assert_int_equal(ask(NONE), 0);
	tell(links[1], TRACED("\"missed\":9")); /* too late */
	assert_int_equal(json_array_size(told), 1);
	json_decref(want);
}

static void
test_what_has_another_form_is_dropped(void **state)
{
	static const char *const rows[] = {
		"{}",
		TRACED("\"missed\":-1"),
		TRACED("\"missed\":1000000001"),
		TRACED("\"missed\":\"0\""),
		TRACED("\"missed\":0,\"cut\":\"yes\""),
		TRACED("\"missed\":0,\"missed\":0"),
	};
	static const struct {
		const char *member, *value;
	} changes[] = {
		{ "at", NULL },
		{ "at", "-1" },
		{ "at", "\"5\"" },
		{ "kind", NULL },
		{ "kind", "\"sip\"" },
		{ "direction", "\"up\"" },
		{ "stream", NULL },
		{ "stream", "{}" },
		{ "from", NULL },
		{ "from", "[]" },
		{ "to", NULL },
		{ "text", NULL },
		{ "text", "\"a\\u0007b\"" },
		{ "text", "\"a\\u0000b\"" },
		{ "text", "\"a\\uffffb\"" },
		{ "missed", NULL },
	};
	size_t dropped = 0;

	(void)state;
	attach(links[0]);
	assert_int_equal(ask(BO), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++, dropped++)
		tell(links[0], rows[i]);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		json_t *all = json_loads(TRACED("\"missed\":0"), 0, NULL);
		char *text, *at, patch[64];

		json_object_del(all, changes[i].member);
		text = json_dumps(all, JSON_COMPACT);
		json_decref(all);
		if (changes[i].value != NULL) {
			struct buf b = { 0 };

			snprintf(patch, sizeof(patch), "\"%s\":%s}",
			    changes[i].member, changes[i].value);
			at = strrchr(text, '}');
			*at = '\0';
			buf_addf(&b, "%s,%s", text, patch);
			tell(links[0], buf_cstr(&b));
			buf_finish(&b);
		} else {
			tell(links[0], text);
		}
		free(text);
		dropped++;
	}
	assert_int_equal(json_array_size(told), 0);
	tell(links[0], TRACED("\"missed\":2"));
	assert_int_equal(json_array_size(told), 1);
	assert_int_equal(missed(0), 2 + dropped);
	tell(links[0], TRACED("\"missed\":0"));
	assert_int_equal(missed(1), 0);
}

static void
tell_long(struct edge_link *l, const char *member, size_t len)
{
	json_t *all = json_loads(TRACED("\"missed\":0"), 0, NULL);
	char *text, *value = malloc(len + 1);

	memset(value, '"', len);
	value[len] = '\0';
	json_object_set_new(all, member, json_string(value));
	text = json_dumps(all, JSON_COMPACT);
	tell(l, text);
	json_decref(all);
	free(text);
	free(value);
}

static void
test_lengths(void **state)
{
	static const struct {
		const char *member;
		size_t max;
	} rows[] = {
		{ "text", TRACED_TEXT_MAX },
		{ "from", TRACED_ADDRESS_MAX },
		{ "to", TRACED_ADDRESS_MAX },
		{ "stream", TRACED_STREAM_MAX },
	};

	(void)state;
	attach(links[0]);
	assert_int_equal(ask(BO), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		tell_long(links[0], rows[i].member, rows[i].max);
		assert_int_equal(json_array_size(told), i + 1);
		tell_long(links[0], rows[i].member, rows[i].max + 1);
		assert_int_equal(json_array_size(told), i + 1);
	}
}

/* An honest edge is never dropped, a flood costs nothing but its own. */
static void
test_a_flood_is_dropped(void **state)
{
	size_t taken;

	(void)state;
	attach(links[0]);
	attach(links[1]);
	assert_int_equal(ask(BO), 0);
	for (int i = 0; i < 3000; i++)
		tell(links[0], TRACED("\"missed\":0"));
	taken = json_array_size(told);
	assert_int_equal(taken, 800);
	tell(links[1], TRACED("\"missed\":0"));
	assert_int_equal(json_array_size(told), taken + 1);
	let_pass(1000);
	for (int i = 0; i < 3000; i++)
		tell(links[0], TRACED("\"missed\":0"));
	assert_int_equal(json_array_size(told), taken + 401);
	assert_int_equal(missed(taken + 1), 2200);
	/* By bytes as well. */
	let_pass(4000);
	json_array_clear(told);
	for (int i = 0; i < 700; i++)
		tell_long(links[0], "text", TRACED_TEXT_MAX);
	assert_in_range(json_array_size(told), 60, 64);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	static const struct CMUnitTest tests[] = {
		TEST(test_every_edge_is_asked_at_once),
		TEST(test_null_is_nobody),
		TEST(test_it_is_asked_again_in_time),
		TEST(test_what_cannot_be_asked),
		TEST(test_an_old_edge_is_not_asked),
		TEST(test_what_an_edge_tells_is_handed_on),
		TEST(test_what_has_another_form_is_dropped),
		TEST(test_lengths),
		TEST(test_a_flood_is_dropped),
	};

	log_set_fd(-1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
