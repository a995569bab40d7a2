/*
 * sip_product - what the gateway calls itself in User-Agent and Server
 * (RFC 3261 20.41, 20.35).
 *
 *   server-val *(LWS server-val)
 *   server-val  a product, "name" or "name/version", or a comment in
 *               parentheses
 *
 * Narrower than the grammar: one blank between two, printable ASCII without a
 * backslash in comments, fewer than SIP_PRODUCT_SIZE bytes.
 */
#ifndef FRONTEND_GATEWAY_SIP_SIP_PRODUCT_H
#define FRONTEND_GATEWAY_SIP_SIP_PRODUCT_H

#include <stdbool.h>

#define SIP_PRODUCT_DEFAULT "Sallyport/" SALLYPORT_VERSION

enum { SIP_PRODUCT_SIZE = 129 };

/* Whether a header field may have this value. */
bool sip_product_is_valid(const char *text);

#endif
