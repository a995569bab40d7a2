/*
 * domain_iq - requests to a hosted domain itself, answered at the edge.  Pure.
 *
 * Ping (XEP-0199), version (XEP-0092), disco#info and disco#items (XEP-0030)
 * get their answer, every other request service-unavailable.  What is
 * advertised is what the two halves serve for the domain, nothing more.
 */
#ifndef EDGE_DOMAIN_IQ_H
#define EDGE_DOMAIN_IQ_H

#include <stdbool.h>

#include "common/xml.h"
#include "proto/condition.h"

struct buf;

/* iq: a well-formed get or set (id, one child).  from and to are the prepared
 * addresses of the request.  Appends the answer; *refused is set to true, and
 * *condition to its condition, when the answer is an error.
 * 0, ERR_NOMEM, ERR_FULL. */
int domain_iq_answer(struct buf *out, bool *refused, enum condition *condition,
    const struct xml_elem *iq, const char *from, const char *to);

#endif
