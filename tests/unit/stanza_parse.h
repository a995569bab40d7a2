/* stanza_parse - the tree of one stanza for tests, by the parser of the
 * streams. */
#ifndef UNIT_STANZA_PARSE_H
#define UNIT_STANZA_PARSE_H

#include "common/xml.h"

/* Calls fn with each first-level element of text, on a stream whose default
 * namespace is jabber:server.  Returns their number, or -1 when the parser
 * refuses. */
typedef void stanza_parse_fn(const struct xml_elem *e, void *arg);
int stanza_parse(const char *text, size_t len, stanza_parse_fn *fn, void *arg);

#endif
