/*
 * One walk over the plan yields the records, in the order of their zones; each
 * format is a function that writes one of them.
 */
#include "deploy/dns_plan.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/jid.h"
#include "deploy/powershell.h"

enum record_type { RECORD_SRV, RECORD_A, RECORD_AAAA, RECORD_TLSA };

static const char *const type_names[] = { "SRV", "A", "AAAA", "TLSA" };

struct record {
	enum record_type type;
	char name[300]; /* without the dot at the end */
	const char *zone;
	uint32_t priority, weight, port; /* SRV */
	const char *value;               /* target, address or hash */
};

/* --- edges and certificates ---------------------------------------------- */

static bool
add_address(
    struct dns_plan_edge *e, const char *s, size_t len, char *why, size_t size)
{
	char text[64], *out;
	struct in6_addr six;
	struct in_addr four;

	snprintf(text, sizeof(text), "%.*s", (int)len, s);
	if (e->count == DNS_PLAN_ADDRESSES_MAX) {
		snprintf(why, size, "%s: more than %d addresses", e->name,
		    DNS_PLAN_ADDRESSES_MAX);
		return false;
	}
	out = e->addresses[e->count];
	if (len < sizeof(text) && inet_pton(AF_INET, text, &four) == 1) {
		(void)inet_ntop(AF_INET, &four, out, 48);
	} else if (len < sizeof(text) && inet_pton(AF_INET6, text, &six) == 1) {
		(void)inet_ntop(AF_INET6, &six, out, 48);
	} else {
		snprintf(why, size, "%s: \"%.*s\" is not an IP address",
		    e->name, (int)len, s);
		return false;
	}
	e->count++;
	return true;
}

/* ":20" or ":20:5"; the numbers stay as they were where nothing is said. */
static bool
read_numbers(struct dns_plan_edge *e, const char *s, const char *end)
{
	uint32_t *const into[] = { &e->priority, &e->weight };

	for (size_t i = 0; s < end; i++) {
		unsigned long n;
		char *rest;

		if (*s != ':' || i == 2 || s[1] < '0' || s[1] > '9')
			return false;
		n = strtoul(s + 1, &rest, 10);
		if (rest > end || n > 65535)
			return false;
		*into[i] = (uint32_t)n;
		s = rest;
	}
	return true;
}

bool
dns_plan_add_edge(struct dns_plan *p, const char *spec, char *why, size_t size)
{
	struct dns_plan_edge e = { .priority = 10, .weight = 10 };
	const char *equals = strchr(spec, '=');
	size_t len = strcspn(spec, ":=");

	if (equals == NULL || equals[1] == '\0') {
		snprintf(
		    why, size, "\"%s\" is not NAME[:PRIORITY]=ADDRESS", spec);
		return false;
	}
	if (jid_domain_ascii(e.name, sizeof(e.name), spec, len) < 0 ||
	    e.name[0] == '[' || strchr(e.name, '.') == NULL) {
		snprintf(why, size, "\"%.*s\" is not a full host name",
		    (int)len, spec);
		return false;
	}
	if (!read_numbers(&e, spec + len, equals)) {
		snprintf(why, size,
		    "%s: priority and weight are numbers from 0 to 65535",
		    e.name);
		return false;
	}
	for (const char *s = equals + 1;;) {
		len = strcspn(s, ",");
		if (!add_address(&e, s, len, why, size))
			return false;
		if (s[len] == '\0')
			break;
		s += len + 1;
	}
	for (size_t i = 0; i < p->edge_count; i++)
		if (strcmp(p->edges[i].name, e.name) == 0) {
			snprintf(why, size, "%s is there twice", e.name);
			return false;
		}
	if (p->edge_count == DNS_PLAN_EDGES_MAX) {
		snprintf(why, size, "more than %d edges", DNS_PLAN_EDGES_MAX);
		return false;
	}
	p->edges[p->edge_count++] = e;
	return true;
}

/* SHA-256 over the certificate's SubjectPublicKeyInfo (RFC 6698 2.1.2). */
static bool
hash_key(char out[DNS_PLAN_HASH_SIZE], X509 *cert)
{
	unsigned char digest[EVP_MAX_MD_SIZE], *der = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
	unsigned n = 0;
	bool ok;

	ok = len > 0 &&
	     EVP_Digest(der, (size_t)len, digest, &n, EVP_sha256(), NULL) == 1;
	OPENSSL_free(der);
	for (unsigned i = 0; ok && i < n; i++)
		snprintf(out + (size_t)2 * i, 3, "%02x", digest[i]);
	return ok;
}

