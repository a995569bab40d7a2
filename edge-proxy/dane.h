/*
 * dane - a partner's certificate held against the TLSA records of his server
 * (RFC 6698 2.1, RFC 7671 5), once the handshake is done.
 *
 * The chain is judged anew, with the trust, the purpose, the security level
 * and the revocation lists that the connection's context has; a certificate
 * that matches a DANE-EE record is good by that alone.  Names are not looked
 * at: see peer_identity.
 */
#ifndef EDGE_DANE_H
#define EDGE_DANE_H

#include <stdbool.h>
#include <stdint.h>
#include <openssl/ssl.h>

struct tlsa_set;

/* Where signed DNS has a part in who is believed. */
struct dane_conf {
	bool outbound; /* of servers we dial */
	bool inbound;  /* of those who dial us, too */
};

/* What signed DNS says of a server that is dialled. */
struct dane_server {
	const char *host; /* the target of a signed SRV record, or NULL */
	const struct tlsa_set *tlsa; /* NULL: none that is of use */
};

struct dane_verdict {
	long error;    /* X509_V_OK: it matches, and what that takes is there;
	                   X509_V_ERR_DANE_NO_MATCH: it does not */
	uint8_t usage; /* of the record that matched */
	uint8_t selector, matching;
	int64_t until_ms; /* when what had to be valid expires, since 1970 */
};

/* ssl has a peer's certificate.  On error *out is untouched.  ERR_NOMEM. */
int dane_judge(struct dane_verdict *out, SSL *ssl, const struct tlsa_set *set);

#endif
