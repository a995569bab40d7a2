/*
 * day - dates without a time of day, as days since 1970-01-01, by UTC.
 *
 * What is dated so holds for whole days, the first and the last included.
 * Pure.
 */
#ifndef GATEWAY_POLICY_DAY_H
#define GATEWAY_POLICY_DAY_H

#include <stdbool.h>
#include <stdint.h>

enum {
	DAY_SIZE = 11, /* "2014-06-30" */
	DAY_NEVER_BEGUN = INT32_MIN,
	DAY_NEVER_OVER = INT32_MAX
};

/* "YYYY-MM-DD", years 1970 to 9999, and nothing else. */
bool day_parse(int32_t *out, const char *s);
/* "" for the two that are no dates. */
void day_format(char out[static DAY_SIZE], int32_t day);

/* Of milliseconds since 1970, and how many of them are left of the day. */
int32_t day_of_ms(int64_t wall_ms);
uint64_t day_rest_ms(int64_t wall_ms);

#endif
