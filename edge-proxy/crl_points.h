/*
 * crl_points - where a certificate says its status can be learned: its
 * revocation lists (RFC 5280 4.2.1.13) and its responders (4.2.2.1).  Pure.
 *
 * Only http counts, and a list that its own authority signs: parts by reason
 * and lists of other issuers (indirect ones) are left out.
 */
#ifndef EDGE_CRL_POINTS_H
#define EDGE_CRL_POINTS_H

#include <stddef.h>
#include <openssl/x509.h>

#include "edge-proxy/http_url.h"

enum { CRL_POINTS_MAX = 3 };

struct crl_points {
	char urls[CRL_POINTS_MAX][HTTP_URL_MAX + 1];
	size_t count;
};

/* The first few; any of them will do. */
void crl_points_lists(struct crl_points *out, X509 *cert);
void crl_points_responders(struct crl_points *out, X509 *cert);

#endif
