/*
 * log_limit - log lines that somebody outside can provoke as often as he
 * likes.
 *
 * A line belongs to a kind (component, event and, if given, what) and a peer:
 * an address without its port, an edge, a domain.  Of each kind and peer
 * LOG_LIMIT_LINES a minute are written, or as many as the caller wants; the
 * rest is counted.  When the minute is over one more line tells how many:
 *
 *   error gateway suppressed event=alarm what=from-own-domain peer=edge1
 *       lines=4980 seconds=60
 *
 * The table is bounded.  When it is full, new peers of a kind share one
 * budget under the name "(others)", so that a flood from many addresses is
 * bounded too.
 *
 * The limit belongs to the process, as the log does.  Before
 * log_limit_start() and after log_limit_stop() every line is written.
 */
#ifndef COMMON_LOG_LIMIT_H
#define COMMON_LOG_LIMIT_H

#include "common/log.h"

struct clock;

enum {
	LOG_LIMIT_LINES = 20,
	LOG_LIMIT_MS = 60000,
	LOG_LIMIT_PEERS = 512 /* kinds and peers counted at a time */
};

struct log_limit {
	const struct log *log;
	enum log_level level;
	const char *event;
	const char *what; /* tells lines of one event apart; or NULL */
	const char *peer; /* who provoked it; NULL = nobody in particular */
	unsigned lines;   /* a minute; 0 = LOG_LIMIT_LINES */
};

/* Borrows the clock.  0 or ERR_NOMEM. */
int log_limit_start(struct clock *clock);
/* Tells what is still to be told. */
void log_limit_stop(void);

void log_limited(const struct log_limit *limit, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The usual cases: of one peer, without more. */
#define log_limited_as(l, lvl, p, ev, ...)                                     \
	log_limited(                                                           \
	    &(const struct log_limit){                                         \
		.log = (l), .level = (lvl), .event = (ev), .peer = (p) },      \
	    __VA_ARGS__)
#define log_limited_error(l, p, ...)                                           \
	log_limited_as(l, LOG_ERROR, p, __VA_ARGS__)
#define log_limited_warn(l, p, ...) log_limited_as(l, LOG_WARN, p, __VA_ARGS__)
#define log_limited_info(l, p, ...) log_limited_as(l, LOG_INFO, p, __VA_ARGS__)

#endif
