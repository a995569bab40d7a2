/*
 * negotiation - what a partner's three settings permit.
 *
 * TlsNegotiation, SaslNegotiation and SupportDialbackNegotiation have the
 * names, values and meaning they had in Lync Server 2013, whose 18 combinations
 * are the test table of this module.  Pure.
 */
#ifndef PROTO_NEGOTIATION_H
#define PROTO_NEGOTIATION_H

#include <stdbool.h>

enum negotiation { NEG_REQUIRED, NEG_OPTIONAL, NEG_NOT_SUPPORTED };

/* In the order of preference. */
enum {
	AUTH_SASL_TLS = 1 << 0,     /* SASL EXTERNAL over TLS, XEP-0178 */
	AUTH_DIALBACK_TLS = 1 << 1, /* dialback over TLS, XEP-0220 */
	AUTH_DIALBACK_TCP = 1 << 2  /* dialback on plain TCP */
};

enum {
	/* SASL is wanted but TLS may be missing: negotiation can fail. */
	NEG_WARN_SASL_NEEDS_TLS = 1 << 0,
	/* Dialback is on but cannot come to pass. */
	NEG_WARN_DIALBACK_INERT = 1 << 1
};

struct negotiation_verdict {
	unsigned methods;  /* AUTH_ bits; 0 = the combination is not valid */
	unsigned warnings; /* NEG_WARN_ bits, only when valid */
};

struct negotiation_verdict
negotiation_judge(enum negotiation tls, enum negotiation sasl, bool dialback);

/* "Required", "Optional", "NotSupported". */
const char *negotiation_str(enum negotiation n);
/* 0 or ERR_MALFORMED; names are matched exactly. */
int negotiation_parse(enum negotiation *out, const char *name);

#endif
