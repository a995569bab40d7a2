/*
 * call_decline - calls that are proposed by message (XEP-0353).  Pure.
 *
 * A client rings all devices of the one it calls until somebody answers.  Here
 * nobody can; the caller is told so at once, whoever the address belongs to,
 * and stops ringing.
 */
#ifndef EDGE_CALL_DECLINE_H
#define EDGE_CALL_DECLINE_H

#include <stdbool.h>

#include "common/xml.h"

struct buf;

/* Whether the message proposes a call and nothing else.  Then appends the
 * message that declines it; from and to are the proposal's, prepared.  1, 0, or
 * ERR_NOMEM, ERR_FULL. */
int call_decline(struct buf *out, const struct xml_elem *message,
    const char *from, const char *to);

#endif
