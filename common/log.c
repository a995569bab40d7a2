/* A line is put together in a fixed array: time, level, component, event,
 * the object's items, the event's items.  An item of the format reaches from
 * one space to the next; what follows its first '=' is formatted first and
 * then quoted as a whole, so a value cannot end its item early.  Whatever
 * does not fit is cut inside a value, marked "...", with the quote closed.
 *
 * A line goes out in one write().  When that fails the line is lost; the
 * number of lost lines is told on the next line that gets through. */
#include "common/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/err.h"
#include "common/events.h"
#include "common/utf8.h"

enum {
	LINE_MAX_BYTES = 4096,
	VALUE_MAX = 2048,
	BODY_PIECE = 900, /* bytes of a body in a line, quoted */
	LEVELS_MAX = 64,  /* components with a level of their own */
	COMPONENT_MAX = 32,
	NUMBER_MAX = 24, /* " event_id=..." */
};

static struct {
	int fd;
	enum log_level level;
	bool bodies;
	const char *process;
	unsigned long long lost;
	size_t level_count;
	struct {
		char component[COMPONENT_MAX];
		enum log_level level;
	} levels[LEVELS_MAX];
} settings = { .fd = 2, .level = LOG_INFO };

static const char *const level_names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warn",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

/* Text that grows in someone's array until that is full. */
struct out {
	char *at;
	size_t len;
	size_t size; /* without the NUL */
	bool cut;    /* a value that was longer */
};

/* --- values ------------------------------------------------------------- */

static bool
put(struct out *o, const char *s, size_t len)
{
	if (len > o->size - o->len)
		return false;
	memcpy(o->at + o->len, s, len);
	o->len += len;
	return true;
}

static bool
is_plain(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] <= ' ' || s[i] >= 0x7f || s[i] == '"' ||
		    s[i] == '\\' || s[i] == '=')
			return false;
	return len > 0;
}

/* Characters that may stand unescaped inside quotes.  Left out are controls
 * and what changes how a terminal lays out the rest of the line. */
static bool
is_shown(uint32_t cp)
{
	return cp >= 0x20 && !(cp >= 0x7f && cp <= 0xa0) && cp != 0xad &&
	       cp != 0x61c && cp != 0x180e && !(cp >= 0x200b && cp <= 0x200f) &&
	       !(cp >= 0x2028 && cp <= 0x202e) &&
	       !(cp >= 0x2060 && cp <= 0x206f) && cp != 0xfeff &&
	       !(cp >= 0xfff0 && cp <= 0xffff) && cp < 0xe0000;
}

/* Escapes the character at s into piece; *used is what it took of s. */
static size_t
escape(char piece[16], const char *s, size_t len, size_t *used)
{
	uint32_t cp;
	size_t n = utf8_decode((const uint8_t *)s, len, &cp);

	*used = n == 0 ? 1 : n;
	if (n == 0)
		return (size_t)snprintf(piece, 16, "\\x%02x", (uint8_t)*s);
	if (cp == '"' || cp == '\\')
		return (size_t)snprintf(piece, 16, "\\%c", (char)cp);
	if (cp == '\n')
		return (size_t)snprintf(piece, 16, "\\n");
	if (cp == '\r')
		return (size_t)snprintf(piece, 16, "\\r");
	if (cp == '\t')
		return (size_t)snprintf(piece, 16, "\\t");
	if (!is_shown(cp))
		return (size_t)snprintf(piece, 16, "\\u{%" PRIx32 "}", cp);
	memcpy(piece, s, n);
	return n;
}

/* False when there was no room even for the shortest form. */
static bool
put_value(struct out *o, const struct out *value)
{
	static const char cut[] = "...\"";
	const size_t cut_len = sizeof(cut) - 1;
	char piece[16];
	size_t used;

	if (!value->cut && is_plain(value->at, value->len) &&
	    put(o, value->at, value->len))
		return true;
	if (o->size - o->len < 1 + cut_len)
		return false;
	put(o, "\"", 1);
	for (size_t i = 0; i < value->len; i += used) {
		size_t n = escape(piece, value->at + i, value->len - i, &used);

		if (o->size - o->len < n + cut_len)
			return put(o, cut, cut_len);
		put(o, piece, n);
	}
	return value->cut ? put(o, cut, cut_len) : put(o, "\"", 1);
}

/* --- the format --------------------------------------------------------- */

/* va_list may be an array type; in a struct it can be handed down. */
struct args {
	va_list ap;
};

struct conversion {
	int width;
	int precision; /* -1 = none */
	bool zero;
	char length; /* 'l', 'L' for ll, 'z', 'h', or 0 */
	char kind;
};

