/*
 * connector - see the header.
 *
 *   srv ──► addresses of a target ──► attempts to connect, one each 250 ms
 *                ▲                         │             ▲
 *                └── next target, when ────┤             │ ended too early
 *                    all are under way     ▼             │
 *                                   the first one that is connected
 *                                          │
 *                                       (stream: done)
 *
 * Between the addresses of a target that is signed and the attempts come its
 * TLSA records (target_tlsa.h).
 *
 * What races is TCP.  The attempt whose connection is up first leads: the others
 * are let go, so that the partner sees one negotiation, and their addresses come
 * last should it fail.  Without SRV records the domain itself is the one target.
 *
 * What is reported in the end is the failure that got furthest: once an address
 * was tried, a name that cannot be resolved is no longer the story.
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
#include "common/log_limit.h"
#include "common/ports.h"
#include "common/random.h"
#include "edge-proxy/candidates.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/reach.h"
#include "edge-proxy/s2s_out.h"
#include "edge-proxy/srv_order.h"
#include "edge-proxy/srv_set.h"
#include "edge-proxy/target_tlsa.h"

enum {
	DNS_MS = 10000,
	SERVICE_DELAY_MS = 2000,  /* the other service may answer yet */
	ATTEMPT_DELAY_MS = 250,   /* RFC 8305 5 */
	RESOLUTION_DELAY_MS = 50, /* RFC 8305 3 */
	LIVE_MAX = 6,             /* attempts at a time */
	ATTEMPTS_MAX = 12         /* in all */
};

struct attempt {
	struct connector *connector;
	struct s2s_out *stream; /* NULL: free */
	struct candidate *candidate;
	bool plain;   /* tries no TLS */
	bool dropped; /* another one leads */
};

struct connector {
	struct connector_opts opts;
	struct log log;
	char local[256], remote[256];
	struct stream_pair pair;

	struct resolver_query *srv, *direct_srv, *a, *aaaa;
	struct srv_set targets;
	size_t target; /* the next one */
	enum dns_status addr_status;
	struct target_tlsa tlsa;
	struct candidates candidates;
	bool configured; /* the target is of our own side's naming */
	bool refused;    /* an address, and that is what failed */

	struct attempt attempts[LIVE_MAX];
	struct attempt *leader; /* the one that is connected */
	size_t live;
	unsigned started;
	bool cancelled;
	uint64_t begun_ms;
	struct clock_timer step; /* defers what must not happen at once */
	struct clock_timer limit;
	struct clock_timer service; /* runs while one service is waited for */
	struct clock_timer delay;   /* runs until the next attempt is due */
	struct clock_timer resolution; /* the other family may answer yet */

	/* what got furthest */
	struct route_failure failure;
	unsigned rank;
	char id[STREAM_ID_SIZE];
	char peer[STREAM_PEER_SIZE];
	const char *auth, *tls, *cipher;
};

static void launch(struct connector *c);

/* --- the end ------------------------------------------------------------- */

static void
destroy(struct connector *c)
{
	clock_timer_stop(&c->step);
	clock_timer_stop(&c->limit);
	clock_timer_stop(&c->service);
	clock_timer_stop(&c->delay);
	clock_timer_stop(&c->resolution);
	target_tlsa_finish(&c->tlsa);
	free(c);
}

static void
drop_queries(struct connector *c)
{
	clock_timer_stop(&c->service);
	target_tlsa_cancel(&c->tlsa);
	if (c->srv != NULL)
		resolver_cancel(c->srv);
	if (c->direct_srv != NULL)
		resolver_cancel(c->direct_srv);
	if (c->a != NULL)
		resolver_cancel(c->a);
	if (c->aaaa != NULL)
		resolver_cancel(c->aaaa);
	c->srv = c->direct_srv = c->a = c->aaaa = NULL;
}

static void
fail(struct connector *c)
{
	struct stream_info info = {
		.id = c->id,
		.direction = STREAM_OUT,
		.pairs = &c->pair,
		.pair_count = 1,
		.peer = c->peer,
		.auth = c->auth,
		.tls = c->tls,
		.cipher = c->cipher,
		.reason = c->failure.reason,
		.condition = condition_str(c->failure.condition),
	};

	assert(c->live == 0);
	if (c->id[0] == '\0')
		c->opts.make_id(c->id, c->opts.id_arg);
	log_warn(&c->log, "route-failed", "condition=%s reason=%s",
	    info.condition, c->failure.reason);
	drop_queries(c);
	c->opts.events->on_failed(&c->failure, &info, c->opts.arg);
	destroy(c);
}

