/*
 * gateway_conf_impl - what the files that read gateway.json share.  Nobody else
 * includes it.
 *
 * gateway_conf.c           the file as a whole, our own parts, logging, TLS
 * gateway_conf_partners.c  the rows of "partners"
 * gateway_conf_users.c     "users"
 * gateway_conf_domains.c   "hosted", and whose a domain is
 * gateway_conf_presence.c  "presence"
 * gateway_conf_messages.c  "messages"
 * gateway_conf_admin.c     "admin"
 *
 * Errors   stay in the document (conf_fail): the first one counts, and reading
 *          goes on or stops early without harm.
 */
#ifndef GATEWAY_GATEWAY_CONF_IMPL_H
#define GATEWAY_GATEWAY_CONF_IMPL_H

#include <stddef.h>

#include "frontend-gateway/gateway_conf.h"

struct conf_obj;

/* Memory ran out: said like any other error, at the root. */
void gateway_conf_no_memory(struct gateway_conf *c);
/* A line for the log about what is allowed but unwise; bounded in number. */
__attribute__((format(printf, 2, 3))) void
gateway_conf_warn(struct gateway_conf *c, const char *fmt, ...);
/* An optional member of few values; the default also after an error. */
int gateway_conf_choice(struct conf_obj *o, const char *key,
    const char *const *names, size_t count, int def);
/* The number of elements, or 0 with an error when there are too few or too
 * many. */
size_t
gateway_conf_array(struct conf_obj *o, const char *key, size_t min, size_t max);

/* The four members of a rate: <prefix>_per_minute (120), <prefix>_at_once (500,
 * or per_minute if that is more), and <prefix>_contact_per_minute (2),
 * <prefix>_contact_at_once (20) of each contact. */
void gateway_conf_read_rate(
    struct gateway_rate *out, struct conf_obj *o, const char *prefix);
/* Each reads one member of the root.  Users need the hosted domains. */
void gateway_conf_read_hosted(struct gateway_conf *c, struct conf_obj *root);
void gateway_conf_read_partners(struct gateway_conf *c, struct conf_obj *root);
void gateway_conf_read_users(struct gateway_conf *c, struct conf_obj *root);
void gateway_conf_read_presence(struct gateway_conf *c, struct conf_obj *root);
void gateway_conf_read_messages(struct gateway_conf *c, struct conf_obj *root);
void gateway_conf_read_admin(struct gateway_conf *c, struct conf_obj *root);
/* Fills the table of partners' domains, when all the rest has been read without
 * an error. */
void gateway_conf_index_domains(struct gateway_conf *c, struct conf_obj *root);

#endif
