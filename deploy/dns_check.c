/*
 * The way of a server that looks for a partner (RFC 6120 3.2, XEP-0368,
 * RFC 7673):
 *
 *   _xmpps-server and _xmpp-server SRV      bogus: it does not connect at all
 *   none of them                            the domain itself, port 5269
 *   each target in order: A and AAAA        bogus: the next target
 *   all of it secure: TLSA of the target    a match makes the certificate good
 *
 * A target that is not right is a failure even when the next one is: somebody
 * published it for a reason.
 */
#include "deploy/dns_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <openssl/evp.h>

#include "deploy/args.h"
#include "deploy/ask.h"
#include "deploy/cert_file.h"
#include "deploy/dns_plan.h"
#include "deploy/report.h"
#include "deploy/xmpp_probe.h"

enum { XMPP_PORT = 5269 };

struct look {
	struct report *r;
	const struct dns_check *c;
	const char *domain;
	json_t *targets;
	bool secure; /* every SRV answer so far */
	size_t services;
	size_t good; /* targets with an address */
};

/* --- TLSA --------------------------------------------------------------- */

/* The certificate's part that a record speaks of, hashed as it says. */
static bool
tlsa_matches(const struct ask_record *t, X509 *cert)
{
	unsigned char *der = NULL, digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	bool same;
	int len = t->selector == 0
		      ? i2d_X509(cert, &der)
		      : i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);

	if (len <= 0)
		return false;
	if (EVP_Digest(der, (size_t)len, digest, &n,
		t->matching == 1 ? EVP_sha256() : EVP_sha512(), NULL) != 1)
		n = 0;
	same = n > 0 && t->len == n && memcmp(t->data, digest, n) == 0;
	OPENSSL_free(der);
	return same;
}

/* What servers make use of: hashes of the server's own certificate or of an
 * authority's. */
static bool
tlsa_usable(const struct ask_record *t)
{
	return t->usage <= 3 && t->selector <= 1 &&
	       ((t->matching == 1 && t->len == 32) ||
		   (t->matching == 2 && t->len == 64));
}

/* Usages 1 and 3 are of the server's own certificate. */
static bool
is_of_leaf(const struct ask_record *t)
{
	return t->usage % 2 == 1;
}

/* Whether it is known what the record would have to be of. */
static bool
can_be_compared(const struct ask_record *t, const struct cert_file *shown)
{
	return shown->count > (is_of_leaf(t) ? 0 : 1);
}

/* An authority's record matches any of those that are shown along. */
static bool
matches_any(const struct ask_record *t, const struct cert_file *shown)
{
	if (is_of_leaf(t))
		return shown->count > 0 && tlsa_matches(t, shown->v[0]);
	for (size_t i = 1; i < shown->count; i++)
		if (tlsa_matches(t, shown->v[i]))
			return true;
	return false;
}

static void
tell_no_match(struct look *k, const char *name)
{
	report_add(k->r, REPORT_FAILURE, "tlsa",
	    "%s: no record matches the certificate; partners that use DANE "
	    "refuse it",
	    name);
	report_next(k->r,
	    "publish the record of this certificate (sallyport dns plan "
	    "--tlsa) or install the one that was announced");
}

static void
judge_tlsa(struct look *k, const char *name, const struct ask_answer *a,
    const struct cert_file *shown)
{
	size_t usable = 0, compared = 0;

	for (size_t i = 0; i < a->count; i++) {
		const struct ask_record *t = &a->v[i];

		if (!tlsa_usable(t)) {
			report_add(k->r, REPORT_WARNING, "tlsa",
			    "%s: a record %u %u %u of %zu bytes is not used",
			    name, t->usage, t->selector, t->matching, t->len);
			report_next(k->r, "publish 3 1 1 records");
			continue;
		}
		usable++;
		compared += can_be_compared(t, shown);
		if (matches_any(t, shown)) {
			report_add(k->r, REPORT_OK, "tlsa",
			    "%s: %u %u %u matches the certificate", name,
			    t->usage, t->selector, t->matching);
			return;
		}
	}
	if (usable > 0 && compared == usable)
		tell_no_match(k, name);
	else if (usable > 0)
		report_add(k->r, REPORT_NOTE, "tlsa",
		    "%s: %zu usable records; %s", name, usable,
		    shown->count == 0
			? "there is no certificate to hold against them "
			  "(--certificate, --connect)"
			: "those of an authority were not compared");
}