static const char *
parse_number(const char *f, int *out, struct args *args)
{
	if (*f == '*') {
		*out = va_arg(args->ap, int);
		return f + 1;
	}
	*out = 0;
	for (; *f >= '0' && *f <= '9'; f++)
		if (*out < 1000)
			*out = *out * 10 + (*f - '0');
	return f;
}

/* Reads the conversion behind '%'; returns what follows it. */
static const char *
parse_conversion(const char *f, struct conversion *c, struct args *args)
{
	*c = (struct conversion){ .precision = -1 };
	for (; *f == '0' || *f == '-' || *f == '+' || *f == ' ' || *f == '#';
	     f++)
		c->zero = c->zero || *f == '0';
	f = parse_number(f, &c->width, args);
	if (*f == '.')
		f = parse_number(f + 1, &c->precision, args);
	for (; *f == 'l' || *f == 'z' || *f == 'h' || *f == 'j' || *f == 't';
	     f++)
		c->length = *f == 'l' && c->length == 'l' ? 'L' : *f;
	c->kind = *f;
	return *f == '\0' ? f : f + 1;
}

static unsigned long long
unsigned_arg(char length, struct args *args)
{
	if (length == 'L')
		return va_arg(args->ap, unsigned long long);
	if (length == 'l')
		return va_arg(args->ap, unsigned long);
	if (length == 'z' || length == 't')
		return va_arg(args->ap, size_t);
	if (length == 'j')
		return va_arg(args->ap, uintmax_t);
	return va_arg(args->ap, unsigned);
}

static long long
signed_arg(char length, struct args *args)
{
	if (length == 'L')
		return va_arg(args->ap, long long);
	if (length == 'l')
		return va_arg(args->ap, long);
	if (length == 'z' || length == 't')
		return va_arg(args->ap, ssize_t);
	if (length == 'j')
		return va_arg(args->ap, intmax_t);
	return va_arg(args->ap, int);
}

static void
put_string(struct out *value, const struct conversion *c, const char *s)
{
	size_t len, room = value->size - value->len;

	if (s == NULL)
		s = "-";
	len = c->precision >= 0 ? strnlen(s, (size_t)c->precision) : strlen(s);
	value->cut = value->cut || len > room;
	put(value, s, len < room ? len : room);
}

/* Formats one argument.  False for a conversion that is not known: nothing
 * behind it can be read from the argument list. */
static bool
put_conversion(struct out *value, const struct conversion *c, struct args *args)
{
	char number[64];
	int n, width = c->width > 32 ? 32 : c->width;

	switch (c->kind) {
	case 's':
		put_string(value, c, va_arg(args->ap, const char *));
		return true;
	case 'c':
		number[0] = (char)va_arg(args->ap, int);
		n = 1;
		break;
	case 'd':
	case 'i':
		n = snprintf(number, sizeof(number), "%lld",
		    signed_arg(c->length, args));
		break;
	case 'u':
		n = snprintf(number, sizeof(number), "%llu",
		    unsigned_arg(c->length, args));
		break;
	case 'x':
		n = c->zero ? snprintf(number, sizeof(number), "%0*llx", width,
				  unsigned_arg(c->length, args))
			    : snprintf(number, sizeof(number), "%llx",
				  unsigned_arg(c->length, args));
		break;
	case '%':
		number[0] = '%';
		n = 1;
		break;
	default:
		put(value, "(format?)", 9);
		return false;
	}
	put(value, number, (size_t)n);
	return true;
}

/* Appends " key=value" for each item of the format; first tells whether the
 * leading space is left out. */
static void
put_items(struct out *o, bool first, const char *fmt, struct args *args)
{
	char text[VALUE_MAX];
	bool readable = true;

	text[0] = '\0';
	while (*fmt == ' ')
		fmt++;
	while (*fmt != '\0' && readable) {
		struct out value = { text, 0, sizeof(text), false };
		size_t start = o->len;
		const char *f = fmt;
		bool fits;

		while (*f != '\0' && *f != ' ' && *f != '=' && *f != '%')
			f++;
		if (*f == '=')
			f++;
		fits =
		    (first || put(o, " ", 1)) && put(o, fmt, (size_t)(f - fmt));
		while (*f != '\0' && *f != ' ' && readable) {
			struct conversion c;

			if (*f != '%') {
				put(&value, f++, 1);
				continue;
			}
			f = parse_conversion(f + 1, &c, args);
			readable = put_conversion(&value, &c, args);
		}
		if (!fits || !put_value(o, &value)) {
			o->len = start;
			return;
		}
		first = false;
		while (*f == ' ')
			f++;
		fmt = f;
	}
}

/* --- lines -------------------------------------------------------------- */

static void
put_time(struct out *o)
{
	struct timespec ts;
	struct tm tm;
	char text[64];
	int n;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	n = snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ",
	    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
	    tm.tm_sec, ts.tv_nsec / 1000000);
	put(o, text, (size_t)n);
}

