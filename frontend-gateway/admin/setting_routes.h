/*
 * setting_routes - settings read over HTTP, one set of routes for every kind.
 * Changing them is setting_changes.c's.
 */
#ifndef GATEWAY_ADMIN_SETTING_ROUTES_H
#define GATEWAY_ADMIN_SETTING_ROUTES_H

#include <stdbool.h>

struct admin_request;
struct setting;
struct setting_kind;

void setting_routes_get(struct admin_request *r);
void setting_routes_list(struct admin_request *r);
/* The key a request names, as it was written; `global` where there is one
 * only. */
const char *setting_routes_key(const struct admin_request *r);
/* NULL when there is none. */
const struct setting *setting_routes_find(const struct admin_request *r);
/* The kind is one resource, not a collection. */
bool setting_routes_is_single(const struct setting_kind *k);

#endif