/* How far an attempt got that ended so. */
static unsigned
rank_of(enum s2s_out_why why)
{
	switch (why) {
	case S2S_OUT_CONNECT:
		return 1;
	case S2S_OUT_LOCAL:
	case S2S_OUT_LOST:
	case S2S_OUT_PEER_CLOSED:
	case S2S_OUT_PROTOCOL:
		return 2;
	case S2S_OUT_TLS:
		return 3;
	case S2S_OUT_AUTH:
	case S2S_OUT_DIALBACK:
		return 4;
	case S2S_OUT_ERROR:
		return 5;
	}
	return 0;
}

static void
remember(struct connector *c, const struct s2s_out_end *end,
    const struct stream_info *info)
{
	unsigned rank = rank_of(end->why);

	if (rank < c->rank)
		return;
	c->rank = rank;
	route_failure_of_end(&c->failure, end, info->reason);
	snprintf(c->id, sizeof(c->id), "%s", info->id);
	snprintf(c->peer, sizeof(c->peer), "%s", info->peer);
	/* static texts */
	c->auth = info->auth;
	c->tls = info->tls;
	c->cipher = info->cipher;
}

/* --- attempts ------------------------------------------------------------ */

static bool start(struct connector *c, struct candidate *to, bool plain);

/* TCP is up: the race is over. */
static void
on_attempt_connected(struct s2s_out *s, void *arg)
{
	struct attempt *a = arg;
	struct connector *c = a->connector;

	(void)s;
	if (c->cancelled || a->dropped)
		return;
	assert(c->leader == NULL);
	c->leader = a;
	clock_timer_stop(&c->delay);
	for (size_t i = 0; i < LIVE_MAX; i++) {
		struct attempt *other = &c->attempts[i];

		if (other == a || other->stream == NULL || other->dropped)
			continue;
		other->dropped = true;
		candidates_give_back(other->candidate);
		s2s_out_close(
		    other->stream, STREAM_ERR_NONE, "another one was faster");
	}
}

static void
on_attempt_up(struct s2s_out *s, void *arg)
{
	struct attempt *a = arg;
	struct connector *c = a->connector;

	/* Connections let go end in the same turn of the loop. */
	assert(c->leader == a && c->live == 1);
	drop_queries(c);
	c->opts.events->on_stream(s, c->opts.arg);
	destroy(c);
}

/* Whether the target speaks TLS at once. */
static bool
is_direct(const struct connector *c, const struct candidate *to)
{
	return c->targets.v[to->target].direct;
}

/* What signed DNS says of the server at that address. */
static struct dane_server
server_of(const struct connector *c, const struct candidate *to)
{
	return target_tlsa_of(&c->tlsa, &c->targets.v[to->target], to->target);
}

/* TLS is not to be had there, and the partner's row permits to do without.  A
 * question about a key is never put again in the clear, a port that is for TLS
 * has no ear for anything else, and TLSA records forbid it. */
static bool
worth_plain(const struct connector *c, const struct attempt *was,
    const struct s2s_out_end *end)
{
	unsigned m = hosting_methods(c->opts.hosting, c->local, c->remote);

	return end->why == S2S_OUT_TLS && !was->plain && !c->opts.asks &&
	       !is_direct(c, was->candidate) &&
	       server_of(c, was->candidate).tlsa == NULL &&
	       (m & AUTH_DIALBACK_TCP) != 0 && c->started < ATTEMPTS_MAX &&
	       clock_timer_running(&c->limit);
}

static void
on_attempt_end(struct s2s_out *s, const struct s2s_out_end *end,
    const struct stream_info *info, void *arg)
{
	struct attempt *a = arg;
	struct connector *c = a->connector;
	const struct attempt was = *a;

	(void)s;
	*a = (struct attempt){ .connector = c };
	c->live--;
	if (c->leader == a)
		c->leader = NULL;
	if (c->cancelled) {
		if (c->live > 0)
			return;
		c->opts.events->on_cancelled(c->opts.arg);
		destroy(c);
		return;
	}
	if (was.dropped) {
		launch(c);
		return;
	}
	remember(c, end, info);
	if (worth_plain(c, &was, end)) {
		log_info(
		    &c->log, "trying-without-tls", "reason=%s", info->reason);
		if (start(c, was.candidate, true))
			return;
	}
	clock_timer_stop(&c->delay);
	launch(c);
}

