/* random - identifiers nobody can guess, from OpenSSL's generator. */
#ifndef COMMON_RANDOM_H
#define COMMON_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Aborts when the generator fails: without it nothing here is safe. */
void random_bytes(void *out, size_t len);
/* len random bytes as lower-case hex; out holds 2 * len + 1. */
void random_hex(char *out, size_t len);
/* Uniform in 0 .. bound - 1; bound > 0. */
uint32_t random_below(uint32_t bound);

#endif
