/*
 * xml_redact - XML that may be shown to an administrator: who, what kind and
 * when, but nothing that somebody wrote.
 *
 * Kept are the structure, names and namespaces, the addresses, ids and types of
 * stanzas, and what is a word of a protocol by a table of ours.  All other text
 * becomes its length, "[12 bytes]"; so does the value of every attribute that
 * the table does not know, and the whole content of elements that are nothing
 * but text in another form (XHTML-IM).  The table errs on the side of silence:
 * what it does not name is not shown.
 */
#ifndef COMMON_XML_REDACT_H
#define COMMON_XML_REDACT_H

#include <stddef.h>

struct buf;
struct xml_elem;

/* Appends e without what is private, as xml_write() would have with it.
 * ERR_UTF8, ERR_FULL, ERR_NOMEM, ERR_TOO_LONG (nested too deeply): out is as
 * long as before. */
int xml_redact_elem(
    struct buf *out, const struct xml_elem *e, const char *outer_ns);
/* The same for a document of foreign bytes.  ERR_MALFORMED when it is none, or
 * has a DTD; what there is of it must not be shown then. */
int xml_redact_text(struct buf *out, const char *xml, size_t len);

#endif