static void
on_attempt_drained(struct s2s_out *s, void *arg)
{
	(void)s; /* nothing is written before the stream is handed on */
	(void)arg;
}

static const struct s2s_out_events attempt_events = {
	.on_connected = on_attempt_connected,
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

static struct attempt *
free_attempt(struct connector *c)
{
	for (size_t i = 0; i < LIVE_MAX; i++)
		if (c->attempts[i].stream == NULL)
			return &c->attempts[i];
	return NULL;
}

/* False when it could not even begin: then there will be no more. */
static bool
start(struct connector *c, struct candidate *to, bool plain)
{
	struct attempt *a = free_attempt(c);
	struct dane_server server = server_of(c, to);
	struct s2s_out_opts opts = {
		.loop = c->opts.loop,
		.clock = c->opts.clock,
		.hosting = c->opts.hosting,
		.identities = c->opts.identities,
		.local = c->local,
		.remote = c->remote,
		.addr = (const struct sockaddr *)&to->addr,
		.bind = source_for(c, &to->addr),
		.asks = c->opts.asks,
		.plain = plain,
		.direct = is_direct(c, to),
		.server = &server,
		.events = &attempt_events,
		.arg = a,
	};
	char id[STREAM_ID_SIZE];
	int rc;

	assert(a != NULL);
	c->opts.make_id(id, c->opts.id_arg);
	opts.id = id;
	rc = s2s_out_open(&a->stream, &opts);
	if (rc < 0) {
		c->started = ATTEMPTS_MAX;
		route_failure_set(
		    &c->failure, COND_RESOURCE_CONSTRAINT, NULL, err_str(rc));
		return false;
	}
	a->connector = c;
	a->candidate = to;
	a->plain = plain;
	c->live++;
	c->started++;
	clock_timer_start(&c->delay, ATTEMPT_DELAY_MS);
	return true;
}

static bool resolve_next(struct connector *c);

/* The next candidate, for which another target may have to be resolved. */
static struct candidate *
next_candidate(struct connector *c)
{
	struct candidate *next = candidates_take(&c->candidates);

	while (
	    next == NULL && c->a == NULL && c->aaaa == NULL && resolve_next(c))
		next = candidates_take(&c->candidates);
	return next;
}

/* Whether a connection that is there already may do for this one. */
static bool
may_be_spared(const struct connector *c, const struct candidate *to)
{
	return c->opts.events->on_candidate != NULL &&
	       server_of(c, to).tlsa == NULL;
}

/* Starts the next attempt if one is due; when nothing is left that could
 * succeed, this is the end.  c may be gone afterwards. */
static void
launch(struct connector *c)
{
	struct candidate *next = NULL;

	if (c->leader != NULL || clock_timer_running(&c->delay) ||
	    clock_timer_running(&c->resolution) ||
	    c->tlsa.state == TARGET_ASKED)
		return;
	if (c->started < ATTEMPTS_MAX && clock_timer_running(&c->limit)) {
		if (c->live == LIVE_MAX)
			return;
		next = next_candidate(c);
		if (next == NULL && (c->a != NULL || c->aaaa != NULL))
			return;
	}
	if (next != NULL && may_be_spared(c, next) &&
	    c->opts.events->on_candidate(&next->addr, c->opts.arg))
		return;
	if ((next == NULL || !start(c, next, false)) && c->live == 0)
		fail(c);
}

static void
on_due(struct clock_timer *t, void *arg)
{
	(void)t;
	launch(arg);
}

/* --- addresses of a target ----------------------------------------------- */

/* The address of a target, unless we must not go there. */
static void
add_candidate(struct connector *c, const struct sockaddr_storage *addr,
    const struct dns_srv *t)
{
	const char *why = NULL;
	char reason[300], text[PREFIX_TEXT] = "-";
	struct prefix p;

	if (c->opts.reach != NULL)
		why =
		    reach_refusal(c->opts.reach, addr, t->port, c->configured);
	if (why == NULL) {
		candidates_add(&c->candidates, addr, t->port, c->target - 1);
		return;
	}
	if (prefix_of_sockaddr(&p, addr) == 0)
		prefix_text(text, &p);
	log_limited_warn(&c->log, c->remote, "address-refused",
	    "target=%s address=%s port=%u reason=%s", t->target, text,
	    (unsigned)t->port, why);
	c->refused = true;
	if (c->started > 0)
		return;
	snprintf(reason, sizeof(reason), "not connected to %s port %u: %s",
	    text, (unsigned)t->port, why);
	route_failure_set(
	    &c->failure, COND_REMOTE_SERVER_NOT_FOUND, NULL, reason);
}

/* The target's TLSA records cannot be had: without them it is not used. */
static void
refuse_target(struct connector *c, enum dns_status why)
{
	const struct dns_srv *t = &c->targets.v[c->target - 1];
	char what[300];

	candidates_drop(&c->candidates, c->target - 1);
	snprintf(what, sizeof(what), "TLSA of %s", t->target);
	log_limited_warn(&c->log, c->remote, "target-refused",
	    "target=%s port=%u reason=%s", t->target, (unsigned)t->port,
	    why == DNS_BOGUS ? "TLSA records are bogus"
			     : "TLSA records cannot be had");
	c->refused = true;
	if (c->started == 0)
		route_failure_of_dns(&c->failure, why, what);
}

static void
on_tlsa_known(enum tlsa_verdict verdict, void *arg)
{
	struct connector *c = arg;

	if (verdict == TLSA_BOGUS)
		refuse_target(c, DNS_BOGUS);
	else if (verdict == TLSA_UNKNOWN)
		refuse_target(c, DNS_FAILED);
	launch(c);
}

static void
add_addresses(
    struct connector *c, const struct dns_answer *a, const struct dns_srv *t)
{
	bool refused = c->tlsa.state == TARGET_REFUSED;

	if (a->count > 0)
		target_tlsa_address(&c->tlsa, a->secure);
	if (!refused && c->tlsa.state == TARGET_REFUSED)
		refuse_target(c, DNS_FAILED);
	if (c->tlsa.state == TARGET_REFUSED)
		return;
	for (size_t i = 0; i < a->count; i++)
		add_candidate(c, &a->addr[i], t);
}

static void
take_addresses(struct connector *c, const struct dns_answer *a)
{
	const struct dns_srv *t = &c->targets.v[c->target - 1];

	if (a->status == DNS_OK) {
		add_addresses(c, a, t);
	} else if (a->status > c->addr_status) {
		c->addr_status = a->status;
	}
	if (c->a == NULL && c->aaaa == NULL && c->candidates.count == 0 &&
	    !c->refused)
		route_failure_of_dns(&c->failure, c->addr_status, t->target);
}

/* One family has answered.  If it is the lesser one, the other gets a moment to
 * do so before an attempt begins. */
static void
answered(struct connector *c, const struct dns_answer *a, bool preferred)
{
	take_addresses(c, a);
	if (preferred || (c->a == NULL && c->aaaa == NULL))
		clock_timer_stop(&c->resolution);
	else if (a->status == DNS_OK && a->count > 0)
		clock_timer_start(&c->resolution, RESOLUTION_DELAY_MS);
	launch(c);
}

static void
on_a(const struct dns_answer *a, void *arg)
{
	struct connector *c = arg;

	c->a = NULL;
	answered(c, a, c->candidates.prefer4);
}

static void
on_aaaa(const struct dns_answer *a, void *arg)
{
	struct connector *c = arg;

	c->aaaa = NULL;
	answered(c, a, !c->candidates.prefer4);
}

/* "192.0.2.1" or "[2001:db8::1]": nothing to resolve. */
static bool
parse_literal(struct sockaddr_storage *out, const char *name)
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
	return true;
}

