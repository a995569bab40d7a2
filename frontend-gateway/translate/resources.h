/*
 * resources - the available resources of one contact, and which of them
 * stands for the person.
 *
 * Order: resources with a priority of at least 0 come before the others; then
 * none or chat before dnd, away, xa; then the higher priority; then the most
 * recent.  At most RESOURCES_MAX are kept, with RESOURCES_TEXT_MAX bytes of
 * texts: beyond, the least important lose their status, then go.  An empty one is one pointer.  Pure.
 *
 * Owns     its entries; resources_clear() frees them.  Zeroed is valid and
 *          empty.
 */
#ifndef FRONTEND_GATEWAY_TRANSLATE_RESOURCES_H
#define FRONTEND_GATEWAY_TRANSLATE_RESOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend-gateway/translate/xmpp_presence.h"

struct buf;

enum {
	RESOURCES_MAX = 16,
	RESOURCES_TEXT_MAX = 4096 /* bytes of names and statuses together */
};

/* One resource, as told by a presence.  Texts given are copied; those handed
 * out live until the next change. */
struct resource {
	struct resource *next; /* ours, the next less important */
	const char *name;      /* resourcepart; "" = the bare JID itself */
	const char *status;    /* NULL = none; cleaned and cut when taken */
	const char *language;  /* of the status; NULL = not told */
	uint64_t idle_since;   /* ms since 1970; 0 = not told */
	uint64_t at;           /* when it was told, ms since 1970 */
	enum xmpp_show show;
	int8_t priority;
};

struct resources {
	struct resource *first; /* most important first: read freely */
};

void resources_clear(struct resources *r);
/* Puts u in, in place of the one of that name.  *changed (may be NULL) tells
 * whether a watcher could see a difference.  ERR_NOMEM: nothing changed. */
int resources_set(struct resources *r, const struct resource *u, bool *changed);
/* It is unavailable.  NULL or "": the contact said so for all of them
 * (RFC 6121 4.3.2).  True when there was one. */
bool resources_remove(struct resources *r, const char *name);
/* The one that stands for the person; NULL = unavailable. */
const struct resource *resources_best(const struct resources *r);
size_t resources_count(const struct resources *r);

/* Appends the image; nothing for an empty one.  ERR_NOMEM, ERR_FULL; out is
 * then as before. */
int resources_save(struct buf *out, const struct resources *r);
/* Replaces out, which must be valid; an empty image is an empty one.  On
 * error out is unchanged: ERR_MALFORMED, ERR_UNSUPPORTED (of a later
 * version), ERR_NOMEM. */
int resources_restore(struct resources *out, const void *image, size_t len);

#endif
