/*
 * jid - addresses of RFC 7622, prepared and comparable.
 *
 * Local parts are prepared with nodeprep, resources with resourceprep (the
 * profiles deployed servers run); a local part on which nodeprep and RFC 7622's
 * UsernameCaseMapped differ is refused, so that nobody compares it otherwise.
 * Domains are IDNA2008: kept as U-labels in the JID, compared as lower-case
 * A-labels (ascii).  IPv4 and bracketed IPv6 literals pass as they are.
 */
#ifndef COMMON_JID_H
#define COMMON_JID_H

#include <stdbool.h>
#include <stddef.h>

enum { JID_PART_MAX = 1023, JID_MAX = 3071 }; /* bytes of UTF-8 */

/* All pointers lead into one block that jid_finish() frees. */
struct jid {
	char *block;
	const char *full;     /* local@domain/resource, prepared */
	const char *bare;     /* local@domain */
	const char *local;    /* NULL when absent */
	const char *domain;   /* U-labels */
	const char *ascii;    /* the domain as lower-case A-labels */
	const char *resource; /* NULL when absent */
};

/* Parses and prepares len bytes.  On error *out is zeroed.
 * ERR_JID, ERR_UTF8, ERR_TOO_LONG, ERR_NOMEM. */
int jid_parse(struct jid *out, const char *s, size_t len);
/* Deep copy. */
int jid_copy(struct jid *out, const struct jid *j);
void jid_finish(struct jid *j);

bool jid_equal(const struct jid *a, const struct jid *b);
bool jid_bare_equal(const struct jid *a, const struct jid *b);

/* Prepares a domain alone into its comparable form: lower-case A-labels, no
 * trailing dot, LDH (and underscore) labels of 1 to 63, at most 253 in all.
 * out holds size bytes.  ERR_JID, ERR_TOO_LONG. */
int jid_domain_ascii(char *out, size_t size, const char *s, size_t len);
/* The same domain with U-labels, as JIDs carry it. */
int jid_domain_unicode(char *out, size_t size, const char *s, size_t len);

#endif
