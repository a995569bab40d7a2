/* Probes are planned without a socket and then run in batches: every connect
 * of a batch is under way at once, so a batch takes one time limit. */
#include "deploy/firewall_verify.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/err.h"

enum { BATCH = 200 };

/* --- who we are ----------------------------------------------------------- */

static bool
is_host(const struct firewall_end *e)
{
	return prefix_is_host(&e->prefix) && e->role != PORT_INSIDE &&
	       e->role != PORT_PARTNERS && e->role != PORT_RESOLVERS &&
	       e->role != PORT_EDGE_VIP && e->role != PORT_LOAD_BALANCER;
}

bool
firewall_verify_knows(const struct firewall_site *site, const char *host)
{
	for (size_t i = 0; i < site->count; i++)
		if (is_host(&site->ends[i]) &&
		    strcmp(site->ends[i].name, host) == 0)
			return true;
	return strcmp(host, FIREWALL_OUTSIDE) == 0;
}

static bool
is_local(const struct ifaddrs *all, const struct prefix *p)
{
	for (; all != NULL; all = all->ifa_next) {
		const struct sockaddr *sa = all->ifa_addr;
		const void *bytes;

		if (sa == NULL || sa->sa_family != p->family)
			continue;
		bytes = p->family == AF_INET
			    ? (const void *)&(
				  (const struct sockaddr_in *)(const void *)sa)
				  ->sin_addr
			    : (const void *)&(
				  (const struct sockaddr_in6 *)(const void *)sa)
				  ->sin6_addr;
		if (memcmp(bytes, p->bytes, p->bits / 8) == 0)
			return true;
	}
	return false;
}

const char *
firewall_verify_whoami(const struct firewall_site *site, char *why, size_t size)
{
	const char *found = NULL;
	struct ifaddrs *all;

	if (getifaddrs(&all) < 0) {
		snprintf(
		    why, size, "this machine's addresses: %s", strerror(errno));
		return NULL;
	}
	for (size_t i = 0; i < site->count; i++) {
		const struct firewall_end *e = &site->ends[i];

		if (!is_host(e) || !is_local(all, &e->prefix))
			continue;
		if (found != NULL && strcmp(found, e->name) != 0) {
			snprintf(why, size,
			    "this machine is both %s and %s; say --from", found,
			    e->name);
			found = NULL;
			goto done;
		}
		found = e->name;
	}
	if (found == NULL)
		snprintf(why, size,
		    "no host of the site has an address of this machine; say "
		    "--from, or --from " FIREWALL_OUTSIDE);
done:
	freeifaddrs(all);
	return found;
}

/* --- what to try ---------------------------------------------------------- */

static struct firewall_probe *
add_probe(struct firewall_verify *v)
{
	if (v->count == FIREWALL_PROBES_MAX)
		return NULL;
	if (v->count == v->room) {
		size_t room = v->room > 0 ? v->room * 2 : 64;
		struct firewall_probe *grown =
		    realloc(v->probes, room * sizeof(*grown));

		if (grown == NULL)
			return NULL;
		v->probes = grown;
		v->room = room;
	}
	v->probes[v->count] = (struct firewall_probe){ 0 };
	return &v->probes[v->count++];
}

/* What the rules say about it goes into the probe.  0 or an error. */
static int
try_port(struct firewall_verify *v, const struct firewall_end *from,
    const struct firewall_end *to, enum port_transport transport, uint16_t port)
{
	const struct firewall_rule *r = firewall_rules_decide(v->plan,
	    from != NULL ? &from->prefix : NULL, &to->prefix, transport, port);
	struct firewall_probe *p;

	for (size_t i = 0; i < v->count; i++)
		if (v->probes[i].from == from && v->probes[i].to == to &&
		    v->probes[i].transport == transport &&
		    v->probes[i].port == port)
			return 0;
	/* Silence on UDP proves nothing about a refusal. */
	if (transport == PORT_UDP && (r == NULL || !r->allow))
		return 0;
	p = add_probe(v);
	if (p == NULL)
		return ERR_FULL;
	p->from = from;
	p->to = to;
	p->address = from == NULL && to->translated ? to->public : to->prefix;
	p->transport = transport;
	p->port = port;
	p->rule = r;
	p->wanted = r != NULL && r->allow;
	return 0;
}

