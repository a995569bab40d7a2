/* Texts are joined with NUL, which none of them contains but the secret, and
 * that comes last: no two lists of texts hash alike. */
#include "frontend-gateway/translate/ids.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>

#include "common/base64.h"
#include "common/buf.h"
#include "common/err.h"
#include "frontend-gateway/translate/body.h"

enum { DIGEST_SIZE = 32 };

struct text {
	const void *data;
	size_t len;
};

static struct text
text_of(const char *s)
{
	return (struct text){ s, strlen(s) };
}

/* SHA-256 over count texts with a NUL between each two.  Without it nothing
 * could be named; it fails only for want of memory. */
static void
digest(uint8_t out[static DIGEST_SIZE], const struct text *texts, size_t count)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);

	for (size_t i = 0; i < count && ok; i++) {
		if (i > 0)
			ok = EVP_DigestUpdate(ctx, "", 1);
		if (ok)
			ok = EVP_DigestUpdate(ctx, texts[i].data, texts[i].len);
	}
	ok = ok && EVP_DigestFinal_ex(ctx, out, NULL);
	EVP_MD_CTX_free(ctx);
	if (!ok) {
		fputs("no memory for a digest, giving up\n", stderr);
		abort();
	}
}

void
ids_stanza(char out[static IDS_STANZA_SIZE], const char *call_id, uint32_t cseq,
    const char *from_tag, struct ids_secret secret)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint8_t hash[DIGEST_SIZE];
	char number[16];

	snprintf(number, sizeof(number), "%u", (unsigned)cseq);
	digest(hash,
	    (struct text[]){ text_of(call_id), text_of(number),
		text_of(from_tag), { secret.data, secret.len } },
	    4);
	/* Base32 (RFC 4648 6) in lower case, five bits a character. */
	for (size_t i = 0; i < IDS_STANZA_SIZE - 1; i++) {
		size_t bit = 5 * i;
		unsigned pair =
		    (unsigned)hash[bit / 8] << 8 | hash[bit / 8 + 1];

		out[i] = alphabet[pair >> (11 - bit % 8) & 31];
	}
	out[IDS_STANZA_SIZE - 1] = '\0';
}

void
ids_thread(char out[static IDS_THREAD_SIZE], const char *conversation,
    struct ids_secret secret)
{
	uint8_t hash[DIGEST_SIZE];
	size_t at = 0;

	digest(hash,
	    (struct text[]){
		text_of(conversation), { secret.data, secret.len } },
	    2);
	hash[6] = (uint8_t)(0x80 | (hash[6] & 0x0f)); /* version 8 */
	hash[8] = (uint8_t)(0x80 | (hash[8] & 0x3f)); /* variant 10 */
	for (size_t i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			out[at++] = '-';
		snprintf(out + at, 3, "%02x", hash[i]);
		at += 2;
	}
}

void
ids_epid(char out[static IDS_EPID_SIZE], const char *full_jid)
{
	uint8_t hash[DIGEST_SIZE];

	digest(hash, (struct text[]){ text_of(full_jid) }, 1);
	for (size_t i = 0; i < (IDS_EPID_SIZE - 1) / 2; i++)
		snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

static int
put_format(struct buf *out, const char *type, const char *text, size_t len)
{
	if (len > IDS_TEXT_FORMAT_MAX)
		return ERR_TOO_LONG;
	buf_addf(out, "%s;ms-body=", type);
	return base64_encode(out, text, len);
}

int
ids_text_format(struct buf *out, const char *text, size_t len)
{
	return put_format(out, BODY_CONTENT_TYPE, text, len);
}

int
ids_im_format(struct buf *out, const char *html, size_t len)
{
	return put_format(out, BODY_HTML_TYPE, html, len);
}