static void
no_resolver(struct connector *c, int rc)
{
	route_failure_set(
	    &c->failure, COND_REMOTE_SERVER_NOT_FOUND, NULL, err_str(rc));
}

/* The next target's address is known, or asked for.  False when there is none
 * any more. */
static bool
resolve_next(struct connector *c)
{
	struct sockaddr_storage literal;
	const struct dns_srv *t;
	int rc;

	/* A port of 0 or a target "." among others names nothing. */
	while (c->target < c->targets.count &&
	       (c->targets.v[c->target].port == 0 ||
		   strcmp(c->targets.v[c->target].target, ".") == 0))
		c->target++;
	if (c->target == c->targets.count)
		return false;
	c->addr_status = DNS_OK;
	t = &c->targets.v[c->target];
	target_tlsa_begin(&c->tlsa, t, c->target++);
	if (parse_literal(&literal, t->target)) {
		add_candidate(c, &literal, t);
		return true;
	}
	rc = resolver_query(
	    &c->a, c->opts.resolver, t->target, DNS_A, DNS_MS, on_a, c);
	if (rc == 0)
		rc = resolver_query(&c->aaaa, c->opts.resolver, t->target,
		    DNS_AAAA, DNS_MS, on_aaaa, c);
	if (rc < 0 && c->started == 0)
		no_resolver(c, rc);
	return rc == 0;
}

