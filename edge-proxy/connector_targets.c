/*
 * From a domain to addresses: SRV records of both services side by side, then
 * one target after the other, as the race asks for it.  Between the addresses
 * of a target that is signed and the attempts come its TLSA records
 * (target_tlsa.h).  Without SRV records the domain itself is the one target.
 */
#include "edge-proxy/connector_impl.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>

#include "common/err.h"
#include "common/log_limit.h"
#include "common/ports.h"
#include "common/random.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/reach.h"
#include "edge-proxy/srv_order.h"

enum {
	DNS_MS = 10000,
	SERVICE_DELAY_MS = 2000, /* the other service may answer yet */
	RESOLUTION_DELAY_MS = 50 /* RFC 8305 3 */
};

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
	connector_launch(c);
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
	connector_launch(c);
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

bool
connector_resolve_next(struct connector *c)
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
	connector_launch(c);
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
		connector_launch(c);
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
	connector_fail(c);
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
	connector_drop_queries(c);
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

/* --- beginning and end ---------------------------------------------------- */

void
connector_targets_begin(struct connector *c)
{
	const struct partner *p =
	    hosting_partner(c->opts.hosting, c->local, c->remote);
	struct sockaddr_storage literal;
	int rc;

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
		connector_fail(c);
	}
}

void
connector_drop_queries(struct connector *c)
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

void
connector_targets_init(struct connector *c)
{
	target_tlsa_init(
	    &c->tlsa, &(struct target_tlsa_opts){
			  .resolver = c->opts.resolver,
			  .log = &c->log,
			  .enabled = c->opts.dane && may_use_tls(c),
			  .on_known = on_tlsa_known,
			  .arg = c,
		      });
	clock_timer_init(&c->service, c->opts.clock, on_service_late, c);
}
