/*
 * clock - all time and every timer of a daemon.
 *
 * One heap of timers over one uv_timer.  A timer is embedded in its owner,
 * stops synchronously and needs no close callback: clock_timer_stop() before
 * the owner is freed is all.  Tests use a manual clock, which only moves
 * when clock_advance() is called, so hours pass in microseconds.
 *
 * A callback may start, stop or free any timer, its own included.
 */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct clock;
struct clock_timer;
typedef void clock_timer_fn(struct clock_timer *t, void *arg);

struct clock_timer {
	struct clock *clock;
	clock_timer_fn *fn;
	void *arg;
	uint64_t due_ms;
	uint64_t order; /* equal due times fire in the order of starting */
	size_t slot;    /* heap index + 1; 0 = not running */
};

/* Clock driven by loop.  0 or a negative code. */
int clock_open_uv(struct clock **out, uv_loop_t *loop);
/* Clock driven by clock_advance(); starts at now_ms / wall_ms. */
int clock_open_manual(struct clock **out, uint64_t now_ms, int64_t wall_ms);
/* No timer may be running.  For a uv clock the memory goes in a later loop
 * turn, after the handle's close callback. */
void clock_close(struct clock *c);

/* Monotonic milliseconds. */
uint64_t clock_now_ms(const struct clock *c);
/* Milliseconds since 1970 UTC. */
int64_t clock_wall_ms(const struct clock *c);
/* Manual clock: moves on by ms and fires what falls due, in order. */
void clock_advance(struct clock *c, uint64_t ms);

void clock_timer_init(
    struct clock_timer *t, struct clock *c, clock_timer_fn *fn, void *arg);
/* (Re)starts; fires once after delay_ms.  Aborts when there has been no
 * memory for the heap for long: a daemon without timers must not go on. */
void clock_timer_start(struct clock_timer *t, uint64_t delay_ms);
/* Harmless when not running. */
void clock_timer_stop(struct clock_timer *t);
bool clock_timer_running(const struct clock_timer *t);

#endif
