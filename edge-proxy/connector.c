/*
 * connector - see the header.
 *
 *   srv ──► addresses of a target ──► attempt ──► (stream: done)
 *            ▲                          │
 *            └── next target ◄── next address, when there is none left
 *
 * Without SRV records the domain itself is the one target.  What is reported in
 * the end is the failure that got furthest: once an address was tried, a name
 * that cannot be resolved is no longer the story.
 */
#include "edge-proxy/connector.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/ports.h"
#include "common/random.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/s2s_out.h"
#include "edge-proxy/srv_order.h"

enum {
	DNS_MS = 10000,
	ADDRESSES_MAX = 16, /* of one target */
	ATTEMPTS_MAX = 12   /* in all */
};

struct connector {
	struct connector_opts opts;
	struct log log;
	char local[256], remote[256];
	struct stream_pair pair;

	struct resolver_query *srv, *a, *aaaa;
	struct dns_srv targets[DNS_RECORDS_MAX];
	size_t target_count, target; /* target: the one being tried */
	struct sockaddr_storage addrs[ADDRESSES_MAX];
	size_t addr_count, addr;
	enum dns_status addr_status;

	struct s2s_out *attempt;
	unsigned attempts;
	bool plain; /* the attempt tries no TLS */
	bool cancelled;
	struct clock_timer step; /* defers what must not happen at once */
	struct clock_timer limit;
	struct route_failure failure;
	char id[STREAM_ID_SIZE];
};

static void next_target(struct connector *c);
static void next_address(struct connector *c);
static void attempt(struct connector *c, bool plain);

/* --- the end ------------------------------------------------------------- */

static void
destroy(struct connector *c)
{
	clock_timer_stop(&c->step);
	clock_timer_stop(&c->limit);
	free(c);
}

static void
drop_queries(struct connector *c)
{
	if (c->srv != NULL)
		resolver_cancel(c->srv);
	if (c->a != NULL)
		resolver_cancel(c->a);
	if (c->aaaa != NULL)
		resolver_cancel(c->aaaa);
	c->srv = c->a = c->aaaa = NULL;
}

/* info NULL: nothing was attempted. */
static void
fail(struct connector *c, const struct stream_info *attempt)
{
	struct stream_info info = {
		.id = c->id,
		.direction = STREAM_OUT,
		.peer = "",
		.auth = "",
		.tls = "",
		.cipher = "",
	};

	if (attempt != NULL)
		info = *attempt;
	else if (c->id[0] == '\0')
		c->opts.make_id(c->id, c->opts.id_arg);
	info.pairs = &c->pair;
	info.pair_count = 1;
	info.reason = c->failure.reason;
	info.condition = condition_str(c->failure.condition);
	log_warn(&c->log, "route-failed", "condition=%s reason=%s",
	    info.condition, c->failure.reason);
	drop_queries(c);
	c->opts.events->on_failed(&c->failure, &info, c->opts.arg);
	destroy(c);
}

/* --- attempts ------------------------------------------------------------ */

static void
on_attempt_up(struct s2s_out *s, void *arg)
{
	struct connector *c = arg;

	c->attempt = NULL;
	c->opts.events->on_stream(s, c->opts.arg);
	destroy(c);
}

/* TLS is not to be had there, and the partner's row permits to do without.  A
 * question about a key is never put again in the clear. */
static bool
worth_plain(const struct connector *c, const struct s2s_out_end *end)
{
	unsigned m = hosting_methods(c->opts.hosting, c->local, c->remote);

	return end->why == S2S_OUT_TLS && !c->plain && !c->opts.asks &&
	       (m & AUTH_DIALBACK_TCP) != 0 && c->attempts < ATTEMPTS_MAX &&
	       clock_timer_running(&c->limit);
}

static void
on_attempt_end(struct s2s_out *s, const struct s2s_out_end *end,
    const struct stream_info *info, void *arg)
{
	struct connector *c = arg;
	bool more = c->addr < c->addr_count || c->target < c->target_count;

	(void)s;
	c->attempt = NULL;
	if (c->cancelled) {
		c->opts.events->on_cancelled(c->opts.arg);
		destroy(c);
		return;
	}
	route_failure_of_end(&c->failure, end, info->reason);
	if (worth_plain(c, end)) {
		log_info(
		    &c->log, "trying-without-tls", "reason=%s", info->reason);
		attempt(c, true);
		return;
	}
	if (!more || c->attempts >= ATTEMPTS_MAX ||
	    !clock_timer_running(&c->limit))
		fail(c, info);
	else
		next_address(c);
}

static void
on_attempt_drained(struct s2s_out *s, void *arg)
{
	(void)s; /* nothing is written before the stream is handed on */
	(void)arg;
}

static const struct s2s_out_events attempt_events = {
	.on_up = on_attempt_up,
	.on_drained = on_attempt_drained,
	.on_end = on_attempt_end,
};

