/*
 * api_client - questions to the gateway's administration over HTTP, as the
 * operator's command asks them.
 *
 * Over the gateway's Unix socket, where the kernel says who asks, or at a URL
 * with a token, which is read from a file.  Blocking; one connection, kept for
 * the questions that follow.  A token goes to loopback or over TLS, never
 * anywhere in the clear, and no redirect is followed with it.
 *
 * What goes wrong has been told to standard error when a function returns
 * anything but COMMAND_OK.
 */
#ifndef DEPLOY_API_CLIENT_H
#define DEPLOY_API_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>

#include "deploy/command.h"

/* Where the gateway listens unless its configuration says otherwise. */
#define API_CLIENT_SOCKET "/run/sallyport/admin.sock"
#define API_CLIENT_CONFIG "/etc/sallyport/gateway.json"

enum {
	API_CLIENT_SECONDS = 60,
	API_CLIENT_ANSWER_MAX = 64 << 20,
	API_CLIENT_PAGE = 1000
};

/* Which gateway.  Of socket and url at most one. */
struct api_client_opts {
	const char *socket;
	const char *config; /* a gateway.json that names the socket */
	const char *url;    /* "https://gw1.contoso.example:8443" */
	const char *token_file;
	const char *trust; /* authorities for https; NULL = the system's */
	/* What a reverse proxy may want to see: a certificate, and its key, NULL
	 * = in the same file. */
	const char *certificate, *key;
};

struct api_client;

enum command_exit
api_client_open(struct api_client **out, const struct api_client_opts *o);
void api_client_close(struct api_client *c);

struct api_client_request {
	const char *method;
	const char *path;   /* from api_client_path(), query and all */
	const json_t *body; /* NULL for none */
	/* The change is made only to this version; NULL = to any. */
	const char *version;
	bool create; /* only where nothing is yet */
	/* Nothing is told of a 404. */
	bool may_be_absent;
	const char *accept; /* NULL = application/json */
};

/* The caller owns *answer, which is NULL when the gateway had nothing to say;
 * it is written with COMMAND_OK alone. */
enum command_exit api_client_ask(
    json_t **answer, struct api_client *c, const struct api_client_request *r);

/* An answer without an end, taken as it comes. */
struct api_client_stream {
	const char *path; /* as for a question */
	const char *accept;
	/* Each is asked often, on_bytes with each piece; false to stop. */
	bool (*on_bytes)(const char *data, size_t len, void *arg);
	bool (*go_on)(void *arg);
	void *arg;
};
/* COMMAND_OK when it ended or was stopped.  A gateway that is silent for
 * API_CLIENT_SECONDS is gone. */
enum command_exit
api_client_listen(struct api_client *c, const struct api_client_stream *s);

/* "/v1/partners/partner.example", each part escaped; key NULL for the
 * collection.  The caller frees it; NULL (told) without memory. */
char *
api_client_path(struct api_client *c, const char *plural, const char *key);
/* Adds "name=value", with what must stand before it, to a path, which is used
 * up.  NULL stays NULL. */
char *api_client_query(
    struct api_client *c, char *path, const char *name, const char *value);

/* A collection, walked page by page, of which one is held at a time. */
struct api_client_walk {
	char *path;        /* from api_client_path(); used up */
	const char *after; /* where to begin; NULL = at the first */
	size_t page;       /* items asked for at once; 0 = API_CLIENT_PAGE */
	bool (*on_item)(const json_t *item, void *arg); /* false to stop */
	void (*on_page)(void *arg); /* behind each; NULL = nothing to do */
	void *arg;
};
enum command_exit
api_client_each(struct api_client *c, const struct api_client_walk *w);

/* A collection as the gateway writes it down, to be handed on: each item is an
 * object of JSON in one line, without its end. */
struct api_client_lines {
	char *path; /* from api_client_path(); used up */
	void (*on_line)(const char *item, size_t len, void *arg);
	void *arg;
};
enum command_exit
api_client_lines(struct api_client *c, const struct api_client_lines *l);

#endif
