/*
 * child - what the streams and the resolver process have in common: loop,
 * clock, the link to the keeper, signals, and an end in order.
 *
 * Signs of life and log levels are answered here; everything else the keeper
 * says goes to the owner.
 *
 * The terminal's SIGINT and SIGHUP are the keeper's business and ignored here.
 * The process stops on SIGTERM, when the keeper says so, and when the keeper
 * is gone.
 */
#ifndef EDGE_CHILD_H
#define EDGE_CHILD_H

#include <stdbool.h>
#include <uv.h>

#include "common/turns.h"
#include "edge-proxy/keeper_wire.h"

struct clock;

struct child_opts {
	const char *name; /* of the process, for the log */
	int control;      /* socket to the keeper */
	keeper_message_fn *on_message;
	/* Stop in order, then call child_end().  May fire again. */
	void (*on_stop)(void *arg);
};

struct child {
	uv_loop_t loop;
	struct turns turns;
	struct clock *clock;
	struct keeper_link *link;
	uv_signal_t term;
	struct child_opts opts;
	void *arg;
	bool ending;
	int status;
};

/* Runs the process until child_end(); its exit status. */
int child_run(struct child *c, const struct child_opts *opts, void *arg);
/* Closes what the child has; the loop ends when the owner's handles are closed
 * too.  Repeats are ignored. */
void child_end(struct child *c, int status);

#endif
