/*
 * admin - the HTTP interface for administrators: settings, the audit trail,
 * what the gateway does at the moment, and events as they happen.  openapi.json
 * beside this file describes it; sallyport-admin-api(7) explains it.
 *
 * Who comes by the Unix socket may do everything; over loopback TCP a token
 * (admin/tokens.h) says who it is and what he may.
 *
 * A resource is a row in a table of routes.  Other parts of the gateway add
 * rows of their own with admin_add_routes(), and tell what happens with
 * admin_tell().
 *
 * Owns     the HTTP server, requests under way, the hub of events.
 * Borrows  loop, clock, settings, store of settings, sources, added routes.
 * Ends     admin_close(): requests under way are cut; on_closed comes after
 *          the last close callback.  Settings may be closed after admin.
 */
#ifndef GATEWAY_ADMIN_ADMIN_H
#define GATEWAY_ADMIN_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include <uv.h>

#include "frontend-gateway/admin/http_server.h"
#include "frontend-gateway/admin/http_target.h"

struct admin;
struct buf;
struct clock;
struct setting_kind;
struct setting_store;
struct settings;

enum {
	ADMIN_BODY_MAX = 1024 * 1024,
	ADMIN_BATCH_MAX = 16 * 1024 * 1024,
	ADMIN_WHO_SIZE = 256,
	ADMIN_LIMIT_DEFAULT = 100,
	ADMIN_LIMIT_MAX = 1000
};

enum admin_right { ADMIN_READ, ADMIN_WRITE };

/* A page that was asked for.  Texts are valid as long as the request. */
struct admin_page {
	const char *filter, *after; /* NULL = not given */
	size_t limit;
};

struct admin_route;

/* A request whose sender may make it, valid until its call is answered. */
struct admin_request {
	struct admin *admin;
	struct http_call *call;
	const struct admin_route *route;
	void *arg; /* of the table the route is in */
	struct http_target target;
	const char *key;          /* "{key}" of the path; NULL without one */
	char who[ADMIN_WHO_SIZE]; /* for the audit */
	const char *via;          /* "socket", "http" */
	char token[16];           /* the id of his token; "" = none */
	json_t *body;             /* NULL without one */
};

/* Answers, by one of the functions below or by those of http_server.h, or
 * http_call_wait()s. */
typedef void admin_handler_fn(struct admin_request *r);

struct admin_route {
	enum http_method method;
	enum admin_right right;
	const char *path; /* "/v1/partners/{key}" */
	/* Query parameters it knows, separated by blanks: another one is
	 * refused, so that a misspelt dry_run changes nothing. */
	const char *params;
	size_t body_max; /* 0 = takes no body; else it needs one, in JSON */
	admin_handler_fn *handle;
	const struct setting_kind *kind; /* of settings' routes */
};

/* confirmations is borrowed. */
typedef void admin_confirmed_fn(json_t *confirmations, void *arg);

/* What the rest of the gateway tells; references are the caller's. */
struct admin_sources {
	json_t *(*status)(void *arg);
	json_t *(*edges)(void *arg);   /* array with "name" */
	json_t *(*streams)(void *arg); /* array with "id" */
	/* As presence_list(). */
	json_t *(*contacts)(
	    const json_t *request, const char **error, void *arg);
	/* {"items", "next"} */
	json_t *(*conversations)(const struct admin_page *page,
	    const char *user, const char *contact, const char *state,
	    void *arg);
	/* Calls fn once, now or later, with {"counter", "confirmed", "waiting"}
	 * of that generation of what the edges are told; NULL without
	 * memory. */
	void (*confirm)(uint64_t generation, admin_confirmed_fn *fn,
	    void *fn_arg, void *arg);
	/* Prometheus' text format, appended to out; 0 or a negative code. */
	int (*metrics)(struct buf *out, void *arg);
	/* What external access policies come to for a user (prepared bare
	 * JID), as policy_explain(). */
	json_t *(*rights)(const char *user, void *arg);
	void *arg;
};

struct admin_opts {
	uv_loop_t *loop;
	struct clock *clock;
	const char *socket; /* "" = none */
	const struct sockaddr_storage *listen;
	size_t listen_count;
	struct settings *settings;
	struct setting_store *store;
	const struct admin_sources *sources; /* borrowed */
};

int admin_open(
    struct admin **out, const struct admin_opts *opts, char *why, size_t size);
/* on_closed may be NULL. */
void admin_close(struct admin *a, void (*on_closed)(void *arg), void *arg);

/* routes is borrowed; before the first request. */
int admin_add_routes(
    struct admin *a, const struct admin_route *routes, size_t count, void *arg);
typedef void admin_route_fn(const struct admin_route *route, void *arg);
void admin_each_route(const struct admin *a, admin_route_fn *fn, void *arg);

/* Something happened: to everybody who listens to /v1/events.  data is taken
 * over; NULL is accepted (there was no memory).  event is static. */
void admin_tell(struct admin *a, const char *event, json_t *data);

/* --- for handlers ---------------------------------------------------------- */

/* body is taken over; NULL: 503, there was no memory. */
void admin_reply(struct admin_request *r, unsigned status, json_t *body);
/* The same with an ETag of that version, and the headers given. */
void admin_reply_version(
    struct admin_request *r, unsigned status, json_t *body, uint64_t version);
/* {"error": {"code", "text"}}; the code follows from the status. */
void admin_fail(struct admin_request *r, unsigned status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with "problems", which is taken over. */
void admin_fail_with(struct admin_request *r, unsigned status, const char *text,
    json_t *problems);
/* The status that stands for one of our codes. */
unsigned admin_status_of(int rc);
/* NULL when it was not given. */
const char *admin_param(const struct admin_request *r, const char *name);
/* Each answers and returns false when the parameter is not in order. */
bool admin_read_page(struct admin_request *r, struct admin_page *out);
bool admin_read_bool(struct admin_request *r, const char *name, bool *out);
/* The client wants a stream of lines. */
bool admin_wants_lines(const struct admin_request *r);

/* A stream of JSON lines (application/x-ndjson). */
struct admin_lines {
	/* The next object, a reference that is taken over; ERR_NOT_FOUND at
	 * the end.  Another negative code breaks the answer off, so that the
	 * client does not take what he has for the whole. */
	int (*next)(json_t **out, void *arg);
	void (*on_end)(void *arg); /* once */
	void *arg;
};
void admin_reply_lines(struct admin_request *r, const struct admin_lines *l);

#endif