/* --- SRV ----------------------------------------------------------------- */

static void
use_single_target(struct connector *c, const char *name)
{
	struct dns_srv *only = &c->targets.v[0];

	c->targets.count = 1;
	c->target = 0;
	*only = (struct dns_srv){ .port = PORTS_XMPP };
	snprintf(only->target, sizeof(only->target), "%s", name);
	launch(c);
}

/* The services that were asked for have answered, or one of them and enough. */
static void
judge_srv(struct connector *c)
{
	switch (srv_set_judge(&c->targets)) {
	case SRV_TARGETS:
		srv_order(c->targets.v, c->targets.count, random_below);
		route_failure_set(&c->failure, COND_REMOTE_SERVER_NOT_FOUND,
		    NULL, "no usable SRV target");
		launch(c);
		return;
	case SRV_ITSELF:
		use_single_target(c, c->remote);
		return;
	case SRV_ABSENT:
		route_failure_set(&c->failure, COND_REMOTE_SERVER_NOT_FOUND,
		    NULL, "the domain offers no XMPP service");
		break;
	case SRV_UNKNOWN:
		/* Not knowing is no leave to look elsewhere. */
		route_failure_of_dns(&c->failure, DNS_FAILED, "SRV");
		break;
	case SRV_BOGUS:
		route_failure_of_dns(&c->failure, DNS_BOGUS, "SRV");
		break;
	}
	fail(c);
}

static void
take_srv(struct connector *c, const struct dns_answer *a, bool direct)
{
	srv_set_add(&c->targets, a, direct);
	if (a->status == DNS_FAILED)
		log_info(&c->log, "srv-unknown", "service=%s",
		    direct ? "_xmpps-server" : "_xmpp-server");
	clock_timer_stop(&c->service);
	if (c->srv == NULL && c->direct_srv == NULL)
		judge_srv(c);
	else if (srv_set_judge(&c->targets) == SRV_TARGETS)
		clock_timer_start(&c->service, SERVICE_DELAY_MS);
}

/* Name servers that do not answer for a name they do not have must not hold up
 * those whose domain has the other. */
static void
on_service_late(struct clock_timer *t, void *arg)
{
	struct connector *c = arg;

	(void)t;
	log_info(&c->log, "srv-late", "service=%s",
	    c->srv != NULL ? "_xmpp-server" : "_xmpps-server");
	drop_queries(c);
	judge_srv(c);
}

static void
on_srv(const struct dns_answer *a, void *arg)
{
	struct connector *c = arg;

	c->srv = NULL;
	take_srv(c, a, false);
}

static void
on_direct_srv(const struct dns_answer *a, void *arg)
{
	struct connector *c = arg;

	c->direct_srv = NULL;
	take_srv(c, a, true);
}

/* Whether the partner's row permits TLS at all. */
static bool
may_use_tls(const struct connector *c)
{
	return (hosting_methods(c->opts.hosting, c->local, c->remote) &
		   (AUTH_SASL_TLS | AUTH_DIALBACK_TLS)) != 0;
}

/* Both services side by side; direct TLS only where the partner's row permits
 * TLS at all. */
static int
ask_for_services(struct connector *c)
{
	char name[300];
	int rc;

	snprintf(name, sizeof(name), "_xmpp-server._tcp.%s", c->remote);
	rc = resolver_query(
	    &c->srv, c->opts.resolver, name, DNS_SRV, DNS_MS, on_srv, c);
	if (rc < 0 || !may_use_tls(c))
		return rc;
	snprintf(name, sizeof(name), "_xmpps-server._tcp.%s", c->remote);
	return resolver_query(&c->direct_srv, c->opts.resolver, name, DNS_SRV,
	    DNS_MS, on_direct_srv, c);
}

