/* utf8 - checks on text from outside (RFC 3629, XML 1.0 2.2). */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes one code point at s (len >= 1).  Returns its length in bytes, or 0
 * when the bytes are not well-formed UTF-8. */
size_t utf8_decode(const uint8_t *s, size_t len, uint32_t *cp);
/* Writes cp (a scalar value) into out[4]; returns the length. */
size_t utf8_encode(uint8_t *out, uint32_t cp);
bool utf8_valid(const void *s, size_t len);
/* Whether XML 1.0 allows the character. */
bool utf8_xml_char(uint32_t cp);
/* Whether a character belongs to the one before it: combining marks, the
 * joiner, variation selectors, skin tones, tags. */
bool utf8_attached(uint32_t cp);
/* Valid UTF-8 of which every character XML 1.0 allows. */
bool utf8_valid_xml(const void *s, size_t len);

#endif
