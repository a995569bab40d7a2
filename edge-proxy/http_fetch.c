/*
 * http_fetch - see the header.
 *
 *   url ─► addresses (A, then AAAA) ─► connect, one after the other ─►
 *   request ─► reply ─► done
 *                └─ a redirect, once: from the beginning
 *
 * Each way it can fail ends in finish(): no address, none within reach, none
 * that answers, a reply that is none, another status than 200, the time.
 */
#include "edge-proxy/http_fetch.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/conn.h"
#include "common/err.h"
#include "edge-proxy/http_reply.h"
#include "edge-proxy/http_url.h"
#include "edge-proxy/reach.h"
#include "edge-proxy/resolver_client.h"

enum { ADDRESSES_MAX = 4, REQUEST_MAX = 8192, CONNECT_MS = 2000 };

struct http_fetch {
	const struct http_fetch_place *place;
	struct http_url url;
	struct buf post;
	char post_type[64];
	size_t answer_max;
	http_fetch_fn *on_done;
	void *arg;

	struct clock_timer begin, limit;
	struct resolver_query *query;
	struct sockaddr_storage addresses[ADDRESSES_MAX];
	size_t address_count, address_at;
	struct conn *conn;
	struct http_reply reply;
	bool redirected; /* once is enough */
	bool again;      /* with another url, when the connection has ended */
	bool done;       /* reported, or nobody wants to know */
	char why[200];
};

static void look_up(struct http_fetch *f, enum dns_type type);
static void try_next(struct http_fetch *f);

static void
destroy(struct http_fetch *f)
{
	buf_finish(&f->post);
	http_reply_finish(&f->reply);
	free(f);
}

/* Gives up what is under way; the memory goes with the connection. */
static void
release(struct http_fetch *f)
{
	f->done = true;
	clock_timer_stop(&f->begin);
	clock_timer_stop(&f->limit);
	if (f->query != NULL)
		resolver_cancel(f->query);
	f->query = NULL;
	if (f->conn != NULL)
		conn_abort(f->conn, CONN_END_LOCAL);
	else
		destroy(f);
}

/* f may be gone afterwards. */
static void
finish(struct http_fetch *f, int rc, const char *why)
{
	if (f->done)
		return;
	f->done = true;
	f->on_done(rc, why, &f->reply.body, f->arg);
	release(f);
}

static void
on_limit(struct clock_timer *t, void *arg)
{
	(void)t;
	finish(arg, ERR_TIMEOUT, "no answer in time");
}

/* --- the reply ----------------------------------------------------------- */

static bool
is_redirect(const struct http_reply *r)
{
	return r->status == 301 || r->status == 302 || r->status == 303 ||
	       r->status == 307 || r->status == 308;
}

static void
follow(struct http_fetch *f)
{
	if (f->redirected || f->post.len > 0) {
		finish(f, ERR_PROTOCOL, "redirected once too often");
		return;
	}
	f->redirected = true;
	if (http_url_follow(&f->url, &f->url, f->reply.location) < 0) {
		finish(
		    f, ERR_PROTOCOL, "redirected to what is no http address");
		return;
	}
	f->again = true;
	conn_abort(f->conn, CONN_END_LOCAL);
}

/* As much of the reply is there as there will be, or as we want. */
static void
conclude(struct http_fetch *f)
{
	const struct http_reply *r = &f->reply;

	if (r->status == 200) {
		finish(f, 0, "");
		return;
	}
	snprintf(f->why, sizeof(f->why), "status %d", r->status);
	finish(f, ERR_PROTOCOL, f->why);
}

static void
on_data(struct conn *c, const uint8_t *data, size_t len, void *arg)
{
	struct http_fetch *f = arg;
	struct http_reply *r = &f->reply;
	int rc;

	(void)c;
	if (f->done || f->again)
		return;
	rc = http_reply_feed(r, data, len);
	if (rc < 0)
		finish(f, rc,
		    rc == ERR_TOO_LONG ? "the answer is too long"
				       : "the answer is no HTTP");
	else if (r->state > HTTP_REPLY_FIELDS && is_redirect(r))
		follow(f);
	else if (r->state > HTTP_REPLY_FIELDS &&
		 (r->state == HTTP_REPLY_DONE || r->status != 200))
		conclude(f);
}

/* --- connecting ---------------------------------------------------------- */

static void
on_connected(struct conn *c, void *arg)
{
	struct http_fetch *f = arg;
	struct buf out;

	buf_init(&out, REQUEST_MAX);
	buf_addf(&out,
	    "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: sallyport-edge\r\n"
	    "Accept: */*\r\nConnection: close\r\n",
	    f->post.len > 0 ? "POST" : "GET", f->url.path, f->url.authority);
	if (f->post.len > 0)
		buf_addf(&out, "Content-Type: %s\r\nContent-Length: %zu\r\n",
		    f->post_type, f->post.len);
	buf_add_str(&out, "\r\n");
	buf_add(&out, f->post.data, f->post.len);
	if (buf_failed(&out))
		finish(f, ERR_NOMEM, err_str(ERR_NOMEM));
	else
		(void)conn_write(c, out.data, out.len); /* on_end tells */
	buf_finish(&out);
}

