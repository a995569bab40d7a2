/*
 * display_name - what people are called on the other side.
 *
 * Names come from outside and are made fit for display by address_display():
 * one line, no controls, ADDRESS_DISPLAY_MAX bytes.  Pure.
 */
#ifndef FRONTEND_GATEWAY_TRANSLATE_DISPLAY_NAME_H
#define FRONTEND_GATEWAY_TRANSLATE_DISPLAY_NAME_H

#include <stddef.h>

#include "frontend-gateway/translate/address.h"

struct jid;

enum { DISPLAY_NAME_SIZE = ADDRESS_DISPLAY_MAX + 1 };

/* Where a name may come from, best first.  Any may be NULL or "". */
struct display_name_sources {
	const char *nick;      /* XEP-0172; From display name of SIP */
	const char *document;  /* display name in a presence document */
	const char *full;      /* vCard FN */
	const char *nickname;  /* vCard NICKNAME */
	const struct jid *jid; /* its local part, unescaped, when all fail */
};
/* The first of which something is left; "" when there is none.  ERR_NOMEM. */
int display_name_pick(char out[static DISPLAY_NAME_SIZE],
    const struct display_name_sources *sources);

/* The name in a vCard answer (FIELD_ANSWER, proto/CHANNEL.md): fn, else
 * nickname; "" when there is none.  ERR_MALFORMED, ERR_NOMEM. */
int display_name_of_answer(
    char out[static DISPLAY_NAME_SIZE], const char *json, size_t len);

#endif