static int
try_allowed(struct firewall_verify *v, const struct firewall_end *from,
    const struct firewall_rule *r)
{
	bool ours = r->from.count == 0 && from == NULL;

	for (size_t i = 0; i < r->from.count; i++)
		ours |= r->from.list[i] == from;
	if (!r->allow || !ours)
		return 0;
	for (size_t i = 0; i < r->to.count; i++) {
		if (!prefix_is_host(&r->to.list[i]->prefix))
			continue;
		if (try_port(v, from, r->to.list[i], r->transport, r->first) <
		    0)
			return ERR_FULL;
	}
	return 0;
}

/* Ports that would do harm, between two sides of a firewall. */
static int
try_refused(struct firewall_verify *v, const struct firewall_end *from,
    const struct firewall_end *to)
{
	const uint16_t *own = v->plan->site->ports;
	const uint16_t ports[] = { 22, 443, 5061, 5269, 23456,
		own[PORT_SET_XMPP], own[PORT_SET_CHANNEL],
		own[PORT_SET_GATEWAY], own[PORT_SET_POOL] };

	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
		if (try_port(v, from, to, PORT_TCP, ports[i]) < 0)
			return ERR_FULL;
	return 0;
}

static int
try_from(struct firewall_verify *v, const struct firewall_end *from)
{
	const struct firewall_site *s = v->plan->site;

	for (size_t i = 0; i < v->plan->count; i++)
		if (try_allowed(v, from, &v->plan->rules[i]) < 0)
			return ERR_FULL;
	for (size_t i = 0; i < s->count; i++) {
		const struct firewall_end *to = &s->ends[i];

		if (!is_host(to))
			continue;
		/* From outside an address that is not routed shows nothing. */
		if (from == NULL && !to->translated &&
		    prefix_is_private(&to->prefix))
			continue;
		if (from != NULL &&
		    (to->prefix.family != from->prefix.family ||
			firewall_site_is_perimeter(to->role) ==
			    firewall_site_is_perimeter(from->role)))
			continue;
		if (try_refused(v, from, to) < 0)
			return ERR_FULL;
	}
	return 0;
}

int
firewall_verify_make(struct firewall_verify **out,
    const struct firewall_plan *plan, const char *host)
{
	struct firewall_verify *v = calloc(1, sizeof(*v));
	const struct firewall_site *s = plan->site;
	int rc = 0;

	if (v == NULL)
		return ERR_NOMEM;
	v->plan = plan;
	if (strcmp(host, FIREWALL_OUTSIDE) == 0)
		rc = try_from(v, NULL);
	for (size_t i = 0; i < s->count && rc == 0; i++)
		if (is_host(&s->ends[i]) && strcmp(s->ends[i].name, host) == 0)
			rc = try_from(v, &s->ends[i]);
	if (rc < 0) {
		firewall_verify_free(v);
		return rc;
	}
	*out = v;
	return 0;
}

void
firewall_verify_free(struct firewall_verify *v)
{
	if (v == NULL)
		return;
	free(v->probes);
	free(v);
}

/* --- trying --------------------------------------------------------------- */

static enum firewall_outcome
outcome_of(int error)
{
	switch (error) {
	case 0:
		return FIREWALL_OPEN;
	case ECONNREFUSED:
	case ECONNRESET:
		return FIREWALL_CLOSED;
	case EADDRNOTAVAIL:
		return FIREWALL_NO_SOURCE;
	default:
		return FIREWALL_FILTERED;
	}
}

