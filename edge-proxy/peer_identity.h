/*
 * peer_identity - which domains a partner's certificate proves
 * (RFC 6120 13.7.2, RFC 9525, RFC 4985).  Pure apart from peer_identity_read().
 *
 * The one function that EXTERNAL on both sides, and every other method that
 * trusts a certificate, asks.  A name counts only when the chain is trusted
 * (which includes time, purpose and signatures) and an SRV-ID for
 * _xmpp-server, a DNS-ID or an XmppAddr names the very domain; a wildcard
 * stands for exactly one label of a DNS-ID.  The common name never counts.
 */
#ifndef EDGE_PEER_IDENTITY_H
#define EDGE_PEER_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>
#include <openssl/ssl.h>

#include "common/cert_names.h"

struct peer_identity {
	bool presented;          /* there was a certificate at all */
	long verdict;            /* X509_V_OK or the first error of the chain */
	struct cert_names names; /* empty unless the verdict is good */
	int64_t until_ms; /* when the first of the chain expires, since 1970 */
};

/* What the handshake brought.  On error *out is zeroed (which proves nothing).
 * ERR_NOMEM, ERR_CERT. */
int peer_identity_read(struct peer_identity *out, SSL *ssl);
void peer_identity_finish(struct peer_identity *p);

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
