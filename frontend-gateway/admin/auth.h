/*
 * auth - who a request is from, and what he may.
 *
 * The Unix socket's callers are root and the daemon's own user: the kernel says
 * which, and they may do everything.  All others need a token.
 *
 * An address from which AUTH_FAILURES wrong tokens a minute have come is told
 * so (429) instead of 401 until the minute is over.  Whoever has a token that
 * is good is let in nevertheless: behind a reverse proxy everybody has the same
 * address, and nobody shall lock others out.
 */
#ifndef GATEWAY_ADMIN_AUTH_H
#define GATEWAY_ADMIN_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct auth;
struct clock;
struct http_peer;
struct settings_view;

enum { AUTH_FAILURES = 20, AUTH_MINUTE_MS = 60000, AUTH_WHO_SIZE = 256 };

enum auth_verdict {
	AUTH_GOOD,
	AUTH_MISSING,
	AUTH_WRONG, /* expired, too; the log tells which */
	AUTH_LIMITED
};

struct auth_caller {
	char who[AUTH_WHO_SIZE];
	const char *via; /* static: "socket", "http" */
	char token[16];  /* its id; "" = none was needed */
	bool write;
};

int auth_new(struct auth **out, struct clock *clock);
void auth_free(struct auth *a);

/* header: the value of Authorization, or NULL. */
enum auth_verdict auth_check(struct auth *a, struct auth_caller *out,
    const struct http_peer *peer, const char *header,
    const struct settings_view *v);

#endif
