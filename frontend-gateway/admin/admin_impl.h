/*
 * admin_impl - what the files of the administration interface share.  Nobody
 * else includes it.
 *
 * admin.c          life, the table of routes
 * admin_request.c  from a call to its handler: who, where, what
 * admin_reply.c    answers
 * setting_routes.c, setting_changes.c, token_routes.c, batch_route.c
 *                  settings
 * audit_routes.c, view_routes.c, event_routes.c, document_routes.c
 *                  the rest
 */
#ifndef GATEWAY_ADMIN_ADMIN_IMPL_H
#define GATEWAY_ADMIN_ADMIN_IMPL_H

#include "common/clock.h"
#include "common/log.h"
#include "frontend-gateway/admin/admin.h"
#include "frontend-gateway/settings/settings.h"

struct auth;
struct event_hub;

enum { ADMIN_TABLES_MAX = 16 };

struct admin {
	struct admin_opts opts;
	struct log log;
	struct auth *auth;
	struct http_server *http;
	struct event_hub *events;
	struct settings_listener listener;
	struct {
		const struct admin_route *routes;
		size_t count;
		void *arg;
	} tables[ADMIN_TABLES_MAX];
	size_t table_count;
	struct admin_route *setting_routes; /* made from the kinds */
	char *setting_paths;
	bool verifying; /* the audit trail is being walked */
	void (*on_closed)(void *arg);
	void *closed_arg;
};

/* --- admin_request.c ----------------------------------------------------- */

extern const struct http_server_events admin_request_events;
/* Whether a name of a Host header can only mean this machine: an address of
 * loopback, or localhost, with any port. */
bool admin_request_host_is_ours(const char *host);
/* Whether what a browser says of the page that asks, in Sec-Fetch-Site and
 * Origin, is that it came from host; NULL = it said nothing. */
bool admin_request_page_is_ours(
    const char *site, const char *origin, const char *host);

/* --- admin_reply.c ------------------------------------------------------- */

/* For a call that never became a request. */
void admin_reply_refusal(struct http_call *call, unsigned status,
    const char *text, const struct http_header *header);

/* --- setting_changes.c --------------------------------------------------- */

void setting_changes_put(struct admin_request *r);
void setting_changes_patch(struct admin_request *r);
void setting_changes_delete(struct admin_request *r);

struct setting_changes_opts {
	const struct settings_change *changes; /* copied by settings */
	size_t count;
	bool dry_run, internal;
	bool single;    /* the answer is that of one resource */
	json_t *extra;  /* taken over; members for the answer, or NULL */
	bool condition; /* a conflict is 412 instead of 409 */
};
/* Commits in the name of the request and answers it. */
void setting_changes_commit(
    struct admin_request *r, const struct setting_changes_opts *opts);
/* The conditions of a request as the version to expect; answers and returns
 * false when they don't hold or are malformed. */
bool setting_changes_expected(
    struct admin_request *r, uint64_t *version, bool *condition);

/* --- tables of routes ---------------------------------------------------- */

int setting_routes_add(struct admin *a);
void setting_routes_free(struct admin *a);
int token_routes_add(struct admin *a);
int batch_route_add(struct admin *a);
int audit_routes_add(struct admin *a);
int view_routes_add(struct admin *a);
int event_routes_add(struct admin *a);
int document_routes_add(struct admin *a);

#endif