/* Records may only be looked for behind answers that are proven. */
static void
look_at_tlsa(struct look *k, const char *target, unsigned port, bool secure,
    const struct cert_file *shown)
{
	struct ask_answer a;
	char name[300];

	snprintf(name, sizeof(name), "_%u._tcp.%s", port, target);
	ask_query(&a, k->c->ask, name, ASK_TLSA);
	if (a.status == ASK_BOGUS) {
		report_add(k->r, REPORT_FAILURE, "tlsa",
		    "%s: bogus; partners that use DANE skip this server: %s",
		    name, a.why);
		report_next(k->r, "sign the zone again");
	} else if (a.status == ASK_FOUND && (!a.secure || !secure)) {
		report_add(k->r, REPORT_WARNING, "tlsa",
		    "%s: there are records, but the way to them is not "
		    "secured by DNSSEC: nobody uses them",
		    name);
	} else if (a.status == ASK_FOUND) {
		judge_tlsa(k, name, &a, shown);
	}
}

/* --- who answers -------------------------------------------------------- */

static void
judge_certificate(struct look *k, const char *where, const struct xmpp_probe *p)
{
	if (!cert_file_names(p->certificate, k->domain)) {
		report_add(k->r, REPORT_FAILURE, "certificate",
		    "%s: the certificate does not name %s", where, k->domain);
		report_next(k->r,
		    "it must name the domain itself, not only the host: "
		    "sallyport certs plan");
	} else if (p->verdict != X509_V_OK) {
		report_add(k->r, REPORT_FAILURE, "certificate",
		    "%s: the certificate is not trusted here: %s", where,
		    X509_verify_cert_error_string(p->verdict));
		report_next(k->r,
		    "sallyport certs check tells more; --trust names other "
		    "authorities");
	} else {
		report_add(k->r, REPORT_OK, "certificate",
		    "%s: names %s and is trusted", where, k->domain);
	}
}

static void
tell_unanswered(struct look *k, const char *where, const struct xmpp_probe *p)
{
	switch (p->step) {
	case XMPP_PROBE_UNREACHABLE:
		report_add(
		    k->r, REPORT_FAILURE, "connect", "%s: %s", where, p->why);
		report_next(k->r,
		    "is the server running, and does every firewall let TCP "
		    "through to it from here?");
		break;
	case XMPP_PROBE_NO_STREAM:
		report_add(
		    k->r, REPORT_FAILURE, "connect", "%s: %s", where, p->why);
		report_next(k->r,
		    "a server may refuse who is not its partner: --from names "
		    "the domain to connect as");
		break;
	case XMPP_PROBE_NO_TLS:
	case XMPP_PROBE_DONE:
		report_add(
		    k->r, REPORT_FAILURE, "tls", "%s: %s", where, p->why);
		break;
	}
}

/* The certificate met is the caller's; NULL when there was none. */
static X509 *
knock(struct look *k, const char *address, unsigned port, bool direct)
{
	const struct xmpp_probe_opts o = { .address = address,
		.port = (uint16_t)port,
		.domain = k->domain,
		.from = k->c->from,
		.direct_tls = direct,
		.trust = k->c->trust };
	struct xmpp_probe p;
	char where[80];
	X509 *cert;

	snprintf(where, sizeof(where),
	    strchr(address, ':') != NULL ? "[%s]:%u" : "%s:%u", address, port);
	xmpp_probe_run(&p, &o);
	if (p.step == XMPP_PROBE_DONE && p.certificate != NULL) {
		report_add(k->r, REPORT_OK, "connect", "%s: answers as %s, %s",
		    where, k->domain, p.tls);
		judge_certificate(k, where, &p);
	} else {
		tell_unanswered(k, where, &p);
	}
	cert = p.certificate;
	p.certificate = NULL;
	xmpp_probe_finish(&p);
	return cert;
}

/* --- targets ------------------------------------------------------------ */

struct target {
	const char *name;
	unsigned port;
	bool direct;
	bool secure; /* the answer that named it */
	json_t *addresses;
	X509 *certificate;
};

