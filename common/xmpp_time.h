/* xmpp_time - dates of XEP-0082, as milliseconds since 1970 UTC. */
#ifndef COMMON_XMPP_TIME_H
#define COMMON_XMPP_TIME_H

#include <stdbool.h>
#include <stdint.h>

enum { XMPP_TIME_SIZE = 25 }; /* "2026-11-21T08:15:00.000Z" */

/* DateTime profile, years 1970 to 9999, any zone. */
bool xmpp_time_parse(uint64_t *ms, const char *s);
/* Always in UTC, fractions only when there are any.  Past the year 9999 the
 * last millisecond of it. */
void xmpp_time_format(char out[XMPP_TIME_SIZE], uint64_t ms);

#endif
