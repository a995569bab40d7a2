/*
 * tokens - what proves over TCP who somebody is (RFC 6750): 256 random bits,
 * shown once when the token is made.
 *
 *   spt-<id: 12 hex>-<secret: 64 hex>
 *
 * The store has the SHA-256 of the text in a setting of kind `token` under the
 * id, with a name for the audit, rights and an end.  Without the text nobody
 * gets in, the owner of the store included.
 */
#ifndef GATEWAY_ADMIN_TOKENS_H
#define GATEWAY_ADMIN_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct setting;
struct settings_view;

enum {
	TOKENS_ID_LEN = 12,
	TOKENS_SECRET_LEN = 64,
	TOKENS_TEXT_LEN = 4 + TOKENS_ID_LEN + 1 + TOKENS_SECRET_LEN,
	TOKENS_HASH_LEN = 64,
	TOKENS_DAY_LEN = 10
};

struct tokens_new {
	char id[TOKENS_ID_LEN + 1];
	char text[TOKENS_TEXT_LEN + 1]; /* for its owner; wipe it */
	char hash[TOKENS_HASH_LEN + 1];
};

void tokens_make(struct tokens_new *out);

enum tokens_verdict {
	TOKENS_GOOD,
	TOKENS_MALFORMED,
	TOKENS_WRONG, /* no such token, or another secret */
	TOKENS_EXPIRED
};

/* now_ms: since 1970.  *out, for TOKENS_GOOD and TOKENS_EXPIRED: the setting,
 * valid as long as the view.  Takes the same time for an id that exists and one
 * that does not. */
enum tokens_verdict tokens_check(const struct setting **out,
    const struct settings_view *v, const char *text, int64_t now_ms);
/* "2026-11-21" of that time, UTC. */
void tokens_day(char out[static TOKENS_DAY_LEN + 1], int64_t now_ms);
/* Whether there is a token of that id that has not expired. */
bool tokens_hold(const struct settings_view *v, const char *id, int64_t now_ms);
bool tokens_may_write(const struct setting *token);

#endif