bool
dns_plan_add_certificate(
    struct dns_plan *p, const char *path, char *why, size_t size)
{
	FILE *f = fopen(path, "re");
	X509 *cert = NULL;
	bool ok = false;

	if (f == NULL) {
		snprintf(why, size, "%s: cannot be read", path);
		return false;
	}
	if (p->tlsa_count == DNS_PLAN_TLSA_MAX)
		snprintf(
		    why, size, "more than %d certificates", DNS_PLAN_TLSA_MAX);
	else if ((cert = PEM_read_X509(f, NULL, NULL, NULL)) == NULL ||
		 !hash_key(p->tlsa[p->tlsa_count], cert))
		snprintf(why, size, "%s: no certificate in PEM form", path);
	else
		ok = true;
	for (size_t i = 0; ok && i < p->tlsa_count; i++)
		if (strcmp(p->tlsa[i], p->tlsa[p->tlsa_count]) == 0)
			goto done; /* the same key again */
	p->tlsa_count += ok ? 1 : 0;
done:
	ERR_clear_error();
	X509_free(cert);
	fclose(f);
	return ok;
}

/* --- zones ---------------------------------------------------------------- */

static bool
holds(const char *zone, const char *name)
{
	size_t z = strlen(zone), n = strlen(name);

	if (n == z)
		return strcmp(zone, name) == 0;
	return n > z && name[n - z - 1] == '.' &&
	       strcmp(name + n - z, zone) == 0;
}

static const char *
longest(const struct args_names *names, const char *name)
{
	const char *best = NULL;

	for (size_t i = 0; i < names->count; i++)
		if (holds(names->v[i], name) &&
		    (best == NULL || strlen(names->v[i]) > strlen(best)))
			best = names->v[i];
	return best;
}

const char *
dns_plan_zone_of(const struct dns_plan *p, const char *name)
{
	const char *zone = longest(&p->zones, name);

	if (zone == NULL)
		zone = longest(&p->domains, name);
	return zone != NULL ? zone : strchr(name, '.') + 1;
}

/* --- the walk ------------------------------------------------------------- */

typedef int record_fn(const struct record *r, void *arg);

static int
walk_services(const struct dns_plan *p, const char *domain, const char *service,
    uint32_t port, record_fn *fn, void *arg)
{
	int rc = 0;

	for (size_t i = 0; i < p->edge_count && rc == 0; i++) {
		const struct dns_plan_edge *e = &p->edges[i];
		struct record r = { .type = RECORD_SRV,
			.value = e->name,
			.priority = e->priority,
			.weight = e->weight,
			.port = port,
			.zone = dns_plan_zone_of(p, domain) };

		snprintf(r.name, sizeof(r.name), "%s._tcp.%s", service, domain);
		rc = fn(&r, arg);
	}
	return rc;
}

static int
walk_tlsa(const struct dns_plan *p, const struct dns_plan_edge *e,
    uint32_t port, record_fn *fn, void *arg)
{
	int rc = 0;

	for (size_t i = 0; i < p->tlsa_count && rc == 0; i++) {
		struct record r = { .type = RECORD_TLSA,
			.value = p->tlsa[i],
			.zone = dns_plan_zone_of(p, e->name) };

		snprintf(r.name, sizeof(r.name), "_%u._tcp.%s", (unsigned)port,
		    e->name);
		rc = fn(&r, arg);
	}
	return rc;
}

static int
walk_edge(const struct dns_plan *p, const struct dns_plan_edge *e,
    record_fn *fn, void *arg)
{
	int rc = 0;

	for (size_t i = 0; i < e->count && rc == 0; i++) {
		const char *address = e->addresses[i];
		struct record r = { .value = address,
			.type = strchr(address, ':') != NULL ? RECORD_AAAA
							     : RECORD_A,
			.zone = dns_plan_zone_of(p, e->name) };

		snprintf(r.name, sizeof(r.name), "%s", e->name);
		rc = fn(&r, arg);
	}
	if (rc == 0)
		rc = walk_tlsa(p, e, p->port, fn, arg);
	if (rc == 0 && p->direct_port != 0 && p->direct_port != p->port)
		rc = walk_tlsa(p, e, p->direct_port, fn, arg);
	return rc;
}

