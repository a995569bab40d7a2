/*
 * sallyport doctor: ports, DNS, the other half, the pool.  With a daemon that
 * answers, its word counts; without, this host tries by itself.
 */
#include "deploy/doctor.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/conf.h"
#include "deploy/ask.h"
#include "deploy/cert_file.h"
#include "deploy/dial.h"
#include "deploy/dns_check.h"
#include "deploy/text.h"

enum { DIAL_MS = 3000, LIST_MAX = 16, PARTNERS_MAX = 10 };

/* --- ports ---------------------------------------------------------------- */

static void
tell_free(struct doctor *d, const char *address, bool partners)
{
	const json_t *doors = json_object_get(d->status, "doors");

	if (d->status == NULL) {
		report_add(&d->r, REPORT_SKIPPED, "ports",
		    "%s: free; the daemon does not run", address);
	} else if (partners && doors != NULL &&
		   !json_is_true(json_object_get(doors, "open"))) {
		report_add(&d->r, REPORT_FAILURE, "ports",
		    "%s: closed to partners: %s", address,
		    text_of(doors, "why"));
		report_next(&d->r, "it opens when a gateway is attached");
	} else {
		report_add(&d->r, REPORT_FAILURE, "ports", "%s: nobody listens",
		    address);
		report_next(&d->r, "look into the log: journalctl -u %s",
		    d->edge ? "sallyport-edge" : "sallyport-gateway");
	}
}

static void
look_at_port(struct doctor *d, const char *address, bool partners)
{
	struct sockaddr_storage at;
	char why[200] = "";

	if (conf_parse_address(&at, address, 0, why, sizeof(why)) < 0)
		return; /* told by the configuration's own check */
	switch (dial_local(&at, why, sizeof(why))) {
	case DIAL_LISTENING:
		if (d->status != NULL) {
			report_add(
			    &d->r, REPORT_OK, "ports", "%s: open", address);
			break;
		}
		report_add(&d->r, REPORT_WARNING, "ports",
		    "%s: somebody listens, and no daemon of ours answers",
		    address);
		report_next(&d->r, "ss -ltnp shows who it is");
		break;
	case DIAL_FREE:
		tell_free(d, address, partners);
		break;
	case DIAL_NO_ADDRESS:
		report_add(&d->r, REPORT_FAILURE, "ports",
		    "%s is no address of this host", address);
		report_next(&d->r,
		    "correct \"listen\"; behind NAT it is the private address "
		    "(ip address shows them)");
		break;
	case DIAL_UNKNOWN:
		report_add(
		    &d->r, REPORT_SKIPPED, "ports", "%s: %s", address, why);
		break;
	}
}

static void
look_at_ports(struct doctor *d, const char *member, bool partners)
{
	const json_t *list = doctor_conf(d, member);

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *s = json_string_value(json_array_get(list, i));

		if (s != NULL)
			look_at_port(d, s, partners);
	}
}

/* --- DNS ---------------------------------------------------------------------- */

static size_t
texts_of(const char *out[LIST_MAX], const json_t *list)
{
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(list) && n < LIST_MAX; i++)
		if (json_is_string(json_array_get(list, i)))
			out[n++] = json_string_value(json_array_get(list, i));
	return n;
}

/* The resolver as configured, or NULL after telling. */
static struct ask *
open_resolver(struct doctor *d, size_t *anchors)
{
	const char *servers[LIST_MAX], *keys[LIST_MAX];
	const struct ask_opts o = { .servers = servers,
		.server_count =
		    texts_of(servers, doctor_conf(d, "resolver/servers")),
		.anchors = keys,
		.anchor_count =
		    texts_of(keys, doctor_conf(d, "resolver/trust_anchors")) };
	struct ask *ask;
	char why[300];

	*anchors = o.anchor_count;
	if (ask_new(&ask, &o, why, sizeof(why)) == 0)
		return ask;
	report_add(&d->r, REPORT_FAILURE, "dns", "%s", why);
	return NULL;
}

/* What partners of the domain are shown: the certificate that names it, else
 * the first one.  False without any. */
