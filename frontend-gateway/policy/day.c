/* The calendar is that of common/xmpp_time; a date is its midnight. */
#include "frontend-gateway/policy/day.h"

#include <stdio.h>
#include <string.h>

#include "common/xmpp_time.h"

static const int64_t day_ms = 86400000;

bool
day_parse(int32_t *out, const char *s)
{
	char midnight[XMPP_TIME_SIZE];
	uint64_t ms;

	if (strlen(s) != DAY_SIZE - 1)
		return false;
	snprintf(midnight, sizeof(midnight), "%sT00:00:00Z", s);
	if (!xmpp_time_parse(&ms, midnight))
		return false;
	*out = day_of_ms((int64_t)ms);
	return true;
}

void
day_format(char out[static DAY_SIZE], int32_t day)
{
	char midnight[XMPP_TIME_SIZE];

	out[0] = '\0';
	if (day < 0 || day == DAY_NEVER_OVER)
		return;
	xmpp_time_format(midnight, (uint64_t)(day * day_ms));
	snprintf(out, DAY_SIZE, "%.10s", midnight);
}

int32_t
day_of_ms(int64_t wall_ms)
{
	int64_t day = wall_ms / day_ms;

	return (int32_t)(wall_ms < 0 && wall_ms % day_ms != 0 ? day - 1 : day);
}

uint64_t
day_rest_ms(int64_t wall_ms)
{
	return (uint64_t)(((int64_t)day_of_ms(wall_ms) + 1) * day_ms - wall_ms);
}