static int
walk(const struct dns_plan *p, record_fn *fn, void *arg)
{
	int rc = 0;

	for (size_t i = 0; i < p->domains.count && rc == 0; i++) {
		const char *domain = p->domains.v[i];

		rc = walk_services(p, domain, "_xmpp-server", p->port, fn, arg);
		if (rc == 0 && p->direct_port != 0)
			rc = walk_services(p, domain, "_xmpps-server",
			    p->direct_port, fn, arg);
	}
	for (size_t i = 0; i < p->edge_count && rc == 0; i++)
		rc = walk_edge(p, &p->edges[i], fn, arg);
	return rc;
}

/* --- formats -------------------------------------------------------------- */

struct writer {
	struct buf *out;
	const struct dns_plan *plan;
	const char *zone; /* of the record before */
	json_t *list;
};

static bool
new_zone(struct writer *w, const struct record *r)
{
	bool is_new = w->zone == NULL || strcmp(w->zone, r->zone) != 0;

	w->zone = r->zone;
	return is_new;
}

static int
write_zone_line(const struct record *r, void *arg)
{
	struct writer *w = arg;

	if (new_zone(w, r))
		buf_addf(w->out, "\n; in the zone %s\n", r->zone);
	buf_addf(w->out, "%s. %u IN %s ", r->name, (unsigned)w->plan->ttl,
	    type_names[r->type]);
	switch (r->type) {
	case RECORD_SRV:
		buf_addf(w->out, "%u %u %u %s.\n", (unsigned)r->priority,
		    (unsigned)r->weight, (unsigned)r->port, r->value);
		break;
	case RECORD_TLSA:
		buf_addf(w->out, "3 1 1 %s\n", r->value);
		break;
	case RECORD_A:
	case RECORD_AAAA:
		buf_addf(w->out, "%s\n", r->value);
		break;
	}
	return 0;
}

void
dns_plan_zone_file(struct buf *out, const struct dns_plan *p)
{
	struct writer w = { .out = out, .plan = p };

	buf_add_str(out, "; Records for XMPP federation, for the external DNS. "
			 " Names are absolute.\n");
	(void)walk(p, write_zone_line, &w);
}

/* The record's name below its zone. */
static void
relative(char *out, size_t size, const struct record *r)
{
	size_t n = strlen(r->name), z = strlen(r->zone);

	if (n > z)
		snprintf(out, size, "%.*s", (int)(n - z - 1), r->name);
	else
		snprintf(out, size, "@");
}

static int
add_parameter(struct buf *out, const char *name, const char *value)
{
	buf_addf(out, " -%s ", name);
	return powershell_quote(out, value);
}

static int
write_powershell(const struct record *r, void *arg)
{
	struct writer *w = arg;
	char name[300], target[260];
	int rc;

	if (new_zone(w, r))
		buf_addf(w->out, "\n# in the zone %s\n", r->zone);
	relative(name, sizeof(name), r);
	buf_addf(w->out, "Add-DnsServerResourceRecord -%s",
	    r->type == RECORD_SRV    ? "Srv"
	    : r->type == RECORD_TLSA ? "TLSA"
				     : type_names[r->type]);
	rc = add_parameter(w->out, "ZoneName", r->zone);
	if (rc == 0)
		rc = add_parameter(w->out, "Name", name);
	if (rc < 0)
		return rc;
	switch (r->type) {
	case RECORD_SRV:
		snprintf(target, sizeof(target), "%s.", r->value);
		rc = add_parameter(w->out, "DomainName", target);
		buf_addf(w->out, " -Priority %u -Weight %u -Port %u",
		    (unsigned)r->priority, (unsigned)r->weight,
		    (unsigned)r->port);
		break;
	case RECORD_TLSA:
		buf_add_str(w->out,
		    " -CertificateUsage DomainIssuedCertificate "
		    "-Selector SubjectPublicKeyInfo -MatchingType Sha256Hash");
		rc = add_parameter(
		    w->out, "CertificateAssociationData", r->value);
		break;
	case RECORD_A:
		rc = add_parameter(w->out, "IPv4Address", r->value);
		break;
	case RECORD_AAAA:
		rc = add_parameter(w->out, "IPv6Address", r->value);
		break;
	}
	buf_add_str(w->out, " -TimeToLive $ttl\n");
	return rc;
}

