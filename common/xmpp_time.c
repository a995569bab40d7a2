/* Days are counted by the proleptic Gregorian calendar with years that begin
 * in March, so that leap days come last. */
#include "common/xmpp_time.h"

#include <stdio.h>
#include <string.h>

static const uint64_t day_ms = 86400000;

static int64_t
days_from_civil(int64_t y, int64_t m, int64_t d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = y / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void
civil_from_days(int64_t days, int64_t *y, int64_t *m, int64_t *d)
{
	int64_t z = days + 719468;
	int64_t era = z / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	*d = doy - (153 * mp + 2) / 5 + 1;
	*m = mp < 10 ? mp + 3 : mp - 9;
	*y = yoe + era * 400 + (*m <= 2);
}

/* Exactly n digits, then moves on. */
static bool
digits(const char **s, int n, int64_t *out)
{
	int64_t v = 0;

	for (; n > 0; n--, (*s)++) {
		if (**s < '0' || **s > '9')
			return false;
		v = v * 10 + (**s - '0');
	}
	*out = v;
	return true;
}

static bool
skip(const char **s, char c)
{
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

static int64_t
month_days(int64_t y, int64_t m)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
		31 };

	if (m == 2 && ((y % 4 == 0 && y % 100 != 0) || y % 400 == 0))
		return 29;
	return days[m - 1];
}

/* ".5" and so on; more than milliseconds is cut off. */
static bool
fraction(const char **s, int64_t *ms)
{
	int64_t scale = 100;

	*ms = 0;
	if (!skip(s, '.'))
		return true;
	if (**s < '0' || **s > '9')
		return false;
	for (; **s >= '0' && **s <= '9'; (*s)++, scale /= 10)
		*ms += (**s - '0') * scale;
	return true;
}

/* "Z" or "+01:00": minutes to take off. */
static bool
zone(const char **s, int64_t *minutes)
{
	int64_t h, m, sign = **s == '-' ? -1 : 1;

	*minutes = 0;
	if (skip(s, 'Z'))
		return true;
	if (**s != '+' && **s != '-')
		return false;
	(*s)++;
	if (!digits(s, 2, &h) || !skip(s, ':') || !digits(s, 2, &m) || h > 14 ||
	    m > 59)
		return false;
	*minutes = sign * (h * 60 + m);
	return true;
}

bool
xmpp_time_parse(uint64_t *out, const char *s)
{
	int64_t y, mo, d, h, mi, sec, ms, off, t;

	if (!digits(&s, 4, &y) || !skip(&s, '-') || !digits(&s, 2, &mo) ||
	    !skip(&s, '-') || !digits(&s, 2, &d) || !skip(&s, 'T') ||
	    !digits(&s, 2, &h) || !skip(&s, ':') || !digits(&s, 2, &mi) ||
	    !skip(&s, ':') || !digits(&s, 2, &sec) || !fraction(&s, &ms) ||
	    !zone(&s, &off) || *s != '\0')
		return false;
	if (mo < 1 || mo > 12 || d < 1 || d > month_days(y, mo) || h > 23 ||
	    mi > 59 || sec > 60)
		return false;
	t = days_from_civil(y, mo, d) * (int64_t)day_ms +
	    ((h * 60 + mi - off) * 60 + sec) * 1000 + ms;
	if (t < 0)
		return false;
	*out = (uint64_t)t;
	return true;
}

void
xmpp_time_format(char out[XMPP_TIME_SIZE], uint64_t ms)
{
	const uint64_t last = 253402300799999;
	int64_t y, m, d;
	unsigned t;
	size_t n;

	if (ms > last)
		ms = last;
	civil_from_days((int64_t)(ms / day_ms), &y, &m, &d);
	t = (unsigned)(ms % day_ms);
	n = (size_t)snprintf(out, XMPP_TIME_SIZE,
	    "%04u-%02u-%02uT%02u:%02u:%02u", (unsigned)y % 10000,
	    (unsigned)m % 100, (unsigned)d % 100, t / 3600000 % 24,
	    t / 60000 % 60, t / 1000 % 60);
	if (t % 1000 != 0)
		n += (size_t)snprintf(
		    out + n, XMPP_TIME_SIZE - n, ".%03u", t % 1000);
	out[n] = 'Z';
	out[n + 1] = '\0';
}