/* Our own address of that family, or NULL for any. */
static const struct sockaddr *
source_for(const struct connector *c, const struct sockaddr_storage *target)
{
	const struct sockaddr_storage *own = target->ss_family == AF_INET6
						 ? c->opts.outgoing6
						 : c->opts.outgoing4;

	return own->ss_family == target->ss_family
		   ? (const struct sockaddr *)own
		   : NULL;
}

static void
set_port(struct sockaddr_storage *a, uint16_t port)
{
	if (a->ss_family == AF_INET6)
		((struct sockaddr_in6 *)(void *)a)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)(void *)a)->sin_port = htons(port);
}

static void
attempt(struct connector *c, bool plain)
{
	const struct sockaddr_storage *addr = &c->addrs[c->addr - 1];
	int rc;

	c->attempts++;
	c->plain = plain;
	c->opts.make_id(c->id, c->opts.id_arg);
	rc =
	    s2s_out_open(&c->attempt, &(struct s2s_out_opts){
					  .loop = c->opts.loop,
					  .clock = c->opts.clock,
					  .hosting = c->opts.hosting,
					  .identities = c->opts.identities,
					  .id = c->id,
					  .local = c->local,
					  .remote = c->remote,
					  .addr = (const struct sockaddr *)addr,
					  .bind = source_for(c, addr),
					  .asks = c->opts.asks,
					  .plain = plain,
					  .events = &attempt_events,
					  .arg = c,
				      });
	if (rc < 0) {
		route_failure_set(
		    &c->failure, COND_RESOURCE_CONSTRAINT, NULL, err_str(rc));
		fail(c, NULL);
	}
}

static void
next_address(struct connector *c)
{
	if (c->addr == c->addr_count) {
		next_target(c);
		return;
	}
	c->addr++;
	attempt(c, false);
}

/* --- addresses of a target ----------------------------------------------- */

static void
take_addresses(struct connector *c, const struct dns_answer *a)
{
	uint16_t port = c->targets[c->target - 1].port;

	if (a->status == DNS_OK) {
		for (size_t i = 0;
		     i < a->count && c->addr_count < ADDRESSES_MAX; i++) {
			c->addrs[c->addr_count] = a->addr[i];
			set_port(&c->addrs[c->addr_count++], port);
		}
	} else if (a->status > c->addr_status) {
		c->addr_status = a->status;
	}
}

/* IPv6 first, unless IPv4 is the only family we were given an address for. */
static int
by_family(const void *x, const void *y)
{
	const struct sockaddr_storage *a = x, *b = y;

	return (b->ss_family == AF_INET6) - (a->ss_family == AF_INET6);
}

static int
by_family_4(const void *x, const void *y)
{
	return by_family(y, x);
}

static void
addresses_known(struct connector *c)
{
	bool prefer4 = c->opts.outgoing4->ss_family == AF_INET &&
		       c->opts.outgoing6->ss_family != AF_INET6;

	if (c->a != NULL || c->aaaa != NULL)
		return;
	if (c->addr_count == 0 && c->attempts == 0)
		route_failure_of_dns(&c->failure, c->addr_status,
		    c->targets[c->target - 1].target);
	if (c->addr_count > 1)
		qsort(c->addrs, c->addr_count, sizeof(c->addrs[0]),
		    prefer4 ? by_family_4 : by_family);
	next_address(c);
}

static void
on_a(const struct dns_answer *a, void *arg)
{
	struct connector *c = arg;

	c->a = NULL;
	take_addresses(c, a);
	addresses_known(c);
}

static void
on_aaaa(const struct dns_answer *a, void *arg)
{
	struct connector *c = arg;

	c->aaaa = NULL;
	take_addresses(c, a);
	addresses_known(c);
}

/* "192.0.2.1" or "[2001:db8::1]": nothing to resolve. */
static bool
parse_literal(struct sockaddr_storage *out, const char *name, uint16_t port)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)out;
	struct sockaddr_in *in = (struct sockaddr_in *)(void *)out;
	char text[64];
	size_t len = strlen(name);

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, name, &in->sin_addr) == 1) {
		out->ss_family = AF_INET;
	} else if (len > 2 && len < sizeof(text) && name[0] == '[' &&
		   name[len - 1] == ']') {
		memcpy(text, name + 1, len - 2);
		text[len - 2] = '\0';
		if (inet_pton(AF_INET6, text, &in6->sin6_addr) != 1)
			return false;
		out->ss_family = AF_INET6;
	} else {
		return false;
	}
	set_port(out, port);
	return true;
}

static void
no_resolver(struct connector *c, int rc)
{
	route_failure_set(
	    &c->failure, COND_REMOTE_SERVER_NOT_FOUND, NULL, err_str(rc));
	fail(c, NULL);
}

