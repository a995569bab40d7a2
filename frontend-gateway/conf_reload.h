/*
 * conf_reload - one configuration takes the place of another in a gateway that
 * runs.
 *
 * Everybody holds the same struct gateway_conf; its content is exchanged in
 * one turn of the loop, so nobody may keep a pointer into it longer than that.
 * What was made from the old content once and for all (addresses, names, the
 * store) stays, and an admin is told.
 */
#ifndef GATEWAY_CONF_RELOAD_H
#define GATEWAY_CONF_RELOAD_H

#include <jansson.h>

struct gateway_conf;

/* Puts back into fresh what must stay as in now.  Returns the names of the
 * members that differed ("sip.listen"), an array of the caller's, or NULL
 * without memory. */
json_t *
conf_reload_keep(struct gateway_conf *fresh, const struct gateway_conf *now);
/* Exchanges the content of the two. */
void conf_reload_swap(struct gateway_conf *a, struct gateway_conf *b);

#endif