static void
judge_address(struct look *k, const struct target *t, const char *address)
{
	if (!dns_plan_is_private(address))
		return;
	report_add(k->r, REPORT_WARNING, "address",
	    "%s is %s, which the internet cannot reach", t->name, address);
	report_next(k->r,
	    "publish the public address; this answer may be meant for the "
	    "inside only (--server asks another name server)");
}

static void
take_addresses(struct look *k, struct target *t, const struct ask_answer *a)
{
	t->secure = t->secure && a->secure;
	for (size_t i = 0; i < a->count; i++) {
		(void)json_array_append_new(
		    t->addresses, report_text(a->v[i].text));
		judge_address(k, t, a->v[i].text);
		if (k->c->connect) {
			X509 *cert = knock(k, a->v[i].text, t->port, t->direct);

			if (t->certificate == NULL)
				t->certificate = cert;
			else
				X509_free(cert);
		}
	}
}

static void
look_at_addresses(struct look *k, struct target *t)
{
	static const int types[] = { ASK_AAAA, ASK_A };
	struct ask_answer a[2];
	bool bad = false;

	for (size_t i = 0; i < 2; i++) {
		ask_query(&a[i], k->c->ask, t->name, types[i]);
		if (a[i].status == ASK_BOGUS || a[i].status == ASK_FAILED) {
			bad = true;
			report_add(k->r, REPORT_FAILURE, "address",
			    "%s %s: %s: %s", t->name,
			    types[i] == ASK_A ? "A" : "AAAA",
			    a[i].status == ASK_BOGUS ? "bogus" : "failed",
			    a[i].why);
			report_next(
			    k->r, a[i].status == ASK_BOGUS
				      ? "sign the zone again; partners that "
					"validate skip this server"
				      : "look at the zone's name servers");
		}
	}
	if (a[0].canonical[0] != '\0' || a[1].canonical[0] != '\0') {
		report_add(k->r, REPORT_WARNING, "target",
		    "%s is an alias (CNAME) of %s; RFC 2782 forbids it and "
		    "some servers do not follow",
		    t->name,
		    a[1].canonical[0] != '\0' ? a[1].canonical
					      : a[0].canonical);
		report_next(k->r, "name the host itself as target");
	}
	if (bad)
		return;
	if (a[0].count + a[1].count == 0) {
		report_add(k->r, REPORT_FAILURE, "address", "%s has no address",
		    t->name);
		report_next(k->r, "publish an A or AAAA record for it");
		return;
	}
	k->good++;
	take_addresses(k, t, &a[0]);
	take_addresses(k, t, &a[1]);
}

/* The third of the checks that a dialback needs: what we publish is us. */
static void
judge_target_name(struct look *k, const char *name)
{
	if (k->c->edges->count == 0 || args_names_have(k->c->edges, name))
		return;
	report_add(k->r, REPORT_FAILURE, "target",
	    "%s is none of our edges; partners that call back for dialback "
	    "end there",
	    name);
	report_next(k->r, "correct the SRV record's target");
}

/* What a target's records are held against: the certificate given, if it is
 * that target's, else the one it showed. */
static struct cert_file
certificate_of(const struct look *k, const struct target *t)
{
	const struct dns_check *c = k->c;
	struct cert_file met = { .v = { t->certificate },
		.count = t->certificate != NULL };

	if (c->certificate == NULL ||
	    (c->owner != NULL && strcasecmp(c->owner, t->name) != 0))
		return met;
	return *c->certificate;
}

static void
look_at_target(
    struct look *k, const struct ask_record *srv, bool direct, bool secure)
{
	struct target t = { .name = srv->text,
		.port = srv->port,
		.direct = direct,
		.secure = secure,
		.addresses = json_array() };
	struct cert_file shown;
	json_t *o;

	judge_target_name(k, t.name);
	look_at_addresses(k, &t);
	shown = certificate_of(k, &t);
	look_at_tlsa(k, t.name, t.port, t.secure, &shown);
	o = json_pack("{s:s,s:i,s:i,s:i,s:b,s:b,s:o}", "target", t.name, "port",
	    (int)t.port, "priority", (int)srv->priority, "weight",
	    (int)srv->weight, "direct_tls", (int)direct, "secure",
	    (int)t.secure, "addresses", t.addresses);
	(void)json_array_append_new(k->targets, o);
	X509_free(t.certificate);
}