/* Never called while a query of the last target is out. */
static void
next_target(struct connector *c)
{
	const struct dns_srv *t;
	int rc;

	c->addr = c->addr_count = 0;
	c->addr_status = DNS_OK;
	/* A port of 0 or a target "." among others names nothing. */
	while (c->target < c->target_count &&
	       (c->targets[c->target].port == 0 ||
		   strcmp(c->targets[c->target].target, ".") == 0))
		c->target++;
	if (c->target == c->target_count) {
		fail(c, NULL);
		return;
	}
	t = &c->targets[c->target++];
	if (parse_literal(&c->addrs[0], t->target, t->port)) {
		c->addr_count = 1;
		next_address(c);
		return;
	}
	rc = resolver_query(
	    &c->a, c->opts.resolver, t->target, DNS_A, DNS_MS, on_a, c);
	if (rc == 0)
		rc = resolver_query(&c->aaaa, c->opts.resolver, t->target,
		    DNS_AAAA, DNS_MS, on_aaaa, c);
	if (rc < 0)
		no_resolver(c, rc);
}

/* --- SRV ----------------------------------------------------------------- */

static void
use_single_target(struct connector *c, const char *name)
{
	c->target_count = 1;
	c->target = 0;
	c->targets[0] = (struct dns_srv){ .port = PORTS_XMPP };
	snprintf(
	    c->targets[0].target, sizeof(c->targets[0].target), "%s", name);
	next_target(c);
}

static void
on_srv(const struct dns_answer *a, void *arg)
{
	struct connector *c = arg;

	c->srv = NULL;
	if (a->status == DNS_FAILED || a->status == DNS_BOGUS) {
		/* Not knowing is no leave to look elsewhere. */
		route_failure_of_dns(&c->failure, a->status, "SRV");
		fail(c, NULL);
		return;
	}
	if (a->status == DNS_NXDOMAIN || a->count == 0) {
		use_single_target(c, c->remote);
		return;
	}
	if (a->count == 1 && strcmp(a->srv[0].target, ".") == 0) {
		route_failure_set(&c->failure, COND_REMOTE_SERVER_NOT_FOUND,
		    NULL, "the domain offers no XMPP service");
		fail(c, NULL);
		return;
	}
	c->target_count =
	    a->count < DNS_RECORDS_MAX ? a->count : DNS_RECORDS_MAX;
	memcpy(c->targets, a->srv, c->target_count * sizeof(c->targets[0]));
	srv_order(c->targets, c->target_count, random_below);
	route_failure_set(&c->failure, COND_REMOTE_SERVER_NOT_FOUND, NULL,
	    "no usable SRV target");
	next_target(c);
}

static void
on_step(struct clock_timer *t, void *arg)
{
	struct connector *c = arg;
	const struct partner *p =
	    hosting_partner(c->opts.hosting, c->local, c->remote);
	char name[300];
	struct sockaddr_storage literal;
	int rc;

	(void)t;
	if (c->cancelled) {
		c->opts.events->on_cancelled(c->opts.arg);
		destroy(c);
		return;
	}
	if (p != NULL && p->proxy_fqdn[0] != '\0') {
		use_single_target(c, p->proxy_fqdn);
		return;
	}
	if (strchr(c->remote, '.') == NULL ||
	    parse_literal(&literal, c->remote, 0)) {
		use_single_target(c, c->remote);
		return;
	}
	snprintf(name, sizeof(name), "_xmpp-server._tcp.%s", c->remote);
	rc = resolver_query(
	    &c->srv, c->opts.resolver, name, DNS_SRV, DNS_MS, on_srv, c);
	if (rc < 0)
		no_resolver(c, rc);
}

/* The time for all targets together is over: the attempt in progress is the
 * last one. */
static void
on_limit(struct clock_timer *t, void *arg)
{
	struct connector *c = arg;

	(void)t;
	if (c->attempt != NULL) {
		s2s_out_close(c->attempt, STREAM_ERR_CONNECTION_TIMEOUT,
		    "stream not established in time");
		return;
	}
	if (c->attempts == 0)
		route_failure_of_dns(&c->failure, DNS_FAILED, c->remote);
	fail(c, NULL);
}

int
connector_open(struct connector **out, const struct connector_opts *opts)
{
	struct connector *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return ERR_NOMEM;
	c->opts = *opts;
	snprintf(c->local, sizeof(c->local), "%s", opts->local);
	snprintf(c->remote, sizeof(c->remote), "%s", opts->remote);
	c->opts.local = c->local;
	c->opts.remote = c->remote;
	c->pair = (struct stream_pair){ c->local, c->remote, 0 };
	log_init(&c->log, "connector");
	log_object(&c->log, "local=%s remote=%s", c->local, c->remote);
	clock_timer_init(&c->step, opts->clock, on_step, c);
	clock_timer_init(&c->limit, opts->clock, on_limit, c);
	clock_timer_start(&c->step, 0);
	clock_timer_start(&c->limit,
	    hosting_settings(opts->hosting, c->local)->stream_establishment_ms);
	*out = c;
	return 0;
}

void
connector_cancel(struct connector *c)
{
	if (c->cancelled)
		return;
	c->cancelled = true;
	clock_timer_stop(&c->limit);
	drop_queries(c);
	if (c->attempt != NULL)
		s2s_out_close(c->attempt, STREAM_ERR_NONE, "not wanted");
	else
		clock_timer_start(&c->step, 0);
}