/* Something that the protocol's servers answer. */
static int
send_question(int fd, const struct firewall_probe *p)
{
	/* The name servers of the root (RFC 1035). */
	static const uint8_t dns[] = { 0x53, 0x50, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0,
		0, 0, 2, 0, 1 };
	/* A binding request (RFC 8489). */
	static const uint8_t stun[20] = { 0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42,
		's', 'a', 'l', 'l', 'y', 'p', 'o', 'r', 't', '-', 'f', 'w' };
	bool is_dns = p->rule != NULL && p->rule->row != NULL &&
		      strcmp(p->rule->row->protocol, "DNS") == 0;
	ssize_t n = is_dns ? send(fd, dns, sizeof(dns), MSG_NOSIGNAL)
			   : send(fd, stun, sizeof(stun), MSG_NOSIGNAL);

	return n < 0 ? -1 : 0;
}

/* A descriptor that waits, or -1 when the outcome is there already. */
static int
start_probe(struct firewall_probe *p)
{
	int type = p->transport == PORT_TCP ? SOCK_STREAM : SOCK_DGRAM;
	struct sockaddr_storage ss;
	socklen_t len;
	int fd =
	    socket(p->address.family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		goto over;
	if (p->from != NULL) {
		len = prefix_sockaddr(&ss, &p->from->prefix, 0);
		if (bind(fd, (struct sockaddr *)&ss, len) < 0)
			goto over;
	}
	len = prefix_sockaddr(&ss, &p->address, p->port);
	if (connect(fd, (struct sockaddr *)&ss, len) < 0 &&
	    errno != EINPROGRESS)
		goto over;
	if (type == SOCK_DGRAM && send_question(fd, p) < 0)
		goto over;
	return fd;

over:
	p->outcome = outcome_of(errno);
	if (fd >= 0)
		close(fd);
	return -1;
}

static void
finish_probe(struct firewall_probe *p, int fd)
{
	uint8_t byte;
	int error = 0;
	socklen_t len = sizeof(error);

	if (p->transport == PORT_UDP)
		error = recv(fd, &byte, sizeof(byte), 0) >= 0 ? 0 : errno;
	else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	p->outcome = outcome_of(error);
}

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
run_batch(struct firewall_probe *probes, size_t n, unsigned timeout_ms)
{
	struct pollfd fds[BATCH];
	int64_t end = now_ms() + timeout_ms;
	size_t waiting = 0;

	for (size_t i = 0; i < n; i++) {
		fds[i] = (struct pollfd){ .fd = start_probe(&probes[i]),
			.events = probes[i].transport == PORT_TCP ? POLLOUT
								  : POLLIN };
		waiting += fds[i].fd >= 0;
	}
	while (waiting > 0 && now_ms() < end) {
		int rc = poll(fds, n, (int)(end - now_ms()) + 1);

		for (size_t i = 0; rc > 0 && i < n; i++) {
			if (fds[i].fd < 0 || fds[i].revents == 0)
				continue;
			finish_probe(&probes[i], fds[i].fd);
			close(fds[i].fd);
			fds[i].fd = -1;
			waiting--;
		}
	}
	for (size_t i = 0; i < n; i++) {
		if (fds[i].fd < 0)
			continue;
		probes[i].outcome = probes[i].transport == PORT_TCP
					? FIREWALL_FILTERED
					: FIREWALL_UNANSWERED;
		close(fds[i].fd);
	}
}

void
firewall_verify_run(struct firewall_verify *v, unsigned timeout_ms)
{
	for (size_t at = 0; at < v->count; at += BATCH) {
		size_t left = v->count - at;

		run_batch(
		    &v->probes[at], left < BATCH ? left : BATCH, timeout_ms);
	}
}

/* --- judging -------------------------------------------------------------- */

bool
firewall_probe_ok(const struct firewall_probe *p, bool resets)
{
	switch (p->outcome) {
	case FIREWALL_OPEN:
		return p->wanted;
	case FIREWALL_CLOSED:
		return p->wanted || resets;
	case FIREWALL_FILTERED:
		return !p->wanted;
	case FIREWALL_UNANSWERED:
		return true;
	case FIREWALL_NO_SOURCE:
		break;
	}
	return false;
}

const char *
firewall_outcome_name(enum firewall_outcome o)
{
	static const char *const names[] = { "open", "closed", "filtered",
		"unanswered", "no source" };

	return names[o];
}
