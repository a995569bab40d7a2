#include "edge-proxy/dialback_key.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/buf.h"
#include "common/err.h"

enum { DIGEST_LEN = 32, MESSAGE_MAX = 4096 };

static void
to_hex(char *out, const uint8_t *digest)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < DIGEST_LEN; i++) {
		out[2 * i] = digits[digest[i] >> 4];
		out[2 * i + 1] = digits[digest[i] & 15];
	}
	out[DIALBACK_KEY_LEN] = '\0';
}

/* XEP-0185 2: HMAC-SHA256 keyed with the hex text of SHA256(secret), over the
 * receiving domain, the sending domain and the stream id.  The spaces
 * between them keep bytes from moving from one field to the next. */
int
dialback_key_make(char *out, const char *secret, const char *receiver,
    const char *sender, const char *id)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	char hmac_key[2 * DIGEST_LEN + 1];
	unsigned len = 0;
	struct buf message;
	int rc = ERR_NOMEM;

	assert(strlen(secret) <= DIALBACK_SECRET_MAX);
	buf_init(&message, MESSAGE_MAX);
	buf_addf(&message, "%s %s %s", receiver, sender, id);
	if (buf_failed(&message)) {
		rc = ERR_TOO_LONG;
		goto done;
	}
	if (EVP_Digest(
		secret, strlen(secret), digest, &len, EVP_sha256(), NULL) != 1)
		goto done;
	to_hex(hmac_key, digest);
	if (HMAC(EVP_sha256(), hmac_key, 2 * DIGEST_LEN, message.data,
		message.len, digest, &len) == NULL)
		goto done;
	to_hex(out, digest);
	rc = 0;

done:
	OPENSSL_cleanse(hmac_key, sizeof(hmac_key));
	buf_finish(&message);
	return rc;
}

static bool
made_with(const char *key, const char *secret, const char *receiver,
    const char *sender, const char *id)
{
	char expected[DIALBACK_KEY_LEN + 1];

	return dialback_key_make(expected, secret, receiver, sender, id) == 0 &&
	       CRYPTO_memcmp(expected, key, DIALBACK_KEY_LEN) == 0;
}

bool
dialback_key_valid(const char *key, size_t len, const char *current,
    const char *previous, const char *receiver, const char *sender,
    const char *id)
{
	if (len != DIALBACK_KEY_LEN)
		return false;
	return made_with(key, current, receiver, sender, id) ||
	       (previous != NULL &&
		   made_with(key, previous, receiver, sender, id));
}
