/*
 * keeper_impl - what the files of the keeper share.  Nobody else includes it.
 *
 * keeper.c           start, children, stop
 * keeper_hand.c      what children are given
 * keeper_operator.c  reload, control socket, signs of life
 */
#ifndef EDGE_KEEPER_IMPL_H
#define EDGE_KEEPER_IMPL_H

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>
#include <uv.h>

#include "common/clock.h"
#include "common/log.h"
#include "edge-proxy/edge_conf.h"
#include "edge-proxy/keeper_wire.h"

enum role { STREAMS, RESOLVER, FETCHER, ROLES };

struct proc {
	struct keeper *keeper;
	enum role role;
	uv_process_t process;
	struct keeper_link *link; /* NULL while not running */
	bool running;
	bool ready;
	bool alive; /* has answered the last beat */
	unsigned restarts;
	uint64_t started_ms;
	uint64_t pause_ms;
};

/* A reload that streams has been given and not answered. */
struct keeper_reload {
	bool running;
	bool asked; /* by streams: it gets the answer */
	struct edge_conf *conf;
	char *text;
	json_t *restart; /* members that need one */
};

struct keeper {
	const char *path;
	uv_loop_t loop;
	struct clock *clock;
	struct edge_conf *conf;
	char *text; /* of conf */
	struct proc procs[ROLES];
	struct clock_timer revive, kill;
	uv_signal_t signals[3];
	int control_fd; /* listening; -1 without */
	struct keeper_reload reload;
	struct clock_timer beat;
	uint64_t started_ms;
	bool was_ready;
	bool stopping;
	bool finished;
	int status;
	struct log log;
};

/* --- keeper_hand.c ------------------------------------------------------ */

/* Everything streams needs to begin or to go on with. */
int keeper_hand_to_streams(
    struct keeper *k, const struct edge_conf *conf, const char *text);
/* What is in force. */
int keeper_hand_to_resolver(struct keeper *k);
int keeper_hand_to_fetcher(struct keeper *k);

/* --- keeper.c ----------------------------------------------------------- */

void keeper_stop(struct keeper *k, int status);

/* --- keeper_operator.c -------------------------------------------------- */

/* Binds the control socket, if one is configured; before confinement. */
int keeper_operator_open(struct keeper *k);
/* After the loop's clock is there: the beats begin. */
void keeper_operator_begin(struct keeper *k);
void keeper_operator_finish(struct keeper *k);
/* Streams has been started: it gets the socket. */
void keeper_operator_serve(struct keeper *k);
/* Children came or went: streams is told which there are. */
void keeper_operator_about(struct keeper *k);
/* What a child says that is of this file; false: it is not. */
bool keeper_operator_message(
    struct proc *p, enum keeper_message type, const struct keeper_blob *blobs);
/* Reads the files again.  asked: streams waits for an answer. */
void keeper_operator_reload(struct keeper *k, bool asked);
/* Streams has taken what a reload gave it (why NULL), or not.  False when there
 * is no reload. */
bool keeper_operator_reloaded(struct keeper *k, const char *why);

#endif
