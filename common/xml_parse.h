/*
 * xml_parse - a whole document at once, as a tree (common/xml.h).
 *
 * For XML that is at hand in one piece; streams are read elsewhere.  UTF-8 and
 * namespaces only, no DTD; comments and processing instructions are left out.
 *
 * Errors   ERR_MALFORMED (no document, or one with a DTD), ERR_TOO_LONG
 *          (nested deeper than XML_PARSE_DEPTH), ERR_FULL (the arena, or too
 *          many attributes), ERR_NOMEM.  What the arena holds of the tree then
 *          is of no use.
 */
#ifndef COMMON_XML_PARSE_H
#define COMMON_XML_PARSE_H

#include <stddef.h>

struct xml_arena;
struct xml_elem;

enum {
	XML_PARSE_DEPTH = 100,
	XML_PARSE_MAX = 4 * 1024 * 1024 /* bytes of a document */
};

/* outer_ns: the default namespace of an element that was cut out of a document
 * and does not declare it; NULL: it is a document. */
int xml_parse(struct xml_elem **out, struct xml_arena *a, const char *outer_ns,
    const char *xml, size_t len);
/* Its outermost start tag alone; what follows need not be well-formed. */
int xml_parse_head(struct xml_elem **out, struct xml_arena *a,
    const char *outer_ns, const char *xml, size_t len);

#endif
