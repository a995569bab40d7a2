/*
 * tls_identity - certificate, key and trust, as OpenSSL contexts.
 *
 * Made from PEM in memory, because the process that terminates TLS may not be
 * the one that reads files.  Contexts: TLS 1.2 or later, no renegotiation, no
 * compression, no tickets, no session cache, no 0-RTT, peers' certificates
 * within tls_bounds.h.
 *
 * Peers' certificates are always requested.  With TLS_PEER_REQUIRED the
 * handshake fails without a certificate that chains to trust.  With
 * TLS_PEER_RECORDED the handshake succeeds in any case and tls_peer_verdict()
 * tells what was found: the caller decides afterwards (RFC 6120 13.7).
 * Both sides' certificates are judged for the purpose "TLS server" when
 * judge_as_server is set, since public authorities no longer issue clientAuth
 * and in server-to-server XMPP the initiator is a server too.  With revocation,
 * every certificate of a peer's chain is looked for in the lists.
 */
#ifndef COMMON_TLS_IDENTITY_H
#define COMMON_TLS_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <openssl/ssl.h>

struct revocation;

enum tls_peer { TLS_PEER_REQUIRED, TLS_PEER_RECORDED };

struct tls_identity_opts {
	const char *certificate; /* PEM, leaf first, then intermediates */
	size_t certificate_len;
	const char *key; /* PEM, not encrypted */
	size_t key_len;
	const char *trust; /* PEM certificates */
	size_t trust_len;
	enum tls_peer peer;
	bool judge_as_server;
	int min_version; /* TLS1_2_VERSION ... */
	int max_version; /* 0 = no limit */
	/* Adds to RFC 9325's cipher suites for TLS 1.2 those with AES-CBC,
	 * which is all that Windows before Server 2016 shares with us under
	 * an RSA certificate. */
	bool allow_cbc;
	/* Lists to obey, or NULL; borrowed during the call. */
	const struct revocation *revocation;
};

struct tls_identity {
	SSL_CTX *server;
	SSL_CTX *client;
};

/* On error *out is zeroed and why (size bytes) says what is wrong in words for
 * an admin: "key does not match the certificate".  ERR_CERT, ERR_NOMEM.
 * Dates are not looked at: an expired certificate is the peer's to refuse. */
int tls_identity_init(struct tls_identity *out,
    const struct tls_identity_opts *opts, char *why, size_t size);
void tls_identity_finish(struct tls_identity *id);

/* The same from files.  Messages name the file; one that cannot be read is
 * ERR_IO. */
struct tls_identity_files {
	const char *certificate, *key, *trust; /* paths */
	enum tls_peer peer;
	bool judge_as_server;
	int min_version, max_version;
	bool allow_cbc;
};
int tls_identity_load(struct tls_identity *out,
    const struct tls_identity_files *files, char *why, size_t size);

/* After the handshake: X509_V_OK when the peer's chain is trusted, else the
 * first error met; X509_V_ERR_APPLICATION_VERIFICATION without certificate. */
long tls_peer_verdict(SSL *ssl);
/* The first error that a verification for this SSL object has met, be it in a
 * handshake or not, and X509_V_OK without any. */
long tls_first_error(const SSL *ssl);

#endif
