/*
 * peer_identity - which domains a partner's certificate proves
 * (RFC 6120 13.7.2, RFC 9525, RFC 4985, RFC 7673 4).  Pure apart from what
 * looks at a connection.
 *
 * The one function that EXTERNAL on both sides, and every other method that
 * trusts a certificate, asks.  A name counts only when the chain is trusted
 * (which includes time, purpose and signatures) and an SRV-ID for
 * _xmpp-server, a DNS-ID or an XmppAddr names the very domain; a wildcard
 * stands for exactly one label of a DNS-ID.  The common name never counts.
 *
 * What signed DNS says about one domain changes that for this domain alone: the
 * target of a signed SRV record is a name for it as well, as a DNS-ID; and
 * where TLSA records are known they decide.  Of usages 0 to 2 the name must fit
 * even so; a certificate that is named by itself (3) needs neither name, date
 * nor chain.
 */
#ifndef EDGE_PEER_IDENTITY_H
#define EDGE_PEER_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>
#include <openssl/ssl.h>

#include "common/cert_names.h"

struct dane_server;

/* What signed DNS says; all of it about one domain. */
struct peer_identity_dns {
	char domain[256]; /* "" = nothing is said */
	char host[256];   /* a name that stands for it, or "" */
	bool decides;     /* TLSA records do, and not the authorities */
	const char *why;  /* by them it is not proven, or NULL; static */
	uint8_t usage, selector, matching; /* of the record that matched */
};

struct peer_identity {
	bool presented;          /* there was a certificate at all */
	long verdict;            /* X509_V_OK or the first error of the chain */
	struct cert_names names; /* empty unless the verdict is good */
	int64_t until_ms; /* when the first of the chain expires, since 1970 */
	struct peer_identity_dns dns;
};

/* What the handshake brought.  On error *out is zeroed (which proves nothing).
 * ERR_NOMEM, ERR_CERT. */
int peer_identity_read(struct peer_identity *out, SSL *ssl);
void peer_identity_finish(struct peer_identity *p);

/* What signed DNS says about the server of that domain, once it is known; a
 * later call for the same domain replaces an earlier one.  p was read from ssl.
 * On error p proves nothing about the domain.  ERR_NOMEM, ERR_CERT. */
int peer_identity_hear_dns(struct peer_identity *p, SSL *ssl,
    const char *domain, const struct dane_server *server);
/* TLSA records prove that domain, whatever authorities say: those of usages 3
 * and 2.  Of 1 and 0 they say who may be believed that authorities prove. */
bool
peer_identity_proven_by_dane(const struct peer_identity *p, const char *domain);

/* domain in comparable form. */
bool peer_identity_proves(const struct peer_identity *p, const char *domain);
/* Why it does not prove that domain, for a log line or an admin; NULL when it
 * does. */
const char *
peer_identity_why_not(const struct peer_identity *p, const char *domain);

/* The same for people: "certificate does not name the domain
 * partner.example, it names other.example".  False, and "" in out, when it
 * proves the domain. */
bool peer_identity_explain(
    const struct peer_identity *p, const char *domain, char *out, size_t size);

#endif
