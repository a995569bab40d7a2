/*
 * xmpp_probe - knocks at a server as a partner's server would, up to the TLS
 * handshake: TCP, stream header, STARTTLS (RFC 6120 5) or TLS at once
 * (XEP-0368), certificate.  Nothing is said after that.
 *
 * Blocking, with a limit for the whole of it.
 */
#ifndef DEPLOY_XMPP_PROBE_H
#define DEPLOY_XMPP_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/x509.h>

enum { XMPP_PROBE_MS = 8000 };

enum xmpp_probe_step {
	XMPP_PROBE_UNREACHABLE, /* no TCP connection */
	XMPP_PROBE_NO_STREAM,   /* it answers, but not with a stream */
	XMPP_PROBE_NO_TLS,      /* a stream without STARTTLS, or TLS failed */
	XMPP_PROBE_DONE
};

struct xmpp_probe_opts {
	const char *address;
	uint16_t port;
	const char *domain;
	const char *from; /* the domain we say we are; NULL = nothing */
	bool direct_tls;
	const char *trust; /* PEM file; NULL = the system's */
};

struct xmpp_probe {
	enum xmpp_probe_step step; /* the one it failed at */
	char why[300];
	char tls[16];
	long verdict; /* X509_V_OK or why the chain is not trusted */
	X509 *certificate;
};

void xmpp_probe_run(struct xmpp_probe *out, const struct xmpp_probe_opts *o);
void xmpp_probe_finish(struct xmpp_probe *p);

#endif