static bool
find_shown(struct cert_file *shown, const struct doctor *d, const char *domain)
{
	const json_t *list = doctor_conf(d, "external/certificates");
	bool found = false, named = false;
	char why[400];

	for (size_t i = 0; i < json_array_size(list) && !named; i++) {
		const char *path = json_string_value(
		    json_object_get(json_array_get(list, i), "certificate"));
		struct cert_file file;

		/* That it cannot be read was told with the certificates. */
		if (path == NULL ||
		    !cert_file_read(&file, path, why, sizeof(why)))
			continue;
		named = cert_file_names(file.v[0], domain);
		if (found && !named) {
			cert_file_finish(&file);
			continue;
		}
		if (found)
			cert_file_finish(shown);
		*shown = file;
		found = true;
	}
	return found;
}

static void
look_at_domain(
    struct doctor *d, struct ask *ask, bool validating, const char *domain)
{
	static const struct args_names any;
	struct cert_file shown;
	bool has_shown = find_shown(&shown, d, domain);
	const struct dns_check c = { .ask = ask,
		.validating = validating,
		.edges = &any,
		.certificate = has_shown ? &shown : NULL,
		.owner = doctor_conf_text(d, "node") };
	struct report own;

	report_init(&own);
	json_decref(dns_check_run(&own, &c, domain));
	report_merge(&d->r, &own, "dns", domain, "");
	if (own.count[REPORT_FAILURE] + own.count[REPORT_WARNING] == 0)
		report_add(
		    &d->r, REPORT_OK, "dns", "%s: partners find it", domain);
	report_finish(&own);
	if (has_shown)
		cert_file_finish(&shown);
}

static void
look_at_edge_dns(struct doctor *d)
{
	size_t anchors = 0;
	struct ask *ask = open_resolver(d, &anchors);
	const char *node = doctor_conf_text(d, "node");
	struct ask_answer a;

	if (ask == NULL)
		return;
	if (anchors == 0)
		report_add(&d->r, REPORT_NOTE, "dns",
		    "no trust anchors configured: DNSSEC is not validated, "
		    "and partners' TLSA records are of no use");
	if (d->domains.count == 0 && node != NULL) {
		ask_query(&a, ask, node, ASK_A);
		report_add(&d->r,
		    a.status == ASK_FAILED ? REPORT_FAILURE : REPORT_OK, "dns",
		    "%s",
		    a.status == ASK_FAILED ? a.why : "a name server answers");
		if (a.status == ASK_FAILED)
			report_next(&d->r,
			    "see that UDP and TCP 53 are open to the servers "
			    "under \"resolver\"");
	}
	for (size_t i = 0; i < d->domains.count; i++)
		look_at_domain(d, ask, anchors > 0, d->domains.v[i]);
	ask_free(ask);
}

/* The pool finds the gateway by its name. */
static void
look_at_gateway_dns(struct doctor *d)
{
	const char *fqdn = doctor_conf_text(d, "sip/fqdn");
	const struct ask_opts o = { 0 };
	struct ask_answer a, six;
	struct ask *ask;
	char why[300];

	if (fqdn == NULL)
		return;
	if (ask_new(&ask, &o, why, sizeof(why)) < 0) {
		report_add(&d->r, REPORT_SKIPPED, "dns", "%s", why);
		return;
	}
	ask_query(&a, ask, fqdn, ASK_A);
	ask_query(&six, ask, fqdn, ASK_AAAA);
	ask_free(ask);
	if (a.status == ASK_FOUND || six.status == ASK_FOUND) {
		report_add(&d->r, REPORT_OK, "dns", "%s is %s", fqdn,
		    a.count > 0 ? a.v[0].text : six.v[0].text);
		return;
	}
	report_add(
	    &d->r, REPORT_WARNING, "dns", "%s has no address here", fqdn);
	report_next(&d->r,
	    "the Front End Servers must resolve it: publish an A record in "
	    "the internal DNS");
}

/* --- the other half and the pool ------------------------------------------- */

/* Whether it answers TCP at all, when nobody else can tell. */
static void
try_host(struct doctor *d, const char *check, const json_t *host)
{
	const char *address =
	    json_string_value(json_object_get(host, "address"));
	struct sockaddr_storage to;
	char why[200];
	int fd;

	if (address == NULL ||
	    conf_parse_address(&to, address, 0, why, sizeof(why)) < 0)
		return;
	fd = dial_tcp(&to, DIAL_MS, why, sizeof(why));
	if (fd >= 0) {
		close(fd);
		report_add(&d->r, REPORT_OK, check, "%s at %s answers",
		    text_of(host, "name"), address);
		return;
	}
	report_add(&d->r, REPORT_FAILURE, check, "%s at %s: %s",
	    text_of(host, "name"), address, why);
	report_next(&d->r,
	    "does it run, and does every firewall on the way let TCP through "
	    "from this host?");
}