/* --- the service ---------------------------------------------------------- */

static bool
is_absent(const struct ask_answer *a)
{
	return a->count == 1 && strcmp(a->v[0].text, ".") == 0;
}

static void
tell_secure(struct look *k, const char *name, const struct ask_answer *a)
{
	if (!k->c->validating)
		report_add(k->r, REPORT_SKIPPED, "dnssec",
		    "%s: no trust anchor here, nothing was validated", name);
	else
		report_add(k->r, a->secure ? REPORT_OK : REPORT_NOTE, "dnssec",
		    "%s: %s", name,
		    a->secure ? "secure" : "insecure: the zone is not signed");
}

/* False when a partner would stop right here. */
static bool
judge_service(struct look *k, const char *name, const struct ask_answer *a)
{
	switch (a->status) {
	case ASK_BOGUS:
		report_add(k->r, REPORT_FAILURE, "dnssec", "%s: bogus: %s",
		    name, a->why);
		report_next(k->r,
		    "partners that validate do not connect at all: sign the "
		    "zone again, or see that the DS record at the parent is "
		    "that of the zone's key");
		return false;
	case ASK_FAILED:
		report_add(
		    k->r, REPORT_FAILURE, "service", "%s: %s", name, a->why);
		report_next(k->r,
		    "can this host reach the name servers (UDP and TCP 53)?");
		return false;
	case ASK_NONE:
	case ASK_FOUND:
		break;
	}
	return true;
}

static void
look_at_service(struct look *k, const char *service, bool direct, bool *stop)
{
	struct ask_answer a;
	char name[300];

	snprintf(name, sizeof(name), "%s._tcp.%s", service, k->domain);
	ask_query(&a, k->c->ask, name, ASK_SRV);
	if (!judge_service(k, name, &a)) {
		*stop = true;
		return;
	}
	if (a.status == ASK_NONE)
		return;
	k->services++;
	k->secure = k->secure && a.secure;
	tell_secure(k, name, &a);
	if (is_absent(&a)) {
		report_add(k->r, direct ? REPORT_NOTE : REPORT_FAILURE,
		    "service", "%s: the target \".\" says that there is no %s",
		    name, direct ? "direct TLS" : "XMPP here");
		return;
	}
	report_add(
	    k->r, REPORT_OK, "service", "%s: %zu records", name, a.count);
	for (size_t i = 0; i < a.count; i++) {
		report_add(k->r, REPORT_NOTE, "target",
		    "%u. %s port %u (priority %u, weight %u)%s",
		    (unsigned)i + 1, a.v[i].text, a.v[i].port, a.v[i].priority,
		    a.v[i].weight, direct ? ", direct TLS" : "");
		look_at_target(k, &a.v[i], direct, a.secure);
	}
}

static void
look_at_domain_itself(struct look *k)
{
	struct ask_record self = { .port = XMPP_PORT };

	report_add(k->r, REPORT_WARNING, "service",
	    "no SRV record: partners try the addresses of %s itself, port %d",
	    k->domain, XMPP_PORT);
	report_next(k->r, "publish what sallyport dns plan prints");
	snprintf(self.text, sizeof(self.text), "%s", k->domain);
	look_at_target(k, &self, false, false);
}

json_t *
dns_check_run(struct report *r, const struct dns_check *c, const char *domain)
{
	struct look k = { .r = r,
		.c = c,
		.domain = domain,
		.secure = true,
		.targets = json_array() };
	bool stop = false;

	look_at_service(&k, "_xmpps-server", true, &stop);
	if (!stop)
		look_at_service(&k, "_xmpp-server", false, &stop);
	if (!stop && k.services == 0)
		look_at_domain_itself(&k);
	if (k.good > 0 && !c->connect)
		report_add(r, REPORT_NOTE, "connect",
		    "nobody was called; --connect tries the servers, best from "
		    "outside");
	return json_pack("{s:s,s:s,s:o}", "domain", domain, "dnssec",
	    stop                         ? "failed"
	    : !c->validating             ? "not validated"
	    : k.services > 0 && k.secure ? "secure"
					 : "insecure",
	    "targets", k.targets);
}
