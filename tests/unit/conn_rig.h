/*
 * conn_rig - two ends of a connection on one loop, over real loopback TCP.
 *
 * rig_open() makes loop, manual clock and listener.  rig_connect() makes the
 * client's end; the server's end is accepted when it arrives.  What each end
 * sees is noted in struct end; hooks let a test act from within a callback.
 * rig_close() waits for both ends and fails unless every handle is gone.
 */
#ifndef TESTS_CONN_RIG_H
#define TESTS_CONN_RIG_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "common/conn.h"

struct rig;
struct end;
typedef void conn_rig_hook_fn(struct end *e);

/* One end, and what it has seen. */
struct end {
	struct rig *rig;
	struct conn *conn; /* NULL before and after its life */
	struct conn_opts opts;

	bool connected, secured, ended;
	int accept_rc;
	unsigned backlogs, drains, chunks;
	uint8_t *data; /* all bytes received */
	size_t len, cap;
	enum conn_end why;
	int rc;
	char detail[200];

	conn_rig_hook_fn *on_up; /* accepted or connected */
	conn_rig_hook_fn *on_secured;
	conn_rig_hook_fn *on_data;
	conn_rig_hook_fn *on_backlog;
	conn_rig_hook_fn *on_drained;
	/* Bytes of the chunk in progress, for on_data. */
	const uint8_t *chunk;
	size_t chunk_len;
};

struct rig {
	uv_loop_t loop;
	struct clock *clock;
	uv_tcp_t listener;
	uv_timer_t tick; /* keeps waits short */
	struct sockaddr_in addr;
	struct end server, client;
	void *test; /* the test's own */
};

void conn_rig_open(struct rig *r);
void conn_rig_close(struct rig *r);
/* The client's end, to our listener. */
void conn_rig_connect(struct rig *r);
/* Both ends up in plaintext. */
void conn_rig_pair(struct rig *r);
/* A blocking socket in the place of the client. */
int conn_rig_raw_client(struct rig *r);

/* The peer's TCP has all that was written. */
bool conn_rig_acknowledged(struct conn *c);
/* One turn of the loop, waiting a few milliseconds at most. */
void conn_rig_turn(struct rig *r);
/* Turns the loop until cond; fails the test after some seconds. */
#define conn_rig_until(r, cond)                                                \
	do {                                                                   \
		uint64_t limit_ = uv_hrtime() + 20000000000u;                  \
		while (!(cond)) {                                              \
			if (uv_hrtime() > limit_)                              \
				fail_msg("never: %s", #cond);                  \
			conn_rig_turn(r);                                      \
		}                                                              \
	} while (0)

/* The test pattern, beginning at any place. */
void conn_rig_fill(uint8_t *out, size_t at, size_t len);
/* Whether all that came is the pattern from its beginning. */
bool conn_rig_is_pattern(const struct end *e);
bool conn_rig_has(const struct end *e, const char *text);

#endif