static void
try_hosts(struct doctor *d, const char *check, const char *member)
{
	const json_t *list = doctor_conf(d, member);

	for (size_t i = 0; i < json_array_size(list); i++)
		try_host(d, check, json_array_get(list, i));
}

static void
tell_peer(struct doctor *d, const json_t *peer, const char *name)
{
	const char *why = text_of(peer, "why");

	if (json_is_true(json_object_get(peer, "up"))) {
		report_add(&d->r, REPORT_OK, "channel", "%s: up", name);
	} else {
		report_add(&d->r, REPORT_FAILURE, "channel", "%s: %s", name,
		    why[0] != '\0' ? why : "not connected");
		report_next(&d->r, "%s",
		    d->edge ? "the gateway connects from its side: run "
			      "sallyport doctor there"
			    : "run sallyport doctor on the edge, and see that "
			      "the firewall lets this host through to it");
	}
	if (json_array_size(json_object_get(peer, "fenced")) > 0) {
		report_add(&d->r, REPORT_FAILURE, "channel",
		    "%s: fenced for %s: another gateway with a higher epoch "
		    "is obeyed",
		    name, text_list(peer, "fenced"));
		report_next(&d->r,
		    "two gateways serve one domain: stop the one that should "
		    "not");
	}
}

static void
look_at_channel(struct doctor *d)
{
	const json_t *peers =
	    json_object_get(d->status, d->edge ? "gateways" : "edges");

	if (d->status == NULL && d->edge) {
		report_add(&d->r, REPORT_SKIPPED, "channel",
		    "the daemon does not tell");
		return;
	}
	if (d->status == NULL) {
		try_hosts(d, "channel", "edges");
		return;
	}
	for (size_t i = 0; i < json_array_size(peers); i++) {
		const json_t *peer = json_array_get(peers, i);

		tell_peer(d, peer, text_of(peer, d->edge ? "node" : "name"));
	}
}

static void
look_at_pool(struct doctor *d)
{
	const json_t *pool = json_object_get(d->status, "pool");

	if (pool == NULL) {
		try_hosts(d, "pool", "sip/pool/front_ends");
		return;
	}
	if (json_is_true(json_object_get(pool, "reachable"))) {
		report_add(&d->r, REPORT_OK, "pool", "%s: reachable",
		    text_of(pool, "name"));
		return;
	}
	report_add(&d->r, REPORT_FAILURE, "pool",
	    "%s: no front end can be reached", text_of(pool, "name"));
	report_next(&d->r,
	    "attach the gateway to the pool (sallyport pool script); see that "
	    "each side trusts the other's authority");
	try_hosts(d, "pool", "sip/pool/front_ends");
}

/* --- partners ---------------------------------------------------------------- */

static void
look_at_partners(struct doctor *d)
{
	const json_t *list = json_object_get(d->status, "failures");
	size_t n = json_array_size(list);

	for (size_t i = 0; i < n && i < PARTNERS_MAX; i++) {
		const json_t *f = json_array_get(list, i);
		char ago[32];

		text_duration(ago, sizeof(ago), text_number(f, "ago_s"));
		report_add(&d->r, REPORT_WARNING, "partners", "%s, %s ago: %s",
		    text_of(f, "remote"), ago, text_of(f, "reason"));
		if (text_of(f, "remote")[0] != '\0')
			report_next(&d->r,
			    "on an edge: sallyport dns check %s --connect",
			    text_of(f, "remote"));
	}
	if (d->status != NULL && n == 0)
		report_add(&d->r, REPORT_OK, "partners", "no failures lately");
}

void
doctor_network(struct doctor *d)
{
	if (d->edge) {
		look_at_ports(d, "external/listen", true);
		look_at_ports(d, "external/direct_listen", true);
		look_at_ports(d, "internal/listen", false);
		look_at_edge_dns(d);
	} else {
		look_at_ports(d, "sip/listen", false);
		look_at_gateway_dns(d);
	}
	look_at_channel(d);
	if (!d->edge)
		look_at_pool(d);
	look_at_partners(d);
}
