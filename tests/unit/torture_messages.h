/*
 * torture_messages - tests/torture-messages/ for unit tests: messages with the
 * traits of RFC 4475 and RFC 5118, and what is to become of each.
 */
#ifndef TESTS_UNIT_TORTURE_MESSAGES_H
#define TESTS_UNIT_TORTURE_MESSAGES_H

#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

/* The rows of expected.json, to be given up with json_decref(); NULL, said
 * on standard error, when they cannot be read. */
json_t *torture_messages_load(void);
/* "name" of a row. */
const char *torture_messages_name(const json_t *row);
/* The bytes of a row, to be freed; NULL when they cannot be read. */
uint8_t *torture_messages_read(size_t *len, const json_t *row);

#endif
