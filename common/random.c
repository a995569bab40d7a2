/* OpenSSL seeds its generator from the kernel and again after a fork. */
#include "common/random.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <openssl/rand.h>

void
random_bytes(void *out, size_t len)
{
	uint8_t *p = out;

	while (len > 0) {
		size_t n = len > INT_MAX ? INT_MAX : len;

		if (RAND_bytes(p, (int)n) != 1) {
			fputs("random generator failed, giving up\n", stderr);
			abort();
		}
		p += n;
		len -= n;
	}
}

void
random_hex(char *out, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t *raw = (uint8_t *)out + len; /* the upper half of out */

	random_bytes(raw, len);
	for (size_t i = 0; i < len; i++) {
		uint8_t b = raw[i]; /* read before its place is written */

		out[2 * i] = digits[b >> 4];
		out[2 * i + 1] = digits[b & 15];
	}
	out[2 * len] = '\0';
}

uint32_t
random_below(uint32_t bound)
{
	uint32_t reject, r;

	assert(bound > 0);
	/* 2^32 mod bound: draws below it would favour small results. */
	reject = (uint32_t)(-bound) % bound;
	do
		random_bytes(&r, sizeof(r));
	while (r < reject);
	return r % bound;
}