static void
put_str(struct out *o, const char *s)
{
	put(o, s, strlen(s));
}

static void
start_line(
    struct out *o, const struct log *l, enum log_level level, const char *event)
{
	put_time(o);
	put_str(o, " ");
	put_str(o, level_names[level]);
	put_str(o, " ");
	if (settings.process != NULL) {
		put_str(o, settings.process);
		put_str(o, "/");
	}
	put_str(o, l->component);
	put_str(o, " ");
	put_str(o, event);
	if (l->object[0] != '\0') {
		put_str(o, " ");
		put_str(o, l->object);
	}
	if (settings.lost > 0) {
		char text[40];
		int n = snprintf(
		    text, sizeof(text), " lost_lines=%llu", settings.lost);

		put(o, text, (size_t)n);
	}
}

static void
put_number(struct out *o, const char *component, const char *event)
{
	const struct event_row *row = events_find(component, event);
	char text[NUMBER_MAX];
	int n;

	if (row == NULL)
		return;
	n = snprintf(text, sizeof(text), " event_id=%u", row->number);
	put(o, text, (size_t)n);
}

static void
write_line(char *line, size_t len)
{
	ssize_t n;

	line[len] = '\n';
	do
		n = write(settings.fd, line, len + 1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		settings.lost++;
	else
		settings.lost = 0;
}

void
log_init(struct log *l, const char *component)
{
	*l = (struct log){ .component = component };
}

void
log_object(struct log *l, const char *fmt, ...)
{
	struct out o = { l->object, 0, sizeof(l->object) - 1, false };
	struct args args;

	va_start(args.ap, fmt);
	put_items(&o, true, fmt, &args);
	va_end(args.ap);
	l->object[o.len] = '\0';
}

void
log_vevent(const struct log *l, enum log_level level, const char *event,
    const char *fmt, va_list ap)
{
	char line[LINE_MAX_BYTES];
	struct out o = { line, 0, sizeof(line) - 1 - NUMBER_MAX, false };
	struct args args;

	if (!log_enabled(l, level))
		return;
	start_line(&o, l, level, event);
	va_copy(args.ap, ap);
	put_items(&o, false, fmt, &args);
	va_end(args.ap);
	o.size += NUMBER_MAX;
	if (level != LOG_DEBUG)
		put_number(&o, l->component, event);
	write_line(line, o.len);
}

void
log_event(const struct log *l, enum log_level level, const char *event,
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vevent(l, level, event, fmt, ap);
	va_end(ap);
}

/* Where the piece that begins at `at` ends: in front of a character. */
static size_t
piece_end(const char *body, size_t len, size_t at)
{
	size_t end = len - at > BODY_PIECE ? at + BODY_PIECE : len;

	while (end < len && end > at + 1 &&
	       ((unsigned char)body[end] & 0xc0) == 0x80)
		end--;
	return end;
}

void
log_body(const struct log *l, const char *event, const char *body, size_t len)
{
	size_t at = 0, end;

	while (settings.bodies && at < len) {
		end = piece_end(body, len, at);
		log_event(l, LOG_INFO, event, "length=%zu at=%zu body=%.*s",
		    len, at, (int)(end - at), body + at);
		at = end;
	}
}

bool
log_bodies(void)
{
	return settings.bodies;
}

void
log_set_bodies(bool on)
{
	settings.bodies = on;
}

int
log_set_level(const char *component, enum log_level level)
{
	size_t len, i = 0;

	if (component == NULL) {
		settings.level = level;
		settings.level_count = 0;
		return 0;
	}
	len = strlen(component);
	if (len >= COMPONENT_MAX)
		return ERR_TOO_LONG;
	while (i < settings.level_count &&
	       strcmp(settings.levels[i].component, component) != 0)
		i++;
	if (i == LEVELS_MAX)
		return ERR_FULL;
	if (i == settings.level_count) {
		memcpy(settings.levels[i].component, component, len + 1);
		settings.level_count++;
	}
	settings.levels[i].level = level;
	return 0;
}

int
log_level_parse(enum log_level *out, const char *name)
{
	for (size_t i = 0; i < sizeof(level_names) / sizeof(*level_names); i++)
		if (strcmp(level_names[i], name) == 0) {
			*out = (enum log_level)i;
			return 0;
		}
	return ERR_MALFORMED;
}

bool
log_enabled(const struct log *l, enum log_level level)
{
	enum log_level most = settings.level;

	if (settings.fd < 0)
		return false;
	for (size_t i = 0; i < settings.level_count; i++)
		if (strcmp(settings.levels[i].component, l->component) == 0)
			most = settings.levels[i].level;
	return level <= most;
}

void
log_set_fd(int fd)
{
	settings.fd = fd;
}

void
log_set_process(const char *name)
{
	settings.process = name;
}