static void
on_step(struct clock_timer *t, void *arg)
{
	struct connector *c = arg;
	const struct partner *p =
	    hosting_partner(c->opts.hosting, c->local, c->remote);
	struct sockaddr_storage literal;
	int rc;

	(void)t;
	if (c->cancelled) {
		c->opts.events->on_cancelled(c->opts.arg);
		destroy(c);
		return;
	}
	if (p != NULL && p->proxy_fqdn[0] != '\0') {
		c->configured = true;
		use_single_target(c, p->proxy_fqdn);
		return;
	}
	if (strchr(c->remote, '.') == NULL ||
	    parse_literal(&literal, c->remote)) {
		use_single_target(c, c->remote);
		return;
	}
	rc = ask_for_services(c);
	if (rc < 0) {
		no_resolver(c, rc);
		fail(c);
	}
}

static void
close_all(struct connector *c, enum stream_error e, const char *why)
{
	for (size_t i = 0; i < LIVE_MAX; i++)
		if (c->attempts[i].stream != NULL)
			s2s_out_close(c->attempts[i].stream, e, why);
}

/* The time for all targets together is over: the attempts in progress are the
 * last ones. */
static void
on_limit(struct clock_timer *t, void *arg)
{
	struct connector *c = arg;

	(void)t;
	drop_queries(c);
	clock_timer_stop(&c->delay);
	clock_timer_stop(&c->resolution);
	if (c->live > 0) {
		close_all(c, STREAM_ERR_CONNECTION_TIMEOUT,
		    "stream not established in time");
		return;
	}
	if (c->started == 0)
		route_failure_of_dns(&c->failure, DNS_FAILED, c->remote);
	fail(c);
}

/* As much as is granted now, from the beginning on. */
static void
limit_establishment(struct connector *c)
{
	uint64_t ms = hosting_settings(c->opts.hosting, c->local)
			  ->stream_establishment_ms;
	uint64_t spent = clock_now_ms(c->opts.clock) - c->begun_ms;

	clock_timer_start(&c->limit, ms > spent ? ms - spent : 0);
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
	target_tlsa_init(&c->tlsa, &(struct target_tlsa_opts){
				       .resolver = opts->resolver,
				       .log = &c->log,
				       .enabled = opts->dane && may_use_tls(c),
				       .on_known = on_tlsa_known,
				       .arg = c,
				   });
	clock_timer_init(&c->step, opts->clock, on_step, c);
	clock_timer_init(&c->limit, opts->clock, on_limit, c);
	clock_timer_init(&c->service, opts->clock, on_service_late, c);
	clock_timer_init(&c->delay, opts->clock, on_due, c);
	clock_timer_init(&c->resolution, opts->clock, on_due, c);
	c->auth = c->tls = c->cipher = "";
	/* IPv6 first, unless IPv4 is the only family we were given an address
	 * for. */
	c->candidates.prefer4 = opts->outgoing4->ss_family == AF_INET &&
				opts->outgoing6->ss_family != AF_INET6;
	c->begun_ms = clock_now_ms(opts->clock);
	clock_timer_start(&c->step, 0);
	limit_establishment(c);
	*out = c;
	return 0;
}

void
connector_recheck(struct connector *c)
{
	if (clock_timer_running(&c->limit))
		limit_establishment(c);
}

void
connector_cancel(struct connector *c)
{
	if (c->cancelled)
		return;
	c->cancelled = true;
	clock_timer_stop(&c->limit);
	drop_queries(c);
	clock_timer_stop(&c->delay);
	clock_timer_stop(&c->resolution);
	if (c->live > 0)
		close_all(c, STREAM_ERR_NONE, "not wanted");
	else
		clock_timer_start(&c->step, 0);
}

bool
connector_tries(const struct connector *c, const struct sockaddr_storage *addr)
{
	for (size_t i = 0; i < LIVE_MAX; i++) {
		const struct attempt *a = &c->attempts[i];

		if (a->stream != NULL && !a->dropped && !c->cancelled &&
		    candidates_same_address(&a->candidate->addr, addr))
			return true;
	}
	return false;
}