int
dns_plan_powershell(struct buf *out, const struct dns_plan *p)
{
	struct writer w = { .out = out, .plan = p };
	int rc;

	buf_add_str(out,
	    "# Records for XMPP federation, for the DNS server that answers "
	    "the internet.\n"
	    "# Run where the module DnsServer is; TLSA needs Windows Server "
	    "2016.\n"
	    "# NOT TRIED ON A SERVER: read it before you run it.\n"
	    "\n"
	    "$ErrorActionPreference = 'Stop'\n");
	buf_addf(out, "$ttl = [TimeSpan]::FromSeconds(%u)\n", (unsigned)p->ttl);
	rc = walk(p, write_powershell, &w);
	if (rc == 0 && buf_failed(out))
		rc = ERR_FULL;
	return rc;
}

static int
write_json(const struct record *r, void *arg)
{
	struct writer *w = arg;
	json_t *o = json_pack("{s:s,s:s,s:s,s:i}", "zone", r->zone, "name",
	    r->name, "type", type_names[r->type], "ttl", (int)w->plan->ttl);
	json_t *more = NULL;

	switch (r->type) {
	case RECORD_SRV:
		more = json_pack("{s:i,s:i,s:i,s:s}", "priority",
		    (int)r->priority, "weight", (int)r->weight, "port",
		    (int)r->port, "target", r->value);
		break;
	case RECORD_TLSA:
		more = json_pack("{s:i,s:i,s:i,s:s}", "usage", 3, "selector", 1,
		    "matching_type", 1, "data", r->value);
		break;
	case RECORD_A:
	case RECORD_AAAA:
		more = json_pack("{s:s}", "address", r->value);
		break;
	}
	if (more == NULL || json_object_update(o, more) < 0 ||
	    json_array_append(w->list, o) < 0) {
		json_decref(more);
		json_decref(o);
		return ERR_NOMEM;
	}
	json_decref(more);
	json_decref(o);
	return 0;
}

json_t *
dns_plan_json(const struct dns_plan *p)
{
	struct writer w = { .plan = p, .list = json_array() };

	if (walk(p, write_json, &w) < 0) {
		json_decref(w.list);
		return NULL;
	}
	return json_pack("{s:o}", "records", w.list);
}

/* --- what is unwise -------------------------------------------------------- */

bool
dns_plan_is_private(const char *address)
{
	struct in6_addr six;
	struct in_addr four;
	uint32_t a;

	if (inet_pton(AF_INET6, address, &six) == 1)
		return (six.s6_addr[0] & 0xFE) == 0xFC ||
		       IN6_IS_ADDR_LINKLOCAL(&six) ||
		       IN6_IS_ADDR_LOOPBACK(&six) ||
		       IN6_IS_ADDR_UNSPECIFIED(&six);
	if (inet_pton(AF_INET, address, &four) != 1)
		return false;
	a = ntohl(four.s_addr);
	return a >> 24 == 10 || a >> 24 == 127 || a >> 24 == 0 ||
	       a >> 20 == 0xAC1 || a >> 16 == 0xC0A8 || a >> 16 == 0xA9FE ||
	       a >> 22 == 0x191; /* 100.64.0.0/10 */
}

void
dns_plan_warn(const struct dns_plan *p, void (*fn)(const char *line, void *arg),
    void *arg)
{
	char line[400];

	for (size_t i = 0; i < p->edge_count; i++)
		for (size_t k = 0; k < p->edges[i].count; k++) {
			const char *address = p->edges[i].addresses[k];

			if (!dns_plan_is_private(address))
				continue;
			snprintf(line, sizeof(line),
			    "%s: %s cannot be reached from the internet; "
			    "behind NAT publish the public address",
			    p->edges[i].name, address);
			fn(line, arg);
		}
	if (p->tlsa_count > 0)
		fn("TLSA records count only in a zone that is signed; publish "
		   "the next certificate's record before it comes into use",
		    arg);
	if (p->direct_port != 0)
		fn("partners that know direct TLS use it only when an edge "
		   "listens for it on that port",
		    arg);
}
