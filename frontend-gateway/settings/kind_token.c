/*
 * A token of the administration interface: who presents its secret over TCP is
 * this name, with these rights.  The key is the id that the token's text begins
 * with; of the secret there is a hash alone (admin/tokens.h).
 */
#include <stdio.h>
#include <string.h>

#include "frontend-gateway/settings/setting_kind.h"

enum { TOKENS_MAX = 1000, NAME_MAX_BYTES = 128, ID_LEN = 12, HASH_LEN = 64 };

static const char *const rights[] = { "read", "write" };

static const struct setting_field fields[] = {
	{ .name = "Name",
	    .type = SETTING_TEXT,
	    .min = 1,
	    .max = NAME_MAX_BYTES,
	    .required = true,
	    .words = "Who or what uses the token, for the audit trail" },
	{ .name = "Rights",
	    .type = SETTING_CHOICE,
	    .names = rights,
	    .name_count = sizeof(rights) / sizeof(rights[0]),
	    .words = "What may be done with it" },
	{ .name = "Expires",
	    .type = SETTING_DATE,
	    .words = "Its last day, in UTC; empty for a token that does not "
		     "end by itself" },
	{ .name = "Created",
	    .type = SETTING_TEXT,
	    .max = 32,
	    .words = "When it was made; the gateway writes it" },
	{ .name = "Hash",
	    .type = SETTING_TEXT,
	    .max = HASH_LEN,
	    .internal = true,
	    .words = "SHA-256 of the token's text" },
};

static bool
read_key(char out[static SETTING_KEY_SIZE], const char *given, char *why,
    size_t size)
{
	if (strlen(given) == ID_LEN &&
	    strspn(given, "0123456789abcdef") == ID_LEN) {
		memcpy(out, given, ID_LEN + 1);
		return true;
	}
	snprintf(why, size, "\"%.50s\" is not the id of a token", given);
	return false;
}

const struct setting_kind setting_kind_token = {
	.name = "token",
	.plural = "tokens",
	.words = "Tokens of the administration interface.",
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.max = TOKENS_MAX,
	.read_key = read_key,
};
