/*
 * address - SIP URIs into JIDs and back (RFC 7247 6, XEP-0106).
 *
 * A local part is compared and stored in its escaped, prepared form: the JID's.
 * Both ways are exact: address_from_sip() of what address_to_sip() wrote gives
 * the same bare JID again, and a JID that no SIP URI could lead to (an escape
 * where none is needed) is refused.  Pure.
 */
#ifndef FRONTEND_GATEWAY_TRANSLATE_ADDRESS_H
#define FRONTEND_GATEWAY_TRANSLATE_ADDRESS_H

#include <stddef.h>

struct buf;
struct jid;

enum {
	ADDRESS_URI_MAX = 8192,     /* bytes; longer is answered 414 */
	ADDRESS_DISPLAY_MAX = 128,  /* bytes of a display name */
	ADDRESS_CONSERVATIVE = 0x1, /* encode & ; ? / ' = + $ , ! * ( ) too */
	ADDRESS_GRUU = 0x2,         /* the resource as a gr parameter */
};

/* A SIP URI as received (escapes in place), with or without < > and display
 * name.  Returns 0, or the SIP status to refuse it with and *out zeroed:
 * 400 malformed, 404 nobody's address here, 414 too long, 416 not sip: or
 * sips:, which may not leave SIP, 484 empty user part, 500 no memory.  A gr
 * parameter becomes the resource (RFC 5627); Lync's opaque does not. */
int address_from_sip(struct jid *out, const char *uri, size_t len);

/* Appends "sip:user@domain".  flags of ADDRESS_*.  ERR_NOT_FOUND for a JID
 * without local part, ERR_JID for one that no SIP URI leads to, ERR_FULL,
 * ERR_NOMEM. */
int address_to_sip(struct buf *out, const struct jid *j, unsigned flags);

/* Appends a name fit to be shown as a SIP display name, not quoted: UTF-8,
 * no controls, one line, at most ADDRESS_DISPLAY_MAX bytes, cut between
 * characters.  Appends nothing when nothing is left of it. */
int address_display(struct buf *out, const char *name, size_t len);
/* The same for want of a name: the local part, unescaped. */
int address_display_of(struct buf *out, const struct jid *j);
/* Appends "\"name\"<uri>" ("<uri>" when name is "" or NULL); name as
 * address_display() gives it. */
int address_name_addr(struct buf *out, const char *name, const char *uri);
/* Appends the JID as an XMPP URI (RFC 5122): "xmpp:anna@lync.example". */
int address_xmpp_uri(struct buf *out, const struct jid *j);

#endif
