/*
 * log - one line per event, key=value, to standard error.
 *
 *   2026-11-21T08:33:00.123Z warn s2s_in stream-refused peer=a.example ...
 *
 * A struct log names a component and, once known, the object a line is
 * about; it is embedded in that object.  The format is a list of key=%x
 * items separated by single spaces; the compiler checks it as printf, and
 * each value is quoted and escaped on its own when it holds anything but
 * printable ASCII without space, quote, backslash and '=', so nothing a
 * peer sends can forge a line or a key.  A value may be put together from
 * several conversions (peer=%s:%d) and is then quoted as one.  Supported
 * conversions: %s %.*s %c %d %u %x with the usual length modifiers.  NULL for
 * %s prints '-'.
 *
 * At the end stands the event's number, event_id=2302, when common/events.h
 * has one.
 *
 * What is too long is cut inside a value, marked with "...".  A line that
 * cannot be written is dropped and counted on the next one (lost_lines).
 *
 * What somebody outside can provoke at will goes through common/log_limit.h.
 *
 * Message bodies and secrets are never passed to these functions; the only
 * exception is log_body(), which is silent unless the admin switched bodies on.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log {
	const char *component; /* static string */
	char object[120];      /* "key=value ..." put before the rest, or "" */
};

/* component must be static. */
void log_init(struct log *l, const char *component);
/* Sets the object part; same format rules as the events. */
void log_object(struct log *l, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

void log_event(const struct log *l, enum log_level level, const char *event,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* The same with the arguments in hand. */
void log_vevent(const struct log *l, enum log_level level, const char *event,
    const char *fmt, va_list ap) __attribute__((format(printf, 4, 0)));

#define log_error(l, ...) log_event((l), LOG_ERROR, __VA_ARGS__)
#define log_warn(l, ...)  log_event((l), LOG_WARN, __VA_ARGS__)
#define log_info(l, ...)  log_event((l), LOG_INFO, __VA_ARGS__)
#define log_debug(l, ...) log_event((l), LOG_DEBUG, __VA_ARGS__)

/* Logs a message body, in as many lines as it takes, only when
 * log_set_bodies(true) was called. */
void
log_body(const struct log *l, const char *event, const char *body, size_t len);
void log_set_bodies(bool on);
/* Whether it was. */
bool log_bodies(void);

/* Level for all components, or for one (NULL = all).  Names are copied. */
int log_set_level(const char *component, enum log_level level);
/* "error" "warn" "info" "debug"; ERR_MALFORMED otherwise. */
int log_level_parse(enum log_level *out, const char *name);
bool log_enabled(const struct log *l, enum log_level level);
/* Where lines go; -1 = nowhere.  Default 2.  The descriptor is borrowed. */
void log_set_fd(int fd);
/* Put before the component with a slash ("streams/s2s_in"); static string, or
 * NULL. */
void log_set_process(const char *name);

#endif