static void
on_end(struct conn *c, enum conn_end why, int rc, const char *detail, void *arg)
{
	struct http_fetch *f = arg;

	(void)c;
	f->conn = NULL;
	if (f->done) {
		destroy(f);
		return;
	}
	if (f->again) {
		f->again = false;
		http_reply_finish(&f->reply);
		http_reply_init(&f->reply, f->answer_max);
		f->address_count = f->address_at = 0;
		f->why[0] = '\0';
		look_up(f, DNS_A);
		return;
	}
	if (why == CONN_END_PEER && http_reply_end(&f->reply) == 0) {
		conclude(f);
		return;
	}
	snprintf(f->why, sizeof(f->why), "%s%s%s", conn_end_str(why),
	    detail[0] != '\0' ? ": " : "", detail);
	if (f->reply.state == HTTP_REPLY_STATUS && f->reply.line_len == 0)
		try_next(f);
	else
		finish(f, rc < 0 ? rc : ERR_CLOSED, f->why);
}

static const struct conn_events events = {
	.on_connected = on_connected,
	.on_data = on_data,
	.on_end = on_end,
};

static void
try_next(struct http_fetch *f)
{
	const struct http_fetch_place *p = f->place;
	const struct sockaddr_storage *to, *from;
	struct conn_opts opts = {
		.loop = p->loop,
		.clock = p->clock,
		.events = &events,
		.arg = f,
		.connect_ms = CONNECT_MS,
	};
	int rc;

	if (f->address_at == f->address_count) {
		finish(f, ERR_CLOSED, f->why);
		return;
	}
	to = &f->addresses[f->address_at++];
	from = to->ss_family == AF_INET6 ? &p->outgoing6 : &p->outgoing4;
	if (from->ss_family != AF_UNSPEC)
		opts.bind = (const struct sockaddr *)from;
	rc = conn_connect(&f->conn, (const struct sockaddr *)to, &opts);
	if (rc < 0)
		finish(f, rc, err_str(rc));
}

/* Keeps an address, if it is one we may connect to. */
static void
take_address(struct http_fetch *f, const struct sockaddr_storage *address)
{
	const struct http_fetch_place *p = f->place;
	const char *why = reach_refusal_public(
	    p->reach, address, f->url.port, p->permitted, p->permitted_count);
	struct sockaddr_storage *to = &f->addresses[f->address_count];

	if (why != NULL) {
		snprintf(f->why, sizeof(f->why), "not connected to: %s", why);
		return;
	}
	if (f->address_count == ADDRESSES_MAX)
		return;
	*to = *address;
	/* The port is at the same place in both families. */
	((struct sockaddr_in *)(void *)to)->sin_port = htons(f->url.port);
	f->address_count++;
}

static void
on_answer(const struct dns_answer *a, void *arg)
{
	struct http_fetch *f = arg;

	f->query = NULL;
	for (size_t i = 0; a->status == DNS_OK && i < a->count; i++)
		take_address(f, &a->addr[i]);
	if (f->address_count > 0) {
		try_next(f);
	} else if (a->type == DNS_A && a->status != DNS_NXDOMAIN &&
		   a->status != DNS_BOGUS) {
		look_up(f, DNS_AAAA);
	} else {
		finish(f, ERR_DNS,
		    f->why[0] != '\0' ? f->why : "its host has no address");
	}
}

static void
look_up(struct http_fetch *f, enum dns_type type)
{
	int rc;

	if (f->url.literal) {
		take_address(f, &f->url.address);
		try_next(f);
		return;
	}
	rc = resolver_query(&f->query, f->place->resolver, f->url.host, type,
	    CONNECT_MS, on_answer, f);
	if (rc < 0)
		finish(f, rc, err_str(rc));
}

/* The first step is a turn of its own: on_done comes from no call of the
 * owner's. */
static void
on_begin(struct clock_timer *t, void *arg)
{
	struct http_fetch *f = arg;

	(void)t;
	look_up(f, DNS_A);
}

int
http_fetch_open(struct http_fetch **out, const struct http_fetch_opts *o)
{
	struct http_fetch *f = calloc(1, sizeof(*f));
	int rc = ERR_NOMEM;

	if (f == NULL)
		return rc;
	f->place = o->place;
	f->answer_max = o->answer_max;
	f->on_done = o->on_done;
	f->arg = o->arg;
	buf_init(&f->post, REQUEST_MAX / 2);
	http_reply_init(&f->reply, o->answer_max);
	rc = http_url_parse(&f->url, o->url, strlen(o->url));
	if (rc == 0 && o->post != NULL) {
		rc = buf_add(&f->post, o->post, o->post_len);
		snprintf(
		    f->post_type, sizeof(f->post_type), "%s", o->post_type);
	}
	if (rc < 0) {
		destroy(f);
		return rc;
	}
	clock_timer_init(&f->begin, o->place->clock, on_begin, f);
	clock_timer_init(&f->limit, o->place->clock, on_limit, f);
	clock_timer_start(&f->begin, 0);
	clock_timer_start(&f->limit, o->limit_ms);
	*out = f;
	return 0;
}

void
http_fetch_close(struct http_fetch *f)
{
	if (f == NULL)
		return;
	release(f);
}
