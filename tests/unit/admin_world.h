/*
 * admin_world - the administration interface over settings in a folder of its
 * own, with made-up sources, and a client.  For unit tests.
 */
#ifndef TESTS_ADMIN_WORLD_H
#define TESTS_ADMIN_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>

#include "frontend-gateway/admin/admin.h"
#include "tests/unit/http_client.h"
#include "tests/unit/settings_world.h"

struct admin_world {
	struct settings_test settings;
	struct admin *admin;
	struct http_client client;
	char path[160];
	int fd, tcp; /* connections that are kept; -1 = none */
	/* What sources say. */
	size_t streams, conversations;
	size_t conversations_broken; /* behind so many, unless 0 */
	/* Who waits for the edges; NULL = nobody. */
	admin_confirmed_fn *confirmed;
	void *confirmed_arg;
	uint64_t generation;
	bool closed;
	/* The last answer. */
	unsigned status;
	const char *text; /* with its header */
	json_t *body;     /* NULL when it is no JSON */
};

void admin_world_init(struct admin_world *w);
/* The interface closes and opens; settings stay. */
void admin_world_restart(struct admin_world *w);
void admin_world_finish(struct admin_world *w);

/* Asks by the Unix socket; header ("If-Match: \"1\"\r\n") and body (JSON with '
 * for ") may be NULL.  Returns the status. */
unsigned admin_world_ask(struct admin_world *w, const char *method,
    const char *target, const char *header, const char *body);
/* The same over TCP, with a token unless that is NULL. */
unsigned admin_world_ask_tcp(struct admin_world *w, const char *token,
    const char *method, const char *target, const char *body);
/* A member of the last answer by a path ("/after/object/Domain"), as a compact
 * text, "" when there is none; valid until the next call. */
const char *admin_world_member(const struct admin_world *w, const char *path);
/* One edge has confirmed what it was told, the other has not. */
void admin_world_confirm(struct admin_world *w);
/* Makes a token; the text is the caller's to free(). */
char *admin_world_token(struct admin_world *w, const char *object);

#endif
