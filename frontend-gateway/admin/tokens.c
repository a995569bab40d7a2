#include "frontend-gateway/admin/tokens.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "common/random.h"
#include "frontend-gateway/settings/setting.h"
#include "frontend-gateway/settings/setting_kind.h"
#include "frontend-gateway/settings/settings_view.h"

static const char prefix[] = "spt-";
enum { PREFIX_LEN = sizeof(prefix) - 1 };

static void
hash_of(char out[static TOKENS_HASH_LEN + 1], const char *text)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char raw[SHA256_DIGEST_LENGTH];

	SHA256((const unsigned char *)text, strlen(text), raw);
	for (size_t i = 0; i < sizeof(raw); i++) {
		out[2 * i] = digits[raw[i] >> 4];
		out[2 * i + 1] = digits[raw[i] & 15];
	}
	out[TOKENS_HASH_LEN] = '\0';
}

void
tokens_make(struct tokens_new *out)
{
	char secret[TOKENS_SECRET_LEN + 1];

	random_hex(out->id, TOKENS_ID_LEN / 2);
	random_hex(secret, TOKENS_SECRET_LEN / 2);
	snprintf(
	    out->text, sizeof(out->text), "%s%s-%s", prefix, out->id, secret);
	OPENSSL_cleanse(secret, sizeof(secret));
	hash_of(out->hash, out->text);
}

static bool
is_hex(const char *s, size_t len)
{
	return strspn(s, "0123456789abcdef") >= len;
}

static bool
well_formed(const char *text)
{
	return strlen(text) == TOKENS_TEXT_LEN &&
	       memcmp(text, prefix, PREFIX_LEN) == 0 &&
	       is_hex(text + PREFIX_LEN, TOKENS_ID_LEN) &&
	       text[PREFIX_LEN + TOKENS_ID_LEN] == '-' &&
	       is_hex(text + PREFIX_LEN + TOKENS_ID_LEN + 1, TOKENS_SECRET_LEN);
}

void
tokens_day(char out[static TOKENS_DAY_LEN + 1], int64_t now_ms)
{
	const time_t s = (time_t)(now_ms / 1000);
	struct tm tm;

	gmtime_r(&s, &tm);
	if (strftime(out, TOKENS_DAY_LEN + 1, "%Y-%m-%d", &tm) == 0)
		out[0] = '\0'; /* beyond the year 9999 */
}

/* Good through the whole of its last day; dates sort as texts. */
static bool
has_expired(const struct setting *t, int64_t now_ms)
{
	const char *last = setting_text(t, "Expires");
	char today[TOKENS_DAY_LEN + 1];

	tokens_day(today, now_ms);
	return last[0] != '\0' && strcmp(today, last) > 0;
}

enum tokens_verdict
tokens_check(const struct setting **out, const struct settings_view *v,
    const char *text, int64_t now_ms)
{
	/* What is compared with when there is no such token. */
	static const char nobody[] = "0000000000000000000000000000000000000000"
				     "000000000000000000000000";
	char id[TOKENS_ID_LEN + 1], hash[TOKENS_HASH_LEN + 1];
	const struct setting *t;
	const char *stored = nobody;

	if (!well_formed(text))
		return TOKENS_MALFORMED;
	memcpy(id, text + PREFIX_LEN, TOKENS_ID_LEN);
	id[TOKENS_ID_LEN] = '\0';
	hash_of(hash, text);
	t = settings_view_get(v, &setting_kind_token, id);
	if (t != NULL && strlen(setting_text(t, "Hash")) == TOKENS_HASH_LEN)
		stored = setting_text(t, "Hash");
	if (CRYPTO_memcmp(hash, stored, TOKENS_HASH_LEN) != 0 || t == NULL)
		return TOKENS_WRONG;
	*out = t;
	return has_expired(t, now_ms) ? TOKENS_EXPIRED : TOKENS_GOOD;
}

bool
tokens_hold(const struct settings_view *v, const char *id, int64_t now_ms)
{
	const struct setting *t = settings_view_get(v, &setting_kind_token, id);

	return t != NULL && !has_expired(t, now_ms);
}

bool
tokens_may_write(const struct setting *token)
{
	return strcmp(setting_text(token, "Rights"), "write") == 0;
}
